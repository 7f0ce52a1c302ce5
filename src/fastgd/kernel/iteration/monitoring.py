"""Errors during training: recording, summaries, early stopping.

When a run ends, its present state is copied to ``Block.kept``. Its lane keeps computing unused
values until the block is repacked without the run.
"""

from numba.core import types

from fastgd.kernel.block import (
    CONVERGED,
    DIVERGED,
    ERROR_COUNT,
    ERROR_SUM,
    FIRST,
    INVERSE_SUM,
    RECENT,
    SMALLEST,
    SMALLEST_AT,
    STALLED,
    STOPPED,
    integer,
    put_integer,
    value,
)
from fastgd.kernel.iteration.losses import add_penalties
from fastgd.kernel.language.loads_and_stores import all_agree, load, store, thread_of, threads_of
from fastgd.kernel.language.specialization import dispatch, part
from fastgd.kernel.language.tile import all_words, any_nan, anywhere, choose, runs_of, select, zeros


@part
def record_of(j, span, records):
    """The index of the record that iteration j writes, or -1; the last one is the final error."""
    if j == span.iterations:
        return records - 1
    return j // span.record_every if j % span.record_every == 0 else -1


@part
def look_of(data, span):
    """Iterations between evaluations of the monitored error."""
    return span.look if span.look else data.epoch


@part
def is_watched(watch, j, span, look):
    """Whether the monitored error is evaluated before update j, recorded or not."""
    if watch is None:
        return False
    return j % look == 0 or j == span.iterations


def loss_place_of(watch, record, records):
    """The index at which to store the loss of an iteration, or -1 if it is not needed."""


def _pick_place(watch, _record, _records):
    if not isinstance(watch, types.NoneType) and watch.choice == "loss":
        return lambda watch, record, records: records if record < 0 else record
    return lambda watch, record, records: record


dispatch(loss_place_of, _pick_place)


@part
def put_away(block, kept, runs, r, iterations, outcome):
    """Save the present state of run r, which ends after this number of iterations."""
    block.ended[r] = iterations
    block.outcome[r] = outcome
    for i in range(r, kept, runs):
        block.kept[i] = block.numbers[i]
    for i in range(r, len(block.integers), runs):
        block.kept_integers[i] = block.integers[i]
    for i in range(r, len(block.changes), runs):
        block.kept_changes[i] = block.changes[i] + block.recent[i]


@part
def _keep_best(best, scalar, block, improved, own_error):
    """Save the networks that have just become the best of their runs, except of ended runs."""
    if best is None:
        return
    if anywhere(improved):
        runs = runs_of(scalar)
        store(scalar, block.scratch, 0, 0, select(improved, 1.0, zeros(scalar)))
        store(scalar, block.scratch, runs, 0, own_error)
        for r in range(thread_of(scalar), runs, threads_of(scalar)):
            if block.scratch[r] != 0.0 and block.ended[r] < 0:
                block.best_error[r] = block.scratch[runs + r]
                for i in range(r, len(block.best), runs):
                    block.best[i] = block.numbers[i]


@part
def _summarize(watch, best, scalar, block, layer, span, look, j, error, own_error):
    """Update what is kept about the errors; returns the iteration of the smallest one."""
    numbers, runs, at = block.numbers, runs_of(scalar), layer.watch
    if j == 0:
        store(scalar, numbers, at + FIRST * runs, 0, error)
    first = load(scalar, numbers, at + FIRST * runs, 0)
    smallest = load(scalar, numbers, at + SMALLEST * runs, 0)
    improved = error < smallest - value(scalar, numbers, layer, watch.min_delta)
    _keep_best(best, scalar, block, improved, own_error)
    smallest_at = choose(improved, j, integer(scalar, block, SMALLEST_AT))
    store(scalar, numbers, at + SMALLEST * runs, 0, select(improved, error, smallest))
    put_integer(scalar, block, SMALLEST_AT, smallest_at)
    total = load(scalar, numbers, at + ERROR_SUM * runs, 0) + error / first
    store(scalar, numbers, at + ERROR_SUM * runs, 0, total)
    total = load(scalar, numbers, at + INVERSE_SUM * runs, 0) + first / error
    store(scalar, numbers, at + INVERSE_SUM * runs, 0, total)
    count = (j + look - 1) // look
    store(scalar, numbers, at + (RECENT + count % span.window) * runs, 0, error)
    put_integer(scalar, block, ERROR_COUNT, all_words(error, count + 1))
    return smallest_at


