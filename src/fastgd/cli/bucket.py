"""``fastgd bucket``: balls that roll down a curve, as tables and figures."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import numpy as np
import typer

from fastgd import bucket, plots
from fastgd.checks.formatting import error_text, many, seconds_text
from fastgd.checks.values import check_choice
from fastgd.cli.console import Rows, open_console, print_plain, print_table, spinner
from fastgd.cli.errors import RefusedError, refusing
from fastgd.cli.job import Job, Timed, timed
from fastgd.cli.json_output import print_json
from fastgd.cli.option_values import or_terminal, read_list, read_one
from fastgd.cli.output_files import check_picture, write_picture
from fastgd.cli.shared import Json, Progress, flag, number, option, whole
from fastgd.plots import style as pictures
from fastgd.studies.bucket.basins import NOWHERE, Basins
from fastgd.studies.bucket.rolling import Roll

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T", Roll, Basins)

SHOWN = 40
"""Most balls in a table."""

FILM = ".gif"

BALL = ("start", "alpha", "x", "height", "slope", "status", "iterations")
"""Columns of the table of balls."""

WINDOW = "two finite numbers separated by ',', the smaller one first"

_STYLES = {"converged": "green", "rolling": "yellow", "stuck": "yellow", "diverged": "bold red"}


def command(
    curve: Annotated[
        str | None,
        typer.Argument(
            metavar="CURVE",
            help="An expression of x: 'x**4 - 3*x**2 + x'. One that begins with a minus comes "
            "last, behind --.",
        ),
    ] = None,
    slope: Annotated[
        str | None,
        option(metavar="SLOPE", help="Its slope, also an expression (default: derived)."),
    ] = None,
    start: Annotated[
        str | None, option(metavar="XS", help="Starting points of the balls: 2 or 2,-2.")
    ] = None,
    alpha: Annotated[
        str | None,
        option(metavar="ALPHAS", help="Factor of the slope, or one per ball (default: 0.1)."),
    ] = None,
    rule: Annotated[
        str | None,
        option(
            metavar="RULE",
            help="alpha: x -= alpha * slope (default). naive: x -= slope. sign: x -= alpha * "
            "its sign.",
        ),
    ] = None,
    iterations: Annotated[
        int | None, whole("--iterations", "Steps at most (default: 10,000).")
    ] = None,
    tolerance: Annotated[
        float | None,
        number("--tolerance", "T", "A ball stops where the slope is no larger (default: 1e-9)."),
    ] = None,
    example: Annotated[
        str | None,
        option(
            metavar="NAME",
            help=f"One of the article's problems: {', '.join(bucket.EXAMPLES)}.",
        ),
    ] = None,
    basins: Annotated[
        bool,
        flag("--basins", "Where balls from everywhere end (default: five minima)."),
    ] = False,
    balls: Annotated[
        int | None, whole("--balls", "Random balls, for --basins (default: 100).")
    ] = None,
    seed: Annotated[
        int | None,
        whole("--seed", "Seed of the random starting points, for --basins (default: 1)."),
    ] = None,
    window: Annotated[str | None, option(metavar="LOW,HIGH", help="Range of x to draw.")] = None,
    plot: Annotated[
        Path | None,
        option(
            metavar="FILE",
            help="Draw a figure to this file: .png, .svg, .pdf, or an animation: .gif.",
        ),
    ] = None,
    progress: Progress = None,
    json: Json = False,
) -> Job:
    """Roll balls down a curve, by one of the article's three rules.

    Example: [bold]fastgd bucket "x**4 - 3*x**2 + x" --start 2,-2 --alpha 0.01[/bold]
    """
    typed = {
        "slope": slope,
        "start": None if start is None else _numbers("--start", start),
        "alpha": None if alpha is None else _numbers("--alpha", alpha),
        "rule": rule,
        "iterations": iterations,
        "tolerance": tolerance,
        "balls": balls,
        "seed": seed,
    }
    settings = {name: value for name, value in typed.items() if value is not None}
    seen = None if window is None else read_one("--window", window, _window, WINDOW)
    if curve is not None:
        settings["curve"] = curve
    if example is not None:
        _exclude("--example", settings | ({"basins": True} if basins else {}))
        return partial(show_example, example, seen, plot, json)
    if basins:
        _exclude("--basins", {"start"} & settings.keys())
        if seen is None and {"curve", "slope"} & settings.keys():
            raise RefusedError("--window LOW,HIGH must be given with --basins and a CURVE")
        return partial(show_basins, settings | {"window": seen}, plot, json)
    if {"balls", "seed"} & settings.keys():
        raise RefusedError("--balls and --seed need --basins")
    if "start" not in settings or not {"curve", "slope"} & settings.keys():
        raise RefusedError("CURVE and --start must be given, or --example, or --basins")
    return partial(show_roll, settings, seen, plot, or_terminal(progress), json)


def show_roll(
    settings: dict[str, Any],
    window: tuple[float, float] | None,
    plot: Path | None,
    progress: bool,
    as_json: bool,
) -> None:
    """Roll the balls and show where they ended."""

    def roll() -> Roll:
        return bucket.roll(**settings, record_path=plot is not None, progress=progress)

    rolled, seconds, _ = _rolled(roll, plot)
    if plot is not None:
        _draw(rolled, plot, window)
    _show(rolled, seconds, plot, as_json)


def show_example(
    name: str, window: tuple[float, float] | None, plot: Path | None, as_json: bool
) -> None:
    """Roll the balls of one of the article's problems."""
    with refusing():
        example = bucket.EXAMPLES[check_choice("--example", name, tuple(bucket.EXAMPLES))]
    rolled, seconds, _ = _rolled(example.roll, plot)
    if plot is not None:
        _draw(rolled, plot, window or example.window)
    if not as_json:
        open_console(markup=True).print(f"[bold]{example.title}[/]\n\n{example.takeaway}\n")
    _show(rolled, seconds, plot, as_json, {"example": example.name, "title": example.title})


