"""Results of a sweep's runs, read from the chunks of a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.formatting import many
from fastgd.checks.memory import check_memory
from fastgd.engine.network import Network
from fastgd.engine.packed_samples import Index
from fastgd.engine.state import State
from fastgd.engine.summaries import ERROR_COUNT, RECENT, SMALLEST_AT, STATUS
from fastgd.engine.trained_runs import NOWHERE, STATE
from fastgd.store.chunk_file import CorruptChunkError, MissingChunkError
from fastgd.store.folder import Folder
from fastgd.training.chunks import Chunks

_WHOLE = ("outcome", "iterations", "total_changes", "best_iteration", "changes")
"""Results that are integers."""

_MISSING = {"outcome": -1, "best_iteration": NOWHERE}
"""Integer results of a missing run (one that has not been trained yet); others are 0."""


@dataclass(frozen=True)
class FolderResults:
    """The results of each network's runs, read from the folder at each access."""

    folder: Folder
    chunks: tuple[Chunks, ...]
    """The chunks of each network."""
    networks: tuple[Network, ...]
    records: int
    window: int | None
    """The value of the option ``summary``, if it was given."""

    def of(self, source: str, number: int, runs: slice | Index) -> Any:
        """Return a result of some runs of a network, by its name in ``TrainedRuns``."""
        if source == "state":
            names = [f"{STATE}{name}" for name in State._fields]
            return State(*(self._array(name, number, runs) for name in names))
        return self._array(source, number, runs)

    def _array(self, name: str, number: int, runs: slice | Index) -> NDArray[Any]:
        count = self.chunks[number].runs(self.chunks[number].count - 1).stop
        total = len(range(count)[runs]) if isinstance(runs, slice) else len(runs)
        found: NDArray[Any] | None = None
        first = sum(other.count for other in self.chunks[:number])
        for local, places, own in self._places(number, runs):
            try:
                array = self._of_chunk(first + local, name, number, local)[own]
            except MissingChunkError:
                continue
            if found is None:
                found = _room(name, total, array)
            if array.shape[1:] != found.shape[1:]:  # adaptive sampling: a value per sample
                found, array = _as_wide(found, array)
            found[places] = array
        return self._blank(name, number, total) if found is None else found

    def _of_chunk(self, chunk: int, name: str, number: int, local: int) -> NDArray[Any]:
        """Read and check a result of all runs of a chunk: a valid checksum can be forged."""
        place = self.chunks[number].runs(local)
        runs = place.stop - place.start
        with suppress(KeyError):
            array = self.folder.read(chunk, [name])[name]
            is_state = name.startswith(STATE)
            wanted = array.shape[1:] if is_state else self._trailing(name, number)
            kinds = "fiu" if is_state else "i" if name in _WHOLE else "f"
            fits = array.dtype.kind in kinds and array.shape == (runs, *wanted)
            if fits and (name != "outcome" or np.isin(array, range(len(STATUS))).all()):
                return array
        raise CorruptChunkError(
            f"{self.folder.path} must have {name.replace('_', ' ')} of {many(runs, 'run')} in "
            f"chunk {chunk}, as fastgd writes it, got something else"
        )

    def _trailing(self, name: str, number: int) -> tuple[int, ...]:
        """The shape of a result of one run."""
        parameters = self.networks[number].parameters
        return {
            **dict.fromkeys(("errors", "losses", "held_errors"), (self.records,)),
            **dict.fromkeys(("weights", "changes"), (parameters,)),
            "path": (self.records, parameters),
            "watch": (RECENT + (self.window or 1),),
        }.get(name, ())

    def _blank(self, name: str, number: int, count: int) -> NDArray[Any]:
        """A result of ``count`` runs that are all missing."""
        if name.startswith(STATE):
            raise ValueError(
                f"{self.folder.path} must have the state of the selected runs, got runs that are "
                "missing: repeat the call that made the folder to train them"
            )
        dtype = np.int64 if name in _WHOLE else np.float64
        return _room(name, count, np.empty((0, *self._trailing(name, number)), dtype))

    def _places(
        self, number: int, runs: slice | Index
    ) -> Iterator[tuple[int, slice | Index, slice | Index]]:
        """Yield each chunk with some of the runs, and their places in the result and the chunk."""
        chunks = self.chunks[number]
        if isinstance(runs, slice):
            for local in range(chunks.count):
                yield local, chunks.runs(local), slice(None)
            return
        whose = chunks.find(runs)
        for local in np.unique(whose).tolist():
            places = np.flatnonzero(whose == local)
            yield local, places, runs[places] - chunks.runs(local).start


def _room(name: str, count: int, like: NDArray[Any]) -> NDArray[Any]:
    """An array for the results of ``count`` runs, filled with the values of missing runs."""
    shape = (count, *like.shape[1:])
    check_memory(
        like.itemsize * int(np.prod(shape)),
        f"{name.replace('_', ' ')} of {count:,} runs",
        also="some of the runs (sweep[...]), or to_xarray() with Dask,",
    )
    empty = np.nan if like.dtype.kind == "f" else _MISSING.get(name, 0)
    found = np.full(shape, empty, like.dtype)
    if name == "watch":
        found[:, [SMALLEST_AT, ERROR_COUNT]] = 0  # these are integers
    return found


def _as_wide(one: NDArray[Any], other: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Pad the narrower array with zeros to the width of the other."""
    width = max(one.shape[1], other.shape[1])
    padded = (np.pad(each, ((0, 0), (0, width - each.shape[1]))) for each in (one, other))
    first, second = padded
    return first, second
