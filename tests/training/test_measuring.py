"""What is measured: against NumPy step by step, exact arithmetic, and the training without it."""

import pickle
from fractions import Fraction

import numpy as np
import pytest
from test_shared_updates import same, sharing  # noqa: F401 - a fixture

import fastgd
from cases import MEASURES, OPTIONS, WEIGHTS, X, Y
from fastgd import reference
from fastgd.arguments.options import Method
from fastgd.engine.recipe import recipe_of
from fastgd.functions import exp
from fastgd.kernel.block import Kind, reads
from fastgd.optimizers import LevenbergMarquardt
from thinning import at_a_time, kernels_of

pytestmark = pytest.mark.slow  # each of them compiles

MEASURED = OPTIONS["measured"].options
GIVEN = {"hidden_size": (5, 3), "alpha": 0.3, "iterations": 40, "record_every": 5, **MEASURED}
NAMES = list(fastgd.train([[0.0]], [0.5], iterations=1, **MEASURED).measured)


def bits(result):
    """What a training comes to, without what is measured."""
    arrays = [result.errors, result.losses, *result.weights, *result.biases]
    arrays += [*result.direction_changes, np.array([result.final_error, result.final_loss])]
    return [np.ascontiguousarray(array).tobytes() for array in arrays]


def close(run, twin, rtol=1e-9):
    assert list(run.measured) == list(twin.measured)
    assert run.measured_at.tolist() == twin.measured_at.tolist()
    for name, array in run.measured.items():
        np.testing.assert_allclose(array, twin.measured[name], rtol, 1e-12, err_msg=name)


# ---------------------------------------------------------------- against oracles


@pytest.fixture(autouse=True)
def with_the_kernel_of_the_golden_hash():
    with kernels_of("measured"):
        yield


def test_the_golden_case_is_its_twin():
    run = fastgd.train(X, Y, **GIVEN)
    close(run, reference.train(X, Y, **GIVEN))
    assert run.measurements.shape == (10, 1, 9)
    assert np.isnan(run.measured["gradient_cosine"][0])
    assert np.isfinite(run.measurements[1:]).all()


CONFIGURATIONS = [
    *OPTIONS["measured"].settings,
    {"measure": MEASURES, "activation": "tanh", "output": "identity", "measure_every": 3},
    {"measure": MEASURES, "activation": "relu", "alpha": 1.0, "iterations": 90},
    {"measure": MEASURES, "sample_weight": np.where(WEIGHTS < 0.4, 0, 9 * WEIGHTS), "alpha": 3.0},
    {"measure": MEASURES[:6], "dropout": 0.3, "reduction": "mean", "bias": True},
    {"measure": MEASURES[:6], "dropconnect": 0.3, "batch_size": 3, "measure_layers": True},
    {"measure": MEASURES, "activation": "silu", "optimizer": fastgd.optimizers.Adam()},
    {"measure": MEASURES[:6], "hidden_size": (), "sampling": "adaptive", "batch_size": 4},
    {"measure": MEASURES, "output": "softmax", "loss": "cross_entropy", "hidden_size": 9},
    {"measure": MEASURES, "batch_norm": True, "freeze": (0,), "clip_norm": 0.1, "bias": True},
    {"measure": MEASURES, "optimizer": fastgd.optimizers.Rprop(), "alpha": 0.01},
    {"measure": MEASURES, "hidden_size": (37, 41), "measure_layers": True},
    {"measure": MEASURES, "max_norm": 0.9, "clip_norm": 0.05, "bias": True},
]


@pytest.mark.slow  # each compiles a kernel of its own
@pytest.mark.parametrize("runs", [1, 8])
@pytest.mark.parametrize("k", range(len(CONFIGURATIONS)))
def test_every_quantity_is_its_twin(k, runs):
    given = {"X": X, "y": Y, "hidden_size": (5, 4), "alpha": 0.2, "iterations": 60}
    given |= {"record_every": 6} | CONFIGURATIONS[k]
    if given.get("output") == "softmax":
        given["y"] = Y / Y.sum(axis=1, keepdims=True)
    with at_a_time(runs):
        run = fastgd.train(**given)
        close(run, reference.train(**given))
        others = ("measure", "measure_every", "measure_layers")
        plain = fastgd.train(**{n: v for n, v in given.items() if n not in others})
    assert bits(run) == bits(plain)


