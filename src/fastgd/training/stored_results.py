"""Runs and sweeps as the contents of files, by one table; and the hashes of their samples.

Options are JSON values and arrays: methods by name and fields, functions by their source. The
outline of a sweep is all that is known before the training (axes, options, networks and samples);
it is also the metadata of a folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from math import isnan, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd import optimizers, schedules
from fastgd.arguments import options
from fastgd.arguments.axes import FORMULAS, kinds_of
from fastgd.arguments.declarations import DECLARED, FIELDED, VALUES
from fastgd.arguments.initial_network import (
    BatchNorm,
    NetworkParts,
    check_alphas,
    check_hidden_size,
)
from fastgd.arguments.option_types import OptionType, field_kind
from fastgd.arguments.options import Method
from fastgd.arguments.samples import TrainingData
from fastgd.arguments.subsets import Partition, RowIndices
from fastgd.checks.numbers import (
    LARGEST,
    check_count,
    check_counts,
    check_flag,
    check_seed,
    check_seeds,
)
from fastgd.engine.network import Network
from fastgd.engine.programs import ProgramAxis
from fastgd.engine.results import MISSING, STATUS, State, Summary
from fastgd.formulas.measures import Measure
from fastgd.formulas.named import Formula, Function, Loss, Penalty, Schedule, loss_of
from fastgd.formulas.rules import Rule
from fastgd.optimizers import BAYESIAN, Hyperparameters
from fastgd.store import Arrays, hashes_of
from fastgd.store.npz import Found
from fastgd.training import codec
from fastgd.training.codec import (
    CHECKED_LATER,
    JsonValues,
    StoredArray,
    StoredField,
    array_of,
    count,
    need,
    number,
    optional,
    text,
)
from fastgd.training.sweep_axes import COMBINATION, PARTS, SweepAxes, varied

Hashes = dict[str, str]
"""For each array of :attr:`TrainingData.samples` its dtype, shape and SHA-256, as in a manifest."""

SAMPLES = ("X", "y", "gradients", "validation_X", "validation_y", "validation_weight")

_HASH = re.compile(r"float64 \((\d+,|\d+(, \d+)+)\) [0-9a-f]{64}")


def with_hashes(partition: Partition | None, task: TrainingData) -> Partition | None:
    """A partition with the hashes of each (group, fold), but for the weights of validation."""
    if partition is None or partition.hashes:
        return partition
    parts = map(partition.part, range(0, len(partition), partition.weightings))
    each = (hashes_of(task.of(part._replace(held_weight=None)).samples) for part in parts)
    return replace(partition, hashes=tuple(each))


def check_hashes(value: Any) -> Hashes:
    """Check hashes that were read from a file."""
    hashes = dict(value)
    need({"X", "y"} <= hashes.keys() <= {*SAMPLES})
    need(all(map(_HASH.fullmatch, hashes.values())))
    return hashes


# ---------------------------------------------------------------- options


def as_json(value: Any, arrays: Arrays) -> Any:
    """Options as JSON values: optimizers and schedules by name; arrays go into ``arrays``."""
    if isinstance(value, schedules.Factors):
        name = f"factors_{sum(known.startswith('factors_') for known in arrays)}"
        arrays[name] = np.asarray(value.factors)
        return ["Factors", {"factors": name}]
    if isinstance(value, Hyperparameters):
        return [type(value).__name__, as_json(value._asdict(), arrays)]
    if isinstance(value, Formula):
        return [type(value).__name__, *value.source]
    if isinstance(value, np.ndarray):
        if value.dtype == np.bool_:
            return value.tolist()
        arrays["sample_weight"] = value
        return None
    if isinstance(value, dict):
        return {name: as_json(item, arrays) for name, item in value.items()}
    return [as_json(item, arrays) for item in value] if isinstance(value, (list, tuple)) else value


def decode_method(given: Mapping[str, Any], arrays: Found) -> Method:
    """Restore and check the options that :func:`as_json` has converted."""
    found = {name: decode_option(name, value, arrays) for name, value in given.items()}
    samples = len(found["sample_weight"]) if "sample_weight" in found else LARGEST
    return Method(**options.checked(found, kinds_of(found), samples))


def decode_option(name: str, value: Any, arrays: Found) -> Any:
    """Restore the value of an option, which is then checked like that of a call.

    UnknownNameError if it is a function that uses one that this version doesn't have.
    """
    if name == "sample_weight":
        return array_of(arrays, name, "f", arrays[name].shape[:1])
    if name in FIELDED and value[0] != "Schedule":
        name, fields = value
        if name == "Factors":
            own = fields["factors"]
            return schedules.Factors(array_of(arrays, own, "f", arrays[own].shape[:1]))
        holders: tuple[type[Hyperparameters], ...] = (*optimizers.ALL, Rule, *schedules.ALL)
        own = {n: _decoded(v) for n, v in fields.items()}
        return {kind.__name__: kind for kind in holders}[name](**own)
    if name == "measure":
        return value and list(map(_decoded, value))
    return _decoded(value) if name in FORMULAS else value


def _decoded(value: Any) -> Any:
    """Restore a formula, from its source, which is never run; other values are as they are."""
    if not isinstance(value, (list, tuple)) or not isinstance(value[0], str):
        return value
    kind, *source = value
    known: tuple[type[Formula], ...] = (Function, Loss, Measure, Penalty, Schedule)
    return {one.__name__: one for one in known}[kind].of_text(*source)


def _restarted(result: Any) -> JsonValues:
    """The start of a schedule as a value of the header; nothing if there is none, as before."""
    start = result.schedule_start
    return {} if start is None else {"schedule_start": start}


def check_width(method: Method, outputs: int) -> None:
    """Raise unless the number of output units is one that the loss can have."""
    need(outputs % loss_of(method.loss).units == 0)


# ---------------------------------------------------------------- runs


def _check_alpha(value: Any) -> Any:
    return tuple(map(number, value)) if isinstance(value, tuple) else number(value)


def _check_status(value: Any) -> str:
    need(value in STATUS)
    return str(value)


def _check_minimizer(value: Any) -> dict[str, Any]:
    need(isinstance(value, dict))
    if value:
        text(value["method"])
    return dict(value)


_CURVE = StoredArray("f", "records"), StoredArray("f", "axes records")
_OPTIONAL_CURVE = replace(_CURVE[0], optional=True), replace(_CURVE[1], optional=True)
_NUMBER = number, StoredArray("f", "axes")
_OPTIONAL_NUMBER = optional(number), StoredArray("f", "axes", optional=True)
_OF_LAYERS = StoredArray("f", "runs", each="parameters", optional=True)
_NORMALIZED = StoredArray("f", each="normalized", record=BatchNorm, name="{}")
_STATE = StoredArray(CHECKED_LATER, record=State, name="state_{}", optional=True)

FIELDS: dict[str, tuple[StoredField | None, StoredField | None, str]] = {
    "alpha": (_check_alpha, None, ""),
    "hidden_size": (check_hidden_size, None, ""),
    "seed": (optional(check_seed), None, ""),
    "errors": (*_CURVE, "errors"),
    "losses": (*_CURVE, "losses"),
    "recorded": (StoredArray("i", "records"), None, ""),
    "weights": (StoredArray("f", each="layers"), None, ""),
    "direction_changes": (StoredArray("i", each="layers"), None, ""),
    "biases": (StoredArray("f", each="units"), None, ""),
    "bias_direction_changes": (StoredArray("i", each="units"), None, ""),
    "normalization": (_NORMALIZED, None, ""),
    "recorded_weights": (StoredArray("f", "records", each="layers", optional=True), None, ""),
    "recorded_biases": (StoredArray("f", "records", each="recorded units"), None, ""),
    "recorded_normalization": (
        replace(_NORMALIZED, shape="records", each="recorded normalized", name="recorded_{}"),
        None,
        "",
    ),
    "recorded_predictions": (
        StoredArray("f", "records samples outputs", optional=True),
        StoredArray("f", "axes records samples outputs", optional=True),
        "predictions",
    ),
    "final_error": (*_NUMBER, "final_error"),
    "final_loss": (*_NUMBER, "final_loss"),
    "status": (_check_status, StoredArray("U", "axes"), "outcome"),
    "iterations": (count, StoredArray("i", "axes"), "iterations"),
    "total_changes": (None, StoredArray("i", "axes"), "total_changes"),
    "summary": (
        optional(lambda value: Summary(*map(number, value))),
        StoredArray("fi", "axes", record=Summary, name="summary_{}", optional=True),
        "watch",
    ),
    "minimizer": (_check_minimizer, None, ""),
    "kept_weights": (None, _OF_LAYERS, "weights"),
    "kept_changes": (None, replace(_OF_LAYERS, kinds="i"), "changes"),
    "kept_path": (None, replace(_OF_LAYERS, shape="runs records"), "path"),
    "validation_errors": (*_OPTIONAL_CURVE, "held_errors"),
    "final_validation_error": (*_OPTIONAL_NUMBER, "held_final"),
    "best_iteration": (optional(count), StoredArray("i", "axes", optional=True), "best_iteration"),
    **{name: (*_OPTIONAL_NUMBER, name) for name in BAYESIAN},
    "measurements": (
        StoredArray("f", "measurements", optional=True),
        StoredArray("f", "axes measurements", optional=True),
        "measured",
    ),
    "sample_hashes": (optional(check_hashes), optional(check_hashes), ""),
    "state": (replace(_STATE, name="state_{}_0"), None, ""),
    "states": (None, replace(_STATE, each="parameters"), "state"),
}
"""The fields of results: how each is stored in the file of a run and in that of a sweep, and the
name in ``TrainedRuns`` of what it is made of. They are in the order of a run's file."""