@part
def _end_by_error(held, scalar, block, span, j, error, signal):
    """Save the runs that end because of the error after j updates.

    ``signal`` is their outcome, or NaN if they diverged, and 0 for runs that continue.
    """
    runs = runs_of(scalar)
    store(scalar, block.scratch, 0, 0, signal)
    store(scalar, block.scratch, runs, 0, error)
    for r in range(thread_of(scalar), runs, threads_of(scalar)):
        over = block.scratch[r]
        if over != 0.0 and block.ended[r] < 0:
            block.final[r] = block.scratch[runs + r]
            if held is not None:
                block.held_final[r] = block.held[r]
            outcome = int(over) if over == over else DIVERGED
            put_away(block, span.kept, runs, r, j, outcome)


@part
def _of_concern(watch, scalar, numbers, layer, record, signal):
    """Drop signals between the recorded errors for runs that aren't monitored themselves.

    Such runs share a block with monitored ones, and their tolerance is negative.
    """
    if watch is None:
        return signal
    if record < 0:
        tolerance = value(scalar, numbers, layer, watch.tolerance)
        signal = select(tolerance < 0.0, 0.0, signal)
    return signal


def _watched(watch, held, scalar, block, place, own_error):
    """The monitored value; ``place`` is the index of the loss."""


dispatch(
    _watched,
    {
        "error": lambda watch, held, scalar, block, place, own_error: (
            own_error if held is None else load(scalar, block.held, 0, 0)
        ),
        "loss": lambda watch, held, scalar, block, place, own_error: load(
            scalar, block.losses, place * runs_of(scalar), 0
        ),
    },
)


@part
def _told(curvature, recipe, scalar, block, layer, outcome):
    """How runs end, or rather what their second-order steps say about it."""
    if curvature is None:
        return outcome
    signal = value(scalar, block.numbers, layer, recipe.optimizer.signal)
    return select(signal > 0.0, signal, outcome)


@part
def _stop(watch, recipe, scalar, block, layer, span, look, j, place, own_error):
    """End runs whose error is below the tolerance, or has not improved within their patience."""
    if watch is None:
        return
    if is_watched(watch, j, span, look):
        error = _watched(watch, recipe.held, scalar, block, place, own_error)
        smallest_at = _summarize(
            watch, recipe.best, scalar, block, layer, span, look, j, error, own_error
        )
        tolerance = value(scalar, block.numbers, layer, watch.tolerance)
        below = (error < tolerance) & (tolerance > 0.0)  # a loss may be negative
        stalled = j - smallest_at >= integer(scalar, block, watch.patience)
        if anywhere(below | stalled):
            signal = select(stalled, float(STALLED), 0.0)
            signal = _told(recipe.curvature, recipe, scalar, block, layer, signal)
            signal = select(below, float(CONVERGED), signal)
            _end_by_error(recipe.held, scalar, block, span, j, own_error, signal)


@part
def hold(held, scalar, block, record, total):
    """Record the mean absolute validation error; any infinite error becomes NaN.

    In a block with padding it would be NaN anyway: infinity times the weight 0.
    """
    if held is None:
        return
    error = total / load(scalar, block.held_total, 0, 0)
    error = error + (error - error)
    store(scalar, block.held, 0, 0, error)
    if record >= 0:
        store(scalar, block.held_errors, record * runs_of(scalar), 0, error)


