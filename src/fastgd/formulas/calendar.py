"""The calendar of dates, and places on a circle: the same bits on every machine."""

from decimal import Context, Decimal, localcontext
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Cycle = Literal["month", "day of the year", "day of the week", "hour"]
CYCLES: dict[Cycle, int] = {
    "month": 12,
    "day of the year": 366,
    "day of the week": 7,
    "hour": 24,
}
"""What repeats, with the number of its steps, which are counted from 0."""

FIELDS = ("", "year", *CYCLES)
"""What is found of a date; their places are the numbers that the kernel's predictor knows."""

TOLERANCES = {8: 1e-9, 4: 2.0**-9}
"""In days, by the bytes of a number: a date is taken as so much later to find its day and hour.

A full hour is no binary fraction of a day, so its number may be a little too small: by 1e-11 in
float64, and by up to 84 seconds in float32 (until 2059).
"""


def fields_of(days: NDArray[Any]) -> dict[str, NDArray[np.int64]]:
    """Year, and step of each cycle, of days since 1970-01-01.

    Examples
    --------
    >>> {name: field.tolist() for name, field in fields_of(np.array([59.5])).items()}
    {'year': [1970], 'month': [2], 'day of the year': [59], 'day of the week': [6], 'hour': [12]}
    """
    moment = days + days.dtype.type(TOLERANCES[days.itemsize])
    day = np.floor(moment)
    date = day.astype(np.int64).astype("M8[D]")
    year, month = date.astype("M8[Y]"), date.astype("M8[M]")
    return {
        "year": year.astype(np.int64) + 1970,
        "month": month.astype(np.int64) % 12,
        "day of the year": (date - year).astype(np.int64),
        "day of the week": (date.astype(np.int64) + 3) % 7,
        "hour": ((moment - day) * 24).astype(np.int64),
    }


@cache
def circle(steps: int) -> NDArray[np.float64]:
    """Sine and cosine of each of the steps around a circle, (steps, 2), correctly rounded.

    By Taylor's series with 50 digits: C libraries, and so :mod:`math`, differ in the last bits.

    Examples
    --------
    >>> circle(4).tolist()
    [[0.0, 1.0], [1.0, 0.0], [0.0, -1.0], [-1.0, 0.0]]
    """
    found = []
    with localcontext(Context(prec=50)):
        for step in range(steps):
            angle = Decimal("6.28318530717958647692528676655900576839433879875") * step / steps
            terms = [Decimal(1)]
            for k in range(1, 70):
                terms.append(terms[-1] * angle / k)
            sums = (sum(terms[k::4]) - sum(terms[k + 2 :: 4]) for k in (1, 0))
            found.append([float(f"{each:.30f}") + 0.0 for each in sums])  # + 0.0: never -0.0
    return np.array(found)
