"""From checked options to what the kernel takes: a recipe of choices, and values for each run.

The float values of a run form one row: those of the options in the order of their declarations,
then those of the optimizer, of the schedule and of custom functions. Its integers form another row:
the kernel's own, then those of the options. Only this module decides the indices; the kernel learns
each one from the choice that reads the value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.axes import changing, parameters_of
from fastgd.arguments.declarations import DECLARED, VALUES
from fastgd.arguments.option_types import Frozen
from fastgd.arguments.options import Method
from fastgd.engine.programs import ProgramAxis, Programs
from fastgd.formulas import updates
from fastgd.formulas.derivation import Derivation, DualExpression, replaced, steadied
from fastgd.formulas.expressions import Tree, parse
from fastgd.formulas.measures import Measure, Term, name_of, needs_last, quantity_of, stop_of
from fastgd.formulas.named import UNITS, Formula, Function, Loss, Schedule, loss_of, unit_of
from fastgd.formulas.updates import kept_of, update_of
from fastgd.kernel.block import NEAR_END, OPTIONS, RESULTS, TERMS, Kind, Recipe, reads
from fastgd.kernel.iteration.activations import BOTH, DERIVATIVE, OF_VALUE, TWICE, VALUE
from fastgd.kernel.iteration.losses import DELTA, LOSS
from fastgd.kernel.iteration.optimizer_steps import ONCE, OVER_TIME, STEP
from fastgd.kernel.language.specialization import Choice, Features, FormulaChoice
from fastgd.optimizers import Optimizer
from fastgd.schedules import Constant

_SLOTS = [(DECLARED[name].feature, slot) for name in VALUES for slot in DECLARED[name].slots]
_REAL = [(feature, slot.name) for feature, slot in _SLOTS if not slot.is_whole]
_WHOLE = [(feature, slot.name) for feature, slot in _SLOTS if slot.is_whole]
_PLACES = {slot: place for place, slot in enumerate(_REAL)}
_PLACES |= {slot: place for place, slot in enumerate(_WHOLE, OPTIONS)}
_PLACES_OF = {
    feature: {slot: at for (reader, slot), at in _PLACES.items() if reader == feature}
    for feature, _slot in _SLOTS
}
_OPTIMIZER = len(_REAL)
"""Index of the optimizer's first hyperparameter."""

INTEGERS = OPTIONS + len(_WHOLE)
"""Integers of a run."""


def states_of(recipe: Recipe) -> int:
    """State variables of each parameter: the optimizer's, and maybe the last gradient."""
    measured = recipe.measure is not None and reads(recipe.measure, "last")
    own = recipe.programs.places["states"] if recipe.programs else state_count(recipe.optimizer)
    return own + int(measured)


def states_kept(method: Method) -> int:
    """The same, of a method."""
    return int(updates.states_of(method.optimizer) + needs_last(method.measure))


def corrections_of(optimizer: Optimizer) -> slice:
    """The part of a run's values that the optimizer changes from step to step."""
    first = _OPTIMIZER + len(optimizer.hyperparameters)
    return slice(first, first + len(kept_of(optimizer)))


TOLERANCE, PATIENCE = _PLACES["watch", "tolerance"], _PLACES["watch", "patience"]

NEVER = np.iinfo(np.int64).max
"""The patience of a run without one."""

_WANTED_BY = {
    feature: [n for n, o in DECLARED.items() if o.feature == feature and not o.detail]
    for feature in dict.fromkeys(o.feature for o in DECLARED.values() if o.feature)
}
"""For each feature, the options that switch it on; any one of them is enough."""

_SWITCHES = {name: DECLARED[name].default for names in _WANTED_BY.values() for name in names}
"""All of these options, with their defaults."""

_FEATURES = [name for name in _WANTED_BY if name not in ("batches", "tangents", "watch")]
"""Those of them in ``Recipe.features``."""

_SWITCHED = (
    *("mean", "batch_norm", "separate", "path", "held", "best", "inputs", "curvature", "bayesian"),
    "tangents",
)
"""Fields of the recipe itself that are on or off."""

