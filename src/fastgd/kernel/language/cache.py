"""When compiled code may be reused: ``cached_njit`` is ``njit`` with a stricter cache on disk.

Numba's ``cache=True`` watches the function's own file only, numbers its code files in an index that
is written without a lock, and lets damaged files and missing folders raise. Here there is no index:
each compiled signature is one file, a checksum and the code. All that decides the code (sources,
versions, signature, CPU, options) makes up a text, the key. The file's name contains a hash of the
key, and the checksum covers it too, so one comparison finds a file that is empty, cut short,
damaged or another key's. Such a file counts as missing and is overwritten. No failure gets out: a
call that can't load compiles, and one that can't save goes on.

Code can move between processes as files. One that :func:`asks <asking>` is told the name of a file
that it lacks instead of compiling. Whoever has it can :func:`read <read_file>` it, and it is
:func:`added <add_file>` here. As the name contains a hash of the key, nobody has a file of
another processor, version or source by that name.

A file is machine code in a pickle, and its checksum has no secret: who can write one runs code here.
So all files lie in one directory that belongs to this user and that nobody else may write to; a file
of another owner is not read, and only names as this module makes them are read or added.

A kernel may depend on kernel sources and arguments only: a global that is read from the environment
or from another package is frozen into the code without being part of the key.
"""

import hashlib
import os
import pickle
import re
import stat
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, TypeVar, cast
from uuid import uuid4

import llvmlite.binding
import numba
import numpy as np
from numba.core import config

from fastgd.kernel.language import numba_internals

_Function = TypeVar("_Function", bound=Callable[..., Any])

# The kernel, of which this module's room is one.
_SOURCES = Path(__file__).absolute().parents[1]
_PACKAGE = __name__.rsplit(".", 2)[0]
_PYTHON = f"py{sys.version_info.major}{sys.version_info.minor}{getattr(sys, 'abiflags', '')}"

# Settings that change the code. The CPU and its features are in the key by themselves, after
# NUMBA_CPU_NAME, NUMBA_CPU_FEATURES and NUMBA_ENABLE_AVX. A setting that this Numba lacks is None.
_SETTINGS = (
    *("BOUNDSCHECK", "DEBUGINFO_DEFAULT", "EXTEND_VARIABLE_LIFETIMES", "OPT", "USING_SVML"),
    *("LOOP_VECTORIZE", "SLP_VECTORIZE", "LLVM_REFPRUNE_PASS", "LLVM_REFPRUNE_FLAGS"),
    *("PARFOR_MAX_TUPLE_SIZE", "DEBUG_ARRAY_OPT_RUNTIME", "DEBUG_JIT", "DEBUG_NRT", "NRT_STATS"),
)


def cached_njit(**options: Any) -> Callable[[_Function], _Function]:
    """``numba.njit(**options)`` with this module's cache, for functions of this package."""

    def decorate(function: _Function) -> _Function:
        if not function.__module__.startswith(f"{_PACKAGE}."):
            raise ValueError(
                f"cached_njit is for functions of {_PACKAGE}, whose sources it watches; "
                f"got {function.__module__}.{function.__qualname__}"
            )
        if function.__closure__:
            raise ValueError(
                f"cached_njit is for functions without variables of an outer one, which would be "
                f"frozen into the code; got {function.__module__}.{function.__qualname__}"
            )
        dispatcher: Any = numba.njit(**options)(function)
        facts = repr(sorted(options.items()))
        numba_internals.use_cache(dispatcher, lambda: KernelCache(function, facts))
        return cast("_Function", dispatcher)

    return decorate


def _source_stamp() -> str:
    """Hash over every kernel source and the compiler's versions; empty without readable sources."""
    versions = (numba.__version__, llvmlite.__version__, llvmlite.binding.llvm_version_info)
    try:
        paths = sorted(_SOURCES.rglob("*.py"))
        sources = [(str(path.relative_to(_SOURCES)), path.read_bytes()) for path in paths]
    except OSError:
        sources = []
    facts = repr((versions, np.__version__, sources))
    return hashlib.sha256(facts.encode()).hexdigest() if sources else ""


# Taken as the sources are imported. Once those on disk differ, nothing is loaded or saved any more.
_STAMP = _source_stamp()


def _chosen() -> Path | None:
    """Where code is to lie: in NUMBA_CACHE_DIR, else where this user's caches are."""
    if chosen := getattr(config, "CACHE_DIR", ""):
        return Path(chosen, "fastgd")
    user = numba_internals.user_cache("fastgd")
    return user / "kernels" if user.is_absolute() else None  # "~" stays where nobody has a home


def _directory() -> Path:
    """The directory of all files, which is made if there is none.

    Raises
    ------
    OSError
        If there is none that this user owns and no other one may write to.
    """
    path = _chosen()
    if path is None:
        raise FileNotFoundError("this user has no directory for caches")
    path.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    found = path.lstat()
    if not (stat.S_ISDIR(found.st_mode) and _is_ours(found)) or _others_may_write(found):
        _warn_unsafe(path)
        raise PermissionError(f"{path} is not safe")
    return path


