"""A :class:`Sweep` as the content of a file; its outline is also the metadata of a folder.

The outline is all that is known before the training: axes, options, networks and samples.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from hashlib import sha256
from itertools import pairwise
from math import isnan, prod
from typing import Any

import numpy as np

from fastgd.arguments.axes import kinds_of
from fastgd.arguments.declarations import DECLARED, FIELDED, VALUES
from fastgd.arguments.initial_network import (
    BatchNorm,
    NetworkParts,
    check_alphas,
    check_hidden_size,
)
from fastgd.arguments.option_types import OptionType, field_kind
from fastgd.arguments.options import Method
from fastgd.arguments.subsets import Partition, RowIndices
from fastgd.checks.numbers import (
    LARGEST,
    check_count,
    check_counts,
    check_flag,
    check_seeds,
)
from fastgd.engine.network import Network
from fastgd.engine.results import MISSING, STATUS, State, Summary
from fastgd.optimizers import BAYESIAN
from fastgd.store import Arrays, plain
from fastgd.store.npz import Found
from fastgd.training import codec
from fastgd.training.codec import Array, Header, array_of, need, optional
from fastgd.training.stored_results import (
    as_json,
    check_hashes,
    check_state,
    check_width,
    decode_method,
    decode_option,
)
from fastgd.training.sweep_axes import COMBINATION, PARTS, SweepAxes, varied

_FIELDS: dict[str, codec.Field] = {
    "errors": Array("f", "axes records"),
    "final_error": Array("f", "axes"),
    "status": Array("U", "axes"),
    "iterations": Array("i", "axes"),
    "total_changes": Array("i", "axes"),
    "losses": Array("f", "axes records"),
    "final_loss": Array("f", "axes"),
    "validation_errors": Array("f", "axes records", optional=True),
    "final_validation_error": Array("f", "axes", optional=True),
    "best_iteration": Array("i", "axes", optional=True),
    **dict.fromkeys(BAYESIAN, Array("f", "axes", optional=True)),
    "summary": Array("fi", "axes", record=Summary, name="summary_{}", optional=True),
    "kept_weights": Array("f", "runs", each="parameters", optional=True),
    "kept_changes": Array("i", "runs", each="parameters", optional=True),
    "kept_path": Array("f", "runs records", each="parameters", optional=True),
    "states": Array(
        codec.CHECKED_LATER, each="parameters", record=State, name="state_{}", optional=True
    ),
    "sample_hashes": optional(check_hashes),
}


def encode(sweep: Any) -> tuple[Header, Arrays]:
    """A Sweep as a header and arrays."""
    header, arrays = encode_outline(sweep)
    fields, measured = codec.encode(_FIELDS, sweep)
    hashes = () if sweep.partition is None else sweep.partition.hashes
    return header | fields | {"subset_hashes": hashes}, arrays | measured


def decode(header: Header, arrays: Found) -> dict[str, Any]:
    """The fields of a Sweep, checked."""
    header = codec.NEW | header
    outline = decode_outline(header, arrays)
    hashes = tuple(map(check_hashes, header["subset_hashes"]))
    need(not hashes or len(hashes) == len(outline["partition"].rows))
    if hashes:
        outline["partition"] = replace(outline["partition"], hashes=hashes)
    axes, networks, method = outline["axes"], outline["networks"], outline["method"]
    sweep_axes = SweepAxes(axes)
    dimensions = {
        "axes": sweep_axes.shape,
        "records": outline["recorded"].shape,
        "runs": (sweep_axes.runs,),
        "parameters": [(network.parameters,) for network in networks],
    }
    found = codec.decode(_FIELDS, header, arrays, dimensions)
    need(set(np.unique(found["status"])) <= {*STATUS, MISSING})
    need((found["kept_weights"] is None) == (found["kept_changes"] is None))
    if found["states"] is not None:
        found["states"] = tuple(
            check_state(state, sweep_axes.runs, network, *options_of(axes, number, method))
            for number, (network, state) in enumerate(zip(networks, found["states"], strict=True))
        )
    return outline | found


def digest_of(sweep: Any, pieces: Iterable[Any]) -> str:
    """The SHA-256 of a sweep's axes, options and results; ``pieces`` are its runs in their order.

    A piece has runs of all networks, or of one. A field's bytes are hashed as those of one array,
    so that it does not matter where the runs are cut.
    """
    header, arrays = encode_outline(sweep)
    hashes = {name: sha256(plain(array).data) for name, array in arrays.items()}
    for piece in pieces:
        if (piece.status == MISSING).any():
            raise LookupError("digest needs a finished sweep, got one with missing runs")
        for name, field in _FIELDS.items():
            if name == "states" or not isinstance(field, Array):
                continue
            for own, array in field.encode(name, getattr(piece, name)).items():
                whole = hashes.setdefault(name if field.each else own, sha256())
                whole.update(plain(array).data)
    found = {name: whole.hexdigest() for name, whole in sorted(hashes.items())}
    return sha256(json.dumps([header, found]).encode()).hexdigest()


def encode_outline(sweep: Any) -> tuple[Header, Arrays]:
    """What all runs of a sweep share, as a header and arrays."""
    arrays: Arrays = {"recorded": sweep.recorded, **encode_partition(sweep.partition)}
    for i, start in enumerate(sweep.axes.get("weights", ())):
        arrays |= encode_start(i, start)
    axes = {
        name: len(values) if name == "weights" else as_json(values, arrays)
        for name, values in sweep.axes.items()
    }
    return {
        "axes": axes,
        "settings": sweep.settings,
        "options": as_json(sweep.method.given, arrays),
        "networks": [(n.sizes, n.bias, n.batch_norm) for n in sweep.networks],
    }, arrays


def decode_outline(header: Header, arrays: Found) -> dict[str, Any]:
    """The fields of a Sweep that are known before the training, checked."""
    networks = tuple(
        Network(tuple(check_counts("sizes", sizes)), check_flag("bias", b), check_flag("norm", n))
        for sizes, b, n in header["networks"]
    )
    need(all(network.layers >= 1 for network in networks))
    method = decode_method(header["options"], arrays)
    axis = partial(_axis, networks[0], method, arrays)
    axes = {
        name: _combinations(axis, values) if name == COMBINATION else axis(name, values)
        for name, values in header["axes"].items()
    }
    sweep_axes = SweepAxes(axes)
    need(sweep_axes.is_in_order and sweep_axes.networks == len(networks))
    for number, network in enumerate(networks):
        check_width(sweep_axes.method_of(number, method), network.sizes[-1])
    settings = {name: axis(name, [value])[0] for name, value in header["settings"].items()}
    need({"alpha", "seed"} <= settings.keys() <= {"alpha", "seed", *PARTS})
    return {
        "axes": axes,
        "settings": settings,
        "method": method,
        "recorded": array_of(arrays, "recorded", "i", arrays["recorded"].shape[:1]),
        "networks": networks,
        "partition": decode_partition(arrays, axes),
    }


def options_of(
    axes: Mapping[str, list[Any]], number: int, shared: Method
) -> tuple[Method, dict[str, list[Any]]]:
    """The options of a network, with those that are axes of networks; and other axes of options."""
    method = SweepAxes(dict(axes)).method_of(number, shared)
    return method, {name: axis for name, axis in varied(axes).items() if name in VALUES}


def encode_start(i: object, start: NetworkParts) -> Arrays:
    """The arrays of an initial network."""
    return codec.encode(_start(i), start)[1]


def decode_start(i: object, network: Network, arrays: Found) -> NetworkParts:
    """Restore and check an initial network."""
    units = [(size,) for size in network.sizes[1:]]
    dimensions = {
        "layers": list(pairwise(network.sizes)),
        "units": units if f"first_biases_{i}_0" in arrays else [],
        "normalized": units[:-1] if f"first_scale_{i}_0" in arrays else [],
    }
    return NetworkParts(**codec.decode(_start(i), {}, arrays, dimensions))


def _start(i: object) -> dict[str, codec.Field]:
    """The arrays of an initial network with this label."""
    return {
        "weights": Array("f", each="layers", name=f"first_weights_{i}"),
        "biases": Array("f", each="units", name=f"first_biases_{i}"),
        "normalization": Array("f", each="normalized", record=BatchNorm, name=f"first_{{}}_{i}"),
    }


def _combinations(axis: Any, values: Any) -> list[Any]:
    """Restore and check the axis of combinations; ``axis`` does the same for one of their keys."""
    keys = varied({COMBINATION: list(values)}).items()
    axes = {key: axis(key, numbers) for key, numbers in keys}
    need(len(axes) > 0)
    return [
        dict(zip(axes, combination, strict=True))
        for combination in zip(*axes.values(), strict=True)
    ]


def _axis(network: Network, method: Method, arrays: Found, name: str, values: Any) -> list[Any]:
    """Restore and check the values on an axis."""
    if name == "weights":  # each has arrays, as networks have layers
        return [decode_start(i, network, arrays) for i in range(check_count(name, values))]
    axis = list(values)
    need(len(axis) > 0)
    if name in PARTS:
        return _check_labels(name, axis)
    if name == "hidden_size":
        return list(map(check_hidden_size, axis))
    if name == "alpha":
        check_alphas([rate for rate in axis if isinstance(rate, tuple)], network.layers)
        check_alphas([rate for rate in axis if not isinstance(rate, tuple)], 1)
        return axis
    if name == "seed":
        return axis if axis == [None] else check_seeds(axis)
    kinds: dict[str, OptionType] = {}
    for holder in (getattr(method, option) for option in FIELDED):
        kinds |= {field: field_kind(holder, field) for field in holder.hyperparameters}
    kinds |= kinds_of(method.given)
    kinds |= {option: declared.kind for option, declared in DECLARED.items()}
    if name == "schedule":  # each has an array of its own
        factors = [fields["factors"] for kind, fields in axis if kind == "Factors"]
        need(len(set(factors)) == len(factors))
    found = [decode_option(name, value, arrays) for value in axis]
    return kinds[name].check_axis(name, found, LARGEST)


def _check_labels(name: str, axis: list[Any]) -> list[Any]:
    """Check the values on an axis of samples: labels of groups, or indices of folds and weights."""
    if name != "group":
        need(all(type(value) is int for value in axis))
    elif not all(isinstance(value, str) for value in axis):
        need(all(isinstance(value, (bool, int, float)) and not isnan(value) for value in axis))
    return axis


def encode_partition(partition: Partition | None) -> Arrays:
    """The rows and weights of groups and folds; their axes are saved with those of the sweep."""
    if partition is None:
        return {}
    arrays: Arrays = {}
    for name, rows in (("rows", partition.rows), ("held", partition.held)):
        if rows is not None:
            arrays |= {f"partition_{name}": rows.values, f"partition_{name}_starts": rows.starts}
    if partition.weights is not None:
        arrays["partition_weights"] = partition.weights
    return arrays


def decode_partition(arrays: Found, axes: Mapping[str, list[Any]]) -> Partition | None:
    """Restore and check the subsets of a sweep with these axes."""
    found = {name: axes[name] for name in PARTS if name in axes}
    if "partition_rows" not in arrays:
        need(not found)
        return None
    parts = prod(len(axis) for name, axis in found.items() if name != "sample_weight")
    weights = None
    if "partition_weights" in arrays:
        shape = (len(found.get("sample_weight", [0])), *arrays["partition_weights"].shape[1:])
        weights = array_of(arrays, "partition_weights", "f", shape)
        need(weights.dtype == np.float64 and weights.ndim == 2)
        need(bool((np.isfinite(weights) & (weights >= 0)).all()))
    need("sample_weight" not in found or weights is not None)
    samples = None if weights is None else weights.shape[1]
    held = _rows(arrays, "held", parts, samples) if "partition_held" in arrays else None
    need("fold" not in found or held is not None)
    return Partition(found, _rows(arrays, "rows", parts, samples), held, weights)


def _rows(arrays: Found, name: str, parts: int, samples: int | None) -> RowIndices:
    starts = array_of(arrays, f"partition_{name}_starts", "i", (parts + 1,))
    values = array_of(arrays, f"partition_{name}", "i", (int(starts[-1]),))
    need(starts[0] == 0 and bool((np.diff(starts) > 0).all()))
    need(values.min() >= 0 and (samples is None or values.max() < samples))
    return RowIndices(values, starts)
