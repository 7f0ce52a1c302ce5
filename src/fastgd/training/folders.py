"""Sweeps in folders: the metadata next to the chunks, and opening a folder."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import numpy as np

from fastgd.arguments.samples import TrainingData
from fastgd.checks.messages import shown
from fastgd.checks.numbers import check_counts, check_flag, check_path, check_seed
from fastgd.store import Arrays, PathLike
from fastgd.store.files import check_kind
from fastgd.store.folder import Folder
from fastgd.training import stored_results as stored_sweep
from fastgd.training.codec import Header, need
from fastgd.training.folder_sweep import FolderSweep, samples_of
from fastgd.training.run import SOURCES
from fastgd.training.sweep_axes import Chunks, SweepAxes
from fastgd.training.sweep_result import Sweep
from fastgd.training.training_job import SweepJob, TrainingSource

KIND = "sweep"

LONG = 1000
"""An axis with more numbers than this is stored as an array, not as JSON."""

_GIVEN = "given"
"""Label of given initial weights that are not an axis, in place of an index."""


def folder_of(path: PathLike, job: SweepJob) -> tuple[Folder, SweepJob]:
    """Open the folder for the runs of a sweep, or create it; and the job, cut into its chunks."""
    asked, arrays = _asked(job)
    facts = {
        "known": list(job.known),
        "pieces": [chunks.pieces for chunks in job.chunks],
        "may_train_again": job.outline["source"] is not None,
    }
    folder = Folder.create(path, KIND, asked, facts, arrays, job.chunk_count)
    return folder, replace(job, given_chunks=_chunks(folder, job.sweep_axes))


def open_folder(path: PathLike) -> Sweep:
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
        outline = stored_sweep.decode_outline(header, arrays)
        known = tuple(folder.manifest.facts["known"])
        need(set(known) <= SOURCES.keys())
        task = samples_of(folder)
        if "states" in known:
            outline["sample_hashes"] = {name: folder.manifest.shared[name] for name in task.samples}
        if folder.manifest.facts["may_train_again"]:
            outline["source"] = _source(header, arrays, outline, task)
    except Exception as error:  # anyone may have written the manifest: any line here may raise
        raise _not_ours(folder) from error
    chunks = _chunks(folder, SweepAxes(outline["axes"]))
    return FolderSweep(outline, known, folder, chunks)


def _asked(job: SweepJob) -> tuple[Header, Arrays]:
    """All that the runs depend on: values that JSON can hold, and arrays."""
    task = job.task
    axes = job.sweep_axes.axes
    long = {name: np.array(axis) for name, axis in axes.items() if _is_long(axis)}
    others = {name: None if name in long else axis for name, axis in axes.items()}
    outline = SimpleNamespace(**job.outline | {"axes": others})
    header, arrays = stored_sweep.encode_outline(outline)
    arrays |= {f"axis_{name}": array for name, array in long.items()}
    arrays |= task.samples
    if job.starts and "weights" not in job.sweep_axes.axes:
        arrays |= stored_sweep.encode_start(_GIVEN, job.starts[0])
    header |= {
        "iterations": task.iterations,
        "record_every": task.record_every,
        "record_weights": job.record_weights,
        "keep_weights": job.keep.weights,
        "keep_state": job.keep.state,
        "seed_of_given_weights": job.seeds[0] if job.starts else None,
        "goes_on_after": task.done,
        "goes_on_with": _digest(job.resume),
    }
    return header, arrays


def _is_long(axis: list[Any]) -> bool:
    """Whether an axis has many numbers, all of one type, and is better stored as an array."""
    return len(axis) > LONG and set(map(type, axis)) in ({int}, {float})


def _digest(resume: Sweep | None) -> str | None:
    """A hash of the sweep that is resumed."""
    if resume is None or resume.states is None:
        return None
    whole = sha256()
    for array in (resume.errors, resume.losses, *(a for state in resume.states for a in state)):
        whole.update(np.ascontiguousarray(array).tobytes())
    return whole.hexdigest()


def _source(header: Header, arrays: Arrays, outline: Header, task: TrainingData) -> TrainingSource:
    """The data from which single runs are trained again, as their weights were not kept."""
    weights, seed = None, header["seed_of_given_weights"]
    if f"first_weights_{_GIVEN}_0" in arrays:
        weights = stored_sweep.decode_start(_GIVEN, outline["networks"][0], arrays)
    return TrainingSource(
        task,
        weights,
        outline["settings"]["seed"] if seed is None else check_seed(seed),
        check_flag("record_weights", header["record_weights"]),
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