def show_basins(settings: dict[str, Any], plot: Path | None, as_json: bool) -> None:
    """Start balls at random places and show which minima they reach."""

    def find() -> Basins:
        return bucket.basins(**settings, record_path=plot is not None)

    found, seconds, _ = _rolled(find, plot)
    if plot is not None:
        _draw(found, plot, None)
    if as_json:
        print_json(_roll_facts(found.roll) | _basins_facts(found) | {"seconds": seconds})
        return
    console = open_console()
    _introduce(console, found.roll)
    console.print(f"{many(len(found.owner), 'random ball')} from {_from_to(found.window)}\n")
    rows: Rows = [
        (f"{x:.9g}", f"{height:.6g}", f"{count:,}", _stretches_text(found, k))
        for k, (x, height, count) in enumerate(
            zip(found.minima, found.heights, found.counts, strict=True)
        )
    ]
    lost = int((found.owner == NOWHERE).sum())
    if lost or any(stretch.minimum == NOWHERE for stretch in found.stretches):
        rows.append(("none", "", f"{lost:,}", _stretches_text(found, NOWHERE)))
    print_table(console, [">minimum", ">height", ">balls", "~balls let go here end in it"], rows)
    _close(console, seconds, plot)


def _rolled(roll: Callable[[], T], plot: Path | None) -> Timed[T]:
    """The result and its time in seconds, after the output file is checked."""
    with refusing():
        check_picture(plot, (*pictures.ENDINGS, FILM))
        with spinner():
            return timed(None, roll)


def _draw(found: Roll | Basins, plot: Path, window: tuple[float, float] | None) -> None:
    with refusing():
        if plot.suffix.lower() == FILM:
            plots.film(found, plot, window=window)
        elif isinstance(found, Basins):
            write_picture(plots.basins(found), plot)
        else:
            write_picture(plots.roll(found, window=window), plot)


def _show(
    rolled: Roll,
    seconds: float,
    plot: Path | None,
    as_json: bool,
    facts: dict[str, Any] | None = None,
) -> None:
    """Print a table of the balls, or JSON."""
    if as_json:
        print_json((facts or {}) | _roll_facts(rolled) | {"seconds": seconds})
        return
    from rich.text import Text

    console = open_console()
    _introduce(console, rolled)
    balls = list(_balls(rolled))
    rows: Rows = [
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
    print_table(console, [">start", ">alpha", ">end", ">height", "<status", ">steps"], rows)
    if len(balls) > SHOWN:
        console.print(f"... ({many(len(balls), 'ball')} in all)\n")
    _close(console, seconds, plot)


def _introduce(console: "Console", rolled: Roll) -> None:
    print_plain(console, f"{rolled.curve.text}: {rolled.step}")


def _close(console: "Console", seconds: float, plot: Path | None) -> None:
    console.print(f"Compiled and rolled in {seconds_text(seconds)}.")
    if plot:
        print_plain(console, f"Drawn to {plot}.")


def _balls(rolled: Roll) -> Iterator[dict[str, Any]]:
    """The facts of each ball."""
    columns = [np.ravel(getattr(rolled, name)) for name in BALL]
    for values in zip(*columns, strict=True):
        yield dict(zip(BALL, values, strict=True))


def _roll_facts(rolled: Roll) -> dict[str, Any]:
    return {"curve": rolled.curve.text, "rule": rolled.rule, "balls": list(_balls(rolled))}


def _basins_facts(found: Basins) -> dict[str, Any]:
    names = ("minima", "heights", "counts", "owner", "window")
    stretches = [stretch._asdict() for stretch in found.stretches]
    return {name: getattr(found, name) for name in names} | {"stretches": stretches}


def _stretches_text(found: Basins, minimum: int) -> str:
    parts = [s[:2] for s in found.stretches if s.minimum == minimum]
    return ", ".join(map(_from_to, parts))


def _from_to(ends: tuple[float, float]) -> str:
    return f"{ends[0]:.6g} to {ends[1]:.6g}"


def _window(text: str) -> tuple[float, float]:
    low, high = map(float, text.split(","))
    if not -inf < low < high < inf:
        raise ValueError(text)
    return low, high


def _numbers(flag: str, text: str) -> float | list[float]:
    """One number, or several."""
    values = read_list(flag, text, float)
    return values[0] if len(values) == 1 else values


def _exclude(flag: str, names: Iterable[str]) -> None:
    """Reject the first option that can't be combined with the flag."""
    for name in names:
        other = "CURVE" if name == "curve" else f"--{name}"
        raise RefusedError(f"{flag} and {other} exclude each other")
