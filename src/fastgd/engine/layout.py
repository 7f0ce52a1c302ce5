"""The memory layout of a block of runs: where the kernel finds each of its arrays."""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.engine import summaries
from fastgd.engine.lowering import INTEGERS, STATES, Values, width_of
from fastgd.engine.network import Network
from fastgd.engine.packed_samples import Sharing
from fastgd.engine.weight_shards import area_of
from fastgd.kernel import block as slots
from fastgd.kernel.block import RECENT, SMALLEST, Block, Data, Layer, Recipe, Shapes
from fastgd.kernel.block import BlockLayout as KernelLayout
from fastgd.kernel.language.specialization import KnownFacts
from fastgd.kernel.language.structs import first_byte
from fastgd.kernel.splitting import NOW, Split
from fastgd.kernel.vectorization import ROWS, can_know, shapes_for, wants_parts, wants_strips

LINE_BYTES = 64

LINE = LINE_BYTES // 8
"""float64 numbers in a cache line."""

GROUP_BYTES = 32 * 1024
"""Activations and deltas of a group of samples should fit the first-level cache ..."""

GROUP_SAMPLES = 8
"""... but a group has at least this many: each group loads and stores the whole gradient ..."""

MOST_BYTES = 512 * 1024
"""... and more samples, up to this, for layers with many weights: part of the second level."""

MOST_SAMPLES = 32
"""More samples save no time (measured: 64 of them, for 64-64-10, 784-100-10 and 64-64-64-10)."""

SMALL = 2**14
"""Largest block (in parameters) whose layout is cached: it stores 8 bytes for each of them."""

GRADIENT_SAMPLES = 32
"""Samples of a group in the gradient, if several threads share the work of a block.

The gradient half of an update of 784-100-10 with 2,000 samples took 5.2 ms with 8 samples a group,
3.7 with 32, 4.3 with 64, and 11.6 with all in one; of 64-64-10 with 256 samples 34 us, 29, 32, 44.
"""

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

PRODUCT_SECONDS = 1e-10
"""Time for one sample and one parameter of an update, at least."""

PAGE = 512
"""float64 values in a memory page: samples whole pages apart compete for one cache set."""


GOES_ALONG = (
    "integers",
    "signs",
    "recent",
    "changes",
    "errors",
    "losses",
    "path",
    "tau",
    "held_errors",
    "best",
    "best_error",
)
"""Arrays copied when runs are repacked, in addition to the first part of ``Block.numbers``."""


BUSY = (
    "integers",
    "signs",
    "recent",
    "scratch",
    "order",
    "batch.X",
    "batch.y",
    "batch.importance",
    "tau",
    "chances",
    "draws",
    "drawn",
)
"""Arrays that a block writes in nearly every update; blocks never share a cache line of them.

Otherwise threads stall each other (false sharing): two single 3-4-1 runs took twice as long on two
threads as on one.
"""

MOST_KNOWN = 3
"""Layouts per recipe that get specialized code in a process; later ones share the general code."""

_known: dict[Recipe, set[KernelLayout]] = {}


