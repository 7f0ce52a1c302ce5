"""minimize(): train a network with SciPy's optimizers."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Sequence
from dataclasses import replace
from math import inf
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments.declarations import LossOptions
from fastgd.arguments.initial_network import Start
from fastgd.checks.messages import shown
from fastgd.checks.numbers import FloatArray, check_choice, check_ends
from fastgd.training.objective import Objective
from fastgd.training.run import Run
from fastgd.training.training_job import checked_loss

METHODS = ("BFGS", "L-BFGS-B", "dual_annealing", "lm")

SPAN = (-10.0, 10.0)
"""Default range of the parameters for annealing: that of the article's loss surface."""

LOCAL_ITERATIONS = 1000
"""Maximum iterations of each local search of an annealing: SciPy's own upper limit."""


def minimize(
    X: ArrayLike,
    y: ArrayLike,
    *,
    hidden_size: int | tuple[int, ...] = 4,
    method: str = "BFGS",
    iterations: int = 1000,
    seed: int = 1,
    weights: Start | None = None,
    biases: Sequence[ArrayLike] | None = None,
    span: tuple[float, float] | None = None,
    **options: Unpack[LossOptions],
) -> Run:
    """Train one network by a method of SciPy: :func:`objective` and :mod:`scipy.optimize`.

    These are the article's links beyond first-order methods ("A Few Optimization Methods"). SciPy's
    own tolerances decide when a run has converged; for others, hand :func:`objective` to SciPy.

    Parameters
    ----------
    X, y, hidden_size, weights, biases
        As in :func:`train`.
    method : {"BFGS", "L-BFGS-B", "dual_annealing", "lm"}
        BFGS approximates the matrix of second derivatives (Nocedal and Wright, *Numerical
        Optimization*, 2nd edition, section 6.1, 2006), L-BFGS-B by a few vectors (Byrd, Lu, Nocedal
        and Zhu, SIAM Journal on Scientific Computing 16, 1995). Dual annealing jumps at random,
        less and less far, and goes downhill from the best places (Xiang, Sun, Fan and Gong, Physics
        Letters A 233, 1997). "lm" is MINPACK's Levenberg-Marquardt (Moré, Lecture Notes in
        Mathematics 630, 1978) with the Jacobian of the residuals, see :meth:`Objective.jacobian`:
        the loss must be a sum of squares, with at least as many terms as there are parameters.
        For many runs, or fewer samples, :class:`fastgd.optimizers.LevenbergMarquardt` is faster.
    iterations : int
        The most iterations of the method.
    seed : int
        Seed of the initial weights, as in :func:`train`, and of the annealing.
    span : (float, float), optional
        Only for annealing, which needs bounds: the smallest and the largest value of all
        parameters; (-10, 10) by default.
    **options
        As in :func:`objective`.

    Returns
    -------
    Run
        ``errors`` and ``losses`` are those before every iteration, and ``direction_changes`` counts
        how often the derivative changed its sign from one iteration's parameters to the next one's;
        for annealing the parameters are the best so far. ``status`` is "converged" if SciPy reports
        success, and "finished" if the iterations ran out or nothing better was found; annealing
        never converges. ``alpha`` is NaN, and ``minimizer`` names the method.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described; the message states the rule and what came.
    ImportError
        If SciPy is not installed (``pip install "fastgd[scipy]"``).

    Notes
    -----
    SciPy's results aren't bit-identical, so a run may differ between machines and SciPy versions.

    Examples
    --------
    >>> import fastgd
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> run = fastgd.minimize(X, y, hidden_size=8, method="BFGS")
    >>> run.iterations < 100, run.final_error < 0.02
    (True, True)
    >>> run.predict(X).round(1).ravel() + 0.0
    array([0., 1., 1., 0.])
    """
    checked = checked_loss(
        X,
        y,
        options,
        ("hidden_size", "method", "iterations", "seed", "weights", "biases"),
        hidden_size=hidden_size,
        iterations=iterations,
        seed=seed,
        weights=weights,
        biases=biases,
    )
    method = check_choice("method", method, METHODS)
    low, high = _check_span(span, method)
    f = Objective(checked.task.X, checked.task.y, checked.network, checked.method)
    start, [seed], iterations = checked.first(0)[0], checked.seeds, checked.task.iterations
    residuals = len(f.residuals(start)) if method == "lm" else len(start)
    if residuals < len(start):
        raise ValueError(
            f"method='lm' needs at least as many residuals as parameters ({len(start)}), "
            f"got {residuals}"
        )
    if not (low <= start.min() and start.max() <= high):
        raise ValueError(
            f"span must contain the initial parameters ({start.min():.3g} to {start.max():.3g}), "
            f"got ({low:g}, {high:g})"
        )
    try:
        import scipy.optimize
    except ImportError as error:
        raise ImportError('minimize() needs SciPy: pip install "fastgd[scipy]"') from error

    path = _Path(f, start)
    minimizer: dict[str, Any] = {"method": method}
    status, done = "diverged", 0
    if path.is_finite:
        if method == "dual_annealing":
            minimizer["span"] = (low, high)
            status, done = _anneal(scipy.optimize, f, path, iterations, seed, (low, high))
        elif method == "lm":
            status, done = _solve_least_squares(scipy.optimize, f, path, iterations)
        else:
            status, done = _go_downhill(scipy.optimize, f, path, iterations, method)
    changes = f.network.parts(path.changes)
    return replace(
        f.run(path.w),
        seed=checked.settings["seed"],
        errors=path.before_each(path.all_errors, done),
        losses=path.before_each(path.all_losses, done),
        recorded=np.arange(done),
        direction_changes=changes.weights,
        bias_direction_changes=changes.biases,
        status=status if path.is_finite else "diverged",
        iterations=done,
        minimizer=minimizer,
    )


