"""``fastgd sweep``: train a network for every combination of values, and rank them."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import fastgd
from fastgd import Sweep
from fastgd.arguments.declarations import FIELDED
from fastgd.cli.clusters import Dask, check_dask, executor_at
from fastgd.cli.console import open_console
from fastgd.cli.errors import RefusedError
from fastgd.cli.export import RawText, check_raw_text, write_table
from fastgd.cli.json_output import plain, print_json, samples_facts
from fastgd.cli.methods import method_options, read_method
from fastgd.cli.option_values import or_terminal, read_alpha, read_list, read_network
from fastgd.cli.options import takes
from fastgd.cli.output_folders import done_text, finished, folder_of, note_folder
from fastgd.cli.ranking import best_runs, show_axes, show_best, show_groups, statistics_of
from fastgd.cli.shared import (
    Iterations,
    Json,
    Progress,
    RecordEvery,
    Target,
    Threads,
    option,
    whole,
)
from fastgd.cli.splits import Folds, Groups, SplitSeed, Validation, ValidationFraction, check_split
from fastgd.cli.table_options import (
    Decimal,
    Drop,
    MaxCategories,
    NoStandardize,
    Raw,
    Sep,
    TableFile,
    reading_of,
)
from fastgd.cli.terminal import saying_how_to_resume
from fastgd.cli.train_common import TrainOptions, Writer, close, fit, show_samples
from fastgd.tables.preparation import MOST_CATEGORIES

SEEDS = "a whole number of at least 1 (the seeds are 1 to N)"


@takes(*method_options(several=True))
def command(
    file: TableFile,
    target: Target = None,
    groups: Groups = None,
    hidden_size: Annotated[
        str,
        option(
            metavar="SIZES", help="Hidden sizes to try: 4,32. 8x8 has two layers, none has none."
        ),
    ] = "4",
    alpha: Annotated[
        str,
        option(
            metavar="ALPHAS", help="Learning rates to try: 0.01,0.1,1. 1/0.1 is one for each layer."
        ),
    ] = "1",
    seeds: Annotated[
        int | None, whole("--seeds", "Try N seeds with each of them: 1 to N (default: 1).", SEEDS)
    ] = None,
    seed: Annotated[
        str | None, option(metavar="SEEDS", help="Seeds to try, in place of --seeds: 3,5,8.")
    ] = None,
    iterations: Iterations = 60_000,
    record_every: RecordEvery = 10_000,
    save: Annotated[
        Path | None, option(metavar="FILE.npz", help="Write all networks to this file.")
    ] = None,
    csv: Annotated[
        Path | None, option(metavar="FILE.csv", help="Write a line for each network to this file.")
    ] = None,
    out: Annotated[
        Path | None,
        option(
            metavar="FOLDER",
            help="Keep the networks in this folder, chunk by chunk: the same command given again "
            "resumes where it was interrupted, and several such commands share the work.",
        ),
    ] = None,
    raw_text: RawText = False,
    threads: Threads = None,
    dask: Dask = None,
    progress: Progress = None,
    json: Json = False,
    folds: Folds = None,
    validation: Validation = None,
    validation_fraction: ValidationFraction = None,
    split_seed: SplitSeed = None,
    raw: Raw = None,
    sep: Sep = None,
    decimal: Decimal = None,
    drop: Drop = None,
    max_categories: MaxCategories = MOST_CATEGORIES,
    no_standardize: NoStandardize = False,
    **method: Any,
) -> None:
    """Train a network for every combination of values and every seed, and rank them.

    Options with [bold],...[/bold] take several values, separated by commas.

    Example: [bold]fastgd sweep data.csv --target y --alpha 0.01,0.1,1 --seeds 100[/bold]
    """
    if seeds is not None and seeds < 1:
        raise RefusedError(f"--seeds must be {SEEDS}, got {seeds}")
    if seeds is not None and seed is not None:
        raise RefusedError("--seeds and --seed exclude each other")
    check_raw_text(raw_text, csv)
    folder = folder_of(out)
    settings = {
        "hidden_size": [read_network(network) for network in hidden_size.split(",")],
        "alpha": [read_alpha(rate) for rate in alpha.split(",")],
        "seed": range(1, (seeds or 1) + 1) if seed is None else read_list("--seed", seed, int),
        "iterations": iterations,
        "record_every": record_every,
        "threads": threads,
        "keep_weights": folder is not None or save is not None,
        **read_method(method, several=True),
    }
    split = check_split(
        validation, validation_fraction, split_seed, folds, groups, takes_groups=True
    )
    reading = reading_of(raw, sep, decimal, drop, max_categories, no_standardize)
    writers = (
        Writer(save, ".npz", Sweep.save),
        Writer(csv, ".csv", partial(write_table, raw_text=raw_text)),
    )
    asked = TrainOptions(
        file, target or [], split, settings, writers, or_terminal(progress), reading
    )
    show(asked, folder, check_dask(dask, threads), json)


def show(asked: TrainOptions, folder: Path | None, where: str | None, as_json: bool) -> None:
    """Train many networks and show the best ones, and the errors over the seeds."""
    before = finished(folder)
    with executor_at(where) as workers, saying_how_to_resume(lambda: done_text(folder)):
        kept = workers if folder is None else {**workers, "out": folder}
        fitted = fit(fastgd.sweep, asked._replace(kept=kept))
    done, result = fitted.done, fitted.done.result
    if as_json:
        facts = samples_facts(fitted.samples) | fitted.given.facts | _facts(result)
        print_json(facts | {"seconds": done.seconds})
        return
    console = open_console()
    outputs = result.axes.get("output", [result.method.output])
    show_samples(console, asked, fitted, set(outputs))
    show_axes(console, result)
    show_best(console, result)
    show_groups(console, result)
    close(console, done, asked.writers)
    note_folder(console, folder, before)


def _facts(result: Sweep) -> dict[str, Any]:
    """All numbers of a sweep, its best runs and its groups."""
    arrays = (
        "recorded", "errors", "final_error", "losses", "final_loss", "validation_errors",
        "final_validation_error", "best_iteration", "status", "iterations", "total_changes",
        "summary",
    )  # fmt: skip
    options = result.options
    for name in FIELDED:
        if name in options:
            fields = plain(options[name])
            options[name] = {k: v for k, v in fields.items() if k not in result.axes}
    return (
        {"axes": result.axes, "shape": result.shape, "options": options}
        | {name: getattr(result, name) for name in arrays}
        | {"best": best_runs(result), "groups": statistics_of(result)}
    )
