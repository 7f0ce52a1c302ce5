"""Which weights of a layer each thread has, where several share the work of a block."""

from fastgd.kernel.block import Area, Layer, Shapes
from fastgd.kernel.vectorization import ROWS


def area_of(layer: Layer, shapes: Shapes, thread: int, threads: int) -> Area:
    """The weights of a layer that are one thread's share.

    Whole tiles of some inputs for all units, or of all inputs for some units: what is more even.
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
    """The most steps of a thread, by what they would be if they could be divided."""
    return -(-steps // threads) * threads / steps


def _part(
    tiles: int, others: int, size: int, rest: int, thread: int, threads: int
) -> tuple[int, int, int]:
    """Of so many tiles, then so many others of another size: begin, end of the tiles, end."""
    steps = tiles + others
    begin, end = steps * thread // threads, steps * (thread + 1) // threads
    first, middle, last = (
        min(step, tiles) * size + max(step - tiles, 0) * rest
        for step in (begin, max(begin, min(end, tiles)), end)
    )
    return first, middle, last