def test_norms_are_those_of_the_objective():
    """Whose derivative has been compared with differences."""
    run = fastgd.train(X, Y, **GIVEN | {"measure_every": 5}, record_weights=True)
    objective = fastgd.objective(X, Y, hidden_size=(5, 3), bias=True)
    for k in range(len(run.recorded)):
        point = run.at(k)
        x = np.array(_row(point))
        norm = np.linalg.norm(objective(x)[1])
        assert run.measured["gradient_norm"][k] == pytest.approx(norm, rel=1e-12)
        assert run.measured["weight_norm"][k] == pytest.approx(np.linalg.norm(x), rel=1e-14)
        assert run.measured["largest_weight"][k] == np.abs(x).max()


def fused(a, b, c):
    """a * b + c, rounded once."""
    return float(Fraction(a) * Fraction(b) + Fraction(c))


@pytest.mark.parametrize("runs", [1, 3])
def test_all_bits_of_a_norm(runs):
    """A chain over the parameters in their order, whatever the tiles are."""
    given = GIVEN | {"hidden_size": (37, 5), "iterations": 2, "measure_every": 1}
    given |= {"record_every": 1, "record_weights": True}
    sweep = fastgd.sweep(X, Y, **given, seed=range(runs))
    ordinary = 0
    for run in sweep:
        before, after = (_row(run.at(k)) for k in range(2))
        squares = largest = moved = 0.0
        for w, new in zip(before, after, strict=True):
            squares, largest = fused(w, w, squares), max(largest, abs(w))
            moved = fused(new - w, new - w, moved)
        assert run.measured["weight_norm"][0] == np.sqrt(squares)
        assert run.measured["update_norm"][0] == np.sqrt(moved)
        assert run.measured["largest_weight"][0] == largest
        ordinary += run.measured["weight_norm"][0] == np.linalg.norm(before)
    assert ordinary < runs or runs == 1  # which shows that the order counts


def _row(point):
    parts = zip(point.weights, point.biases, strict=True)
    return np.concatenate([np.vstack(part).ravel() for part in parts]).tolist()


# ---------------------------------------------------------------- the same bits whatever is beside


def test_the_training_has_the_bits_that_it_has_without():
    run = fastgd.train(X, Y, **GIVEN)
    plain = {n: v for n, v in GIVEN.items() if not n.startswith("measure")}
    assert bits(run) == bits(fastgd.train(X, Y, **plain))
    assert fastgd.train(X, Y, **plain).measured == {}


def test_rows_of_a_sweep_are_runs(tmp_path):
    axes = {"alpha": [0.1, 1.0], "seed": range(7)}
    sweep = fastgd.sweep(X, Y, **GIVEN | axes)
    folder = fastgd.sweep(X, Y, **GIVEN | axes, out=tmp_path / "folder")
    assert sweep.measured["own"].shape == (2, 7, 10)
    assert folder.measurements.tobytes() == sweep.measurements.tobytes()
    assert fastgd.open(tmp_path / "folder")[1].measured["own"].shape == (7, 10)
    fastgd.assert_equal(folder, sweep)
    for index in [(0, 3), (1, 6)]:
        run = fastgd.train(
            X, Y, **GIVEN | {n: axis[i] for (n, axis), i in zip(axes.items(), index, strict=True)}
        )
        assert sweep[index].measurements.tobytes() == run.measurements.tobytes()
        assert sweep.measurements[index].tobytes() == run.measurements.tobytes()


@pytest.mark.slow  # a kernel of its own, whose units have no bounds
@pytest.mark.filterwarnings("ignore")
def test_what_diverged_was_measured_until_then():
    given = GIVEN | {"activation": "relu", "output": "identity", "alpha": 10.0}
    given |= {"measure": MEASURES[:6], "iterations": 300}
    run, twin = (train(X, Y, **given) for train in (fastgd.train, reference.train))
    assert run.status == "diverged"
    assert run.iterations == twin.iterations
    done = run.measured_at < run.iterations
    assert 0 < done.sum() < len(done)
    assert np.isnan(run.measurements[~done]).all()
    assert np.isfinite(run.measured["largest_weight"][done]).all()


