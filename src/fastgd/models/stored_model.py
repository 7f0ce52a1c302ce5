"""Conversion of a :class:`Model` to the entries of a file, and back."""

from typing import Any

from fastgd.store.npz import Arrays, Found
from fastgd.tables.preparation import Preparation
from fastgd.tables.targets import target_from_arrays, target_to_arrays, width_of
from fastgd.training import stored_run
from fastgd.training.serialization import KINDS, Facts, is_number, need, text_of


def taken_apart(model: Any) -> tuple[Facts, Arrays]:
    """Return a Model as JSON-serializable facts and arrays."""
    arrays = model.preparation.to_arrays()
    for k, target in enumerate(model.targets):
        arrays |= {f"{name}_{k}": array for name, array in target_to_arrays(target).items()}
    facts: Facts = {"targets": len(model.targets), "scores": model.scores, "runs": []}
    for k, run in enumerate(model.runs):
        of_run, parts = stored_run.taken_apart(run)
        facts["runs"].append(of_run)
        arrays |= {f"run_{k}_{name}": array for name, array in parts.items()}
    return facts, arrays


def put_together(facts: Facts, arrays: Found) -> Facts:
    """Return the validated fields of a Model."""
    preparation = Preparation.from_arrays({"preparation": text_of(arrays, "preparation")})
    targets = tuple(
        target_from_arrays({"target": text_of(arrays, f"target_{k}")})
        for k in range(facts["targets"])
    )
    runs = tuple(
        KINDS["Run"](**stored_run.put_together(of_run, _of_run(arrays, k)))
        for k, of_run in enumerate(facts["runs"])
    )
    need(bool(runs) and bool(targets))
    outputs = sum(map(width_of, targets))
    for run in runs:
        need(len(run.weights[0]) == len(preparation.names))
        need(run.weights[-1].shape[1] % outputs == 0)
    scores = facts["scores"]
    need(isinstance(scores, dict))
    for numbers in scores.values():
        need(all(map(is_number, numbers.values())))
    return {"runs": runs, "preparation": preparation, "targets": targets, "scores": scores}


def _of_run(arrays: Found, k: int) -> Found:
    start = f"run_{k}_"
    return {name[len(start) :]: part for name, part in arrays.items() if name.startswith(start)}
