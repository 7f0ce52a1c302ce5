"""Groups, folds, weights: a run of a sweep is bit-identical to `fastgd.train` on its samples.

For every option of the table in cases.py, in all ways in which runs may share their samples; and
both go on exactly.
"""

from contextlib import nullcontext
from functools import cache

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold, ShuffleSplit
from test_methods import agrees, close
from test_results import same

import fastgd
from cases import EVERYTHING, OPTIONS, with_values
from fastgd import reference
from fastgd.engine import execution
from fastgd.engine.session import Runs
from fastgd.optimizers import Adam, Momentum
from thinning import kernels_of, only, some

pytestmark = pytest.mark.filterwarnings("ignore::fastgd.checks.messages.TrainingWarning")

RANDOM = np.random.RandomState(4)
# Groups of 11, 11 and 14 rows that train on 8, 8 and 11 of them: no batch has one sample.
LABELS = np.array(list("abc"))[RANDOM.permutation(np.repeat([0, 1, 2], [11, 11, 14]))]
X = RANDOM.random_sample((36, 3))
Y = RANDOM.random_sample((36, 2))
WEIGHT = RANDOM.random_sample(36) * (np.arange(36) % 7 != 3)
TWO = np.stack([WEIGHT, RANDOM.randint(1, 3, 36)])


def _folds():
    """Two pairs: of each group all but its last 3 and those, all but its first 3 and 2 of those."""
    pairs = [([], []), ([], [])]
    for label in "abc":
        rows = np.flatnonzero(label == LABELS).tolist()
        for (train, test), own, held in zip(
            pairs, (rows[:-3], rows[3:]), (rows[-3:], rows[:2]), strict=True
        ):
            train += own
            test += held
    return pairs


FOLDS = _folds()
"""They train on 27 rows and hold out 9 or 6."""

PARTS = {
    "folds": {"folds": FOLDS},
    "groups": {"groups": LABELS},
    "weightings": {"sample_weight": TWO},
    "groups, folds": {"groups": LABELS, "folds": FOLDS},
    "groups, weightings": {"groups": LABELS, "sample_weight": TWO},
    "folds, weightings": {"folds": FOLDS, "sample_weight": TWO},
    "all": {"groups": LABELS, "folds": FOLDS, "sample_weight": TWO},
}


def alone(place, sweep, given):
    """The arguments of `fastgd.train` for a run of a sweep with these arguments."""
    given = dict(given)
    values = {name: axis[i] for (name, axis), i in zip(sweep.axes.items(), place, strict=True)}
    rows, held = np.arange(len(given["X"])), None
    groups, folds = given.pop("groups", None), given.pop("folds", None)
    if groups is not None:
        label = values.pop("group")
        rows = np.array([n for n in rows if groups[n] == label])
    if folds is not None:
        train, test = folds[values.pop("fold")]
        rows, held = (np.array([n for n in rows if n in part]) for part in (train, test))
    weight = given.get("sample_weight")
    if "sample_weight" in values:
        weight = weight[values.pop("sample_weight")]
    if held is not None:
        given["validation"] = (given["X"][held], given["y"][held])
        given["validation"] += () if weight is None else (weight[held],)
    given |= {"X": given["X"][rows], "y": given["y"][rows]}
    given["sample_weight"] = None if weight is None else weight[rows]
    return with_values(given, values)


def runs_are_alone(given, name="plain", **how):
    """Every run of a sweep has the results and the state of the run alone.

    That one has the kernel of this golden case, whose options these are, or that for one run.
    """
    sweep = fastgd.sweep(**given, **how, keep_state=True)
    with kernels_of(name) if name else nullcontext():
        for place in np.ndindex(sweep.shape):
            own = fastgd.train(**alone(place, sweep, given))
            assert not differences(sweep[place], own), (place, differences(sweep[place], own))
    return sweep


def differences(run, own):
    """The fields in which they are not the same, and those of the states."""
    found = [name for name in vars(run) if not same(getattr(run, name), getattr(own, name))]
    if "state" in found:
        found.remove("state")
        found += [
            f"state.{name}"
            for name, array in run.state._asdict().items()
            if not same(array, getattr(own.state, name))
        ]
    return found


