"""The one table of what is trained in tests and in bench: networks, and options with their values.

Golden hashes (golden.py), twins (training/test_methods.py), rows of sweeps
(training/test_sweeps.py), what can be typed (cli/test_cli_methods.py) and bench/option_rows.py read
it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import fastgd
from fastgd.arguments.declarations import DECLARED
from fastgd.arguments.initial_network import INITS
from fastgd.functions import exp, log, log1p, maximum, sign, sqrt
from fastgd.optimizers import (
    AdaDelta,
    AdaGrad,
    Adam,
    AdamW,
    GradientDescent,
    Hyperparameters,
    LevenbergMarquardt,
    Momentum,
    Nesterov,
    RMSProp,
    Rprop,
)
from fastgd.schedules import Constant, Cosine, Exponential, Factors, Linear, Step

XOR_X = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], dtype=float)
"""The article's samples: three inputs, the last one always 1."""

XOR_Y = np.array([[0], [1], [1], [0]], dtype=float)

XOR_CODE = f"X, y = {XOR_X.tolist()}, {XOR_Y.ravel().tolist()}\n"
"""The same for a fresh Python."""

XOR_CSV = "a,b,bias,y\n" + "".join(
    f"{a:.0f},{b:.0f},{bias:.0f},{y:.0f}\n" for a, b, bias, y in np.column_stack([XOR_X, XOR_Y])
)

LINE_X = np.array([[0, 1], [0, 1], [1, 0], [1, 0]], dtype=float)
"""The samples of the article's first network: the first input is what is asked for."""

LINE_Y = np.array([[0], [0], [1], [1]], dtype=float)

LINE_CODE = f"X, y = {LINE_X.tolist()}, {LINE_Y.ravel().tolist()}\n"

NETWORKS = {
    "article, hidden 4": (4, 3, (4,), 1, 400),
    "article, hidden 32": (4, 3, (32,), 1, 100),
    "no hidden layer": (5, 2, (), 1, 300),
    "one of everything": (1, 1, (1,), 1, 300),
    "deep and odd": (7, 3, (5, 3), 2, 200),
    "several groups of samples": (41, 6, (9, 17), 3, 60),
    "a page between samples": (18, 5, (64,), 2, 20),
}
"""Samples, inputs, hidden_size, outputs, iterations; without options."""

EIGHT = np.arange(8.0)
"""Weights of the samples of golden.py and test_sweeps.py; one of them counts for nothing."""


ELEVEN = np.random.default_rng(0)
X = ELEVEN.normal(size=(11, 3))
Y = ELEVEN.random((11, 2))
WEIGHTS = ELEVEN.random(11)
"""Samples of the settings below, and weights for them."""

EVEN = {"X": X[:10], "y": Y[:10]}  # batches of two or more samples


STAYS = [None, np.arange(15).reshape(5, 3) % 2 == 0, True]
"""What of the network of golden.py is frozen."""

MEASURES = (
    *("gradient_norm", "update_norm", "weight_norm", "largest_weight", "gradient_cosine"),
    *("direction_changes", "saturated", "dead"),
)

SWISH = fastgd.Function(lambda a, beta: a / (1 + exp(-beta * a)), beta=1.0)
CAUCHY = fastgd.Loss(lambda y, v, c: log(1 + ((y - v) / c) ** 2), c=1.0)
DECAY = fastgd.Penalty(lambda w, strength: strength * log1p(w * w), strength=0.02)
FADING = fastgd.Schedule(lambda t, rate: exp(-rate * t), rate=0.002)
SWITCHED = fastgd.Schedule("where(t < switch, 0.5, 0.9)", switch=20)
"""Functions as users write them."""

LION = fastgd.Rule(
    lambda w, g, alpha, m, beta1=0.9, beta2=0.99: (
        w + alpha * sign(beta1 * m + (1 - beta1) * g),
        beta2 * m + (1 - beta2) * g,
    )
)


