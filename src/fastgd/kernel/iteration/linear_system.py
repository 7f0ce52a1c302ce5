"""The damped normal equations of each run, by Cholesky's factorization.

The matrix A and the right-hand side, its last column, are factorized together: with A = U' U, row
by row, the last column becomes the solution z of U' z = b, and U d = z is solved backward. Each
entry of U is a chain of fused multiply-adds in the order of the rows above it, then times the
reciprocal of the row's pivot. A matrix that is not positive definite has a NaN in its solution.
With further columns of an identity these become the inverse of U', whose squares are the trace of
the inverse of A.
"""

from fastgd.kernel.language.memory import load, panel, rows, store, units
from fastgd.kernel.language.specialization import part
from fastgd.kernel.language.tile import (
    first_units,
    fma,
    opaque,
    rows_of,
    runs_of,
    square_root,
    units_of,
    zeros,
)


@part
def _row_tiles(shape, scalar, block, system, i, begin, end):
    """Some columns of the rows from i on, without the terms of these rows themselves."""
    runs = runs_of(shape)
    row = system.columns * runs
    for q in range(begin, end, units_of(shape)):
        tile = first_units(shape, end - q)
        at = opaque(i * row + q * runs)
        total = load(tile, block.products, at, row)
        left, above = opaque(i * runs), opaque(q * runs)
        for _ in range(i):
            x = rows(tile, scalar, block.factor, left, runs)
            total = fma(-1.0 * x, panel(tile, block.factor, above), total)
            left += row
            above += row
        store(tile, block.factor, at, row, total)


@part
def _scale_tiles(shape, block, system, i, begin, end):
    """Multiply some columns of row i by the reciprocal of its pivot."""
    runs = runs_of(shape)
    for q in range(begin, end, units_of(shape)):
        tile = first_units(shape, end - q)
        at = opaque((i * system.columns + q) * runs)
        inverse = units(tile, block.inverses, i * runs, 0)
        store(tile, block.factor, at, 0, load(tile, block.factor, at, 0) * inverse)


@part
def _subtract_tiles(shape, block, system, i, k, begin, end):
    """Subtract the terms of row k from some columns of row i."""
    runs = runs_of(shape)
    x = opaque((k * system.columns + i) * runs)
    for q in range(begin, end, units_of(shape)):
        tile = first_units(shape, end - q)
        at = opaque((i * system.columns + q) * runs)
        above = load(tile, block.factor, (k * system.columns + q) * runs, 0)
        left = -1.0 * units(tile, block.factor, x, 0)
        store(tile, block.factor, at, 0, fma(left, above, load(tile, block.factor, at, 0)))


@part
def _factorize_columns(shapes, block, system, i, begin, end):
    """The rows of a tile from i on, columns from begin to end; pivots come with the first ones."""
    tall, rest = shapes.square, shapes.square_rest
    wide = begin + (end - begin) // units_of(tall) * units_of(tall)
    _row_tiles(tall, shapes.scalar, block, system, i, begin, wide)
    _row_tiles(rest, shapes.scalar, block, system, i, wide, end)
    last = min(i + rows_of(tall), system.parameters)
    for k in range(i, last):
        if begin == i:
            at = (k * system.columns + k) * runs_of(shapes.scalar)
            pivot = load(shapes.scalar, block.factor, at, 0)
            inverse = 1.0 / square_root(pivot)
            store(shapes.scalar, block.inverses, k * runs_of(shapes.scalar), 0, inverse)
        _scale_tiles(shapes.square_row, block, system, k, begin, wide)
        _scale_tiles(shapes.square_rest_row, block, system, k, wide, end)
        for below in range(k + 1, last):
            _subtract_tiles(shapes.square_row, block, system, below, k, begin, wide)
            _subtract_tiles(shapes.square_rest_row, block, system, below, k, wide, end)


@part
def factorize(shapes, block, system, last):
    """Factorize the products; columns from the right-hand side's to ``last`` are an identity's."""
    for i in range(0, system.parameters, rows_of(shapes.square)):
        _factorize_columns(shapes, block, system, i, i, system.width)
        if last > system.width:
            known = min(i + rows_of(shapes.square), system.parameters)
            _factorize_columns(shapes, block, system, i, system.width, system.width + known)


@part
def _back_tiles(shape, block, system, i, begin, end):
    """Subtract the terms of unknown i from the right-hand sides of those from begin to end."""
    runs = runs_of(shape)
    row = system.columns * runs
    for k in range(begin, end, units_of(shape)):
        left = units(shape, block.factor, (k * system.columns + i) * runs, row)
        d = -1.0 * units(shape, block.solution, i * runs, 0)
        at = k * runs
        store(shape, block.solution, at, 0, fma(left, d, load(shape, block.solution, at, 0)))


@part
def solve(shapes, block, system):
    """The unknowns, from the last to the first."""
    scalar, runs = shapes.scalar, runs_of(shapes.scalar)
    for i in range(system.parameters):
        z = load(scalar, block.factor, (i * system.columns + system.width - 1) * runs, 0)
        store(scalar, block.solution, i * runs, 0, z)
    for step in range(system.parameters):
        i = system.parameters - 1 - step
        z = load(scalar, block.solution, i * runs, 0)
        store(scalar, block.solution, i * runs, 0, z * load(scalar, block.inverses, i * runs, 0))
        wide = i // units_of(shapes.square_row) * units_of(shapes.square_row)
        _back_tiles(shapes.square_row, block, system, i, 0, wide)
        _back_tiles(scalar, block, system, i, wide, i)


@part
def trace_of_inverse(shapes, block, system):
    """The trace of the inverse of A, from the columns of the identity: in the order of the rows."""
    scalar, runs = shapes.scalar, runs_of(shapes.scalar)
    total = zeros(scalar)
    for i in range(system.parameters):
        at = (i * system.columns + system.width) * runs
        for _ in range(i + 1):
            z = load(scalar, block.factor, at, 0)
            total = fma(z, z, total)
            at += runs
    return total
