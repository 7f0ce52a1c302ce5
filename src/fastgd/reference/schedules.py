"""The factor of alpha in each schedule, as in its paper and in PyTorch."""

from math import cos, pi

import numpy as np

from fastgd import schedules
from fastgd.arguments.options import Method
from fastgd.checks.numbers import FloatArray
from fastgd.formulas.named import Formula
from fastgd.reference.formulas import Dual, evaluate


def factor(schedule: schedules.Schedule, t: int) -> float:
    """The factor of update t; the first update is 0."""
    match schedule:
        case schedules.Step(step_size, factor):
            return float(np.float64(factor) ** (t // step_size))
        case schedules.Exponential(factor):
            return float(np.float64(factor) ** t)
        case schedules.Linear(steps, final_factor):
            return float(1 + (final_factor - 1) * min(t, steps) / steps)
        case schedules.Cosine(steps, final_factor, warmup_steps):
            if t < warmup_steps:  # Goyal and others 2017, section 2.2
                return float((t + 1) / warmup_steps)
            # Loshchilov and Hutter, ICLR 2017, equation 5
            s = (min(t, steps) - warmup_steps) / (steps - warmup_steps)
            return float(final_factor + (1 - final_factor) * (1 + cos(pi * s)) / 2)
        case schedules.Factors(factors):
            return float(factors[t])
    return 1.0


def value(formula: Formula, t: int, total: int) -> float:
    """The value of a formula of the number of the update and of all updates."""
    numbers = {"t": t, "total": total} | dict(formula.parameters)
    known = {name: Dual(np.array(float(n)), np.array(0.0)) for name, n in numbers.items()}
    return float(evaluate(formula.tree, known).value)


def factor_of(method: Method, t: int, total: int) -> float:
    """The factor of update t of ``total``, with these options."""
    own = method.formula("schedule")
    return factor(method.schedule, t) if own is None else value(own, t, total)


def factors(schedule: schedules.Schedule, updates: int) -> FloatArray:
    """The factors of the first ``updates`` updates."""
    return np.array([factor(schedule, t) for t in range(updates)])
