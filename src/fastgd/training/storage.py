"""Save and load results: runs, sweeps, and the results of higher packages.

The content of a file is checked like the arguments of a call: each value and each array must have
the expected type and shape, or the file is rejected.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

from fastgd.checks.values import check_path
from fastgd.formulas.expressions import UnknownNameError
from fastgd.store import npz
from fastgd.store.files import PathLike
from fastgd.store.npz import Found
from fastgd.training.codec import Header

Class = TypeVar("Class", bound=type[Any])

_CLASSES: dict[str, tuple[type[Any], Any]] = {}
"""The classes that can be saved, by the name that files have of them, and their codecs."""


def stored_by(codec: ModuleType) -> Callable[[Class], Class]:
    """Register a class, so that it can be saved, and reading a file can create it.

    ``codec.encode(result)`` returns a header, which JSON can hold, and arrays;
    ``codec.decode(header, arrays)`` returns the fields of the class, checked.
    """

    def register(kind: Class) -> Class:
        _CLASSES[kind.__name__] = kind, codec
        return kind

    return register


def save(result: Any, path: PathLike) -> None:
    """Write a result of a registered class."""
    path = check_path("path", path)
    name = type(result).__name__
    header, arrays = _CLASSES[name][1].encode(result)
    npz.write(path, name, header, arrays)


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
        return decoded(path, *found)


def decoded(path: PathLike, name: str, header: Header, arrays: Found) -> Any:
    """Restore a result of the class of this name from the content of a file."""
    try:
        kind, codec = _CLASSES[name]
        return kind(**codec.decode(header, arrays))
    except UnknownNameError as error:
        raise ValueError(f"{path} must have functions that fastgd knows: {error}") from error
    except Exception as error:
        # Anyone may have written the header, so any line above may raise any error.
        raise npz.not_whole(path) from error
