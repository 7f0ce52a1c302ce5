"""Check the options of one run, which result in a :class:`Method`, or those of a whole sweep.

The options are declared in :mod:`fastgd.arguments.declarations`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import pairwise, product
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.axes import (
    ARGUMENTS,
    MOST_NETWORKS,
    axes_among,
    formulas_of,
    hint_of,
    kinds_of,
    parameters_of,
)
from fastgd.arguments.declarations import DECLARED, FIELDED, OF_EACH_RUN, OPTION_OF, STRUCTURES
from fastgd.arguments.declarations import Options as Options
from fastgd.arguments.option_types import (
    AllBut,
    Count,
    Flag,
    Name,
    OptionType,
    check_frozen,
    field_kind,
)
from fastgd.arguments.samples import check_outputs, outputs_of
from fastgd.checks.messages import either, shown
from fastgd.checks.numbers import LARGEST, FloatArray
from fastgd.formulas.measures import name_of, stop_of
from fastgd.formulas.named import Formula, loss_of, unit_of
from fastgd.optimizers import Hyperparameters, LevenbergMarquardt, Rprop
from fastgd.schedules import Constant, Cosine, Factors

_DEFAULTS = {name: option.default for name, option in DECLARED.items()}
_KINDS = {name: option.kind for name, option in DECLARED.items()}


MOST_CURVED = 1000
"""The most parameters of a network whose steps are of second order."""


class Method:
    """The checked options of one run: those of :class:`Options`, with their defaults.

    ``numbers`` are the parameters of its activation, output and loss, ``changed`` the options that
    differ from their default, in order.
    """

    numbers: dict[str, float]
    changed: dict[str, Any]

    def __init__(self, **given: Any) -> None:
        options = _DEFAULTS | {name: value for name, value in given.items() if name in DECLARED}
        numbers = parameters_of(options)
        unknown = [name for name in given if name not in DECLARED and name not in numbers]
        if unknown:
            known = either((*DECLARED, *numbers))
            raise TypeError(f"an option must be one of {known}, got {sorted(unknown)}")
        own = {name: given.get(name, value) for name, value in numbers.items()}
        changed = {
            name: value
            for name, default in _DEFAULTS.items()
            if name in given
            and (value := given[name]) is not default
            # True == 1, and sample weights are an array where the default is None.
            and (type(value) is not type(default) or value != default)
        }
        vars(self).update(options | {"numbers": own, "changed": changed})

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a method's options can't be changed, got {name}={shown(value)}")

    def __repr__(self) -> str:
        return f"Method({', '.join(f'{name}={value!r}' for name, value in self.given.items())})"

    @property
    def given(self) -> dict[str, Any]:
        """The options that differ from their default, in order, then such function parameters."""
        by_default = parameters_of(vars(self)) if self.numbers else {}
        # As strings, since 1 / k differs for 0.0 and for -0.0.
        own = {n: v for n, v in self.numbers.items() if str(v) != str(by_default[n])}
        return self.changed | own

    def formula(self, option: str) -> Formula | None:
        """Return the formula of an option, or of the optimizer's field, with its parameters.

        None if it is none.
        """
        formula = formulas_of(vars(self)).get(option)
        if formula is None:
            return None
        return formula._replace(**{name: self.numbers[name] for name in formula.parameters})

    def at(self, values: Mapping[str, Any]) -> "Method":
        """Return the method with some values replaced by others, which are checked already.

        These are options, fields of its optimizer or schedule, or parameters of its functions.
        """
        if not values:
            return self
        options = {name: value for name, value in values.items() if name in DECLARED}
        for option in FIELDED:
            holder = options.get(option, getattr(self, option))
            inside = {n: values[n] for n in holder.hyperparameters if n in values}
            if inside:
                options[option] = holder._replace(**inside)
        options = {name: getattr(self, name) for name in DECLARED} | options
        numbers = self.numbers | dict(values)
        return Method(**options, **{n: numbers[n] for n in parameters_of(options) if n in numbers})


class Axes(NamedTuple):
    """The axes among a sweep's options, each with its values."""

    structures: dict[str, list[Any]]
    """The axes that change what is compiled, in order."""

    values: dict[str, list[Any]]
    """The numeric axes, in order; fields of the optimizer and the schedule come first."""