_WORDS = 2.0**32
_MADE = {
    # Values whose random word is below the threshold are dropped, others are scaled by the factor.
    "threshold": lambda rate: int(rate * _WORDS),
    "factor": lambda rate: 1 / (1 - rate),
    "patience": lambda count: NEVER if count is None else count,
}
"""Values that are computed from the option."""

_FILLED = [
    (name, slot.is_whole, _PLACES[DECLARED[name].feature, slot.name], _MADE.get(slot.name))
    for name in VALUES
    for slot in DECLARED[name].slots
]
"""Numeric options that have a slot of their own: is it whole, its index, and what computes it."""


def places_of(method: Method) -> dict[str, int]:
    """The indices of the values that aren't options: hyperparameters and parameters of functions.

    What the optimizer keeps comes after its hyperparameters, under names that functions may use
    too.
    """
    fields, behind = method.optimizer.hyperparameters, corrections_of(method.optimizer).stop
    after = (*method.schedule.hyperparameters, *method.numbers)
    places = {name: place for place, name in enumerate(fields, _OPTIMIZER)}
    return places | {name: place for place, name in enumerate(after, behind)}


def width_of(recipe: Recipe) -> int:
    """Float values of a run."""
    choices = (
        *(recipe.optimizer, recipe.schedule, recipe.activation),
        *(recipe.output, recipe.loss, recipe.coupling, recipe.own_penalty),
    )
    places: list[int] = [place for choice in choices if choice for place in choice.places.values()]
    return max((_OPTIMIZER - 1, *places)) + 1


class Values(NamedTuple):
    """The values of n runs: floats (n, width) and integers (n, INTEGERS)."""

    numbers: NDArray[np.float64]
    integers: NDArray[np.int64]

    @classmethod
    def of(cls, method: Method, runs: int) -> "Values":
        """The values of a method, repeated for each run; seeds are 0."""
        optimizer, schedule = method.optimizer, method.schedule
        fields = [getattr(optimizer, name) for name in optimizer.hyperparameters]
        own = [0.0 if isinstance(one, Schedule) else one for one in fields]  # set in each update
        own += kept_of(optimizer)
        own += [getattr(schedule, name) for name in schedule.hyperparameters]
        own += method.numbers.values()
        numbers, integers = [0.0] * _OPTIMIZER + own, [0] * INTEGERS
        options = vars(method)
        for name, is_whole, place, made in _FILLED:
            number = options[name]
            (integers if is_whole else numbers)[place] = made(number) if made else number
        row = cls(np.array([numbers], np.float64), np.array([integers], np.int64))
        return row if runs == 1 else row.at(np.zeros(runs, np.int64))

    def at(self, runs: NDArray[np.int64]) -> "Values":
        """The values of the runs with these indices."""
        return Values(self.numbers[runs], self.integers[runs])


@dataclass(frozen=True)
class ValueColumn:
    """The values that an axis of an option assigns to runs."""

    parts: tuple[tuple[bool, int, NDArray[Any]], ...]
    """Whether it is an integer, its index, and the (n,) values along the axis."""
    masks: tuple[Frozen | None, ...] = ()
    """What is frozen, along such an axis."""
    programs: NDArray[np.int64] | None = None
    """Those of rules along such an axis."""

    @classmethod
    def of(cls, name: str, axis: Sequence[Any], method: Method) -> "ValueColumn":
        """The column of an option, an optimizer's or schedule's field, or a function parameter."""
        if isinstance(axis, ProgramAxis):
            numbers = enumerate(axis.values.T, _OPTIMIZER)
            return cls(tuple((False, place, own) for place, own in numbers), programs=axis.table)
        if name in DECLARED and DECLARED[name].masks:
            return cls((), tuple(axis))
        if name not in VALUES:
            return cls(((False, places_of(method)[name], np.array(axis, dtype=np.float64)),))
        parts, option = [], DECLARED[name]
        for slot in option.slots:
            made = list(map(_MADE[slot.name], axis)) if slot.name in _MADE else axis
            numbers = np.array(made, dtype=np.int64 if slot.is_whole else np.float64)
            parts.append((slot.is_whole, _PLACES[option.feature, slot.name], numbers))
        return cls(tuple(parts))

    def __len__(self) -> int:
        """Number of values along the axis."""
        return len(self.parts[0][2]) if self.parts else len(self.masks)

    def put(self, values: Values, index: NDArray[np.int64]) -> None:
        """Assign to each run the axis value at its index."""
        for whole, place, numbers in self.parts:
            (values.integers if whole else values.numbers)[:, place] = numbers[index]


