"""The options of a training beside its network, rates and counts: what they are, and their checks.

One :class:`Method` is one run's options, checked. A sweep's may be lists: :func:`axes` finds these,
and :func:`check_sweep` checks them all before anything is allocated.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from math import inf
from typing import Any, NamedTuple, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.arguments.axes import as_axis
from fastgd.arguments.data import check_sample_weight
from fastgd.arguments.messages import did_you_mean, listed, shown
from fastgd.arguments.values import (
    ABOVE_ZERO,
    FRACTION,
    LARGEST,
    LIMIT,
    NOT_NEGATIVE,
    Rule,
    check_choice,
    check_count,
    check_counts,
    check_flag,
    check_number,
    check_numbers,
    check_seed,
)
from fastgd.optimizers import ALL, GradientDescent, Optimizer

FloatArray = NDArray[np.float64]


class Options(TypedDict, total=False):
    """Keyword arguments of a training beside those that :func:`fastgd.train` names itself.

    In :func:`fastgd.sweep` those marked *axis* may each be a list, range or 1-D array of such
    values. So may the fields of an optimizer, unless there is an axis of optimizers.

    "Future Work" is the section of the article that names a method and leaves it to the reader.

    Parameters
    ----------
    optimizer : one of `fastgd.optimizers`, default GradientDescent()
        How an update follows from the gradient (article, "A Few Optimization Methods"); the paper
        stands with each of them. Axis.
    activation : {"sigmoid", "tanh", "relu", "identity"}
        Hidden units. The slope of relu is 0 at 0 (Nair and Hinton, ICML 2010). Axis.
    output : {"sigmoid", "tanh", "identity"}
        Output units. Axis.
    loss : {"squared", "cross_entropy"}
        "squared" is the article's: half the sum of squared errors. "cross_entropy" needs sigmoid
        outputs and targets in [0, 1], or tanh outputs v, read as the probability (1 + v) / 2, and
        targets in [-1, 1] (Bishop, *Neural Networks for Pattern Recognition*, section 6.7, 1995).
        Axis.
    bias : bool, default False
        Add a bias to every hidden and output unit ("Future Work": Bias Units); they start at 0.
        Axis.
    sample_weight : (samples,) array_like, optional
        Factor of each sample's loss, and of its error in all means; at least 0, but not all 0.
    batch_size : int, optional
        Samples of a mini-batch ("Future Work": Mini-Batches), from 1 to all of them; None for the
        full batch. An iteration is one update with the *sum* over its batch, as in the article, and
        the last batch of an epoch may be smaller. Axis.
    shuffle : bool, default True
        Shuffle the samples once per epoch, before they are cut into mini-batches.
    shuffle_seed : int, default 0
        Seed of the shuffling, in [0, 2**32), shared by all runs of a sweep.
    sampling : {"epochs", "adaptive"}
        "adaptive" draws each mini-batch from a distribution over the samples that is learned along
        the way: AW-SGD, algorithm 1 of Bouchard, Trouillon, Perez and Gaidon, *Accelerating
        Stochastic Gradient Descent via Online Learning to Sample*, arXiv 1506.09016 (2015). Needs
        ``batch_size``, and takes neither ``batch_norm`` nor ``dropconnect``.
    sampling_rate : float, default 1.0
        Learning rate of that distribution, above 0. It multiplies squared norms of derivatives:
        where these are far above 1, the default soon draws one and the same sample only, and a much
        smaller rate is needed. Axis.
    dropout : float, default 0.0
        Rate in [0, 1) of hidden units that are left out, anew for every sample and iteration; the
        others are multiplied by 1 / (1 - rate) ("Future Work": Dropout; Srivastava and others,
        Journal of Machine Learning Research 15, 2014). Axis.
    dropconnect : float, default 0.0
        The same of weights, of every layer, anew for every iteration (Wan and others,
        *Regularization of Neural Networks using DropConnect*, ICML 2013). Axis.
    l1, l2 : float, default 0.0
        ``l1 * sign(w) + l2 * w`` is added to the derivative of every weight ("Future Work":
        Regularization); at least 0. Axes.
    trim_below : float, default 0.0
        Deltas of a smaller magnitude become 0 ("Future Work": Delta Trimming); at least 0. Axis.
    clip_above : float, default inf
        Deltas are limited to this magnitude, after trimming; above 0. Axis.
    batch_norm : bool, default False
        Normalize over the batch what enters a hidden unit's activation ("Future Work": Batch
        Normalization; Ioffe and Szegedy, ICML 2015, arXiv 1502.03167). Needs a hidden layer, and at
        least two samples in every batch. Axis.
    tolerance : float, default 0.0
        A run is over, "converged", when its mean error is below that; at least 0. Axis.
    patience : int, optional
        A run is over, "stalled", when its smallest error is so many iterations old (Prechelt,
        *Early Stopping - But When?*, 1998); at least 1. Axis.
    summary : int, optional
        Keep a :class:`fastgd.Summary` of the errors along the way, with the mean of the last so
        many; at least 1.

    Notes
    -----
    For ``tolerance``, ``patience`` and ``summary`` the error of all samples is looked at before
    every update with the full batch, before the first update of every epoch with mini-batches, and
    after the last update.
    """

    optimizer: Optimizer
    activation: str
    output: str
    loss: str
    bias: bool
    sample_weight: ArrayLike | None
    batch_size: int | None
    shuffle: bool
    shuffle_seed: int
    sampling: str
    sampling_rate: float
    dropout: float
    dropconnect: float
    l1: float
    l2: float
    trim_below: float
    clip_above: float
    batch_norm: bool
    tolerance: float
    patience: int | None
    summary: int | None


@dataclass(frozen=True, eq=False)
class Method:
    """The options of one run, checked: those of :class:`Options`, with their defaults."""

    optimizer: Optimizer = field(default_factory=GradientDescent)
    activation: str = "sigmoid"
    output: str = "sigmoid"
    loss: str = "squared"
    bias: bool = False
    sample_weight: FloatArray | None = None  # (samples,)
    batch_size: int | None = None
    shuffle: bool = True
    shuffle_seed: int = 0
    sampling: str = "epochs"
    sampling_rate: float = 1.0
    dropout: float = 0.0
    dropconnect: float = 0.0
    l1: float = 0.0
    l2: float = 0.0
    trim_below: float = 0.0
    clip_above: float = inf
    batch_norm: bool = False
    tolerance: float = 0.0
    patience: int | None = None
    summary: int | None = None

    @property
    def given(self) -> dict[str, Any]:
        """The options that are not the default, in the order of the fields."""
        default = Method()
        return {
            name: value
            for name in _NAMES
            if not _same(value := getattr(self, name), getattr(default, name))
        }

    def at(self, values: Mapping[str, Any]) -> "Method":
        """Return the method with other, checked values: options or fields of its optimizer."""
        inside = {name: values[name] for name in self.optimizer._fields if name in values}
        outside = {name: value for name, value in values.items() if name not in inside}
        if inside:
            optimizer = outside.get("optimizer", self.optimizer)
            outside["optimizer"] = optimizer._replace(**inside)
        return replace(self, **outside)


class Combinations(NamedTuple):
    """A sweep's options, checked."""

    structures: dict[str, list[Any]]
    """The axes that change what is compiled, in order."""

    methods: list[Method]
    """One for each combination of them, the last fastest, with the first of all `values`."""

    values: dict[str, list[Any]]
    """The axes of numbers, in order, optimizer fields first."""


