"""Output files and folders: checked before hours of work, written after results are printed."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fastgd.cli.refusals import RefusedError, UnwrittenError, refusing
from fastgd.cli.terminal import complain, print_plain
from fastgd.plots.style import ENDINGS, check_ending, pyplot, write
from fastgd.store.folder import Folder


def check_output(
    path: Path | None, what: str, endings: tuple[str, ...], read: Sequence[Path] = ()
) -> None:
    """Reject an output file with the wrong suffix, or that can't be written.

    ``read`` are files that must not be written over.
    """
    if path is None:
        return
    if path.is_dir():
        raise ValueError(f"{path} is a folder, not a file to write to")
    check_ending(path, endings, what)
    if path.exists() and any(other.exists() and path.samefile(other) for other in read):
        raise ValueError(f"{path} can't be written: it is the file that is read")
    # A link is followed, and a file is made beside the old one before it takes its place.
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise ValueError(f"{path} can't be written: there is no folder {path.parent}")
    if not all(os.access(place, os.W_OK) for place in (target, target.parent) if place.exists()):
        raise ValueError(f"{path} can't be written: permission denied")


def check_plot(path: Path | None, endings: tuple[str, ...] = ENDINGS) -> None:
    """Reject a figure that can't be drawn or written."""
    if path is not None:
        check_output(path, "a plot's file", endings)
        pyplot()  # says what to install


@contextmanager
def writing(
    *outputs: tuple[Path | None, Callable[[Path], object], tuple[str, ...]], as_json: bool
) -> Iterator[None]:
    """Write files after the block, which prints the results, whatever happens to it and to others.

    Of each it takes the path, if one was named, the function that writes it, and the lines to print
    then (by default that it was written).

    Raises
    ------
    UnwrittenError
        If one of them can't be written; each failure is a line on stderr.
    Exception, SystemExit
        If the results can't be printed.
    """
    unprinted: BaseException | None = None
    try:
        yield
        sys.stdout.flush()
    except (Exception, SystemExit) as error:  # the latter is rich's, if the reader has left
        unprinted = error
    failures: list[str] = []
    lines: list[str] = []
    for path, save, said in outputs:
        if path is not None and (failure := _failure(path, save)):
            failures.append(failure)
        elif path is not None:
            lines += said or (f"Written to {path}",)
    for failure in failures if unprinted else failures[:-1]:
        complain(f"error: {failure}")
    if unprinted:
        raise unprinted
    for line in () if as_json else lines:
        print_plain(line)
    if failures:
        raise UnwrittenError(failures[-1])


def _failure(path: Path, save: Callable[[Path], object]) -> str:
    """Write a file, and return why it can't be written, or nothing."""
    try:
        with refusing():
            save(path)
    except RefusedError as error:
        if getattr(error.__cause__, "filename", None):  # of an OSError, whose text has it
            return str(error)
        return f"{path} can't be written: {error}"
    except Exception as error:  # of matplotlib, perhaps: after hours a line is enough
        return f"{path} can't be written: {type(error).__name__}: {error}"
    return ""


def write_plot(ax: Any, out: Path) -> None:
    """Write the figure of these axes and close it."""
    write(ax.figure, out)
    pyplot().close(ax.figure)


def check_folder(path: Path) -> None:
    """Reject a folder that can't be created or written to."""
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} is a file, not a folder")
    if not path.parent.is_dir():
        raise ValueError(f"{path} can't be made: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ValueError(f"{path} can't be written to: permission denied")


# ---------------------------------------------------------------- folders of finished chunks


def folder_of(out: Path | None) -> Path | None:
    """The folder to keep chunks in; one that looks like a file is refused."""
    if out is None:
        return None
    if out.suffix.lower() in (".npz", ".csv") and not out.is_dir():
        flag = "--save" if out.suffix.lower() == ".npz" else "--csv"
        raise RefusedError(f"--out must be a folder, got {str(out)!r}: {flag} writes a file")
    with refusing():
        check_folder(out)
    return out


def finished(folder: Path | None) -> tuple[int, int]:
    """How many chunks of a folder are done, and how many it has; 0 without one that can be read."""
    try:
        found = Folder.open(folder or "")
        return int(np.count_nonzero(found.done())), found.chunk_count
    except (OSError, ValueError):
        return 0, 0


def done_text(folder: Path | None, chunks: str = "chunks") -> str:
    """The progress in a folder as text; empty if it doesn't exist."""
    done, count = finished(folder)
    return f"{done} of {count} {chunks} are done and in {folder}" if count else ""
