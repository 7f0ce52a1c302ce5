"""``fastgd race``: several optimizers on the same problem, as a table and a figure."""

from functools import partial
from pathlib import Path
from typing import Any

import fastgd
from fastgd import Race, plots
from fastgd.checks.messages import error_text, joined, many, value_text
from fastgd.cli.command_options import JSON, PLOT, PROGRESS, SEED, THREADS, option, takes
from fastgd.cli.machine_output import print_json, run_facts, samples_facts
from fastgd.cli.methods import method_options, read_entry, read_method
from fastgd.cli.output_files import Output, check_plot, write_plot, writing
from fastgd.cli.problem_commands import (
    PREPARED,
    CommandData,
    note_unreached,
    problem,
    take_problem,
    take_window,
    window_options,
)
from fastgd.cli.terminal import (
    TYPED,
    RefusedError,
    in_typed_words,
    open_console,
    print_plain,
    print_table,
    refusing,
    timed,
)
from fastgd.optimizers import BY_COMMAND, GradientDescent

SHARE = 10
"""The table shows when the error fell below the first one divided by this."""


@takes(
    *problem("thirteen-lines"),
    option(
        "--optimizer NAME,...",
        f"Optimizers to compare; repeat it for several (default: all). {', '.join(BY_COMMAND)}; "
        "each with its alpha, momentum, rho, ... if wanted: adam,alpha=0.1.",
        list[str],
        name="optimizers",
        read=read_entry,
    ),
    option("--iterations N", "Updates of the weights.", int, default=1000),
    SEED,
    PLOT,
    *window_options(
        "A weight of the loss surface in the figure; give it twice (default: 0,0,0 and 0,1,0).",
        "From where to where it goes (default: around all paths); give it twice for another one of "
        "the second weight.",
    ),
    THREADS,
    PROGRESS,
    JSON,
    *method_options(several=False, optimizer=False),
)
def command(plot: Path | None, progress: bool, json: bool, **typed: Any) -> None:
    """Train a network with several optimizers from the same initial weights, and rank them.

    Example: [bold]fastgd race --optimizer adam --optimizer momentum,momentum=0.5[/bold]
    """
    asked = take_problem(typed, "thirteen-lines")
    window = take_window(typed)
    if window and plot is None:
        raise RefusedError("--axes and --span need --plot: they say what it shows")
    settings = read_method(typed, several=False)
    with refusing():
        check_plot(plot)
        data = asked.read(settings)
        X, y = data.samples.X, data.samples.y
        call = partial(fastgd.race, X, y, hidden_size=data.hidden_size, **settings)

        def warm_up() -> None:
            short = call(iterations=min(1, settings["iterations"]))
            if plot is not None:
                short.surface(**window, resolution=PREPARED)  # refuses a window that can't be

        done = timed(warm_up, partial(call, progress=progress))
    found = done.result

    def draw(path: Path) -> None:
        write_plot(plots.race(found, found.surface(**window))[0], path)

    with writing(Output(plot, draw), as_json=json):
        if json:
            ranked = {name: run_facts(found.runs[name]) for name in found.ranking()}
            out = {"left_out": found.left_out} if found.left_out else {}
            facts = samples_facts(data.samples) | {"runs": ranked, **out}
            print_json(facts | {"seconds": done.seconds})
            return
        _print(data, found, settings["iterations"])
        open_console().print(done.text("Trained"))


def _print(data: CommandData, found: Race, iterations: int) -> None:
    """The problem, the ranking, and who was left out."""
    console = open_console()
    first = next(iter(found.runs.values()))
    sizes = (found.X.shape[1], *first.hidden_size, first.weights[-1].shape[1])
    print_plain(
        console,
        f"{data.name}: {many(len(found.X), 'sample')}, a {joined(sizes, '-')} network, "
        f"seed {first.seed}, {many(iterations, 'iteration')}",
    )
    note_unreached(console, data.samples, {first.options.get("output", "sigmoid")})
    console.print()
    print_table(console, *_ranking(found))
    for reason in found.left_out.values():
        print_plain(console, f"Left out: {in_typed_words(reason, TYPED.get())}\n")


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
