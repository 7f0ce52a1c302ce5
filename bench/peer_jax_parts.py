"""Runs that each have their own rows, in JAX: folds of one table, groups of many, and predictions.

``plain`` is what one writes: ``jit`` and ``vmap`` over all runs, with 0/1 weights of the rows of a
shared table, or every group padded to the largest. ``best`` is the fastest form found: one XLA
device per core, blocks of runs by ``lax.map`` that stay in the cache; folds each with their own
rows, groups sorted by size and cut into buckets of nearly equal sizes.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from peer_jax import UNITS, Units
from workload import Array

jax.config.update("jax_enable_x64", True)

Outcome = tuple[Array, Array, tuple[Array, ...]]
"""Errors and held-out errors, (runs, records) each, and the last weights."""


class Rows(NamedTuple):
    """Rows of a table, or of several of one size: (..., samples, columns)."""

    X: Any
    y: Any
    w: Any  # (..., samples, 1): 1, or 0 where a row does not count

    def error(self, weights: Any, units: Sequence[Units]) -> jax.Array:
        """Mean absolute error."""
        miss = self.y - forward(self.X, weights, units)[-1]
        return (jnp.abs(miss) * self.w).sum() / self.w.sum() / miss.shape[1]


class Run(NamedTuple):
    """What one run starts with, or many: (runs, ...)."""

    weights: Any
    alpha: Any
    l2: Any


class Training(NamedTuple):
    """What all runs have in common."""

    iterations: int
    records: int
    units: tuple[Units, ...]

    @classmethod
    def of(cls, iterations: int, records: int, activation: str, output: str, layers: int) -> Any:
        """Return it with units by their names."""
        return cls(iterations, records, (UNITS[activation],) * (layers - 1) + (UNITS[output],))

    def train(self, run: Run, rows: Rows, held: Rows | None) -> Any:
        """Train one run: its errors, its held-out errors, its weights."""
        between = self.iterations // self.records

        def step(_: Any, weights: Any) -> Any:
            layers = forward(rows.X, weights, self.units)
            miss = (rows.y - layers[-1]) * rows.w
            moved = list(weights)
            for k in reversed(range(len(weights))):
                delta = miss * self.units[k].slope(layers[k + 1])
                update = layers[k].T @ delta - run.l2 * weights[k]
                moved[k] = weights[k] + run.alpha * update
                if k:
                    miss = delta @ weights[k].T
            return tuple(moved)

        def record(r: jax.Array, state: Any) -> Any:
            errors, held_errors, weights = state
            errors = errors.at[r].set(rows.error(weights, self.units))
            if held is not None:
                held_errors = held_errors.at[r].set(held.error(weights, self.units))
            return errors, held_errors, jax.lax.fori_loop(0, between, step, weights)

        start = (jnp.zeros(self.records), jnp.zeros(self.records), run.weights)
        return jax.lax.fori_loop(0, self.records, record, start)


def forward(X: Any, weights: Any, units: Sequence[Units]) -> list[Any]:
    """Outputs of all layers, the inputs first."""
    layers = [X]
    for layer, unit in zip(weights, units, strict=True):
        layers.append(unit.function(layers[-1] @ layer))
    return layers


def plain_folds(
    X: Array, y: Array, held_out: Array, runs: Run, training: Training
) -> Callable[[], Outcome]:
    """Return a call that trains all runs of all folds at once: 0/1 weights and a shared table.

    ``held_out`` has a row per fold; ``runs`` are those of each fold.
    """
    folds, count = len(held_out), len(runs.alpha)
    out = np.repeat(held_out, count, axis=0)[:, :, None]
    every = jax.tree.map(lambda a: np.concatenate([a] * folds), runs)
    rows = Rows(X, y, 0)

    def train(run: Run, held: jax.Array) -> Any:
        return training.train(run, rows._replace(w=1.0 - held), rows._replace(w=held))

    return _call(jax.jit(jax.vmap(train)), *jax.device_put((every, out.astype(float))))


def best_folds(
    X: Array, y: Array, held_out: Array, runs: Run, training: Training, block: int, *, shared: bool
) -> Callable[[], Outcome]:
    """Return a call that trains ``block`` runs at a time on each core, fold after fold.

    ``shared``: with 0/1 weights of the table's rows; otherwise each fold has its own rows.
    """
    if shared:
        on = [Rows(X, y, 1.0 - held[:, None]) for held in held_out]
        out = [Rows(X, y, held[:, None].astype(float)) for held in held_out]
    else:
        on, out = (
            [padded(X[which], y[which], int(rows.sum(axis=1).max())) for which in rows]
            for rows in (~held_out, held_out)
        )
    data = tuple(jax.tree.map(lambda *a: np.stack(a), *rows) for rows in (on, out))

    def local(runs: Run, data: Any) -> Any:
        def fold(rows: Any) -> Any:
            return jax.lax.map(lambda run: training.train(run, *rows), runs, batch_size=block)

        return jax.lax.map(fold, data)

    mesh, axis, everywhere = *_mesh(len(runs.alpha)), PartitionSpec()
    train = jax.shard_map(
        local,
        mesh=mesh,
        in_specs=(axis, everywhere),
        out_specs=PartitionSpec(None, "runs"),
        check_vma=False,
    )
    given = (
        jax.device_put(runs, NamedSharding(mesh, axis)),
        jax.device_put(data, NamedSharding(mesh, everywhere)),
    )
    call = _call(jax.jit(train), *given)
    return lambda: jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), call())


def padded(X: Array, y: Array, size: int) -> Rows:
    """Rows, and zeros up to this size that do not count."""
    more = ((0, size - len(X)), (0, 0))
    return Rows(np.pad(X, more), np.pad(y, more), np.pad(np.ones((len(X), 1)), more))


def plain_groups(
    tables: Sequence[tuple[Array, Array]], run: Run, training: Training
) -> Callable[[], Outcome]:
    """Return a call that trains a network per group at once, all padded to the largest."""
    rows = _stacked(tables, max(len(X) for X, _ in tables))

    def train(rows: Rows, run: Run) -> Any:
        return training.train(run, rows, None)

    return _call(jax.jit(jax.vmap(train, in_axes=(0, None))), *jax.device_put((rows, run)))


def best_groups(
    tables: Sequence[tuple[Array, Array]],
    run: Run,
    training: Training,
    block: int,
    wider: float,
) -> Callable[[], Outcome]:
    """Return a call that trains the groups of one bucket after the other.

    The largest group of a bucket is at most ``wider`` times as large as its smallest.
    """
    order = np.argsort([len(X) for X, _ in tables], kind="stable")
    buckets: list[list[int]] = []
    for i in order.tolist():
        if not buckets or len(tables[i][0]) > wider * len(tables[buckets[-1][0]][0]):
            buckets.append([])
        buckets[-1].append(i)
    shards = len(jax.devices())
    for bucket in buckets:  # the last ones once more, so that all devices have as many
        bucket += [bucket[-1]] * (-len(bucket) % shards)
    rows = [_stacked([tables[i] for i in b], len(tables[b[-1]][0])) for b in buckets]

    def local(rows: list[Rows], run: Run) -> Any:
        one = partial(lambda run, rows: training.train(run, rows, None), run)
        return [jax.lax.map(one, bucket, batch_size=block) for bucket in rows]

    mesh, axis, everywhere = *_mesh(shards), PartitionSpec()
    train = jax.shard_map(
        local, mesh=mesh, in_specs=(axis, everywhere), out_specs=axis, check_vma=False
    )
    given = (
        jax.device_put(rows, NamedSharding(mesh, axis)),
        jax.device_put(run, NamedSharding(mesh, everywhere)),
    )
    call = _call(jax.jit(train), *given)
    _, back = np.unique(np.concatenate(buckets), return_index=True)
    return lambda: jax.tree.map(lambda *parts: np.concatenate(parts)[back], *call())


def padding(tables: Sequence[tuple[Array, Array]], wider: float) -> float:
    """Rows that ``best_groups`` works on, over those that there are."""
    sizes = np.sort([len(X) for X, _ in tables])
    worked, at = 0, 0
    while at < len(sizes):
        end = int(np.searchsorted(sizes, wider * sizes[at], side="right"))
        worked += (end - at) * int(sizes[end - 1])
        at = end
    return worked / float(sizes.sum())


def plain_predict(
    X: Array, weights: tuple[Array, ...], units: tuple[Units, ...]
) -> Callable[[], Any]:
    """Return a call of ``jit(vmap(forward))``."""
    predict = jax.jit(jax.vmap(lambda weights, X: forward(X, weights, units)[-1], (0, None)))
    given = jax.device_put((weights, X))
    return lambda: predict(*given).block_until_ready()


def best_predict(
    X: Array, weights: tuple[Array, ...], units: tuple[Units, ...], block: int
) -> Callable[[], Any]:
    """Return a call that predicts all rows of ``block`` runs at a time on each core."""

    def local(weights: Any, X: jax.Array) -> Any:
        return jax.lax.map(lambda own: forward(X, own, units)[-1], weights, batch_size=block)

    mesh, axis, everywhere = *_mesh(len(weights[0])), PartitionSpec()
    predict = jax.jit(
        jax.shard_map(
            local, mesh=mesh, in_specs=(axis, everywhere), out_specs=axis, check_vma=False
        )
    )
    given = (
        jax.device_put(weights, NamedSharding(mesh, axis)),
        jax.device_put(X, NamedSharding(mesh, everywhere)),
    )
    return lambda: predict(*given).block_until_ready()


def _stacked(tables: Sequence[tuple[Array, Array]], size: int) -> Rows:
    return jax.tree.map(lambda *a: np.stack(a), *(padded(X, y, size) for X, y in tables))


def _mesh(runs: int) -> tuple[Mesh, PartitionSpec]:
    """As many devices as the runs can be dealt to evenly, and the axis of the runs."""
    cores = jax.devices()
    shards = max(n for n in range(1, len(cores) + 1) if runs % n == 0)
    return Mesh(np.array(cores[:shards]), ("runs",)), PartitionSpec("runs")


def _call(train: Callable[..., Any], *given: Any) -> Callable[[], Any]:
    return lambda: jax.tree.map(np.asarray, train(*given))
