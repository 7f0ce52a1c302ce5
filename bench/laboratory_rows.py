"""The rows about studies of training: what a researcher asks of ten thousand networks.

Whole calls, in seconds, with what is asked for as arrays of NumPy. Compiling stands in a line of
its own: what the first call takes longer than the next, ours with an empty cache of compiled code.
Given weights cost nothing, and JAX is always given them; it records no errors.
"""

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

import fastgd
import fresh
from compare import Settings
from fastgd.functions import log1p, sign
from fastgd.optimizers import Momentum
from measure import in_turn
from report import Line
from workload import LENGTH, TOLERANCE, XOR_X, XOR_Y, article

ITERATIONS = 1008  # a multiple of LENGTH
NETWORKS, FEW = 10_000, 1000
BLOCK = 512
"""Networks that the best form of JAX vmaps."""

LION = fastgd.Rule(
    lambda w, g, alpha, m, beta1=0.9, beta2=0.99: (
        w + alpha * sign(beta1 * m + (1 - beta1) * g),
        beta2 * m + (1 - beta2) * g,
    )
)
PENALTY = fastgd.Penalty(lambda w, strength: strength * log1p(w * w), strength=0.05)
STRENGTHS = np.logspace(-4, -2, 10)
LEAST_NORM = 1e-3
MASKS = np.arange(10)[:, None, None] == np.arange(12).reshape(3, 4)
"""One weight of the first layer, another in each mask."""


class Asked(NamedTuple):
    """Trainings of so many networks, of so many iterations."""

    networks: int
    iterations: int
    threads: int

    def sweep(self, count: int | None = None, **options: Any) -> fastgd.Sweep:
        """Train networks of that many seeds, by default all of them."""
        seeds = {} if "weights" in options else {"seed": range(1, 1 + (count or self.networks))}
        lengths = {"iterations": self.iterations, "record_every": self.iterations}
        given = {"alpha": 1.0, "threads": self.threads} | lengths | seeds | options
        return fastgd.sweep(XOR_X, XOR_Y, **given)


def _own_rule(asked: Asked) -> Any:
    return asked.sweep(optimizer=LION, alpha=0.05).weights


def _own_penalty(asked: Asked) -> Any:
    seeds = asked.networks // len(STRENGTHS)
    return asked.sweep(seeds, penalty=PENALTY, strength=STRENGTHS).weights


def _gradient_norm(asked: Asked) -> Any:
    return asked.sweep(measure="gradient_norm", measure_every=1).measured["gradient_norm"]


def _sharpness(asked: Asked) -> Any:
    (weights,) = starts("sharpness", asked.networks)
    swept = asked.sweep(weights=list(weights), iterations=1, measure="sharpness")
    return swept.measured["sharpness"]


def _final_weights(asked: Asked) -> Any:
    return asked.sweep().weights


def _noise(asked: Asked) -> Any:
    return asked.sweep(gradient_noise=0.01).weights


def _momentum_switched(asked: Asked) -> Any:
    momentum = fastgd.Schedule("where(t < total / 2, 0.5, 0.9)")
    return asked.sweep(optimizer=Momentum(momentum=momentum)).weights


def _samples_added(asked: Asked) -> Any:
    half = asked.iterations // 2
    given: dict[str, Any] = {"iterations": half, "threads": asked.threads}
    given |= {"alpha": 1.0, "optimizer": Momentum(momentum=0.9), "record_every": half}
    seeds = range(1, 1 + asked.networks)
    few = fastgd.sweep(XOR_X[:3], XOR_Y[:3], seed=seeds, keep_state=True, **given)
    return fastgd.sweep(XOR_X, XOR_Y, resume=few, samples="new", iterations=half).weights


def _predictions(asked: Asked) -> Any:
    return asked.sweep(record_predictions=True, record_every=12).recorded_predictions


def _stop(asked: Asked) -> Any:
    given = {"alpha": 10.0, "measure": "gradient_norm", "measure_every": 1}
    return asked.sweep(**given, stop=f"gradient_norm < {LEAST_NORM}").iterations


