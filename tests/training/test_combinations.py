"""The axis of combinations, which aren't a product of axes."""

from dataclasses import replace

import numpy as np
import pytest
from test_results import same

import fastgd
from fastgd import reference
from fastgd.optimizers import Adam, Momentum
from fastgd.schedules import Cosine
from fastgd.store import npz
from thinning import at_a_time, kernels_of, only

RANDOM = np.random.RandomState(5)
X, Y = RANDOM.random_sample((14, 3)), RANDOM.random_sample((14, 1))
LABELS = np.array(["b", "a"])[[0, 1, 1, 0, 0, 1, 0, 1, 1, 0, 0, 1, 0, 1]]
SETTINGS = {"iterations": 30, "record_every": 10, "hidden_size": 3, "threads": 1}
ADAM = {"optimizer": Adam(), "activation": "elu", "bias": True}
FULL = [
    {"alpha": 0.1, "l2": 1e-4, "seed": 3, "beta1": 0.5, "elu_alpha": 0.5},
    {"alpha": (0.01, 0.2), "l2": 0.5, "seed": 1, "beta1": 0.9, "elu_alpha": 2.0},
    {"alpha": 0.1, "l2": 1e-4, "seed": 4, "beta1": 0.9, "elu_alpha": 1.0},
]
SHORT = [{"l2": 0.1, "patience": None}, {"l2": 0.02, "patience": 3}]
CASES = {
    "every kind of number": {"combinations": FULL, **ADAM},
    "beside other axes": {
        "combinations": SHORT,
        "alpha": [0.1, 2.0],
        "dropout": [0, 0.2],
        "seed": [1, 7],
    },
    "with parts": {"combinations": FULL, "groups": LABELS, "folds": 2, **ADAM},
    "with a default": {"combinations": [{"l2": 0.1, "seed": 1}, {"l2": 0, "seed": 2}]},
    "one": {"combinations": [{"alpha": 0.5}], "folds": 2, "bias": [False, True]},
}


@pytest.fixture(scope="module", autouse=True)
def with_the_kernels_of_sweeps():
    """Runs alone have those, too, in which the other lanes are empty."""
    with at_a_time(8):
        yield


def sweep_of(name, **more):
    return fastgd.sweep(X, Y, **SETTINGS | CASES[name] | more)


def alone(name, sweep, index):
    """The result of train() for the samples and values of a run."""
    given = SETTINGS | CASES[name]
    for axis in ("combinations", "groups", "folds", "threads"):
        given.pop(axis, None)
    values = {name: axis[i] for (name, axis), i in zip(sweep.axes.items(), index, strict=True)}
    rows = np.arange(14)
    if "group" in values:
        rows = np.flatnonzero(values.pop("group") == LABELS)
    if "fold" in values:
        parts = np.array_split(rows, 2)
        held = parts.pop(values.pop("fold"))
        rows = np.concatenate(parts)
        given["validation"] = (X[held], Y[held])
    given |= values | values.pop("combination")
    if "beta1" in given:
        given["optimizer"] = Adam(beta1=given.pop("beta1"))
    return fastgd.train(X[rows], Y[rows], **given)


@pytest.mark.parametrize("name", only(CASES, "with parts"))
@pytest.mark.slow
def test_a_run_of_a_case_is_that_of_train(name, tmp_path):
    """Kept in memory, read from a file, or trained again."""
    sweep = sweep_of(name, keep_state=True)
    lost = sweep_of(name, keep_weights=False)
    sweep.save(tmp_path / "sweep.npz")
    loaded = fastgd.load(tmp_path / "sweep.npz")
    assert same(loaded, sweep)
    for index in np.ndindex(sweep.shape):
        run = alone(name, sweep, index)
        for one in (sweep[index], loaded[index]):
            assert same(one, run), index
        assert same(replace(lost[index], state=None), replace(run, state=None)), index


def test_the_axis_stands_between_samples_and_alpha():
    sweep = sweep_of("beside other axes")
    assert list(sweep.axes) == ["combination", "alpha", "dropout", "seed"]
    assert sweep.axes["combination"] == [{"l2": 0.1, "patience": None}, {"l2": 0.02, "patience": 3}]
    sweep = sweep_of("with parts")
    assert list(sweep.axes) == ["group", "fold", "combination"]
    assert sweep.axes["combination"][1]["alpha"] == (0.01, 0.2)


