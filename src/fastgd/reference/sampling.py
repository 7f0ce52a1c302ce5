"""Which samples an update uses: epochs of mini-batches, or draws with learned probabilities."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.options import Method
from fastgd.checks.numbers import FloatArray
from fastgd.reference.philox import shuffled, uniform


class Batch(NamedTuple):
    """The samples of one update."""

    places: slice | NDArray[np.int64]
    weights: FloatArray | None  # (samples, 1): the factor of each sample's loss
    divisor: float  # of the derivatives


class Sampler(Protocol):
    """Decides which samples an update uses."""

    per_epoch: int
    tau: FloatArray  # (samples,): logits of the learned sampling distribution; (0,) if none

    def batch(self, j: int) -> Batch:
        """The samples of iteration j."""
        ...


class Epochs:
    """Every sample once per epoch, in batches of equal size except for the last one."""

    def __init__(self, samples: int, method: Method) -> None:
        self.samples = samples
        self.batch_size = method.batch_size or samples
        self.per_epoch = -(-samples // self.batch_size)
        self._in_order = method.batch_size is None or not method.shuffle
        self._seed = method.shuffle_seed
        weight = method.sample_weight
        self._weights = None if weight is None else weight.reshape(-1, 1)
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
        return Batch(places, weights, total or 1.0)  # a batch of weight 0 has derivative 0


class Adaptive:
    """Batches that prefer samples with large gradients.

    Bouchard et al., arXiv 1506.09016, Algorithm 1.

    The sampling probabilities q are a softmax of ``tau``, which is itself trained: by descent on
    the variance of the weighted gradient. Dividing by N q keeps the expected gradient of a draw
    equal to the mean over all samples, for any q.
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
        # The mean of the weights below, over all draws, corresponds to this total.
        is_mean = method.reduction == "mean"
        self._divisor = self.batch_size * self._weights.mean() if is_mean else 1.0

    def odds(self) -> FloatArray:
        """The probability of each sample, (samples,)."""
        power = np.exp(self.tau - self.tau.max())
        q: FloatArray = power / power.sum()
        return q

    def batch(self, j: int) -> Batch:
        """The draws of iteration j, with replacement, by inverting the cumulative distribution."""
        q = self.odds()
        u = uniform(self.batch_size, j, self._seed)
        self._drawn = np.searchsorted(np.cumsum(q)[:-1], u, side="right")
        weights = self._weights[self._drawn] / (self.samples * q[self._drawn])
        return Batch(self._drawn, weights[:, None], self._divisor)

    def learn(self, squared_norms: FloatArray) -> None:
        """Update tau, given the squared norm of each draw's weighted gradient.

        The derivative of log q_i by tau_k is 1 - q_k for k = i, otherwise -q_k. Let g_i be the sum
        of the squared norms over the draws of sample i, and G their sum over all draws. Then tau_i
        moves in proportion to g_i - q_i * G. Both terms may be far larger than their difference and
        than tau, so it is computed as g_i * (1 - q_i) - q_i * (G - g_i).
        """
        drawn = np.zeros(self.samples)
        np.add.at(drawn, self._drawn, squared_norms)
        q = self.odds()
        change = drawn * _others(q) - q * _others(drawn)
        self.tau += self._rate / self.batch_size * change


def _others(values: FloatArray) -> FloatArray:
    """For each value the sum of all others; for the largest by summing, to avoid cancellation."""
    others: FloatArray = values.sum() - values
    largest = values.argmax()
    others[largest] = np.delete(values, largest).sum()
    return others
