"""``fastgd trainability``: map the edge of trainability, draw it, and measure how rough it is."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastgd import plots
from fastgd.checks.formatting import many
from fastgd.cli.console import open_console, print_plain, print_table, print_written
from fastgd.cli.errors import RefusedError, refusing
from fastgd.cli.job import timed
from fastgd.cli.json_output import print_json
from fastgd.cli.options import DEVICE, JSON, PROGRESS, THREADS, option, takes
from fastgd.cli.output_files import check_folder, check_plot, write_plot
from fastgd.cli.output_folders import done_text, finished
from fastgd.cli.terminal import saying_how_to_resume
from fastgd.engine.devices import AUTO, CPU, CUDA
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


def _read_window(text: str) -> Window:
    left, right, bottom, top = map(float, text.split(","))
    return (left, right), (bottom, top)


@takes(
    option("--plot FILE", "Draw the map to this file: .png, .svg or .pdf.", Path, default=...),
    option("--resolution N", "Pixels of a side: N x N trainings.", int, default=512),
    option("--iterations N", "Updates of each training.", int, default=500),
    option(
        "--window A,B,C,D",
        "Learning rates at the sides, log10: left, right (input layer), bottom, top (output "
        "layer). Zoom in by a smaller one.",
        default=_typed(WINDOW),
        read=_read_window,
        rule="four numbers, the log10 of learning rates, separated by ','",
    ),
    option("--activation NAME", "Hidden units: tanh, relu, identity or sigmoid.", default="tanh"),
    option("--batch-size N", "Samples of a mini-batch, a divisor of all (default: all).", int),
    option("--width N", "Inputs, and hidden units.", int, default=16),
    option("--seed N", "Seed of the samples and weights.", int, default=1),
    option("--box-plot FILE", "Also draw the box counts with their fit to this file.", Path),
    option(
        "--out FOLDER",
        "Keep finished patches here (default: PLOT.patches, removed at the end; nowhere with "
        "--device cuda).",
        Path,
    ),
    THREADS,
    DEVICE,
    PROGRESS,
    JSON,
)
def command(
    plot: Path, box_plot: Path | None, out: Path | None, progress: bool, json: bool, **settings: Any
) -> None:
    """Map which learning rates of two layers make a training converge: a fractal.

    One training per pixel, as in Sohl-Dickstein, arXiv 2402.06184.
    The same command given again resumes where it was interrupted.

    Example: [bold]fastgd trainability --resolution 128 --plot edge.png[/bold]
    """
    with refusing():
        check_plot(plot)
        check_plot(box_plot)
        if box_plot is not None and os.path.realpath(plot) == os.path.realpath(box_plot):
            raise RefusedError(f"--plot and --box-plot must be two files, got {plot} twice")
        work = out or plot.with_suffix(".patches")
        check_folder(work)
        device = settings.get("device", CPU)
        # Patches in a folder are too small for a GPU.
        kept = out is not None or not device.startswith(CUDA) or work.exists()
        before = finished(work).done
        few = {"resolution": min(settings["resolution"], WARM), "iterations": FEWEST_ITERATIONS}
        if device == AUTO:  # it is chosen for the whole map
            few["device"] = CPU
        with saying_how_to_resume(lambda: done_text(work, "patches")):
            done = timed(
                lambda: trainability(**settings | few),
                lambda: trainability(**settings, out=work if kept else None, progress=progress),
            )
        found = done.result
        boxes, reason = _boxes(found)
        write_plot(plots.trainability(found), plot)
        if boxes is not None and box_plot is not None:
            write_plot(plots.box_counts(boxes), box_plot)
        if out is None and kept:
            remove(work)
    if json:
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
    print_written(console, plot, box_plot if boxes else None)
    if out is not None:
        print_plain(console, f"Patches kept in {out}")


def _boxes(found: Trainability) -> "tuple[BoxCounting | None, str | None]":
    """The box counts, or why there are none."""
    try:
        return found.box_counting(), None
    except ValueError as error:
        return None, str(error)


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
