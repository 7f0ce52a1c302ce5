"""Export of fitted networks as ONNX models, for other runtimes and languages (extra ``onnx``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.options import Method
from fastgd.formulas.expressions import Tree
from fastgd.training.results import Run

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError as error:
    raise ImportError('to_onnx() needs onnx: pip install "fastgd[onnx]"') from error

OPSET, IR_VERSION = 17, 8
"""Versions of 2022, which all current ONNX runtimes read."""

DTYPES = {"float64": TensorProto.DOUBLE, "float32": TensorProto.FLOAT}

_EPSILON = 1e-5
"""What batch normalization adds to a variance (Ioffe and Szegedy 2015, Algorithm 1)."""

_WORDS = "add sub mul div pow neg sin tanh exp log sqrt abs sign relu where"
_SAME = {word: word.capitalize() for word in _WORDS.split()} | {
    "minimum": "Min",
    "maximum": "Max",
    "lt": "Less",
    "le": "LessOrEqual",
    "gt": "Greater",
    "ge": "GreaterOrEqual",
}
"""Operations of our expression trees that are a single ONNX operation."""

_EXPM1 = ("mul", ("tanh", ("mul", 0.5, "x")), ("add", ("exp", "x"), 1.0))
_COMPOSED: dict[str, Tree] = {
    "sigmoid": ("div", 1.0, ("add", 1.0, ("exp", ("neg", "x")))),
    "cos": ("sin", ("add", "x", pi / 2)),
    "expm1": _EXPM1,
    "log1p": ("log", ("add", 1.0, "x")),
    "tan": ("div", ("sin", "x"), ("cos", "x")),
    "sinh": ("mul", 0.5, ("sub", ("expm1", "x"), ("expm1", ("neg", "x")))),
    "cosh": ("mul", 0.5, ("add", ("exp", "x"), ("exp", ("neg", "x")))),
}
"""Operations that are composed of several ONNX operations.

Up to 1.23 onnxruntime has no Cos for float64, and fails on x * Sigmoid(x), which it fuses. This
form of expm1 is exact to rounding near 0, where exp(x) - 1 is not.
"""


class Graph:
    """An ONNX graph from one input X (rows, features) to named outputs."""

    def __init__(self, features: int, dtype: str) -> None:
        self.dtype = np.dtype(dtype)
        self._number = DTYPES[dtype]
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}
        self._inputs = [helper.make_tensor_value_info("X", self._number, [None, features])]
        self._outputs: list[Any] = []

    def add(
        self, operation: str, *operands: str, name: str | None = None, **attributes: Any
    ) -> str:
        """Add a node, and return the name of its output."""
        name = name or f"{operation.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operation, list(operands), [name], **attributes))
        return name

    def constant(self, array: Any, dtype: Any = None) -> str:
        """Add a constant, of the graph's own dtype unless another is given."""
        array = np.asarray(array, dtype=self.dtype if dtype is None else dtype)
        name = f"constant_{len(self._constants)}"
        self._constants[name] = numpy_helper.from_array(array, name)
        return name

    def numbers(self, value: str, name: str, columns: int) -> None:
        """Make a value an output of the graph: (rows, columns) of the graph's dtype."""
        self.add("Identity", value, name=name)
        self._outputs.append(helper.make_tensor_value_info(name, self._number, [None, columns]))

    def labels(self, name: str, kind: int, shape: Sequence[int | None]) -> None:
        """Declare an output of another dtype; some node must produce it."""
        self._outputs.insert(0, helper.make_tensor_value_info(name, kind, shape))

    def formula(self, tree: Tree, values: Mapping[str, str | float]) -> str:
        """Add the operations of an expression tree; ``values`` replace its variables."""
        if isinstance(tree, float):
            return self.constant(tree)
        if isinstance(tree, str):
            value = values[tree]
            return self.constant(value) if isinstance(value, float) else value
        operation, *operands = tree
        found = [self.formula(operand, values) for operand in operands]
        if operation in _COMPOSED:
            return self.formula(_COMPOSED[operation], {"x": found[0]})
        if operation not in _SAME:
            raise ValueError(
                "to_onnx must be called for a network whose functions can be written in ONNX, "
                f"got {operation}()"
            )
        return self.add(_SAME[operation], *found)

    def model(self) -> Any:
        """Return the complete model, checked."""
        graph = helper.make_graph(
            self._nodes, "fastgd", self._inputs, self._outputs, list(self._constants.values())
        )
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(
            graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="fastgd"
        )
        onnx.checker.check_model(model, full_check=True)
        return model


