"""Where runs are trained: on this machine's processors, or on GPUs, to the same bits.

A device is named as in PyTorch: ``"cpu"``, ``"cuda"`` for all GPUs that the process sees, or
``"cuda:1"`` for one of them. With ``"auto"`` it is the faster of the first two.
"""

from typing import TYPE_CHECKING

from fastgd.kernel.cuda_driver import DeviceError as DeviceError
from fastgd.kernel.language.threads import WARP

if TYPE_CHECKING:
    from fastgd.kernel.cuda import Device

CPU, CUDA, AUTO = "cpu", "cuda", "auto"

USED = 0.9
"""Share of a GPU's free memory that runs may take: the rest is for other allocations."""


def devices_of(name: str) -> "tuple[Device, ...]":
    """Return the GPUs of this name.

    Raises
    ------
    DeviceError
        If there is no such GPU, or nothing to use it with.
    """
    from fastgd.kernel.cuda import device_at  # when a GPU is needed

    if name == CUDA:
        found, too_old = usable_gpus()
        if not found:
            raise too_old[0]
        return found
    gpu = device_at(int(name.partition(":")[2]))
    gpu.check_capability()
    return (gpu,)


def usable_gpus() -> "tuple[tuple[Device, ...], list[DeviceError]]":
    """Return the GPUs that this process can use, and an error for each that is too old.

    Raises
    ------
    DeviceError
        If there are none at all.
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

    Raises
    ------
    DeviceError
        As :func:`devices_of`.
    """
    if name not in (CPU, AUTO):
        devices_of(name)
    return name


def room_on(name: str, of_block: int, of_all: int) -> int:
    """Return how many blocks of this size, with data that they share, fit on the GPUs.

    Raises
    ------
    DeviceError
        If not even one does.
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
