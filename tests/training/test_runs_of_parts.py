"""A run of a group, fold or row of weights is the same in memory, from a file, or retrained."""

import numpy as np
import pytest
from test_results import same

import fastgd
from fastgd.arguments.subsets import RowIndices
from fastgd.optimizers import Adam
from thinning import only

RANDOM = np.random.RandomState(11)
X, Y = RANDOM.random_sample((18, 3)), RANDOM.random_sample((18, 2))
WEIGHTS = RANDOM.random_sample((2, 18))
LABELS = np.array(["b", "a", "c"])[[0, 1, 1, 0, 2, 2, 2, 0, 0, 1, 1, 2, 2, 2, 0, 0, 1, 2]]
HELD = (RANDOM.random_sample((5, 3)), RANDOM.random_sample((5, 2)), RANDOM.random_sample(5))
START = [np.full((3, 4), 0.1), np.full((4, 2), -0.2)]
SETTINGS = {"iterations": 40, "record_every": 10, "threads": 1}
CASES = {
    "folds": {"folds": 3, "alpha": [0.1, 1.0], "seed": [1, 2]},
    "groups": {"groups": LABELS, "hidden_size": [2, (3, 2)], "bias": True, "seed": [1, 2]},
    "weightings": {"sample_weight": WEIGHTS, "validation": HELD, "optimizer": Adam()},
    "all": {"groups": LABELS, "folds": 2, "sample_weight": WEIGHTS, "alpha": [0.1, 1.0]},
    "one weighting": {"folds": 3, "sample_weight": WEIGHTS[0], "batch_size": [4, None]},
    "batches": {"folds": 2, "batch_size": 4, "dropout": [0, 0.3], "weights": START, "seed": 5},
    "early stopping": {
        "folds": 2, "patience": [3, 20], "restore_best": True, "alpha": [1.0, 2.0, 5.0, 9.0],
    },
    "a penalty": {"folds": 3, "alpha": [0.1, 1.0], "l2": [0, 0.1]},
    "watched": {"validation": HELD[:2], "alpha": [0.5, 5.0], "evaluate_every": 7, "summary": 3},
}  # fmt: skip


def sweep_of(case, **more):
    return fastgd.sweep(X, Y, **CASES[case], **SETTINGS, **more)


def alone(case, sweep, index):
    """The result of train() for the samples and settings of a run."""
    given = {**CASES[case], **SETTINGS}
    for name in ("threads", "groups", "folds", "sample_weight"):
        given.pop(name, None)
    values = {name: axis[i] for (name, axis), i in zip(sweep.axes.items(), index, strict=True)}
    weight = CASES[case].get("sample_weight")
    weight = weight if np.ndim(weight) < 2 else weight[values["sample_weight"]]
    rows = np.flatnonzero(values["group"] == LABELS) if "group" in values else np.arange(18)
    if "fold" in values:
        parts = np.array_split(rows, CASES[case]["folds"])
        held = parts.pop(values["fold"])
        rows = np.concatenate(parts)
        given["validation"] = (X[held], Y[held])
        if weight is not None:
            given["validation"] += (weight[held],)
    if weight is not None:
        given["sample_weight"] = weight[rows]
    given |= {n: v for n, v in values.items() if n not in ("group", "fold", "sample_weight")}
    return fastgd.train(X[rows], Y[rows], **given, record_weights=True)


@pytest.mark.parametrize("case", only(CASES, "folds"))
@pytest.mark.slow
def test_a_run_is_that_of_train_be_it_kept_or_not(case, tmp_path):
    sweep = sweep_of(case, record_weights=True, keep_state=True)
    lost = sweep_of(case, record_weights=True, keep_weights=False)
    sweep.save(tmp_path / "sweep.npz")
    loaded = fastgd.load(tmp_path / "sweep.npz")
    assert same(loaded, sweep)
    for index in np.ndindex(*sweep.shape):
        run = alone(case, sweep, index)
        assert run.recorded_weights is not None
        assert same(sweep[index], run), index
        assert same(loaded[index], run), index
        assert same(lost[index], run), index
        for whole in (sweep, lost):
            assert same(whole[index[0]][index[1:]] if index[1:] else run, run), index
        values = zip(sweep.axes.items(), index, strict=True)
        assert same(sweep.sel(**{name: axis[i] for (name, axis), i in values}), run), index
    assert same(lost.best(), sweep.best())
    run.save(tmp_path / "run.npz")
    assert same(fastgd.load(tmp_path / "run.npz"), run)


