"""The tile type: a small block of values in vector registers, the basic value in a kernel.

A tile is a block of ``rows x units x runs`` float64 lanes, in that order, and one LLVM vector. Rows
are samples in the forward and backward pass, and inputs in the gradient; runs are independent
networks trained side by side. A :class:`Shape` is a marker whose three numbers are part of its
Numba type, so that one kernel source compiles for a single run and for as many as the machine has
lanes.

The units of a layer that don't fill a whole tile may go in a tile of which only the first units are
in use: lanes beyond them are read as zeros and never written.

On a GPU a lane becomes a thread: the runs of a tile are spread over the threads of a warp, each of
which holds one run of every tile (:mod:`.loads_and_stores`). In memory they are adjacent as ever.

Numba has no vector types, so this file adds them: one of floats, and one of integers, for random
words (32 bits, with the upper half as room for products) and counters of runs. Only the files of
this directory use LLVM. Every operation is one IEEE 754 operation per lane: nothing is
reassociated, and ``fma`` is fused only where the source says so.
"""

import operator
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin, models, register_model, typeof_impl

from fastgd.kernel.language.specialization import Marker, emitted, marker
from fastgd.kernel.language.structs import has_facts, has_threads

_F64 = ir.DoubleType()
_I64 = ir.IntType(64)
_I32 = ir.IntType(32)
_I1 = ir.IntType(1)


class Shape(Marker):
    """Marker for a tile of ``rows x units x runs`` lanes, maybe with only some units in use.

    If it is spread, each thread holds one of the runs.
    """

    def __init__(self, rows, units, runs, *, is_part=False, is_spread=False):
        self.rows, self.units, self.runs = rows, units, runs
        self.is_part, self.is_spread = is_part, is_spread
        self._key = rows, units, runs, is_part, is_spread


@marker
class ShapeType(types.Type):
    """The Numba type of a :class:`Shape`, whose numbers are part of the type.

    A thread holds ``held`` of its runs, and so ``width`` lanes of a row.
    """

    def __init__(self, rows, units, runs, is_part=False, is_spread=False):
        self.rows, self.units, self.runs = rows, units, runs
        self.is_part, self.is_spread = is_part, is_spread
        self.held = 1 if is_spread else runs
        self.width = units * self.held
        self.lanes = rows * self.width
        kind = "Spread" if is_spread else "Part" if is_part else "Shape"
        super().__init__(f"{kind}({rows}, {units}, {runs})")


class PartType(types.Type):
    """The Numba type of a shape whose value is the number of units in use: :func:`first_units`."""

    def __init__(self, rows, units, runs):
        self.rows, self.units, self.runs = rows, units, runs
        self.is_spread, self.held = False, runs
        self.width = units * runs
        self.lanes = rows * units * runs
        super().__init__(f"PartInUse({rows}, {units}, {runs})")


class Vector(types.Type):
    """A vector with a lane for each value of a tile, and the types of its values."""

    number: types.Type  # the scalar type that may stand for a vector
    element: ir.Type

    def __init__(self, lanes):
        self.lanes = lanes
        super().__init__(f"{type(self).__name__}({lanes})")


class Tile(Vector):
    """A vector of float64 lanes."""

    number, element = types.float64, _F64


class LaneMask(Vector):
    """A vector of truth values, one per lane: the result of a comparison."""

    number, element = types.boolean, _I1


class IntVector(Vector):
    """A vector of 64-bit integers, one per lane."""

    number, element = types.int64, _I64


@register_model(Tile)
@register_model(LaneMask)
@register_model(IntVector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, ir.VectorType(fe_type.element, fe_type.lanes))


@register_model(PartType)
class _PartModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, _I64)


typeof_impl.register(Shape)(lambda value, _context: ShapeType(*value._key))


# ------------------------------------------------------------------ vectors


def pick(builder, vector, lanes):
    """Emit a vector of the given lanes of another vector."""
    mask = ir.Constant(ir.VectorType(_I32, len(lanes)), lanes)
    return builder.shuffle_vector(vector, vector, mask)


