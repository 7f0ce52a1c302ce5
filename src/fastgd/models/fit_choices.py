"""The options of fit()."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib.util import find_spec
from typing import Any, NamedTuple

from fastgd.arguments.axes import MOST_NETWORKS, as_axis, hint_of, kinds_of
from fastgd.arguments.declarations import DECLARED
from fastgd.arguments.initial_network import check_hidden_size
from fastgd.checks.messages import either, shown
from fastgd.checks.numbers import (
    check_choice,
    check_count,
    check_flag,
    check_number,
    check_seed,
    check_threads,
    rule_of,
)
from fastgd.engine.devices import CPU, available_threads, check_device, looked_for
from fastgd.engine.progress import ProgressHook, check_progress
from fastgd.formulas.named import Loss, loss_of
from fastgd.models.scores import SCORING
from fastgd.tables.columns import MOST_CATEGORIES, Decisions, Encoding
from fastgd.tables.preparation import column_name
from fastgd.tables.targets import MAX_CLASSES, ClassTarget, Target

SHARE = 0.2
"""Fraction of the rows in the test set."""

FOLDS, MOST_FOLDS = 5, 100
"""Folds of the cross-validation: the default, and the most."""

HIDDEN_SIZES: list[tuple[int, ...]] = [(), (16,), (64,)]
"""The hidden sizes to try by default."""


class Choices(NamedTuple):
    """The options of :func:`fastgd.fit`."""

    classification: bool | None = None
    test_fraction: float = SHARE
    test_last: Any = None
    test_group: Any = None
    lags: int = 0
    horizon: int = 1
    seed: Any = 0
    hidden_size: Any = HIDDEN_SIZES
    folds: int = FOLDS
    max_categories: int = MOST_CATEGORIES
    standardize: bool = True
    drop: Collection[str] = ()
    keep: Collection[str] = ()
    encoding: Encoding = "one-hot"
    max_classes: int = MAX_CLASSES
    sample_weight: Any = None
    loss: str | Loss | None = None
    class_weight: Any = None
    scoring: str | None = None
    solver: str = "adam"
    rivals: bool | None = None
    threads: int | None = None
    device: str = CPU
    progress: bool | ProgressHook = False
    parameters: Mapping[str, float] | None = None  # of the loss

    def checked(self) -> Choices:
        """Return the validated options; runs before any table is read."""
        Decisions(self.drop, keep=self.keep, encoding=self.encoding).check()
        if self.scoring is not None:
            check_choice("scoring", self.scoring, (*SCORING[True], *SCORING[False]))
        last, group = self.test_last, self.test_group
        lags, horizon = check_lags(self.lags, last), check_count("horizon", self.horizon)
        if horizon > 1 and not lags:
            raise ValueError(f"horizon must be 1 without lags, got {horizon}")
        if last is not None and group is not None:
            raise ValueError("test_last must be left out with test_group, got both")
        for role, name in {"test_last": last, "test_group": group}.items():
            if name is not None and self.test_fraction == 0 and not (lags and role == "test_last"):
                raise ValueError(f"{role} must be left out with test_fraction=0, got {shown(name)}")
        factors = self.class_weight
        if not (factors is None or isinstance(factors, Mapping) or str(factors) == "balanced"):
            rule = "'balanced' or a dict of a number for each class"
            raise ValueError(f"class_weight must be {rule}, got {shown(factors)}")
        known = self.classification
        known = known if known is None else check_flag("classification", known)
        hidden = as_axis("hidden_size", self.hidden_size, MOST_NETWORKS) or [self.hidden_size]
        return self._replace(
            test_last=last if last is None else column_name("test_last", last),
            test_group=group if group is None else column_name("test_group", group),
            classification=known,
            test_fraction=check_number("test_fraction", self.test_fraction, rule_of("[0, 1)")),
            lags=lags,
            horizon=horizon,
            seed=check_seed(self.seed),
            hidden_size=list(dict.fromkeys(map(check_hidden_size, hidden))),
            folds=check_count("folds", self.folds, minimum=2, maximum=MOST_FOLDS),
            max_categories=check_count("max_categories", self.max_categories, minimum=0),
            standardize=check_flag("standardize", self.standardize),
            max_classes=check_count("max_classes", self.max_classes, minimum=2),
            solver=check_choice("solver", self.solver, ("adam", "lm")),
            rivals=_rivals(self.rivals),
            parameters=_parameters_of(self.loss, self.parameters or {}),
            threads=check_threads(self.threads, available_threads()),
            device=looked_for(check_device(self.device)),
            progress=check_progress(self.progress),
        )

    @property
    def decisions(self) -> Decisions:
        """What is decided about columns."""
        return Decisions(**{k: v for k, v in self._asdict().items() if k in Decisions._fields})

    @property
    def how(self) -> dict[str, Any]:
        """Arguments of a sweep that don't change its results."""
        return {"threads": self.threads, "device": self.device, "progress": self.progress}

    def objective(self, target: Target) -> dict[str, Any]:
        """Return the output, the loss and its parameters, if all options suit the target."""
        of_classes = isinstance(target, ClassTarget)
        what = f"{'class' if of_classes else 'numeric'} target {shown(target.name)}"
        known = SCORING[of_classes]
        if self.scoring is not None and self.scoring not in known:
            names = f"{either(map(repr, known))} for the {what}"
            raise ValueError(f"scoring must be {names}, got {shown(self.scoring)}")
        if of_classes and self.lags:
            raise ValueError(f"lags must be 0 for the {what}, got {self.lags}")
        if self.loss is not None and (self.loss == "cross_entropy") != of_classes:
            rule = "be 'cross_entropy'" if of_classes else "not be 'cross_entropy'"
            raise ValueError(f"loss must {rule} for the {what}, got {shown(self.loss)}")
        if self.solver == "lm" and (of_classes or self.loss not in (None, "squared")):
            with_it = "" if of_classes else f" and loss={shown(self.loss)}"
            raise ValueError(f"solver must be 'adam' for the {what}{with_it}, got 'lm'")
        if of_classes:
            return {"output": "softmax", "loss": "cross_entropy"}
        if self.class_weight is not None:
            raise ValueError(f"class_weight needs a target of classes, got the {what}")
        output = "exp" if self.loss == "poisson" else "identity"
        return {"output": output, "loss": self.loss or "squared", **(self.parameters or {})}


def _rivals(given: bool | None) -> bool | None:
    """Whether boosted trees are compared with; None if that depends on how long they take."""
    installed = find_spec("sklearn") is not None
    if given is None or not check_flag("rivals", given):
        return None if given is None and installed else False
    if not installed:
        raise ImportError("rivals=True needs scikit-learn: pip install scikit-learn")
    return True


def check_lags(lags: int, order: object) -> int:
    """Return the number of lags, which need a column that orders the rows."""
    lags = check_count("lags", lags, minimum=0)
    if lags and order is None:
        raise ValueError(f"lags must be 0 without test_last, which orders the rows, got {lags}")
    return lags


def _parameters_of(loss: object, given: Mapping[str, float]) -> dict[str, float]:
    """Check a loss and its parameters, and return these."""
    options = {} if loss is None else {"loss": DECLARED["loss"].kind.check("loss", loss, 0)}
    if options and loss_of(options["loss"]).units > 1:
        raise ValueError(f"loss must have one output for each target, got {shown(loss)}")
    kinds = kinds_of(options)
    for name in given:
        if name not in kinds:
            hint = hint_of(name, options, Choices._fields)
            raise TypeError(f"fit() got an unexpected keyword argument {name!r}{hint}")
    return {name: kinds[name].check(name, value, 0) for name, value in given.items()}