@pytest.mark.parametrize("case", only(CASES, "folds", "all"))
def test_a_point_of_a_run_out_of_a_sweep_has_its_error(case):
    sweep = sweep_of(case, record_weights=True)
    for index in ((0,) * len(sweep.shape), (-1,) * len(sweep.shape)):
        run = sweep[index]
        for k, iteration in enumerate(run.recorded):
            if iteration < run.iterations:
                assert run.at(k).error == run.errors[k]
    assert sweep_of(case)[(0,) * len(sweep.shape)].recorded_weights is None


def test_a_part_keeps_what_belongs_to_it():
    part = sweep_of("all", record_weights=True, keep_state=True)[1, :, 1]
    assert [len(state.parameters) for state in part.states] == [4]
    assert [path.shape for path in part.kept_path] == [(4, 4, part.networks[0].parameters)]
    assert part.settings | {"alpha": 0} == {
        "alpha": 0, "seed": 1, "group": "b", "sample_weight": 1
    }  # fmt: skip


def test_a_selection_in_another_order_has_the_samples_of_its_runs():
    """A sweep without weights trains again on these."""
    sweep = sweep_of("all", record_weights=True, keep_state=True)
    lost = sweep_of("all", record_weights=True, keep_weights=False)
    for order in (np.s_[[2, 1, 0]], np.s_[:, [1, 0]], np.s_[:, :, [1, 0]], np.s_[[0, 0, 1]]):
        for index in ((0, 0, 0, 0), (2, 1, 1, 1)):
            assert same(lost[order][index], sweep[order][index]), (order, index)


@pytest.mark.parametrize("keep", [True, False])
def test_a_selected_combination_keeps_the_samples_of_its_group(keep):
    """As estimators train groups at once: no axis has them, and combinations are divided."""
    rows = RowIndices(np.arange(8), np.array([0, 4, 8]))
    sweep = fastgd.sweep(
        X[:8], Y[:8], groups=rows, combinations=[{"alpha": a} for a in (0.1, 0.2, 0.3, 0.4)],
        seed=[1, 2], iterations=20, keep_weights=keep, keep_state=keep,
    )  # fmt: skip
    for k in range(4):
        assert same(sweep[k][1], sweep[k, 1])


def test_a_part_resumes(tmp_path):
    sweep = sweep_of("all", keep_state=True)
    whole = fastgd.sweep(X, Y, **CASES["all"] | SETTINGS | {"iterations": 70}, keep_state=True)
    part = sweep[1:, 1, ::-1]
    part.save(tmp_path / "part.npz")
    for given in (part, fastgd.load(tmp_path / "part.npz")):
        longer = fastgd.sweep(X, Y, resume=given, iterations=30, threads=1)
        assert same(longer, whole[1:, 1, ::-1])


def test_a_table_has_the_parts():
    sweep = sweep_of("all")
    frame = sweep.to_dataframe()
    assert list(frame)[:7] == [
        "group", "fold", "sample_weight", "alpha", "final_error", "final_loss",
        "final_validation_error",
    ]  # fmt: skip
    assert frame["group"].tolist() == ["a"] * 8 + ["b"] * 8 + ["c"] * 8
    assert frame["fold"].tolist() == ([0] * 4 + [1] * 4) * 3
    mean = frame.groupby("alpha").final_validation_error.mean()
    assert mean.tolist() == pytest.approx(sweep.final_validation_error.mean(axis=(0, 1, 2)))
    assert "best_iteration" in sweep_of("early stopping").columns()


def test_each_row_is_predicted_by_the_networks_of_its_group():
    sweep = sweep_of("groups")
    outputs = sweep.predict(X, groups=LABELS)
    assert outputs.shape == (2, 2, 18, 2)
    for row, label in enumerate(LABELS):
        run = sweep.sel(hidden_size=(3, 2), group=label, seed=2)
        assert outputs[1, 1, row].tobytes() == run.predict(X[[row]])[0].tobytes()


def test_a_fold_has_its_own_validation_set_when_it_is_resumed():
    fold = sweep_of("folds", keep_state=True).sel(fold=1)
    with pytest.raises(ValueError, match="validation must be left out with groups, and with folds"):
        fastgd.sweep(X, Y, resume=fold, iterations=5, validation=HELD)
