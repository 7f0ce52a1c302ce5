"""What networks are trained on: ``fastgd devices``, and ``fastgd precompile``, ahead of first use.

``devices`` lists processors and GPUs; ``precompile`` compiles the kernels of common calls, so that
none of them waits.
"""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import fastgd
from fastgd.article import comparison
from fastgd.article.experiments import EXPERIMENTS
from fastgd.article.page.sections import FEW, SECTIONS, XOR, needed
from fastgd.checks.messages import escaped, many, seconds_text
from fastgd.cli.command_options import takes
from fastgd.cli.machine_output import print_json
from fastgd.cli.refusals import RefusedError, refusing
from fastgd.cli.terminal import timed
from fastgd.engine.devices import place as code_place
from fastgd.engine.progress import reporting
from fastgd.workers.compiling import ShortCall, compile_all


@takes("--json")
def devices(json: bool) -> None:
    """List what networks can be trained on: this machine's processors and its GPUs.

    Example: [bold]fastgd devices[/bold]
    """
    found = fastgd.devices()
    if json:
        print_json({"devices": [asdict(one) for one in found], "note": found.note})
        return
    for line in str(found).splitlines():  # as wide as it is: a table lines up in one way only
        print(escaped(line))


RUNS = (2, 6, 12, 100)
"""Sweeps: the number of lanes decides which code is compiled."""

HIDDEN_SIZES = (4, 32)
"""Single trainings: the width of the widest layer does."""


def calls() -> list[ShortCall]:
    """Short calls that need the same kernels as common ones."""
    alone = [partial(_predict, fastgd.train, hidden_size=units) for units in HIDDEN_SIZES]
    sweeps = [partial(_predict, fastgd.sweep, seed=range(runs)) for runs in RUNS]
    return [*needed(SECTIONS), *comparison.short(EXPERIMENTS), *alone, *sweeps]


def _predict(train: Callable[..., Any], **settings: Any) -> None:
    X, y = XOR
    train(X, y, **settings, **FEW).predict(X)


@takes("--progress")
def precompile(progress: bool) -> None:
    """Compile the kernels of common calls on all processors, so that none of them waits.

    The tutorial with its page, the race, and train, sweep and predict without options.

    Example: [bold]fastgd precompile[/bold]
    """
    folder = code_place()
    if folder is None:
        raise RefusedError(
            "compiled code can't be kept, as no folder for it can be written to: "
            "NUMBA_CACHE_DIR is to name one that can"
        )
    listed = calls()

    def work() -> int:
        with reporting(progress, len(listed), unit="call") as advance:
            return compile_all(listed, advance)

    with refusing():
        count, seconds, _ = timed(None, work)
    if count:
        lacked = f"{count} of {many(len(listed), 'call')}"
        print(f"Compiled what {lacked} lacked in {seconds_text(seconds)}.")
    else:
        print("There is nothing to compile.")
    print(f"The code lies in {escaped(folder)}")
