"""The arguments of trainings, all checked in one place, for train() and sweep() alike."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments import options
from fastgd.arguments.axes import check_distinct
from fastgd.arguments.initial_network import NetworkParts, check_alphas, check_start, check_whole
from fastgd.arguments.options import NO_AXES, Axes, Method
from fastgd.arguments.samples import TrainingData, outputs_to_start
from fastgd.checks.messages import shown
from fastgd.checks.numbers import FloatArray, check_seeds
from fastgd.engine.devices import CPU
from fastgd.engine.network import Network, first_rows, network_of
from fastgd.engine.plan import Plan
from fastgd.engine.recipe import has_second_derivative
from fastgd.training.sweep_axes import COMBINATION, PARTS, SweepAxes

_shares_code: ContextVar[bool] = ContextVar("_shares_code", default=False)


@contextmanager
def sharing_code(shares: bool) -> Iterator[None]:
    """Let networks of different sizes share code where they can: less is compiled for short work.

    A block then has as many runs as suits all of them.
    """
    token = _shares_code.set(shares)
    try:
        yield
    finally:
        _shares_code.reset(token)


@dataclass(frozen=True, eq=False)
class Trainings:
    """All that some trainings depend on, checked: nothing that uses it checks it again.

    ``networks``, ``methods`` and ``alphas`` have one item for each combination of the axes that
    change the network.
    """

    task: TrainingData
    sweep_axes: SweepAxes
    """No axes for a single training."""
    networks: tuple[Network, ...]
    methods: tuple[Method, ...]
    alphas: tuple[FloatArray, ...]  # (values, K)
    values: Mapping[str, Sequence[Any]]
    """Values of other options, each along its own axis or along that of combinations."""
    together: tuple[str, ...]
    """The names in the combinations."""
    seeds: list[int]
    starts: list[NetworkParts] | None
    """Initial networks, if they are given."""
    settings: dict[str, Any]
    """The first alpha, as it was given, and the first seed, None with given initial networks."""
    record_weights: bool
    device: str
    """Where they are trained: see :mod:`fastgd.engine.devices`."""

    def plan(
        self, number: int, threads: int, scope: Mapping[str, Sequence[Any]] | None = None
    ) -> Plan:
        """Plan the runs of a network; ``scope`` is that of :meth:`Plan.make`."""
        return Plan.make(
            self.task,
            self.networks[number],
            self.methods[number],
            self.alphas[number],
            self.values,
            len(self.starts or self.seeds),
            threads,
            record_weights=self.record_weights,
            together=self.together,
            scope=scope,
            device=self.device,
            others=self.networks if _shares_code.get() else (),
        )

    def first(self, number: int) -> FloatArray:
        """The initial parameters of a network's runs, (starts, P)."""
        network = self.networks[number]
        if self.starts:
            return np.array([network.row(start) for start in self.starts])
        return network.rows(first_rows(self.methods[number].init, network.sizes, self.seeds))

    @property
    def run_seeds(self) -> NDArray[np.int64]:
        """The seed of all that is random later, for each initial network, (starts,)."""
        return np.array(self.seeds * len(self.starts or self.seeds[:1]), np.int64)


