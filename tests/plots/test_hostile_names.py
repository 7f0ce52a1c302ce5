"""Names of users in plots and notebooks: they are drawn as they are, whatever is in them."""

from functools import cache
from itertools import product
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Text

import fastgd
from fastgd import plots
from fastgd.optimizers import Adam
from fastgd.plots.style import encode
from fastgd.tables.inspection import Importances, PartialDependence
from thinning import some

LONG = "very " * 80

HOSTILE = {
    "$": "$",
    "$$": "$$",
    "$0k-$30k": "$0k-$30k",
    "$\\bad$": "$\\bad$",
    "\\$ \\frac": "\\$ \\frac",
    "\ud800": "\\ud800",
    "_private": "_private",
    "100 %": "100 %",
    "<b>&amp;": "<b>&amp;",
    "a\nb": "a\\nb",
    "\x00\x1b[31m": "\\x00\\x1b[31m",
    "\N{GRINNING FACE} \u65e5\u672c": "\N{GRINNING FACE} \u65e5\u672c",
    LONG: LONG[:14],  # its beginning
}
"""Names, and what is drawn of them."""

NAMES = list(HOSTILE)

IN_A_TITLE = "$1 $\\bad$ _a \ud800 % <b>\n\\frac"

X, Y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]

SIZE = np.arange(52) % 13

WITHOUT = {
    *("basins", "film", "roll"),  # of a curve, which is made of numbers, functions and x
    *("box_counts", "trainability", "zoom_film", "direction_changes", "weight_paths", "write"),
}
"""Plots into which no name of a user goes."""


def grouped(**settings):
    """A sweep over a group for each name."""
    groups = np.repeat(np.array(NAMES, dtype=object), 4)
    return fastgd.sweep(X * len(NAMES), Y * len(NAMES), groups=groups, iterations=9, **settings)


@cache
def race():
    kinds = {name: (Adam(beta1=k / 20), 1) for k, name in enumerate(NAMES)}
    return fastgd.race(X, Y, kinds, iterations=9)


@cache
def model():
    """A model of classes, and its table: every name is that of a class and in that of an input."""
    table = {f"{name}{k}": (k == SIZE) * 1.0 for k, name in enumerate(NAMES)}
    table[IN_A_TITLE] = np.array(NAMES, dtype=object)[SIZE]
    return fastgd.fit(table, target=IN_A_TITLE, hidden_size=(), folds=2), table


def groups():
    _, table = model()
    names = {"by": IN_A_TITLE, "target": f"{NAMES[0]}0"}
    return fastgd.fit_groups(table, **names, hidden_size=4, iterations=9, test_fraction=0)


def of_a_run():
    run = fastgd.train(np.eye(len(NAMES)), np.eye(len(NAMES)), hidden_size=(), iterations=9)
    return plots.sensitivity(run, np.eye(len(NAMES)), names=NAMES)[0]


def importances():
    each = np.arange(len(NAMES) * 2.0).reshape(-1, 2)
    return Importances(IN_A_TITLE, "rise", tuple(NAMES), each.mean(axis=1), each.std(axis=1), each)


def strings():
    rows = np.zeros((1, 3, len(NAMES)))
    texts = np.array(NAMES)
    return PartialDependence(NAMES[2], (IN_A_TITLE,), texts, rows[:, 0], rows)


MODEL = "sensitivity of a model"

# What is drawn, and which names are in it.
DRAWN = {
    "errors": (lambda: plots.errors(grouped()), NAMES),
    "measured": (lambda: plots.measured(grouped(measure="weight_norm")), NAMES),
    "takeaways": (lambda: plots.takeaways(grouped(alpha=[0.1, 1.0]))[0], NAMES),
    "solved": (lambda: plots.solved(grouped(hidden_size=[2, 3])), NAMES),
    "predictions": (lambda: plots.predictions(NAMES, NAMES, name=IN_A_TITLE), NAMES),
    "race": (lambda: plots.race(race(), race().surface(resolution=3))[0], NAMES),
    "surface": (lambda: plots.surface(race().surface(resolution=3), paths=race().runs), NAMES),
    "sensitivity": (of_a_run, NAMES),
    "importances": (lambda: plots.importances(importances()), NAMES),
    "partial": (lambda: plots.partial(strings()), NAMES),
    "partial on a number": (lambda: plots.partial(*model(), f"{NAMES[2]}2"), sorted(NAMES)[:7]),
    MODEL: (lambda: plots.sensitivity(*model())[0], NAMES[:7]),
}


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_every_plot_is_among_these():
    """A new plot is drawn here with these names, or stands in WITHOUT if it has none."""
    assert {name.split()[0] for name in DRAWN} | WITHOUT == set(plots.__all__)


SVG = ("errors", "predictions", "sensitivity")
"""What is encoded as SVG always; the others are as PNG, but for a model, which is slow to learn."""


@pytest.mark.parametrize(
    ("plot", "kind"),
    some(
        product(DRAWN, ["png", "svg"]),
        [(name in SVG) == svg and name != MODEL for name in DRAWN for svg in (False, True)],
    ),
)
def test_names_are_drawn_as_they_are(plot, kind):
    draw, names = DRAWN[plot]
    figure = draw().figure
    assert encode(figure, kind)
    texts = [text.get_text().replace("\n", " ") for text in figure.findobj(Text)]
    assert [name for name in names if not any(HOSTILE[name] in text for text in texts)] == []
    for text in figure.findobj(Text):
        _, is_formula = text._preprocess_math(text.get_text())
        assert not is_formula or "mathdefault" in text.get_text(), text  # a logarithmic axis


@pytest.mark.parametrize(
    "result", [grouped, race, lambda: model()[0], groups, importances, strings]
)
def test_notebooks_show_names_as_they_are(result):
    page = result()._repr_html_()
    text = "".join(ElementTree.fromstring(page.encode()).itertext())
    wanted = [IN_A_TITLE.replace("\ud800", "\\ud800").replace("\n", "\\n")]
    if result in (grouped, race):
        wanted = [HOSTILE[name] for name in result().ranking()[:5]] if result is race else ["$"]
    assert [name for name in wanted if name not in text] == []


def test_formulas_that_are_no_names_stay_formulas():
    _, ax = plt.subplots()
    given = ax.text(0, 0, "$x^2$")
    plots.errors(grouped(), ax=ax)
    assert given.get_parse_math()
    bars, curve, *_ = plots.sensitivity(
        fastgd.train(X, Y, iterations=9), X, names=["$a$", "$b$", "$c$"]
    )
    assert not curve.xaxis.label.get_parse_math()
    assert bars.text(0, 0, "$x^2$").get_parse_math()
    ax = plots.box_counts(fastgd.box_counting(np.eye(64, dtype=bool)))
    assert "$R^2$" in ax.get_title(loc="left")
    assert all(text.get_parse_math() for text in ax.findobj(Text))


def test_names_are_no_tex():
    with plt.rc_context({"text.usetex": True}):
        figure = plots.predictions(NAMES, NAMES, name=IN_A_TITLE).figure
        assert encode(figure, "png")