def choice_of(name: str, feature: str) -> Choice:
    """The choice with this name, which knows the indices of the feature's values."""
    return Choice(name, **_PLACES_OF.get(feature, {}))


_ON = {feature: choice_of("on", feature) for feature in (*Recipe._fields, *_WANTED_BY)}
"""The choice of each feature that is either on or off."""


def step_of(optimizer: Optimizer) -> Choice:
    """An optimizer as a choice that knows the indices of its hyperparameters and kept values.

    All that are made of a formula have the same names: see :class:`fastgd.formulas.updates.Update`.
    """
    if optimizer.formula:
        return _by_rule(optimizer.formula, tuple(optimizer.hyperparameters))
    own = (*optimizer._fields, *optimizer.kept)
    places = {name: place for place, name in enumerate(own, _OPTIMIZER)}
    return Choice(type(optimizer).__name__, **places)


@lru_cache(maxsize=1024)
def _by_rule(text: str, fields: tuple[str, ...]) -> Choice:
    update = update_of(text, fields)
    names = [f"h{k}" for k in range(len(fields))] + [f"k{k}" for k in range(len(update.kept))]
    formulas = (STEP, FormulaChoice(*update.step)), (ONCE, FormulaChoice(*update.once))
    return Choice("rule", formulas, **{n: place for place, n in enumerate(names, _OPTIMIZER)})


def state_count(choice: Choice) -> int:
    """State variables that an optimizer keeps for each parameter.

    The step of fastgd.objective, which is no optimizer, stores the derivative as its state, and
    that of second order the weights before it.
    """
    return len(choice.formulas[STEP].results) - 1 if STEP in choice.formulas else 1


_BATCHES = {
    "all": Choice("all"),
    "epochs": Choice("epochs"),
    "adaptive": choice_of("adaptive", "batches"),
}


def recipe_of(
    method: Method,
    values: Mapping[str, Sequence[Any]],
    *,
    record_weights: bool = False,
    holds_out: bool = False,
    has_gradients: bool = False,
) -> Recipe:
    """What the kernel is compiled for; it includes a feature if any value on its axis needs it."""
    given = _given(method, values)
    wanted = {feature: not given.isdisjoint(names) for feature, names in _WANTED_BY.items()}
    wanted["frozen"] |= method.bias and method.batch_norm  # see Network.learning
    in_batches = method.batch_size is not None
    batches = "adaptive" if method.sampling == "adaptive" else "epochs" if in_batches else "all"
    masked = wanted["dropout"] or wanted["dropconnect"] or wanted["input_noise"]
    optimizer, schedule = method.optimizer, method.schedule
    is_curved = bool(optimizer.second_order)
    first = corrections_of(optimizer).stop + len(schedule.hyperparameters)
    rates = own_penalty = None
    if (fields := changing(optimizer)) or not isinstance(schedule, Constant):
        rates = _over_time(schedule.formula, fields, places_of(method))
    if method.penalty is not None:
        places = places_of(method)
        own_penalty = unit_choice(method.penalty, places, with_derivative=False, twice=True)
    functions = _functions_of(method.activation, method.output, method.loss, first, has_gradients)
    loss = dict(functions.loss.formulas).get(LOSS)
    wanted |= {
        "mean": method.reduction == "mean",
        "batch_norm": method.batch_norm,
        "separate": masked or method.batch_norm or in_batches,
        "path": record_weights,
        "held": holds_out,
        "best": method.restore_best,
        "inputs": (  # whether the loss is computed from the inputs of output units
            functions.coupling is not None
            or functions.loss.name == "cross_entropy"
            or (loss is not None and ("variable", "z") in loss.nodes)
            or (is_curved and BOTH in functions.output.formulas)
        ),
        "curvature": is_curved,
        "bayesian": method.regularization == "bayesian",
        "tangents": has_gradients,
    }
    on = {name: _ON[name] if is_wanted else None for name, is_wanted in wanted.items()}
    return Recipe(
        optimizer=step_of(optimizer),
        schedule=rates,
        own_penalty=own_penalty,
        activation=functions.activation,
        output=functions.output,
        loss=functions.loss,
        coupling=functions.coupling,
        batches=_BATCHES[batches],
        watch=choice_of(method.monitor, "watch") if wanted["watch"] else None,
        **_measuring(method),
        outputs=None,
        features=Features(**{name: on[name] for name in _FEATURES}),
        **{name: on[name] for name in _SWITCHED},
        programs=_programs_of(optimizer),
    )


