"""Small functions of tiles on another machine."""

import hashlib
import inspect
from typing import NamedTuple

import numpy as np
from wasm_machine import Machine

from fastgd.kernel.language.cross_compilation import TARGETS, emit
from fastgd.kernel.language.structs import Floats
from fastgd.kernel.language.tile import Shape
from fastgd.kernel.language.wasm_linking import STACK, linked


class Numbers(NamedTuple):
    """What a function here reads, and the results that it writes."""

    x: Floats
    y: Floats
    z: Floats
    out: Floats


def emitted(body, target, lanes=2):
    """The object file, or assembly, of a function of a shape, a stamp and Numbers."""
    # Its text stands for it in the cache, which knows the sources of the kernel only.
    stamp = int(hashlib.sha256(inspect.getsource(body).encode()).hexdigest()[:15], 16)
    to = TARGETS[target] if isinstance(target, str) else target
    return emit(body, (Shape(1, 1, lanes),), stamp, Numbers, to)


def on_webassembly(body, target, x, y, z, lanes=2):
    """What the function writes, in an array like x."""
    begin, arrays = STACK + 64, (x, y, z, np.zeros_like(x))
    places = begin + x.nbytes * np.arange(4)
    words = np.column_stack([places, np.full(4, len(x))])
    machine = Machine(linked(emitted(body, target, lanes), "train"), begin + 4 * x.nbytes)
    machine.write(words, STACK)
    for array, place in zip(arrays, places.tolist(), strict=True):
        machine.write(array, place)
    machine.call("train", STACK)
    return machine.read(int(places[-1]), x.nbytes).view(float)
