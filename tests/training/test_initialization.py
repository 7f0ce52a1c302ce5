"""init: how initial weights are drawn, compared with SciPy and a plain Philox."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.special
import scipy.stats

import fastgd
from cases import X, Y
from fastgd.arguments.initial_network import INITS
from fastgd.checks.messages import options_text
from fastgd.engine.network import (
    AT_ONCE,
    _drawing,
    first_rows,
    first_weights,
    flatten,
    quantile,
)
from plain import philox

SIZES = (30, 50, 4)
VARIANCES = {
    "glorot": lambda n, m: 2 / (n + m),
    "he": lambda n, _m: 2 / n,
    "lecun": lambda n, _m: 1 / n,
}
DRAWN = [name for name in INITS if name != "article"]
EACH = ("he", "article", "lecun_normal")


def first_of(run):
    """The weights that a run started from."""
    return np.concatenate([layer[0].ravel() for layer in run.recorded_weights])


def test_each_thread_has_a_generator_of_its_own():
    """It is seeded anew for each run, and nobody may draw in between."""
    with ThreadPoolExecutor(1) as other:
        assert other.submit(lambda: _drawing.random).result() is not _drawing.random
        rows = other.submit(first_rows, "article", (3, 4, 1), [5, 6]).result()
    for seed, row in zip((5, 6), rows, strict=True):
        np.testing.assert_array_equal(row, flatten(first_weights((3, 4, 1), seed)))


@pytest.mark.parametrize("name", DRAWN)
def test_the_distribution_is_the_papers(name):
    rows = first_rows(name, SIZES, range(100))
    parts = np.split(rows, [1500], axis=1)
    for part, (n, m) in zip(parts, ((30, 50), (50, 4)), strict=True):
        spread = math.sqrt(VARIANCES[name.removesuffix("_normal")](n, m))
        wide = math.sqrt(3.0)
        is_normal = name.endswith("_normal")
        law = scipy.stats.norm() if is_normal else scipy.stats.uniform(-wide, 2 * wide)
        assert scipy.stats.kstest(part.ravel() / spread, law.cdf).pvalue > 0.01


def test_the_normal_quantile_is_scipys():
    random = np.random.default_rng(0)
    near_ends = 0.5 - 2.0 ** -random.uniform(2, 54, 5000)
    centered = np.concatenate([random.uniform(-0.5, 0.5, 50_000), near_ends])
    centered = np.clip(centered, -0.5 + 2.0**-54, 0.5 - 2.0**-54)
    centered = centered[np.abs(centered) > 1e-3]
    expected = -np.sign(centered) * scipy.special.ndtri(0.5 - np.abs(centered))
    np.testing.assert_allclose(quantile(centered), expected, rtol=3e-15)


def test_weights_follow_from_seed_layer_and_place_alone():
    """By a Philox in plain Python; a weight's word is the pair of its place by 2."""
    rows = first_rows("lecun", (3, 4, 2), [7, 2**32 - 1])
    for row, seed in zip(rows, [7, 2**32 - 1], strict=True):
        for k, layer in enumerate(np.split(row, [12])):
            limit = math.sqrt(3 / (3, 4)[k])
            for place, weight in enumerate(layer):
                words = philox((place // 2, 0, 0, 0), (seed, 8 * k + 4))
                high, low = words[2 * (place % 2) : 2 * (place % 2) + 2]
                number = ((high << 21) + (low >> 11) + 0.5) * 2.0**-53
                assert weight == pytest.approx((2 * number - 1) * limit, rel=1e-12, abs=1e-16)


@pytest.mark.parametrize("name", ["article", "he", "glorot_normal", EACH], ids=str)
def test_a_seed_has_its_weights_alone_and_among_many(name):
    many = first_rows(name, (3, 5, 3, 2), range(AT_ONCE // 15 + 3))
    for seed in (0, 1, len(many) - 1):
        assert first_rows(name, (3, 5, 3, 2), [seed])[0].tobytes() == many[seed].tobytes()


def test_a_tuple_has_one_name_for_each_layer():
    mixed = np.split(first_rows(EACH, (3, 5, 3, 2), [4])[0], [15, 30])
    for k, name in enumerate(EACH):
        alone = np.split(first_rows(name, (3, 5, 3, 2), [4])[0], [15, 30])[k]
        assert mixed[k].tobytes() == alone.tobytes()


def test_an_axis_of_initial_weights():
    """Its runs are those of train; biases start at 0."""
    given = {"hidden_size": (5, 3), "bias": True, "iterations": 5, "record_weights": True}
    axis = ["article", "he", ("glorot", "lecun", "he_normal")]
    sweep = fastgd.sweep(X, Y, init=axis, seed=[1, 2], **given)
    assert sweep.shape == (3, 2)
    for i, init in enumerate(axis):
        run = fastgd.train(X, Y, init=init, seed=2, **given)
        assert run.weights[1].tobytes() == sweep[i, 1].weights[1].tobytes()
        assert first_of(run).tobytes() == first_rows(init, (3, 5, 3, 2), [2])[0].tobytes()
        assert not any(layer[0].any() for layer in run.recorded_biases)
    assert options_text(sweep[2, 0].options).endswith("init glorot/lecun/he_normal")
    twin = fastgd.reference.train(X, Y, init="he", seed=2, **given)
    assert first_of(twin).tobytes() == first_of(sweep[1, 1]).tobytes()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"init": "xavier"}, "init must be 'article', 'glorot', .* got 'xavier'"),
        ({"init": 3}, "init must be 'article', .* got 3"),
        ({"init": ("he", "she")}, r"init\[1\] must be 'article', .* got 'she'"),
        ({"init": ("he",)}, r"init must be a name or a tuple with one per layer .*\(2\), got"),
        (
            {"init": "he", "weights": [np.ones((3, 4)), np.ones((4, 2))]},
            "init must be left out where weights are given, got 'he'",
        ),
    ],
    ids=["name", "number", "names", "layers", "weights"],
)
def test_anything_else_is_rejected(given, message):
    for call in (fastgd.train, fastgd.reference.train, fastgd.sweep):
        with pytest.raises((TypeError, ValueError), match=message):
            call(X, Y, **given)
