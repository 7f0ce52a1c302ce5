"""Results on disk: an ``.npz`` file of arrays with a JSON header, read without pickle."""

import json
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.training.files import PathLike, whole_file

Arrays = dict[str, NDArray[Any]]

FORMAT = 1
"""Version of the files that are written."""


def write(path: PathLike, kind: str, facts: dict[str, Any], arrays: Arrays) -> None:
    """Write arrays, and facts that JSON can hold; a whole file or none."""
    header = json.dumps({"kind": kind, "format": FORMAT} | facts)
    named: dict[str, Any] = {"fastgd": np.array(header), **arrays}
    with whole_file(path) as file:  # given a name, savez would add a suffix to it
        np.savez_compressed(file, **named)


def read(path: PathLike) -> tuple[str, dict[str, Any], Arrays]:
    """Read what :func:`write` wrote: kind, facts (sequences as tuples) and arrays.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is not a file of ours.
    """
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        facts = json.loads(str(arrays.pop("fastgd")))
        kind, version = facts.pop("kind"), facts.pop("format")
    except (AttributeError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} must be a file that fastgd has saved") from error
    if version != FORMAT:
        raise ValueError(f"{path} must have format {FORMAT}, got format {version}")
    return kind, {name: _tuples(value) for name, value in facts.items()}, arrays


def _tuples(value: Any) -> Any:
    """Undo that JSON knows lists only; the axes of a sweep are the one place with real ones."""
    if isinstance(value, dict):
        return {name: _tuples(part) for name, part in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
