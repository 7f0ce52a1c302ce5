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
from numpy.typing import NDArray

from fastgd.kernel.block import (
    LayerInputs,
    Recipe,
    SampleGroup,
    Shapes,
    all_blocks,
    all_data,
    all_layers,
)
from fastgd.kernel.call_image import LINE, Image, ImageHeader
from fastgd.kernel.language.cross_compilation import TARGETS, emit
from fastgd.kernel.language.specialization import part
from fastgd.kernel.language.structs import Floats, IntArray, address_of, encode, table_of
from fastgd.kernel.language.tile import square_root, trap
from fastgd.kernel.launch import KernelCall
from fastgd.kernel.training_loop import Descent, couple, forward, normalize


class InputEncoding(NamedTuple):
    """How a number of a row becomes inputs of the networks."""

    column: int  # of the number, and
    columns: int  # of the row
    field: int  # of the date that the number stands for, or 0
    flags: int  # 1 if the input says whether the number is missing
    categories: int  # inputs for one category each
    table: int  # where the table of inputs begins, in numbers from the first row to predict, and
    height: int  # its rows, of which the last is for all other numbers; 0 if it has pieces instead:
    width: int  # shift, scale and two bounds for each of these inputs
    missing: float  # in place of a missing number
    clip: float  # of the inputs of pieces; 0 if there is none
    tolerance: float  # in days, with which the day and the hour of a number are found


class OutputDecoding(NamedTuple):
    """How an output becomes a number in the unit of its target, and maybe bounds of it."""

    scale: float
    mean: float
    table: int = 0  # where pieces begin, as of an encoding; 0 if there are no bounds
    width: int = 0  # the pieces, whose sum with the spread is multiplied by
    spread: float = 0.0
    low: float = 0.0  # these
    high: float = 0.0
    least: float = 0.0


class PredictorHeader(NamedTuple):
    """The first words of a predictor: a line of memory, behind which is the networks' image."""

    rows: Floats  # (N, columns), and behind them the tables of encodings
    results: Floats  # (N, H), or fewer outputs
    encodings: IntArray  # an InputEncoding each
    decodings: IntArray  # an OutputDecoding for each output, or none
    networks: ImageHeader


_all_encodings, _all_decodings = map(table_of, (InputEncoding, OutputDecoding))

