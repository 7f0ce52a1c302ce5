"""Loads and stores of tiles, in arrays and in buffers of structs.

Arrays are one-dimensional. The values of one weight or one activation for all runs are adjacent; an
index counts values, a stride is the distance between two rows (or units).
"""

from functools import partial
from typing import NamedTuple

from llvmlite import ir
from numba.core import cgutils, types

from fastgd.kernel.language.loads_and_stores import thread
from fastgd.kernel.language.specialization import emitted
from fastgd.kernel.language.structs import Buffer, address, of_field
from fastgd.kernel.language.tile import Tile, in_use, joined, pick

_F64 = ir.DoubleType()
_I64 = ir.IntType(64)
_I8 = ir.IntType(8)
_I32 = ir.IntType(32)
_I1 = ir.IntType(1)


class Array(NamedTuple):
    """An array or buffer argument while code is emitted."""

    context: object
    builder: object
    kind: types.Type
    value: object

    def address(self, index, vector, used=None):
        """Emit the address of a vector that begins at an index, with all or some lanes in use."""
        count = vector.count if used is None else 1
        first = address(self.context, self.builder, self.kind, self.value, index, count)
        return self.builder.bitcast(first, vector.as_pointer(first.type.addrspace))

    def load(self, index, lanes, element=_F64, used=None):
        """Emit a load of adjacent values; lanes not in use are zero."""
        vector = ir.VectorType(element, lanes)
        place, align = self.address(index, vector, used), 1 if element == _I8 else 8
        if used is None:
            return of_field(self.builder, self.kind, self.builder.load(place, align=align))
        zero = ir.Constant(vector, [element(0).constant] * lanes)
        args = [place, _I32(align), used, zero]
        return self.builder.call(self._masked("load", vector, vector, args), args)

    def store(self, value, index, used=None):
        """Emit a store of a vector to adjacent values; lanes not in use are not written."""
        place = self.address(index, value.type, used)
        align = 1 if value.type.element == _I8 else 8
        if used is None:
            of_field(self.builder, self.kind, self.builder.store(value, place, align=align))
            return
        args = [value, place, _I32(align), used]
        self.builder.call(self._masked("store", value.type, ir.VoidType(), args), args)

    def _masked(self, name, vector, result, args):
        kind = f"v{vector.count}{'i8' if vector.element == _I8 else 'f64'}"
        return cgutils.get_or_insert_function(
            self.builder.module,
            ir.FunctionType(result, [arg.type for arg in args]),
            f"llvm.masked.{name}.{kind}.p0{kind}",
        )

    def _places(self, shape, index, units):
        """Emit where this thread's values of some units are, whose runs are spread."""
        first = self.builder.add(index, thread(self.builder))
        return [self.builder.add(first, _I64(u * shape.runs)) for u in range(units)]

    def load_units(self, shape, index, units, element=_F64, used=None):
        """Emit a load of the runs of adjacent units."""
        if not shape.is_spread:
            return self.load(index, units * shape.runs, element, used)
        places = self._places(shape, index, units)
        return joined(self.builder, [self.load(place, 1, element) for place in places])

    def store_units(self, shape, value, index, used=None):
        """Emit a store of the runs of adjacent units."""
        if not shape.is_spread:
            self.store(value, index, used)
            return
        for u, place in enumerate(self._places(shape, index, value.type.count)):
            self.store(pick(self.builder, value, [u]), place)

    def gather(self, shape, index, stride, count, units=1, lanes=None, used=None):
        """Join ``count`` rows of units ``stride`` apart; with ``lanes``, pick these of each."""
        parts = []
        for _ in range(count):
            part = self.load_units(shape, index, units, used=used)
            parts.append(part if lanes is None else pick(self.builder, part, lanes))
            index = self.builder.add(index, stride)
        return joined(self.builder, parts)


def _are_adjacent(shape, step, used):
    """Whether it is known that a tile's rows are one behind the other: a single load or store."""
    is_whole = used is None and not shape.is_spread
    return is_whole and isinstance(step, ir.Constant) and step.constant == shape.width


def _given(context, builder, kind, code):
    return Array(context, builder, kind, code) if isinstance(kind, Buffer | types.Array) else code


emitted_of_arrays = partial(emitted, given=_given)
"""Like :func:`.emitted`, but what emits code is given each array as an :class:`Array`."""


@emitted_of_arrays
def load(shape, array, _index, _stride):
    """Load a whole tile: lane ``array[index + row * stride + unit * runs + run]``."""

    def emit(builder, count, source, at, step):
        used = in_use(builder, shape, count)
        if _are_adjacent(shape, step, used):
            return source.load(at, shape.lanes)
        return source.gather(shape, at, step, shape.rows, shape.units, used=used)

    return Tile(shape.lanes)(shape, array, types.int64, types.int64), emit


