"""The one table of what is trained in tests and in bench: networks, and options with their values.

Golden hashes (golden.py), twins (training/test_methods.py), rows of sweeps
(training/test_sweeps.py), what can be typed (cli/test_cli_methods.py) and bench/option_rows.py read
it.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastgd.optimizers import AdaDelta, AdaGrad, Adam, Momentum, Nesterov, RMSProp

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


@dataclass(frozen=True)
class Case:
    """Options of a training, and what is asked of it."""

    options: dict[str, Any] = field(default_factory=dict)
    axes: dict[str, list[Any]] = field(default_factory=dict)
    """Values of a sweep over numbers, which compile nothing: any row of it is that run alone."""


OPTIONS = {
    "momentum": Case({"optimizer": Momentum()}, {"mu": [0.0, 0.9]}),
    "nesterov": Case({"optimizer": Nesterov()}, {"mu": [0.0, 0.9]}),
    "adagrad": Case({"optimizer": AdaGrad()}, {"epsilon": [1e-10, 1e-3]}),
    "adadelta": Case({"optimizer": AdaDelta()}, {"rho": [0.5, 0.9]}),
    "rmsprop": Case({"optimizer": RMSProp()}, {"rho": [0.5, 0.99]}),
    "adam": Case({"optimizer": Adam()}, {"beta1": [0.0, 0.9]}),
    "tanh, identity": Case({"activation": "tanh", "output": "identity"}),
    "relu, tanh": Case({"activation": "relu", "output": "tanh", "bias": True}),
    "identity, cross entropy": Case({"activation": "identity", "loss": "cross_entropy"}),
    "tanh cross entropy": Case({"output": "tanh", "loss": "cross_entropy"}),
    "bias": Case({"bias": True}),
    "sample weight": Case({"sample_weight": EIGHT}),
    "batches": Case({"batch_size": 3, "shuffle_seed": 5}),
    "batches in order": Case({"batch_size": 5, "shuffle": False}),
    "dropout": Case(axes={"dropout": [0.0, 0.4]}),
    "dropconnect": Case({"bias": True}, {"dropconnect": [0.0, 0.4]}),
    "penalties": Case({"bias": True}, {"l1": [0.0, 0.01], "l2": [0.0, 0.02]}),
    "trimming": Case(axes={"trim_below": [0.0, 0.02], "clip_above": [0.05, np.inf]}),
    "batch norm": Case({"batch_norm": True, "bias": True}),
    "adaptive": Case(
        {"batch_size": 5, "sampling": "adaptive", "sample_weight": EIGHT},
        {"sampling_rate": [0.5, 3.0]},
    ),
    "endings": Case({"summary": 7}, {"tolerance": [0.0, 0.28], "patience": [9, None]}),
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
    ),
}
"""The network is the same for all: 8 samples, 3-5-3-2."""

OBJECTIVES = {
    "objective": {"bias": True, "sample_weight": EIGHT, "l1": 0.01, "l2": 0.02},
    "objective, cross entropy": {"loss": "cross_entropy", "sample_weight": EIGHT},
    "objective, tanh cross entropy": {"output": "tanh", "loss": "cross_entropy", "bias": True},
}
"""Options of fastgd.objective."""

EVERYTHING = tuple(name for name in OPTIONS if name.startswith("everything"))
HASHED = (*NETWORKS, *OPTIONS, *OBJECTIVES)
"""What golden.json has a hash of."""

QUICK = (*NETWORKS, *EVERYTHING, "objective, cross entropy")
"""Few kernels, all of the kernel's code."""
