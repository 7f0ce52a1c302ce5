"""Results as JSON, for programs."""

import json
from math import isfinite
from typing import Any

import numpy as np

from fastgd import Run
from fastgd.formulas.named import Formula
from fastgd.optimizers import Hyperparameters
from fastgd.tables.table_samples import Samples


def print_json(facts: dict[str, Any]) -> None:
    """Print one line of JSON, of printable characters only."""
    print(json.dumps(plain(facts), allow_nan=False).replace("\x7f", "\\u007f"), flush=True)


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
