"""A stand-in for the module cuda.bindings.driver, and so for GPUs.

It has the functions that fastgd calls, which return what those of the package return, and are as
strict as the driver, or stricter:

- Nothing happens before somebody waits: a copy reads or writes the host's array then, not earlier.
- Its memory is in NumPy arrays, at addresses that are far apart.
- A thread needs a context, streams and functions belong to theirs, and a forked child has nothing.
- After a kernel that failed, every call for that GPU fails in the same way.

What is called is recorded, and any call can be made to fail.
"""

# ruff: noqa: N801, N802 (the names are those of the package)

import ctypes
import gc
import os
import re
import sys
import threading
from bisect import bisect_right
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache, wraps

import numpy as np

from fastgd.kernel import cuda


class CUresult(IntEnum):
    CUDA_SUCCESS = 0
    CUDA_ERROR_INVALID_VALUE = 1
    CUDA_ERROR_OUT_OF_MEMORY = 2
    CUDA_ERROR_NOT_INITIALIZED = 3
    CUDA_ERROR_DEINITIALIZED = 4
    CUDA_ERROR_DEVICE_UNAVAILABLE = 46
    CUDA_ERROR_NO_DEVICE = 100
    CUDA_ERROR_INVALID_DEVICE = 101
    CUDA_ERROR_INVALID_CONTEXT = 201
    CUDA_ERROR_NO_BINARY_FOR_GPU = 209
    CUDA_ERROR_ECC_UNCORRECTABLE = 214
    CUDA_ERROR_INVALID_PTX = 218
    CUDA_ERROR_NVLINK_UNCORRECTABLE = 220
    CUDA_ERROR_JIT_COMPILER_NOT_FOUND = 221
    CUDA_ERROR_UNSUPPORTED_PTX_VERSION = 222
    CUDA_ERROR_INVALID_HANDLE = 400
    CUDA_ERROR_NOT_FOUND = 500
    CUDA_ERROR_NOT_READY = 600
    CUDA_ERROR_ILLEGAL_ADDRESS = 700
    CUDA_ERROR_LAUNCH_TIMEOUT = 702
    CUDA_ERROR_CONTEXT_IS_DESTROYED = 709
    CUDA_ERROR_ASSERT = 710
    CUDA_ERROR_HARDWARE_STACK_ERROR = 714
    CUDA_ERROR_ILLEGAL_INSTRUCTION = 715
    CUDA_ERROR_MISALIGNED_ADDRESS = 716
    CUDA_ERROR_INVALID_ADDRESS_SPACE = 717
    CUDA_ERROR_INVALID_PC = 718
    CUDA_ERROR_LAUNCH_FAILED = 719
    CUDA_ERROR_EXTERNAL_DEVICE = 911
    CUDA_ERROR_SYSTEM_NOT_READY = 802
    CUDA_ERROR_SYSTEM_DRIVER_MISMATCH = 803
    CUDA_ERROR_UNKNOWN = 999


class CUdevice_attribute(IntEnum):
    CU_DEVICE_ATTRIBUTE_CLOCK_RATE = 13
    CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76


class CUjit_option(IntEnum):
    CU_JIT_ERROR_LOG_BUFFER = 5
    CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES = 6


class CUstream_flags(IntEnum):
    CU_STREAM_NON_BLOCKING = 1


ENUMS = CUresult, CUdevice_attribute, CUjit_option, CUstream_flags

SUCCESS = CUresult.CUDA_SUCCESS

MOST_FILLED = 1 << 24
"""Bytes of new memory that are no zeros; a kernel of tests has less."""


class CudaError(Exception):
    """The GPU stops with this error, which has lost its context."""

    def __init__(self, status):
        super().__init__(status.name)
        self.status = status


