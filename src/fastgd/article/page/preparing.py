"""Quick calls that need the same code as the figures, so that it is compiled beforehand."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import fastgd
from fastgd.article.page import calls
from fastgd.article.page.sections import Section
from fastgd.optimizers import ALL
from fastgd.workers.compiling import Call

XOR = calls.X, calls.y
ALPHAS = [0.001, 0.01, 0.1, 1, 10, 100, 1000]
FEW: dict[str, Any] = {"iterations": 2, "record_every": 1}


def _roll(name: str) -> None:
    fastgd.bucket.EXAMPLES[name].roll()


_TRAIN = partial(fastgd.train, *XOR, **FEW)
# With the same sizes: a single run of a tiny network has specialized code.
_LINE = [[0, 1], [0, 1], [1, 0], [1, 0]], [0, 0, 1, 1]
_PATH = partial(fastgd.train, *_LINE, hidden_size=(), **FEW, record_weights=True)
_RACE = [partial(fastgd.race, *XOR, [kind()], iterations=2) for kind in ALL]
_SWEEP = partial(fastgd.sweep, *XOR, alpha=ALPHAS, **FEW)
# With the same number of runs, which determines how many are trained together by each thread.
_SEEDS = partial(fastgd.sweep, *XOR, alpha=ALPHAS, seed=range(100), **FEW)
_SOLVED = partial(fastgd.sweep, *XOR, alpha=[1, 10], seed=range(200), **FEW)
_SIZES = partial(fastgd.sweep, *XOR, hidden_size=[4, 32], alpha=[0.1, 1, 10], **FEW)
# Around given weights, so that no other kernel is needed; a few points use one thread only.
_PLANE = partial(fastgd.surface, *XOR, [[[0.5] * 4] * 3, [[0.5]] * 4], span=(-1, 1))
_PLANES = [_PLANE, partial(_PLANE, resolution=2)]
_BALL = partial(fastgd.bucket.roll, curve="x**2", start=-3, alpha=0.1)

# For each figure, the slowest call first.
NEEDED: dict[Callable[[], Any], Sequence[Call]] = {
    calls.thirteen_lines: [_TRAIN],
    calls.race: [*_PLANES, *_RACE],
    calls.ball: [_BALL],
    calls.slopes_too_big: [partial(_roll, "too-big")],
    calls.local_minimum: [partial(_roll, "local-minimum")],
    calls.basins: [partial(fastgd.bucket.basins, balls=100)],
    calls.slopes_too_small: [partial(_roll, "rut")],
    calls.flat_stretch: [partial(_roll, "too-small")],
    calls.two_layer: [_PATH],
    calls.error_plane: [*_PLANES, _PATH],
    calls.error_plane_from_above: [*_PLANES, _PATH],
    calls.alphas: [_SWEEP],
    calls.takeaways: [_SEEDS],
    calls.changes_of_a_tiny_alpha: [_TRAIN],
    calls.changes_of_the_best_alpha: [_TRAIN],
    calls.changes_of_a_huge_alpha: [_TRAIN],
    calls.hidden_sizes: [_SIZES],
    calls.solved: [_SOLVED],
}
"""Quick calls that compile the code of each figure."""


def needed(sections: Iterable[Section]) -> list[Call]:
    """Return the calls that compile the code of all figures of these sections, each once."""
    figures = [figure for section in sections for figure in section.figures]
    return list(dict.fromkeys(call for figure in figures for call in NEEDED[figure.draw]))
