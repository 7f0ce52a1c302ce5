"""Which weights of a layer belong to each thread, if several threads share a block's work."""

from fastgd.kernel.block import Area, Layer, Shapes
from fastgd.kernel.vectorization import ROWS


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
