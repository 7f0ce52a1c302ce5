"""The page's sections in the order of the article, and the code of their figures.

The page shows the bodies of the functions of figures, below the imports. Where a body uses X and y,
it shows them, too. In the place of a parameter it has the argument.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import fastgd
import fastgd.plots
from fastgd.article.experiments import EXPERIMENTS
from fastgd.article.page.markup import PageFigure
from fastgd.optimizers import ALL
from fastgd.workers.compiling import ShortCall

X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
y = [0, 1, 1, 0]


def thirteen_lines() -> Any:
    """Errors of the 13 lines."""
    run = fastgd.train(X, y, hidden_size=4, alpha=0.5, record_every=100)
    return fastgd.plots.errors(run)


def race() -> Any:
    """All optimizers on XOR."""
    import matplotlib.pyplot as plt

    race = fastgd.race(X, y, hidden_size=4, iterations=1000)
    figure = plt.figure(layout="constrained")
    curves, plane = (half.subplots() for (half,) in figure.subfigures(2, squeeze=False))
    return fastgd.plots.race(race, race.surface(), ax=(curves, plane))


def ball() -> Any:
    """One ball in a bucket."""
    rolled = fastgd.bucket.roll(curve="x**2", start=-3, alpha=0.1, record_path=True)
    return fastgd.plots.roll(rolled)


def _example(name: str) -> Any:
    """Balls of one of the article's problems."""
    example = fastgd.bucket.EXAMPLES[name]
    rolled = example.roll()
    return fastgd.plots.roll(rolled, window=example.window)


slopes_too_big = partial(_example, name="too-big")
local_minimum = partial(_example, name="local-minimum")
slopes_too_small = partial(_example, name="rut")
flat_stretch = partial(_example, name="too-small")


def basins() -> Any:
    """Solution 2."""
    found = fastgd.bucket.basins(balls=100)
    return fastgd.plots.basins(found)


def error_plane() -> Any:
    """The loss surface in 3-D."""
    X = [[0, 1], [0, 1], [1, 0], [1, 0]]
    y = [0, 0, 1, 1]
    run = fastgd.train(
        X,
        y,
        hidden_size=(),
        iterations=10_000,
        record_every=1,
        record_weights=True,
    )
    plane = fastgd.surface(X, y, run, span=(-10, 10))
    return fastgd.plots.surface(plane, kind="3d", paths=run)


def error_plane_from_above() -> Any:
    """The loss surface from above."""
    X = [[0, 1], [0, 1], [1, 0], [1, 0]]
    y = [0, 0, 1, 1]
    run = fastgd.train(
        X,
        y,
        hidden_size=(),
        iterations=10_000,
        record_every=1,
        record_weights=True,
    )
    plane = fastgd.surface(X, y, run, span=(-10, 10))
    return fastgd.plots.surface(plane, paths=run)


def two_layer() -> Any:
    """Paths of the two weights."""
    X = [[0, 1], [0, 1], [1, 0], [1, 0]]
    y = [0, 0, 1, 1]
    run = fastgd.train(
        X, y, hidden_size=(), iterations=10_000, record_every=10, record_weights=True
    )
    return fastgd.plots.weight_paths(run)


def alphas() -> Any:
    """Errors of the seven alphas."""
    alphas = [0.001, 0.01, 0.1, 1, 10, 100, 1000]
    sweep = fastgd.sweep(X, y, hidden_size=4, alpha=alphas, record_every=500)
    return fastgd.plots.errors(sweep)


def takeaways() -> Any:
    """Alpha against error and direction changes."""
    alphas = [0.001, 0.01, 0.1, 1, 10, 100, 1000]
    sweep = fastgd.sweep(X, y, hidden_size=4, alpha=alphas, seed=range(100))
    return fastgd.plots.takeaways(sweep)


def _changes(value: float) -> Any:
    """Direction changes with one alpha."""
    run = fastgd.train(X, y, hidden_size=4, alpha=value)
    return fastgd.plots.direction_changes(run)


changes_of_a_tiny_alpha = partial(_changes, value=0.001)
changes_of_the_best_alpha = partial(_changes, value=10)
changes_of_a_huge_alpha = partial(_changes, value=1000)