SOURCES = {name: source for name, (_, _, source) in FIELDS.items() if source}
"""The name in ``TrainedRuns`` of the result that each field is made of."""

_OF_RUN = {name: own for name, (own, _, _) in FIELDS.items() if own is not None}
_IN_ORDER = (
    *("errors", "final_error", "status", "iterations", "total_changes", "losses", "final_loss"),
    *("validation_errors", "final_validation_error", "best_iteration", *BAYESIAN, "summary"),
)
"""The first fields in the file of a sweep. Their order stays: the same result is the same file."""

_OF_SWEEP = {name: own for name in dict.fromkeys((*_IN_ORDER, *FIELDS)) if (own := FIELDS[name][1])}

RESULTS = {name: own for name, own in _OF_SWEEP.items() if isinstance(own, StoredArray)}
"""The arrays of a sweep: those with ``each`` have one per network, the others all axes."""


def encode_run(run: Any) -> tuple[JsonValues, Arrays]:
    """A Run as a header and arrays."""
    header, arrays = codec.encode(_OF_RUN, run)
    header |= {"options": as_json(run.options, arrays)}
    return header | _restarted(run), arrays


def decode_run(header: JsonValues, arrays: Found) -> dict[str, Any]:
    """The fields of a Run, checked."""
    hidden = check_hidden_size(header["hidden_size"])
    sizes = (arrays["weights_0"].shape[0], *hidden, arrays[f"weights_{len(hidden)}"].shape[1])
    units = [(size,) for size in sizes[1:]]
    method = decode_method(header["options"], arrays)
    bias, batch_norm = method.bias, method.batch_norm
    network = Network(sizes, bias, batch_norm)
    recorded = "recorded_weights_0" in arrays
    dimensions = {
        "records": arrays["recorded"].shape[:1],
        **_of_records(arrays, method, network),
        "layers": list(pairwise(sizes)),
        "units": units if bias else [],
        "normalized": units[:-1] if batch_norm else [],
        "recorded units": units if bias and recorded else [],
        "recorded normalized": units[:-1] if batch_norm and recorded else [],
    }
    found = codec.decode(_OF_RUN, codec.NEW | header, arrays, dimensions)
    need((found["validation_errors"] is None) == (found["final_validation_error"] is None))
    check_width(method, sizes[-1])
    state = found["state"]
    found["state"] = state and check_state(state, 1, network, method, {})
    start = optional(count)(header.get("schedule_start"))
    return {**found, "options": method.given, "schedule_start": start}