def _programs_of(optimizer: Optimizer) -> Choice | None:
    """The choice of rules as data: where the number of a run's program is, and what it keeps."""
    if not isinstance(optimizer, Programs):
        return None
    kept = corrections_of(optimizer).start
    return Choice("on", number=_OPTIMIZER, kept=kept, states=optimizer.states)


def _over_time(
    schedule: Schedule | None, fields: Mapping[str, Schedule], places: Mapping[str, int]
) -> Choice:
    """The kernel choice of a schedule, and of those of the optimizer's fields."""
    names, formula = _each_over_time((schedule, *fields.values()))
    own = {f"n{k}": places[name] for k, name in enumerate(names)}
    own |= {f"h{k}": places[name] for k, name in enumerate(fields, 1)}
    return Choice("formula", ((OVER_TIME, formula),), **own)


@lru_cache(maxsize=1024)
def _each_over_time(
    formulas: tuple[Schedule | None, ...],
) -> tuple[tuple[str, ...], FormulaChoice]:
    """The names of the parameters, and the formula of all values; None is a given factor."""
    names = dict.fromkeys(name for one in formulas if one for name in one.parameters)
    own: dict[str, Tree] = {name: f"n{k}" for k, name in enumerate(names)}
    found = Derivation("")
    trees = (replaced(one.tree, own) if one else "given" for one in formulas)
    return (*names,), _formula(found, tuple(found.of(tree).value for tree in trees))


def monitoring_of(
    method: Method, values: Mapping[str, Sequence[Any]], record_every: int
) -> tuple[int, bool]:
    """How runs are monitored, given the values on their axes.

    Returns the iterations between evaluations of the monitored error, 0 for once per epoch, and
    whether it may end a run early.
    """
    given = _given(method, values)
    stops = not given.isdisjoint(("patience", "tolerance"))
    every = 0 if stops or "summary" in given else record_every
    if method.evaluate_every is not None:
        every = int(method.evaluate_every)
    return every, stops or bool(method.optimizer.second_order or method.stop)


def is_watched(method: Method, values: Mapping[str, Sequence[Any]]) -> bool:
    """Whether the recipe of these options watches the errors of runs."""
    return not _given(method, values).isdisjoint(_WANTED_BY["watch"])


def _given(method: Method, values: Mapping[str, Sequence[Any]]) -> set[str]:
    """The options of :data:`_SWITCHES` of which any run has another value than the default."""
    changed = method.changed.items()
    given = {n for n, v in changed if n in _SWITCHES and n not in values and v != _SWITCHES[n]}
    for name in _SWITCHES.keys() & values.keys():
        if any(value != _SWITCHES[name] for value in values[name]):
            given.add(name)
    return given


# ---------------------------------------------------------------- what is measured


def _measuring(method: Method) -> dict[str, Choice | None]:
    """What is measured and stops runs, as choices of the kernel."""
    measure, stop = method.measure, None
    if found := method.stop and stop_of(method.stop):
        which = list(map(name_of, measure)).index(found.name)
        stop = Choice("below" if found.is_below else "above", which=which)
    if measure is not None:
        states, units = updates.states_of(method.optimizer), (method.activation, method.output)
        measure = _measure(measure, method.measure_layers, states, *units)
    return {"measure": measure, "stop": stop}


