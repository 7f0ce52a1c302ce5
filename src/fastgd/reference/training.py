"""train(): the loop over the iterations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Unpack

import numpy as np
from numpy.typing import ArrayLike

from fastgd.arguments.data import FloatArray, NetworkParts
from fastgd.arguments.declarations import Options
from fastgd.arguments.initial_network import Start
from fastgd.arguments.options import Method
from fastgd.arguments.training_data import TrainingData, Validation
from fastgd.checks.memory import check_memory
from fastgd.engine.network import Network, count_weights
from fastgd.engine.state import State
from fastgd.reference import schedules
from fastgd.reference.layer import Layer
from fastgd.reference.loss import loss_of
from fastgd.reference.parameter import Parameter
from fastgd.reference.records import Records
from fastgd.reference.sampling import Adaptive, Batch, Epochs, Sampler
from fastgd.reference.state import Ending, changes_of, ending, over, resume_from, row_of, state_of
from fastgd.reference.stopping import Best, Watch
from fastgd.training.results import Run, run_of
from fastgd.training.resuming import arguments_of_run, continuing
from fastgd.training.training_run import checked_training


@continuing(arguments_of_run)
def train(
    X: ArrayLike,
    y: ArrayLike,
    *,
    hidden_size: int | tuple[int, ...] = 4,
    alpha: float | tuple[float, ...] = 1.0,
    iterations: int = 60_000,
    record_every: int = 10_000,
    seed: int = 1,
    weights: Start | None = None,
    biases: Sequence[ArrayLike] | None = None,
    validation: Sequence[ArrayLike | None] | None = None,
    record_weights: bool = False,
    resume: Run | None = None,
    **options: Unpack[Options],
) -> Run:
    """Train one network by gradient descent, counting direction changes.

    Without options it is the listing under "Let's Take a Closer Look" (part 5 of the article), for
    any number of layers. `fastgd.train` does the same in compiled code; its results differ in the
    last digits by rounding.

    Parameters
    ----------
    X : (samples, inputs) array_like
        Finite numbers.
    y : (samples,) or (samples, outputs) array_like
        Targets.
    hidden_size : int or tuple of int
        Units of the hidden layer, or of each of several; ``()`` for no hidden layer.
    alpha : float or tuple of float
        Learning rate, above 0; a tuple has one per layer of weights.
    iterations : int
        Number of updates.
    record_every : int
        The error is recorded before the update of iterations 0, record_every, 2 * record_every, ...
    seed : int
        Seed of the initial weights and of random masks and draws, in [0, 2**32).
    weights : Run, or sequence of (inputs, outputs) arrays, optional
        The network to start from instead; it also determines the hidden units. A run includes its
        biases and batch normalization, as in `fastgd.train`.
    biases : sequence of (outputs,) arrays, optional
        The biases that belong to ``weights`` where these are arrays, with ``bias=True``.
    validation : (X, y) or (X, y, sample_weight), optional
        Validation set: its error is measured in addition to that of the training samples, and it
        is the error that is monitored.
    record_weights : bool
        Keep the whole network with each recorded error.
    resume : Run, optional
        Continue this run for ``iterations`` more, as if all had been done in one call. X, y and
        ``validation`` must be as they were; all other options are those of the run.
    **options
        Everything else that `fastgd.train` takes, see :class:`fastgd.arguments.options.Options`.

    Returns
    -------
    Run

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described; the message states the rule and what came.

    Examples
    --------
    >>> from fastgd import reference
    >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
    >>> run = reference.train(X, y, alpha=10, iterations=100, record_every=20)
    >>> run.errors.round(6).tolist()
    [0.49641, 0.365823, 0.168862, 0.086922, 0.064243]
    >>> run.direction_changes[1].ravel().tolist()
    [22, 15, 4, 15]
    """
    checked = checked_training(
        X,
        y,
        hidden_size=hidden_size,
        alpha=alpha,
        iterations=iterations,
        record_every=record_every,
        seed=seed,
        weights=weights,
        biases=biases,
        validation=validation,
        record_weights=record_weights,
        resume=resume,
        given_options=options,
    )
    task, network, method = checked.task, checked.network, checked.method
    X, y, iterations, seed = task.X, task.y, task.iterations, checked.seeds[0]
    held_out, rates = task.validation, checked.alphas[0][0].tolist()
    check_memory(_bytes(network, task, method, checked.record_weights), "the training")

    state = None if resume is None else resume.state
    row = checked.first(0)[0] if state is None else state.parameters[0].copy()
    layers = _layers(network.parts(row), rates, method)
    sampler: Sampler = (
        Adaptive(len(X), method, seed) if method.sampling == "adaptive" else Epochs(len(X), method)
    )
    is_held = held_out is not None
    watch = Watch(method, iterations, sampler.per_epoch, task.record_every, is_held)
    records = Records(network, task.record_every, iterations, is_held, checked.record_weights)
    training = _Training(
        X, y, method, held_out, seed,
        network, layers, [p for layer in layers for p in layer.parameters],
        sampler, watch, records,
    )  # fmt: skip
    end = None
    if resume is not None and state is not None:
        resume_from(state, network, layers, sampler, watch, resume.iterations)
        records.join(resume)
        end = ending(state, iterations, is_held=is_held)
    with np.errstate(all="ignore"):
        end = end or training.run(0 if resume is None else resume.iterations)
        best = watch.best or Best(row_of(network, layers), end.error, end.held)
        loss = np.nan
        if np.isfinite(best.row).all():
            loss = loss_of(_layers(network.parts(best.row), rates, method), method, X, y)
    return run_of(
        network,
        method,
        alpha=checked.settings["alpha"],
        seed=checked.settings["seed"] if resume is None else resume.seed,
        recorded=records.at,
        errors=records.errors,
        parameters=best.row,
        changes=changes_of(network, layers),
        final_error=best.error,
        losses=records.losses,
        final_loss=loss,
        status=end.status,
        iterations=end.iterations,
        summary=watch.summary(),
        path=records.path,
        validation_errors=records.held,
        final_validation_error=best.held,
        best_iteration=watch.best_iteration,
        state=end.state,
    )


class _Training(NamedTuple):
    """A network while it is trained."""

    X: FloatArray
    y: FloatArray
    method: Method
    held_out: Validation | None
    seed: int
    network: Network
    layers: list[Layer]
    parameters: list[Parameter]
    sampler: Sampler
    watch: Watch
    records: Records

    def run(self, first: int) -> Ending:
        """Run the iterations from ``first`` on, until the last one or an early stop."""
        for j in range(first, self.records.iterations):
            if self.records.is_due(j) or self.watch.is_due(j):
                error, held = self._errors()
                if self.records.is_due(j):
                    self.records.put(j, error, self._loss(), held, self._row())
                status = self.watch.evaluate(j, error, held, self._loss, self._row)
                if status:
                    return over(Ending(j, status, error, held, self._state(j)))
            self._update(j)
            if not all(np.isfinite(p.value).all() for p in self.parameters):
                held = None if self.held_out is None else np.nan
                return over(Ending(j + 1, "diverged", np.nan, held, self._state(j + 1)))
        # Before the final evaluation: a longer training would not have evaluated the error here.
        state = self._state(self.records.iterations)
        error, held = self._errors()
        done = self.records.iterations
        status = self.watch.evaluate(done, error, held, self._loss, self._row) or "finished"
        return Ending(done, status, error, held, state)

    def _loss(self) -> float:
        return loss_of(self.layers, self.method, self.X, self.y)

    def _row(self) -> FloatArray:
        return row_of(self.network, self.layers)

    def _state(self, updates: int) -> State:
        return state_of(
            self.network,
            self.layers,
            self.sampler,
            self.watch,
            self.records,
            self.seed,
            updates,
        )

    def _errors(self) -> tuple[float, float | None]:
        """Mean absolute errors of the training samples, and of the validation samples."""
        outputs = _measure(self.layers, self.X)
        error = _mean_error(self.y, outputs, self.method.sample_weight)
        if self.held_out is None:
            return error, None
        X, y, weight = self.held_out
        held = _mean_error(y, _measure(self.layers, X), weight)
        return error, held if np.isfinite(held) else np.nan

    def _update(self, j: int) -> None:
        """Update the parameters with the batch of iteration j."""
        _propagate(self.layers, self.X, self.y, self.sampler.batch(j), j, self.seed)
        if isinstance(self.sampler, Adaptive):
            self.sampler.learn(np.sum([layer.squared_norms() for layer in self.layers], axis=0))
        if self.layers[0].method.clip_norm < np.inf:
            _clip(self.parameters, self.layers[0].method.clip_norm)
        factor = schedules.factor(self.layers[0].method.schedule, j)
        for parameter in self.parameters:
            parameter.update(factor)


def _clip(parameters: Sequence[Parameter], most: float) -> None:
    """Limit the norm of the whole gradient (Pascanu, Mikolov and Bengio, ICML 2013)."""
    for parameter in parameters:
        parameter.g = np.where(parameter.frozen, 0.0, parameter.g)
    norm = np.sqrt(sum(np.sum(parameter.g**2) for parameter in parameters))
    share = most / norm if norm > most else 1.0
    for parameter in parameters:
        parameter.g = parameter.g * (share if np.isfinite(norm) else np.nan)


def _layers(start: NetworkParts, rates: Sequence[float], method: Method) -> list[Layer]:
    """The layers of a network that starts from these parameters."""
    return [
        Layer(
            weights,
            k,
            rates[k],
            method,
            is_output=k == len(start.weights) - 1,
            bias=start.biases[k] if start.biases else None,
            normalization=start.normalization[k] if k < len(start.normalization) else None,
        )
        for k, weights in enumerate(start.weights)
    ]


def _propagate(
    layers: list[Layer], X: FloatArray, y: FloatArray, batch: Batch, j: int, seed: int
) -> None:
    """Forward through all layers and back; the derivatives are stored in the layers."""
    outputs = X[batch.places]
    for layer in layers:
        outputs = layer.forward(outputs, j, seed)
    error = layers[-1].delta_of(y[batch.places])
    if batch.weights is not None:
        error = error * batch.weights
    layers[-1].backward(error, batch.divisor)
    for layer, after in zip(layers[-2::-1], layers[:0:-1], strict=True):
        layer.backward(after.error_before(), batch.divisor)


def _measure(layers: list[Layer], X: FloatArray) -> FloatArray:
    """Outputs of the network as predict() uses it."""
    for layer in layers:
        X = layer.measure(X)
    return X


def _mean_error(y: FloatArray, outputs: FloatArray, sample_weight: FloatArray | None) -> float:
    """Mean absolute error, weighted with the samples' weights."""
    error = np.abs(y - outputs[:, : y.shape[1]])  # the first output of each target
    if sample_weight is None:
        return float(np.mean(error))
    return float(np.sum(sample_weight[:, None] * error) / (sample_weight.sum() * y.shape[1]))


def _bytes(network: Network, task: TrainingData, method: Method, recording: bool) -> int:
    """Return the memory of a training: parameters, layers of a batch, random words, errors."""
    sizes = network.sizes
    at_once = len(task.X) + (method.batch_size or 0)
    parameters = count_weights(sizes) + 4 * sum(sizes)
    numbers = 7 * parameters + 5 * at_once * sum(sizes)
    if method.dropconnect:
        numbers += 12 * parameters
    if method.dropout:
        numbers += 12 * at_once * max(sizes)
    path = 2 * task.records * parameters if recording else 0
    return 8 * (numbers + path + 8 * task.records + 5 * min(method.summary or 0, task.iterations))
