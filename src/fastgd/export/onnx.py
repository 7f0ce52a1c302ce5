"""Networks as ONNX models, for other runtimes and languages (extra ``onnx``)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from math import nan
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.initial_network import NetworkParts
from fastgd.arguments.options import Method
from fastgd.checks.messages import shown
from fastgd.checks.numbers import FloatArray
from fastgd.engine.network import layers_of
from fastgd.export.exported import (
    Bounds,
    EncodingStep,
    Exported,
    ExportError,
    Term,
    calendar_fields,
)
from fastgd.formulas.calendar import TOLERANCES
from fastgd.formulas.expressions import Tree, walked
from fastgd.tables.columns import Column, DateColumn, TargetColumn, TextColumn
from fastgd.tables.targets import ClassTarget, NumberTarget

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError as error:
    raise ImportError('to_onnx() needs onnx: pip install "fastgd[onnx]"') from error

OPSETS, IR_VERSION = {"": 17, "ai.onnx.ml": 3}, 8
"""Versions of 2022, which all current ONNX runtimes read."""

DTYPES = {"float64": TensorProto.DOUBLE, "float32": TensorProto.FLOAT}

_WORDS = "add sub mul div pow neg sin tanh exp log sqrt abs sign floor relu where"
_SAME = {word: word.capitalize() for word in _WORDS.split()}
_SAME |= {"minimum": "Min", "maximum": "Max", "eq": "Equal", "lt": "Less", "gt": "Greater"}
_SAME |= {"le": "LessOrEqual", "ge": "GreaterOrEqual"}
"""Operations of our expression trees that are a single ONNX operation."""

_HALF: Tree = ("mul", 0.5, "x")
_SUM: Tree = ("add", 1.0, "x")
_ROUNDED: Tree = ("sub", _SUM, 1.0)
_EXPS: list[Tree] = [
    ("mul", ("mul", 0.5, ("exp", half)), ("exp", half)) for half in (_HALF, ("neg", _HALF))
]
_COMPOSED: dict[str, Tree] = {
    "sigmoid": ("div", 1.0, ("add", 1.0, ("exp", ("neg", "x")))),
    "cos": ("sub", 1.0, ("mul", 2.0, ("mul", ("sin", _HALF), ("sin", _HALF)))),
    "expm1": ("mul", ("tanh", _HALF), ("add", ("exp", "x"), 1.0)),
    "log1p": (
        "where",
        ("eq", _SUM, 1.0),
        "x",
        ("mul", ("log", _SUM), ("where", ("eq", _ROUNDED, "x"), 1.0, ("div", "x", _ROUNDED))),
    ),
    "tan": ("div", ("sin", "x"), ("cos", "x")),
    "sinh": ("mul", ("tanh", _HALF), ("add", ("cosh", "x"), 1.0)),
    "cosh": ("add", *_EXPS),
}
"""Operations that are composed of several ONNX operations.

