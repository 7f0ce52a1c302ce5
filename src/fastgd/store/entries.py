"""What a result's folder has: files and folders, and nothing else takes the place of one.

A link would lead out of the folder, and what is written through it overwrites what is there. A pipe
makes its reader wait, and a device may have no end. So what stands in the place of a file or folder
of ours is asked for its kind before it is opened, and refused by name if it has another one. Only
the path that the user gives may lead through links.
"""

import os
import stat
from pathlib import Path
from typing import IO

from fastgd.store.files import PathLike, keep_names, naming, replacing

_KINDS = {
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class ForeignEntryError(ValueError):
    """Something else is in the place of a file or of a folder."""


def is_file(path: Path, root: Path) -> bool:
    """Whether there is this file of the folder ``root``.

    Raises
    ------
    ForeignEntryError
        If something else has its name, or that of a folder between.
    """
    return _mode_of(path, root) is not None


def is_folder(path: PathLike) -> bool:
    """Whether there is a folder, which is no link to one; its errors are those of a file."""
    return _mode(path, stat.S_IFDIR) is not None


def open_inside(path: Path, root: Path) -> IO[bytes]:
    """Open a file of the folder ``root`` to read; refused as by :func:`is_file`."""
    is_file(path, root)
    return _opened(path, getattr(os, "O_NOFOLLOW", 0))  # no link that was put there just now


def open_file(path: PathLike) -> IO[bytes]:
    """Open a file to read, which links may lead to.

    Raises
    ------
    OSError
        If it can't be opened.
    ForeignEntryError
        If it is no file, but a pipe, for one.
    """
    check_kind(path, os.stat(path).st_mode, stat.S_IFREG)
    return _opened(path, 0)


def put(path: Path, content: bytes, root: Path) -> None:
    """Write a whole file of the folder ``root``, and the folders above it.

    Raises
    ------
    OSError
        If that can't be done; the error names the file.
    ForeignEntryError
        As :func:`is_file`.
    """
    with naming(path):
        mode = _mode_of(path, root)
        _make(path.parent)
        with replacing(path, mode) as file:
            file.write(content)


def check_kind(path: PathLike, mode: int, kind: int) -> None:
    """Refuse what is of another kind than a file or a folder, by its mode."""
    if stat.S_IFMT(mode) != kind:
        got = _KINDS.get(stat.S_IFMT(mode), "something else")
        raise ForeignEntryError(f"{path} must be {_KINDS[kind]}, got {got}")


def _mode_of(path: Path, root: Path) -> int | None:
    way = os.fspath(root)
    for name in path.parts[len(root.parts) : -1]:
        way = os.path.join(way, name)
        if not is_folder(way):
            return None
    return _mode(path, stat.S_IFREG)


def _mode(path: PathLike, kind: int) -> int | None:
    """The mode of what has this name, a link itself included; None if nothing has it."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return None
    check_kind(path, mode, kind)
    return mode


def _opened(path: PathLike, flags: int) -> IO[bytes]:
    """Open what was a file a moment ago, and is refused if it isn't one any more."""

    def opener(name: str, how: int) -> int:
        number = os.open(name, how | flags | getattr(os, "O_NONBLOCK", 0))
        try:
            check_kind(path, os.fstat(number).st_mode, stat.S_IFREG)
        except ForeignEntryError:
            os.close(number)
            raise
        return number

    return open(path, "rb", opener=opener)


def _make(folder: Path) -> None:
    """Make a folder that a power cut doesn't undo."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        keep_names(folder.parent)
