"""Early stopping, and what is kept about a run's errors."""

from collections import deque
from typing import Any, NamedTuple

import numpy as np

from fastgd.arguments.options import Method
from fastgd.arguments.samples import TrainingData
from fastgd.checks.numbers import FloatArray
from fastgd.engine.results import State
from fastgd.reference.perceptron import Perceptron


class Best(NamedTuple):
    """The network with the smallest monitored error."""

    row: FloatArray  # (P,)
    error: float
    held: float | None


class Watch:
    """Monitors the validation error (the training error if there is no validation set) or the loss.

    Evaluates it every ``evaluate_every`` iterations or, if that isn't given, once per epoch; with
    the recorded errors if ``restore_best`` is the only option that needs it.
    """

    def __init__(self, method: Method, task: TrainingData, per_epoch: int) -> None:
        self._tolerance = method.tolerance
        self._patience = method.patience
        self._min_delta = method.min_delta
        self._of_loss = method.monitor == "loss"
        self._summarize = method.summary is not None
        by_epochs = self._tolerance > 0 or self._patience is not None or self._summarize
        self.is_active = by_epochs or method.evaluate_every is not None or method.restore_best
        self._every = method.evaluate_every or (per_epoch if by_epochs else task.record_every)
        self._task = task
        self._restores = method.restore_best

        self._first = np.nan
        self._smallest = np.inf
        self.smallest_iteration = 0
        self.seen = 0
        self._tail: deque[float] = deque(maxlen=method.summary or 1)
        self._sum = self._inverse_sum = 0.0
        self.best: Best | None = None

    def is_due(self, j: int) -> bool:
        """Whether iteration j's error must be evaluated; the final error has j = iterations."""
        return self.is_active and (j % self._every == 0 or j == self._task.iterations)

    def evaluate(
        self,
        j: int,
        error: float,
        held: float | None,
        perceptron: Perceptron,
        outcome: str | None = None,
    ) -> str | None:
        """The status with which the run ends at the errors before update j; None if it continues.

        ``perceptron`` is the network that has these errors, and ``outcome`` how the update before
        ends the run, if it does.
        """
        if not np.isfinite(error):
            return "diverged"
        is_due = self.is_due(j)
        if not (is_due or (outcome and self.is_active)):
            return outcome
        watched = error if held is None else held
        if self._of_loss:
            watched = perceptron.loss(self._task.X, self._task.y)
        if watched < self._smallest - self._min_delta:
            self._smallest, self.smallest_iteration = watched, j
            if self._restores:
                self.best = Best(perceptron.row, error, held)
        if not is_due:
            return outcome
        self._add(j, np.float64(watched))
        if watched < self._tolerance and self._tolerance > 0:
            return "converged"
        stalled = self._patience is not None and j - self.smallest_iteration >= self._patience
        return outcome or ("stalled" if stalled else None)

    def _add(self, j: int, error: np.float64) -> None:
        if j == 0:
            self._first = error
        self.seen = -(-j // self._every) + 1
        self._tail.append(error)
        self._sum += error / self._first
        self._inverse_sum += self._first / error

    @property
    def best_iteration(self) -> int | None:
        """Updates before the smallest monitored error; None if there was no finite one."""
        return self.smallest_iteration if np.isfinite(self._smallest) else None

    def summary(self) -> list[Any] | None:
        """The values of a summary, if one was requested."""
        if not self._summarize:
            return None
        tail = np.mean(np.array(self._tail) / self._first) if self._tail else np.nan
        numbers = (self._smallest, self.smallest_iteration, tail, self._sum, self._inverse_sum)
        return [np.asarray(number)[()] for number in numbers]

    def numbers(self) -> FloatArray:
        """What a `State` keeps about the errors, (4 + window,), or nothing if none is monitored."""
        if not self.is_active:
            return np.empty(0)
        window = self._tail.maxlen or 1
        ring = np.zeros(window)
        for back, error in enumerate(reversed(self._tail), 1):
            ring[(self.seen - back) % window] = error
        return np.array([self._smallest, self._first, self._sum, self._inverse_sum, *ring])

    def resume_from(self, state: State) -> None:
        """Resume from what a state has about the errors."""
        if not self.is_active:
            return
        self._smallest, self._first, self._sum, self._inverse_sum, *ring = state.watch[0]
        self.smallest_iteration, self.seen = (int(count) for count in state.watch_counts[0])
        backs = range(min(self.seen, len(ring)), 0, -1)
        self._tail.extend(ring[(self.seen - back) % len(ring)] for back in backs)
        if self._restores and np.isfinite(self._smallest):
            held = float(self._smallest) if self._task.holds_out else None
            self.best = Best(state.best[0].copy(), float(state.best_error[0]), held)
