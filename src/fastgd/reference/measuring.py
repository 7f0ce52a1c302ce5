"""What is measured of each update, from all parameters and derivatives as arrays."""

from typing import Any

import numpy as np

from fastgd.arguments.options import Method
from fastgd.arguments.samples import TrainingData
from fastgd.checks.numbers import FloatArray
from fastgd.formulas.measures import SHARPNESS, Measure, needs_last
from fastgd.reference.formulas import value_and_derivatives
from fastgd.reference.layer import Layer
from fastgd.reference.output import Output, Units
from fastgd.reference.parameter import Parameter
from fastgd.reference.perceptron import Perceptron
from fastgd.reference.sampling import Batch, Epochs
from fastgd.training.run import Run

_RANGES: dict[Any, tuple[float, float]] = {
    "sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
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
        count, layers = -(-task.iterations // self._every), perceptron.network.layers
        shape = count, layers if method.measure_layers else 1, len(method.measure or ())
        self.numbers = np.full(shape, np.nan) if method.measure else None
        self.last = np.zeros(perceptron.network.parameters) if needs_last(method.measure) else None
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
            self._row = self._perceptron.row
            self._before = [p.value.copy() for p in self._perceptron.parameters]
            self._g = [np.where(p.frozen, 0.0, p.g) for p in self._perceptron.parameters]
            self._counts = np.ones(1) if batch.weights is None else batch.weights.ravel() > 0

    def end(self, j: int) -> None:
        """Measure update j, if that is due."""
        self.stops = False
        if self.numbers is None:
            return
        if j % self._every == 0:
            each = [
                self._arrays(layer.parameters) | self._shares(k) | _changes(layer)
                for k, layer in enumerate(self._perceptron.layers)
            ]
            if not self._method.measure_layers:
                each = [{name: np.hstack([one[name] for one in each]) for name in each[0]}]
            measures = self._method.measure
            self.numbers[j // self._every] = [
                [_measured(measure, arrays) for measure in measures] for arrays in each
            ]
            if SHARPNESS in measures:
                self.numbers[j // self._every, :, measures.index(SHARPNESS)] = self._sharpness()
            self.stops = self._holds(j)
        if self.last is not None:
            parameters = self._perceptron.parameters
            known = {id(p): g for p, g in zip(parameters, self._g, strict=True)}
            self.last = self._perceptron.gathered(lambda parameter: known[id(parameter)])

    def _sharpness(self) -> list[float]:
        """The largest eigenvalues of the Hessian, or of its blocks, by differences of gradients."""
        X, y = self._task.X, self._task.y
        method, network = self._method.at(_PLAIN), self._perceptron.network
        alphas = np.zeros(network.layers)
        slopes = []
        for w in self._row + 1e-5 * np.vstack([np.eye(len(self._row)), -np.eye(len(self._row))]):
            there = Perceptron(network, method, w, alphas)
            there.propagate(X, y, Epochs(len(X), method).batch(0))
            slopes.append(there.gathered(lambda p: np.where(p.frozen, np.nan, -p.g)))
        ahead, behind = np.split(np.array(slopes), 2)
        hessian = (ahead - behind) / 2e-5
        layers = np.repeat(np.arange(len(alphas)), [np.prod(shape) for shape in network.matrices])
        found = []
        for k in range(network.layers if self._method.measure_layers else 1):
            own = np.isfinite(hessian[0]) & ((layers == k) | (not self._method.measure_layers))
            block = hessian[own][:, own]
            found.append(max(np.linalg.eigvalsh((block + block.T) / 2), default=0.0))
        return found

    def _arrays(self, parameters: list[Parameter]) -> dict[str, FloatArray]:
        """The variables of measures, of these parameters, each flat."""
        own = [
            k for k, p in enumerate(self._perceptron.parameters) if any(p is q for q in parameters)
        ]
        new = [parameter.value.ravel() for parameter in parameters]
        found = {
            "w": np.hstack([self._before[k].ravel() for k in own]),
            "g": np.hstack([self._g[k].ravel() for k in own]),
        }
        found["change"] = np.hstack(new) - found["w"]
        if self.last is not None:
            pairs = self._perceptron.pairs(self.last)
            last = [numbers.ravel() for p, numbers in pairs if any(p is q for q in parameters)]
            found["last"] = np.hstack(last)
        return found

    def _shares(self, k: int) -> dict[str, FloatArray]:
        """Of a layer's values and units: whether they are saturated, and dead."""
        method, z = self._method, self._perceptron.layers[k].z
        is_output = k == len(self._perceptron.layers) - 1
        counts = np.broadcast_to(self._counts > 0, len(z))
        if is_output:
            v, dead = Output(method).values(z), np.empty(0)
        else:
            v, slope = Units(method, "activation").at(z)
            dead = ~(slope[counts] != 0).any(axis=0)
        low, high = _RANGES.get(method.output if is_output else method.activation, (0, np.inf))
        near = np.minimum(v - low, high - v)[counts] <= 0.01 * (high - low)
        values: Any = near.ravel() if high < np.inf else []
        return {"near": np.array(values, np.float64), "dead": np.array(dead, np.float64)}

    def _holds(self, j: int) -> bool:
        if self._method.stop is None or self.numbers is None:
            return False
        sign = "<" if "<" in self._method.stop else ">"
        name, limit = self._method.stop.rsplit(sign, 1)
        names = [one if isinstance(one, str) else one.name for one in self._method.measure]
        value = self.numbers[j // self._every, 0, names.index(name.strip())]
        return bool(value < float(limit) if sign == "<" else value > float(limit))


def _changes(layer: Layer) -> dict[str, FloatArray]:
    """Direction changes of a layer's weights and biases."""
    counted = [layer.weights, *([layer.bias] if layer.bias else [])]
    return {"changes": np.hstack([one.direction_changes.ravel() for one in counted])}


def _measured(measure: str | Measure, arrays: dict[str, Any]) -> float:
    """A quantity of some parameters."""
    w, g, change = arrays["w"], arrays["g"], arrays["change"]
    match measure:
        case "gradient_norm":
            return float(np.linalg.norm(g))
        case "update_norm":
            return float(np.linalg.norm(change))
        case "weight_norm":
            return float(np.linalg.norm(w))
        case "largest_weight":
            return float(np.max(np.abs(w)))
        case "gradient_cosine":
            last = arrays["last"]
            return float(g @ last / (np.linalg.norm(g) * np.linalg.norm(last)))
        case "direction_changes":
            return float(arrays["changes"].sum())
        case "saturated":
            return float(arrays["near"].mean()) if arrays["near"].size else np.nan
        case "dead":
            return float(arrays["dead"].mean()) if arrays["dead"].size else np.nan
        case "sharpness":
            return np.nan  # no sum over these arrays
    assert isinstance(measure, Measure)
    own = [arrays[name] for name in measure.variables]
    reductions: dict[str, Any] = {"sum": np.sum, "max": np.max, "mean": np.mean}
    reduced = reductions[measure.reduce]
    return float(reduced(value_and_derivatives(measure, *own)[0]))