def test_a_resumed_run_goes_on_measuring(tmp_path):
    """The cosine with the last gradient, which is part of the state."""
    whole = fastgd.train(X, Y, **GIVEN)
    for first in (8, 13):  # the next iteration is measured, or not
        run = fastgd.train(X, Y, **GIVEN | {"iterations": first})
        run.save(tmp_path / "run.npz")
        run = fastgd.train(X, Y, resume=fastgd.load(tmp_path / "run.npz"), iterations=40 - first)
        assert run.measurements.tobytes() == whole.measurements.tobytes()
        half = reference.train(X, Y, **GIVEN | {"iterations": first})
        close(fastgd.train(X, Y, resume=half, iterations=40 - first), whole)
        half = fastgd.train(X, Y, **GIVEN | {"iterations": first})
        close(reference.train(X, Y, resume=half, iterations=40 - first), whole)
    begun = fastgd.sweep(X, Y, **GIVEN | {"iterations": 8}, seed=[1, 2], keep_state=True)
    sweep = fastgd.sweep(X, Y, resume=begun, iterations=32)
    assert sweep[0].measurements.tobytes() == whole.measurements.tobytes()
    with pytest.raises(ValueError, match=r"measure must be left out with resume, or as it was"):
        fastgd.train(X, Y, resume=run, measure="gradient_norm")


def test_what_is_measured_lasts():
    """A change of it would put numbers of one quantity under the name of another."""
    run = fastgd.train(X, Y, **GIVEN | {"iterations": 8})
    for change in ({"measure": "weight_norm"}, {"measure_every": 1}, {"measure_layers": True}):
        with pytest.raises(ValueError, match=next(iter(change))):
            fastgd.train(X, Y, resume=run, iterations=2, change=change)


def test_a_checkpoint_has_what_was_measured(tmp_path):
    given = GIVEN | {"iterations": 700, "checkpoint": tmp_path / "run.npz"}
    run = fastgd.train(X, Y, **given, checkpoint_every=0.001)
    again = fastgd.load(tmp_path / "run.npz")
    plain = {n: v for n, v in given.items() if n != "checkpoint"}
    for one in (run, again):
        assert one.measurements.tobytes() == fastgd.train(X, Y, **plain).measurements.tobytes()


@pytest.mark.slow  # kernels of their own, that share the work of an update among threads
@pytest.mark.parametrize("beside", [{}, {"stop": "gradient_norm < 0.1", "batch_size": 5}])
def test_threads_that_share_an_update_measure_the_same(beside, sharing):  # noqa: F811
    given = {"hidden_size": (16, 9), "iterations": 90, "record_every": 7, **beside}
    given |= {"measure": MEASURES[:6], "measure_every": 2}
    alone = fastgd.train(X, Y, **given, threads=1)
    made = sharing(2)
    run = fastgd.train(X, Y, **given, threads=2)
    assert made[0].threads == 2
    assert same(run, alone)
    assert run.measurements.tobytes() == alone.measurements.tobytes()


# ---------------------------------------------------------------- stop


STOPPED = {"measure": "gradient_norm", "measure_every": 2, "alpha": 0.3, "hidden_size": (5, 3)}


def test_a_run_stops_after_the_update_that_meets_the_condition():
    given = STOPPED | {"iterations": 300, "record_every": 50, "seed": range(1, 20)}
    whole = fastgd.sweep(X, Y, **given)
    limit = float(np.median(whole.measured["gradient_norm"].min(axis=1)))
    sweep = fastgd.sweep(X, Y, **given, stop=f"gradient_norm < {limit!r}")
    assert {"converged", "finished"} == set(sweep.status)
    for seed, run in enumerate(sweep, 1):
        met = np.flatnonzero(whole.measured["gradient_norm"][seed - 1] < limit)
        assert run.iterations == (2 * met[0] + 1 if len(met) else 300)
        assert run.status == ("converged" if len(met) else "finished")
        alone = {n: v for n, v in given.items() if n != "seed"} | {"seed": seed}
        cut = fastgd.train(X, Y, **alone | {"iterations": run.iterations})
        assert run.weights[0].tobytes() == cut.weights[0].tobytes()
        assert (run.final_error, run.final_loss) == (cut.final_error, cut.final_loss)
        assert np.isnan(run.measured["gradient_norm"][len(cut.measured_at) :]).all()
        twin = reference.train(X, Y, **alone, stop=f"gradient_norm < {limit!r}")
        assert (twin.status, twin.iterations) == (run.status, run.iterations)