def splat(builder, value, lanes):
    """Emit a vector with the value in every lane."""
    vector = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    return pick(builder, builder.insert_element(vector, value, _I32(0)), [0] * lanes)


def joined(builder, parts):
    """Concatenate pairwise; in this form LLVM needs no instruction for whole registers."""
    while len(parts) > 1:
        lanes = list(range(2 * parts[0].type.count))
        mask = ir.Constant(ir.VectorType(_I32, len(lanes)), lanes)
        pairs = zip(parts[::2], parts[1::2], strict=True)
        parts = [builder.shuffle_vector(a, b, mask) for a, b in pairs]
    return parts[0]


def in_use(builder, shape, value, runs=None):
    """Emit which lanes of a row are in use, or None if all are; ``runs`` overrides the shape's."""
    if not isinstance(shape, PartType):
        return None
    unit = [u for u in range(shape.units) for _ in range(runs or shape.runs)]
    units = ir.Constant(ir.VectorType(_I64, len(unit)), unit)
    return builder.icmp_unsigned("<", units, splat(builder, value, len(unit)))


def _tiles(builder, sig, args):
    """The arguments as vectors: a number is copied to every lane."""
    lanes = sig.return_type.lanes
    return [
        value if isinstance(kind, Vector) else splat(builder, value, lanes)
        for value, kind in zip(args, sig.args, strict=True)
    ]


def _tile_or_number(kind, vector=Tile):
    return kind if isinstance(kind, vector) else vector.number


def _call(builder, name, args):
    kind = args[0].type
    lanes = f"v{kind.count}" if isinstance(kind, ir.VectorType) else ""
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(kind, [kind] * len(args)), f"{name}.{lanes}f64"
    )
    return builder.call(function, args)


# ------------------------------------------------------------------ arithmetic


OPERATORS: dict[Any, list[Any]] = {}
"""By function: the type of at least one operand, the type of the result, and the code emitter."""


def define_operator(function, first, result, emit):
    """Define a binary operator for operands of type ``first``; one of the two may be a scalar.

    ``emit`` takes the operands as vectors: a scalar is copied to every lane.
    """
    OPERATORS.setdefault(function, []).append((first, result, _with_vectors(emit)))

    @infer_global(function)
    class _Operator(AbstractTemplate):
        def generic(self, args, kws):
            vectors = [a for a in args if isinstance(a, first)]
            if kws or len(args) != 2 or not vectors:
                return None
            kinds = (a if isinstance(a, first) else first.number for a in args)
            return signature(result(vectors[0].lanes), *kinds)

    def lower(_context, builder, sig, args):
        return _with_vectors(emit)(builder, sig.return_type.lanes, args)

    number = type(first.number)
    for pair in ((first, first), (first, number), (number, first)):
        lower_builtin(function, *pair)(lower)


def _with_vectors(emit):
    def emit_all(builder, lanes, values):
        vectors = (
            value if isinstance(value.type, ir.VectorType) else splat(builder, value, lanes)
            for value in values
        )
        return emit(builder, *vectors)

    return emit_all


def _comparing(compare, sign):
    return lambda builder, a, b: compare(builder, sign, a, b)


