"""``fastgd predict``: apply a model to a table."""

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

import fastgd
from fastgd import GroupModels, Model
from fastgd.checks.messages import many
from fastgd.cli.command_options import DECIMAL, JSON, SEP, TABLE_FILE, argument, option, takes
from fastgd.cli.machine_output import RAW_TEXT, check_raw_text, print_json, write_columns
from fastgd.cli.output_files import Output, check_output, writing
from fastgd.cli.result_tables import number_text, scores_line
from fastgd.cli.terminal import RefusedError, Rows, open_console, print_plain, print_table, refusing
from fastgd.models.model import decoded
from fastgd.models.scores import Scores, scores_of
from fastgd.tables.column_values import cells_of
from fastgd.tables.reading import about, read_columns
from fastgd.tables.targets import ClassTarget

SHOWN = 10
"""Number of rows that are shown."""

Prediction = dict[str, list[Any]]


@takes(
    argument(
        "saved", "MODEL.npz", "File written by fit --save or train --save.", Path, default=...
    ),
    TABLE_FILE,
    option(
        "--csv FILE.csv",
        "Write a line for each row, in their order: the prediction, and for classes the "
        "probability of each.",
        Path,
    ),
    RAW_TEXT,
    JSON,
    SEP,
    DECIMAL,
)
def command(
    saved: Path,
    file: Path,
    csv: Path | None,
    raw_text: bool,
    json: bool,
    sep: str | None,
    decimal: str | None,
) -> None:
    """Predict a column of a table with a saved model.

    Example: [bold]fastgd predict model.npz new.csv --csv predictions.csv[/bold]
    """
    check_raw_text(raw_text, csv)
    with refusing():
        check_output(csv, "the file of predictions", (".csv",), read=(saved, file))
        model = fastgd.load(saved)
        if isinstance(model, GroupModels):
            raise RefusedError(
                f"{saved} holds a model per group, for Python: "
                f"fastgd.load({str(saved)!r}).predict(table) applies it"
            )
        if not isinstance(model, Model):
            raise RefusedError(
                f"{saved} must be a model (fastgd fit --save, train --prepare --save), but it "
                f"holds a {type(model).__name__}, which doesn't know what its inputs are called"
            )
        columns = read_columns(file, sep, decimal, texts=model.preparation.texts)
        with about(file):
            remarks = model.remarks(columns)
            outputs = model.outputs(columns)
        found = _prediction(model, outputs)
        scores = _scores(model, outputs, columns)

    def write(path: Path) -> None:
        target, written = model.targets[0], found
        if isinstance(target, ClassTarget) and target.labels == "booleans":  # as in the table
            written = {**found, target.name: [target.classes[k] for k in outputs.argmax(axis=1)]}
        write_columns(path, written, raw_text=raw_text)

    with writing(Output(csv, write), as_json=json):
        if json:
            facts = {"predictions": found, "remarks": remarks}
            print_json(facts | ({"scores": scores} if scores else {}))
            return
        console = open_console()
        print_plain(console, f"{file}: {many(len(outputs), 'row')}")
        for remark in remarks:
            print_plain(console, f"Note: {remark}", style="yellow")
        console.print()
        if not csv:
            _print(console, found)
        if scores:
            name = model.targets[0].name
            print_plain(console, f"The file has {name}, too: {scores_line(scores)}")
            known = "If the model has learned from these rows, these scores are too good."
            print_plain(console, known)


def _prediction(model: Model, outputs: Any) -> Prediction:
    """The predictions as columns."""
    found: Prediction = {}
    for target, column in zip(model.targets, decoded(model.targets, outputs), strict=True):
        found[target.name] = column.tolist()
    for place, name in enumerate(model.classes or ()):
        found[f"probability of {name}"] = outputs[:, place].tolist()
    return found


def _scores(model: Model, outputs: Any, columns: Any) -> Scores:
    """The scores of the predictions, if the table has the target."""
    target = model.targets[0]
    if len(model.targets) > 1 or target.name not in columns:
        return {}
    try:
        known = ~cells_of(target.name, columns[target.name]).missing
        if not known.any():
            return {}
        encoded = target.encode(np.asarray(columns[target.name])[known])
    except (TypeError, ValueError):  # other classes, or something else: it is not needed
        return {}
    return scores_of(target, outputs[known], encoded, model.runs[0].options)


def _print(console: Any, found: Prediction) -> None:
    count = len(next(iter(found.values())))
    rows: Rows = [
        (row, *(number_text(cell) if isinstance(cell, float) else cell for cell in cells))
        for row, cells in enumerate(islice(zip(*found.values(), strict=True), SHOWN), start=1)
    ]
    print_table(console, [">row", *(f">{name}" for name in found)], rows)
    if count > SHOWN:
        console.print(f"... and {many(count - SHOWN, 'row')} more: --csv FILE.csv has all\n")
