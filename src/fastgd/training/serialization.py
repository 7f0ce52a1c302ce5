"""The parts of a saved result: arrays by name, and options as JSON can hold them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastgd import optimizers, schedules
from fastgd.arguments import options
from fastgd.arguments.declarations import FIELDED
from fastgd.arguments.formula_parameters import FORMULAS, kinds_of
from fastgd.arguments.options import Method
from fastgd.checks.values import LARGEST
from fastgd.formulas.custom import Formula, Function, Loss
from fastgd.formulas.named import loss_of
from fastgd.hyperparameters import Hyperparameters
from fastgd.store.npz import Arrays, Found

Facts = dict[str, Any]
Kind = TypeVar("Kind", bound=type[Any])

KINDS: dict[str, Any] = {}
"""The classes that files name."""

STATISTICS = ("scale", "shift", "mean", "variance")

_WORD = np.dtype("U32")
"""Longer than any status."""


def saved(kind: Kind) -> Kind:
    """Make a class known: files name it, and reading one makes it."""
    KINDS[kind.__name__] = kind
    return kind


def put(arrays: Arrays, name: str, layers: Sequence[NDArray[Any]]) -> None:
    """Add an array for each layer."""
    arrays |= {f"{name}_{k}": layer for k, layer in enumerate(layers)}


def take(
    arrays: Found, name: str, kind: str, shapes: Sequence[tuple[int, ...]]
) -> tuple[NDArray[Any], ...]:
    """The arrays of all layers."""
    return tuple(array_of(arrays, f"{name}_{k}", kind, shape) for k, shape in enumerate(shapes))


def array_of(arrays: Found, name: str, kind: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """An array of some kind of numbers ("f", "i") or words ("U"), and of this shape."""
    array = arrays[name]
    need(array.dtype.kind in kind and array.shape == shape)
    need(kind != "U" or array.dtype.itemsize <= _WORD.itemsize)
    return np.asarray(array)


def text_of(arrays: Found, name: str) -> NDArray[Any]:
    """An array that is one text."""
    need(arrays[name].dtype.kind == "U" and arrays[name].shape == ())
    return np.asarray(arrays[name])


def need(holds: bool) -> None:
    """Refuse a file of which this does not hold."""
    if not holds:
        raise ValueError("the file is not whole")


def is_number(value: object) -> bool:
    """Whether JSON had a number there."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def plain(value: Any, arrays: Arrays) -> Any:
    """Options as JSON can hold them: optimizers and schedules by name, arrays among the arrays."""
    if isinstance(value, schedules.Factors):
        name = f"factors_{sum(known.startswith('factors_') for known in arrays)}"
        arrays[name] = value.factors
        return ["Factors", {"factors": name}]
    if isinstance(value, Hyperparameters):
        return [type(value).__name__, value._asdict()]
    if isinstance(value, Formula):
        return [type(value).__name__, *value.source]
    if isinstance(value, np.ndarray):
        if value.dtype == np.bool_:
            return value.tolist()
        arrays["sample_weight"] = value
        return None
    if isinstance(value, dict):
        return {name: plain(part, arrays) for name, part in value.items()}
    return [plain(part, arrays) for part in value] if isinstance(value, (list, tuple)) else value


def method_of(given: dict[str, Any], arrays: Found) -> Method:
    """The options that :func:`plain` has taken apart."""
    found = dict(given)
    samples = LARGEST
    if "sample_weight" in found:
        shape = arrays["sample_weight"].shape[:1]
        found["sample_weight"] = array_of(arrays, "sample_weight", "f", shape)
        samples = len(found["sample_weight"])
    for name in FIELDED:
        if name in found:
            found[name] = fielded_of(found[name], arrays)
    for name in FORMULAS:
        if name in found:
            found[name] = formula_of(found[name])
    return Method(**options.checked(found, kinds_of(found), samples))


def check_width(method: Method, outputs: int) -> None:
    """Refuse a network that has not as many output units as its loss makes of targets."""
    loss = loss_of(method.loss).function
    need(outputs % (1 if loss is None else loss.outputs) == 0)


def fielded_of(pair: Sequence[Any], arrays: Found) -> Hyperparameters:
    """An optimizer or a schedule by its name and fields."""
    name, fields = pair
    if name == "Factors":
        own = fields["factors"]
        return schedules.Factors(array_of(arrays, own, "f", arrays[own].shape[:1]))
    kinds: tuple[type[Hyperparameters], ...] = (*optimizers.ALL, *schedules.ALL)
    return {kind.__name__: kind for kind in kinds}[name](**fields)


def formula_of(value: Any) -> Any:
    """A function of the user's own from its source, which is read and never run; a name as it is.

    Raises
    ------
    fastgd.formulas.expressions.UnknownNameError
        If it uses a function that this version doesn't know.
    """
    if isinstance(value, str):
        return value
    kind, formula, derivative, variables, numbers = value
    known: dict[str, type[Formula]] = {"Function": Function, "Loss": Loss}
    return known[kind].of_text(formula, derivative, variables, numbers)