@lru_cache(maxsize=1024)
def _measure(
    measures: tuple[str | Measure, ...],
    in_layers: bool,
    states: int,
    activation: str | Function,
    output: str | Function,
) -> Choice:
    """The choice of these quantities: the terms that they are made of, each once, and results."""
    found, finish = Derivation("", OF_VALUE), Derivation("", OF_VALUE)
    terms: dict[tuple[int, ...], int] = {}
    results = []
    for measure in measures:
        quantity, own = quantity_of(measure), {}
        for letter, term in zip("abc", quantity.terms, strict=False):
            own[letter] = f"a{terms.setdefault(_added(found, term), len(terms))}"
        tree = parse("a result", quantity.result, ("a", "b", "c", "n"))
        results.append(finish.of(steadied(replaced(tree, own))).value)
    factors = tuple(node for _, *pair in terms for node in pair)
    formulas = [(TERMS, _formula(found, factors)), (RESULTS, _formula(finish, tuple(results)))]
    if any(how > Kind.CHANGES for how, *_ in terms):
        formulas.append((NEAR_END, _near_ends(activation, output)))
    kinds = {f"term{k}": how for k, (how, *_) in enumerate(terms)}
    return Choice("layers" if in_layers else "whole", formulas, last=states, **kinds)


def _near_ends(activation: str | Function, output: str | Function) -> FormulaChoice:
    """Whether a value v is within 1 % of an end of its range, and has a range."""
    found = Derivation("", OF_VALUE)
    near, has = [], []
    for unit in (output, activation):
        low, high = unit_of(unit).reach
        is_bounded, margin = high - low < inf, 0.01 * (high - low)
        ends = f"where(v <= {low + margin!r}, 1, where(v >= {high - margin!r}, 1, 0))"
        near.append(ends if is_bounded else "0")
        has.append("1" if is_bounded else "0")
    texts = (f"where(o > 0.5, {', '.join(own)})" for own in (near, has))
    trees = [steadied(parse("a range", text, ("v", "o"))) for text in texts]
    return _formula(found, tuple(found.of(tree).value for tree in trees))


def _added(found: Derivation, term: Term) -> tuple[int, ...]:
    """How a term is added up, and its factors; none if the kernel counts it by itself."""
    if (name := str(term.tree).upper()) in Kind.__members__:
        return (Kind[name].value,)
    node = found.of(steadied(term.tree)).value
    kind, *factors = found.nodes[node]
    if kind == "mul" and not term.is_max:
        return Kind.PRODUCT.value, *factors
    return (Kind.MAXIMUM if term.is_max else Kind.SUM).value, node, node


def quantities_of(measure: Choice | None, layers: int) -> int:
    """Numbers of a run that a measurement stores."""
    if measure is None:
        return 0
    count = len(measure.formulas[RESULTS].results)
    return count * layers if measure.name == "layers" else count


# ---------------------------------------------------------------- activations, outputs and losses


FAR_BELOW = -350.0
"""Below this input, units that approach exp for small inputs are treated as exactly exp.

A target of up to 1e156, divided by exp of that, is still finite.
"""


class _Functions(NamedTuple):
    """What the units and the loss are compiled for."""

    activation: Choice
    output: Choice
    loss: Choice
    coupling: Choice | None


@lru_cache(maxsize=1024)
def _functions_of(
    activation: str | Function, output: str | Function, loss: str | Loss, first: int, twice: bool
) -> _Functions:
    """The kernel choices of an activation, output units and a loss; see :func:`unit_choice`.

    Their parameters are in a run's row of values from index ``first`` on.
    """
    names = parameters_of({"activation": activation, "output": output, "loss": loss})
    places = {name: place for place, name in enumerate(names, first)}
    unit, known = unit_of(output).function, loss_of(loss).function
    hidden = unit_choice(activation, places, twice=twice)
    outputs = unit_choice(output, places, twice=twice)
    if unit is None:
        return _Functions(hidden, outputs, Choice(str(loss)), Choice("softmax"))
    if known is None:
        return _Functions(hidden, outputs, Choice(str(loss)), None)
    joint = joint_choice(known, unit, places)
    if known.outputs > 1:
        return _Functions(hidden, outputs, Choice("joint"), joint)
    if loss == "squared" and DERIVATIVE in outputs.formulas:
        return _Functions(hidden, outputs, Choice("squared"), None)
    is_exp_below = outputs.name in UNITS and UNITS[outputs.name].is_exp_below
    formula = Choice("formula", _of_output(known, unit, is_exp_below), **joint.places)
    return _Functions(hidden, outputs, formula, None)


