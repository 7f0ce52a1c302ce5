"""Arguments of a loss surface: the two weights along its axes, and the range of each."""

from collections.abc import Sequence
from typing import Any

from fastgd.checks.messages import shown
from fastgd.checks.values import check_ends, integer

Weight = tuple[int, int, int]
Span = tuple[float, float]


def check_two_weights(axes: object, shapes: Sequence[tuple[int, int]]) -> tuple[Weight, Weight]:
    """Return two different weights (layer, input, output) of layers with these shapes."""
    if not _is_pair(axes):
        raise TypeError(f"axes must be two weights (layer, input, output), got {shown(axes)}")
    first, second = (
        _check_weight(f"axes[{k}]", weight, shapes) for k, weight in enumerate(_parts(axes))
    )
    if first == second:
        raise ValueError(f"axes must be two different weights, got {first} twice")
    return first, second


def _check_weight(name: str, weight: object, shapes: Sequence[tuple[int, int]]) -> Weight:
    numbers = [integer(number) for number in _parts(weight)]
    if len(numbers) != 3 or None in numbers:
        raise TypeError(
            f"{name} must be a weight (layer, input, output), three ints, got {shown(weight)}"
        )
    layer, row, column = (int(number) for number in numbers if number is not None)
    if not 0 <= layer < len(shapes):
        raise ValueError(f"{name} must be in layer {_range(len(shapes))}, got {shown(weight)}")
    rows, columns = shapes[layer]
    if not (0 <= row < rows and 0 <= column < columns):
        raise ValueError(
            f"{name} must be from input {_range(rows)} to output {_range(columns)} of layer "
            f"{layer}, got {shown(weight)}"
        )
    return layer, row, column


def check_spans(span: object) -> tuple[Span, Span]:
    """Return the range (low, high) of each of the two weights; a single span serves both."""
    if not _is_pair(span):
        raise TypeError(f"span must be (low, high), or two of these, got {shown(span)}")
    ends = _parts(span)
    if not any(map(_is_pair, ends)):
        both = check_ends("span", span)
        return both, both
    return check_ends("span[0]", ends[0]), check_ends("span[1]", ends[1])


def _is_pair(value: object) -> bool:
    return len(_parts(value)) == 2


def _parts(value: object) -> list[Any]:
    """Return the items of a list, tuple or array; nothing for any other value."""
    if isinstance(value, (list, tuple)):
        return list(value)
    return list(value) if getattr(value, "ndim", 0) else []  # type: ignore[call-overload]


def _range(count: int) -> str:
    return "0" if count == 1 else f"0 to {count - 1}"
