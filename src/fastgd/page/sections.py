"""The page's sections, in the order of the article."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastgd.experiments import EXPERIMENTS
from fastgd.page import calls
from fastgd.page.pictures import Picture

CHANGES = (5.0, 3.0)
TALL = (5.0, 5.4)


@dataclass(frozen=True)
class Section:
    """One part of the page.

    Attributes
    ----------
    name : str
        An experiment's name, or an anchor of its own.
    title, part, text : str
        Its heading, where in the article it stands, and what to see.
    pictures : sequence of Picture
    """

    name: str
    title: str
    part: str
    text: str
    pictures: Sequence[Picture]

    @property
    def is_experiment(self) -> bool:
        """Whether it is one of `EXPERIMENTS`."""
        return self.name in _EXPERIMENTS


_EXPERIMENTS = {experiment.name: experiment for experiment in EXPERIMENTS}


def _experiment(name: str, *pictures: Picture) -> Section:
    """Make the section of an experiment, with its own words."""
    experiment = _EXPERIMENTS[name]
    return Section(name, experiment.title, experiment.part, experiment.takeaway, pictures)


SECTIONS = (
    _experiment(
        "thirteen-lines",
        Picture(
            calls.thirteen_lines,
            "The error of the thirteen lines while they learn XOR.",
            "A falling curve: the mean error is 0.496 at first, 0.099 after 1,000 iterations, "
            "0.013 after 10,000 and 0.0046 after 60,000.",
        ),
    ),
    _experiment(
        "two-layer",
        Picture(
            calls.two_layer,
            "The two weights: that of the first input ends high, the other one low.",
            "Two curves: the weight of input 1 rises from -0.17 to 5.28, that of input 2 falls "
            "from 0.44 to -5.28.",
        ),
    ),
    _experiment(
        "alpha",
        Picture(
            calls.alphas,
            "The error while it learns, for each alpha: 10 learns best.",
            "Seven curves. With alpha 0.001 the error is still 0.482 after 60,000 iterations; the "
            "larger alpha is, the faster and farther it falls, up to alpha 10, where it is 0.0012. "
            "With alpha 100 it stays at 0.125, with 1000 at 0.5.",
        ),
        Picture(
            calls.takeaways,
            "The takeaways in one picture: where alpha is best, derivatives change their direction "
            "most.",
            "Two curves over alpha, from 0.001 to 1000, medians of 100 seeds. The final error is "
            "smallest at alpha 10, 0.0011, and there are the most direction changes: 169, against "
            "10 at alpha 0.001 and 8 at 1000.",
            size=TALL,
        ),
        Picture(
            calls.changes_of_a_tiny_alpha,
            "Tiny alpha: derivatives hardly ever change direction.",
            "Heat maps of both layers for alpha 0.001: every weight has 0 or 1 changes.",
            size=CHANGES,
        ),
        Picture(
            calls.changes_of_the_best_alpha,
            "Best alpha: they change it a ton.",
            "Heat maps of both layers for alpha 10: up to 26 changes, and on average 12.",
            size=CHANGES,
        ),
        Picture(
            calls.changes_of_a_huge_alpha,
            "Huge alpha: a medium amount.",
            "Heat maps of both layers for alpha 1000: 1 to 7 changes each.",
            size=CHANGES,
        ),
    ),
    _experiment(
        "hidden-32",
        Picture(
            calls.hidden_sizes,
            "With 32 hidden units each alpha ends lower than with 4.",
            "Six curves. After 60,000 iterations the error with 4 hidden units is 0.0116, 0.0032 "
            "and 0.0012 for alpha 0.1, 1 and 10; with 32 units it is 0.0097, 0.0027 and 0.0009.",
        ),
        Picture(
            calls.solved,
            "How many seeds learn XOR at all: 3 units can do it, more of them find it more often.",
            "Two curves over the number of hidden units, one for alpha 1 and one for alpha 10. "
            "With 1 unit no seed learns XOR; with 2 it is 28 % and 6 % of them, with 3 it is 89 % "
            "and 98 %, from 4 on all of them.",
        ),
    ),
)
