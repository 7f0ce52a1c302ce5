"""Where a block has everything: no part in another's place, and all comes out as it went in."""

from itertools import product

import numpy as np
import pytest

from fastgd.arguments.options import Method
from fastgd.engine import results
from fastgd.engine.layout import ARRAYS, LINE, LINE_BYTES, PAGE
from fastgd.engine.network import Network
from fastgd.engine.packing import lanes_of
from fastgd.engine.recipe import INTEGERS, Values, recipe_of, state_count
from fastgd.engine.session import SMALL, layout_for
from fastgd.kernel.block import (
    ERROR_COUNT,
    ERROR_SUM,
    FIRST,
    INVERSE_SUM,
    RECENT,
    SMALLEST,
    SMALLEST_AT,
    Layer,
)
from fastgd.kernel.language.structs import first_byte
from fastgd.kernel.vectorization import ROWS
from fastgd.optimizers import Adam, LevenbergMarquardt, Momentum

METHODS = {
    "plain": Method(),
    "bias and Adam": Method(bias=True, optimizer=Adam()),
    "cross entropy": Method(loss="cross_entropy"),
    "dropconnect": Method(dropconnect=0.5, bias=True, optimizer=Momentum()),
    "watched": Method(tolerance=0.1, patience=3, summary=5),
    "batch norm": Method(batch_norm=True, bias=True, batch_size=6, optimizer=Adam()),
    "second order": Method(bias=True, optimizer=LevenbergMarquardt(), regularization="bayesian"),
    "adaptive": Method(sampling="adaptive", batch_size=5, summary=2),
    "everything": Method(
        bias=True,
        dropconnect=0.1,
        dropout=0.1,
        batch_norm=True,
        batch_size=6,
        tolerance=0.1,
        loss="cross_entropy",
        reduction="mean",
    ),
}
SIZES = [(3, 1), (2, 5, 3), (4, 64, 8, 2)]
CASES = list(product(METHODS, SIZES, (1, 2, 16)))


def layout_of(name, sizes, runs, samples=18, record_weights=True):
    method = METHODS[name]
    network = Network(sizes, method.bias, method.batch_norm)
    recipe = recipe_of(method, {}, record_weights=record_weights)
    return layout_for(network, runs, samples, recipe, method.batch_size or 0, method.summary or 1)


def layers_of(layout):
    layers = [Layer(*row) for row in layout.table.tolist()]
    assert layers == layout.layers
    return layers


def parts_of(layout):
    """The places of each part of a block's numbers, as the kernel addresses it."""
    runs, network, recipe = layout.runs, layout.network, layout.recipe
    layers = layers_of(layout)
    for k, (layer, (rows, outputs)) in enumerate(zip(layers, network.matrices, strict=True)):
        weights = layer.weights + np.arange(rows * outputs * runs)
        yield f"weights of {k}", weights
        assert layer.scale == layer.weights + layer.inputs * outputs * runs
        yield f"gradient of {k}", weights + layer.gradient
        for state in range(state_count(recipe.optimizer)):
            yield f"state {state} of {k}", weights + layer.states + state * layer.state
        if recipe.features.dropconnect is not None:
            yield f"effective weights of {k}", weights + layer.effective - layer.weights
            yield f"factors of {k}", weights + layer.factors
        else:
            assert layer.effective == layer.weights
        yield f"alpha of {k}", layer.alpha + np.arange(runs)
        constant = network.bias and k < len(layers) - 1
        units = np.arange((outputs + constant) * runs)
        activations = (
            layer.units + (np.arange(layout.group)[:, None] * layer.stride + units).ravel()
        )
        yield f"activations of {k}", activations
        yield f"deltas of {k}", activations + layer.deltas
        kept = recipe.inputs is not None and k == len(layers) - 1
        if recipe.batch_norm is not None or kept:
            yield f"preactivations of {k}", activations + layer.preactivation
    yield "values", layers[0].values + np.arange(layout.sizes["values"] * runs)
    if recipe.watch is not None:
        yield "watched errors", layers[0].watch + np.arange((RECENT + layout.window) * runs)


@pytest.mark.parametrize("runs", [1, 3, 8])
@pytest.mark.parametrize("name", METHODS)
def test_blocks_write_into_cache_lines_of_their_own(name, runs):
    """In each update: threads that write into one line wait for each other."""
    block = layout_of(name, (2, 5, 3), runs).allocate(3, 2)
    busy = [block.signs, block.recent, block.integers, block.scratch, block.order, block.tau]
    busy += [block.batch.X, block.batch.y, block.batch.importance, block.draws, block.drawn]
    for array in filter(np.size, busy):
        begins = [first_byte(row) for row in array]
        for begin, row, other in zip(begins, array, begins[1:], strict=False):
            assert other - (begin + row.nbytes) >= LINE_BYTES - 1
    assert all(first_byte(row) % LINE_BYTES == 0 for row in block.numbers)


