"""Blocks of runs on GPUs: a call's arrays in their memory, from its first iteration to its last.

A GPU has an image of its own share of the blocks. It is written once; then each call of the kernel
takes these runs some iterations further, and what Python has to see is read back. The next call may
be on its way before the results of the last one are looked at, so that a GPU never waits.
"""

from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.kernel.block import Block
from fastgd.kernel.calls import Call
from fastgd.kernel.cuda import Device
from fastgd.kernel.image import Image, arrays_of, module, size_of

TARGET = "nvptx64"

_PASSING = ("scratch", "order", "chances", "draws", "drawn")
"""Arrays of a block that mean nothing between two calls, besides its batch."""


class BlocksOnGPUs:
    """The blocks of a call in the memory of these GPUs, of which each has a share.

    Raises
    ------
    DeviceError
        If a GPU has too little memory, or fails.
    """

    def __init__(self, call: Call, devices: Sequence[Device]) -> None:
        count = len(call.blocks.numbers)
        code = module(call.shapes, call.recipe, TARGET)
        parts = min(len(devices), count)
        ends = [part * count // parts for part in range(parts + 1)]
        self._shares = [
            _Share(_blocks_of(call, begin, end, count), device, code)
            for device, begin, end in zip(devices, ends[:-1], ends[1:], strict=False)
        ]
        self._began = 0.0

    def run(self, first: int, last: int) -> float:
        """Train from iteration first to last; returns the seconds since the last call ended."""
        self._began = perf_counter()
        for share in self._shares:
            share.start(first, last)
        for share in self._shares:
            share.finish()
        return perf_counter() - self._began

    def read(self) -> None:
        """Copy the results to the call's arrays."""
        for share in self._shares:
            share.read()


class _Share:
    """Some blocks on a GPU."""

    def __init__(self, call: Call, device: Device, code: bytes) -> None:
        self._call = call
        self._function = device.function(code)
        self._memory = device.allocate(size_of(call))
        image = Image.without_arrays(call, self._memory.address)
        self._places = [
            (name, array, image.address_of(mine) - image.base)
            for (name, array), (_, mine) in zip(arrays_of(call), arrays_of(image.call), strict=True)
            if array.size
        ]
        self._memory.write(0, image.head.copy())
        for _, array, at in self._places:
            self._memory.write(at, np.ascontiguousarray(array))
        self._span = dict(image.numbers())["span.first"].offset
        self._ended = next(at for name, _, at in self._places if name == "ended")

    def start(self, first: int, last: int) -> None:
        self._memory.write(self._span, np.array([first, last]))
        self._memory.launch(self._function, len(self._call.blocks.numbers))
        self._memory.read(self._ended, self._call.blocks.ended)

    def finish(self) -> None:
        self._memory.wait()

    def read(self) -> None:
        """Copy what has become of the runs to the call's arrays."""
        waiting = []
        for name, array, at in self._places:
            if name in _PASSING or name.startswith(("batch.", "data.", "span.")):
                continue
            into = array if array.flags.c_contiguous else np.empty(array.shape, array.dtype)
            self._memory.read(at, into)
            waiting.append((array, into))
        self._memory.wait()
        for array, into in waiting:
            if array is not into:
                array[...] = into


def _blocks_of(call: Call, begin: int, end: int, count: int) -> Call:
    """The call with some of its blocks: views of its arrays."""

    def rows(array: NDArray[Any]) -> NDArray[Any]:
        return array[begin:end] if len(array) == count else array

    def of(struct: Any) -> Any:
        return type(struct)(
            *(
                rows(value) if isinstance(value, np.ndarray)
                else of(value) if isinstance(value, tuple) else value
                for value in struct
            )
        )  # fmt: skip

    blocks: Block = of(call.blocks)
    return call._replace(data=[of(each) for each in call.data], blocks=blocks)
