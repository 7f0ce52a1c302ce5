"""NVIDIA GPUs: their memory, the kernels that they run, and one sentence for each failure.

With :mod:`.cuda_driver`, this is all that fastgd knows of CUDA. The package ``cuda-bindings``,
which calls the driver, is imported when a GPU is first needed. No toolkit is needed: the driver
compiles PTX.

What is submitted to a :class:`Memory` happens in the order of the calls, but later, while Python
does something else: it has happened after :meth:`Memory.wait`. Two of them don't wait for each
other, so that several threads of Python can use one GPU, each with memory of its own.
"""

import ctypes
import re
import threading
import time
import weakref
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple

from numpy.typing import NDArray

from fastgd.kernel.cuda import DeviceError, Driver, dotted
from fastgd.kernel.fork_lock import ForkSafeLock
from fastgd.kernel.language.loads_and_stores import WARP

OLDEST_GPU = 7, 0
"""The compute capability that all code for GPUs needs, as its target is sm_70."""

_TOO_OLD = "INVALID_PTX UNSUPPORTED_PTX_VERSION NO_BINARY_FOR_GPU JIT_COMPILER_NOT_FOUND"


class Function(NamedTuple):
    """A kernel that a GPU can run."""

    handle: Any


@dataclass(frozen=True)
class Device:
    """A GPU. Two are equal if they have the same number."""

    index: int
    name: str = field(compare=False)
    memory: int = field(compare=False)
    """Bytes, of which others may use some: see :meth:`free`."""
    capability: tuple[int, int] = field(compare=False)
    multiprocessors: int = field(compare=False)
    _driver: Driver = field(compare=False, repr=False)
    _lock: ForkSafeLock = field(default_factory=ForkSafeLock, compare=False, repr=False)
    _functions: dict[bytes, "Future[Function]"] = field(
        default_factory=dict, compare=False, repr=False
    )

    def __str__(self) -> str:
        return f"cuda:{self.index} ({self.name})"

    def check_capability(self, needed: tuple[int, int] = OLDEST_GPU) -> None:
        """Raise a DeviceError if this GPU is too old."""
        if self.capability < needed:
            raise DeviceError(
                f"a kernel needs a GPU of compute capability {dotted(needed)} or newer, "
                f"got {dotted(self.capability)} of {self}"
            )

    def free(self) -> int:
        """How many bytes are free now."""
        free: int = self._call("cuMemGetInfo")[0]
        return free

    def allocate(self, size: int) -> "Memory":
        """Allocate memory, whose content is arbitrary.

        Raises
        ------
        DeviceError
            If the GPU doesn't have that many bytes, or can't be used.
        """
        try:
            return Memory(self, size)
        except DeviceError as error:
            if error.status != "OUT_OF_MEMORY":
                raise
            raise DeviceError(
                f"the data of a kernel must fit into the free memory of {self} "
                f"({self.free():,} bytes), got a need of {size:,} bytes",
                error.status,
            ) from error

    def function(self, ptx: bytes) -> Function:
        """Compile the function ``train`` of some PTX, once per process.

        That can take seconds, which other threads compute in, and Ctrl-C interrupts: a thread of
        its own is in the driver, and finishes.

        Raises
        ------
        DeviceError
            If the GPU or its driver is too old, or can't be used.
        """
        self._driver.check_process()
        key = sha256(ptx).digest()
        with self._lock:
            made = self._functions.get(key)
            if made is None:
                made = Future()
                threading.Thread(target=self._compile, args=(key, ptx, made)).start()
                self._functions[key] = made
        return made.result()

    def _compile(self, key: bytes, ptx: bytes, made: "Future[Function]") -> None:
        try:
            made.set_result(self._compiled(ptx))
        except BaseException as error:  # for those who wait; whoever asks next may have more luck
            with self._lock:
                del self._functions[key]
            made.set_exception(error)

    def _compiled(self, ptx: bytes) -> Function:
        version, capability = _facts(ptx)
        self.check_capability(capability)
        options, log = self._driver.api.CUjit_option, bytearray(8192)
        kinds = [options.CU_JIT_ERROR_LOG_BUFFER, options.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES]
        try:
            module = self._call("cuModuleLoadDataEx", ptx + b"\0", 2, kinds, [log, len(log)])
        except DeviceError as error:
            if error.status not in _TOO_OLD.split():
                raise
            # Since CUDA 11 a driver reads the PTX of its own version minus 4.
            needed, report = (version[0] + 4, version[1]), ""
            if error.status == "JIT_COMPILER_NOT_FOUND":
                rule = "a kernel needs the driver's compiler of PTX, a library of its own"
            elif self._driver.version < needed:
                rule = f"a kernel needs a driver that compiles PTX {dotted(version)}, as those for "
                rule += f"CUDA {dotted(needed)} and newer do"
            else:
                rule = f"the driver must compile PTX {dotted(version)} of fastgd"
                report = " (please report it)"
            message = " ".join(log.partition(b"\0")[0].decode(errors="replace").split())
            raise DeviceError(
                f"{rule}, got CUDA_ERROR_{error.status} from one for CUDA "
                f"{dotted(self._driver.version)}{report}{message and ': '}{message}",
                error.status,
            ) from error
        return Function(self._call("cuModuleGetFunction", module, b"train"))

    def _call(self, name: str, *arguments: Any) -> Any:
        """Call the driver for this GPU, and leave this thread with the GPU that it had."""
        self._driver.check_process()
        self._driver.call("cuCtxPushCurrent", self._driver.context(self.index), of=self)
        try:
            return self._driver.call(name, *arguments, of=self)
        finally:
            self._driver.api.cuCtxPopCurrent()


