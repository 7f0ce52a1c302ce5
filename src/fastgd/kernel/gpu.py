"""Blocks of runs on GPUs: a call's arrays in their memory, from its first iteration to its last.

A GPU has an image of its own share of the blocks. It is written once; then each call of the kernel
takes these runs some iterations further. Python looks at what has become of them while the next
call is under way, so that a GPU doesn't wait for Python.
"""

from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np

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
            _Share(_blocks_of(call, begin, end), device, code)
            for device, begin, end in zip(devices, ends[:-1], ends[1:], strict=False)
        ]
        self._began: float | None = None  # the call that is under way
        self._iterations = 0  # of that
        self._pace = 0.0  # seconds of an iteration

    def run(self, first: int, last: int) -> float:
        """Start to train from iteration first to last; returns about how many seconds it takes.

        Meanwhile ``ended`` of the call's blocks is as it was before: as soon as this call is
        finished, :meth:`finish` or the next call brings it up to date.
        """
        self.finish()
        self._began, self._iterations = perf_counter(), last - first
        for share in self._shares:
            share.start(first, last)
        if not self._pace:  # the first call: how long it takes isn't known
            self.finish()
        return self._pace * (last - first)

    def finish(self) -> None:
        """Wait for the call that is under way."""
        if self._began is not None:
            for share in self._shares:
                share.finish()
            self._pace = (perf_counter() - self._began) / self._iterations
            self._began = None

    def read(self) -> None:
        """Copy the results to the call's arrays, when they are there."""
        self.finish()
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


def _blocks_of(call: Call, begin: int, end: int) -> Call:
    """The call with some of its blocks: views of its arrays."""

    def of(struct: Any) -> Any:
        values = (
            value[begin:end]
            if isinstance(value, np.ndarray)
            else (of(value) if isinstance(value, tuple) else value)
            for value in struct
        )
        return type(struct)(*values)

    tables = 1 if call.recipe.held is None else 2
    own = len(call.data) > tables  # or all blocks share them
    data = call.data[tables * begin : tables * end] if own else call.data
    blocks: Block = of(call.blocks)
    return call._replace(data=data, blocks=blocks)