def test_a_part_of_the_cases_is_a_sweep_of_them():
    sweep = sweep_of("beside other axes")
    assert same(sweep.sel(combination=1, alpha=2, dropout=0, seed=7), sweep[1, 1, 0, 1])
    fewer = sweep_of("beside other axes", combinations=SHORT[1:], keep_state=True)
    assert same(sweep_of("beside other axes", keep_state=True)[[1]], fewer)
    fixed = sweep.sel(combination=0)
    assert (fixed.shape, fixed.options) == ((2, 2, 2), {"l2": 0.1})
    assert sweep.options == {}
    with pytest.raises(
        ValueError, match=r"combination must be a value on its axis, \[0, 1\], got 2"
    ):
        sweep.sel(combination=2)


def test_a_case_that_is_chosen_decides_alpha_and_seed():
    sweep = sweep_of("every kind of number")
    assert sweep.settings == {"alpha": 0.1, "seed": 3}
    assert sweep[[1, 2]].settings == {"alpha": (0.01, 0.2), "seed": 1}
    assert sweep[1:].axes["combination"] == sweep.axes["combination"][1:]
    assert (sweep[2].seed, sweep[1].options["optimizer"]) == (4, Adam(beta1=0.9))


def test_a_table_has_a_column_for_each_key():
    columns = sweep_of("every kind of number").columns()
    assert list(columns)[:6] == ["combination", "alpha", "l2", "seed", "beta1", "elu_alpha"]
    assert columns["combination"] == [0, 1, 2]
    assert columns["alpha"] == [0.1, (0.01, 0.2), 0.1]
    assert columns["seed"] == [3, 1, 4]


def test_xarray_has_a_coordinate_for_each_key():
    found = sweep_of("every kind of number").to_xarray()
    assert (found.errors.dims, list(found.combination.values)) == (
        ("combination", "iteration"),
        [0, 1, 2],
    )
    assert list(found.coords["alpha"].values) == ["0.1", "0.01, 0.2", "0.1"]
    assert (list(found.coords["seed"].values), found.coords["l2"].dims) == (
        [3, 1, 4],
        ("combination",),
    )
    assert not {"alpha", "seed", "l2"} & found.attrs.keys()


def test_predictions_know_the_numbers_of_functions():
    for name in ("every kind of number", "with parts"):
        sweep = sweep_of(name)
        outputs = sweep.predict(X)
        for index in np.ndindex(sweep.shape):
            np.testing.assert_array_equal(outputs[index], sweep[index].predict(X))
    by_group = sweep.predict(X, groups=LABELS)
    assert by_group.shape == (2, 3, 14, 1)
    at = LABELS == "a"
    np.testing.assert_array_equal(by_group[:, :, at], outputs[0][:, :, at])


@pytest.mark.parametrize("name", only(CASES, "beside other axes", "with parts"))
def test_combinations_resume_as_if_they_had_never_stopped(name):
    half = sweep_of(name, keep_state=True)
    whole = sweep_of(name, keep_state=True, iterations=50)
    again = CASES[name]
    for given in ({}, again):
        assert same(fastgd.sweep(X, Y, resume=half, iterations=20, threads=1, **given), whole)
    with pytest.raises(ValueError, match="combinations must be left out with resume, or as"):
        fastgd.sweep(X, Y, resume=half, iterations=20, combinations=[{"l1": 0.1}])


def test_combinations_beside_optimizers_resume():
    given = SETTINGS | ADAM | {"optimizer": [Adam(), Adam(0.5)]}
    given["combinations"] = [{"alpha": 0.1, "l2": 1e-4}, {"alpha": 2.0, "l2": 0.0}]
    half = fastgd.sweep(X, Y, **given, keep_state=True)
    whole = fastgd.sweep(X, Y, **given | {"iterations": 50}, keep_state=True)
    assert same(fastgd.sweep(X, Y, resume=half, iterations=20, threads=1), whole)


