"""Scores of predictions, of numbers and of classes, and the losses that select networks."""

from collections.abc import Callable, Mapping
from math import fsum, sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.options import Method
from fastgd.checks.messages import many
from fastgd.checks.numbers import FloatArray, check_choice
from fastgd.engine.formula_values import evaluate, value_of
from fastgd.formulas.named import loss_of
from fastgd.tables.column_values import in_order, texts_shown, weighted_mean
from fastgd.tables.targets import ClassTarget, NumberTarget, Target

Scores = dict[str, float]

_LEAST = 1e-15
"""Least probability in a log loss, since 0 would cost infinitely much; scikit-learn's ``log_loss``
had the same bound."""

RECALL = "recall of "
"""What the name of a class's recall begins with."""

Score = Literal[
    "accuracy", "balanced_accuracy", "roc_auc", "neg_log_loss",
    "r2", "neg_mean_absolute_error", "neg_median_absolute_error", "neg_root_mean_squared_error",
]  # fmt: skip
SCORING = {
    True: {
        "accuracy": ("accuracy", 1), "balanced_accuracy": ("balanced accuracy", 1),
        "roc_auc": ("AUC", 1), "neg_log_loss": ("log loss", -1),
    },
    False: {
        "r2": ("R squared", 1), "neg_mean_absolute_error": ("mean |error|", -1),
        "neg_median_absolute_error": ("median |error|", -1),
        "neg_root_mean_squared_error": ("root mean square", -1),
    },
}  # fmt: skip
"""For classes and for numbers, scikit-learn's names of scores: ours, and 1 if more is better."""


def scores_of(
    target: Target,
    outputs: FloatArray,
    encoded: FloatArray,
    objective: Mapping[str, Any] | None = None,
    weights: FloatArray | None = None,
) -> Scores:
    """Return the scores of outputs (rows, outputs), given the encoded targets, as scikit-learn's.

    For classes: accuracy; balanced accuracy, the mean of the recalls; AUC, the area under the ROC
    curve (of more than two classes, the mean of each against the rest); log loss; and recall of
    each class, the fraction of its rows that is found. For numbers, in the target's unit: mean and
    median absolute error and root mean squared error; R squared, the fraction of the variance that
    is explained (NaN if the variance is 0); and the loss, if it is none of these.

    Examples
    --------
    >>> target = NumberTarget("price", mean=10.0, scale=2.0)
    >>> scores_of(target, np.array([[1.0], [0.0]]), np.array([[1.0], [1.0]]))["mean |error|"]
    1.0
    """
    weights = np.ones(len(encoded)) if weights is None else weights
    if isinstance(target, ClassTarget):
        return _of_classes(target, outputs, encoded, weights)
    y, errors = encoded[:, 0], (outputs - encoded)[:, 0]
    square = weighted_mean(errors**2, weights)
    spread = weighted_mean((y - weighted_mean(y, weights)) ** 2, weights)
    found = {
        "mean |error|": weighted_mean(np.abs(errors), weights) * target.scale,
        "median |error|": quantile_of(np.abs(errors), weights, 0.5) * target.scale,
        "root mean square": sqrt(square) * target.scale,
        "R squared": 1 - square / spread if np.ptp(y) and spread else np.nan,
    }
    objective = objective or {"loss": "squared"}
    loss = objective.get("loss", "squared")
    if loss_of(loss).units == 1 and loss not in ("squared", "absolute", "cross_entropy"):
        value = mean_loss(objective, outputs, encoded, weights)
        if loss == "poisson":
            value -= mean_loss(objective, encoded, encoded, weights)
            found["Poisson deviance"] = 2 * value * target.scale
        elif loss == "quantile":
            found["quantile loss"] = value * target.scale
            found["share below"] = weighted_mean(errors >= 0, weights)
        else:
            found[f"{loss} loss" if isinstance(loss, str) else "loss"] = value
    return {name: float(score) for name, score in found.items()}