class _Path:
    """The latest parameters of a minimization, and what was recorded on the way to them."""

    def __init__(self, f: Objective, start: FloatArray) -> None:
        self._f = f
        self._at: list[int] = []
        self.all_errors: list[float] = []
        self.all_losses: list[float] = []
        self._was_up: NDArray[np.bool_] | None = None
        self.changes = np.zeros(len(start), np.int64)
        self.add(start, 0)

    def add(self, w: FloatArray, iteration: int) -> None:
        """Record the parameters after this number of iterations."""
        loss, derivative, error = self._f.evaluate(w)
        up = derivative < 0  # minus the derivative, as in train()
        if self._was_up is not None:
            self.changes += up != self._was_up
        self._was_up = up
        self._at.append(iteration)
        self.all_errors.append(error)
        self.all_losses.append(loss)
        self.w = np.array(w)
        self.is_finite = bool(np.isfinite(self.w).all() and np.isfinite(error))

    def before_each(self, numbers: list[float], iterations: int) -> FloatArray:
        """Errors or losses before each iteration: those of the last parameters added before it."""
        last = np.searchsorted(self._at, np.arange(iterations), side="right") - 1
        return np.array(numbers)[last]


def _go_downhill(
    optimize: Any, f: Objective, path: _Path, iterations: int, method: str
) -> tuple[str, int]:
    """Run BFGS or L-BFGS-B; return status and iterations."""
    limits = {"maxiter": iterations}
    if method == "L-BFGS-B":  # would stop after 15,000 evaluations; an iteration may take 20
        limits["maxfun"] = 21 * (iterations + 1)
    count = itertools.count(1)
    found = optimize.minimize(
        f,
        path.w,
        jac=True,
        method=method,
        callback=lambda w: path.add(w, next(count)),
        options=limits,
    )
    return "converged" if found.success else "finished", int(found.nit)


class _Enough(Exception):  # noqa: N818
    """The iterations have run out; MINPACK only limits evaluations."""


def _solve_least_squares(
    optimize: Any, f: Objective, path: _Path, iterations: int
) -> tuple[str, int]:
    """Run Levenberg-Marquardt; return status and iterations."""
    done = 0

    def arrive(w: FloatArray) -> None:
        nonlocal done
        if (w != path.w).any():
            done += 1
            path.add(w, done)

    def jacobian(w: FloatArray) -> FloatArray:
        # There is no callback, but each iteration begins with the Jacobian, at new parameters.
        arrive(w)
        if done == iterations:
            raise _Enough
        return f.jacobian(w)

    most = 2**30  # evaluations
    try:
        found = optimize.least_squares(f.residuals, path.w, jacobian, method="lm", max_nfev=most)
    except _Enough:
        return "finished", done
    arrive(found.x)
    return "converged" if found.success else "finished", done


def _anneal(
    optimize: Any,
    f: Objective,
    path: _Path,
    iterations: int,
    seed: int,
    span: tuple[float, float],
) -> tuple[str, int]:
    """Run dual annealing; return status and iterations."""
    bounds = [span] * len(path.w)
    visits = 0

    def visit(w: FloatArray) -> float:
        nonlocal visits
        visits += 1
        return f(w)[0]

    def search_nearby(_visit: object, w: FloatArray, **_settings: object) -> Any:
        # SciPy would evaluate values and derivatives separately, which would break the count of
        # visits.
        limits = {"maxiter": LOCAL_ITERATIONS}
        return optimize.minimize(f, w, jac=True, method="L-BFGS-B", bounds=bounds, options=limits)

    def keep(w: FloatArray, _value: float, _context: int) -> None:
        # SciPy doesn't pass the iteration. Each iteration has two visits per parameter, and one
        # visit comes before the first. (A restart, every 1,240 iterations, adds one more, which is
        # too rare to matter.)
        path.add(w, (visits - 2) // (2 * len(w)) + 1)

    # SciPy 1.15 renamed the argument.
    is_new = "rng" in inspect.signature(optimize.dual_annealing).parameters
    found = optimize.dual_annealing(
        visit,
        bounds,
        maxiter=iterations,
        minimizer_kwargs={"method": search_nearby},
        callback=keep,
        x0=path.w,
        **{"rng" if is_new else "seed": np.random.default_rng(seed)},
    )
    return "finished", int(found.nit)


def _check_span(span: object, method: str) -> tuple[float, float]:
    """Return the bounds of the parameters."""
    if method != "dual_annealing":
        if span is not None:
            raise ValueError(f"span must be left out with method={method!r}, got {shown(span)}")
        return -inf, inf
    if span is None:
        return SPAN
    return check_ends("span", span)