def arguments(name, parts, *, shares=True):
    """The arguments of a sweep over a case of the table.

    One that ``shares`` kernels records no weights but in one case, which has no run without
    dropout either: alone it would have another kernel.
    """
    case = OPTIONS[name]
    given = {"X": X, "y": case.targets(Y), "hidden_size": (5, 3), "iterations": 25}
    given |= {"record_every": 7, "alpha": [0.05, 0.4]}
    given |= with_values(case.options, case.axes) | PARTS[parts]
    given["record_weights"] = not shares or name == EVERYTHING[0]
    if shares and name == EVERYTHING[0]:
        given["dropout"] = [0.1, 0.2]
    if "sample_weight" in case.options and "sample_weight" not in PARTS[parts]:
        given["sample_weight"] = WEIGHT
    return given


ALIKE = ("step", "exponential", "linear")
"""What other cases, here the cosine, have in common with these is all that parts could touch."""

BY_PLACE = ("plain", "dropout", "input noise", "batches", "adaptive", "batch norm")
"""Options that decide what runs may share."""


SHARED = [(name, parts, 2) for name in BY_PLACE for parts in PARTS]
SHARED += [(name, parts, 9) for name in BY_PLACE for parts in ("groups", "folds")]


@pytest.mark.parametrize(
    ("name", "parts", "alphas", "shares"),
    # Adaptive samples of groups have the kernel of a golden case. Noise of folds has its own, as
    # nothing else shows that these share no table then.
    [
        (*each, True)
        for each in SHARED
        if "plain" in each
        or {"adaptive", "groups"} < set(each)
        or each == ("input noise", "folds", 2)
    ]
    + some([(*each, False) for each in SHARED], [False] * len(SHARED)),
)
@pytest.mark.slow
def test_all_ways_to_share_samples(name, parts, alphas, shares):
    """With 9 alphas and another axis there are blocks of one part; else of runs with their own
    samples, or of a table's.
    """
    given = arguments(name, parts, shares=shares)
    given |= {"alpha": np.geomspace(0.1, 3, alphas).tolist()}
    runs_are_alone(given | {"iterations": 9}, name if shares else None)


@pytest.mark.parametrize("parts", only(PARTS, "groups"))
def test_all_runs_may_be_over_early(parts):
    given = arguments("plain", parts) | {"tolerance": 0.5, "iterations": 50}
    sweep = runs_are_alone(given)
    assert (sweep.status == "converged").all()
    both = fastgd.sweep(X, Y, resume=sweep, iterations=10)
    assert (both.iterations == sweep.iterations).all()


@pytest.mark.parametrize(
    ("parts", "seeds", "tolerance"),
    some([("groups", range(16), 0.28), ("all", range(11, 15), 0.315)], [True, False]),
)
def test_packing_on_two_threads_changes_nothing(parts, seeds, tolerance, monkeypatch):
    """Each group has two blocks, then one; the first thread gets every other one that is left."""
    packed, pack = [], Runs.pack

    def spy(runs, going, lanes):
        packed.append(lanes[:, 0].tolist())
        return pack(runs, going, lanes)

    monkeypatch.setattr(Runs, "pack", spy)
    monkeypatch.setattr(execution, "CHUNK_SECONDS", 1e-9)
    given = arguments("plain", parts) | {"iterations": 9}
    given |= {"alpha": 0.03, "seed": list(seeds), "tolerance": tolerance}
    two = runs_are_alone(given, threads=2)
    one = fastgd.sweep(**given, threads=1, keep_state=True)
    assert all(not differences(a, b) for a, b in zip(one, two, strict=True))
    left = (two.iterations > 0).reshape(3, 16).sum(axis=1)
    assert len(packed) == 2
    assert len(set(left)) == len(packed[0]) == 3
    assert packed[0] != packed[1] == sorted(packed[0])


