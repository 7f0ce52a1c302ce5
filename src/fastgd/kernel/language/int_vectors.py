"""Vectors of integers: one 64-bit lane per run, as :mod:`.tile` defines for floats.

They hold random words (32 bits, with the upper half as room for products) and counters of runs.
"""

import operator

from llvmlite import ir
from numba.core import types

from fastgd.kernel.language.loads_and_stores import emitted_of_arrays
from fastgd.kernel.language.specialization import emitted
from fastgd.kernel.language.tile import Mask, Tile, Words, define_operator, selection, splat

_I64 = ir.IntType(64)


define_operator(operator.add, Words, Words, lambda builder, a, b: builder.add(a, b))
define_operator(operator.sub, Words, Words, lambda builder, a, b: builder.sub(a, b))
define_operator(operator.mul, Words, Words, lambda builder, a, b: builder.mul(a, b))
define_operator(operator.xor, Words, Words, lambda builder, a, b: builder.xor(a, b))
define_operator(operator.and_, Words, Words, lambda builder, a, b: builder.and_(a, b))
define_operator(operator.or_, Words, Words, lambda builder, a, b: builder.or_(a, b))
define_operator(operator.rshift, Words, Words, lambda builder, a, b: builder.lshr(a, b))
define_operator(operator.lt, Words, Mask, lambda builder, a, b: builder.icmp_signed("<", a, b))
define_operator(operator.ne, Words, Mask, lambda builder, a, b: builder.icmp_signed("!=", a, b))
define_operator(operator.ge, Words, Mask, lambda builder, a, b: builder.icmp_signed(">=", a, b))


choose = selection(Words)


@emitted_of_arrays
def load_words(shape, array, _index):
    """An integer for each run: ``array[index + run]``; the shape has one row and one unit."""
    sig = Words(shape.lanes)(shape, array, types.int64)
    return sig, lambda _builder, _shape, source, at: source.load_units(shape, at, 1, _I64)


@emitted_of_arrays
def store_words(shape, array, _index, words):
    """Write words to where :func:`load_words` reads them."""
    sig = types.void(shape, array, types.int64, words)
    return sig, lambda _builder, _shape, target, at, value: target.store_units(shape, value, at)


@emitted
def all_words(tile, _number):
    """The same integer in each of the tile's lanes."""
    sig = Words(tile.lanes)(tile, types.int64)
    return sig, lambda builder, _tile, number: splat(builder, number, tile.lanes)


@emitted
def bits_of(x):
    """The bits of each value of a tile."""
    kind = ir.VectorType(_I64, x.lanes)
    return Words(x.lanes)(x), lambda builder, value: builder.bitcast(value, kind)


@emitted
def number_of(bits):
    """The values with these bits."""
    kind = ir.VectorType(ir.DoubleType(), bits.lanes)
    return Tile(bits.lanes)(bits), lambda builder, value: builder.bitcast(value, kind)


@emitted
def integer(words):
    """The integer in the only lane."""
    return types.int64(words), lambda builder, a: builder.extract_element(a, ir.IntType(32)(0))


@emitted
def numbers(a):
    """Words converted to a tile of floats."""
    kind = ir.VectorType(ir.DoubleType(), a.lanes)
    return Tile(a.lanes)(a), lambda builder, value: builder.sitofp(value, kind)
