"""The one place where a network, a method and samples become a kernel call.

A :class:`Session` holds what all these calls have in common. It loads runs into blocks
(:class:`Runs`), which are then trained from one iteration to another, measured, repacked and read.
Training, prediction, ``objective`` and ``surface`` are built on this and know nothing else about
the kernel.

Other number types, backends and executors would plug in here. A replacement has to offer what these
two classes do: the memory that a number of runs needs (:meth:`Session.bytes`), an estimate of its
speed (:meth:`Session.seconds`), and runs that can be loaded from parameters and their own
hyperparameters, or from a state, trained from any iteration to a later one, repacked without those
that have ended, and read. ``surface`` needs ``grid``, and ``objective`` needs ``bind``. Results
must not depend on how iterations are divided into calls, on which runs share a block, or on the
number of threads: callers decide all that by timing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.options import Method
from fastgd.checks.numbers import FloatArray
from fastgd.engine.devices import CPU, devices_of, room_on
from fastgd.engine.layout import Layout, Sharing, up
from fastgd.engine.network import Network
from fastgd.engine.packing import Index, PackedSamples, Portion, RunBatch, lanes_of, portion_of
from fastgd.engine.recipe import (
    NEVER,
    PATIENCE,
    TOLERANCE,
    ValueColumn,
    Values,
    choice_of,
    recipe_of,
)
from fastgd.engine.session import layout_for, split_of
from fastgd.kernel import launch
from fastgd.kernel.block import SEED, Block, Recipe, Span, Split
from fastgd.kernel.language.specialization import Choice
from fastgd.kernel.launch import PlaneGrid
from fastgd.kernel.vectorization import GPU, ROWS, Machine, runs_side_by_side
from fastgd.optimizers import LevenbergMarquardt

if TYPE_CHECKING:
    from fastgd.kernel.gpu import BlocksOnGPUs

CHUNK_SECONDS = 0.05
"""Target duration of a kernel call: Ctrl-C and progress are handled between calls."""

POINT_BYTES = 64 * 1024**2
"""Memory limit for the points of a surface that are on GPUs at a time."""

NONE = np.empty(0)
"""No explicit learning rate factors."""

Columns = Sequence[tuple[ValueColumn, Index]]
"""Axes of option values, each with the index of every run's value."""