class DeviceMemory:
    """The memory of a GPU: what is allocated, by address."""

    def __init__(self, size, first):
        self.size = size
        self.parts = {}  # address -> array
        self._next = first

    def allocate(self, size):
        address, self._next = self._next, self._next + (1 << 36) + 256
        self.parts[address] = np.empty(size, np.uint8)
        self.parts[address][:MOST_FILLED] = 0xA5  # nothing relies on zeros
        return address

    @property
    def free(self):
        return self.size - sum(array.size for array in self.parts.values())

    def view(self, address, size):
        """Return these bytes as an array, or raise an error unless one allocation has them."""
        begins = sorted(self.parts)
        begin = begins[bisect_right(begins, address) - 1] if begins else address
        array = self.parts.get(begin, np.empty(0, np.uint8))
        if not 0 <= address - begin <= array.size - size:
            raise CudaError(CUresult.CUDA_ERROR_ILLEGAL_ADDRESS)
        return array[address - begin : address - begin + size]


class Handle:
    """What the driver gives out: like the classes of the package, a number at most."""

    def __init__(self, number, **facts):
        self._number = number
        self.__dict__.update(facts)

    def __int__(self):
        return self._number


@dataclass
class GPU:
    name: str
    memory: DeviceMemory
    capability: tuple[int, int]
    multiprocessors: int
    context: Handle | None = None
    lost: CUresult | None = None
    streams: list = field(default_factory=list)


@cache
def program_of(ptx):
    """The kernel of a PTX text, which is read once."""
    from ptx_machine import Program  # only where kernels run

    return Program(ptx)


def run_on_machine(ptx, memory, address, blocks):
    """Run a kernel, with the exact arithmetic of a GPU."""
    from ptx_machine import AccessError, Trapped, run

    try:
        run(program_of(ptx), memory.parts, [address], blocks)
    except AccessError as error:
        raise CudaError(CUresult.CUDA_ERROR_ILLEGAL_ADDRESS) from error
    except Trapped as error:
        raise CudaError(CUresult.CUDA_ERROR_LAUNCH_FAILED) from error


IDLE = b".version 7.8\n.target sm_70\n.visible .entry train()\n{ ret; }\n"
"""A kernel that does nothing."""


def _function(values=0, needs_context=True):
    """A function of the driver: it is recorded, and may have been told to fail.

    It returns how many values there are after the status: None each if it fails.
    """

    def decorate(method):
        name = method.__name__

        @wraps(method)
        def call(self, *arguments):
            with self._lock:
                self.calls.append((name, arguments))
                status, result = self._before(name, needs_context), None
                if status is SUCCESS:
                    try:
                        result = method(self, *arguments)
                    except CudaError as error:
                        status = error.status
            if status is not SUCCESS:
                return status, *[None] * values
            return (status, result) if values == 1 else (status, *(result or ()))

        call.is_function = True
        return call

    return decorate