def joint_choice(loss: Loss, unit: Function, places: Mapping[str, int]) -> Choice:
    """The kernel choice of a loss as a function of all inputs of a target's output units."""
    own = _places(unit, "u", places) | _places(loss, "n", places)
    return Choice("joint", _joint(loss, unit), **own)


def unit_choice(
    unit: str | Function,
    places: Mapping[str, int],
    *,
    with_derivative: bool = True,
    twice: bool = False,
) -> Choice:
    """The kernel choice of an activation; without its derivative if nothing is trained.

    With ``twice`` it has the formula ``TWICE`` as well, or alone if it is without its derivative.
    """
    function = unit_of(unit).function
    if function is None:
        return Choice(unit)
    formulas = _formulas_of(function, with_derivative) if with_derivative or not twice else ()
    if twice:
        formulas += (_twice(function),)
    return Choice(_name_of(unit), formulas, **_places(function, "n", places))


def _name_of(unit: str | Function) -> str:
    """The name used for compilation; a custom formula equal to a built-in one takes its name."""
    if isinstance(unit, str):
        return unit
    for name, known in UNITS.items():
        same = known.function and _formulas_of(known.function, True) == _formulas_of(unit, True)
        if same and not unit.parameters:
            return name
    return "function"


def _places(formula: Formula, letter: str, places: Mapping[str, int]) -> dict[str, int]:
    return {f"{letter}{k}": places[name] for k, name in enumerate(formula.parameters)}


def _renamed(formula: Formula, letter: str, *variables: Tree) -> dict[str, Tree]:
    """Substitutions for the variables and parameters in a formula's tree.

    With neutral names, code compiled for one formula serves any other that differs in names only.
    """
    names: dict[str, Tree] = dict(zip(formula.variables, variables, strict=True))
    return names | {name: f"{letter}{k}" for k, name in enumerate(formula.parameters)}


@lru_cache(maxsize=1024)
def _formulas_of(
    function: Function, with_derivative: bool
) -> tuple[tuple[str, FormulaChoice], ...]:
    """The formulas of an activation: value, and derivative (from the value alone if possible)."""
    names = _renamed(function, "n", "a")
    found = Derivation("a", OF_VALUE)
    value, derivative = _unit(found, function, names)
    whole = (VALUE, _formula(found, (value,)))
    if not with_derivative:
        return (whole,)
    by_value = _formula(found, (derivative,), {value: "v"})
    if ("variable", "a") in by_value.nodes:
        return whole, (BOTH, _formula(found, (value, derivative)))
    return whole, (DERIVATIVE, by_value)


@lru_cache(maxsize=1024)
def _twice(function: Function) -> tuple[str, FormulaChoice]:
    """The formula of value, derivative and second derivative."""
    found = Derivation("a", OF_VALUE)
    value, derivative = _unit(found, function, _renamed(function, "n", "a"))
    second = found.slope(found.dual(derivative))
    return TWICE, _formula(found, (value, derivative, second))


_PIECES = {"where", "maximum", "minimum", "abs", "sign", "floor", "relu"}
_MENDED = {"gelu"}
"""Activations made of pieces that meet where all of their derivatives are 0, far out."""


def has_second_derivative(unit: str | Function) -> bool:
    """Whether an activation has a second derivative everywhere, as far as its formula says.

    It hasn't if its derivative is made of pieces (relu, leaky_relu, elu, abs), which may jump.
    """
    function = unit_of(unit).function
    if function is None or _name_of(unit) in _MENDED:
        return True
    found = Derivation("a", OF_VALUE)
    derivative = _unit(found, function, _renamed(function, "n", "a"))[1]
    kinds = (str(kind) for kind, *_ in _formula(found, (derivative,)).nodes)
    return _PIECES.isdisjoint(kind.removeprefix("derivative of ") for kind in kinds)


def _unit_tree(function: Function, names: dict[str, Tree]) -> Tree:
    """The tree of an activation; a plain sigmoid or tanh becomes the article's own version."""
    match steadied(replaced(function.tree, names)):
        case ("sigmoid" | "tanh" as name, str() as variable):
            return (f"unit_{name}", variable)
        case tree:
            return tree


