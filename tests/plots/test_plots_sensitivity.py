"""The plot of derivatives by the inputs."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import fastgd
from fastgd import plots

X = np.random.default_rng(0).normal(size=(20, 4)) * [1, 10, 1, 1]


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def run():
    y = np.stack([X[:, 0], X[:, 1] / 10], axis=1)
    return fastgd.train(X, y, alpha=1e-4, iterations=9, output="identity", bias=True)


def test_bars_are_sorted_means_and_curves_those_of_the_longest(run):
    bars, *curves = plots.sensitivity(run, X, names=["a", "b", "c", "d"])
    found = run.gradient(X)
    means = np.abs(found).mean(axis=(0, 1))
    order = np.argsort(means)
    assert [bar.get_width() for bar in bars.patches] == pytest.approx(means[order], rel=1e-15)
    assert [text.get_text() for text in bars.get_yticklabels()] == ["abcd"[d] for d in order]
    assert [ax.get_xlabel() for ax in curves] == ["abcd"[d] for d in order[::-1][:3]]
    texts = curves[0].get_legend().get_texts()
    assert [text.get_text() for text in texts] == ["output 0", "output 1"]
    for ax, d in zip(curves, order[::-1], strict=False):
        _zero, *lines = ax.lines
        by = np.argsort(X[:, d])
        for h, line in enumerate(lines):
            assert line.get_xdata().tolist() == X[by, d].tolist()
            assert line.get_ydata().tolist() == found[by, h, d].tolist()


def test_standardized_derivatives_are_per_deviation(run):
    bars, *_ = plots.sensitivity(run, X, standardized=True)
    means = np.abs(run.gradient(X)).mean(axis=(0, 1)) * X.std(axis=0)
    assert sorted(bar.get_width() for bar in bars.patches) == pytest.approx(sorted(means))
    assert bars.get_title(loc="left") == "mean |derivative times deviation|"


def test_a_model_has_the_names_and_units_of_its_table():
    table = {"size": [40, 55, 50, 85, None, 60] * 5, "sort": ["flat", "house"] * 15}
    prices = {"price": [2.0 * k for k in range(30)]}
    model = fastgd.fit(table | prices, "price", hidden_size=[4], folds=2)
    bars, curve = plots.sensitivity(model, table)
    assert [text.get_text() for text in bars.get_yticklabels()] == ["size"]
    [bar] = bars.patches
    own = model.gradient(table)["size"]
    assert bar.get_width() == pytest.approx(np.nanmean(np.abs(own)))
    assert curve.lines[1].get_linestyle() == "-"
    drawn = curve.lines[1].get_xdata()
    assert drawn[:25].tolist() == sorted(size for size in table["size"] if size)


def test_it_draws_where_it_is_told(run):
    _, axes = plt.subplots(1, 4)
    assert plots.sensitivity(run, X, ax=axes).tolist() == axes.tolist()


REFUSED = {
    "network": (
        (3, X),
        {},
        r"network must be a Run, a Snapshot or \(without names\) a Model, got 3",
    ),
    "columns": ((..., X[:, :2]), {}, "X must have one column for each input of the network"),
    "names": ((..., X), {"names": ["a"]}, "names must be a list of 4 str, got"),
    "axes": ((..., X), {"ax": [1, 2]}, "ax must be 4 axes, got 2"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_not_be_drawn(run, case):
    (network, samples), options, message = REFUSED[case]
    with pytest.raises((TypeError, ValueError), match=message):
        plots.sensitivity(run if network is ... else network, samples, **options)
