"""Numbers, names and times as people read them."""

from typing import Any

LISTED = 20
"""Names in a list that are shown at most."""


def listed(names: list[str]) -> str:
    """Names side by side; how many there are if not all are shown."""
    rest = f", ... ({len(names)} in all)" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + rest


def many(count: int, noun: str) -> str:
    """A number of things: 1 run, 2,000 runs."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def error_text(value: Any) -> str:
    """As Python 2 printed it: 12 significant digits."""
    return "-" if value is None else f"{value:.12g}"


def joined(values: Any, separator: str = ", ") -> str:
    """One number, or a tuple of them."""
    values = values if isinstance(values, tuple) else (values,)
    return separator.join(f"{value:g}" for value in values)


def layers_text(hidden_size: tuple[int, ...]) -> str:
    """Hidden layers as ``fastgd sweep`` takes them: 4, 8x2 or none."""
    return joined(hidden_size, "x") or "none"


def seconds_text(seconds: float) -> str:
    """A time with its unit."""
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{1000 * seconds:.1f} ms"