Up to 1.23 onnxruntime has no Cos for float64, and fails on x * Sigmoid(x), which it fuses. This
form of expm1 is exact to rounding near 0, where exp(x) - 1 is not, and so is that of log1p
(Goldberg 1991, Theorem 4). cosh overflows only where its result does.
"""


class Graph:
    """An ONNX graph from named inputs to named outputs."""

    def __init__(self, dtype: str) -> None:
        self.dtype = np.dtype(dtype)
        self.number = DTYPES[dtype]
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._names: set[str] = set()  # of inputs and outputs
        self._count = count()

    def input(self, name: str, columns: int, kind: int | None = None) -> str:
        """Add an input (rows, columns), of the graph's own dtype unless another is given."""
        self._names.add(name)
        self._inputs.append(
            helper.make_tensor_value_info(name, kind or self.number, [None, columns])
        )
        return name

    def add(self, operation: str, *operands: str, name: str = "", **attributes: Any) -> str:
        """Add a node, and return the name of its output."""
        name = name or self._new(operation.lower())
        self._nodes.append(helper.make_node(operation, list(operands), [name], **attributes))
        return name

    def constant(self, array: Any, dtype: Any = None) -> str:
        """Add a constant, of the graph's own dtype unless another is given."""
        array = np.asarray(array, dtype=self.dtype if dtype is None else dtype)
        name = self._new("constant")
        self._constants.append(numpy_helper.from_array(array, name))
        return name

    def output(self, name: str, kind: int, shape: Sequence[int | None]) -> str:
        """Declare an output, which some node must produce; return its name in the graph."""
        while name in self._names:  # a column is called so
            name += "_"
        self._names.add(name)
        self._outputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def numbers(self, value: str, name: str, columns: int) -> None:
        """Make a value an output of the graph: (rows, columns) of the graph's dtype."""
        self.add("Identity", value, name=self.output(name, self.number, [None, columns]))

    def _new(self, kind: str) -> str:
        return next(name for k in self._count if (name := f"{kind}_{k}") not in self._names)

    def formula(self, tree: Tree, values: Mapping[str, str | float]) -> str:
        """Add the operations of an expression tree; ``values`` replace its variables."""

        def leaf(part: float | str) -> str:
            value = part if isinstance(part, float) else values[part]
            return self.constant(value) if isinstance(value, float) else value

        def apply(operation: str, *operands: str) -> str:
            if operation == "fma":  # rounded twice: ONNX promises no bits
                return self.add("Add", self.add("Mul", *operands[:2]), operands[2])
            if operation in _COMPOSED:
                return self.formula(_COMPOSED[operation], {"x": operands[0]})
            if operation not in _SAME:
                rule = "be called for a network whose functions can be written in ONNX"
                raise ExportError(f"to_onnx must {rule}, got {operation}()")
            return self.add(_SAME[operation], *operands)

        return str(walked(tree, leaf, apply))

    def model(self) -> Any:
        """Return the complete model, checked, without what no output needs."""
        needed, nodes = {output.name for output in self._outputs}, []
        for node in reversed(self._nodes):
            if needed.intersection(node.output):
                needed.update(node.input)
                nodes.append(node)
        constants = [constant for constant in self._constants if constant.name in needed]
        graph = helper.make_graph(nodes[::-1], "fastgd", self._inputs, self._outputs, constants)
        opsets = [helper.make_opsetid(*version) for version in OPSETS.items()]
        facts = {"opset_imports": opsets, "ir_version": IR_VERSION, "producer_name": "fastgd"}
        model = helper.make_model(graph, **facts)
        onnx.checker.check_model(model, full_check=True)
        return model


def onnx_model(exported: Exported, dtype: str) -> bytes:
    """Return networks as a serialized ONNX model, with the preparation of their table.

    Its inputs and outputs are those that :meth:`.Exportable.to_onnx` describes.

    Raises
    ------
    ExportError
        If ONNX has no operation for a function of the network, a column has no name, or a text has
        a lone surrogate.
    """
    graph = Graph(dtype)
    mean, targets = _outputs(graph, exported, exported.outputs), exported.targets
    if targets and isinstance(targets[0], ClassTarget):
        classes = targets[0].decode(np.eye(len(targets[0].classes)))
        add_classes(graph, mean, classes)
    else:
        numbers = [target for target in targets if isinstance(target, NumberTarget)]
        if numbers:
            scaled = graph.add("Mul", mean, graph.constant([target.scale for target in numbers]))
            mean = graph.add("Add", scaled, graph.constant([target.mean for target in numbers]))
        graph.numbers(mean, "variable", exported.outputs)
        if bounds := exported.bounds:
            _add_bounds(graph, bounds, mean)
    return bytes(graph.model().SerializeToString())


