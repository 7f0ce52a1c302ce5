"""The networks of groups as one ONNX model: a row's label selects the parameters for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from fastgd.arguments.initial_network import NetworkParts
from fastgd.arguments.options import Method
from fastgd.checks.messages import shown
from fastgd.checks.numbers import FloatArray
from fastgd.export.exported import Exported, ExportError
from fastgd.export.onnx import (
    Graph,
    add_classes,
    check_texts,
    inputs_of,
    layers_of,
    network_of,
)
from fastgd.tables.targets import ClassTarget


class ExportedGroups(NamedTuple):
    """What predicts the rows of groups, whose indices are the first ones of all arrays here."""

    whole: Exported  # the network for unknown groups, or no network; its preparation and its target
    labels: Mapping[str, NDArray[Any]]  # the different labels of each group column
    members: NDArray[np.int64]  # (groups, columns): indices into them
    inputs: tuple[FloatArray, FloatArray]  # mean and scale of the inputs of networks,
    outputs: tuple[FloatArray, FloatArray]  # and of their outputs; the mean if there is no network
    networks: tuple[NetworkParts, Method] | None
    shared: Exported | None
    ridge: FloatArray | None  # (groups, inputs + 1)
    constant: FloatArray | None  # (groups, outputs)
    chosen: NDArray[np.int64]  # (groups,): 0 for the network, 1, 2, 3 for the others in this order


def groups_model(groups: ExportedGroups, dtype: str) -> bytes:
    """Return the networks of groups as a serialized ONNX model.

    Its inputs are the group columns, (rows, 1) of strings or int64, and those of the preparation;
    its outputs those that :meth:`.Exportable.to_onnx` describes.

    Raises
    ------
    ExportError
        If labels are neither strings nor whole numbers, or for the reasons of
        :func:`fastgd.export.onnx.onnx_model`.
    """
    graph = Graph(dtype)
    code = _code(graph, groups)
    prepared = inputs_of(graph, groups.whole)
    found = _chosen(graph, groups, prepared, code)
    unknown = graph.constant(np.nan)
    if groups.whole.members:
        unknown = _of_all(graph, groups.whole, prepared, groups.whole.outputs)
    column = graph.add("Reshape", code, graph.constant([-1, 1], np.int64))
    is_unknown = graph.add("Less", column, graph.constant(0, np.int64))
    found = graph.add("Where", is_unknown, unknown, found)
    [target] = groups.whole.targets
    if isinstance(target, ClassTarget):
        add_classes(graph, found, target.decode(np.eye(len(target.classes))), gaps=True)
    else:
        scaled = graph.add("Mul", found, graph.constant(target.scale))
        graph.numbers(graph.add("Add", scaled, graph.constant(target.mean)), "variable", 1)
    return bytes(graph.model().SerializeToString())


def _code(graph: Graph, groups: ExportedGroups) -> str:
    """Add the index of each row's group, (rows,), -1 for an unknown one."""
    whole, lowest, numbers, count = "", "", np.zeros(len(groups.members), np.int64), 1
    for (name, labels), own in zip(groups.labels.items(), groups.members.T, strict=True):
        place = _place(graph, name, labels)
        size, count = graph.constant(len(labels), np.int64), count * len(labels)
        whole = graph.add("Add", graph.add("Mul", whole, size), place) if whole else place
        lowest = graph.add("Min", lowest, place) if lowest else place
        numbers = numbers * len(labels) + own
    if count >= 2**62:
        raise ExportError(f"to_onnx needs fewer labels of groups, got {count:,} combinations")
    code = _encoded(graph, whole, keys_int64s=numbers.tolist())
    none = graph.constant(-1, np.int64)
    is_unknown = graph.add("Less", lowest, graph.constant(0, np.int64))
    code = graph.add("Where", is_unknown, none, code)
    return graph.add("Reshape", code, graph.constant([-1], np.int64))


def _place(graph: Graph, name: str, labels: NDArray[Any]) -> str:
    """Add an input of labels, and the index of each, (rows, 1), -1 for an unknown one."""
    check_texts("the names of columns", [name])
    if labels.dtype.kind == "U":
        check_texts(f"column {name!r}", labels)
        given = graph.input(name, 1, TensorProto.STRING)
        return _encoded(graph, given, keys_strings=labels.tolist())
    if labels.dtype.kind not in "biuf" or (labels.astype(float) % 1).any():
        raise ExportError(
            "to_onnx needs labels of groups that are strings or whole numbers, got "
            f"{shown(labels.tolist()[0])}"
        )
    given = graph.input(name, 1, TensorProto.INT64)
    return _encoded(graph, given, keys_int64s=labels.astype(np.int64).tolist())


def _encoded(graph: Graph, given: str, **keys: Any) -> str:
    """Add the index of each value among these keys, or -1."""
    [count] = map(len, keys.values())
    values = list(range(count))
    return graph.add(
        "LabelEncoder",
        given,
        domain="ai.onnx.ml",
        values_int64s=values,
        default_int64=-1,
        **keys,
    )


def _chosen(graph: Graph, groups: ExportedGroups, prepared: str, code: str) -> str:
    """Add the outputs (rows, outputs) of the model of each row's group."""
    place = graph.add("Max", code, graph.constant(0, np.int64))

    def of_group(array: Any, dtype: Any = None) -> str:
        return graph.add("Gather", graph.constant(array, dtype), place)

    def scaled_back(outputs: str) -> str:
        mean, scale = map(of_group, groups.outputs)
        return graph.add("Add", graph.add("Mul", outputs, scale), mean)

    width = groups.outputs[0].shape[1]
    found, model = "", of_group(groups.chosen[:, None], np.int64)
    mean, scale = map(of_group, groups.inputs)
    scaled = graph.add("Div", graph.add("Sub", prepared, mean), scale)
    makers: dict[int, Callable[[], str]] = {
        0: lambda: scaled_back(_own(graph, groups.networks, scaled, of_group, width)),
        1: lambda: scaled_back(_of_all(graph, groups.shared, scaled, width)),
        2: lambda: _ridge(graph, groups.ridge, prepared, of_group),
        3: lambda: of_group(groups.constant),
    }
    for k in np.unique(groups.chosen).tolist():
        made = makers[k]()
        is_own = graph.add("Equal", model, graph.constant(k, np.int64))
        found = graph.add("Where", is_own, made, found) if found else made
    return found


def _own(
    graph: Graph,
    networks: tuple[NetworkParts, Method] | None,
    scaled: str,
    of_group: Callable[[Any], str],
    width: int,
) -> str:
    """Add the network of each row's group; zeros if no group has one."""
    if networks is None:
        return graph.constant(np.zeros((1, width)))
    parts, method = networks
    rows = graph.add("Unsqueeze", scaled, graph.constant([1], np.int64))
    layers = [(weights, biases[:, None]) for weights, biases in layers_of(parts, width)]
    found = network_of(graph, rows, layers, method, of_group)
    return graph.add("Squeeze", found, graph.constant([1], np.int64))


def _of_all(graph: Graph, network: Exported | None, inputs: str, width: int) -> str:
    """Add one network for all rows."""
    assert network is not None
    [parts], [method] = network.members, network.methods
    return network_of(graph, inputs, layers_of(parts, width), method)


def _ridge(
    graph: Graph, ridge: FloatArray | None, prepared: str, of_group: Callable[[Any], str]
) -> str:
    assert ridge is not None
    products = graph.add("Mul", prepared, of_group(ridge[:, :-1]))
    total = graph.add("ReduceSum", products, graph.constant([1], np.int64), keepdims=1)
    return graph.add("Add", total, of_group(ridge[:, -1:]))
