"""The data of a sweep's runs, from which a single run can be trained again."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastgd.arguments.data import FloatArray, NetworkParts
from fastgd.arguments.options import Method
from fastgd.arguments.partition import Part
from fastgd.arguments.validation import Validation
from fastgd.arguments.warnings import TrainingWarning
from fastgd.training.results import Run
from fastgd.training.train import train


@dataclass(frozen=True, eq=False)
class TrainingSource:
    """What all runs of a sweep share in addition to the options; checked, not written to files."""

    X: FloatArray
    y: FloatArray
    iterations: int
    record_every: int
    validation: Validation | None = None
    weights: NetworkParts | None = None
    """The initial weights, if they were given and are not an axis."""
    seed: int = 1
    """Seed of all else that is random in a run with given initial weights."""
    record_weights: bool = False

    def arguments(self, part: Part | None) -> dict[str, Any]:
        """The samples of a run as arguments of :func:`fastgd.train`: a subset, or all."""
        found: dict[str, Any] = {"X": self.X, "y": self.y}
        held = self.validation
        if part is not None:
            found = {"X": self.X[part.rows], "y": self.y[part.rows]}
            if part.weight is not None:
                found["sample_weight"] = part.weight
            if part.held is not None:
                held = Validation(self.X[part.held], self.y[part.held], part.held_weight)
        if held:
            found["validation"] = held[: 2 if held.weight is None else 3]
        return found

    def train(
        self,
        hidden: tuple[int, ...],
        method: Method,
        part: Part | None,
        values: Mapping[str, Any],
    ) -> Run:
        """Train a run with these values on a subset, without repeating the sweep's warnings."""
        start = values.get("weights", self.weights)
        seed = values["seed"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TrainingWarning)
            return train(
                hidden_size=hidden,
                alpha=values["alpha"],
                iterations=self.iterations,
                record_every=self.record_every,
                seed=self.seed if seed is None else seed,
                weights=start,
                record_weights=self.record_weights,
                **method.given | self.arguments(part),
            )
