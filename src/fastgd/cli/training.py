"""``fastgd train`` and ``fastgd sweep``: read the samples, train, and show what came of it."""

import os
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

import fastgd
from fastgd import Run, Sweep
from fastgd.cli.facts import best_runs, groups, print_json, samples_facts, sweep_facts
from fastgd.cli.refusal import refusing
from fastgd.cli.samples import Samples, read_samples
from fastgd.cli.tables import Rows, open_console, print_table, spinner
from fastgd.cli.wording import error_text, joined, layers_text, listed, many, seconds_text

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T", Run, Sweep)

SHOWN = 20
"""Records of a training that are shown at most."""


def show_training(
    file: Path,
    targets: list[str],
    settings: dict[str, Any],
    save: Path | None,
    progress: bool,
    as_json: bool,
) -> None:
    """Train one network and show its errors and direction changes."""
    samples, run, seconds, preparing = _trained(
        fastgd.train, file, targets, settings, save, progress
    )
    if as_json:
        print_json(samples_facts(samples) | vars(run) | {"seconds": seconds})
        return
    console = open_console()
    _describe(console, file, samples)
    sizes = (len(samples.inputs), *run.hidden_size, len(targets))
    console.print(f"A {joined(sizes, '-')} network, alpha {joined(run.alpha)}, seed {run.seed}")
    console.print()
    rows = _thinned(
        [*zip(run.recorded, run.errors, strict=True), (settings["iterations"], run.final_error)]
    )
    print_table(
        console, [">iteration", ">mean |error|"], [(f"{j:,}", error_text(e)) for j, e in rows]
    )
    changes = ", ".join(f"{int(layer.sum()):,}" for layer in run.direction_changes)
    console.print(f"Direction changes of the derivatives, by layer: {changes}")
    if run.status == "diverged":
        console.print(f"[bold red]Diverged[/]: a weight overflowed in iteration {run.iterations:,}")
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
    _describe(console, file, samples)
    axes = (f"{many(len(v), name.replace('_', ' '))}" for name, v in result.axes.items())
    console.print(f"{many(len(result), 'run')}: {' x '.join(axes)}")
    console.print()
    print_table(
        console,
        [">rank", "<hidden", ">alpha", ">seed", ">final error", ">direction changes", "<status"],
        [
            (
                rank,
                layers_text(run["hidden_size"]),
                f"{run['alpha']:g}",
                run["seed"],
                error_text(run["final_error"]),
                f"{run['direction_changes']:,}",
                run["status"],
            )
            for rank, run in enumerate(best_runs(result), start=1)
        ],
    )
    console.print("Final errors over the seeds\n")
    print_table(
        console,
        ["<hidden", ">alpha", ">mean", ">median", ">best", ">diverged"],
        [
            (
                layers_text(group["hidden_size"]),
                f"{group['alpha']:g}",
                *(error_text(group[name]) for name in ("mean", "median", "best")),
                group["diverged"],
            )
            for group in groups(result)
        ],
    )
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
        _check_writable(path)
        begin = perf_counter()
        with spinner():
            call(samples.X, samples.y, **settings | {"iterations": min(1, settings["iterations"])})
        ready = perf_counter()
        result = call(samples.X, samples.y, **settings, progress=progress)
        seconds = perf_counter() - ready
        if path:
            result.save(path)
    return samples, result, seconds, ready - begin


def _check_writable(path: Path | None) -> None:
    """Before hours of work, not after."""
    if path is None:
        return
    if path.is_dir():
        raise ValueError(f"{path} is a folder, not a file to write to")
    if not path.parent.is_dir():
        raise ValueError(f"{path} can't be written: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ValueError(f"{path} can't be written: permission denied")


def _thinned(rows: Rows) -> Rows:
    """Evenly spaced rows, with the first and the last one."""
    if len(rows) <= SHOWN:
        return rows
    return [rows[i] for i in np.linspace(0, len(rows) - 1, SHOWN).round().astype(int)]


def _describe(console: "Console", file: Path, samples: Samples) -> None:
    console.print(
        f"{file}: {many(len(samples.X), 'sample')}, {many(len(samples.inputs), 'input')} "
        f"({listed(samples.inputs)}), target {listed(samples.targets)}",
        markup=False,
    )
    outside = [
        name
        for name, column in zip(samples.targets, samples.y.T, strict=True)
        if column.min() < 0 or column.max() > 1
    ]
    if outside:
        console.print(
            f"Note: {listed(outside)} has values outside 0 to 1, which a sigmoid never reaches.",
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
