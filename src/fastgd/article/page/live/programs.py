"""The kernels of the live page as WebAssembly, each with an image that fits every network on it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastgd.arguments.options import Method
from fastgd.arguments.samples import TrainingData
from fastgd.engine.network import network_of
from fastgd.engine.plan import Plan
from fastgd.engine.training_image import WEBASSEMBLY, TrainingImage
from fastgd.optimizers import FIRST_ORDER, GradientDescent, Optimizer

SAMPLES, INPUTS, UNITS = 64, 8, 32
"""The most samples, inputs and hidden units of a network on the page."""

RECORDS = 601
"""The most recorded errors of a training."""

BASE = 65_536
"""Address of an image."""

RATES = [k / 20 for k in range(1, 19)]
"""Dropout rates of the page."""

MODULES = {"relaxed": "wasm32-relaxed", "exact": "wasm32"}
"""Targets, by the names of their modules on the page."""

XOR = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
"""The article's samples."""


@dataclass(frozen=True)
class Program:
    """A kernel of the page: an optimizer, with dropout or without, and a number of layers.

    With ``fixed`` it is the code for the article's own network only, which is faster.
    """

    optimizer: type[Optimizer]
    dropout: bool = False
    layers: int = 2
    fixed: bool = False

    @property
    def name(self) -> str:
        """By which the page finds it."""
        name = f"{self.optimizer.__name__}.{self.layers}{'.dropout' * self.dropout}"
        return name + ".article" * self.fixed

    @property
    def code(self) -> str:
        """Name of its modules, which serve any number of layers."""
        name = f"{self.optimizer.__name__}{'.dropout' * self.dropout}"
        return name + ".article" * self.fixed

    def image(self) -> TrainingImage:
        """The image of its largest network."""
        if self.fixed:
            X, y = np.array(XOR[0], float), np.array(XOR[1], float)
            hidden: tuple[int, ...] = (4,)
        else:
            X, y = np.zeros((SAMPLES, INPUTS + 1)), np.zeros(SAMPLES)  # with room for biases
            hidden = (UNITS + 1,) if self.layers == 2 else ()
        task = TrainingData.check(X, y, RECORDS, 1)
        dropout = RATES[0] if self.dropout else 0.0
        method = Method(optimizer=self.optimizer(), dropout=dropout)
        network = network_of(method, task.X, task.y, hidden)
        alpha = np.ones((1, network.layers))
        plan = Plan.make(task, network, method, alpha, {}, 1, 1, machine=WEBASSEMBLY)
        return TrainingImage.of(plan, np.zeros((1, network.parameters)), np.array([1]), BASE)

    def facts(self, made: TrainingImage) -> dict[str, Any]:
        """What the page must know of it, besides its bytes."""
        recipe, shapes = made.image.call.recipe, made.image.call.shapes
        dropout = recipe.features.dropout
        return {
            "code": self.code,
            "base": BASE,
            "bytes": len(made.image.memory),
            "wide": shapes.wide.units,
            "fields": {
                name: {"offset": field.offset, "length": int(np.prod(field.shape))}
                for name, field in made.fields.items()
            },
            "dropout": dropout and dropout.places,
            "rates": {
                f"{rate:g}": {"threshold": int(rate * 2.0**32), "factor": 1 / (1 - rate)}
                for rate in RATES
            },
        }


def all_programs() -> Iterator[Program]:
    """Yield all programs of the page."""
    yield Program(GradientDescent, fixed=True)
    for optimizer in FIRST_ORDER:
        yield Program(optimizer)
        yield Program(optimizer, dropout=True)
        yield Program(optimizer, layers=1)  # without hidden units, of which dropout leaves some out