#: The options that may be axes of a sweep, in order: these change what is compiled,
STRUCTURES = ("optimizer", "activation", "output", "loss", "bias", "batch_norm", "batch_size")

#: and these are numbers beside the compiled code.
VALUES = (
    "sampling_rate",
    "dropout",
    "dropconnect",
    "l1",
    "l2",
    "trim_below",
    "clip_above",
    "tolerance",
    "patience",
)

_NAMES = tuple(Options.__annotations__)
_CHOICES = {
    "activation": ("sigmoid", "tanh", "relu", "identity"),
    "output": ("sigmoid", "tanh", "identity"),
    "loss": ("squared", "cross_entropy"),
    "sampling": ("epochs", "adaptive"),
}
_FLAGS = ("bias", "shuffle", "batch_norm")
_RULES: dict[str, Rule] = {
    "sampling_rate": ABOVE_ZERO,
    "dropout": FRACTION,
    "dropconnect": FRACTION,
    "l1": NOT_NEGATIVE,
    "l2": NOT_NEGATIVE,
    "trim_below": NOT_NEGATIVE,
    "clip_above": LIMIT,
    "tolerance": NOT_NEGATIVE,
    # fields of optimizers
    "mu": FRACTION,
    "rho": FRACTION,
    "beta1": FRACTION,
    "beta2": FRACTION,
    "epsilon": ABOVE_ZERO,
}

# What a call names itself, so that a slip there is found, too: "alphas" is near to no option.
_ARGUMENTS = ("hidden_size", "alpha", "iterations", "record_every", "seed", "weights")

# The targets that cross_entropy takes, for each kind of output.
_TARGETS = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}


def check(
    given: Mapping[str, object], X: FloatArray, y: FloatArray, hidden: tuple[int, ...]
) -> Method:
    """Return one run's options; X, y and the hidden sizes are checked already."""
    _check_names(given)
    method = Method(**{name: _checked(name, value, len(X)) for name, value in given.items()})
    _check_together(method, y, [hidden])
    return method


def axes(given: Mapping[str, object]) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """Return the axes among a sweep's options, unchecked: structural ones, and those of values.

    A field of the optimizer that is an axis has its own name among the values.
    """
    _check_names(given)
    structures = _axes((name, given[name]) for name in STRUCTURES if name in given)
    optimizer = given.get("optimizer")
    inside = optimizer._asdict() if isinstance(optimizer, ALL) else {}
    values = _axes([*inside.items(), *((name, given[name]) for name in VALUES if name in given)])
    return structures, values


