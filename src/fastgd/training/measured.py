"""What was measured during trainings, by name: as arrays.

It is stored as one array, (..., measurements, layers, quantities).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.numbers import FloatArray
from fastgd.formulas.measures import name_of
from fastgd.training.sweep_axes import Variables


class Measured:
    """A result with ``measurements``."""

    @property
    def measured(self: Any) -> dict[str, FloatArray]:
        """What ``measure`` recorded, by name: (measurements,) arrays, or (measurements, layers).

        They are those of the iterations ``measured_at``; NaN after the end of a run. In a sweep the
        axes are in front.

        Examples
        --------
        >>> import fastgd
        >>> run = fastgd.train([[0, 1], [1, 0]], [0, 1], iterations=30, record_every=10,
        ...                    measure=["gradient_norm", "weight_norm"])
        >>> run.measured["gradient_norm"].round(3), run.measured_at
        (array([0.044, 0.042, 0.051]), array([ 0, 10, 20]))
        """
        return {n: array for n, (_, array) in measured_variables(self, self.measurements).items()}

    @property
    def measured_at(self: Any) -> NDArray[np.int64]:
        """The iterations whose updates were measured."""
        return measured_at(self, self.measurements)


def measured_at(result: Any, measurements: Any) -> NDArray[np.int64]:
    """Return the iterations whose updates were measured."""
    recorded: NDArray[np.int64] = result.recorded
    every = result.options.get("measure_every")
    if measurements is None or every is None:
        return recorded[:0] if measurements is None else recorded
    return np.arange(measurements.shape[-3]) * int(every)


def measured_variables(result: Any, measurements: Any, axes: tuple[str, ...] = ()) -> Variables:
    """Return the quantities for xarray, without an axis of layers if there is none."""
    if measurements is None:
        return {}
    by_layer = result.options.get("measure_layers", False)
    whole = measurements if by_layer else measurements[..., 0, :]
    names = (*axes, "measured_at", *(["layer"] if by_layer else []))
    return {name_of(o): (names, whole[..., k]) for k, o in enumerate(result.options["measure"])}
