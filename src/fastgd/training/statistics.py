"""Statistics of runs and sweeps: error curves, quartiles over seeds, shares of solved runs."""

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.checks.messages import shown
from fastgd.checks.numbers import (
    ABOVE_ZERO,
    check_choice,
    check_count,
    check_flag,
    check_number,
    check_result,
    reals_of,
)
from fastgd.training.run import Run
from fastgd.training.sweep_result import Sweep

REPEATED = ("fold", "sample_weight", "seed", "weights")
"""The axes along which runs are repetitions of each other."""

SOLVED = 0.1
"""Mean absolute error ``|y - output|`` below which a run has solved its task.

For the article's four samples, a single output on the wrong side of 0.5 makes a mean of 0.125.
"""

Z = 1.959963984540054
"""Number of standard deviations within which a normal distribution has 95 % of its mass."""


class Quartiles(NamedTuple):
    """The quartiles of some numbers, ignoring NaN."""

    low: NDArray[np.float64]
    median: NDArray[np.float64]
    high: NDArray[np.float64]


class Group(NamedTuple):
    """Values of the runs that share a setting."""

    setting: dict[str, Any]
    """The values on the axes with several values, without the axes of repetitions."""
    values: NDArray[Any]
    """(repetitions, ...); for curves along an axis (length of the axis, repetitions, ...)."""


