"""The directory of compiled code: files that only this user can write, and a lock for each.

A file is machine code in a pickle, and its checksum has no secret: who can write one runs code in
the process that loads it. So the directory belongs to this user and nobody else may write to it; a
file of another owner is not read, and only names as the cache makes them are read or added.
"""

import hashlib
import os
import re
import stat
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

from numba.core import config

from fastgd.kernel.language import numba_internals

fcntl: Any = None
with suppress(ImportError):  # Windows has none: there, two processes may compile the same
    import fcntl

_NAME = re.compile(r"\w[\w.]*-[0-9a-f]{16}-[0-9a-f]{16}\.nbc", re.ASCII)
_PRIVATE = 0o700
_PATIENCE = 20.0
_PAUSE = 0.02


def chosen() -> Path | None:
    """Where code is to lie: in NUMBA_CACHE_DIR, else where this user's caches are."""
    if named := getattr(config, "CACHE_DIR", ""):
        return Path(named, "fastgd")
    user = numba_internals.user_cache("fastgd")
    return user / "kernels" if user.is_absolute() else None  # "~" stays where nobody has a home


def directory() -> Path:
    """The directory of all files, which is made if there is none.

    Raises
    ------
    OSError
        If there is none that this user owns and nobody else may write to.
    """
    path = chosen()
    if path is None:
        raise FileNotFoundError("this user has no directory for caches")
    path.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    found = path.lstat()
    if not (stat.S_ISDIR(found.st_mode) and _is_ours(found)) or _others_may_write(found):
        _warn_unsafe(path)
        raise PermissionError(f"{path} is not safe")
    return path


def _is_ours(found: os.stat_result) -> bool:
    """Whether a file belongs to this user; Windows keeps a user's folders from others by itself."""
    return not hasattr(os, "geteuid") or found.st_uid == os.geteuid()


def _others_may_write(found: os.stat_result) -> bool:
    return hasattr(os, "geteuid") and bool(found.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


@cache
def _warn_unsafe(path: Path) -> None:
    """Say once that no code is kept."""
    found = path.lstat()
    warnings.warn(
        "compiled code is neither kept nor loaded, as whoever can write it would run it here: "
        f"{path} must be a directory of user {os.geteuid()} that nobody else may write to, got "
        f"{stat.filemode(found.st_mode)} of user {found.st_uid}; remove it, or let NUMBA_CACHE_DIR "
        "name another directory",
        RuntimeWarning,
        stacklevel=2,
    )


def read_file(name: str) -> bytes:
    """The file of this name, if this process has it; else nothing.

    Raises
    ------
    ValueError
        If no file of code has such a name.
    """
    _check_name(name)
    with suppress(OSError):
        return read(name)
    return b""


def add_file(name: str, content: bytes) -> None:
    """Put another process's file where this one looks, if it can be kept.

    Raises
    ------
    ValueError
        If no file of code has such a name.
    """
    _check_name(name)
    with suppress(OSError):
        write(name, content)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"name must be that of a file of compiled code, got {name[:100]!r}")


def read(name: str) -> bytes:
    """A file of this user, whoever could have put one there since the directory was checked."""
    path = directory() / name
    with open(path, "rb", opener=_without_links) as file:
        if not _is_ours(os.fstat(file.fileno())):
            raise PermissionError(f"{path} belongs to another user")
        return file.read()


def _without_links(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0))


def write(name: str, content: bytes) -> None:
    """Write a file that appears whole or not at all."""
    path = directory() / name
    temporary = path.with_name(f"{name}.{uuid4().hex[:16]}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def mark_used(name: str) -> None:
    """Let a file count as used now."""
    with suppress(OSError):
        os.utime(directory() / name)


def keep_latest(count: int, group_of: Callable[[str], str | None]) -> None:
    """Delete files but those of the groups that were used last; without a group they stay.

    Readers hold whole copies, so that they need no file.
    """
    used: dict[str, float] = {}
    files: list[tuple[str, Path]] = []
    with suppress(OSError):
        for path in directory().iterdir():
            group = group_of(path.name)
            if group is not None:
                files.append((group, path))
                used[group] = max(used.get(group, 0.0), path.stat().st_mtime)
    kept = sorted(used, key=lambda group: used[group], reverse=True)[:count]
    for group, path in files:
        if group not in kept:
            with suppress(OSError):
                path.unlink()


@cache
def _locks(path: Path) -> int:
    """A file with a byte for each lock, which stays open: closing it would release all of them."""
    return os.open(path / "locks", os.O_RDWR | os.O_CREAT, 0o600)


def begin(name: str) -> bool:
    """Wait while another process makes this file; from now on, others wait for this one.

    A lock ends with its process. It is no promise: after 20 s, or where there are no locks, two
    processes make the same file.

    Returns
    -------
    bool
        Whether another process has been at it, and may have made the file.
    """
    if not fcntl:
        return False
    with suppress(OSError):
        locks, waited, deadline = _locks(directory()), False, monotonic() + _PATIENCE
        while monotonic() < deadline:
            try:
                fcntl.lockf(locks, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _byte(name))
                return waited
            except (BlockingIOError, PermissionError):
                waited = True
                sleep(_PAUSE)
        return waited
    return False


def end(name: str) -> None:
    """Let others make this file."""
    with suppress(OSError):
        if fcntl:
            fcntl.lockf(_locks(directory()), fcntl.LOCK_UN, 1, _byte(name))


def _byte(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:3], "big")
