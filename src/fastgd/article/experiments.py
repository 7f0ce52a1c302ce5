"""The article's experiments as data, and the numbers that it publishes for them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Experiment:
    """One experiment of the article: the network, its data and its training."""

    name: str  # its value of --experiment
    title: str
    part: str  # its place in the article
    X: tuple[tuple[int, ...], ...]  # a row for each sample
    y: tuple[int, ...]
    hidden_size: tuple[int, ...]
    alphas: tuple[float, ...]  # one setting each
    takeaway: str  # the lesson that the article draws
    iterations: int = 60_000
    record_every: int = 10_000
    published: str = ""  # key of its numbers in published.json; empty if the article prints none
    shows_output: bool = False  # whether the article's code ends with print layer_1


_XOR: dict[str, Any] = {"X": ((0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1)), "y": (0, 1, 1, 0)}
_ALPHAS = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)

EXPERIMENTS = (
    Experiment(
        name="two-layer",
        title="2 layers: 2 inputs, no hidden layer, 1 output",
        part="part 4",
        X=((0, 1), (0, 1), (1, 0), (1, 0)),
        y=(0, 0, 1, 1),
        hidden_size=(),
        alphas=(1.0,),
        iterations=10_000,
        record_every=2_000,
        shows_output=True,
        takeaway="The output follows the first input: its weight ends high, the other one low.",
    ),
    Experiment(
        **_XOR,
        name="thirteen-lines",
        title="The 13 lines: 3-4-1, alpha 0.5",
        part="the code at the top",
        hidden_size=(4,),
        alphas=(0.5,),
        takeaway="Thirteen lines learn XOR. (The listing sets no seed; this is seed 1.)",
    ),
    Experiment(
        **_XOR,
        name="alpha",
        title="Tuning alpha: 3-4-1, seven alphas",
        part="part 5, improvement 1",
        hidden_size=(4,),
        alphas=_ALPHAS,
        published="hidden_4",
        takeaway=(
            "Tiny alpha: derivatives hardly ever change direction, weights stay small. Best alpha "
            "(10): they change it a ton. Huge alpha: a medium amount, and the weights get huge."
        ),
    ),
    Experiment(
        **_XOR,
        name="hidden-32",
        title="A larger hidden layer: 3-32-1, seven alphas",
        part="part 5, improvement 2",
        hidden_size=(32,),
        alphas=_ALPHAS,
        published="hidden_32",
        takeaway=(
            "More hidden units search more of the space at once: after 60,000 iterations the best "
            "error is 0.0009; with 4 units it was 0.0013."
        ),
    ),
)


class Published(NamedTuple):
    """The numbers that the article prints for one alpha; empty where it prints none."""

    errors: list[float] | None = None
    weights: Sequence[ArrayLike] = ()
    direction_changes: Sequence[ArrayLike] = ()
    note: str = ""


def published(experiment: Experiment) -> dict[float, Published]:
    """Return the numbers that the article prints, for each alpha of an experiment.

    Examples
    --------
    >>> published(EXPERIMENTS[2])[10.0].errors[-1]
    0.00131274062834
    """
    entries = _file()[experiment.published] if experiment.published else []
    return {
        entry["alpha"]: Published(**{k: v for k, v in entry.items() if k != "alpha"})
        for entry in entries
    }


def source() -> str:
    """Return the source of the published numbers."""
    return str(_file()["source"])


@cache
def _file() -> dict[str, Any]:
    text = files("fastgd.article").joinpath("published.json").read_text(encoding="utf-8")
    return dict(json.loads(text))
