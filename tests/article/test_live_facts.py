"""What Python computes for the live page's maps and plane, here with fewer iterations."""

import numpy as np
import pytest

import fastgd
from fastgd.article.experiments import EXPERIMENTS
from fastgd.article.page import live as facts
from fastgd.article.page.live import XOR, Packing

ITERATIONS = 500
CELLS = [("seed", 1, 10.0), ("seed", 32, 0.00178), ("hidden_size", 1, 1000.0)]


@pytest.fixture(scope="module")
def parts():
    packing = Packing()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(facts, "ITERATIONS", ITERATIONS)
        facts.add_facts(packing)
    return packing._parts


def map_of(parts, name):
    return np.frombuffer(parts[f"map {name}"], "<f8").reshape(-1, len(facts.ALPHAS))


@pytest.mark.parametrize(("name", "value", "alpha"), CELLS)
def test_a_cell_is_that_training(parts, name, value, alpha):
    row, column = facts.AXES[name].index(value), facts.ALPHAS.index(alpha)
    run = fastgd.train(*XOR, alpha=alpha, **{name: value}, iterations=ITERATIONS)
    assert map_of(parts, name)[row, column] == run.final_error


def test_both_maps_have_the_articles_networks(parts):
    """Seed 1 with 4 hidden units is on both."""
    seeds, sizes = (map_of(parts, name) for name in facts.AXES)
    assert (seeds[0] == sizes[3]).all()
    tuning = next(e for e in EXPERIMENTS if e.name == "alpha")
    assert set(tuning.alphas) <= set(facts.ALPHAS)
    assert tuning.iterations == facts.ITERATIONS
    assert facts.AXES["hidden_size"][-1] == 32


def test_the_plane(parts):
    plane = np.frombuffer(parts["plane"], "<f8").reshape(2 * [facts.RESOLUTION])
    assert plane[0, -1] == plane.min() < 1e-4  # the first weight is high, the second one low
    run = fastgd.train(*facts.LINE, weights=[[[-10.0], [10.0]]], iterations=1)
    assert plane[-1, 0] == run.errors[0] == plane.max()
