"""Sweeps over the options: axes, rows, files, and that a value never compiles anything."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_results import same

import fastgd
import few_kernels
from cases import EVERYTHING, OPTIONS, with_values
from fastgd.arguments.declarations import STRUCTURES
from fastgd.engine import layout, packing
from fastgd.engine import plan as plan_module
from fastgd.kernel.training_loop import descend
from fastgd.kernel.vectorization import native_lanes, wants_parts
from fastgd.optimizers import Adam, GradientDescent, Momentum, Nesterov, RMSProp
from fastgd.schedules import Constant
from thinning import kernels_of, only

RANDOM = np.random.RandomState(8)
X = RANDOM.random_sample((8, 3))
Y = RANDOM.random_sample((8, 2))


def rows_are_runs_alone(axes, **fixed):
    """Every row of the sweep is bit-identical to the run alone."""
    options = {"X": X, "y": Y, "hidden_size": (5, 3), "iterations": 60, "record_every": 7} | fixed
    sweep = fastgd.sweep(**options | axes, threads=1, keep_state=True)
    for index in np.ndindex(sweep.shape):
        values = {name: sweep.axes[name][i] for name, i in zip(sweep.axes, index, strict=True)}
        assert same(sweep[index], fastgd.train(**with_values(options | axes, values))), values
    return sweep


# ---------------------------------------------------------------- rows

ALPHAS = [0.01, 1.0, 1000.0]


WITH_AXES = [name for name, case in OPTIONS.items() if case.axes and name not in EVERYTHING]
HAVE_KERNELS = ("mean", "dropout", "penalties", "endings")
"""Cases whose kernels for one run and for eight other tests have, too."""


@pytest.mark.filterwarnings("ignore::fastgd.checks.messages.TrainingWarning")
@pytest.mark.parametrize("name", only(WITH_AXES, *HAVE_KERNELS))
def test_a_value_that_is_off_in_one_row_changes_nothing_there(name):
    case = OPTIONS[name]
    given = with_values(case.options, case.axes)
    rows_are_runs_alone({"alpha": ALPHAS}, **given, y=case.targets(Y))


@pytest.mark.filterwarnings("ignore::fastgd.checks.messages.TrainingWarning")
@pytest.mark.parametrize(
    "name", [None, pytest.param("everything in epochs", marks=pytest.mark.slow)]
)
def test_a_row_is_the_run_alone_where_that_one_has_other_tiles(name):
    """A large network alone has partial tiles, and transposed weights for the backward pass."""
    given = OPTIONS[name].options if name else {}
    sizes = {"hidden_size": (50, 37), "iterations": 20}
    sweep = rows_are_runs_alone({"alpha": ALPHAS}, **sizes, **given)
    assert wants_parts([layer.shape for layer in sweep[0].weights]) or native_lanes() == 2


@pytest.mark.parametrize(
    "given",
    [{}, pytest.param({"bias": True, "batch_size": 5, "dropout": 0.2}, marks=pytest.mark.slow)],
)
@pytest.mark.slow
def test_inputs_in_strips_change_no_bit(monkeypatch, given):
    rng = np.random.default_rng(0)
    wide, y = rng.random((18, 300)), rng.random((18, 3))
    sizes = {"hidden_size": (270, 9), "iterations": 12, "alpha": [0.01, 0.1, 1.0]} | given

    def trained(in_strips):
        monkeypatch.setattr(layout, "wants_strips", lambda _runs, _matrices, _lanes: in_strips)
        sweep = fastgd.sweep(wide, y, **sizes)
        runs = [fastgd.train(wide, y, **sizes | {"alpha": alpha}) for alpha in sizes["alpha"]]
        return [*sweep, *runs]

    for one, other in zip(trained(True), trained(False), strict=True):
        np.testing.assert_array_equal(one.errors, other.errors)
        for ours, theirs in zip(one.weights, other.weights, strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.usefixtures("users_kernels")
@pytest.mark.parametrize(
    "given",
    [
        {},
        pytest.param(
            {"batch_norm": True, "groups": [0, 0, 0, 0, 1, 1, 1, 1]}, marks=pytest.mark.slow
        ),
    ],
)
def test_threads_decide_how_many_go_side_by_side_and_nothing_else(monkeypatch, given):
    alphas = np.geomspace(0.1, 3, native_lanes() // (2 if given else 1) + 1).tolist()
    settings = {"hidden_size": (5, 3), "iterations": 300, "record_every": 100} | given
    made, plan = [], packing.arrange

    def arranged(*arguments, **others):
        made.append(plan(*arguments, **others))
        return made[-1]

    monkeypatch.setattr(plan_module, "arrange", arranged)
    for threads in (1, 2):
        half = fastgd.sweep(X, Y, alpha=alphas, threads=threads, keep_state=True, **settings)
        more = fastgd.sweep(X, Y, alpha=alphas, threads=3 - threads, resume=half, **settings)
        if threads == 1:
            expected = half, more
    for ours, theirs in zip((half, more), expected, strict=True):
        assert all(same(a, b) for a, b in zip(ours, theirs, strict=True))
    assert len({lots[0].side_by_side for lots in made}) == 2


def test_batches_of_several_sizes():
    rows_are_runs_alone({"batch_size": [3, 5, 8], "alpha": ALPHAS}, shuffle_seed=3)


@pytest.mark.filterwarnings("ignore::fastgd.checks.messages.TrainingWarning")
@pytest.mark.parametrize("axes", [{"tolerance": [0.0, 1e-9]}, {"patience": [None, 1000]}])
def test_monitoring_the_error_of_other_rows_ends_no_run(axes):
    """An error that overflows before the weights ends only a run whose error is monitored."""
    linear = {"activation": "identity", "output": "identity", "record_every": 1000}
    alphas = np.geomspace(2, 2000, 20).tolist()
    sweep = fastgd.sweep(X, Y, alpha=alphas, **axes, **linear, iterations=60)
    for i, alpha in enumerate(alphas):
        alone = fastgd.train(X, Y, alpha=alpha, **linear, iterations=60)
        row = sweep[i, 0]
        assert (row.status, row.iterations) == (alone.status, alone.iterations)


def test_a_row_has_a_best_iteration_only_if_its_own_errors_are_monitored():
    linear = {"activation": "identity", "output": "identity", "alpha": 1e-3}
    sweep = fastgd.sweep(X, Y, patience=[None, 1000], **linear, iterations=9)
    assert sweep.best_iteration.tolist() == [-1, 9]


RATE = st.floats(0.01, 0.9)
SMALL = st.floats(1e-6, 1e-2)
AXES = {
    "alpha": st.floats(1e-4, 10),
    "beta1": st.floats(0, 0.99),
    "epsilon": SMALL,
    "dropout": RATE,
    "dropconnect": RATE,
    "l1": SMALL,
    "trim_below": SMALL,
    "clip_above": st.floats(0.01, 10),
    "tolerance": st.floats(0.1, 0.4),
    "patience": st.integers(1, 40),
    "seed": st.integers(0, 2**32 - 1),
}


@st.composite
def axes(draw):
    """Some of the axes, at most 12 runs."""
    names = draw(st.lists(st.sampled_from(list(AXES)), min_size=1, max_size=3, unique=True))
    most = {1: 9, 2: 3, 3: 2}[len(names)]
    return {
        name: draw(st.lists(AXES[name], min_size=1, max_size=most, unique=True)) for name in names
    }


def with_optimizer(optimizer, drawn):
    """Move what belongs to the optimizer into it."""
    inside = {name: drawn[name] for name in optimizer._fields if name in drawn}
    return {name: drawn[name] for name in drawn if name not in inside} | {
        "optimizer": optimizer._replace(**inside)
    }


FEW_OR_MANY = pytest.mark.parametrize("sweeps", [12, pytest.param(40, marks=pytest.mark.slow)])


@FEW_OR_MANY
def test_a_row_of_a_sweep_is_that_run_alone_with_everything_in_epochs(sweeps):
    fixed = OPTIONS["everything in epochs"].options | {"dropout": 0.2}

    @settings(max_examples=sweeps)
    @given(axes())
    def rows_of(drawn):
        rows_are_runs_alone(with_optimizer(Adam(), drawn), **fixed)

    rows_of()


@FEW_OR_MANY
def test_a_row_of_a_sweep_is_that_run_alone_with_everything_drawn(sweeps):
    rates = st.lists(st.floats(0.1, 10), min_size=1, max_size=3, unique=True)

    @settings(max_examples=sweeps)
    @given(axes(), rates)
    def rows_of(drawn, rates):
        drawn = {n: v for n, v in drawn.items() if n not in ("dropconnect", "beta1", "patience")}
        axes = with_optimizer(RMSProp(), drawn) | {"sampling_rate": rates}
        rows_are_runs_alone(axes, **OPTIONS["everything drawn"].options)

    rows_of()


@pytest.mark.parametrize("mask", only(["dropout", "dropconnect"], "dropout"))
def test_masks_do_not_depend_on_neighbors(mask):
    seeds = [3, 1, 4, 5, 9, 2, 6, 35]
    sweep = rows_are_runs_alone({"seed": seeds}, **{mask: 0.5})
    assert len({run.weights[0].tobytes() for run in sweep}) == 8
    start = [np.full((3, 2), 0.3), np.full((2, 2), 0.3)]
    fixed = {mask: 0.5, "weights": start, "iterations": 20}
    one, two = (fastgd.train(X, Y, seed=seed, **fixed) for seed in (1, 2))
    assert one.weights[0].tobytes() != two.weights[0].tobytes()
    assert one.seed is None


# ---------------------------------------------------------------- what values compile


@pytest.mark.parametrize("case", ["everything in epochs", "everything drawn"])
def test_a_thousand_values_compile_nothing_new(case):
    fixed = OPTIONS[case].options | {"dropout": 0.2, "iterations": 1, "record_every": 1}
    fixed |= {"X": X, "y": Y, "hidden_size": (5, 3), "threads": 1, "keep_weights": False}
    fastgd.sweep(**fixed, alpha=[1, 2])
    before = len(descend.overloads)
    unit, counts = np.linspace(0.001, 0.999, 1000), range(1, 1001)
    names = ["alpha", "dropout", "l1", "l2", "trim_below", "clip_above", "tolerance"]
    names += ["sampling_rate" if case.endswith("drawn") else "dropconnect"]
    values = dict.fromkeys(names, unit) | {"seed": counts}
    if case.endswith("epochs"):
        values["patience"] = counts
    for name, axis in values.items():
        if name in fixed or name in ("alpha", "seed", "dropout") or case.endswith("epochs"):
            assert fastgd.sweep(**fixed | {name: axis}).shape == (1000,)
    for name in fixed["optimizer"]._fields:
        optimizer = fixed["optimizer"]._replace(**{name: unit})
        assert list(fastgd.sweep(**fixed | {"optimizer": optimizer}).axes) == [name]
    assert len(descend.overloads) == before


def test_another_method_does_compile():
    """So that the test above can fail."""
    fastgd.train(X, Y, iterations=1)
    before = len(descend.overloads)
    given = {"activation": "tanh", "output": "tanh", "optimizer": Nesterov(), "trim_below": 0.1}
    fastgd.train(X, Y, iterations=1, **given)
    assert len(descend.overloads) == before + 1
    fastgd.train(X, Y, iterations=1, **given | {"trim_below": 0.2, "alpha": 2.0})
    assert len(descend.overloads) == before + 1


@pytest.mark.usefixtures("users_kernels")
@pytest.mark.slow
def test_sizes_do_not_compile_on_and_on():
    """The first ones of a tiny network do, each for itself, then all share one code."""
    before = len(descend.overloads)
    for hidden_size in range(1, 8):
        fastgd.train(X[:8], Y[:8], hidden_size=hidden_size, output="tanh", iterations=1)
    compiled = len(descend.overloads) - before
    for hidden_size in (8, 9, (2, 2), (3, 3, 3)):
        fastgd.train(X[:8], Y[:8], hidden_size=hidden_size, output="tanh", iterations=1)
    assert compiled == len(descend.overloads) - before <= few_kernels.MOST_KNOWN + 1


# ---------------------------------------------------------------- axes

ALL_AXES = {
    name: [value]
    for name, value in OPTIONS["everything in epochs"].options.items()
    if name not in ("sample_weight", "summary")
} | {
    "l1": [1e-3],
    "penalty": [None],
    "patience": [9],
    "dropout": [0.2],
    "sampling_rate": [1.0],
    "output": ["sigmoid"],
    "schedule": [Constant()],
    "reduction": ["sum"],
    "init": ["article"],
    "tolerance": [0.01, 0.02],
    "seed": [1, 2],
    "alpha": [0.1, 0.2],
    "hidden_size": [(5, 3), 4],
}


def test_axes_stand_in_the_order_of_the_contract():
    sweep = fastgd.sweep(X, Y, **ALL_AXES, iterations=10, keep_state=True)
    values = ["sampling_rate", "l1", "l2", "dropout", "dropconnect", "trim_below", "clip_above"]
    values += ["tolerance", "patience"]
    assert list(sweep.axes) == ["hidden_size", *STRUCTURES, "alpha", *values, "seed"]
    assert sweep.shape == (2, *[1] * len(STRUCTURES), 2, *[1] * 7, 2, 1, 2)
    alone = {name: axis[-1] for name, axis in ALL_AXES.items()}
    assert same(
        sweep[tuple(n - 1 for n in sweep.shape)], fastgd.train(X, Y, **alone, iterations=10)
    )


def test_structural_axes():
    axes = {"optimizer": [Momentum(0.5), Momentum(0.9)], "bias": [False, True], "alpha": [0.1, 1]}
    with kernels_of("momentum"):
        sweep = rows_are_runs_alone(axes | {"batch_size": [3, None]}, optimizer=Momentum())
    assert list(sweep.axes) == ["optimizer", "bias", "batch_size", "alpha"]
    assert sweep.axes["optimizer"] == [Momentum(0.5), Momentum(0.9)]
    assert sweep[1, 1, 0, 0].options == {
        "optimizer": Momentum(0.9),
        "bias": True,
        "batch_size": 3,
    }
    assert sweep[1, 0, 1, 0].biases == ()
    assert [len(layer) for layer in sweep[1, 1, 1, 0].biases] == [5, 3, 2]
    assert sweep.total_changes[1, 1, 0, 0] == sum(
        changes.sum()
        for name in ("direction_changes", "bias_direction_changes")
        for changes in getattr(sweep[1, 1, 0, 0], name)
    )


def test_fields_of_the_optimizer_are_axes_before_the_other_values():
    mu = {"optimizer": Momentum(momentum=[0.5, 0.9]), "alpha": [0.1, 1.0], "seed": [1, 2, 3]}
    sweep = rows_are_runs_alone(mu)
    assert sweep.axes == {"alpha": [0.1, 1.0], "momentum": [0.5, 0.9], "seed": [1, 2, 3]}
    assert sweep[1, 0, 2].options == {"optimizer": Momentum(momentum=0.5)}
    assert sweep[1, 1, 2].options == {"optimizer": Momentum(momentum=0.9)}


def test_weights_and_options_together():
    starts = [[np.full((3, 2), v), np.full((2, 2), -v)] for v in (0.1, 0.2, 0.3)]
    fixed = {"seed": 7, "iterations": 20}
    sweep = fastgd.sweep(X, Y, weights=starts, dropout=[0.2, 0.5], **fixed, keep_state=True)
    assert list(sweep.axes) == ["dropout", "weights"]
    for index in np.ndindex(2, 3):
        given = {"weights": starts[index[1]], "dropout": [0.2, 0.5][index[0]]}
        assert same(sweep[index], fastgd.train(X, Y, **given, **fixed))


# ---------------------------------------------------------------- results


@pytest.fixture(scope="module")
def sweeps():
    everything = OPTIONS["everything in epochs"].options
    fixed = {"hidden_size": (5, 3), "iterations": 30, "record_every": 10}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "runs_side_by_side", lambda *_, **__: 8)
        return [
            fastgd.sweep(X, Y, **fixed, **everything | {"dropout": [0.1, 0.2], "alpha": [0.1, 1]}),
            fastgd.sweep(
                X,
                Y,
                **fixed,
                optimizer=[Momentum(0.5), GradientDescent(), Momentum(0.9)],
                batch_size=[3, None],
                sample_weight=np.arange(8.0),
            ),
            fastgd.sweep(
                X, Y, **fixed, optimizer=Momentum(momentum=[0.1, 0.5]), keep_weights=False
            ),
            fastgd.sweep(X, Y, **fixed, clip_above=[0.1, np.inf]),
            fastgd.sweep(X, Y, **fixed, patience=[None, 5], summary=2),
            fastgd.sweep(X, Y, **fixed, l2=0.1),
        ]


def test_sweeps_survive_a_file(sweeps, tmp_path):
    for number, sweep in enumerate(sweeps):
        sweep.save(tmp_path / f"{number}.npz")
        loaded = fastgd.load(tmp_path / f"{number}.npz")
        assert same(loaded, sweep)
        if sweep.kept_weights is not None:
            assert all(map(same, loaded, sweep))
            assert same(loaded.best().predict(X), sweep.best().predict(X))


def test_runs_survive_a_file(sweeps, tmp_path):
    for sweep in sweeps:
        if sweep.kept_weights is not None:
            run = sweep.best()
            run.save(tmp_path / "run.npz")
            loaded = fastgd.load(tmp_path / "run.npz")
            assert same(loaded, run)
            assert same(loaded.predict(X), run.predict(X))


def test_summaries_of_a_sweep_are_arrays_and_those_of_a_run_numbers(sweeps):
    everything, structures, *_ = sweeps
    assert structures.summary is None
    assert structures[0, 0].summary is None
    assert [array.shape for array in everything.summary] == [(2, 2)] * 5
    row = everything[1, 0].summary
    assert [type(number) for number in row] == [float, int, float, float, float]
    assert row.error_sum == everything.summary.error_sum[1, 0]


def test_the_best_of_a_sweep_over_methods(sweeps):
    sweep = sweeps[1]
    index = np.unravel_index(np.argmin(sweep.final_error), (3, 2))
    assert sweep.best_index() == index
    assert (
        sweep.best().options.get("optimizer", GradientDescent())
        == (sweep.axes["optimizer"][index[0]])
    )


def test_dataframes_have_the_new_axes(sweeps):
    frame = sweeps[1].to_dataframe()
    columns = ["optimizer", "momentum", "batch_size"]
    assert list(frame.columns)[:3] == columns
    assert list(frame.columns)[3:] == [
        "final_error",
        "final_loss",
        "status",
        "iterations",
        "total_changes",
    ]
    assert frame["optimizer"].tolist()[::2] == ["Momentum", "GradientDescent", "Momentum"]
    assert frame["final_error"].tolist() == sweeps[1].final_error.ravel().tolist()
    assert sweeps[2].to_dataframe()["momentum"].tolist() == [0.1, 0.5]


@pytest.mark.parametrize(
    ("axis", "said"),
    [
        (
            {"hidden_size": [8, (8,)]},
            r"hidden_size .*, got \(8,\) twice: the layers of one network",
        ),
        ({"alpha": [1, 0.5, 1.0]}, "alpha must have each value once, got 1.0 twice"),
        ({"alpha": [(1, 2), 0.5, (1.0, 2)]}, r"alpha must have each value once, got \(1.0, 2.0\)"),
        ({"seed": [3, 1, 3]}, "seed must have each value once, got 3 twice"),
        ({"l2": [0, 0.0]}, "l2 must have each value once, got 0.0 twice"),
        ({"patience": [None, 3, None]}, "patience must have each value once, got None twice"),
        ({"bias": [True, False, True]}, "bias must have each value once, got True twice"),
        ({"optimizer": [Adam(), Adam()]}, r"optimizer must have each value once, got Adam\("),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_value_is_on_an_axis_once(axis, said):
    with pytest.raises(ValueError, match=f"an axis of {said}"):
        fastgd.sweep(X, Y, iterations=2, **axis)
