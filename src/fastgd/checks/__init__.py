"""Everything that can be wrong with the input, found before anything is allocated.

A value of the wrong kind is a `TypeError`, a value out of range a `ValueError`; every message
states the rule, then what came. No function here changes what it is given.
"""

from fastgd.checks.axes import as_axis, check_axes
from fastgd.checks.data import (
    check_data,
    check_inputs,
    check_sample_weight,
    check_vector,
    check_weights,
)
from fastgd.checks.settings import check_alpha, check_alphas, check_hidden_size, check_start
from fastgd.checks.values import (
    ABOVE_ZERO,
    FRACTION,
    LARGEST,
    LIMIT,
    NOT_NEGATIVE,
    Rule,
    check_choice,
    check_count,
    check_counts,
    check_flag,
    check_number,
    check_numbers,
    check_seed,
    check_seeds,
    check_threads,
)

__all__ = [
    "ABOVE_ZERO",
    "FRACTION",
    "LARGEST",
    "LIMIT",
    "NOT_NEGATIVE",
    "Rule",
    "as_axis",
    "check_alpha",
    "check_alphas",
    "check_axes",
    "check_choice",
    "check_count",
    "check_counts",
    "check_data",
    "check_flag",
    "check_hidden_size",
    "check_inputs",
    "check_number",
    "check_numbers",
    "check_sample_weight",
    "check_seed",
    "check_seeds",
    "check_start",
    "check_threads",
    "check_vector",
    "check_weights",
]