@emitted_of_arrays
def load_data(shape, stored, array, _index, _stride):
    """Load a tile of data, which all runs share if ``stored.runs`` is 1.

    Lane ``array[index + row * stride + unit * stored.runs + run]``, without ``run`` if shared.
    """
    held = stored.held
    lanes = [u * held + run % held for u in range(shape.units) for run in range(shape.held)]

    def emit(builder, count, _stored, source, at, step):
        used = in_use(builder, shape, count, stored.runs)
        return source.gather(stored, at, step, shape.rows, shape.units, lanes, used)

    return Tile(shape.lanes)(shape, stored, array, types.int64, types.int64), emit


@emitted_of_arrays
def rows(shape, stored, array, _index, _stride):
    """Load one value per row and run, for all units: lane ``array[index + row * stride + run]``.

    ``stored`` is a shape whose ``runs`` tells how the array is stored: 1 if all runs share its
    values.
    """
    lanes = [run % stored.held for _ in range(shape.units) for run in range(shape.held)]

    def emit(_builder, _shape, _stored, source, at, step):
        return source.gather(stored, at, step, shape.rows, lanes=lanes)

    return Tile(shape.lanes)(shape, stored, array, types.int64, types.int64), emit


@emitted_of_arrays
def units(shape, array, _index, _stride):
    """Load one value per unit and run, for all rows: lane ``array[index + unit * stride + run]``.

    Values of units that are not in use are read, too.
    """

    def emit(builder, _shape, source, at, step):
        value = source.gather(shape, at, step, shape.units)
        return pick(builder, value, list(range(shape.width)) * shape.rows)

    return Tile(shape.lanes)(shape, array, types.int64, types.int64), emit


@emitted_of_arrays
def panel(shape, array, _index):
    """Adjacent :func:`units`: lane ``array[index + unit * runs + run]``, in a single load."""

    def emit(builder, count, source, at):
        used = in_use(builder, shape, count)
        value = source.load_units(shape, at, shape.units, used=used)
        return pick(builder, value, list(range(shape.width)) * shape.rows)

    return Tile(shape.lanes)(shape, array, types.int64), emit


def _row(builder, shape, value, row):
    return pick(builder, value, list(range(row * shape.width, (row + 1) * shape.width)))


@emitted_of_arrays
def store(shape, array, _index, _stride, tile):
    """Write a whole tile to where :func:`load` reads it."""

    def emit(builder, count, target, at, step, value):
        used = in_use(builder, shape, count)
        if _are_adjacent(shape, step, used):
            target.store(value, at)
            return
        for row in range(shape.rows):
            target.store_units(shape, _row(builder, shape, value, row), at, used)
            at = builder.add(at, step)

    return types.void(shape, array, types.int64, types.int64, tile), emit


@emitted_of_arrays
def store_by_run(shape, array, _index, _stride, tile):
    """Write a tile of one unit: lane (row, run) to ``array[index + run * stride + row]``."""

    def emit(builder, _shape, target, at, step, value):
        if shape.is_spread:
            at = builder.add(at, builder.mul(thread(builder), step))
        for run in range(shape.held):
            own = [row * shape.width + run for row in range(shape.rows)]
            target.store(pick(builder, value, own), at)
            at = builder.add(at, step)

    return types.void(shape, array, types.int64, types.int64, tile), emit


@emitted_of_arrays
def count_changes(shape, mask, before, counts, _index, _stride):
    """Add 1 to each byte of ``counts`` whose byte in ``before`` differs from the mask.

    Then the mask replaces the bytes of ``before``. Both are arranged like the values that
    :func:`load` reads.
    """

    def emit(builder, count, value, old, changed, at, step):
        used = in_use(builder, shape, count)
        value = builder.zext(value, ir.VectorType(_I8, shape.lanes))
        together = shape.rows if _are_adjacent(shape, step, used) else 1
        for row in range(0, shape.rows, together):
            first, units = row * shape.width, together * shape.units
            now = pick(builder, value, list(range(first, first + together * shape.width)))
            change = builder.xor(now, old.load_units(shape, at, units, _I8, used))
            before_that = changed.load_units(shape, at, units, _I8, used)
            changed.store_units(shape, builder.add(before_that, change), at, used)
            old.store_units(shape, now, at, used)
            at = builder.add(at, step)

    return types.void(shape, mask, before, counts, types.int64, types.int64), emit
