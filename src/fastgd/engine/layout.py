"""The memory layout of a block of runs: where each array is that the kernel's structs declare."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache, cached_property
from itertools import accumulate, pairwise
from math import prod
from typing import Annotated, Any, Literal, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from fastgd.engine.network import Network
from fastgd.engine.recipe import INTEGERS, Values, quantities_of, states_of, width_of
from fastgd.kernel.block import (
    NEAR_END,
    RECENT,
    SMALLEST,
    WORK_ROWS,
    Block,
    BlockLayout,
    Data,
    Layer,
    Recipe,
    Shapes,
    Space,
    reads,
)
from fastgd.kernel.bytecode import BLOCK
from fastgd.kernel.language.specialization import KnownFacts
from fastgd.kernel.language.structs import Bytes, Floats, IntArray
from fastgd.kernel.vectorization import (
    GPU,
    ROWS,
    SQUARE_ROWS,
    WEBASSEMBLY,
    Machine,
    can_know,
    for_one_network,
    shapes_for,
    wants_parts,
    wants_strips,
    with_squares,
)


class Sharing(Enum):
    """What the runs of a block have in common."""

    ALL = "all"  # all blocks have the same samples and weights
    TABLE = (
        "table"  # the samples of a group; each run has its own weights for them, 0 for unused ones
    )
    PART = "part"  # one part
    NONE = "none"  # nothing: each run has its own samples, padded to the largest set of the block


LINE_BYTES = 64

LINE = LINE_BYTES // 8
"""float64 numbers in a cache line."""

PAGE = 512
"""float64 values in a memory page: samples whole pages apart compete for one cache set."""

MOST_KNOWN = 3
"""Layouts per recipe that get specialized code in a process; later ones share the general code."""

_known: dict[Recipe, set[BlockLayout]] = {}

_DTYPES = {Floats: np.float64, IntArray: np.int64, Bytes: np.uint8, int: np.float64}


def _declared(struct: type) -> dict[str, tuple[Space, Any]]:
    """The arrays that a struct declares, with their dtypes, by the names of its fields."""
    return {
        name: (hint.__metadata__[0], np.dtype(_DTYPES[hint.__origin__]))
        for name, hint in get_type_hints(struct, include_extras=True).items()
        if get_origin(hint) is Annotated
    }


SECTIONS = {name: array for name, (array, _) in _declared(Layer).items()}
"""The arrays in ``Block.numbers``, in order."""

ARRAYS = _declared(Block) | {f"batch.{name}": found for name, found in _declared(Data).items()}
"""All other arrays of a block, in the order of its fields; those of its batch are last."""

_BATCH = Block._fields.index("batch") - 1
"""Where the batch is among the fields after ``numbers``."""

_KINDS = [np.dtype(np.float64), np.dtype(np.int64), np.dtype(np.uint8)]
_KIND_OF = [_KINDS.index(dtype) for _, dtype in ARRAYS.values()]


def up(number: int, step: int) -> int:
    """Round up to a multiple of step."""
    return -(-number // step) * step


@cache
def _products(size: str) -> list[tuple[int, list[str]]]:
    """A number and the names of each product."""
    products = [product.split() for product in size.split("+")]
    return [
        (prod(int(word) for word in words if word.isdigit()), [w for w in words if not w.isdigit()])
        for words in products
    ]


def _length(size: str, sizes: Mapping[str, int]) -> int:
    """The value of a declared size: a sum of products of names and numbers."""
    total = 0
    for number, names in _products(size):
        total += number * prod([sizes[name] for name in names])
    return total


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
    machine: Machine | None = None
    """The machine that the code is for; None for this one."""

    # ------------------------------------------------------------ sizes

    @cached_property
    def lines(self) -> int:
        """Lines of a sample: see :mod:`fastgd.kernel.extensions.tangents`."""
        return 1 if self.recipe.tangents is None else 1 + self.network.sizes[0]

    @cached_property
    def room(self) -> int:
        """Lines of samples for which activations are stored."""
        return max(self.group, self.together) * self.lines

    @cached_property
    def strides(self) -> list[int]:
        """For each layer, the distance from one sample's activations to the next."""
        *hidden, outputs = self.network.sizes[1:]
        units = [*(units + self.network.bias for units in hidden), outputs]
        strides = [count * self.runs for count in units]
        return [stride + LINE if stride % PAGE == 0 else stride for stride in strides]

    @cached_property
    def _weights(self) -> list[int]:
        """For each layer, where its weights begin; the last entry is where all of them end."""
        sizes = (up(rows * outputs * self.runs, LINE) for rows, outputs in self.network.matrices)
        return list(accumulate(sizes, initial=0))

    @cached_property
    def _units(self) -> list[int]:
        """The same for its activations, counted from those of the first layer."""
        sizes = (up(self.room * stride, LINE) for stride in self.strides)
        return list(accumulate(sizes, initial=0))

    @cached_property
    def sizes(self) -> dict[str, int]:
        """The sizes by which arrays are declared: see :class:`fastgd.kernel.block.Space`."""
        recipe, shapes = self.recipe, self.shapes
        chosen = recipe._asdict() | recipe.features.members
        activations, outputs = self._units[-1], self._units[-1] - self._units[-2]
        return {name: int(choice is not None) for name, choice in chosen.items()} | {
            "A": activations,
            "B": up(self.batch, ROWS) * self.lines,
            "D": self.network.sizes[0] + self.network.bias,
            "G": self.group,
            "H": self.network.sizes[-1],
            "K": self.network.layers,
            "N": self.samples,
            "P": self._weights[-1],
            "R": self.runs,
            "data": self.data_runs,
            "importance": self.importance_runs,
            "integers": INTEGERS,
            "room": self.room,
            "values": width_of(recipe),
            "watched": self.kept_errors,
            "states": states_of(recipe),
            "preactivations": (
                activations
                if recipe.batch_norm or recipe.tangents
                else outputs * bool(recipe.inputs)
            ),
            "transposed": int(shapes.transposed is not None),
            "epochs": int(recipe.batches.name == "epochs"),
            "adaptive": int(recipe.batches.name == "adaptive"),
            "width": self.network.parameters + 1,
            "rows": up(self.network.parameters, SQUARE_ROWS),
            "columns": self.network.parameters * (1 + int(recipe.bayesian is not None)) + 1,
            "before": int(recipe.measure is not None and reads(recipe.measure, "w", "change")),
            "counting": int(recipe.measure is not None and NEAR_END in recipe.measure.formulas),
            "previous": int(recipe.measure is not None and reads(recipe.measure, "last")),
            "quantities": quantities_of(recipe.measure, self.network.layers),
            "work": WORK_ROWS * BLOCK,
            "watched_loss": int(recipe.watch is not None and recipe.watch.name == "loss"),
        }

    @cached_property
    def watched(self) -> int:
        """Columns of what results tell about the monitored error: these, and two counts."""
        return 0 if self.recipe.watch is None else self.kept_errors + 2

    @cached_property
    def kept_errors(self) -> int:
        """Values per run that the kernel keeps about the monitored error."""
        return 0 if self.recipe.watch is None else RECENT + self.window

    @cached_property
    def data_runs(self) -> int:
        """Copies of each data value: 1, or one per run if runs have or draw their own samples."""
        own = self.sharing is Sharing.NONE or self.recipe.batches.name == "adaptive"
        return self.runs if own else 1

    @cached_property
    def importance_runs(self) -> int:
        """The same for the sample weights."""
        return self.runs if self.sharing is Sharing.TABLE else self.data_runs

    @cached_property
    def matrices(self) -> list[tuple[int, tuple[int, int]]]:
        """For each layer, where its parameters begin in an array of P, and their shape (D, H)."""
        return list(zip(self._weights, self.network.matrices, strict=False))

    # ------------------------------------------------------------ places

    @cached_property
    def sections(self) -> "dict[str, slice[int, int, None]]":
        """Where the arrays of ``Block.numbers`` are; each begins a cache line."""
        found, begin = {}, 0
        for name, array in SECTIONS.items():
            found[name] = slice(begin, begin + _length(array.size, self.sizes))
            begin = up(found[name].stop, LINE)
        return found

    @cached_property
    def numbers(self) -> int:
        """Length of ``Block.numbers``."""
        return up(max(section.stop for section in self.sections.values()), LINE)

    @cached_property
    def parameters(self) -> int:
        """Values that the weights of a block take, with the gaps between layers."""
        return self._weights[-1]

    @cached_property
    def kept(self) -> int:
        """Values saved when a run ends: its weights and what is kept about the monitored error."""
        return self.sections["watch"].stop

    @cached_property
    def moved(self) -> int:
        """Values of ``Block.numbers`` that are copied when runs are repacked: the first ones."""
        return max(self.sections[name].stop for name, array in SECTIONS.items() if array.moves)

    @cached_property
    def _lengths(self) -> list[tuple[int, int, int]]:
        """Of each of :data:`ARRAYS`, the length, and more per record and per measurement."""
        none = self.sizes | {"T": 0, "M": 0}
        lengths = []
        for array, _ in ARRAYS.values():
            length = _length(array.size, none)
            record, measurement = (
                _length(array.size, none | {letter: 1}) - length if letter in array.size else 0
                for letter in "TM"
            )
            lengths.append((length, record, measurement))
        return lengths

    @cached_property
    def workspace(self) -> int:
        """Bytes of what the blocks of a thread take turns with."""
        return self.memory[-1]

    @cached_property
    def memory(self) -> tuple[int, int, int, int]:
        """Bytes of a block without records, of each record, each measurement, and the workspace."""
        block, record, measurement, workspace = 8 * self.numbers, 0, 0, 0
        for (array, dtype), (length, *added) in zip(ARRAYS.values(), self._lengths, strict=True):
            if array.is_workspace and self.machine != GPU:
                workspace += 8 * length
                continue
            block += dtype.itemsize * length + 2 * LINE_BYTES * (array.busy and length > 0)
            record += dtype.itemsize * added[0]
            measurement += dtype.itemsize * added[1]
        return block, record, measurement, workspace

    @cached_property
    def shapes(self) -> Shapes:
        """The shapes of the kernel's tiles."""
        matrices = self.network.matrices
        found = shapes_for(
            self.runs,
            max(self.network.sizes[1:]),
            self.data_runs,
            self.importance_runs,
            parts=self.runs == 1 and wants_parts(matrices, self.machine),
            strips=self.machine != GPU and wants_strips(self.runs, matrices, self.machine),
            machine=self.machine,
        )
        if self.recipe.curvature is None:
            return found
        return with_squares(found, self.runs, self.machine)

    @cached_property
    def markers(self) -> Shapes:
        """The tile shapes, plus the whole layout if the code is specialized for it."""
        layout = self._specialized
        if layout is None:
            return self.shapes
        if self.machine != WEBASSEMBLY:  # whose code is the same, whatever else this process does
            known = _known.setdefault(self.recipe, set())
            if layout not in known and len(known) >= MOST_KNOWN:
                return self.shapes
            known.add(layout)
        return for_one_network(self.shapes)._replace(layout=KnownFacts(layout))

    @cached_property
    def _specialized(self) -> BlockLayout | None:
        """The whole layout, if code that is specialized for it pays."""
        recipe = self.recipe
        uses_all = self.batch == 0 and recipe.outputs is None and recipe.curvature is None
        uses_all = uses_all and recipe.programs is None
        if not uses_all or self.sharing != Sharing.ALL or recipe.batches.name != "all":
            return None
        samples = up(self.samples, ROWS)
        parameters = self.network.parameters
        lines = samples * self.lines
        if samples > self.group or not can_know(self.runs, parameters, lines, self.machine):
            return None
        return BlockLayout(tuple(self.layers), lines, self.samples * self.lines)

    @property
    def suits(self) -> Literal["one", "all", "none"]:
        """How many samples there is code for: this number, any, or maybe none."""
        layout = self._specialized
        if layout is None:
            return "all"
        return "one" if layout in _known.get(self.recipe, ()) else "none"

    @cached_property
    def layers(self) -> list[Layer]:
        """The layers as the kernel knows them."""
        layers, wide = [], self.shapes.wide.units
        for k, (below, outputs) in enumerate(pairwise(self.network.sizes)):
            inputs = below + self.network.bias
            own = {"P": self._weights[k], "A": self._units[k], "K": k * self.runs}
            places = {}
            for name, array in SECTIONS.items():
                start = self.sections[name].start
                if array.beside:
                    places[name] = start - self.sections[array.beside].start
                else:
                    places[name] = start + sum(own.get(word, 0) for word in array.size.split())
            if self.recipe.features.dropconnect is None:
                places["effective"] = places["weights"]
            # If only the last layer's are stored, there is no room for those of the layers before.
            places["preactivation"] -= self.sizes["A"] - self.sizes["preactivations"]
            layers.append(
                Layer(
                    inputs=inputs,
                    units_below=below,
                    outputs=outputs,
                    full_inputs=below // ROWS * ROWS,
                    wide_inputs=below // wide * wide,
                    wide_outputs=outputs // wide * wide,
                    stride=self.strides[k],
                    number=k,
                    is_output=int(k == self.network.layers - 1),
                    state=self.parameters,
                    scale=places["weights"] + inputs * outputs * self.runs,
                    **places,
                )
            )
        return layers

    @cached_property
    def table(self) -> NDArray[np.int64]:
        """A row per layer, see :class:`fastgd.kernel.block.Layer`."""
        return np.array(self.layers, dtype=np.int64)

    def address(self, place: tuple[int, int, int]) -> int:
        """Index in ``Block.numbers`` of a parameter (layer, row, column) of a block's first run."""
        k, row, column = place
        layer = self.layers[k]
        return layer.weights + (row * layer.outputs + column) * self.runs

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """(R, P) where each run has its parameters in ``Block.numbers``."""
        each = [
            start + self.runs * np.arange(rows * outputs)
            for start, (rows, outputs) in self.matrices
        ]
        places: NDArray[np.int64] = np.arange(self.runs)[:, None] + np.concatenate(each)
        return places

    # ------------------------------------------------------------ blocks

    def allocate(self, blocks: int, records: int, workers: int = 1, measurements: int = 0) -> Block:
        """New blocks, zero-filled, with a leading axis of ``blocks`` on every array."""
        memory = np.zeros(blocks * self.numbers + LINE)
        begin = -memory.__array_interface__["data"][0] // 8 % LINE
        numbers = memory[begin : begin + blocks * self.numbers].reshape(blocks, self.numbers)
        # Most arrays are empty, and need not be made one by one: 25 us for a small network.
        none = [np.zeros((blocks, 0), dtype) for dtype in _KINDS]
        made = [none[kind] for kind in _KIND_OF]
        for k, array, dtype, length, *added in self._filled:
            rows = min(blocks, workers) if array.is_workspace and self.machine != GPU else blocks
            width = length + records * added[0] + measurements * added[1]
            whole = width
            if array.busy and rows > 1:  # no cache line holds values of two rows
                line = LINE_BYTES // dtype.itemsize
                whole = up(width, line) + line
            made[k] = np.zeros((rows, whole), dtype)[:, :width]
        *others, X, y, importance = made
        # Each iteration knows its own number of samples.
        others.insert(_BATCH, Data(X, y, importance, samples=0, epoch=0))
        block = Block(numbers, *others)
        block.ended[:] = -1
        if self.network.bias:  # the constant 1 after the units of each hidden layer, of values
            for k, units in enumerate(self.network.sizes[1:-1]):
                own = slice(units * self.runs, (units + 1) * self.runs)
                self._activations(block, k)[:, :: self.lines, own] = 1.0
        return block

    @cached_property
    def _filled(self) -> list[tuple[int, Space, Any, int, int, int]]:
        """The arrays of a block that have values: number, declaration, dtype, and lengths."""
        each = enumerate(zip(ARRAYS.values(), self._lengths, strict=True))
        return [(k, *declared, *lengths) for k, (declared, lengths) in each if any(lengths)]

    def load(
        self, block: Block, weights: NDArray[np.float64], alpha: NDArray[np.float64], values: Values
    ) -> None:
        """Put runs into the lanes: (lanes, P) weights, (lanes, K) alpha, and their values."""
        self.put_by_parameter(block.numbers, weights)
        rates = "alpha" if self.recipe.schedule is None else "base_alpha"
        self.section(block.numbers, rates)[:] = self.by_run(alpha)
        if self.recipe.watch is not None:
            self.section(block.numbers, "watch")[:, SMALLEST] = np.inf
        self.section(block.numbers, "values")[:] = self.by_run(values.numbers)
        self.of_runs(block.integers)[:] = self.by_run(values.integers)

    def pack(
        self,
        old: Block,
        lanes: NDArray[np.int64],
        records: int,
        workers: int = 1,
        measurements: int = 0,
    ) -> Block:
        """New blocks with the runs of these (blocks * R) lanes in their present state."""
        block = self.allocate(len(lanes) // self.runs, records, workers, measurements)
        moved = [(old.numbers[:, : self.moved], block.numbers[:, : self.moved])]
        moved += [
            (getattr(old, name), getattr(block, name))
            for name, (array, _) in ARRAYS.items()
            if array.moves
        ]
        for source, target in moved:
            self.of_runs(target)[:] = self.by_run(self.by_lane(source)[lanes])
        self.measured(block)[:] = self.measured(old)[lanes]
        return block

    # ------------------------------------------------------------ views

    def section(self, numbers: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        """View (blocks, n, R) of an array in ``Block.numbers`` with n values of each run."""
        return self.of_runs(numbers[:, self.sections[name]])

    def states(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """View (states, blocks, parameters) of the optimizer's state variables."""
        by_state = numbers[:, self.sections["states"]].reshape(len(numbers), -1, self.parameters)
        return by_state.swapaxes(0, 1)

    def _activations(self, block: Block, k: int) -> NDArray[np.float64]:
        """View (blocks, room, stride): values of layer k's units in the last pass."""
        begin, stride = self.layers[k].units, self.strides[k]
        values = block.numbers[:, begin : begin + self.room * stride]
        return values.reshape(len(values), self.room, stride)

    def values_of(self, block: Block, k: int) -> NDArray[np.float64]:
        """View (blocks, R, room, units) of the same, run by run, without padding."""
        units = self.network.sizes[k + 1]
        values = self._activations(block, k)[:, :, : units * self.runs]
        return values.reshape(len(values), -1, units, self.runs).transpose(0, 3, 1, 2)

    def measured(self, block: Block) -> NDArray[np.float64]:
        """View (lanes, n) of what was measured; a gap keeps runs from competing for a cache set."""
        return block.measured.reshape(len(block.measured) * self.runs, -1)

    def path(self, block: Block, records: int) -> NDArray[np.float64]:
        """(lanes, records, P) recorded weights."""
        blocks = len(block.path)
        each = self.by_parameter(block.path.reshape(blocks * records, -1))
        by_block = each.reshape(blocks, records, self.runs, -1)
        return by_block.transpose(0, 2, 1, 3).reshape(blocks * self.runs, records, -1)

    def of_runs(self, array: NDArray[Any]) -> NDArray[Any]:
        """View (blocks, n, R) of an array (blocks, n * R)."""
        return array.reshape(len(array), -1, self.runs)

    def by_lane(self, array: NDArray[Any]) -> NDArray[Any]:
        """(lanes, n) values of each run, from (blocks, n * R) or (blocks, n, R)."""
        by_run = self.of_runs(array)
        return by_run.transpose(0, 2, 1).reshape(len(array) * self.runs, by_run.shape[1])

    def by_run(self, values: NDArray[Any]) -> NDArray[Any]:
        """The inverse: (lanes, n) values as (blocks, n, R)."""
        by_lane = values.reshape(len(values) // self.runs, self.runs, values.shape[1])
        return by_lane.transpose(0, 2, 1)

    def by_parameter(self, array: NDArray[Any]) -> NDArray[Any]:
        """(lanes, P) values of each run, in the parameter order of :class:`Network`."""
        return array.take(self.places, axis=1).reshape(-1, self.places.shape[1])

    def put_by_parameter(self, array: NDArray[Any], rows: NDArray[Any]) -> None:
        """The inverse of :meth:`by_parameter`."""
        at = 0  # layer by layer: by index it takes 4 to 7 times as long for many runs
        for start, (inputs, outputs) in self.matrices:
            width = inputs * outputs
            part = array[:, start : start + width * self.runs].reshape(len(array), width, self.runs)
            part[:] = self.by_run(rows[:, at : at + width])
            at += width
