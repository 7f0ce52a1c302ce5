"""What is computed of networks without training them: outputs, losses, and their derivatives.

Outputs come from the forward pass of the training kernel, the loss and residuals of one network and
their gradients from an iteration of it, and derivatives by the inputs from a kernel of their own. A
plane of errors is that kernel's, too, with two parameters that change from point to point.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from time import perf_counter
from typing import Any, Literal
from weakref import ref

import numpy as np

from fastgd.arguments.options import Method
from fastgd.arguments.subsets import Partition, RowIndices
from fastgd.checks.numbers import FloatArray, check_memory
from fastgd.engine.devices import CPU, available_threads
from fastgd.engine.layout import Layout, Sharing, up
from fastgd.engine.network import Network, layers_of
from fastgd.engine.packing import PackedSamples, RunBatch, arrange
from fastgd.engine.plan import PASS_BYTES
from fastgd.engine.progress import Advance
from fastgd.engine.recipe import ValueColumn, choice_of, places_of, recipe_of, unit_choice
from fastgd.engine.session import CHUNK_SECONDS, Runs, Session, ValueAxes, layout_for
from fastgd.kernel import launch
from fastgd.kernel.block import Recipe
from fastgd.kernel.derivatives import TANGENTS, DerivativeRecipe, DerivativeShare, Stage, derive
from fastgd.kernel.fork_lock import ForkSafeLock
from fastgd.kernel.language.specialization import Choice
from fastgd.kernel.language.structs import encode
from fastgd.kernel.language.tile import Shape
from fastgd.kernel.vectorization import (
    GPU,
    ROWS,
    SMALL,
    WEBASSEMBLY,
    native_lanes,
    runs_side_by_side,
)
from fastgd.optimizers import LevenbergMarquardt

FunctionParameters = Mapping[str, FloatArray]
"""Parameters of functions by name: (n,) values, one for each network."""

TOGETHER = 256
"""Samples of a call, at most, that is prepared once and kept: 20,000 take 14 ms (100 units), and 45
to 127 where a call for every 4,096 is prepared anew."""

KEPT_BYTES = 64 * 1024**2
"""Memory of all prepared calls that are kept: those that were used last."""

SHORT = 1e8
"""Multiply-adds, of some 20 ms, below which code that is likely to be compiled already is best."""


def predict(
    network: Network,
    method: Method,
    parameters: FloatArray,
    X: FloatArray,
    numbers: FunctionParameters,
    threads: int,
    result: FloatArray,
    rows: RowIndices | None = None,
    hidden: Sequence[FloatArray] = (),
) -> None:
    """Write the outputs of networks with these parameters (n, P) into (n, samples, outputs).

    With the ``rows`` of groups they are (groups, m, P), the networks of a group are for its rows
    only, and the result is (m, samples, outputs). ``numbers`` are the function parameters in which
    the networks differ. Outputs are NaN for networks with a parameter that isn't finite. The
    values of ``hidden`` layers (n, samples, units) are written, too, if arrays are given for them;
    then without ``rows``, as all samples are in one group.
    """
    each, flat = parameters.shape[-2], parameters.reshape(-1, network.parameters)
    finite, outputs = np.asarray(np.isfinite(flat).all(axis=1)), network.sizes[-1]
    is_short = rows is None and len(flat) > 1 and flat.size * len(X) < SHORT
    wide = native_lanes() if is_short else None
    axes = {} if rows is None else {"group": list(range(len(rows)))}
    partition = None if rows is None else Partition(axes, rows, None, None)
    samples = PackedSamples(X, np.zeros((len(X), outputs)), partition=partition)
    method = _plain(method)
    recipe, columns = _recipe(method), _columns(method, numbers)
    for batch in arrange(samples, recipe, len(flat), network.matrices, threads, wide):
        begin, session = 0, None
        while begin < len(batch.order):
            if rows is not None:  # the largest remaining ones
                batch = replace(batch, size=int(samples.sizes[batch.order[begin] // each]))
            if session is None or batch.size != session.layout.samples:
                group = up(len(X), ROWS) if hidden else None
                session = Session.make(network, method, samples, recipe, batch, group=group)
                in_time = int(CHUNK_SECONDS / session.seconds())  # so that Ctrl-C is handled soon
                fitting = PASS_BYTES // session.bytes_of_block(0, 0) // threads
                step = session.layout.runs * threads * max(1, min(in_time, fitting))
            end = min(len(batch.order), begin + step)
            owners = batch.runs(begin, end)
            keys = None if batch.keys is None else batch.keys[begin:end]
            lanes = batch.lanes(keys, end - begin, threads)
            own = [(column, owners) for column in columns]
            parts = None if rows is None else owners // each
            mine = flat[begin:end] if rows is None else flat[owners]
            runs = session.load(mine, columns=own, parts=parts, lanes=lanes)
            is_direct = rows is None and lanes.size == end - begin
            shape = lanes.size, batch.size, outputs
            runs = runs.into(result[begin:end] if is_direct else np.empty(shape))
            runs.run(0, 1, threads)
            for k, into in enumerate(hidden):
                values = session.layout.values_of(runs.block, k)[:, :, : len(X)]
                into[begin:end] = values[np.divmod(runs.places, session.layout.runs)]
            if rows is not None:
                for owner, found in zip(owners.tolist(), runs.outputs(), strict=True):
                    part = rows[owner // each]
                    result[owner % each, part] = found[: len(part)] if finite[owner] else np.nan
            elif not is_direct:
                result[begin:end] = runs.outputs()
            begin = end
    for array in () if rows is not None else (result, *hidden):
        array[~finite] = np.nan


def hidden_values(
    network: Network,
    method: Method,
    parameters: FloatArray,
    X: FloatArray,
    numbers: FunctionParameters,
    threads: int,
) -> tuple[FloatArray, ...]:
    """Values (n, samples, units) of each hidden layer; arguments are as in :func:`predict`."""
    n = len(parameters)
    found = [np.empty((n, len(X), units)) for units in network.sizes[1:-1]]
    for start in range(0, len(X) if found else 0, TOGETHER):
        own = slice(start, start + TOGETHER)
        some, hidden = X[own], [layer[:, own] for layer in found]
        outputs = np.empty((n, len(some), network.sizes[-1]))
        predict(network, method, parameters, some, numbers, threads, outputs, hidden=hidden)
    return tuple(found)


class Forward:
    """A forward pass that is prepared once, for up to a number of samples, and then repeated.

    Preparing it takes 0.5 ms, and repeating it 0.03 (3-4-1). Threads that share it take turns.
    """

    def __init__(self, runs: Runs, read: Callable[[], FloatArray]) -> None:
        """For the runs of a block; ``read`` returns their outputs (..., samples, outputs)."""
        session = runs.session
        network, samples = session.layout.network, runs.portion.tables[0].X
        self.room, self.bytes = len(session.samples.X), session.bytes(1)
        self._again = runs.bind()
        self._lock = ForkSafeLock()
        self._X = samples.reshape(-1, network.sizes[0] + network.bias)[:, : network.sizes[0]]
        self._numbers, self._places = runs.block.numbers[0], session.layout.places[runs.places]
        self._read = read

    @classmethod
    def of(cls, network: Network, methods: Sequence[Method], samples: int, room: int) -> "Forward":
        """For networks with these options, and as many samples or up to ``room`` of them.

        A single network has the code that trained it, where there is some.
        """
        if len(methods) == 1:
            method, recipe = methods[0], recipe_of(methods[0], {})
            for count in (samples, room):
                layout = layout_for(
                    network, 1, count, recipe, method.batch_size or 0, group=up(count, ROWS)
                )
                if layout.suits != "all":
                    break
            if layout.suits != "none":
                X, y = (np.zeros((count, width)) for width in (network.sizes[0], network.sizes[-1]))
                session = Session(layout, method, PackedSamples(X, y))
                runs = session.load(np.zeros((1, network.parameters)))
                top = layout.values_of(runs.block, network.layers - 1)[0, :, :count]
                return cls(runs, lambda: top)
        return cls._side_by_side(network, methods, room)

    @classmethod
    def _side_by_side(cls, network: Network, methods: Sequence[Method], room: int) -> "Forward":
        """For networks that share a block."""
        X, y = (np.zeros((room, width)) for width in (network.sizes[0], network.sizes[-1]))
        packed, count = PackedSamples(X, y), len(methods)
        plain, columns = _alike(methods)
        recipe, lanes = _recipe(plain), native_lanes()
        wide = next(n for n in (lanes, 2 * lanes, 4 * lanes) if n >= count)
        [batch] = arrange(packed, recipe, count, network.matrices, 1, wide)
        session = Session.make(network, plain, packed, recipe, batch)
        runs = session.load(np.zeros((count, network.parameters)), columns=columns)
        runs = runs.into(np.empty((batch.side_by_side, room, network.sizes[-1])))
        return cls(runs, runs.outputs)

    def at(self, parameters: FloatArray, X: FloatArray) -> FloatArray:
        """The outputs (runs, samples, outputs), of runs with these parameters (runs, P)."""
        with self._lock:
            self._numbers[self._places] = parameters
            self._X[: len(X)] = X
            self._again()
            return self._read()[:, : len(X)].copy()


_kept: OrderedDict[tuple[Any, ...], tuple[ref[Any], Forward]] = OrderedDict()
"""By the identity of their owner, the shape of parameters, and samples; the last used are last."""

_keeping = ForkSafeLock()


def _forward(
    owner: object,
    network: Network,
    methods: Callable[[], Sequence[Method]],
    shape: tuple[int, ...],
    samples: int,
) -> Forward:
    """A forward pass of this owner's runs, for this many samples, or ``TOGETHER`` of them."""
    samples = min(samples, TOGETHER)
    room = max(ROWS, 1 << (samples - 1).bit_length())
    with _keeping:
        for size in (samples, room):
            key = id(owner), shape, size
            alive, forward = _kept.get(key, (None, None))
            if alive is not None and forward is not None and alive() is owner:
                _kept.move_to_end(key)
                return forward
    forward = Forward.of(network, methods(), samples, room)
    if forward.bytes <= KEPT_BYTES:
        with _keeping:
            _kept[id(owner), shape, forward.room] = ref(owner), forward
            while sum(each.bytes for _, each in _kept.values()) > KEPT_BYTES:
                _kept.popitem(last=False)
    return forward