def up(number: int, step: int) -> int:
    """Round up to a multiple of step."""
    return -(-number // step) * step


@dataclass(frozen=True)
class Layout:
    """The memory layout of a block of runs: see :class:`fastgd.kernel.block.Block`.

    Sizes are Python integers until :attr:`table` is computed, so that the memory of absurdly large
    sizes can be computed and rejected without overflow.
    """

    network: Network
    runs: int
    samples: int
    group: int
    recipe: Recipe
    batch: int = 0
    """Samples of a mini-batch; 0 for full-batch training."""
    window: int = 1
    """Recent errors that a monitored run keeps."""
    sharing: Sharing = Sharing.ALL
    """Which samples and weights the runs of a block share."""
    threads: int = 1
    """Threads that may share the work of a block."""
    together: int = 0
    """Samples whose activations are stored, if more than one group."""

    @classmethod
    def plan(
        cls,
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
    ) -> "Layout":
        """Choose the group of samples that passes through the layers together, unless it is given.

        Up to ``threads`` threads share the work of each of the ``blocks`` where that is faster.
        """
        planned = _remembered if runs * network.parameters <= SMALL else _planned
        made = planned(network, runs, samples, recipe, batch, window, sharing, group)
        return made if threads == 1 else made._shared_out(threads, blocks)

    def _shared_out(self, threads: int, blocks: int) -> "Layout":
        """The same layout, with as many of these threads as have enough work in an iteration."""
        if self.recipe.batch_norm is not None or self.recipe.batches.name == "adaptive":
            return self  # these need all samples of a batch at once
        samples = self.batch or self.samples
        threads = min(threads, int(self.seconds / SHARE_SECONDS), samples // SHARE_SAMPLES)
        if threads < 2:
            return self
        fitting = TOGETHER_BYTES // (16 * sum(self._strides) * blocks) // ROWS * ROWS
        together = max(self.group, min(up(self.samples, ROWS), fitting))
        return replace(self, threads=threads, together=together)

    @property
    def seconds(self) -> float:
        """Estimated time of one update of a block on one thread."""
        work = (self.batch or self.samples) * self.network.parameters * self.runs
        return PRODUCT_SECONDS * work

    @property
    def room(self) -> int:
        """Samples for which activations are stored."""
        return max(self.group, self.together)

    @property
    def fitting(self) -> int:
        """Samples of a group, chosen for the caches.

        Where a unit has many weights, larger groups that leave the first-level cache pay off: for
        each group, the gradient of each weight travels from the second-level cache and back once.
        With 32 samples instead of 8, 64-64-10 took 0.94 of the time (8 runs) or 0.96 (one),
        784-100-10 0.88, and 32-32-1 1.02.
        """
        bytes_each = 16 * sum(self._strides) + 8 * self.network.sizes[0]
        fitting = GROUP_BYTES // bytes_each // ROWS * ROWS
        weights_each = self.network.parameters // sum(self.network.sizes[1:])
        most = min(MOST_SAMPLES, MOST_BYTES // bytes_each, weights_each // 2) // ROWS * ROWS
        return max(GROUP_SAMPLES, fitting, most)

    @cached_property
    def _strides(self) -> list[int]:
        """For each layer, the distance from one sample's activations to the next."""
        *hidden, outputs = self.network.sizes[1:]
        units = [*(units + self.network.bias for units in hidden), outputs]
        strides = [count * self.runs for count in units]
        return [stride + LINE if stride % PAGE == 0 else stride for stride in strides]

    @cached_property
    def _starts(self) -> list[int]:
        """For each layer, where its weights begin; the last entry is where all of them end."""
        starts = [0]
        for rows, outputs in self.network.matrices:
            starts.append(starts[-1] + up(rows * outputs * self.runs, LINE))
        return starts

    @cached_property
    def _activations(self) -> int:
        return sum(up(self.room * stride, LINE) for stride in self._strides)

    @cached_property
    def parameters(self) -> int:
        """Values that the weights of a block take, with the gaps between layers."""
        return self._starts[-1]

    @cached_property
    def watched(self) -> int:
        """Columns of :meth:`watch`."""
        return 0 if self.recipe.watch is None else summaries.RECENT + self.window

    @cached_property
    def kept_errors(self) -> int:
        """Values per run that the kernel keeps about the monitored error."""
        return 0 if self.recipe.watch is None else RECENT + self.window

    @cached_property
    def kept(self) -> int:
        """Values saved when a run ends: its weights and what is kept about the monitored error."""
        return self.parameters + self.kept_errors * self.runs

    @property
    def _watches_loss(self) -> bool:
        """Whether the loss needs room in iterations that are not recorded."""
        return self.recipe.watch is not None and self.recipe.watch.name == "loss"

    @cached_property
    def _alpha(self) -> int:
        return up(self.kept, LINE)

    @cached_property
    def _scheduled(self) -> int:
        """Where the learning rates of an update begin: the base rates if there is no schedule."""
        rates = 0 if self.recipe.schedule is None else self.network.layers * self.runs
        return self._alpha + rates

    @cached_property
    def _values(self) -> int:
        return self._scheduled + self.network.layers * self.runs

    @cached_property
    def _learning(self) -> int:
        """Where the mask of trainable (not frozen) parameters begins."""
        return up(self._values + self.width * self.runs, LINE)

    @cached_property
    def _states(self) -> int:
        """Where the optimizer state begins: one array of parameter size for each state variable."""
        frozen = 0 if self.recipe.features.frozen is None else self.parameters
        return self._learning + frozen

    @cached_property
    def width(self) -> int:
        """Float values (hyperparameters and the like) of each run."""
        return width_of(self.recipe)

    @cached_property
    def _gradient(self) -> int:
        """Where the gradient begins; everything before it is copied when runs are repacked."""
        return self._states + STATES[self.recipe.optimizer.name] * self.parameters

    @cached_property
    def _effective(self) -> int:
        return self._gradient + self.parameters

    @cached_property
    def _units(self) -> int:
        """Where the activations begin; the deltas and the stored inputs follow them."""
        masks = 0 if self.recipe.features.dropconnect is None else 2 * self.parameters
        return self._effective + masks + (0 if self.shapes.transposed is None else self.parameters)

    @cached_property
    def _transposed(self) -> int:
        """Where the transposed copies of the weights begin."""
        return self._units - self.parameters

    @cached_property
    def numbers(self) -> int:
        """Length of ``Block.numbers``."""
        kept = self._activations if self.recipe.batch_norm is not None else self._kept_inputs
        return self._units + 2 * self._activations + kept

    @property
    def _kept_inputs(self) -> int:
        """Values that the inputs of the output units take, if they are stored."""
        return 0 if self.recipe.inputs is None else up(self.room * self._strides[-1], LINE)

    @property
    def data_runs(self) -> int:
        """Copies of each data value: 1, or one per run if runs have or draw their own samples."""
        own = self.sharing is Sharing.NONE or self.recipe.batches.name == "adaptive"
        return self.runs if own else 1

    @property
    def importance_runs(self) -> int:
        """The same for the sample weights."""
        return self.runs if self.sharing is Sharing.TABLE else self.data_runs

    @cached_property
    def _arrays(self) -> dict[str, tuple[int, int, type]]:
        """Every array of a block except ``numbers``: length, extra length per record, dtype."""
        inputs, outputs = self.network.sizes[0] + self.network.bias, self.network.sizes[-1]
        batch = up(self.batch, ROWS)
        drawn = self.recipe.batches.name == "adaptive"
        per_sample = self.samples * self.runs if drawn else 0
        held = 0 if self.recipe.held is None else self.runs
        best = 0 if self.recipe.best is None else 1
        mean = 0 if self.recipe.mean is None else self.runs
        return {
            "integers": (INTEGERS * self.runs, 0, np.int64),
            "signs": (self.parameters, 0, np.uint8),
            "recent": (self.parameters, 0, np.uint8),
            "changes": (self.parameters, 0, np.int64),
            "errors": (self.runs, self.runs, np.float64),
            "losses": ((1 + self._watches_loss) * self.runs, self.runs, np.float64),
            "path": (0, self.parameters if self.recipe.path else 0, np.float64),
            "ended": (self.runs, 0, np.int64),
            "outcome": (self.runs, 0, np.int64),
            "final": (self.runs, 0, np.float64),
            "kept": (self.kept, 0, np.float64),
            "kept_integers": (INTEGERS * self.runs, 0, np.int64),
            "kept_changes": (self.parameters, 0, np.int64),
            "scratch": (2 * self.runs, 0, np.float64),
            "order": (self.samples if self.batch and not drawn else 0, 0, np.int64),
            "batch.X": (batch * inputs * self.data_runs, 0, np.float64),
            "batch.y": (batch * outputs * self.data_runs, 0, np.float64),
            "batch.importance": (batch * outputs * self.importance_runs, 0, np.float64),
            "tau": (per_sample, 0, np.float64),
            "chances": (per_sample, 0, np.float64),
            "draws": (batch * self.runs if drawn else 0, 0, np.int64),
            "drawn": (per_sample, 0, np.float64),
            "total": (self.runs, 0, np.float64),
            "held_total": (held, 0, np.float64),
            "weight": (mean, 0, np.float64),
            "scale": (mean, 0, np.float64),
            "held": (held, 0, np.float64),
            "held_errors": (held, held, np.float64),
            "held_final": (held, 0, np.float64),
            "best": (best * self.parameters, 0, np.float64),
            "best_error": (best * self.runs, 0, np.float64),
            "outputs": (0, 0, np.float64),  # the caller provides the memory: see Runs.into
        }

    def bytes(self, records: int) -> int:
        """Memory of one block."""
        once, each = self._bytes
        return once + records * each

    @cached_property
    def _bytes(self) -> tuple[int, int]:
        """Memory of a block without records, and of one record."""
        once, each = 8 * self.numbers, 0
        for name, (length, added, kind) in self._arrays.items():
            size = 1 if kind is np.uint8 else 8
            once += size * length + 2 * LINE_BYTES * (name in BUSY and length > 0)
            each += size * added
        return once, each

    @cached_property
    def shapes(self) -> Shapes:
        """The shapes of the kernel's tiles."""
        widest = max(self.network.sizes[1:])
        parts = self.runs == 1 and wants_parts(self.network.matrices)
        return shapes_for(
            self.runs,
            widest,
            self.data_runs,
            self.importance_runs,
            parts=parts,
            strips=wants_strips(self.runs, self.network.matrices),
        )

    @cached_property
    def markers(self) -> Shapes:
        """The tile shapes, plus the whole layout if the code is specialized for it."""
        recipe = self.recipe
        uses_all = self.batch == 0 and recipe.held is None and recipe.outputs is None
        if not uses_all or self.sharing != Sharing.ALL or recipe.batches.name != "all":
            return self.shapes
        samples = up(self.samples, ROWS)
        if samples > self.group or not can_know(self.runs, self.network.parameters, samples):
            return self.shapes
        layers = tuple(Layer(*row) for row in self.table.tolist())
        layout = KernelLayout(layers, samples, self.samples)
        known = _known.setdefault(recipe, set())
        if layout not in known and len(known) >= MOST_KNOWN:
            return self.shapes
        known.add(layout)
        return self.shapes._replace(layout=KnownFacts(layout))

    @cached_property
    def table(self) -> NDArray[np.int64]:
        """A row per layer, see :class:`fastgd.kernel.block.Layer`."""
        wide = self.shapes.wide.units
        units = self._units
        masked = self.recipe.features.dropconnect is not None
        batch_norm = self.recipe.batch_norm is not None
        room = units + 2 * self._activations  # without batch norm, for the output units only
        kept = batch_norm or self.recipe.inputs is not None
        table = []
        for k, (below, outputs) in enumerate(pairwise(self.network.sizes)):
            inputs = below + self.network.bias
            start = self._starts[k]
            layer = Layer(
                inputs=inputs,
                units_below=below,
                outputs=outputs,
                weights=start,
                effective=self._effective + start if masked else start,
                transposed=self._transposed + start,
                gradient=self._gradient,
                learning=self._learning,
                states=self._states,
                state=self.parameters,
                factors=self._effective + self.parameters,
                alpha=self._scheduled + k * self.runs,
                base_alpha=self._alpha + k * self.runs,
                values=self._values,
                watch=self.parameters,
                scale=start + inputs * outputs * self.runs,
                units=units,
                stride=self._strides[k],
                deltas=self._activations,
                # If inputs aren't stored nothing uses this, but compiled code may compute it.
                preactivation=(2 * self._activations if batch_norm else room - units) * kept,
                full_inputs=below // ROWS * ROWS,
                wide_inputs=below // wide * wide,
                wide_outputs=outputs // wide * wide,
                number=k,
                is_output=k == self.network.layers - 1,
            )
            table.append(layer)
            units += up(self.room * layer.stride, LINE)
        return np.array(table, dtype=np.int64)

    def split(self, threads: int) -> Split | None:
        """How the work of a block is divided among these threads; None if it isn't."""
        if self.threads == 1:
            return None
        areas = [
            area_of(Layer(*row), self.shapes, thread, threads)
            for thread in range(threads)
            for row in self.table.tolist()
        ]
        return Split(
            threads=threads,
            together=self.room,
            rows=GRADIENT_SAMPLES,
            areas=np.array(areas).ravel(),
            now=np.zeros(len(NOW), np.int64),
            overflow=np.zeros(threads * self.runs),
            total=np.zeros(self.runs),
        )

    def allocate(self, blocks: int, records: int) -> Block:
        """New blocks, zero-filled, with a leading axis of ``blocks`` on every array."""
        memory = np.zeros(blocks * self.numbers + LINE)
        begin = -first_byte(memory) // 8 % LINE
        numbers = memory[begin : begin + blocks * self.numbers].reshape(blocks, self.numbers)
        rest: dict[str, NDArray[Any]] = {
            name: _rows(blocks, length + records * added, kind, apart=name in BUSY)
            for name, (length, added, kind) in self._arrays.items()
        }
        rest["ended"][:] = -1
        parts = {name: rest.pop(f"batch.{name}") for name in ("X", "y", "importance")}
        batch = Data(**parts, samples=0, epoch=0)  # each iteration knows its own number of samples
        if self.network.bias:
            self._set_constants(numbers)
        return Block(numbers=numbers, batch=batch, **rest)

    def _set_constants(self, numbers: NDArray[np.float64]) -> None:
        """Set the constant 1 that bias weights multiply, after the units of each hidden layer."""
        for row in self.table[:-1]:
            layer = Layer(*row)
            values = numbers[:, layer.units : layer.units + self.room * layer.stride]
            ones = values.reshape(len(numbers), self.room, layer.stride)
            ones[:, :, layer.outputs * self.runs : (layer.outputs + 1) * self.runs] = 1.0

    def load(
        self,
        block: Block,
        weights: NDArray[np.float64],
        alpha: NDArray[np.float64],
        values: Values,
    ) -> None:
        """Put runs into the lanes: (lanes, P) weights, (lanes, K) alpha, and their values."""
        self.put_by_parameter(block.numbers, weights)
        if self.recipe.watch is not None:
            self.watched_numbers(block.numbers)[:, SMALLEST] = np.inf
        for array, start, given in (
            (block.numbers, self._alpha, alpha),
            (block.numbers, self._values, values.numbers),
            (block.integers, 0, values.integers),
        ):
            part = array[:, start : start + given.shape[1] * self.runs]
            part.reshape(len(part), -1, self.runs)[:] = _by_run(given, self.runs)

    def put_learning(self, block: Block, row: NDArray[np.float64]) -> None:
        """Set which parameters are trainable, (P,): 1, or 0 for frozen ones."""
        part = block.numbers[:, self._learning : self._learning + self.parameters]
        self.put_by_parameter(part, np.tile(row, (len(part) * self.runs, 1)))

    def pack(self, old: Block, lanes: NDArray[np.int64], records: int) -> Block:
        """New blocks with the runs of these (blocks * R) lanes in their present state."""
        blocks = len(lanes) // self.runs
        block = self.allocate(blocks, records)
        taken = [(old.numbers[:, : self._gradient], block.numbers[:, : self._gradient])]
        taken += [(getattr(old, name), getattr(block, name)) for name in GOES_ALONG]
        for source, target in taken:
            moved = self.by_lane(source)[lanes]
            target.reshape(blocks, -1, self.runs)[:] = _by_run(moved, self.runs)
        return block

    def address(self, place: tuple[int, int, int]) -> int:
        """Index in ``Block.numbers`` of a parameter (layer, row, column) of a block's first run."""
        k, row, column = place
        layer = Layer(*self.table[k].tolist())
        return layer.weights + (row * layer.outputs + column) * self.runs

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """(R, P) where each run has its parameters in ``Block.numbers``."""
        matrices = zip(self._starts, self.network.matrices, strict=False)
        each = [
            start + self.runs * np.arange(rows * outputs) for start, (rows, outputs) in matrices
        ]
        places: NDArray[np.int64] = np.arange(self.runs)[:, None] + np.concatenate(each)
        return places

    @property
    def derivative(self) -> int:
        """Distance from a parameter to its derivative, if that is the optimizer's state."""
        return self._states

    def path(self, block: Block, records: int) -> NDArray[np.float64]:
        """(lanes, records, P) recorded weights."""
        blocks = len(block.path)
        each = self.by_parameter(block.path.reshape(blocks * records, -1))
        by_block = each.reshape(blocks, records, self.runs, -1)
        return by_block.transpose(0, 2, 1, 3).reshape(blocks * self.runs, records, -1)

    def watch(
        self, numbers: NDArray[np.float64], integers: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """(lanes, watched) what is kept about the monitored error: columns as in :mod:`.summaries`.

        Read from ``Block.numbers`` and ``integers``, or from ``kept`` and ``kept_integers``.
        """
        whole = self.by_lane(integers)[:, [slots.SMALLEST_AT, slots.ERROR_COUNT]]
        return summaries.arranged(self.by_lane(numbers[:, self.parameters : self.kept]), whole)

    def watched_numbers(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """View (blocks, 4 + window, R) of what is kept about the errors, in the kernel's order."""
        part = numbers[:, self.parameters : self.kept]
        return part.reshape(len(numbers), -1, self.runs)

    def steps(self, numbers: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Views (blocks, parameters), one for each of the optimizer's state variables."""
        starts = range(self._states, self._gradient, self.parameters)
        return [numbers[:, start : start + self.parameters] for start in starts]

    def values(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """View (blocks, width, R) of the per-run values."""
        part = numbers[:, self._values : self._values + self.width * self.runs]
        return part.reshape(len(numbers), self.width, self.runs)

    def by_lane(self, array: NDArray[Any]) -> NDArray[Any]:
        """(lanes, n) values of each run, from (blocks, n * R)."""
        by_run = array.reshape(len(array), -1, self.runs)
        return by_run.transpose(0, 2, 1).reshape(len(array) * self.runs, by_run.shape[1])

    def values_of(self, block: Block, k: int) -> NDArray[np.float64]:
        """View (room, units), for a single run: values of layer k's units in the last pass."""
        layer = Layer(*self.table[k])
        values = block.numbers[0, layer.units : layer.units + self.room * layer.stride]
        return values.reshape(self.room, layer.stride)[:, : layer.outputs]

    def put_by_parameter(self, array: NDArray[Any], rows: NDArray[Any]) -> None:
        """The inverse of :meth:`by_parameter`."""
        at = 0  # layer by layer: by index it takes 4 to 7 times as long for many runs
        for start, (inputs, outputs) in zip(self._starts, self.network.matrices, strict=False):
            width = inputs * outputs
            part = array[:, start : start + width * self.runs].reshape(len(array), width, self.runs)
            part[:] = _by_run(rows[:, at : at + width], self.runs)
            at += width

    def by_parameter(self, array: NDArray[Any]) -> NDArray[Any]:
        """(lanes, P) values of each run, in the parameter order of :class:`Network`."""
        return array.take(self.places, axis=1).reshape(-1, self.places.shape[1])


def _planned(
    network: Network,
    runs: int,
    samples: int,
    recipe: Recipe,
    batch: int,
    window: int,
    sharing: Sharing,
    group: int | None,
) -> Layout:
    draft = Layout(network, runs, samples, group or ROWS, recipe, batch, window, sharing)
    if group:
        return draft
    padded = up(batch or samples, ROWS)
    at_once = recipe.batch_norm is not None or recipe.batches.name == "adaptive"
    if at_once and recipe.outputs is None:
        return replace(draft, group=padded)  # these need all samples of a batch at once
    return replace(draft, group=min(up(samples, ROWS), draft.fitting))


_remembered = lru_cache(maxsize=64)(_planned)
"""A layout depends on these arguments alone, and computing its derived sizes takes 0.1 ms."""


def _rows(blocks: int, length: int, kind: type, *, apart: bool) -> NDArray[Any]:
    """Zeros (blocks, length); with ``apart``, no cache line holds values of two rows."""
    if not apart or blocks == 1 or length == 0:
        return np.zeros((blocks, length), kind)
    line = LINE_BYTES // np.dtype(kind).itemsize
    found: NDArray[Any] = np.zeros((blocks, up(length, line) + line), kind)[:, :length]
    return found


def _by_run(values: NDArray[Any], runs: int) -> NDArray[Any]:
    """(blocks * R, n) values as (blocks, n, R), so that the runs of a block are adjacent."""
    return values.reshape(len(values) // runs, runs, values.shape[1]).transpose(0, 2, 1)
