"""Hashes of trained networks; `python tests/golden.py RUNS [THREADS]` prints them as JSON.

Run by itself so that it can be told another processor (NUMBA_CPU_NAME) than the tests run on.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

from fastgd.network import Network, first_weights, flatten, layer_sizes
from fastgd.options import Method
from fastgd.plan import Plan, Task

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
ALPHAS = (0.01, 1.0, 10.0, 1000.0)
SEEDS = range(5)


def plan(case: str, runs: int, threads: int = 1) -> tuple[Plan, np.ndarray]:
    """The case with so many runs side by side: its plan and first weights."""
    samples, inputs, hidden, outputs, iterations = CASES[case]
    random = np.random.RandomState(samples)
    X, y = random.random_sample((samples, inputs)), random.random_sample((samples, outputs))
    if case.startswith("article"):
        X = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
        y = np.array([0, 1, 1, 0])
    network = Network(layer_sizes(inputs, hidden, outputs))
    first = np.array([flatten(first_weights(network.sizes, seed)) for seed in SEEDS])
    alpha = np.repeat(np.array(ALPHAS)[:, None], network.layers, axis=1)
    task = Task.check(X, y, iterations, 7)
    work = Plan.make(task, network, Method(), alpha, {}, len(SEEDS), threads, side_by_side=runs)
    return work, first


def digest(case: str, runs: int, threads: int = 1) -> str:
    """SHA-256 over errors, weights and direction changes of all its runs."""
    work, first = plan(case, runs, threads)
    seeds = np.array(SEEDS, dtype=float)
    trained = work.run(first, seeds, keep_weights=True, advance=lambda _iterations: None)
    errors = np.column_stack([trained.errors, trained.final_error])
    # No run of these ends early: the last number of each says so.
    ended = np.where(trained.outcome == 0, -1, trained.iterations)
    arrays = (errors, trained.weights, trained.changes, ended)
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    json.dump({case: digest(case, *arguments) for case in CASES}, sys.stdout, indent=4)
