"""A result on disk, part by part, which any number of processes may fill at once.

Each part is a file that is there whole or not at all. What is in it depends on the question only,
so it doesn't matter who computes it, how often, and what ended the work before.

::

    manifest.json            the question, and what is good to know of the answer
    shared.npz               arrays that were part of the question
    parts/00012/00012345.npz
    claims/00012346          who works on what; gone when all is done
"""

import os
import re
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.cautions import warn
from fastgd.arguments.messages import shown
from fastgd.store import part_file
from fastgd.store.archive import Arrays
from fastgd.store.claims import EXPIRY, Claims
from fastgd.store.files import UNFINISHED, PathLike, again, keep_names, whole_file
from fastgd.store.manifest import Manifest, manifest_of, parsed
from fastgd.store.part_file import DamagedPartError, MissingPartError

T = TypeVar("T")

MANIFEST = "manifest.json"
SHARED = "shared.npz"
PARTS = "parts"
CLAIMS = "claims"

_PART = re.compile(r"[0-9]{8}\.npz")
_A_SUBFOLDER = 1000


class DamageWarning(UserWarning):
    """Something on disk was damaged, and is made anew."""


class Folder:
    """A result on disk: :meth:`create` or :meth:`open` it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as path:
    ...     folder = Folder.create(path, "squares", {"of": [1, 2, 3]}, {}, {}, parts=3)
    ...     folder.write(1, {"square": np.array(4)})
    ...     folder.done(), Folder.open(path).read(1)
    (array([False,  True, False]), {'square': array(4)})
    """

    def __init__(
        self, path: PathLike, manifest: Manifest, arrays: Arrays | None, expiry: float
    ) -> None:
        self.path = Path(path).absolute()
        self._manifest = manifest
        self._arrays = arrays
        self._claims = Claims(self.path / CLAIMS, expiry)
        self._stamp: tuple[int, ...] = ()

    @classmethod
    def create(
        cls,
        path: PathLike,
        kind: str,
        asked: dict[str, Any],
        facts: dict[str, Any],
        arrays: Arrays,
        parts: int,
        *,
        expiry: float = EXPIRY,
    ) -> "Folder":
        """Make a folder for the answer to a question, or take the one that is there.

        Parameters
        ----------
        path : path
            The folder; it may be there, empty or with parts of the same answer.
        kind : str
            What it is.
        asked, facts : dict
            All that its numbers depend on, and what follows from it; JSON must hold both.
        arrays : dict of arrays
            What the numbers depend on, too.
        parts : int
            How many parts there will be.
        expiry : float
            Seconds after which a claim of a process of another machine is anybody's.

        Raises
        ------
        ValueError
            If there is something else in the folder; the message says what differs.
        OSError
            If the folder can't be made, read or written to.
        """
        folder = cls(path, manifest_of(kind, asked, facts, arrays, parts), arrays, expiry)
        folder._settle()
        return folder

    @classmethod
    def open(cls, path: PathLike, *, expiry: float = EXPIRY) -> "Folder":
        """Return the folder that is there.

        Raises
        ------
        ValueError
            If it isn't one that :meth:`create` made, or its manifest is damaged.
        OSError
            If it can't be read.
        """
        try:
            return cls(path, _manifest_at(Path(path)), None, expiry)
        except FileNotFoundError:
            if not os.path.isdir(path):
                raise
            raise ValueError(
                f"{path} must be a folder that fastgd has written, got one without {MANIFEST}"
            ) from None

    @property
    def kind(self) -> str:
        """What it is: a sweep, a map, ..."""
        return self._manifest.kind

    @property
    def asked(self) -> dict[str, Any]:
        """What it answers; sequences are tuples."""
        return self._manifest.asked

    @property
    def facts(self) -> dict[str, Any]:
        """What is good to know of it; sequences are tuples."""
        return self._manifest.facts

    @property
    def parts(self) -> int:
        """How many parts it has, done or not."""
        return self._manifest.parts

    @property
    def id(self) -> str:
        """A hash of all that its parts depend on: folders with the same one have the same parts."""
        return self._manifest.id

    @property
    def arrays(self) -> Arrays:
        """Arrays that were part of the question, read when they are first asked for.

        Raises
        ------
        DamagedPartError
            If their file is damaged.
        OSError
            If it can't be read.
        """
        if self._arrays is None:
            self._arrays = self._shared()
        return self._arrays

    def __repr__(self) -> str:
        return f"<Folder {str(self.path)!r}: {self.kind} of {self.parts} parts>"

    def done(self) -> NDArray[np.bool_]:
        """Return which parts have a file, damaged or not."""
        there = np.zeros(self.parts, bool)
        for first in range(0, self.parts, _A_SUBFOLDER):
            with suppress(FileNotFoundError), os.scandir(self._file(first).parent) as entries:
                for entry in entries:
                    if _PART.fullmatch(entry.name) and entry.is_file():
                        part = int(entry.name[:8])
                        if first <= part < min(first + _A_SUBFOLDER, self.parts):
                            there[part] = True
        return there

    def has(self, part: int) -> bool:
        """Whether a part has a file, damaged or not."""
        return self._file(part).exists()

    def read(self, part: int, names: Collection[str] | None = None) -> Arrays:
        """Return the arrays of a part, or those with these names, verified; others are not read.

        Raises
        ------
        MissingPartError
            If the part isn't done.
        DamagedPartError
            If what is read isn't as it was written.
        KeyError
            If there is no array of a name.
        """
        return self._looked_at(part, lambda file, origin: part_file.unpacked(file, origin, names))

    def verify(self, part: int) -> str:
        """Return the hash of a part, all of which is looked at.

        Raises
        ------
        MissingPartError, DamagedPartError
            As :meth:`read` does.
        """
        return self._looked_at(part, part_file.verify)

    def damaged(self, parts: Iterable[int] | None = None) -> list[int]:
        """Return which parts have a damaged file, of all or of these; each is looked at."""
        return [
            part
            for part in (np.flatnonzero(self.done()).tolist() if parts is None else parts)
            if self._is_whole(part) is False
        ]

    def digest(self) -> str:
        """Return the hash of the result: SHA-256 of the hashes of all parts, each verified.

        Raises
        ------
        MissingPartError, DamagedPartError
            If there is no whole result.
        """
        whole = sha256()
        for part in range(self.parts):
            whole.update(self.verify(part).encode())
        return whole.hexdigest()

    def write(self, part: int, arrays: Arrays) -> None:
        """Put the arrays of a part on disk, whole or not at all.

        If the folder was removed meanwhile it is made again.

        Raises
        ------
        ValueError
            If there is another one in its place.
        OSError
            If it can't be written; the message names the file.
        """
        path = self._file(part)
        whole = part_file.packed(arrays, self._origin(part))

        def put() -> None:
            self._stay()
            _write(path, whole)

        again(put)

    def discard(self, part: int) -> None:
        """Remove the file of a part, if there is one."""
        self._file(part).unlink(missing_ok=True)

    def claim(self, part: int) -> bool:
        """Whether the part is to be done, and from now on by who asks.

        It isn't if it has a file, or if another one is at it who is alive.
        """
        if self.has(part) or not self._claims.claim(part):
            return False
        if self.has(part):  # another one has just done it
            self.release(part)
            return False
        return True

    def renew(self, parts: Iterable[int]) -> None:
        """Say that one is still at these parts, which were claimed."""
        self._claims.renew(parts)

    def release(self, part: int) -> None:
        """Give a claim back: the part is done, or won't be."""
        self._claims.release(part)

    def tidy(self) -> None:
        """Remove what work leaves behind: claims, and half-written files of who was killed.

        That is for when all parts are done; a process that still writes one does so again.
        """
        with suppress(OSError):
            for folder, _, names in os.walk(self.path):
                for name in names:
                    if name.startswith(UNFINISHED) or Path(folder) == self._claims.path:
                        Path(folder, name).unlink(missing_ok=True)
            self._claims.path.rmdir()

    def _file(self, part: int) -> Path:
        if not 0 <= part < self.parts:
            raise IndexError(f"part must be 0 to {self.parts - 1}, got {part}")
        return self.path / PARTS / f"{part // _A_SUBFOLDER:05}" / f"{part:08}.npz"

    def _origin(self, part: int | str) -> str:
        return f"{self.id}/{part}"

    def _looked_at(self, part: int, look: Callable[[IO[bytes], str], T]) -> T:
        path = self._file(part)
        try:
            return _look(path, self._origin(part), look)
        except FileNotFoundError:
            raise MissingPartError(f"{path} is not there: its part is not done yet") from None

    def _is_whole(self, part: int) -> bool | None:
        """Whether the file of a part is as it was written; None if there is none."""
        try:
            self.verify(part)
        except DamagedPartError:
            return False
        except MissingPartError:
            return None
        return True

    def _shared(self) -> Arrays:
        if not self._manifest.shared:
            return {}
        return _look(self.path / SHARED, self._origin(SHARED), part_file.unpacked)

    def _stay(self) -> None:
        """Make the folder again if it was removed; refuse another one."""
        with suppress(FileNotFoundError):
            if self._stamp == _stamp(self.path / MANIFEST):
                return
        self._settle()

    def _settle(self) -> None:
        """Have a folder with this question: the one that is there, or a new one."""
        again(self._settle_once)
        self._stamp = _stamp(self.path / MANIFEST)

    def _settle_once(self) -> None:
        try:
            found = _manifest_at(self.path)
        except FileNotFoundError:
            self._begin(None)
            found = _manifest_at(self.path)  # another process may have been faster
        except ValueError as error:
            self._begin(error)
            found = _manifest_at(self.path)
        if found.id != self.id:
            raise ValueError(
                f"{self.path} must be empty or hold the same {self.kind}, got one with "
                f"{found.differences(self._manifest)}: remove it, or choose another folder"
            )
        self._manifest = found
        self._keep_shared()

    def _begin(self, trouble: ValueError | None) -> None:
        """Write a manifest where there is none, or one that is damaged, if all else is ours."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            names = set(os.listdir(self.path)) - {MANIFEST, SHARED, PARTS, CLAIMS}
        except (FileExistsError, NotADirectoryError):
            raise ValueError(f"{self.path} must be a folder, got a file") from None
        if any(not name.startswith(UNFINISHED) for name in names):
            raise trouble or ValueError(
                f"{self.path} must be empty or a folder that fastgd has written, got one with "
                f"{shown(min(names))}"
            )
        done = np.flatnonzero(self.done()).tolist()
        if trouble or done:
            if not any(self._is_whole(part) for part in done):
                raise trouble or ValueError(
                    f"{self.path} must be empty or hold the same {self.kind}, got parts of "
                    f"something else, without {MANIFEST}: remove it, or choose another folder"
                )
            warn(f"{self.path / MANIFEST} was damaged or lost, and is written anew", DamageWarning)
        self._keep_shared()
        _write(self.path / MANIFEST, self._manifest.text())

    def _keep_shared(self) -> None:
        """Write the shared arrays unless they are there, as they were written."""
        path = self.path / SHARED
        if not self._manifest.shared or self._arrays is None:
            return
        try:
            _look(path, self._origin(SHARED), part_file.verify)
        except FileNotFoundError:
            pass
        except DamagedPartError:
            warn(f"{path} was damaged, and is written anew", DamageWarning)
        else:
            return
        _write(path, part_file.packed(self._arrays, self._origin(SHARED)))


def _manifest_at(folder: Path) -> Manifest:
    """What the manifest of a folder says."""
    path = folder / MANIFEST
    text = path.read_bytes()
    try:
        return parsed(text)
    except ValueError as error:
        raise ValueError(f"{path} {error}") from None


def _stamp(path: Path) -> tuple[int, ...]:
    """What changes when another file gets this name."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _look(path: Path, origin: str, look: Callable[[IO[bytes], str], T]) -> T:
    with open(path, "rb") as file:
        try:
            return look(file, origin)
        except DamagedPartError:
            raise DamagedPartError(
                f"{path} must be as fastgd has written it there, got a file that is damaged or "
                "from somewhere else"
            ) from None


def _write(path: Path, content: bytes) -> None:
    """Write a file, and the folders above it; an error names it."""
    try:
        _make(path.parent)
        with whole_file(path) as file:
            file.write(content)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def _make(folder: Path) -> None:
    """Make a folder that a power cut doesn't undo."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        keep_names(folder.parent)
