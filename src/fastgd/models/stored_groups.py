"""A :class:`GroupModels` as the content of a file."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastgd.models.group_keys import Keys
from fastgd.models.group_training import MODELS, GroupFits, Scaling, TrainedGroups
from fastgd.store import Arrays
from fastgd.store.npz import Found
from fastgd.tables.preparation import Preparation
from fastgd.tables.targets import target_from_json, target_to_json
from fastgd.training import codec
from fastgd.training.codec import Array, Header, by_result, need, text, text_of
from fastgd.training.run import Run
from fastgd.training.stored_results import decode_run, decode_sweep, encode_run, encode_sweep
from fastgd.training.sweep_result import Sweep

_FITS: dict[str, codec.Field] = {
    "inputs": Array("f", "groups inputs", record=Scaling, name="inputs_{}"),
    "outputs": Array("f", "groups outputs", record=Scaling, name="outputs_{}"),
    # A file from before there were test sets has neither.
    "constant": Array("f", "groups outputs", optional=True),
    "ridge": Array("f", "groups coefficients", optional=True),
}
_MEASURED: dict[str, codec.Field] = {
    "rows": Array("i", "groups"),
    "test_rows": Array("i", "groups", optional=True),
    "training_error": Array("f", "groups"),
    "test_error": Array("f", "groups", optional=True),
    "model": Array("U", "groups", optional=True),
    "status": Array("U", "groups"),
}
"""The measurements of each group."""

_COMPARED: dict[str, codec.Field] = {name: Array("f", "groups", optional=True) for name in MODELS}


def encode(models: Any) -> tuple[Header, Arrays]:
    """A GroupModels as a header and arrays."""
    arrays: Arrays = {
        "members": models.keys.members,
        "places": models.fits.trained.places,
        "chosen": models.chosen,
        "preparation.preparation": np.array(models.preparation.to_json()),
        "target.target": np.array(target_to_json(models.target)),
        **{f"levels_{k}": levels for k, levels in enumerate(models.keys.levels)},
        **{f"measured.{name}": array for name, array in models.measured.items()},
        **{f"compared.{name}": array for name, array in models.compared.items()},
        **codec.encode(_FITS, models.fits)[1],
    }
    sweeps = enumerate(models.fits.trained.sweeps)
    results = {f"sweep_{k}": encode_sweep(one) for k, one in sweeps}
    for name, run in {"fallback": models.fallback, "shared": models.fits.shared}.items():
        if run is not None:
            results[name] = encode_run(run)
    for lead, (_, content) in results.items():
        arrays |= {f"{lead}.{name}": array for name, array in content.items()}
    parts = {name: own for name, (own, _) in results.items()}
    return {"names": models.keys.names, "notes": models.notes, "parts": parts}, arrays


def decode(header: Header, arrays: Found) -> dict[str, Any]:
    """The fields of a GroupModels, checked."""
    parts, notes = header["parts"], tuple(map(text, header["notes"]))
    content = by_result(r"\w+\.", arrays)
    keys = _keys(tuple(map(text, header["names"])), arrays)
    preparation = Preparation.from_json(text_of(arrays, "preparation.preparation"))
    target = target_from_json(text_of(arrays, "target.target"))
    groups, inputs, outputs = len(keys), len(preparation.names), arrays["outputs_mean"].shape[1]
    dimensions = {
        "groups": (groups,),
        "inputs": (inputs,),
        "outputs": (outputs,),
        "coefficients": (inputs + 1,),
    }
    sweeps = tuple(
        Sweep(**decode_sweep(parts[name], content[f"{name}."]))
        for name in (f"sweep_{k}" for k in range(len(parts)))
        if name in parts
    )
    places = codec.array_of(arrays, "places", "i", (groups, 2))
    need(bool((places[:, 0] < len(sweeps)).all() and (places >= -1).all()))
    for sweep in sweeps:
        need(sweep.kept_weights is not None and len(sweep.networks) == 1)
        sizes = sweep.networks[0].sizes
        need((sizes[0], sizes[-1]) == (inputs, outputs))
    number, run = places[places[:, 0] >= 0].T
    runs = np.array([len(sweep) for sweep in sweeps])
    need(bool((run >= 0).all() and (run < runs[number]).all()))
    fallback, shared = (
        _network(parts, name, content, inputs, outputs) for name in ("fallback", "shared")
    )
    measured = codec.decode(_MEASURED, {}, content["measured."], dimensions)
    if measured["test_error"] is None:  # a file from before there were test sets
        measured["test_rows"] = np.zeros(groups, np.int64)
        measured["test_error"] = np.full(groups, np.nan)
    compared = codec.decode(_COMPARED, {}, content["compared."], dimensions)
    fits = GroupFits(
        **codec.decode(_FITS, {}, arrays, dimensions),
        trained=TrainedGroups(sweeps, places),
        shared=shared,
    )
    chosen = np.zeros(groups, np.int64)
    if "chosen" in arrays:
        chosen = codec.array_of(arrays, "chosen", "i", (groups,))
        need(bool(np.isin(chosen, [MODELS.index(name) for name in fits.names]).all()))
    return {
        "keys": keys,
        "preparation": preparation,
        "target": target,
        "fits": fits,
        "chosen": chosen,
        "fallback": fallback,
        "measured": {name: array for name, array in measured.items() if array is not None},
        "notes": notes,
        "compared": {name: array for name, array in compared.items() if array is not None},
    }


def _network(
    parts: Header, name: str, content: Mapping[str, Found], inputs: int, outputs: int
) -> Run | None:
    """A network that takes the rows of any group, if the file has it."""
    if name not in parts:
        return None
    run = Run(**decode_run(parts[name], content[f"{name}."]))
    need((run.weights[0].shape[0], run.weights[-1].shape[1]) == (inputs, outputs))
    return run


def _keys(names: tuple[str, ...], arrays: Found) -> Keys:
    groups, columns = arrays["members"].shape
    need(groups > 0 and columns == len(names) > 0)
    members = codec.array_of(arrays, "members", "i", (groups, columns))
    levels = tuple(arrays[f"levels_{k}"] for k in range(columns))
    for own, places in zip(levels, members.T, strict=True):
        need(len(own.shape) == 1 and own.dtype.kind in "UbiufMm")
        need(bool((places >= 0).all() and (places < own.shape[0]).all()))
    return Keys(names, tuple(map(np.asarray, levels)), members)
