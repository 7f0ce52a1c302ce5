"""One more epoch of training on new samples, for ``partial_fit``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fastgd.checks.values import LARGEST
from fastgd.optimizers import GradientDescent
from fastgd.schedules import Factors
from fastgd.sklearn.fit_spec import FitSpec
from fastgd.sklearn.training_settings import OWN_ARGUMENTS
from fastgd.training.results import Run
from fastgd.training.train import train


def one_more_epoch(problem: FitSpec, *, by_epoch: bool) -> list[Run]:
    """Return the networks that a fit starts from, trained for one more epoch.

    A run is resumed if it can be: the optimizer's state and the order of samples continue as in a
    longer training. If it had ended early, restored an earlier network, or has another optimizer
    now, the optimizer's state starts anew. With ``by_epoch`` the schedule's factors are constant
    within an epoch, and given for this epoch only.
    """
    seeds = zip(problem.start, problem.seeds, strict=True)
    return [
        _resumed(problem, run, by_epoch) or _restarted(problem, run, seed) for run, seed in seeds
    ]


def _resumed(problem: FitSpec, run: Run, by_epoch: bool) -> Run | None:
    state, settings = run.state, problem.settings
    optimizer = run.options.get("optimizer", GradientDescent())
    if (
        state is None
        or state.ended[0] >= 0
        or state.best.size
        or type(optimizer) is not type(settings["optimizer"])
    ):
        return None
    X, y, weight = problem.learned
    updates = settings["iterations"]
    # With other samples an epoch has another length: resume at a multiple of the new length.
    done = -(-int(state.planned[0]) // updates) * updates
    options: dict[str, Any] = {
        name: value for name, value in settings.items() if name not in OWN_ARGUMENTS
    }
    options |= {"shuffle_seed": run.options.get("shuffle_seed", 0), "sample_weight": weight}
    if by_epoch and isinstance(options["schedule"], Factors):
        factors = np.resize(options["schedule"].factors, done + updates)
        options["schedule"] = Factors(factors)
    before = replace(
        run,
        alpha=settings["alpha"],
        options=options,
        errors=run.errors[:1],
        losses=run.losses[:1],
        state=state._replace(planned=np.array([done]), record_every=np.array([LARGEST])),
    )
    return train(X, y, resume=before, iterations=updates)


def _restarted(problem: FitSpec, run: Run, seed: int) -> Run:
    X, y, weight = problem.learned
    settings = {name: value for name, value in problem.settings.items() if name != "init"}
    return train(X, y, weights=run, seed=seed, sample_weight=weight, **settings)
