"""Levenberg-Marquardt and L-BFGS of others, from given initial weights to a squared error.

Everybody minimizes the squared error of a network with tanh, an identity output unit and biases,
stops a start at the goal where its interface has a way to, and returns the mean squared errors. The
parameters of a start are a vector, layer by layer, the biases of a layer after its weights.
"""

import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import scipy.optimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

import fastgd
from workload import Array

Call = Callable[[], Any]


class Problem(NamedTuple):
    """Samples, a network, and the mean squared error that ends a start."""

    title: str
    X: Array  # (samples, inputs)
    y: Array  # (samples, 1)
    hidden: int
    goal: float
    starts: int

    @property
    def network(self) -> dict[str, Any]:
        """The arguments of fastgd for the network and its loss: half the mean squared error."""
        shape = {"hidden_size": self.hidden, "activation": "tanh", "output": "identity"}
        return {"bias": True, "reduction": "mean", **shape}

    def initial(self, starts: int) -> Array:
        """The initial parameters of the first starts: those of fastgd's Glorot initialization."""
        f = fastgd.objective(self.X, self.y, **self.network)
        sweep = fastgd.sweep(
            self.X, self.y, init="glorot", seed=range(starts), iterations=1, alpha=1e-9,
            record_weights=True, **self.network,
        )  # fmt: skip
        first = [tuple(w[0] for w in sweep[i].recorded_weights) for i in range(starts)]
        return np.array([f.row(weights) for weights in first])

    def layers(self, row: Any) -> list[tuple[Any, Any]]:
        """Weights, (inputs, units), and biases of each layer; of any kind of array."""
        found, begin = [], 0
        for inputs, units in pairwise((self.X.shape[1], self.hidden, 1)):
            end = begin + inputs * units
            found.append((row[begin:end].reshape(inputs, units), row[end : end + units]))
            begin = end + units
        return found

    def reached(self, result: Any) -> int:
        """How many of the starts have the goal, from their errors or from a sweep."""
        errors = 2 * result.final_loss if isinstance(result, fastgd.Sweep) else np.array(result)
        return int((errors <= self.goal).sum())


class _ReachedError(Exception):
    """Ends a method of SciPy at the goal: it has no other way."""


def scipy_lm(problem: Problem, starts: int, evaluations: int) -> Call:
    """MINPACK's method, with our Jacobian; that of the trust region for few samples."""
    f = fastgd.objective(problem.X, problem.y, **problem.network)
    initial = problem.initial(starts)
    method = "lm" if len(problem.X) >= initial.shape[1] else "trf"

    def start(row: Array) -> float:
        error = np.inf

        def residuals(w: Array) -> Array:
            nonlocal error
            found = f.residuals(w)
            error = found @ found
            if error <= problem.goal:
                raise _ReachedError
            return found

        try:
            found = scipy.optimize.least_squares(
                residuals, row, f.jacobian, method=method, max_nfev=evaluations
            )
        except _ReachedError:
            return error
        return 2 * float(found.cost)

    return lambda: [start(row) for row in initial]


def scipy_lbfgs(problem: Problem, starts: int, iterations: int) -> Call:
    """L-BFGS-B on the loss and derivative that ``fastgd.objective`` has."""
    f, initial = fastgd.objective(problem.X, problem.y, **problem.network), problem.initial(starts)
    limits = {"maxiter": iterations, "maxfun": 21 * iterations, "ftol": 0.0}

    def stop(intermediate_result: Any) -> None:
        if 2 * intermediate_result.fun <= problem.goal:
            raise StopIteration

    def start(row: Array) -> float:
        given = {"jac": True, "method": "L-BFGS-B", "callback": stop, "options": limits}
        return 2 * float(scipy.optimize.minimize(f, row, **given).fun)

    return lambda: [start(row) for row in initial]


def sklearn_lbfgs(problem: Problem, starts: int, iterations: int) -> Call:
    """Its own initial weights, also Glorot's; it can't stop at an error."""

    def start(seed: int) -> float:
        model = MLPRegressor(
            hidden_layer_sizes=(problem.hidden,), activation="tanh", solver="lbfgs", alpha=0.0,
            tol=0.0, max_iter=iterations, max_fun=21 * iterations, random_state=seed,
        )  # fmt: skip
        return 2 * float(model.fit(problem.X, problem.y[:, 0]).loss_)

    def call() -> list[float]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return [start(seed) for seed in range(starts)]

    return call


def torch_lm(problem: Problem, starts: int, iterations: int) -> Call:
    """torch-levenberg-marquardt, one start after the other, by its fastest solver."""
    import torch
    from torch_levenberg_marquardt.loss import MSELoss
    from torch_levenberg_marquardt.training import LevenbergMarquardtModule

    torch.set_num_threads(1)
    X, y = torch.from_numpy(problem.X), torch.from_numpy(problem.y)
    initial = problem.initial(starts)

    @torch.no_grad()
    def start(row: Array) -> float:
        layers = []
        for weights, biases in problem.layers(torch.from_numpy(row)):
            layers.append(torch.nn.Linear(*weights.shape, dtype=torch.float64))
            layers[-1].weight[:], layers[-1].bias[:] = weights.T, biases
        model = torch.nn.Sequential(layers[0], torch.nn.Tanh(), layers[1])
        module = LevenbergMarquardtModule(model, MSELoss(), solve_method="cholesky")
        for _ in range(iterations):
            _, loss, stop, _ = module.training_step(X, y)
            if stop or loss <= problem.goal:
                break
        return float(loss)

    return lambda: [start(row) for row in initial]


def jax_lm(problem: Problem, starts: int, steps: int, *, block: int) -> Call:
    """optimistix under ``vmap``, ``block`` starts at a time.

    By the normal equations: with QR, its default, 1-5-1 takes 1.3 times as long, 16-16-1 more.
    """
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp
    import lineax
    import optimistix

    def residuals(row: Any, _: Any = None) -> Any:
        (below, bias), (above, shift) = problem.layers(row)
        values = jnp.tanh(problem.X @ below + bias) @ above + shift
        return (values - problem.y)[:, 0] / len(problem.y) ** 0.5

    class ToGoal(optimistix.LevenbergMarquardt):
        def terminate(self, fn, y, args, options, state, tags):  # type: ignore[no-untyped-def]
            stop, result = super().terminate(fn, y, args, options, state, tags)
            is_reached = jnp.sum(state.f_info.residual**2) <= problem.goal
            return stop | ((state.num_accepted_steps > 0) & is_reached), result

    initial = jnp.array(problem.initial(starts))
    method = ToGoal(1e-10, 1e-10, linear_solver=lineax.Normal(lineax.Cholesky()))
    given = {"options": {"jac": "bwd" if len(problem.X) < initial.shape[1] else "fwd"}}
    given |= {"max_steps": steps, "throw": False}

    def start(row: Any) -> Any:
        found = optimistix.least_squares(residuals, method, row, **given).value
        return jnp.sum(residuals(found) ** 2)

    run = jax.jit(lambda rows: jax.lax.map(start, rows, batch_size=min(block, starts)))
    return lambda: run(initial).block_until_ready()