NO_AXES = Axes({}, {})

_PLAIN = Method()


class SweepOptions(NamedTuple):
    """The checked options of a sweep: its axes as in `Axes`, and its methods."""

    structures: dict[str, list[Any]]
    values: dict[str, list[Any]]
    methods: list[Method]
    """One for each combination of structures, the last axis fastest, at the first of all values."""


def axes(given: Mapping[str, object], arguments: Collection[str] = ()) -> Axes:
    """Return the axes among a sweep's options, unchecked: those of structures and of values.

    A field of the optimizer or the schedule that is an axis is among the values, by its own name.
    ``arguments`` are arguments that only this call has, which an unknown name may have been meant
    for.
    """
    own = kinds_of(given)
    check_names(given, own, (*ARGUMENTS, *arguments))
    structures = {name: given[name] for name in STRUCTURES if name in given}
    values = {
        name: getattr(holder, name)
        for holder in _fielded(given).values()
        for name in holder.hyperparameters
    } | {name: given[name] for name in (*OF_EACH_RUN, *own) if name in given}
    rules = axes_among({n: structures.pop(n) for n in ("optimizer",) if n in structures})
    return Axes(rules | axes_among(structures, MOST_NETWORKS), axes_among(values))


def check_names(
    given: Mapping[str, object],
    own: Iterable[str],
    arguments: Collection[str],
    taken: Any = Options,
) -> None:
    """Reject options that are not ``taken``, nor ``own`` parameters of their functions.

    The message says what may be meant, also one of the call's ``arguments``, or lists all names.
    """
    known = (*filter(taken.__annotations__.__contains__, DECLARED), *own)
    for name in given:
        if name not in known:
            hint = "" if name in DECLARED else hint_of(name, given, (*known, *arguments))
            rule = "known" if hint else f"one of {either(known)}"
            raise TypeError(f"{OPTION_OF[taken]} must be {rule}, got {shown(name)}{hint}")


def check_sweep(
    given: Mapping[str, object],
    axes: Axes,
    hiddens: Sequence[tuple[int, ...]],
    samples: tuple[FloatArray, FloatArray] | None,
    *,
    holds_out: bool = False,
    in_parts: bool = False,
    has_gradients: bool = False,
    together: Collection[str] = (),
    arguments: Collection[str] = (),
) -> SweepOptions:
    """Return the options of a sweep, or of one run, for networks with these hidden sizes.

    ``samples`` are X and y, checked already, or None if they aren't known yet. ``holds_out`` is
    whether there is a validation set, ``in_parts`` whether runs are trained on subsets of the
    samples, which `check_parts` checks, and ``has_gradients`` whether derivatives are learned.
    ``together`` are the keys of combinations: axes that vary together. ``arguments`` are those of
    `axes`.
    """
    found = SweepOptions({}, {}, [_PLAIN])
    if given or axes is not NO_AXES:
        own = kinds_of(given)
        check_names(given, own, (*ARGUMENTS, *arguments))
        found = _each_checked(given, axes, own, LARGEST if samples is None else len(samples[0]))
    for method, numbers in product(found.methods, _worst(found.values, together)):
        _check_together(method.at(numbers), samples, hiddens, in_parts=in_parts)
    _check_watching(found.methods[0], found.values, holds_out=holds_out)
    for method in found.methods:
        _check_freezing(method, found.values, samples, hiddens)
        _check_measuring(method, found.values, hiddens, has_gradients=has_gradients)
        _check_optimizer(method, found.values, samples, hiddens)
        _check_derivatives(method, found.values, has_gradients=has_gradients)
    return found


