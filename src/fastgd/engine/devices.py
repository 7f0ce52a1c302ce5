"""Where runs are trained: on this machine's processors, or on GPUs, to the same bits.

Their compiled code is kept as files, which can be sent to processes that don't have it.

A device is named as in PyTorch: ``"cpu"``, ``"cuda"`` for all GPUs that the process sees, or
``"cuda:1"`` for one of them. With ``"auto"`` it is the faster of the first two.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numba.core import config

from fastgd.checks.messages import did_you_mean_choice, shown
from fastgd.kernel.cuda import DeviceError as DeviceError
from fastgd.kernel.language.cache import CodeLackingError as CodeLackingError
from fastgd.kernel.language.cache import asking as asking
from fastgd.kernel.language.cache import kept as kept
from fastgd.kernel.language.cache import place as place
from fastgd.kernel.language.code_directory import add_file as add_file
from fastgd.kernel.language.code_directory import read_file as read_file
from fastgd.kernel.language.loads_and_stores import WARP

if TYPE_CHECKING:
    from fastgd.kernel.cuda import Device

CPU, CUDA, AUTO = _NAMES = "cpu", "cuda", "auto"

USED = 0.9
"""Share of a GPU's free memory that runs may take: the rest is for other allocations."""

_OTHERS = ("amd", "hip", "metal", "mps", "opencl", "rocm", "sycl", "tpu", "vulkan", "xpu")
"""Names of devices of other vendors, in other libraries."""


def check_device(value: object) -> str:
    """Return value if it is the name of a device, whether or not there is one.

    Examples
    --------
    >>> check_device("cuda:1")
    'cuda:1'
    >>> check_device("gpu:1")
    Traceback (most recent call last):
    ...
    ValueError: device must be 'cpu', 'cuda', 'cuda:0' (or another number) or 'auto', \
got 'gpu:1': did you mean 'cuda'?
    """
    text = str(value) if isinstance(value, str) else ""
    if text in _NAMES or re.fullmatch("cuda:(0|[1-9][0-9]{0,8})", text):
        return text
    rule = (
        f"device must be 'cpu', 'cuda', 'cuda:0' (or another number) or 'auto', got {shown(value)}"
    )
    if not isinstance(value, str):
        raise TypeError(rule)
    kind = text.partition(":")[0]
    if kind.lower() in _OTHERS:
        raise ValueError(f"{rule}: all GPUs but NVIDIA's are unknown here")
    raise ValueError(rule + ("" if kind in _NAMES else did_you_mean_choice(kind, _NAMES)))


def available_threads() -> int:
    """Threads that may be started: NUMBA_NUM_THREADS, by default one per processor."""
    threads: int = config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    return threads


def devices_of(name: str) -> tuple[Device, ...]:
    """Return the GPUs of this name; DeviceError if there is none, or nothing to use it with."""
    from fastgd.kernel.cuda import device_at  # when a GPU is needed

    if name == CUDA:
        found, too_old = usable_gpus()
        if not found:
            raise too_old[0]
        return found
    gpu = device_at(int(name.partition(":")[2]))
    gpu.check_capability()
    return (gpu,)


def usable_gpus() -> tuple[tuple[Device, ...], list[DeviceError]]:
    """Return the GPUs that this process can use, and an error for each that is too old.

    DeviceError if there are none at all.
    """
    from fastgd.kernel.cuda import devices

    found, too_old = [], []
    for gpu in devices():
        try:
            gpu.check_capability()
        except DeviceError as error:
            too_old.append(error)
        else:
            found.append(gpu)
    return tuple(found), too_old


def looked_for(name: str) -> str:
    """Return the name of a device if it is there; "auto" is chosen later, and always is.

    Raises as :func:`devices_of`.
    """
    if name not in (CPU, AUTO):
        devices_of(name)
    return name


def room_on(name: str, of_block: int, of_all: int) -> int:
    """Return how many blocks of this size, with data that they share, fit on the GPUs.

    DeviceError if not even one does.
    """
    from fastgd.kernel.gpu import free_on

    gpus = devices_of(name)
    free, gpu = min((int(USED * free_on(gpu)), gpu.index) for gpu in gpus)
    if free < of_block + of_all:
        raise DeviceError(
            f"{WARP} runs and their samples must fit into the free memory of cuda:{gpu} "
            f"({free:,} bytes), got a need of {of_block + of_all:,} bytes"
        )
    return len(gpus) * ((free - of_all) // of_block)


# ---------------------------------------------------------------- devices()


@dataclass(frozen=True)
class DeviceFacts:
    """A device that networks can be trained on; a CPU has None where only GPUs have a value.

    Attributes
    ----------
    name : str
        What to pass as ``device``: "cpu", "cuda:0", ...
    model : str
        The processor, by LLVM's name, or the GPU.
    threads, lanes : int or None
        Of a CPU: the most threads, and how many float64 values a vector register holds.
    multiprocessors : int or None
        Of a GPU.
    capability : (int, int) or None
        Compute capability of a GPU; at least (7, 0) is needed.
    memory : int or None
        Bytes of a GPU's memory, of which other programs may use some.
    """

    name: str
    model: str
    threads: int | None = None
    lanes: int | None = None
    multiprocessors: int | None = None
    capability: tuple[int, int] | None = None
    memory: int | None = None


class DeviceList(list[DeviceFacts]):
    """Devices, shown as a table; ``note`` says why GPUs are missing, or is "" if none is."""

    def __init__(self, devices: Sequence[DeviceFacts], note: str = "") -> None:
        super().__init__(devices)
        self.note = note

    def __repr__(self) -> str:
        rows = [("device", "model", "memory", "processors", "capability")]
        for one in self:
            memory, capability = "", ".".join(map(str, one.capability or ()))
            processors = f"{one.threads} threads, {one.lanes} lanes"
            if one.memory is not None:
                memory = f"{one.memory / 10**9:.1f} GB"
                processors = f"{one.multiprocessors} multiprocessors"
            rows.append((one.name, one.model, memory, processors, capability))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        sides = "<<><<"
        lines = [
            "  ".join(
                f"{cell:{side}{width}}"
                for cell, side, width in zip(row, sides, widths, strict=True)
            ).rstrip()
            for row in rows
        ]
        return "\n".join([*lines, *([self.note] if self.note else [])])

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """Show the table in IPython, which shows subclasses of list as lists."""
        printer.text(repr(self))


def devices() -> DeviceList:
    """List what networks can be trained on: the CPU, and the GPUs that this process may use.

    Returns
    -------
    list of DeviceFacts
        It is shown as a table. Without a GPU that can be used, the line below the table, ``note``,
        says what is missing. GPUs that are too old are left out; the note names them.

    Examples
    --------
    >>> import fastgd
    >>> devices = fastgd.devices()
    >>> devices[0].name, devices[0].threads >= 1
    ('cpu', True)
    """
    from fastgd.kernel.language.numba_internals import processor
    from fastgd.kernel.vectorization import native_lanes

    cpu = DeviceFacts(CPU, processor()[1], threads=available_threads(), lanes=native_lanes())
    found, note = [cpu], ""
    try:
        gpus, too_old = usable_gpus()
        found += [
            DeviceFacts(
                f"{CUDA}:{gpu.index}",
                gpu.name,
                multiprocessors=gpu.multiprocessors,
                capability=gpu.capability,
                memory=gpu.memory,
            )
            for gpu in gpus
        ]
        why = "Left out" if gpus else "No GPU"
        note = "\n".join(f"{why}: {error}" for error in too_old)
    except DeviceError as error:
        note = f"No GPU: {error}"
    return DeviceList(found, note)
