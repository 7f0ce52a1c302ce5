"""Losses and validation errors of a training, epoch by epoch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastgd.arguments.data import FloatArray
from fastgd.engine.network import Network
from fastgd.sklearn.fit_spec import FitSpec
from fastgd.training.results import Run
from fastgd.training.train import train


class History(NamedTuple):
    """One value per epoch."""

    losses: FloatArray  # (epochs,)
    held_errors: FloatArray | None  # (epochs,): mean absolute error of the validation set


def history(problem: FitSpec, run: Run) -> History:
    """Return the losses and validation errors of a run that :func:`train_all` trained."""
    epochs = run.iterations // problem.settings["record_every"]
    losses, held = run.losses[1 : epochs + 1], run.validation_errors
    held = None if held is None else held[1 : epochs + 1]
    if len(losses) < epochs:  # the last network has been evaluated, but is not recorded
        loss, error = run.final_loss, run.final_validation_error
        if problem.settings["restore_best"] and run.best_iteration != run.iterations:
            loss, error = _last(problem, run)
        losses = np.append(losses, loss)
        held = None if error is None or held is None else np.append(held, error)
    return History(losses, held)


def _last(problem: FitSpec, run: Run) -> tuple[float, float]:
    """Return loss and validation error of the last network, of a run that restored another."""
    assert run.state is not None
    sizes = (len(run.weights[0]), *(layer.shape[1] for layer in run.weights))
    network = Network(sizes, bool(run.biases), bool(run.normalization))
    once = {"iterations": 1, "record_every": 1, "evaluate_every": 1}
    settings = {name: value for name, value in problem.settings.items() if name != "init"} | once
    X, y, weight = problem.learned
    held = problem.validation
    assert held is not None
    again = train(
        X,
        y,
        weights=network.parts(run.state.parameters[0]),
        validation=tuple(held),
        sample_weight=weight,
        **settings,
    )
    assert again.validation_errors is not None
    return float(again.losses[0]), float(again.validation_errors[0])
