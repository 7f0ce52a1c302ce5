"""The same training in JAX: the whole loop in one jit, alpha traced, float64.

``plain`` is what a user writes: matrix products, ``fori_loop``, ``vmap`` over the runs. ``best`` is
the fastest form found without leaving JAX; measured on an AVX-512 Zen 5, ns per run and iteration:

===============  =====================================================  ==============
one 3-4-1        products as broadcast sums instead of ``@``            395 -> 188
..               16 iterations unrolled (4: 140, 8: 126)                188 -> 121
1,024 of 3-4-1   4 iterations unrolled                                  66 -> 62
..               one XLA device per core, runs sharded over them        62 -> 31
..               broadcast or unrolled sums in place of ``@``           no faster
1,024 of 3-32-1  ``lax.map`` over 64 vmapped runs at a time (cache)     434 -> 380
16-16-1          ``lax.map`` over 4 vmapped runs at a time              29,000 -> 12,700
64-64-10         the same                                               154,000 -> 108,000
all              runs on the last axis                                  no faster
===============  =====================================================  ==============
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from workload import Result, Work

jax.config.update("jax_enable_x64", True)

Product = Callable[[jax.Array, jax.Array], jax.Array]


class Units(NamedTuple):
    """What a layer does to its sums, and the slope at its outputs."""

    function: Callable[[jax.Array], jax.Array]
    slope: Callable[[jax.Array], jax.Array]


UNITS = {
    "sigmoid": Units(lambda x: 1 / (1 + jnp.exp(-x)), lambda v: v * (1 - v)),
    "tanh": Units(jnp.tanh, lambda v: 1 - v * v),
    "identity": Units(lambda x: x, jnp.ones_like),
    "softmax": Units(jax.nn.softmax, jnp.ones_like),
}

OPTIONS = {"optimizer", "activation", "output", "loss"}
"""Of ``fastgd.train``: those that a work may have here."""


def plain(work: Work) -> Callable[[], Result]:
    """Return a call that trains all runs, as a user of JAX would write it."""
    train = partial(_train, work=work, product=jnp.matmul, unroll=1)
    if work.runs > 1:
        train = jax.vmap(train)
    return _call(jax.jit(train), work, *_squeezed(work))


def best(work: Work, block: int) -> Callable[[], Result]:
    """Return a call that trains all runs in the fastest form found, ``block`` runs at a time."""
    if work.runs == 1:
        train = partial(_train, work=work, product=_broadcast_product, unroll=16)
        return _call(jax.jit(train), work, *_squeezed(work))
    one = partial(_train, work=work, product=jnp.matmul, unroll=4 if len(work.X) == 4 else 1)
    cores = jax.devices()
    shards = max(n for n in range(1, len(cores) + 1) if work.runs % n == 0)
    here = min(block, work.runs // shards)

    def local(weights: Any, alpha: jax.Array) -> Any:
        return jax.lax.map(lambda run: one(*run), (weights, alpha), batch_size=here)

    mesh, runs = Mesh(np.array(cores[:shards]), ("runs",)), PartitionSpec("runs")
    train = jax.shard_map(local, mesh=mesh, in_specs=runs, out_specs=runs, check_vma=False)
    given = jax.device_put((work.weights, work.alpha), NamedSharding(mesh, runs))
    return _call(jax.jit(train), work, *given)


def _broadcast_product(a: jax.Array, b: jax.Array) -> jax.Array:
    return (a[:, :, None] * b[None, :, :]).sum(1)


def _squeezed(work: Work) -> tuple[Any, Any]:
    """Weights and alpha on the default device, without the axis of a single run."""
    given = (work.weights, work.alpha)
    weights, alpha = jax.tree.map(lambda a: a[0], given) if work.runs == 1 else given
    return jax.device_put(weights), jax.device_put(alpha)


def _call(train: Callable[..., Any], work: Work, weights: Any, alpha: Any) -> Callable[[], Result]:
    def call() -> Result:
        errors, last, changes = jax.tree.map(np.asarray, train(weights, alpha))
        if work.runs == 1:
            errors, last, changes = jax.tree.map(lambda a: a[None], (errors, last, changes))
        return Result(errors, last, changes if work.counts else None)

    return call


def _train(weights: Any, alpha: jax.Array, *, work: Work, product: Product, unroll: int) -> Any:
    """Train one run; the loop over records holds the loop over the iterations between them."""
    if unknown := set(work.options) - OPTIONS:
        raise ValueError(f"JAX must be given options out of {OPTIONS}, got {unknown}")
    X, y = jnp.asarray(work.X), jnp.asarray(work.y)
    hidden, output = (UNITS[work.options.get(k, "sigmoid")] for k in ("activation", "output"))
    if work.options.get("loss") == "cross_entropy":  # which divides by the slope
        output = output._replace(slope=jnp.ones_like)
    units = (hidden,) * (len(weights) - 1) + (output,)
    memory, descend = _descent(weights, alpha, work)
    signs = tuple(jnp.zeros(w.shape, bool) for w in weights)
    changes = tuple(jnp.zeros(w.shape, jnp.int32) for w in weights)

    def step(j: jax.Array, state: Any) -> Any:
        weights, memory, signs, changes = state
        updates = _updates(X, y, weights, units, product)
        if work.counts:
            now = tuple(update > 0 for update in updates)
            changes = tuple(
                c + ((new != old) & (j > 0))
                for c, new, old in zip(changes, now, signs, strict=True)
            )
            signs = now
        weights, memory = descend(weights, updates, memory)
        return weights, memory, signs, changes

    def between(record: jax.Array, state: Any) -> Any:
        errors, inner = state
        miss = jnp.abs(y - _forward(X, inner[0], units, product)[-1]).mean()
        first = record * work.record_every
        inner = jax.lax.fori_loop(
            0, work.record_every, lambda j, s: step(first + j, s), inner, unroll=unroll
        )
        return errors.at[record].set(miss), inner

    errors = jnp.zeros(work.records)
    errors, (weights, _, _, changes) = jax.lax.fori_loop(
        0, work.records, between, (errors, (weights, memory, signs, changes))
    )
    return errors, weights, changes


def _descent(weights: Any, alpha: jax.Array, work: Work) -> tuple[Any, Callable[..., Any]]:
    """Return what an optimizer remembers at first, and its step; ``updates`` are minus gradients.

    Plain gradient descent may have an alpha per layer.
    """
    if "optimizer" in work.options:
        import optax

        import peer_optax

        transformation = peer_optax.transformation(work.options["optimizer"], alpha)

        def descend(weights: Any, updates: Any, memory: Any) -> Any:
            gradients = jax.tree.map(jnp.negative, updates)
            steps, memory = transformation.update(gradients, memory, weights)
            return optax.apply_updates(weights, steps), memory

        return transformation.init(weights), descend

    rates = alpha if alpha.ndim else (alpha,) * len(weights)

    def plainly(weights: Any, updates: Any, memory: Any) -> Any:
        moved = (w + a * u for w, a, u in zip(weights, rates, updates, strict=True))
        return tuple(moved), memory

    return (), plainly


def _forward(
    X: jax.Array, weights: Any, units: tuple[Units, ...], product: Product
) -> list[jax.Array]:
    layers = [X]
    for layer, unit in zip(weights, units, strict=True):
        layers.append(unit.function(product(layers[-1], layer)))
    return layers


def _updates(
    X: jax.Array, y: jax.Array, weights: Any, units: tuple[Units, ...], product: Product
) -> tuple[jax.Array, ...]:
    layers = _forward(X, weights, units, product)
    miss = y - layers[-1]
    updates = []
    for k in reversed(range(len(weights))):
        delta = miss * units[k].slope(layers[k + 1])
        updates.append(product(layers[k].T, delta))
        if k:
            miss = product(delta, weights[k].T)
    return tuple(updates[::-1])
