"""``fastgd bucket``: balls that roll down a curve, as tables and figures."""

from collections.abc import Callable, Iterable
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from fastgd import bucket as library
from fastgd import plots
from fastgd.checks.messages import error_text, many, seconds_text
from fastgd.checks.numbers import check_choice
from fastgd.cli.command_options import takes
from fastgd.cli.machine_output import print_json
from fastgd.cli.output_files import check_plot, write_plot, writing
from fastgd.cli.refusals import RefusedError, refusing
from fastgd.cli.terminal import print_plain, print_rich, print_table, spinner, timed
from fastgd.plots import style
from fastgd.studies.bucket.basins import NOWHERE, Basins
from fastgd.studies.bucket.rolling import Roll

SHOWN = 40
"""Most balls in a table."""

BALL = ("start", "alpha", "x", "height", "slope", "status", "iterations")
"""Columns of the table of balls."""

_STYLES = {"converged": "green", "rolling": "yellow", "stuck": "yellow", "diverged": "bold red"}


def _window(text: str) -> tuple[float, float]:
    low, high = map(float, text.split(","))
    if not -inf < low < high < inf:
        raise ValueError(text)
    return low, high


def _numbers(text: str) -> float | list[float]:
    """One number, or several."""
    values = [*map(float, text.split(","))]
    return values[0] if len(values) == 1 else values


NUMBERS: dict[str, Any] = {"read": _numbers, "rule": "numbers separated by ','"}


@takes(
    f"""
    curve CURVE  An expression of x: 'x**4 - 3*x**2 + x'. One that begins with a minus comes last,
        behind --.
    --slope SLOPE  Its slope, also an expression (default: derived).
    --start XS  Starting points of the balls: 2 or 2,-2.
    --alpha ALPHAS  Factor of the slope, or one per ball (default: 0.1).
    --rule RULE  alpha: x -= alpha * slope (default). naive: x -= slope. sign: x -= alpha * its
        sign.
    --iterations N  Steps at most (default: 10,000).
    --tolerance T  A ball stops where the slope is this near 0 (default: 1e-9).
    --example NAME  One of the article's problems: {", ".join(library.EXAMPLES)}.
    --basins  The minima in which random balls end, and the starts that lead to each; without
        CURVE, on one with five minima.
    --balls N  Random balls, for --basins (default: 100).
    --seed N  Seed of the random starting points, for --basins (default: 1).
    --window LOW,HIGH  Range of x to draw; with --basins, in which balls start.
    --plot FILE  Draw a figure to this file: .png, .svg, .pdf, or an animation: .gif.
    --progress --json
    """,
    start=NUMBERS,
    alpha=NUMBERS,
    window={
        "read": _window,
        "rule": "two finite numbers separated by ',', the smaller one first",
    },
)
def bucket(
    example: str | None,
    basins: bool,
    window: tuple[float, float] | None,
    plot: Path | None,
    progress: bool,
    json: bool,
    **settings: Any,
) -> None:
    """Roll balls down a curve, by one of the article's three rules.

    Example: [bold]fastgd bucket "x**4 - 3*x**2 + x" --start 2,-2 --alpha 0.01[/bold]
    """
    problem = None
    record: dict[str, Any] = {"record_path": plot is not None}
    roll: Callable[[], Roll | Basins]
    found: Roll | Basins
    if example is not None:
        _exclude("--example", settings | ({"basins": True} if basins else {}))
        with refusing():
            problem = library.EXAMPLES[check_choice("--example", example, tuple(library.EXAMPLES))]
        roll, window = problem.roll, window or problem.window
    elif basins:
        _exclude("--basins", {"start"} & settings.keys())
        if window is None and {"curve", "slope"} & settings.keys():
            raise RefusedError("--window LOW,HIGH must be given with --basins and a CURVE")
        roll, window = partial(library.basins, **settings, window=window, **record), None
    elif {"balls", "seed"} & settings.keys():
        raise RefusedError("--balls and --seed need --basins")
    elif "start" not in settings or not {"curve", "slope"} & settings.keys():
        raise RefusedError("CURVE and --start must be given, or --example, or --basins")
    else:
        roll = partial(library.roll, **settings, **record, progress=progress)
    if plot is not None and "slope" in settings and "curve" not in settings:
        raise RefusedError("a plot needs the curve, got only its --slope")
    with refusing():
        check_plot(plot, (*style.ENDINGS, style.FILM))
        with spinner():
            found, seconds, _ = timed(None, roll)
    with writing((plot, lambda path: _draw(found, path, window), ()), as_json=json):
        if json:
            facts = {} if problem is None else {"example": problem.name, "title": problem.title}
            print_json(facts | _facts(found) | {"seconds": seconds})
            return
        if problem is not None:
            print_rich(f"[bold]{problem.title}[/]\n\n{problem.takeaway}\n", markup=True)
        _show(found)
        print_rich(f"Compiled and rolled in {seconds_text(seconds)}.")