def _add_bounds(graph: Graph, bounds: Bounds, prediction: str, spread: str = "") -> None:
    """Add the outputs "low" and "high", (rows, 1), by a group's own spread if it is given."""
    axis, spread = graph.constant([1], np.int64), spread or graph.constant(bounds.spread)
    if len(bounds.pieces):
        pieces = _pieces(graph, prediction, bounds.pieces)
        spread = graph.add("Add", graph.add("ReduceSum", pieces, axis, keepdims=1), spread)
    for name, end in zip(("low", "high"), bounds.ends, strict=True):
        bound = graph.add("Add", prediction, graph.add("Mul", spread, graph.constant(end)))
        graph.numbers(graph.add("Max", bound, graph.constant(bounds.least)), name, 1)


def numbers_model(exported: Exported, outputs: int, dtype: str) -> Any:
    """Return a model with one output, "variable" (rows, outputs)."""
    graph = Graph(dtype)
    graph.numbers(_outputs(graph, exported, outputs), "variable", outputs)
    return graph.model()


def labels_model(exported: Exported, outputs: int, dtype: str) -> Any:
    """Return a model with "label" (rows, labels), 0 or 1, and "probabilities" of that shape."""
    graph = Graph(dtype)
    mean = _outputs(graph, exported, outputs)
    above = graph.add("Greater", mean, graph.constant(0.5))
    label = graph.output("label", TensorProto.INT64, [None, outputs])
    graph.add("Cast", above, name=label, to=TensorProto.INT64)
    graph.numbers(mean, "probabilities", outputs)
    return graph.model()


def classes_model(
    exported: Exported, outputs: int, dtype: str, classes: NDArray[Any], *, is_softmax: bool
) -> Any:
    """Return a model with "label" (rows,), a class, and "probabilities" (rows, classes)."""
    graph = Graph(dtype)
    mean = _outputs(graph, exported, outputs)
    one = graph.constant(1.0)
    if len(classes) == 1:
        mean = graph.add("Add", graph.add("Sub", mean, mean), one)
    elif len(classes) == 2:
        mean = graph.add("Concat", graph.add("Sub", one, mean), mean, axis=1)
    elif not is_softmax:
        axes = graph.constant([1], np.int64)
        mean = graph.add("Div", mean, graph.add("ReduceSum", mean, axes, keepdims=1))
    kind = classes.dtype.kind
    if kind not in "biuUO" or not all(isinstance(c, str) for c in classes if kind == "O"):
        rule = "to_onnx must be called for classes that are whole numbers, booleans or strings"
        raise ValueError(f"{rule}, got {classes.dtype}")
    add_classes(graph, mean, classes)
    return graph.model()


def add_classes(
    graph: Graph, probabilities: str, classes: NDArray[Any], *, gaps: bool = False
) -> None:
    """Add the outputs "label" and "probabilities".

    With ``gaps`` a row may have the probabilities NaN: its label is "" among strings, and NaN among
    numbers, which are of the graph's own dtype then.
    """
    check_texts("the classes", map(str, classes))
    kinds = {"U": np.dtype(object), "i": np.dtype(np.int64), "u": np.dtype(np.int64)}
    kind = kinds.get(classes.dtype.kind, classes.dtype)
    place = graph.add("ArgMax", probabilities, axis=1, keepdims=0)
    gaps = gaps and kind.kind != "b"
    if gaps:
        kind, none = (kind, "") if kind.kind == "O" else (graph.dtype, nan)
        total = graph.add("ReduceSum", probabilities, graph.constant([1], np.int64), keepdims=0)
        last = graph.constant(len(classes), np.int64)
        place = graph.add("Where", graph.add("IsNaN", total), last, place)
        classes = np.append(classes.astype(kind), none)
    label = graph.output("label", helper.np_dtype_to_tensor_dtype(kind), [None])
    graph.add("Gather", graph.constant(classes, kind), place, name=label)
    graph.numbers(probabilities, "probabilities", len(classes) - gaps)


