"""Scores of predictions, of numbers and of classes."""

import numpy as np

from fastgd.arguments.data import FloatArray
from fastgd.tables.targets import ClassTarget, Target

Scores = dict[str, float]

_LEAST = 1e-15
"""Least probability in a log loss, since 0 would cost infinitely much; scikit-learn's ``log_loss``
had the same bound."""


def scores_of(target: Target, outputs: FloatArray, encoded: FloatArray) -> Scores:
    """Return the scores of outputs (rows, outputs), given the encoded targets.

    For classes: accuracy, the fraction of rows whose largest output is that of the true class, and
    log loss, the mean of -log of the probability of the true class. For numbers, in the target's
    unit: mean absolute error and root mean squared error; and R squared, the fraction of the
    variance that is explained (NaN if the variance is 0).

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
    """Return the loss that selects networks: mean -log probability, or mean squared error."""
    if isinstance(target, ClassTarget):
        chosen = (outputs * encoded).sum(axis=-1)
        return float(-np.log(np.clip(chosen, _LEAST, None)).mean())
    return float(np.mean((outputs - encoded) ** 2))
