"""A sweep in a folder: results that are read at each access, and the metadata next to them."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from hashlib import sha256
from math import prod
from secrets import token_hex
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.samples import TrainingData, Validation
from fastgd.arguments.subsets import Integers
from fastgd.checks.messages import many, shown
from fastgd.checks.numbers import (
    check_count,
    check_counts,
    check_flag,
    check_memory,
    check_path,
    check_seed,
)
from fastgd.engine.results import (
    ERROR_COUNT,
    MISSING,
    NOWHERE,
    RECENT,
    SMALLEST_AT,
    STATE,
    STATUS,
    State,
    Summary,
)
from fastgd.store import Arrays, PathLike
from fastgd.store.files import check_kind
from fastgd.store.folder import Folder
from fastgd.store.npz import CorruptChunkError, MissingChunkError
from fastgd.training.codec import JsonValues, need
from fastgd.training.run import Run
from fastgd.training.selection import STATUSES, Selection, fields_of, run_at, selected
from fastgd.training.stored_results import (
    RESULTS,
    SOURCES,
    check_state,
    decode_outline,
    decode_start,
    encode_outline,
    encode_start,
    measured_shape,
    options_of,
    with_hashes,
)
from fastgd.training.sweep_axes import Chunks, SweepAxes
from fastgd.training.sweep_result import Sweep
from fastgd.training.training_job import TrainingJob, TrainingSource

if TYPE_CHECKING:
    import xarray

_STORED = {SOURCES[name]: stored for name, stored in RESULTS.items()}
"""How each result in ``TrainedRuns`` is stored."""

_MISSING = {"outcome": -1, "best_iteration": NOWHERE}
"""Integer results of a missing run (one that has not been trained yet); others are 0."""


class FolderSweep(Sweep):
    """A :class:`fastgd.Sweep` in a folder, which is read as :func:`fastgd.open` has it.

    A selection (``sweep[3]``, ``sweep.sel(alpha=1)``) is a Sweep in memory; ``sweep[...]`` reads
    all. Runs that have not been trained yet have NaN as their errors.
    """

    _known: tuple[str, ...]
    _folder: Folder
    _chunks: tuple[Chunks, ...]
    """The chunks of each network."""

    def __init__(
        self,
        outline: dict[str, Any],
        known: tuple[str, ...],
        folder: Folder,
        chunks: tuple[Chunks, ...],
    ) -> None:
        fields = outline | {"_known": known, "_folder": folder, "_chunks": chunks}
        for name, value in fields.items():  # the class is frozen: its fields are set here, once
            object.__setattr__(self, name, value)

    @property
    def missing(self) -> int:
        """Number of runs that have not been trained yet."""
        sizes = np.concatenate([chunks.sizes for chunks in self._chunks])
        return int(sizes[~self._folder.done()].sum())

    def __iter__(self) -> Iterator[Run]:
        """All runs, the last axis fastest, reading one chunk after the other."""
        for chosen in self._boxes():
            yield from self._some(chosen)

    def to_xarray(self) -> xarray.Dataset:
        """As :meth:`fastgd.Sweep.to_xarray`, with a Dask array for each variable.

        Dask reads the chunks when it computes with them. Without Dask
        (``pip install "fastgd[dask]"``) everything is read into memory.
        """
        try:
            import dask.array as da
        except ImportError:
            return super().to_xarray()

        def read(name: str) -> Any:
            if name not in self._known or not self.axes:
                return self._read(name)
            if name == "summary":
                return Summary(*(self._blocks(da, name, field) for field in Summary._fields))
            return self._blocks(da, name)

        return self._dataset(read)

    def in_memory(self) -> Sweep:
        """The sweep with all of its results, read into memory."""
        return self._some(Selection(self._sweep_axes, (slice(None),) * len(self.axes)))

    def _boxes(self) -> Iterator[Selection]:
        """The runs of each chunk."""
        for number, chunks in enumerate(self._chunks):
            network = [slice(i, i + 1) for i in self._sweep_axes.network_index(number)]
            for chunk in range(chunks.count):
                yield Selection(self._sweep_axes, (*network, *chunks.box(chunk)))

    def _pieces(self) -> Iterator[Sweep]:
        """Each chunk in memory; all of its file is as it was written."""
        for chunk, chosen in enumerate(self._boxes()):
            self._folder.verify(chunk)
            yield self._some(chosen, with_states=False)

    def _of(self, chosen: Selection) -> Run | Sweep:
        index = chosen.index
        if index is None:
            return self._some(chosen)
        one = self._some(Selection(chosen.sweep_axes, tuple(slice(i, i + 1) for i in index)))
        return run_at(one, (0,) * len(index))

    def _some(self, chosen: Selection, *, with_states: bool = True) -> Sweep:
        """The selection, in memory; it has states if none of its runs is missing."""
        found = {name: self._read(name, chosen) for name in SOURCES if name != "states"}
        whole = with_states and not (found["status"] == MISSING).any()
        found["states"] = self._read("states", chosen) if whole else None
        fields = selected(self, chosen, found)
        if found["states"] is not None and fields["partition"] is not None:
            fields["partition"] = with_hashes(fields["partition"], samples_of(self._folder))
        return Sweep(**fields)

    def _read(self, name: str, chosen: Selection | None = None) -> Any:
        """Read a field of all runs or of the selected ones; None if the sweep doesn't have it."""
        if name not in self._known:
            return None
        numbers = range(len(self.networks)) if chosen is None else chosen.networks
        runs = None if chosen is None else chosen.runs
        shape = tuple(map(len, (self.axes if chosen is None else chosen.axes).values()))
        read = self._state if name == "states" else partial(self._array, SOURCES[name])
        arrays = [read(number, runs) for number in numbers]
        return fields_of({name: arrays}, shape, self.method.summary)[name]

    def _state(self, number: int, runs: Integers | None) -> State:
        """Read and check the states of some or all runs of a network."""
        found = State(*(self._array(f"{STATE}{name}", number, runs) for name in State._fields))
        options = options_of(self._sweep_axes, number, self.method)
        try:
            return check_state(found, len(found.ended), self.networks[number], *options)
        except ValueError as error:
            raise CorruptChunkError(
                f"{self._folder.path} must have states of its runs, as fastgd writes them, "
                "got something else"
            ) from error

    def _array(self, name: str, number: int, runs: Integers | None) -> NDArray[Any]:
        """Read a result of some or all runs of a network, by its name in ``TrainedRuns``."""
        chunks = self._chunks[number]
        total = prod(chunks.shape) if runs is None else len(runs)
        found: NDArray[Any] | None = None
        first = sum(other.count for other in self._chunks[:number])
        for local, places, own in _places(chunks, runs):
            try:
                array = self._of_chunk(first + local, name, number, local)[own]
            except MissingChunkError:
                continue
            if found is None:
                found = _room(name, total, array)
            if array.shape[1:] != found.shape[1:]:  # adaptive sampling: a value per sample
                width = max(array.shape[1], found.shape[1])
                found, array = (
                    np.pad(one, ((0, 0), (0, width - one.shape[1]))) for one in (found, array)
                )
            found[places] = array
        if found is not None:
            return found
        if name.startswith(STATE):
            raise ValueError(
                f"{self._folder.path} must have the state of the selected runs, got runs that are "
                "missing: repeat the call that made the folder to train them"
            )
        return _room(name, total, self._like(name, number))

    def _of_chunk(self, chunk: int, name: str, number: int, local: int) -> NDArray[Any]:
        """Read and check a result of all runs of a chunk: a valid checksum can be forged."""
        place = self._chunks[number].runs(local)
        runs = place.stop - place.start
        with suppress(KeyError):
            array = self._folder.read(chunk, [name])[name]
            kinds, shape = "fiu", array.shape[1:]  # of states, which are checked later
            if not name.startswith(STATE):
                like = self._like(name, number)
                kinds, shape = like.dtype.kind, like.shape[1:]
            fits = array.dtype.kind in kinds and array.shape == (runs, *shape)
            if fits and (name != "outcome" or np.isin(array, range(len(STATUS))).all()):
                return array
        raise CorruptChunkError(
            f"{self._folder.path} must have {name.replace('_', ' ')} of {many(runs, 'run')} in "
            f"chunk {chunk}, as fastgd writes it, got something else"
        )

    def _like(self, name: str, number: int) -> NDArray[Any]:
        """No runs of a network, with the dtype of a result and its shape of one run."""
        if name == "watch":
            return np.empty((0, RECENT + (self.method.summary or 1)))
        stored = _STORED[name]
        records = self._dimensions(stored.shape, number)
        each = (self.networks[number].parameters,) if stored.each else ()
        is_whole = name == "outcome" or stored.kinds == "i"
        return np.empty((0, *records, *each), np.int64 if is_whole else np.float64)

    def _dimensions(self, names: str, number: int) -> tuple[int, ...]:
        """The lengths of the dimensions of a result with these names, of one run of a network."""
        network, asked = self.networks[number], self._folder.manifest.asked
        lengths = {"records": self.recorded.shape, "outputs": network.sizes[-1:]}
        if "samples" in names:
            lengths["samples"] = self._folder.arrays["X"].shape[:1]
        if "measurements" in names:
            every = self.method.measure_every or check_count("record_every", asked["record_every"])
            count = -(-check_count("iterations", asked["iterations"]) // every)
            lengths["measurements"] = measured_shape(self.method, count, network.layers)
        return sum((lengths.get(name, ()) for name in names.split()), ())

    def _blocks(self, da: Any, name: str, of_summary: str = "") -> Any:
        """A Dask array, cut as the network with the most chunks."""
        sweep_axes = self._sweep_axes
        single = tuple((1,) * length for length in sweep_axes.shape[: sweep_axes.cut])
        finest = max(self._chunks, key=lambda chunks: chunks.count)
        curve = () if of_summary else self._dimensions(RESULTS[name].shape, 0)
        dtype = STATUSES.dtype if name == "status" else self._like(SOURCES[name], 0).dtype
        if of_summary == "smallest_iteration":
            dtype = np.dtype(np.int64)
        return da.map_blocks(
            partial(_block, self, name, of_summary),
            name=f"fastgd-{of_summary or name}-{token_hex(8)}",
            chunks=(*single, *finest.lengths, *((length,) for length in curve)),
            dtype=dtype,
            meta=np.empty((0,) * (len(sweep_axes.shape) + len(curve)), dtype),
        )


def samples_of(folder: Folder) -> TrainingData:
    """The data that the runs were trained on, checked."""
    header, arrays = folder.manifest.asked, folder.arrays
    wanted = ("X", "y", "gradients", "valid")
    samples = [array for name, array in arrays.items() if name.startswith(wanted)]
    need(all(array.dtype.kind == "f" for array in samples))
    validation = None
    if "validation_X" in arrays:
        weight = arrays.get("validation_weight")
        validation = Validation(arrays["validation_X"], arrays["validation_y"], weight)
    return TrainingData(
        arrays["X"],
        arrays["y"],
        check_count("iterations", header["iterations"]),
        check_count("record_every", header["record_every"]),
        validation,
        gradients=arrays.get("gradients"),
    )


for _name in SOURCES:  # each is read from the folder at each access
    setattr(
        FolderSweep, _name, property(partial(FolderSweep._read, name=_name), doc="As in a Sweep.")
    )


def _block(sweep: FolderSweep, name: str, of_summary: str, block_info: Any = None) -> Any:
    """A chunk of a field, for Dask."""
    places = block_info[None]["array-location"][: len(sweep.axes)]
    chosen = Selection(sweep._sweep_axes, tuple(slice(*place) for place in places))
    found = sweep._read(name, chosen)
    return getattr(found, of_summary) if of_summary else found


def _places(
    chunks: Chunks, runs: Integers | None
) -> Iterator[tuple[int, slice | Integers, slice | Integers]]:
    """Yield each chunk with some of the runs, and their places in the result and the chunk."""
    if runs is None:
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


# ---------------------------------------------------------------- metadata

KIND = "sweep"

LONG = 1000
"""An axis with more numbers than this is stored as an array, not as JSON."""

_GIVEN = "given"
"""Label of given initial weights that are not an axis, in place of an index."""


def folder_of(path: PathLike, job: TrainingJob) -> tuple[Folder, TrainingJob]:
    """Open the folder for the runs of a sweep, or create it; and the job, cut into its chunks."""
    asked, arrays = _asked(job)
    facts = {
        "known": list(job.known),
        "pieces": [chunks.pieces for chunks in job.chunks],
        "may_train_again": job.outline["source"] is not None,
    }
    folder = Folder.create(path, KIND, asked, facts, arrays, len(job.places))
    return folder, replace(job, given_chunks=_chunks(folder, job.sweep_axes))


def open(path: PathLike) -> Sweep:  # noqa: A001 - fastgd.open, as load
    """Open the sweep in a folder of ``fastgd.sweep(out=)``, finished or not.

    Results are read at each access, and nothing is kept in memory: ``sweep.final_error`` reads one
    array of each chunk, ``sweep[3]`` all arrays of the chunks that have its runs. So a sweep may be
    larger than the memory. Runs that have not been trained yet have the status "missing".

    Parameters
    ----------
    path : path

    Returns
    -------
    Sweep

    Raises
    ------
    ValueError
        If it isn't a folder with a sweep, or a chunk that is read is corrupt.
    OSError
        If it can't be read.

    Examples
    --------
    >>> import fastgd, tempfile
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sweep = fastgd.sweep(X, y, alpha=[0.1, 1, 10], seed=range(5), iterations=1000,
    ...                          out=folder)
    ...     again = fastgd.open(folder)
    ...     again, again.best().alpha, again[1].shape
    (Sweep(alpha: 3, seed: 5; best final_error 0.00964687), 10.0, (5,))
    """
    path = check_path("path", path)
    mode = path.stat().st_mode
    if stat.S_ISREG(mode):
        raise ValueError(f"{path} must be a folder, got a file: fastgd.load reads one")
    check_kind(path, mode, stat.S_IFDIR)
    folder = Folder.open(path)
    if folder.manifest.kind != KIND:
        raise ValueError(
            f"{path} must hold a sweep, got {shown(folder.manifest.kind)}: repeat the call "
            "that made the folder to read it"
        )
    header, arrays = folder.manifest.asked, dict(folder.arrays)
    try:
        axes = {
            name: arrays[f"axis_{name}"].tolist() if axis is None else axis
            for name, axis in header["axes"].items()
        }
        header = header | {"axes": axes}
        outline = decode_outline(header, arrays)
        known = tuple(folder.manifest.facts["known"])
        need(set(known) <= SOURCES.keys())
        task = samples_of(folder)
        if "states" in known:
            outline["sample_hashes"] = {name: folder.manifest.shared[name] for name in task.samples}
        if folder.manifest.facts["may_train_again"]:
            outline["source"] = _source(header, arrays, outline, task)
    except Exception as error:  # anyone may have written the manifest: any line here may raise
        raise _not_ours(folder) from error
    sweep_axes = SweepAxes.with_networks(outline["axes"], len(outline["networks"]))
    chunks = _chunks(folder, sweep_axes)
    return FolderSweep(outline, known, folder, chunks)


def _asked(job: TrainingJob) -> tuple[JsonValues, Arrays]:
    """All that the runs depend on: values that JSON can hold, and arrays."""
    task = job.task
    axes = job.sweep_axes.axes
    long = {  # many numbers, all of one type, are better stored as an array
        name: np.array(axis)
        for name, axis in axes.items()
        if len(axis) > LONG and set(map(type, axis)) in ({int}, {float})
    }
    others = {name: None if name in long else axis for name, axis in axes.items()}
    outline = SimpleNamespace(**job.outline | {"axes": others})
    header, arrays = encode_outline(outline)
    arrays |= {f"axis_{name}": array for name, array in long.items()}
    arrays |= task.samples
    if job.starts is not None and "weights" not in job.sweep_axes.axes:
        arrays |= encode_start(_GIVEN, job.networks[0].parts(job.starts[0]))
    header |= {
        "iterations": task.iterations,
        "record_every": task.record_every,
        "record_weights": job.record_weights,
        **({"record_predictions": True} if job.keep.predictions else {}),
        "keep_weights": job.keep.weights,
        "keep_state": job.keep.state,
        "seed_of_given_weights": None if job.starts is None else job.seeds[0],
        "goes_on_after": task.done,
        "goes_on_with": _digest(job.resume),
    }
    return header, arrays


def _digest(resume: Run | Sweep | None) -> str | None:
    if not isinstance(resume, Sweep) or resume.states is None:
        return None
    whole = sha256()
    for array in (resume.errors, resume.losses, *(a for state in resume.states for a in state)):
        whole.update(np.ascontiguousarray(array).tobytes())
    return whole.hexdigest()


def _source(
    header: JsonValues, arrays: Arrays, outline: JsonValues, task: TrainingData
) -> TrainingSource:
    """The data from which single runs are trained again, as their weights were not kept."""
    weights, seed = None, header["seed_of_given_weights"]
    if f"first_weights_{_GIVEN}_0" in arrays:
        weights = decode_start(_GIVEN, outline["networks"][0], arrays)
    return TrainingSource(
        task,
        weights,
        outline["settings"]["seed"] if seed is None else check_seed(seed),
        check_flag("record_weights", header["record_weights"]),
        check_flag("record_predictions", header.get("record_predictions", False)),
    )


def _chunks(folder: Folder, sweep_axes: SweepAxes) -> tuple[Chunks, ...]:
    """The chunks of each network that a folder has."""
    shape = sweep_axes.shape[sweep_axes.cut :]
    try:
        pieces: Sequence[Sequence[int]] = folder.manifest.facts["pieces"]
        need(len(pieces) == sweep_axes.networks)
        found = tuple(
            Chunks(shape, tuple(check_counts("pieces", own) if shape else ())) for own in pieces
        )
        for chunks in found:
            need(len(chunks.pieces) == len(shape))
            need(all(p <= n for p, n in zip(chunks.pieces, shape, strict=True)))
        need(sum(one.count for one in found) == folder.chunk_count)
    except (LookupError, TypeError, ValueError) as error:
        raise _not_ours(folder) from error
    return found


def _not_ours(folder: Folder) -> ValueError:
    return ValueError(
        f"{folder.path} must hold a sweep as fastgd writes it, got a manifest with something else"
    )
