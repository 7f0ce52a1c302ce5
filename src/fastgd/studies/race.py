"""race(): several optimizers on the same problem, from the same initial weights."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments import options
from fastgd.arguments.initial_network import Start
from fastgd.arguments.samples import check_samples, warn_of_targets
from fastgd.arguments.signatures import taking
from fastgd.checks.messages import error_text, joined, many, shown, value_text
from fastgd.checks.numbers import (
    NOT_NEGATIVE,
    Seed,
    check_choice,
    check_count,
    check_flag,
    check_memory,
    check_number,
    check_seed,
)
from fastgd.checks.presentation import (
    Description,
    ShownInNotebooks,
    ShownTable,
    dataframe,
    pandas_or_xarray,
)
from fastgd.engine.progress import Advance, ProgressHook
from fastgd.formulas.rules import Rule
from fastgd.optimizers import ALL, GradientDescent, Optimizer
from fastgd.store import Arrays, PathLike
from fastgd.store.npz import tuples
from fastgd.studies.job import StudyJob
from fastgd.studies.surface import Surface, Weight, check_two_weights, surface
from fastgd.training.codec import JsonValues, decoded
from fastgd.training.run import Alpha, Run
from fastgd.training.stored_results import encode_run
from fastgd.training.sweep_axes import curve_columns, labels_of
from fastgd.training.training_job import COMPILED_AFTER, TrainingJob, checked_job
from fastgd.workers.run_job import check_worker_options, results_of

if TYPE_CHECKING:
    import xarray

RECORDS = 1000
"""Points of a curve and of a path, about, unless ``record_every`` is given."""

MARGIN = 0.1
"""Margin around the paths on a loss surface, as a fraction of their extent."""

FAR = 10.0
"""A path more than FAR times as long as the median of its race is not in the default window."""

SHARE = 10
"""A race's table shows when the error fell below the first one divided by this."""

_HEADER = "facts"
"""Name of a run's header, as JSON, among its arrays."""

_MEASURED = ("alpha", "final_error", "final_loss", "status", "iterations")

Entry = Optimizer | tuple[Optimizer, Alpha]