def outputs(
    owner: object,
    network: Network,
    methods: Callable[[], Sequence[Method]],
    rows: FloatArray,
    X: FloatArray,
    threads: int = 1,
) -> FloatArray:
    """Outputs (n, samples, outputs) of the networks with the parameters ``rows`` (n, P).

    They belong to ``owner``, whose options ``methods`` returns: these never change, and differ in
    the parameters of functions only.
    """
    check_memory(8 * len(rows) * len(X) * network.sizes[-1], "the prediction")
    result = np.empty((len(rows), len(X), network.sizes[-1]))
    if len(rows) > 1 and (len(X) > TOGETHER or len(rows) > 4 * native_lanes()):
        each = methods()
        numbers = {name: np.array([own.numbers[name] for own in each]) for name in each[0].numbers}
        predict(network, each[0], rows, X, numbers, threads, result)
        return result
    forward = _forward(owner, network, methods, rows.shape, len(X))
    for start in range(0, len(X), forward.room):
        part = slice(start, start + forward.room)
        result[:, part] = forward.at(rows, X[part])
    return result


def call_for(
    network: Network, methods: Sequence[Method], parameters: FloatArray, samples: int
) -> launch.KernelCall:
    """A call whose blocks are networks with these parameters (n, P), for any inputs (samples, D).

    ``methods`` are their options, which may differ in the parameters of functions only. The call is
    for WebAssembly, and for little code.
    """
    plain, columns = _alike(methods)
    recipe = _recipe(plain)
    layout = layout_for(network, 1, samples, recipe, group=samples, machine=WEBASSEMBLY)
    X, y = (np.zeros((samples, width)) for width in (network.sizes[0], network.sizes[-1]))
    runs = Session(layout, plain, PackedSamples(X, y)).load(parameters, columns=columns)
    return runs.call(0, 1)._replace(shapes=SMALL)


