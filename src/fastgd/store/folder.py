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
from collections.abc import Collection, Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.store import chunk_file
from fastgd.store.directory import CLAIMS, Directory
from fastgd.store.entries import put
from fastgd.store.files import UNFINISHED, PathLike, again
from fastgd.store.leases import EXPIRY, Leases
from fastgd.store.manifest import manifest_of
from fastgd.store.npz import Arrays


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

    def __init__(self, place: Directory, expiry: float) -> None:
        self._place = place
        self._claims = Leases(place.path / CLAIMS, expiry)

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
            Seconds after which a claim that isn't renewed is anybody's, if its owner may be alive.

        Raises
        ------
        ValueError
            If there is something else in the folder; the message says what differs. Or if there
            would be too many parts.
        OSError
            If the folder can't be made, read or written to.
        """
        manifest = manifest_of(kind, asked, facts, arrays, parts)
        place = Directory(Path(path).absolute(), manifest, arrays)
        place.settle()
        return cls(place, expiry)

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
        return cls(Directory.at(Path(path).absolute()), expiry)

    @property
    def expiry(self) -> float:
        """Seconds after which a claim that isn't renewed is anybody's."""
        return self._claims.expiry

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._place.path

    @property
    def kind(self) -> str:
        """What it is: a sweep, a map, ..."""
        return self._place.manifest.kind

    @property
    def asked(self) -> dict[str, Any]:
        """What it answers; sequences are tuples."""
        return self._place.manifest.asked

    @property
    def facts(self) -> dict[str, Any]:
        """What is good to know of it; sequences are tuples."""
        return self._place.manifest.facts

    @property
    def parts(self) -> int:
        """How many parts it has, done or not."""
        return self._place.manifest.parts

    @property
    def id(self) -> str:
        """A hash of all that its parts depend on: folders with the same one have the same parts."""
        return self._place.manifest.id

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
        return self._place.arrays()

    def __repr__(self) -> str:
        return f"<Folder {str(self.path)!r}: {self.kind} of {self.parts} parts>"

    def done(self) -> NDArray[np.bool_]:
        """Return which parts have a file, damaged or not."""
        return self._place.shelf.done()

    def has(self, part: int) -> bool:
        """Whether a part has a file, damaged or not."""
        return self._place.shelf.has(part)

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
        return self._place.shelf.look(
            part, lambda file, origin: chunk_file.unpacked(file, origin, names)
        )

    def verify(self, part: int) -> str:
        """Return the hash of a part, all of which is looked at.

        Raises
        ------
        MissingPartError, DamagedPartError
            As :meth:`read` does.
        """
        return self._place.shelf.look(part, chunk_file.verify)

    def damaged(self, parts: Iterable[int] | None = None) -> list[int]:
        """Return which parts have a damaged file, of all or of these; each is looked at."""
        looked_at = np.flatnonzero(self.done()).tolist() if parts is None else parts
        return [part for part in looked_at if self._place.shelf.is_damaged(part)]

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
        whole = chunk_file.packed(arrays, self._place.shelf.origin(part))

        def try_once() -> None:
            self._place.stay()
            put(path, whole, self.path)

        try:
            again(try_once)
        except PermissionError:
            # Windows replaces no file that another process has open: it may have written the same.
            if not self.has(part) or self._place.shelf.is_damaged(part):
                raise

    def discard(self, part: int) -> None:
        """Remove the file of a part if it is damaged: another process may have replaced it."""
        if self._place.shelf.is_damaged(part):
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
        return self._place.shelf.file(part)
