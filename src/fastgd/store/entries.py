"""Safe access to a result's folder: only regular files and real folders are opened.

A link may lead out of the folder, and writing through it would overwrite what it points to. Reading
a pipe may block, and a device may have no end. So the kind of each entry is checked before it is
opened, and any other kind raises an error that names the entry. The path that the user gives may
contain links; the entries inside the folder may not be links.
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
    """An entry with the name of one of our files or folders is of another kind."""


def is_file(path: Path, root: Path) -> bool:
    """Whether this file of the folder ``root`` exists.

    Raises
    ------
    ForeignEntryError
        If something else has its name, or that of a folder that leads to it.
    """
    return _mode_of(path, root) is not None


def is_folder(path: PathLike) -> bool:
    """Whether a folder exists; raises as :func:`is_file`, also for a link to a folder."""
    return _mode(path, stat.S_IFDIR) is not None


def open_inside(path: Path, root: Path) -> IO[bytes]:
    """Open a file of the folder ``root`` for reading; raises as :func:`is_file`."""
    is_file(path, root)
    return _opened(path, getattr(os, "O_NOFOLLOW", 0))  # nor a link made since the check


def open_file(path: PathLike) -> IO[bytes]:
    """Open a file for reading; its path may contain links.

    Raises
    ------
    OSError
        If it can't be opened.
    ForeignEntryError
        If it is a folder, a pipe, a device or a socket.
    """
    check_kind(path, os.stat(path).st_mode, stat.S_IFREG)
    return _opened(path, 0)


def put(path: Path, content: bytes, root: Path) -> None:
    """Write a file of the folder ``root`` atomically, creating the folders above it.

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
    """Raise :class:`ForeignEntryError` unless the mode is of this kind: a file or a folder."""
    if stat.S_IFMT(mode) != kind:
        got = _KINDS.get(stat.S_IFMT(mode), "something else")
        raise ForeignEntryError(f"{path} must be {_KINDS[kind]}, got {got}")


def _mode_of(path: Path, root: Path) -> int | None:
    way = str(root).rstrip(os.sep)
    for name in str(path)[len(way) + 1 :].split(os.sep)[:-1]:
        way += os.sep + name
        if not is_folder(way):
            return None
    return _mode(path, stat.S_IFREG)


def _mode(path: PathLike, kind: int) -> int | None:
    """The mode of the entry with this name, not following a link; None if there is none."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return None
    check_kind(path, mode, kind)
    return mode


def _opened(path: PathLike, flags: int) -> IO[bytes]:
    """Open a path that was a file when it was checked, and check again that it still is one."""

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
    """Make a folder that survives a power cut."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        keep_names(folder.parent)
