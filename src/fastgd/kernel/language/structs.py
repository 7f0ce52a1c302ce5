"""Structs: how sizes and arrays are passed to the kernel, as one pointer each.

Numba passes an array as seven values. Each function that received a block of eighteen arrays
unpacked and packed 126 values: half of everything LLVM had to read, and most of the compile time. A
struct is a pointer to a row of 64-bit words. In Python it is a NamedTuple: an int or float field
takes one word, an array two (its address and length), a nested NamedTuple as many as it has itself.
The words do not change while a kernel runs, and LLVM is told so.
"""

import operator
from collections.abc import Callable
from ctypes import addressof, c_char
from typing import Any, get_type_hints

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import (
    AbstractTemplate,
    AttributeTemplate,
    infer_getattr,
    infer_global,
    signature,
)
from numba.extending import intrinsic, lower_builtin, lower_getattr_generic, models, register_model
from numpy.typing import NDArray

Floats = NDArray[np.float64]
IntArray = NDArray[np.int64]
Bytes = NDArray[np.uint8]

# Looked up by the annotation itself: the structure of NDArray[...] depends on NumPy's version.
_NUMBERS = {Floats: types.float64, IntArray: types.int64, Bytes: types.uint8}

_I64 = ir.IntType(64)

GLOBAL = 1
"""The kind of memory of a GPU that all kernels share, as LLVM numbers them."""


class Buffer(types.Type):
    """An array in memory: its address and length; ``field`` is its name in a struct."""

    def __init__(self, dtype, field=""):
        self.dtype, self.field = dtype, field
        super().__init__(f"Buffer({dtype}, {field})" if field else f"Buffer({dtype})")


class Struct(types.Type):
    """The Numba type of a row of words with the fields of a NamedTuple."""

    def __init__(self, fields):
        self.fields = {}
        self.words = 0
        for name, annotation in get_type_hints(fields).items():
            kind = _kind(annotation, name)
            self.fields[name] = (self.words, kind)
            self.words += 2 if isinstance(kind, Buffer) else getattr(kind, "words", 1)
        super().__init__(f"Struct({fields.__name__})")


class TableType(types.Type):
    """An array of structs."""

    def __init__(self, struct):
        self.struct = struct
        super().__init__(f"Table({struct})")


def _kind(annotation, name):
    """The Numba type of the field with this name."""
    if annotation in (int, float):
        return types.int64 if annotation is int else types.float64
    if hasattr(annotation, "_fields"):
        return Struct(annotation)
    return Buffer(_NUMBERS[annotation], name)


@register_model(Buffer)
class _BufferModel(models.StructModel):
    def __init__(self, manager, fe_type):
        members = [("data", types.CPointer(fe_type.dtype)), ("length", types.int64)]
        super().__init__(manager, fe_type, members)


@register_model(Struct)
class _StructModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, _I64.as_pointer())


@register_model(TableType)
class _TableModel(models.StructModel):
    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, [("data", fe_type.struct), ("length", types.int64)])


# ------------------------------------------------------------------ inside a kernel


def table_of(fields: type) -> Any:
    """Return an intrinsic that takes the words from :func:`encode` as a table of such structs.

    They are an array with a row per struct, or a buffer.
    """
    kind = TableType(Struct(fields))

    @intrinsic
    def table(_typing, words):
        def codegen(context, builder, sig, args):
            made = cgutils.create_struct_proxy(kind)(context, builder)
            if isinstance(sig.args[0], Buffer):
                buffer = cgutils.create_struct_proxy(sig.args[0])(context, builder, args[0])
                made.data = buffer.data
                made.length = builder.sdiv(buffer.length, _I64(kind.struct.words))
                return made._getvalue()
            array = context.make_array(sig.args[0])(context, builder, args[0])
            made.data, made.length = array.data, builder.extract_value(array.shape, 0)
            return made._getvalue()

        return kind(words), codegen

    return table


@infer_getattr
class _Fields(AttributeTemplate):
    key = Struct

    def generic_resolve(self, struct, name):
        return struct.fields[name][1] if name in struct.fields else None


