"""Leases on chunks: files that only one process can create, and that expire.

There is no lock and no server. A lease is a file with its owner's name in it, and its owner touches
it regularly while computing the chunk. A process that sees a lease unchanged for some seconds *by
its own clock* takes it over, so the clocks of machines may differ. If the owner was a process of
this machine that has ended, the lease is taken over immediately. In the worst case a chunk is
computed twice, with identical bits.
"""

import os
import platform
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from secrets import token_hex
from time import monotonic
from typing import NamedTuple

from fastgd.store.files import ForeignEntryError, again, is_folder, naming, open_inside

EXPIRY = 15.0
"""Seconds without renewal after which a lease may be taken over."""

_MOST = 1000
"""Maximum bytes that are read of a lease; ours are shorter."""


class _Sight(NamedTuple):
    """A lease as it was last seen, and since when it has been unchanged."""

    owner: bytes
    touched: int
    since: float


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
        self._met: dict[int, _Sight] = {}

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
        with open_inside(path, self.path.parent) as file:
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
        met = self._met.get(chunk)
        if met is None or (met.owner, met.touched) != (owner, touched):
            met = self._met[chunk] = _Sight(owner, touched, monotonic())
        return monotonic() - met.since >= self.expiry or _is_gone(owner)

    def _take_over(self, path: Path, chunk: int) -> bool:
        """Replace an expired lease by our own, unless another owner has done so first."""
        ours = path.with_name(f"{path.name}.{self._name}")
        try:
            if not self._make(ours):  # others can read its name: it is never written through a link
                return False
            with suppress(FileNotFoundError):
                if self._read(path)[1] == self._met[chunk].owner:
                    ours.replace(path)
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
