"""The one place where a network, a method and samples become a kernel call.

A :class:`Session` holds what all these calls have in common. It loads runs into blocks
(:class:`Runs`), which are then trained from one iteration to another, measured, repacked and read.
Training, prediction, ``objective`` and ``surface`` are built on this and know nothing else about
the kernel.

Other number types, backends and executors would plug in here. A replacement has to offer what these
two classes do: the memory that a number of runs needs (:meth:`Session.bytes`), an estimate of its
speed (:meth:`Session.seconds`), and runs that can be loaded from parameters and their own
hyperparameters, or from a state, trained from any iteration to a later one, repacked without those
that have ended, and read. ``objective`` needs ``bind``, and ``surface`` :meth:`Runs.call`. Results
must not depend on how iterations are divided into calls, on which runs share a block, or on the
number of threads: callers decide all that by timing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.option_types import Frozen
from fastgd.arguments.options import Method
from fastgd.arguments.subsets import Integers
from fastgd.checks.numbers import FloatArray
from fastgd.engine.devices import CPU, devices_of, room_on
from fastgd.engine.layout import Layout, Sharing, up
from fastgd.engine.network import Network
from fastgd.engine.packing import PackedSamples, Portion, RunBatch, lanes_of, portion_of
from fastgd.engine.recipe import NEVER, PATIENCE, TOLERANCE, ValueColumn, Values
from fastgd.formulas.measures import stop_of
from fastgd.kernel import launch
from fastgd.kernel.block import NOW, SEED, Area, Block, IterationSpan, Layer, Recipe, Shapes, Split
from fastgd.kernel.bytecode import address_of_interpreter
from fastgd.kernel.vectorization import ROWS, Machine

if TYPE_CHECKING:
    from fastgd.kernel.gpu import BlocksOnGPUs

CHUNK_SECONDS = 0.05
"""Target duration of a kernel call: Ctrl-C and progress are handled between calls."""

NONE = np.empty(0)
"""No explicit learning rate factors."""

NO_PROGRAMS = np.empty(0, np.int64)
"""No rule is data."""

ValueAxes = Sequence[tuple[ValueColumn, Integers]]
"""Axes of option values, each with the index of every run's value."""


