"""``fastgd fit``: learn to predict a column of a table, and measure how well."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgd import plots
from fastgd.checks.formatting import layers_text, many
from fastgd.cli.console import Rows, open_console, print_plain, print_table, print_written
from fastgd.cli.errors import refusing
from fastgd.cli.job import timed
from fastgd.cli.json_output import plain, print_json
from fastgd.cli.option_values import column_name, read_networks
from fastgd.cli.options import DEVICE, JSON, PLOT, PROGRESS, THREADS, option, takes
from fastgd.cli.output_files import check_output, check_plot, write_plot
from fastgd.cli.score_table import number_text, print_scores
from fastgd.cli.table_options import (
    CLASSIFICATION,
    DECIMAL,
    DROP,
    MAX_CATEGORIES,
    MAX_CLASSES,
    SEP,
    STANDARDIZE,
    TABLE_FILE,
)
from fastgd.models.fit import FOLDS, SHARE, Choices, Fit, fit_columns
from fastgd.tables.reading import read_columns
from fastgd.tables.table_selection import names_text

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = 5
"""Number of settings, and of groups of rows, that are shown."""

MOST_CLASSES = 8
"""Most classes whose confusion matrix fits on a screen."""


@takes(
    TABLE_FILE,
    option("--target NAME", "Column to predict (needed). The others are used.", read=column_name),
    option(
        "--hidden-size SIZES",
        "Hidden sizes to try: 16,64 (default: none,16,64). 8x8 has two layers.",
        read=read_networks,
    ),
    option("--test-fraction SHARE", "Share of the rows in the test set.", float, default=SHARE),
    option(
        "--folds K",
        "Folds of the training rows for cross-validation, to choose the settings; a network of "
        "each.",
        int,
        default=FOLDS,
    ),
    option("--seed N", "Seed of the splits and of the initial weights.", int, default=0),
    option("--save FILE.npz", "Write the model to this file, for fastgd predict.", Path),
    PLOT,
    THREADS,
    DEVICE,
    PROGRESS,
    JSON,
    SEP,
    DECIMAL,
    DROP,
    MAX_CATEGORIES,
    STANDARDIZE,
    CLASSIFICATION,
    MAX_CLASSES,
)
def command(
    file: Path,
    target: str | None,
    save: Path | None,
    plot: Path | None,
    json: bool,
    sep: str | None,
    decimal: str | None,
    **settings: Any,
) -> None:
    """Learn to predict a column of a table, and measure how well.

    Some rows are put aside to judge by. Strings become an input for each category, missing numbers
    the median and a flag, numbers are standardized. A small search by cross-validation chooses the
    network, which is compared with a linear model and a constant.

    Example: [bold]fastgd fit houses.csv --target price --save model.npz[/bold]
    """
    with refusing():
        check_output(save, "the file of a model", (".npz",), read=(file,))
        check_plot(plot)
        choices = Choices(**settings).checked()
        columns = read_columns(file, sep, decimal)
        if target is None:
            raise ValueError(
                "--target must name the column to predict; "
                f"{file} has these: {names_text(list(columns))}"
            )
        done = timed(None, lambda: fit_columns(columns, target, choices))
        result = done.result
        if save:
            result.model.save(save)
        if plot:
            write_plot(plots.predictions(result.actual, result.predicted, name=target), plot)
    if json:
        print_json(_facts(result) | {"seconds": done.seconds})
        return
    console = open_console()
    rows = many(len(result.parts.learn) + len(result.parts.judge), "row")
    print_plain(console, f"{file}: {rows} with a target, {many(len(columns), 'column')}")
    for note in result.notes:
        print_plain(console, f"- {note}")
    console.print()
    _show_candidates(console, result)
    count = len(result.parts.judge)
    console.print(f"On the {many(count, 'row')} to judge by, which had no part in this\n")
    print_scores(console, result.model)
    (_show_numbers if result.model.classes is None else _show_classes)(console, result)
    console.print(done.text("Learned").partition(", after")[0] + ", compiling included.")
    print_written(console, plot)
    if save:
        print_plain(console, f"Saved to {save}: fastgd predict {save} NEW.csv applies it.")
        print_plain(console, "fastgd export writes it for C, JavaScript and others.")


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
