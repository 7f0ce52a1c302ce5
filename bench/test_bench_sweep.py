"""Many networks at a time: ``sweep`` on one thread (a compiled kernel; the first call is apart)."""

from typing import Any

import numpy as np
import pytest

import fastgd
from workload import XOR_X, XOR_Y

ALPHAS = [0.001, 0.01, 0.1, 1, 10, 100, 1000]


def bench(benchmark: Any, *data: Any, **given: Any) -> None:
    sweep = benchmark.pedantic(
        fastgd.sweep, data, {"threads": 1, **given}, warmup_rounds=1, rounds=5
    )
    assert np.isfinite(sweep.final_error).all()


def test_article_sweep(benchmark: Any) -> None:
    bench(benchmark, XOR_X, XOR_Y, alpha=ALPHAS, iterations=6000)


@pytest.mark.parametrize("hidden_size", [4, 32])
def test_thousand_runs(benchmark: Any, hidden_size: int) -> None:
    bench(benchmark, XOR_X, XOR_Y, hidden_size=hidden_size, seed=range(1024), iterations=1000)


def test_errors_only(benchmark: Any) -> None:
    """Many short runs without their weights: what a run costs beside its iterations."""
    bench(benchmark, XOR_X, XOR_Y, seed=range(10_000), iterations=10, keep_weights=False)


@pytest.mark.parametrize(("samples", "sizes"), [(272, (16, 16, 1)), (256, (64, 64, 10))], ids=str)
def test_more_samples(benchmark: Any, samples: int, sizes: tuple[int, ...]) -> None:
    random = np.random.RandomState(0)
    data, y = (random.random_sample((samples, n)) for n in (sizes[0], sizes[-1]))
    bench(benchmark, data, y, hidden_size=sizes[1:-1], alpha=0.001, seed=range(16), iterations=20)
