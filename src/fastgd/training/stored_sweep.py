"""Convert a :class:`Sweep` to the content of a file, and back."""

from typing import Any

import numpy as np

from fastgd.arguments.options import VALUES
from fastgd.checks.values import check_flag
from fastgd.engine.summaries import MISSING, STATUS
from fastgd.store.npz import Arrays, Found
from fastgd.training import sweep_metadata
from fastgd.training.serialization import KINDS, Facts, array_of, need, put, take
from fastgd.training.stored_state import put_state, take_state
from fastgd.training.sweep_axes import SweepAxes, varied
from fastgd.training.sweep_metadata import method_of_network

_SUMMARY = ("smallest_error", "smallest_iteration", "tail_mean", "error_sum", "inverse_sum")

_ARRAYS = {
    "errors": "f", "final_error": "f", "status": "U", "iterations": "i", "total_changes": "i"
}  # fmt: skip
_LOSSES = ("losses", "final_loss")
_MAYBE = {"validation_errors": "f", "final_validation_error": "f", "best_iteration": "i"}
_KEPT = ("kept_weights", "kept_changes", "kept_path")


def taken_apart(sweep: Any) -> tuple[Facts, Arrays]:
    """A Sweep as facts that JSON can hold, and arrays."""
    facts, arrays = sweep_metadata.taken_apart(sweep)
    arrays |= {name: getattr(sweep, name) for name in (*_ARRAYS, *_LOSSES)}
    for name in _MAYBE:
        if getattr(sweep, name) is not None:
            arrays[name] = getattr(sweep, name)
    for name in _KEPT:
        put(arrays, name, getattr(sweep, name) or ())
    for number, state in enumerate(sweep.states or ()):
        put_state(arrays, number, state)
    for name, values in sweep.summary._asdict().items() if sweep.summary else ():
        arrays[f"summary_{name}"] = values
    return facts | {"kept": sweep.kept_weights is not None}, arrays


def put_together(facts: Facts, arrays: Found) -> Facts:
    """The fields of a Sweep, checked."""
    outline = sweep_metadata.put_together(facts, arrays)
    axes, networks, method = outline["axes"], outline["networks"], outline["method"]
    sweep_axes, records = SweepAxes(axes), len(outline["recorded"])
    shapes = dict.fromkeys(_ARRAYS, sweep_axes.shape) | {"errors": (*sweep_axes.shape, records)}
    found: dict[str, Any] = {
        name: array_of(arrays, name, kind, shapes[name]) for name, kind in _ARRAYS.items()
    }
    shapes |= dict.fromkeys(_MAYBE, sweep_axes.shape) | {
        "validation_errors": (*sweep_axes.shape, records)
    }
    found |= {
        name: array_of(arrays, name, kind, shapes[name]) if name in arrays else None
        for name, kind in _MAYBE.items()
    }
    need(set(np.unique(found["status"])) <= {*STATUS, MISSING})
    summary = None
    if f"summary_{_SUMMARY[0]}" in arrays:
        each = (array_of(arrays, f"summary_{name}", "fi", sweep_axes.shape) for name in _SUMMARY)
        summary = KINDS["Summary"](*each)

    is_kept = check_flag("kept", facts["kept"])
    rows = [(sweep_axes.runs, network.parameters) for network in networks]
    points = [(sweep_axes.runs, records, network.parameters) for network in networks]
    values = {name: axis for name, axis in varied(axes).items() if name in VALUES}
    states = tuple(
        take_state(arrays, n, sweep_axes.runs, network, method_of_network(axes, n, method), values)
        for n, network in enumerate(networks)
    )
    need(len({state is None for state in states}) == 1)
    return {
        **outline,
        **found,
        "losses": array_of(arrays, "losses", "f", (*sweep_axes.shape, records)),
        "final_loss": array_of(arrays, "final_loss", "f", sweep_axes.shape),
        "summary": summary,
        "kept_weights": take(arrays, "kept_weights", "f", rows) if is_kept else None,
        "kept_changes": take(arrays, "kept_changes", "i", rows) if is_kept else None,
        "kept_path": take(arrays, "kept_path", "f", points) if "kept_path_0" in arrays else None,
        "states": None if states[0] is None else states,
    }