@dataclass(frozen=True, eq=False)
class Session:
    """What all kernel calls have in common; with ``iterations=0`` they only measure errors."""

    layout: Layout
    method: Method
    samples: PackedSamples
    iterations: int = 0
    record_every: int = 1
    total: int = 0
    """All updates of the training, if these iterations are a stretch of it."""
    look: int = 0
    """Iterations between evaluations of the monitored error; 0 means once per epoch."""
    schedule_start: int = 0
    """The update at which the schedule began."""
    device: str = CPU
    """Where the runs are trained: see :mod:`.devices`."""
    programs: Integers | None = None
    """The rules of runs, if they are data."""
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
        threads: int = 1,
        blocks: int = 1,
        machine: Machine | None = None,
        group: int | None = None,
        **others: Any,
    ) -> "Session":
        """For a batch of runs in ``blocks`` blocks, each of which ``threads`` threads may share.

        ``machine`` is another one that the calls are for; ``group`` is the samples of a group, if
        they aren't chosen for the caches; the ``others`` are fields of this class.
        """
        layout = layout_for(
            network,
            batch.side_by_side,
            batch.size,
            recipe,
            method.batch_size or 0,
            method.summary or 1,
            batch.sharing,
            group,
            threads=threads,
            blocks=blocks,
            machine=machine,
        )
        return cls(layout, method, samples, **others)

    @property
    def records(self) -> int:
        """Number of recorded errors, not counting the final one."""
        return -(-self.iterations // self.record_every)

    @property
    def measure_every(self) -> int:
        """Iterations between measurements."""
        return self.method.measure_every or self.record_every

    @property
    def measurements(self) -> int:
        """Number of iterations that are measured."""
        return -(-self.iterations // self.measure_every)

    def values(self, runs: int, columns: ValueAxes) -> Values:
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
        parameters, runs = self.layout.network.parameters, self.layout.runs
        seconds = 6e-8 + 1.5e-10 * count * self.layout.lines * parameters * runs
        if self.layout.recipe.curvature is None:
            return seconds
        products = (count * self.layout.network.sizes[-1] + parameters) * parameters**2
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
        block, record, measurement, _ = self.layout.memory
        block += record * self.records + measurement * self.measurements
        if self.layout.sharing is Sharing.ALL:
            return block
        return block + self._bytes_of_samples(size, held) // sharers

    def _bytes_of_samples(self, size: int, held: int) -> int:
        layout, outputs = self.layout, self.layout.network.sizes[-1]
        numbers = layout.data_runs * (self.layout.network.sizes[0] + 1 + outputs)
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
        columns: ValueAxes = (),
        seeds: NDArray[np.int64] | None = None,
        parts: Integers | None = None,
        lanes: Integers | None = None,
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
            alpha = np.ones((count, self.layout.network.layers))
        values = self.values(count, columns)
        if seeds is not None:
            values.integers[:, SEED] = seeds
        flat = lanes.ravel()
        block = layout.allocate(len(lanes), self.records, self.workers, self.measurements)
        own = Values(values.numbers[flat], values.integers[flat])
        layout.load(block, parameters[flat], alpha[flat], own)
        if layout.sizes["frozen"]:
            rows = self.learning(columns, flat)
            layout.put_by_parameter(block.numbers[:, layout.sections["learning"]], rows)
        return self._runs(block, lanes, np.zeros(count, np.int64) if parts is None else parts)

    def learning(self, columns: ValueAxes, runs: Integers) -> FloatArray:
        """Of these runs, (n, P): 1 for trainable and 0 for frozen parameters."""
        frozen: tuple[Frozen | None, ...] = (self.method.freeze,)
        index = np.zeros(len(runs), np.int64)
        for column, of_run in columns:
            if column.masks:
                frozen, index = column.masks, of_run[runs]
        used, places = np.unique(index, return_inverse=True)
        return np.array([self.layout.network.learning(frozen[k]) for k in used])[places]

    def _runs(self, block: Block, lanes: Integers, parts: Integers) -> "Runs":
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


@dataclass(eq=False)
class Runs:
    """Runs in blocks, at some iteration; :func:`fastgd.engine.results.read` reads them.

    They lie in lanes, block by block; spare lanes repeat a run.
    """

    session: Session
    block: Block
    portion: Portion
    parts: Integers  # (n,) the part of the samples that each run trains on
    places: Integers  # (n,) the lane of each run
    words: launch.Facts | None = None
    """Of a call's samples, layers and blocks, once one was made: for 32 blocks with samples of
    their own they take 0.3 ms."""

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return len(self.block.numbers)

    @property
    def ended(self) -> Integers:
        """(n,) the updates after which a run ended, or -1."""
        return self.block.ended.ravel()[self.places]

    @property
    def stopped(self) -> NDArray[np.bool_]:
        """(n,) whether what was measured has ended a run."""
        if self.session.layout.recipe.stop is None:
            return np.zeros(len(self.places), np.bool_)
        over: NDArray[np.bool_] = self.block.stopping.ravel()[self.places] < 0.0
        return over

    def call(self, first: int, last: int, split: Split | None = None) -> launch.KernelCall:
        """The arguments of a kernel call."""
        session, layout, method = self.session, self.session.layout, self.session.method
        span = IterationSpan(
            first=first,
            last=last,
            iterations=session.iterations,
            record_every=session.record_every,
            group=layout.group * layout.lines,
            batch=layout.batch,
            look=session.look,
            window=layout.window,
            kept=layout.kept,
            measure_every=session.measure_every,
            limit=stop.limit if (stop := method.stop and stop_of(method.stop)) else 0.0,
            factors=getattr(method.schedule, "factors", NONE),
            programs=NO_PROGRAMS if session.programs is None else session.programs,
            interpreter=0 if session.programs is None else address_of_interpreter(),
            schedule_start=session.schedule_start,
            shuffle=int(method.shuffle),
            shuffle_seed=method.shuffle_seed,
            total=(session.total or session.iterations) - session.schedule_start,
        )
        return launch.KernelCall(
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

    def pack(self, going: Integers, lanes: Integers) -> "Runs":
        """New blocks with the runs ``going`` only, as they are now; ``lanes`` index into these."""
        session = self.session
        from_lanes = self.places[going][lanes.ravel()]
        counts = session.records, session.workers, session.measurements
        block = session.layout.pack(self.block, from_lanes, *counts)
        return session._runs(block, lanes, self.parts[going])

    def recorded(self, first: int, last: int) -> FloatArray:
        """(blocks, R) the smallest errors that a call recorded, or NaN; the last if a run ended."""
        every, block, R = self.session.record_every, self.block, self.session.layout.runs
        new = block.errors.reshape(self.blocks, -1, R)[:, -(-first // every) : -(-last // every)]
        return np.where(block.ended < 0, np.fmin.reduce(new, 1, initial=np.nan), block.final)

    def curve(self, name: str, which: Integers | slice = slice(None)) -> FloatArray:
        """(n, records + 1) a block's errors, losses or held_errors, of some of the runs.

        The last is final unless a run ended early.
        """
        array, places, R = getattr(self.block, name), self.places[which], self.session.layout.runs
        found: FloatArray = array.reshape(len(array), -1, R)[places // R, :, places % R]
        return found

    def into(self, outputs: FloatArray) -> "Runs":
        """The same runs, writing their outputs (lanes, samples, outputs) to this array."""
        block = self.block._replace(outputs=outputs.reshape(self.blocks, -1))
        return Runs(self.session, block, self.portion, self.parts, self.places)

    def outputs(self) -> FloatArray:
        """(n, samples, outputs) of the last pass, if outputs are stored."""
        lanes = self.block.outputs.reshape(len(self.block.numbers) * self.session.layout.runs, -1)
        return lanes.reshape(len(lanes), -1, self.session.layout.network.sizes[-1])[self.places]

    def bind(self) -> Callable[[], None]:
        """Run iteration 0 of the only run; return a function that repeats it with less overhead."""
        return launch.bind(self.call(0, 1))


# ---------------------------------------------------------------- how a block's work is divided
# Into groups of samples that pass through the layers together, and among threads, which share the
# samples in the passes, and the weights of each layer in the gradient.


GROUP_BYTES = 32 * 1024
"""Activations and deltas of a group of samples should fit the first-level cache ..."""

GROUP_SAMPLES = 8
"""... but a group has at least this many: each group loads and stores the whole gradient ..."""

GROUP_MOST_BYTES = 512 * 1024
"""... and more samples, up to this, for layers with many weights: part of the second level."""

GROUP_MOST_SAMPLES = 32
"""More samples save no time (measured: 64 of them, for 64-64-10, 784-100-10 and 64-64-64-10)."""

CURVATURE_ROWS = 64
"""Rows of the Jacobian in a group, before their products are added to those of the others."""

SMALL = 2**14
"""Largest block (in parameters) whose layout is cached: it stores 8 bytes for each of them."""

TOGETHER_BYTES = 64 * 1024**2
"""Limit for the stored activations and deltas of all blocks whose work threads share."""

SHARE_SECONDS = 50e-6
"""Least work of a thread in one update, for sharing the update among threads to pay.

The threads wait for each other twice (3 us each time with OpenMP, 22 us with Numba's workqueue),
and values move from one core to the other: with 16-16-1 and 272 samples (13 us on one thread) two
threads have 0.6 times the speed, with 32-32-10 and 256 samples (39 us) 0.9 times, with 64-64-10
(102 us) 1.2 times.
"""

SHARE_SAMPLES = 32
"""Fewest samples of a thread: it has to read all weights that the other threads just updated.

With batches of 32, two threads have 0.7 to 1.1 times the speed of one (784-100-10), with batches
of 256 1.5 times.
"""

GRADIENT_SAMPLES = 32
"""Samples of a group in the gradient, if several threads share the work of a block.

The gradient half of an update of 784-100-10 with 2,000 samples took 5.2 ms with 8 samples a group,
3.7 with 32, 4.3 with 64, and 11.6 with all in one; of 64-64-10 with 256 samples 34 us, 29, 32, 44.
"""

PRODUCT_SECONDS = 1e-10
"""Time for one sample and one parameter of an update, at least."""


def layout_for(
    network: Network,
    runs: int,
    samples: int,
    recipe: Recipe,
    batch: int = 0,
    window: int = 1,
    sharing: Sharing = Sharing.ALL,
    group: int | None = None,
    threads: int = 1,
    blocks: int = 1,
    machine: Machine | None = None,
) -> Layout:
    """Choose the group of samples that passes through the layers together, unless it is given.

    Up to ``threads`` threads share the work of each of the ``blocks`` where that is faster.
    """
    grouped = _remembered if runs * network.parameters <= SMALL else _grouped
    layout = grouped(network, runs, samples, recipe, batch, window, sharing, group, machine)
    return layout if threads == 1 else _shared_out(layout, threads, blocks)


def _grouped(
    network: Network,
    runs: int,
    samples: int,
    recipe: Recipe,
    batch: int,
    window: int,
    sharing: Sharing,
    group: int | None,
    machine: Machine | None,
) -> Layout:
    rows = group or ROWS
    draft = Layout(network, runs, samples, rows, recipe, batch, window, sharing, machine=machine)
    if group:
        return draft
    if recipe.curvature is not None:
        rows = CURVATURE_ROWS // network.sizes[-1] // ROWS * ROWS
        return replace(draft, group=min(up(samples, ROWS), max(ROWS, rows)))
    if _needs_all(recipe) and recipe.outputs is None:
        return replace(draft, group=up(batch or samples, ROWS))
    return replace(draft, group=min(up(samples, ROWS), _fitting(draft)))


_remembered = lru_cache(maxsize=64)(_grouped)
"""A layout depends on these arguments alone, and computing its derived sizes takes 0.2 ms."""


def _needs_all(recipe: Recipe) -> bool:
    """Whether all samples of a batch are needed at the same time."""
    return recipe.batch_norm is not None or recipe.batches.name == "adaptive"


def _fitting(layout: Layout) -> int:
    """Samples of a group, chosen for the caches.

    Where a unit has many weights, larger groups that leave the first-level cache pay off: for each
    group, the gradient of each weight travels from the second-level cache and back once. With 32
    samples instead of 8, 64-64-10 took 0.94 of the time (8 runs) or 0.96 (one), 784-100-10 0.88,
    and 32-32-1 1.02.
    """
    network = layout.network
    bytes_each = (16 * sum(layout.strides) + 8 * network.sizes[0]) * layout.lines
    fitting = GROUP_BYTES // bytes_each // ROWS * ROWS
    weights_each = network.parameters // sum(network.sizes[1:])
    most = min(GROUP_MOST_SAMPLES, GROUP_MOST_BYTES // bytes_each, weights_each // 2) // ROWS * ROWS
    return max(GROUP_SAMPLES, fitting, most)


def _shared_out(layout: Layout, threads: int, blocks: int) -> Layout:
    """The same layout, with as many of these threads as have enough work in an iteration."""
    recipe = layout.recipe
    if _needs_all(recipe) or recipe.curvature is not None or recipe.programs is not None:
        return layout
    if layout.sizes["counting"]:  # of all samples of a pass
        return layout
    samples = (layout.batch or layout.samples) * layout.lines
    seconds = PRODUCT_SECONDS * samples * layout.network.parameters * layout.runs
    threads = min(threads, int(seconds / SHARE_SECONDS), samples // SHARE_SAMPLES)
    if threads < 2:
        return layout
    each = 16 * sum(layout.strides) * layout.lines
    fitting = TOGETHER_BYTES // (each * blocks) // ROWS * ROWS
    together = max(layout.group, min(up(layout.samples, ROWS), fitting))
    return replace(layout, threads=threads, together=together)


def split_of(layout: Layout, threads: int) -> Split | None:
    """How the work of a block is divided among these threads; None if it isn't."""
    if layout.threads == 1:
        return None
    areas = [
        area_of(layer, layout.shapes, thread, threads)
        for thread in range(threads)
        for layer in layout.layers
    ]
    return Split(
        threads=threads,
        together=layout.room,
        rows=GRADIENT_SAMPLES,
        areas=np.array(areas).ravel(),
        now=np.zeros(len(NOW), np.int64),
        overflow=np.zeros(threads * layout.runs),
        total=np.zeros(layout.runs),
    )


def area_of(layer: Layer, shapes: Shapes, thread: int, threads: int) -> Area:
    """The weights of a layer that belong to one thread.

    Either whole tiles of some inputs for all units, or all inputs for some units, whichever divides
    the work more evenly.
    """
    wide, rest = shapes.wide.units, shapes.rest.units
    inputs = layer.full_inputs // ROWS, layer.inputs - layer.full_inputs
    units = layer.wide_outputs // wide, -(-(layer.outputs - layer.wide_outputs) // rest)
    first, full, last = 0, layer.full_inputs, layer.inputs
    begin, wide_end, end = 0, layer.wide_outputs, layer.outputs
    if _unevenness(sum(inputs), threads) <= _unevenness(sum(units), threads):
        first, full, last = _part(*inputs, ROWS, 1, thread, threads)
    else:
        begin, wide_end, end = _part(*units, wide, rest, thread, threads)
        begin, end = min(begin, layer.outputs), min(end, layer.outputs)
    return Area(first, full, last, begin, wide_end, end)


def _unevenness(steps: int, threads: int) -> float:
    """The largest share of a thread, relative to a perfectly even division."""
    return -(-steps // threads) * threads / steps


def _part(
    tiles: int, others: int, size: int, rest: int, thread: int, threads: int
) -> tuple[int, int, int]:
    """One thread's range of ``tiles``, then ``others`` of another size: begin, tiles' end, end."""
    steps = tiles + others
    begin, end = steps * thread // threads, steps * (thread + 1) // threads
    first, middle, last = (
        min(step, tiles) * size + max(step - tiles, 0) * rest
        for step in (begin, max(begin, min(end, tiles)), end)
    )
    return first, middle, last
