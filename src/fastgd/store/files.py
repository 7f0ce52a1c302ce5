"""Files that are there whole or not at all.

Results, pictures, pages and the chunks of a folder are written here. The cache of the kernel has a
few lines of its own instead: it may know nothing but the kernel, and its files have a checksum.
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
"""How the names of files begin that are being written, or whose writer was killed."""

_TRIES = 10


@contextmanager
def whole_file(path: PathLike) -> Iterator[IO[bytes]]:
    """Open a file to write that gets its name when all of it is on the disk.

    It is written beside the old one under another name with the same ending. If anything fails
    the old one, if any, stays as it was, and nothing else is left behind. The new one has the
    permissions of the old one, or those that any new file gets. A link is followed, and what is no
    file (``/dev/stdout``, a pipe) is written as it is.

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
    """The same for a file of this mode, or none; a link at the path is replaced, not followed."""
    if mode is not None:
        with open(path, "r+b"):  # a file that may not be written must not be replaced either
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
    """Name the file in errors that name none, or the unfinished one."""
    try:
        yield
    except OSError as error:
        if error.errno is None or (error.filename and UNFINISHED not in str(error.filename)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def keep_names(folder: Path) -> None:
    """Have the names of a folder's files on the disk, so that a power cut doesn't undo a rename."""
    with suppress(OSError):  # Windows opens no folder, and some shares sync none
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def again(work: Callable[[], T]) -> T:
    """Do it, and again if another process removes the folder, or a file in it, meanwhile."""
    for _ in range(_TRIES - 1):
        with suppress(FileNotFoundError):
            return work()
    return work()
