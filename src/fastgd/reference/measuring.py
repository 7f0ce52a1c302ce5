"""What is measured of each update, from all parameters and derivatives as arrays."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.linalg import norm
from numpy.typing import NDArray

from fastgd.arguments.options import Method
from fastgd.arguments.samples import TrainingData
from fastgd.checks.numbers import FloatArray
from fastgd.formulas.measures import SHARPNESS, Measure, needs_last
from fastgd.reference.formulas import value_and_derivatives
from fastgd.reference.output import Output, Units
from fastgd.reference.perceptron import Perceptron
from fastgd.reference.sampling import Batch, Epochs
from fastgd.training.run import Run

_RANGES: dict[Any, tuple[float, float]] = {
    "sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
}

_NAMED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "gradient_norm": lambda own: norm(own["g"]),
    "update_norm": lambda own: norm(own["change"]),
    "weight_norm": lambda own: norm(own["w"]),
    "largest_weight": lambda own: np.max(np.abs(own["w"])),
    "gradient_cosine": lambda own: own["g"] @ own["last"] / (norm(own["g"]) * norm(own["last"])),
    "direction_changes": lambda own: own["direction_changes"].sum(),
    "saturated": lambda own: np.mean(own["saturated"]) if own["saturated"].size else np.nan,
    "dead": lambda own: np.mean(own["dead"]) if own["dead"].size else np.nan,
    SHARPNESS: lambda own: max(np.linalg.eigvalsh(own["hessian"]), default=0.0),
}

_PLAIN = {"batch_size": None, "sampling": "epochs", "dropout": 0.0, "dropconnect": 0.0}
_PLAIN |= {"input_noise": 0.0, "trim_below": 0.0, "clip_above": np.inf}
"""With these options derivatives are those of the whole loss."""


class Measuring:
    """The quantities that ``measure`` asks for, and the condition at which the run stops.

    Attributes
    ----------
    numbers : (measurements, layers or 1, quantities) array or None
        NaN for updates that the training did not make.
    last : (P,) array or None
        Minus the derivatives in the iteration before the next measured one, if these are needed.
    stops : bool
        Whether the condition holds for what the last update measured.
    """

    def __init__(self, method: Method, task: TrainingData, perceptron: Perceptron) -> None:
        self._method, self._perceptron, self._task = method, perceptron, task
        self._every = method.measure_every or task.record_every
        network, layers = perceptron.network, np.arange(perceptron.network.layers)
        # The layer of each parameter, or -1 for running statistics.
        of_row = np.repeat(layers, [np.prod(shape) for shape in network.matrices])
        of_row = np.where(perceptron.gathered(lambda _: 1.0) > 0, of_row, -1)
        parts = layers[:, None] if method.measure_layers else layers[None]
        self._parts = [(part, np.isin(of_row, part)) for part in parts]
        shape = -(-task.iterations // self._every), len(parts), len(method.measure or ())
        self.numbers = np.full(shape, np.nan) if method.measure else None
        self.last = np.zeros(network.parameters) if needs_last(method.measure) else None
        self.stops = False

    def join(self, run: Run, steps: FloatArray) -> FloatArray:
        """Take over what a resumed run has; ``steps`` (S, P), returns those of the optimizer."""
        if self.numbers is not None and run.measurements is not None:
            self.numbers[: len(run.measurements)] = run.measurements
        if self.last is None:
            return steps
        self.last = steps[-1].copy()
        return steps[:-1]

    def begin(self, batch: Batch) -> None:
        """Note what parameters, derivatives and the values of this batch are before an update."""
        if self.numbers is not None:
            self._w = self._perceptron.row
            self._g = self._perceptron.gathered(lambda p: np.where(p.frozen, 0.0, p.g))
            self._counts = np.ones(1) if batch.weights is None else batch.weights.ravel()

    def end(self, j: int) -> None:
        """Measure update j, if that is due."""
        self.stops = False
        if self.numbers is None:
            return
        if j % self._every == 0:
            changes = np.zeros(len(self._w))
            counted = self._perceptron.network.counted
            changes[counted] = self._perceptron.changes[counted]
            rows = {"w": self._w, "g": self._g, "change": self._perceptron.row - self._w}
            rows |= {"direction_changes": changes}
            if self.last is not None:
                rows["last"] = self.last
            hessian = self._hessian() if SHARPNESS in self._method.measure else None
            for k, (layers, is_own) in enumerate(self._parts):
                own: dict[str, Any] = {name: row[is_own] for name, row in rows.items()}
                shares = zip(*map(self._shares, layers), strict=True)
                own["saturated"], own["dead"] = map(np.hstack, shares)
                if hessian is not None:
                    learns = is_own & np.isfinite(hessian[0])
                    own["hessian"] = hessian[learns][:, learns]
                found = [_measured(measure, own) for measure in self._method.measure]
                self.numbers[j // self._every, k] = found
            self.stops = self._holds(j)
        if self.last is not None:
            self.last = self._g

    def _hessian(self) -> FloatArray:
        """The Hessian of the whole loss, by differences of gradients; NaN where frozen."""
        X, y = self._task.X, self._task.y
        method, network = self._method.at(_PLAIN), self._perceptron.network
        slopes = []
        for w in self._w + 1e-5 * np.vstack([np.eye(len(self._w)), -np.eye(len(self._w))]):
            there = Perceptron(network, method, w, np.zeros(network.layers))
            there.propagate(X, y, Epochs(len(X), method).batch(0))
            slopes.append(there.gathered(lambda p: np.where(p.frozen, np.nan, -p.g)))
        ahead, behind = np.split(np.array(slopes), 2)
        hessian: FloatArray = (ahead - behind) / 2e-5
        return (hessian + hessian.T) / 2

    def _shares(self, k: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether each of a layer's values is saturated, and whether each hidden unit is dead."""
        method, z = self._method, self._perceptron.layers[k].z
        counts = np.broadcast_to(self._counts > 0, len(z))
        dead = np.zeros(0, np.bool_)
        if k == len(self._perceptron.layers) - 1:
            v, unit = Output(method).values(z), method.output
        else:
            v, slope = Units(method, "activation").at(z)
            dead, unit = ~(slope[counts] != 0).any(axis=0), method.activation
        if unit not in _RANGES:
            return np.zeros(0, np.bool_), dead
        low, high = _RANGES[unit]
        near = np.minimum(v - low, high - v)[counts] <= 0.01 * (high - low)
        return near.ravel(), dead

    def _holds(self, j: int) -> bool:
        if self._method.stop is None or self.numbers is None:
            return False
        sign = "<" if "<" in self._method.stop else ">"
        name, limit = self._method.stop.rsplit(sign, 1)
        names = [one if isinstance(one, str) else one.name for one in self._method.measure]
        value = self.numbers[j // self._every, 0, names.index(name.strip())]
        return bool(value < float(limit) if sign == "<" else value > float(limit))


def _measured(measure: str | Measure, own: dict[str, Any]) -> float:
    """A quantity of some parameters."""
    if isinstance(measure, str):
        return float(_NAMED[measure](own))
    reductions: dict[str, Any] = {"sum": np.sum, "max": np.max, "mean": np.mean}
    values = value_and_derivatives(measure, *(own[name] for name in measure.variables))[0]
    return float(reductions[measure.reduce](values))
