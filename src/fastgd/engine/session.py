"""The one place where a network, a method and samples become a call of the kernel.

A :class:`Session` is what all calls have in common. It loads runs into blocks, :class:`Runs`: they
are trained from one iteration to another, measured, packed and read. Training, prediction,
``objective`` and ``surface`` do so, and know no more of the kernel than that.

This is the seam for other number types, backends and executors. One that is to take the kernel's
place has to offer what these two classes do: room for so many runs (:meth:`Session.bytes`), a guess
of its speed (:attr:`Session.seconds`), and runs that can be loaded from parameters and numbers of
their own, or from a state, taken from any iteration to a later one, packed without those that are
over, and read; ``grid`` and ``bind`` where ``surface`` and ``objective`` are to have it, too. What
comes out must not depend on how the iterations are cut into calls, on what runs lie side by side,
or on threads: whoever calls decides that by the clock.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.data import FloatArray
from fastgd.arguments.options import Method
from fastgd.engine.layout import Layout, up
from fastgd.engine.lowering import (
    NEVER,
    PATIENCE,
    TOLERANCE,
    ValueColumn,
    Values,
    choice_of,
    recipe_of,
)
from fastgd.engine.network import Network
from fastgd.engine.packed_samples import Index, PackedSamples, Packer, Portion, Sharing
from fastgd.engine.packing import RunBatch, lanes_of
from fastgd.engine.state import State, put_state, take_state
from fastgd.kernel import calls
from fastgd.kernel.block import SEED, Block, Recipe, Span
from fastgd.kernel.language.specialization import Choice
from fastgd.kernel.plane_errors import PlaneGrid
from fastgd.kernel.vectorization import ROWS, runs_side_by_side

CHUNK_SECONDS = 0.05
"""Aim for one call of the kernel: Ctrl-C and progress live between calls."""

NONE = np.empty(0)
"""No factors of learning rates."""

Columns = Sequence[tuple[ValueColumn, Index]]
"""Axes of values, and which value on each of them every run has."""


def available_threads() -> int:
    """Threads that may be started: NUMBA_NUM_THREADS, by default one per processor."""
    return calls.available_threads()


@dataclass(frozen=True, eq=False)
class Session:
    """What all calls of the kernel have in common; ``iterations=0`` measures errors only."""

    layout: Layout
    method: Method
    samples: PackedSamples
    iterations: int = 0
    record_every: int = 1
    look: int = 0
    """Iterations from one look at the watched error to the next; 0 for an epoch."""

    @classmethod
    def make(
        cls,
        network: Network,
        method: Method,
        samples: PackedSamples,
        recipe: Recipe,
        lot: RunBatch,
        *,
        iterations: int = 0,
        record_every: int = 1,
        look: int = 0,
        threads: int = 1,
        blocks: int = 1,
    ) -> "Session":
        """For the runs of a lot, in so many blocks; each may be shared out to so many threads."""
        layout = Layout.plan(
            network,
            lot.side_by_side,
            lot.size,
            recipe,
            method.batch_size or 0,
            method.summary or 1,
            lot.sharing,
            threads=threads,
            blocks=blocks,
        )
        return cls(layout, method, samples, iterations, record_every, look)

    @classmethod
    def of_measuring(
        cls, network: Network, method: Method, X: FloatArray, y: FloatArray, runs: int
    ) -> "Session":
        """For so many runs of which only errors are wanted."""
        wide = runs_side_by_side(runs, len(X), network.matrices)
        lot = RunBatch(Sharing.ALL, wide, len(X), 0, is_exact=True, count=runs)
        samples = PackedSamples(X, y, method.sample_weight, units=network.sizes[-1] // y.shape[1])
        return cls.make(network, method, samples, recipe_of(method, {}), lot)

    @classmethod
    def of_outputs(cls, network: Network, method: Method, X: FloatArray) -> "Session":
        """For a single run whose outputs are wanted: all samples are one group."""
        recipe, batch = recipe_of(method, {}), method.batch_size or 0
        layout = Layout.plan(network, 1, len(X), recipe, batch, group=up(len(X), ROWS))
        return cls(layout, method, PackedSamples(X, np.zeros((len(X), network.sizes[-1]))))

    @classmethod
    def of_derivative(
        cls, network: Network, method: Method, X: FloatArray, y: FloatArray
    ) -> "Session":
        """For a single run whose loss and derivative are wanted.

        There is always a penalty, maybe of 0: so other values of l1 and l2 compile nothing.
        """
        recipe = recipe_of(method, {})
        features = recipe.features.replaced(penalty=choice_of("on", "penalty"))
        recipe = recipe._replace(optimizer=Choice("Derivative"), features=features)
        samples = PackedSamples(X, y, method.sample_weight, units=network.sizes[-1] // y.shape[1])
        return cls(Layout.plan(network, 1, len(X), recipe), method, samples, iterations=1)

    @property
    def network(self) -> Network:
        """The layers."""
        return self.layout.network

    @property
    def records(self) -> int:
        """Recorded errors, without the final one."""
        return -(-self.iterations // self.record_every)

    def _values(self, runs: int, columns: Columns) -> Values:
        """Of so many runs; the tolerance is -1 of those that are only beside watched ones."""
        method = self.method
        values = Values.of(method, runs)
        for column, index in columns:
            column.put(values, index)
        if method.summary is None and method.evaluate_every is None and not method.restore_best:
            tolerance, patience = values.numbers[:, TOLERANCE], values.integers[:, PATIENCE]
            tolerance[(tolerance == 0) & (patience == NEVER)] = -1.0
        return values

    def are_watched(self, runs: int, columns: Columns) -> NDArray[np.bool_]:
        """(runs,) whether anyone looks at the errors of a run, or only at its neighbours'."""
        if self.layout.recipe.watch is None:
            return np.zeros(runs, np.bool_)
        watched: NDArray[np.bool_] = self._values(runs, columns).numbers[:, TOLERANCE] >= 0
        return watched

    def seconds(self, samples: int | None = None) -> float:
        """A guess for one iteration of a block: too long for large networks.

        With fewer samples than the most, if there are so many.
        """
        count = self.layout.batch or samples or self.layout.samples
        return 6e-8 + 1.5e-10 * count * self.network.parameters * self.layout.runs

    def bytes(self, blocks: int, size: int = 0, held: int = 0) -> int:
        """Memory of so many blocks, and of their samples as the kernel takes them.

        ``size`` is the most samples that one learns from, by default those of the layout; ``held``
        how many are held out, at most.
        """
        if self.layout.sharing is Sharing.ALL:
            return blocks * self.bytes_of_block(0, 0) + self._bytes_of_samples(size, held)
        return blocks * self.bytes_of_block(size, held)

    def bytes_of_block(self, size: int, held: int) -> int:
        """Memory of one block, with its samples if they are its own."""
        block = self.layout.bytes(self.records)
        if self.layout.sharing is Sharing.ALL:
            return block
        return block + self._bytes_of_samples(size, held)

    def _bytes_of_samples(self, size: int, held: int) -> int:
        layout, outputs = self.layout, self.network.sizes[-1]
        numbers = layout.data_runs * (self.network.sizes[0] + 1 + outputs)
        numbers += layout.importance_runs * outputs
        # Twice: as they are gathered, and as they lie then.
        return 16 * numbers * ((size or layout.samples) + held + 2 * ROWS)

    def _span(self, first: int, last: int) -> Span:
        return Span(
            first=first,
            last=last,
            iterations=self.iterations,
            record_every=self.record_every,
            group=self.layout.group,
            batch=self.layout.batch,
            look=self.look,
            window=self.layout.window,
            kept=self.layout.kept,
            factors=getattr(self.method.schedule, "factors", NONE),
            shuffle=int(self.method.shuffle),
            shuffle_seed=self.method.shuffle_seed,
        )

    @property
    def _packer(self) -> Packer:
        layout = self.layout
        return Packer(
            self.samples,
            layout.sharing,
            self.network.bias,
            layout.batch,
            layout.runs,
            layout.data_runs,
            layout.importance_runs,
        )

    @cached_property
    def _shared(self) -> Portion:
        """The samples of any block, if all blocks have the same."""
        return self._packer.portion(np.zeros((1, self.layout.runs), np.int64))

    def _portion(self, parts: Index) -> Portion:
        """The samples of runs in blocks that have these parts (blocks, R)."""
        return self._shared if self.layout.sharing is Sharing.ALL else self._packer.portion(parts)

    def load(
        self,
        parameters: FloatArray,
        alpha: FloatArray | None = None,
        columns: Columns = (),
        seeds: NDArray[np.int64] | None = None,
        parts: Index | None = None,
        lanes: Index | None = None,
        state: State | None = None,
    ) -> "Runs":
        """Runs from these parameters (runs, P), in fresh blocks.

        Each has its learning rates (runs, K), by default 1, a seed for what is random in it, and
        on each column the value with its index there, in place of the method's. It learns from a
        part of the samples. They go into the lanes (blocks, R) that have their numbers, by default
        one after the other. From a state they go on as they were.
        """
        layout = self.layout
        if lanes is None:
            lanes = lanes_of(None, len(parameters), layout.runs)
        values = self._values(len(parameters), columns)
        if seeds is not None:
            values.integers[:, SEED] = seeds
        if alpha is None:
            alpha = np.ones((len(parameters), self.network.layers))
        if parts is None:
            parts = np.zeros(len(parameters), np.int64)
        flat = lanes.ravel()
        block = layout.allocate(len(lanes), self.records)
        layout.load(block, parameters[flat], alpha[flat], values.at(flat))
        if self.layout.recipe.features.frozen is not None:
            layout.put_learning(block, self.network.learning(self.method.freeze))
        if state is not None:
            put_state(state.at(flat), layout, self.method.optimizer, block)
        return self._runs(block, lanes, parts)

    def _scale(self, portion: Portion, parts: Index) -> FloatArray:
        """(blocks, R) what a mean's derivatives are multiplied by.

        Of batches of an epoch each has its own; those that are drawn stand for all samples.
        """
        if self.layout.recipe.batches.name == "adaptive":
            sizes = self.samples.sizes[parts]
            drawn: FloatArray = sizes / (self.layout.batch * portion.weight)
            return drawn
        return 1.0 / portion.weight

    def _runs(self, block: Block, lanes: Index, parts: Index) -> "Runs":
        """Runs that lie in these lanes, with the samples of their parts."""
        portion = self._portion(parts[lanes])
        block.total[:] = portion.total
        block.held_total[:] = portion.held_total
        if self.layout.recipe.mean is not None:
            block.weight[:] = portion.weight
            block.scale[:] = self._scale(portion, parts[lanes])
        places = np.empty(len(parts), np.int64)
        places[lanes.ravel()[::-1]] = np.arange(lanes.size)[::-1]
        return Runs(self, block, portion, parts, places)


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs in blocks, at some iteration; what is read of a run that is over is as it ended.

    They lie in lanes, block by block; in lanes that are left over there is a run once more.
    """

    session: Session
    block: Block
    portion: Portion
    parts: Index  # (n,) the part that each run learns from
    places: Index  # (n,) the lane of each run

    @property
    def blocks(self) -> int:
        """Blocks of runs side by side."""
        return len(self.block.numbers)

    @property
    def ended(self) -> Index:
        """(n,) the updates after which a run was over, or -1."""
        return self.block.ended.ravel()[self.places]

    @property
    def outcome(self) -> Index:
        """(n,) how it was over: see :mod:`fastgd.kernel.block`."""
        return self.block.outcome.ravel()[self.places]

    @property
    def final(self) -> FloatArray:
        """(n,) the last error of a run that is over."""
        return self.block.final.ravel()[self.places]

    @property
    def held_final(self) -> FloatArray:
        """(n,) and its last held-out error."""
        return self.block.held_final.ravel()[self.places]

    def _call(self, first: int, last: int) -> calls.Call:
        """What a call of the kernel takes."""
        session, layout = self.session, self.session.layout
        return calls.Call(
            layout.markers,
            layout.recipe,
            self.portion.tables,
            layout.table,
            self.block,
            session._span(first, last),
        )

    def run(self, first: int, last: int, threads: int = 1, shared: int = 1) -> None:
        """Take the runs from iteration first to last; number ``iterations`` measures only.

        So many threads work on blocks, or ``shared`` ones on one block if it is laid out for that.
        """
        split = self.session.layout.split(shared)
        calls.train_blocks(self._call(first, last)._replace(split=split), threads)

    def pack(self, going: Index, lanes: Index) -> "Runs":
        """Fresh blocks with these runs only, as they are now, in the lanes with their numbers."""
        session = self.session
        from_lanes = self.places[going][lanes.ravel()]
        block = session.layout.pack(self.block, from_lanes, session.records)
        return session._runs(block, lanes, self.parts[going])

    def some(self, which: Index) -> "Runs":
        """These runs only, to be read where they are."""
        return Runs(self.session, self.block, self.portion, self.parts[which], self.places[which])

    def errors(self) -> FloatArray:
        """(n, records + 1) mean errors, the last one the final error of a run to the end."""
        return self.session.layout.by_lane(self.block.errors)[self.places]

    def losses(self) -> FloatArray:
        """(n, records + 1) losses, likewise."""
        return self.session.layout.by_lane(self.block.losses)[self.places]

    def held_errors(self) -> FloatArray:
        """(n, records + 1) mean errors of the held-out samples, likewise."""
        return self.session.layout.by_lane(self.block.held_errors)[self.places]

    def path(self) -> FloatArray:
        """(n, records, P) the parameters that had these errors."""
        return self.session.layout.path(self.block, self.session.records)[self.places]

    def parameters(self) -> FloatArray:
        """(n, P)."""
        layout, block = self.session.layout, self.block
        return self._now(layout.by_parameter, (block.numbers,), (block.kept,))

    def best(self) -> tuple[FloatArray, FloatArray]:
        """(n, P) the parameters of the smallest watched error, and (n,) their own error."""
        layout, block = self.session.layout, self.block
        return (
            layout.by_parameter(block.best)[self.places],
            block.best_error.ravel()[self.places],
        )

    def changes(self) -> NDArray[np.int64]:
        """(n, P) direction changes."""
        layout, block = self.session.layout, self.block
        return self._now(layout.by_parameter, (block.changes,), (block.kept_changes,))

    def watch(self) -> FloatArray:
        """(n, Layout.watched) what is kept of the errors."""
        layout, block = self.session.layout, self.block
        put_away = block.kept, block.kept_integers
        return self._now(layout.watch, (block.numbers, block.integers), put_away)

    def state(
        self, over: NDArray[np.bool_], parameters: FloatArray, changes: NDArray[np.int64]
    ) -> State:
        """All that the runs go on from, with what was read of it; which of them are over."""
        session = self.session
        return take_state(
            session.layout,
            session.method.optimizer,
            self.block,
            self.places,
            over,
            parameters,
            changes,
            session.iterations,
            session.record_every,
        )

    def _now(
        self,
        read: Callable[..., NDArray[Any]],
        live: tuple[NDArray[Any], ...],
        put_away: tuple[NDArray[Any], ...],
    ) -> NDArray[Any]:
        """What is read of the runs: as it is, or as it was put away when a run was over."""
        over = self.ended[:, None] >= 0
        now = read(*live)[self.places]
        return np.where(over, read(*put_away)[self.places], now) if over.any() else now

    def last_values(self) -> FloatArray:
        """View (samples, outputs) of what the only run made of the samples in the last pass."""
        session = self.session
        top = session.layout.values_of(self.block, session.network.layers - 1)
        return top[: len(session.samples.X)]

    def into(self, outputs: FloatArray) -> "Runs":
        """The same runs, whose outputs (lanes, samples, outputs) are to be kept there."""
        return replace(self, block=self.block._replace(outputs=outputs.reshape(self.blocks, -1)))

    def outputs(self) -> FloatArray:
        """(n, samples, outputs) of the last pass, where these are kept."""
        lanes = self.block.outputs.reshape(len(self.block.numbers) * self.session.layout.runs, -1)
        return lanes.reshape(len(lanes), -1, self.session.network.sizes[-1])[self.places]

    def bind(self) -> Callable[[], None]:
        """Run iteration 0 of the only run, and return what does so again at less cost."""
        return calls.bind(self._call(0, 1))

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
        grid = PlaneGrid(x, y, np.empty(count), x_at, y_at, first=0, last=0)
        call = self._call(0, 1)
        side_by_side = session.layout.runs
        speed = side_by_side * threads / session.seconds()
        while at < count:
            last = min(at + max(side_by_side, int(speed * CHUNK_SECONDS)), count)
            began = perf_counter()
            calls.measure_grid(call, grid._replace(first=at, last=last), threads)
            speed = (last - at) / max(perf_counter() - began, 1e-9)
            advance(last - at)
            at = last
        return grid.errors.reshape(len(y), len(x))
