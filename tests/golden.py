"""Hashes of trained networks; `python tests/golden.py RUNS THREADS [CASE ...]` prints them as JSON.

Run by itself so that it can be told another processor (NUMBA_CPU_NAME) than the tests run on.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

from fastgd.arguments.options import Method
from fastgd.engine.network import Network, first_weights, flatten, layer_sizes
from fastgd.engine.plan import Plan, Task
from fastgd.optimizers import AdaDelta, AdaGrad, Adam, Momentum, Nesterov, RMSProp

GOLDEN = Path(__file__).with_name("golden.json")

# samples, inputs, hidden_size, outputs, iterations
CASES = {
    "article, hidden 4": (4, 3, (4,), 1, 400),
    "article, hidden 32": (4, 3, (32,), 1, 100),
    "no hidden layer": (5, 2, (), 1, 300),
    "one of everything": (1, 1, (1,), 1, 300),
    "deep and odd": (7, 3, (5, 3), 2, 200),
    "several groups of samples": (41, 6, (9, 17), 3, 60),
    "a page between samples": (18, 5, (64,), 2, 20),
}
# Options and axes of values; the network is the same for all: 8 samples, 3-5-3-2.
OPTIONS = {
    "momentum": ({"optimizer": Momentum()}, {"mu": [0.0, 0.9]}),
    "nesterov": ({"optimizer": Nesterov()}, {"mu": [0.0, 0.9]}),
    "adagrad": ({"optimizer": AdaGrad()}, {"epsilon": [1e-10, 1e-3]}),
    "adadelta": ({"optimizer": AdaDelta()}, {"rho": [0.5, 0.9]}),
    "rmsprop": ({"optimizer": RMSProp()}, {"rho": [0.5, 0.99]}),
    "adam": ({"optimizer": Adam()}, {"beta1": [0.0, 0.9]}),
    "tanh, identity": ({"activation": "tanh", "output": "identity"}, {}),
    "relu, tanh": ({"activation": "relu", "output": "tanh", "bias": True}, {}),
    "identity, cross entropy": ({"activation": "identity", "loss": "cross_entropy"}, {}),
    "tanh cross entropy": ({"output": "tanh", "loss": "cross_entropy"}, {}),
    "bias": ({"bias": True}, {}),
    "sample weight": ({"sample_weight": np.arange(8.0)}, {}),
    "batches": ({"batch_size": 3, "shuffle_seed": 5}, {}),
    "batches in order": ({"batch_size": 5, "shuffle": False}, {}),
    "dropout": ({}, {"dropout": [0.0, 0.4]}),
    "dropconnect": ({"bias": True}, {"dropconnect": [0.0, 0.4]}),
    "penalties": ({"bias": True}, {"l1": [0.0, 0.01], "l2": [0.0, 0.02]}),
    "trimming": ({}, {"trim_below": [0.0, 0.02], "clip_above": [0.05, np.inf]}),
    "batch norm": ({"batch_norm": True, "bias": True}, {}),
    "adaptive": (
        {"batch_size": 5, "sampling": "adaptive", "sample_weight": np.arange(8.0)},
        {"sampling_rate": [0.5, 3.0]},
    ),
    "endings": ({"summary": 7}, {"tolerance": [0.0, 0.28], "patience": [9, None]}),
    "everything in epochs": (
        {
            "optimizer": Adam(beta2=0.9),
            "activation": "tanh",
            "loss": "cross_entropy",
            "bias": True,
            "sample_weight": np.arange(1.0, 9.0),
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
    "everything drawn": (
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
ALPHAS = (0.01, 1.0, 10.0, 1000.0)
SEEDS = range(5)


def problem(case: str) -> tuple[Task, Network, Method, dict[str, list[float | None]]]:
    """The case's samples and counts, its network, options and axes of values."""
    if case in OPTIONS:
        random = np.random.RandomState(8)
        task = Task.check(random.random_sample((8, 3)), random.random_sample((8, 2)), 150, 7)
        given, values = OPTIONS[case]
        method = Method(**given)
        return task, Network((3, 5, 3, 2), method.bias, method.batch_norm), method, values
    samples, inputs, hidden, outputs, iterations = CASES[case]
    random = np.random.RandomState(samples)
    X, y = random.random_sample((samples, inputs)), random.random_sample((samples, outputs))
    if case.startswith("article"):
        X = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
        y = np.array([0, 1, 1, 0])
    task = Task.check(X, y, iterations, 7)
    return task, Network(layer_sizes(inputs, hidden, outputs)), Method(), {}


def plan(case: str, runs: int, threads: int = 1) -> tuple[Plan, np.ndarray]:
    """The case with so many runs side by side: its plan and first parameters."""
    task, network, method, values = problem(case)
    first = np.array([flatten(first_weights(network.sizes, seed)) for seed in SEEDS])
    alpha = np.repeat(np.array(ALPHAS)[:, None], network.layers, axis=1)
    work = Plan.make(task, network, method, alpha, values, len(SEEDS), threads, runs)
    return work, network.rows(first)


def digest(case: str, runs: int, threads: int = 1) -> str:
    """SHA-256 over errors, weights, direction changes and how each of its runs ended."""
    work, first = plan(case, runs, threads)
    seeds = np.array(SEEDS, dtype=float)
    trained = work.run(first, seeds, keep_weights=True, advance=lambda _iterations: None)
    errors = np.column_stack([trained.errors, trained.final_error])
    ended = np.where(trained.outcome == 0, -1, trained.iterations)
    arrays = [errors, trained.weights, trained.changes, ended]
    if case in OPTIONS:
        arrays += [trained.outcome, trained.watch]
    # A NaN is a NaN: which one, IEEE leaves to the processor.
    for array in arrays:
        array[array != array] = np.nan if array.dtype == float else 0
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


def main(runs: str, threads: str, *cases: str) -> None:
    """Print the hashes of these cases, or of all."""
    chosen = cases or (*CASES, *OPTIONS)
    hashes = {case: digest(case, int(runs), int(threads)) for case in chosen}
    json.dump(hashes, sys.stdout, indent=4)


if __name__ == "__main__":
    main(*sys.argv[1:])
