"""The error plane as others compute it: the article's logic (part 4) for each pair of weights.

``loop`` is what the article describes, in a Python loop over the grid. ``at_once`` gives NumPy the
whole grid in one array, and ``jax_vmap`` gives it to JAX, compiled, with float64.
"""

from collections.abc import Callable

import numpy as np

from workload import Array

Plane = Callable[[], Array]
AXES = ((0, 0, 0), (0, 1, 0))


def sigmoid(x: Array) -> Array:
    """Sigmoid nonlinearity."""
    return 1 / (1 + np.exp(-x))


def loop(X: Array, y: Array, weights: list[Array], values: Array) -> Plane:
    """Return a call of the loop over both weights; nothing but the network is in it."""

    def call() -> Array:
        errors = np.empty((len(values), len(values)))
        layers = [layer.copy() for layer in weights]
        first = layers[0]
        for r, second_weight in enumerate(values):
            first[1, 0] = second_weight
            for c, first_weight in enumerate(values):
                first[0, 0] = first_weight
                units = X
                for layer in layers:
                    units = sigmoid(units.dot(layer))
                errors[r, c] = np.abs(y - units).mean()
        return errors

    return call


def at_once(X: Array, y: Array, weights: list[Array], values: Array) -> Plane:
    """Return a call that takes all networks of the grid as one stack."""

    def call() -> Array:
        first = np.tile(weights[0], (len(values), len(values), 1, 1))
        first[..., 0, 0], first[..., 1, 0] = values[None, :], values[:, None]
        units = X
        for layer in (first, *weights[1:]):
            units = sigmoid(units @ layer)
        return np.abs(y - units).mean(axis=(-2, -1))

    return call


def jax_vmap(X: Array, y: Array, weights: list[Array], values: Array) -> Plane:
    """Return a call of the compiled function, mapped over both weights."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def error(first_weight: jax.Array, second_weight: jax.Array) -> jax.Array:
        first = jnp.asarray(weights[0]).at[0, 0].set(first_weight).at[1, 0].set(second_weight)
        units = jnp.asarray(X)
        for layer in (first, *weights[1:]):
            units = 1 / (1 + jnp.exp(-(units @ layer)))
        return jnp.abs(y - units).mean()

    plane = jax.jit(jax.vmap(jax.vmap(error, (0, None)), (None, 0)))
    given = jnp.asarray(values)
    return lambda: np.asarray(plane(given, given))
