"""The one place where a network, a method and samples become a call of the kernel.

A :class:`Session` is what all calls have in common. It loads runs into blocks, :class:`Runs`: they
are trained from one iteration to another, measured, packed and read. Training, prediction,
``objective`` and ``surface`` do so, and know no more of the kernel than that.

This is the seam for other number types, backends and executors. One that is to take the kernel's
place has to offer what these two classes do: room for so many runs (:meth:`Session.bytes`), a guess
of its speed (:attr:`Session.seconds`), and runs that can be loaded from parameters and numbers of
their own, taken from any iteration to a later one, packed without those that are over, and read;
``grid`` and ``bind`` where ``surface`` and ``objective`` are to have it, too. What comes out must
not depend on how the iterations are cut into calls, on what runs lie side by side, or on threads:
whoever calls decides that by the clock.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.data import FloatArray
from fastgd.arguments.memory import check_memory
from fastgd.arguments.options import Method
from fastgd.engine.layout import Layout, pad, up
from fastgd.engine.lowering import NEVER, PATIENCE, TOLERANCE, Column, Values, choice_of, recipe_of
from fastgd.engine.network import Network
from fastgd.kernel import calls
from fastgd.kernel.block import SEED, Block, Data, Span
from fastgd.kernel.grid import Grid
from fastgd.kernel.lanes import ROWS, runs_side_by_side
from fastgd.kernel.language.choice import Choice

CHUNK_SECONDS = 0.05
"""Aim for one call of the kernel: Ctrl-C and progress live between calls."""

PREDICT_SAMPLES = 4096
"""Samples that go through the network at a time."""


def available_threads() -> int:
    """Threads that may be started: NUMBA_NUM_THREADS, by default one per processor."""
    return calls.available_threads()


@dataclass(frozen=True, eq=False)
class Session:
    """What all calls of the kernel have in common; ``iterations=0`` measures errors only."""

    layout: Layout
    method: Method
    X: FloatArray  # (samples, inputs)
    y: FloatArray  # (samples, outputs)
    iterations: int = 0
    record_every: int = 1

    @classmethod
    def make(
        cls,
        network: Network,
        method: Method,
        X: FloatArray,
        y: FloatArray,
        runs: int,
        *,
        axes: Mapping[str, Sequence[Any]] | None = None,
        side_by_side: int | None = None,
        iterations: int = 0,
        record_every: int = 1,
        record_weights: bool = False,
    ) -> "Session":
        """For so many runs, with the values that other options than the method's take on axes.

        How many runs go side by side is chosen, unless that is given.
        """
        layout = Layout.plan(
            network,
            side_by_side or runs_side_by_side(runs, network.parameters),
            len(X),
            recipe_of(method, axes or {}, record_weights),
            method.batch_size or 0,
            method.summary or 1,
        )
        return cls(layout, method, X, y, iterations, record_every)

    @classmethod
    def of_outputs(cls, network: Network, method: Method, X: FloatArray) -> "Session":
        """For a single run whose outputs are wanted: all samples are one group."""
        recipe, batch = recipe_of(method, {}), method.batch_size or 0
        layout = Layout(network, 1, len(X), up(len(X), ROWS), recipe, batch)
        y = np.zeros((len(X), network.sizes[-1]))
        return cls(layout, method.at({"sample_weight": None}), X, y)

    @classmethod
    def of_derivative(
        cls, network: Network, method: Method, X: FloatArray, y: FloatArray
    ) -> "Session":
        """For a single run whose loss and derivative are wanted.

        There is always a penalty, maybe of 0: so other values of l1 and l2 compile nothing.
        """
        recipe = recipe_of(method, {})
        features = recipe.features.replaced(penalty=choice_of("on", "penalty"))
        recipe = recipe._replace(
            optimizer=Choice("Derivative"), loss_value=Choice("on"), features=features
        )
        return cls(Layout.plan(network, 1, len(X), recipe), method, X, y, iterations=1)

    @property
    def network(self) -> Network:
        """The layers."""
        return self.layout.network

    @property
    def records(self) -> int:
        """Recorded errors, without the final one."""
        return -(-self.iterations // self.record_every)

    @property
    def batch(self) -> int:
        """Samples of a batch."""
        return self.layout.batch or len(self.X)

    @property
    def epoch(self) -> int:
        """Iterations of an epoch."""
        return -(-len(self.X) // self.batch)

    @property
    def seconds(self) -> float:
        """A guess for one iteration of a block: too long for large networks."""
        return 6e-8 + 1.5e-10 * self.batch * self.network.parameters * self.layout.runs

    def bytes(self, blocks: int) -> int:
        """Memory of so many blocks and of the samples as the kernel takes them."""
        values = (len(self.X) + ROWS) * (self.network.sizes[0] + 2 + 2 * self.network.sizes[-1])
        return blocks * self.layout.bytes(self.records) + 16 * values * self.layout.data_runs

    @cached_property
    def _data(self) -> Data:
        return pad(
            self.X,
            self.y,
            self.method.sample_weight,
            bias=self.network.bias,
            runs=self.layout.data_runs,
        )

    def _span(self, first: int, last: int) -> Span:
        weight = self.method.sample_weight
        total = len(self.X) if weight is None else float(weight.sum())
        return Span(
            first=first,
            last=last,
            iterations=self.iterations,
            record_every=self.record_every,
            group=self.layout.group,
            values=float(total * self.y.shape[1]),
            samples=len(self.X),
            batch=self.batch,
            epoch=self.epoch,
            window=self.layout.window,
            kept=self.layout.kept,
            shuffle=int(self.method.shuffle),
            shuffle_seed=self.method.shuffle_seed,
        )

    def _call(self, block: Block, first: int, last: int) -> calls.Call:
        """What a call of the kernel takes."""
        layout = self.layout
        span = self._span(first, last)
        return calls.Call(layout.shapes, layout.recipe, self._data, layout.table, block, span)

    def load(
        self,
        parameters: FloatArray,
        alpha: FloatArray | None = None,
        columns: Sequence[tuple[Column, NDArray[np.int64]]] = (),
        seeds: NDArray[np.int64] | None = None,
    ) -> "Runs":
        """Runs from these parameters (runs, P), in fresh blocks.

        Each has its learning rates (runs, K), by default 1, a seed for what is random in it, and
        on each column the value with its index there, in place of the method's.
        """
        values = Values.of(self.method, len(parameters))
        for column, index in columns:
            column.put(values, index)
        if seeds is not None:
            values.integers[:, SEED] = seeds
        if self.method.summary is None:
            tolerance, patience = values.numbers[:, TOLERANCE], values.integers[:, PATIENCE]
            tolerance[(tolerance == 0) & (patience == NEVER)] = -1.0
        if alpha is None:
            alpha = np.ones((len(parameters), self.network.layers))
        block = self.layout.allocate(-(-len(parameters) // self.layout.runs), self.records)
        self.layout.load(block, parameters, alpha, values)
        return Runs(self, block)


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs in blocks, at some iteration; what is read of a run that is over is as it ended.

    They lie in lanes, block by block; lanes that are left over have the last run once more.
    """

    session: Session
    block: Block

    @property
    def blocks(self) -> int:
        """Blocks of runs side by side."""
        return len(self.block.numbers)

    @property
    def ended(self) -> NDArray[np.int64]:
        """(lanes,) the updates after which a run was over, or -1."""
        return self.block.ended.ravel()

    @property
    def outcome(self) -> NDArray[np.int64]:
        """(lanes,) how it was over: see :mod:`fastgd.kernel.block`."""
        return self.block.outcome.ravel()

    @property
    def final(self) -> FloatArray:
        """(lanes,) the last error of a run that is over."""
        return self.block.final.ravel()

    def run(self, first: int, last: int, threads: int = 1) -> None:
        """Take the runs from iteration first to last; number ``iterations`` measures only."""
        calls.train_blocks(self.session._call(self.block, first, last), threads)

    def pack(self, lanes: NDArray[np.int64]) -> "Runs":
        """Fresh blocks with the runs of these lanes only, as they are now."""
        block = self.session.layout.pack(self.block, lanes, self.session.records)
        return replace(self, block=block)

    def errors(self) -> FloatArray:
        """(lanes, records + 1) mean errors, the last one the final error of a run to the end."""
        return self.session.layout.errors(self.block)

    def path(self) -> FloatArray:
        """(lanes, records, P) the parameters that had these errors."""
        return self.session.layout.path(self.block, self.session.records)

    def parameters(self) -> FloatArray:
        """(lanes, P)."""
        layout, block = self.session.layout, self.block
        return self._now(layout.weights(block.numbers), layout.weights(block.kept))

    def changes(self) -> NDArray[np.int64]:
        """(lanes, P) direction changes."""
        layout, block = self.session.layout, self.block
        return self._now(layout.changes(block.changes), layout.changes(block.kept_changes))

    def watch(self) -> FloatArray:
        """(lanes, Layout.watched) what is kept of the errors."""
        layout, block = self.session.layout, self.block
        return self._now(
            layout.watch(block.numbers, block.integers),
            layout.watch(block.kept, block.kept_integers),
        )

    def _now(self, live: NDArray[Any], put_away: NDArray[Any]) -> NDArray[Any]:
        return np.where(self.ended[:, None] >= 0, put_away, live)

    def outputs(self) -> FloatArray:
        """View (samples, outputs) of what the only run made of the samples in the last pass."""
        session = self.session
        top = session.layout.values_of(self.block, session.network.layers - 1)
        return top[: len(session.X)]

    def bind(self) -> Callable[[], None]:
        """Run iteration 0 of the only run, and return what does so again at less cost."""
        return calls.bind(self.session._call(self.block, 0, 1))

    def grid(
        self,
        x: FloatArray,
        y: FloatArray,
        places: tuple[tuple[int, int, int], tuple[int, int, int]],
        threads: int,
        advance: Callable[[int], None],
    ) -> FloatArray:
        """Mean errors (len(y), len(x)) where two parameters have these values, in chunks.

        The parameters are given as (layer, row, column); ``advance`` is told of points done.
        """
        session, count, at = self.session, len(x) * len(y), 0
        x_at, y_at = map(session.layout.address, places)
        grid = Grid(x, y, np.empty(count), x_at, y_at, first=0, last=0)
        call = session._call(self.block, 0, 1)
        side_by_side = session.layout.runs
        speed = side_by_side * threads / session.seconds
        while at < count:
            last = min(at + max(side_by_side, int(speed * CHUNK_SECONDS)), count)
            began = perf_counter()
            calls.measure_grid(call, grid._replace(first=at, last=last), threads)
            speed = (last - at) / max(perf_counter() - began, 1e-9)
            advance(last - at)
            at = last
        return grid.errors.reshape(len(y), len(x))


def outputs(network: Network, method: Method, row: FloatArray, X: FloatArray) -> FloatArray:
    """Outputs (samples, outputs) of the network whose parameters are ``row``."""
    session = Session.of_outputs(network, method, X[:PREDICT_SAMPLES])
    check_memory(8 * len(X) * network.sizes[-1] + session.bytes(1), "the prediction")
    result = np.empty((len(X), network.sizes[-1]))
    for start in range(0, len(X), PREDICT_SAMPLES):
        part = X[start : start + PREDICT_SAMPLES]
        runs = Session.of_outputs(network, method, part).load(row[None])
        runs.run(0, 1)
        result[start : start + len(part)] = runs.outputs()
    return result
