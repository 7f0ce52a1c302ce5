"""``fastgd surface``: the error of a network over two of its weights, as numbers and a figure."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray

import fastgd
from fastgd import Run, Surface, Sweep, plots
from fastgd.checks.formatting import error_text, joined, many, options_text
from fastgd.cli.console import open_console, print_plain
from fastgd.cli.errors import RefusedError, refusing
from fastgd.cli.inputs import InputOptions, check_asked
from fastgd.cli.job import Job, timed
from fastgd.cli.json_output import print_json, samples_facts
from fastgd.cli.methods import read_method, takes_method
from fastgd.cli.notes import note_unreached
from fastgd.cli.option_values import or_terminal, read_alpha
from fastgd.cli.output_files import check_picture, write_picture
from fastgd.cli.planes import PREPARED, read_window
from fastgd.cli.shared import (
    Json,
    Plot,
    ProblemFile,
    ProblemHiddenSize,
    ProblemTarget,
    Progress,
    Threads,
    flag,
    option,
    whole,
)

if TYPE_CHECKING:
    from rich.console import Console

ITERATIONS = 10_000
"""Updates of a network that is trained here."""

RECORDS = 1000
"""Approximate number of points of a path."""


@takes_method(several=False)
def command(
    file: ProblemFile = None,
    target: ProblemTarget = None,
    experiment: Annotated[
        str | None,
        option(
            metavar="NAME",
            help="Data of the article in place of a file: two-layer (default), alpha, ...",
        ),
    ] = None,
    axes: Annotated[
        list[str] | None,
        option(
            metavar="LAYER,INPUT,OUTPUT",
            help="A weight to vary; give it twice (default: 0,0,0 and 0,1,0). All count from 0; "
            "the input after the last is the bias.",
        ),
    ] = None,
    span: Annotated[
        list[str] | None,
        option(
            metavar="LOW,HIGH",
            help="Range of the weights (default: -10,10); give it twice for another range of the "
            "second weight.",
        ),
    ] = None,
    resolution: Annotated[int, whole("--resolution", "Values of each weight.")] = 201,
    plot: Plot = None,
    solid: Annotated[bool, flag("--3d", "Draw it in three dimensions.")] = False,
    log: Annotated[bool, flag("--log-scale", "Draw the error's logarithm.")] = False,
    path: Annotated[bool, flag("--path/--no-path", "Draw the training's path on it.")] = True,
    weights_from: Annotated[
        Path | None,
        option(metavar="FILE.npz", help="A saved network in place of one trained now."),
    ] = None,
    hidden_size: ProblemHiddenSize = None,
    alpha: Annotated[
        str | None, option(metavar="ALPHA", help="Learning rate (default: 1).")
    ] = None,
    iterations: Annotated[
        int | None, whole("--iterations", f"Updates of the weights (default: {ITERATIONS}).")
    ] = None,
    seed: Annotated[
        int | None, whole("--seed", "Seed of the initial weights (default: 1).")
    ] = None,
    threads: Threads = None,
    progress: Progress = None,
    json: Json = False,
    **method: Any,
) -> Job:
    """Measure a network's error over a grid of two of its weights, and draw it.

    The other weights keep the values at which the training ends.
    Without a file it is the surface of the article.

    Example: [bold]fastgd surface --3d --plot plane.png[/bold]
    """
    asked = check_asked(file, target, experiment, hidden_size, "two-layer")
    training = {
        "alpha": alpha and read_alpha(alpha),
        "iterations": iterations,
        "seed": seed,
        **read_method(method, several=False),
    }
    training = {name: value for name, value in training.items() if value is not None}
    if weights_from and (training or hidden_size):
        given = next(iter(training), "hidden_size").replace("_", "-")
        raise RefusedError(f"--weights-from has been trained already: leave out --{given}")
    window = read_window(axes, span, resolution) | {"threads": threads}
    picture = {"kind": "3d" if solid else "contour", "log": log}
    return partial(
        show, asked, weights_from, training, window, picture, path, plot,
        or_terminal(progress), json,
    )  # fmt: skip


def show(
    asked: InputOptions,
    weights_from: Path | None,
    training: dict[str, Any],
    window: dict[str, Any],
    picture: dict[str, Any],
    with_path: bool,
    plot: Path | None,
    progress: bool,
    as_json: bool,
) -> None:
    """Train or load a network, measure its loss surface, show and draw it."""
    with refusing():
        check_picture(plot)
        saved = None if weights_from is None else _loaded(weights_from)
        output = saved.options.get("output") if saved else training.get("output")
        problem = asked.read(in_classes=output == "softmax")
        X, y = problem.samples.X, problem.samples.y
        settings: dict[str, Any] = {"hidden_size": problem.hidden_size, "iterations": ITERATIONS}
        settings |= training

        def warm_up() -> None:  # and whatever is wrong with the window is met before the training
            short = settings | {"iterations": min(1, settings["iterations"])}
            first = saved or fastgd.train(X, y, record_weights=True, **short)
            small = {"resolution": min(PREPARED, window["resolution"])}
            fastgd.surface(X, y, first, **window | small)

        def trained() -> Run:
            every = max(1, settings["iterations"] // RECORDS)
            return saved or fastgd.train(
                X, y, record_every=every, record_weights=True, progress=progress, **settings
            )

        learned = timed(warm_up, trained)
        run = learned.result
        measured = timed(None, lambda: fastgd.surface(X, y, run, **window, progress=progress))
        plane = measured.result
        path, missing = _path(plane, run) if with_path else (None, "")
        if plot is not None:
            paths = None if path is None else run
            write_picture(plots.surface(plane, paths=paths, **picture), plot)
    if as_json:
        print_json(
            samples_facts(problem.samples)
            | vars(plane)
            | {"lowest": plane.lowest(), "path": path}
            | {"final_error": run.final_error, "seconds": measured.seconds}
        )
        return
    console = open_console()
    print_plain(console, f"{problem.name}: {many(plane.samples, 'sample')}")
    note_unreached(console, problem.samples, {run.options.get("output", "sigmoid")})
    _describe(console, plane, run)
    measured = measured._replace(loading=learned.loading)
    console.print(measured.text(f"{many(plane.errors.size, 'point')} measured"))
    if plot is not None:
        print_plain(console, f"Drawn to {plot}")
        if missing:
            print_plain(console, f"(No path: {missing}.)")


def _describe(console: "Console", plane: Surface, run: Run) -> None:
    """The network, the window and the lowest error in it."""
    how = run.minimizer["method"] if run.minimizer else f"alpha {joined(run.alpha)}"
    seed = "" if run.seed is None else f", seed {run.seed}"
    print_plain(
        console,
        f"A {joined(plane.sizes, '-')} network, {how}{seed}: mean |y - output| "
        f"{error_text(run.final_error)} after {many(run.iterations, 'iteration')}",
    )
    if run.options:
        print_plain(console, f"Options: {options_text(run.options)}")
    for name, values in zip(plane.names, (plane.x, plane.y), strict=True):
        print_plain(console, f"{name} from {values[0]:g} to {values[-1]:g}")
    if plane.held:
        console.print(f"The other {plane.held:,} held where the training ends")
    first, second, error = plane.lowest()
    console.print(f"Lowest mean |y - output|: {error_text(error)} at ({first:g}, {second:g})")


def _path(plane: Surface, run: Run) -> tuple[NDArray[np.float64] | None, str]:
    """The training's path on the surface, or why there is none."""
    try:
        return plane.path(run), ""
    except ValueError as error:
        return None, str(error)


def _loaded(path: Path) -> Run:
    """The network that was saved."""
    run = fastgd.load(path)
    if not isinstance(run, Run):
        holds = "a sweep" if isinstance(run, Sweep) else f"a {type(run).__name__}"
        raise ValueError(f"{path} must hold one network, got {holds}")
    return run