class StandIn:
    """The module, for these GPUs.

    ``run(ptx, memory, address, blocks)`` is a launch; what it raises other than a CudaError is an
    error of the test.
    """

    CUresult, CUdevice_attribute = CUresult, CUdevice_attribute
    CUjit_option, CUstream_flags = CUjit_option, CUstream_flags

    def __init__(
        self, count=1, memory=1 << 30, capability=(9, 0), version=13000, run=run_on_machine
    ):
        self.gpus = [
            GPU(f"Stand-in {k}", DeviceMemory(memory, (k + 1) << 44), capability, 132)
            for k in range(count)
        ]
        self.version, self.run = version, run
        self.calls = []
        self.failures = []  # why kernels have failed
        self._process = None
        self._lock = threading.RLock()
        self._stacks = threading.local()
        self._to_fail = {}  # (name, number of the call) -> status
        self._numbers = Counter()
        self._last = 0

    # what tests ask and say

    @property
    def allocated(self):
        """The sizes of what is allocated, by address."""
        return {at: a.size for gpu in self.gpus for at, a in gpu.memory.parts.items()}

    @property
    def streams(self):
        return [stream for gpu in self.gpus for stream in gpu.streams]

    def named(self, name):
        """The arguments of all calls of a function."""
        return [arguments for called, arguments in self.calls if called == name]

    def fail(self, name, status, call=1):
        """Let a call fail: the next one (1), or a later one."""
        self._to_fail[name, self._numbers[name] + call] = CUresult[f"CUDA_ERROR_{status}"]

    # how it works

    def _before(self, name, needs_context):
        if self._process not in (None, os.getpid()):
            return CUresult.CUDA_ERROR_NOT_INITIALIZED
        self._numbers[name] += 1
        if status := self._to_fail.pop((name, self._numbers[name]), None):
            return status
        if name != "cuInit" and self._process is None:
            return CUresult.CUDA_ERROR_NOT_INITIALIZED
        if needs_context:
            stack = self._stack
            if not stack:
                return CUresult.CUDA_ERROR_INVALID_CONTEXT
            if stack[-1].lost:
                return stack[-1].lost
        return SUCCESS

    @property
    def _stack(self):
        if not hasattr(self._stacks, "gpus"):
            self._stacks.gpus = []
        return self._stacks.gpus

    @property
    def _gpu(self):
        return self._stack[-1]

    def _handle(self, **facts):
        self._last += 1
        return Handle(self._last, **facts)

    def _enqueue(self, stream, operation):
        self._check(stream in self._gpu.streams)
        stream.queue.append(operation)
        stream.polled = False

    def _check(self, fact, status=CUresult.CUDA_ERROR_INVALID_HANDLE):
        if not fact:
            raise CudaError(status)

    def _finish(self, gpu, stream):
        """Do what is in a stream: the one place where something happens."""
        try:
            while stream.queue:
                stream.queue.pop(0)()
        except CudaError as error:
            self.failures.append(error.__cause__ or error)
            self.lose(gpu, error.status)
            raise

    def lose(self, gpu, status):
        """The GPU fails, and forgets everything."""
        gpu.lost = status
        gpu.memory.parts.clear()
        gpu.streams.clear()

    # the driver's functions

    @_function(needs_context=False)
    def cuInit(self, _flags):
        self._process = os.getpid()
        self._check(self.gpus, CUresult.CUDA_ERROR_NO_DEVICE)

    @_function(1, needs_context=False)
    def cuDriverGetVersion(self):
        return self.version

    @_function(1, needs_context=False)
    def cuDeviceGetCount(self):
        return len(self.gpus)

    @_function(1, needs_context=False)
    def cuDeviceGet(self, ordinal):
        self._check(ordinal in range(len(self.gpus)), CUresult.CUDA_ERROR_INVALID_DEVICE)
        return Handle(ordinal, gpu=self.gpus[ordinal])

    @_function(1, needs_context=False)
    def cuDeviceGetName(self, length, device):
        return device.gpu.name.encode().ljust(length, b"\0")

    @_function(1, needs_context=False)
    def cuDeviceTotalMem(self, device):
        return device.gpu.memory.size

    @_function(1, needs_context=False)
    def cuDeviceGetAttribute(self, attribute, device):
        capability, kinds = device.gpu.capability, CUdevice_attribute
        return {
            kinds.CU_DEVICE_ATTRIBUTE_CLOCK_RATE: 1_980_000,  # kHz
            kinds.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: device.gpu.multiprocessors,
            kinds.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: capability[0],
            kinds.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: capability[1],
        }[attribute]

    @_function(1, needs_context=False)
    def cuDevicePrimaryCtxRetain(self, device):
        if device.gpu.context is None:
            device.gpu.context = self._handle(gpu=device.gpu)
        return device.gpu.context

    @_function(needs_context=False)
    def cuCtxPushCurrent(self, context):
        self._stack.append(context.gpu)

    @_function(1, needs_context=False)
    def cuCtxPopCurrent(self):
        self._check(self._stack, CUresult.CUDA_ERROR_INVALID_CONTEXT)
        return self._stack.pop().context

    @_function(2)
    def cuMemGetInfo(self):
        return self._gpu.memory.free, self._gpu.memory.size

    @_function(1)
    def cuMemAlloc(self, size):
        self._check(size > 0, CUresult.CUDA_ERROR_INVALID_VALUE)
        self._check(size <= self._gpu.memory.free, CUresult.CUDA_ERROR_OUT_OF_MEMORY)
        return Handle(self._gpu.memory.allocate(size))

    @_function()
    def cuMemFree(self, address):
        for stream in list(self._gpu.streams):  # as the driver does
            self._finish(self._gpu, stream)
        self._check(int(address) in self._gpu.memory.parts, CUresult.CUDA_ERROR_INVALID_VALUE)
        del self._gpu.memory.parts[int(address)]

    @_function(1)
    def cuStreamCreate(self, flags):
        self._check(flags == CUstream_flags.CU_STREAM_NON_BLOCKING)
        self._gpu.streams.append(self._handle(queue=[], polled=False))
        return self._gpu.streams[-1]

    @_function()
    def cuStreamDestroy(self, stream):
        self._check(stream in self._gpu.streams)
        self._finish(self._gpu, stream)
        self._gpu.streams.remove(stream)

    @_function()
    def cuStreamQuery(self, stream):
        self._check(stream in self._gpu.streams)
        if stream.queue and not stream.polled:  # it is busy as often as it is asked for work
            stream.polled = True
            raise CudaError(CUresult.CUDA_ERROR_NOT_READY)
        self._finish(self._gpu, stream)

    @_function()
    def cuStreamSynchronize(self, stream):
        self._check(stream in self._gpu.streams)
        self._finish(self._gpu, stream)

    @_function(1)
    def cuModuleLoadDataEx(self, image, count, options, values):
        self._check(image.endswith(b"\0"), CUresult.CUDA_ERROR_INVALID_VALUE)
        self._check(count == len(options) == len(values), CUresult.CUDA_ERROR_INVALID_VALUE)
        version = re.match(rb"\s*(?://.*\n|\s)*\.version (\d+)\.(\d+)", image)
        log, size = values
        self._check(len(log) == size, CUresult.CUDA_ERROR_INVALID_VALUE)
        if version is None or b".entry" not in image:
            log[:30] = b"ptxas fatal: it is not\nPTX\n".ljust(30, b"\0")
            raise CudaError(CUresult.CUDA_ERROR_INVALID_PTX)
        own = self.version // 1000 - 4, self.version % 1000 // 10
        readable = (int(version[1]), int(version[2])) <= own
        self._check(readable, CUresult.CUDA_ERROR_UNSUPPORTED_PTX_VERSION)
        return self._handle(gpu=self._gpu, ptx=image.rstrip(b"\0"))

    @_function(1)
    def cuModuleGetFunction(self, module, name):
        self._check(module.gpu is self._gpu)
        entry = rb"\.entry\s+%s\s*\(" % name
        self._check(re.search(entry, module.ptx), CUresult.CUDA_ERROR_NOT_FOUND)
        return self._handle(gpu=self._gpu, ptx=module.ptx)

    @_function()
    def cuMemcpyHtoDAsync(self, device, host, size, stream):
        memory = self._gpu.memory
        self._enqueue(stream, lambda: _copy(memory.view(device, size), _host(host, size)))

    @_function()
    def cuMemcpyDtoHAsync(self, host, device, size, stream):
        memory = self._gpu.memory
        self._enqueue(stream, lambda: _copy(_host(host, size), memory.view(device, size)))

    @_function()
    def cuLaunchKernel(self, function, x, y, z, u, v, w, shared, stream, parameters, extra):
        self._check(function.gpu is self._gpu)
        (address,), (kind,) = parameters
        assert kind is ctypes.c_uint64
        limits = CUresult.CUDA_ERROR_INVALID_VALUE
        self._check(1 <= x < 1 << 31 and (y, z, u, v, w, shared) == (1, 1, 32, 1, 1, 0), limits)
        self._check(extra == 0, limits)
        memory = self._gpu.memory
        self._enqueue(stream, lambda: self.run(function.ptx, memory, address, x))


def _host(address, size):
    return np.frombuffer((ctypes.c_uint8 * size).from_address(address), np.uint8)


def _copy(to, values):
    to[...] = values


FUNCTIONS = [name for name, each in vars(StandIn).items() if hasattr(each, "is_function")]


@contextmanager
def installed(monkeypatch, **facts):
    """Let fastgd find these GPUs instead of any others; in the end all must be free."""
    stand_in = StandIn(**facts)
    monkeypatch.setitem(sys.modules, "cuda.bindings.driver", stand_in)
    monkeypatch.setattr(cuda, "_known", [])
    yield stand_in
    if stand_in.allocated or stand_in.streams:
        gc.collect()  # of a large process it takes 0.2 s
    assert not stand_in.allocated
    assert not stand_in.streams