def _each_checked(
    given: Mapping[str, object], found: Axes, own: Mapping[str, OptionType], samples: int
) -> SweepOptions:
    """Return a sweep's options for this number of samples, each value checked on its own."""
    fielded = _fielded(given)
    kinds: dict[str, OptionType] = {**_KINDS, **own}
    for holder in fielded.values():
        kinds |= {name: field_kind(holder, name) for name in holder.hyperparameters}
    values, structures = (
        {name: kinds[name].check_axis(name, axis, samples) for name, axis in axes.items()}
        for axes in (found.values, found.structures)
    )
    single = {n: value for n, value in given.items() if n not in structures and n not in values}
    first = {name: axis[0] for name, axis in values.items()}
    for option, holder in fielded.items():
        single[option] = holder._replace(
            **{name: first[name] for name in holder.hyperparameters if name in first}
        )
    base = Method(**checked(single, own, samples)).at(first)
    methods = [
        base.at(dict(zip(structures, combination, strict=True)))
        for combination in product(*structures.values())
    ]
    return SweepOptions(structures, values, methods)


def _worst(values: Mapping[str, list[Any]], together: Collection[str]) -> list[dict[str, Any]]:
    """Return combinations of extreme numbers: if any combination is invalid, one of these is."""
    worst = {"dropconnect": max, "steps": min, "warmup_steps": max}.items()
    joint = [name for name, _ in worst if name in values and name in together]
    own = {name: of(values[name]) for name, of in worst if name in values and name not in together}
    each = dict.fromkeys(zip(*(values[name] for name in joint), strict=True)) if joint else [()]
    return [own | dict(zip(joint, numbers, strict=True)) for numbers in each]


def _fielded(given: Mapping[str, object]) -> dict[str, Any]:
    """Return the given optimizer and schedule, unless they are axes."""
    return {name: given[name] for name in FIELDED if isinstance(given.get(name), Hyperparameters)}


def checked(
    given: Mapping[str, object], own: Mapping[str, OptionType], samples: int
) -> dict[str, Any]:
    """Return the options and the ``own`` parameters of their functions, each checked on its own."""
    found = {}
    for name, value in given.items():
        kind = own[name] if name in own else _KINDS[name]
        try:
            found[name] = kind.check(name, value, samples)
        except TypeError as error:
            is_single = isinstance(kind, (Name, Count, Flag)) and not DECLARED[name].is_axis
            if not is_single or not isinstance(value, (list, range)):
                raise
            raise TypeError(f"{error}: a sweep takes one value of it for all runs") from None
    return found


def _check_together(
    method: Method,
    samples: tuple[FloatArray, FloatArray] | None,
    hiddens: Sequence[tuple[int, ...]],
    *,
    in_parts: bool,
) -> None:
    """Reject options that contradict each other, or don't fit these samples and networks."""
    if samples is not None:
        check_outputs(method.output, method.loss, samples[1])
    _check_schedule(method)
    for hidden in hiddens if isinstance(method.init, tuple) else ():
        if len(method.init) != len(hidden) + 1:
            raise ValueError(
                "init must be a name or a tuple with one per layer of weights "
                f"({len(hidden) + 1}), got {shown(method.init)}"
            )
    for name, rule, is_wrong in (
        ("batch_size", "an int", method.batch_size is None),
        ("batch_norm", "False", method.batch_norm),
        ("dropconnect", "0", method.dropconnect > 0),
    ):
        if method.sampling == "adaptive" and is_wrong:
            raise ValueError(
                f"{name} must be {rule} with sampling='adaptive', got {getattr(method, name)}"
            )
    if method.batch_norm and () in hiddens:
        raise ValueError("hidden_size must have at least one layer with batch_norm=True, got ()")
    if samples is not None and method.batch_norm and not in_parts:
        _check_batches(method, np.array([len(samples[1])]), lambda _part: "")


def _check_watching(method: Method, axes: Mapping[str, Sequence[Any]], *, holds_out: bool) -> None:
    """Reject `restore_best` without an error to monitor, or without a rule when to evaluate it."""
    if method.monitor == "loss" and holds_out:
        raise ValueError(
            "monitor must be 'error' with a validation set, since only its error is measured, "
            "got 'loss'"
        )
    if not method.restore_best or method.evaluate_every is not None or method.summary is not None:
        return
    stops = {
        name: [value != DECLARED[name].default for value in axes.get(name, [getattr(method, name)])]
        for name in ("patience", "tolerance")
    }
    if not holds_out and not any(map(any, stops.values())):
        raise ValueError(
            "restore_best must have an error to monitor: that of a validation set, or one that "
            "patience, tolerance, summary or evaluate_every ask for, got none of them"
        )
    if any(map(any, stops.values())) and not any(map(all, stops.values())):
        # A run with neither is evaluated at the recorded iterations if it is trained alone, but by
        # another rule in a sweep with runs that have one of them.
        raise ValueError(
            "evaluate_every must be given with restore_best=True where some runs have patience or "
            "tolerance and others have neither, got None"
        )


