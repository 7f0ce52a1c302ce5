"""Trainable arrays: their updates, and how often their derivatives changed sign."""

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.option_types import Mask
from fastgd.checks.numbers import FloatArray
from fastgd.formulas.updates import kept_of
from fastgd.optimizers import Optimizer
from fastgd.reference.optimizers import twin


class Parameter:
    """An array of weights, biases, scales or shifts, with its own optimizer.

    Attributes
    ----------
    value : array
        The numbers themselves.
    g : array
        Minus the derivative of the loss; input of `update`.
    direction_changes : array of int
        How often minus the derivative went from above 0 to not above 0, or back (article, "Let's
        Take a Closer Look").
    was_up : array of bool or None
        Whether it was above 0 in the last update; None before the first.
    frozen : bool or array of bool
        What is not updated.
    optimizer : Optimizer
        Its own, with state.
    """

    def __init__(self, value: FloatArray, alpha: float, optimizer: Optimizer) -> None:
        self.value = value
        self.g: FloatArray
        self.direction_changes = np.zeros(value.shape, np.int64)
        self._alpha = alpha
        self._kept = kept_of(optimizer)
        self.optimizer = twin(optimizer)
        self._states = self.optimizer.states
        self.was_up: NDArray[np.bool_] | None = None
        self.frozen: Mask = False

    def update(self, factor: float) -> None:
        """Make one step, with alpha times the schedule's factor."""
        self.g = np.where(self.frozen, 0.0, self.g)
        self.count()
        self.move(self.g, factor)

    def count(self) -> None:
        """Count the changes of direction."""
        up = self.g > 0
        if self.was_up is not None:
            self.direction_changes += up != self.was_up
        self.was_up = up

    def move(self, g: FloatArray, factor: float) -> None:
        """Make one step by minus the derivative g, or what the optimizer has in its place."""
        stepped = self.optimizer.step(self.value, g, self._alpha * factor)
        self.value = np.where(self.frozen, self.value, stepped)

    @property
    def memory(self) -> list[FloatArray]:
        """The state arrays of its optimizer, in the shape of the parameters."""
        arrays = (vars(self.optimizer)[name] for name in self._states)
        return [np.broadcast_to(array, self.value.shape) for array in arrays]

    def corrections(self, updates: int) -> tuple[float, ...]:
        """What compiled code stores once for all parameters, after ``updates`` updates."""
        return self.optimizer.kept() if updates else self._kept

    def resume_from(
        self,
        was_up: NDArray[np.bool_],
        direction_changes: NDArray[np.int64],
        remembered: list[FloatArray],
        kept: tuple[float, ...],
        updates: int,
    ) -> None:
        """Resume from the state of another parameter after ``updates`` updates."""
        if updates > 0:
            self.was_up = was_up
        self.direction_changes = direction_changes
        vars(self.optimizer).update(zip(self._states, remembered, strict=True))
        self.optimizer.recall(kept)