def _exclude(flag: str, names: Iterable[str]) -> None:
    """Reject the first option that can't be combined with the flag."""
    for name in names:
        other = "CURVE" if name == "curve" else f"--{name}"
        raise RefusedError(f"{flag} and {other} exclude each other")


def _draw(found: Roll | Basins, plot: Path, window: tuple[float, float] | None) -> None:
    if plot.suffix.lower() == style.FILM:
        plots.film(found, plot, window=window)
    elif isinstance(found, Basins):
        write_plot(plots.basins(found), plot)
    else:
        write_plot(plots.roll(found, window=window), plot)


def _show(found: Roll | Basins) -> None:
    """The balls; or the minima, and from where balls reach them."""
    from rich.text import Text

    rolled = found.roll if isinstance(found, Basins) else found
    print_plain(f"{rolled.curve.text}: {rolled.step}")
    if isinstance(found, Basins):
        print_rich(f"{many(len(found.owner), 'random ball')} from {_from_to(found.window)}\n")
        minima = zip(found.minima, found.heights, found.counts, strict=True)
        rows = [
            (f"{x:.9g}", f"{height:.6g}", f"{count:,}", _stretches_text(found, k))
            for k, (x, height, count) in enumerate(minima)
        ]
        lost = int((found.owner == NOWHERE).sum())
        if lost or any(stretch.minimum == NOWHERE for stretch in found.stretches):
            rows.append(("none", "", f"{lost:,}", _stretches_text(found, NOWHERE)))
        headings = [">minimum", ">height", ">balls", "~balls let go here end in it"]
        print_table(headings, rows)
        return
    balls = _balls(rolled)
    cells = [
        (
            f"{ball['start']:g}",
            f"{ball['alpha']:g}",
            error_text(ball["x"]),
            f"{ball['height']:.6g}",
            Text(ball["status"], _STYLES[ball["status"]]),
            f"{ball['iterations']:,}",
        )
        for ball in balls[:SHOWN]
    ]
    print_table([">start", ">alpha", ">end", ">height", "<status", ">steps"], cells)
    if len(balls) > SHOWN:
        print_rich(f"... ({many(len(balls), 'ball')} in all)\n")


def _balls(rolled: Roll) -> list[dict[str, Any]]:
    """The facts of each ball."""
    columns = [np.ravel(getattr(rolled, name)) for name in BALL]
    return [dict(zip(BALL, values, strict=True)) for values in zip(*columns, strict=True)]


def _facts(found: Roll | Basins) -> dict[str, Any]:
    if isinstance(found, Roll):
        return {"curve": found.curve.text, "rule": found.rule, "balls": _balls(found)}
    names = ("minima", "heights", "counts", "owner", "window")
    stretches = [stretch._asdict() for stretch in found.stretches]
    facts = {name: getattr(found, name) for name in names}
    return _facts(found.roll) | facts | {"stretches": stretches}


def _stretches_text(found: Basins, minimum: int) -> str:
    parts = [s[:2] for s in found.stretches if s.minimum == minimum]
    return ", ".join(map(_from_to, parts))


def _from_to(ends: tuple[float, float]) -> str:
    return f"{ends[0]:.6g} to {ends[1]:.6g}"
