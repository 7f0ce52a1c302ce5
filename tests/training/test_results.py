"""Run and Sweep: indexing, the best run, files, data frames."""

import sys
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace

import numpy as np
import pytest

import fastgd
from fastgd.arguments.options import Method
from fastgd.arguments.subsets import check_partition
from fastgd.optimizers import Adam, GradientDescent
from fastgd.store import npz


@pytest.fixture
def sweep(xor):
    return fastgd.sweep(
        *xor, hidden_size=[2, (3, 2)], alpha=[1, 10, 0.1], iterations=200, record_every=50
    )


def same(a, b):
    """Compare every field, arrays bit by bit, except the samples, which aren't saved."""
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if is_dataclass(a):
        names = [f.name for f in fields(a) if f.name != "source"]
        return type(a) is type(b) and all(same(getattr(a, n), getattr(b, n)) for n in names)
    if isinstance(a, Method):
        return same(a.given, b.given)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return type(a) is type(b) and (a == b or (a != a and b != b))


@pytest.mark.parametrize("alpha", [2.0, (0.5, 1.0)])
def test_a_run_survives_a_file(xor, tmp_path, alpha):
    run = fastgd.train(*xor, alpha=alpha, iterations=30, record_every=9, record_weights=True)
    run.save(tmp_path / "run")  # no suffix is added
    assert same(fastgd.load(tmp_path / "run"), run)


def test_a_sweep_survives_a_file(sweep, tmp_path):
    sweep.save(tmp_path / "sweep.npz")
    loaded = fastgd.load(tmp_path / "sweep.npz")
    assert same(loaded, sweep)
    assert same(loaded[1, 2], sweep[1, 2])


def measured(result):
    """Add validation errors, as if there had been a validation set."""
    return replace(
        result,
        validation_errors=result.errors / 3,
        final_validation_error=result.final_error / 3,
        best_iteration=result.iterations // 2,
    )


def divided(sweep, **parts):
    """As if its fastest axes had been those of samples: (2 groups) x (3 folds) x (2 weightings)."""
    partition = check_partition(np.zeros((12, 3)), np.zeros((12, 1)), **parts)
    axes = dict(sweep.axes)
    names = [name for name in axes if name in ("alpha", "l2", "seed")]
    assert [len(axes.pop(name)) for name in names] == [len(a) for a in partition.axes.values()]
    return replace(sweep, axes=axes | partition.axes, partition=partition)


PART_AXES = ("group", "fold", "sample_weight")
PARTS = {
    "groups": ["b", "a"] * 6, "folds": 3, "sample_weight": np.arange(24.0).reshape(2, 12)
}  # fmt: skip


@pytest.fixture
def parts(xor):
    axes = {"hidden_size": [2, 3], "alpha": [1, 2], "l2": [0, 0.1, 0.2], "seed": [1, 2]}
    settings = {"iterations": 10, "record_every": 5, "record_weights": True, "keep_state": True}
    return divided(measured(fastgd.sweep(*xor, **axes, **settings, threads=1)), **PARTS)


MORE = {
    "nothing": {},
    "watched": {"summary": 3, "patience": 9},
    "restored": {"restore_best": True, "evaluate_every": 4},
    "adaptive": {"sampling": "adaptive", "batch_size": 2},
}


@pytest.mark.slow  # always there is test_damaged_files.py, whose run has it all
@pytest.mark.parametrize("more", MORE)
def test_all_that_was_measured_survives_a_file(xor, tmp_path, more):
    settings = {"iterations": 30, "record_every": 9, "bias": True, "record_weights": True}
    settings |= MORE[more]
    run = fastgd.train(*xor, **settings, validation=xor)
    axes = {"optimizer": [Adam(), GradientDescent()], "alpha": [1, 2]}
    sweep = fastgd.sweep(*xor, **settings, **axes, validation=xor, keep_state=True)
    for result in (run, sweep, sweep[1], sweep[0, 1]):
        result.save(tmp_path / "result.npz")
        assert same(fastgd.load(tmp_path / "result.npz"), result)


def test_states_of_what_is_monitored_for_others_survive_a_file(xor, tmp_path):
    """Of a run without an option its state says nothing of it, be it beside runs with it."""
    axes = {"tolerance": [0.0, 0.2], "alpha": [1, 2]}
    sweep = fastgd.sweep(*xor, **axes, iterations=20, keep_state=True)
    for result in (sweep, sweep[:, 0], sweep[1, 1], sweep[0, 1], sweep[0]):
        result.save(tmp_path / "result.npz")
        assert same(fastgd.load(tmp_path / "result.npz"), result)


