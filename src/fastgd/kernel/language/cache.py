"""``cached_njit`` is ``njit`` with a stricter rule for reusing compiled code from disk.

Numba's ``cache=True`` checks only the file of the function itself for changes, lists its code files
in an index that is written without a lock, and lets corrupt files and missing directories raise.
Here there is no index: each compiled signature is one file, consisting of a checksum and the code.
Everything that determines the code (sources without comments and docstrings, versions, signature,
CPU, options) forms a string, the key. The file's name contains a hash of the key, and the checksum
covers the key, too. So one comparison detects a file that is empty, truncated, corrupt or of
another key; such a file counts as missing and is overwritten. No failure is visible to callers:
code that can't be loaded is compiled, and code that can't be saved is used anyway.

Code can be sent to other processes as files (:mod:`~fastgd.kernel.language.code_directory`). Where
:func:`asking` is in effect, code that isn't there isn't compiled; an error gives the name of the
missing file instead. Any process that has the file can send it, and it is added here. As the name
contains a hash of the key, no file for another processor, version or source has the same name.

The wheel has no compiled code. Rejected: the 30 kernels of the default recipes with ten optimizers,
for three processors and four Pythons, would be 14 MB in twelve wheels, useless with the next Numba,
to save 0.5 s of each first call, once per machine.

A kernel may depend on kernel sources and arguments only. A global read from the environment or from
another package would be frozen into the code without being part of the key.
"""

import ast
import hashlib
import pickle
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from logging import getLogger
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, TypeVar, cast

import llvmlite.binding
import numba
import numpy as np
from numba.core import config

from fastgd.kernel.language import code_directory, numba_internals

_Function = TypeVar("_Function", bound=Callable[..., Any])

# The directory of the kernel, of which this module's directory is a part.
_SOURCES = Path(__file__).absolute().parents[1]
_PACKAGE = __name__.rsplit(".", 2)[0]
_PYTHON = f"py{sys.version_info.major}{sys.version_info.minor}{getattr(sys, 'abiflags', '')}"

KEPT = 4
"""Versions of the sources whose code is kept: those used most recently."""

# Settings that change the code. The CPU and its features are separate parts of the key, which
# respect NUMBA_CPU_NAME, NUMBA_CPU_FEATURES and NUMBA_ENABLE_AVX. A setting that this Numba doesn't
# have is None.
_SETTINGS = (
    *("BOUNDSCHECK", "DEBUGINFO_DEFAULT", "EXTEND_VARIABLE_LIFETIMES", "OPT", "USING_SVML"),
    *("LOOP_VECTORIZE", "SLP_VECTORIZE", "LLVM_REFPRUNE_PASS", "LLVM_REFPRUNE_FLAGS"),
    *("PARFOR_MAX_TUPLE_SIZE", "DEBUG_ARRAY_OPT_RUNTIME", "DEBUG_JIT", "DEBUG_NRT", "NRT_STATS"),
)


@contextmanager
def _logged() -> Iterator[None]:
    """Log failures, and continue without the cache; that a file is missing is none."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, FileNotFoundError):
            said = "compiled code in %s was not loaded or not kept: %r"
            getLogger("fastgd").info(said, code_directory.chosen(), error)


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


def _sources() -> list[tuple[str, bytes]]:
    """All kernel sources; none if one is unreadable."""
    try:
        paths = sorted(_SOURCES.rglob("*.py"))
        return [(str(path.relative_to(_SOURCES)), path.read_bytes()) for path in paths]
    except OSError:
        return []


def _hash(sources: list[tuple[str, bytes]]) -> str:
    """Hash of the sources and the compiler's versions; empty without sources."""
    versions = (numba.__version__, llvmlite.__version__, llvmlite.binding.llvm_version_info)
    each = [(file, hashlib.sha256(content).digest()) for file, content in sources]
    facts = repr((versions, np.__version__, each))
    return hashlib.sha256(facts.encode()).hexdigest() if sources else ""


# Read when the package is imported. Once the files on disk differ, no code is loaded or saved.
_IMPORTED = _hash(_sources())


def _unchanged() -> bool:
    return bool(_IMPORTED) and _hash(_sources()) == _IMPORTED


@cache
def _stamp() -> str:
    """Hash of what determines the code: the sources without comments and docstrings, the versions.

    Parsing all sources takes 0.1 s, so the result is stored next to the code.
    """
    name = f"{_PYTHON}-{_IMPORTED[:32]}.stamp"
    with suppress(OSError):
        found = code_directory.read(name).decode("ascii", "replace")
        if re.fullmatch("[0-9a-f]{64}", found):
            return found
    stamp = _hash([(file, _meaning(content).encode()) for file, content in _sources()])
    with suppress(OSError):
        code_directory.write(name, stamp.encode())
        code_directory.keep_latest(KEPT, lambda name: name if name.endswith(".stamp") else None)
    return stamp