class Memory:
    """Memory of a GPU, and the order in which all that is submitted to it happens.

    It is freed when it is closed, or is garbage. One thread at a time may use it. An array that is
    written or read must not change, nor be used, before :meth:`wait` returns.
    """

    def __init__(self, device: Device, size: int) -> None:
        self.device, self.size = device, size
        self._arrays: list[NDArray[Any]] = []  # that the driver may still read or write
        self._reads: list[tuple[int, NDArray[Any]]] = []  # not yet submitted
        handles: list[tuple[str, Any]] = []
        #: Wait for what has been submitted, and free the memory.
        self.close = weakref.finalize(self, _free, device, handles, self._arrays)
        try:
            pointer = device._call("cuMemAlloc", size)
            handles.append(("cuMemFree", pointer))
            # Not the stream that waits for all others of the process.
            kind = device._driver.api.CUstream_flags.CU_STREAM_NON_BLOCKING
            self._stream = device._call("cuStreamCreate", kind)
            handles += [("cuStreamDestroy", self._stream), ("cuStreamSynchronize", self._stream)]
        except DeviceError:
            self.close()
            raise
        self.address = int(pointer)

    def write(self, offset: int, values: NDArray[Any]) -> None:
        """Copy an array to the GPU."""
        self._read_now()
        place, values_at = self._place(offset, values), values.ctypes.data
        self._arrays.append(values)
        self.device._call("cuMemcpyHtoDAsync", place, values_at, values.nbytes, self._stream)

    def read(self, offset: int, into: NDArray[Any]) -> None:
        """Copy from the GPU to an array."""
        # Later: the driver would wait for the kernel here, and keep other GPUs waiting, and Ctrl-C.
        self._reads.append((self._place(offset, into), into))

    def launch(self, function: Function, blocks: int) -> None:
        """Run a kernel, whose argument is the address of this memory, on this number of blocks."""
        self._read_now()
        argument = (self.address,), (ctypes.c_uint64,)
        grid, block = (blocks, 1, 1), (WARP, 1, 1)
        launched = function.handle, *grid, *block, 0, self._stream, argument, 0
        self.device._call("cuLaunchKernel", *launched)

    def wait(self) -> bool:
        """Wait until all that was submitted has happened; returns whether it hadn't yet.

        Ctrl-C interrupts that within a millisecond.

        Raises
        ------
        DeviceError
            If a kernel has failed.
        """
        waited = self._until_done()
        if self._reads:
            self._read_now()
            self._until_done()
        self._arrays.clear()
        return waited

    def _place(self, offset: int, array: NDArray[Any]) -> int:
        if not (array.flags.c_contiguous and 0 <= offset <= self.size - array.nbytes):
            raise ValueError(
                f"an array must be contiguous and within the {self.size:,} bytes of the memory, "
                f"got strides {array.strides} and bytes {offset:,} to {offset + array.nbytes:,}"
            )
        return self.address + offset

    def _read_now(self) -> None:
        reads, self._reads = self._reads, []
        for place, into in reads:
            self._arrays.append(into)
            at = into.ctypes.data
            self.device._call("cuMemcpyDtoHAsync", at, place, into.nbytes, self._stream)

    def _until_done(self) -> bool:
        waited, pause = False, 2e-5  # seconds
        while not self._done():
            waited = True
            time.sleep(pause)
            pause = min(1.2 * pause, 2e-4)  # a sixth of the time that has passed, at most
        return waited

    def _done(self) -> bool:
        try:
            self.device._call("cuStreamQuery", self._stream)
        except DeviceError as error:
            if error.status != "NOT_READY":
                raise
            return False
        return True


def _free(device: Device, handles: list[tuple[str, Any]], arrays: list[NDArray[Any]]) -> None:
    for name, handle in reversed(handles):
        with suppress(DeviceError):  # a GPU that has failed has freed it, a fork never had it
            device._call(name, handle)
    arrays.clear()


# ------------------------------------------------------------------ which there are

_lock = ForkSafeLock()
_known: list[Device] = []


def devices() -> list[Device]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES says.

    Raises
    ------
    DeviceError
        If there is none, with what is missing.
    """
    with _lock:
        if not _known:
            driver = Driver()
            _known.extend([_device(driver, k) for k in range(driver.count)])  # all, or none
    _known[0]._driver.check_process()
    return list(_known)


def device_at(index: int) -> Device:
    """Return the GPU with this number, or raise a DeviceError."""
    found = devices()
    if index not in range(len(found)):
        last = f" to cuda:{len(found) - 1}" if len(found) > 1 else ""
        raise DeviceError(f"a GPU of this process must be cuda:0{last}, got cuda:{index}")
    return found[index]


def _device(driver: Driver, index: int) -> Device:
    handle, kind = driver.call("cuDeviceGet", index), driver.api.CUdevice_attribute
    major, minor, multiprocessors = (
        driver.call("cuDeviceGetAttribute", attribute, handle)
        for attribute in (
            kind.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
            kind.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
            kind.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT,
        )
    )
    name = driver.call("cuDeviceGetName", 256, handle).partition(b"\0")[0].decode()
    memory = driver.call("cuDeviceTotalMem", handle)
    return Device(index, name, memory, (major, minor), multiprocessors, driver)


def _facts(ptx: bytes) -> tuple[tuple[int, int], tuple[int, int]]:
    """The version of PTX that this is, and the compute capability that it needs."""
    version = re.search(rb"^\.version (\d+)\.(\d+)", ptx, re.MULTILINE)
    target = re.search(rb"^\.target sm_(\d+)(\d)", ptx, re.MULTILINE)
    if version is None or target is None:
        raise ValueError(f"PTX must name its version and target, got {ptx[:40]!r}")
    return (int(version[1]), int(version[2])), (int(target[1]), int(target[2]))
