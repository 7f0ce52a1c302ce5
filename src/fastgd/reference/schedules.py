"""What each schedule multiplies alpha by, as its paper and PyTorch have it."""

from math import cos, pi

import numpy as np

from fastgd import schedules
from fastgd.arguments.data import FloatArray


def factor(schedule: schedules.Schedule, t: int) -> float:
    """The factor of update t, the first of which is 0."""
    match schedule:
        case schedules.Step(every, by):
            return float(np.float64(by) ** (t // every))
        case schedules.Exponential(rate):
            return float(np.float64(rate) ** t)
        case schedules.Linear(over, last):
            return float(1 + (last - 1) * min(t, over) / over)
        case schedules.Cosine(over, last, warmup):
            if t < warmup:  # Goyal and others 2017, section 2.2
                return float((t + 1) / warmup)
            # Loshchilov and Hutter, ICLR 2017, equation 5
            s = (min(t, over) - warmup) / (over - warmup)
            return float(last + (1 - last) * (1 + cos(pi * s)) / 2)
        case schedules.Factors(factors):
            return float(factors[t])
    return 1.0


def factors(schedule: schedules.Schedule, updates: int) -> FloatArray:
    """The factors of so many updates."""
    return np.array([factor(schedule, t) for t in range(updates)])
