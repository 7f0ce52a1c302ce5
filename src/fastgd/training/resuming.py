"""Resuming a training: arguments that are left out keep their values, and none may differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np

from fastgd.arguments.axes import as_axis, parameters_of
from fastgd.arguments.declarations import DECLARED, FIELDED
from fastgd.arguments.initial_network import check_alpha, check_hidden_size
from fastgd.arguments.samples import check_data
from fastgd.checks.messages import shown
from fastgd.checks.numbers import check_count, check_flag, check_seed
from fastgd.engine.results import State
from fastgd.hyperparameters import Hyperparameters
from fastgd.training.run import Run

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

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
}

_NO_AXES = ("record_every", "record_weights", "keep_state", "sample_weight")


def continuing(
    complete: Callable[[Any, Mapping[str, Any]], dict[str, Any]],
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Decorate a function: with ``resume``, complete the arguments that the caller has left out.

    ``complete`` takes the result to resume and the arguments that were given, and returns all
    arguments, or raises if one differs. A decorator is needed because only it can tell an argument
    that was given from one that has its default value.
    """

    def decorate(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        @wraps(function)
        def call(*args: Parameters.args, **given: Parameters.kwargs) -> Result:
            resumed = given.get("resume")
            if resumed is not None:
                named = dict(zip(("X", "y"), args, strict=False)) | given
                return function(**complete(resumed, named))  # type: ignore[call-arg]
            return function(*args, **given)

        return call

    return decorate


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
        **run.options,
    }
    check_held(run.validation_errors is not None, given)
    check_derivatives("gradient_weight" in own, given)
    return completed(own, given, "the run")


def check_held(holds_out: bool, given: Mapping[str, Any]) -> None:
    """Raise unless a validation set is given exactly if the resumed training had one."""
    has = given.get("validation") is not None
    if holds_out and not has:
        raise ValueError(
            "validation must be given again to resume a training that has it, got None"
        )
    if has and not holds_out:
        raise ValueError("validation must be left out to resume a training without it, got samples")


def check_derivatives(has_them: bool, given: Mapping[str, Any]) -> None:
    """Raise unless gradients are given exactly if the resumed training has learned them."""
    given_again = given.get("gradients") is not None
    if has_them and not given_again:
        raise ValueError("gradients must be given again to resume a training with them, got None")
    if given_again and not has_them:
        raise ValueError(
            "gradients must be left out to resume a training without them, got derivatives"
        )


def check_network(
    sizes: tuple[int, ...], found: tuple[int, ...], state: State, samples: int
) -> None:
    """Raise if the samples don't fit the network of the resumed run."""
    if sizes != found:
        raise ValueError(
            f"resume must be of a network with {sizes[0]} inputs and {sizes[-1]} outputs, as X and "
            f"y have them, got one with {found[0]} and {found[-1]}"
        )
    if state.tau.shape[1] not in (0, samples):
        raise ValueError(
            "X must have the same number of samples as before to resume with sampling='adaptive' "
            f"({state.tau.shape[1]}), got {samples}"
        )


def completed(own: Mapping[str, Any], given: Mapping[str, Any], whose: str) -> dict[str, Any]:
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
        fields = value._asdict().items()
        return [type(value), *(_values(field, numbers, {}) for field, numbers in fields)]
    axis = None if name in _NO_AXES else as_axis(name, value)
    values = [value] if axis is None else axis
    if name in FIELDED and axis is not None:
        return [True, *(_values(name, one, given) for one in values)]
    return [axis is not None, *(_checked(name, one, given) for one in values)]


def _checked(name: str, value: Any, given: Mapping[str, Any]) -> Any:
    if name in DECLARED:
        return DECLARED[name].kind.check(name, value, len(check_data(given["X"], given["y"])[0]))
    return _CHECKS[name](value) if name in _CHECKS else value


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return type(one) is type(other) and np.array_equal(one, other)
    return bool(one == other)
