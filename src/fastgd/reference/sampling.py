"""Which samples an update sees: epochs of mini-batches, or draws whose odds are learned."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.data import FloatArray
from fastgd.arguments.options import Method
from fastgd.reference.philox import shuffled, uniform


class Batch(NamedTuple):
    """The samples of one update."""

    places: slice | NDArray[np.int64]
    weights: FloatArray | None  # (samples, 1): the factor of each sample's loss
    divisor: float  # of the derivatives


class Sampler(Protocol):
    """What says which samples an update sees."""

    per_epoch: int
    tau: FloatArray  # (samples,): what it has learned of their odds; (0,) if nothing

    def batch(self, j: int) -> Batch:
        """The samples of iteration j."""
        ...


class Epochs:
    """Every sample once per epoch, in batches of equal size but for the last."""

    def __init__(self, samples: int, method: Method) -> None:
        self.samples = samples
        self.batch_size = method.batch_size or samples
        self.per_epoch = -(-samples // self.batch_size)
        self._in_order = method.batch_size is None or not method.shuffle
        self._seed = method.shuffle_seed
        self._weights = _column(method.sample_weight)
        self._is_mean = method.reduction == "mean"
        self._epoch = -1
        self.tau = np.empty(0)

    def batch(self, j: int) -> Batch:
        """The batch of iteration j."""
        epoch, at = divmod(j, self.per_epoch)
        places = slice(at * self.batch_size, (at + 1) * self.batch_size)
        if self._in_order:
            return self._batch(places, min(self.samples - places.start, self.batch_size))
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = np.array(shuffled(self.samples, epoch, self._seed))
        index = self._order[places]
        return self._batch(index, len(index))

    def _batch(self, places: slice | NDArray[np.int64], count: int) -> Batch:
        weights = None if self._weights is None else self._weights[places]
        if not self._is_mean:
            return Batch(places, weights, 1.0)
        total = count if weights is None else weights.sum()
        return Batch(places, weights, total or 1.0)  # where nothing counts there is no derivative


class Adaptive:
    """Batches drawn where the derivative is long (Bouchard et al., arXiv 1506.09016, Algorithm 1).

    The odds q of the samples are a softmax of ``tau``, which itself descends: on the variance of
    the weighted derivative. Dividing by N q keeps the expected value of a draw's derivative at the
    mean over all samples, whatever q is.
    """

    def __init__(self, samples: int, method: Method, seed: int) -> None:
        assert method.batch_size is not None  # checked with the options
        self.samples = samples
        self.batch_size = method.batch_size
        self.per_epoch = -(-samples // self.batch_size)
        self.tau = np.zeros(samples)
        self._rate = method.sampling_rate
        self._seed = seed
        self._weights = np.ones(samples) if method.sample_weight is None else method.sample_weight
        # The weights below have a mean over all draws that may be of this size.
        is_mean = method.reduction == "mean"
        self._divisor = self.batch_size * self._weights.mean() if is_mean else 1.0

    def odds(self) -> FloatArray:
        """The probability of each sample, (samples,)."""
        power = np.exp(self.tau - self.tau.max())
        q: FloatArray = power / power.sum()
        return q

    def batch(self, j: int) -> Batch:
        """The draws of iteration j, with replacement, by inversion of the cumulated odds."""
        q = self.odds()
        u = uniform(self.batch_size, j, self._seed)
        self._drawn = np.searchsorted(np.cumsum(q)[:-1], u, side="right")
        weights = self._weights[self._drawn] / (self.samples * q[self._drawn])
        return Batch(self._drawn, weights[:, None], self._divisor)

    def learn(self, squared_norms: FloatArray) -> None:
        """Descend tau, given the squared norm of each draw's weighted derivative.

        The derivative of log q_i by tau_k is 1 - q_k for k = i, else -q_k. With g_i the squared
        norms of what was drawn of sample i, and G of all draws, that sums up to g_i - q_i * G; and
        since the two may be far larger than their difference and tau, it is written as
        g_i * (1 - q_i) - q_i * (G - g_i).
        """
        drawn = np.zeros(self.samples)
        np.add.at(drawn, self._drawn, squared_norms)
        q = self.odds()
        change = drawn * _others(q) - q * _others(drawn)
        self.tau += self._rate / self.batch_size * change


def _others(values: FloatArray) -> FloatArray:
    """The sum of all others, for each: added up where most of the total would be taken off."""
    others: FloatArray = values.sum() - values
    largest = values.argmax()
    others[largest] = np.delete(values, largest).sum()
    return others


def _column(weights: FloatArray | None) -> FloatArray | None:
    return None if weights is None else weights.reshape(-1, 1)
