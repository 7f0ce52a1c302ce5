"""``--out FOLDER/``: where the chunks of a long work are kept, and how it goes on."""

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
    """How many chunks a folder has, and how many of them are done."""

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
    """What is done in a folder; nothing, if it isn't there or can't be read."""
    try:
        found = Folder.open(folder or "")
        return Finished(int(np.count_nonzero(found.done())), found.chunk_count)
    except (OSError, ValueError):
        return Finished(0, 0)


def done_text(folder: Path | None, chunks: str = "chunks") -> str:
    """What a folder has; nothing if it isn't there."""
    found = finished(folder)
    if not found.chunks:
        return ""
    return f"{found.done} of {found.chunks} {chunks} are done and in {folder}"


def note_folder(console: "Console", folder: Path | None, before: Finished) -> None:
    """Say where the runs are, and what was there already."""
    if folder is None:
        return
    if before.done:
        console.print(f"({before.done} of {before.chunks} chunks from an earlier call)")
    print_plain(console, f"Kept in {folder}: fastgd.open({str(folder)!r}) reads it.")