define_operator(operator.add, Tile, Tile, ir.IRBuilder.fadd)
define_operator(operator.sub, Tile, Tile, ir.IRBuilder.fsub)
define_operator(operator.mul, Tile, Tile, ir.IRBuilder.fmul)
define_operator(operator.truediv, Tile, Tile, ir.IRBuilder.fdiv)
define_operator(operator.gt, Tile, LaneMask, _comparing(ir.IRBuilder.fcmp_ordered, ">"))
define_operator(operator.lt, Tile, LaneMask, _comparing(ir.IRBuilder.fcmp_ordered, "<"))
define_operator(operator.ge, Tile, LaneMask, _comparing(ir.IRBuilder.fcmp_ordered, ">="))
define_operator(operator.le, Tile, LaneMask, _comparing(ir.IRBuilder.fcmp_ordered, "<="))
define_operator(operator.eq, Tile, LaneMask, _comparing(ir.IRBuilder.fcmp_ordered, "=="))
define_operator(operator.ne, Tile, LaneMask, _comparing(ir.IRBuilder.fcmp_unordered, "!="))
define_operator(operator.or_, LaneMask, LaneMask, ir.IRBuilder.or_)
define_operator(operator.and_, LaneMask, LaneMask, ir.IRBuilder.and_)
define_operator(operator.add, IntVector, IntVector, ir.IRBuilder.add)
define_operator(operator.sub, IntVector, IntVector, ir.IRBuilder.sub)
define_operator(operator.mul, IntVector, IntVector, ir.IRBuilder.mul)
define_operator(operator.xor, IntVector, IntVector, ir.IRBuilder.xor)
define_operator(operator.and_, IntVector, IntVector, ir.IRBuilder.and_)
define_operator(operator.or_, IntVector, IntVector, ir.IRBuilder.or_)
define_operator(operator.rshift, IntVector, IntVector, ir.IRBuilder.lshr)
define_operator(operator.lt, IntVector, LaneMask, _comparing(ir.IRBuilder.icmp_signed, "<"))
define_operator(operator.ne, IntVector, LaneMask, _comparing(ir.IRBuilder.icmp_signed, "!="))
define_operator(operator.ge, IntVector, LaneMask, _comparing(ir.IRBuilder.icmp_signed, ">="))


def emit_fma(builder, vectors):
    """Emit a fused multiply-add of three vectors; a module for another machine may have its own."""
    own = getattr(builder.module, "fma", None)
    return own(builder, *vectors) if own else _call(builder, "llvm.fma", vectors)


@emitted
def fma(x, y, z):
    """``x * y + z`` with a single rounding; at least one of the three is a tile."""
    lanes = next(kind.lanes for kind in (x, y, z) if isinstance(kind, Tile))
    sig = Tile(lanes)(*map(_tile_or_number, (x, y, z)))
    return sig, lambda builder, *args: emit_fma(builder, _tiles(builder, sig, args))


def _by_llvm(name):
    """Return an intrinsic that applies this function of LLVM to a number, or to each of a tile."""
    return emitted(lambda x: (x(x), lambda builder, a: _call(builder, name, [a])))


magnitude, square_root, floor = map(_by_llvm, ("llvm.fabs", "llvm.sqrt", "llvm.floor"))
"""``abs(x)``, the square root, the largest integer that is not larger."""


@emitted
def with_sign(x, sign):
    """``x`` with the sign of ``sign``, also if that is a zero."""
    lanes = x.lanes if isinstance(x, Tile) else sign.lanes
    sig = Tile(lanes)(_tile_or_number(x), _tile_or_number(sign))
    return sig, lambda builder, *args: _call(builder, "llvm.copysign", _tiles(builder, sig, args))


def selection(vector):
    """Return an intrinsic: its second operand where a mask holds, else the third.

    Either may be a scalar.
    """

    def select(mask, a, b):
        sig = vector(mask.lanes)(mask, *(_tile_or_number(kind, vector) for kind in (a, b)))

        def emit(builder, *args):
            operands = _tiles(builder, sig, args)
            if vector is Tile and hasattr(builder.module, "select"):
                return builder.module.select(builder, *operands)  # the target's own
            return builder.select(*operands)

        return sig, emit

    return emitted(select)


select = selection(Tile)
choose = selection(IntVector)
"""The same of integers."""


@emitted
def add_exponent(x, shifted):
    """``x * 2**n`` for a normal result; n is in the low bits of ``shifted``, n + 1.5 * 2**52.

    Where both are the NaN that an operation makes, so is the result.
    """

    def emit(builder, value, at):
        bits = ir.VectorType(_I64, x.lanes)
        n = builder.shl(builder.bitcast(at, bits), ir.Constant(bits, [52] * x.lanes))
        found = builder.bitcast(builder.add(builder.bitcast(value, bits), n), value.type)
        if has_threads(builder):
            # The low bits of a processor's NaN are 0. Those of a GPU's may be 1.
            return builder.select(builder.fcmp_unordered("uno", value, at), value, found)
        return found

    return x(x, shifted), emit