def _of_records(arrays: Found, method: Method, network: Network) -> dict[str, tuple[int, ...]]:
    """The dimensions of what was recorded; results don't know how many samples there were."""
    name = "recorded_predictions"
    found = {"samples": arrays[name].shape[-2:-1] if name in arrays else ()}
    found["outputs"] = network.sizes[-1:]
    found["measurements"] = ()
    if method.measure is not None:
        count = arrays["measurements"].shape[-3]
        found["measurements"] = measured_shape(method, count, network.layers)
    return found


def measured_shape(method: Method, measurements: int, layers: int) -> tuple[int, int, int]:
    """The shape of what is measured of a run: measurements, layers (or 1), and quantities."""
    return measurements, layers if method.measure_layers else 1, len(method.measure)


def check_state(
    state: State,
    runs: int,
    network: Network,
    method: Method,
    values: Mapping[str, Sequence[Any]],
) -> State:
    """Read the states of runs; ValueError unless runs with these options could have them.

    ``values`` are the values of options that are axes, which ``method`` doesn't have.
    """
    watched, best = State.widths(method, values)
    drawn = state.tau.shape[-1]  # results don't know the number of samples
    need((drawn > 0) == (method.sampling == "adaptive"))
    like = State.empty(0, network.parameters, method, watched, drawn, best)
    for array, expected in zip(state._asdict().values(), like._asdict().values(), strict=True):
        need(array.dtype == expected.dtype and array.shape == (runs, *expected.shape[1:]))
    state = State(*map(np.asarray, state))
    need(bool((state.planned >= 1).all()) and bool((state.record_every >= 1).all()))
    need(bool((state.signs <= 1).all()) and bool((state.ended >= -1).all()))
    need(bool(((state.outcome >= 0) & (state.outcome < len(STATUS))).all()))
    return state


# ---------------------------------------------------------------- sweeps