def hidden_sizes() -> Any:
    """Errors with 4 and with 32 hidden units."""
    sweep = fastgd.sweep(X, y, hidden_size=[4, 32], alpha=[0.1, 1, 10], record_every=500)
    return fastgd.plots.errors(sweep)


def solved() -> Any:
    """Fraction of seeds that learn XOR."""
    sweep = fastgd.sweep(
        X,
        y,
        hidden_size=[1, 2, 3, 4, 6, 8],
        alpha=[1, 10],
        seed=range(200),
        iterations=10_000,
    )
    return fastgd.plots.solved(sweep)


# ---------------------------------------------------------------- sections

CHANGES = (5.0, 3.0)
PLANE = (5.0, 4.2)
TALL = (5.0, 5.4)


@dataclass(frozen=True)
class Section:
    """One section of the page."""

    name: str  # an experiment's name, or an anchor of its own
    title: str
    part: str  # its place in the article; empty if that has no such part
    text: str
    figures: Sequence[PageFigure]
    live: str = ""  # what the page's script adds to it: a section of fastgd.article.page.live
    question: str = ""  # which the text answers

    @property
    def is_experiment(self) -> bool:
        """Whether it is one of `EXPERIMENTS`."""
        return self.name in _EXPERIMENTS


_EXPERIMENTS = {experiment.name: experiment for experiment in EXPERIMENTS}


def _experiment(name: str, *figures: PageFigure, live: str = "", more: str = "") -> Section:
    """Make the section of an experiment, with its title and takeaway, and ``more`` text."""
    experiment = _EXPERIMENTS[name]
    text = f"{experiment.takeaway} {more}".strip()
    return Section(name, experiment.title, experiment.part, text, figures, live)


