"""A :class:`Run` as the content of a file; and the check of states, from which runs resume."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from fastgd.arguments.initial_network import BatchNorm, check_hidden_size
from fastgd.arguments.options import Method
from fastgd.checks.numbers import check_seed
from fastgd.engine.network import Network
from fastgd.engine.results import STATUS, State, Summary
from fastgd.optimizers import BAYESIAN
from fastgd.store import Arrays
from fastgd.store.npz import Found
from fastgd.training import codec
from fastgd.training.codec import Array, Header, count, need, number, optional, text
from fastgd.training.stored_results import as_json, check_hashes, check_width, decode_method


def _alpha(value: Any) -> Any:
    return tuple(map(number, value)) if isinstance(value, tuple) else number(value)


def _status(value: Any) -> str:
    need(value in STATUS)
    return str(value)


def _minimizer(value: Any) -> dict[str, Any]:
    need(isinstance(value, dict))
    if value:
        text(value["method"])
    return dict(value)


_FIELDS: dict[str, codec.Field] = {
    "alpha": _alpha,
    "hidden_size": check_hidden_size,
    "seed": optional(check_seed),
    "final_error": number,
    "final_loss": number,
    "status": _status,
    "iterations": count,
    "summary": optional(lambda value: Summary(*map(number, value))),
    "minimizer": _minimizer,
    "final_validation_error": optional(number),
    "best_iteration": optional(count),
    **dict.fromkeys(BAYESIAN, optional(number)),
    "sample_hashes": optional(check_hashes),
    "errors": Array("f", "records"),
    "losses": Array("f", "records"),
    "recorded": Array("i", "records"),
    "weights": Array("f", each="layers"),
    "direction_changes": Array("i", each="layers"),
    "biases": Array("f", each="units"),
    "bias_direction_changes": Array("i", each="units"),
    "normalization": Array("f", each="normalized", record=BatchNorm, name="{}"),
    "recorded_weights": Array("f", "records", each="layers", optional=True),
    "recorded_biases": Array("f", "records", each="recorded units"),
    "recorded_normalization": Array(
        "f", "records", each="recorded normalized", record=BatchNorm, name="recorded_{}"
    ),
    "validation_errors": Array("f", "records", optional=True),
    "state": Array(codec.CHECKED_LATER, record=State, name="state_{}_0", optional=True),
}


def encode(run: Any) -> tuple[Header, Arrays]:
    """A Run as a header and arrays."""
    header, arrays = codec.encode(_FIELDS, run)
    return header | {"options": as_json(run.options, arrays)}, arrays


def decode(header: Header, arrays: Found) -> dict[str, Any]:
    """The fields of a Run, checked."""
    hidden = check_hidden_size(header["hidden_size"])
    sizes = (arrays["weights_0"].shape[0], *hidden, arrays[f"weights_{len(hidden)}"].shape[1])
    units = [(size,) for size in sizes[1:]]
    method = decode_method(header["options"], arrays)
    bias, batch_norm = method.bias, method.batch_norm
    recorded = "recorded_weights_0" in arrays
    dimensions = {
        "records": arrays["recorded"].shape[:1],
        "layers": list(pairwise(sizes)),
        "units": units if bias else [],
        "normalized": units[:-1] if batch_norm else [],
        "recorded units": units if bias and recorded else [],
        "recorded normalized": units[:-1] if batch_norm and recorded else [],
    }
    found = codec.decode(_FIELDS, codec.NEW | header, arrays, dimensions)
    need((found["validation_errors"] is None) == (found["final_validation_error"] is None))
    check_width(method, sizes[-1])
    network, state = Network(sizes, bias, batch_norm), found["state"]
    found["state"] = state and check_state(state, 1, network, method, {})
    return {**found, "options": method.given}


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
    like = State.empty(0, network.parameters, method.optimizer, watched, drawn, best)
    for array, expected in zip(state._asdict().values(), like._asdict().values(), strict=True):
        need(array.dtype == expected.dtype and array.shape == (runs, *expected.shape[1:]))
    state = State(*map(np.asarray, state))
    need(bool((state.planned >= 1).all()) and bool((state.record_every >= 1).all()))
    need(bool((state.signs <= 1).all()) and bool((state.ended >= -1).all()))
    need(bool(((state.outcome >= 0) & (state.outcome < len(STATUS))).all()))
    return state