def check_texts(where: str, texts: Iterable[str]) -> None:
    """Check that UTF-8, the encoding of all strings in ONNX, can hold the texts."""
    for text in texts:
        if re.search("[\ud800-\udfff]", text):
            rule = "to_onnx needs texts without lone surrogates"
            raise ExportError(f"{rule}, got {text!r} in {where}")


def _outputs(graph: Graph, exported: Exported, outputs: int) -> str:
    """Add the graph's inputs, and the mean of all members' outputs."""
    return _mean(graph, exported, inputs_of(graph, exported), outputs)


def _mean(graph: Graph, exported: Exported, inputs: str, outputs: int) -> str:
    """Add all members, and the mean of their outputs."""
    members = zip(exported.members, exported.methods, strict=True)
    found = [network_of(graph, inputs, layers_of(p, outputs), method) for p, method in members]
    total = graph.add("Sum", *found)
    return graph.add("Div", total, graph.constant(len(found))) if len(found) > 1 else found[0]


def inputs_of(graph: Graph, exported: Exported) -> str:
    """Add the graph's inputs, and what makes those of the network of them."""
    if exported.preparation is None:
        return graph.input("X", exported.network.sizes[0])
    columns = exported.preparation.columns
    if not all(column.name for column in columns):
        raise ExportError("to_onnx needs columns that have names, got one called ''")
    check_texts("the names of columns", [column.name for column in columns])
    for column in columns:
        is_text = isinstance(column, TextColumn | TargetColumn)
        graph.input(column.name, 1, TensorProto.STRING if is_text else graph.number)
    numbers = [_numbers_of(graph, column) for column in columns]
    found = [_encoded(graph, each, numbers[each.column][each.field]) for each in exported.encodings]
    return graph.add("Concat", *found, axis=1)


def _numbers_of(graph: Graph, column: Column) -> list[str]:
    """Add the numbers of a column's cells, NaN where missing, and of dates all FIELDS."""
    if isinstance(column, TextColumn | TargetColumn):
        check_texts(f"column {column.name!r}", column.places)
        texts, codes = [*column.places, ""], [*map(float, column.places.values()), nan]
        known: dict[str, Any] = {"keys_strings": texts, "values_floats": codes}
        unknown = float(column.unknown_code)
        place = _looked_up(graph, column.name, **known, default_float=unknown)
        return [graph.add("Cast", place, to=graph.number)]
    if not isinstance(column, DateColumn):
        return [column.name]
    signs = {"+": "Add", "-": "Sub", "*": "Mul", "//": "Div"}

    def emit(sign: str, first: str, second: str | int) -> str:
        other = second if isinstance(second, str) else graph.constant(second)
        found = graph.add(signs[sign], first, other)
        return graph.add("Floor", found) if sign == "//" else found

    missing = graph.add("IsNaN", column.name)
    filled = graph.add("Where", missing, graph.constant(column.median), column.name)
    moment = graph.add("Add", filled, graph.constant(TOLERANCES[graph.dtype.itemsize]))
    terms = calendar_fields(Term(moment, emit), Term(graph.add("Floor", moment), emit))
    return [column.name, *(term.name for term in terms)]


def _encoded(graph: Graph, encoding: EncodingStep, number: str) -> str:
    """Add inputs of the network that belong together."""
    missing = graph.add("IsNaN", number)
    if encoding.flags:
        return graph.add("Cast", missing, to=graph.number)
    if not encoding.field and not np.isnan(encoding.missing):
        number = graph.add("Where", missing, graph.constant(encoding.missing), number)
    if encoding.table is not None:
        last = graph.constant(len(encoding.table) - 1)
        below = graph.add("Less", number, graph.constant(0.0))
        place = graph.add("Min", graph.add("Where", below, last, number), last)
        place = graph.add("Reshape", place, graph.constant([-1], np.int64))
        place = graph.add("Cast", place, to=TensorProto.INT64)
        return graph.add("Gather", graph.constant(encoding.table), place)
    if encoding.categories:
        places = graph.constant(np.arange(encoding.categories))
        return graph.add("Cast", graph.add("Equal", number, places), to=graph.number)
    assert encoding.pieces is not None
    found = _pieces(graph, number, encoding.pieces)
    if encoding.clip:
        off = graph.add("Div", found, graph.constant(encoding.clip))
        root = graph.add("Add", graph.add("Mul", off, off), graph.constant(1.0))
        found = graph.add("Div", found, graph.add("Sqrt", root))
    return found


