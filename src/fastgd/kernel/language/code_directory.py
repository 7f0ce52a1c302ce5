"""The directory of compiled code: files that only this user can write, with a lock for each.

A file is machine code in a pickle, and its checksum involves no secret: whoever can write a file
can run code in the process that loads it. So the directory must belong to this user, and nobody
else may write to it. Files of other owners are not read, and only names in the cache's own format
are read or added.
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
with suppress(ImportError):  # not on Windows: there two processes may compile the same code
    import fcntl

_NAME = re.compile(r"\w[\w.]*-[0-9a-f]{16}-[0-9a-f]{16}\.nbc", re.ASCII)
_PRIVATE = 0o700
_PATIENCE = 20.0
_PAUSE = 0.02


def chosen() -> Path | None:
    """The directory for code: in NUMBA_CACHE_DIR if that is set, else among this user's caches."""
    if named := getattr(config, "CACHE_DIR", ""):
        return Path(named, "fastgd")
    user = numba_internals.user_cache("fastgd")
    return user / "kernels" if user.is_absolute() else None  # without a home "~" isn't expanded


def directory() -> Path:
    """The directory of compiled code, created if it is missing.

    Raises
    ------
    OSError
        If there is no directory that this user owns and nobody else may write to.
    """
    path = chosen()
    if path is None:
        raise OSError("this user has no directory for caches")
    path.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    found = path.lstat()
    shared = stat.S_IWGRP | stat.S_IWOTH if hasattr(os, "geteuid") else 0
    if not (stat.S_ISDIR(found.st_mode) and _is_ours(found)) or found.st_mode & shared:
        _warn_unsafe(path)
        raise PermissionError(f"{path} is not safe")
    return path


def _is_ours(found: os.stat_result) -> bool:
    """Whether a file belongs to this user; on Windows a user's directories are private anyway."""
    return not hasattr(os, "geteuid") or found.st_uid == os.geteuid()


@cache
def _warn_unsafe(path: Path) -> None:
    """Warn, once, that no code is kept."""
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
    """The content of the file with this name, or nothing if this process doesn't have it.

    Raises
    ------
    ValueError
        If the name isn't that of a file of compiled code.
    """
    _check_name(name)
    with suppress(OSError):
        return read(name)
    return b""


def add_file(name: str, content: bytes) -> None:
    """Store another process's file where this process looks for code, if possible.

    Raises
    ------
    ValueError
        If the name isn't that of a file of compiled code.
    """
    _check_name(name)
    with suppress(OSError):
        write(name, content)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"name must be that of a file of compiled code, got {name[:100]!r}")


def read(name: str) -> bytes:
    """Read a file of this user, checking its owner: others may once have had write access."""
    path = directory() / name
    no_links = getattr(os, "O_NOFOLLOW", 0)
    with open(path, "rb", opener=lambda path, flags: os.open(path, flags | no_links)) as file:
        if not _is_ours(os.fstat(file.fileno())):
            raise PermissionError(f"{path} belongs to another user")
        return file.read()


def write(name: str, content: bytes) -> None:
    """Write a file atomically: it appears as a whole or not at all."""
    path = directory() / name
    temporary = path.with_name(f"{name}.{uuid4().hex[:16]}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def mark_used(name: str) -> None:
    """Mark a file as used now."""
    with suppress(OSError):
        os.utime(directory() / name)


def keep_latest(count: int, group_of: Callable[[str], str | None]) -> None:
    """Delete files except those of the groups used most recently; files without a group stay.

    Readers have read the whole content, so they no longer need the file.
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
    """A file with a byte for each lock, kept open: closing it would release all of them."""
    return os.open(path / "locks", os.O_RDWR | os.O_CREAT, 0o600)


def begin(name: str) -> bool:
    """Wait while another process makes this file; afterwards others wait for this process.

    A lock ends with its process. Locks are no guarantee: after 20 s, or where there are none, two
    processes make the same file.

    Returns
    -------
    bool
        Whether another process held the lock, and so may have made the file.
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
    """Release the lock, so that other processes may make this file."""
    with suppress(OSError):
        if fcntl:
            fcntl.lockf(_locks(directory()), fcntl.LOCK_UN, 1, _byte(name))


def _byte(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:3], "big")
