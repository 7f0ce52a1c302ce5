"""objective(): the loss of a network and its derivative; minimize(): SciPy's optimizers on it."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from math import inf, nan, sqrt
from typing import Any, Literal, Unpack, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments.declarations import LossOptions
from fastgd.arguments.initial_network import NetworkParts, Start
from fastgd.arguments.options import Method, check_curved
from fastgd.arguments.signatures import taking
from fastgd.checks.messages import shown
from fastgd.checks.numbers import (
    FloatArray,
    Seed,
    check_choice,
    check_ends,
    check_seed,
    check_vector,
)
from fastgd.engine.network import Network, first_weights, flatten
from fastgd.engine.prediction import LossEvaluation, ResidualEvaluation
from fastgd.training.run import Run, run_of
from fastgd.training.training_job import checked_loss


@taking(LossOptions)
def objective(
    X: ArrayLike,
    y: ArrayLike,
    *,
    hidden_size: int | tuple[int, ...] = 4,
    **options: Unpack[LossOptions],
) -> Objective:
    """Loss of a network over all samples, as a function for any optimizer.

    The value is what gradient descent minimizes: half the sum of squared errors, or the cross
    entropy, with each sample multiplied by its ``sample_weight`` (and divided by the sum of these
    with ``reduction="mean"``), plus ``l1 * sum |w| + l2 / 2 * sum w**2`` over the weights (not the
    biases). The derivative is bit-identical to that of the training.

    Parameters
    ----------
    X : (samples, inputs) array_like
        Finite numbers.
    y : (samples,) or (samples, outputs) array_like
        Targets.
    hidden_size : int or tuple of int
        Units of the hidden layer, or of each of several; ``()`` for no hidden layer.
    OPTIONS
    **parameters : float
        As in :func:`fastgd.train`.

    Returns
    -------
    Objective

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described; the message states the rule and what came.

    Examples
    --------
    The article's problem in a few steps of BFGS ("A Few Optimization Methods"):

    >>> import fastgd, scipy.optimize
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> f = fastgd.objective(X, y, hidden_size=8)
    >>> found = scipy.optimize.minimize(f, f.start(1), jac=True, method="BFGS")
    >>> found.nit < 100, found.fun < 1e-3
    (True, True)
    >>> f.run(found.x).predict(X).round(1).ravel() + 0.0
    array([0., 1., 1., 0.])
    """
    checked = checked_loss(X, y, options, hidden_size=hidden_size)
    return Objective(checked.task.X, checked.task.y, checked.networks[0], checked.methods[0])


class Objective:
    """A loss as a function of all parameters: ``objective(w)`` returns the loss and its gradient.

    Returned by :func:`objective`. w is a vector of all parameters, layer by layer: for each layer
    the weights (inputs, outputs) row by row, then the biases if there are any. :meth:`parts` splits
    it into arrays. Threads may share an objective: their calls are serialized.

    Attributes
    ----------
    network : Network
        The layers.
    method : Method
        The options.
    """

    def __init__(self, X: FloatArray, y: FloatArray, network: Network, method: Method) -> None:
        self.network = network
        self.method = method
        self._X, self._y = X, y
        self._evaluation = LossEvaluation(network, method, X, y)

    def __repr__(self) -> str:
        """The layers and the options."""
        options = "".join(f", {name}={value!r}" for name, value in self.method.given.items())
        return f"Objective(sizes={self.network.sizes}{options})"

    def __call__(self, w: ArrayLike) -> tuple[float, FloatArray]:
        """Loss and derivative at w; infinite or NaN where numbers overflow.

        Parameters
        ----------
        w : (parameters,) array_like
            Any numbers, including infinite ones, which a line search may try.

        Raises
        ------
        ValueError
            If w is not a vector of real numbers, one for each parameter.

        Examples
        --------
        >>> import fastgd
        >>> f = fastgd.objective([[0.0], [1.0]], [0.0, 2.0], hidden_size=(), output="identity")
        >>> f([0.5])
        (1.125, array([-1.5]))
        """
        value, derivative, _ = self.evaluate(w)
        return value, derivative

    def residuals(self, w: ArrayLike) -> FloatArray:
        """What is squared in the loss: half the sum of its squares is the loss.

        First ``output - y`` of all samples, those of a sample side by side, each times the root of
        the sample's weight (and with ``reduction="mean"`` divided by the root of their sum). With
        ``l2`` above 0, the weights (not the biases) times its root follow, layer by layer.

        Parameters
        ----------
        w : (parameters,) array_like
            As in :meth:`__call__`.

        Returns
        -------
        (residuals,) array

        Raises
        ------
        ValueError
            If w is not a vector of real numbers, one for each parameter; or if the loss is no sum
            of squares: with another ``loss`` than "squared", or ``l1`` above 0. Or if the network
            has more than 1,000 parameters.

        Examples
        --------
        >>> import fastgd
        >>> f = fastgd.objective([[0.0], [1.0]], [0.0, 2.0], hidden_size=(), output="identity")
        >>> f.residuals([0.5])
        array([ 0. , -1.5])
        """
        return self._residuals_at(w)[0]

    def jacobian(self, w: ArrayLike) -> FloatArray:
        """The derivatives of :meth:`residuals` by all parameters, bit-identical to the training's.

        They are what ``scipy.optimize.least_squares`` takes, and what
        :class:`fastgd.optimizers.LevenbergMarquardt` computes: a backward pass for each output.

        Parameters
        ----------
        w : (parameters,) array_like
            As in :meth:`__call__`.

        Returns
        -------
        (residuals, parameters) array

        Raises
        ------
        ValueError
            As in :meth:`residuals`.

        Examples
        --------
        >>> import fastgd, numpy as np, scipy.optimize
        >>> x = np.linspace(-2, 2, 30)
        >>> f = fastgd.objective(
        ...     x[:, None], np.sin(x), hidden_size=2, activation="tanh", output="identity"
        ... )
        >>> found = scipy.optimize.least_squares(f.residuals, f.start(1), f.jacobian)
        >>> f(found.x)[0] < 1e-3
        True
        """
        return self._residuals_at(w)[1]

    def _residuals_at(self, w: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Residuals and Jacobian at w."""
        method = self.method
        for name, rule in (("loss", "squared"), ("l1", 0.0), ("penalty", None)):
            if getattr(method, name) != rule:
                raise ValueError(
                    f"{name} must be {rule!r} for residuals, whose squares make up the loss, "
                    f"got {shown(getattr(method, name))}"
                )
        w = check_vector("w", w, self.network.parameters)
        residuals, jacobian = self._residual_evaluation.at(w)
        if method.reduction == "mean":
            weight = method.sample_weight
            root = np.sqrt(len(self._X) if weight is None else weight.sum())
            residuals, jacobian = residuals / root, jacobian / root
        if method.l2:
            parts = self.network.parts(np.zeros_like(w))
            ones = tuple(np.ones_like(array) for array in parts.weights)
            are_weights = self.network.row(parts._replace(weights=ones)) > 0
            rows = sqrt(method.l2) * np.eye(len(w))[are_weights]
            residuals = np.concatenate([residuals, rows @ w])
            jacobian = np.concatenate([jacobian, rows])
        return residuals, jacobian

    @cached_property
    def _residual_evaluation(self) -> ResidualEvaluation:
        _, *hidden, _ = self.network.sizes
        check_curved(tuple(hidden), self.network.parameters, "for equations of least squares")
        return ResidualEvaluation(self.network, self.method, self._X, self._y)

    def evaluate(self, w: ArrayLike) -> tuple[float, FloatArray, float]:
        """Loss and derivative at w, and the mean absolute error."""
        w = check_vector("w", w, self.network.parameters)
        return self._evaluation.at(w)

    def start(self, seed: Seed = 1) -> FloatArray:
        """Initial parameters as in :func:`fastgd.train`: the article's weights, and biases 0.

        Examples
        --------
        >>> import fastgd
        >>> f = fastgd.objective([[0, 1], [1, 0]], [0, 1], hidden_size=(), bias=True)
        >>> f.start(seed=1).round(3)
        array([-0.166,  0.441,  0.   ])
        """
        return self.row(first_weights(self.network.sizes, check_seed(seed)))

    def row(self, weights: tuple[FloatArray, ...]) -> FloatArray:
        """The parameter vector of these weights, with biases 0."""
        first: FloatArray = self.network.rows(flatten(weights)[None])[0]
        return first

    def parts(self, w: ArrayLike) -> NetworkParts:
        """Weights and biases of w, as in a :class:`fastgd.Run`: one array per layer.

        Examples
        --------
        >>> import fastgd
        >>> f = fastgd.objective([[0, 1], [1, 0]], [0, 1], hidden_size=(), bias=True)
        >>> f.parts([1, 2, 3])
        NetworkParts(weights=(array([[1.],
               [2.]]),), biases=(array([3.]),), normalization=())
        """
        return self.network.parts(check_vector("w", w, self.network.parameters).copy())

    def run(self, w: ArrayLike) -> Run:
        """The network with these parameters as a Run without iterations, to predict or save."""
        parameters = check_vector("w", w, self.network.parameters).copy()
        loss, _, error = self.evaluate(parameters)
        row = {
            "errors": np.empty(0),
            "losses": np.empty(0),
            "kept_weights": parameters,
            "kept_changes": np.zeros(self.network.parameters, np.int64),
            "final_error": error,
            "final_loss": loss,
            "status": "finished" if np.isfinite(error) else "diverged",
            "iterations": 0,
        }
        recorded = np.empty(0, np.int64)
        return run_of(self.network, self.method, row, alpha=nan, seed=None, recorded=recorded)


