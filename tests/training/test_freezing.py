"""freeze: parameters that stay as they are."""

from itertools import pairwise

import numpy as np
import pytest
from test_shared_updates import same as same_run

import fastgd
from cases import STAYS, X, Y
from fastgd import reference
from fastgd.checks.messages import options_text
from fastgd.optimizers import AdamW, LevenbergMarquardt
from fastgd.sklearn import FastGDRegressor
from thinning import at_a_time

GIVEN = {"hidden_size": (5, 3), "bias": True, "iterations": 40, "alpha": 0.05}
MASK = STAYS[1]


@pytest.fixture(autouse=True)
def one_kernel():
    """A run alone is trained by the kernel of the sweep below."""
    with at_a_time(8):
        yield


def test_what_is_frozen_keeps_its_bits_and_the_others_learn_as_if_it_were_constant():
    """Penalties, decay and momentum don't move it, and no direction changes are counted."""
    given = GIVEN | {"freeze": STAYS, "l1": 0.01, "l2": 0.1, "optimizer": AdamW(weight_decay=0.2)}
    run = fastgd.train(X, Y, **given)
    first = fastgd.train(X, Y, **GIVEN | {"iterations": 1, "alpha": 1e-300})
    assert run.weights[1][MASK].tobytes() == first.weights[1][MASK].tobytes()
    assert run.weights[2].tobytes() == first.weights[2].tobytes()
    assert not run.biases[2].any()
    assert not run.direction_changes[1][MASK].any()
    assert not run.direction_changes[2].any()
    assert (run.weights[1][~MASK] != first.weights[1][~MASK]).all()
    assert (run.weights[0] != first.weights[0]).all()
    assert run.biases[1].all()
    twin = reference.train(X, Y, **given)
    for mine, its in zip(run.weights, twin.weights, strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-10)


def test_one_step_is_that_of_derivatives_without_what_is_frozen():
    """As with PyTorch's requires_grad=False: the other derivatives are what they were."""
    one = {"iterations": 1, "alpha": 0.25}
    free, held = (fastgd.train(X, Y, **GIVEN | one | more) for more in ({}, {"freeze": [1]}))
    for k in (0, 2):
        assert held.weights[k].tobytes() == free.weights[k].tobytes()
        assert held.biases[k].tobytes() == free.biases[k].tobytes()
    assert (held.weights[1] != free.weights[1]).all()


def test_layers_are_masks_of_the_whole():
    """By number, in any order, or as True; a sweep's row and a resumed training."""
    run = fastgd.train(X, Y, **GIVEN, freeze=(2, 0))
    for same in ([0, 2], [True, None, True], [True, np.zeros((5, 3), bool), True]):
        other = fastgd.train(X, Y, **GIVEN, freeze=same)
        assert other.weights[1].tobytes() == run.weights[1].tobytes()
        assert other.biases[0].tobytes() == run.biases[0].tobytes()
    row = fastgd.sweep(X, Y, **GIVEN | {"alpha": [0.01, 0.05], "seed": range(1, 6)}, freeze=(0, 2))
    assert row[1, 0].weights[1].tobytes() == run.weights[1].tobytes()
    half = fastgd.train(X, Y, **GIVEN | {"iterations": 15}, freeze=(0, 2))
    whole = fastgd.train(X, Y, resume=half, iterations=25)
    assert whole.weights[1].tobytes() == run.weights[1].tobytes()


def test_masks_are_saved_and_loaded(tmp_path):
    run = fastgd.train(X, Y, **GIVEN | {"iterations": 3}, freeze=STAYS)
    run.save(tmp_path / "run.npz")
    loaded = fastgd.load(tmp_path / "run.npz").options["freeze"]
    assert (loaded[0], loaded[2]) == (False, True)
    assert loaded[1].tolist() == MASK.tolist()
    assert options_text({"freeze": loaded}) == "freeze some of 1, 2"
    assert options_text({"freeze": (0, 2)}) == "freeze 0, 2"


MANY = [
    None,
    (0, 2),
    STAYS,
    [np.ones((3, 5), bool), None, MASK.T[:, :2]],
    [None, MASK.tolist(), True],
    (True, None, True),
]