@emitted
def single(_number):
    """A tile with a single lane."""
    return Tile(1)(types.float64), lambda builder, value: splat(builder, value, 1)


@emitted
def only(x):
    """The value in the only lane."""
    return types.float64(x), lambda builder, value: builder.extract_element(value, _I32(0))


@emitted
def lane(x, _index):
    """One lane, as a tile with a single lane."""

    def emit(builder, vector, at):
        one = ir.Constant(ir.VectorType(_F64, 1), ir.Undefined)
        if not has_threads(builder):
            return builder.insert_element(one, builder.extract_element(vector, at), _I32(0))
        found = builder.extract_element(vector, _I32(0))
        for k in range(1, x.lanes):
            own = builder.extract_element(vector, _I32(k))
            found = builder.select(builder.icmp_signed("==", at, _I64(k)), own, found)
        return builder.insert_element(one, found, _I32(0))

    return Tile(1)(x, types.int64), emit


@emitted
def with_lane(x, _index, value):
    """``x`` with this lane replaced by the only lane of ``value``."""

    def emit(builder, vector, at, one):
        number = builder.extract_element(one, _I32(0))
        if not has_threads(builder):
            return builder.insert_element(vector, number, at)
        for k in range(x.lanes):
            own = builder.extract_element(vector, _I32(k))
            own = builder.select(builder.icmp_signed("==", at, _I64(k)), number, own)
            vector = builder.insert_element(vector, own, _I32(k))
        return vector

    return x(x, types.int64, value), emit


@emitted
def lane_count(x):
    """The number of lanes of a tile."""
    return types.int64(x), lambda _builder, _value: _I64(x.lanes)


@emitted
def fold(shape, tile):
    """Sum over rows and units, pairwise: one value per run."""

    def emit(builder, count, value):
        used = in_use(builder, shape, count)
        if used is not None:
            zero = ir.Constant(value.type, [0.0] * shape.lanes)
            every_row = pick(builder, used, list(range(shape.width)) * shape.rows)
            value = builder.select(every_row, value, zero)
        while value.type.count > shape.held:
            half = value.type.count // 2
            low, high = (pick(builder, value, list(range(i, i + half))) for i in (0, half))
            value = builder.fadd(low, high)
        return value

    return Tile(shape.held)(shape, tile), emit


def _any_lane(builder, mask):
    """Emit whether any lane of a mask is set."""
    if has_threads(builder):
        found = builder.extract_element(mask, _I32(0))
        for k in range(1, mask.type.count):
            found = builder.or_(found, builder.extract_element(mask, _I32(k)))
        return found
    bits = builder.bitcast(mask, ir.IntType(mask.type.count))
    return builder.icmp_unsigned("!=", bits, bits.type(0))


@emitted
def any_nan(tile):
    """Whether any lane is NaN."""
    return types.boolean(tile), lambda builder, value: _any_lane(
        builder, builder.fcmp_unordered("uno", value, value)
    )


@emitted
def anywhere(mask):
    """Whether the mask holds in any lane."""
    return types.boolean(mask), _any_lane


@emitted
def everywhere(mask):
    """Whether the mask holds in all lanes."""

    def emit(builder, value):
        if has_threads(builder):
            return builder.not_(_any_lane(builder, builder.not_(value)))
        bits = builder.bitcast(value, ir.IntType(mask.lanes))
        return builder.icmp_unsigned("==", bits, bits.type(-1))

    return types.boolean(mask), emit


@emitted
def zeros(shape):
    """A tile of zeros."""
    zero = ir.Constant(ir.VectorType(_F64, shape.lanes), [0.0] * shape.lanes)
    return Tile(shape.lanes)(shape), lambda _builder, _shape: zero


@emitted
def full(shape, _number):
    """A tile with the number in every lane."""
    sig = Tile(shape.lanes)(shape, types.float64)
    return sig, lambda builder, _shape, value: splat(builder, value, shape.lanes)


# ------------------------------------------------------------------ integers


