"""``fastgd trainability``: map the edge of trainability, draw it, and measure how rough it is."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import fastgd
from fastgd import Trainability, plots
from fastgd.checks.messages import many
from fastgd.cli.command_options import takes
from fastgd.cli.machine_output import print_json
from fastgd.cli.output_files import (
    check_folder,
    check_plot,
    done_text,
    finished,
    write_plot,
    writing,
)
from fastgd.cli.refusals import RefusedError, refusing
from fastgd.cli.result_tables import print_summary
from fastgd.cli.terminal import (
    print_plain,
    print_rich,
    print_table,
    saying_how_to_resume,
    time_text,
    timed,
)
from fastgd.engine.devices import AUTO, CPU, CUDA
from fastgd.plots import style
from fastgd.plots.maps import magnification
from fastgd.store.folder import remove
from fastgd.studies.mean_field import FEWEST_ITERATIONS, MapWindow
from fastgd.studies.trainability_map import WINDOW

if TYPE_CHECKING:
    from fastgd.studies.box_counting import BoxCounting

WARM = 5
"""A map of this size compiles the same kernel as a large one."""


def _typed(window: MapWindow) -> str:
    return ",".join(f"{value!r}" for side in window for value in side)


def _read_window(text: str) -> MapWindow:
    left, right, bottom, top = map(float, text.split(","))
    return (left, right), (bottom, top)


@takes(
    """
    --plot FILE  Draw the map to this file: .png, .svg or .pdf. With --frames: the last one, or all
        as an animation: .gif.
    --resolution N  Pixels of a side: N x N trainings (default: 512, or 128 with --frames).
    --iterations N  Updates of each training.
    --window A,B,C,D  Learning rates at the sides, log10: left, right (input layer), bottom, top
        (output layer, or what --against says). Zoom in by a smaller one.
    --activation NAME  Hidden units: tanh, relu, identity or sigmoid.
    --batch-size N  Samples of a mini-batch, a divisor of all (default: all).
    --samples N  Samples (default: as many as parameters; identity: as inputs).
    --against NAME  Vertical axis: output_rate (default); mean or spread (standard deviation) of the
        initial weights of the input layer, with one learning rate for both layers.
    --frames N  Zoom in to the boundary: a map for each of N frames.
    --factor X  How many times as narrow each frame is (default: 1.25).
    --width N  Inputs, and hidden units.
    --seed N  Seed of the samples and weights.
    --box-plot FILE  Also draw the box counts with their fit to this file.
    --out FOLDER  Keep finished patches here (default: PLOT.patches, or PLOT.frames with --frames,
        removed at the end; nowhere with --device cuda).
    --threads --device --progress --json
    """,
    plot={"default": ...},
    iterations=500,
    window={
        "default": _typed(WINDOW),
        "read": _read_window,
        "rule": "four numbers: left, right, bottom and top, separated by ','",
    },
    activation="tanh",
    width=16,
    seed=1,
)
def trainability(
    plot: Path,
    box_plot: Path | None,
    out: Path | None,
    progress: bool,
    json: bool,
    **settings: Any,
) -> None:
    """Map which learning rates of two layers make a training converge: a fractal.

    One training per pixel, as in Sohl-Dickstein, arXiv 2402.06184.
    The same command given again resumes where it was interrupted.

    Example: [bold]fastgd trainability --resolution 128 --plot edge.png[/bold]
    """
    zoom = {name: settings.pop(name) for name in ("frames", "factor") if name in settings}
    with refusing():
        check_plot(plot, (*style.ENDINGS, style.FILM) if "frames" in zoom else style.ENDINGS)
        check_plot(box_plot)
        if zoom and "frames" not in zoom:
            raise RefusedError("--factor needs --frames")
        if zoom and box_plot is not None:
            raise RefusedError("--frames and --box-plot exclude each other")
        if box_plot is not None and os.path.realpath(plot) == os.path.realpath(box_plot):
            raise RefusedError(f"--plot and --box-plot must be two files, got {plot} twice")
        work = out or plot.with_suffix(".frames" if zoom else ".patches")
        check_folder(work)
        settings.setdefault("resolution", 128 if zoom else 512)
        device = settings.get("device", CPU)
        # Patches in a folder are too small for a GPU.
        kept = out is not None or not device.startswith(CUDA) or work.exists()
        few = {"resolution": min(settings["resolution"], WARM), "iterations": FEWEST_ITERATIONS}
        if device == AUTO:  # it is chosen for the whole map
            few["device"] = CPU
        warm_up = partial(fastgd.trainability, **settings | few)
        settings |= {"out": work if kept else None, "progress": progress}
        before = finished(work)[0]  # patches of an earlier call
        call: Any = fastgd.trainability_zoom if zoom else fastgd.trainability
        with saying_how_to_resume(lambda: _kept_text(work, zoom.get("frames"))):
            found, *times = timed(warm_up, partial(call, **settings, **zoom))
    if zoom:
        _show_frames(found, times, plot, out, json)
    else:
        _show_map(found, times, before, plot, box_plot, out, json)
    if out is None and kept:  # and all was written
        with refusing():
            for folder in (*work.glob("frame-*"), *work.glob("scout-*")) if zoom else ():
                remove(folder)
            remove(work)


def _kept_text(work: Path, frames: int | None) -> str:
    """How many frames of a zoom are complete or, if none is begun, what scouts have found."""
    if frames is None:
        return done_text(work, "patches")
    found = [finished(folder) for folder in work.glob("frame-*")]
    count = sum(done == chunks > 0 for done, chunks in found)
    if found:
        return f"{count} of {frames} frames are done and in {work}"
    patches = sum(finished(folder)[0] for folder in work.glob("scout-*"))
    found_text = f"the search for the boundary has begun, with {many(patches, 'patch')} in {work}"
    return found_text if patches else ""


def _show_frames(
    maps: tuple[Trainability, ...], times: list[float], plot: Path, out: Path | None, json: bool
) -> None:
    """A row for each frame, and the median of their dimensions."""

    def draw(path: Path) -> None:
        if path.suffix.lower() == style.FILM:
            plots.zoom_film(maps, path)
        else:
            write_plot(plots.trainability(maps[-1]), path)

    with writing((plot, draw, ()), as_json=json):
        boxes = [_boxes(found) for found in maps]
        dimensions = [one.dimension for one, _ in boxes if one is not None]
        middle = median(dimensions) if dimensions else None
        if json:
            frames = [_facts(found, *each) for found, each in zip(maps, boxes, strict=True)]
            print_json({"frames": frames, "median_dimension": middle, "seconds": times[0]})
            return
        rows = []
        for k, (found, (one, _)) in enumerate(zip(maps, boxes, strict=True)):
            text = "no boundary"
            if one is not None:
                text = f"{one.dimension:.3f} ({one.low:.2f} to {one.high:.2f})"
            rows.append(
                (f"{k}", f"{magnification(maps, k)} x", f"{found.converged.mean():.1%}", text)
            )
        print_table([">frame", ">zoom", ">converged", "<dimension of the boundary"], rows)
        if middle is not None:
            print_rich(f"Median of the box-counting dimensions: {middle:.3f}")
        trainings = sum(found.values.size for found in maps)
        print_rich(time_text(f"{many(trainings, 'training')} done", *times))
        if out is not None:
            print_plain(f"Frames kept in {out}")


def _show_map(
    found: Trainability,
    times: list[float],
    before: int,
    plot: Path,
    box_plot: Path | None,
    out: Path | None,
    json: bool,
) -> None:
    """How many trainings converged, and the box counts of the boundary."""
    boxes, reason = _boxes(found)
    outputs: list[tuple[Path | None, Callable[[Path], object], tuple[str, ...]]] = [
        (plot, lambda path: write_plot(plots.trainability(found), path), ())
    ]
    if boxes is not None:
        outputs.append((box_plot, lambda path: write_plot(plots.box_counts(boxes), path), ()))
    with writing(*outputs, as_json=json):
        if json:
            facts = _facts(found, boxes, reason)
            print_json(facts | {"seconds": times[0], "patches_found": before})
            return
        print_summary(found)
        if boxes is None:
            print_plain(f"No box-counting dimension: {reason}")
        else:
            fitted = zip(boxes.sizes, boxes.counts, boxes.fitted(boxes.sizes), strict=True)
            print_table(
                [">side of a box [pixels]", ">boxes at the boundary", ">fit"],
                [(size, f"{count:,.1f}", f"{fit:,.1f}") for size, count, fit in fitted],
            )
            print_rich(
                f"Box-counting dimension of the boundary: {boxes.dimension:.3f} "
                f"({boxes.low:.2f} to {boxes.high:.2f} at 95 %, R² {boxes.r_squared:.4f})"
            )
            print_rich(f"Zoom in, to most of the boundary: --window {_typed(found.zoom())}")
        print_rich(time_text(f"{many(found.values.size, 'training')} done", *times))
        if before:
            print_rich(f"({many(before, 'patch')} from an earlier call)")
        if out is not None:
            print_plain(f"Patches kept in {out}")


def _boxes(found: Trainability) -> "tuple[BoxCounting | None, str | None]":
    """The box counts, or why there are none."""
    try:
        return found.box_counting(), None
    except ValueError as error:
        return None, str(error)


def _facts(found: Trainability, boxes: "BoxCounting | None", reason: str | None) -> dict[str, Any]:
    return {
        **found.settings._asdict(),
        "trainings": found.values.size,
        "converged": int(found.converged.sum()),
        "box_counting": vars(boxes) if boxes else None,
        "reason": reason,
        "zoom": found.zoom() if boxes else None,
    }