def test_the_reference_has_the_same_runs():
    given = SETTINGS | CASES["beside other axes"] | {"seed": 1, "dropout": 0}
    given["combinations"] = [{"l2": 0.1, "alpha": 0.1}, {"l2": 0, "alpha": 2.0}]
    given.pop("alpha")
    sweep = fastgd.sweep(X, Y, **given)
    given.pop("threads")
    twins = reference.sweep(X, Y, **given)
    assert list(twins) == list(np.ndindex(sweep.shape))
    for index, twin in twins.items():
        np.testing.assert_allclose(sweep[index].errors, twin.errors, rtol=1e-12)


def test_combinations_are_judged_one_by_one():
    """A product of the cases would have a warm-up as long as the schedule."""
    combinations = [{"steps": 10, "warmup_steps": 5}, {"steps": 30, "warmup_steps": 20}]
    schedule = Cosine(steps=1)
    with kernels_of("cosine"):
        sweep = fastgd.sweep(X, Y, combinations=combinations, schedule=schedule, **SETTINGS)
    assert sweep.shape == (2,)
    with pytest.raises(ValueError, match=r"warmup_steps must be below steps \(30\)"):
        fastgd.sweep(
            X, Y, combinations=[*combinations, {"steps": 30, "warmup_steps": 30}], schedule=schedule
        )


REFUSED = {
    "no list": ({"combinations": {"alpha": 1}}, TypeError,
     "combinations must be a list of dicts, got {'alpha'"),
    "no dicts": ({"combinations": [1]}, TypeError,
     r"combinations must be a list of dicts, got \[1\]"),
    "none": ({"combinations": []}, ValueError, r"at least one dict with a key, got \[\]"),
    "no key": ({"combinations": [{}]}, ValueError, "at least one dict with a key"),
    "other keys": (
        {"combinations": [{"alpha": 1}, {"l2": 1}]}, ValueError,
        r"all combinations must have the same keys, \['alpha'\], got \['l2'\] in combinations\[1\]",
    ),
    "structure": (
        {"combinations": [{"activation": "relu"}]}, ValueError,
        "combinations must have numbers only, and activation is not a number: make it an axis of "
        r"its own, next to the combinations; got 'activation' in combinations\[0\]",
    ),
    "network": ({"combinations": [{"hidden_size": 3}]}, ValueError, "hidden_size is not a number"),
    "unknown": ({"combinations": [{"l3": 3}]}, ValueError,
     "a key of a combination must be one of alpha, seed,"),
    "other name": ({"combinations": [{"lr": 3}]}, ValueError, "got 'lr': fastgd calls it alpha"),
    "field of another": ({"combinations": [{"rho": 0.5}], "optimizer": Momentum()}, ValueError,
     r"'rho': rho is a field of optimizer=AdaDelta\(rho=...\) or optimizer=RMSProp\(rho=...\)"),
    "field of an axis": (
        {"combinations": [{"momentum": 0.5}], "optimizer": [Momentum(), Adam()]}, ValueError,
         "got 'momentum'"
    ),
    "argument": ({"combinations": [{"alpha": 1}], "alpha": 1.0}, ValueError,
     "alpha must be in the combinations"),
    "axis": ({"combinations": [{"l2": 1}], "l2": [0, 1]}, ValueError, "or an argument, got both"),
    "axis of a field": (
        {"combinations": [{"momentum": 1}], "optimizer": Momentum(momentum=[0.1])}, ValueError,
         "or an axis, got both"
    ),
    "value": ({"combinations": [{"l2": 0}, {"l2": -1}]}, ValueError,
     "l2 must be .* at least 0, got -1"),
    "seed beside weights": (
        {"combinations": [{"seed": 1}], "weights": [np.ones((3, 4)), np.ones((4, 1))]}, ValueError,
        "seed must not be an axis where weights are given",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_case_is_rejected(name):
    given, kind, message = REFUSED[name]
    with pytest.raises(kind, match=message):
        fastgd.sweep(X, Y, iterations=1, **given)


def test_a_file_with_a_corrupt_case_is_rejected(tmp_path):
    path = tmp_path / "sweep.npz"
    sweep_of("every kind of number").save(path)
    with npz.reading(path) as (kind, facts, stored):
        arrays = {name: np.asarray(array) for name, array in stored.items()}
    facts["axes"]["combination"][1]["l2"] = -1
    npz.write(path, kind, facts, arrays)
    with pytest.raises(ValueError, match=r"sweep\.npz"):
        fastgd.load(path)
