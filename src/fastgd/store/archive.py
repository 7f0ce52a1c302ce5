"""An ``.npz`` file of arrays and a JSON header: written whole, and read without trust."""

import json
import zipfile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.store.files import PathLike, whole_file

Arrays = dict[str, NDArray[Any]]

FORMAT = 1
"""Version of the files that are written."""


def write(path: PathLike, kind: str, facts: dict[str, Any], arrays: Arrays) -> None:
    """Write arrays, and facts that JSON can hold; a whole file or none."""
    header = json.dumps({"kind": kind, "format": FORMAT, "members": list(arrays)} | facts)
    named: dict[str, Any] = {"fastgd": np.array(header), **arrays}
    with whole_file(path) as file:  # given a name, savez would add a suffix to it
        np.savez_compressed(file, **named)


def read(path: PathLike) -> tuple[str, dict[str, Any], Arrays]:
    """Read what :func:`write` wrote: kind, facts (sequences as tuples) and arrays.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is not a whole file of ours.
    """
    with open(path, "rb") as stream:
        try:
            arrays = _members(stream)
            facts = json.loads(str(arrays.pop("fastgd")))
            kind, version = facts.pop("kind"), facts.pop("format")
            members = facts.pop("members", list(arrays))  # the first files did not say
            is_ours = (
                isinstance(kind, str)
                and isinstance(version, int)
                and sorted(arrays) == sorted(members)
            )
        except Exception as error:
            # Of damaged bytes zipfile, zlib, NumPy and json raise what they like, OSError and
            # MemoryError included.
            raise not_whole(path) from error
    if not is_ours:
        raise not_whole(path)
    if version != FORMAT:
        raise ValueError(f"{path} must have format {FORMAT}, got format {version}")
    return kind, {name: tuples(value) for name, value in facts.items()}, arrays


def not_whole(path: PathLike) -> ValueError:
    """What is said of a file that someone else wrote, or that is damaged."""
    return ValueError(f"{path} must be a whole file that fastgd has saved")


def _members(stream: IO[bytes]) -> Arrays:
    """All arrays; unlike :func:`numpy.load` it reads each to its end, where its checksum is."""
    arrays: Arrays = {}
    with zipfile.ZipFile(stream) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                array = np.lib.format.read_array(member, allow_pickle=False)
                if member.read(1):
                    raise ValueError(f"{name} goes on after its array")
            arrays[name.removesuffix(".npy")] = array
    return arrays


def tuples(value: Any) -> Any:
    """Undo that JSON knows lists only; the axes of a sweep are the one place with real ones."""
    if isinstance(value, dict):
        return {name: tuples(part) for name, part in value.items()}
    return tuple(map(tuples, value)) if isinstance(value, list) else value