@dataclass(frozen=True, eq=False)
class Race(ShownInNotebooks):
    """Trainings that differ only in their optimizer; returned by :func:`race`.

    Attributes
    ----------
    runs : dict of str to Run
        The training of each optimizer, by name and in the order given, with recorded weights.
    X, y : (samples, inputs) and (samples, outputs) arrays
        The training samples.
    left_out : dict of str to str
        The optimizers of a race of all of them that don't go with its options, with the reason.
    """

    runs: dict[str, Run]
    X: NDArray[np.float64]
    y: NDArray[np.float64]
    left_out: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        """The optimizers with their final errors, ranked."""
        ranks = (f"{name}: {self.runs[name].final_error:.6g}" for name in self.ranking())
        return f"Race({', '.join(ranks)})"

    def _described(self) -> Description:
        first = next(iter(self.runs.values())).errors[0]
        rows, below = [], self.reached(first / SHARE)
        for place, name in enumerate(self.ranking(), 1):
            run, when = self.runs[name], below[name]
            kind = run.options.get("optimizer", GradientDescent())
            # A name that was made of the class is shown as the command takes it.
            is_made = name == type(kind).__name__ or name.startswith(repr(kind))
            label = value_text("optimizer", kind) if is_made else name
            reached = "-" if when is None else f"{when:,}"
            error = error_text(run.final_error)
            rows.append((str(place), label, joined(run.alpha), error, reached, run.status))
        names = ("", "optimizer", "alpha", "final error", f"below {first / SHARE:.3g} at", "status")
        table = ShownTable(rows, names)
        return Description(f"Race of {many(len(rows), 'optimizer')}", [table], self)

    def ranking(self) -> list[str]:
        """Return the names sorted by final error, smallest first; NaN comes last."""
        errors = {name: run.final_error for name, run in self.runs.items()}
        return sorted(errors, key=lambda name: (np.isnan(errors[name]), errors[name]))

    def to_dataframe(self, *, long: bool = False, kind: str = "pandas") -> Any:
        """Return a row per optimizer; with ``long`` a row per optimizer and recorded iteration.

        ``kind`` is the library of the table: "pandas", "polars" or "pyarrow", installed apart.

        Examples
        --------
        >>> import fastgd
        >>> from fastgd.optimizers import GradientDescent, Momentum
        >>> X, y = [[0, 1], [0, 1], [1, 0], [1, 0]], [0, 0, 1, 1]
        >>> race = fastgd.race(X, y, [(GradientDescent(), 1), (Momentum(), 1)], hidden_size=(),
        ...                    iterations=100)
        >>> print(race.to_dataframe().drop(columns=["final_loss", "status"]).round(3))
                 optimizer  alpha  final_error  iterations
        0  GradientDescent    1.0        0.056         100
        1         Momentum    1.0        0.000         100
        """
        if check_flag("long", long):
            curves = [curve_columns({}, run) for run in self.runs.values()]
            counts = [len(own["iteration"]) for own in curves]
            columns: dict[str, Any] = {"optimizer": np.repeat([*self.runs], counts).tolist()}
            columns |= {name: np.concatenate([own[name] for own in curves]) for name in curves[0]}
            return dataframe(columns, kind)
        runs = self.runs.values()
        measured = {name: [getattr(run, name) for run in runs] for name in _MEASURED}
        return dataframe({"optimizer": list(self.runs), **measured}, kind)

    def to_xarray(self) -> xarray.Dataset:
        """Return all runs as in :meth:`fastgd.Run.to_xarray`, along a dimension ``optimizer``.

        Needs xarray (``pip install "fastgd[xarray]"``).

        Examples
        --------
        >>> import fastgd
        >>> from fastgd.optimizers import GradientDescent, Momentum
        >>> X, y = [[0, 1], [0, 1], [1, 0], [1, 0]], [0, 0, 1, 1]
        >>> race = fastgd.race(X, y, [(GradientDescent(), 1), (Momentum(), 1)], hidden_size=(),
        ...                    iterations=100)
        >>> found = race.to_xarray()
        >>> found.recorded_weights_0.dims
        ('optimizer', 'iteration', 'layer_0', 'layer_1')
        >>> found.errors.sel(iteration=[9, 99]).round(3).values
        array([[0.226, 0.056],
               [0.012, 0.   ]])
        """
        xr = pandas_or_xarray("xarray")
        names = xr.DataArray(list(self.runs), dims="optimizer", name="optimizer")
        found: xarray.Dataset = xr.concat(
            [run.to_xarray() for run in self.runs.values()],
            names,
            data_vars="all",
            coords="minimal",
            compat="equals",
            join="exact",
            combine_attrs="drop_conflicts",
        )
        for name in ("alpha", "optimizer"):  # these differ, or only some runs have them
            found.attrs.pop(name, None)
        return found.assign_coords(
            alpha=("optimizer", labels_of("alpha", [run.alpha for run in self.runs.values()]))
        )

    def reached(self, error: float) -> dict[str, int | None]:
        """Return for each optimizer the first recorded iteration with an error below ``error``.

        It is None if there is no such iteration.

        Raises
        ------
        ValueError, TypeError
            If the error is not a finite number of at least 0.

        Examples
        --------
        >>> import fastgd
        >>> from fastgd.optimizers import GradientDescent, Momentum
        >>> X, y = [[0, 1], [0, 1], [1, 0], [1, 0]], [0, 0, 1, 1]
        >>> race = fastgd.race(X, y, [(GradientDescent(), 1), (Momentum(), 1)], hidden_size=(),
        ...                    iterations=100)
        >>> race.reached(0.1)
        {'GradientDescent': 36, 'Momentum': 5}
        """
        error = check_number("error", error, NOT_NEGATIVE)
        found: dict[str, int | None] = {}
        for name, run in self.runs.items():
            below = np.flatnonzero(np.append(run.errors, run.final_error) < error)
            when = np.append(run.recorded, run.iterations)
            found[name] = int(when[below[0]]) if len(below) else None
        return found

    def surface(
        self,
        axes: tuple[Weight, Weight] = ((0, 0, 0), (0, 1, 0)),
        span: Any = None,
        resolution: int = 201,
        at: str | None = None,
    ) -> Surface:
        """Compute the loss surface around the paths: the error over two weights.

        Parameters
        ----------
        axes, span, resolution
            As in :func:`fastgd.surface`. By default the window contains the paths of all runs,
            except those that diverged or are ten times as long as the median.
        at : str, optional
            Name of the run whose final weights the other weights are fixed at; by default the
            winner's.

        Raises
        ------
        ValueError, TypeError
            If an argument is not as described.
        """
        name = self.ranking()[0] if at is None else check_choice("at", at, list(self.runs))
        goal = self.runs[name]
        if span is None:
            shapes = [(len(w) + bool(goal.biases), w.shape[1]) for w in goal.weights]
            empty = np.empty(0)  # no points are needed to get the paths
            probe = Surface(
                check_two_weights(axes, shapes), empty, empty, empty, goal.weights, goal.biases
            )
            going = [run for run in self.runs.values() if run.status != "diverged"] or [goal]
            paths = [probe.path(run)[:, :2] for run in going]
            lengths = np.array([np.ptp(path, axis=0).max() for path in paths])
            near = lengths <= FAR * np.median(lengths)
            points = np.concatenate([p for p, is_near in zip(paths, near, strict=True) if is_near])
            low, high = points.min(axis=0), points.max(axis=0)
            room = np.maximum(MARGIN * (high - low), 1e-3 * np.maximum(1, np.abs(high)))
            span = tuple(zip((low - room).tolist(), (high + room).tolist(), strict=True))
        return surface(self.X, self.y, goal, axes=axes, span=span, resolution=resolution)


