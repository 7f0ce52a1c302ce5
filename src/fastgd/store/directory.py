"""The directory of a result: created, opened, recreated, repaired, or rejected."""

import os
import shutil
from contextlib import suppress
from errno import ENOENT
from pathlib import Path
from secrets import token_hex

import numpy as np

from fastgd.arguments.warnings import warn
from fastgd.checks.messages import shown
from fastgd.store import chunk_file
from fastgd.store.chunk_file import CorruptChunkError
from fastgd.store.chunk_paths import CHUNKS, ChunkPaths
from fastgd.store.entries import ForeignEntryError, open_inside, put
from fastgd.store.files import UNFINISHED, again
from fastgd.store.manifest import Manifest, parsed
from fastgd.store.npz import Arrays

MANIFEST = "manifest.json"
SHARED = "shared.npz"
LEASES = "claims"

_MOST = 2**28
"""Maximum bytes of a manifest: one with a million combinations has a third of that."""


class DamageWarning(UserWarning):
    """Something on disk was corrupt, and is computed or written again."""


class Directory:
    """A folder for one result.

    Parameters
    ----------
    path : path
        The folder.
    manifest : Manifest
        What the result depends on.
    arrays : dict of arrays, optional
        The arrays that the result depends on; without them, they are read from the folder when
        needed.
    """

    def __init__(self, path: Path, manifest: Manifest, arrays: Arrays | None = None) -> None:
        self.path = path
        self.manifest = manifest
        self._arrays = arrays
        self._stamp: tuple[int, ...] = ()

    @classmethod
    def at(cls, path: Path) -> "Directory":
        """Open an existing folder; raises as :meth:`fastgd.store.folder.Folder.open`."""
        try:
            return cls(path, _manifest_at(path))
        except FileNotFoundError:
            if not path.is_dir():
                raise
            raise ValueError(
                f"{path} must be a folder that fastgd has written, got one without {MANIFEST}"
            ) from None

    @property
    def paths(self) -> ChunkPaths:
        """The paths of its chunks."""
        return ChunkPaths(self.path, self.manifest.id, self.manifest.chunk_count)

    def arrays(self) -> Arrays:
        """Return the arrays that the result depends on; they are read once."""
        if self._arrays is None:
            self._arrays = {}
            if self.manifest.shared:
                self._arrays = chunk_file.look(
                    self.path / SHARED, self.path, self._shared_origin(), chunk_file.unpacked
                )
        return self._arrays

    def stay(self) -> None:
        """Call :meth:`settle` again if the folder was removed or replaced."""
        with suppress(FileNotFoundError):
            if self._stamp == _stamp(self.path / MANIFEST):
                return
        self.settle()

    def settle(self) -> None:
        """Make sure that the folder exists and holds this result; create it if necessary."""
        again(self._settle)
        self._stamp = _stamp(self.path / MANIFEST)

    def _settle(self) -> None:
        try:
            found = self._found() or self._begun(None)
        except ForeignEntryError:
            raise
        except ValueError as error:
            found = self._begun(error)
        if found.id != self.manifest.id:
            raise ValueError(
                f"{self._must_be_the_same()}, got one with "
                f"{found.differences(self.manifest)}: remove it, or choose another folder"
            )
        self.manifest = found
        self._keep_shared()

    def _found(self) -> Manifest | None:
        with suppress(FileNotFoundError, NotADirectoryError):
            return _manifest_at(self.path)
        return None

    def _begun(self, trouble: ValueError | None) -> Manifest:
        """Write a missing or corrupt manifest, if the folder has nothing but files of ours.

        Another process may do so at the same time: the manifest that is there in the end counts.
        """
        if self.manifest.shared and self._arrays is None:
            raise FileNotFoundError(ENOENT, os.strerror(ENOENT), str(self.path / MANIFEST))
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            foreign = _foreign(self.path)
        except (FileExistsError, NotADirectoryError):
            raise ValueError(f"{self.path} must be a folder, got a file") from None
        if foreign:
            raise trouble or ValueError(
                f"{self.path} must be empty or a folder that fastgd has written, got one with "
                f"{shown(foreign[0])}"
            )
        done = np.flatnonzero(self.paths.done()).tolist()
        if not trouble and (found := self._found()):
            return found
        if all(map(self.paths.is_corrupt, done)) and (trouble or done):
            raise trouble or ValueError(
                f"{self._must_be_the_same()}, got chunks of something else without {MANIFEST}: "
                "remove it, or choose another folder"
            )
        if done:
            warn(f"{self.path / MANIFEST} was corrupt or missing: written again", DamageWarning)
        self._keep_shared()
        put(self.path / MANIFEST, self.manifest.text(), self.path)
        return _manifest_at(self.path)

    def _must_be_the_same(self) -> str:
        return f"{self.path} must be empty or hold the same {self.manifest.kind}"

    def _shared_origin(self) -> str:
        return f"{self.manifest.id}/{SHARED}"

    def _keep_shared(self) -> None:
        """Write the arrays that the result depends on, unless an intact file has them."""
        if not self.manifest.shared or self._arrays is None:
            return
        path = self.path / SHARED
        try:
            chunk_file.look(path, self.path, self._shared_origin(), chunk_file.verify)
        except FileNotFoundError:
            pass
        except CorruptChunkError:
            warn(f"{path} was corrupt: written again", DamageWarning)
        else:
            return
        put(path, chunk_file.packed(self._arrays, self._shared_origin()), self.path)


def remove(path: Path) -> None:
    """Remove all that fastgd wrote into a folder, and the folder unless it has other files.

    A process that still works on the folder creates it again for its further chunks.
    """
    with suppress(FileNotFoundError):
        foreign = _foreign(path)
        goes = not foreign and not path.is_symlink()
        if goes:  # renamed first, so that nobody sees a half-removed folder
            path = path.rename(path.with_name(f"{UNFINISHED}{path.name}-{token_hex(4)}"))
        for name in set(os.listdir(path)) - set(foreign):
            if (path / name).is_dir() and not (path / name).is_symlink():
                shutil.rmtree(path / name)
            else:
                (path / name).unlink(missing_ok=True)
        if goes:
            path.rmdir()


def _foreign(path: Path) -> list[str]:
    """Names in a folder that fastgd doesn't use."""
    names = set(os.listdir(path)) - {MANIFEST, SHARED, CHUNKS, LEASES}
    return sorted(name for name in names if not name.startswith(UNFINISHED))


def _manifest_at(folder: Path) -> Manifest:
    """Read the manifest of a folder."""
    path = folder / MANIFEST
    with open_inside(path, folder) as file:
        text = file.read() if os.fstat(file.fileno()).st_size <= _MOST else b""
    try:
        return parsed(text)
    except ValueError as error:
        raise ValueError(f"{path} {error}") from None


def _stamp(path: Path) -> tuple[int, ...]:
    """Changes whenever the file is replaced by another one."""
    found = path.lstat()
    return found.st_ino, found.st_mtime_ns, found.st_size
