"""A :class:`Model` as the content of a file."""

from typing import Any

import numpy as np

from fastgd.store import Arrays
from fastgd.store.npz import Found
from fastgd.tables.preparation import Preparation
from fastgd.tables.targets import target_from_json, target_to_json, width_of
from fastgd.training.codec import JsonValues, by_result, need, number, text_of
from fastgd.training.run import Run
from fastgd.training.stored_results import decode_run, encode_run


def encode(model: Any) -> tuple[JsonValues, Arrays]:
    """A Model as a header and arrays."""
    arrays = {"preparation": np.array(model.preparation.to_json())}
    for k, target in enumerate(model.targets):
        arrays[f"target_{k}"] = np.array(target_to_json(target))
    header: JsonValues = {"targets": len(model.targets), "scores": model.scores, "runs": []}
    header["notes"] = list(model.training_notes)
    for k, run in enumerate(model.runs):
        of_run, own = encode_run(run)
        header["runs"].append(of_run)
        arrays |= {f"run_{k}_{name}": array for name, array in own.items()}
    return header, arrays


def decode(header: JsonValues, arrays: Found) -> dict[str, Any]:
    """The fields of a Model, checked."""
    preparation = Preparation.from_json(text_of(arrays, "preparation"))
    targets = tuple(
        target_from_json(text_of(arrays, f"target_{k}")) for k in range(header["targets"])
    )
    content = by_result(r"run_\d+_", arrays)
    runs = tuple(
        Run(**decode_run(of_run, content[f"run_{k}_"])) for k, of_run in enumerate(header["runs"])
    )
    need(bool(runs) and bool(targets))
    inputs, outputs = len(preparation.names), sum(map(width_of, targets))
    for run in runs:
        need(len(run.weights[0]) == inputs)
        need(run.weights[-1].shape[1] % outputs == 0)
    scores = {
        name: {score: number(value) for score, value in scores.items()}
        for name, scores in header["scores"].items()
    }
    notes = tuple(header.get("notes", ()))
    need(all(isinstance(note, str) for note in notes))
    found = {"runs": runs, "preparation": preparation, "targets": targets, "scores": scores}
    return {**found, "training_notes": notes}
