"""How good predictions are: of numbers and of classes, beside what needs no network."""

import numpy as np

from fastgd.arguments.data import FloatArray
from fastgd.tables.targets import ClassTarget, Target

Scores = dict[str, float]

_LEAST = 1e-15
"""A probability of 0 would cost without bound; scikit-learn's ``log_loss`` had this bound."""


def scores_of(target: Target, outputs: FloatArray, encoded: FloatArray) -> Scores:
    """Return the scores of outputs (rows, outputs) for targets as the network learns them.

    Of classes: the share of rows whose class has the largest output, and the mean of -log of the
    probability of the true class. Of numbers, in the target's unit: the mean |error|, the root of
    the mean squared error, and the share of the variance that is explained (R squared; NaN if there
    is no variance).

    Examples
    --------
    >>> from fastgd.tables.targets import NumberTarget
    >>> target = NumberTarget("price", mean=10.0, scale=2.0)
    >>> scores_of(target, np.array([[1.0], [0.0]]), np.array([[1.0], [1.0]]))
    {'mean |error|': 1.0, 'root mean square': 1.4142135623730951, 'R squared': nan}
    """
    if isinstance(target, ClassTarget):
        hits = outputs.argmax(axis=1) == encoded.argmax(axis=1)
        return {"accuracy": float(hits.mean()), "log loss": loss_of(target, outputs, encoded)}
    errors = (outputs - encoded)[:, 0]
    spread = float(np.var(encoded))
    mean_square = float(np.mean(errors**2))
    return {
        "mean |error|": float(np.abs(errors).mean()) * target.scale,
        "root mean square": mean_square**0.5 * target.scale,
        "R squared": 1 - mean_square / spread if spread else np.nan,
    }


def loss_of(target: Target, outputs: FloatArray, encoded: FloatArray) -> float:
    """Return what decides between networks: mean -log probability, or the mean squared error."""
    if isinstance(target, ClassTarget):
        chosen = (outputs * encoded).sum(axis=-1)
        return float(-np.log(np.clip(chosen, _LEAST, None)).mean())
    return float(np.mean((outputs - encoded) ** 2))


def constant_outputs(encoded: FloatArray, rows: int) -> FloatArray:
    """Return the outputs of what knows the targets only: their mean, or the classes' shares.

    The largest share is that of the most frequent class.
    """
    return np.broadcast_to(encoded.mean(axis=0), (rows, encoded.shape[1]))
