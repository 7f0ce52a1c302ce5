"""Save and load results: runs, sweeps, and the results of higher packages.

The content of a file is checked like the arguments of a call: each value and each array must have
the expected type and shape, or the file is rejected.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from fastgd.checks.values import check_path
from fastgd.formulas.expressions import UnknownNameError
from fastgd.store import npz
from fastgd.store.files import PathLike
from fastgd.store.npz import Found
from fastgd.training import stored_run, stored_sweep
from fastgd.training.serialization import KINDS, Facts, Kind, saved

__all__ = ["load", "save", "saved", "stored_by"]

_WAYS: dict[str, Any] = {"Run": stored_run, "Sweep": stored_sweep}


def stored_by(way: ModuleType) -> Callable[[Kind], Kind]:
    """Register a class of a higher package, together with the module that converts it.

    ``way.taken_apart(result)`` returns facts that JSON can hold, and arrays;
    ``way.put_together(facts, arrays)`` returns the fields of the class, checked.
    """

    def known(kind: Kind) -> Kind:
        _WAYS[kind.__name__] = way
        return saved(kind)

    return known


def save(result: Any, path: PathLike) -> None:
    """Write a result of a registered class."""
    path = check_path("path", path)
    kind = type(result).__name__
    facts, arrays = _WAYS[kind].taken_apart(result)
    npz.write(path, kind, facts, arrays)


def load(path: PathLike) -> Any:
    """Load a result from a file that its method ``save`` wrote.

    Returns
    -------
    Run, Sweep or another class with a method ``save``

    Raises
    ------
    OSError
        If the file cannot be opened.
    TypeError
        If ``path`` is not a path.
    ValueError
        If it is not a complete file that fastgd has saved, or if it doesn't fit into memory.

    Examples
    --------
    >>> import fastgd, tempfile
    >>> sweep = fastgd.sweep([[0, 1], [1, 0]], [0, 1], alpha=[1, 2], iterations=10)
    >>> with tempfile.NamedTemporaryFile(suffix=".npz") as file:
    ...     sweep.save(file.name)
    ...     fastgd.load(file.name)[1].alpha
    2.0
    """
    path = check_path("path", path)
    if path.is_dir():
        raise ValueError(f"{path} must be a file, got a folder: fastgd.open reads a sweep in one")
    with npz.reading(path) as found:
        return made_of(path, *found)


def made_of(path: PathLike, kind: str, facts: Facts, arrays: Found) -> Any:
    """Build a result from the content of a file."""
    try:
        return KINDS[kind](**_WAYS[kind].put_together(facts, arrays))
    except UnknownNameError as error:
        raise ValueError(f"{path} must have functions that fastgd knows: {error}") from error
    except Exception as error:
        # Anyone may have written the header, so any line above may raise any error.
        raise npz.not_whole(path) from error
