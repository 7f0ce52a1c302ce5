"""Resuming a run or all runs of a sweep: arguments that are left out keep their values.

None may differ from those before, and the samples must be the same, unless ``change`` and
``samples="new"`` say so: then the result is resumed as if it had been trained with these.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from fastgd.arguments.axes import as_axis, parameters_of
from fastgd.arguments.declarations import DECLARED, FIELDED, OF_EACH_RUN, STRUCTURES, LossOptions
from fastgd.arguments.initial_network import NetworkParts, check_alpha, check_hidden_size
from fastgd.arguments.options import Method
from fastgd.arguments.samples import check_samples
from fastgd.arguments.subsets import Partition
from fastgd.checks.messages import did_you_mean_argument, either, shown, warn
from fastgd.checks.numbers import check_choice, check_count, check_flag, check_seed
from fastgd.engine.network import Network
from fastgd.engine.results import State, TrainedRuns
from fastgd.optimizers import Hyperparameters, LevenbergMarquardt, Rprop
from fastgd.training.run import Run
from fastgd.training.stored_results import SAMPLES, SOURCES, Hashes, encode_partition
from fastgd.training.sweep_axes import COMBINATION, CURVES
from fastgd.training.sweep_result import Sweep

_ANEW = {
    *("X", "y", "gradients", "validation"),
    *("iterations", "resume", "progress", "threads", "keep_weights"),
}
"""Arguments that don't come from the resumed run but are given again."""

_CHECKS: dict[str, Callable[[Any], Any]] = {
    "hidden_size": check_hidden_size,
    "alpha": lambda value: check_alpha(value, len(value) if isinstance(value, tuple) else 1),
    "seed": check_seed,
    "record_every": partial(check_count, "record_every"),
    "record_weights": partial(check_flag, "record_weights"),
    "record_predictions": partial(check_flag, "record_predictions"),
}

_GIVEN_AGAIN = {
    "validation": ("that has it", "without it", "samples"),
    "gradients": ("with them", "without them", "derivatives"),
}

_CHANGED = ("alpha", *(name for name, option in DECLARED.items() if not option.lasting))
"""What ``change`` takes, besides fields of the optimizer and the schedule, and those of losses."""

_FIRST_ONLY = {Rprop: "alpha", LevenbergMarquardt: "damping"}
"""What is read in a run's first update only; later ones have it in their state."""

_NO_AXES = {
    *("record_every", "record_weights", "record_predictions", "keep_state"),
    *(name for name, option in DECLARED.items() if not option.is_axis),
}