@lower_getattr_generic(Struct)
def field(context, builder, struct, row, name):
    """Emit the field with this name."""
    place, kind = struct.fields[name]
    if isinstance(kind, Struct):
        return builder.gep(row, [_I64(place)])

    def word(offset, type_):
        address = builder.gep(row, [_I64(place + offset)])
        loaded = builder.load(builder.bitcast(address, type_.as_pointer()), align=8)
        loaded.set_metadata("invariant.load", builder.module.add_metadata([]))
        return loaded

    if not isinstance(kind, Buffer):
        return word(0, context.get_value_type(kind))
    buffer = cgutils.create_struct_proxy(kind)(context, builder)
    buffer.data = word(0, context.get_value_type(types.CPointer(kind.dtype)))
    buffer.length = word(1, _I64)
    return buffer._getvalue()


@infer_global(len)
class _Length(AbstractTemplate):
    def generic(self, args, kws):
        if kws or not isinstance(args[0], Buffer | TableType):
            return None
        return signature(types.int64, args[0])


@lower_builtin(len, Buffer)
@lower_builtin(len, TableType)
def _length(context, builder, sig, args):
    return length(context, builder, sig.args[0], args[0])


def length(context, builder, kind, value):
    """Emit the number of elements, structs or rows."""
    if isinstance(kind, types.Array):
        array = context.make_array(kind)(context, builder, value)
        return builder.extract_value(array.shape, 0)
    return cgutils.create_struct_proxy(kind)(context, builder, value).length


@infer_global(operator.getitem)
class _GetItem(AbstractTemplate):
    def generic(self, args, kws):
        if kws or not isinstance(args[0], Buffer | TableType):
            return None
        item = args[0].dtype if isinstance(args[0], Buffer) else args[0].struct
        return signature(item, args[0], types.int64)


@infer_global(operator.setitem)
class _SetItem(AbstractTemplate):
    def generic(self, args, kws):
        if kws or not isinstance(args[0], Buffer):
            return None
        return signature(types.none, args[0], types.int64, args[0].dtype)


@lower_builtin(operator.getitem, TableType, types.int64)
@lower_builtin(operator.getitem, Buffer, types.int64)
def _get_item(context, builder, sig, args):
    return item(context, builder, sig.args[0], *args)


def item(context, builder, kind, value, index):
    """Emit the value of a buffer, or the struct of a table, at this index."""
    if isinstance(kind, Buffer):
        loaded = builder.load(address(context, builder, kind, value, index))
        return of_field(builder, kind, loaded)
    view = cgutils.create_struct_proxy(kind)(context, builder, value)
    return builder.gep(view.data, [builder.mul(index, _I64(kind.struct.words))])


@lower_builtin(operator.setitem, Buffer, types.int64, types.Any)
def _set_number(context, builder, sig, args):
    buffer, index, number = args
    stored = builder.store(number, address(context, builder, sig.args[0], buffer, index))
    of_field(builder, sig.args[0], stored)
    return context.get_dummy_value()


def has_threads(builder):
    """Whether code is emitted for a GPU, where a vector is a register for each of its lanes."""
    return getattr(builder.module, "has_threads", False)


def has_facts(builder):
    """Whether code is emitted for one network alone, on a processor."""
    return getattr(builder.module, "has_facts", False) and not has_threads(builder)


def of_field(builder, kind, access):
    """Tell LLVM which array a load or store is of, in code for one network; returns it.

    What is written to one array of a block is in no other one. So what was stored there is still
    known after a store to another array, and stays in registers.
    """
    if has_facts(builder) and isinstance(kind, Buffer) and kind.field:
        add = builder.module.add_metadata
        array = add([kind.field, add(["arrays"]), _I64(0)])
        access.set_metadata("tbaa", add([array, array, _I64(0)]))
    return access


def address(context, builder, kind, value, index, count=1):
    """Emit the address of an element of a buffer or array, with Numba's bounds check if that is on.

    ``count`` elements are read or written from there on.
    """
    if isinstance(kind, Buffer):
        view = cgutils.create_struct_proxy(kind)(context, builder, value)
        length = view.length
    else:
        view = context.make_array(kind)(context, builder, value)
        length = builder.extract_value(view.shape, 0)
    if _checks_bounds(context, builder):
        for i in (index, builder.add(index, _I64(count - 1))):
            cgutils.do_boundscheck(context, builder, i, length)
    first = view.data
    if has_threads(builder):
        # A GPU looks up which kind of memory an address is of, unless it is told. (It isn't for the
        # words of structs: they would be kept in registers, and 3-4-1 need 120 instead of 96.)
        first = builder.addrspacecast(first, first.type.pointee.as_pointer(GLOBAL))
    return builder.gep(first, [index], inbounds=True)