@emitted
def all_words(tile, _number):
    """The same integer in each of the tile's lanes."""
    sig = IntVector(tile.lanes)(tile, types.int64)
    return sig, lambda builder, _tile, number: splat(builder, number, tile.lanes)


@emitted
def bits_of(x):
    """The bits of each value of a tile."""
    kind = ir.VectorType(_I64, x.lanes)
    return IntVector(x.lanes)(x), lambda builder, value: builder.bitcast(value, kind)


@emitted
def number_of(bits):
    """The values with these bits."""
    kind = ir.VectorType(_F64, bits.lanes)
    return Tile(bits.lanes)(bits), lambda builder, value: builder.bitcast(value, kind)


@emitted
def integer(words):
    """The integer in the only lane."""
    return types.int64(words), lambda builder, a: builder.extract_element(a, _I32(0))


@emitted
def numbers(a):
    """Integers converted to a tile of floats."""
    kind = ir.VectorType(_F64, a.lanes)
    return Tile(a.lanes)(a), lambda builder, value: builder.sitofp(value, kind)


# ------------------------------------------------------------------ shapes


def _number_of(attribute):
    return emitted(
        lambda shape: (types.int64(shape), lambda _builder, _shape: _I64(getattr(shape, attribute)))
    )


rows_of, units_of, runs_of = map(_number_of, ("rows", "units", "runs"))


@emitted
def first_units(shape, _count):
    """The shape itself; if it may be partly used, with ``count`` units in use (at most all)."""
    kind = PartType(shape.rows, shape.units, shape.runs) if shape.is_part else shape

    def emit(builder, value, count):
        if not shape.is_part:
            return value
        is_less = builder.icmp_signed("<", count, _I64(shape.units))
        return builder.select(is_less, count, _I64(shape.units))

    return kind(shape, types.int64), emit


def constant_shape(rows, units, runs):
    """Return an intrinsic that gives this shape inside a kernel without being an argument of it."""
    kind = ShapeType(rows, units, runs)
    return emitted(lambda: (kind(), lambda _builder: ir.Constant(ir.LiteralStructType([]), [])))


@emitted
def opaque(_index):
    """The same index, with its origin hidden from LLVM.

    LLVM would otherwise keep a pointer for each address and each loop around it, without registers
    for them: 427 of the 1,652 instructions of an iteration of 3-4-1 moved integers to the stack and
    back. With addresses that it cannot trace, that iteration took 88 ns instead of 99. In code for
    one network alone they are constants, and it is to see what goes from one layer to the next.
    """

    def emit(builder, at):
        if isinstance(at, ir.Constant) or has_facts(builder):  # needs no register
            return at
        return builder.asm(ir.FunctionType(_I64, [_I64]), "", "=r,0", [at], side_effect=False)

    return types.int64(types.int64), emit


@emitted
def trap():
    """Stop the machine: nothing after this is executed."""

    def emit(builder):
        kind = ir.FunctionType(ir.VoidType(), [])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.trap"), [])

    return types.void(), emit


# ------------------------------------------------------------------ polynomials


def polynomial(*coefficients):
    """Return a function that evaluates the polynomial with these coefficients, constant term first.

    Groups of four terms in Estrin's scheme, then Horner's rule in x**4, all with fused operations:
    a much shorter chain of dependent operations than Horner's rule alone. It is a single intrinsic,
    since Numba takes 2 ms for each.
    """

    def evaluate(x):
        def emit(builder, value):

            def combined(parts, power):
                """Combine neighbors: the first plus the second times the power."""
                pairs = zip(parts[::2], parts[1::2], strict=False)
                made = [emit_fma(builder, [high, power, low]) for low, high in pairs]
                return made + parts[2 * len(made) :]

            square = builder.fmul(value, value)
            parts = [ir.Constant(value.type, [c] * x.lanes) for c in coefficients]
            parts = combined(combined(parts, value), square)
            fourth = builder.fmul(square, square)
            total = parts.pop()
            while parts:
                total = emit_fma(builder, [total, fourth, parts.pop()])
            return total

        return x(x), emit

    return emitted(evaluate)
