"""A call as an image: everything that the kernel reads and writes, in one block of memory.

An image lies at some address of another machine's memory: a page's, or a GPU's. It begins with a
header, whose words say where the others are. Arrays are written there as they are here, and the
words have their addresses there. So the kernel's code is the same, and takes the address of the
header.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from hashlib import sha256
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numba import typeof
from numba.core import types
from numpy.typing import NDArray

from fastgd.kernel.block import Block, Data, IterationSpan, Layer, Recipe, Shapes
from fastgd.kernel.language.cross_compilation import TARGETS, emit
from fastgd.kernel.language.loads_and_stores import block_of_threads, load, threads_of
from fastgd.kernel.language.structs import (
    Buffer,
    Floats,
    IntArray,
    Struct,
    address_of,
    encode,
    first_byte,
)
from fastgd.kernel.language.tile import anywhere, bits_of, constant_shape, fma, trap
from fastgd.kernel.language.wasm_linking import STACK, linked
from fastgd.kernel.launch import KernelCall
from fastgd.kernel.training_loop import descend

LINE = 64
"""Each array begins at a multiple of this many bytes, if the image does."""


class ImageHeader(NamedTuple):
    """The first words of an image."""

    stamp: int  # of the code that the image is for
    base: int  # the header's own address
    blocks: int  # how many
    data: IntArray
    layers: IntArray
    tables: IntArray  # of the blocks
    span: IntArray


_WORDS = Struct(ImageHeader).words


class ImageField(NamedTuple):
    """An array in an image: the distance of its first byte from the header's, and how it lies."""

    offset: int
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in bytes


@dataclass(frozen=True, eq=False)
class Image:
    """A call's data in one block of memory, for one address of the memory it is meant for.

    ``call`` is the same call; its arrays are views of ``memory``.
    """

    memory: NDArray[np.uint8]
    base: int
    call: KernelCall
    head: NDArray[np.uint8]
    """The header and the tables."""

    @classmethod
    def of(cls, call: KernelCall, base: int) -> "Image":
        """Copy a call's arrays to an image for this address, a multiple of 64.

        Raises
        ------
        ValueError
            If ``base`` is no multiple of 64, or below 65,536: there WebAssembly's code has its
            constants and its stack.
        """
        if base < STACK or base % LINE:
            raise ValueError(f"base must be a multiple of {LINE}, from {STACK:,} on, got {base:,}")
        image = cls.without_arrays(call, base)
        for (_, mine), (_, other) in zip(arrays_of(image.call), arrays_of(call), strict=True):
            mine[...] = other
        return image

    @classmethod
    def without_arrays(cls, call: KernelCall, base: int) -> "Image":
        """The same with the header and the tables alone: no other memory is touched."""
        arrays = {id(array): array for _, array in arrays_of(call)}
        tables, begin = _places_of_tables(call)
        *places, end = accumulate((_up(a.nbytes) for a in arrays.values()), initial=begin)
        memory = aligned(end)
        views = {
            key: memory[place : place + array.nbytes].view(array.dtype).reshape(array.shape)
            for place, (key, array) in zip(places, arrays.items(), strict=True)
        }
        *data, blocks, span = (
            mapped(each, lambda array: views[id(array)])
            for each in (*call.data, call.blocks, call.span)
        )
        with_views = call._replace(data=data, blocks=blocks, span=span)
        image = cls(memory, base, with_views, memory[:begin])
        header = [stamp_of(call.shapes, call.recipe), base, len(call.blocks.numbers)]
        for place, table in zip(tables, _tables(image.call, image.address_of), strict=True):
            memory[place : place + table.nbytes].view(np.int64)[:] = table.ravel()
            header += [base + place, table.size]
        memory[: 8 * _WORDS].view(np.int64)[:] = header
        return image

    def address_of(self, array: NDArray[Any]) -> int:
        """The address of one of the call's arrays where the image is meant to be; 0 if empty."""
        return self.base + first_byte(array) - first_byte(self.memory) if array.size else 0

    def field(self, array: NDArray[Any]) -> ImageField:
        """Where a view of one of the call's arrays lies."""
        return ImageField(
            self.address_of(array) - self.base, array.dtype.str, array.shape, array.strides
        )

    def numbers(self) -> Iterator[tuple[str, ImageField]]:
        """Yield where the whole numbers of the tables are, by name.

        Those of the samples (``data.samples``, and the length of an array, ``data.X.length``), of
        each layer (``layers.0.inputs``) and of the span (``span.first``).
        """
        header = Struct(ImageHeader)
        words = self.memory[: 8 * _WORDS].view(np.int64)
        layers = range(len(self.call.layers))
        tables = [("data", Data, [""]), ("layers", Layer, [f"{k}." for k in layers])]
        for table, struct, rows in [*tables, ("span", IterationSpan, [""])]:
            begin, kind = int(words[header.fields[table][0]]) - self.base, Struct(struct)
            for row, prefix in enumerate(rows):
                for name, (word, of) in kind.fields.items():
                    offset = begin + 8 * (row * kind.words + word)
                    if of == types.int64:
                        yield f"{table}.{prefix}{name}", ImageField(offset, "<i8", (), ())
                    elif isinstance(of, Buffer):  # an array: its address, and then its length
                        yield (
                            f"{table}.{prefix}{name}.length",
                            ImageField(offset + 8, "<i8", (), ()),
                        )

    @cached_property
    def pointers(self) -> NDArray[np.int64]:
        """The distance from the header of each word that is an address.

        To move an image by some bytes, add them to each of these words.
        """
        moved = Image.of(self.call, self.base + LINE)
        own, other = (each.memory.view(np.int64) for each in (self, moved))
        return 8 * np.flatnonzero(own != other)

    def copy_to(self, call: KernelCall) -> None:
        """Copy the arrays of the image to those of the call that it was made of."""
        for (_, mine), (_, other) in zip(arrays_of(self.call), arrays_of(call), strict=True):
            other[...] = mine