def _pieces(graph: Graph, number: str, pieces: FloatArray) -> str:
    shifts, scales, lowest, highest = map(graph.constant, pieces.T)
    found = graph.add("Div", graph.add("Sub", number, shifts), scales)
    if np.isinf(pieces[:, 2:]).all():
        return found
    return graph.add("Min", graph.add("Max", found, lowest), highest)


def network_of(
    graph: Graph,
    inputs: str,
    layers: Sequence[tuple[FloatArray, FloatArray]],
    method: Method,
    constant: Callable[[FloatArray], str] | None = None,
) -> str:
    """Add one network, and return the name of its outputs; ``constant`` adds a layer's array."""
    name, last, constant = inputs, len(layers) - 1, constant or graph.constant
    for k, (weights, biases) in enumerate(layers):
        product = graph.add("MatMul", name, constant(weights))
        name = graph.add("Add", product, constant(biases)) if biases.any() else product
        formula = method.formula("output" if k == last else "activation")
        if formula is None:
            name = graph.add("Softmax", name, axis=-1)
        else:
            name = graph.formula(formula.tree, {formula.variables[0]: name, **formula.parameters})
    return name


# ---------------------------------------------------------------- groups


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
    base: FloatArray | None  # (inputs + 1,): coefficients of what all outputs are added to
    chosen: NDArray[np.int64]  # (groups,): 0 for the network, 1, 2, 3 for the others in this order
    spread: FloatArray | None  # (groups, 1): what the bounds of the whole are multiplied by


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
    # The index of each row's group, (rows,), -1 for an unknown one.
    whole, lowest, numbers, count = "", "", np.zeros(len(groups.members), np.int64), 1
    for (name, labels), own in zip(groups.labels.items(), groups.members.T, strict=True):
        place = _place(graph, name, labels)
        size, count = graph.constant(len(labels), np.int64), count * len(labels)
        whole = graph.add("Add", graph.add("Mul", whole, size), place) if whole else place
        lowest = graph.add("Min", lowest, place) if lowest else place
        numbers = numbers * len(labels) + own
    if count >= 2**62:
        raise ExportError(f"to_onnx needs fewer labels of groups, got {count:,} combinations")
    code = _index_of(graph, whole, keys_int64s=numbers.tolist())
    zero = graph.constant(0, np.int64)
    is_unknown = graph.add("Less", lowest, zero)
    code = graph.add("Where", is_unknown, graph.constant(-1, np.int64), code)
    place = graph.add("Max", graph.add("Reshape", code, graph.constant([-1], np.int64)), zero)
    prepared = inputs_of(graph, groups.whole)
    found = _outputs_of_groups(graph, groups, prepared, place)
    unknown = graph.constant(np.nan)
    if groups.whole.members:
        unknown = _mean(graph, groups.whole, prepared, groups.whole.outputs)
    is_unknown = graph.add("Less", code, zero)
    found = graph.add("Where", is_unknown, unknown, found)
    [target] = groups.whole.targets
    if isinstance(target, ClassTarget):
        add_classes(graph, found, target.decode(np.eye(len(target.classes))), gaps=True)
    else:
        scaled = graph.add("Mul", found, graph.constant(target.scale))
        found = graph.add("Add", scaled, graph.constant(target.mean))
        graph.numbers(found, "variable", 1)
        if (bounds := groups.whole.bounds) and groups.spread is not None:
            known = graph.add("Gather", graph.constant(groups.spread), place)
            spread = graph.add("Where", is_unknown, graph.constant(np.nan), known)
            _add_bounds(graph, bounds, found, spread)
    return bytes(graph.model().SerializeToString())


