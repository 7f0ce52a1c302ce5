"""What is recorded while a network trains."""

import numpy as np

from fastgd.arguments.data import FloatArray, NetworkParts
from fastgd.engine.network import Network
from fastgd.training.results import Run


class Records:
    """Errors before the update of every ``every``-th iteration, and the network that had them.

    NaN for records that the training did not reach.

    Attributes
    ----------
    errors : (records,) array
        Mean absolute error of the training samples.
    losses : (records,) array
        The minimized loss, of the training samples.
    held : (records,) array or None
        Mean absolute error of the validation samples.
    path : (records, P) array or None
        All parameters of the network.
    every, iterations : int
        Iterations between records, and total iterations.
    """

    def __init__(self, network: Network, every: int, iterations: int, held: bool, path: bool):
        count = -(-iterations // every)
        self.at = np.arange(count) * every
        self.errors = np.full(count, np.nan)
        self.losses = np.full(count, np.nan)
        self.held = np.full(count, np.nan) if held else None
        self.path = np.full((count, network.parameters), np.nan) if path else None
        self._network = network
        self.every = every
        self.iterations = iterations

    def is_due(self, j: int) -> bool:
        """Whether iteration j is recorded; the final error never is."""
        return j % self.every == 0 and j < self.iterations

    def put(self, j: int, error: float, loss: float, held: float | None, row: FloatArray) -> None:
        """Record the values before update j."""
        k = j // self.every
        self.errors[k], self.losses[k] = error, loss
        if self.held is not None:
            self.held[k] = held
        if self.path is not None:
            self.path[k] = row

    def join(self, run: Run) -> None:
        """Copy the records of a run that is resumed."""
        count = len(run.errors)
        self.errors[:count], self.losses[:count] = run.errors, run.losses
        if self.held is not None:
            self.held[:count] = run.validation_errors
        if self.path is not None and run.recorded_weights is not None:
            self.path[:count] = self._network.row(
                NetworkParts(run.recorded_weights, run.recorded_biases, run.recorded_normalization)
            )