_LARGEST = float.fromhex("0x1.fffffffffffffp+1023")
_MOST_DAYS = 1e9


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
        call: KernelCall,
        columns: int,
        encodings: Sequence[InputEncoding],
        tables: Sequence[Floats],
        decodings: Sequence[OutputDecoding],
        outputs: int,
        base: int,
    ) -> "Predictor":
        """Of a call whose blocks are the networks; the first ``outputs`` outputs are averaged."""
        capacity, blocks = call.data[0].samples, call.blocks
        # A forward pass needs no other arrays, and so no words of them.
        empty = np.empty((len(blocks.numbers), 0))
        others: dict[str, Any] = dict.fromkeys({*blocks._fields} - {"numbers", "batch"}, empty)
        batch = blocks.batch._replace(X=empty, y=empty, importance=empty)
        data = [each._replace(y=empty[0], importance=empty[0]) for each in call.data]
        call = call._replace(data=data, blocks=blocks._replace(batch=batch, **others))
        image = Image.of(call, base + LINE)
        arrays: list[NDArray[Any]] = [
            np.concatenate([np.zeros(capacity * columns), *map(np.ravel, tables)]),
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


def _words(structs: Sequence[NamedTuple]) -> IntArray:
    return np.concatenate([np.empty(0, np.int64), *(encode(each)[0] for each in structs)])


# ------------------------------------------------------------------ code


def predictor_code(shapes: Shapes, recipe: Recipe, base: int) -> bytes:
    """A WebAssembly object file whose function predicts the first rows of the predictor at base.

    It takes their number, traps if that is above the capacity, and returns how many it predicted:
    fewer if a number in the next one is so large that its input is infinite. It raises TargetError
    if this machine can't emit it.
    """
    return emit(_predict, (shapes, recipe), 0, PredictorHeader, TARGETS["wasm32"], base)


def _predict(shapes, recipe, count, image):
    networks = image.networks
    data, layers = all_data(networks.data)[0], all_layers(networks.layers)
    if count < 0 or count > data.samples:
        trap()
    done, top = _encode(image, data.X, layers[0].inputs, count), layers[len(layers) - 1]
    results, decodings = image.results, _all_decodings(image.decodings)
    stride = len(results) // data.samples
    has_bounds = len(decodings) > 0 and decodings[0].table != 0
    width = stride - 2 if has_bounds else stride
    for b in range(networks.blocks):
        block = all_blocks(networks.tables)[b]
        _pass(shapes, recipe, data, layers, block, done)
        for n in range(done):  # the sum over networks
            for h in range(width):
                at, v = n * stride + h, block.numbers[top.units + n * top.stride + h]
                results[at] = v if b == 0 else results[at] + v
    for n in range(done):
        for h in range(width):
            v = results[n * stride + h] / float(networks.blocks)
            if len(decodings) > 0:
                v = v * decodings[h].scale + decodings[h].mean
            results[n * stride + h] = v
        if has_bounds:
            _bound(image.rows, decodings[0], results, n * stride)
    return done


@part
def _bound(table, decoding, results, at):
    """Write the bounds of a result behind it."""
    y, spread = results[at], decoding.spread
    for k in range(decoding.width):
        spread = spread + _piece(table, decoding.table + 4 * k, y)
    low, high = y + spread * decoding.low, y + spread * decoding.high
    results[at + 1] = decoding.least if low < decoding.least else low
    results[at + 2] = decoding.least if high < decoding.least else high


@part
def _encode(image, X, inputs, count):
    """Write the inputs of the rows; returns how many come before one that is too large."""
    parts = _all_encodings(image.encodings)
    for n in range(count):
        place = n * inputs  # without that of a bias, which is always 1
        for p in range(len(parts)):
            part = parts[p]
            x = image.rows[n * part.columns + part.column]
            value = part.missing if x != x else x
            if part.field != 0:
                if abs(value) > _MOST_DAYS:
                    return n
                value = float(_field(value + part.tolerance, part.field))
            for k in range(part.categories):
                X[place + k] = float(value == float(k))
            for k in range(part.width if part.height != 0 else 0):
                X[place + k] = image.rows[_at(part, value) + k]
            if part.flags != 0:
                X[place] = float(x != x)
            elif not _put(image.rows, part, value, X, place):
                return n
            place += part.width
    return count


@part
def _at(part, value):
    """The place of a table's row for this number."""
    row = part.height - 1
    if value >= 0.0 and value < float(row):
        row = int(value)
    return part.table + row * part.width


@part
def _piece(table, at, value):
    """The number minus a shift, divided by a scale, within two bounds."""
    z = (value - table[at]) / table[at + 1]
    z = table[at + 2] if z < table[at + 2] else z
    return table[at + 3] if z > table[at + 3] else z


@part
def _put(table, part, value, X, place):
    """Write the inputs of pieces: scaled, bounded, clipped smoothly; False if one is infinite."""
    for k in range(part.width if part.categories == 0 and part.height == 0 else 0):
        z = _piece(table, part.table + 4 * k, value)
        if part.clip != 0.0:
            z = z / square_root(1.0 + (z / part.clip) * (z / part.clip))
        if abs(z) > _LARGEST or abs(value) > _LARGEST:
            return False
        X[place + k] = z
    return True


@part
def _field(moment, field):
    """A field of the date that is this number of days after 1970-01-01."""
    day = int(moment)
    if float(day) > moment:  # rounded toward 0
        day = day - 1
    if field == 5:
        return int((moment - float(day)) * 24.0)
    if field == 4:
        return (day + 3) % 7
    year, month, year_day = calendar(day)
    if field == 1:
        return year
    return month if field == 2 else year_day


@part
def calendar(day):
    """Year, month and day of the year, both from 0, of a day since 1970-01-01.

    Years begin in March here until the last lines, so that a leap day is the last of its year, and
    the calendar repeats after an era of 400 years (Hinnant, "chrono-compatible low-level date
    algorithms", 2013).
    """
    since = day + 719468
    era = since // 146097
    of_era = since - era * 146097
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    year_day = of_era - (year * 365 + year // 4 - year // 100)
    month = (year_day * 5 + 2) // 153
    late = (month + 2) // 12  # 1 in January and February, which belong to the next year
    year = era * 400 + year + late
    last = year - 1
    first_day = last * 365 + last // 4 - last // 100 + last // 400 - 719162
    return year, month + 2 - late * 12, day - first_day


@part
def _pass(shapes, recipe, data, layers, block, count):
    """Compute the values of all layers; in one loop, since inputs and units are alike here."""
    group = SampleGroup(data, 0, 0, count, count, True, True)
    descent = Descent(shapes, recipe, layers, block, None)
    start = (address_of(data.X) - address_of(block.numbers)) // 8
    stride, top = layers[0].inputs, len(layers) - 1
    for k in range(len(layers)):
        layer, inputs = layers[k], LayerInputs(block.numbers, start, stride, shapes.scalar)
        forward(descent, group, inputs, layer)
        if k < top:
            normalize(
                recipe.batch_norm, shapes.scalar, recipe.activation, group, block, layer, False
            )
        start, stride = layer.units, layer.stride
    couple(recipe.coupling, descent, group, layers[top])
