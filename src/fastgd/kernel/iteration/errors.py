"""Errors while a block trains: recorded, summed up, and what ends a run.

A run that is over is put away in ``Block.kept`` as it is; its lane goes on computing what nobody
looks at, until the block is packed anew without it.
"""

from numba import njit

from fastgd.kernel.block import (
    CONVERGED,
    DIVERGED,
    ERROR_SUM,
    FIRST,
    INVERSE_SUM,
    LOOKS,
    RECENT,
    SMALLEST,
    SMALLEST_AT,
    STALLED,
)
from fastgd.kernel.iteration.values import integer, put_integer, value
from fastgd.kernel.language.compiler import INLINED
from fastgd.kernel.language.tile import (
    any_nan,
    anywhere,
    fma,
    load,
    load_data,
    magnitude,
    runs_of,
    select,
    store,
)
from fastgd.kernel.language.words import all_words, choose


@njit(**INLINED)
def record_of(j, schedule, records):
    """The record that iteration j writes, or -1; the last record is the final error."""
    if j == schedule.iterations:
        return records - 1
    return j // schedule.record_every if j % schedule.record_every == 0 else -1


@njit(**INLINED)
def is_watched(watch, j, schedule):
    """Whether the error before update j is looked at, recorded or not."""
    if watch is None:
        return False
    return j % schedule.epoch == 0 or j == schedule.iterations


@njit(**INLINED)
def add_errors(one, layout, data, group, block, layer, total):
    """Add |y - output| of a group's samples."""
    runs, own = runs_of(one), runs_of(layout)
    for n in range(min(group.samples, group.real - group.start)):
        for h in range(layer.outputs):
            target = ((group.start + n) * layer.outputs + h) * own
            v = load(one, block.numbers, layer.units + n * layer.row + h * runs, 0)
            error = magnitude(load_data(one, layout, data.y, target, 0) - v)
            total = fma(error, load_data(one, layout, data.importance, target, 0), total)
    return total


@njit(**INLINED)
def put_away(block, kept, runs, r, iterations, outcome):
    """Keep run r, which is over after so many iterations, as it is now."""
    block.ended[r] = iterations
    block.outcome[r] = outcome
    for i in range(r, kept, runs):
        block.kept[i] = block.numbers[i]
    for i in range(r, len(block.integers), runs):
        block.kept_integers[i] = block.integers[i]
    for i in range(r, len(block.changes), runs):
        block.kept_changes[i] = block.changes[i] + block.recent[i]


@njit(**INLINED)
def _summarise(one, block, layer, schedule, j, error):
    """Bring what is kept of the errors up to date; where the smallest one was."""
    numbers, runs, at = block.numbers, runs_of(one), layer.watch
    if j == 0:
        store(one, numbers, at + FIRST * runs, 0, error)
        store(one, numbers, at + SMALLEST * runs, 0, error)
    first = load(one, numbers, at + FIRST * runs, 0)
    smallest = load(one, numbers, at + SMALLEST * runs, 0)
    smallest_at = choose(error < smallest, j, integer(one, block, SMALLEST_AT))
    store(one, numbers, at + SMALLEST * runs, 0, select(error < smallest, error, smallest))
    put_integer(one, block, SMALLEST_AT, smallest_at)
    total = load(one, numbers, at + ERROR_SUM * runs, 0) + error / first
    store(one, numbers, at + ERROR_SUM * runs, 0, total)
    total = load(one, numbers, at + INVERSE_SUM * runs, 0) + first / error
    store(one, numbers, at + INVERSE_SUM * runs, 0, total)
    look = (j + schedule.epoch - 1) // schedule.epoch
    store(one, numbers, at + (RECENT + look % schedule.window) * runs, 0, error)
    put_integer(one, block, LOOKS, all_words(error, look + 1))
    return smallest_at


@njit(**INLINED)
def _end_by_error(one, block, schedule, j, error, signal):
    """Put away the runs that are over by the error before update j.

    Their ``signal`` is the outcome, or NaN if they diverged, and 0 for those that go on.
    """
    runs = runs_of(one)
    store(one, block.scratch, 0, 0, signal)
    store(one, block.scratch, runs, 0, error)
    for r in range(runs):
        over = block.scratch[r]
        if over != 0.0 and block.ended[r] < 0:
            block.final[r] = block.scratch[runs + r]
            outcome = int(over) if over == over else DIVERGED
            put_away(block, schedule.kept, runs, r, j, outcome)


@njit(**INLINED)
def _record_weights(path, block, record):
    """Copy the weights that are about to be updated."""
    if path is None:
        return
    count = len(block.changes)
    if record * count < len(block.path):  # the last ones of all are there anyway
        for i in range(count):
            block.path[record * count + i] = block.numbers[i]


@njit(**INLINED)
def _of_concern(watch, one, numbers, layer, record, signal):
    """No signal between the recorded errors for a run that is not watched, as its neighbours are.

    Its tolerance is negative.
    """
    if watch is None:
        return signal
    if record < 0:
        tolerance = value(one, numbers, layer, watch.tolerance)
        signal = select(tolerance < 0.0, 0.0, signal)
    return signal


@njit(**INLINED)
def _stop(watch, one, block, layer, schedule, j, error):
    """End the runs whose error is small enough, or else has not become smaller for too long."""
    if watch is None:
        return
    if is_watched(watch, j, schedule):
        smallest_at = _summarise(one, block, layer, schedule, j, error)
        below = error < value(one, block.numbers, layer, watch.tolerance)
        stalled = j - smallest_at >= integer(one, block, watch.patience)
        if anywhere(below | stalled):
            signal = select(stalled, float(STALLED), 0.0)
            signal = select(below, float(CONVERGED), signal)
            _end_by_error(one, block, schedule, j, error, signal)


@njit(**INLINED)
def look(recipe, one, block, layer, schedule, j, record, error):
    """Record the mean error before update j, and end the runs that it ends."""
    if record >= 0:
        store(one, block.errors, record * runs_of(one), 0, error)
        _record_weights(recipe.path, block, record)
    signal = _of_concern(recipe.watch, one, block.numbers, layer, record, error - error)
    if any_nan(signal):
        _end_by_error(one, block, schedule, j, error, signal)
    _stop(recipe.watch, one, block, layer, schedule, j, error)


@njit(**INLINED)
def end_by_overflow(one, block, schedule, overflow, j):
    """Put away the runs that update j - 1 made diverge: their ``overflow`` is NaN."""
    if any_nan(overflow):
        store(one, block.scratch, 0, 0, overflow)
        for r in range(runs_of(one)):
            if block.scratch[r] != 0.0 and block.ended[r] < 0:
                block.final[r] = block.scratch[r]
                put_away(block, schedule.kept, runs_of(one), r, j, DIVERGED)


@njit(**INLINED)
def all_over(block):
    """Whether every run of the block is over."""
    going = 0
    for r in range(len(block.ended)):
        going += block.ended[r] < 0
    return going == 0