@pytest.mark.parametrize("parts", only(["folds", "groups", "groups, folds"], "folds"))
@pytest.mark.slow
def test_numbers_that_overflow_spoil_no_run_next_to_them(parts):
    """Of rows that others learn from, or padding: infinity times a weight of 0 is NaN."""
    large = np.where(np.arange(36) == FOLDS[0][1][0], 1e200, 1.0)
    given = arguments("plain", parts) | {
        "X": X * large[:, None],
        "activation": "identity",
        "output": "identity",
        "weights": [np.full((3, 4), 1e150), np.full((4, 2), 1e-150)],
        "alpha": [(1e-3, 1e-305), (1e-2, 1e-304), (1e-2, 1e-305)],  # so that folds share a table
    }
    del given["hidden_size"]
    sweep = runs_are_alone(given)
    assert (sweep.status == "diverged").any()
    assert (sweep.status == "finished").any()


# ---------------------------------------------------------------- every option

IN_SHORT = [
    *((name, "groups") for name in ("plain", EVERYTHING[1])),
    *((name, "groups, folds") for name in ("plain", EVERYTHING[0])),
]
"""What is tried whenever the tests run; the others have kernels of their own.

These have batches, dropout, batch normalization and adaptive sampling together.
"""

EACH = [
    # A loss is monitored only without a validation set.
    (name, "groups" if "monitor" in case.options else "groups, folds")
    for name, case in OPTIONS.items()
    if name not in ALIKE
]
EACH += [(name, "folds, weightings") for name in (*BY_PLACE, *EVERYTHING, "adam")]

each = pytest.mark.parametrize(
    ("name", "parts", "shares"),
    [(*case, True) for case in IN_SHORT]
    + some([(*case, False) for case in EACH], [False] * len(EACH)),
)


@cache
def whole(name, parts, shares):
    return fastgd.sweep(**arguments(name, parts, shares=shares), keep_state=True)


@each
def test_a_run_is_that_of_train(name, parts, shares):
    given, sweep = arguments(name, parts, shares=shares), whole(name, parts, shares)
    with kernels_of(name) if shares else nullcontext():
        for place in np.ndindex(sweep.shape):
            own = fastgd.train(**alone(place, sweep, given))
            assert not differences(sweep[place], own), place


@each
def test_the_twin_agrees(name, parts, shares):
    rtol = 1e-10
    given = arguments(name, parts, shares=shares)
    given |= {"alpha": [0.001, 0.02]}  # larger ones blow rounding up
    sweep, twins = fastgd.sweep(**given), reference.sweep(**given)
    for place in np.ndindex(sweep.shape):
        run, twin = sweep[place], twins[place]
        with kernels_of(name) if shares else nullcontext():
            agrees(run, twin, rtol)
        if sweep.validation_errors is not None:
            close([run.validation_errors], [twin.validation_errors], rtol, "held out")
            final = pytest.approx(twin.final_validation_error, rel=rtol)
            assert run.final_validation_error == final
        if given["record_weights"]:
            close(run.recorded_weights, twin.recorded_weights, rtol, "recorded weights")


@each
def test_it_resumes(name, parts, shares):
    """10 iterations and 15 are 25, in a sweep and in each of its runs."""
    given, sweep = arguments(name, parts, shares=shares), whole(name, parts, shares)
    first = fastgd.sweep(**given | {"iterations": 10}, keep_state=True)
    both = fastgd.sweep(X, given["y"], resume=first, iterations=15)
    assert both.shape == sweep.shape
    for place in np.ndindex(sweep.shape):
        assert same(both[place], sweep[place]), (place, differences(both[place], sweep[place]))
        own = alone(place, sweep, given)
        data = {part: own[part] for part in ("X", "y", "validation") if part in own}
        with kernels_of(name) if shares else nullcontext():
            run = fastgd.train(**data, resume=first[place], iterations=15)
        assert not differences(sweep[place], run), place


# ---------------------------------------------------------------- any samples, any parts

