"""Where runs are trained: on this machine's processors, or on GPUs, to the same bits.

A device is named as in PyTorch: ``"cpu"``, ``"cuda"`` for all GPUs that the process sees, or
``"cuda:1"`` for one of them. With ``"auto"`` it is the faster of the first two.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastgd.kernel.cuda import Device

CPU, CUDA, AUTO = "cpu", "cuda", "auto"


def devices_of(name: str) -> "tuple[Device, ...]":
    """Return the GPUs of this name.

    Raises
    ------
    DeviceError
        If there is no such GPU, or nothing to use it with.
    """
    from fastgd.kernel.cuda import device_at, devices  # when a GPU is asked for

    if name == CUDA:
        return tuple(devices())
    return (device_at(int(name.partition(":")[2])),)
