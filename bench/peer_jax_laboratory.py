"""What a researcher asks of ten thousand trainings, in JAX.

``plain`` is what one writes: ``jax.grad`` of the loss, ``scan`` over the iterations, ``vmap`` over
the networks, all in one ``jit``. ``best`` is what an expert makes of it on a CPU, as in
``peer_jax.py``: derivatives by hand, 4 iterations unrolled, blocks of networks by ``lax.map`` that
stay in the cache, one XLA device per core. Where the two differ in more, the study says so.
"""

from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from peer_jax import UNITS, _forward, _updates
from workload import XOR_X, XOR_Y

jax.config.update("jax_enable_x64", True)

X, Y = jnp.asarray(XOR_X), jnp.asarray(XOR_Y)
LAYERS = (UNITS["sigmoid"],) * 2

Weights = tuple[jax.Array, ...]


class Form(NamedTuple):
    """How a study is written."""

    gradient: Callable[..., Weights]  # of the loss of some samples, at weights
    unroll: int
    is_best: bool

    def scan(self, step: Callable[..., Any], state: Any, ts: jax.Array) -> Any:
        """The last state and what the steps hand back, one after another."""
        return jax.lax.scan(step, state, ts, unroll=self.unroll)


def loss(weights: Weights, X: jax.Array = X, y: jax.Array = Y) -> jax.Array:
    """Half the sum of squared errors."""
    return 0.5 * ((y - outputs(weights, X)) ** 2).sum()


def outputs(weights: Weights, X: jax.Array = X) -> jax.Array:
    return _forward(X, weights, LAYERS, jnp.matmul)[-1]


def _by_hand(weights: Weights, X: jax.Array = X, y: jax.Array = Y) -> Weights:
    return tuple(-u for u in _updates(X, y, weights, LAYERS, jnp.matmul))


PLAIN, BEST = Form(jax.grad(loss), 1, False), Form(_by_hand, 4, True)


def norm(gradient: Weights) -> jax.Array:
    """Euclidean norm of all derivatives."""
    return jnp.sqrt(sum((g * g).sum() for g in gradient))


def descended(weights: Weights, gradient: Weights, alpha: float) -> Weights:
    return jax.tree.map(lambda w, g: w - alpha * g, weights, gradient)


def own_rule(form: Form, iterations: int, weights: Weights) -> Any:
    """Lion (Chen and others, 2023)."""

    def step(state: Any, _: Any) -> Any:
        weights, memory = state
        gradient = form.gradient(weights)
        weights = jax.tree.map(
            lambda w, g, m: w - 0.05 * jnp.sign(0.9 * m + 0.1 * g), weights, gradient, memory
        )
        memory = jax.tree.map(lambda g, m: 0.99 * m + 0.01 * g, gradient, memory)
        return (weights, memory), None

    start = weights, jax.tree.map(jnp.zeros_like, weights)
    return form.scan(step, start, jnp.arange(iterations))[0][0]


def own_penalty(form: Form, iterations: int, weights: Weights, strength: jax.Array) -> Any:
    """``log(1 + w**2)`` of each weight."""

    def penalized(weights: Weights) -> jax.Array:
        return loss(weights) + strength * sum(jnp.log1p(w * w).sum() for w in weights)

    def gradient(weights: Weights) -> Weights:
        if not form.is_best:
            return jax.grad(penalized)(weights)
        return jax.tree.map(
            lambda w, g: g + strength * 2 * w / (1 + w * w), weights, form.gradient(weights)
        )

    def step(weights: Weights, _: Any) -> Any:
        return descended(weights, gradient(weights), 1.0), None

    return form.scan(step, weights, jnp.arange(iterations))[0]


def gradient_norm(form: Form, iterations: int, weights: Weights) -> Any:
    """At every iteration."""

    def step(weights: Weights, _: Any) -> Any:
        gradient = form.gradient(weights)
        return descended(weights, gradient, 1.0), norm(gradient)

    return form.scan(step, weights, jnp.arange(iterations))[1]


def sharpness(_: Form, __: int, weights: Weights) -> Any:
    """The largest eigenvalue of the whole Hessian, which has 16 rows: faster than products."""
    flat, unravel = ravel_pytree(weights)
    hessian = jax.hessian(lambda flat: loss(unravel(flat)))(flat)
    return jnp.linalg.eigvalsh(hessian)[-1]


def final_weights(form: Form, iterations: int, weights: Weights) -> Any:
    """Gradient descent."""

    def step(weights: Weights, _: Any) -> Any:
        return descended(weights, form.gradient(weights), 1.0), None

    return form.scan(step, weights, jnp.arange(iterations))[0]


