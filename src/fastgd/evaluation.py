"""A network's values for given samples, from the kernel that trains it."""

import numpy as np
from numpy.typing import NDArray

from fastgd.kernel.block import Schedule
from fastgd.kernel.lanes import ROWS
from fastgd.kernel.parallel import train_blocks
from fastgd.layout import Layout, pad, up
from fastgd.network import Network
from fastgd.options import Method
from fastgd.recipes import base_values, recipe_of


def evaluate(
    network: Network, method: Method, row: NDArray[np.float64], X: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Outputs (samples, outputs) of the network whose parameters are ``row``."""
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
