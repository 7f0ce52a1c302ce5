"""Results for programs: as JSON, and as columns in a CSV file."""

import csv
import json
import re
from collections.abc import Iterable, Mapping
from io import TextIOWrapper
from math import isfinite, isnan
from pathlib import Path
from typing import Any

import numpy as np

import fastgd
from fastgd import Run, Sweep
from fastgd.checks.messages import many, value_text
from fastgd.cli.refusals import RefusedError
from fastgd.cli.terminal import complain
from fastgd.engine.versions import versions
from fastgd.formulas.named import Formula
from fastgd.optimizers import Hyperparameters
from fastgd.store.files import whole_file
from fastgd.tables.table_samples import Samples


def print_json(facts: dict[str, Any]) -> None:
    """Print one line of JSON, of printable characters only."""
    print(json.dumps(plain(facts), allow_nan=False).replace("\x7f", "\\u007f"), flush=True)


def print_version(json: bool) -> None:
    """Print the version, or as JSON all versions and what else a report of a bug needs."""
    if json:
        print_json(versions())
    else:
        print("fastgd", fastgd.__version__)


def plain(value: Any) -> Any:
    """A value as JSON knows it; numbers that are not finite become null."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Hyperparameters):
        value = {"name": value.command} | value._asdict()
    if isinstance(value, Formula):
        formula, derivative, _, parameters = value.source
        value = {
            "formula": formula,
            **({"derivative": derivative} if derivative else {}),
            **parameters,
        }
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | range):
        return [plain(part) for part in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def run_facts(run: Run) -> dict[str, Any]:
    """Everything about a run except the state that only resuming needs."""
    return {name: value for name, value in vars(run).items() if name != "state"}


def samples_facts(samples: Samples) -> dict[str, Any]:
    """The samples of a file."""
    facts: dict[str, Any] = {
        "samples": len(samples.X),
        "inputs": samples.inputs,
        "targets": samples.targets,
    }
    if samples.preparation is not None:
        facts["prepared"] = samples.notes
    return facts if samples.classes is None else facts | {"classes": samples.classes}


# ---------------------------------------------------------------- CSV


# https://owasp.org/www-community/attacks/CSV_Injection. What begins with quotes before such a sign
# gets one more, so that it is known what to remove: one.
_FORMULA = re.compile(r"'*(?:\s*[=+\-@]|[\t\r\n])")
_NUMBER = re.compile(r"[+-]?[.,]?\d[\d.,]*(?:[eE][+-]?\d+)?")


def check_raw_text(raw_text: bool, csv: Path | None) -> None:
    """Reject ``--raw-text`` without a CSV file to write."""
    if raw_text and csv is None:
        raise RefusedError("--raw-text needs --csv FILE.csv")


def write_columns(path: Path, columns: Mapping[str, Iterable[Any]], *, raw_text: bool) -> None:
    """Write columns with a header line; cells that a spreadsheet would run are quoted."""
    quoted = 0

    def harmless(cell: Any) -> Any:
        nonlocal quoted
        is_formula = not raw_text and isinstance(cell, str) and _FORMULA.match(cell)
        if not is_formula or _NUMBER.fullmatch(cell):
            return cell
        quoted += 1
        return f"'{cell}"

    with whole_file(path) as file:
        text = TextIOWrapper(file, "utf-8", newline="")
        writer = csv.writer(text)
        writer.writerow(map(harmless, columns))
        writer.writerows(map(harmless, row) for row in zip(*columns.values(), strict=True))
        text.detach()  # flushed, but left open: it is not ours
    if quoted:
        complain(
            f"note: {many(quoted, 'cell')} in {path} might be run by a spreadsheet, and "
            f"{'has' if quoted == 1 else 'have'} a ' in front (--raw-text leaves them as they are)"
        )


def write_table(sweep: Sweep, path: Path, *, raw_text: bool) -> None:
    """Write the columns of a sweep; NaN becomes an empty cell."""
    columns = {
        name: [_cell(name, value) for value in values] for name, values in sweep.columns().items()
    }
    write_columns(path, columns, raw_text=raw_text)


def _cell(name: str, value: Any) -> Any:
    if isinstance(value, float):
        return "" if isnan(value) else value
    return value if isinstance(value, int | str) else value_text(name, value)
