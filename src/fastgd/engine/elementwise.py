"""Elementary functions of numbers and arrays, with the kernel's bits."""

from typing import Any


def evaluate(name: str, *arrays: Any) -> Any:
    """What the function with this name makes of them."""
    raise NotImplementedError(name)