def arrays_of(call: KernelCall) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the arrays of a call, with their names: ``errors``, ``batch.X``, ``data.0.X``."""
    for k, data in enumerate(call.data):
        yield from _arrays_in(data, f"data.{k}.")
    yield from _arrays_in(call.blocks, "")
    yield from _arrays_in(call.span, "span.")


def _arrays_in(struct: Any, prefix: str) -> Iterator[tuple[str, NDArray[Any]]]:
    for name, value in zip(struct._fields, struct, strict=True):
        if isinstance(value, np.ndarray):
            yield prefix + name, value
        elif isinstance(value, tuple):
            yield from _arrays_in(value, f"{prefix}{name}.")


def mapped(struct: Any, of: Callable[[NDArray[Any]], NDArray[Any]]) -> Any:
    """The struct with other arrays: ``of`` each of its own."""
    values = (
        of(value)
        if isinstance(value, np.ndarray)
        else (mapped(value, of) if isinstance(value, tuple) else value)
        for value in struct
    )
    return type(struct)(*values)


def _tables(call: KernelCall, place: Callable[[NDArray[Any]], int]) -> list[NDArray[np.int64]]:
    """The words of samples, layers, blocks and span."""
    return [*call.facts_at(place), encode(call.span, place=place)]


def _places_of_tables(call: KernelCall) -> tuple[list[int], int]:
    """Where each of them begins in an image, and where the last one ends."""
    sizes = (_up(words.nbytes) for words in _tables(call, first_byte))
    *places, end = accumulate(sizes, initial=_up(8 * _WORDS))
    return places, end


def size_of(call: KernelCall) -> int:
    """The size of a call's image, in bytes."""
    arrays = {id(array): array for _, array in arrays_of(call)}
    return _places_of_tables(call)[1] + sum(_up(array.nbytes) for array in arrays.values())