def test_parts_survive_a_file(parts, tmp_path):
    for sweep in (parts, parts[1:, 1], parts[:, :, 1, 1:][:, 0], parts[:, [1, 0, 1]]):
        sweep.save(tmp_path / "parts.npz")
        loaded = fastgd.load(tmp_path / "parts.npz")
        assert same(loaded, sweep)
        assert all(map(same, loaded, sweep))


LABELS = [[True, False] * 6, [2, 10**20] * 6, [0.5, -0.0] * 6, ["1", "x\ud800"] * 6]


@pytest.mark.parametrize("labels", LABELS, ids=["bools", "ints", "floats", "strings"])
def test_labels_of_groups_survive_a_file(xor, tmp_path, labels):
    sweep = divided(fastgd.sweep(*xor, seed=[1, 2], iterations=3), groups=labels)
    sweep.save(tmp_path / "groups.npz")
    assert same(fastgd.load(tmp_path / "groups.npz"), sweep)
    assert sweep.columns()["group"] == sweep.axes["group"] == sorted(set(labels))


@pytest.mark.parametrize(
    "index",
    [(1,), (0, 1), (..., 1), (slice(None), slice(None, None, -1)), (0, 1, [2, 0]), (..., 2, 1)],
    ids=range(6),
)
def test_a_part_of_the_samples_goes_with_a_part_of_the_sweep(parts, index):
    part, places = parts[index], np.arange(len(parts)).reshape(parts.shape)[index]
    assert {"group", "fold", "sample_weight"} - set(part.axes) == set(part.settings) - {
        "alpha", "seed"
    }  # fmt: skip
    assert part.partition.axes == {n: axis for n, axis in part.axes.items() if n in PART_AXES}
    runs = list(parts)
    for run, place in zip(part, places.ravel(), strict=True):
        assert same(run, runs[place])
    whole = [parts.partition.part(i) for i in range(12)]
    numbers = np.unique(places.ravel() % 12)
    found = [part.partition.part(i) for i in range(len(part.partition))]
    assert sorted(held.tolist() for _, _, held, _ in found) == sorted(
        whole[i].held.tolist() for i in numbers
    )


def test_a_run_of_a_part_has_its_own_weights(parts):
    rows = np.arange(12)[1::2]  # of group a, whose second fold has two validation samples
    run = parts[0, 0, 1, 1]
    left = np.delete(rows, [2, 3])
    assert run.options["sample_weight"].tolist() == PARTS["sample_weight"][1][left].tolist()
    assert same(run, parts.sel(hidden_size=2, group="a", fold=1, sample_weight=1))
    assert same(run, parts[:, 0].sel(sample_weight=1)[0, 1])
    assert parts[0, 0].settings["group"] == "a"


def test_other_sweeps_survive_a_file(xor, tmp_path):
    starts = [[np.full((3, 2), v), np.full((2, 1), -v)] for v in (0.1, 0.2)]
    for number, settings in enumerate(
        (
            {"weights": starts, "alpha": [1, 2]},
            {"weights": starts[0], "alpha": np.array([[1.0, 2.0], [3.0, 4.0]])},
            {"seed": range(20), "keep_weights": False},
            {},
        )
    ):
        sweep = fastgd.sweep(*xor, iterations=10, **settings)
        sweep.save(tmp_path / f"{number}.npz")
        assert same(fastgd.load(tmp_path / f"{number}.npz"), sweep)


@pytest.mark.parametrize("content", [b"", b"not a file of ours", b"PK\x03\x04 cut short"])
def test_foreign_files(tmp_path, content):
    path = tmp_path / "foreign.npz"
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=r"foreign\.npz must be a whole file that fastgd has saved"
    ):
        fastgd.load(path)


def test_other_npz_files(tmp_path):
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    np.save(tmp_path / "array.npy", np.zeros(3))
    for name in ("other.npz", "array.npy"):
        with pytest.raises(ValueError, match="must be a whole file that fastgd has saved"):
            fastgd.load(tmp_path / name)


def test_files_of_another_format(xor, tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "FORMAT", 2)
    fastgd.train(*xor, iterations=1).save(tmp_path / "run.npz")
    monkeypatch.undo()
    with pytest.raises(ValueError, match="must have format 1, got format 2"):
        fastgd.load(tmp_path / "run.npz")


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        fastgd.load(tmp_path / "none.npz")


