"""What sklearn-onnx (``skl2onnx``) asks an estimator, so that a pipeline with it exports whole."""

from collections.abc import Callable
from typing import Any

from fastgd.training.run import exported


class OnnxConvertible:
    """Estimators that ``skl2onnx.to_onnx`` converts, by themselves or in a pipeline.

    Probabilities are an array, with its option ``zipmap`` or without.
    """

    alias = "FastGD"
    """The name by which sklearn-onnx finds the options."""

    def onnx_shape_calculator(self) -> Callable[[Any], None]:
        """Return the function by which sklearn-onnx knows the types of the outputs."""
        return _set_types

    def onnx_converter(self) -> Callable[[Any, Any, Any], None]:
        """Return the function by which sklearn-onnx adds the network to its graph."""
        from skl2onnx.common._registration import register_converter

        options = {"zipmap": [True, False]}
        register_converter(self.alias, _convert, overwrite=True, options=options)
        return _convert


def _set_types(operator: Any) -> None:
    from skl2onnx.common import data_types as types

    model, given = operator.raw_operator, operator.inputs[0].type
    rows = operator.inputs[0].get_first_dimension()
    is_double = isinstance(given, types.DoubleTensorType)
    numbers = types.DoubleTensorType if is_double else types.FloatTensorType
    operator.outputs[-1].type = numbers([rows, model.n_outputs_])
    if len(operator.outputs) == 1:
        return
    if model._is_multilabel:
        operator.outputs[0].type = types.Int64TensorType([rows, model.n_outputs_])
        return
    kinds = {"O": types.StringTensorType, "U": types.StringTensorType, "b": types.BooleanTensorType}
    label = kinds.get(model.classes_.dtype.kind, types.Int64TensorType)
    operator.outputs[0].type = label([rows])
    operator.outputs[1].type = numbers([rows, len(model.classes_)])


def _convert(scope: Any, operator: Any, container: Any) -> None:
    from onnx import helper
    from skl2onnx.common.data_types import DoubleTensorType

    from fastgd.export import onnx

    model, [given] = operator.raw_operator, operator.inputs
    dtype = "float64" if isinstance(given.type, DoubleTensorType) else "float32"
    graph = model._model(onnx, exported(model.members_, "to_onnx"), dtype).graph
    names = {"X": scope.get_unique_variable_name("X")}
    names |= dict(zip((o.name for o in graph.output), operator.output_full_names, strict=True))
    container.add_node(
        "Cast",
        [given.full_name],
        [names["X"]],
        op_version=onnx.OPSETS[""],
        name=scope.get_unique_operator_name("Cast"),
        to=onnx.DTYPES[dtype],
    )
    for constant in graph.initializer:
        names[constant.name] = scope.get_unique_variable_name(constant.name)
        constant.name = names[constant.name]
        container.initializers.append(constant)  # add_initializer() takes no tensors of strings
    for node in graph.node:
        for name in node.output:
            names.setdefault(name, scope.get_unique_variable_name(name))
        container.add_node(
            node.op_type,
            [names[name] for name in node.input],
            [names[name] for name in node.output],
            op_domain=node.domain,
            op_version=onnx.OPSETS[node.domain],
            name=scope.get_unique_operator_name(node.op_type),
            **{each.name: helper.get_attribute_value(each) for each in node.attribute},
        )
