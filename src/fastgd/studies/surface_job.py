"""The points of an error plane, as a job: its chunks are bands of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fastgd.arguments.data import FloatArray
from fastgd.arguments.declarations import DECLARED
from fastgd.arguments.error_plane import Weight
from fastgd.arguments.options import Method
from fastgd.arguments.targets import outputs_of
from fastgd.engine.network import Network
from fastgd.engine.session import Session
from fastgd.store.folder import Folder
from fastgd.store.npz import Arrays
from fastgd.training.chunks import CHUNK_SECONDS, seconds_of
from fastgd.training.serialization import plain

THREAD_SECONDS = 1e-4
"""Work that is worth another thread."""


@dataclass(frozen=True, eq=False)
class SurfaceJob:
    """The points of a plane: a :class:`fastgd.workers.job.Job`."""

    network: Network
    method: Method
    X: FloatArray
    y: FloatArray
    parameters: FloatArray  # (P,): where the others are held
    places: tuple[Weight, Weight]
    across: FloatArray
    up: FloatArray
    count: int = 1
    """How many bands there are."""

    def in_chunks(self) -> SurfaceJob:
        """The same in bands of some seconds of work."""
        seconds = seconds_of(self.network, len(self.X), 1) * len(self.across)
        rows = max(1, int(CHUNK_SECONDS / seconds))
        return replace(self, count=-(-len(self.up) // rows))

    @property
    def sizes(self) -> list[int]:
        """Points of each band."""
        return [len(self._rows(chunk)) * len(self.across) for chunk in range(self.count)]

    @property
    def session(self) -> Session:
        """The same for all bands: one kernel measures them."""
        points = len(self.across) * len(self.up)
        return Session.of_measuring(self.network, self.method, self.X, self.y, points)

    def threads(self, wanted: int) -> int:
        """How many threads the whole plane is worth, at most as many as are wanted."""
        session, points = self.session, len(self.across) * len(self.up)
        needed = -(-points // session.layout.runs) * session.seconds()
        return min(wanted, max(1, int(needed / THREAD_SECONDS)))

    def compute(self, chunk: int, threads: int, advance: Callable[[int], None]) -> Arrays:
        """Measure the points of a band."""
        return {"errors": self._measured(self._rows(chunk), threads, advance)}

    def compile(self, threads: int) -> None:
        """Measure a row on so many threads."""
        self._measured(self.up[:1], threads, lambda _done: None)

    def joined(self, chunks: Sequence[Arrays]) -> FloatArray:
        """All errors, of those of the bands."""
        return np.concatenate([arrays["errors"] for arrays in chunks])

    def _rows(self, chunk: int) -> FloatArray:
        """The second weight's values in a band."""
        ends = (number * len(self.up) // self.count for number in (chunk, chunk + 1))
        return self.up[slice(*ends)]

    def _measured(
        self, rows: FloatArray, threads: int, advance: Callable[[int], None]
    ) -> FloatArray:
        session = self.session
        runs = session.load(np.tile(self.parameters, (threads * session.layout.runs, 1)))
        return runs.grid(self.across, rows, self.places, threads, advance)


def folder_of(path: Path, job: SurfaceJob, method: Method) -> Folder:
    """The folder for the bands of a plane."""
    arrays = {"X": job.X, "y": job.y, "weights": job.parameters}
    asked = {
        "sizes": job.network.sizes,
        "axes": job.places,
        "span": [(values[0], values[-1]) for values in (job.across, job.up)],
        "resolution": len(job.up),
        **plain(method.given, arrays),
    }
    return Folder.create(path, "surface", asked, {}, arrays, job.count)


def measuring(method: Method, y: FloatArray) -> Method:
    """What is compiled: errors need the loss only where that is of several outputs together."""
    is_joint = method.output == "softmax" or outputs_of(method.loss, y) != y.shape[1]
    return method if is_joint else method.at({"loss": DECLARED["loss"].default})