def _meaning(source: bytes) -> str:
    """The syntax tree of a source without its docstrings, as a string."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(body := getattr(node, "body", None), list):
            node.body = [  # type: ignore[attr-defined]
                each
                for each in body
                if not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
            ]
    return ast.dump(tree)


class CodeLackingError(Exception):
    """Code is in no file of this process, which asks for it before it compiles."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


_asks: ContextVar[bool] = ContextVar("_asks", default=False)


@contextmanager
def asking(asks: bool = True) -> Iterator[None]:
    """Make calls in this thread raise :class:`CodeLackingError` where they would compile."""
    token = _asks.set(asks)
    try:
        yield
    finally:
        _asks.reset(token)


def place() -> Path | None:
    """The directory for compiled code; None if there is none, or if no code is kept."""
    if numba_internals.keeps_code() and _unchanged():
        with suppress(OSError):
            directory = code_directory.directory()
            with TemporaryFile(dir=directory):
                return directory
    return None


class KernelCache:
    """The cache of one function.

    A dispatcher calls ``load_overload``, ``save_overload`` and ``flush`` while holding Numba's
    compiler lock, and shows ``cache_path`` in its ``stats``.
    """

    def __init__(self, function: Callable[..., Any], options: str) -> None:
        self._name = f"{function.__module__}.{function.__qualname__}"
        self._options = options
        plain = self._name.removeprefix(f"{_PACKAGE}.").translate(str.maketrans("<>", "__"))
        self._prefix = f"{plain}.{_PYTHON}-"

    @property
    def cache_path(self) -> str:
        """The directory of all code files, or an empty string."""
        return str(code_directory.chosen() or "")

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled signature from disk; None if there is none that fits.

        In that case the caller compiles and saves it; other processes that need it wait for that.
        """
        name = ""
        with _logged():
            if _unchanged():
                key = self._key(sig, target_context.codegen())
                name = _file_name(self._prefix, key)
                with _logged():
                    return self._load(name, key, sig, target_context)
        if name and _asks.get():
            raise CodeLackingError(name)
        with suppress(Exception):
            if name and code_directory.begin(name):
                found = self._load(name, key, sig, target_context)
                code_directory.end(name)
                return found
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Write a compile result, and delete the code of sources that weren't used recently."""
        with _logged():
            if _unchanged():
                key = self._key(sig, data.codegen)
                name = _file_name(self._prefix, key)
                try:
                    if payload := numba_internals.pickled(data, sig):
                        code_directory.write(name, _checksum(key, payload) + payload)
                        code_directory.keep_latest(KEPT, self._stamp_of)
                finally:
                    code_directory.end(name)

    def flush(self) -> None:
        """Delete the function's code for all signatures."""
        code_directory.keep_latest(0, self._stamp_of)

    def _stamp_of(self, name: str) -> str | None:
        return _stamp_in(name, self._prefix)

    def _key(self, sig: Any, codegen: Any) -> bytes:
        settings = [getattr(config, name, None) for name in _SETTINGS]
        facts = (_stamp(), _PYTHON, self._name, self._options)
        return repr((facts, settings, sig, numba_internals.processor(codegen))).encode()

    def _load(self, name: str, key: bytes, sig: Any, target_context: Any) -> Any:
        saved_sig, reduced = pickle.loads(_payload(name, key))
        if saved_sig != sig:
            # The key has types by name, which two named tuples may share.
            raise ValueError(f"{name} is for {saved_sig}, not {sig}")
        rebuilt = numba_internals.rebuilt(target_context, reduced)
        code_directory.mark_used(name)
        return rebuilt


def _stamp_in(name: str, prefix: str) -> str | None:
    """The sources' stamp in the name of a file with this prefix; None for other files."""
    return name.removeprefix(prefix).partition("-")[0] if name.startswith(prefix) else None


def kept(kind: str, facts: str, make: Callable[[], bytes]) -> bytes:
    """What ``make`` returns for these facts, kept beside the compiled code if that is possible.

    It may depend on these facts and on kernel sources only.
    """
    if not (_unchanged() and numba_internals.keeps_code()):
        return make()
    prefix = f"{kind}.{_PYTHON}-"
    key = repr((_stamp(), prefix, facts)).encode()
    name = _file_name(prefix, key)
    with suppress(OSError, ValueError):
        found = _payload(name, key)
        code_directory.mark_used(name)
        return found
    made = make()
    with suppress(OSError):
        code_directory.write(name, _checksum(key, made) + made)
        code_directory.keep_latest(KEPT, lambda name: _stamp_in(name, prefix))
    return made


def _file_name(prefix: str, key: bytes) -> str:
    return f"{prefix}{_stamp()[:16]}-{hashlib.sha256(key).hexdigest()[:16]}.nbc"


def _payload(name: str, key: bytes) -> bytes:
    """What a file has after its checksum; a ValueError if that is wrong."""
    content = code_directory.read(name)
    if content[:32] != _checksum(key, content[32:]):
        raise ValueError(f"{name} is damaged or belongs to another key")
    return content[32:]


def _checksum(key: bytes, payload: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(key).digest() + payload).digest()
