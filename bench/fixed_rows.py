"""The rows about what a call costs before its work begins: imports, checks, compiling."""

from collections.abc import Callable
from statistics import median

import numpy as np

import fastgd
import fresh
from compare import Settings
from measure import in_turn
from report import Line
from workload import COMPILED, XOR_X, XOR_Y

LIMIT = "the limit (ours / limit)"
PER_ROUND = 200
"""Calls of less than a millisecond, of which a round measures the mean."""

LEAST_SECONDS, MOST_SECONDS = 0.4, 1.2
"""Limits of a first kernel: that of the article, and those of larger ones."""


def startup(settings: Settings) -> list[Line]:
    """Import, and the first training in a fresh Python."""
    rounds = [fresh.startup() for _ in range(settings.repeats)]
    limits = {
        "import fastgd, with all that train needs, after numba": 0.06,
        "first train, filled cache": 0.5,
        "first train, empty cache": 5.0,
    }
    return [
        _limited(name, median(times), limit)
        for (name, limit), times in zip(limits.items(), zip(*rounds, strict=True), strict=True)
    ]


def calls(settings: Settings) -> list[Line]:
    """Short trainings, called again and again with something that differs, and one prediction."""
    random = np.random.RandomState(0)
    seeds = iter(range(1, 2**31))
    run = fastgd.train(XOR_X, XOR_Y, iterations=10)
    row = XOR_X[:1]
    short: dict[str, tuple[float, Callable[[], object]]] = {
        "train 3-4-1, 10 iterations, other samples": (
            350.0,
            lambda: fastgd.train(random.rand(4, 3), XOR_Y, iterations=10),
        ),
        "train 3-4-1, 10 iterations, another seed": (
            350.0,
            lambda: fastgd.train(XOR_X, XOR_Y, iterations=10, seed=next(seeds)),
        ),
        "predict one row, 3-4-1": (20.0, lambda: run.predict(row)),
    }
    seconds = in_turn(
        {name: _often(call) for name, (_, call) in short.items()}, 5 * settings.repeats
    )
    return [
        _limited(name, 1e6 * seconds[name] / PER_ROUND, limit, unit="us")
        for name, (limit, _) in short.items()
    ]


def _often(call: Callable[[], object]) -> Callable[[], None]:
    def often() -> None:
        for _ in range(PER_ROUND):
            call()

    return often


def compile_times(settings: Settings) -> list[Line]:
    """A first training with each combination of options, and new values that compile nothing."""
    lines = []
    for name, options in COMPILED.items():
        took = median(fresh.compile_seconds(repr(options)) for _ in range(settings.repeats))
        limit = MOST_SECONDS if options else LEAST_SECONDS
        against = "the limit, Numba's own start apart (ours / limit)"
        title = f"compile train 3-4-1, {name}"
        lines.append(_limited(title, took, limit, against))
    first, later = fresh.compilations()
    title = f"sweep 3-4-1, 1,000 values of each of {len(later)} hyperparameters"
    against = "one value, compiled functions"
    total = sum(later.values())
    note = ", ".join(f"{n} of {name}" for name, n in later.items() if n)
    lines.append(Line(title, against, total, first, total / first, "<= 0", "functions", note))
    return lines


COMMANDS = {
    "fastgd tutorial, empty cache": (5.0, ["tutorial"]),
    "fastgd tutorial --html, empty cache": (12.0, ["tutorial", "--html", "article.html"]),
    "fastgd race --plot, empty cache": (5.0, ["race", "--plot", "race.png"]),
    "fastgd bucket --plot, empty cache": (5.0, ["bucket", "--example", "rut", "--plot", "rut.png"]),
}
"""First uses: the limit in seconds, and the arguments."""


def first_uses(settings: Settings) -> list[Line]:
    """What a newcomer's first commands take, compiling included."""
    commands = COMMANDS if settings.effort else dict(list(COMMANDS.items())[-1:])
    return [
        _limited(
            name, median(fresh.command_seconds(*given) for _ in range(settings.repeats)), limit
        )
        for name, (limit, given) in commands.items()
    ]


def _limited(work: str, took: float, limit: float, against: str = LIMIT, unit: str = "s") -> Line:
    return Line(work, against, took, limit, took / limit, "<= 1", unit)


ALL = (startup, calls, compile_times, first_uses)
