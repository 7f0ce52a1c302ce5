"""Hypothesis: whatever the sizes, a sweep's row is the run alone, and both follow the twin."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgd

SIZES = st.integers(1, 9)
HIDDEN = st.lists(st.integers(1, 19), max_size=3).map(tuple)
ALPHA = st.floats(1e-3, 1e3)


@st.composite
def problems(draw):
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    samples, inputs, outputs = draw(SIZES), draw(SIZES), draw(st.integers(1, 4))
    return random.normal(size=(samples, inputs)), random.random((samples, outputs))


@settings(max_examples=60)
@given(
    problems(),
    st.lists(HIDDEN, min_size=1, max_size=2, unique=True),
    st.lists(ALPHA, min_size=1, max_size=3, unique=True),
    st.lists(st.integers(0, 99), min_size=1, max_size=6, unique=True),
    st.integers(1, 40),
    st.integers(1, 50),
    st.integers(1, 2),
)
def test_a_row_of_a_sweep_is_that_run_alone(
    problem, hidden_size, alpha, seed, iterations, record_every, threads
):
    counts = {"iterations": iterations, "record_every": record_every}
    sweep = fastgd.sweep(
        *problem, hidden_size=hidden_size, alpha=alpha, seed=seed, threads=threads, **counts
    )
    for index in np.ndindex(sweep.shape):
        i, j, k = index
        run = fastgd.train(
            *problem, hidden_size=hidden_size[i], alpha=alpha[j], seed=seed[k], **counts
        )
        row = sweep[index]
        assert row.errors.tobytes() == run.errors.tobytes()
        assert row.final_error == run.final_error
        for a, b in zip(row.weights, run.weights, strict=True):
            assert a.tobytes() == b.tobytes()
        for a, b in zip(row.direction_changes, run.direction_changes, strict=True):
            assert (a == b).all()


@settings(max_examples=60)
@given(problems(), HIDDEN, st.floats(1e-3, 1), st.integers(1, 30))
def test_training_follows_the_plain_numpy_twin(problem, hidden_size, alpha, iterations):
    counts = {"iterations": iterations, "record_every": 7}
    run = fastgd.train(*problem, hidden_size=hidden_size, alpha=alpha, **counts)
    twin = fastgd.reference.train(*problem, hidden_size=hidden_size, alpha=alpha, **counts)
    np.testing.assert_allclose(run.errors, twin.errors, rtol=1e-9)
    for a, b in zip(run.weights, twin.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)


@pytest.mark.slow
def test_no_access_is_out_of_bounds(tmp_path):
    """The tests above once more with Numba's bounds check, in code compiled for it."""
    if os.environ.get("NUMBA_BOUNDSCHECK") == "1":
        return
    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    tests = [f"{__file__}::{name}" for name in globals() if name.startswith(("test_a_", "test_tr"))]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
