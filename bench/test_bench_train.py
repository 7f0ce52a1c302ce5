"""One network at a time: ``train`` and ``predict`` (a compiled kernel; the first call is apart)."""

from typing import Any

import numpy as np
import pytest

import fastgd
from workload import XOR_X, XOR_Y

MIDDLE = np.random.RandomState(0).random_sample((256, 64))
MIDDLE_Y = np.random.RandomState(1).random_sample((256, 10))


@pytest.fixture(autouse=True)
def compiled() -> None:
    fastgd.train(XOR_X, XOR_Y, iterations=1)
    fastgd.train(MIDDLE, MIDDLE_Y, hidden_size=64, alpha=0.01, iterations=1)


@pytest.mark.parametrize("hidden_size", [(), 4, 32, (4, 4)], ids=str)
def test_train_article(benchmark: Any, hidden_size: int | tuple[int, ...]) -> None:
    run = benchmark(fastgd.train, XOR_X, XOR_Y, hidden_size=hidden_size, iterations=6000)
    assert run.status == "finished"


def test_train_call(benchmark: Any) -> None:
    """A single iteration: what a call costs beside its training."""
    benchmark(fastgd.train, XOR_X, XOR_Y, iterations=1)


def test_train_middle(benchmark: Any) -> None:
    run = benchmark(fastgd.train, MIDDLE, MIDDLE_Y, hidden_size=64, alpha=0.001, iterations=50)
    assert run.status == "finished"


@pytest.mark.parametrize("samples", [4, 100_000])
def test_predict(benchmark: Any, samples: int) -> None:
    run = fastgd.train(XOR_X, XOR_Y, iterations=100)
    outputs = benchmark(run.predict, np.resize(XOR_X, (samples, 3)))
    assert outputs.shape == (samples, 1)
