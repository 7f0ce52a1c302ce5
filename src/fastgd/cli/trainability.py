"""``fastgd trainability``: map the edge of trainability, draw it, and measure how rough it is."""

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastgd.checks.formatting import many
from fastgd.checks.messages import shown
from fastgd.cli.console import open_console, print_plain, print_table
from fastgd.cli.errors import RefusedError, refusing
from fastgd.cli.job import Job, timed
from fastgd.cli.json_output import print_json
from fastgd.cli.option_values import or_terminal, read_list
from fastgd.cli.output_files import check_folder, check_picture, write_picture
from fastgd.cli.output_folders import done_text, finished
from fastgd.cli.shared import Json, Progress, Threads, option, whole
from fastgd.cli.terminal import saying_how_to_resume
from fastgd.store.folder import remove
from fastgd.studies.trainability.map import (
    FEWEST_ITERATIONS,
    WINDOW,
    Trainability,
    trainability,
)
from fastgd.studies.trainability.map_job import Window

if TYPE_CHECKING:
    from rich.console import Console

    from fastgd.studies.trainability.box_counting import BoxCounting

WARM = 5
"""A map of this size compiles the same kernel as a large one."""


def _typed(window: Window) -> str:
    return ",".join(f"{value!r}" for side in window for value in side)


SHOWN = _typed(WINDOW)


def command(
    plot: Annotated[
        Path, option(metavar="FILE", help="Draw the map to this file: .png, .svg or .pdf.")
    ],
    resolution: Annotated[int, whole("--resolution", "Pixels of a side: N x N trainings.")] = 512,
    iterations: Annotated[int, whole("--iterations", "Updates of each training.")] = 500,
    window: Annotated[
        str,
        option(
            metavar="A,B,C,D",
            help="Learning rates at the sides, log10: left, right (input layer), bottom, top "
            "(output layer). Zoom in by a smaller one.",
        ),
    ] = SHOWN,
    activation: Annotated[
        str, option(metavar="NAME", help="Hidden units: tanh, relu, identity or sigmoid.")
    ] = "tanh",
    batch_size: Annotated[
        int | None,
        whole("--batch-size", "Samples of a mini-batch, a divisor of all (default: all)."),
    ] = None,
    width: Annotated[int, whole("--width", "Inputs, and hidden units.")] = 16,
    seed: Annotated[int, whole("--seed", "Seed of the samples and weights.")] = 1,
    box_plot: Annotated[
        Path | None,
        option(metavar="FILE", help="Also draw the box counts with their fit to this file."),
    ] = None,
    out: Annotated[
        Path | None,
        option(
            metavar="FOLDER",
            help="Keep finished patches here (default: PLOT.patches, removed at the end).",
        ),
    ] = None,
    threads: Threads = None,
    progress: Progress = None,
    json: Json = False,
) -> Job:
    """Map which learning rates of two layers make a training converge: a fractal.

    One training per pixel, as in Sohl-Dickstein, arXiv 2402.06184.
    The same command given again resumes where it was interrupted.

    Example: [bold]fastgd trainability --resolution 128 --plot edge.png[/bold]
    """
    settings = {
        "resolution": resolution,
        "iterations": iterations,
        "window": _read_window(window),
        "activation": activation,
        "batch_size": batch_size,
        "width": width,
        "seed": seed,
        "threads": threads,
    }
    return partial(show, settings, plot, box_plot, out, or_terminal(progress), json)


