"""Update rules as data: programs of the interpreter, so that no rule is compiled.

The pass over the samples leaves the direction of each parameter. Then each program that a run of
the block has is run over the parameters of all its runs, some at a time, and what it results in is
kept in the lanes of the runs that have it. So a run has its bits beside runs with any rules, those
of its rule as compiled code: the operations are the same. Seeds are the fastest axis of a sweep, so
most blocks have a single rule.

The programs of all runs are in ``span.programs``: first the :class:`fastgd.kernel.block.Program` of
each, then all instructions. The values of a run are the number of its program, the program's
hyperparameters and constants, and what it keeps.
"""

from fastgd.kernel.block import ALPHA, DIRECTION, STATES, WEIGHT, all_programs, put_value, value
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
    scalar, numbers, layers = descent.shapes.scalar, descent.block.numbers, descent.layers
    at = layers[0].values + programs.number * runs_of(scalar)
    for run in range(runs_of(scalar)):
        number, before = numbers[at + run], 0
        for other in range(run):
            if numbers[at + other] == number:
                before += 1
        if before == 0:
            program = all_programs(descent.span.programs)[int(number)]
            _run_once(programs, descent, number, program)
            for k in range(len(layers)):
                overflow = overflow + _update_layer(programs, descent, layers[k], number, program)
    return overflow


@part
def _run(descent, begin, end, count):
    """Run instructions on the first values of the rows."""
    words, work = descent.span.programs, descent.block.work
    places = address_of(words) + 8 * begin, end - begin, address_of(work), count
    call_address(descent.span.interpreter, places)


@part
def _are_mine(programs, shape, numbers, layer, number):
    """The lanes of the runs whose program has this number."""
    own = value(shape, numbers, layer, programs.number)
    return (own >= number) & (own <= number)


@part
def _put_values(shape, programs, block, layer, program, begin, end):
    """Fill these places of the rows of values, which are the same for all parameters."""
    for k in range(program.values + program.kept):
        at = programs.number + 1 + k
        if k >= program.values:
            at = programs.kept + k - program.values
        own = value(shape, block.numbers, layer, at)
        row = (STATES + program.states + k) * BLOCK
        for to in range(begin, end, units_of(shape) * runs_of(shape)):
            store(shape, block.work, row + to, 0, own)


@part
def _results(program):
    """Where the first row of results begins."""
    return (STATES + program.states + program.values + program.kept) * BLOCK


@part
def _run_once(programs, descent, number, program):
    """What follows from hyperparameters and t alone."""
    scalar, layer, block = descent.shapes.scalar, descent.layers[0], descent.block
    if program.kept == 0:
        return
    _put_values(scalar, programs, block, layer, program, 0, runs_of(scalar))
    _run(descent, program.once, program.end, runs_of(scalar))
    mine = _are_mine(programs, scalar, block.numbers, layer, number)
    for k in range(program.kept):
        old = value(scalar, block.numbers, layer, programs.kept + k)
        new = load(scalar, block.work, _results(program) + k * BLOCK, 0)
        put_value(scalar, block.numbers, layer, programs.kept + k, select(mine, new, old))


@part
def _update_layer(programs, descent, layer, number, program):
    """Update the parameters of a layer, as many at a time as a row has room for."""
    shapes, block = descent.shapes, descent.block
    wide_row, narrow_row, overflow = shapes.wide_row, shapes.narrow_row, zeros(shapes.scalar)
    runs, tile = runs_of(wide_row), units_of(wide_row)
    count = trained_of(descent.recipe.batch_norm, layer)
    most = BLOCK // runs // tile * tile
    for first in range(0, count, most):
        last = min(first + most, count)
        wide = first + (last - first) // tile * tile
        _fill_rows(wide_row, programs, block, layer, program, first, first, wide)
        _fill_rows(narrow_row, programs, block, layer, program, first, wide, last)
        _run(descent, program.step, program.once, (last - first) * runs)
        overflow = overflow + (
            _take_results(wide_row, programs, descent, layer, number, program, first, first, wide)
            + _take_results(
                narrow_row, programs, descent, layer, number, program, first, wide, last
            )
        )
    return overflow


@part
def _fill_rows(shape, programs, block, layer, program, first, begin, end):
    """Copy what the step of the parameters from begin to end depends on."""
    numbers, work, runs = block.numbers, block.work, runs_of(shape)
    for p in range(begin, end, units_of(shape)):
        at, to = opaque(layer.weights + p * runs), (p - first) * runs
        store(shape, work, to + WEIGHT * BLOCK, 0, load(shape, numbers, at, 0))
        g = load(shape, numbers, at + layer.direction, 0)
        store(shape, work, to + DIRECTION * BLOCK, 0, g)
        store(shape, work, to + ALPHA * BLOCK, 0, units(shape, numbers, layer.alpha, 0))
        for k in range(program.states):
            state = load(shape, numbers, at + layer.states + k * layer.state, 0)
            store(shape, work, to + (STATES + k) * BLOCK, 0, state)
    _put_values(
        shape, programs, block, layer, program, (begin - first) * runs, (end - first) * runs
    )


@part
def _take_results(shape, programs, descent, layer, number, program, first, begin, end):
    """Store the new parameters and states of the runs that have this program."""
    block, frozen = descent.block, descent.recipe.features.frozen
    numbers, work, overflow = block.numbers, block.work, zeros(descent.shapes.scalar)
    mine = _are_mine(programs, shape, numbers, layer, number)
    for p in range(begin, end, units_of(shape)):
        at = opaque(layer.weights + p * runs_of(shape))
        of = _results(program) + (p - first) * runs_of(shape)
        old = load(shape, numbers, at, 0)
        w = select(mine, load(shape, work, of, 0), old)
        w = of_learning(frozen, shape, w, old, numbers, at, 0, layer)
        store(shape, numbers, at, 0, w)
        overflow = overflow + fold(shape, w - w)
        for k in range(program.states):
            place = at + layer.states + k * layer.state
            state = load(shape, work, of + (k + 1) * BLOCK, 0)
            store(shape, numbers, place, 0, select(mine, state, load(shape, numbers, place, 0)))
    return overflow
