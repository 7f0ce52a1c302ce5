"""What values are made of, as tuples: equal only if all of it is, to the bit and by type."""

import dataclasses
from enum import Enum

import numpy as np

from fastgd.formulas.rules import Rule


def facts(value):
    """Compare what this returns of two values, not the values: 0 equals False, NaN not itself."""
    kind = type(value)
    if isinstance(value, np.ndarray):
        numbers = facts(value.tolist()) if value.dtype == object else value.tobytes()
        return kind, value.dtype.str, value.shape, numbers
    if isinstance(value, dict):
        return kind, *((name, facts(one)) for name, one in value.items())
    if isinstance(value, (tuple, list, set, frozenset)):
        return kind, *map(facts, value)
    if dataclasses.is_dataclass(value) and not isinstance(value, (type, Rule)):
        names = [each.name for each in dataclasses.fields(value)]
        return kind, *((name, facts(getattr(value, name))) for name in names)
    if isinstance(value, (float, np.generic)):
        return kind, repr(value)
    if callable(value) or isinstance(value, Enum) or not hasattr(value, "__dict__"):
        return kind, value
    return kind, facts(vars(value))
