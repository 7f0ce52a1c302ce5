"""How a block's work is divided: samples that pass through the layers together, and threads.

Threads share the samples in the passes, and the weights of each layer in the gradient.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from fastgd.engine.layout import Layout, Sharing, up
from fastgd.engine.network import Network
from fastgd.kernel.block import NOW, Area, Layer, Recipe, Shapes, Split
from fastgd.kernel.vectorization import ROWS, Machine

GROUP_BYTES = 32 * 1024
"""Activations and deltas of a group of samples should fit the first-level cache ..."""

GROUP_SAMPLES = 8
"""... but a group has at least this many: each group loads and stores the whole gradient ..."""

MOST_BYTES = 512 * 1024
"""... and more samples, up to this, for layers with many weights: part of the second level."""

MOST_SAMPLES = 32
"""More samples save no time (measured: 64 of them, for 64-64-10, 784-100-10 and 64-64-64-10)."""

CURVATURE_ROWS = 64
"""Rows of the Jacobian in a group, before their products are added to those of the others."""

SMALL = 2**14
"""Largest block (in parameters) whose layout is cached: it stores 8 bytes for each of them."""

TOGETHER_BYTES = 64 * 1024**2
"""Limit for the stored activations and deltas of all blocks whose work threads share."""

SHARE_SECONDS = 50e-6
"""Least work of a thread in one update, for sharing the update among threads to pay.