def arguments_of_run(run: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """All arguments of :func:`fastgd.train` to resume this run."""
    if not isinstance(run, Run):
        raise TypeError(f"resume must be a Run, got {shown(run)}")
    state = run.state
    if state is None:
        raise ValueError(
            "resume must be a run with a state, as train() and sweep(keep_state=True) make them, "
            "got one without"
        )
    own = {
        "hidden_size": run.hidden_size,
        "alpha": run.alpha,
        "seed": int(state.seeds[0]),
        "record_every": int(state.record_every[0]),
        "record_weights": run.recorded_weights is not None,
        "record_predictions": run.recorded_predictions is not None,
        **_unweighted(run),
        **run.options,
    }
    if "samples" not in differing(given):
        _check_given_again("validation", run.validation_errors is not None, given)
    _check_given_again("gradients", "gradient_weight" in own, given)
    return _completed(_changed(own, given), given, "the run")


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
    combinations = axes.get(COMBINATION)
    together = combinations[0] if combinations else {}
    names = (*STRUCTURES, *OF_EACH_RUN, *method.numbers)
    own = _unweighted(sweep) | method.given | {name: axes[name] for name in names if name in axes}
    for option in FIELDED:
        holder = getattr(method, option)
        fields = {name: axes[name] for name in holder.hyperparameters if name in axes}
        # Fields that are in combinations have their default, as in the call.
        known = {name: fact.default for name, fact in holder.hyperparameters.items()}
        fields |= {name: default for name, default in known.items() if name in together}
        if fields:
            own[option] = holder._replace(**fields)
    _check_given_again("gradients", "gradient_weight" in {**own, **together}, given)
    own |= {
        "hidden_size": axes.get("hidden_size", sweep.networks[0].sizes[1:-1]),
        "alpha": axes.get("alpha", sweep.settings["alpha"]),
        "record_every": int(first.record_every[0]),
        "record_weights": sweep.kept_path is not None,
        "record_predictions": sweep.recorded_predictions is not None,
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
    holds_out = sweep.partition is not None and sweep.partition.held is not None
    if not (holds_out or "samples" in differing(given)):
        _check_given_again("validation", sweep.validation_errors is not None, given)
    # Rows of sample weights are compared with the partition, not here.
    weighted = "sample_weight" in parts
    compared = {n: value for n, value in given.items() if n != "sample_weight" or not weighted}
    whole = dict(given) | _completed(_changed(own, compared, together), compared, "the sweep")
    if whole.get("keep_weights", True) and sweep.kept_weights is None:
        whole["keep_weights"] = False
    return whole


def _unweighted(result: Run | Sweep) -> dict[str, float]:
    """What the weight of derivatives is, as options have it only if it isn't 0."""
    return {"gradient_weight": 0.0} if "gradients" in (result.sample_hashes or {}) else {}


def _check_given_again(name: str, had: bool, given: Mapping[str, Any]) -> None:
    """Raise unless samples of this kind are given exactly if the resumed training had them."""
    has = given.get(name) is not None
    with_them, without_them, got = _GIVEN_AGAIN[name]
    if had and not has:
        raise ValueError(f"{name} must be given again to resume a training {with_them}, got None")
    if has and not had:
        raise ValueError(f"{name} must be left out to resume a training {without_them}, got {got}")


def differing(given: Mapping[str, Any]) -> set[str]:
    """The names of what may differ from the resumed result: those in ``change``, and "samples"."""
    change = {} if given.get("change") is None else given["change"]
    if not isinstance(change, Mapping):
        raise TypeError(f"change must be a dict of values by name, got {shown(change)}")
    is_new = check_choice("samples", given.get("samples", "same"), ("same", "new")) == "new"
    if (change or is_new) and given.get("resume") is None:
        name = "change" if change else "samples"
        raise ValueError(f"{name} must go with resume, got {name}={shown(given[name])} without it")
    return {*change, *(["samples"] * is_new)}


def _changed(
    own: Mapping[str, Any], given: Mapping[str, Any], together: Collection[str] = ()
) -> dict[str, Any]:
    """A result's arguments as ``change`` and other samples have them.

    ``together`` are the names in the combinations of a sweep, which keep their values.
    """
    change = given.get("change") or {}
    whole = {name: value for name, value in change.items() if name in _CHANGED}
    gone = parameters_of({name: own[name] for name in whole if name in own})
    now = {name: value for name, value in own.items() if name not in gone} | whole
    now = {name: DECLARED[name].default for name in FIELDED} | now
    holders = {o: now[o] for o in FIELDED if isinstance(now[o], Hyperparameters)}
    fields = {field: option for option, own in holders.items() for field in own.hyperparameters}
    parameters = parameters_of({name: now[name] for name in _CHANGED if name in now})
    known = [name for name in (*_CHANGED, *fields, *parameters) if name not in together]
    for name in change:
        if name not in known:
            hint = did_you_mean_argument(name, known) if isinstance(name, str) else ""
            raise ValueError(
                f"change must have what a resumed training can change, which is {either(known)}, "
                f"got {shown(name)}{hint}"
            )
        if name in fields:
            now[fields[name]] = now[fields[name]]._replace(**{name: change[name]})
        else:
            now[name] = change[name]
    _check_state_reads(own, now)
    if "samples" in differing(given):
        now["sample_weight"] = given.get("sample_weight")
    return now


def _check_state_reads(was: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Reject another optimizer, whose state is another one, and what only a first update reads."""
    before, after = was.get("optimizer", DECLARED["optimizer"].default), now["optimizer"]
    several = isinstance(before, list) and isinstance(after, list)
    for one, other in zip(before, after, strict=False) if several else [(before, after)]:
        if type(one) is not type(other) or one.command != other.command:
            raise ValueError(
                "optimizer must stay the same in change, but for its fields, since its state is "
                f"kept: {shown(before)}, got {shown(after)}"
            )
        name = _FIRST_ONLY.get(type(one), "")
        old, new = (getattr(own, name, of.get(name)) for own, of in ((one, was), (other, now)))
        if not _same(old, new):
            raise ValueError(
                f"{name} must stay {shown(old)} with optimizer={type(one).__name__}(), where "
                f"only a run's first update reads it, got {shown(new)}"
            )


def _completed(own: Mapping[str, Any], given: Mapping[str, Any], whose: str) -> dict[str, Any]:
    """The given arguments completed with the run's own; raises if one of them differs."""
    for name in ("weights", "biases"):
        if name not in own and given.get(name) is not None:
            raise ValueError(f"{name} must be left out with resume, which has its own, got both")
    defaults = {name: option.default for name, option in DECLARED.items()} | parameters_of(own)
    for name, value in given.items():
        if name in _ANEW or (name not in own and name not in defaults):
            continue
        mine = own.get(name, defaults.get(name))
        if not _same(_values(name, value, given), _values(name, mine, given)):
            raise ValueError(
                f"{name} must be left out with resume, or as it was in {whose}, {shown(mine)}, "
                f"got {shown(value)}"
            )
    return {**given, **own}


def _values(name: str, value: Any, given: Mapping[str, Any]) -> list[Any]:
    """Whether an argument is an axis, and its checked values, or the fields of an optimizer."""
    if isinstance(value, Hyperparameters) and value.hyperparameters:
        own = (_values(field, getattr(value, field), {}) for field in value.hyperparameters)
        return [type(value), value.command, *own]
    axis = None if name in _NO_AXES else as_axis(name, value)
    values = [value] if axis is None else axis
    if name in FIELDED and axis is not None:
        return [True, *(_values(name, one, given) for one in values)]
    return [axis is not None, *(_checked(name, one, given) for one in values)]


def _checked(name: str, value: Any, given: Mapping[str, Any]) -> Any:
    if name in DECLARED:
        return DECLARED[name].kind.check(name, value, len(check_samples(given["X"], given["y"])[0]))
    return _CHECKS[name](value) if name in _CHECKS else value


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return type(one) is type(other) and np.array_equal(one, other)
    return bool(one == other)


def resumed_partition(
    made: Partition | None, before: Partition | None, samples: int, *, is_new: bool
) -> Partition | None:
    """Return the subsets of the resumed sweep; subsets given again (``made``) must equal them.

    Those of other samples are given anew, with the same axes.
    """
    if is_new:
        axes, found = ({} if one is None else one.axes for one in (before, made))
        if axes != found:
            raise ValueError(
                "groups, folds and rows of sample_weight must be given for the other samples, with "
                f"the axes of the sweep, {shown(axes)}, got {shown(found)}"
            )
        return made
    if made is not None and not (
        before is not None
        and made.axes == before.axes
        and (arrays := encode_partition(made)).keys() == (others := encode_partition(before)).keys()
        and all(np.array_equal(array, others[name]) for name, array in arrays.items())
    ):
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


def states_of(result: Run | Sweep | None) -> tuple[State, ...]:
    """The states of the runs of each network, as far as they were kept."""
    if isinstance(result, Run):
        return () if result.state is None else (result.state,)
    return () if result is None else result.states or ()


def planned(result: Run | Sweep | None) -> int:
    """The number of iterations that runs were to have; 0 without any."""
    states = states_of(result)
    return int(states[0].planned[0]) if states else 0


def check_resumed_networks(
    resume: Run | Sweep, networks: Sequence[Network], samples: int, total: int
) -> None:
    """Raise if ``total`` samples, at most ``samples`` of a run, don't suit the resumed networks."""
    predictions = resume.recorded_predictions
    if predictions is not None and predictions.shape[-2] != total:
        raise ValueError(
            "X must have the same number of samples as before to resume with "
            f"record_predictions=True ({predictions.shape[-2]}), got {total}"
        )
    former = (Network.of(resume),) if isinstance(resume, Run) else resume.networks
    for network, before, state in zip(networks, former, states_of(resume), strict=True):
        sizes, found = network.sizes, before.sizes
        if sizes != found:
            raise ValueError(
                f"resume must be of a network with {sizes[0]} inputs and {sizes[-1]} outputs, as "
                f"X and y have them, got one with {found[0]} and {found[-1]}"
            )
        if state.tau.shape[1] not in (0, samples):
            raise ValueError(
                "X must have the same number of samples as before to resume with "
                f"sampling='adaptive' ({state.tau.shape[1]}), got {samples}"
            )


ANY_SAMPLES: Hashes = {}
"""In place of a run's hashes: it may be resumed with other samples, as estimators do."""


def check_same_samples(before: Hashes | None, now: Hashes, whose: str) -> None:
    """Raise unless the samples are those of the resumed result; warn if its file has no hashes."""
    if before is None:
        warn(
            f"{whose} has no hashes of its samples, as fastgd 0.2.0 or older made it: whether X, "
            "y, gradients and validation are the same is not checked"
        )
        return
    found = []
    for name in SAMPLES:
        old, new = (hashes.get(name, "none ") for hashes in (before, now))
        if before and old != new:
            (was, _), (shape, _) = (
                one.removeprefix("float64 ").rsplit(" ", 1) for one in (old, new)
            )
            how = "of other values" if was == shape else f"of shape {shape}, not {was}"
            found.append(f"{name.replace('_', ' ')} {how}")
    if found:
        raise ValueError(
            f"resume needs the samples that {whose} was trained on (X, y, gradients and validation "
            f"as they were), got {' and '.join(found)}"
        )


def schedule_start(resume: Run | Sweep | None, anew: Collection[str]) -> int:
    """The update at which the schedule began: the last one at which it was given anew."""
    if resume is None:
        return 0
    return planned(resume) if "schedule" in anew else resume.schedule_start or 0


def suited(
    state: State,
    method: Method,
    values: Mapping[str, Sequence[Any]],
    anew: Collection[str],
    samples: int,
) -> State:
    """A state without what belongs to other samples or errors, for at most this many samples.

    ``anew`` are the names of what may differ: see :func:`differing`.
    """
    if method.summary is not None:
        raise ValueError(
            "summary must be changed to None to resume with change or other samples, as it "
            f"compares all errors with the first, got {method.summary}"
        )
    going, is_new = state.ended < 0, "samples" in anew
    if isinstance(method.optimizer, LevenbergMarquardt):  # its last step may have been the last one
        numbers = state.corrections.copy()
        numbers[going, list(method.optimizer.kept).index("signal")] = 0.0
        state = state._replace(corrections=numbers)
    drawn = samples if method.sampling == "adaptive" else 0
    watched, best = State.widths(method, values)
    runs, parameters = state.parameters.shape
    fresh = State.empty(runs, parameters, method, watched, drawn, best)
    fresh.watch_counts[:, 0] = state.planned
    monitored = {"monitor", "restore_best"}
    if method.monitor == "loss":
        monitored |= {"gradient_weight", *LossOptions.__annotations__, *method.numbers}
    begun = ["tau"] if is_new or bool(drawn) != bool(state.tau.shape[1]) else []
    if is_new or not monitored.isdisjoint(anew) or watched != state.watch.shape[1]:
        begun += ["watch", "watch_counts", "best", "best_error"]
    for name in begun:
        old, new = getattr(state, name), getattr(fresh, name)
        if old.shape == new.shape:
            new[~going] = old[~going]
    return state._replace(**{name: getattr(fresh, name) for name in begun})


def join(
    trained: TrainedRuns, before: Run | Sweep, network: Network, number: int, runs: slice
) -> None:
    """Put the records of the resumed result in front of new ones: of some runs of a network."""
    states, path = states_of(before), None
    if isinstance(before, Run):
        runs, axes = slice(None), 0
        if before.recorded_weights is not None:
            parts = before.recorded_weights, before.recorded_biases, before.recorded_normalization
            path = network.row(NetworkParts(*parts))[None]
    else:
        axes = len(before.shape)
        if before.kept_path is not None:
            path = before.kept_path[number][runs]

    def mine(values: Any) -> Any:
        """A row for each run."""
        array, networks = np.asarray(values), len(states)
        return array.reshape(networks, -1, *array.shape[axes:])[number][runs]

    records = len(before.recorded)
    for name in (*CURVES, "recorded_predictions"):
        new, curve = getattr(trained, SOURCES[name]), getattr(before, name)
        if new is not None and new.size:  # there may be a validation set only now, or only before
            new[:, :records] = np.nan if curve is None else mine(curve)
    if path is not None:
        trained.path[:, :records] = path
    if before.measurements is not None:
        past = mine(before.measurements)
        trained.measured[:, : past.shape[1]] = past
    over = states[number].ended[runs] >= 0
    trained.final_loss[:] = np.where(over, mine(before.final_loss), trained.final_loss)