SECTIONS = (
    Section(
        "bucket",
        "The ball in the bucket",
        'parts 2 and 3, "Gradient Descent" and "Sometimes It Breaks"',
        "The slope at its place says both: the ball goes against the slope, by alpha times the "
        "slope, again and again, until the slope is 0. That finds the bottom of a bucket. It can "
        "fail where slopes are too big, where there is a local minimum, and where slopes are too "
        "small.",
        (
            PageFigure(
                ball,
                "The ball rolls to the bottom: steps get smaller as the slope does.",
                "A parabola: the ball starts at -3 and converges to 0 in 101 ever smaller steps.",
            ),
            PageFigure(
                slopes_too_big,
                "Problem 1: where slopes are too big, each step overshoots to a steeper place, "
                "and the ball diverges. Solution 1: a smaller alpha.",
                "A parabola with two balls that start at 1: with alpha 1.05 one jumps from side to "
                "side, ever higher, and diverges; with alpha 0.1 the other one converges.",
            ),
            PageFigure(
                local_minimum,
                "Problem 2: which minimum a ball finds depends on where it starts.",
                "A curve with two minima. From 2 a ball ends in the shallower one at 1.13, from "
                "-2 in the deeper one at -1.30.",
            ),
            PageFigure(
                basins,
                "Solution 2: 100 random balls end in 5 places; the colors show which starts lead "
                "to each.",
                "A curve with five minima and five colored stretches, in which 14, 22, 19, 25 and "
                "20 balls end.",
            ),
            PageFigure(
                slopes_too_small,
                "Problem 3: with too small an alpha the ball gets stuck in the first rut. Solution "
                "3: a larger alpha.",
                "A wide bowl with a rut on its side. From 4 a ball with alpha 0.01 ends in the rut "
                "near 3; one with alpha 1 rolls on to the bottom at 0.",
            ),
            PageFigure(
                flat_stretch,
                "The other symptom: where it is flat, convergence takes very long or never begins.",
                "A curve that is flat on the right. From 5 a ball does not move at all; from 3 one "
                "with alpha 0.1 still rolls after 2,000 steps, and one with alpha 0.9 converges.",
            ),
        ),
        question="Which way is down, and how far?",
        live="bucket",
    ),
    Section(
        "error-plane",
        "The loss surface",
        'part 4, "2 Layer Neural Network"',
        "A network with two inputs and no hidden layer has two weights. For each pair of them, "
        "from -10 to 10, it has an error: these are the heights of its loss surface, on which "
        "training looks for the way down, as the ball does. The error is lowest where the first "
        "weight is high and the second one low.",
        (
            PageFigure(
                error_plane,
                "The error as height over the two weights; training starts at the circle.",
                "A surface of four plateaus: high at one corner, where all outputs are wrong, low "
                "at the opposite one; the path leads down to it.",
                size=PLANE,
            ),
            PageFigure(
                error_plane_from_above,
                "The same surface from above.",
                "A map with contour lines: the path leads from near the center to the weights 5.28 "
                "and -5.28, in the corner where the error is lowest.",
                size=PLANE,
            ),
        ),
        question="With two weights: which pair of them has the lowest error?",
        live="plane",
    ),
    _experiment(
        "two-layer",
        PageFigure(
            two_layer,
            "The two weights: that of the first input ends high, the other one low.",
            "Two curves: the weight of input 1 rises from -0.17 to 5.28, that of input 2 falls "
            "from 0.44 to -5.28.",
        ),
    ),
    _experiment(
        "thirteen-lines",
        PageFigure(
            thirteen_lines,
            "The error of the thirteen lines while they learn XOR.",
            "A falling curve: the mean absolute error is 0.496 at first, 0.099 after 1,000 "
            "iterations, 0.013 after 10,000 and 0.0046 after 60,000.",
        ),
        live="network",
        more="In each iteration the four samples pass through two layers, each followed by the "
        "sigmoid; backpropagation then computes the gradient, and all weights take a step.",
    ),
    Section(
        "lessons",
        "Guess, then try",
        "",
        "What do you expect, and what does the network do? Each lesson is a question with three "
        "guesses; then the network itself answers.",
        (),
        live="lessons",
    ),
    _experiment(
        "alpha",
        PageFigure(
            alphas,
            "The error during training, for each alpha: 10 learns best.",
            "Seven curves. With alpha 0.001 the error is still 0.482 after 60,000 iterations; the "
            "larger alpha is, the faster and farther it falls, up to alpha 10, where it is 0.0012. "
            "With alpha 100 it stays at 0.125, with 1000 at 0.5.",
        ),
        PageFigure(
            takeaways,
            "The takeaways in one figure: where alpha is best, derivatives change their direction "
            "most.",
            "Two curves against alpha, from 0.001 to 1000, medians of 100 seeds. The final error "
            "is smallest at alpha 10, 0.0011, where there are the most direction changes: 169, "
            "compared with 10 at alpha 0.001 and 8 at 1000.",
            size=TALL,
        ),
        PageFigure(
            changes_of_a_tiny_alpha,
            "Tiny alpha: derivatives hardly ever change direction.",
            "Heat maps of both layers for alpha 0.001: every weight has 0 or 1 changes.",
            size=CHANGES,
        ),
        PageFigure(
            changes_of_the_best_alpha,
            "Best alpha: they change it a ton.",
            "Heat maps of both layers for alpha 10: up to 26 changes, and on average 12.",
            size=CHANGES,
        ),
        PageFigure(
            changes_of_a_huge_alpha,
            "Huge alpha: a medium amount.",
            "Heat maps of both layers for alpha 1000: 1 to 7 changes each.",
            size=CHANGES,
        ),
        live="maps",
        more="With alpha 1000 the first steps are so large that the output is saturated: "
        "derivatives are nearly 0, and the error stays on a plateau at 0.5.",
    ),
    _experiment(
        "hidden-32",
        PageFigure(
            hidden_sizes,
            "With 32 hidden units each of these alphas ends lower than with 4.",
            "Six curves. After 60,000 iterations the error with 4 hidden units is 0.0116, 0.0032 "
            "and 0.0012 for alpha 0.1, 1 and 10; with 32 units it is 0.0097, 0.0027 and 0.0009.",
        ),
        PageFigure(
            solved,
            "How many seeds learn XOR: some with 2 hidden units, all 200 from 4 units on.",
            "Two curves against the number of hidden units, for alpha 1 and for alpha 10. With 1 "
            "unit no seed learns XOR; with 2 units 28 % and 6 % of them do, with 3 units 89 % and "
            "98 %, from 4 on all of them.",
        ),
    ),
    Section(
        "race",
        "Optimizer race",
        'part 1, "Visualizing the Difference"',
        "Ten optimizers train the same network on the same data from the same initial weights, "
        "each with an alpha that suits it: gradient descent, momentum, Nesterov, AdaGrad, RMSProp, "
        "AdaDelta, Adam, AdamW, Rprop and Levenberg-Marquardt. Their errors, and their paths on "
        "the loss surface:",
        (
            PageFigure(
                race,
                "All but Rprop learn XOR in 1,000 iterations. On the surface a circle is the "
                "start, a star the end.",
                "Above, the curves of the error over 1,000 iterations: Levenberg-Marquardt is "
                "there after 19, at 0.000003; of the others AdaDelta ends lowest, at 0.0032, then "
                "Adam and RMSProp, then Nesterov, gradient descent, momentum and "
                "AdamW; AdaGrad ends at 0.037, and Rprop, whose steps have grown until the "
                "sigmoids are saturated, at 0.125. Below, their paths over two weights: all start "
                "at the same place and take different ways, Rprop out of the plot.",
                size=(5.0, 7.6),
            ),
        ),
    ),
)