def test_results_are_frozen(sweep):
    with pytest.raises(FrozenInstanceError):
        sweep.errors = None


def test_best(sweep):
    index = np.unravel_index(np.argmin(sweep.final_error), sweep.shape)
    assert sweep.best_index() == index
    assert same(sweep.best(), sweep[index])


def test_nan_is_never_the_best(sweep):
    errors = np.array([[np.nan, 0.5, 0.4], [0.3, np.nan, 0.6]])
    assert replace(sweep, final_error=errors).best_index() == (1, 0)
    with pytest.raises(ValueError, match="every final error is NaN"):
        replace(sweep, final_error=np.full((2, 3), np.nan)).best()


def test_the_best_is_that_of_the_validation_samples(sweep):
    errors = np.array([[np.nan, 0.5, 0.4], [0.3, np.inf, 0.6]])
    measured = replace(sweep, final_validation_error=errors)
    assert measured.best_index() == (1, 0)
    assert measured.best().final_validation_error == 0.3
    assert "; best final_validation_error 0.3)" in repr(measured)
    lost = replace(sweep, final_validation_error=np.full((2, 3), np.nan))
    assert repr(lost).endswith("; all NaN)")
    with pytest.raises(ValueError, match="every final validation error is NaN"):
        lost.best()


def test_validation_errors_are_in_the_table(sweep):
    numbers = np.arange(6).reshape(2, 3)
    measured = replace(sweep, final_validation_error=numbers / 4, best_iteration=numbers)
    table = measured.columns()
    assert list(table) == [
        "hidden_size", "alpha", "final_error", "final_loss", "final_validation_error",
        "best_iteration", "status", "iterations", "total_changes",
    ]  # fmt: skip
    assert table["final_validation_error"] == [0.0, 0.25, 0.5, 0.75, 1.0, 1.25]
    assert table["best_iteration"] == [0, 1, 2, 3, 4, 5]
    assert measured[1, 0].best_iteration == 3


def test_iteration_goes_over_all_runs(sweep):
    runs = list(sweep)
    assert len(runs) == len(sweep) == 6
    assert same(runs[4], sweep[1, 1])
    assert same(sweep[-1, -1], sweep[1, 2])


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ((0, 0, 0), "has 2 axes"),
        ((2, 0), "index 2 is out of range for hidden_size with 2 values"),
        ((0, -4), "index -4 is out of range for alpha with 3 values"),
    ],
)
def test_bad_indices(sweep, index, message):
    with pytest.raises(IndexError, match=message):
        sweep[index]


def test_dataframe(sweep):
    frame = sweep.to_dataframe()
    assert list(frame.columns) == [
        *(
            "hidden_size",
            "alpha",
            "final_error",
            "final_loss",
            "status",
            "iterations",
            "total_changes",
        )
    ]
    assert len(frame) == 6
    row = frame.iloc[4]
    assert (row.hidden_size, row.alpha) == ((3, 2), 10.0)
    assert row.final_error == sweep.final_error[1, 1]
    assert row.total_changes == sweep.total_changes[1, 1]


def test_dataframe_of_weights_has_their_number(xor):
    starts = [[np.full((3, 1), v)] for v in (0.1, 0.2)]
    frame = fastgd.sweep(*xor, weights=starts, iterations=1).to_dataframe()
    assert frame["weights"].tolist() == [0, 1]


def test_dataframe_without_pandas_says_what_to_install(sweep, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r'pip install "fastgd\[dataframe\]"'):
        sweep.to_dataframe()


def test_repr(sweep):
    assert repr(sweep).startswith("Sweep(hidden_size: 2, alpha: 3; best final_error 0.")
    assert repr(sweep[0, 1]).startswith("Run(alpha=10.0, hidden_size=(2,), seed=1, final_error=0.")


def test_repr_has_the_options_that_are_not_the_default(xor):
    options = {"optimizer": fastgd.optimizers.Adam(), "output": "identity", "activation": "tanh"}
    run = fastgd.train(*xor, iterations=3, bias=True, **options)
    assert repr(run).startswith(
        "Run(alpha=1.0, hidden_size=(4,), seed=1, optimizer=Adam(beta1=0.9, beta2=0.999, "
        "epsilon=1e-08), activation='tanh', output='identity', bias=True, final_error="
    )
    weighted = fastgd.train(*xor, iterations=3, sample_weight=np.arange(1.0, 5.0))
    assert "seed=1, sample_weight=array([1., 2., 3., 4.]), final_error=" in repr(weighted)
