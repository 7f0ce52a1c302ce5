"""CUDA's driver, through the package ``cuda-bindings``: one sentence for each of its errors."""

import os
import sys
from importlib import import_module
from typing import Any

_MEANINGS = {
    "a kernel must run to its end on {device}, got {status}: a new process can use that GPU": (
        "ASSERT CONTEXT_IS_DESTROYED HARDWARE_STACK_ERROR ILLEGAL_ADDRESS ILLEGAL_INSTRUCTION "
        "INVALID_ADDRESS_SPACE INVALID_PC LAUNCH_FAILED MISALIGNED_ADDRESS"
    ),
    "an iteration must take less time than a GPU with a display allows, got {status} of {device}: "
    "start a new process with fewer samples, or on a GPU without a display": "LAUNCH_TIMEOUT",
    "{device} must answer, got {status}: the command nvidia-smi says which GPUs do": (
        "DEINITIALIZED DEVICE_UNAVAILABLE ECC_UNCORRECTABLE EXTERNAL_DEVICE INVALID_CONTEXT "
        "NVLINK_UNCORRECTABLE SYSTEM_NOT_READY UNKNOWN"
    ),
    "{device} must have memory for the driver's own needs, got {status}": "OUT_OF_MEMORY",
}
_FORK = (
    "a process that uses a GPU must not be a fork of one that has used it, got such a fork: "
    "start it by the method 'spawn'"
)
OLDEST_CUDA = 12, 0
"""The driver must be for this version or a newer one, as cuda-bindings needs it."""

_NEEDS = f"training on a GPU needs an NVIDIA GPU and its driver for CUDA {OLDEST_CUDA[0]} or newer"


class DeviceError(RuntimeError):
    """A GPU can't be used, or has failed; ``status`` is the driver's name for the reason."""

    def __init__(self, rule: str, status: str = "") -> None:
        super().__init__(rule)
        self.status = status  # without its prefix CUDA_ERROR_


class Driver:
    """The driver, as this process uses it. Making the first one imports ``cuda-bindings``.

    Raises
    ------
    DeviceError
        If there is no GPU that this process may use, with what is missing.
    """

    def __init__(self) -> None:
        try:
            self.api: Any = import_module("cuda.bindings.driver")
        except ImportError as error:
            if sys.platform == "darwin":
                raise DeviceError("training on a GPU needs Linux or Windows, got macOS") from error
            raise DeviceError(
                f'training on a GPU needs cuda-bindings: pip install "fastgd[cuda]" ({error})'
            ) from error
        self.process = os.getpid()
        self.contexts: dict[int, Any] = {}
        try:
            self.call("cuInit", 0)
            self.count: int = self.call("cuDeviceGetCount")
        except DeviceError as error:
            if error.status == "NOT_INITIALIZED":  # another library has used it before the fork
                raise DeviceError(_FORK, error.status) from error
            if error.status != "NO_DEVICE":
                raise DeviceError(
                    f"{_NEEDS}, got CUDA_ERROR_{error.status} from the driver"
                ) from error
            self.count = 0
        except RuntimeError as error:  # cuda-bindings finds none, or one for CUDA 11
            raise DeviceError(f"{_NEEDS}, got a machine without such a driver") from error
        if not self.count:
            visible = os.environ.get("CUDA_VISIBLE_DEVICES")
            why = "" if visible is None else f" with CUDA_VISIBLE_DEVICES={visible!r}"
            raise DeviceError(f"{_NEEDS}, got no such GPU{why}", "NO_DEVICE")
        major, rest = divmod(self.call("cuDriverGetVersion"), 1000)
        self.version: tuple[int, int] = major, rest // 10
        if self.version < OLDEST_CUDA:
            raise DeviceError(f"{_NEEDS}, got one for CUDA {dotted(self.version)}")

    def check_process(self) -> None:
        """Raise an error in a forked child, where the driver doesn't work."""
        if os.getpid() != self.process:
            raise DeviceError(_FORK, "NOT_INITIALIZED")

    def context(self, index: int) -> Any:
        """The context of a GPU that all libraries of the process share."""
        if index not in self.contexts:  # two threads that come here together find the same one
            handle = self.call("cuDeviceGet", index)
            retained = self.call("cuDevicePrimaryCtxRetain", handle, of=f"cuda:{index}")
            self.contexts[index] = retained
        return self.contexts[index]

    def call(self, name: str, *arguments: Any, of: object = "the driver") -> Any:
        """Call a function of the driver, and raise what it returns as an error."""
        status, *values = getattr(self.api, name)(*arguments)
        if status == self.api.CUresult.CUDA_SUCCESS:
            return values[0] if len(values) == 1 else values
        short = status.name.removeprefix("CUDA_ERROR_")
        rules = (rule for rule, statuses in _MEANINGS.items() if short in statuses.split())
        rule = next(rules, f"{name} must succeed on {{device}}, got {{status}}")
        raise DeviceError(rule.format(device=of, status=status.name), short)


def dotted(version: tuple[int, int]) -> str:
    """Write a version, or a compute capability, as NVIDIA does."""
    return f"{version[0]}.{version[1]}"