# ---------------------------------------------------------------- compiled beforehand

XOR = X, y
ALPHAS = [0.001, 0.01, 0.1, 1, 10, 100, 1000]
FEW: dict[str, Any] = {"iterations": 2, "record_every": 1}


_TRAIN = partial(fastgd.train, *XOR, **FEW)
# With the same sizes: a single run of a tiny network has specialized code.
LINE = [[0, 1], [0, 1], [1, 0], [1, 0]], [0, 0, 1, 1]
_PATH = partial(fastgd.train, *LINE, hidden_size=(), **FEW, record_weights=True)
_RACE = [partial(fastgd.race, *XOR, [kind()], iterations=2) for kind in ALL]
_SWEEP = partial(fastgd.sweep, *XOR, alpha=ALPHAS, **FEW)
# With the same number of runs, which determines how many are trained together by each thread.
_SEEDS = partial(fastgd.sweep, *XOR, alpha=ALPHAS, seed=range(100), **FEW)
_SOLVED = partial(fastgd.sweep, *XOR, alpha=[1, 10], seed=range(200), **FEW)
_SIZES = partial(fastgd.sweep, *XOR, hidden_size=[4, 32], alpha=[0.1, 1, 10], **FEW)
# Around given weights, so that no other kernel is needed.
_PLANE = partial(fastgd.surface, *XOR, [[[0.5] * 4] * 3, [[0.5]] * 4], span=(-1, 1))
_BALL = partial(fastgd.bucket.roll, curve="x**2", start=-3, alpha=0.1)

# For each figure, the slowest call first.
NEEDED: dict[Callable[[], Any], Sequence[ShortCall]] = {
    thirteen_lines: [_TRAIN],
    race: [_PLANE, *_RACE],
    ball: [_BALL],
    slopes_too_big: [fastgd.bucket.EXAMPLES["too-big"].roll],
    local_minimum: [fastgd.bucket.EXAMPLES["local-minimum"].roll],
    basins: [partial(fastgd.bucket.basins, balls=100)],
    slopes_too_small: [fastgd.bucket.EXAMPLES["rut"].roll],
    flat_stretch: [fastgd.bucket.EXAMPLES["too-small"].roll],
    two_layer: [_PATH],
    error_plane: [_PLANE, _PATH],
    error_plane_from_above: [_PLANE, _PATH],
    alphas: [_SWEEP],
    takeaways: [_SEEDS],
    changes_of_a_tiny_alpha: [_TRAIN],
    changes_of_the_best_alpha: [_TRAIN],
    changes_of_a_huge_alpha: [_TRAIN],
    hidden_sizes: [_SIZES],
    solved: [_SOLVED],
}
"""Quick calls that compile the code of each figure."""


def needed(sections: Iterable[Section]) -> list[ShortCall]:
    """Return the calls that compile the code of all figures of these sections, each once."""
    figures = [figure for section in sections for figure in section.figures]
    return list(dict.fromkeys(call for figure in figures for call in NEEDED[figure.draw]))