def test_a_stopped_run_stays_stopped():
    """Also one that stops at the very end, which a longer training does, too."""
    given = STOPPED | {"iterations": 300, "record_every": 50, "stop": "gradient_norm < 0.05"}
    end = fastgd.train(X, Y, **given).iterations
    assert 10 < end < 200
    for beside in ({}, {"patience": 10**6}):
        for first in (end - 1, end, end + 1):
            half = fastgd.train(X, Y, **given | beside | {"iterations": first})
            run = fastgd.train(X, Y, resume=half, iterations=300 - first)
            assert (run.status, run.iterations) == ("converged", end)
            assert half.status == ("finished" if first < end else "converged")


def test_the_other_way_round():
    given = STOPPED | {"measure": ["update_norm", "weight_norm"], "iterations": 300}
    run = fastgd.train(X, Y, **given, stop="weight_norm > 6")
    assert run.status == "converged"
    assert run.measured["weight_norm"][run.iterations // 2] > 6
    assert (run.measured["weight_norm"][: run.iterations // 2] <= 6).all()


# ---------------------------------------------------------------- measures of one's own


def test_a_measure_is_its_formula():
    one = fastgd.Measure(lambda w, change: abs(change) * exp(w), reduce="max")
    same_one = fastgd.Measure("abs(change) * exp(w)", "max")
    assert one.name == "max(abs(change) * exp(w))"
    assert repr(one) == "Measure('abs(change) * exp(w)', reduce='max')"
    assert eval(repr(fastgd.Measure("w", name="x")), {"Measure": fastgd.Measure}).name == "x"
    assert pickle.loads(pickle.dumps(one)) == one
    assert (one.source[0], {one}) == (same_one.source[0], {one})
    assert fastgd.Measure("w") != fastgd.Measure("w", "max") != fastgd.Measure("w", name="x")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: fastgd.Measure("w + h"), ValueError, "among w, g or change, got h"),
        (lambda: fastgd.Measure("1.0"), ValueError, "among w, g or change, got none"),
        (lambda: fastgd.Measure(lambda: 1), TypeError, "must take named positional arguments"),
        (lambda: fastgd.Measure("w", "min"), ValueError, "reduce must be .*, got 'min'"),
        (lambda: fastgd.Measure("w", name="weight_norm"), ValueError, "none that fastgd's"),
        (lambda: fastgd.Measure("w", name=""), ValueError, "name must be a string"),
        (lambda: fastgd.Measure(3), TypeError, "a function of numbers or an expression, got 3"),
    ],
)
def test_bad_measures(make, error, message):
    with pytest.raises(error, match=message):
        make()


NORM = {"measure": "gradient_norm"}


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"measure": "gradient"}, ValueError, "got 'gradient': did you mean 'gradient_norm'"),
        ({"measure": []}, ValueError, r"measure must be one or a list of .*, got \[\]"),
        ({"measure": [3]}, TypeError, "got 3"),
        ({"measure": ["dead", "dead"]}, ValueError, "measure must have each quantity once"),
        ({"measure_every": 3}, ValueError, "measure_every must go with measure, got"),
        ({"measure_layers": True}, ValueError, "measure_layers must go with measure"),
        ({"stop": "dead > 1"}, ValueError, "stop must go with measure"),
        (NORM | {"measure_every": 0}, ValueError, "measure_every must be at least 1, got 0"),
        (NORM | {"stop": "weight_norm < 1"}, ValueError, "stop must compare what is measured"),
        (NORM | {"stop": "gradient_norm = 1"}, ValueError, "stop must be a text such as"),
        (NORM | {"stop": "gradient_norm < nan"}, ValueError, "stop must be a text such as"),
        (NORM | {"stop": 1e-6}, TypeError, "stop must be a text such as"),
        (
            NORM | {"stop": "gradient_norm < 1", "measure_layers": True},
            ValueError,
            "stop must be left out with measure_layers=True",
        ),
        (NORM | {"optimizer": LevenbergMarquardt()}, ValueError, "measure must be None with"),
        ({"measure": "dead", "dropout": 0.1}, ValueError, "no shares of units with dropout"),
        (
            {"measure": "saturated", "activation": "relu", "output": "identity"},
            ValueError,
            "units that have a range",
        ),
    ],
)
def test_bad_input(given, error, message):
    for train in (fastgd.train, fastgd.sweep, reference.train):
        with pytest.raises(error, match=message):
            train(X, Y, iterations=2, **given)