@pytest.mark.slow
def test_masks_are_an_axis_of_a_sweep(tmp_path):
    """Each run has the bits of the run alone: beside other axes, in files, in folders, resumed."""
    given = GIVEN | {"optimizer": AdamW(weight_decay=0.1), "record_every": 9}
    axes = {"freeze": MANY, "l2": [0.0, 0.02], "seed": [1, 2]}
    sweep = fastgd.sweep(X, Y, **given, **axes, keep_state=True)
    assert list(sweep.axes) == ["freeze", "l2", "seed"]
    assert (sweep.axes["freeze"][0], sweep.axes["freeze"][1]) == (None, (0, 2))
    for place in np.ndindex(sweep.shape):
        values = {name: axis[i] for (name, axis), i in zip(axes.items(), place, strict=True)}
        assert same_run(sweep[place], fastgd.train(X, Y, **given, **values))
    distinct = {run.weights[1].tobytes() for run in sweep}
    assert len(distinct) == 16  # the last two are the second and the third in other words
    sweep.save(tmp_path / "sweep.npz")
    folder = fastgd.sweep(X, Y, **given, **axes, keep_state=True, out=tmp_path / "folder")
    half = fastgd.sweep(X, Y, **given | {"iterations": 18}, **axes, keep_state=True)
    half.save(tmp_path / "half.npz")
    for one in (half, fastgd.load(tmp_path / "half.npz")):
        whole = fastgd.sweep(X, Y, resume=one, iterations=22, **axes)
        assert all(same_run(a, b) for a, b in zip(whole, sweep, strict=True))
    for other in (fastgd.load(tmp_path / "sweep.npz"), fastgd.open(tmp_path / "folder"), folder):
        assert all(same_run(a, b) for a, b in zip(other, sweep, strict=True))
        assert same_run(other.sel(freeze=2, l2=0.02, seed=2), sweep[2, 1, 1])
    assert same_run(sweep[2:].sel(freeze=0, l2=0.0, seed=1), sweep[2, 0, 0])
    numbers = fastgd.sweep(X, Y, **given, freeze=[None, (0,), (0, 2)])
    assert same_run(numbers.sel(freeze=(0, 2)), sweep[1, 0, 0])
    assert same_run(numbers.sel(freeze=None), sweep[0, 0, 0])
    with pytest.raises(ValueError, match="freeze must be left out with resume, or as it was"):
        fastgd.sweep(X, Y, resume=half, iterations=22, **axes | {"freeze": MANY[:2]})


def test_masks_belong_to_runs_whatever_their_order():
    """Chunks, threads, and runs that end early and leave their lanes."""
    given = GIVEN | {"tolerance": 0.2, "iterations": 200, "alpha": [0.05, 0.5, 2.0]}
    sweep = fastgd.sweep(X, Y, **given, freeze=MANY[:4], seed=range(9))
    assert len(set(sweep.iterations.ravel())) > 9
    for place in [(0, 0, 3), (1, 1, 1), (2, 2, 2), (2, 0, 8), (1, 3, 7), (2, 3, 0)]:
        values = {name: axis[i] for (name, axis), i in zip(sweep.axes.items(), place, strict=True)}
        assert same_run(sweep[place], fastgd.train(X, Y, **given | values))


