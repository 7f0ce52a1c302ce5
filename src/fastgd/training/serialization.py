"""Building blocks of saved results: named arrays, and options as JSON values."""

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
"""The classes that can be saved, by the name that files have of them."""

STATISTICS = ("scale", "shift", "mean", "variance")

_WORD = np.dtype("U32")
"""A dtype longer than any status."""


def saved(kind: Kind) -> Kind:
    """Register a class, so that files can name it and reading them can create it."""
    KINDS[kind.__name__] = kind
    return kind


def put(arrays: Arrays, name: str, layers: Sequence[NDArray[Any]]) -> None:
    """Add an array for each layer."""
    arrays |= {f"{name}_{k}": layer for k, layer in enumerate(layers)}


def take(
    arrays: Found, name: str, kind: str, shapes: Sequence[tuple[int, ...]]
) -> tuple[NDArray[Any], ...]:
    """Return the arrays of all layers, checked."""
    return tuple(array_of(arrays, f"{name}_{k}", kind, shape) for k, shape in enumerate(shapes))


def array_of(arrays: Found, name: str, kind: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return an array, checked to have this kind ("f", "i" or strings, "U") and shape."""
    array = arrays[name]
    need(array.dtype.kind in kind and array.shape == shape)
    need(kind != "U" or array.dtype.itemsize <= _WORD.itemsize)
    return np.asarray(array)


def text_of(arrays: Found, name: str) -> NDArray[Any]:
    """Return an array, checked to be a single string."""
    need(arrays[name].dtype.kind == "U" and arrays[name].shape == ())
    return np.asarray(arrays[name])


def need(holds: bool) -> None:
    """Raise ValueError for the file unless this condition holds."""
    if not holds:
        raise ValueError("the file is not whole")


def is_number(value: object) -> bool:
    """Whether JSON had a number there."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def plain(value: Any, arrays: Arrays) -> Any:
    """Options as JSON values: optimizers and schedules by name; arrays go into ``arrays``."""
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
        return {name: plain(item, arrays) for name, item in value.items()}
    return [plain(item, arrays) for item in value] if isinstance(value, (list, tuple)) else value


def method_of(given: dict[str, Any], arrays: Found) -> Method:
    """Restore and check the options that :func:`plain` has converted."""
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
    """Raise unless the number of output units is one that the loss can have."""
    loss = loss_of(method.loss).function
    need(outputs % (1 if loss is None else loss.outputs) == 0)


def fielded_of(pair: Sequence[Any], arrays: Found) -> Hyperparameters:
    """Restore an optimizer or a schedule from its name and fields."""
    name, fields = pair
    if name == "Factors":
        own = fields["factors"]
        return schedules.Factors(array_of(arrays, own, "f", arrays[own].shape[:1]))
    kinds: tuple[type[Hyperparameters], ...] = (*optimizers.ALL, *schedules.ALL)
    return {kind.__name__: kind for kind in kinds}[name](**fields)


def formula_of(value: Any) -> Any:
    """Restore a custom function from its source, which is parsed and never run; keep a name.

    Raises
    ------
    fastgd.formulas.expressions.UnknownNameError
        If it uses a function that this version doesn't have.
    """
    if isinstance(value, str):
        return value
    kind, formula, derivative, variables, numbers = value
    known: dict[str, type[Formula]] = {"Function": Function, "Loss": Loss}
    return known[kind].of_text(formula, derivative, variables, numbers)
