"""The only way into a result's folder: regular files and real folders, and nothing else.

A link leads out of the folder, and data written through it overwrites what is there. A pipe makes
its reader wait, and a device may have no end. So the kind of each entry is checked before it is
opened, and anything else is refused by its name. The path that the user gives may lead through
links; whatever is in the folder may not.
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
    """Something else has the name of a file or a folder of ours."""


def is_file(path: Path, root: Path) -> bool:
    """Whether this file of the folder ``root`` exists.

    Raises
    ------
    ForeignEntryError
        If something else has its name, or that of a folder that leads to it.
    """
    return _mode_of(path, root) is not None


def is_folder(path: PathLike) -> bool:
    """Whether a folder exists, and no link to one; raises as :func:`is_file`."""
    return _mode(path, stat.S_IFDIR) is not None


def open_inside(path: Path, root: Path) -> IO[bytes]:
    """Open a file of the folder ``root`` to read; raises as :func:`is_file`."""
    is_file(path, root)
    return _opened(path, getattr(os, "O_NOFOLLOW", 0))  # nor a link that was made since


def open_file(path: PathLike) -> IO[bytes]:
    """Open a file to read, which links may lead to.

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
    way = str(root).rstrip(os.sep)
    for name in str(path)[len(way) + 1 :].split(os.sep)[:-1]:
        way += os.sep + name
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
    """Open what was a file when it was checked, and check that it still is one."""

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
