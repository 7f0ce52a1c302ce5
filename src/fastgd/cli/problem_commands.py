"""``fastgd surface`` and ``fastgd race``: errors over two weights, and optimizers compared.

Both train on one problem, a file of numbers or an experiment of the article, and may draw a window
of two weights.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

import fastgd
from fastgd import Run, Sweep, plots
from fastgd.checks.messages import error_text, joined, many, options_text
from fastgd.cli.command_options import (
    COLUMNS,
    EXPERIMENT,
    NAMED,
    option_table,
    read_alpha,
    read_network,
    takes,
)
from fastgd.cli.machine_output import print_json, run_facts, samples_facts
from fastgd.cli.methods import method_options, read_entry, read_method
from fastgd.cli.output_files import check_plot, write_plot, writing
from fastgd.cli.refusals import TYPED, RefusedError, in_typed_words, refusing
from fastgd.cli.result_tables import print_summary
from fastgd.cli.table_options import note_unreached
from fastgd.cli.terminal import print_plain, print_rich, time_text, timed
from fastgd.optimizers import BY_COMMAND
from fastgd.tables.table_samples import Samples, read_samples

ITERATIONS = 10_000
"""Updates of a network whose surface is measured, and that is trained here."""

RECORDS = 1000
"""Approximate number of points of a path."""

WARM_UP_RESOLUTION = 6
"""Resolution of a surface that loads the kernel: its lanes are those of any larger one."""


# ---------------------------------------------------------------- the problem


def problem(default: str) -> list[inspect.Parameter]:
    """Declare the options for samples, of a file or of an experiment, and for the network."""
    return option_table(
        f"""
        file FILE.csv  Numbers, with a header line.
        --target NAME  Column to learn; repeat it for several.
        --experiment NAME  Data of the article in place of a file: {default} (default), alpha, ...
        --hidden-size SIZE  Units of the hidden layer (default: the experiment's, or 4 for a file);
            8x4 has two layers, none has none.
        """,
        {"target": COLUMNS, "experiment": EXPERIMENT, "hidden_size": read_network},
    )


def take_problem(
    typed: dict[str, Any], default: str
) -> Callable[[Mapping[str, Any]], tuple[str, Samples, tuple[int, ...]]]:
    """Take these options out of what was typed, and reject those that exclude each other.

    Returns a function that reads the file, or takes the experiment's data, given the options of the
    training: the name of the problem, its samples, and the hidden layers.
    """
    names = ("file", "target", "experiment", "hidden_size")
    file, target, experiment, hidden_size = (typed.pop(name, None) for name in names)
    if file is not None and experiment is not None:
        raise RefusedError("FILE.csv and --experiment exclude each other")
    if file is None and target:
        raise RefusedError("--target needs FILE.csv")
    chosen = experiment or NAMED[default]

    def read(settings: Mapping[str, Any]) -> tuple[str, Samples, tuple[int, ...]]:
        if file is not None:
            samples = read_samples(file, target or [], settings=settings)
            return str(file), samples, (4,) if hidden_size is None else hidden_size
        X, y = np.array(chosen.X, dtype=float), np.array(chosen.y, dtype=float)[:, None]
        samples = Samples([f"input {i + 1}" for i in range(X.shape[1])], ["y"], X, y)
        layers = chosen.hidden_size if hidden_size is None else hidden_size
        return f"The article's data ({chosen.name})", samples, layers

    return read


WINDOW: dict[str, dict[str, Any]] = {
    "axes": {
        "kind": list[str],
        "read": lambda text: tuple(map(int, text.split(","))),
        "rule": "layer,input,output, three whole numbers, separated by ','",
    },
    "span": {
        "kind": list[str],
        "read": lambda text: tuple(map(float, text.split(","))),
        "rule": "low,high, two numbers, separated by ','",
    },
}
"""How two weights and their ranges are typed."""


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


# ---------------------------------------------------------------- the commands


@takes(
    *problem("two-layer"),
    f"""
    --axes LAYER,INPUT,OUTPUT  A weight to vary; give it twice (default: 0,0,0 and 0,1,0). All count
        from 0; the input after the last is the bias.
    --span LOW,HIGH  Range of the weights (default: -10,10); give it twice for another range of the
        second weight.
    --resolution N  Values of each weight.
    --plot
    --3d  Draw it in three dimensions.
    --log-scale  Draw the error's logarithm.
    --path/--no-path  Draw the training's path on it.
    --weights-from FILE.npz  A saved network in place of one trained now.
    --alpha ALPHA  Learning rate (default: 1).
    --iterations N  Updates of the weights (default: {ITERATIONS}).
    --seed N  Seed of the initial weights (default: 1).
    --threads --device --progress --json
    """,
    *method_options(several=False),
    **WINDOW,
    **{"resolution": 201, "3d": {"name": "solid"}, "path": True, "alpha": read_alpha},
)
def surface(
    plot: Path | None,
    solid: bool,
    log_scale: bool,
    path: bool,
    weights_from: Path | None,
    progress: bool,
    json: bool,
    **typed: Any,
) -> None:
    """Measure a network's error over a grid of two of its weights, and draw it.

    The other weights keep the values at which the training ends.
    Without a file it is the surface of the article.

    Example: [bold]fastgd surface --3d --plot plane.png[/bold]
    """
    is_sized = "hidden_size" in typed
    read = take_problem(typed, "two-layer")
    window = take_window(typed)
    window |= {n: typed.pop(n) for n in ("resolution", "threads", "device") if n in typed}
    training = read_method(typed, several=False)
    if weights_from and (training or is_sized):
        given = next(iter(training), "hidden_size").replace("_", "-")
        raise RefusedError(f"--weights-from has been trained already: leave out --{given}")
    with refusing():
        check_plot(plot)
        saved = None if weights_from is None else fastgd.load(weights_from)
        if not isinstance(saved, Run | None):
            holds = "a sweep" if isinstance(saved, Sweep) else f"a {type(saved).__name__}"
            raise ValueError(f"{weights_from} must hold one network, got {holds}")
        name, samples, hidden_size = read(saved.options if saved else training)
        X, y = samples.X, samples.y
        training = {"hidden_size": hidden_size, "iterations": ITERATIONS, **training}
        iterations = training["iterations"]
        train = partial(fastgd.train, X, y, record_weights=True, **training)

        def warm_up() -> None:  # and whatever is wrong with the window is met before the training
            first = saved or train(iterations=min(1, iterations))
            resolution = min(WARM_UP_RESOLUTION, window["resolution"])
            fastgd.surface(X, y, first, **window | {"resolution": resolution})

        def trained() -> Run:
            every = max(1, iterations // RECORDS)
            return saved or train(record_every=every, progress=progress)

        run, _, loading = timed(warm_up, trained)
        measure = partial(fastgd.surface, X, y, run, **window, progress=progress)
        plane, seconds, _ = timed(None, measure)
        points, missing = None, ""
        if path:
            try:
                points = plane.path(run)
            except ValueError as error:
                missing = str(error)

    def draw(file: Path) -> None:
        paths: Any = None if points is None else run
        kind: Literal["contour", "3d"] = "3d" if solid else "contour"
        write_plot(plots.surface(plane, paths=paths, kind=kind, log=log_scale), file)

    said = (f"Written to {plot}", f"(No path: {missing}.)") if missing else ()
    with writing((plot, draw, said), as_json=json):
        if json:
            facts = samples_facts(samples) | vars(plane)
            facts |= {"lowest": plane.lowest(), "path": points, "final_error": run.final_error}
            print_json(facts | {"seconds": seconds})
            return
        print_plain(f"{name}: {many(plane.samples, 'sample')}")
        note_unreached(samples, {run.options.get("output", "sigmoid")})
        how = run.minimizer["method"] if run.minimizer else f"alpha {joined(run.alpha)}"
        seed = "" if run.seed is None else f", seed {run.seed}"
        print_plain(
            f"A {joined(plane.sizes, '-')} network, {how}{seed}: mean |y - output| "
            f"{error_text(run.final_error)} after {many(run.iterations, 'iteration')}",
        )
        if run.options:
            print_plain(f"Options: {options_text(run.options)}")
        print_summary(plane)
        print_rich(time_text(f"{many(plane.errors.size, 'point')} measured", seconds, loading))


@takes(
    *problem("thirteen-lines"),
    f"""
    --optimizer NAME,...  Optimizers to compare; repeat it for several (default: all).
        {", ".join(BY_COMMAND)}; each with its alpha, momentum, rho, ... if wanted: adam,alpha=0.1.
        Or one of your own with its alpha: FILE.py:NAME, or the text of a fastgd.Rule.
    --iterations N  Updates of the weights.
    --seed N  Seed of the initial weights.
    --plot
    --axes LAYER,INPUT,OUTPUT  A weight of the loss surface in the figure; give it twice (default:
        0,0,0 and 0,1,0).
    --span LOW,HIGH  From where to where it goes (default: around all paths); give it twice for
        another one of the second weight.
    --threads --progress --json
    """,
    *method_options(several=False, optimizer=False),
    optimizer={"kind": list[str], "name": "optimizers", "read": read_entry},
    iterations=1000,
    seed=1,
    **WINDOW,
)
def race(plot: Path | None, progress: bool, json: bool, **typed: Any) -> None:
    """Train a network with several optimizers from the same initial weights, and rank them.

    Example: [bold]fastgd race --optimizer adam --optimizer momentum,momentum=0.5[/bold]
    """
    read = take_problem(typed, "thirteen-lines")
    window = take_window(typed)
    if window and plot is None:
        raise RefusedError("--axes and --span need --plot: they say what it shows")
    settings = read_method(typed, several=False)
    with refusing():
        check_plot(plot)
        name, samples, hidden_size = read(settings)
        call = partial(fastgd.race, samples.X, samples.y, hidden_size=hidden_size, **settings)

        def warm_up() -> None:
            short = call(iterations=min(1, settings["iterations"]))
            if plot is not None:
                # Refuses a window that can't be.
                short.surface(**window, resolution=WARM_UP_RESOLUTION)

        found, *times = timed(warm_up, partial(call, progress=progress))

    def draw(path: Path) -> None:
        write_plot(plots.race(found, found.surface(**window))[0], path)

    with writing((plot, draw, ()), as_json=json):
        if json:
            ranked = {one: run_facts(found.runs[one]) for one in found.ranking()}
            out = {"left_out": found.left_out} if found.left_out else {}
            facts = samples_facts(samples) | {"runs": ranked, **out}
            print_json(facts | {"seconds": times[0]})
            return
        first = next(iter(found.runs.values()))
        sizes = (found.X.shape[1], *first.hidden_size, first.weights[-1].shape[1])
        print_plain(
            f"{name}: {many(len(found.X), 'sample')}, a {joined(sizes, '-')} network, "
            f"seed {first.seed}, {many(settings['iterations'], 'iteration')}",
        )
        note_unreached(samples, {first.options.get("output", "sigmoid")})
        print_rich()
        print_summary(found)
        for reason in found.left_out.values():
            print_plain(f"Left out: {in_typed_words(reason, TYPED.get())}\n")
        print_rich(time_text("Trained", *times))