@pytest.mark.parametrize(("name", "sizes", "runs"), CASES)
def test_no_part_lies_in_another_s_place(name, sizes, runs):
    layout = layout_of(name, sizes, runs)
    owner = np.full(layout.numbers, "", dtype="<U30")
    for part, places in parts_of(layout):
        assert places.min() >= 0, part
        assert places.max() < layout.numbers, part
        assert set(owner[places]) == {""}, part
        owner[places] = part


@pytest.mark.parametrize(("name", "sizes", "runs"), CASES)
def test_what_a_run_takes_along_lies_before_its_gradient(name, sizes, runs):
    """And what is put away at its end lies first."""
    layout = layout_of(name, sizes, runs)
    for part, places in parts_of(layout):
        kind = part.split(" ")[0]
        goes_along = kind in ("weights", "state", "alpha", "values", "watched")
        assert (places < layout.moved).all() == goes_along, part
        assert (places < layout.kept).all() == (kind in ("weights", "watched")), part


@pytest.mark.parametrize(("name", "sizes", "runs"), CASES)
def test_memory_is_what_is_allocated(name, sizes, runs):
    layout = layout_of(name, sizes, runs)
    block = layout.allocate(3, records=4)
    arrays = [
        array for field in block for array in (field[:3] if isinstance(field, tuple) else [field])
    ]
    shared = [getattr(block, name) for name in ARRAYS if ARRAYS[name][0].is_workspace]
    own = [array for array in arrays if not any(array is other for other in shared)]
    taken = sum(array.strides[0] for array in own if array.size)
    workspace = sum(array.strides[0] for array in shared if array.size)
    assert workspace <= layout.workspace + LINE_BYTES * 2 * len(shared)
    assert layout.workspace <= workspace
    busy = sum(array.busy for array, _ in ARRAYS.values())
    of_block, of_record, *_ = layout.memory
    assert taken <= of_block + 4 * of_record <= taken + LINE_BYTES * busy
    assert all(len(array) == 3 for array in own)
    assert all(1 <= len(array) <= 3 for array in shared)
    assert block.numbers.ctypes.data % (8 * LINE) == 0
    assert (block.ended == -1).all()


@pytest.mark.parametrize("units", [64, 63, 512])
def test_samples_do_not_lie_whole_pages_apart(units):
    for runs, bias in product((1, 8), (False, True)):
        network = Network((2, units, 1), bias)
        layout = layout_for(network, runs, 40, recipe_of(Method(bias=bias), {}))
        hidden = layers_of(layout)[0]
        assert hidden.stride % PAGE != 0
        assert hidden.stride >= (units + bias) * runs
        assert layout.group % ROWS == 0


def test_layouts_of_small_networks_are_remembered():
    """By all that they follow from; a recipe made anew is the same recipe."""

    def layout(runs=2, samples=9, sizes=(3, 4, 1), **options):
        return layout_for(Network(sizes), runs, samples, recipe_of(Method(**options), {}))

    own = {"activation": "elu", "elu_alpha": 0.5, "l2": 0.1}
    assert layout() is layout()
    assert layout(**own) is layout(**own)
    made = [layout(), layout(3), layout(samples=10), layout(**own), layout(sizes=(3, 5, 1))]
    assert len(set(made)) == len(made)
    large = (3, SMALL, 1)  # it would keep 8 bytes for each parameter
    assert layout(sizes=large) is not layout(sizes=large)


def filled(layout, runs):
    """Blocks whose runs have numbers like no other, and what was loaded."""
    random = np.random.default_rng(runs)
    weights = random.normal(size=(runs, layout.network.parameters))
    alpha = random.normal(size=(runs, layout.network.layers))
    values = Values(
        random.normal(size=(runs, layout.sizes["values"])),
        random.integers(0, 2**60, size=(runs, INTEGERS)),
    )
    lanes = lanes_of(None, runs, layout.runs)
    block = layout.allocate(len(lanes), records=4)
    layout.load(block, weights[lanes.ravel()], alpha[lanes.ravel()], values.at(lanes.ravel()))
    return block, weights, alpha, values


