"""Loss and gradient of a network, or residuals, at one parameter vector after another."""

import numpy as np

from fastgd.checks.numbers import FloatArray
from fastgd.engine.session import Session
from fastgd.kernel.fork_lock import ForkSafeLock


class LossEvaluation:
    """A single run that never advances past its start; threads that share it take turns."""

    def __init__(self, session: Session) -> None:
        runs = session.load(np.zeros((1, session.network.parameters)))
        block, layout = runs.block, session.layout
        self._again = runs.bind()
        self._lock = ForkSafeLock()
        self._numbers, self._losses, self._errors = (
            block.numbers[0],
            block.losses[0],
            block.errors[0],
        )
        self._parameters = layout.places[0]
        self._derivative = layout.places[0] + layout.sections["states"].start

    def at(self, parameters: FloatArray) -> tuple[float, FloatArray, float]:
        r"""Loss, derivative, and mean absolute error \|y - output\| at the parameters (P,)."""
        with self._lock:
            self._numbers[self._parameters] = parameters
            self._again()
            derivative = 0.0 - self._numbers[self._derivative]
            return float(self._losses[0]), derivative, float(self._errors[0])


class ResidualEvaluation:
    """A single run that counts as ended, so that its second-order step is never taken."""

    def __init__(self, session: Session) -> None:
        runs = session.load(np.zeros((1, session.network.parameters)))
        block, layout = runs.block, session.layout
        block.ended[:] = 0
        self._again = runs.bind()
        self._lock = ForkSafeLock()
        self._numbers, self._parameters = block.numbers[0], layout.places[0]
        shape = (layout.samples * session.network.sizes[-1], session.network.parameters + 1)
        self._rows = block.jacobian[0, : shape[0] * shape[1]].reshape(shape)

    def at(self, parameters: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Residuals (samples * outputs,) output - y, and their derivatives (..., P).

        The outputs of a sample are side by side. Both are times the root of the sample's weight.
        """
        with self._lock:
            self._numbers[self._parameters] = parameters
            self._again()
            return 0.0 - self._rows[:, -1], self._rows[:, :-1].copy()
