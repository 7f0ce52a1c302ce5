"""``fastgd fit``: learn to predict a column of a table, and measure how well."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np

from fastgd import plots
from fastgd.checks.formatting import layers_text, many
from fastgd.cli.console import Rows, open_console, print_plain, print_table
from fastgd.cli.errors import refusing
from fastgd.cli.job import Job, Timed, timed
from fastgd.cli.json_output import plain, print_json
from fastgd.cli.option_values import column_name, or_terminal, read_network
from fastgd.cli.output_files import check_output, check_plot, write_plot
from fastgd.cli.score_table import number_text, print_scores
from fastgd.cli.shared import Json, Plot, Progress, Threads, number, option, whole
from fastgd.cli.table_options import (
    Classification,
    Decimal,
    Drop,
    MaxCategories,
    NoStandardize,
    Sep,
    TableFile,
)
from fastgd.models.fit import FOLDS, SHARE, Choices, Fit, fit_columns
from fastgd.models.search import HIDDEN_SIZES
from fastgd.tables.csv_lines import names_text
from fastgd.tables.preparation import MOST_CATEGORIES
from fastgd.tables.reading import read_columns

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = 5
"""Number of settings, and of groups of rows, that are shown."""

MOST_CLASSES = 8
"""Most classes whose confusion matrix fits on a screen."""


class FitCommand(NamedTuple):
    """The parsed arguments of the command."""

    file: Path
    target: str | None
    sep: str | None
    decimal: str | None
    choices: Choices
    save: Path | None
    plot: Path | None
    json: bool


def command(
    file: TableFile,
    target: Annotated[
        str | None,
        option(
            metavar="NAME",
            parser=column_name,
            help="Column to predict (needed). The others are used.",
        ),
    ] = None,
    hidden_size: Annotated[
        str | None,
        option(
            metavar="SIZES",
            help="Hidden sizes to try: 16,64 (default: none,16,64). 8x8 has two layers.",
        ),
    ] = None,
    test_fraction: Annotated[
        float, number("--test-fraction", "SHARE", "Share of the rows in the test set.")
    ] = SHARE,
    folds: Annotated[
        int,
        whole(
            "--folds",
            "Folds of the training rows for cross-validation, to choose the settings; a network of "
            "each.",
            metavar="K",
        ),
    ] = FOLDS,
    seed: Annotated[int, whole("--seed", "Seed of the splits and of the initial weights.")] = 0,
    save: Annotated[
        Path | None,
        option(metavar="FILE.npz", help="Write the model to this file, for fastgd predict."),
    ] = None,
    plot: Plot = None,
    threads: Threads = None,
    progress: Progress = None,
    json: Json = False,
    sep: Sep = None,
    decimal: Decimal = None,
    drop: Drop = None,
    max_categories: MaxCategories = MOST_CATEGORIES,
    no_standardize: NoStandardize = False,
    classification: Classification = None,
) -> Job:
    """Learn to predict a column of a table, and measure how well.

    Some rows are put aside to judge by. Texts become an input for each category, missing numbers
    the median and a flag, numbers are standardized. A small search by cross-validation chooses the
    network, which is compared with a linear model and a constant.

    Example: [bold]fastgd fit houses.csv --target price --save model.npz[/bold]
    """
    sizes: list[Any] = HIDDEN_SIZES
    if hidden_size is not None:
        sizes = [read_network(network) for network in hidden_size.split(",")]
    choices = Choices(
        classification=classification,
        test_fraction=test_fraction,
        seed=seed,
        hidden_size=sizes,
        folds=folds,
        max_categories=max_categories,
        standardize=not no_standardize,
        drop=tuple(drop or ()),
        threads=threads,
        progress=or_terminal(progress),
    )
    return partial(show, FitCommand(file, target, sep, decimal, choices, save, plot, json))


def show(asked: FitCommand) -> None:
    """Fit a model, show its scores, and write the requested files."""
    with refusing():
        check_output(asked.save, "the file of a model", (".npz",), read=(asked.file,))
        check_plot(asked.plot)
        choices = asked.choices.checked()
        columns = read_columns(asked.file, asked.sep, asked.decimal)
        if asked.target is None:
            raise ValueError(
                "--target must name the column to predict; "
                f"{asked.file} has these: {names_text(list(columns))}"
            )
        target = asked.target
        done = timed(None, lambda: fit_columns(columns, target, choices))
        result = done.result
        if asked.save:
            result.model.save(asked.save)
        if asked.plot:
            drawn = plots.predictions(result.actual, result.predicted, name=target)
            write_plot(drawn, asked.plot)
    if asked.json:
        print_json(_facts(result) | {"seconds": done.seconds})
        return
    _show(asked, len(columns), done)


def _show(asked: FitCommand, columns: int, done: Timed[Fit]) -> None:
    console, result = open_console(), done.result
    rows = many(len(result.parts.learn) + len(result.parts.judge), "row")
    print_plain(console, f"{asked.file}: {rows} with a target, {many(columns, 'column')}")
    for note in result.notes:
        print_plain(console, f"- {note}")
    console.print()
    _show_candidates(console, result)
    count = len(result.parts.judge)
    console.print(f"On the {many(count, 'row')} to judge by, which had no part in this\n")
    print_scores(console, result.model)
    (_show_numbers if result.model.classes is None else _show_classes)(console, result)
    console.print(done.text("Learned").partition(", after")[0] + ", compiling included.")
    if asked.plot:
        print_plain(console, f"Written to {asked.plot}")
    if asked.save:
        print_plain(
            console, f"Saved to {asked.save}: fastgd predict {asked.save} NEW.csv applies it."
        )


def _show_candidates(console: "Console", result: Fit) -> None:
    """The best settings of the search."""
    tried = len(result.candidates)
    what = "log loss" if result.model.classes else "squared error"
    console.print(
        f"The best of {many(tried, 'setting')}, by {what} on the validation rows of each fold\n"
    )
    rows: Rows = [
        (
            place,
            layers_text(one.hidden_size),
            f"{one.alpha:g}",
            f"{one.l2:g}",
            f"{one.loss:.4g}",
        )
        for place, one in enumerate(result.candidates[:SHOWN], start=1)
    ]
    print_table(console, [">rank", "<hidden", ">alpha", ">l2", ">validation\nloss"], rows)


def _show_numbers(console: "Console", result: Fit) -> None:
    """Predicted and actual means, for each fifth of the rows sorted by prediction."""
    actual = np.asarray(result.actual, dtype=np.float64)
    order = np.argsort(result.predicted, kind="stable")
    parts = [part for part in np.array_split(order, SHOWN) if len(part)]
    rows: Rows = [
        (
            f"{number_text(result.predicted[part].min())} to "
            f"{number_text(result.predicted[part].max())}",
            len(part),
            number_text(result.predicted[part].mean()),
            number_text(actual[part].mean()),
            number_text(np.abs(result.predicted[part] - actual[part]).mean()),
        )
        for part in parts
    ]
    headings = ["<predicted", ">rows", ">mean\npredicted", ">mean\nactual", ">mean\n|error|"]
    print_table(console, headings, rows)


def _show_classes(console: "Console", result: Fit) -> None:
    """The confusion matrix."""
    classes = result.model.classes or ()
    if len(classes) > MOST_CLASSES:
        return
    target = result.model.targets[0]
    truth = target.encode(result.actual).argmax(axis=1)
    guess = target.encode(result.predicted).argmax(axis=1)
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(counts, (truth, guess), 1)
    rows: Rows = [(name, *map(int, row)) for name, row in zip(classes, counts, strict=True)]
    print_table(console, ["<actual \\ predicted", *(f">{name}" for name in classes)], rows)


def _facts(result: Fit) -> dict[str, Any]:
    model = result.model
    return {
        "target": model.targets[0].name,
        "classes": model.classes,
        "inputs": model.preparation.names,
        "notes": result.notes,
        "rows": {"learn": len(result.parts.learn), "judge": len(result.parts.judge)},
        "scores": model.scores,
        "candidates": [
            {name: value for name, value in plain(one).items() if name != "runs"}
            for one in (candidate._replace(runs=()) for candidate in result.candidates)
        ],
        "actual": result.actual,
        "predicted": result.predicted,
    }
