"""Blocks of runs on GPUs: a call's arrays in their memory, from its first iteration to its last.

A GPU has an image of its own share of the blocks. It is written once; then each call of the kernel
takes these runs some iterations further. Python looks at what has become of them while the next
call is under way, so that a GPU doesn't wait for Python.

A thread trains a run, so networks of more than some 40 weights wait for memory. The bound of an
H100, on paper: the 32 runs of a warp of 16-16-1 have 139 kB of weights and gradients, whose reading
from the second-level cache (36 bytes per cycle and multiprocessor; Ultrasonics Sonochemistry 99,
106546, 2023, table 3) limits it to 9 multiply-adds per cycle, of 64. A warp for a run, with a lane
for each unit, could reach 43, with 8 x 32 tiles.
"""

from collections.abc import Sequence
from time import perf_counter, sleep
from weakref import WeakSet

import numpy as np

from fastgd.kernel.block import Block
from fastgd.kernel.call_image import Image, arrays_of, mapped, module, size_of
from fastgd.kernel.cuda import Device, DeviceError, Memory
from fastgd.kernel.fork_lock import ForkSafeLock
from fastgd.kernel.launch import KernelCall

TARGET = "nvptx64"

WAIT_SECONDS = 0.01
"""Time between two attempts to allocate what other threads have."""

_PASSING = ("scratch", "order", "chances", "draws", "drawn")
"""Arrays of a block that mean nothing between two calls, besides its batch."""


class BlocksOnGPUs:
    """The blocks of a call in the memory of these GPUs, of which each has a share.

    Raises
    ------
    DeviceError
        If a GPU has too little memory, or fails.
    """

    def __init__(self, call: KernelCall, devices: Sequence[Device]) -> None:
        count = len(call.blocks.numbers)
        code = module(call.shapes, call.recipe, TARGET)
        parts = min(len(devices), count)
        ends = [part * count // parts for part in range(parts + 1)]
        self._shares: list[_Share] = []
        try:
            for device, begin, end in zip(devices, ends[:-1], ends[1:], strict=False):
                self._shares.append(_Share(_blocks_of(call, begin, end), device, code))
        except BaseException:
            self.close()
            raise
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
        if self._began is None:
            return
        waited = [share.memory.wait() for share in self._shares]
        pace = (perf_counter() - self._began) / self._iterations
        # If none was waited for, the call was over before: it took less than that.
        self._pace = pace if any(waited) or not self._pace else min(pace, self._pace)
        self._began = None

    def read(self) -> None:
        """Copy the results to the call's arrays, when they are there."""
        self.finish()
        for share in self._shares:
            share.read()

    def close(self) -> None:
        """Free the memory."""
        for share in self._shares:
            _freed(share.memory)


class _Share:
    """Some blocks on a GPU."""

    def __init__(self, call: KernelCall, device: Device, code: bytes) -> None:
        self._call = call
        self._function = device.function(code)
        self.memory = _allocated(device, size_of(call))
        try:
            self._write(call)
        except BaseException:  # other threads may wait for the memory
            _freed(self.memory)
            raise

    def _write(self, call: KernelCall) -> None:
        """Copy the image."""
        image = Image.without_arrays(call, self.memory.address)
        pairs = zip(arrays_of(call), arrays_of(image.call), strict=True)
        # By their places: blocks may have an array in common.
        self._places = {
            image.address_of(mine) - image.base: (name, array)
            for (name, array), (_, mine) in pairs
            if array.size
        }
        self.memory.write(0, image.head.copy())
        for at, (_, array) in self._places.items():
            self.memory.write(at, np.ascontiguousarray(array))
        self._span = dict(image.numbers())["span.first"].offset
        self._ended = image.address_of(image.call.blocks.ended) - image.base

    def start(self, first: int, last: int) -> None:
        self.memory.write(self._span, np.array([first, last], np.int64))
        self.memory.launch(self._function, len(self._call.blocks.numbers))
        self.memory.read(self._ended, self._call.blocks.ended)

    def read(self) -> None:
        """Copy what has become of the runs to the call's arrays."""
        waiting = []
        for at, (name, array) in self._places.items():
            if name in _PASSING or name.startswith(("batch.", "data.", "span.")):
                continue
            into = array if array.flags.c_contiguous else np.empty(array.shape, array.dtype)
            self.memory.read(at, into)
            waiting.append((array, into))
        self.memory.wait()
        for array, into in waiting:
            if array is not into:
                array[...] = into


_held: "WeakSet[Memory]" = WeakSet()
"""The memory of all blocks of this process."""

_lock = ForkSafeLock()


def _on(device: Device) -> list[Memory]:
    """What blocks have on a GPU now."""
    return [each for each in list(_held) if each.device == device and each.close.alive]


def free_on(device: Device) -> int:
    """How many bytes of a GPU are free, or will be when no blocks of this process are there."""
    with _lock:  # otherwise what is freed between the two is in neither
        return device.free() + sum(each.size for each in _on(device))


def _allocated(device: Device, size: int) -> Memory:
    """Allocate memory; waits while other threads have too much of it."""
    while True:
        with _lock:  # what is allocated is known
            others = _on(device)
            try:
                memory = device.allocate(size)
            except DeviceError as error:
                if error.status != "OUT_OF_MEMORY" or not others:
                    raise
            else:
                _held.add(memory)
                return memory
        sleep(WAIT_SECONDS)


def _freed(memory: Memory) -> None:
    """Free memory, of which other threads know either that it is held or that it is free."""
    with _lock:
        memory.close()


def _blocks_of(call: KernelCall, begin: int, end: int) -> KernelCall:
    """The call with some of its blocks: views of its arrays."""
    tables = 1 if call.recipe.held is None else 2
    own = len(call.data) > tables  # or all blocks share them
    data = call.data[tables * begin : tables * end] if own else call.data
    blocks: Block = mapped(call.blocks, lambda array: array[begin:end])
    return call._replace(data=data, blocks=blocks)
