"""The map of trainability in JAX, float64: the same problem, sums and outcomes.

``plain`` is what the paper's program does, with the loop over the iterations inside of one jit:
``vmap`` over all trainings at once, the gradient by ``jax.grad``. ``best`` is the fastest form
found on a CPU: gradients written out, ``lax.map`` over cache-sized blocks of vmapped trainings, one
XLA device per core, and a block that ends when all of its trainings have diverged.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from numpy.typing import NDArray

from fastgd.studies.mean_field import MeanField

jax.config.update("jax_enable_x64", True)

LAST = 20
"""Errors at the end whose mean decides, as in :mod:`fastgd.studies.mean_field`."""


class State(NamedTuple):
    """One training."""

    iteration: jax.Array
    weights: tuple[jax.Array, jax.Array]
    first: jax.Array
    total: jax.Array  # of e / first
    inverse: jax.Array  # of first / e
    recent: jax.Array  # (LAST,), a ring
    finite: jax.Array


def plain(
    problem: MeanField, alphas: NDArray[np.float64], iterations: int
) -> Callable[[], NDArray[np.float64]]:
    """Return a call that gives the values of all trainings."""
    X, y = jnp.asarray(problem.X), jnp.asarray(problem.y)

    def loss(weights: Any) -> Any:
        miss = y - jnp.tanh(X @ weights[0]) @ weights[1]
        return 0.5 * (miss * miss).sum(), jnp.abs(miss).mean()

    def learn(weights: Any, alpha: jax.Array) -> Any:
        (_, error), gradients = jax.value_and_grad(loss, has_aux=True)(weights)
        return error, tuple(w - a * g for w, a, g in zip(weights, alpha, gradients, strict=True))

    def train(alpha: jax.Array) -> jax.Array:
        def step(state: State, _: None) -> tuple[State, None]:
            error, weights = learn(state.weights, alpha)
            return _look(state, error, weights), None

        state, _ = jax.lax.scan(step, _start(problem), None, length=iterations)
        return _value(state)

    run = jax.jit(jax.vmap(train))
    given = jax.device_put(jnp.asarray(alphas))
    return lambda: np.asarray(run(given))


def best(
    problem: MeanField, alphas: NDArray[np.float64], iterations: int, block: int
) -> Callable[[], NDArray[np.float64]]:
    """Return a call that gives the values of all trainings, ``block`` at a time on each core."""
    X, y = jnp.asarray(problem.X), jnp.asarray(problem.y)

    def learn(weights: Any, alpha: jax.Array) -> Any:
        hidden = jnp.tanh(X @ weights[0])
        miss = y - hidden @ weights[1]
        delta = (miss @ weights[1].T) * (1 - hidden * hidden)
        return jnp.abs(miss).mean(), (
            weights[0] + alpha[0] * (X.T @ delta),
            weights[1] + alpha[1] * (hidden.T @ miss),
        )

    def train(alpha: jax.Array) -> jax.Array:
        def goes_on(state: State) -> jax.Array:
            return (state.iteration < iterations) & state.finite

        def step(state: State) -> State:
            error, weights = learn(state.weights, alpha)
            return _look(state, error, weights)

        return _value(jax.lax.while_loop(goes_on, step, _start(problem)))

    cores = jax.devices()
    shards = max(n for n in range(1, len(cores) + 1) if len(alphas) % n == 0)
    # Rows in turn: a half of the map each would be work for one core and little for the other.
    order = np.arange(len(alphas)).reshape(-1, shards).T.ravel()
    mesh, runs = Mesh(np.array(cores[:shards]), ("runs",)), PartitionSpec("runs")

    def local(alpha: jax.Array) -> jax.Array:
        return jax.lax.map(train, alpha, batch_size=block)

    run = jax.jit(jax.shard_map(local, mesh=mesh, in_specs=runs, out_specs=runs, check_vma=False))
    given = jax.device_put(alphas[order], NamedSharding(mesh, runs))
    back = np.argsort(order)
    return lambda: np.asarray(run(given))[back]


def _start(problem: MeanField) -> State:
    first, second = (jnp.asarray(layer) for layer in problem.weights)
    zero = jnp.zeros(())
    return State(
        jnp.zeros((), jnp.int32),
        (first, second),
        zero,
        zero,
        zero,
        jnp.zeros(LAST),
        jnp.array(True),
    )


def _look(state: State, error: jax.Array, weights: Any) -> State:
    """Bring the sums up to date with the error before the update that leads to these weights."""
    j = state.iteration
    first = jnp.where(j == 0, error, state.first)
    counts = state.finite & jnp.isfinite(error)
    return State(
        j + 1,
        weights,
        first,
        state.total + jnp.where(counts, error / first, 0.0),
        state.inverse + jnp.where(counts, first / error, 0.0),
        state.recent.at[j % LAST].set(error / first),
        counts & jnp.isfinite(weights[0]).all() & jnp.isfinite(weights[1]).all(),
    )


def _value(state: State) -> jax.Array:
    converged = state.finite & (state.recent.mean() < 1)
    return jnp.where(converged, -state.total, state.inverse)
