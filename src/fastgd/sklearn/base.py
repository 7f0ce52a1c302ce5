"""What the classifier and the regressor have in common."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass
from types import ModuleType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from fastgd.arguments.data import FloatArray
from fastgd.checks.memory import check_memory
from fastgd.checks.values import check_choice, check_path
from fastgd.formulas.custom import Function, Loss
from fastgd.optimizers import Optimizer
from fastgd.schedules import Schedule
from fastgd.sklearn import estimator_parameters
from fastgd.sklearn.fit_spec import FitSamples, FitSpec
from fastgd.sklearn.history import history
from fastgd.sklearn.joint_training import train_all
from fastgd.sklearn.partial_fit import one_more_epoch
from fastgd.sklearn.sample_weights import checked_weight, held_out
from fastgd.sklearn.training_settings import settings_of
from fastgd.store.files import PathLike, whole_file
from fastgd.training.results import Run

LARGEST_SEED = 2**31 - 1

MEMBER_BYTES = 4_000
"""Of a member's seed, its place in a sweep and its `Run`, beside all numbers of its network."""


_OF_EPOCHS = ("loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_", "t_")
"""Attributes that there are not without epochs."""


def _check_counting(problem: FitSpec) -> None:
    """Refuse held-out samples, or what is left beside them, of which none counts."""
    parts = {"learned from": problem.learned, "held out": problem.held_out}
    for what, part in parts.items():
        if part is not None and part.weight is not None and not part.weight.any():
            raise ValueError(
                f"sample_weight must be above 0 for some of the samples that are {what} with "
                "early_stopping=True, got 0 for all of them"
            )


def descends(model: BaseFastGD) -> bool:
    """Whether an estimator's solver learns epoch by epoch."""
    if not estimator_parameters.descends(model.solver):
        raise AttributeError(
            "partial_fit must be called with a solver that descends by batches, got 'lbfgs'"
        )
    return True


