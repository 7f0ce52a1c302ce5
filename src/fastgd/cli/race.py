"""``fastgd race``: several optimizers on the same problem, as a table and a figure."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import fastgd
from fastgd import Race, plots
from fastgd.checks.formatting import error_text, joined, many, value_text
from fastgd.cli.console import open_console, print_plain, print_table
from fastgd.cli.errors import RefusedError, refusing
from fastgd.cli.inputs import InputOptions, check_asked
from fastgd.cli.job import Job, timed
from fastgd.cli.json_output import print_json, run_facts, samples_facts
from fastgd.cli.methods import read_entry, read_method, takes_method
from fastgd.cli.notes import note_unreached
from fastgd.cli.option_values import or_terminal
from fastgd.cli.output_files import check_picture, write_picture
from fastgd.cli.planes import PREPARED, read_window
from fastgd.cli.shared import (
    Iterations,
    Json,
    Plot,
    ProblemFile,
    ProblemHiddenSize,
    ProblemTarget,
    Progress,
    Seed,
    option,
)
from fastgd.optimizers import BY_COMMAND, GradientDescent

SHARE = 10
"""The table shows when the error fell below the first one divided by this."""


@takes_method(several=False, optimizer=False)
def command(
    file: ProblemFile = None,
    target: ProblemTarget = None,
    experiment: Annotated[
        str | None,
        option(
            metavar="NAME",
            help="Data of the article in place of a file: alpha (default), two-layer, ...",
        ),
    ] = None,
    optimizer: Annotated[
        list[str] | None,
        option(
            metavar="NAME,...",
            help="Optimizers to compare; repeat it for several (default: all). "
            f"{', '.join(BY_COMMAND)}; each with"
            " its alpha, momentum, rho, ... if wanted: adam,alpha=0.1.",
        ),
    ] = None,
    hidden_size: ProblemHiddenSize = None,
    iterations: Iterations = 1000,
    seed: Seed = 1,
    plot: Plot = None,
    axes: Annotated[
        list[str] | None,
        option(
            metavar="LAYER,INPUT,OUTPUT",
            help="A weight of the loss surface in the figure; give it twice (default: 0,0,0 and "
            "0,1,0).",
        ),
    ] = None,
    span: Annotated[
        list[str] | None,
        option(
            metavar="LOW,HIGH",
            help="From where to where it goes (default: around all paths); give it twice for "
            "another one of the second weight.",
        ),
    ] = None,
    progress: Progress = None,
    json: Json = False,
    **method: Any,
) -> Job:
    """Train a network with several optimizers from the same initial weights, and rank them.

    Example: [bold]fastgd race --optimizer adam --optimizer momentum,momentum=0.5[/bold]
    """
    asked = check_asked(file, target, experiment, hidden_size, "thirteen-lines")
    entries = [read_entry(text) for text in optimizer or []]
    settings = {
        "optimizers": [kind if alpha is None else (kind, alpha) for kind, alpha in entries] or None,
        "iterations": iterations,
        "seed": seed,
        **read_method(method, several=False),
    }
    if (axes or span) and plot is None:
        raise RefusedError("--axes and --span need --plot: they say what it shows")
    window = read_window(axes, span, None)
    return partial(show, asked, settings, window, plot, or_terminal(progress), json)


def show(
    asked: InputOptions,
    settings: dict[str, Any],
    window: dict[str, Any],
    plot: Path | None,
    progress: bool,
    as_json: bool,
) -> None:
    """Run the race, show the ranking and draw it."""
    with refusing():
        check_picture(plot)
        problem = asked.read(in_classes=settings.get("output") == "softmax")
        call = partial(
            fastgd.race, problem.samples.X, problem.samples.y, hidden_size=problem.hidden_size
        )

        def warm_up() -> None:
            short = call(**settings | {"iterations": min(1, settings["iterations"])})
            if plot is not None:
                short.surface(**window, resolution=PREPARED)  # refuses a window that can't be

        done = timed(warm_up, partial(call, **settings, progress=progress))
        found = done.result
        if plot is not None:
            curves, _ = plots.race(found, found.surface(**window))
            write_picture(curves, plot)
    if as_json:
        ranked = {name: run_facts(found.runs[name]) for name in found.ranking()}
        print_json(samples_facts(problem.samples) | {"runs": ranked, "seconds": done.seconds})
        return
    console = open_console()
    first = next(iter(found.runs.values()))
    sizes = (found.X.shape[1], *first.hidden_size, first.weights[-1].shape[1])
    print_plain(
        console,
        f"{problem.name}: {many(len(found.X), 'sample')}, a {joined(sizes, '-')} network, "
        f"seed {first.seed}, {many(settings['iterations'], 'iteration')}",
    )
    note_unreached(console, problem.samples, {first.options.get("output", "sigmoid")})
    console.print()
    print_table(console, *_ranking(found))
    console.print(done.text("Trained"))
    if plot is not None:
        print_plain(console, f"Drawn to {plot}")


def _ranking(race: Race) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Headings and rows, the winner first."""
    first = next(iter(race.runs.values())).errors[0]
    below = race.reached(first / SHARE)
    rows = []
    for rank, name in enumerate(race.ranking(), start=1):
        run = race.runs[name]
        kind = run.options.get("optimizer", GradientDescent())
        when = "-" if below[name] is None else f"{below[name]:,}"
        rows.append(
            (rank, value_text("optimizer", kind), joined(run.alpha), error_text(run.final_error),
             when, "" if run.status == "finished" else run.status)
        )  # fmt: skip
    reached = f">below {first / SHARE:.3g} at"
    return [">", "<optimizer", ">alpha", ">mean |y - output|", reached, "<"], rows