def _check_measuring(
    method: Method,
    axes: Mapping[str, Sequence[Any]],
    hiddens: Sequence[tuple[int, ...]],
    *,
    has_gradients: bool,
) -> None:
    """Reject how something is measured if nothing is, what can't be, and a condition on others."""
    names = [] if method.measure is None else list(map(name_of, method.measure))
    for name in ("measure_every", "measure_layers", "stop"):
        value = getattr(method, name)
        if not names and value != _DEFAULTS[name]:
            raise ValueError(f"{name} must go with measure, got {name}={shown(value)} without it")
    units = [name for name in names if name in ("saturated", "dead")]
    if units and (has_gradients or _first_other(method, axes, "dropout")):
        beside = "gradients" if has_gradients else "dropout"
        raise ValueError(f"measure must have no shares of units with {beside}, got {units[0]!r}")
    reaches = (unit_of(one).reach for one in (method.activation, method.output))
    if "saturated" in units and all(high - low == inf for low, high in reaches):
        raise ValueError(
            "measure must have 'saturated' with units that have a range, sigmoid, tanh or softmax, "
            f"got it with activation={shown(method.activation)} and output={shown(method.output)}"
        )
    if method.measure_layers and len(set(map(len, hiddens))) > 1:
        raise ValueError(
            "measure_layers must be False where networks have different numbers of layers, got "
            f"hidden_size={shown(list(hiddens))}"
        )
    found = method.stop and stop_of(method.stop)
    if found and method.measure_layers:
        raise ValueError(
            "stop must be left out with measure_layers=True, which measures several numbers, "
            f"got {shown(method.stop)}"
        )
    if found and found.name not in names:
        raise ValueError(
            f"stop must compare what is measured, {either(names)}, got {shown(method.stop)}"
        )


def _first_other(method: Method, axes: Mapping[str, Sequence[Any]], name: str) -> Any:
    """Return the first value of an option, be it an axis, that isn't its default; or that."""
    given, default = axes.get(name) or [getattr(method, name)], _DEFAULTS[name]
    return next((value for value in given if value != default), default)


_REASONS = {
    place: {
        name: reason
        for name, option in DECLARED.items()
        if (reason := getattr(option.applies_to, place))
    }
    for place in AllBut._fields
}
"""The options that don't apply to something, and why."""

_WITH = AllBut(
    first_order="optimizer={}",
    second_order="optimizer=LevenbergMarquardt()",
    bayesian="regularization='bayesian'",
    gradients="gradients",
)


def _check_applies(method: Method, axes: Mapping[str, Sequence[Any]], place: str) -> None:
    """Reject options that must have their default with what is given, by their declarations."""
    for name, reason in _REASONS[place].items():
        value, default = _first_other(method, axes, name), _DEFAULTS[name]
        if value != default:
            given = getattr(_WITH, place).format(shown(method.optimizer))
            raise ValueError(
                f"{name} must be {default!r} with {given}, {reason}, got {shown(value)}"
            )


def _check_derivatives(
    method: Method, axes: Mapping[str, Sequence[Any]], *, has_gradients: bool
) -> None:
    """Reject a weight of derivatives that aren't given, and options that don't suit them."""
    if not has_gradients:
        if weight := _first_other(method, axes, "gradient_weight"):
            raise ValueError(f"gradient_weight must be left out without gradients, got {weight}")
        return
    _check_applies(method, axes, "gradients")
    if method.output == "softmax" or loss_of(method.loss).units > 1:
        raise ValueError(
            "gradients must be of outputs that each have a target of their own, got "
            f"output={method.output!r} with loss={shown(method.loss)}"
        )
    if isinstance(method.optimizer, LevenbergMarquardt):
        raise ValueError(
            "optimizer must be one of first order with gradients, as its Jacobian has no "
            f"derivatives by the inputs, got {shown(method.optimizer)}"
        )