def checked_trainings(
    task: TrainingData,
    given: Mapping[str, Any],
    given_options: Mapping[str, Any],
    *,
    record_weights: bool,
    device: str = CPU,
    axes: Mapping[str, list[Any] | None] = MappingProxyType({}),
    option_axes: Axes = NO_AXES,
    together: tuple[str, ...] = (),
    arguments: Collection[str] = (),
) -> Trainings:
    """Check what trainings on these samples depend on.

    ``given`` are hidden_size, alpha, seed, weights and biases; ``axes`` and ``option_axes`` are the
    arguments of a sweep that are axes, unchecked, ``together`` the keys of its combinations, and
    ``arguments`` those of :func:`fastgd.arguments.options.axes`.
    """
    listed = {name: axes.get(name) or [value] for name, value in given.items()}
    biases = _biases(given["biases"], axes.get("weights"))
    if task.gradients is not None:
        given_options = {"gradient_weight": 1.0, **given_options}
    outputs = outputs_to_start(given_options, task.y, given["weights"])
    hiddens, starts = _starts(listed, biases, task.X.shape[1], outputs)
    rates = [check_alphas(listed["alpha"], len(hidden) + 1) for hidden in hiddens]
    seeds = check_seeds(listed["seed"])
    partition = task.partition
    chosen = options.check_sweep(
        given_options,
        option_axes,
        hiddens,
        (task.X, task.y),
        holds_out=task.holds_out,
        in_parts=partition is not None,
        has_gradients=task.gradients is not None,
        together=together,
        arguments=arguments,
    )
    if task.gradients is not None:
        _check_smooth(chosen.methods)
    values = chosen.values
    options.check_updates(chosen.methods, task.iterations)
    if partition is not None:
        options.check_parts(chosen.methods, partition.rows.sizes, partition.named)
    for start, method in product(starts or (), chosen.methods):
        check_whole(start, bias=method.bias, batch_norm=method.batch_norm, init=method.init)
    alphas = _alphas(listed["alpha"], rates[0])
    checked = {"hidden_size": hiddens, "alpha": alphas, "seed": seeds, "weights": starts, **values}
    combined = zip(*(checked[name] for name in together), strict=True)
    sweep_axes = SweepAxes.of(
        {name: checked[name] for name, axis in {**axes, **values}.items() if axis}
        | chosen.structures
        | ({} if partition is None else partition.axes)
        | {COMBINATION: [dict(zip(together, numbers, strict=True)) for numbers in combined] or None}
        | dict.fromkeys(together)
    )
    others = (*PARTS, COMBINATION, "weights")
    check_distinct({name: axis for name, axis in sweep_axes.axes.items() if name not in others})
    each = list(product(zip(hiddens, rates, strict=True), chosen.methods))
    return Trainings(
        task=task,
        sweep_axes=sweep_axes,
        networks=tuple(network_of(method, task.X, task.y, hidden) for (hidden, _), method in each),
        methods=tuple(method for _, method in each),
        alphas=tuple(own for (_, own), _ in each),
        values=values,
        together=together,
        seeds=seeds,
        starts=starts,
        settings={"alpha": alphas[0], "seed": None if starts else seeds[0]},
        record_weights=record_weights,
        device=device,
    )


def started_with(alpha: object, seed: object, layers: int) -> dict[str, Any]:
    """What differs in one of the trainings that have this learning rate and seed."""
    rates, seeds = check_alphas([alpha], layers), check_seeds([seed])
    settings = {"alpha": _alphas([alpha], rates)[0], "seed": seeds[0]}
    return {"alphas": (rates,), "seeds": seeds, "settings": settings}


def _check_smooth(methods: Collection[Method]) -> None:
    """Reject units without a second derivative, by which derivatives are learned."""
    for method, name in product(methods, ("activation", "output")):
        unit = getattr(method, name)
        if not has_second_derivative(unit):
            raise ValueError(
                f"{name} must have a second derivative with gradients, such as 'tanh', "
                f"'softplus', 'silu' or 'gelu', got {shown(unit)}, whose formula is "
                "made of pieces (where, maximum, abs), so its derivatives may jump"
            )


def _biases(biases: Any, weights: list[Any] | None) -> list[Any]:
    """The biases that belong to each of the initial weights."""
    if weights is None or biases is None:
        return [biases] * len(weights or [None])
    if not isinstance(biases, (list, tuple)) or len(biases) != len(weights):
        raise ValueError(
            "biases must be a list with those of each of the weights, if these are an axis "
            f"({len(weights)}), got {shown(biases)}"
        )
    return list(biases)


def _starts(
    values: dict[str, list[Any]], biases: list[Any], inputs: int, outputs: int
) -> tuple[list[tuple[int, ...]], list[NetworkParts] | None]:
    """The hidden sizes of each network, and the initial networks if they are given."""
    pairs = [
        check_start(hidden_size, weights, inputs, outputs, own)
        for hidden_size in values["hidden_size"]
        for weights, own in zip(values["weights"], biases, strict=True)
    ]
    hiddens = [hidden for hidden, _ in pairs]
    starts = [given for _, given in pairs if given is not None]
    if not starts:
        return hiddens, None
    for hidden in hiddens:
        if hidden != hiddens[0]:
            raise ValueError(
                "all weights of a sweep must be for the same hidden_size, "
                f"got {hiddens[0]} and {hidden}"
            )
    return hiddens[:1], starts


def _alphas(given: list[Any], rates: NDArray[np.float64]) -> list[Any]:
    """The values as floats; tuples of floats are not copied, as there may be many."""
    first = rates[:, 0].tolist()
    return [
        _as_floats(value, row) if isinstance(value, tuple) else one
        for value, row, one in zip(given, rates, first, strict=True)
    ]


def _as_floats(value: tuple[Any, ...], row: NDArray[np.float64]) -> tuple[float, ...]:
    return value if all(type(alpha) is float for alpha in value) else tuple(row.tolist())