def address_at(context, builder, kind, value, indices):
    """Emit the address of an element, given one index per dimension."""
    if len(indices) == 1:
        return address(context, builder, kind, value, *indices)
    array = context.make_array(kind)(context, builder, value)
    checked = _checks_bounds(context, builder)
    return cgutils.get_item_pointer(context, builder, kind, array, indices, boundscheck=checked)


def _checks_bounds(context, builder):
    return context.enable_boundscheck and getattr(builder.module, "checks_bounds", True)


@intrinsic
def address_of(_typing, buffer):
    """The address of a buffer's first element, or of a struct's first word."""

    def codegen(context, builder, sig, args):
        if isinstance(buffer, Struct):
            return builder.ptrtoint(args[0], _I64)
        view = cgutils.create_struct_proxy(sig.args[0])(context, builder, args[0])
        return builder.ptrtoint(view.data, _I64)

    return types.int64(buffer), codegen


def _at(dtype):
    kind = Buffer(dtype)

    def at(_typing, first, length):
        def codegen(context, builder, _sig, args):
            made = cgutils.create_struct_proxy(kind)(context, builder)
            made.data = builder.inttoptr(args[0], context.get_value_type(types.CPointer(dtype)))
            made.length = args[1]
            return made._getvalue()

        return kind(types.int64, types.int64), codegen

    return intrinsic(at)


floats_at, integers_at = _at(types.float64), _at(types.int64)
"""The buffer of ``length`` floats, or integers, that begins at address ``first``."""


# ------------------------------------------------------------------ in Python


def encode(
    struct: Any, rows: int | None = None, place: Callable[[NDArray[Any]], int] | None = None
) -> IntArray:
    """Return the words (1, words) of a NamedTuple, which must outlive them.

    With ``rows``, its arrays have a leading axis of that length, and each row gets its words. An
    array with fewer rows has each for several consecutive rows of words.
    ``place`` gives the address of an array for the code that will read the words, by default the
    one in this process.
    """
    words = np.array([_words_of(struct, rows is not None, place or first_byte)], np.int64)
    if rows is None or rows == 1:
        return words
    steps, lengths = np.array(_steps_of(struct), np.int64).T
    each = -(-rows // np.maximum(lengths, 1))
    all_words: IntArray = words + np.arange(rows)[:, None] // each * steps
    return all_words


def _words_of(struct: Any, in_rows: bool, place: Callable[[NDArray[Any]], int]) -> list[Any]:
    """The words of a NamedTuple, or of its first row."""
    words: list[Any] = []
    for value in struct:
        kind = type(value)
        if kind is np.ndarray:
            words += (place(value) if value.size else 0, value.shape[in_rows])
        elif kind is int:
            words.append(value)
        elif isinstance(value, tuple):
            words += _words_of(value, in_rows, place)
        else:
            words.append(np.float64(value).view(np.int64) if isinstance(value, float) else value)
    return words


def _steps_of(struct: Any) -> list[tuple[int, int]]:
    """The distance of each word from that of the next row, and the number of rows."""
    steps: list[tuple[int, int]] = []
    for value in struct:
        if isinstance(value, np.ndarray):
            steps += ((value.strides[0], len(value)), (0, 1))
        else:
            steps += _steps_of(value) if isinstance(value, tuple) else [(0, 1)]
    return steps


def first_byte(array: NDArray[Any]) -> int:
    """The address of an array's data; 0 if it is empty.

    Through the buffer interface this takes a third of the time (0.3 us), and up to 18 of the 31
    arrays of a block may be empty.
    """
    if not array.size:
        return 0
    if array.flags.carray:
        return addressof(c_char.from_buffer(array.data))
    first: int = array.__array_interface__["data"][0]
    return first