def check_sweep(
    given: Mapping[str, object],
    X: FloatArray,
    y: FloatArray,
    hiddens: Sequence[tuple[int, ...]],
) -> Combinations:
    """Return all options of a sweep over networks with these hidden sizes; else as `check`."""
    found, numbers = axes(given)
    values = {name: _checked_axis(name, axis) for name, axis in numbers.items()}
    structures = {
        name: [_checked(name, value, len(X)) for value in axis] for name, axis in found.items()
    }
    single = {name: value for name, value in given.items() if name not in found | numbers}
    first = {name: axis[0] for name, axis in values.items()}
    optimizer = given.get("optimizer")
    if isinstance(optimizer, ALL):
        single["optimizer"] = optimizer._replace(
            **{name: first[name] for name in optimizer._fields if name in first}
        )
    base = Method(**{name: _checked(name, value, len(X)) for name, value in single.items()})
    base = base.at(first)
    methods = [
        base.at(dict(zip(structures, combination, strict=True)))
        for combination in product(*structures.values())
    ]
    most = {"dropconnect": max(values["dropconnect"])} if "dropconnect" in values else {}
    for method in methods:
        _check_together(method.at(most), y, hiddens)
    return Combinations(structures, methods, values)


def _axes(given: Iterable[tuple[str, object]]) -> dict[str, list[Any]]:
    """Keep what is an axis, as lists."""
    found = ((name, as_axis(name, value)) for name, value in given)
    return {name: axis for name, axis in found if axis is not None}


def _check_names(given: Mapping[str, object]) -> None:
    for name in given:
        if name not in _NAMES:
            raise TypeError(
                f"an option must be one of {listed(_NAMES)}, "
                f"got {shown(name)}{did_you_mean(name, _NAMES + _ARGUMENTS)}"
            )


def _checked(name: str, value: object, samples: int) -> Any:
    """Return one option's value, or an optimizer's field's, as it should be by itself."""
    if name in _RULES:
        return check_number(name, value, _RULES[name])
    if name in _CHOICES:
        return check_choice(name, value, _CHOICES[name])
    if name in _FLAGS:
        return check_flag(name, value)
    if name == "optimizer":
        return _checked_optimizer(value)
    if name == "sample_weight":
        return check_sample_weight(value, samples)
    if name == "shuffle_seed":
        return check_seed(value, name)
    largest = samples if name == "batch_size" else LARGEST
    return None if value is None else check_count(name, value, maximum=largest)


def _checked_axis(name: str, axis: list[object]) -> list[Any]:
    if name in _RULES:
        return check_numbers(name, axis, _RULES[name])
    if any(value is None for value in axis):
        return [_checked(name, value, 0) for value in axis]
    return check_counts(name, axis)


def _checked_optimizer(value: object) -> Optimizer:
    if isinstance(value, ALL):
        return value._replace(
            **{
                name: check_number(name, field, _RULES[name])
                for name, field in value._asdict().items()
            }
        )
    calls = [f"{kind.__name__}()" for kind in ALL]
    word = value.__name__ if isinstance(value, type) else value if isinstance(value, str) else ""
    raise TypeError(
        f"optimizer must be {listed(calls)}, from fastgd.optimizers, "
        f"got {shown(value)}{did_you_mean(word, calls)}"
    )


def _check_together(method: Method, y: FloatArray, hiddens: Sequence[tuple[int, ...]]) -> None:
    """Refuse options that do not go together, or not with these networks."""
    if method.loss == "cross_entropy":
        _check_targets(method.output, y)
    if method.sampling == "adaptive":
        _check_adaptive(method)
    if method.batch_norm:
        _check_batch_norm(method, len(y), hiddens)


def _check_targets(output: str, y: FloatArray) -> None:
    with_loss = "with loss='cross_entropy'"
    if output not in _TARGETS:
        raise ValueError(
            f"output must be {listed(map(repr, _TARGETS))} {with_loss}, got {output!r}"
        )
    low, high = _TARGETS[output]
    inside = (low <= y) & (y <= high)
    if not inside.all():
        at = [int(i) for i in np.unravel_index(int(inside.argmin()), y.shape)]
        raise ValueError(
            f"y must be from {low:g} to {high:g} {with_loss} and output={output!r}, "
            f"got {y[tuple(at)]} at {at}"
        )


def _check_adaptive(method: Method) -> None:
    with_sampling = "with sampling='adaptive'"
    if method.batch_size is None:
        raise ValueError(f"batch_size must be an int {with_sampling}, got None")
    if method.batch_norm:
        raise ValueError(f"batch_norm must be False {with_sampling}, got True")
    if method.dropconnect > 0:
        raise ValueError(f"dropconnect must be 0 {with_sampling}, got {method.dropconnect}")


def _check_batch_norm(method: Method, samples: int, hiddens: Sequence[tuple[int, ...]]) -> None:
    if () in hiddens:
        raise ValueError("hidden_size must have at least one layer with batch_norm=True, got ()")
    batch = method.batch_size or samples
    if (samples % batch or batch) < 2:
        raise ValueError(
            "every batch must have at least 2 samples with batch_norm=True, got one of 1 sample "
            f"(batch_size={method.batch_size} of {samples})"
        )


def _same(value: object, default: object) -> bool:
    # True == 1, and sample weights are an array where the default is None.
    return type(value) is type(default) and value == default
