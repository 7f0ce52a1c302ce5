"""Outputs of one network or of many: the forward pass of the training kernel."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from fastgd.arguments.data import FloatArray
from fastgd.arguments.groups import RowIndices
from fastgd.arguments.options import Method
from fastgd.arguments.partition import Partition
from fastgd.checks.memory import check_memory
from fastgd.engine.choices import unit_choice
from fastgd.engine.grouping import layout_for
from fastgd.engine.lowering import ValueColumn, places_of, recipe_of
from fastgd.engine.network import Network
from fastgd.engine.packed_samples import PackedSamples
from fastgd.engine.packing import arrange
from fastgd.engine.plan import PASS_BYTES
from fastgd.engine.session import CHUNK_SECONDS, Session
from fastgd.kernel.block import Recipe
from fastgd.kernel.calls import Call
from fastgd.kernel.language.specialization import Choice
from fastgd.kernel.vectorization import SMALL, WEBASSEMBLY

Numbers = Mapping[str, FloatArray]
"""Parameters of functions by name: (n,) values, one for each network."""

PREDICT_SAMPLES = 4096
"""Samples that pass through the network at a time."""


def predict(
    network: Network,
    method: Method,
    parameters: FloatArray,
    X: FloatArray,
    numbers: Numbers,
    threads: int,
    result: FloatArray,
) -> None:
    """Write the outputs of networks with these parameters (n, P) into (n, samples, outputs).

    ``numbers`` are the function parameters in which the networks differ. Outputs are NaN for
    networks with a parameter that isn't finite.
    """
    samples = PackedSamples(X, np.zeros((len(X), network.sizes[-1])))
    method = _plain(method)
    recipe = _recipe(method)
    columns = _columns(method, numbers)
    [batch] = arrange(samples, recipe, len(parameters), network.matrices, threads)
    session = Session.make(network, method, samples, recipe, batch)
    width = _runs_per_pass(session, threads)
    for begin in range(0, len(parameters), width):
        end = min(len(parameters), begin + width)
        own = [(column, np.arange(begin, end)) for column in columns]
        runs = session.load(parameters[begin:end], columns=own)
        lanes = runs.blocks * session.layout.runs
        if lanes == end - begin:
            runs.into(result[begin:end]).run(0, 1, threads)  # written to the result directly
        else:
            runs = runs.into(np.empty((lanes, *result.shape[1:])))
            runs.run(0, 1, threads)
            result[begin:end] = runs.outputs()
    result[~np.isfinite(parameters).all(axis=1)] = np.nan


def predict_parts(
    network: Network,
    method: Method,
    parameters: FloatArray,
    X: FloatArray,
    rows: RowIndices,
    numbers: Numbers,
    threads: int,
    result: FloatArray,
) -> None:
    """Write the outputs of each group's networks for its own rows into (m, samples, outputs).

    ``parameters`` are (groups, m, P), and each array of ``numbers`` has an entry for all of these
    networks. Everything else is as in :func:`predict`.
    """
    each, flat = parameters.shape[1], parameters.reshape(-1, parameters.shape[2])
    finite = np.asarray(np.isfinite(flat).all(axis=1))
    samples = PackedSamples(
        X,
        np.zeros((len(X), network.sizes[-1])),
        partition=Partition({"group": list(range(len(rows)))}, rows, None, None),
    )
    method = _plain(method)
    recipe = _recipe(method)
    columns = _columns(method, numbers)
    for batch in arrange(samples, recipe, len(flat), network.matrices, threads):
        order, begin = batch.runs(0, batch.count), 0
        while begin < batch.count:
            size = int(samples.sizes[order[begin] // each])  # the largest remaining one
            session = Session.make(network, method, samples, recipe, replace(batch, size=size))
            end = min(batch.count, begin + _runs_per_pass(session, threads))
            owners = order[begin:end]
            keys = None if batch.keys is None else batch.keys[begin:end]
            lanes = batch.lanes(keys, end - begin, threads)
            own = [(column, owners) for column in columns]
            runs = session.load(flat[owners], columns=own, parts=owners // each, lanes=lanes)
            runs = runs.into(np.empty((lanes.size, size, network.sizes[-1])))
            runs.run(0, 1, threads)
            for owner, outputs in zip(owners.tolist(), runs.outputs(), strict=True):
                part = rows[owner // each]
                result[owner % each, part] = outputs[: len(part)] if finite[owner] else np.nan
            begin = end


def outputs(network: Network, method: Method, row: FloatArray, X: FloatArray) -> FloatArray:
    """Outputs (samples, outputs) of the network with the parameters ``row``."""
    session = Session.of_outputs(network, method, X[:PREDICT_SAMPLES])
    check_memory(8 * len(X) * network.sizes[-1] + session.bytes(1), "the prediction")
    result = np.empty((len(X), network.sizes[-1]))
    for start in range(0, len(X), PREDICT_SAMPLES):
        part = X[start : start + PREDICT_SAMPLES]
        if start:
            session = Session.of_outputs(network, method, part)
        runs = session.load(row[None])
        runs.run(0, 1)
        result[start : start + len(part)] = runs.last_values()
    return result


def call_for(
    network: Network, methods: Sequence[Method], parameters: FloatArray, samples: int
) -> Call:
    """A call whose blocks are networks with these parameters (n, P), for any inputs (samples, D).

    ``methods`` are their options, which may differ in the parameters of functions only. The call is
    for WebAssembly, and for little code.
    """
    plain = list(map(_plain, methods))
    recipe = _recipe(plain[0])
    layout = layout_for(network, 1, samples, recipe, group=samples, machine=WEBASSEMBLY)
    X, y = (np.zeros((samples, width)) for width in (network.sizes[0], network.sizes[-1]))
    numbers = {name: np.array([own.numbers[name] for own in plain]) for name in plain[0].numbers}
    columns = [(column, np.arange(len(plain))) for column in _columns(plain[0], numbers)]
    runs = Session(layout, plain[0], PackedSamples(X, y)).load(parameters, columns=columns)
    return runs.call(0, 1)._replace(shapes=SMALL)


def _plain(method: Method) -> Method:
    """The options that outputs depend on: nothing about how the networks were trained."""
    named = {name: getattr(method, name) for name in ("activation", "output", "bias", "batch_norm")}
    plain = Method(**named)
    return plain.at({name: method.numbers[name] for name in plain.numbers})


def _recipe(plain: Method) -> Recipe:
    recipe, places = recipe_of(plain, {}), places_of(plain)
    return recipe._replace(
        activation=unit_choice(plain.activation, places, with_derivative=False),
        output=unit_choice(plain.output, places, with_derivative=False),
        separate=None,
        inputs=None,
        outputs=Choice("on"),
    )


def _columns(plain: Method, numbers: Numbers) -> list[ValueColumn]:
    """The function parameters that outputs depend on; those of a loss are not among them."""
    return [
        ValueColumn.of(name, values.tolist(), plain)
        for name, values in numbers.items()
        if name in plain.numbers
    ]


def _runs_per_pass(session: Session, threads: int) -> int:
    """Runs of about CHUNK_SECONDS per call, so that Ctrl-C is handled soon."""
    layout = session.layout
    in_time = int(CHUNK_SECONDS / session.seconds())
    fitting = PASS_BYTES // session.bytes_of_block(0, 0) // threads
    return layout.runs * threads * max(1, min(in_time, fitting))