def _place(graph: Graph, name: str, labels: NDArray[Any]) -> str:
    """Add an input of labels, and the index of each, (rows, 1), -1 for an unknown one."""
    check_texts("the names of columns", [name])
    if labels.dtype.kind == "U":
        check_texts(f"column {name!r}", labels)
        given = graph.input(name, 1, TensorProto.STRING)
        return _index_of(graph, given, keys_strings=labels.tolist())
    if labels.dtype.kind not in "biuf" or (labels.astype(float) % 1).any():
        rule = "to_onnx needs labels of groups that are strings or whole numbers"
        raise ExportError(f"{rule}, got {shown(labels.tolist()[0])}")
    given = graph.input(name, 1, TensorProto.INT64)
    return _index_of(graph, given, keys_int64s=labels.astype(np.int64).tolist())


def _index_of(graph: Graph, given: str, **keys: Any) -> str:
    """Add the index of each value among these keys, or -1."""
    [known] = keys.values()
    return _looked_up(graph, given, **keys, values_int64s=[*range(len(known))], default_int64=-1)


def _looked_up(graph: Graph, given: str, **attributes: Any) -> str:
    return graph.add("LabelEncoder", given, domain="ai.onnx.ml", **attributes)


def _outputs_of_groups(graph: Graph, groups: ExportedGroups, prepared: str, place: str) -> str:
    """Add the outputs (rows, outputs) of the model of each row's group, whose index it gets."""

    def of_group(array: Any, dtype: Any = None) -> str:
        return graph.add("Gather", graph.constant(array, dtype), place)

    def scaled_back(outputs: str) -> str:
        mean, scale = map(of_group, groups.outputs)
        return graph.add("Add", graph.add("Mul", outputs, scale), mean)

    def own() -> str:
        """The network of each row's group; zeros if no group has one."""
        if groups.networks is None:
            return graph.constant(np.zeros((1, width)))
        parts, method = groups.networks
        rows = graph.add("Unsqueeze", scaled, graph.constant([1], np.int64))
        layers = [(weights, biases[:, None]) for weights, biases in layers_of(parts, width)]
        found = network_of(graph, rows, layers, method, of_group)
        return graph.add("Squeeze", found, graph.constant([1], np.int64))

    def ridge() -> str:
        assert groups.ridge is not None
        products = graph.add("Mul", prepared, of_group(groups.ridge[:, :-1]))
        total = graph.add("ReduceSum", products, graph.constant([1], np.int64), keepdims=1)
        return graph.add("Add", total, of_group(groups.ridge[:, -1:]))

    width = groups.outputs[0].shape[1]
    found, model = "", of_group(groups.chosen[:, None], np.int64)
    mean, scale = map(of_group, groups.inputs)
    scaled = graph.add("Div", graph.add("Sub", prepared, mean), scale)
    makers: dict[int, Callable[[], str]] = {
        0: lambda: scaled_back(own()),
        1: lambda: scaled_back(_mean(graph, cast(Exported, groups.shared), scaled, width)),
        2: ridge,
        3: lambda: of_group(groups.constant),
    }
    for k in np.unique(groups.chosen).tolist():
        made = makers[k]()
        if groups.base is not None:
            sums = graph.add("MatMul", prepared, graph.constant(groups.base[:-1, None]))
            made = graph.add("Add", made, graph.add("Add", sums, graph.constant(groups.base[-1])))
        is_own = graph.add("Equal", model, graph.constant(k, np.int64))
        found = graph.add("Where", is_own, made, found) if found else made
    return found