def _plain(method: Method) -> Method:
    """The options that outputs depend on, without a bias, of which the network knows."""
    named = {name: getattr(method, name) for name in ("activation", "output", "batch_norm")}
    plain = Method(**named)
    return plain.at({name: method.numbers[name] for name in plain.numbers})


def _alike(methods: Sequence[Method]) -> tuple[Method, ValueAxes]:
    """The options of networks, and the parameters of functions in which they may differ."""
    plain = list(map(_plain, methods))
    numbers = {name: np.array([own.numbers[name] for own in plain]) for name in plain[0].numbers}
    columns = _columns(plain[0], numbers)
    return plain[0], [(column, np.arange(len(plain))) for column in columns]


def _recipe(plain: Method) -> Recipe:
    recipe, places = recipe_of(plain, {}), places_of(plain)
    return recipe._replace(
        activation=unit_choice(plain.activation, places, with_derivative=False),
        output=unit_choice(plain.output, places, with_derivative=False),
        separate=None,
        inputs=None,
        outputs=Choice("on"),
    )


def _columns(plain: Method, numbers: FunctionParameters) -> list[ValueColumn]:
    """The function parameters that outputs depend on; those of a loss are not among them."""
    return [
        ValueColumn.of(name, values.tolist(), plain)
        for name, values in numbers.items()
        if name in plain.numbers
    ]