@part
def _look_once_more(watch, recipe, scalar, block, layer, j, place, own_error, last):
    """The last errors of some runs may be their smallest, though they are not due."""
    if watch is None:
        return
    numbers, at = block.numbers, layer.watch + SMALLEST * runs_of(scalar)
    error = _watched(watch, recipe.held, scalar, block, place, own_error)
    smallest = load(scalar, numbers, at, 0)
    improved = last & (error < smallest - value(scalar, numbers, layer, watch.min_delta))
    _keep_best(recipe.best, scalar, block, improved, own_error)
    store(scalar, numbers, at, 0, select(improved, error, smallest))
    put_integer(
        scalar, block, SMALLEST_AT, choose(improved, j, integer(scalar, block, SMALLEST_AT))
    )


@part
def _end_by_signal(curvature, recipe, scalar, block, layer, span, j, place, error):
    """End the runs whose second-order step in the iteration before was the last one."""
    if curvature is None:
        return
    signal = value(scalar, block.numbers, layer, recipe.optimizer.signal)
    if anywhere(signal > 0.0):
        _look_once_more(recipe.watch, recipe, scalar, block, layer, j, place, error, signal > 0.0)
        _end_by_error(recipe.held, scalar, block, span, j, error, signal)


@part
def _end_by_measure(stop, recipe, scalar, block, layer, span, j, place, error):
    """End the runs that what the last update measured stops."""
    if stop is None:
        return
    signal = load(scalar, block.stopping, 0, 0)
    if anywhere(signal > 0.0):
        signal = select(signal > 0.0, signal, 0.0)
        _look_once_more(recipe.watch, recipe, scalar, block, layer, j, place, error, signal > 0.0)
        _end_by_error(recipe.held, scalar, block, span, j, error, signal)
        old = load(scalar, block.stopping, 0, 0)
        store(scalar, block.stopping, 0, 0, select(old > 0.0, STOPPED, old))


@part
def is_stopped(stop, scalar, block):
    """Whether a run ends now because of what the last update measured."""
    if stop is None:
        return False
    return anywhere(load(scalar, block.stopping, 0, 0) > 0.0)


@part
def observe(mean, penalty, descent, one_pass, place, total):
    """Record mean absolute error and loss before update j, and end the runs that they stop.

    They are those of a pass, ``one_pass``; ``place`` is the index of the loss.
    """
    recipe, block, layers, span = descent.recipe, descent.block, descent.layers, descent.span
    scalar, layer, j, record = descent.shapes.scalar, layers[0], one_pass.j, one_pass.record
    error = total / load(scalar, block.total, 0, 0)
    if place >= 0:
        at = place * runs_of(scalar)
        if mean is not None:
            loss = load(scalar, block.losses, at, 0) / load(scalar, block.weight, 0, 0)
            store(scalar, block.losses, at, 0, loss)
        add_penalties(penalty, recipe.own_penalty, scalar, block, layers, at)
    if record >= 0:
        store(scalar, block.errors, record * runs_of(scalar), 0, error)
        count = len(block.changes)
        # The weights before they are updated; the final ones are available anyway.
        if recipe.path is not None and record * count < len(block.path):
            for i in range(thread_of(scalar), count, threads_of(scalar)):
                block.path[record * count + i] = block.numbers[i]
    signal = _of_concern(recipe.watch, scalar, block.numbers, layer, record, error - error)
    if any_nan(signal):
        _end_by_error(recipe.held, scalar, block, span, j, error, signal)
    _stop(recipe.watch, recipe, scalar, block, layer, span, one_pass.look, j, place, error)
    _end_by_signal(recipe.curvature, recipe, scalar, block, layer, span, j, place, error)
    _end_by_measure(recipe.stop, recipe, scalar, block, layer, span, j, place, error)


@part
def end_by_overflow(held, scalar, block, span, overflow, j):
    """Save the runs that diverged in update j - 1: their ``overflow`` is NaN."""
    if any_nan(overflow):
        if held is not None:  # a network that is not finite has no validation error, either
            store(scalar, block.held, 0, 0, load(scalar, block.held, 0, 0) + overflow)
        _end_by_error(held, scalar, block, span, j, overflow, overflow)


@part
def all_over(scalar, block):
    """Whether every run of the block has ended."""
    going = 0
    for r in range(thread_of(scalar), len(block.ended), threads_of(scalar)):
        going += block.ended[r] < 0
    return all_agree(scalar, going == 0)
