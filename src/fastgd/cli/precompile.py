"""``fastgd precompile``: compile the kernels of common calls ahead, so that none of them waits."""

from functools import partial

import fastgd
from fastgd.article import comparison
from fastgd.article.experiments import EXPERIMENTS
from fastgd.article.page.sections import FEW, SECTIONS, XOR, needed
from fastgd.checks.messages import escaped, many, seconds_text
from fastgd.cli.command_options import PROGRESS, takes
from fastgd.cli.terminal import RefusedError, refusing, timed
from fastgd.engine.devices import place as code_place
from fastgd.engine.progress import progress_bar
from fastgd.workers.compiling import ShortCall, compile_all

RUNS = (2, 6, 12, 100)
"""Sweeps: the number of lanes decides which code is compiled."""

HIDDEN_SIZES = (4, 32)
"""Single trainings: the width of the widest layer does."""


def calls() -> list[ShortCall]:
    """Short calls that need the same kernels as common ones."""
    alone = [partial(_predict, hidden_size) for hidden_size in HIDDEN_SIZES]
    sweeps = [partial(_predict_all, runs) for runs in RUNS]
    return [*needed(SECTIONS), *comparison.short(EXPERIMENTS), *alone, *sweeps]


def _predict(hidden_size: int) -> None:
    X, y = XOR
    fastgd.train(X, y, hidden_size=hidden_size, **FEW).predict(X)


def _predict_all(runs: int) -> None:
    X, y = XOR
    fastgd.sweep(X, y, seed=range(runs), **FEW).predict(X)


@takes(PROGRESS)
def command(progress: bool) -> None:
    """Compile the kernels of common calls on all processors, so that none of them waits.

    The tutorial with its page, the race, and train, sweep and predict without options.

    Example: [bold]fastgd precompile[/bold]
    """
    place = code_place()
    if place is None:
        raise RefusedError(
            "compiled code can't be kept, as no folder for it can be written to: "
            "NUMBA_CACHE_DIR is to name one that can"
        )
    listed = calls()

    def work() -> int:
        with progress_bar(progress, len(listed), unit="call") as advance:
            return compile_all(listed, advance)

    with refusing():
        done = timed(None, work)
    if done.result:
        lacked = f"{done.result} of {many(len(listed), 'call')}"
        print(f"Compiled what {lacked} lacked in {seconds_text(done.seconds)}.")
    else:
        print("There is nothing to compile.")
    print(f"The code lies in {escaped(place)}")