# ---------------------------------------------------------------- derivatives of outputs by inputs


DerivativeOrder = Literal[1, 2]
"""First derivatives (..., inputs), or second ones (..., inputs, inputs)."""

UNITS = 4
"""Units of a tile, each of two vector registers: eight sums at a time hide the latency of one."""

SPEED = 2e9
"""Multiply-adds per second, at least, on one thread."""

WORTH = 0.02
"""Seconds of work that are worth a further thread, which waits for others on a busy machine."""


def derivatives(
    network: Network,
    method: Method,
    rows: FloatArray,
    X: FloatArray,
    numbers: FunctionParameters,
    order: DerivativeOrder,
    also: str = "fewer samples",
) -> FloatArray:
    """Derivatives (n, samples, outputs, inputs) of networks with the parameters ``rows`` (n, P).

    Of second order they are (n, samples, outputs, inputs, inputs). ``numbers`` are the function
    parameters in which the networks differ, by name and (n,) each. NaN for networks with a
    parameter that isn't finite.
    """
    D, H = network.sizes[0], network.sizes[-1]
    shape = (len(rows), len(X), H, *[D] * order)
    check_memory(8 * int(np.prod(shape, dtype=object)), "the derivatives", also=also)
    results, lanes = np.empty(shape), 2 * native_lanes()
    parameters = np.empty((len(rows), len(method.numbers)))
    for k, (name, number) in enumerate(method.numbers.items()):
        parameters[:, k] = numbers.get(name, number)
    stages, room = _stages(network, parameters.shape[1], D if order == 2 else 0, lanes)
    networks, tiles = _numbers(network, rows), -(-len(X) // lanes)
    total = tiles * len(rows)
    passes = 1 + D if order == 1 else 1 + D + D * (D + 1) // 2
    seconds = lanes * passes * network.parameters / SPEED
    threads = min(available_threads(), max(1, total), 1 + int(total * seconds / WORTH))
    memory = np.empty((threads, room))
    share = DerivativeShare(
        X=np.ascontiguousarray(X).ravel(),
        networks=networks.ravel(),
        parameters=parameters.ravel(),
        stages=np.concatenate([encode(stage)[0] for stage in stages]),
        memory=memory[0],
        results=results.ravel(),
        samples=len(X),
        tiles=tiles,
        numbers=networks.shape[1],
        width=parameters.shape[1],
        first=0,
        last=0,
    )
    step = threads * max(1, int(CHUNK_SECONDS / seconds))  # Ctrl-C is handled between calls
    places = {name: k for k, name in enumerate(method.numbers)}
    activation, output = (
        unit_choice(unit, places, with_derivative=False, twice=True)
        for unit in (method.activation, method.output)
    )
    recipe = DerivativeRecipe(
        tile=Shape(UNITS, 1, lanes),
        scalar=Shape(1, 1, lanes),
        single=Shape(1, 1, 1),
        activation=activation,
        output=output if output.formulas else None,
        second=Choice("on") if order == 2 else None,
    )
    for begin in range(0, total, step):
        cuts = np.linspace(begin, min(begin + step, total), threads + 1).astype(int).tolist()
        parts = zip(memory, cuts, cuts[1:], strict=False)
        derive(recipe, [share._replace(memory=own, first=a, last=z) for own, a, z in parts])
    results[~np.isfinite(rows).all(axis=1)] = np.nan
    return results


def _stages(network: Network, count: int, kept: int, lanes: int) -> tuple[list[Stage], int]:
    """The layers, with ``kept`` tangents of each, and the size of a share's memory."""
    values = network.sizes[0] * lanes
    units, below, weights = values + count * lanes, 0, 0
    stages = []
    for inputs, outputs in pairwise(network.sizes):
        stride = up(outputs, UNITS)
        stages.append(Stage(inputs, outputs, stride, weights, below, units, values))
        weights += (inputs + 1) * stride
        below, units = units, units + (TANGENTS + kept) * stride * lanes
    return stages, units


def _numbers(network: Network, rows: FloatArray) -> FloatArray:
    """The networks' weights and biases as the kernel reads them: see Stage."""
    found = []
    for weights, biases in layers_of(network.parts(rows)):
        _, inputs, outputs = weights.shape
        numbers = np.zeros((len(rows), inputs + 1, up(outputs, UNITS)))
        numbers[:, :inputs, :outputs] = weights
        numbers[:, inputs, :outputs] = biases
        found.append(numbers.reshape(len(rows), -1))
    return np.concatenate(found, axis=1)


# ---------------------------------------------------------------- loss and gradient, or residuals


class _Evaluation:
    """A single run that never advances past its start; threads that share it take turns."""

    def __init__(
        self, layout: Layout, method: Method, X: FloatArray, y: FloatArray, what: str
    ) -> None:
        session = Session(layout, method, PackedSamples(X, y, method.sample_weight), iterations=1)
        is_curved = layout.recipe.curvature is not None
        check_memory(session.bytes(1) + 2 * layout.workspace * is_curved, what)
        runs = session.load(np.zeros((1, layout.network.parameters)))
        if is_curved:
            runs.block.ended[:] = 0  # it counts as ended, so that its step is never taken
        self._block, self._layout = runs.block, layout
        self._again, self._lock = runs.bind(), ForkSafeLock()
        self._numbers, self._parameters = runs.block.numbers[0], layout.places[0]


class LossEvaluation(_Evaluation):
    """Of a network's loss and gradient.

    Penalties are always compiled in, even if 0, so that changing l1 or l2 compiles nothing.
    """

    def __init__(self, network: Network, method: Method, X: FloatArray, y: FloatArray) -> None:
        recipe = recipe_of(method, {})
        features = recipe.features.replaced(penalty=choice_of("on", "penalty"))
        recipe = recipe._replace(optimizer=Choice("Derivative"), features=features)
        super().__init__(layout_for(network, 1, len(X), recipe), method, X, y, "the objective")
        self._derivative = self._parameters + self._layout.sections["states"].start

    def at(self, parameters: FloatArray) -> tuple[float, FloatArray, float]:
        r"""Loss, derivative, and mean absolute error \|y - output\| at the parameters (P,)."""
        with self._lock:
            self._numbers[self._parameters] = parameters
            self._again()
            derivative = 0.0 - self._numbers[self._derivative]
            return float(self._block.losses[0, 0]), derivative, float(self._block.errors[0, 0])


class ResidualEvaluation(_Evaluation):
    """Of a network's residuals and their Jacobian, of all samples at once.

    The code is that of a second-order training, whatever the penalties and the reduction.
    """

    def __init__(self, network: Network, method: Method, X: FloatArray, y: FloatArray) -> None:
        plain = {"optimizer": LevenbergMarquardt(), "l1": 0.0, "l2": 0.0, "reduction": "sum"}
        method = method.at(plain)
        layout = layout_for(network, 1, len(X), recipe_of(method, {}), group=up(len(X), ROWS))
        super().__init__(layout, method, X, y, "the Jacobian")
        shape = (layout.samples * network.sizes[-1], network.parameters + 1)
        self._rows = self._block.jacobian[0, : shape[0] * shape[1]].reshape(shape)

    def at(self, parameters: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Residuals (samples * outputs,) output - y, and their derivatives (..., P).

        The outputs of a sample are side by side. Both are times the root of the sample's weight.
        """
        with self._lock:
            self._numbers[self._parameters] = parameters
            self._again()
            return 0.0 - self._rows[:, -1], self._rows[:, :-1].copy()


# ---------------------------------------------------------------- errors over a plane


POINT_BYTES = 64 * 1024**2
"""Memory limit for the points of a plane that are on GPUs at a time."""


def session_of_plane(
    network: Network, method: Method, X: FloatArray, y: FloatArray, points: int, device: str = CPU
) -> Session:
    """What the kernel calls of a plane with this many points have in common."""
    machine = None if device == CPU else GPU
    wide = runs_side_by_side(points, len(X), network.matrices, machine=machine)
    batch = RunBatch(Sharing.ALL, wide, len(X), 0, True, range(points))
    samples = PackedSamples(X, y, method.sample_weight)
    recipe = recipe_of(method, {})
    return Session.make(network, method, samples, recipe, batch, machine=machine, device=device)


def measure_plane(
    session: Session,
    parameters: FloatArray,
    x: FloatArray,
    y: FloatArray,
    places: tuple[tuple[int, int, int], tuple[int, int, int]],
    threads: int,
    advance: Advance,
) -> FloatArray:
    """Mean absolute errors (len(y), len(x)) over a grid of two parameters' values, in chunks.

    The parameters (P,) have these values at two places, each given as (layer, row, column);
    ``advance`` is called with the number of points done since its last call. On GPUs each point is
    a run, of which there are as many as GPUs have room for at a time.
    """
    layout, count, at = session.layout, len(x) * len(y), 0
    x_at, y_at = map(layout.address, places)
    errors = np.empty(count)
    if session.device != CPU:
        most = layout.runs * max(1, POINT_BYTES // session.bytes_of_block(0, 0))
        x_own, y_own = (np.flatnonzero(layout.places[0] == place) for place in (x_at, y_at))
        for begin in range(0, count, most):
            points = np.arange(begin, min(begin + most, count))
            own = np.tile(parameters, (len(points), 1))
            own[:, x_own[0]], own[:, y_own[0]] = x[points % len(x)], y[points // len(x)]
            runs = session.load(own)
            runs.run(0, 1)
            runs.bring_back()
            runs.leave()
            errors[points] = runs.curve("errors")[:, 0]
            advance(len(points), partial(errors.__getitem__, points))
        return errors.reshape(len(y), len(x))
    grid = launch.PlaneGrid(x, y, errors, x_at, y_at, first=0, last=0)
    call = session.load(np.tile(parameters, (threads * layout.runs, 1))).call(0, 1)
    speed = layout.runs * threads / session.seconds()
    while at < count:
        last = min(at + max(layout.runs, int(speed * CHUNK_SECONDS)), count)
        began = perf_counter()
        launch.measure_grid(call, grid._replace(first=at, last=last), threads)
        speed = (last - at) / max(perf_counter() - began, 1e-9)
        advance(last - at, partial(errors.__getitem__, slice(at, last)))
        at = last
    return errors.reshape(len(y), len(x))
