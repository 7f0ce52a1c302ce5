"""What the classifier and the regressor have in common."""

from __future__ import annotations

import warnings
from dataclasses import KW_ONLY, dataclass
from math import inf
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fastgd import optimizers
from fastgd.arguments.data import FloatArray
from fastgd.arguments.functions import Function, Loss
from fastgd.arguments.messages import shown
from fastgd.schedules import Schedule
from fastgd.sklearn import parameters
from fastgd.sklearn.crowd import train_all
from fastgd.sklearn.problems import BoolArray, Problem
from fastgd.training.results import Run

LARGEST_SEED = 2**31 - 1


@dataclass(eq=False, repr=False)
class Network(BaseEstimator):  # type: ignore[misc]
    """The parameters of both, and everything but what targets are and what outputs mean."""

    hidden_layer_sizes: Any = (100,)
    activation: str | Function = "relu"
    _: KW_ONLY
    solver: str | optimizers.Optimizer = "adam"
    alpha: float = 0.0001
    batch_size: int | str = "auto"
    learning_rate: str | Schedule = "constant"
    learning_rate_init: float = 0.001
    power_t: float = 0.5
    max_iter: int = 200
    loss: str | Loss = ""
    shuffle: bool = True
    random_state: Any = None
    tol: float = 1e-4
    verbose: bool | int = False
    warm_start: bool = False
    momentum: float = 0.9
    nesterovs_momentum: bool = True
    early_stopping: bool = False
    validation_fraction: float = 0.1
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    n_iter_no_change: int | float = 10
    max_fun: int = 15000
    dropout: float = 0.0
    batch_norm: bool = False
    init: str | tuple[str, ...] = "glorot"
    n_ensemble: int = 1
    options: dict[str, Any] | None = None
    threads: int | None = None

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train the network, or the ensemble.

        Parameters
        ----------
        X : (samples, features) array_like
            Finite numbers.
        y : (samples,) or (samples, outputs) array_like
            Targets.
        sample_weight : (samples,) array_like, optional
            How much each sample counts; at least 0, but not all 0.

        Returns
        -------
        self
        """
        problem = self._problem(X, y, sample_weight)
        (runs,) = train_all([problem], threads=self.threads, keep_state=True)
        self._adopt(problem, runs)
        if any(run.status == "finished" for run in runs):
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the "
                "optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    # ------------------------------------------------------------- what a kind of targets decides

    def _targets(self, y: Any, *, reset: bool) -> FloatArray:
        """Targets (samples, outputs) of the network; with ``reset`` they say what they are."""
        raise NotImplementedError

    def _weights(self, y: FloatArray, sample_weight: FloatArray | None) -> FloatArray | None:
        """How much each sample counts."""
        raise NotImplementedError

    def _strata(self, y: FloatArray) -> Any:
        """What to hold out equal parts of, or None."""
        raise NotImplementedError

    def _output_and_loss(self) -> tuple[str, str | Loss]:
        """Output units and loss, by fastgd's names."""
        raise NotImplementedError

    # ------------------------------------------------------------------------- from data to a fit

    def _problem(self, X: Any, y: Any, sample_weight: Any = None) -> Problem:
        """Check parameters and data of a fit, and say what it comes to."""
        parameters.check_parameters(vars(self))
        hidden = parameters.hidden_size_of(self.hidden_layer_sizes)
        start = tuple(self.members_) if self.warm_start and hasattr(self, "members_") else ()
        if start and start[0].hidden_size != hidden:
            raise ValueError(
                f"hidden_layer_sizes must stay {start[0].hidden_size} with warm_start=True, "
                f"got {hidden}"
            )
        X, y, weight = self._samples(X, y, sample_weight, reset=not start)
        random = check_random_state(self.random_state)
        held = self._held_out(y, random)
        learned = len(X) if held is None else int((~held).sum())
        shuffle_seed, *seeds = random.randint(LARGEST_SEED, size=1 + int(self.n_ensemble)).tolist()
        output, loss = self._output_and_loss()
        counts = learned if weight is None else weight[slice(None) if held is None else ~held].sum()
        settings: dict[str, Any] = {
            "hidden_size": hidden,
            "activation": parameters.activation_of(self.activation),
            "output": output,
            "loss": loss,
            "bias": True,
            "reduction": "mean",
            "init": self.init,
        }
        minimizer = None
        if self.solver == "lbfgs":
            settings["l2"] = self.alpha / counts
            minimizer = {"maxfun": self.max_fun, "maxiter": self.max_iter, "gtol": self.tol}
            held = None
        else:
            mean = counts / learned
            settings |= self._descent(learned, mean, int(shuffle_seed), holds_out=held is not None)
        settings |= self._own_options(settings)
        return Problem(X, y, weight, held, settings, seeds, start, minimizer)

    def _descent(
        self, samples: int, mean_weight: float, shuffle_seed: int, *, holds_out: bool
    ) -> dict[str, Any]:
        """Settings of a training that learns from so many samples of this mean weight."""
        size = parameters.batch_size_of(self.batch_size, samples)
        updates = -(-samples // size)
        epochs = int(self.max_iter)
        settings: dict[str, Any] = {
            "alpha": float(self.learning_rate_init),
            # Penalties are part of the mean over a batch there, and beside it here.
            "l2": self.alpha / (size * mean_weight),
            "optimizer": parameters.optimizer_of(vars(self)),
            "schedule": parameters.schedule_of(vars(self), epochs, updates, samples),
            "batch_size": size if size < samples else None,
            "shuffle": bool(self.shuffle),
            "shuffle_seed": shuffle_seed,
            "dropout": float(self.dropout),
            "batch_norm": bool(self.batch_norm),
            "iterations": epochs * updates,
            "record_every": updates,
            "look_every": updates,
            "restore_best": holds_out,
        }
        if self.n_iter_no_change != inf:
            settings["patience"] = int(self.n_iter_no_change) * updates
        return settings

    def _own_options(self, settings: dict[str, Any]) -> dict[str, Any]:
        """The user's further options, unless a parameter says the same."""
        options = dict(self.options or {})
        taken = sorted(options.keys() & (settings.keys() | {"seed", "validation", "sample_weight"}))
        if taken:
            raise ValueError(
                "options must not have what parameters of the estimator decide, "
                f"got {shown(taken[0])}"
            )
        return options

    def _samples(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool
    ) -> tuple[FloatArray, FloatArray, FloatArray | None]:
        """Checked inputs, targets of the network, and weights."""
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, reset=reset)
        targets = self._targets(y, reset=reset)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
            if not sample_weight.any():
                raise ValueError("Sample weights must contain at least one non-zero number.")
        return X, targets, self._weights(targets, sample_weight)

    def _held_out(self, y: FloatArray, random: np.random.RandomState) -> BoolArray | None:
        """Which samples are held out for early stopping."""
        if not self.early_stopping or self.solver == "lbfgs":
            return None
        _, places = train_test_split(
            np.arange(len(y)),
            test_size=self.validation_fraction,
            random_state=random.randint(LARGEST_SEED),
            stratify=self._strata(y),
        )
        held = np.zeros(len(y), dtype=np.bool_)
        held[places] = True
        return held

    # -------------------------------------------------------------------- from a fit to attributes

    def _adopt(self, problem: Problem, runs: list[Run]) -> None:
        """Take over what a fit has come to."""
        if any(run.status == "diverged" for run in runs):
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                "values and need to be preprocessed."
            )
        first = runs[0]
        self.members_ = runs
        self.coefs_ = list(first.weights)
        self.intercepts_ = list(first.biases)
        self.n_layers_ = len(first.weights) + 1
        self.n_outputs_ = problem.y.shape[1]
        output = str(problem.settings["output"])
        self.out_activation_ = parameters.NAMES.get(output, output)
        self.loss_ = first.final_loss
        self.n_iter_ = first.iterations // problem.settings.get("record_every", 1)
        self.t_ = self.n_iter_ * len(problem.learned.X)

    # ---------------------------------------------------------------------------------- prediction

    def _outputs(self, X: Any) -> FloatArray:
        """Outputs of each member, (members, samples, outputs)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return np.array([run.predict(X)[:, : self.n_outputs_] for run in self.members_])
