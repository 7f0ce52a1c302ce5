"""Conversion of a :class:`GroupModels` to the entries of a file, and back."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.models.group_keys import Keys
from fastgd.models.group_training import TrainedGroups
from fastgd.models.scaling import Scaling
from fastgd.store.npz import Arrays, Found
from fastgd.tables.preparation import Preparation
from fastgd.tables.targets import target_from_arrays, target_to_arrays
from fastgd.training import stored_run, stored_sweep
from fastgd.training.serialization import KINDS, Facts, array_of, need, text_of

MEASURED = {
    "rows": "i",
    "validation_rows": "i",
    "training_error": "f",
    "validation_error": "f",
    "status": "U",
}
"""The measurements of each group, with the kind of each array."""


def taken_apart(models: Any) -> tuple[Facts, Arrays]:
    """Return a GroupModels as JSON-serializable facts and arrays."""
    arrays: Arrays = {"members": models.keys.members, "places": models.trained.places}
    arrays |= {f"levels_{k}": levels for k, levels in enumerate(models.keys.levels)}
    for name, scaling in (("inputs", models.inputs), ("outputs", models.outputs)):
        arrays |= {f"{name}_{part}": array for part, array in scaling._asdict().items()}
    arrays |= _named("preparation", models.preparation.to_arrays())
    arrays |= _named("target", target_to_arrays(models.target))
    arrays |= _named("measured", models.measured)
    parts: dict[str, Any] = {}
    for k, sweep in enumerate(models.trained.sweeps):
        parts[f"sweep_{k}"], own = stored_sweep.taken_apart(sweep)
        arrays |= _named(f"sweep_{k}", own)
    if models.fallback is not None:
        parts["fallback"], own = stored_run.taken_apart(models.fallback)
        arrays |= _named("fallback", own)
    return {"names": models.keys.names, "notes": models.notes, "parts": parts}, arrays


def put_together(facts: Facts, arrays: Found) -> Facts:
    """Return the validated fields of a GroupModels."""
    names, notes = facts["names"], facts["notes"]
    need(bool(names) and all(isinstance(text, str) for text in (*names, *notes)))
    keys = _keys(names, arrays)
    groups = len(keys)
    preparation = Preparation.from_arrays(_text("preparation", arrays))
    target = target_from_arrays(_text("target", arrays))
    inputs = _scaling("inputs", groups, len(preparation.names), arrays)
    width = arrays["outputs_mean"].shape[1]
    parts = facts["parts"]
    sweeps = tuple(
        KINDS["Sweep"](**stored_sweep.put_together(parts[name], _of(name, arrays)))
        for name in (f"sweep_{k}" for k in range(2))
        if name in parts
    )
    places = array_of(arrays, "places", "i", (groups, 2))
    need(bool((places[:, 0] < len(sweeps)).all() and (places >= -1).all()))
    for k, sweep in enumerate(sweeps):
        need(sweep.kept_weights is not None and len(sweep.networks) == 1)
        need(
            sweep.networks[0].sizes[:: len(sweep.networks[0].sizes) - 1]
            == (len(preparation.names), width)
        )
        own = places[places[:, 0] == k, 1]
        need(bool((own >= 0).all() and (own < len(sweep)).all()))
    fallback = None
    if "fallback" in parts:
        fallback = KINDS["Run"](
            **stored_run.put_together(parts["fallback"], _of("fallback", arrays))
        )
        need(fallback.weights[0].shape[0] == len(preparation.names))
    measured = _of("measured", arrays)
    return {
        "keys": keys,
        "preparation": preparation,
        "target": target,
        "inputs": inputs,
        "outputs": _scaling("outputs", groups, width, arrays),
        "trained": TrainedGroups(sweeps, places),
        "fallback": fallback,
        "measured": {
            name: array_of(measured, name, kind, (groups,)) for name, kind in MEASURED.items()
        },
        "notes": notes,
    }


def _keys(names: tuple[str, ...], arrays: Found) -> Keys:
    groups, columns = arrays["members"].shape
    need(groups > 0 and columns == len(names))
    members = array_of(arrays, "members", "i", (groups, columns))
    levels = tuple(arrays[f"levels_{k}"] for k in range(columns))
    for own, places in zip(levels, members.T, strict=True):
        need(len(own.shape) == 1 and own.dtype.kind in "UbiufMm")
        need(bool((places >= 0).all() and (places < own.shape[0]).all()))
    return Keys(names, tuple(map(np.asarray, levels)), members)


def _scaling(name: str, groups: int, columns: int, arrays: Found) -> Scaling:
    shape = (groups, columns)
    return Scaling(*(array_of(arrays, f"{name}_{part}", "f", shape) for part in Scaling._fields))


def _text(name: str, arrays: Found) -> Arrays:
    return {name: text_of(_of(name, arrays), name)}


def _named(name: str, arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    return {f"{name}.{own}": np.asarray(array) for own, array in arrays.items()}


def _of(name: str, arrays: Found) -> Found:
    lead = f"{name}."
    return {own.removeprefix(lead): array for own, array in arrays.items() if own.startswith(lead)}
