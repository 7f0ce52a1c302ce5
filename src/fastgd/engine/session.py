"""The one place where a network, a method and samples become a call of the kernel."""

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.options import Method
from fastgd.engine.layout import Layout, pad, up
from fastgd.engine.lowering import base_values, recipe_of
from fastgd.engine.network import Network
from fastgd.kernel.block import Schedule
from fastgd.kernel.calls import train_blocks
from fastgd.kernel.lanes import ROWS

PREDICT_SAMPLES = 4096
"""Samples that go through the network at a time."""


def outputs(
    network: Network, method: Method, row: NDArray[np.float64], X: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Outputs (samples, outputs) of the network whose parameters are ``row``."""
    result = np.empty((len(X), network.sizes[-1]))
    for start in range(0, len(X), PREDICT_SAMPLES):
        part = X[start : start + PREDICT_SAMPLES]
        result[start : start + len(part)] = _evaluate(network, method, row, part)
    return result


def _evaluate(
    network: Network, method: Method, row: NDArray[np.float64], X: NDArray[np.float64]
) -> NDArray[np.float64]:
    group = up(len(X), ROWS)
    layout = Layout(network, 1, len(X), group, recipe_of(method, {}), method.batch_size or 0)
    outputs = network.sizes[-1]
    data = pad(X, np.zeros((len(X), outputs)), bias=network.bias)
    block = layout.allocate(1, records=0)
    layout.load(block, row[None], np.ones((1, network.layers)), base_values(method)[None])
    schedule = schedule_of(layout, iterations=0, values=float(len(X) * outputs))
    train_blocks(layout.shapes, layout.recipe, data, layout.table, block, schedule, threads=1)
    return layout.values_of(block, network.layers - 1)[: len(X)]


def schedule_of(layout: Layout, iterations: int, values: float) -> Schedule:
    """Iteration 0 alone; with ``iterations=0`` it only measures."""
    return Schedule(
        first=0,
        last=1,
        iterations=iterations,
        record_every=1,
        group=layout.group,
        values=values,
        samples=layout.samples,
        batch=layout.batch or layout.samples,
        epoch=1,
        window=1,
        kept=layout.kept,
        shuffle=0,
        shuffle_seed=0,
    )
