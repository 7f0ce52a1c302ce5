"""Executors, which belong to who calls."""

from concurrent.futures import Executor

from fastgd.arguments.messages import shown


def check_executor(value: object) -> Executor | None:
    """Return value if it is an executor, or None.

    Examples
    --------
    >>> check_executor(4)
    Traceback (most recent call last):
    ...
    TypeError: executor must be a concurrent.futures.Executor, such as a ProcessPoolExecutor() or \
Dask's client.get_executor(), got 4
    """
    if value is None or isinstance(value, Executor):
        return value
    raise TypeError(
        "executor must be a concurrent.futures.Executor, such as a ProcessPoolExecutor() or "
        f"Dask's client.get_executor(), got {shown(value)}"
    )
