"""Safe access to files: what is written appears whole or not at all, and only files are read.

Results, plots, pages and the chunks of a folder are written with these functions. The cache of
compiled code has a few lines of its own instead: the kernel may import nothing but the kernel, and
the files of the cache have a checksum.

In a result's folder only regular files and real folders are opened. A link may lead out of the
folder, and writing through it would overwrite what it points to. Reading a pipe may block, and a
device may have no end. So the kind of each entry is checked before it is opened, and any other kind
raises an error that names the entry. The path that the user gives may contain links; the entries
inside the folder may not be links.
"""

import os
import platform
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from logging import getLogger
from pathlib import Path
from secrets import token_hex
from time import monotonic
from typing import IO, TypeVar
from uuid import uuid4

from fastgd.store import PathLike

T = TypeVar("T")

UNFINISHED = ".unfinished-"
"""Prefix of the names of files that are being written, or whose writer was killed."""

_TRIES = 10

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
            with _replacing(target, mode) as file:
                yield file
        else:
            with open(path, "wb") as file:
                yield file


def put(path: Path, content: bytes, root: Path) -> None:
    """Write a file of the folder ``root`` atomically, creating the folders above it.

    Raises OSError, which names the file, or as :func:`is_file`.
    """
    with naming(path):
        mode = _mode_inside(path, root)
        _make(path.parent)
        with _replacing(path, mode) as file:
            file.write(content)


def is_file(path: Path, root: Path) -> bool:
    """Whether this file of the folder ``root`` exists.

    Raises
    ------
    ForeignEntryError
        If something else has its name, or that of a folder that leads to it.
    """
    return _mode_inside(path, root) is not None


def is_folder(path: PathLike) -> bool:
    """Whether a folder exists; raises as :func:`is_file`, also for a link to a folder."""
    return _mode(path, stat.S_IFDIR) is not None


def open_file(path: PathLike, root: Path | None = None) -> IO[bytes]:
    """Open a file for reading, or raise `ForeignEntryError`; its path may contain links.

    If it is a file of the folder ``root``, there must be none from there on; see :func:`is_file`.
    """
    flags = getattr(os, "O_NONBLOCK", 0)
    if root is None:
        check_kind(path, os.stat(path).st_mode, stat.S_IFREG)
    else:
        is_file(Path(path), root)
        flags |= getattr(os, "O_NOFOLLOW", 0)  # nor a link made since the check

    def opener(name: str, how: int) -> int:
        number = os.open(name, how | flags)
        try:  # it was a file when it was checked, and must still be one
            check_kind(path, os.fstat(number).st_mode, stat.S_IFREG)
        except ForeignEntryError:
            os.close(number)
            raise
        return number

    return open(path, "rb", opener=opener)


def check_kind(path: PathLike, mode: int, kind: int) -> None:
    """Raise :class:`ForeignEntryError` unless the mode is of this kind: a file or a folder."""
    if stat.S_IFMT(mode) != kind:
        got = _KINDS.get(stat.S_IFMT(mode), "something else")
        raise ForeignEntryError(f"{path} must be {_KINDS[kind]}, got {got}")