STRUCTURES = {
    "plain": {"bias": True, "optimizer": Momentum()},
    "batches": {"dropout": 0.3, "optimizer": Adam()},
    "batch norm": {"batch_norm": True, "activation": "tanh"},
    "adaptive": {"sampling": "adaptive", "sampling_rate": 2.0},
}
NUMBERS = {
    "alpha": st.floats(1e-3, 10),
    "seed": st.integers(0, 2**32 - 1),
    "patience": st.integers(1, 9),
    "tolerance": st.floats(0.1, 0.4),
    "l2": st.floats(1e-4, 0.1),
}


def pairs_of(folds, labels):
    """The folds of an int or a splitter, as pairs of indices."""
    splitter = KFold(folds) if isinstance(folds, int) else folds
    found = {}
    for label in set(labels):
        rows = np.flatnonzero([other == label for other in labels])
        for k, parts in enumerate(splitter.split(np.zeros(len(rows)))):
            for both, part in zip(found.setdefault(k, ([], [])), parts, strict=True):
                both += rows[part].tolist()
    return list(found.values())


@st.composite
def sweeps(draw):
    """The arguments of a sweep; and with its folds as pairs."""
    count = draw(st.integers(1, 4))
    labels = [g for g in range(count) for _ in range(draw(st.integers(6, 12)))]
    labels = draw(st.permutations(labels))
    samples, smallest = len(labels), min(labels.count(g) for g in range(count))
    random = np.random.RandomState(draw(st.integers(0, 99)))
    splitter = st.sampled_from(
        [KFold(3, shuffle=True, random_state=1), ShuffleSplit(2, random_state=2)]
    )
    folds = draw(st.none() | st.integers(2, 4) | splitter)
    is_grouped = draw(st.booleans())
    given = {
        "X": random.normal(size=(samples, 3)),
        "y": random.random_sample((samples, 2)),
        "hidden_size": (5, 3),
        "iterations": draw(st.integers(1, 14)),
        "record_every": draw(st.integers(1, 6)),
        "evaluate_every": draw(st.integers(1, 5)),
        "restore_best": True,
        "threads": draw(st.integers(1, 2)),
    } | STRUCTURES[draw(st.sampled_from(list(STRUCTURES)))]
    if given.get("sampling") or "dropout" in given:
        given["batch_size"] = draw(st.integers(1, smallest // 2))
    weighting = draw(st.sampled_from([None, (samples,), (1, samples), (3, samples)]))
    if weighting:
        given["sample_weight"] = random.random_sample(weighting) * random.randint(0, 2, weighting)
    for name in draw(st.lists(st.sampled_from(list(NUMBERS)), max_size=2, unique=True)):
        given[name] = draw(st.lists(NUMBERS[name], min_size=1, max_size=3, unique=True))
    if is_grouped:
        given["groups"] = labels
    own = labels if is_grouped else [0] * samples
    pairs = None if folds is None else pairs_of(folds, own)
    if weighting:
        uses = [rows for pair in pairs for rows in pair] if pairs else [range(samples)]
        parts = [[n for n in rows if own[n] == label] for rows in uses for label in set(own)]
        if not all(given["sample_weight"][..., part].any(axis=-1).all() for part in parts):
            given["sample_weight"] += 0.1
    return given | {"folds": folds}, given | {"folds": pairs}


@pytest.mark.slow
@settings(max_examples=25)
@drawn(sweeps())
def test_any_run_is_that_of_train(given):
    arguments, in_pairs = given
    sweep = fastgd.sweep(**arguments, keep_state=True)
    in_pairs = {name: value for name, value in in_pairs.items() if name != "threads"}
    for place in np.ndindex(sweep.shape):
        own = fastgd.train(**alone(place, sweep, in_pairs))
        assert not differences(sweep[place], own), place
    cut = arguments["iterations"] // 2
    if cut:
        first = fastgd.sweep(**arguments | {"iterations": cut}, keep_state=True)
        data = {"X": arguments["X"], "y": arguments["y"]}
        both = fastgd.sweep(**data, resume=first, iterations=arguments["iterations"] - cut)
        for place in np.ndindex(sweep.shape):
            assert not differences(both[place], sweep[place]), place