def noise(form: Form, iterations: int, weights: Weights, seed: jax.Array) -> Any:
    """Normal noise in each derivative; XLA's own generator is the faster one."""
    key = jax.random.key(seed, impl="rbg" if form.is_best else None)

    def step(weights: Weights, t: jax.Array) -> Any:
        keys = jax.random.split(jax.random.fold_in(key, t), len(weights))
        gradient = tuple(
            g + 0.01 * jax.random.normal(k, g.shape)
            for k, g in zip(keys, form.gradient(weights), strict=True)
        )
        return descended(weights, gradient, 1.0), None

    return form.scan(step, weights, jnp.arange(iterations))[0]


def momentum_switched(form: Form, iterations: int, weights: Weights) -> Any:
    """0.5, and 0.9 from the middle on."""

    def step(state: Any, t: jax.Array) -> Any:
        weights, memory = state
        momentum = jnp.where(t < iterations // 2, 0.5, 0.9)
        memory = jax.tree.map(lambda g, m: momentum * m + g, form.gradient(weights), memory)
        return (descended(weights, memory, 1.0), memory), None

    start = weights, jax.tree.map(jnp.zeros_like, weights)
    return form.scan(step, start, jnp.arange(iterations))[0][0]


def samples_added(form: Form, iterations: int, weights: Weights) -> Any:
    """Three samples, and all four from the middle on; what momentum remembers stays."""

    def step(state: Any, _: Any, X: jax.Array, y: jax.Array) -> Any:
        weights, memory = state
        memory = jax.tree.map(lambda g, m: 0.9 * m + g, form.gradient(weights, X, y), memory)
        return (descended(weights, memory, 1.0), memory), None

    state = weights, jax.tree.map(jnp.zeros_like, weights)
    half = jnp.arange(iterations // 2)
    for count in (3, 4):
        state, _ = form.scan(partial(step, X=X[:count], y=Y[:count]), state, half)
    return state[0]


def predictions(form: Form, iterations: int, weights: Weights, every: int = 12) -> Any:
    """The outputs of all samples, every 12 iterations."""

    def step(weights: Weights, _: Any) -> Any:
        return descended(weights, form.gradient(weights), 1.0), None

    def record(weights: Weights, _: Any) -> Any:
        return form.scan(step, weights, jnp.arange(every))[0], outputs(weights)

    return jax.lax.scan(record, weights, jnp.arange(iterations // every))[1]


def stop(form: Form, iterations: int, weights: Weights) -> Any:
    """When the norm of the gradient is below 0.001; a block ends with its last network."""

    def goes_on(state: Any) -> jax.Array:
        _, size, t = state
        return (t < iterations) & (size >= 1e-3)

    def step(state: Any) -> Any:
        weights, _, t = state
        gradient = form.gradient(weights)
        return descended(weights, gradient, 10.0), norm(gradient), t + 1

    return jax.lax.while_loop(goes_on, step, (weights, jnp.inf, 0))[2]


def masks(form: Form, iterations: int, weights: Weights, mask: jax.Array) -> Any:
    """Weights of the first layer stay where its mask is true."""

    def step(weights: Weights, _: Any) -> Any:
        first, second = form.gradient(weights)
        return descended(weights, (jnp.where(mask, 0, first), second), 1.0), None

    return form.scan(step, weights, jnp.arange(iterations))[0]


class Compiled(NamedTuple):
    """A study of many networks, ready to be called."""

    call: Callable[[], Any]
    seconds: float
    """That compiling took."""

    @classmethod
    def of(cls, function: Callable[..., Any], given: Any) -> "Compiled":
        """Compile for these arguments."""
        began = perf_counter()
        train = jax.jit(function).lower(*given).compile()
        seconds = perf_counter() - began
        return cls(lambda: jax.tree.map(np.asarray, train(*given)), seconds)


def plain(study: str, iterations: int, given: Sequence[Any]) -> Compiled:
    """Return it for networks that have these arrays along their first axis."""
    one = partial(globals()[study], PLAIN, iterations)
    return Compiled.of(jax.vmap(one), jax.device_put(tuple(given)))


def best(study: str, iterations: int, given: Sequence[Any], block: int) -> Compiled:
    """Return it for the same, ``block`` networks at a time on each core."""
    one = partial(globals()[study], BEST, iterations)
    mesh, axis = Mesh(np.array(jax.devices()), ("networks",)), PartitionSpec("networks")

    def local(*given: Any) -> Any:
        return jax.lax.map(lambda run: one(*run), given, batch_size=block)

    train = jax.shard_map(local, mesh=mesh, in_specs=axis, out_specs=axis, check_vma=False)
    return Compiled.of(train, jax.device_put(tuple(given), NamedSharding(mesh, axis)))
