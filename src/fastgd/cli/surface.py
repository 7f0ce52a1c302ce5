"""``fastgd surface``: the error of a network over two of its weights, as numbers and a figure."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import fastgd
from fastgd import Run, Surface, Sweep, plots
from fastgd.checks.messages import error_text, joined, many, options_text
from fastgd.cli.command_options import (
    DEVICE,
    JSON,
    PLOT,
    PROGRESS,
    THREADS,
    Declared,
    option,
    read_alpha,
    takes,
)
from fastgd.cli.machine_output import print_json, samples_facts
from fastgd.cli.methods import method_options, read_method
from fastgd.cli.output_files import Output, check_plot, write_plot, writing
from fastgd.cli.problem_commands import note_unreached, problem, take_problem
from fastgd.cli.terminal import RefusedError, open_console, print_plain, refusing, timed

if TYPE_CHECKING:
    from rich.console import Console

ITERATIONS = 10_000
"""Updates of a network that is trained here."""

RECORDS = 1000
"""Approximate number of points of a path."""

PREPARED = 6
"""Resolution of a surface that loads the kernel: its lanes are those of any larger one."""


def window_options(axes: str, span: str) -> tuple[Declared, ...]:
    """Declare the options for two weights and their ranges, with these help texts."""
    return (
        option(
            "--axes LAYER,INPUT,OUTPUT",
            axes,
            list[str],
            read=lambda text: tuple(map(int, text.split(","))),
            rule="layer,input,output, three whole numbers, separated by ','",
        ),
        option(
            "--span LOW,HIGH",
            span,
            list[str],
            read=lambda text: tuple(map(float, text.split(","))),
            rule="low,high, two numbers, separated by ','",
        ),
    )


def take_window(typed: dict[str, Any]) -> dict[str, Any]:
    """Take the two options out of what was typed, as arguments of :func:`fastgd.surface`."""
    axes, span = typed.pop("axes", []), typed.pop("span", [])
    window: dict[str, Any] = {}
    if axes:
        if len(axes) != 2:
            raise RefusedError(f"--axes must be given twice, once for each weight, got {len(axes)}")
        window["axes"] = tuple(axes)
    if span:
        if len(span) > 2:
            raise RefusedError(
                f"--span must be given once, or once for each weight, got {len(span)} times"
            )
        window["span"] = span[0] if len(span) == 1 else tuple(span)
    return window


@takes(
    *problem("two-layer"),
    *window_options(
        "A weight to vary; give it twice (default: 0,0,0 and 0,1,0). All count from 0; the input "
        "after the last is the bias.",
        "Range of the weights (default: -10,10); give it twice for another range of the second "
        "weight.",
    ),
    option("--resolution N", "Values of each weight.", int, default=201),
    PLOT,
    option("--3d", "Draw it in three dimensions.", bool, name="solid"),
    option("--log-scale", "Draw the error's logarithm.", bool),
    option("--path/--no-path", "Draw the training's path on it.", bool, default=True),
    option("--weights-from FILE.npz", "A saved network in place of one trained now.", Path),
    option("--alpha ALPHA", "Learning rate (default: 1).", read=read_alpha),
    option("--iterations N", f"Updates of the weights (default: {ITERATIONS}).", int),
    option("--seed N", "Seed of the initial weights (default: 1).", int),
    THREADS,
    DEVICE,
    PROGRESS,
    JSON,
    *method_options(several=False),
)
def command(
    resolution: int,
    plot: Path | None,
    solid: bool,
    log_scale: bool,
    path: bool,
    weights_from: Path | None,
    threads: int | None,
    device: str | None,
    progress: bool,
    json: bool,
    **typed: Any,
) -> None:
    """Measure a network's error over a grid of two of its weights, and draw it.

    The other weights keep the values at which the training ends.
    Without a file it is the surface of the article.

    Example: [bold]fastgd surface --3d --plot plane.png[/bold]
    """
    asked = take_problem(typed, "two-layer")
    window = take_window(typed) | {"resolution": resolution, "threads": threads}
    window |= {} if device is None else {"device": device}
    training = read_method(typed, several=False)
    if weights_from and (training or asked.hidden_size is not None):
        given = next(iter(training), "hidden_size").replace("_", "-")
        raise RefusedError(f"--weights-from has been trained already: leave out --{given}")
    with refusing():
        check_plot(plot)
        saved = None if weights_from is None else _loaded(weights_from)
        data = asked.read(saved.options if saved else training)
        X, y = data.samples.X, data.samples.y
        settings: dict[str, Any] = {"hidden_size": data.hidden_size, "iterations": ITERATIONS}
        settings |= training
        iterations = settings["iterations"]
        train = partial(fastgd.train, X, y, record_weights=True, **settings)

        def warm_up() -> None:  # and whatever is wrong with the window is met before the training
            first = saved or train(iterations=min(1, iterations))
            fastgd.surface(X, y, first, **window | {"resolution": min(PREPARED, resolution)})

        def trained() -> Run:
            every = max(1, iterations // RECORDS)
            return saved or train(record_every=every, progress=progress)

        learned = timed(warm_up, trained)
        run = learned.result
        measured = timed(None, lambda: fastgd.surface(X, y, run, **window, progress=progress))
        plane = measured.result
        points, missing = _path(plane, run) if path else (None, "")

    def draw(file: Path) -> None:
        paths, kind = None if points is None else run, "3d" if solid else "contour"
        write_plot(plots.surface(plane, paths=paths, kind=kind, log=log_scale), file)

    said = (f"Written to {plot}", f"(No path: {missing}.)") if missing else ()
    with writing(Output(plot, draw, said), as_json=json):
        if json:
            print_json(
                samples_facts(data.samples)
                | vars(plane)
                | {"lowest": plane.lowest(), "path": points}
                | {"final_error": run.final_error, "seconds": measured.seconds}
            )
            return
        console = open_console()
        print_plain(console, f"{data.name}: {many(plane.samples, 'sample')}")
        note_unreached(console, data.samples, {run.options.get("output", "sigmoid")})
        _describe(console, plane, run)
        measured = measured._replace(loading=learned.loading)
        console.print(measured.text(f"{many(plane.errors.size, 'point')} measured"))


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
