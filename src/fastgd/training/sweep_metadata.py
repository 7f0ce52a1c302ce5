"""Convert what all runs of a sweep share to the content of a file, and back."""

from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from fastgd.arguments.data import NetworkParts
from fastgd.arguments.declarations import DECLARED, FIELDED
from fastgd.arguments.formula_parameters import FORMULAS, kinds_of
from fastgd.arguments.initial_network import check_alphas, check_hidden_size
from fastgd.arguments.option_types import OptionType, field_kind
from fastgd.arguments.options import STRUCTURES, Method
from fastgd.checks.values import (
    LARGEST,
    check_count,
    check_counts,
    check_flag,
    check_seed,
    check_seeds,
)
from fastgd.engine.network import Network
from fastgd.store.npz import Arrays, Found
from fastgd.training.serialization import (
    STATISTICS,
    Facts,
    array_of,
    check_width,
    fielded_of,
    formula_of,
    method_of,
    need,
    plain,
    put,
    take,
)
from fastgd.training.stored_partition import check_part_axis, put_partition, take_partition
from fastgd.training.sweep_axes import COMBINATION, PARTS, SweepAxes, varied


def taken_apart(sweep: Any) -> tuple[Facts, Arrays]:
    """Return what all runs of a sweep share, as facts that JSON can hold, and arrays."""
    arrays: Arrays = {"recorded": sweep.recorded}
    put_partition(arrays, sweep.partition)
    for i, start in enumerate(sweep.axes.get("weights", ())):
        put_start(arrays, i, start)
    axes = {
        name: len(values) if name == "weights" else plain(values, arrays)
        for name, values in sweep.axes.items()
    }
    return {
        "axes": axes,
        "settings": sweep.settings,
        "options": plain(sweep.method.given, arrays),
        "networks": [(n.sizes, n.bias, n.batch_norm) for n in sweep.networks],
    }, arrays


def put_together(facts: Facts, arrays: Found) -> Facts:
    """Restore and check the fields of a sweep."""
    networks = tuple(
        Network(tuple(check_counts("sizes", sizes)), check_flag("bias", b), check_flag("norm", n))
        for sizes, b, n in facts["networks"]
    )
    layers = networks[0].layers
    method = method_of(facts["options"], arrays)
    axes = {
        name: (_combinations if name == COMBINATION else partial(_axis, name))(
            values, networks[0], method, arrays
        )
        for name, values in facts["axes"].items()
    }
    sweep_axes = SweepAxes(axes)
    need(sweep_axes.is_in_order and sweep_axes.networks == len(networks))
    for number, network in enumerate(networks):
        check_width(method_of_network(axes, number, method), network.sizes[-1])
    settings = {name: _setting(name, value, layers) for name, value in facts["settings"].items()}
    need({"alpha", "seed"} <= settings.keys())
    return {
        "axes": axes,
        "settings": settings,
        "method": method,
        "recorded": array_of(arrays, "recorded", "i", arrays["recorded"].shape[:1]),
        "networks": networks,
        "partition": take_partition(arrays, axes),
    }


def method_of_network(axes: Mapping[str, list[Any]], number: int, shared: Method) -> Method:
    """The options of a network, with those that are axes of networks."""
    sweep_axes = SweepAxes(dict(axes))
    places = np.unravel_index(number, sweep_axes.shape[: sweep_axes.cut]) if sweep_axes.cut else ()
    pairs = zip(list(axes.items())[: sweep_axes.cut], places, strict=True)
    return shared.at({name: axis[place] for (name, axis), place in pairs if name in STRUCTURES})


def _setting(name: str, value: Any, layers: int) -> Any:
    """Check a setting that all runs share, or the value of an axis that a selection dropped."""
    if name == "alpha":
        check_alphas([value], layers)
        return value
    if name == "seed":
        return None if value is None else check_seed(value)
    return check_part_axis(name, [value])[0]


def _combinations(values: Any, network: Network, method: Method, arrays: Found) -> list[Any]:
    """Restore and check the axis of combinations."""
    keys = varied({COMBINATION: list(values)}).items()
    axes = {key: _axis(key, numbers, network, method, arrays) for key, numbers in keys}
    need(len(axes) > 0)
    return [
        dict(zip(axes, combination, strict=True))
        for combination in zip(*axes.values(), strict=True)
    ]


def _axis(
    name: str,
    values: Any,
    network: Network,
    method: Method,
    arrays: Found,
) -> list[Any]:
    """Restore and check the values on an axis."""
    if name == "weights":
        return [take_start(i, network, arrays) for i in range(check_count(name, values))]
    axis = list(values)
    need(len(axis) > 0)
    if name in PARTS:
        return check_part_axis(name, axis)
    if name == "hidden_size":
        return list(map(check_hidden_size, axis))
    if name == "alpha":
        check_alphas(axis, network.layers)
        return axis
    if name == "seed":
        return axis if axis == [None] else check_seeds(axis)
    if name in FIELDED:
        axis = [fielded_of(pair, arrays) for pair in axis]
    if name in FORMULAS:
        axis = [formula_of(value) for value in axis]
    own = kinds_of(method.given)
    kind: OptionType
    if name in DECLARED:
        kind = DECLARED[name].kind
    elif name in own:
        kind = own[name]
    else:
        fielded = (getattr(method, option) for option in FIELDED)
        owners = [one for one in fielded if name in one.hyperparameters]
        need(bool(owners))
        kind = field_kind(owners[0], name)
    return kind.check_axis(name, axis, LARGEST)


def put_start(arrays: Arrays, i: object, start: NetworkParts) -> None:
    """Add an initial network."""
    put(arrays, f"first_weights_{i}", start.weights)
    put(arrays, f"first_biases_{i}", start.biases)
    for name, kind in zip(STATISTICS, zip(*start.normalization, strict=True), strict=False):
        put(arrays, f"first_{name}_{i}", kind)


def take_start(i: object, network: Network, arrays: Found) -> NetworkParts:
    """Restore and check an initial network."""
    units = [(count,) for count in network.sizes[1:]]
    has = [f"first_{name}_{i}_0" in arrays for name in ("biases", "scale")]
    biases, hidden = units[: has[0] * len(units)], units[: has[1] * (len(units) - 1)]
    statistics = [take(arrays, f"first_{name}_{i}", "f", hidden) for name in STATISTICS]
    return NetworkParts(
        take(arrays, f"first_weights_{i}", "f", list(pairwise(network.sizes))),
        take(arrays, f"first_biases_{i}", "f", biases),
        tuple(zip(*statistics, strict=True)),
    )
