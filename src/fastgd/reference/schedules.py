"""The factor of alpha in each schedule, as in its paper and in PyTorch."""

from math import cos, pi

import numpy as np

from fastgd import schedules
from fastgd.arguments.axes import changing
from fastgd.arguments.options import Method
from fastgd.arguments.samples import TrainingData
from fastgd.checks.numbers import FloatArray
from fastgd.formulas.named import Formula
from fastgd.reference.formulas import Dual, evaluate


def factor(schedule: schedules.AnySchedule, t: int) -> float:
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


def _value(formula: Formula, t: int, total: int) -> float:
    numbers = {"t": t, "total": total} | dict(formula.parameters)
    known = {name: Dual(np.array(float(n)), np.array(0.0)) for name, n in numbers.items()}
    return float(evaluate(formula.tree, known).value)


def values(method: Method, task: TrainingData, j: int) -> tuple[float, dict[str, float]]:
    """The factor of update j of a training, and the fields of its optimizer that change."""
    t, total = j - task.schedule_start, task.total - task.schedule_start
    formulas = {n: method.formula(n) for n in ("schedule", *changing(method.optimizer))}
    found = {n: _value(formula, t, total) for n, formula in formulas.items() if formula}
    own = found.pop("schedule", None)
    return factor(method.schedule, t) if own is None else own, found


def factors(schedule: schedules.AnySchedule, updates: int) -> FloatArray:
    """The factors of the first ``updates`` updates."""
    return np.array([factor(schedule, t) for t in range(updates)])
