"""Runs and sweeps as files, and back.

What a file holds is looked at as if a caller had given it: each number and each array must be of
the kind and shape that belongs there, or the file is not whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.data import Parts
from fastgd.arguments.declarations import DECLARED
from fastgd.arguments.kinds import field_kind
from fastgd.arguments.start import check_alphas, check_hidden_size
from fastgd.arguments.values import (
    LARGEST,
    check_count,
    check_counts,
    check_flag,
    check_seed,
    check_seeds,
)
from fastgd.engine.network import Network
from fastgd.engine.summaries import STATUS
from fastgd.optimizers import Optimizer
from fastgd.training import archive
from fastgd.training.archive import Arrays
from fastgd.training.files import PathLike
from fastgd.training.grid import Grid
from fastgd.training.members import (
    array_of,
    is_number,
    method_of,
    need,
    optimizer_of,
    plain,
    put,
    take,
)

Facts = dict[str, Any]
Kind = TypeVar("Kind", bound=type[Any])

_KINDS: dict[str, Any] = {}
_STATISTICS = ("scale", "shift", "mean", "variance")
_SUMMARY = ("smallest_error", "smallest_iteration", "tail_mean", "error_sum", "inverse_sum")


def saved(kind: Kind) -> Kind:
    """Make a class known: files name it, and reading one makes it."""
    _KINDS[kind.__name__] = kind
    return kind


def save(result: Any, path: PathLike) -> None:
    """Write a run or a sweep."""
    kind = type(result).__name__
    facts, arrays = {"Run": _of_run, "Sweep": _of_sweep}[kind](result)
    archive.write(path, kind, facts, arrays)


def load(path: PathLike) -> Any:
    """Read what :meth:`Run.save` or :meth:`Sweep.save` wrote.

    Returns
    -------
    Run or Sweep

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is not a whole file that fastgd has saved.

    Examples
    --------
    >>> import fastgd, tempfile
    >>> sweep = fastgd.sweep([[0, 1], [1, 0]], [0, 1], alpha=[1, 2], iterations=10)
    >>> with tempfile.NamedTemporaryFile(suffix=".npz") as file:
    ...     sweep.save(file.name)
    ...     fastgd.load(file.name)[1].alpha
    2.0
    """
    kind, facts, arrays = archive.read(path)
    try:
        return _KINDS[kind](**{"Run": _run, "Sweep": _sweep}[kind](facts, arrays))
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        MemoryError,
        TypeError,
        ValueError,
    ) as error:
        raise archive.not_whole(path) from error


# ---------------------------------------------------------------- one run


def _of_run(run: Any) -> tuple[Facts, Arrays]:
    arrays = {"errors": run.errors, "recorded": run.recorded}
    for name in ("weights", "direction_changes", "biases", "bias_direction_changes"):
        put(arrays, name, getattr(run, name))
    put(arrays, "recorded_weights", run.recorded_weights or ())
    put(arrays, "recorded_biases", run.recorded_biases)
    for lead, layers in (("", run.normalization), ("recorded_", run.recorded_normalization)):
        for k, layer in enumerate(layers):
            arrays |= {f"{lead}{name}_{k}": part for name, part in layer._asdict().items()}
    names = ("alpha", "hidden_size", "seed", "final_error", "status", "iterations")
    facts = {name: getattr(run, name) for name in (*names, "summary", "minimizer")}
    facts |= {"options": plain(run.options, arrays), "biases": len(run.biases)}
    return facts | {"normalization": len(run.normalization)}, arrays


def _run(facts: Facts, arrays: Arrays) -> Facts:
    # What files of the first version lack has the value that it had then.
    hidden = check_hidden_size(facts["hidden_size"])
    layers, records = len(hidden) + 1, len(arrays["recorded"])
    sizes = (len(arrays["weights_0"]), *hidden, arrays[f"weights_{layers - 1}"].shape[1])
    shapes, units = list(pairwise(sizes)), [(count,) for count in sizes[1:]]
    biased, normal = facts.get("biases", 0), facts.get("normalization", 0)
    need(biased in (0, layers) and normal in (0, len(hidden)))
    units, hidden_units = units[:biased], units[:normal]

    def recorded(name: str, shapes: Sequence[tuple[int, ...]]) -> tuple[NDArray[Any], ...]:
        if f"recorded_{name}_0" not in arrays:
            return ()
        return take(arrays, f"recorded_{name}", "f", [(records, *shape) for shape in shapes])

    def normalization(read: Any) -> tuple[Any, ...]:
        kinds = (read(name, hidden_units) for name in _STATISTICS)
        return tuple(_KINDS["BatchNorm"](*layer) for layer in zip(*kinds, strict=True))

    alpha, seed, summary = facts["alpha"], facts["seed"], facts.get("summary")
    for number in alpha if isinstance(alpha, tuple) else (alpha,):
        need(is_number(number))
    need(summary is None or all(map(is_number, summary)))
    need(is_number(facts["final_error"]) and facts["status"] in STATUS)
    minimizer = facts.get("minimizer", {})
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
        "status": facts["status"],
        "iterations": check_count("iterations", facts["iterations"], minimum=0),
        "biases": take(arrays, "biases", "f", units),
        "bias_direction_changes": take(arrays, "bias_direction_changes", "i", units),
        "normalization": normalization(lambda name, shapes: take(arrays, name, "f", shapes)),
        "summary": summary and _KINDS["Summary"](*summary),
        "recorded_weights": recorded("weights", shapes) or None,
        "recorded_biases": recorded("biases", units),
        "recorded_normalization": normalization(recorded),
        "options": method_of(facts.get("options", {}), arrays).given,
        "minimizer": minimizer,
    }


# ---------------------------------------------------------------- many


_ARRAYS = {
    "errors": "f", "final_error": "f", "status": "U", "iterations": "i", "total_changes": "i"
}  # fmt: skip


def _of_sweep(sweep: Any) -> tuple[Facts, Arrays]:
    arrays: Arrays = {name: getattr(sweep, name) for name in (*_ARRAYS, "recorded")}
    for name in ("kept_weights", "kept_changes"):
        put(arrays, name, getattr(sweep, name) or ())
    for i, start in enumerate(sweep.axes.get("weights", ())):
        put(arrays, f"first_weights_{i}", start.weights)
        put(arrays, f"first_biases_{i}", start.biases)
        for name, kind in zip(_STATISTICS, zip(*start.normalization, strict=True), strict=False):
            put(arrays, f"first_{name}_{i}", kind)
    for name, values in sweep.summary._asdict().items() if sweep.summary else ():
        arrays[f"summary_{name}"] = values
    axes = {
        name: len(values) if name == "weights" else plain(values, arrays)
        for name, values in sweep.axes.items()
    }
    return {
        "axes": axes,
        "settings": sweep.settings,
        "options": plain(sweep.method.given, arrays),
        "networks": [(n.sizes, n.bias, n.batch_norm) for n in sweep.networks],
        "kept": sweep.kept_weights is not None,
    }, arrays


def _sweep(facts: Facts, arrays: Arrays) -> Facts:
    # Files of the first version have the sizes of networks without biases.
    first = ((sizes, False, False) for sizes in facts.get("sizes", ()))
    networks = tuple(
        Network(tuple(check_counts("sizes", sizes)), check_flag("bias", b), check_flag("norm", n))
        for sizes, b, n in facts.get("networks", first)
    )
    layers = networks[0].layers
    method = method_of(facts.get("options", {}), arrays)
    axes = {
        name: _axis(name, values, networks[0], method.optimizer, arrays)
        for name, values in facts["axes"].items()
    }
    grid, records = Grid(axes), len(arrays["recorded"])
    need(grid.networks == len(networks))
    shapes = dict.fromkeys(_ARRAYS, grid.shape) | {"errors": (*grid.shape, records)}
    found = {name: array_of(arrays, name, kind, shapes[name]) for name, kind in _ARRAYS.items()}
    need(set(np.unique(found["status"])) <= set(STATUS))
    summary = None
    if f"summary_{_SUMMARY[0]}" in arrays:
        each = (array_of(arrays, f"summary_{name}", "fi", grid.shape) for name in _SUMMARY)
        summary = _KINDS["Summary"](*each)

    def kept(name: str, kind: str) -> tuple[NDArray[Any], ...] | None:
        rows = [(grid.runs, network.parameters) for network in networks]
        return take(arrays, name, kind, rows) if check_flag("kept", facts["kept"]) else None

    alpha, seed = facts["settings"]["alpha"], facts["settings"]["seed"]
    check_alphas([alpha], layers)
    return {
        "axes": axes,
        "settings": {"alpha": alpha, "seed": None if seed is None else check_seed(seed)},
        "method": method,
        **found,
        "recorded": array_of(arrays, "recorded", "i", (records,)),
        "summary": summary,
        "networks": networks,
        "kept_weights": kept("kept_weights", "f"),
        "kept_changes": kept("kept_changes", "i"),
    }


def _axis(
    name: str, values: Any, network: Network, optimizer: Optimizer, arrays: Arrays
) -> list[Any]:
    """The values on an axis."""
    if name == "weights":
        return [_start(i, network, arrays) for i in range(check_count(name, values))]
    axis = list(values)
    need(len(axis) > 0)
    if name == "hidden_size":
        return list(map(check_hidden_size, axis))
    if name == "alpha":
        check_alphas(axis, network.layers)
        return axis
    if name == "seed":
        return axis if axis == [None] else check_seeds(axis)
    if name == "optimizer":
        axis = [optimizer_of(*pair) for pair in axis]
    kind = DECLARED[name].kind if name in DECLARED else field_kind(optimizer, name)
    return kind.check_axis(name, axis, LARGEST)


def _start(i: int, network: Network, arrays: Arrays) -> Parts:
    """One network of an axis of first weights."""
    units = [(count,) for count in network.sizes[1:]]
    has = [f"first_{name}_{i}_0" in arrays for name in ("biases", "scale")]
    biases, hidden = units[: has[0] * len(units)], units[: has[1] * (len(units) - 1)]
    statistics = [take(arrays, f"first_{name}_{i}", "f", hidden) for name in _STATISTICS]
    return Parts(
        take(arrays, f"first_weights_{i}", "f", list(pairwise(network.sizes))),
        take(arrays, f"first_biases_{i}", "f", biases),
        tuple(zip(*statistics, strict=True)),
    )
