"""Resuming all runs of a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastgd.arguments.declarations import FIELDED, STRUCTURES, VALUES
from fastgd.arguments.subsets import Partition
from fastgd.checks.messages import shown
from fastgd.engine.network import Network
from fastgd.engine.results import TrainedRuns
from fastgd.training.resuming import check_derivatives, check_held, check_network, completed
from fastgd.training.stored_results import encode_partition
from fastgd.training.sweep_axes import COMBINATION
from fastgd.training.sweep_result import Sweep


def arguments_of_sweep(sweep: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """All arguments of :func:`fastgd.sweep` to resume this sweep."""
    if not isinstance(sweep, Sweep):
        raise TypeError(f"resume must be a Sweep, got {shown(sweep)}")
    sweep = sweep.in_memory()
    if sweep.missing:
        raise ValueError(
            f"resume must be a sweep whose runs are all trained, got one with {sweep.missing} of "
            f"{len(sweep)} missing: repeat the call that made the folder to train them"
        )
    if sweep.states is None:
        raise ValueError("resume must be a sweep made with keep_state=True, got one without")
    parts = {} if sweep.partition is None else sweep.partition.axes
    if {name: sweep.axes.get(name) for name in parts} != parts:
        raise ValueError(
            "resume must be a sweep of all its groups, folds and weightings, got some of them"
        )
    axes, method, first = sweep.axes, sweep.method, sweep.states[0]
    names = (*STRUCTURES, *VALUES, *method.numbers)
    own = method.given | {name: axes[name] for name in names if name in axes}
    combinations = axes.get(COMBINATION)
    together = combinations[0] if combinations else {}
    check_derivatives("gradient_weight" in {**own, **together}, given)
    for option in FIELDED:
        holder = getattr(method, option)
        fields = {name: axes[name] for name in holder.hyperparameters if name in axes}
        # Fields that are in combinations have their default, as in the call.
        known = {name: fact.default for name, fact in holder.hyperparameters.items()}
        fields |= {name: default for name, default in known.items() if name in together}
        if fields:
            own[option] = holder._replace(**fields)
    own |= {
        "hidden_size": axes.get("hidden_size", sweep.networks[0].sizes[1:-1]),
        "alpha": axes.get("alpha", sweep.settings["alpha"]),
        "record_every": int(first.record_every[0]),
        "record_weights": sweep.kept_path is not None,
        "keep_state": True,
        "resume": sweep,
    }
    seed = axes.get("seed", sweep.settings["seed"])
    if seed is None:  # the initial networks were given; only their shapes matter from now on
        parameters = sweep.networks[0].parts(first.parameters[0])
        own |= {"weights": axes.get("weights", parameters)}
    own["seed"] = int(first.seeds[0]) if seed is None else seed
    own = {name: value for name, value in own.items() if name not in together}
    own["combinations"] = combinations
    if sweep.partition is None or sweep.partition.held is None:
        check_held(sweep.validation_errors is not None, given)
    # Rows of sample weights are compared with the partition, not here.
    weighted = "sample_weight" in parts
    compared = {n: value for n, value in given.items() if n != "sample_weight" or not weighted}
    whole = dict(given) | completed(own, compared, "the sweep")
    if whole.get("keep_weights", True) and sweep.kept_weights is None:
        whole["keep_weights"] = False
    return whole


def resumed_partition(
    made: Partition | None, before: Partition | None, samples: int
) -> Partition | None:
    """Return the subsets of the resumed sweep; subsets given again (``made``) must equal them."""
    if made is not None and not _same_subsets(made, before):
        raise ValueError(
            "groups, folds and rows of sample_weight must be left out with resume, or as they "
            "were in the sweep, got others"
        )
    if before is not None:
        rows = [before.rows] if before.held is None else [before.rows, before.held]
        needed = 1 + max(int(part.values.max()) for part in rows)
        if needed > samples:
            raise ValueError(
                f"X must have the samples of the resumed sweep, at least {needed}, got {samples}"
            )
    return before


def _same_subsets(one: Partition, other: Partition | None) -> bool:
    arrays, others = encode_partition(one), encode_partition(other)
    same = arrays.keys() == others.keys() and other is not None and one.axes == other.axes
    return same and all(np.array_equal(array, others[name]) for name, array in arrays.items())


def check_states(resume: Sweep, networks: Sequence[Network], samples: int) -> None:
    """Raise if the samples don't fit the resumed networks; ``samples`` is the largest number."""
    assert resume.states is not None  # checked by arguments_of_sweep
    for network, before, state in zip(networks, resume.networks, resume.states, strict=True):
        check_network(network.sizes, before.sizes, state, samples)


def join(trained: TrainedRuns, before: Sweep, number: int, runs: Any) -> None:
    """Put the records of the resumed sweep in front of the new ones, for some runs of a network."""
    networks = len(before.networks)

    def mine(array: Any) -> Any:
        return array.reshape(networks, -1, *array.shape[len(before.shape) :])[number][runs]

    assert before.states is not None  # checked by arguments_of_sweep
    trained.put_before(
        mine(before.errors),
        mine(before.losses),
        None if before.validation_errors is None else mine(before.validation_errors),
        None if before.kept_path is None else before.kept_path[number][runs],
        before.states[number].ended[runs] >= 0,
        mine(before.final_loss),
    )