def amsgrad(w, g, alpha, t, m, s, largest, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """The steps of Reddi, Kale and Kumar, ICLR (2018), which shrink with the root of t."""
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    largest = maximum(largest, s)
    root = sqrt(largest) / sqrt(1 - beta2**t) + epsilon
    return w + alpha / sqrt(t) / (1 - beta1**t) * m / root, m, s, largest


AMSGRAD = fastgd.Rule(amsgrad)
"""Rules as users write them."""


def unchanged(y: np.ndarray) -> np.ndarray:
    """Targets as they are."""
    return y


def shares(y: np.ndarray) -> np.ndarray:
    """Targets of softmax: the rows add up to 1."""
    return y / y.sum(axis=1, keepdims=True)


def first(y: np.ndarray) -> np.ndarray:
    """One target, of which two outputs say something."""
    return y[:, :1]


@dataclass(frozen=True)
class Speed:
    """What bench/option_rows.py measures of a case."""

    limit: str  # ours with the options / ours without
    options: dict[str, Any] = field(default_factory=dict)  # if others than the case's
    peer: str = ""  # who has it, too
    peer_limit: str = ""  # theirs / ours


@dataclass(frozen=True)
class Case:
    """Options of a training, and what is asked of it."""

    options: dict[str, Any] = field(default_factory=dict)
    axes: dict[str, list[Any]] = field(default_factory=dict)
    """Values of a sweep over numbers, which compile nothing: any row of it is that run alone."""

    settings: list[dict[str, Any]] = field(default_factory=list)
    """Further arguments of a training whose twin in plain NumPy is compared, mostly numbers."""

    speed: Speed | None = None

    targets: Callable[[np.ndarray], np.ndarray] = unchanged
    """What becomes of the targets, (samples, 2), which lie between 0 and 1."""


OPTIONS = {
    "plain": Case(settings=[{"alpha": 0.1}]),
    "momentum": Case(
        {"optimizer": Momentum()},
        {"momentum": [0.0, 0.9]},
        settings=[
            {"optimizer": Momentum(), "alpha": 0.01},
            {"optimizer": Momentum(momentum=0.0), "alpha": 0.1},
            {"optimizer": Momentum(momentum=0.5), "alpha": 0.05},
        ],
        speed=Speed("<= 2", peer="optax", peer_limit=">= 6"),
    ),
    "nesterov": Case(
        {"optimizer": Nesterov()},
        {"momentum": [0.0, 0.9]},
        settings=[
            {"optimizer": Nesterov(), "alpha": 0.01},
            {"optimizer": Nesterov(momentum=0.0), "alpha": 0.1},
            {"optimizer": Nesterov(momentum=0.5), "alpha": 0.05},
        ],
        speed=Speed("<= 2", peer="optax", peer_limit=">= 6"),
    ),
    "adagrad": Case(
        {"optimizer": AdaGrad()},
        {"epsilon": [1e-10, 1e-3]},
        settings=[
            {"optimizer": AdaGrad(), "alpha": 0.02},
            {"optimizer": AdaGrad(epsilon=0.1), "alpha": 0.1},
        ],
        speed=Speed("<= 2", {"optimizer": AdaGrad(epsilon=1e-30)}, "optax", ">= 6"),
    ),
    "adadelta": Case(
        {"optimizer": AdaDelta()},
        {"rho": [0.5, 0.9]},
        settings=[
            {"optimizer": AdaDelta(), "alpha": 0.1},
            {"optimizer": AdaDelta(rho=0.5, epsilon=1e-3), "alpha": 0.1},
        ],
        speed=Speed("<= 2", peer="optax", peer_limit=">= 6"),
    ),
    "rmsprop": Case(
        {"optimizer": RMSProp()},
        {"rho": [0.5, 0.99]},
        settings=[
            {"optimizer": RMSProp(rho=0.9, epsilon=1e-2), "alpha": 1e-3},
            {"optimizer": RMSProp(epsilon=1e-3), "alpha": 1e-3},
        ],
        speed=Speed("<= 2", peer="optax", peer_limit=">= 6"),
    ),
    "adam": Case(
        {"optimizer": Adam()},
        {"beta1": [0.0, 0.9]},
        settings=[
            {"optimizer": Adam(), "alpha": 1e-3},
            {"optimizer": Adam(beta1=0.5, beta2=0.9, epsilon=1e-3), "alpha": 1e-3},
            {"optimizer": Adam(0, 0), "alpha": 1e-3},
        ],
        speed=Speed("<= 2", peer="optax", peer_limit=">= 6"),
    ),
    "adamw": Case(
        {"optimizer": AdamW()},
        {"weight_decay": [0.0, 0.1]},
        settings=[
            {"optimizer": AdamW(), "alpha": 1e-3},
            {
                "optimizer": AdamW(beta1=0.5, beta2=0.9, epsilon=1e-3, weight_decay=0.5),
                "alpha": 1e-3,
            },
        ],
        speed=Speed("<= 2", peer="optax", peer_limit=">= 6"),
    ),
    "rprop": Case(
        {"optimizer": Rprop()},
        {"eta_plus": [1.1, 1.5]},
        settings=[
            {"optimizer": Rprop(), "alpha": 1e-3},
            {"optimizer": Rprop(0.3, 1.05, 1e-4, 0.02), "alpha": 0.1},
        ],
        speed=Speed("<= 2"),
    ),
    "lion": Case(
        {"optimizer": LION},
        {"beta1": [0.5, 0.9]},
        settings=[
            {"optimizer": LION, "alpha": 1e-4},
            {"optimizer": LION._replace(beta2=0.5), "alpha": 1e-3},
        ],
    ),
    "amsgrad": Case(
        {"optimizer": AMSGRAD},
        {"beta2": [0.9, 0.999]},
        settings=[
            {"optimizer": AMSGRAD, "alpha": 1e-2},
            {"optimizer": AMSGRAD._replace(beta1=0.5, epsilon=1e-3), "alpha": 1e-2},
        ],
    ),
    "levenberg marquardt": Case(
        {"optimizer": LevenbergMarquardt(), "sample_weight": EIGHT, "l2": 0.02},
        {"damping": [0.01, 1.0], "scaled": [0.0, 1.0]},
        settings=[
            {"optimizer": LevenbergMarquardt(), "l2": 0.02, "hidden_size": (3, 2)},
            {"optimizer": LevenbergMarquardt(scaled=0.5), "l2": 0.02, "sample_weight": WEIGHTS},
        ],
    ),
    "bayesian": Case(
        {"optimizer": LevenbergMarquardt(), "regularization": "bayesian", "activation": "tanh"},
        {"damping": [0.01, 1.0]},
        settings=[{"optimizer": LevenbergMarquardt(), "regularization": "bayesian"}],
    ),
    "step": Case(
        {"schedule": Step(step_size=40, factor=0.5)},
        {"step_size": [20, 60], "factor": [0.1, 2.0]},
        settings=[{"schedule": Step(step_size=7)}],
    ),
    "exponential": Case(
        {"schedule": Exponential(factor=0.98)},
        {"factor": [0.9, 1.01]},
        settings=[{"schedule": Exponential(factor=0.95), "alpha": (0.1, 0.2, 0.3)}],
    ),
    "linear": Case(
        {"schedule": Linear(steps=120, final_factor=0.25)},
        {"steps": [50, 1000]},
        settings=[{"schedule": Linear(steps=30, final_factor=1.5)}, {"schedule": Linear(steps=1)}],
    ),
    "cosine": Case(
        {"schedule": Cosine(steps=120, final_factor=0.1, warmup_steps=10)},
        {"final_factor": [0.0, 0.2], "warmup_steps": [0, 30]},
        settings=[
            {"schedule": Cosine(steps=50, warmup_steps=20)},
            {"schedule": Cosine(steps=40, final_factor=2.0)},
            {"schedule": Cosine(steps=40), "optimizer": Adam(), "alpha": 0.001},
        ],
    ),
    "factors": Case(
        {"schedule": Factors(np.geomspace(1, 0.1, 150))},
        settings=[{"schedule": np.abs(np.sin(np.arange(300)))}],
    ),
    "formulas over time": Case(
        {
            "penalty": DECAY,
            "schedule": FADING,
            "optimizer": Momentum(momentum=SWITCHED),
            "bias": True,
        },
        {"strength": [0.0, 0.1], "rate": [0.0, 0.1], "switch": [7.0, 1000.0]},
        settings=[
            {
                "penalty": DECAY,
                "schedule": FADING,
                "optimizer": Momentum(momentum=SWITCHED),
                "bias": True,
                "strength": 0.5,
                "rate": 0.05,
                "switch": 3.0,
                "alpha": 0.01,
            },
        ],
    ),
    "tanh, identity": Case({"activation": "tanh", "output": "identity"}),
    "relu, tanh": Case({"activation": "relu", "output": "tanh", "bias": True}),
    "identity, cross entropy": Case({"activation": "identity", "loss": "cross_entropy"}),
    "tanh cross entropy": Case({"output": "tanh", "loss": "cross_entropy"}),
    "relu, cross entropy": Case({"activation": "relu", "loss": "cross_entropy"}),
    "softplus, huber": Case(
        {"activation": "softplus", "output": "identity", "loss": "huber"},
        {"delta": [0.1, 1.0]},
    ),
    "softmax": Case(
        {
            "activation": "leaky_relu",
            "output": "softmax",
            "loss": "cross_entropy",
            "bias": True,
        },
        {"negative_slope": [0.0, 0.2]},
        targets=shares,
    ),
    "gaussian in batches": Case(
        {
            "activation": "gelu",
            "output": "identity",
            "loss": "gaussian",
            "bias": True,
            "batch_size": 3,
        },
        targets=first,
    ),
    "functions of one's own": Case(
        {
            "activation": SWISH,
            "output": "tanh",
            "loss": CAUCHY,
            "batch_norm": True,
            "dropout": 0.2,
        },
        {"beta": [0.5, 2.0], "c": [0.3, 1.0]},
    ),
    "bias": Case({"bias": True}),
    "sample weight": Case({"sample_weight": EIGHT}),
    "mean": Case(
        {"reduction": "mean", "bias": True, "sample_weight": EIGHT},
        {"l2": [0.0, 0.02]},
        settings=[
            {"reduction": "mean", "bias": True, "l2": 0.02, "alpha": 1.0},
            {"reduction": "mean", "bias": True, "sample_weight": WEIGHTS, "hidden_size": ()},
        ],
    ),
    "first weights": Case(
        {"init": "he_normal", "activation": "relu", "bias": True},
        {"l2": [0.0, 0.02]},
        settings=[{"init": name, "alpha": 0.1} for name in INITS if name != "article"],
    ),
    "frozen": Case(
        {"freeze": STAYS, "bias": True, "optimizer": Momentum()},
        {"l2": [0.0, 0.02]},
        settings=[
            {"freeze": (0,), "bias": True, "batch_norm": True, "l2": 0.02, **EVEN},
            {"freeze": (1,), "optimizer": AdamW(weight_decay=0.1), "l1": 0.01, "alpha": 0.01},
        ],
    ),
    "mean in batches": Case(
        {"reduction": "mean", "batch_size": 3, "batch_norm": True, "sample_weight": EIGHT},
        {"l1": [0.0, 0.01]},
        settings=[
            {"reduction": "mean", "batch_size": 3, "batch_norm": True, "sample_weight": WEIGHTS},
            {
                "reduction": "mean",
                "batch_size": 4,
                "sampling": "adaptive",
                "sample_weight": WEIGHTS,
            },
        ],
    ),
    "batches": Case(
        {"batch_size": 3, "shuffle_seed": 5},
        settings=[
            {"batch_size": 4},
            {"batch_size": 4, "shuffle_seed": 2**32 - 1, "iterations": 61},
            {"batch_size": 3, "shuffle": False},
            {"batch_size": 1, "sample_weight": WEIGHTS},
            {"batch_size": 11, "bias": True},
            {"batch_size": 10, "bias": True, "hidden_size": ()},
        ],
        speed=Speed("<= 1.2", {"batch_size": 2}),
    ),
    "batches in order": Case({"batch_size": 5, "shuffle": False}),
    "dropout": Case(
        axes={"dropout": [0.0, 0.4]},
        settings=[
            {"dropout": 0.3, "bias": True, "iterations": 300},
            {"dropout": 0.9, "seed": 2**32 - 1},
            {"dropout": 0.5, "hidden_size": (13, 2), "sample_weight": WEIGHTS},
            {"dropout": 0.5, "weights": [np.full((3, 2), 0.5), np.ones((2, 2))], "hidden_size": 2},
            {"dropout": 0.5, "hidden_size": ()},
        ],
        speed=Speed("<= 3", {"dropout": 0.5}),
    ),
    "dropconnect": Case(
        {"bias": True},
        {"dropconnect": [0.0, 0.4]},
        settings=[
            {"dropconnect": 0.3, "bias": True, "iterations": 300},
            {"dropconnect": 0.9, "seed": 2**32 - 1},
            {"dropconnect": 0.5, "hidden_size": (13, 2)},
            {"dropconnect": 0.5, "hidden_size": ()},
        ],
    ),
    "penalties": Case(
        {"bias": True},
        {"l1": [0.0, 0.01], "l2": [0.0, 0.02]},
        settings=[
            {"l1": 0.01, "l2": 0.02, "bias": True, "iterations": 300},
            {"l1": 0.3},
            {"l2": 0.3},
            {"l1": 0.1, "weights": [np.zeros((3, 2)), np.full((2, 2), -0.5)], "hidden_size": 2},
        ],
    ),
    "trimming": Case(
        axes={"trim_below": [0.0, 0.02], "clip_above": [0.05, np.inf]},
        settings=[
            {"trim_below": 0.01, "clip_above": 0.05},
            {"trim_below": 0.03},
            {"clip_above": 0.02, "bias": True},
            {"trim_below": 0.05, "clip_above": 0.01},
        ],
    ),
    "clip norm": Case(
        {"bias": True, "batch_norm": True},
        {"clip_norm": [0.05, np.inf]},
        settings=[
            {"clip_norm": 0.2},
            {"clip_norm": 0.05, "alpha": (1.0, 2.0, 3.0)},
            {"clip_norm": 0.1, "optimizer": Adam(), "alpha": 0.001, "l1": 0.01, "freeze": (1,)},
        ],
    ),
    "measured": Case(
        {
            "measure": (
                *("gradient_norm", "update_norm", "weight_norm", "largest_weight"),
                *("gradient_cosine", "direction_changes", "saturated", "dead"),
                fastgd.Measure(lambda w, g, change: exp(w) * g - change, "mean", "own"),
            ),
            "measure_every": 4,
            "bias": True,
            "optimizer": Momentum(),
        },
        settings=[
            {"measure": MEASURES, "measure_every": 1},
            {"measure": MEASURES, "measure_layers": True, "bias": True, "batch_norm": True, **EVEN},
            {"measure": MEASURES, "measure_every": 3, "batch_size": 4, "l1": 0.01},
            {"measure": MEASURES, "clip_norm": 0.05, "freeze": (1,)},
        ],
    ),
    "measured layers": Case(
        {"measure": MEASURES, "measure_layers": True, "batch_norm": True, "activation": "tanh"},
        settings=[
            {"measure": MEASURES, "measure_layers": True, "batch_norm": True, **EVEN},
        ],
    ),
    "sharpness": Case(
        {"measure": ("sharpness", "weight_norm"), "bias": True, "activation": "tanh"},
        {"l2": [0.0, 0.1]},
        settings=[
            {"measure": "sharpness", "measure_layers": True, "activation": "softplus"},
            {"measure": "sharpness", "batch_size": 4, "dropout": 0.2, "freeze": (0,), "bias": True},
        ],
    ),
    "stopped": Case(
        {
            "measure": ("gradient_norm", "largest_weight"),
            "measure_every": 2,
            "stop": "gradient_norm < 0.05",
        },
        {"tolerance": [0.0, 0.3]},
        settings=[
            {"measure": "gradient_norm", "measure_every": 1, "stop": "gradient_norm < 0.2"},
        ],
    ),
    "max norm": Case(
        {"bias": True},
        {"max_norm": [0.5, np.inf]},
        settings=[
            {"max_norm": 0.7},
            {"max_norm": 0.5, "bias": True, "optimizer": Momentum(), "alpha": 0.1, "dropout": 0.2},
            {"max_norm": 0.6, "freeze": (1,), "clip_norm": 0.1, "dropconnect": 0.2, "l2": 0.1},
            {"max_norm": 0.4, "freeze": [None, np.eye(13, 2) > 0], "hidden_size": 13},
        ],
    ),
    "batch norm": Case(
        {"batch_norm": True, "bias": True},
        settings=[
            {"batch_norm": True, **EVEN},
            {"batch_norm": True, "bias": True, "sample_weight": WEIGHTS, "iterations": 300},
            {"batch_norm": True, "hidden_size": 13, "X": X[:2], "y": Y[:2]},
        ],
    ),
    "batch norm in batches": Case(
        {"batch_norm": True, "batch_size": 3},
        settings=[
            {"batch_norm": True, "batch_size": 4, **EVEN},
            {"batch_norm": True, "batch_size": 3, "bias": True, "iterations": 301},
            {"batch_norm": True, "batch_size": 5, "hidden_size": 13, "shuffle": False, **EVEN},
        ],
    ),
    "nesterov, relu, batch norm": Case(
        {
            "optimizer": Nesterov(),
            "activation": "relu",
            "output": "identity",
            "batch_size": 4,
            "batch_norm": True,
            "dropconnect": 0.1,
            "l2": 0.002,
            "clip_above": 1.0,
        },
        {"tolerance": [0.0, 0.2]},
        settings=[
            {
                "optimizer": Nesterov(),
                "activation": "relu",
                "output": "identity",
                "batch_size": 4,
                "batch_norm": True,
                "dropconnect": 0.1,
                "l2": 0.002,
                "clip_above": 1.0,
                "tolerance": 0.2,
                "alpha": 0.001,
                **EVEN,
            }
        ],
    ),
    "adaptive": Case(
        {"batch_size": 5, "sampling": "adaptive", "sample_weight": EIGHT},
        {"sampling_rate": [0.5, 3.0]},
        settings=[
            {
                "sampling": "adaptive",
                "batch_size": 5,
                "sampling_rate": 3.0,
                "sample_weight": WEIGHTS,
                "iterations": 300,
            },
            {"sampling": "adaptive", "batch_size": 1, "sampling_rate": 0.5, "bias": True},
            {"sampling": "adaptive", "batch_size": 11, "seed": 9, "hidden_size": ()},
            {"sampling": "adaptive", "batch_size": 3, "sampling_rate": 1e3},
        ],
    ),
    "a watched loss": Case(
        {"monitor": "loss", "patience": 9, "loss": "cross_entropy", "reduction": "mean"},
        {"min_delta": [0.0, 0.003]},
        settings=[
            {"monitor": "loss", "patience": 5, "evaluate_every": 2, "iterations": 300},
            {"monitor": "loss", "min_delta": 0.1, "restore_best": True, "l2": 0.01, "summary": 3},
            {"monitor": "loss", "tolerance": 1.5, "record_every": 1},
        ],
    ),
    "endings": Case(
        {"summary": 7},
        {"tolerance": [0.0, 0.28], "patience": [9, None]},
        settings=[
            {"tolerance": 0.13, "summary": 5, "alpha": 0.3, "iterations": 900, "record_every": 100},
            {"tolerance": 0.9, "record_every": 1},
            {"patience": 3, "summary": 4, "alpha": 3.0, "iterations": 900},
            {"patience": 1, "alpha": 5.0, "hidden_size": 1, "iterations": 900},
            {"summary": 7},
            {"summary": 1000, "iterations": 20},
            {"summary": 3, "sample_weight": WEIGHTS, "iterations": 1},
            {
                "tolerance": 0.2,
                "patience": 2,
                "summary": 2,
                "alpha": 2.0,
                "iterations": 600,
                "bias": True,
            },
        ],
    ),
    "everything in epochs": Case(
        {
            "optimizer": Adam(beta2=0.9),
            "activation": "tanh",
            "loss": "cross_entropy",
            "bias": True,
            "sample_weight": EIGHT + 1,
            "batch_size": 3,
            "dropconnect": 0.1,
            "l2": 0.001,
            "trim_below": 1e-4,
            "clip_above": 0.5,
            "batch_norm": True,
            "tolerance": 0.25,
            "summary": 3,
        },
        {"dropout": [0.0, 0.2], "l1": [0.0, 0.01], "patience": [30, None]},
        settings=[
            {
                "optimizer": Adam(),
                "activation": "tanh",
                "bias": True,
                "batch_size": 4,
                "sample_weight": WEIGHTS[:10],
                "dropout": 0.2,
                "dropconnect": 0.1,
                "l1": 0.001,
                "l2": 0.001,
                "trim_below": 1e-4,
                "clip_above": 1.0,
                "batch_norm": batch_norm,
                "summary": 3,
                "patience": 50,
                "alpha": 0.01,
                **EVEN,
            }
            for batch_norm in (False, True)
        ],
    ),
    "everything drawn": Case(
        {
            "optimizer": RMSProp(rho=0.9),
            "activation": "relu",
            "output": "identity",
            "bias": True,
            "batch_size": 3,
            "sampling": "adaptive",
            "sampling_rate": 2.0,
            "dropout": 0.2,
            "l1": 0.001,
            "trim_below": 1e-4,
            "clip_above": 0.5,
            "summary": 4,
        },
        {"tolerance": [0.0, 0.25], "patience": [12, None]},
        settings=[
            {
                "optimizer": RMSProp(epsilon=1e-3),
                "activation": "relu",
                "output": "identity",
                "bias": True,
                "batch_size": 3,
                "sampling": "adaptive",
                "dropout": 0.2,
                "l1": 0.001,
                "clip_above": 0.5,
                "summary": 4,
                "alpha": 0.001,
            }
        ],
    ),
    "gradient noise": Case(
        {"bias": True, "batch_norm": True, "clip_norm": 0.5, "gradient_noise": 0.02},
        {"gradient_noise": [0.0, 0.05], "noise_decay": [0.0, 0.55]},
        settings=[
            {"gradient_noise": 0.01, "bias": True, "iterations": 300},
            {"gradient_noise": 0.1, "seed": 2**32 - 1, "hidden_size": (13, 2)},
            {"gradient_noise": 0.5, "optimizer": Adam(), "alpha": 0.001, "freeze": (1,)},
        ],
    ),
    "input noise": Case(
        {"gradient_noise": 0.01, "noise_decay": 0.55, "bias": True},
        {"input_noise": [0.0, 0.1]},
        settings=[
            {"input_noise": 0.2, "bias": True, "iterations": 300},
            {"input_noise": 0.3, "hidden_size": (), "sample_weight": WEIGHTS},
            {"input_noise": 0.3, "batch_size": 4, "sampling": "adaptive", "dropout": 0.2},
            {"input_noise": 0.3, "batch_size": 4, "batch_norm": True, "noise_decay": 1.0, **EVEN},
        ],
    ),
    "frozen, several": Case(
        {"bias": True, "optimizer": AdamW(weight_decay=0.1)},
        {"freeze": [STAYS, None, (1,)]},
    ),
}
"""The network is the same for all: 8 samples, 3-5-3-2."""


def other(name: str) -> Any:
    """Return the first value on an axis of the cases that is not the option's default."""
    values = [value for case in OPTIONS.values() for value in case.axes.get(name, ())]
    assert values, f"no case in tests/cases.py has an axis of {name}"
    return next(value for value in values if value != DECLARED[name].default)


def with_values(options: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """The options with these values, of which some belong into the optimizer or the schedule."""
    found, rest = dict(options), dict(values)
    for name, default in (("optimizer", GradientDescent()), ("schedule", Constant())):
        holder = rest.pop(name, found.get(name, default))
        if isinstance(holder, Hyperparameters):
            holder = holder._replace(**{n: rest.pop(n) for n in holder._fields if n in rest})
        if not isinstance(holder, Hyperparameters) or holder != default:
            found[name] = holder
    return found | rest


PAIRS = {
    "elu, absolute": Case({"activation": "elu", "output": "softplus", "loss": "absolute"}),
    "gelu, quantile": Case(
        {"activation": "gelu", "output": "identity", "loss": "quantile", "tau": 0.3}
    ),
    "silu, poisson": Case({"activation": "silu", "output": "exp", "loss": "poisson"}),
    "leaky_relu, gaussian": Case(
        {"activation": "leaky_relu", "output": "identity", "loss": "gaussian"}, targets=first
    ),
    "tanh, softmax": Case(
        {"activation": "tanh", "output": "softmax", "loss": "cross_entropy"}, targets=shares
    ),
    "softplus, huber": Case(
        {"activation": "softplus", "output": "identity", "loss": "huber", "delta": 0.4}
    ),
    "functions of one's own": Case(
        {"activation": SWISH, "output": "sigmoid", "loss": CAUCHY, "beta": 2.0, "c": 0.3}
    ),
}
"""Activations with outputs and losses whose value and derivative are compared with others'."""

OBJECTIVES = {
    "objective": {"bias": True, "sample_weight": EIGHT, "l1": 0.01, "l2": 0.02},
    "objective, cross entropy": {"loss": "cross_entropy", "sample_weight": EIGHT},
    "objective, mean": {"reduction": "mean", "bias": True, "sample_weight": EIGHT, "l2": 0.02},
    "objective, tanh cross entropy": {"output": "tanh", "loss": "cross_entropy", "bias": True},
}
"""Options of fastgd.objective, whose samples and network are those of OPTIONS."""

HASHED_PAIRS = ("silu, poisson", "leaky_relu, gaussian", "tanh, softmax")
OBJECTIVES |= {f"objective, {name}": PAIRS[name].options for name in HASHED_PAIRS}


@dataclass(frozen=True)
class Parted:
    """How the samples are divided among runs, what is held out, and options beside."""

    options: dict[str, Any] = field(default_factory=dict)
    axes: dict[str, list[Any]] = field(default_factory=dict)
    groups: Any = None
    folds: int | None = None
    sample_weight: Any = None
    holds_out: bool = False
    """Other samples than these are held out of all runs."""

    has_gradients: bool = False
    """Derivatives of the targets are learned, too, but for some that are unknown."""

    resumed: int = 0
    """After so many iterations the runs are taken up again from their state."""


LABELS = np.array(list("abacabacdbaabacabadc"))
DRAWS = np.array([[1, 0, 2, 1] * 5, [0, 1, 1, 3] * 5, np.linspace(0, 2, 20)])

PARTED = {
    "folds": Parted(folds=3),
    "folds, mean": Parted({"reduction": "mean"}, folds=3, sample_weight=np.linspace(1, 2, 20)),
    "folds, dropout": Parted({"dropout": 0.3}, folds=3),
    "groups": Parted({"bias": True}, groups=LABELS),
    "groups in batches": Parted({"batch_size": 2, "sampling": "adaptive"}, groups=LABELS),
    "folds of groups": Parted(folds=2, groups=LABELS, sample_weight=np.linspace(1, 2, 20)),
    "weightings in batches": Parted({"batch_size": 8}, sample_weight=DRAWS),
    "held out, the best restored": Parted(
        {"activation": "tanh", "batch_norm": True, "restore_best": True, "evaluate_every": 3},
        {"patience": [10, 1000]},
        holds_out=True,
    ),
    "taken up again": Parted(
        {"optimizer": Adam(), "bias": True, "batch_size": 3, "dropout": 0.2, "summary": 5},
        {"tolerance": [0.0, 0.25]},
        folds=2,
        resumed=70,
    ),
    "derivatives": Parted(
        {"activation": "tanh", "optimizer": Adam(), "bias": True, "l2": 0.01},
        {"gradient_weight": [0.0, 0.5, 2.0]},
        folds=3,
        has_gradients=True,
    ),
    "derivatives in batches": Parted(
        {"activation": "softplus", "batch_size": 2, "reduction": "mean", "gradient_weight": 1.0},
        groups=LABELS,
        has_gradients=True,
        resumed=70,
    ),
}
"""The network is the one of OPTIONS; of 20 samples."""

LOSSES = {
    f"losses, {name}": name
    for name in (
        *("plain", "tanh cross entropy", "penalties", "mean in batches", "endings"),
        *("folds, mean", "held out, the best restored", "derivatives"),
    )
}
"""Recorded losses of cases above, which have hashes of their own."""

OPTIMIZERS = (
    "plain",
    "momentum",
    "nesterov",
    "adagrad",
    "adadelta",
    "rmsprop",
    "adam",
    "adamw",
    "rprop",
    "amsgrad",
)
KINDS = tuple(
    name
    for name, case in OPTIONS.items()
    if set(case.options) <= {"activation", "output", "loss", "bias"} and not case.axes
)
"""Activations, outputs and losses."""

EVERYTHING = tuple(name for name in OPTIONS if name.startswith("everything"))
TOGETHER = ("identity, cross entropy", "nesterov, relu, batch norm", "mean in batches")
"""Options of which other cases have each: kernels that only the slow tests need."""

TABLE = "elementary functions"
"""The case of the values of all elementary functions."""

HASHED = (*NETWORKS, *OPTIONS, *OBJECTIVES, *PARTED, *LOSSES, TABLE)
"""What golden.json has a hash of."""

QUICK = (*NETWORKS, *EVERYTHING, "objective, cross entropy", "folds of groups", "taken up again")
"""Few kernels, all of the kernel's code."""

COMPILED = {
    "plain": {},
    "Adam, tanh, identity": {"optimizer": Adam(), "activation": "tanh", "output": "identity"},
    "dropout": {"dropout": 0.5},
    "batch norm": {"batch_norm": True},
    "mini-batches": {"batch_size": 2},
    "AdaDelta, relu, bias, dropout, batch norm, L2": {
        "optimizer": AdaDelta(),
        "activation": "relu",
        "bias": True,
        "dropout": 0.5,
        "batch_norm": True,
        "l2": 0.01,
    },
}
"""Options whose kernel bench compiles with an empty cache; a twin of each is compared, too."""
