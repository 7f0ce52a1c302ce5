"""Who works on which chunk: files that only one process can make, and that expire.

There is no lock and no server. A lease is a file with its owner's name in it, and who owns it
touches it while at work. Who meets a lease that hasn't changed for some seconds *by the meeting
one's own clock* takes it over, so clocks may differ; likewise, at once, if the owner was a process
of this machine that is gone. In the worst case a chunk is computed twice, to the same bits.
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

from fastgd.store.entries import ForeignEntryError, is_folder, open_inside
from fastgd.store.files import again, naming

EXPIRY = 15.0
"""Seconds after which a lease that nobody touches is anybody's."""

_MOST = 1000
"""Bytes of a lease that are read: ours have fewer."""


class _Sight(NamedTuple):
    """A lease as it was met, and since when it looks like that."""

    owner: bytes
    touched: int
    since: float


class Leases:
    """Leases on the chunks of one folder, by one owner.

    Parameters
    ----------
    path : path
        Where the leases are: a folder, which is made when one is needed.
    expiry : float
        Seconds after which a lease that isn't renewed is anybody's. All owners renew theirs
        several times as often.
    """

    def __init__(self, path: Path, expiry: float = EXPIRY) -> None:
        self.path = path
        self.expiry = expiry
        self._name = token_hex(8)
        self._met: dict[int, _Sight] = {}

    def acquire(self, chunk: int) -> bool:
        """Whether the chunk is now leased for this owner: it was nobody's, or is taken over.

        Raises
        ------
        OSError
            If no file can be made.
        ForeignEntryError
            If something else is in its place.
        """
        path = self._file(chunk)
        return again(
            lambda: (
                self._make(path) or (self._is_over(path, chunk) and self._take_over(path, chunk))
            )
        )

    def renew(self, chunks: Iterable[int]) -> None:
        """Touch the leases on these chunks that are still this owner's."""
        for chunk in chunks:
            with suppress(OSError, ForeignEntryError):
                if self._is_ours(self._file(chunk)):
                    os.utime(self._file(chunk))

    def release(self, chunk: int) -> None:
        """Remove the lease on a chunk if it is still this owner's."""
        with suppress(OSError, ForeignEntryError):
            if self._is_ours(self._file(chunk)):
                self._file(chunk).unlink()

    def _file(self, chunk: int) -> Path:
        return self.path / f"{chunk:08}"

    def _owner(self) -> bytes:
        """A name that no other owner has, and which tells who is alive."""
        pid = os.getpid()
        return f"{pid} {_birth(pid)} {self._name} {_machine()}".encode()

    def _is_ours(self, path: Path) -> bool:
        return self._read(path)[1] == self._owner()

    def _read(self, path: Path) -> tuple[int, bytes]:
        """When a lease was touched, and by whom."""
        with open_inside(path, self.path.parent) as file:
            return os.fstat(file.fileno()).st_mtime_ns, file.read(_MOST)

    def _make(self, path: Path) -> bool:
        """Make a file that says whose it is, if there is none."""
        if not is_folder(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        try:
            with naming(path), open(path, "xb") as file:
                file.write(self._owner())
        except FileExistsError:
            return False
        except BaseException:  # the disk is full, or Ctrl-C
            path.unlink(missing_ok=True)
            raise
        return True

    def _is_over(self, path: Path, chunk: int) -> bool:
        """Whether a claim's owner is gone, or has not touched it for as long as claims last."""
        try:
            touched, owner = self._read(path)
        except FileNotFoundError:  # it was just released
            return False
        met = self._met.get(chunk)
        if met is None or (met.owner, met.touched) != (owner, touched):
            met = self._met[chunk] = _Sight(owner, touched, monotonic())
        return monotonic() - met.since >= self.expiry or _is_gone(owner)

    def _take_over(self, path: Path, chunk: int) -> bool:
        """Put a lease in the place of one that is over, unless another owner has done so."""
        ours = path.with_name(f"{path.name}.{self._name}")
        try:
            if not self._make(ours):  # its name is no secret: it is never written through a link
                return False
            with suppress(FileNotFoundError):
                if self._read(path)[1] == self._met[chunk].owner:
                    ours.replace(path)
                return self._is_ours(path)
            return False
        finally:
            ours.unlink(missing_ok=True)


def _is_gone(owner: bytes) -> bool:
    """Whether the owner of a lease was a process of this machine that has ended."""
    try:
        pid, birth, _, machine = owner.decode().split(" ", 3)
        if not birth or machine != _machine():
            return False
        return (_birth(int(pid)) or _hidden_birth(int(pid), birth)) != birth
    except (OverflowError, ValueError):  # its owner is about to write it, or it is damaged
        return False


def _birth(pid: int) -> str:
    """When a process began, in ticks since the machine did: numbers of processes are used again.

    Nothing where no such thing is said: not on Linux, or of other users' processes.
    """
    try:
        status = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return ""
    state, *fields = status.rpartition(")")[2].split()
    return "ended" if state in "XZ" else fields[18]


def _hidden_birth(pid: int, birth: str) -> str:
    """The birth that is meant, if there is a process of this number that only doesn't show."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return birth


@cache
def _machine() -> str:
    """A name of the machine since it was started, and of where process numbers mean the same."""
    boot = space = ""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        space = os.readlink("/proc/self/ns/pid")
    return f"{boot} {space} {platform.node()}"
