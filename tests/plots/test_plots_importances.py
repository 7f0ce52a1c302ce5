"""The plots of importances and of partial dependence."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import fastgd
from fastgd import plots
from fastgd.tables.inspection import Importances, PartialDependence

SMALL = {"hidden_size": [4], "folds": 2}
SIZE = np.random.default_rng(0).uniform(20, 200, 60)
TABLE = {"size": SIZE, "city": ["Rome", "Oslo", "Rome"] * 20, "day": np.arange(60) * 9.0 % 31}
TABLE["day"] = np.datetime64("2026-01-01") + TABLE["day"].astype(int)
PRICE = SIZE * np.where(np.array(TABLE["city"]) == "Rome", 2, 1)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def model():
    return fastgd.fit(TABLE | {"price": PRICE}, "price", **SMALL)


def importances_of(count):
    each = np.arange(2.0 * count, 0, -1).reshape(count, 2)
    names = tuple(f"c{k}" for k in range(count))
    return Importances("y", "rise of log loss", names, each.mean(1), each.std(1), each)


def dependence_of(classes, values):
    curves = np.random.default_rng(1).random((len(classes), 90, len(values)))
    values = np.array(values)
    return PartialDependence("x", tuple(classes), values, curves.mean(1), curves, True)


def test_the_largest_bar_is_at_the_top(model):
    found = model.importances(TABLE | {"price": PRICE})
    ax = plots.importances(model, TABLE | {"price": PRICE})
    bars = sorted(ax.patches, key=lambda bar: -bar.get_y())
    assert [bar.get_width() for bar in bars] == found.mean.tolist()
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert names[::-1] == list(found.names)
    *_, (whiskers,) = ax.containers[0].lines
    widths = [np.ptp(line[:, 0]) / 2 for line in whiskers.get_segments()]
    assert widths == pytest.approx(found.spread.tolist())
    assert ax.get_xlabel() == "rise of mean |error|: mean and deviation of 10 shufflings"
    assert len(plots.importances(importances_of(33)).patches) == 20


def test_numbers_have_a_mean_a_band_and_curves(model):
    found, ax = model.partial(TABLE, "size"), plots.partial(model, TABLE, "size")
    curves = [line.get_ydata() for line in ax.lines if line.get_linewidth() < 1]
    assert np.array(curves).tolist() == found.individual[0][::2].tolist()
    [mean] = [line for line in ax.lines if line.get_linewidth() == 2]
    assert mean.get_ydata().tolist() == found.average[0].tolist()
    corners = ax.collections[0].get_paths()[0].vertices[:, 1]
    low, high = np.quantile(found.individual[0], [0.1, 0.9], axis=0)
    assert {*low, *high} == {*corners}
    assert ax.get_title(loc="left") == "partial dependence on size: 60 rows, middle 80 %"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("size", "prediction of price")


def test_values_in_any_order_are_one_line(model):
    given, sorted_ones = (
        model.partial(TABLE, "size", values=v) for v in ([90, 30, 60], [30, 60, 90])
    )
    lines = [
        [line.get_xydata().tolist() for line in plots.partial(one).lines]
        for one in (given, sorted_ones)
    ]
    assert lines[0] == lines[1]


def test_dates_are_dates(model):
    ax = plots.partial(model, TABLE, "day")
    assert "Date" in type(ax.xaxis.get_major_formatter()).__name__


def test_strings_have_points_in_their_order(model):
    found, ax = model.partial(TABLE, "city"), plots.partial(model, TABLE, "city")
    assert [text.get_text() for text in ax.get_yticklabels()] == ["Oslo", "Rome"]
    [points] = ax.lines
    assert points.get_xdata().tolist() == found.average[0].tolist()
    assert points.get_ydata().tolist() == [1, 0]
    assert ax.get_xlabel() == "prediction of price"
    many = dependence_of("ab", [f"s{k}" for k in range(30)])
    assert len(plots.partial(many).get_yticklabels()) == 20


def test_classes_have_a_color_each_or_one_is_chosen():
    three = dependence_of("abc", [1.0, 2.0, 4.0])
    ax = plots.partial(three)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b", "c"]
    assert not [line for line in ax.lines if line.get_linewidth() < 1]
    assert ax.get_ylabel() == "probability"
    chosen = plots.partial(three, output="b")
    assert chosen.get_ylabel() == "probability of b"
    [mean] = [line for line in chosen.lines if line.get_linewidth() == 2]
    assert mean.get_ydata().tolist() == three.average[1].tolist()
    assert plots.partial(dependence_of("ab", [1.0, 2.0])).get_ylabel() == "probability of b"
    texts = plots.partial(dependence_of("abc", ["x", "y"])).lines
    assert len({tuple(line.get_ydata()) for line in texts}) == 3  # next to one another


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: plots.importances(m), "found must be Importances, or a model with a table, got"),
        (lambda m: plots.partial(m, TABLE), "found must be a PartialDependence, or a model with"),
        (
            lambda _: plots.partial(dependence_of("abc", [1.0]), output="d"),
            "output must be 'a', 'b' or 'c', got 'd'",
        ),
    ],
)
def test_what_can_not_be_drawn(model, call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call(model)