def _up(size: int) -> int:
    return -(-size // LINE) * LINE


def aligned(size: int) -> NDArray[np.uint8]:
    """Return zeroed memory that begins at a multiple of :data:`LINE`."""
    memory = np.zeros(size + LINE, np.uint8)
    begin = -first_byte(memory) % LINE
    return memory[begin : begin + size]


# ------------------------------------------------------------------ code


@cache
def stamp_of(shapes: Shapes, recipe: Recipe) -> int:
    """What code and image have in common: a number for these markers and the structs' fields."""
    structs = [tuple(each._fields) for each in (ImageHeader, Data, Layer, Block, IterationSpan)]
    facts = repr((typeof(shapes), typeof(recipe), structs))
    return int.from_bytes(sha256(facts.encode()).digest()[:8], "little") >> 1


def module(shapes: Shapes, recipe: Recipe, target: str) -> bytes:
    """Code that trains the blocks of an image on another machine: see :data:`.TARGETS`.

    It has one function, ``train``, of the header's address. That traps if the image isn't one for
    this code, or lies elsewhere than at the address that it was made for. Both must be from the
    same release. In WebAssembly the first 65,536 bytes of the memory are the code's own, so that
    two modules can't share a memory.

    Raises
    ------
    TargetError
        If this machine can't emit it.
    """
    stamp = stamp_of(shapes, recipe)
    made = emit(_train_image, (shapes, recipe), stamp, ImageHeader, TARGETS[target])
    return made if TARGETS[target].assembly else linked(made, "train")


def _train_image(shapes, recipe, stamp, image):
    if image.stamp != stamp or image.base != address_of(image):
        trap()
    if threads_of(shapes.scalar) > 1:  # each block of runs has its own block of threads
        b = block_of_threads()
        if b < image.blocks:
            descend(shapes, recipe, image.data, image.layers, image.tables, b, image.span)
    else:
        for b in range(image.blocks):
            descend(shapes, recipe, image.data, image.layers, image.tables, b, image.span)


# ------------------------------------------------------------------ relaxed multiply-adds
#
# An engine of WebAssembly may fuse ``relaxed_madd`` or not. The module of :func:`probe_module`
# computes ``x * y + z`` for some hundred triples, and traps unless every result is rounded once
# only. Where it doesn't even load, the engine has no relaxed SIMD.


TRIPLES = 300

_pair = constant_shape(1, 1, 2)


class Triples(NamedTuple):
    """Numbers, and ``x * y + z`` rounded once."""

    x: Floats
    y: Floats
    z: Floats
    fused: Floats


def _probe(_stamp, triples):
    shape = _pair()
    for i in range(0, len(triples.x), 2):
        x, y = load(shape, triples.x, i, 0), load(shape, triples.y, i, 0)
        found = fma(x, y, load(shape, triples.z, i, 0))
        if anywhere(bits_of(found) != bits_of(load(shape, triples.fused, i, 0))):
            trap()


@cache
def probe_module() -> bytes:
    """A module with its own memory and one function: ``probe``, of the address 65,536.

    It traps if a multiply-add isn't fused. Each of the triples has another result if it is rounded
    twice.

    Raises
    ------
    TargetError
        If this machine can't emit it.

    Examples
    --------
    In JavaScript, of these bytes:

    .. code-block:: javascript

        let fused = true;
        try {
          (await WebAssembly.instantiate(bytes)).instance.exports.probe(65536);
        } catch {
          fused = false;
        }
    """
    random = np.random.RandomState(0)
    found: list[tuple[float, float, float, float]] = []
    while len(found) < TRIPLES:
        x, y = random.random_sample(2) + 1
        z = float(-(x * y) * (1 + random.randint(-8, 9) * 2.0 ** -random.randint(20, 53)))
        fused = float(Fraction(x) * Fraction(y) + Fraction(z))
        if fused != x * y + z:
            found.append((x, y, z, fused))
    columns = np.array(found).T
    words = -(-encode(Triples(*columns)).nbytes // LINE) * LINE
    memory = aligned(words + columns.nbytes)
    views = memory[words:].view(np.float64).reshape(columns.shape)
    views[:] = columns
    table = encode(
        Triples(*views), place=lambda array: STACK + first_byte(array) - first_byte(memory)
    )
    memory[: table.nbytes].view(np.int64)[:] = table.ravel()
    target = TARGETS["wasm32-relaxed"]
    made = emit(_probe, (), TRIPLES, Triples, target)
    return linked(made, "probe", memory=memory.tobytes())