def test_layers_of_a_sweep_must_be_as_many():
    with pytest.raises(ValueError, match=r"measure_layers must be False where networks have diff"):
        fastgd.sweep(X, Y, hidden_size=[3, (3, 2)], iterations=2, **NORM, measure_layers=True)


# ---------------------------------------------------------------- tables and files


def test_tables_have_what_was_measured():
    run, sweep = fastgd.train(X, Y, **GIVEN), fastgd.sweep(X, Y, **GIVEN, seed=[1, 2])
    table = run.to_dataframe().set_index("iteration")
    assert table.index.tolist() == sorted({*range(0, 40, 5), *range(0, 40, 4)})
    assert table["own"].dropna().tolist() == run.measured["own"].tolist()
    assert table["error"].dropna().tolist() == run.errors.tolist()
    long = sweep.to_dataframe(long=True)
    own = long[long["seed"] == 1].set_index("iteration")["gradient_norm"].dropna()
    assert own.tolist() == run.measured["gradient_norm"].tolist()
    found = sweep.to_xarray()
    assert found.weight_norm.dims == ("seed", "measured_at")
    assert found.weight_norm.sel(seed=1).values.tolist() == run.measured["weight_norm"].tolist()
    assert run.to_xarray().weight_norm.dims == ("measured_at",)


def test_a_folder_is_read_by_chunk(tmp_path):
    sweep = fastgd.sweep(X, Y, **GIVEN, seed=[1, 2], out=tmp_path / "folder")
    found = sweep.to_xarray().weight_norm
    assert found.chunks is not None
    assert (found.compute().values == sweep.measured["weight_norm"]).all()


def test_forged_files_are_refused(tmp_path):
    run = fastgd.train(X, Y, **GIVEN)
    for measurements in (
        None,
        run.measurements[0],
        run.measurements[..., :2],
        run.measurements * 1j,
    ):
        forged = fastgd.Run(**vars(run) | {"measurements": measurements})
        forged.save(tmp_path / "forged.npz")
        with pytest.raises(ValueError, match="whole"):
            fastgd.load(tmp_path / "forged.npz")


def test_a_plot_has_a_line_for_each_setting():
    pytest.importorskip("matplotlib")
    run, sweep = fastgd.train(X, Y, **GIVEN), fastgd.sweep(X, Y, **GIVEN | {"alpha": [0.1, 0.2]})
    ax = fastgd.plots.measured(sweep, "weight_norm")
    assert [line.get_label() for line in ax.lines] == ["alpha 0.1", "alpha 0.2"]
    assert ax.get_ylabel() == "weight norm"
    assert fastgd.plots.measured(run).lines[0].get_ydata().tolist() == (
        run.measured["gradient_norm"].tolist()
    )
    with pytest.raises(ValueError, match="name must be"):
        fastgd.plots.measured(run, "dead end")
    with pytest.raises(ValueError, match="result must be trained with measure"):
        fastgd.plots.measured(fastgd.Run(**vars(run) | {"options": {}, "measurements": None}))


def test_only_what_is_read_is_stored():
    measure = recipe_of(Method(measure=("gradient_norm",)), {}).measure
    assert reads(measure, "g")
    assert not reads(measure, "w", "change", "last")
    assert all(
        kind < Kind.CHANGES for name, kind in measure.places.items() if name.startswith("term")
    )
