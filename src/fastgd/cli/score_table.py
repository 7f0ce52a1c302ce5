"""Scores of a model as a table, next to baselines without a network."""

from typing import TYPE_CHECKING

from fastgd.cli.terminal import TableRows, fits, print_table
from fastgd.models.model import Model
from fastgd.models.scores import RECALL, Scores

if TYPE_CHECKING:
    from rich.console import Console


LONG = 12
"""Longer names of scores are broken in headings."""


def print_scores(console: "Console", model: Model) -> None:
    """Print the scores of a model, of a linear one and of a constant."""
    names = {"model": "this model", "linear": "a linear model", "constant": "a constant"}
    if model.classes is not None:
        names["constant"] = "the most frequent class"
    elif model.runs[0].options.get("loss", "squared") == "squared":
        names["constant"] = "the mean"
    first = _shown(next(iter(model.scores.values())))
    rows: TableRows = [
        (names.get(which, which), *(score_text(name, scores[name]) for name in first))
        for which, scores in model.scores.items()
    ]
    headings = [name.replace(" ", "\n", 1) if len(name) > LONG else name for name in first]
    headings = ["<", *(f">{name}" for name in headings)]
    if not fits(console, headings, rows):
        headings = [name.replace(" ", "\n") for name in headings]
    print_table(console, headings, rows)


def _shown(scores: Scores) -> list[str]:
    """The names of scores, without the recalls: there is one for each class."""
    return [name for name in scores if not name.startswith(RECALL)]


def score_text(name: str, score: float) -> str:
    """A score with as many digits as are meaningful."""
    if name in ("accuracy", "balanced accuracy", "share below"):
        return f"{100 * score:.1f} %"
    return f"{score:.3f}" if name in ("R squared", "log loss", "AUC") else number_text(score)


def number_text(value: float) -> str:
    """A number with five digits, without exponent unless it is very large or small.

    Examples
    --------
    >>> number_text(437545.2), number_text(43.75452), number_text(4.3e-7)
    ('437,545', '43.755', '4.3e-07')
    """
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e12 else f"{value:.5g}"


def scores_line(scores: Scores) -> str:
    """Scores side by side."""
    return ", ".join(f"{name} {score_text(name, scores[name])}" for name in _shown(scores))