_PRIVATE = 0o700


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
        f"compiled code is neither kept nor loaded, as whoever can write it would run it here: {path} "
        f"must be a directory of user {os.geteuid()} that nobody else may write to, got "
        f"{stat.filemode(found.st_mode)} of user {found.st_uid}; remove it, or let NUMBA_CACHE_DIR "
        "name another directory",
        RuntimeWarning,
        stacklevel=2,
    )


class CodeLackingError(Exception):
    """Code is in no file that this process has, and it asks before it compiles."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


_asks: ContextVar[bool] = ContextVar("_asks", default=False)


@contextmanager
def asking(asks: bool = True) -> Iterator[None]:
    """Let calls in this thread raise :class:`CodeLackingError` where they would compile."""
    token = _asks.set(asks)
    try:
        yield
    finally:
        _asks.reset(token)


def read_file(name: str) -> bytes:
    """The file of this name, if this process has it; else nothing.

    Raises
    ------
    ValueError
        If no file of code has such a name.
    """
    _check_name(name)
    with suppress(OSError):
        return _read(_directory() / name)
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
        _write(_directory() / name, content)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"name must be that of a file of compiled code, got {name[:100]!r}")


_NAME = re.compile(r"\w[\w.]*-[0-9a-f]{16}-[0-9a-f]{16}\.nbc", re.ASCII)


def place() -> Path | None:
    """The directory that takes code; None if none does, or no code is kept."""
    if numba_internals.keeps_code() and _STAMP and _source_stamp() == _STAMP:
        with suppress(OSError):
            directory = _directory()
            with TemporaryFile(dir=directory):
                return directory
    return None


class KernelCache:
    """The cache of one function.

    A dispatcher calls ``load_overload``, ``save_overload`` and ``flush``, under Numba's compiler
    lock, and shows ``cache_path`` in its ``stats``.
    """

    def __init__(self, function: Callable[..., Any], options: str) -> None:
        self._name = f"{function.__module__}.{function.__qualname__}"
        self._facts = (_STAMP, _PYTHON, self._name, function.__code__.co_firstlineno, options)
        # Without the line number, so that an edit above the function still finds its old files.
        plain = self._name.removeprefix(f"{_PACKAGE}.").translate(str.maketrans("<>", "__"))
        self._prefix = f"{plain}.{_PYTHON}-"
        self._stamped_prefix = f"{self._prefix}{_STAMP[:16]}-"

    @property
    def cache_path(self) -> str:
        """The directory of all files, if there is to be one."""
        return str(_chosen() or "")

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled signature from disk; None if there is none that fits."""
        lacking = ""
        with suppress(Exception):
            if self._usable():
                key = self._key(sig, target_context.codegen())
                name = self._file_name(key)
                with suppress(Exception):
                    return self._load(_directory() / name, key, sig, target_context)
                lacking = name
        if lacking and _asks.get():
            raise CodeLackingError(lacking)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Write a compile result."""
        with suppress(Exception):
            if self._usable() and (payload := numba_internals.pickled(data, sig)):
                key = self._key(sig, data.codegen)
                _write(_directory() / self._file_name(key), _checksum(key, payload) + payload)
                self._remove(keep=self._stamped_prefix)

    def flush(self) -> None:
        """Forget the function's code, of every signature."""
        self._remove()

    def _usable(self) -> bool:
        return bool(_STAMP) and _source_stamp() == _STAMP

    def _key(self, sig: Any, codegen: Any) -> bytes:
        settings = [getattr(config, name, None) for name in _SETTINGS]
        return repr((self._facts, settings, sig, numba_internals.processor(codegen))).encode()

    def _file_name(self, key: bytes) -> str:
        return f"{self._stamped_prefix}{hashlib.sha256(key).hexdigest()[:16]}.nbc"

    def _load(self, path: Path, key: bytes, sig: Any, target_context: Any) -> Any:
        content = _read(path)
        checksum, payload = content[:32], content[32:]
        if checksum != _checksum(key, payload):
            raise ValueError(f"{path} is damaged or belongs to another key")
        saved_sig, reduced = pickle.loads(payload)
        if saved_sig != sig:
            # The key has types by name; two named tuples may share one.
            raise ValueError(f"{path} is for {saved_sig}, not {sig}")
        return numba_internals.rebuilt(target_context, reduced)

    def _remove(self, keep: str | None = None) -> None:
        """Delete the function's files but those that ``keep`` begins; readers hold whole copies."""
        with suppress(OSError):
            for path in _directory().iterdir():
                if path.name.startswith(self._prefix) and not (keep and path.name.startswith(keep)):
                    with suppress(OSError):
                        path.unlink()


def _checksum(key: bytes, payload: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(key).digest() + payload).digest()


def _read(path: Path) -> bytes:
    """A file of this user, whoever else could have put one there since the directory was checked."""
    with open(path, "rb", opener=_without_links) as file:
        if not _is_ours(os.fstat(file.fileno())):
            raise PermissionError(f"{path} belongs to another user")
        return file.read()


def _without_links(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0))


def _write(path: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all."""
    temporary = path.with_name(f"{path.name}.{uuid4().hex[:16]}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
