"""The points of a loss surface: which they are, and a job whose chunks are bands of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastgd.arguments.declarations import DECLARED
from fastgd.arguments.options import Method
from fastgd.checks.messages import shown
from fastgd.checks.numbers import FloatArray, check_ends, integer
from fastgd.engine.devices import CPU
from fastgd.engine.network import Network
from fastgd.engine.session import Session
from fastgd.formulas.named import loss_of
from fastgd.store import Arrays
from fastgd.training.sweep_axes import CHUNK_SECONDS, seconds_of

Weight = tuple[int, int, int]
Span = tuple[float, float]

THREAD_SECONDS = 1e-4
"""Work that justifies another thread."""


@dataclass(frozen=True, eq=False)
class SurfaceJob:
    """The points of a surface: a :class:`fastgd.workers.tasks.Job`."""

    network: Network
    method: Method
    X: FloatArray
    y: FloatArray
    parameters: FloatArray  # (P,): the fixed values
    places: tuple[Weight, Weight]
    across: FloatArray
    up: FloatArray
    count: int = 1
    """Number of bands."""
    device: str = CPU
    """Where the errors are computed: see :mod:`fastgd.engine.devices`."""

    def in_chunks(self) -> SurfaceJob:
        """Return the same job, divided into bands of some seconds of work."""
        seconds = seconds_of(self.network, len(self.X), 1) * len(self.across)
        rows = max(1, int(CHUNK_SECONDS / seconds))
        return replace(self, count=-(-len(self.up) // rows))

    @property
    def sizes(self) -> list[int]:
        """Points of each band."""
        return [len(self._rows(chunk)) * len(self.across) for chunk in range(self.count)]

    @property
    def session(self) -> Session:
        """The session of all bands: one kernel computes them."""
        points = len(self.across) * len(self.up)
        return Session.of_measuring(self.network, self.method, self.X, self.y, points, self.device)

    def threads(self, wanted: int) -> int:
        """Return the number of threads that the whole surface justifies, at most ``wanted``."""
        session, points = self.session, len(self.across) * len(self.up)
        needed = -(-points // session.layout.runs) * session.seconds()
        return min(wanted, max(1, int(needed / THREAD_SECONDS)))

    def compute(self, chunk: int, threads: int, advance: Callable[[int], None]) -> Arrays:
        """Compute the errors of a band."""
        return {"errors": self._measured(self._rows(chunk), threads, advance)}

    def compile(self, threads: int) -> None:
        """Compute one row, to compile the code."""
        self._measured(self.up[:1], threads, lambda _done: None)

    def joined(self, chunks: Sequence[Arrays]) -> FloatArray:
        """Assemble the errors of all bands."""
        return np.concatenate([arrays["errors"] for arrays in chunks])

    def _rows(self, chunk: int) -> FloatArray:
        """Return the second weight's values in a band."""
        ends = (number * len(self.up) // self.count for number in (chunk, chunk + 1))
        return self.up[slice(*ends)]

    def _measured(
        self, rows: FloatArray, threads: int, advance: Callable[[int], None]
    ) -> FloatArray:
        session = self.session
        if self.device != CPU:
            return session.measured(self.parameters, self.across, rows, self.places, advance)
        runs = session.load(np.tile(self.parameters, (threads * session.layout.runs, 1)))
        return runs.grid(self.across, rows, self.places, threads, advance)


def measuring(method: Method) -> Method:
    """Return the method to compile: errors need the loss only if it combines several outputs."""
    is_joint = method.output == "softmax" or loss_of(method.loss).units > 1
    return method if is_joint else method.at({"loss": DECLARED["loss"].default})


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