def scorer_of(
    target: Target,
    encoded: FloatArray,
    scoring: str | None = None,
    objective: Mapping[str, Any] | None = None,
    weights: FloatArray | None = None,
) -> tuple[str, Callable[[FloatArray], float]]:
    """Return what worsening is called, and the score of outputs, of which more is better.

    By default it is the mean absolute error, or for classes the log loss.
    """
    known = SCORING[isinstance(target, ClassTarget)]
    default = "neg_log_loss" if isinstance(target, ClassTarget) else "neg_mean_absolute_error"
    scoring = default if scoring is None else check_choice("scoring", scoring, list(known))
    name, sign = known[scoring]
    weights = np.ones(len(encoded)) if weights is None else weights

    def score(outputs: FloatArray) -> float:  # two of them without the others, which take 2 ms
        if name == "mean |error|":
            value = weighted_mean(np.abs(outputs - encoded)[:, 0], weights) * target.scale  # type: ignore[union-attr]
        elif name == "log loss":
            value = mean_loss({"loss": "cross_entropy"}, outputs, encoded, weights)
        else:
            value = scores_of(target, outputs, encoded, objective, weights)[name]
        return sign * value

    return f"{'rise' if sign < 0 else 'fall'} of {name}", score


def _of_classes(
    target: ClassTarget, outputs: FloatArray, encoded: FloatArray, weights: FloatArray
) -> Scores:
    truth, guess = encoded.argmax(axis=1), outputs.argmax(axis=1)
    hits, known = truth == guess, np.unique(truth)
    recalls = [weighted_mean(hits[truth == k], weights[truth == k]) for k in known]
    compared = known if len(target.classes) > 2 else [1]
    return {
        "accuracy": weighted_mean(hits, weights),
        "balanced accuracy": fsum(recalls) / len(recalls),
        "AUC": fsum(_area(outputs[:, k], truth == k, weights) for k in compared) / len(compared),
        "log loss": mean_loss({"loss": "cross_entropy"}, outputs, encoded, weights),
        **{RECALL + target.classes[k]: recall for k, recall in zip(known, recalls, strict=True)},
    }


def _area(score: FloatArray, positive: NDArray[np.bool_], weights: FloatArray) -> float:
    """The area under the ROC curve: how often a positive row scores higher; ties count 1/2."""
    _, level = np.unique(score, return_inverse=True)
    ours, others = (np.bincount(level, weights * side) for side in (positive, ~positive))
    pairs = in_order(ours) * in_order(others)
    return in_order(ours * (np.cumsum(others) - others / 2)) / pairs if pairs else np.nan


def quantile_of(values: FloatArray, weights: FloatArray, tau: float) -> float:
    """Return the weighted quantile of (rows,) values; between two of them it is their mean."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    ends = [int(np.searchsorted(total, tau * total[-1], side)) for side in ("left", "right")]
    low, high = (order[min(end, len(order) - 1)] for end in ends)
    return float(values[low] + values[high]) / 2


def constant_of(
    objective: Mapping[str, Any], encoded: FloatArray, weights: FloatArray, shape: tuple[int, ...]
) -> FloatArray:
    """Return the same outputs for all rows: the mean (for classes the frequencies), or a quantile.

    It is the one with the smallest loss, of the losses that have a name.
    """
    constant: Any = [weighted_mean(column, weights) for column in encoded.T]
    if objective["loss"] in ("absolute", "quantile"):
        constant = quantile_of(encoded[:, 0], weights, objective.get("tau", 0.5))
    return np.broadcast_to(constant, shape)


def mean_loss(
    objective: Mapping[str, Any], outputs: FloatArray, encoded: FloatArray, weights: FloatArray
) -> float:
    """Return the mean loss of outputs (rows, outputs): log loss, squared error, or another one."""
    loss = objective["loss"]
    if loss == "cross_entropy":
        each = -evaluate("log", np.clip((outputs * encoded).sum(axis=1), _LEAST, None))
    elif loss == "squared":
        each = ((outputs - encoded) ** 2)[:, 0]
    else:
        formula = Method(**objective).formula("loss")
        assert formula is not None
        if loss == "poisson":  # an output may have underflowed
            outputs = np.maximum(outputs, _LEAST)
        each = value_of(formula, encoded[:, 0], outputs[:, 0])
    return weighted_mean(each, weights)


SKEWED = 5.0
"""Skewness above which a note names a loss that heeds outliers less.