@contextmanager
def naming(path: PathLike) -> Iterator[None]:
    """Put the file's name into errors that have no name, or that of the temporary file."""
    try:
        yield
    except OSError as error:
        if error.errno is None or (error.filename and UNFINISHED not in str(error.filename)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def again(work: Callable[[], T]) -> T:
    """Call ``work``; retry if another process removes the folder, or a file in it, meanwhile."""
    for _ in range(_TRIES - 1):
        with suppress(FileNotFoundError):
            return work()
    return work()


@contextmanager
def _replacing(path: Path, mode: int | None) -> Iterator[IO[bytes]]:
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
    _keep_names(path.parent)


def _mode_inside(path: Path, root: Path) -> int | None:
    """As `_mode`, of a file of the folder ``root``; checks the folders that lead to it, too."""
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


def _make(folder: Path) -> None:
    """Make a folder that survives a power cut."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        _keep_names(folder.parent)


def _keep_names(folder: Path) -> None:
    """Flush a folder's entries to the disk, so that a power cut doesn't undo a rename."""
    with suppress(OSError):  # Windows can't open folders, and some network shares can't sync them
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


# ---------------------------------------------------------------- leases on chunks
# A lease is a file with its owner's name in it, which only one process can create, and which
# expires: there is no lock and no server. Its owner touches it regularly while computing the chunk.
# A process that sees a lease unchanged for some seconds *by its own clock* takes it over, so the
# clocks of machines may differ. If the owner was a process of this machine that has ended, the
# lease is taken over immediately. In the worst case a chunk is computed twice, with identical bits.


EXPIRY = 15.0
"""Seconds without renewal after which a lease may be taken over."""

_MOST = 1000
"""Maximum bytes that are read of a lease; ours are shorter."""


class Leases:
    """The leases that one owner holds on the chunks of one folder.

    Parameters
    ----------
    path : path
        The folder of the leases, created with the first lease.
    expiry : float
        Seconds without renewal after which a lease may be taken over. Owners renew their leases
        several times within that span.
    """

    def __init__(self, path: Path, expiry: float = EXPIRY) -> None:
        self.path = path
        self.expiry = expiry
        self._name = token_hex(8)
        self._met: dict[int, tuple[bytes, int, float]] = {}  # owner, when it was touched; since

    def acquire(self, chunk: int) -> bool:
        """Try to lease a chunk: True if it had no lease, or an expired one that is taken over."""
        path = self._file(chunk)
        return again(
            lambda: (
                self._make(path) or (self._is_over(path, chunk) and self._take_over(path, chunk))
            )
        )

    def renew(self, chunks: Iterable[int]) -> None:
        """Touch those leases on these chunks that this owner still holds."""
        for chunk in chunks:
            with suppress(OSError, ForeignEntryError):
                if self._is_ours(self._file(chunk)):
                    os.utime(self._file(chunk))

    def release(self, chunk: int) -> None:
        """Remove the lease on a chunk if this owner still holds it."""
        with suppress(OSError, ForeignEntryError):
            if self._is_ours(self._file(chunk)):
                self._file(chunk).unlink()

    def _file(self, chunk: int) -> Path:
        return self.path / f"{chunk:08}"

    def _owner(self) -> bytes:
        """A unique name, from which others can tell whether this process is alive."""
        pid = os.getpid()
        return f"{pid} {_birth(pid)} {self._name} {_machine()}".encode()

    def _is_ours(self, path: Path) -> bool:
        return self._read(path)[1] == self._owner()

    def _read(self, path: Path) -> tuple[int, bytes]:
        """When a lease was last touched, and its owner."""
        with open_file(path, self.path.parent) as file:
            return os.fstat(file.fileno()).st_mtime_ns, file.read(_MOST)

    def _make(self, path: Path) -> bool:
        """Create the lease with this owner's name; False if the file exists."""
        if not is_folder(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        try:
            with naming(path), open(path, "xb") as file:
                file.write(self._owner())
        except FileExistsError:
            return False
        except BaseException:  # a full disk, or Ctrl-C
            path.unlink(missing_ok=True)
            raise
        return True

    def _is_over(self, path: Path, chunk: int) -> bool:
        """Whether a lease has expired, or its owner has ended."""
        try:
            touched, owner = self._read(path)
        except FileNotFoundError:  # it was just released
            return False
        if self._met.get(chunk, ())[:2] != (owner, touched):
            self._met[chunk] = owner, touched, monotonic()
        return monotonic() - self._met[chunk][2] >= self.expiry or _is_gone(owner)

    def _take_over(self, path: Path, chunk: int) -> bool:
        """Replace an expired lease by our own, unless another owner has done so first."""
        ours = path.with_name(f"{path.name}.{self._name}")
        try:
            if not self._make(ours):  # others can read its name: it is never written through a link
                return False
            with suppress(FileNotFoundError):
                if self._read(path)[1] == self._met[chunk][0]:
                    ours.replace(path)
                    getLogger("fastgd").info("lease taken over: %s", path)
                return self._is_ours(path)
            return False
        finally:
            ours.unlink(missing_ok=True)


def _is_gone(owner: bytes) -> bool:
    """Whether the owner of a lease is known to be a process of this machine that has ended."""
    try:
        pid, birth, _, machine = owner.decode().split(" ", 3)
        if not birth or machine != _machine():
            return False
        return (_birth(int(pid)) or _hidden_birth(int(pid), birth)) != birth
    except (OverflowError, ValueError):  # its owner is about to write it, or the file is corrupt
        return False


def _birth(pid: int) -> str:
    """The start time of a process in ticks since boot, as process IDs are reused.

    An empty string where it is unknown: on systems other than Linux, or for other users' processes.
    """
    try:
        status = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return ""
    state, *fields = status.rpartition(")")[2].split()
    return "ended" if state in "XZ" else fields[18]


def _hidden_birth(pid: int, birth: str) -> str:
    """``birth`` if a process with this ID exists whose start time can't be read, else ""."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return birth


@cache
def _machine() -> str:
    """Identify this boot of the machine, and the namespace in which process IDs are unique."""
    boot = space = ""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        space = os.readlink("/proc/self/ns/pid")
    return f"{boot} {space} {platform.node()}"