class SolvedShare(NamedTuple):
    """How many runs solved their task, with Wilson's 95 % interval: arrays of equal shape."""

    solved: NDArray[np.int64]
    runs: int
    share: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def error_curves(
    result: Run | Sweep, *, validation: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the recorded errors including the final one, and the iterations they belong to.

    After its end, a run keeps its final error, which is NaN if it diverged. With
    ``restore_best=True`` the final error of a run is at the iteration where it was measured,
    ``best_iteration``. In a sweep, whose runs share their iterations, it is the last value of each
    curve: the error of the network that is returned.

    They are (points,) for a run, and of a sweep shape + (points,); with ``validation`` those on the
    validation set.

    Examples
    --------
    >>> import fastgd
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> run = fastgd.train(X, y, alpha=10, iterations=300, record_every=100)
    >>> iterations, errors = error_curves(run)
    >>> print(iterations, errors.round(3))
    [  0 100 200 300] [0.496 0.053 0.031 0.024]
    """
    check_result("result", result, Run, Sweep)
    if not check_flag("validation", validation):
        return curves(result, "errors", "final_error")
    if result.validation_errors is None or result.final_validation_error is None:
        raise ValueError(
            "validation errors need a result with a validation set (validation, folds), got "
            "one without"
        )
    return curves(result, "validation_errors", "final_validation_error")


def curves(
    result: Run | Sweep, name: str, final: str
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the iterations of :func:`error_curves`, and the values of these fields: ``"losses"``.

    Examples
    --------
    >>> import fastgd
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> run = fastgd.train(X, y, alpha=10, iterations=300, record_every=100)
    >>> curves(run, "losses", "final_loss")[1].round(4)
    array([0.4952, 0.0057, 0.002 , 0.0012])
    """
    recorded, last = getattr(result, name), np.asarray(getattr(result, final))
    if isinstance(result, Run):
        at = given_back(result)
        others = (result.recorded < result.iterations) & (result.recorded != at)
        points = np.append(result.recorded[others], at)
        order = np.argsort(points)
        return points[order], np.append(recorded[others], last)[order]
    ended, final_values = result.iterations, last[..., None]
    end = ended.max()
    before = result.recorded < end
    points = np.append(result.recorded[before], end)
    errors = np.concatenate((recorded[..., before], final_values), axis=-1)
    return points, np.where(points < ended[..., None], errors, final_values)


def given_back(run: Run) -> int:
    """The iteration whose weights and errors a run has as its final ones.

    Examples
    --------
    >>> import fastgd
    >>> given_back(fastgd.train([[0, 1], [1, 0]], [0, 1], iterations=10))
    10
    """
    if run.best_iteration is not None and run.options.get("restore_best"):
        return run.best_iteration
    return run.iterations


def groups(
    sweep: Sweep, values: NDArray[Any], along: str = "", over: Collection[str] = REPEATED
) -> Iterator[Group]:
    """Group the values of a sweep by setting, with all folds and seeds of a setting together.

    The shape of ``values`` begins with that of the sweep. ``along`` is the axis along which they
    are curves, if any; along the axes ``over`` runs are repetitions of each other.

    Examples
    --------
    >>> import fastgd
    >>> sweep = fastgd.sweep([[0, 1], [1, 0]], [0, 1], alpha=[1, 2], seed=range(5), iterations=9)
    >>> for group in groups(sweep, sweep.final_error):
    ...     print(group.setting, group.values.shape)
    {'alpha': 1.0} (5,)
    {'alpha': 2.0} (5,)
    """
    check_result("sweep", sweep, Sweep)
    names = list(sweep.axes)
    if not isinstance(values, np.ndarray) or values.shape[: len(names)] != sweep.shape:
        raise ValueError(
            f"values must be an array of shape {sweep.shape}, with or without further axes, got "
            f"{getattr(values, 'shape', None) or shown(values)}"
        )
    along = check_choice("along", along, ("", *names))
    repeated = [names.index(name) for name in names if name in over and name != along]
    curve = [names.index(along)] if along in names else []
    apart = [i for i in range(len(names)) if i not in (*repeated, *curve)]
    rest = values.shape[len(names) :]
    turned = values.transpose(*apart, *curve, *repeated, *range(len(names), values.ndim))
    shape = [len(sweep.axes[names[i]]) for i in apart]
    turned = turned.reshape(*shape, *(len(sweep.axes[names[i]]) for i in curve), -1, *rest)
    for index in np.ndindex(*shape):
        axes = ((names[i], sweep.axes[names[i]]) for i in apart)
        yield Group(
            {
                name: axis[place]
                for (name, axis), place in zip(axes, index, strict=True)
                if len(axis) > 1
            },
            turned[index],
        )


def quartiles(values: ArrayLike, axis: int = 0) -> Quartiles:
    """Return the quartiles along an axis, ignoring NaN; NaN where there is nothing else.

    Examples
    --------
    >>> low, median, high = quartiles([1.0, 2.0, 3.0, 4.0, 5.0, float("nan")])
    >>> float(low), float(median), float(high)
    (2.0, 3.0, 4.0)
    """
    numbers = reals_of("values", values)
    if numbers.ndim == 0:
        raise ValueError(f"values must have an axis, got {shown(values)}")
    axis = check_count("axis", axis, -numbers.ndim, numbers.ndim - 1)
    empty = np.asarray(np.isnan(numbers).all(axis=axis, keepdims=True))
    with np.errstate(invalid="ignore"):  # between two infinite numbers
        found = np.nanquantile(np.where(empty, 0.0, numbers), [0.25, 0.5, 0.75], axis=axis)
    return Quartiles(*np.where(empty.squeeze(axis), np.nan, found))


def solved(errors: ArrayLike, threshold: float = SOLVED) -> SolvedShare:
    """Return the share of runs whose final error is below a threshold; NaN counts as unsolved.

    The errors are (..., runs), and what is returned (...). By default the threshold is one that on
    the article's four samples no network reaches that has an output on the wrong side of 0.5.

    The interval is Wilson's (Journal of the American Statistical Association 22, 1927), at 95 %: it
    stays within 0 and 1, and is valid even if all runs or no runs solve the task.

    Examples
    --------
    >>> share = solved([0.01, 0.02, 0.25, 0.01])
    >>> float(share.share), round(float(share.low), 3), round(float(share.high), 3)
    (0.75, 0.301, 0.954)
    """
    threshold = check_number("threshold", threshold, ABOVE_ZERO)
    finals = reals_of("errors", errors)
    if finals.ndim == 0:
        raise ValueError(f"errors must have an axis of runs, got {shown(errors)}")
    count, runs = (finals < threshold).sum(axis=-1), finals.shape[-1]
    share = count / runs
    middle = (share + Z**2 / (2 * runs)) / (1 + Z**2 / runs)
    half = Z / (1 + Z**2 / runs) * np.sqrt(share * (1 - share) / runs + Z**2 / (4 * runs**2))
    low, high = np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)  # rounding
    return SolvedShare(count, runs, share, low, high)
