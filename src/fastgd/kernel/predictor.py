"""Trained networks as an image that predicts: from rows of a table to decoded outputs.

The forward pass is that of the training. Around it are the encoding of a table's columns, the mean
over networks, and the decoding of targets, each in the order of operations of the Python code that
it stands for.

Letters as in :mod:`fastgd.kernel.training_loop`; N is the capacity, the most rows of a call.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fastgd.kernel.block import (
    Recipe,
    Samples,
    Shapes,
    WorkerShare,
    all_blocks,
    all_data,
    all_layers,
)
from fastgd.kernel.calls import Call
from fastgd.kernel.image import LINE, Header, Image
from fastgd.kernel.iteration.batch_norm import normalize
from fastgd.kernel.iteration.coupling import couple
from fastgd.kernel.iteration.layers import forward
from fastgd.kernel.language.compiler import INLINED
from fastgd.kernel.language.structs import Floats, Integers, address_of, encode, table_of
from fastgd.kernel.language.targets import TARGETS, emit
from fastgd.kernel.language.tile import trap


class ColumnEncoding(NamedTuple):
    """How a number of a row becomes inputs of the networks."""

    categories: int  # inputs for one category each; 0 for a column of numbers
    flagged: int  # 1 if a further input says whether the number is missing
    median: float
    mean: float
    scale: float


class OutputDecoding(NamedTuple):
    """How an output becomes a number in the unit of its target."""

    scale: float
    mean: float


class PredictorHeader(NamedTuple):
    """The first words of a predictor: a line of memory, behind which is the networks' image."""

    rows: Floats  # (N, columns)
    results: Floats  # (N, H), or fewer outputs
    columns: Integers  # a ColumnEncoding each
    decodings: Integers  # an OutputDecoding for each result, or none
    networks: Header


_all_encodings, _all_decodings = map(table_of, (ColumnEncoding, OutputDecoding))

_LARGEST = float.fromhex("0x1.fffffffffffffp+1023")


class Predictor(NamedTuple):
    """A block of memory for one address, and what a caller must know of it."""

    memory: NDArray[np.uint8]
    rows: int
    """The address of the rows to predict, (capacity, columns) numbers, NaN where missing."""
    results: int
    """The address of their results, (capacity, results)."""
    capacity: int

    @classmethod
    def of(
        cls,
        call: Call,
        encodings: Sequence[ColumnEncoding],
        decodings: Sequence[OutputDecoding],
        outputs: int,
        base: int,
    ) -> "Predictor":
        """Of a call whose blocks are the networks; the first ``outputs`` outputs are averaged."""
        capacity = call.data[0].samples
        image = Image.of(_only_numbers(call), base + LINE)
        arrays: list[NDArray[Any]] = [
            np.zeros(capacity * len(encodings)),
            np.zeros(capacity * outputs),
            _words(encodings),
            _words(decodings),
        ]
        behind = LINE + image.memory.nbytes
        *places, end = accumulate((array.nbytes for array in arrays), initial=behind)
        memory = np.zeros(end, np.uint8)
        memory[LINE:behind] = image.memory
        words = memory[:LINE].view(np.int64)
        for k, (place, array) in enumerate(zip(places, arrays, strict=True)):
            words[2 * k : 2 * k + 2] = base + place, len(array)
            memory[place : place + array.nbytes] = array.view(np.uint8)
        return cls(memory, base + places[0], base + places[1], capacity)


def _only_numbers(call: Call) -> Call:
    """The call without the arrays that a forward pass doesn't need, and so without their words."""
    blocks = call.blocks
    empty = np.empty((len(blocks.numbers), 0))
    arrays: dict[str, Any] = dict.fromkeys({*blocks._fields} - {"numbers", "batch"}, empty)
    batch = blocks.batch._replace(X=empty, y=empty, importance=empty)
    data = [each._replace(y=empty[0], importance=empty[0]) for each in call.data]
    return call._replace(data=data, blocks=blocks._replace(batch=batch, **arrays))


def _words(structs: Sequence[NamedTuple]) -> Integers:
    return np.concatenate([np.empty(0, np.int64), *(encode(each)[0] for each in structs)])


# ------------------------------------------------------------------ code


def predictor_code(shapes: Shapes, recipe: Recipe, base: int) -> bytes:
    """A WebAssembly object file whose function predicts the first rows of the predictor at base.

    It takes their number, traps if that is above the capacity, and returns how many it predicted:
    fewer if a number in the next one is so large that its input is infinite.

    Raises
    ------
    TargetError
        If this machine can't emit it.
    """
    target = TARGETS["wasm32"]
    return emit(_predict, (shapes, recipe), 0, PredictorHeader, target, base)


def _predict(shapes, recipe, count, image):
    networks = image.networks
    data, layers = all_data(networks.data)[0], all_layers(networks.layers)
    if count < 0 or count > data.samples:
        trap()
    done = _encode(image, data.X, layers[0].inputs, count)
    for b in range(networks.blocks):
        block = all_blocks(networks.tables)[b]
        _pass(shapes, recipe, data, layers, block, done)
        _add(image.results, block.numbers, layers[len(layers) - 1], data.samples, done, b)
    _decode(image, networks.blocks, data.samples, done)
    return done


@njit(**INLINED)
def _encode(image, X, inputs, count):
    """Write the inputs of the rows; returns how many come before one that is too large."""
    columns = _all_encodings(image.columns)
    for n in range(count):
        place = n * inputs  # without that of a bias, which is always 1
        for c in range(len(columns)):
            column, x = columns[c], image.rows[n * len(columns) + c]
            is_missing = x != x
            if column.categories == 0:
                value = column.median if is_missing else x
                value = (value - column.mean) / column.scale
                if abs(value) > _LARGEST:
                    return n
                X[place] = value
                place += 1
            for k in range(column.categories):
                X[place] = float(x == float(k))
                place += 1
            if column.flagged != 0:
                X[place] = float(is_missing)
                place += 1
    return count


@njit(**INLINED)
def _pass(shapes, recipe, data, layers, block, count):
    """Compute the values of all layers; in one loop, since inputs and units are alike here."""
    group = WorkerShare(0, 0, count, count, True, True)
    start = (address_of(data.X) - address_of(block.numbers)) // 8
    stride, top = layers[0].inputs, len(layers) - 1
    for k in range(len(layers)):
        layer, inputs = layers[k], Samples(block.numbers, start, stride)
        forward(shapes, recipe, shapes.scalar, inputs, data, group, block, layer)
        if k < top:
            normalize(
                recipe.batch_norm, shapes.scalar, recipe.activation, group, block, layer, False
            )
        start, stride = layer.units, layer.stride
    couple(recipe.coupling, shapes, recipe, data, group, block, layers[top])


@njit(**INLINED)
def _add(results, numbers, top, capacity, count, b):
    """Add the outputs of a network to those of the networks before."""
    width = len(results) // capacity
    for n in range(count):
        for h in range(width):
            at, v = n * width + h, numbers[top.units + n * top.stride + h]
            results[at] = v if b == 0 else results[at] + v


@njit(**INLINED)
def _decode(image, networks, capacity, count):
    """From sums over networks to results."""
    results, decodings = image.results, _all_decodings(image.decodings)
    width = len(results) // capacity
    for n in range(count):
        for h in range(width):
            at = n * width + h
            v = results[at] / float(networks)
            if len(decodings) > 0:
                v = v * decodings[h].scale + decodings[h].mean
            results[at] = v