def _masks(asked: Asked) -> Any:
    every, _ = starts("masks", asked.networks)
    weights = [layer[: asked.networks // len(MASKS)] for layer in every]
    return asked.sweep(weights=weights, freeze=[[mask, None] for mask in MASKS]).weights


class Question(NamedTuple):
    """A row: what it asks for, and our answer; JAX's answer is the function of the row's name."""

    title: str
    ours: Callable[[Asked], Any]
    own: Callable[[int], tuple[Any, ...]] = lambda _: ()
    """What each network of JAX has besides its initial weights."""
    of_weights: int = 1  # networks of the same initial weights
    is_checked: bool = True


QUESTIONS = {
    "own_rule": Question("a rule of one's own, Lion", _own_rule),
    "own_penalty": Question(
        "a penalty of one's own, log(1 + w^2)",
        _own_penalty,
        lambda networks: (np.repeat(STRENGTHS, networks // len(STRENGTHS)),),
        len(STRENGTHS),
    ),
    "gradient_norm": Question("gradient norm at every iteration", _gradient_norm),
    "sharpness": Question("sharpness of trained networks", _sharpness),
    "final_weights": Question("all final weights", _final_weights),
    "noise": Question(
        "noise in the gradient",
        _noise,
        lambda networks: (np.arange(networks),),
        is_checked=False,  # it is other noise
    ),
    "momentum_switched": Question("momentum switched in the middle", _momentum_switched),
    "samples_added": Question("a sample added in the middle", _samples_added),
    "predictions": Question("predictions every 12 iterations", _predictions),
    "stop": Question("stopped by the gradient", _stop),
    "masks": Question(
        "10 masks x stacked weights",
        _masks,
        lambda networks: (np.repeat(MASKS, networks // len(MASKS), axis=0),),
        len(MASKS),
    ),
}


def _row(name: str) -> Callable[[Settings], list[Line]]:
    def row(settings: Settings) -> list[Line]:
        return _compare(name, settings)

    row.__name__ = name
    return row


ALL = tuple(map(_row, QUESTIONS))


def _compare(name: str, settings: Settings) -> list[Line]:
    question = QUESTIONS[name]
    networks = NETWORKS if settings.effort else FEW
    asked = Asked(networks, ITERATIONS if settings.effort else LENGTH, settings.threads)
    calls = {"fastgd": lambda: question.ours(asked)}
    compiling = {}
    if find_spec("jax") is not None:
        short = asked._replace(iterations=LENGTH)
        ours = arrays(question.ours(short), networks)
        for form in ("plain", "best form"):
            theirs = arrays(_jax(name, form, short).call(), networks)
            for one, other in zip(ours, theirs, strict=True):
                if question.is_checked:
                    np.testing.assert_allclose(other, one, TOLERANCE, TOLERANCE, err_msg=form)
            against = f"JAX, jit + vmap, {form}"
            calls[against], compiling[against] = _jax(name, form, asked)
    seconds = in_turn(calls, settings.repeats)
    own = seconds.pop("fastgd")
    first = fresh.first_call(name, networks, settings.threads)
    lines = [
        Line(question.title, against, own, theirs, theirs / own, ">= 5", unit="s")
        for against, theirs in seconds.items()
    ]
    lines += [
        Line(question.title, f"compiling: {against}", first, theirs, theirs / first, unit="s")
        for against, theirs in compiling.items()
    ]
    missing = Line(question.title, "JAX", own, None, None, ">= 5", unit="s", note="not installed")
    return lines or [missing]


def first_call(name: str, networks: int, threads: int) -> float:
    """Return the seconds that a first call takes longer than the next."""
    asked = Asked(networks, LENGTH, threads)
    starts(name, networks)  # given to all
    first, second = (_seconds(lambda: QUESTIONS[name].ours(asked)) for _ in range(2))
    return first - second


def _seconds(call: Callable[[], object]) -> float:
    began = perf_counter()
    call()
    return perf_counter() - began


def _jax(name: str, form: str, asked: Asked) -> Any:
    import peer_jax_laboratory as peer

    given = starts(name, asked.networks)
    if form == "plain":
        return peer.plain(name, asked.iterations, given)
    return peer.best(name, asked.iterations, given, BLOCK)


@cache
def starts(name: str, networks: int) -> tuple[Any, ...]:
    """What the networks start with: (networks, ...) weights of each layer, and their own values."""
    question = QUESTIONS[name]
    few = article(4, (1.0,), networks // question.of_weights, LENGTH).weights
    every = tuple(np.tile(layer, (question.of_weights, 1, 1)) for layer in few)
    return every, *question.own(networks)


def arrays(found: Any, networks: int) -> list[Any]:
    """The arrays of an answer, (networks, ...) each."""
    arrays = found if isinstance(found, list | tuple) else [found]
    return [np.asarray(array).reshape(networks, -1) for array in arrays]
