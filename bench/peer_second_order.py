"""Second-order methods and quasi-Newton methods of others, from given initial weights to an error.

Everybody minimizes the squared error of a network with tanh, an identity output unit and biases,
and stops a start at the goal where its interface has a way to. The parameters of a start are a
vector, layer by layer, the biases of a layer after its weights.
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

    @property
    def matrices(self) -> list[tuple[int, int]]:
        """Inputs, without that of the biases, and units of each layer."""
        return [*pairwise((self.X.shape[1], self.hidden, 1))]

    def initial(self, starts: int) -> Array:
        """The initial parameters of the first starts: those of fastgd's Glorot initialization."""
        sweep = fastgd.sweep(
            self.X, self.y, init="glorot", seed=range(starts), iterations=1, alpha=1e-9,
            record_weights=True, **self.network,
        )  # fmt: skip
        zeros = [np.zeros((1, units)) for _, units in self.matrices]
        return np.array(
            [
                _row([w[0] for w in run.recorded_weights], zeros)
                for run in (sweep[i] for i in range(starts))
            ]
        )

    def residuals(self, row: Any, numbers: Any = np) -> Any:
        """The output minus the target, (samples,), of parameters; also with JAX's arrays."""
        values, begin = self.X, 0
        for k, (inputs, units) in enumerate(self.matrices):
            end = begin + inputs * units
            values = values @ row[begin:end].reshape(inputs, units) + row[end : end + units]
            values = numbers.tanh(values) if k == 0 else values
            begin = end + units
        return values[:, 0] - self.y[:, 0]

    def jacobian(self, row: Array) -> Array:
        """The derivatives of the residuals, (samples, parameters), by hand."""
        (inputs, units), _ = self.matrices
        end = (inputs + 1) * units
        below, bias = row[: inputs * units].reshape(inputs, units), row[end - units : end]
        hidden = np.tanh(self.X @ below + bias)
        delta = row[end:-1] * (1 - hidden**2)
        by_weights = (self.X[:, :, None] * delta[:, None, :]).reshape(len(self.X), -1)
        return np.hstack([by_weights, delta, hidden, np.ones((len(self.X), 1))])

    def reached(self, result: Any) -> int:
        """How many of a result's starts have the goal."""
        if isinstance(result, fastgd.Sweep):
            errors = result.predict(self.X).reshape(-1, len(self.X)) - self.y[:, 0]
        else:
            errors = np.array([self.residuals(np.asarray(row)) for row in result])
        return int(((errors**2).mean(axis=1) <= self.goal).sum())


def _row(weights: Any, biases: Any) -> Array:
    return np.concatenate([np.vstack(pair).ravel() for pair in zip(weights, biases, strict=True)])


class _ReachedError(Exception):
    """Ends a method of SciPy at the goal: it has no other way."""


def scipy_lm(problem: Problem, starts: int, evaluations: int) -> Call:
    """MINPACK's method, with the Jacobian by hand; of the trust region for few samples."""
    initial, enough = problem.initial(starts), problem.goal * len(problem.X)
    method = "lm" if len(problem.X) >= initial.shape[1] else "trf"

    def start(row: Array) -> Array:
        last = row

        def residuals(w: Array) -> Array:
            nonlocal last
            found: Array = problem.residuals(w)
            last = w.copy()
            if found @ found <= enough:
                raise _ReachedError
            return found

        try:
            found = scipy.optimize.least_squares(
                residuals, row, problem.jacobian, method=method, max_nfev=evaluations
            )
        except _ReachedError:
            return last
        return found.x

    return lambda: [start(row) for row in initial]


def scipy_lbfgs(problem: Problem, starts: int, iterations: int) -> Call:
    """L-BFGS-B on the loss and derivative that ``fastgd.objective`` has."""
    initial = problem.initial(starts)
    f = fastgd.objective(problem.X, problem.y, **problem.network)

    def stop(intermediate_result: Any) -> None:
        if 2 * intermediate_result.fun <= problem.goal:
            raise StopIteration

    def start(row: Array) -> Array:
        limits = {"maxiter": iterations, "maxfun": 21 * iterations, "ftol": 0.0}
        return scipy.optimize.minimize(
            f, row, jac=True, method="L-BFGS-B", callback=stop, options=limits
        ).x

    return lambda: [start(row) for row in initial]


def sklearn_lbfgs(problem: Problem, starts: int, iterations: int) -> Call:
    """Its own initial weights, also Glorot's; it can't stop at an error."""

    def start(seed: int) -> Array:
        model = MLPRegressor(
            hidden_layer_sizes=(problem.hidden,), activation="tanh", solver="lbfgs", alpha=0.0,
            tol=0.0, max_iter=iterations, max_fun=21 * iterations, random_state=seed,
        )  # fmt: skip
        model.fit(problem.X, problem.y[:, 0])
        return _row(model.coefs_, [bias[None] for bias in model.intercepts_])

    def call() -> Any:
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

    def start(row: Array) -> Array:
        layers = [torch.nn.Linear(*sizes, dtype=torch.float64) for sizes in problem.matrices]
        begin = 0
        with torch.no_grad():
            for layer, (inputs, units) in zip(layers, problem.matrices, strict=True):
                end = begin + inputs * units
                layer.weight[:] = torch.from_numpy(row[begin:end].reshape(inputs, units).T)
                layer.bias[:] = torch.from_numpy(row[end : end + units])
                begin = end + units
        model = torch.nn.Sequential(layers[0], torch.nn.Tanh(), layers[1])
        module = LevenbergMarquardtModule(model, MSELoss(), solve_method="cholesky")
        for _ in range(iterations):
            _, loss, stop, _ = module.training_step(X, y)
            if stop or loss <= problem.goal:
                break
        arrays = [p.detach().numpy().T for p in model.parameters()]
        return _row(arrays[::2], [bias[None] for bias in arrays[1::2]])

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

    enough = problem.goal * len(problem.X) / 2

    class ToGoal(optimistix.LevenbergMarquardt):
        def terminate(self, fn, y, args, options, state, tags):  # type: ignore[no-untyped-def]
            stop, result = super().terminate(fn, y, args, options, state, tags)
            half = 0.5 * jnp.sum(state.f_info.residual**2)
            return stop | ((state.num_accepted_steps > 0) & (half <= enough)), result

    method = ToGoal(1e-10, 1e-10, linear_solver=lineax.Normal(lineax.Cholesky()))
    few = len(problem.X) < len(problem.initial(1)[0])
    options = {"jac": "bwd" if few else "fwd"}

    def start(row: Any) -> Any:
        return optimistix.least_squares(
            lambda w, _: problem.residuals(w, jnp), method, row,
            options=options, max_steps=steps, throw=False,
        ).value  # fmt: skip

    initial = jnp.array(problem.initial(starts))
    run = jax.jit(lambda rows: jax.lax.map(start, rows, batch_size=min(block, starts)))
    return lambda: run(initial).block_until_ready()