The threads wait for each other twice (3 us each time with OpenMP, 22 us with Numba's workqueue),
and values move from one core to the other: with 16-16-1 and 272 samples (13 us on one thread) two
threads have 0.6 times the speed, with 32-32-10 and 256 samples (39 us) 0.9 times, with 64-64-10
(102 us) 1.2 times.
"""

SHARE_SAMPLES = 32
"""Fewest samples of a thread: it has to read all weights that the other threads just updated.

With batches of 32, two threads have 0.7 to 1.1 times the speed of one (784-100-10), with batches
of 256 1.5 times.
"""

GRADIENT_SAMPLES = 32
"""Samples of a group in the gradient, if several threads share the work of a block.

The gradient half of an update of 784-100-10 with 2,000 samples took 5.2 ms with 8 samples a group,
3.7 with 32, 4.3 with 64, and 11.6 with all in one; of 64-64-10 with 256 samples 34 us, 29, 32, 44.
"""

PRODUCT_SECONDS = 1e-10
"""Time for one sample and one parameter of an update, at least."""


def layout_for(
    network: Network,
    runs: int,
    samples: int,
    recipe: Recipe,
    batch: int = 0,
    window: int = 1,
    sharing: Sharing = Sharing.ALL,
    group: int | None = None,
    threads: int = 1,
    blocks: int = 1,
    machine: Machine | None = None,
) -> Layout:
    """Choose the group of samples that passes through the layers together, unless it is given.

    Up to ``threads`` threads share the work of each of the ``blocks`` where that is faster.
    """
    grouped = _remembered if runs * network.parameters <= SMALL else _grouped
    layout = grouped(network, runs, samples, recipe, batch, window, sharing, group, machine)
    return layout if threads == 1 else _shared_out(layout, threads, blocks)


def _grouped(
    network: Network,
    runs: int,
    samples: int,
    recipe: Recipe,
    batch: int,
    window: int,
    sharing: Sharing,
    group: int | None,
    machine: Machine | None,
) -> Layout:
    rows = group or ROWS
    draft = Layout(network, runs, samples, rows, recipe, batch, window, sharing, machine=machine)
    if group:
        return draft
    if recipe.curvature is not None:
        rows = CURVATURE_ROWS // network.sizes[-1] // ROWS * ROWS
        return replace(draft, group=min(up(samples, ROWS), max(ROWS, rows)))
    if _needs_all(recipe) and recipe.outputs is None:
        return replace(draft, group=up(batch or samples, ROWS))
    return replace(draft, group=min(up(samples, ROWS), _fitting(draft)))


_remembered = lru_cache(maxsize=64)(_grouped)
"""A layout depends on these arguments alone, and computing its derived sizes takes 0.2 ms."""


def _needs_all(recipe: Recipe) -> bool:
    """Whether all samples of a batch are needed at the same time."""
    return recipe.batch_norm is not None or recipe.batches.name == "adaptive"


def _fitting(layout: Layout) -> int:
    """Samples of a group, chosen for the caches.

    Where a unit has many weights, larger groups that leave the first-level cache pay off: for each
    group, the gradient of each weight travels from the second-level cache and back once. With 32
    samples instead of 8, 64-64-10 took 0.94 of the time (8 runs) or 0.96 (one), 784-100-10 0.88,
    and 32-32-1 1.02.
    """
    network = layout.network
    bytes_each = (16 * sum(layout.strides) + 8 * network.sizes[0]) * layout.lines
    fitting = GROUP_BYTES // bytes_each // ROWS * ROWS
    weights_each = network.parameters // sum(network.sizes[1:])
    most = min(MOST_SAMPLES, MOST_BYTES // bytes_each, weights_each // 2) // ROWS * ROWS
    return max(GROUP_SAMPLES, fitting, most)


def _shared_out(layout: Layout, threads: int, blocks: int) -> Layout:
    """The same layout, with as many of these threads as have enough work in an iteration."""
    if _needs_all(layout.recipe) or layout.recipe.curvature is not None:
        return layout
    samples = (layout.batch or layout.samples) * layout.lines
    seconds = PRODUCT_SECONDS * samples * layout.network.parameters * layout.runs
    threads = min(threads, int(seconds / SHARE_SECONDS), samples // SHARE_SAMPLES)
    if threads < 2:
        return layout
    each = 16 * sum(layout.strides) * layout.lines
    fitting = TOGETHER_BYTES // (each * blocks) // ROWS * ROWS
    together = max(layout.group, min(up(layout.samples, ROWS), fitting))
    return replace(layout, threads=threads, together=together)


def split_of(layout: Layout, threads: int) -> Split | None:
    """How the work of a block is divided among these threads; None if it isn't."""
    if layout.threads == 1:
        return None
    areas = [
        area_of(layer, layout.shapes, thread, threads)
        for thread in range(threads)
        for layer in layout.layers
    ]
    return Split(
        threads=threads,
        together=layout.room,
        rows=GRADIENT_SAMPLES,
        areas=np.array(areas).ravel(),
        now=np.zeros(len(NOW), np.int64),
        overflow=np.zeros(threads * layout.runs),
        total=np.zeros(layout.runs),
    )


def area_of(layer: Layer, shapes: Shapes, thread: int, threads: int) -> Area:
    """The weights of a layer that belong to one thread.

    Either whole tiles of some inputs for all units, or all inputs for some units, whichever divides
    the work more evenly.
    """
    wide, rest = shapes.wide.units, shapes.rest.units
    inputs = layer.full_inputs // ROWS, layer.inputs - layer.full_inputs
    units = layer.wide_outputs // wide, -(-(layer.outputs - layer.wide_outputs) // rest)
    first, full, last = 0, layer.full_inputs, layer.inputs
    begin, wide_end, end = 0, layer.wide_outputs, layer.outputs
    if _unevenness(sum(inputs), threads) <= _unevenness(sum(units), threads):
        first, full, last = _part(*inputs, ROWS, 1, thread, threads)
    else:
        begin, wide_end, end = _part(*units, wide, rest, thread, threads)
        begin, end = min(begin, layer.outputs), min(end, layer.outputs)
    return Area(first, full, last, begin, wide_end, end)


def _unevenness(steps: int, threads: int) -> float:
    """The largest share of a thread, relative to a perfectly even division."""
    return -(-steps // threads) * threads / steps


def _part(
    tiles: int, others: int, size: int, rest: int, thread: int, threads: int
) -> tuple[int, int, int]:
    """One thread's range of ``tiles``, then ``others`` of another size: begin, tiles' end, end."""
    steps = tiles + others
    begin, end = steps * thread // threads, steps * (thread + 1) // threads
    first, middle, last = (
        min(step, tiles) * size + max(step - tiles, 0) * rest
        for step in (begin, max(begin, min(end, tiles)), end)
    )
    return first, middle, last
