"""A sweep in a folder, whose results are read at each access."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgd.engine.state import State
from fastgd.engine.summaries import MISSING, Summary
from fastgd.store.chunk_file import CorruptChunkError
from fastgd.store.files import PathLike
from fastgd.training.exports import CURVES, sweep_dataset
from fastgd.training.folder_results import FolderResults
from fastgd.training.indexing import MEASURED, run_at, selected
from fastgd.training.result_fields import SOURCES, dtype_of, field_of
from fastgd.training.results import Run
from fastgd.training.runs import Sweep
from fastgd.training.selection import Selection
from fastgd.training.stored_run import check_state
from fastgd.training.stored_sweep import options_of
from fastgd.training.sweep_axes import SweepAxes

if TYPE_CHECKING:
    import xarray


def _field(name: str) -> Any:
    """A field that is read from the folder at each access."""
    return property(lambda self: self._read(name))


class FolderSweep(Sweep):
    """A :class:`fastgd.Sweep` in a folder: made by ``fastgd.sweep(out=)`` and :func:`fastgd.open`.

    It has all attributes and methods of a Sweep. Nothing is kept in memory: each access reads the
    chunks that it needs, so ``sweep[3]`` reads some chunks, and ``sweep.errors`` all of them. A
    selection (``sweep[3]``, ``sweep.sel(alpha=1)``) is a Sweep in memory; ``sweep[...]`` reads all.

    Runs that have not been trained yet have the status "missing", and NaN as their errors.
    """

    errors = _field("errors")
    losses = _field("losses")
    final_error = _field("final_error")
    final_loss = _field("final_loss")
    status = _field("status")
    iterations = _field("iterations")
    total_changes = _field("total_changes")
    summary = _field("summary")
    kept_weights = _field("kept_weights")
    kept_changes = _field("kept_changes")
    kept_path = _field("kept_path")
    validation_errors = _field("validation_errors")
    final_validation_error = _field("final_validation_error")
    best_iteration = _field("best_iteration")
    states = _field("states")

    _known: tuple[str, ...]
    _results: FolderResults

    def __init__(
        self, outline: dict[str, Any], known: tuple[str, ...], results: FolderResults
    ) -> None:
        fields = outline | {"_known": known, "_results": results}
        for name, value in fields.items():  # the class is frozen: its fields are set here, once
            object.__setattr__(self, name, value)

    @property
    def missing(self) -> int:
        """Number of runs that have not been trained yet."""
        sizes = np.concatenate([chunks.sizes for chunks in self._results.chunks])
        return int(sizes[~self._results.folder.done()].sum())

    def digest(self) -> str:
        """The SHA-256 of all results, in hexadecimal digits: the same on every machine.

        Raises
        ------
        ValueError
            If a chunk is corrupt.
        LookupError
            If a chunk is missing.
        """
        return self._results.folder.digest()

    def __iter__(self) -> Iterator[Run]:
        """All runs, the last axis fastest, reading one chunk after the other."""
        for number, chunks in enumerate(self._results.chunks):
            for chunk in range(chunks.count):
                yield from self._some(_chosen(self, number, chunks.box(chunk)))

    def to_xarray(self) -> xarray.Dataset:
        """As :meth:`fastgd.Sweep.to_xarray`, with a Dask array for each variable.

        Dask reads the chunks when it computes with them. Without Dask
        (``pip install "fastgd[dask]"``) everything is read into memory.

        Raises
        ------
        ImportError
            If xarray is not installed (``pip install "fastgd[xarray]"``).
        """
        try:
            import dask.array as da
        except ImportError:
            return super().to_xarray()
        return sweep_dataset(self, MEASURED, partial(self._lazily, da))

    def in_memory(self) -> Sweep:
        """The sweep with all of its results, read into memory."""
        sweep_axes = SweepAxes(self.axes)
        return self._some(Selection(sweep_axes, (slice(None),) * len(sweep_axes.shape)))

    def save(self, path: PathLike) -> None:
        """Write the whole sweep to one ``.npz`` file that :func:`fastgd.load` reads."""
        self.in_memory().save(path)

    def _of(self, chosen: Selection) -> Run | Sweep:
        index = chosen.index
        if index is None:
            return self._some(chosen)
        one = self._some(Selection(chosen.sweep_axes, tuple(slice(i, i + 1) for i in index)))
        return run_at(one, (0,) * len(index))

    def _some(self, chosen: Selection) -> Sweep:
        """The selection, in memory; it has states if none of its runs is missing."""
        found = {name: self._read(name, chosen) for name in SOURCES if name != "states"}
        whole = not (found["status"] == MISSING).any()
        found["states"] = self._read("states", chosen) if whole else None
        return Sweep(**selected(self, chosen, found))

    def _read(self, name: str, chosen: Selection | None = None) -> Any:
        """Read a field of all runs or of the selected ones; None if the sweep doesn't have it."""
        if name not in self._known:
            return None
        numbers = range(len(self.networks)) if chosen is None else chosen.networks
        runs = slice(None) if chosen is None else chosen.runs
        sweep_axes = SweepAxes(self.axes if chosen is None else chosen.axes)
        arrays = [self._results.of(SOURCES[name], number, runs) for number in numbers]
        if name == "states":
            for number, state in zip(numbers, arrays, strict=True):
                self._check_state(number, state)
        return field_of(name, sweep_axes, self.method.summary, arrays)

    def _check_state(self, number: int, state: State) -> None:
        """Raise if no run of the network could resume from these states."""
        options = options_of(self.axes, number, self.method)
        try:
            check_state(state, len(state.ended), self.networks[number], *options)
        except ValueError as error:
            raise CorruptChunkError(
                f"{self._results.folder.path} must have states of its runs, as fastgd writes them, "
                "got something else"
            ) from error

    def _lazily(self, da: Any, name: str) -> Any:
        """A field as a Dask array, or a Summary of Dask arrays."""
        if name not in self._known or not self.axes:
            return self._read(name)
        if name == "summary":
            return Summary(*(self._blocks(da, name, field) for field in Summary._fields))
        return self._blocks(da, name)

    def _blocks(self, da: Any, name: str, of_summary: str = "") -> Any:
        """A Dask array, cut as the network with the most chunks."""
        sweep_axes = self._sweep_axes
        single = tuple((1,) * length for length in sweep_axes.shape[: sweep_axes.cut])
        finest = max(self._results.chunks, key=lambda chunks: chunks.count)
        curve = ((len(self.recorded),),) if name in CURVES else ()
        dtype = dtype_of(of_summary or name)
        return da.map_blocks(
            partial(_block, self, name, of_summary),
            name=f"fastgd-{of_summary or name}-{token_hex(8)}",
            chunks=(*single, *finest.lengths, *curve),
            dtype=dtype,
            meta=np.empty((0,) * (len(sweep_axes.shape) + len(curve)), dtype),
        )


def _block(sweep: FolderSweep, name: str, of_summary: str, block_info: Any = None) -> Any:
    """A chunk of a field, for Dask."""
    places = block_info[None]["array-location"][: len(sweep.axes)]
    sweep_axes = SweepAxes(sweep.axes)
    found = sweep._read(name, Selection(sweep_axes, tuple(slice(*place) for place in places)))
    return getattr(found, of_summary) if of_summary else found


def _chosen(sweep: Sweep, number: int, box: tuple[slice, ...]) -> Selection:
    """Select a box of a network's runs, keeping all axes."""
    sweep_axes = SweepAxes(sweep.axes)
    lengths = sweep_axes.shape[: sweep_axes.cut]
    places = np.unravel_index(number, lengths) if lengths else ()
    return Selection(sweep_axes, (*(slice(int(i), int(i) + 1) for i in places), *box))
