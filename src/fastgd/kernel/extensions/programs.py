"""Update rules as data: programs of the interpreter, so that no rule is compiled.

The pass over the samples leaves the direction of each parameter. Then each program that a run of
the block has is run over the parameters of all its runs, some at a time, and what it results in is
kept in the lanes of the runs that have it. So a run has its bits beside runs with any rules, those
of its rule as compiled code: the operations are the same. Seeds are the fastest axis of a sweep, so
most blocks have a single rule.

The programs of all runs are in ``span.programs``: where the instructions of each begin and end,
first those of its step and then those that are run once per update; then all instructions. The
values of a run are the number of its program, its hyperparameters and constants, and what it keeps.
"""

from fastgd.kernel.block import ALPHA, DIRECTION, STATES, WEIGHT, put_value, value
from fastgd.kernel.bytecode import BLOCK
from fastgd.kernel.iteration.updates import of_learning, trained_of
from fastgd.kernel.language.loads_and_stores import load, store, units
from fastgd.kernel.language.numba_internals import call_address
from fastgd.kernel.language.specialization import part
from fastgd.kernel.language.structs import address_of
from fastgd.kernel.language.tile import fold, opaque, runs_of, select, units_of, zeros


@part
def run_programs(programs, descent, overflow):
    """Take the step of each run. Adds NaN to ``overflow`` for each run that diverges, else 0."""
    scalar, numbers = descent.shapes.scalar, descent.block.numbers
    layers, at = descent.layers, descent.layers[0].values + programs.number * runs_of(scalar)
    for run in range(runs_of(scalar)):
        number, before = numbers[at + run], 0
        for other in range(run):
            if numbers[at + other] == number:
                before += 1
        if before == 0:
            _run_once(programs, descent, number)
            for k in range(len(layers)):
                overflow = overflow + _update_layer(programs, descent, layers[k], number)
    return overflow


@part
def _run(descent, program, part, count):
    """Run a program's instructions: of part 0, its step, or 1, what is the same for all weights."""
    words, at = descent.span.programs, 4 * int(program) + 2 * part
    begin, end = words[at], words[at + 1]
    places = address_of(words) + 8 * begin, end - begin, address_of(descent.block.work), count
    call_address(descent.span.interpreter, places)


@part
def _are_mine(programs, shape, numbers, layer, program):
    """The lanes of the runs that have this program."""
    own = value(shape, numbers, layer, programs.number)
    return (own >= program) & (own <= program)


@part
def _run_once(programs, descent, program):
    """What follows from hyperparameters and t alone."""
    scalar, layer, block = descent.shapes.scalar, descent.layers[0], descent.block
    mine = _are_mine(programs, scalar, block.numbers, layer, program)
    for k in range(programs.values):
        own = value(scalar, block.numbers, layer, programs.number + 1 + k)
        store(scalar, block.work, (STATES + programs.states + k) * BLOCK, 0, own)
    _run(descent, program, 1, runs_of(scalar))
    kept, results = programs.number + 1 + programs.values - programs.kept, _results(programs)
    for k in range(programs.kept):
        old = value(scalar, block.numbers, layer, kept + k)
        new = load(scalar, block.work, (results + k) * BLOCK, 0)
        put_value(scalar, block.numbers, layer, kept + k, select(mine, new, old))


@part
def _results(programs):
    """The row of the first result."""
    return STATES + programs.states + programs.values


@part
def _update_layer(programs, descent, layer, program):
    shapes, block = descent.shapes, descent.block
    wide_row, narrow_row, overflow = shapes.wide_row, shapes.narrow_row, zeros(shapes.scalar)
    count = trained_of(descent.recipe.batch_norm, layer)
    most = BLOCK // runs_of(wide_row) // units_of(wide_row) * units_of(wide_row)
    for begin in range(0, count, most):
        end = min(begin + most, count)
        wide = begin + (end - begin) // units_of(wide_row) * units_of(wide_row)
        _fill_rows(wide_row, programs, block, layer, begin, begin, wide)
        _fill_rows(narrow_row, programs, block, layer, begin, wide, end)
        _run(descent, program, 0, (end - begin) * runs_of(wide_row))
        overflow = overflow + (
            _take_results(wide_row, programs, descent, layer, program, begin, begin, wide)
            + _take_results(narrow_row, programs, descent, layer, program, begin, wide, end)
        )
    return overflow


@part
def _fill_rows(shape, programs, block, layer, first, begin, end):
    """Copy what a step depends on, for the parameters from begin to end, behind the first ones."""
    numbers, work = block.numbers, block.work
    for p in range(begin, end, units_of(shape)):
        at, to = opaque(layer.weights + p * runs_of(shape)), (p - first) * runs_of(shape)
        store(shape, work, to + WEIGHT * BLOCK, 0, load(shape, numbers, at, 0))
        g = load(shape, numbers, at + layer.direction, 0)
        store(shape, work, to + DIRECTION * BLOCK, 0, g)
        store(shape, work, to + ALPHA * BLOCK, 0, units(shape, numbers, layer.alpha, 0))
        to += STATES * BLOCK
        for k in range(programs.states):
            state = load(shape, numbers, at + layer.states + k * layer.state, 0)
            store(shape, work, to + k * BLOCK, 0, state)
        to += programs.states * BLOCK
        for k in range(programs.values):
            own = value(shape, numbers, layer, programs.number + 1 + k)
            store(shape, work, to + k * BLOCK, 0, own)


@part
def _take_results(shape, programs, descent, layer, program, first, begin, end):
    """Store the new parameters and states of the runs that have this program."""
    numbers, work, frozen = (
        descent.block.numbers,
        descent.block.work,
        descent.recipe.features.frozen,
    )
    mine, overflow = (
        _are_mine(programs, shape, numbers, layer, program),
        zeros(descent.shapes.scalar),
    )
    for p in range(begin, end, units_of(shape)):
        at = opaque(layer.weights + p * runs_of(shape))
        of = _results(programs) * BLOCK + (p - first) * runs_of(shape)
        old = load(shape, numbers, at, 0)
        w = select(mine, load(shape, work, of, 0), old)
        w = of_learning(frozen, shape, w, old, numbers, at, 0, layer)
        store(shape, numbers, at, 0, w)
        overflow = overflow + fold(shape, w - w)
        for k in range(programs.states):
            place = at + layer.states + k * layer.state
            state = load(shape, work, of + (k + 1) * BLOCK, 0)
            store(shape, numbers, place, 0, select(mine, state, load(shape, numbers, place, 0)))
    return overflow