@pytest.mark.parametrize(("name", "sizes", "runs"), CASES)
def test_what_is_loaded_is_found_where_the_kernel_looks(name, sizes, runs):
    layout = layout_of(name, sizes, runs)
    count = 2 * runs + 1  # the last block has lanes that are left over
    block, weights, alpha, values = filled(layout, count)
    lanes = [min(lane, count - 1) for lane in range(3 * runs)]
    np.testing.assert_array_equal(layout.by_parameter(block.numbers), weights[lanes])
    for lane, run in enumerate(lanes):
        numbers, r = block.numbers[lane // runs], lane % runs
        integers = block.integers[lane // runs]
        for k, layer in enumerate(layers_of(layout)):
            assert numbers[layer.alpha + r] == alpha[run, k]
            at = layout.network.parts(weights[run])
            for d, h in ((0, 0), (layer.units_below - 1, layer.outputs - 1)):
                place = layer.weights + (d * layer.outputs + h) * runs
                assert place == layout.address((k, d, h))
                assert numbers[place + r] == at.weights[k][d, h]
            if layout.network.bias:
                place = layout.address((k, layer.units_below, 0))
                assert numbers[place + r] == at.biases[k][0]
        width = layout.sizes["values"]
        value = numbers[layer.values : layer.values + width * runs].reshape(width, runs)[:, r]
        np.testing.assert_array_equal(value, values.numbers[run])
        np.testing.assert_array_equal(integers.reshape(INTEGERS, runs)[:, r], values.integers[run])


@pytest.mark.parametrize("sizes", SIZES)
def test_places_of_a_single_run(sizes):
    layout = layout_of("bias and Adam", sizes, 1)
    block, weights, *_ = filled(layout, 1)
    np.testing.assert_array_equal(block.numbers[0, layout.places[0]], weights[0])


@pytest.mark.parametrize(("name", "sizes", "runs"), CASES)
def test_the_constant_input_of_a_bias_is_there(name, sizes, runs):
    layout = layout_of(name, sizes, runs)
    block = layout.allocate(2, records=1)
    for layer in layers_of(layout)[:-1]:
        for n in range(layout.group):
            at = layer.units + n * layer.stride + layer.outputs * runs
            if layout.network.bias:
                assert (block.numbers[:, at : at + runs] == 1).all()
    ones = (len(sizes) - 2) * layout.group * runs * layout.network.bias
    assert (block.numbers == 1).sum() == 2 * ones
    assert (block.numbers != 0).sum() == 2 * ones


@pytest.mark.parametrize(("name", "sizes", "runs"), CASES)
def test_packed_runs_are_as_they_were(name, sizes, runs):
    layout = layout_of(name, sizes, runs)
    old, *_ = filled(layout, 3 * runs)
    random = np.random.default_rng(1)
    for name_ in ("signs", "recent"):
        getattr(old, name_)[:] = random.integers(0, 200, getattr(old, name_).shape)
    old.changes[:] = random.integers(0, 2**40, old.changes.shape)
    for array in (old.numbers, old.errors, old.path, old.tau):
        array[:] = random.normal(size=array.shape)
    kept = np.arange(3 * runs)[::2]
    kept = kept[lanes_of(None, len(kept), runs).ravel()]
    new = layout.pack(old, kept, records=4)
    assert len(new.numbers) == len(kept) // runs
    for pick in (
        lambda block: layout.by_parameter(block.numbers),
        lambda block: layout.by_lane(block.numbers[:, : layout.moved]),
        lambda block: layout.by_lane(block.integers),
        lambda block: layout.by_parameter(block.changes),
        lambda block: layout.by_lane(block.signs),
        lambda block: layout.by_lane(block.recent),
        lambda block: layout.by_lane(block.errors),
        lambda block: layout.path(block, 4),
        lambda block: layout.by_lane(block.tau),
    ):
        np.testing.assert_array_equal(pick(new), pick(old)[kept])
    assert (new.ended == -1).all()
    if layout.watched:
        before, after = (layout.by_lane(layout.section(b.numbers, "watch")) for b in (old, new))
        np.testing.assert_array_equal(after, before[kept])


def test_watched_errors_are_joined_column_by_column():
    layout = layout_of("watched", (2, 5, 3), 4)
    block = layout.allocate(2, records=1)
    real = block.numbers[:, layout.parameters : layout.kept].reshape(2, RECENT + 5, 4)
    real[:] = np.arange(real.size).reshape(real.shape) + 0.5
    whole = block.integers.reshape(2, INTEGERS, 4)
    whole[:] = np.arange(whole.size).reshape(whole.shape)
    counts = layout.by_lane(block.integers)[:, [SMALLEST_AT, ERROR_COUNT]]
    watch = results.arranged(layout.by_lane(layout.section(block.numbers, "watch")), counts)
    assert watch.shape == (8, layout.watched) == (8, results.RECENT + 5)
    for lane in range(8):
        b, r = divmod(lane, 4)
        columns = {
            results.SMALLEST: real[b, SMALLEST, r],
            results.SMALLEST_AT: whole[b, SMALLEST_AT, r],
            results.FIRST: real[b, FIRST, r],
            results.ERROR_SUM: real[b, ERROR_SUM, r],
            results.INVERSE_SUM: real[b, INVERSE_SUM, r],
            results.ERROR_COUNT: whole[b, ERROR_COUNT, r],
        }
        assert dict(enumerate(watch[lane, : results.RECENT])) == columns
        assert watch[lane, results.RECENT :].tolist() == real[b, RECENT:, r].tolist()
