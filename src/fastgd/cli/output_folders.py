"""``--out FOLDER``: finished chunks of long work, to resume from."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fastgd.cli.console import print_plain
from fastgd.cli.errors import RefusedError, refusing
from fastgd.cli.output_files import check_folder
from fastgd.store.folder import Folder

if TYPE_CHECKING:
    from rich.console import Console


class Finished(NamedTuple):
    """Number of chunks in a folder, and of those that are done."""

    done: int
    chunks: int


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


def finished(folder: Path | None) -> Finished:
    """The progress in a folder; zero if it doesn't exist or can't be read."""
    try:
        found = Folder.open(folder or "")
        return Finished(int(np.count_nonzero(found.done())), found.chunk_count)
    except (OSError, ValueError):
        return Finished(0, 0)


def done_text(folder: Path | None, chunks: str = "chunks") -> str:
    """The progress in a folder as text; empty if it doesn't exist."""
    found = finished(folder)
    if not found.chunks:
        return ""
    return f"{found.done} of {found.chunks} {chunks} are done and in {folder}"


def note_folder(console: "Console", folder: Path | None, before: Finished) -> None:
    """Print where the runs are, and how many an earlier call had finished."""
    if folder is None:
        return
    if before.done:
        console.print(f"({before.done} of {before.chunks} chunks from an earlier call)")
    print_plain(console, f"Kept in {folder}: fastgd.open({str(folder)!r}) reads it.")
