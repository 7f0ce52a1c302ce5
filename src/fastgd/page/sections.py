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
            "A curve: the mean error stays near 0.5 for the first thousand iterations, falls to "
            "0.02 within 10,000, and to 0.005 after 60,000.",
        ),
    ),
    _experiment(
        "two-layer",
        Picture(
            calls.two_layer,
            "The two weights: that of the first input ends high, the other one low.",
            "Two curves that start near 0: the weight of input 1 rises to 5.3, that of input 2 "
            "falls to the same number below 0.",
        ),
    ),
    _experiment(
        "alpha",
        Picture(
            calls.alphas,
            "The error while it learns, for each alpha: 10 learns best.",
            "Seven curves. With alpha 0.001 the error stays near 0.49, with larger alphas up to "
            "10 it falls faster and farther, to 0.0012. With alpha 100 it stays at 0.125, with "
            "1000 at 0.5.",
        ),
        Picture(
            calls.takeaways,
            "The takeaways in one picture: where alpha is best, derivatives change their direction "
            "most.",
            "Two curves over alpha, from 0.001 to 1000. The final error is smallest at alpha 10, "
            "and so many direction changes as there, nearly 200, no other alpha has.",
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
            "Heat maps of both layers for alpha 10: most weights have 4 to 26 changes.",
            size=CHANGES,
        ),
        Picture(
            calls.changes_of_a_huge_alpha,
            "Huge alpha: a medium amount.",
            "Heat maps of both layers for alpha 1000: most weights have a few changes.",
            size=CHANGES,
        ),
    ),
    _experiment(
        "hidden-32",
        Picture(
            calls.hidden_sizes,
            "With 32 hidden units (dashed or in the other colours) each alpha ends lower than with 4.",
            "Six curves: for alpha 0.1, 1 and 10 the error with 32 hidden units is below the one "
            "with 4 after 60,000 iterations.",
        ),
        Picture(
            calls.solved,
            "How many seeds learn XOR at all: 3 units can do it, more of them find it more often.",
            "Two curves over the number of hidden units. With 1 unit no seed learns XOR, with 2 "
            "few, with 3 nine in ten, from 4 on nearly all.",
        ),
    ),
)