@dataclass(frozen=True, eq=False)
class Session:
    """What all kernel calls have in common; with ``iterations=0`` they only measure errors."""

    layout: Layout
    method: Method
    samples: PackedSamples
    iterations: int = 0
    record_every: int = 1
    look: int = 0
    """Iterations between evaluations of the monitored error; 0 means once per epoch."""
    device: str = CPU
    """Where the runs are trained: see :mod:`.devices`."""
    workers: int = 1
    """Threads that train different blocks, each with a workspace of its own."""

    @classmethod
    def make(
        cls,
        network: Network,
        method: Method,
        samples: PackedSamples,
        recipe: Recipe,
        batch: RunBatch,
        *,
        iterations: int = 0,
        record_every: int = 1,
        look: int = 0,
        threads: int = 1,
        blocks: int = 1,
        machine: Machine | None = None,
        device: str = CPU,
        workers: int = 1,
    ) -> "Session":
        """For a batch of runs in ``blocks`` blocks, each of which ``threads`` threads may share.

        ``machine`` is another one that the calls are for.
        """
        layout = layout_for(
            network,
            batch.side_by_side,
            batch.size,
            recipe,
            method.batch_size or 0,
            method.summary or 1,
            batch.sharing,
            threads=threads,
            blocks=blocks,
            machine=machine,
        )
        return cls(layout, method, samples, iterations, record_every, look, device, workers)

    def for_batch(self, batch: RunBatch) -> "Session":
        """The same for another batch of runs, on this machine's processors."""
        old = self.layout
        layout = layout_for(
            old.network, batch.side_by_side, batch.size, old.recipe, old.batch, old.window,
            batch.sharing,
        )  # fmt: skip
        return replace(self, layout=layout, device=CPU)

    @classmethod
    def of_measuring(
        cls,
        network: Network,
        method: Method,
        X: FloatArray,
        y: FloatArray,
        runs: int,
        device: str = CPU,
    ) -> "Session":
        """For ``runs`` runs of which only the errors are needed."""
        machine = None if device == CPU else GPU
        wide = runs_side_by_side(runs, len(X), network.matrices, machine=machine)
        batch = RunBatch(Sharing.ALL, wide, len(X), 0, True, range(runs))
        samples = PackedSamples(X, y, method.sample_weight)
        recipe = recipe_of(method, {})
        return cls.make(network, method, samples, recipe, batch, machine=machine, device=device)

    @classmethod
    def of_outputs(cls, network: Network, method: Method, X: FloatArray) -> "Session":
        """For a single run whose outputs are needed: all samples form one group."""
        recipe, batch = recipe_of(method, {}), method.batch_size or 0
        layout = layout_for(network, 1, len(X), recipe, batch, group=up(len(X), ROWS))
        return cls(layout, method, PackedSamples(X, np.zeros((len(X), network.sizes[-1]))))

    @classmethod
    def of_derivative(
        cls, network: Network, method: Method, X: FloatArray, y: FloatArray
    ) -> "Session":
        """For a single run whose loss and gradient are needed.

        Penalties are always compiled in, even if 0, so that changing l1 or l2 compiles nothing.
        """
        recipe = recipe_of(method, {})
        features = recipe.features.replaced(penalty=choice_of("on", "penalty"))
        recipe = recipe._replace(optimizer=Choice("Derivative"), features=features)
        samples = PackedSamples(X, y, method.sample_weight)
        return cls(layout_for(network, 1, len(X), recipe), method, samples, iterations=1)

    @classmethod
    def of_jacobian(
        cls, network: Network, method: Method, X: FloatArray, y: FloatArray
    ) -> "Session":
        """For a single run whose residuals and their Jacobian are needed, of all samples at once.

        The code is that of a second-order training, whatever the penalties and the reduction.
        """
        plain = {"optimizer": LevenbergMarquardt(), "l1": 0.0, "l2": 0.0, "reduction": "sum"}
        method = method.at(plain)
        samples = PackedSamples(X, y, method.sample_weight)
        layout = layout_for(network, 1, len(X), recipe_of(method, {}), group=up(len(X), ROWS))
        return cls(layout, method, samples, iterations=1)

    @property
    def network(self) -> Network:
        """The network's layers."""
        return self.layout.network

    @property
    def records(self) -> int:
        """Number of recorded errors, not counting the final one."""
        return -(-self.iterations // self.record_every)

    def values(self, runs: int, columns: Columns) -> Values:
        """Values of the runs; a tolerance of -1 marks runs that aren't monitored."""
        method = self.method
        values = Values.of(method, runs)
        for column, index in columns:
            column.put(values, index)
        always = method.evaluate_every is not None or method.restore_best
        if self.layout.recipe.watch is not None and method.summary is None and not always:
            tolerance, patience = values.numbers[:, TOLERANCE], values.integers[:, PATIENCE]
            tolerance[(tolerance == 0) & (patience == NEVER)] = -1.0
        return values

    def seconds(self, samples: int | None = None) -> float:
        """Estimated time of one iteration of a block; too long for large networks.

        ``samples`` are those of the block, if fewer than the layout's maximum.
        """
        count = self.layout.batch or samples or self.layout.samples
        parameters, runs = self.network.parameters, self.layout.runs
        seconds = 6e-8 + 1.5e-10 * count * self.layout.lines * parameters * runs
        if self.layout.recipe.curvature is None:
            return seconds
        products = (count * self.network.sizes[-1] + parameters) * parameters**2
        return seconds + 5e-11 * products * runs

    def bytes(self, blocks: int, size: int = 0, held: int = 0) -> int:
        """Memory of ``blocks`` blocks, and of their samples in the kernel's form.

        ``size`` is the most training samples of a block, by default those of the layout; ``held``
        the most validation samples.
        """
        if self.layout.sharing is Sharing.ALL:
            return blocks * self.bytes_of_block(0, 0) + self._bytes_of_samples(size, held)
        return blocks * self.bytes_of_block(size, held)

    def room(self, size: int, held: int, sharers: int) -> int:
        """How many blocks fit on the GPUs: see :func:`.devices.room_on`."""
        shared = 0
        if self.layout.sharing is Sharing.ALL:
            shared = self._bytes_of_samples(size, held)
        return room_on(self.device, self.bytes_of_block(size, held, sharers), shared)

    def bytes_of_block(self, size: int, held: int, sharers: int = 1) -> int:
        """Memory of one block, including its samples unless all blocks share them.

        ``sharers`` are the blocks that have these samples in common.
        """
        block, record, _ = self.layout.memory
        block += record * self.records
        if self.layout.sharing is Sharing.ALL:
            return block
        return block + self._bytes_of_samples(size, held) // sharers

    def _bytes_of_samples(self, size: int, held: int) -> int:
        layout, outputs = self.layout, self.network.sizes[-1]
        numbers = layout.data_runs * (self.network.sizes[0] + 1 + outputs)
        numbers += layout.importance_runs * outputs
        # Twice: once as they are gathered, once in their final order.
        return 16 * numbers * layout.lines * ((size or layout.samples) + held + 2 * ROWS)

    @cached_property
    def _shared(self) -> Portion:
        """The samples of every block, if all blocks have the same."""
        parts = np.zeros((1, self.layout.runs), np.int64)
        return portion_of(self.samples, self.layout, parts)

    def load(
        self,
        parameters: FloatArray,
        alpha: FloatArray | None = None,
        columns: Columns = (),
        seeds: NDArray[np.int64] | None = None,
        parts: Index | None = None,
        lanes: Index | None = None,
    ) -> "Runs":
        """Load runs with these parameters (runs, P) into new blocks.

        Each run has its learning rates (runs, K), by default 1, a seed for its random masks and
        draws, and for each column the value at its index, which replaces the method's. ``parts``
        (runs,) are the parts of the samples that the runs train on. ``lanes`` (blocks, R) are the
        indices of the runs in the lanes, by default in order.
        """
        layout, count = self.layout, len(parameters)
        if lanes is None:
            lanes = lanes_of(None, count, layout.runs)
        if alpha is None:
            alpha = np.ones((count, self.network.layers))
        values = self.values(count, columns)
        if seeds is not None:
            values.integers[:, SEED] = seeds
        flat = lanes.ravel()
        block = layout.allocate(len(lanes), self.records, self.workers)
        own = Values(values.numbers[flat], values.integers[flat])
        layout.load(block, parameters[flat], alpha[flat], own)
        if layout.sizes["frozen"]:
            layout.put_learning(block, self.network.learning(self.method.freeze))
        return self._runs(block, lanes, np.zeros(count, np.int64) if parts is None else parts)

    def _runs(self, block: Block, lanes: Index, parts: Index) -> "Runs":
        """The runs in these lanes, with the samples of their parts."""
        layout = self.layout
        if layout.sharing is Sharing.ALL:
            portion = self._shared
        else:
            portion = portion_of(self.samples, layout, parts[lanes])
        block.total[:] = portion.total
        block.held_total[:] = portion.held_total
        if layout.recipe.mean is not None:
            block.weight[:] = portion.weight
            if layout.recipe.batches.name == "adaptive":  # what is drawn stands for all samples
                block.scale[:] = self.samples.sizes[parts[lanes]] / (layout.batch * portion.weight)
            else:  # mini-batches of an epoch each set their own later
                block.scale[:] = 1.0 / portion.weight
        places = np.empty(len(parts), np.int64)
        places[lanes.ravel()[::-1]] = np.arange(lanes.size)[::-1]
        return Runs(self, block, portion, parts, places)

    def measured(
        self,
        parameters: FloatArray,
        x: FloatArray,
        y: FloatArray,
        places: tuple[tuple[int, int, int], tuple[int, int, int]],
        advance: Callable[[int], None],
    ) -> FloatArray:
        """As :meth:`Runs.grid`, with a run for each point: what a GPU has room for at a time."""
        errors, layout = np.empty(len(x) * len(y)), self.layout
        x_at, y_at = (np.flatnonzero(layout.places[0] == layout.address(at)) for at in places)
        most = layout.runs * max(1, POINT_BYTES // self.bytes_of_block(0, 0))
        for begin in range(0, len(errors), most):
            points = np.arange(begin, min(begin + most, len(errors)))
            own = np.tile(parameters, (len(points), 1))
            own[:, x_at[0]], own[:, y_at[0]] = x[points % len(x)], y[points // len(x)]
            runs = self.load(own)
            runs.run(0, 1)
            runs.bring_back()
            runs.leave()
            errors[points] = runs.curve("errors")[:, 0]
            advance(len(points))
        return errors.reshape(len(y), len(x))


@dataclass(eq=False)
class Runs:
    """Runs in blocks, at some iteration; :func:`fastgd.engine.results.read` reads them.

    They lie in lanes, block by block; spare lanes repeat a run.
    """

    session: Session
    block: Block
    portion: Portion
    parts: Index  # (n,) the part of the samples that each run trains on
    places: Index  # (n,) the lane of each run
    words: launch.Facts | None = None
    """Of a call's samples, layers and blocks, once one was made: for 32 blocks with samples of
    their own they take 0.3 ms."""

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return len(self.block.numbers)

    @property
    def ended(self) -> Index:
        """(n,) the updates after which a run ended, or -1."""
        return self.block.ended.ravel()[self.places]

    def call(self, first: int, last: int, split: Split | None = None) -> launch.Call:
        """The arguments of a kernel call."""
        session, layout, method = self.session, self.session.layout, self.session.method
        span = Span(
            first=first,
            last=last,
            iterations=session.iterations,
            record_every=session.record_every,
            group=layout.group * layout.lines,
            batch=layout.batch,
            look=session.look,
            window=layout.window,
            kept=layout.kept,
            factors=getattr(method.schedule, "factors", NONE),
            shuffle=int(method.shuffle),
            shuffle_seed=method.shuffle_seed,
        )
        return launch.Call(
            layout.markers,
            layout.recipe,
            self.portion.tables,
            layout.table,
            self.block,
            span,
            split,
            self.words,
        )

    @cached_property
    def _on_gpus(self) -> "BlocksOnGPUs":
        from fastgd.kernel.gpu import BlocksOnGPUs  # with all that emits code for other machines

        return BlocksOnGPUs(self.call(0, 0), devices_of(self.session.device))

    def run(self, first: int, last: int, threads: int = 1, shared: int = 1) -> float:
        """Train from iteration first to last; iteration ``iterations`` only measures the error.

        ``threads`` threads work on different blocks. If the layout allows it, ``shared`` threads
        work on the same block instead. Returns the seconds. On a GPU the work has only begun then;
        all that is read of the runs is what it was before, until they are brought back, and
        ``ended`` is that of the call before.
        """
        if self.session.device != CPU:
            return self._on_gpus.run(first, last)
        layout, began = self.session.layout, perf_counter()
        call = self.call(first, last, None if layout.threads == 1 else split_of(layout, shared))
        if self.words is None:
            self.words = call.facts
            call = call._replace(words=self.words)
        launch.train_blocks(call, threads)
        return perf_counter() - began

    def bring_back(self) -> None:
        """Copy the runs from the GPUs that have them."""
        if self.session.device != CPU:
            self._on_gpus.read()

    def leave(self) -> None:
        """Free the memory of GPUs; the runs are what they were when they were brought back."""
        if "_on_gpus" in vars(self):
            vars(self).pop("_on_gpus").close()

    def pack(self, going: Index, lanes: Index) -> "Runs":
        """New blocks with the runs ``going`` only, as they are now; ``lanes`` index into these."""
        session = self.session
        from_lanes = self.places[going][lanes.ravel()]
        block = session.layout.pack(self.block, from_lanes, session.records, session.workers)
        return session._runs(block, lanes, self.parts[going])

    def curve(self, name: str, which: Index | slice = slice(None)) -> FloatArray:
        """(n, records + 1) a block's errors, losses or held_errors, of some of the runs.

        The last is final unless a run ended early.
        """
        array, places, R = getattr(self.block, name), self.places[which], self.session.layout.runs
        found: FloatArray = array.reshape(len(array), -1, R)[places // R, :, places % R]
        return found

    def last_values(self) -> FloatArray:
        """View (samples, outputs) of the only run's outputs in its last pass."""
        session = self.session
        top = session.layout.values_of(self.block, session.network.layers - 1)
        return top[: len(session.samples.X)]

    def into(self, outputs: FloatArray) -> "Runs":
        """The same runs, writing their outputs (lanes, samples, outputs) to this array."""
        block = self.block._replace(outputs=outputs.reshape(self.blocks, -1))
        return Runs(self.session, block, self.portion, self.parts, self.places)

    def outputs(self) -> FloatArray:
        """(n, samples, outputs) of the last pass, if outputs are stored."""
        lanes = self.block.outputs.reshape(len(self.block.numbers) * self.session.layout.runs, -1)
        return lanes.reshape(len(lanes), -1, self.session.network.sizes[-1])[self.places]

    def bind(self) -> Callable[[], None]:
        """Run iteration 0 of the only run; return a function that repeats it with less overhead."""
        return launch.bind(self.call(0, 1))

    def grid(
        self,
        x: FloatArray,
        y: FloatArray,
        places: tuple[tuple[int, int, int], tuple[int, int, int]],
        threads: int,
        advance: Callable[[int], None],
    ) -> FloatArray:
        """Mean absolute errors (len(y), len(x)) over a grid of two parameters' values, in chunks.

        The parameters are given as (layer, row, column); ``advance`` is called with the number of
        points done since its last call.
        """
        session, count, at = self.session, len(x) * len(y), 0
        x_at, y_at = map(session.layout.address, places)
        grid = PlaneGrid(x, y, np.empty(count), x_at, y_at, first=0, last=0)
        call = self.call(0, 1)
        side_by_side = session.layout.runs
        speed = side_by_side * threads / session.seconds()
        while at < count:
            last = min(at + max(side_by_side, int(speed * CHUNK_SECONDS)), count)
            began = perf_counter()
            launch.measure_grid(call, grid._replace(first=at, last=last), threads)
            speed = (last - at) / max(perf_counter() - began, 1e-9)
            advance(last - at)
            at = last
        return grid.errors.reshape(len(y), len(x))