@taking(without=["optimizer"])
def race(
    X: ArrayLike,
    y: ArrayLike,
    optimizers: Mapping[str, Entry] | Sequence[Entry] | None = None,
    *,
    hidden_size: int | tuple[int, ...] = 4,
    iterations: int = 1000,
    record_every: int | None = None,
    seed: Seed = 1,
    weights: Start | None = None,
    biases: Sequence[ArrayLike] | None = None,
    out: PathLike | None = None,
    executor: Executor | None = None,
    threads: int | None = None,
    progress: bool | ProgressHook = False,
    **given_options: Unpack[options.Options],
) -> Race:
    """Train the same network with several optimizers, all from the same initial weights.

    The article links to such comparisons under "Visualizing the Difference". Each run equals
    :func:`fastgd.train` with its optimizer and alpha.

    Parameters
    ----------
    X, y, hidden_size, iterations, seed, weights, biases
        As in :func:`fastgd.train`.
    optimizers : dict or list, optional
        The optimizers to run: objects of :mod:`fastgd.optimizers`, or pairs ``(optimizer, alpha)``;
        the keys of a dict are their names. Without an alpha an optimizer runs with its
        ``race_alpha``, which is tuned for the article's network; by default all optimizers do that
        go with the options: see ``Race.left_out``.
    record_every : int, optional
        Iterations between records of errors and weights; by default there are about 1000 records.
    out : path, optional
        A folder where each run is saved as soon as it is done: the same call resumes from them. The
        folder is created if needed, and not deleted.
    executor, threads, progress
        As in :func:`fastgd.sweep`; each chunk is a run, which uses a single thread.
    OPTIONS
    **parameters : float
        As in :func:`fastgd.train`.

    Returns
    -------
    Race

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described, or the folder holds something else; the message states
        the rule and what came.
    OSError
        If the folder can't be created, read or written to.

    Examples
    --------
    >>> import fastgd
    >>> from fastgd.optimizers import GradientDescent, Momentum
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> fastgd.race(X, y, {"plain": (GradientDescent(), 1), "heavy": (Momentum(0.9), 1)})
    Race(heavy: 0.0118064, plain: 0.0429846)
    """
    inputs, targets = check_samples(X, y, given_options)
    shared: dict[str, Any] = dict(given_options)
    if "optimizer" in shared:
        raise TypeError(
            "optimizer must be left out of a race, which takes optimizers, got "
            f"{shown(shared['optimizer'])}"
        )
    entrants = entrants_of(optimizers)
    iterations, seed = check_count("iterations", iterations), check_seed(seed)
    worker_options = check_worker_options(executor, threads, out=out, progress=progress)
    every = -(-iterations // RECORDS) if record_every is None else record_every
    trainings: dict[str, TrainingJob] = {}
    left_out: dict[str, str] = {}
    for name, (optimizer, alpha) in entrants.items():
        try:
            trainings[name] = checked_job(
                inputs,
                targets,
                hidden_size=hidden_size,
                alpha=alpha,
                iterations=iterations,
                record_every=every,
                seed=seed,
                weights=weights,
                biases=biases,
                record_weights=True,
                given_options=shared | {"optimizer": optimizer},
            )
        except ValueError as error:
            if optimizers is not None or not (trainings and optimizer.second_order):
                raise
            left_out[name] = str(error)
    task = next(iter(trainings.values())).task  # shared, so that a worker gets it only once
    for name, training in trainings.items():
        trainings[name] = replace(training, task=task)
    needed = sum(training.plan(0, 1).bytes(training.keep) for training in trainings.values())
    check_memory(needed, "the race", also="fewer records (record_every)")
    warn_of_targets([shared.get("output", "sigmoid")], targets)
    asked: JsonValues = {}
    arrays: Arrays = {}
    for name, training in trainings.items():
        asked[name], own = training.asked
        arrays |= own
    each = list(trainings.values())
    job = StudyJob(_trained, each, [iterations] * len(each), each)
    found = results_of(job, worker_options, "race", asked, arrays, unit=" updates")
    runs: dict[str, Run] = {}
    for (name, training), kept in zip(trainings.items(), found, strict=True):
        header = tuples(json.loads(str(kept[_HEADER])))
        run: Run = decoded("a chunk of the race", Run.__name__, header, kept)
        runs[name] = replace(run, options=training.methods[0].given)
    return Race(runs, inputs.copy(), targets.copy(), left_out)


def _trained(
    training: TrainingJob, _threads: int, advance: Advance, *, is_trial: bool = False
) -> Arrays:
    """Train a run of a race on a single thread."""
    iterations = training.task.iterations
    job = training.between(0, min(COMPILED_AFTER, iterations) if is_trial else iterations, None)
    header, arrays = encode_run(job.train_one(job.plan(0, 1), advance))
    return {_HEADER: np.array(json.dumps(header)), **arrays}


def entrants_of(given: Any) -> dict[str, tuple[Optimizer, Any]]:
    """Return optimizers and alphas by name."""
    if given is None:
        given = [kind() for kind in ALL]
    if not isinstance(given, (Mapping, list, tuple)):
        raise TypeError(
            f"optimizers must be a list, or a dict by name, of optimizers, got {shown(given)}"
        )
    if not given:
        raise ValueError(f"optimizers must have at least one, got {shown(given)}")
    entries: dict[object, tuple[Optimizer, Any]] = {}
    for place, entry in given.items() if isinstance(given, Mapping) else enumerate(given):
        pair = (entry, entry.race_alpha) if isinstance(entry, ALL) else entry
        kinds = (*ALL, Rule)
        if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], kinds)):
            raise TypeError(
                f"optimizers[{place!r}] must be one of fastgd.optimizers, such as Adam(), or a "
                f"pair (optimizer, alpha), which a Rule needs, got {shown(entry)}"
            )
        entries[place] = pair
    if isinstance(given, Mapping):
        return {str(name): pair for name, pair in entries.items()}
    # Unique names: the class, with parameters where needed, or with alpha as well.
    short = [type(optimizer).__name__ for optimizer, _ in entries.values()]
    full = [repr(optimizer) for optimizer, _ in entries.values()]
    alphas = (alpha for _, alpha in entries.values())
    longest = [f"{name}, alpha {alpha}" for name, alpha in zip(full, alphas, strict=True)]
    for name in longest:
        if longest.count(name) > 1:
            raise ValueError(f"optimizers must differ from one another, got {name} twice")
    return {
        next(forms[k] for forms in (short, full, longest) if forms.count(forms[k]) == 1): pair
        for k, pair in enumerate(entries.values())
    }
