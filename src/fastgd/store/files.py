"""Atomic writes: a file appears complete or not at all.

Results, plots, pages and the chunks of a folder are written with these functions. The cache of
compiled code has a few lines of its own instead: the kernel may import nothing but the kernel, and
the files of the cache have a checksum.
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TypeVar
from uuid import uuid4

T = TypeVar("T")

PathLike = str | os.PathLike[str]

UNFINISHED = ".unfinished-"
"""Prefix of the names of files that are being written, or whose writer was killed."""

_TRIES = 10


@contextmanager
def whole_file(path: PathLike) -> Iterator[IO[bytes]]:
    """Open a file for writing that gets its name once all of it is on the disk.

    It is written to a temporary file in the same folder, with the same suffix. If anything fails,
    an old file stays as it was, and nothing else is left behind. The new file has the permissions
    of the old one, or those that any new file gets. A link is followed, and anything that isn't a
    regular file (``/dev/stdout``, a pipe) is written to directly.

    Raises
    ------
    OSError
        If the file, or another one in its folder, cannot be written; the error names the file.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "numbers.txt")
    ...     with whole_file(path) as file:
    ...         _ = file.write(b"1 2 3")
    ...         path.exists()
    ...     path.read_bytes()
    False
    b'1 2 3'
    """
    with naming(path):
        target = Path(os.path.realpath(path))
        mode = None
        with suppress(FileNotFoundError):
            mode = target.stat().st_mode
        if mode is None or stat.S_ISREG(mode):
            with replacing(target, mode) as file:
                yield file
        else:
            with open(path, "wb") as file:
                yield file


@contextmanager
def replacing(path: Path, mode: int | None) -> Iterator[IO[bytes]]:
    """As :func:`whole_file`, for an old file of this mode (None: no file); links are replaced."""
    if mode is not None:
        with open(path, "r+b"):  # a read-only file must not be replaced either
            pass
    unfinished = path.with_name(f"{UNFINISHED}{uuid4().hex[:8]}{path.suffix}")
    try:
        with open(unfinished, "xb") as file:
            if mode is not None:
                unfinished.chmod(stat.S_IMODE(mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    keep_names(path.parent)


@contextmanager
def naming(path: PathLike) -> Iterator[None]:
    """Put the file's name into errors that have no name, or that of the temporary file."""
    try:
        yield
    except OSError as error:
        if error.errno is None or (error.filename and UNFINISHED not in str(error.filename)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def keep_names(folder: Path) -> None:
    """Flush a folder's entries to the disk, so that a power cut doesn't undo a rename."""
    with suppress(OSError):  # Windows can't open folders, and some network shares can't sync them
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def again(work: Callable[[], T]) -> T:
    """Call ``work``; retry if another process removes the folder, or a file in it, meanwhile."""
    for _ in range(_TRIES - 1):
        with suppress(FileNotFoundError):
            return work()
    return work()
