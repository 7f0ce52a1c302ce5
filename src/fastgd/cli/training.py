"""``fastgd train`` and ``fastgd sweep``: read the samples, train, and show what came of it."""

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

import fastgd
from fastgd import Run, Sweep
from fastgd.arguments.wording import error_text, joined, listed, many, options_text, seconds_text
from fastgd.cli.facts import print_json, samples_facts, sweep_facts
from fastgd.cli.files import check_writable
from fastgd.cli.ranking import show_axes, show_best, show_groups
from fastgd.cli.refusal import RefusedError, refusing
from fastgd.cli.samples import Samples, read_samples
from fastgd.cli.tables import Rows, open_console, print_table, spinner
from fastgd.training.results import Summary

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T", Run, Sweep)

SHOWN = 20
"""Records of a training that are shown at most."""

REACH = {"sigmoid": (0, 1), "tanh": (-1, 1)}
"""What bounded output units reach."""


def show_training(
    file: Path,
    targets: list[str],
    settings: dict[str, Any],
    save: Path | None,
    progress: bool,
    as_json: bool,
) -> None:
    """Train one network and show its errors and direction changes."""
    if settings["record_weights"] and not (save or as_json):
        raise RefusedError("--record-weights needs --save FILE.npz or --json to keep them")
    samples, run, seconds, preparing = _trained(
        fastgd.train, file, targets, settings, save, progress
    )
    if as_json:
        print_json(samples_facts(samples) | vars(run) | {"seconds": seconds})
        return
    console = open_console()
    _describe(console, file, samples, {run.options.get("output", "sigmoid")})
    sizes = (len(samples.inputs), *run.hidden_size, len(targets))
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
    _close(console, seconds, preparing, save)


def show_sweep(
    file: Path,
    targets: list[str],
    settings: dict[str, Any],
    out: Path | None,
    progress: bool,
    as_json: bool,
) -> None:
    """Train many networks and show the best ones, and the errors over the seeds."""
    kept = settings | {"keep_weights": out is not None}
    samples, result, seconds, preparing = _trained(fastgd.sweep, file, targets, kept, out, progress)
    if as_json:
        print_json(samples_facts(samples) | sweep_facts(result) | {"seconds": seconds})
        return
    console = open_console()
    outputs = result.axes.get("output", [result.method.output])
    _describe(console, file, samples, set(outputs))
    show_axes(console, result)
    show_best(console, result)
    show_groups(console, result)
    _close(console, seconds, preparing, out)


def _trained(
    call: Callable[..., T],
    file: Path,
    targets: list[str],
    settings: dict[str, Any],
    path: Path | None,
    progress: bool,
) -> tuple[Samples, T, float, float]:
    """Read, train and save: samples, result, its seconds, those to load or compile the kernel."""
    with refusing():
        samples = read_samples(file, targets)
        check_writable(path)
        begin = perf_counter()
        with spinner():
            call(samples.X, samples.y, **settings | {"iterations": min(1, settings["iterations"])})
        ready = perf_counter()
        result = call(samples.X, samples.y, **settings, progress=progress)
        seconds = perf_counter() - ready
        if path:
            result.save(path)
    return samples, result, seconds, ready - begin


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
        tolerance = run.options.get("tolerance", 0)
        reason = (
            f"the error is below {tolerance:g}"
            if run.final_error < tolerance
            else f"the smallest error is {many(run.options['patience'], 'iteration')} old"
        )
        return f"[green]Converged[/] {after}: {reason}"
    return f"Finished {after}"


def _totals(layers: tuple[NDArray[np.int64], ...]) -> str:
    return ", ".join(f"{int(layer.sum()):,}" for layer in layers)


def _thinned(rows: Rows) -> Rows:
    """Evenly spaced rows, with the first and the last one."""
    if len(rows) <= SHOWN:
        return rows
    return [rows[i] for i in np.linspace(0, len(rows) - 1, SHOWN).round().astype(int)]


def _describe(console: "Console", file: Path, samples: Samples, outputs: set[str]) -> None:
    console.print(
        f"{file}: {many(len(samples.X), 'sample')}, {many(len(samples.inputs), 'input')} "
        f"({listed(samples.inputs)}), target {listed(samples.targets)}",
        markup=False,
    )
    for output in sorted(outputs & set(REACH)):
        low, high = REACH[output]
        outside = [
            name
            for name, column in zip(samples.targets, samples.y.T, strict=True)
            if column.min() < low or column.max() > high
        ]
        if outside:
            console.print(
                f"Note: {listed(outside)} has values outside {low} to {high}, "
                f"which a {output} never reaches.",
                style="yellow",
                markup=False,
            )


def _close(console: "Console", seconds: float, preparing: float, path: Path | None) -> None:
    console.print(
        f"Trained in {seconds_text(seconds)}, "
        f"after {seconds_text(preparing)} to load or compile the kernel."
    )
    if path:
        console.print(f"Saved to {path}: fastgd.load({str(path)!r}) reads it.", markup=False)
