"""When a run is over, and what is kept of its errors."""

from collections import deque

import numpy as np

from fastgd.arguments.options import Method
from fastgd.training.results import Summary


class Watch:
    """Looks at the error once per epoch, if an option asks for it, and at every recorded one."""

    def __init__(self, method: Method, iterations: int, per_epoch: int) -> None:
        self._tolerance = method.tolerance
        self._patience = method.patience
        self._summarize = method.summary is not None
        self._active = self._tolerance > 0 or self._patience is not None or self._summarize
        self._iterations = iterations
        self._per_epoch = per_epoch

        self._first = np.nan
        self._smallest = np.inf
        self._smallest_iteration = 0
        self._tail: deque[float] = deque(maxlen=method.summary)
        self._sum = self._inverse_sum = 0.0

    def is_due(self, j: int) -> bool:
        """Whether iteration j's error must be looked at; at the end it is j = iterations."""
        return self._active and (j % self._per_epoch == 0 or j == self._iterations)

    def look(self, j: int, error: float) -> str | None:
        """How the run ends with the error before update j, or None if it goes on."""
        if not np.isfinite(error):
            return "diverged"
        if not self.is_due(j):
            return None
        if error < self._smallest:
            self._smallest, self._smallest_iteration = error, j
        if self._summarize:
            self._add(j, np.float64(error))
        if error < self._tolerance:
            return "converged"
        stalled = self._patience is not None and j - self._smallest_iteration >= self._patience
        return "stalled" if stalled else None

    def _add(self, j: int, error: np.float64) -> None:
        if j == 0:
            self._first = error
        self._tail.append(error / self._first)
        self._sum += error / self._first
        self._inverse_sum += self._first / error

    def summary(self) -> Summary | None:
        """The summary, if it was asked for."""
        if not self._summarize:
            return None
        return Summary(
            smallest_error=float(self._smallest),
            smallest_iteration=self._smallest_iteration,
            tail_mean=float(np.mean(self._tail)) if self._tail else np.nan,
            error_sum=float(self._sum),
            inverse_sum=float(self._inverse_sum),
        )
