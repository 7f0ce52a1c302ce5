"""Runs and sweeps as files, and back.

What a file holds is looked at as if a caller had given it: each number and each array must be of
the kind and shape that belongs there, or the file is not whole.
"""

from typing import Any

from fastgd.arguments.expressions import UnknownNameError
from fastgd.training import archive, stored_run, stored_sweep
from fastgd.training.files import PathLike
from fastgd.training.members import KINDS, saved

__all__ = ["load", "save", "saved"]

_WAYS: dict[str, Any] = {"Run": stored_run, "Sweep": stored_sweep}


def save(result: Any, path: PathLike) -> None:
    """Write a run or a sweep."""
    kind = type(result).__name__
    facts, arrays = _WAYS[kind].taken_apart(result)
    archive.write(path, kind, facts, arrays)


def load(path: PathLike) -> Any:
    """Read what :meth:`Run.save` or :meth:`Sweep.save` wrote.

    Returns
    -------
    Run or Sweep

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is not a whole file that fastgd has saved.

    Examples
    --------
    >>> import fastgd, tempfile
    >>> sweep = fastgd.sweep([[0, 1], [1, 0]], [0, 1], alpha=[1, 2], iterations=10)
    >>> with tempfile.NamedTemporaryFile(suffix=".npz") as file:
    ...     sweep.save(file.name)
    ...     fastgd.load(file.name)[1].alpha
    2.0
    """
    kind, facts, arrays = archive.read(path)
    try:
        return KINDS[kind](**_WAYS[kind].put_together(facts, arrays))
    except UnknownNameError as error:
        raise ValueError(f"{path} must have functions that fastgd knows: {error}") from error
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        MemoryError,
        TypeError,
        ValueError,
    ) as error:
        raise archive.not_whole(path) from error
