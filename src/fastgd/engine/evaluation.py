"""Loss and gradient of a network, evaluated at one parameter vector after another."""

import numpy as np

from fastgd.arguments.data import FloatArray
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