def test_a_list_is_an_axis_or_a_mask_for_each_layer():
    for one in ([None, None, None], [None, MASK, True], [0, 2], [None, MASK.tolist(), None]):
        assert fastgd.sweep(X, Y, **GIVEN | {"iterations": 1}, freeze=one).axes == {}
    first = np.ones((3, 5), bool)
    for several in ([0, (1,)], [None, (0,)], [[None] * 3], [(1,), STAYS], [[first, None, None]]):
        found = fastgd.sweep(X, Y, **GIVEN | {"iterations": 1}, freeze=several)
        assert found.shape == (len(several),)
    for mixed in ([MASK, (0,)], [True, [None, MASK, None]], [MASK.tolist(), (0,)]):
        with pytest.raises(TypeError, match=r"freeze must be a tuple .* got "):
            fastgd.sweep(X, Y, **GIVEN, freeze=mixed)
    for bad, message in (
        ([(0,), (3,)], "freeze must have layer numbers below 3"),
        ([(0,), [None, True]], r"freeze must have one mask per layer of weights \(3\), got 2"),
        ([STAYS, (0, 1, 2)], "freeze must leave something to learn"),
        ([(0,), (0,)], r"an axis of freeze must have each value once, got \(0,\) twice"),
        ([(0,), 1.5], "freeze must be a tuple of layer numbers"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            fastgd.sweep(X, Y, **GIVEN, freeze=bad)
    with pytest.raises(TypeError, match=r"freeze must be a tuple .* got \(0,\)"):
        fastgd.train(X, Y, **GIVEN, freeze=[(0,), (1,)])
    with pytest.raises(ValueError, match="combinations must have numbers only, and freeze is not"):
        fastgd.sweep(X, Y, **GIVEN, combinations=[{"freeze": (0,)}])


def test_masks_in_tables_are_known_by_their_places():
    sweep = fastgd.sweep(X, Y, **GIVEN | {"iterations": 2}, freeze=MANY[:4])
    assert sweep.to_dataframe()["freeze"].tolist() == [0, 1, 2, 3]
    assert sweep.to_xarray()["freeze"].values.tolist() == [0, 1, 2, 3]
    layers = fastgd.sweep(X, Y, **GIVEN | {"iterations": 2}, freeze=[None, (0,), (0, 2)])
    assert layers.to_xarray()["freeze"].values.tolist() == ["none", "0", "0, 2"]


@pytest.mark.slow
def test_masks_of_second_order_are_an_axis_too():
    given = {"hidden_size": 3, "iterations": 20, "optimizer": LevenbergMarquardt()}
    masks = [None, (1,), [np.eye(3) > 0, None]]
    sweep = fastgd.sweep(X, Y, **given, freeze=masks)
    for mask, run in zip(masks, sweep, strict=True):
        assert same_run(run, fastgd.train(X, Y, **given, freeze=mask))
    assert len(set(sweep.final_error)) == 3


@pytest.mark.parametrize(
    ("freeze", "message"),
    [
        ((3,), r"freeze must have layer numbers below 3, the layers of weights, got \(3,\)"),
        (-1, "a layer in freeze must be at least 0, got -1"),
        ((0, 1, 2), r"freeze must leave something to learn, got \(0, 1, 2\)"),
        ([True] * 3, "freeze must leave something to learn, got"),
        ([None, True], r"freeze must have one mask per layer of weights \(3\), got 2"),
        ([None, MASK.T, None], r"freeze\[1\] must have the shape of .*\(5, 3\), got \(3, 5\)"),
        ([None, MASK * 1, None], "freeze must be a tuple of layer numbers from 0, or a list with"),
        ([], r"freeze must be a tuple .* got \[\]"),
        ("0", "freeze must be a tuple .* got '0'"),
        (1.5, "freeze must be a tuple .* got 1.5"),
        (True, "freeze must be a tuple .* got True"),
    ],
    ids=str,
)
def test_anything_else_is_rejected(freeze, message):
    with pytest.raises((TypeError, ValueError), match=message):
        fastgd.train(X, Y, **GIVEN, freeze=freeze)
    with pytest.raises((TypeError, ValueError), match=message):
        fastgd.sweep(X, Y, **GIVEN | {"alpha": [1, 2]}, freeze=freeze)


@pytest.mark.parametrize(
    ("more", "learns"),
    [
        ({}, False),
        ({"bias": True}, True),
        ({"batch_norm": True}, True),
        ({"bias": True, "batch_norm": True}, True),
        ({"hidden_size": (), "bias": True}, True),
        ({"hidden_size": ()}, False),
        ({"optimizer": LevenbergMarquardt()}, False),
    ],
    ids=str,
)
def test_masks_of_all_weights_are_refused_where_nothing_else_learns(more, learns):
    """As layer numbers are; masks have no biases, and no scale and shift of batch normalization."""
    given = GIVEN | {"bias": False, "iterations": 3} | more
    sizes = (X.shape[1], *given["hidden_size"], Y.shape[1])
    given["freeze"] = [np.ones(shape, bool) for shape in pairwise(sizes)]
    if learns:
        first, later = reference.train(X, Y, **given, record_every=2).errors
        assert first != later
        return
    for call in (fastgd.train, fastgd.sweep, reference.train):
        with pytest.raises(ValueError, match="freeze must leave something to learn, got"):
            call(X, Y, **given)
    with pytest.raises(ValueError, match="freeze must leave something to learn, got"):
        fastgd.sweep(X, Y, **given | {"bias": [True, False]})


def test_groups_and_estimators_refuse_it_too():
    table = {"g": ["a"] * 4, "x": [1.0, 2.0, 3.0, 5.0], "y": [0.5, 1.25, 1.0, 0.75]}
    masks = [np.ones((1, 1), bool)]
    with pytest.raises(ValueError, match="freeze must leave something to learn, got"):
        fastgd.fit_groups(table, "g", "y", hidden_size=(), bias=False, freeze=masks, iterations=3)
    frozen = FastGDRegressor((), options={"freeze": [True]})
    with pytest.raises(ValueError, match="freeze must leave something to learn, got"):
        frozen.fit(X, Y[:, 0])