The logarithm of the target as a second target of the search (smearing: Duan, JASA 78, 1983), chosen
where its cross-validated squared error was 5 % smaller, took twice the time. On 36 splits of 18
skewed tables it was chosen 9 times; unseen rows were predicted better 6 times, and once far worse.
"""


def skewness_note(name: str, values: NDArray[Any], objective: Mapping[str, Any]) -> list[str]:
    """Say that a few numbers decide the squared error, if they do."""
    if objective["loss"] != "squared":
        return []
    off = values - weighted_mean(values, np.ones(len(values)))
    with np.errstate(all="ignore"):
        skewness = in_order(off**3) * len(off) ** 0.5 / in_order(off**2) ** 1.5
    text = f"{name}: very skewed (skewness {skewness:.2g}): its most distant numbers decide the "
    text += "squared error; loss='absolute' (--loss absolute) heeds them less"
    return [text] if abs(skewness) > SKEWED else []


RARE = """class_weight="balanced" and scoring="balanced_accuracy" make rare classes count as much \
(--class-weight balanced --scoring balanced_accuracy)"""
"""The advice where a class is never predicted."""


def judged(
    target: Target,
    found: Mapping[str, FloatArray],
    encoded: FloatArray,
    objective: Mapping[str, Any],
    weights: FloatArray,
    advice: str = RARE,
) -> tuple[dict[str, Scores], str]:
    """Return the scores of outputs, and a line if a model's are no better than a constant's.

    Numbers are compared by the loss that was asked for, classes by accuracy. If classes are never
    predicted, the line names them, or ends in the ``advice``.
    """
    known = encoded, objective, weights
    scores = {name: scores_of(target, outputs, *known) for name, outputs in found.items()}
    mine, constant = found["model"], found["constant"]
    if isinstance(target, NumberTarget):
        ours, theirs = (mean_loss(objective, o, encoded, weights) for o in (mine, constant))
        loss = objective["loss"]
        what = f"{loss} {'error' if loss in ('squared', 'absolute') else 'loss'}"
        what = what if isinstance(loss, str) else "loss"
        bad = f"{target.name}: by {what} not better than always saying the same number"
        return scores, "" if ours < theirs else bad
    truth, said = encoded.argmax(axis=1), int(constant[0].argmax())
    classes, rest, guess = np.unique(truth), truth != said, mine.argmax(axis=1)
    if len(classes) == 1:
        only = f"the test set has only {target.classes[classes[0]]}"
        return scores, f"{target.name}: {only}: accuracy says little"
    never = [k for k in classes if k not in guess]
    advice = advice if never else ""
    ours, theirs = (scores[name]["accuracy"] for name in ("model", "constant"))
    recall = scores["model"]["balanced accuracy"]
    # Fewer mistakes by a tenth are enough, or that classes are told apart.
    least = 1 / len(classes) + (0.02 if ours > theirs else 0.1)
    if 1 - ours < 0.9 * (1 - theirs) or recall > least:
        rows = f"{int(np.isin(truth, never).sum()):,} of {many(len(truth), 'test row')}"
        unsaid = f"{texts_shown([target.classes[k] for k in never])} ({rows}): never predicted"
        return scores, f"{target.name}: {unsaid}; {advice}" if advice else ""
    how = "hardly better than" if ours > theirs else "not as good as"
    how = "as good as" if ours == theirs else how
    others = "others" if len(target.classes) > 2 else target.classes[1 - said]
    line = (
        f"{target.name}: by accuracy {how} always saying {target.classes[said]} "
        f"({100 * theirs:.1f} %): it finds {int((guess == truth)[rest].sum()):,} of "
        f"the {int(rest.sum()):,} {others}"
    )
    return scores, f"{line}; {advice}" if advice else line
