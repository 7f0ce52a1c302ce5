"""Vectors of integers, for random numbers: one 64-bit lane per run, as :mod:`.tile` has for floats.

Lanes hold 32-bit words; the upper half is room for products.
"""

import operator

from llvmlite import ir
from numba.core import types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

from fastgd.kernel.language.tile import Mask, Tile, splat

_I64 = ir.IntType(64)


class Words(types.Type):
    """A vector of 64-bit integers."""

    def __init__(self, lanes):
        self.lanes = lanes
        super().__init__(f"Words({lanes})")


@register_model(Words)
class _WordsModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, ir.VectorType(_I64, fe_type.lanes))


def _operator(function, emit):
    """Define a binary operator of words with words, or with one integer for all lanes."""

    @infer_global(function)
    class _Operator(AbstractTemplate):
        def generic(self, args, kws):
            vectors = [a for a in args if isinstance(a, Words)]
            if kws or len(args) != 2 or not vectors:
                return None
            kinds = (a if isinstance(a, Words) else types.int64 for a in args)
            return signature(vectors[0], *kinds)

    def lower(_context, builder, sig, args):
        lanes = sig.return_type.lanes
        vectors = (
            value if isinstance(kind, Words) else splat(builder, value, lanes)
            for value, kind in zip(args, sig.args, strict=True)
        )
        return emit(builder, *vectors)

    for pair in ((Words, Words), (Words, types.Integer), (types.Integer, Words)):
        lower_builtin(function, *pair)(lower)


_operator(operator.add, lambda builder, a, b: builder.add(a, b))
_operator(operator.mul, lambda builder, a, b: builder.mul(a, b))
_operator(operator.xor, lambda builder, a, b: builder.xor(a, b))
_operator(operator.and_, lambda builder, a, b: builder.and_(a, b))
_operator(operator.rshift, lambda builder, a, b: builder.lshr(a, b))


@intrinsic
def words(_typing, tile):
    """A tile of whole numbers, 0 to 2**32 - 1, as words."""

    def codegen(_context, builder, _sig, args):
        # Signed: AVX2 has no conversion to unsigned integers, and the numbers fit.
        return builder.fptosi(args[0], ir.VectorType(_I64, tile.lanes))

    return Words(tile.lanes)(tile), codegen


@intrinsic
def all_words(_typing, tile, number):
    """The same integer in every lane that the tile has."""

    def codegen(_context, builder, _sig, args):
        return splat(builder, args[1], tile.lanes)

    return Words(tile.lanes)(tile, types.int64), codegen


@intrinsic
def below(_typing, a, b):
    """Where a word is less than another."""

    def codegen(_context, builder, _sig, args):
        return builder.icmp_signed("<", *args)

    return Mask(a.lanes)(a, b), codegen


@intrinsic
def numbers(_typing, a):
    """Words as a tile of numbers."""

    def codegen(_context, builder, _sig, args):
        return builder.sitofp(args[0], ir.VectorType(ir.DoubleType(), a.lanes))

    return Tile(a.lanes)(a), codegen
