"""Convert a :class:`Run` to the content of a file, and back."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from numpy.typing import NDArray

from fastgd.arguments.initial_network import check_hidden_size
from fastgd.checks.values import check_count, check_seed
from fastgd.engine.network import Network
from fastgd.engine.summaries import STATUS
from fastgd.store.npz import Arrays, Found
from fastgd.training.serialization import (
    KINDS,
    STATISTICS,
    Facts,
    array_of,
    check_width,
    is_number,
    method_of,
    need,
    plain,
    put,
    take,
)
from fastgd.training.stored_state import put_state, take_state

_FACTS = (
    "alpha",
    "hidden_size",
    "seed",
    "final_error",
    "final_loss",
    "status",
    "iterations",
    "summary",
    "minimizer",
    "final_validation_error",
    "best_iteration",
)


def taken_apart(run: Any) -> tuple[Facts, Arrays]:
    """A Run as facts that JSON can hold, and arrays."""
    arrays = {"errors": run.errors, "losses": run.losses, "recorded": run.recorded}
    for name in ("weights", "direction_changes", "biases", "bias_direction_changes"):
        put(arrays, name, getattr(run, name))
    put(arrays, "recorded_weights", run.recorded_weights or ())
    put(arrays, "recorded_biases", run.recorded_biases)
    for lead, layers in (("", run.normalization), ("recorded_", run.recorded_normalization)):
        for k, layer in enumerate(layers):
            arrays |= {f"{lead}{name}_{k}": array for name, array in layer._asdict().items()}
    if run.validation_errors is not None:
        arrays["validation_errors"] = run.validation_errors
    if run.state is not None:
        put_state(arrays, 0, run.state)
    facts = {name: getattr(run, name) for name in _FACTS}
    facts |= {"options": plain(run.options, arrays), "biases": len(run.biases)}
    return facts | {"normalization": len(run.normalization)}, arrays


def put_together(facts: Facts, arrays: Found) -> Facts:
    """The fields of a Run, checked."""
    hidden = check_hidden_size(facts["hidden_size"])
    layers, records = len(hidden) + 1, arrays["recorded"].shape[0]
    sizes = (arrays["weights_0"].shape[0], *hidden, arrays[f"weights_{layers - 1}"].shape[1])
    shapes, units = list(pairwise(sizes)), [(count,) for count in sizes[1:]]
    biased, normal = facts["biases"], facts["normalization"]
    need(biased in (0, layers) and normal in (0, len(hidden)))
    units, hidden_units = units[:biased], units[:normal]

    def recorded(name: str, shapes: Sequence[tuple[int, ...]]) -> tuple[NDArray[Any], ...]:
        if f"recorded_{name}_0" not in arrays:
            return ()
        return take(arrays, f"recorded_{name}", "f", [(records, *shape) for shape in shapes])

    def normalization(read: Any) -> tuple[Any, ...]:
        kinds = (read(name, hidden_units) for name in STATISTICS)
        return tuple(KINDS["BatchNorm"](*layer) for layer in zip(*kinds, strict=True))

    alpha, seed, summary = facts["alpha"], facts["seed"], facts["summary"]
    for number in alpha if isinstance(alpha, tuple) else (alpha,):
        need(is_number(number))
    need(summary is None or all(map(is_number, summary)))
    need(is_number(facts["final_error"]) and facts["status"] in STATUS)
    final_loss = facts["final_loss"]
    need(is_number(final_loss))
    minimizer = facts["minimizer"]
    method = method_of(facts["options"], arrays)
    check_width(method, sizes[-1])
    validation, best = facts["final_validation_error"], facts["best_iteration"]
    measured = "validation_errors" in arrays
    need(is_number(validation) if measured else validation is None)
    need(isinstance(minimizer, dict) and (not minimizer or isinstance(minimizer["method"], str)))
    return {
        "alpha": alpha,
        "hidden_size": hidden,
        "seed": None if seed is None else check_seed(seed),
        "errors": array_of(arrays, "errors", "f", (records,)),
        "recorded": array_of(arrays, "recorded", "i", (records,)),
        "weights": take(arrays, "weights", "f", shapes),
        "direction_changes": take(arrays, "direction_changes", "i", shapes),
        "final_error": facts["final_error"],
        "losses": array_of(arrays, "losses", "f", (records,)),
        "final_loss": final_loss,
        "status": facts["status"],
        "iterations": check_count("iterations", facts["iterations"], minimum=0),
        "biases": take(arrays, "biases", "f", units),
        "bias_direction_changes": take(arrays, "bias_direction_changes", "i", units),
        "normalization": normalization(lambda name, shapes: take(arrays, name, "f", shapes)),
        "summary": summary and KINDS["Summary"](*summary),
        "recorded_weights": recorded("weights", shapes) or None,
        "recorded_biases": recorded("biases", units),
        "recorded_normalization": normalization(recorded),
        "options": method.given,
        "minimizer": minimizer,
        "validation_errors": (
            array_of(arrays, "validation_errors", "f", (records,)) if measured else None
        ),
        "final_validation_error": validation,
        "best_iteration": None if best is None else check_count("best", best, minimum=0),
        "state": take_state(arrays, 0, 1, Network(sizes, bool(biased), bool(normal)), method, {}),
    }