def numbers_model(members: Sequence[Run], outputs: int, dtype: str) -> Any:
    """Return a model with one output, "variable" (rows, outputs)."""
    graph = Graph(len(members[0].weights[0]), dtype)
    graph.numbers(_mean(graph, members, outputs), "variable", outputs)
    return graph.model()


def labels_model(members: Sequence[Run], outputs: int, dtype: str) -> Any:
    """Return a model with "label" (rows, labels), 0 or 1, and "probabilities" of that shape."""
    graph = Graph(len(members[0].weights[0]), dtype)
    mean = _mean(graph, members, outputs)
    above = graph.add("Greater", mean, graph.constant(0.5))
    graph.add("Cast", above, name="label", to=TensorProto.INT64)
    graph.numbers(mean, "probabilities", outputs)
    graph.labels("label", TensorProto.INT64, [None, outputs])
    return graph.model()


def classes_model(
    members: Sequence[Run], outputs: int, dtype: str, classes: NDArray[Any], *, is_softmax: bool
) -> Any:
    """Return a model with "label" (rows,), a class, and "probabilities" (rows, classes)."""
    graph = Graph(len(members[0].weights[0]), dtype)
    mean, one, count = _mean(graph, members, outputs), graph.constant(1.0), len(classes)
    if count == 1:
        mean = graph.add("Add", graph.add("Sub", mean, mean), one)
    elif count == 2:
        mean = graph.add("Concat", graph.add("Sub", one, mean), mean, axis=1)
    elif not is_softmax:
        axes = graph.constant([1], np.int64)
        mean = graph.add("Div", mean, graph.add("ReduceSum", mean, axes, keepdims=1))
    graph.numbers(mean, "probabilities", count)
    place = graph.add("ArgMax", mean, axis=1, keepdims=0)
    kind = np.dtype(object) if classes.dtype.kind in "UO" else classes.dtype
    if kind.kind not in "biuO" or not all(isinstance(c, str) for c in classes if kind.kind == "O"):
        raise ValueError(
            "to_onnx must be called for classes that are whole numbers, booleans or strings, got "
            f"{classes.dtype}"
        )
    if kind.kind in "iu":
        kind = np.dtype(np.int64)
    graph.add("Gather", graph.constant(classes, kind), place, name="label")
    graph.labels("label", helper.np_dtype_to_tensor_dtype(kind), [None])
    return graph.model()


def _mean(graph: Graph, members: Sequence[Run], outputs: int) -> str:
    """Add all members, and the mean of their outputs."""
    found = [_network(graph, run, outputs) for run in members]
    if len(found) == 1:
        return found[0]
    return graph.add("Div", graph.add("Sum", *found), graph.constant(float(len(found))))


def _network(graph: Graph, run: Run, outputs: int) -> str:
    """Add one network, and return the name of its outputs."""
    method, name = Method(**run.options), "X"
    last = len(run.weights) - 1
    for k, (weights, biases) in enumerate(zip(run.weights, run.biases, strict=True)):
        if k == last:  # a loss may have several outputs per target, of which the first predicts
            weights, biases = weights[:, :outputs], biases[:outputs]
        elif run.normalization:
            scale, shift, mean, variance = run.normalization[k]
            factor = scale / np.sqrt(variance + _EPSILON)
            weights, biases = weights * factor, (biases - mean) * factor + shift
        product = graph.add("MatMul", name, graph.constant(weights))
        name = graph.add("Add", product, graph.constant(biases))
        formula = method.formula("output" if k == last else "activation")
        if formula is None:
            name = graph.add("Softmax", name, axis=1)
        else:
            name = graph.formula(formula.tree, {formula.variables[0]: name, **formula.parameters})
    return name