@dataclass(eq=False, repr=False)
class BaseFastGD(BaseEstimator, ABC):
    """The parameters of both, and everything but what targets are and what outputs mean."""

    hidden_layer_sizes: Any = (100,)
    activation: str | Function = "relu"
    _: KW_ONLY
    solver: str | Optimizer = "adam"
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

        Raises
        ------
        ValueError, TypeError
            If a parameter or the data are not as described, or if the training diverged.

        Warns
        -----
        ConvergenceWarning
            If ``max_iter`` epochs were too few to meet ``tol``.
        """
        problem = self._problem(X, y, sample_weight)
        (runs,) = train_all([problem], threads=self.threads, keep_state=True)
        self._finish(problem, runs)
        return self

    @available_if(descends)
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train for one more epoch on these samples; the first call makes the network.

        Parameters
        ----------
        X, y, sample_weight
            As in :meth:`fit`; there may be other samples in each call.

        Returns
        -------
        self

        Notes
        -----
        k calls with the same samples give the bits of ``fit`` with ``max_iter=k`` if that did not
        stop earlier. After a fit that stopped early the optimizer's states begin anew.
        """
        return self._partial_fit(X, y, sample_weight)

    def predict_std(self, X: ArrayLike) -> FloatArray:
        """How much the members of the ensemble differ: the standard deviation of their outputs.

        Parameters
        ----------
        X : (samples, features) array_like

        Returns
        -------
        (samples, outputs) array
            Of predicted numbers or probabilities; a classifier of two classes has one output. 0
            everywhere with ``n_ensemble=1``.
        """
        return np.asarray(self._outputs(X).std(axis=0))

    def to_onnx(self, path: PathLike, *, dtype: str = "float64") -> None:
        """Write the fitted network, or ensemble, as an ONNX model.

        Its input is ``X`` (rows, features). A regressor's output is ``variable`` (rows, outputs),
        a classifier's are ``label`` and ``probabilities``, as sklearn-onnx names them. What comes
        out is what ``predict`` and ``predict_proba`` give, but for rounding.

        Parameters
        ----------
        path : str or path
            The file.
        dtype : {"float64", "float32"}
            Of the numbers in it, and of ``X``. Some runtimes know only "float32".

        Raises
        ------
        ValueError
            If a function of the network has what ONNX lacks for all numbers (asin, acos, atan), or
            if classes are neither whole numbers, booleans nor text.
        ImportError
            If onnx is not installed (``pip install "fastgd[onnx]"``).

        Examples
        --------
        >>> import tempfile
        >>> from fastgd.sklearn import FastGDRegressor
        >>> model = FastGDRegressor(4, max_iter=5, n_iter_no_change=9, random_state=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.partial_fit([[0.0], [1.0]], [1, 2]).to_onnx(f"{folder}/model.onnx")
        """
        check_is_fitted(self)
        file = check_path("path", path)
        dtype = check_choice("dtype", dtype, ("float64", "float32"))
        from fastgd.sklearn import onnx

        model = self._model(onnx, dtype).SerializeToString()
        with whole_file(file) as stream:
            stream.write(model)

    # ------------------------------------------------------------- what a kind of targets decides

    @abstractmethod
    def _targets(self, y: Any, reset: bool, classes: Any, /) -> FloatArray:
        """Targets (samples, outputs) of the network.

        With ``reset`` these, or ``classes`` if given, say what targets are from now on.
        """

    @abstractmethod
    def _weights(self, y: FloatArray, sample_weight: FloatArray | None) -> FloatArray | None:
        """How much each sample counts."""

    @abstractmethod
    def _strata(self, y: FloatArray) -> Any:
        """What to hold out equal parts of, or None."""

    @abstractmethod
    def _output_and_loss(self) -> tuple[str, str | Loss]:
        """Output units and loss, by fastgd's names."""

    @abstractmethod
    def _worst(self, held: FitSamples) -> float:
        """The mean error of held-out samples at which their score is 0."""

    @abstractmethod
    def _model(self, onnx: ModuleType, dtype: str) -> Any:
        """The ONNX model, made by :mod:`fastgd.sklearn.onnx`."""

    # ------------------------------------------------------------------------- from data to a fit

    def _problem(self, X: Any, y: Any, sample_weight: Any = None) -> FitSpec:
        """Check parameters and data of a fit, and say what it comes to."""
        estimator_parameters.check_parameters(vars(self))
        going_on = bool(self.warm_start) and hasattr(self, "members_")
        return self._made(X, y, sample_weight, going_on=going_on, epochs=None)

    def _made(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        going_on: bool,
        epochs: int | None,
        classes: Any = None,
    ) -> FitSpec:
        """A problem that starts from scratch or goes on; None for ``max_iter`` epochs."""
        start = tuple(self.members_) if going_on else ()
        estimator_parameters.check_unchanged(vars(self), start)
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, reset=not start)
        y = self._targets(y, not start, classes)
        weight = self._weights(y, checked_weight(sample_weight, X))
        random = check_random_state(self.random_state)
        held = None
        if self.early_stopping and estimator_parameters.descends(self.solver):
            seed = random.randint(LARGEST_SEED)
            held = held_out(len(y), self.validation_fraction, self._strata(y), seed)
        check_memory(
            MEMBER_BYTES * int(self.n_ensemble),
            "the ensemble",
            also="fewer networks (n_ensemble)",
        )
        draws = random.randint(LARGEST_SEED, size=1 + int(self.n_ensemble)).tolist()
        output, loss = self._output_and_loss()
        problem = FitSpec(X, y, weight, held, {}, draws[1:], start)
        _check_counting(problem)
        worst = None if problem.held_out is None else self._worst(problem.held_out)
        settings, minimizer = settings_of(
            vars(self),
            problem,
            {"output": output, "loss": loss},
            shuffle_seed=draws[0],
            epochs=epochs,
            seen=getattr(self, "t_", 0) if going_on and epochs is not None else 0,
            worst=worst,
        )
        return problem._replace(settings=settings, minimizer=minimizer)

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, classes: Any = None) -> Self:
        estimator_parameters.check_parameters(vars(self))
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        going_on = hasattr(self, "members_")
        problem = self._made(X, y, sample_weight, going_on=going_on, epochs=1, classes=classes)
        if going_on:
            runs = one_more_epoch(problem, by_epoch=isinstance(self.learning_rate, str))
        else:
            (runs,) = train_all([problem], threads=self.threads, keep_state=True)
        self._adopt(problem, runs, epochs=1)
        return self

    # -------------------------------------------------------------------- from a fit to attributes

    def _adopt(self, problem: FitSpec, runs: list[Run], *, epochs: int | None = None) -> None:
        """Take over what a fit, or so many epochs of one, has come to."""
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
        self.out_activation_ = estimator_parameters.NAMES.get(output, output)
        if problem.minimizer is not None:
            self.n_iter_, self.loss_ = first.iterations, first.final_loss
            for name in _OF_EPOCHS:
                if hasattr(self, name):  # from a fit before, by another solver
                    delattr(self, name)
            return
        self._remember(problem, first, epochs)

    def _finish(self, problem: FitSpec, runs: list[Run]) -> None:
        """Take over what a fit has come to, and say what a fit says."""
        self._adopt(problem, runs)
        if self.verbose:
            self._tell()
        if any(run.status == "finished" for run in runs):
            name = "lbfgs" if problem.minimizer else "Stochastic Optimizer"
            warnings.warn(
                f"{name}: Maximum iterations ({self.max_iter}) reached and the optimization hasn't "
                "converged yet.",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _remember(self, problem: FitSpec, run: Run, epochs: int | None) -> None:
        """What the first member's training was like."""
        losses, held = [run.final_loss], None
        if epochs is None:
            found = history(problem, run)
            losses, held = found.losses.tolist(), found.held_errors
        before = getattr(self, "loss_curve_", []) if problem.start else []
        seen = getattr(self, "t_", 0) if problem.start else 0
        self.n_iter_ = len(losses)
        self.t_ = seen + self.n_iter_ * len(problem.learned.X)
        self.loss_curve_ = before + losses
        self.loss_ = losses[-1]
        self.best_loss_: float | None = min(self.loss_curve_)
        self.validation_scores_: list[float] | None = None
        self.best_validation_score_: float | None = None
        if held is not None:
            assert problem.held_out is not None
            worst = self._worst(problem.held_out)
            with np.errstate(divide="ignore", invalid="ignore"):
                self.validation_scores_ = (1.0 - held / np.float64(worst)).tolist()
            self.best_validation_score_ = max(self.validation_scores_)
            self.best_loss_ = None

    def _tell(self) -> None:
        """Print what `verbose` asks for."""
        scores = getattr(self, "validation_scores_", None)
        for k, loss in enumerate(getattr(self, "loss_curve_", [self.loss_])[-self.n_iter_ :]):
            print(f"Iteration {k + 1}, loss = {loss:.8f}")
            if scores is not None:
                print(f"Validation score: {scores[k]:f}")

    # ---------------------------------------------------------------------------------- prediction

    def _outputs(self, X: Any) -> FloatArray:
        """Outputs of each member, (members, samples, outputs)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return np.array([run.predict(X)[:, : self.n_outputs_] for run in self.members_])