def encode_sweep(sweep: Any) -> tuple[JsonValues, Arrays]:
    """A Sweep as a header and arrays."""
    sweep = sweep.in_memory()
    header, arrays = encode_outline(sweep)
    fields, measured = codec.encode(_OF_SWEEP, sweep)
    hashes = () if sweep.partition is None else sweep.partition.hashes
    return header | fields | {"subset_hashes": hashes}, arrays | measured


def decode_sweep(header: JsonValues, arrays: Found) -> dict[str, Any]:
    """The fields of a Sweep, checked."""
    header = codec.NEW | header
    outline = decode_outline(header, arrays)
    hashes = tuple(map(check_hashes, header["subset_hashes"]))
    need(not hashes or len(hashes) == len(outline["partition"].rows))
    if hashes:
        outline["partition"] = replace(outline["partition"], hashes=hashes)
    axes, networks, method = outline["axes"], outline["networks"], outline["method"]
    sweep_axes = SweepAxes.with_networks(axes, len(networks))
    dimensions = {
        "axes": sweep_axes.shape,
        "records": outline["recorded"].shape,
        **_of_records(arrays, method, networks[0]),
        "runs": (sweep_axes.runs,),
        "parameters": [(network.parameters,) for network in networks],
    }
    found = codec.decode(_OF_SWEEP, header, arrays, dimensions)
    need(set(np.unique(found["status"])) <= {*STATUS, MISSING})
    need((found["kept_weights"] is None) == (found["kept_changes"] is None))
    if found["states"] is not None:
        found["states"] = tuple(
            check_state(state, sweep_axes.runs, network, *options_of(sweep_axes, number, method))
            for number, (network, state) in enumerate(zip(networks, found["states"], strict=True))
        )
    return outline | found


def measured_arrays(piece: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    """The arrays of some runs of a sweep; those of all networks have the name of their field.

    LookupError if runs are missing.
    """
    if (piece.status == MISSING).any():
        raise LookupError("digest needs a finished sweep, got one with missing runs")
    for name, field in RESULTS.items():
        if name != "states":
            for own, array in field.encode(name, getattr(piece, name)).items():
                yield name if field.each else own, array


def encode_outline(sweep: Any) -> tuple[JsonValues, Arrays]:
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
        **_restarted(sweep),
    }, arrays


def decode_outline(header: JsonValues, arrays: Found) -> dict[str, Any]:
    """The fields of a Sweep that are known before the training, checked."""
    networks = tuple(
        Network(tuple(check_counts("sizes", sizes)), check_flag("bias", b), check_flag("norm", n))
        for sizes, b, n in header["networks"]
    )
    need(all(network.layers >= 1 for network in networks))
    method = decode_method(header["options"], arrays)
    axis = partial(_axis, networks[0], method, arrays)
    axes = {name: axis(name, values) for name, values in header["axes"].items()}
    sweep_axes = SweepAxes.with_networks(axes, len(networks))
    need(sweep_axes.is_in_order and sweep_axes.networks == len(networks))
    for k, network in enumerate(networks):
        check_width(sweep_axes.method_of(k, method), network.sizes[-1])
    settings = {name: axis(name, [value])[0] for name, value in header["settings"].items()}
    need({"alpha", "seed"} <= settings.keys() <= {"alpha", "seed", *PARTS})
    return {
        "axes": axes,
        "settings": settings,
        "method": method,
        "recorded": array_of(arrays, "recorded", "i", arrays["recorded"].shape[:1]),
        "networks": networks,
        "partition": decode_partition(arrays, axes),
        "schedule_start": optional(count)(header.get("schedule_start")),
    }


def options_of(
    sweep_axes: SweepAxes, number: int, shared: Method
) -> tuple[Method, dict[str, list[Any]]]:
    """The options of a network, with those that are axes of networks; and other axes of options."""
    method, axes = sweep_axes.method_of(number, shared), sweep_axes.axes
    if sweep_axes.rules_are_data:
        method = method.at({"optimizer": ProgramAxis.of(axes["optimizer"]).optimizer})
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


def _start(i: object) -> dict[str, StoredField]:
    """The arrays of an initial network with this label."""
    return {
        "weights": StoredArray("f", each="layers", name=f"first_weights_{i}"),
        "biases": StoredArray("f", each="units", name=f"first_biases_{i}"),
        "normalization": StoredArray(
            "f", each="normalized", record=BatchNorm, name=f"first_{{}}_{i}"
        ),
    }


def _axis(network: Network, method: Method, arrays: Found, name: str, values: Any) -> list[Any]:
    """Restore and check the values on an axis."""
    if name == COMBINATION:
        keys = varied({name: list(values)}).items()
        each = {key: _axis(network, method, arrays, key, numbers) for key, numbers in keys}
        need(len(each) > 0)
        return [dict(zip(each, one, strict=True)) for one in zip(*each.values(), strict=True)]
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
        factors = [fields["factors"] for kind, fields, *_ in axis if kind == "Factors"]
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