def _check_freezing(
    method: Method,
    axes: Mapping[str, Sequence[Any]],
    samples: tuple[FloatArray, FloatArray] | None,
    hiddens: Sequence[tuple[int, ...]],
) -> None:
    """Reject masks that don't fit these samples and networks, or leave nothing to train."""
    for frozen, hidden in product(axes.get("freeze", [method.freeze]), hiddens):
        if frozen is not None and samples is not None:
            sizes = (samples[0].shape[1], *hidden, outputs_of(method.loss, samples[1]))
            check_frozen(frozen, sizes, bias=method.bias, batch_norm=method.batch_norm)


def check_parts(
    methods: Iterable[Method], sizes: NDArray[np.int64], names: Callable[[int], str]
) -> None:
    """Reject batches that don't fit subsets of these sizes; ``names`` returns a subset's name."""
    for method in methods:
        if method.batch_size is not None and method.batch_size > sizes.min():
            at = int(sizes.argmin())
            raise ValueError(
                "batch_size must be at most the number of samples of each subset "
                f"({sizes[at]} in {names(at)}), got {method.batch_size}"
            )
        if method.batch_norm:
            _check_batches(method, sizes, lambda part: f" in {names(part)}")


def _check_schedule(method: Method) -> None:
    schedule = method.schedule
    if isinstance(schedule, Cosine) and schedule.warmup_steps >= schedule.steps:
        raise ValueError(
            f"warmup_steps must be below steps ({schedule.steps}), which include the warm-up, "
            f"got {schedule.warmup_steps}"
        )
    if isinstance(method.optimizer, Rprop) and schedule != Constant():
        raise ValueError(
            "schedule must be Constant() with optimizer=Rprop(), which adapts its own step sizes, "
            f"got {shown(schedule)}"
        )


def _check_optimizer(
    method: Method,
    axes: Mapping[str, Sequence[Any]],
    samples: tuple[FloatArray, FloatArray] | None,
    hiddens: Sequence[tuple[int, ...]],
) -> None:
    optimizer = method.optimizer
    if not isinstance(optimizer, LevenbergMarquardt):
        _check_applies(method, axes, "first_order")
        return
    _check_applies(method, axes, "second_order")
    largest = max(axes.get("damping", [optimizer.damping]))
    limit = min(axes.get("max_damping", [optimizer.max_damping]))
    if largest > limit:
        raise ValueError(f"damping must be at most max_damping={limit:g}, got {largest:g}")
    if method.regularization == "bayesian":
        _check_applies(method, axes, "bayesian")
    if samples is None:
        return
    for hidden in hiddens:
        sizes = (samples[0].shape[1], *hidden, outputs_of(method.loss, samples[1]))
        count = sum((n + method.bias) * m for n, m in pairwise(sizes))
        check_curved(hidden, count, "with optimizer=LevenbergMarquardt()")


def check_curved(hidden: tuple[int, ...], count: int, purpose: str) -> None:
    """Reject a network with too many parameters for equations of second order."""
    if count > MOST_CURVED:
        raise ValueError(
            f"a network must have at most {MOST_CURVED:,} parameters {purpose}, whose matrix "
            f"has {count:,} x {count:,} numbers, got hidden_size={shown(hidden)}"
        )


def check_updates(methods: Iterable[Method], iterations: int) -> None:
    """Reject an array of factors that is shorter than the number of updates."""
    for method in methods:
        schedule = method.schedule
        if isinstance(schedule, Factors) and len(schedule.factors) < iterations:
            raise ValueError(
                f"schedule must have a factor for each of {iterations:,} updates, "
                f"got {len(schedule.factors):,}"
            )


def _check_batches(method: Method, sizes: NDArray[np.int64], where: Callable[[int], str]) -> None:
    """Reject a batch of one sample, be it the last one; ``where`` names the subset of a size."""
    batch = sizes if method.batch_size is None else method.batch_size
    last = np.where(sizes % batch, sizes % batch, batch)
    if last.min() < 2:
        at = int(last.argmin())
        raise ValueError(
            "every batch must have at least 2 samples with batch_norm=True, got one of 1 sample "
            f"(batch_size={method.batch_size} of {sizes[at]}{where(at)})"
        )
