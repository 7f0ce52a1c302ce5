"""``fastgd train``: train one network on a CSV file, and show what came of it."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray

import fastgd
from fastgd import Run
from fastgd.arguments.wording import error_text, joined, many, options_text
from fastgd.cli.facts import print_json, samples_facts
from fastgd.cli.fit import Asked, close, fit, show_samples
from fastgd.cli.job import Job
from fastgd.cli.methods import read_method, takes_method
from fastgd.cli.refusal import RefusedError
from fastgd.cli.shared import (
    File,
    Iterations,
    Json,
    NoHidden,
    Progress,
    RecordEvery,
    Seed,
    Target,
    flag,
    option,
)
from fastgd.cli.tables import Rows, open_console, print_table
from fastgd.cli.values import or_terminal, read_alpha, read_layers
from fastgd.training.results import Summary

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = 20
"""Records of a training that are shown at most."""


@takes_method(several=False)
def command(
    file: File,
    target: Target = None,
    hidden_size: Annotated[
        str | None,
        option(metavar="SIZE", help="Units of the hidden layer (default: 4), or of several: 8,8."),
    ] = None,
    no_hidden: NoHidden = False,
    alpha: Annotated[
        str,
        option(metavar="ALPHA", help="Learning rate, or one for each layer of weights: 1,0.1."),
    ] = "1",
    iterations: Iterations = 60_000,
    record_every: RecordEvery = 10_000,
    seed: Seed = 1,
    save: Annotated[
        Path | None, option(metavar="FILE.npz", help="Write the trained network to this file.")
    ] = None,
    record_weights: Annotated[
        bool, flag("--record-weights", "Save the weights along with each recorded error.")
    ] = False,
    progress: Progress = None,
    json: Json = False,
    **method: Any,
) -> Job:
    """Train one network on a CSV file.

    Example: [bold]fastgd train data.csv --target y --hidden-size 8 --alpha 0.5[/bold]
    """
    if no_hidden and hidden_size is not None:
        raise RefusedError("--no-hidden and --hidden-size exclude each other")
    if record_weights and not (save or json):
        raise RefusedError("--record-weights needs --save FILE.npz or --json to keep them")
    settings = {
        "hidden_size": () if no_hidden else read_layers(hidden_size or "4"),
        "alpha": read_alpha(alpha),
        "iterations": iterations,
        "record_every": record_every,
        "seed": seed,
        "record_weights": record_weights,
        **read_method(method, several=False),
    }
    return partial(show, Asked(file, target or [], settings, save, or_terminal(progress)), json)


def show(asked: Asked, as_json: bool) -> None:
    """Train one network and show its errors and direction changes."""
    samples, done = fit(fastgd.train, asked, {".npz": Run.save})
    run = done.result
    if as_json:
        print_json(samples_facts(samples) | vars(run) | {"seconds": done.seconds})
        return
    console = open_console()
    show_samples(console, asked.file, samples, {run.options.get("output", "sigmoid")})
    sizes = (len(samples.inputs), *run.hidden_size, len(samples.targets))
    console.print(f"A {joined(sizes, '-')} network, alpha {joined(run.alpha)}, seed {run.seed}")
    if run.options:
        console.print(f"Options: {options_text(run.options)}")
    console.print()
    reached = run.recorded < run.iterations
    recorded = zip(run.recorded[reached], run.errors[reached], strict=True)
    rows = _thinned([*recorded, (run.iterations, run.final_error)])
    print_table(
        console, [">iteration", ">mean |error|"], [(f"{j:,}", error_text(e)) for j, e in rows]
    )
    if run.summary:
        _show_summary(console, run.summary, run.options["summary"])
    changes = _totals(run.direction_changes)
    if run.biases:
        changes += f"; of the biases: {_totals(run.bias_direction_changes)}"
    console.print(f"Direction changes of the derivatives, by layer: {changes}")
    console.print(_ending(run))
    close(console, done, asked.out)


def _show_summary(console: "Console", summary: Summary, window: int) -> None:
    print_table(
        console,
        ["<summary of the errors e_0, e_1, ...", ">"],
        [
            ("smallest", error_text(summary.smallest_error)),
            ("its iteration", f"{summary.smallest_iteration:,}"),
            (f"mean of the last {window:,} / e_0", f"{summary.tail_mean:.6g}"),
            ("sum of e_j / e_0", f"{summary.error_sum:.6g}"),
            ("sum of e_0 / e_j", f"{summary.inverse_sum:.6g}"),
        ],
    )


def _ending(run: Run) -> str:
    """How it ended: with all iterations done, or before."""
    after = f"after {many(run.iterations, 'iteration')}"
    if run.status == "diverged":
        return f"[bold red]Diverged[/] {after}: a number overflowed"
    if run.status == "converged":
        return f"[green]Converged[/] {after}: the error is below {run.options['tolerance']:g}"
    if run.status == "stalled":
        age = many(run.options["patience"], "iteration")
        return f"[yellow]Stalled[/] {after}: the smallest error is {age} old"
    return f"Finished {after}"


def _totals(layers: tuple[NDArray[np.int64], ...]) -> str:
    return ", ".join(f"{int(layer.sum()):,}" for layer in layers)


def _thinned(rows: Rows) -> Rows:
    """Evenly spaced rows, with the first and the last one."""
    if len(rows) <= SHOWN:
        return rows
    return [rows[i] for i in np.linspace(0, len(rows) - 1, SHOWN).round().astype(int)]