def show(
    settings: dict[str, Any],
    plot: Path,
    box_plot: Path | None,
    out: Path | None,
    progress: bool,
    as_json: bool,
) -> None:
    """Compute the missing patches of the map, draw it, and print the result."""
    with refusing():
        check_picture(plot)
        check_picture(box_plot)
        if box_plot is not None and os.path.realpath(plot) == os.path.realpath(box_plot):
            raise RefusedError(f"--plot and --box-plot must be two files, got {plot} twice")
        work = out or plot.with_suffix(".patches")
        check_folder(work)
        before = finished(work).done
        few = {"resolution": min(settings["resolution"], WARM), "iterations": FEWEST_ITERATIONS}
        with saying_how_to_resume(lambda: done_text(work, "patches")):
            done = timed(
                lambda: trainability(**settings | few),
                lambda: trainability(**settings, out=work, progress=progress),
            )
        found = done.result
        boxes, reason = _boxes(found)
        _draw(found, boxes, plot, box_plot)
        if out is None:
            remove(work)
    if as_json:
        print_json(
            _facts(found, boxes, reason) | {"seconds": done.seconds, "patches_found": before}
        )
        return
    console = open_console()
    _show(console, found)
    if boxes is None:
        print_plain(console, f"No box-counting dimension: {reason}")
    else:
        _show_boxes(console, boxes)
        console.print(f"Zoom in, to most of the boundary: --window {_typed(found.zoom())}")
    console.print(done.text(f"{many(found.values.size, 'training')} done"))
    if before:
        console.print(f"({many(before, 'patch')} from an earlier call)")
    for picture in (plot, box_plot if boxes else None):
        if picture is not None:
            print_plain(console, f"Written to {picture}")
    if out is not None:
        print_plain(console, f"Patches kept in {out}")


def _read_window(text: str) -> Window:
    rule = "four numbers, the log10 of learning rates,"
    values = read_list("--window", text, float, rule)
    if len(values) != 4:
        raise RefusedError(f"--window must be {rule} separated by ',', got {shown(text)}")
    left, right, bottom, top = values
    return (left, right), (bottom, top)


def _boxes(found: Trainability) -> "tuple[BoxCounting | None, str | None]":
    """The box counts, or why there are none."""
    try:
        return found.box_counting(), None
    except ValueError as error:
        return None, str(error)


def _draw(
    found: Trainability, boxes: "BoxCounting | None", plot: Path, box_plot: Path | None
) -> None:
    from fastgd import plots

    write_picture(plots.trainability(found), plot)
    if boxes is not None and box_plot is not None:
        write_picture(plots.box_counts(boxes), box_plot)


def _show(console: "Console", found: Trainability) -> None:
    settings = found.settings
    batch = f"batches of {settings.batch_size}" if settings.batch_size else "full batch"
    count, converged = found.values.size, int(found.converged.sum())
    console.print(
        f"{many(count, 'training')} of a {settings.width}-{settings.width}-1 network "
        f"({settings.activation}, {batch}, seed {settings.seed}), "
        f"{many(settings.iterations, 'iteration')} each\n"
        f"Learning rates: 10^{settings.window[0][0]:g} to 10^{settings.window[0][1]:g} (input "
        f"layer), 10^{settings.window[1][0]:g} to 10^{settings.window[1][1]:g} (output layer)\n"
        f"Converged: {converged:,} ({converged / count:.1%})\n"
    )


def _show_boxes(console: "Console", boxes: "BoxCounting") -> None:
    print_table(
        console,
        [">side of a box [pixels]", ">boxes at the boundary", ">fit"],
        [
            (size, f"{count:,.1f}", f"{fitted:,.1f}")
            for size, count, fitted in zip(
                boxes.sizes, boxes.counts, boxes.fitted(boxes.sizes), strict=True
            )
        ],
    )
    console.print(
        f"Box-counting dimension of the boundary: {boxes.dimension:.3f} "
        f"({boxes.low:.2f} to {boxes.high:.2f} at 95 %, R² {boxes.r_squared:.4f})"
    )


def _facts(found: Trainability, boxes: "BoxCounting | None", reason: str | None) -> dict[str, Any]:
    return {
        **found.settings._asdict(),
        "trainings": found.values.size,
        "converged": int(found.converged.sum()),
        "box_counting": vars(boxes) if boxes else None,
        "reason": reason,
        "zoom": found.zoom() if boxes else None,
    }
