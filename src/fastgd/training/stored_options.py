"""Options as JSON values and arrays: methods by name and fields, functions by their source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastgd import optimizers, schedules
from fastgd.arguments import options
from fastgd.arguments.axes import FORMULAS, kinds_of
from fastgd.arguments.declarations import FIELDED
from fastgd.arguments.options import Method
from fastgd.checks.numbers import LARGEST
from fastgd.formulas.custom import Formula, Function, Loss
from fastgd.formulas.named import loss_of
from fastgd.hyperparameters import Hyperparameters
from fastgd.store import Arrays
from fastgd.store.npz import Found
from fastgd.training.codec import array_of, need


def as_json(value: Any, arrays: Arrays) -> Any:
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
        return {name: as_json(item, arrays) for name, item in value.items()}
    return [as_json(item, arrays) for item in value] if isinstance(value, (list, tuple)) else value


def decode_method(given: Mapping[str, Any], arrays: Found) -> Method:
    """Restore and check the options that :func:`as_json` has converted."""
    found = {name: decode_option(name, value, arrays) for name, value in given.items()}
    samples = len(found["sample_weight"]) if "sample_weight" in found else LARGEST
    return Method(**options.checked(found, kinds_of(found), samples))


def decode_option(name: str, value: Any, arrays: Found) -> Any:
    """Restore the value of an option, which is then checked like that of a call.

    UnknownNameError if it is a function that uses one that this version doesn't have.
    """
    if name == "sample_weight":
        return array_of(arrays, name, "f", arrays[name].shape[:1])
    if name in FIELDED:
        return _fielded(value, arrays)
    return _formula(value) if name in FORMULAS else value


def check_width(method: Method, outputs: int) -> None:
    """Raise unless the number of output units is one that the loss can have."""
    need(outputs % loss_of(method.loss).units == 0)


def _fielded(pair: Sequence[Any], arrays: Found) -> Hyperparameters:
    """Restore an optimizer or a schedule from its name and fields."""
    name, fields = pair
    if name == "Factors":
        own = fields["factors"]
        return schedules.Factors(array_of(arrays, own, "f", arrays[own].shape[:1]))
    kinds: tuple[type[Hyperparameters], ...] = (*optimizers.ALL, *schedules.ALL)
    return {kind.__name__: kind for kind in kinds}[name](**fields)


def _formula(value: Any) -> Any:
    """Restore a custom function from its source, which is parsed and never run; keep a name."""
    if isinstance(value, str):
        return value
    kind, formula, derivative, variables, numbers = value
    known: dict[str, type[Formula]] = {"Function": Function, "Loss": Loss}
    return known[kind].of_text(formula, derivative, variables, numbers)
