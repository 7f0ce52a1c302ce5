"""Output files of a command: whether they can be written is checked before hours of work."""

import os
from pathlib import Path
from typing import Any

from fastgd.plots.style import ENDINGS, pyplot, write


def check_output(
    path: Path | None, what: str, endings: tuple[str, ...], read: tuple[Path, ...] = ()
) -> None:
    """Reject an output file with the wrong suffix, or that can't be written.

    ``read`` are files that must not be written over.
    """
    if path is None:
        return
    if path.is_dir():
        raise ValueError(f"{path} is a folder, not a file to write to")
    if path.suffix.lower() not in endings:
        raise ValueError(f"{what} must end in {', '.join(endings)}, got {str(path)!r}")
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
