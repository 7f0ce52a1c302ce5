"""What many trainings give back together: a :class:`Sweep`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.options import Method
from fastgd.engine.network import Network
from fastgd.engine.state import State
from fastgd.training import storage
from fastgd.training.assembly import run_of
from fastgd.training.files import PathLike
from fastgd.training.grid import Grid
from fastgd.training.results import Run, Summary

if TYPE_CHECKING:
    import pandas


@storage.saved
@dataclass(frozen=True, eq=False)
class Sweep:
    """Many trained networks, one for each combination of the values on the axes.

    Attributes
    ----------
    axes : dict of str to list
        The arguments that had several values, and these values: ``hidden_size``, options that
        change the compiled code, ``alpha``, options that are numbers, ``seed``, ``weights``, in
        this order. First weights are whole networks: tuples of weights, biases, normalization.
    shape : tuple of int
        Lengths of the axes.
    errors : shape + (records,) array
        Mean ``|y - output|`` before the update of the iterations in ``recorded``.
    recorded : (records,) array of int
    final_error : array of that shape
        Mean ``|y - output|`` with the last weights.
    status : array of str, of that shape
        "finished", "converged", "stalled" or "diverged", as in :class:`Run`.
    iterations : array of int, of that shape
        Updates done.
    total_changes : array of int, of that shape
        Direction changes of all weights and biases together.
    summary : Summary of arrays of that shape, or None
        What ``summary=`` asked for.
    validation_errors, final_validation_error, best_iteration : arrays or None
        As in :class:`Run`, with the axes in front.
    """

    axes: dict[str, list[Any]]
    settings: dict[str, Any]
    method: Method = field(repr=False)
    errors: NDArray[np.float64]
    recorded: NDArray[np.int64]
    final_error: NDArray[np.float64]
    status: NDArray[np.str_]
    iterations: NDArray[np.int64]
    total_changes: NDArray[np.int64]
    summary: Summary | None = field(repr=False)
    networks: tuple[Network, ...] = field(repr=False)
    kept_weights: tuple[NDArray[np.float64], ...] | None = field(repr=False)
    kept_changes: tuple[NDArray[np.int64], ...] | None = field(repr=False)
    kept_path: tuple[NDArray[np.float64], ...] | None = field(repr=False, default=None)
    validation_errors: NDArray[np.float64] | None = field(repr=False, default=None)
    final_validation_error: NDArray[np.float64] | None = field(repr=False, default=None)
    best_iteration: NDArray[np.int64] | None = field(repr=False, default=None)
    states: tuple[State, ...] | None = field(repr=False, default=None)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return self._grid.shape

    @property
    def _grid(self) -> Grid:
        return Grid(self.axes)

    @property
    def options(self) -> dict[str, Any]:
        """The options that all runs share and that are not the default, as in :class:`Run`.

        A field of the optimizer that is an axis has its first value there.
        """
        given = self.method.given
        return {name: value for name, value in given.items() if name not in self.axes}

    def __repr__(self) -> str:
        """The axes and the best run."""
        axes = ", ".join(f"{name}: {len(values)}" for name, values in self.axes.items())
        best = f"best final_error {np.nanmin(self.final_error):.6g}" if self._finite else "all NaN"
        return f"Sweep({axes or 'one run'}; {best})"

    @property
    def _finite(self) -> bool:
        return not bool(np.isnan(self.final_error).all())

    def __len__(self) -> int:
        """Number of runs."""
        return self._grid.networks * self._grid.runs

    def __iter__(self) -> Iterator[Run]:
        """All runs, the last axis fastest."""
        return (self[index] for index in np.ndindex(*self.shape))

    def __getitem__(self, index: int | tuple[int, ...]) -> Run:
        """One run, as :func:`fastgd.train` would have returned it.

        Raises
        ------
        TypeError
            If an index is no int.
        IndexError
            If there is not one index for every axis, or it is out of range.
        ValueError
            If the sweep did not keep its weights.
        """
        grid = self._grid
        index = grid.check_index(index)
        if self.kept_weights is None or self.kept_changes is None:
            raise ValueError(
                "a single run needs its weights, and this sweep was made with keep_weights=False"
            )
        values = self.settings | grid.values(index)
        number, row = grid.place(index)
        network = self.networks[number]
        names = ("hidden_size", "alpha", "seed", "weights")
        chosen = {name: value for name, value in values.items() if name not in names}
        return run_of(
            network,
            self.method.at(chosen),
            alpha=values["alpha"],
            seed=values["seed"],
            recorded=self.recorded,
            errors=self.errors[index],
            parameters=self.kept_weights[number][row],
            changes=self.kept_changes[number][row],
            final_error=self.final_error[index],
            status=self.status[index],
            iterations=self.iterations[index],
            summary=self.summary and [array[index] for array in self.summary],
        )

    def best_index(self) -> tuple[int, ...]:
        """Index of the run with the smallest final error; a NaN never wins.

        Raises
        ------
        ValueError
            If every final error is NaN.
        """
        if not self._finite:
            raise ValueError("no run is the best: every final error is NaN")
        flat = int(np.nanargmin(self.final_error))
        return tuple(int(i) for i in np.unravel_index(flat, self.shape)) if self.shape else ()

    def best(self) -> Run:
        """The run with the smallest final error.

        Examples
        --------
        >>> import fastgd
        >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
        >>> fastgd.sweep(X, y, alpha=[0.1, 1, 10], iterations=10_000).best().alpha
        10.0
        """
        return self[self.best_index()]

    def columns(self) -> dict[str, list[Any]]:
        """A table with a row per run, as columns: axes, error, status, iterations, changes.

        An axis of optimizers has a column with the names of their classes and one for each of their
        hyperparameters, NaN where an optimizer has none; one of first weights has their number.

        Examples
        --------
        >>> import fastgd
        >>> sweep = fastgd.sweep([[0, 1], [1, 0]], [0, 1], alpha=[1, 2], iterations=10)
        >>> list(sweep.columns())
        ['alpha', 'final_error', 'status', 'iterations', 'total_changes']
        """
        columns: dict[str, list[Any]] = {}
        places = np.indices(self.shape).reshape(len(self.shape), -1)
        for place, (name, axis) in zip(places, self.axes.items(), strict=True):
            for column, cells in _cells(name, axis).items():
                columns[column] = [cells[i] for i in place]
        for name in ("final_error", "status", "iterations", "total_changes"):
            columns[name] = getattr(self, name).ravel().tolist()
        return columns

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per run, with the columns of :meth:`columns`.

        Raises
        ------
        ImportError
            If pandas is not installed (``pip install "fastgd[dataframe]"``).
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError(
                'to_dataframe() needs pandas: pip install "fastgd[dataframe]"'
            ) from error
        return pandas.DataFrame(self.columns())

    def save(self, path: PathLike) -> None:
        """Write the sweep to an ``.npz`` file that :func:`fastgd.load` reads."""
        storage.save(self, path)


def _cells(name: str, axis: list[Any]) -> dict[str, list[Any]]:
    """The columns of an axis in a table, with a cell for each of its values."""
    if name == "weights":
        return {name: list(range(len(axis)))}
    if name != "optimizer":
        return {name: axis}
    fields = dict.fromkeys(field for optimizer in axis for field in optimizer._fields)
    return {name: [type(optimizer).__name__ for optimizer in axis]} | {
        field: [getattr(optimizer, field, np.nan) for optimizer in axis] for field in fields
    }
