"""Numbers that are trained: how they move, and how often their derivative changed its sign."""

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.data import FloatArray
from fastgd.optimizers import Optimizer
from fastgd.reference.optimizers import twin


class Parameter:
    """An array of weights, biases, scales or shifts, with its own optimizer.

    Attributes
    ----------
    value : array
        Changed in place.
    g : array
        Minus the derivative of the loss, which `update` takes.
    direction_changes : array of int
        How often minus the derivative went from above 0 to not above 0, or back (article, "Let's
        Take a Closer Look").
    """

    def __init__(self, value: FloatArray, alpha: float, optimizer: Optimizer) -> None:
        self.value = value
        self.g: FloatArray
        self.direction_changes = np.zeros(value.shape, np.int64)
        self._alpha = alpha
        self._optimizer = twin(optimizer)
        self._was_up: NDArray[np.bool_] | None = None

    def update(self) -> None:
        """Make one step."""
        up = self.g > 0
        if self._was_up is not None:
            self.direction_changes += up != self._was_up
        self._was_up = up
        self.value += self._optimizer.change(self.g, self._alpha)