def _with_given_derivative(function: Function, variable: str) -> Tree:
    """The tree of an output unit, with the user's derivative attached if one was given."""
    names = _renamed(function, "u", variable)
    tree = _unit_tree(function, names)
    if function.derivative is None:
        return tree
    return ("with_derivative", variable, tree, replaced(function.derivative, names))


def _unit(found: Derivation, function: Function, names: dict[str, Tree]) -> tuple[int, int]:
    """The node indices of value and derivative."""
    dual = found.of(_unit_tree(function, names))
    if function.derivative is not None:
        return dual.value, found.of(steadied(replaced(function.derivative, names))).value
    return dual.value, found.slope(dual)


def _of_output(
    loss: Loss, unit: Function, is_exp_below: bool
) -> tuple[tuple[str, FormulaChoice], ...]:
    """Minus the derivative by z, and the loss, for target y and output v = unit(z).

    Unless the user gave a derivative, the loss is differentiated as one formula of z, which may be
    simpler than the two formulas it is made of: log(v) with v = exp(z) is z.
    """
    found = Derivation("z", OF_VALUE)
    value, unit_derivative = _unit(found, unit, of_unit := _renamed(unit, "u", "z"))
    whole = _loss(found, loss, _unit_tree(unit, of_unit))
    if unit.derivative is not None or loss.derivative is not None:
        if loss.derivative is not None:
            by_output = replaced(loss.derivative, _renamed(loss, "n", "y", "v"))
            derivative = found.of(steadied(by_output)).value
        else:
            found.by = "v"
            derivative = found.slope(_loss(found, loss, "v"))
        whole = DualExpression(whole.value, found.make("mul", derivative, unit_derivative))
    if is_exp_below and loss.derivative is None and _has_log(loss.tree, loss.variables[1]):
        # Far below 0 the unit equals exp, and z is the logarithm of its value. The value itself may
        # underflow to 0 there: its logarithm would be infinite and the derivative of that NaN.
        z = found.variable("z")
        holds = found.make("lt", z, found.number(FAR_BELOW))
        found.by = "z"
        found.let("exp", z, value)
        whole = found.chosen(holds, _loss(found, loss, ("exp", "z")), whole)
    delta = found.make("mul", found.number(-1.0), found.slope(whole))
    names = {value: "v"}
    return (DELTA, _formula(found, (delta,), names)), (LOSS, _formula(found, (whole.value,), names))


def _loss(found: Derivation, loss: Loss, output: Tree) -> DualExpression:
    """The loss of target y and this output."""
    return found.of(steadied(replaced(loss.tree, _renamed(loss, "n", "y", output))))


def _has_log(tree: Tree, variable: str) -> bool:
    if not isinstance(tree, tuple):
        return False
    return tree == ("log", variable) or any(_has_log(part, variable) for part in tree[1:])


@lru_cache(maxsize=1024)
def _joint(loss: Loss, unit: Function) -> tuple[tuple[str, FormulaChoice], ...]:
    """For a loss of outputs v0 = unit(z0), ...: these and minus the derivatives; the loss."""
    found = Derivation("", OF_VALUE)
    units = [_with_given_derivative(unit, f"z{k}") for k in range(loss.outputs)]
    tree = steadied(replaced(loss.tree, _renamed(loss, "n", "y", *units)))
    values = [found.of(unit).value for unit in units]
    deltas = []
    for k in range(loss.outputs):
        found.by = f"z{k}"
        slope = found.slope(found.of(tree))
        deltas.append(found.make("mul", found.number(-1.0), slope))
    whole = found.of(tree).value
    return (DELTA, _formula(found, (*values, *deltas))), (LOSS, _formula(found, (whole,)))


def differentiated(formula: FormulaChoice, by: str) -> FormulaChoice:
    """The derivatives of a formula's results by one of its variables."""
    found = Derivation(by, OF_VALUE)
    found.nodes.extend(formula.nodes)
    return _formula(found, tuple(found.slope(found.dual(k)) for k in formula.results))


def _formula(
    found: Derivation, results: tuple[int, ...], names: Mapping[int, str] | None = None
) -> FormulaChoice:
    """The nodes that the results depend on, renumbered; nodes in ``names`` become variables."""
    return FormulaChoice(*found.taken(results, names or {}))