# ---------------------------------------------------------------- minimize()

Minimizer = Literal["BFGS", "L-BFGS-B", "dual_annealing", "lm"]
METHODS: tuple[Minimizer, ...] = get_args(Minimizer)

SPAN = (-10.0, 10.0)
"""Default range of the parameters for annealing: that of the article's loss surface."""

LOCAL_ITERATIONS = 1000
"""Maximum iterations of each local search of an annealing: SciPy's own upper limit."""


@taking(LossOptions)
def minimize(
    X: ArrayLike,
    y: ArrayLike,
    *,
    hidden_size: int | tuple[int, ...] = 4,
    method: Minimizer = "BFGS",
    iterations: int = 1000,
    seed: Seed = 1,
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
    seed : int, Generator or SeedSequence
        Seed of the initial weights, as in :func:`train`, and of the annealing.
    span : (float, float), optional
        Only for annealing, which needs bounds: the smallest and the largest value of all
        parameters; (-10, 10) by default.
    OPTIONS
    **parameters : float
        As in :func:`fastgd.train`.

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
    given: dict[str, Any] = {"hidden_size": hidden_size, "iterations": iterations, "seed": seed}
    given |= {"weights": weights, "biases": biases}
    checked = checked_loss(X, y, options, (*given, "method"), **given)
    method = check_choice("method", method, METHODS)
    if method != "dual_annealing" and span is not None:
        raise ValueError(f"span must be left out with method={method!r}, got {shown(span)}")
    low, high = (-inf, inf) if method != "dual_annealing" else SPAN
    if span is not None:
        low, high = check_ends("span", span)
    f = Objective(checked.task.X, checked.task.y, checked.networks[0], checked.methods[0])
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
            limits = {"maxiter": iterations}
            if method == "L-BFGS-B":  # stops after 15,000 evaluations; an iteration may take 20
                limits["maxfun"] = 21 * (iterations + 1)
            count = itertools.count(1)
            found = scipy.optimize.minimize(
                f,
                path.w,
                jac=True,
                method=method,
                callback=lambda w: path.add(w, next(count)),
                options=limits,
            )
            status, done = "converged" if found.success else "finished", int(found.nit)
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
