"""What a notebook shows: well-formed, escaped, with the numbers, and small."""

import subprocess
import sys
from base64 import b64decode
from dataclasses import replace
from functools import cache
from io import BytesIO
from xml.etree import ElementTree

import matplotlib.image
import matplotlib.pyplot as plt
import numpy as np
import pytest

import fastgd
from fastgd.checks.presentation import html
from fastgd.optimizers import GradientDescent, Momentum
from fastgd.schedules import Factors
from thinning import only

X, Y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]

SIZE = 40.0 + np.arange(60) ** 2 % 67  # sizes that repeat, and so number no rows
SORT = np.where(np.arange(60) % 3 == 0, "<flat>", "house")
TABLE = {"size": SIZE, "sort": SORT, "price": SIZE * 2 + 50 * (SORT == "house")}

LARGEST = 40_000
"""Bytes of a plot: a notebook with a hundred of them is still opened."""


@pytest.fixture(scope="module")
def results():
    sweep = fastgd.sweep(X, Y, alpha=[1, 10], seed=[1, 2], iterations=300, record_every=100)
    entrants = {"<i>plain</i>": (GradientDescent(), 1), "heavy & fast": (Momentum(), 1)}
    return {
        "run": fastgd.train(
            X, Y, alpha=10, iterations=300, record_every=10, validation=(X, Y), tolerance=0.01
        ),
        "sweep": sweep,
        "surface": fastgd.surface(X, Y, sweep.best(), resolution=31),
        "race": fastgd.race(X, Y, entrants, iterations=50),
        "model": fastgd.fit(TABLE, target="price", hidden_size=(), folds=2),
        "groups": fastgd.fit_groups(
            TABLE, by="sort", target="price", hidden_size=4, iterations=50, standardize="global"
        ),
        "trainability": fastgd.trainability(16, iterations=20, width=4, window=((-1, 3), (-1, 3))),
    }


NAMES = ("run", "sweep", "surface", "race", "trainability", "model", "groups")


@pytest.fixture(scope="module")
def page(results):
    """What is shown of a result, by its name: drawn once for all tests."""
    return cache(lambda name: results[name]._repr_html_())


def read(result):
    """The tree, and all rows of its tables."""
    return parsed(result._repr_html_())


def parsed(page):
    tree = ElementTree.fromstring(page)
    return tree, [["".join(cell.itertext()) for cell in row] for row in tree.iter("tr")]


@pytest.mark.parametrize("name", only(NAMES, "run", "groups"))
def test_it_is_a_table_and_a_small_plot(page, name):
    before = plt.get_fignums()
    tree, rows = parsed(page(name))
    assert len(rows) > 1
    assert len(list(tree.iter("strong"))) == 1
    (image,) = tree.iter("img")
    assert image.get("alt")
    kind, data = image.get("src").split(",")
    png = b64decode(data)
    assert kind == "data:image/png;base64"
    assert len(png) < LARGEST
    pixels = matplotlib.image.imread(BytesIO(png))[..., :3]
    assert pixels.shape[:2] == (2 * int(image.get("height")), 2 * int(image.get("width")))
    assert pixels[0, 0].tolist() == [1, 1, 1], "a white card, on dark pages too"
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 10, "something is drawn on it"
    assert plt.get_fignums() == before


@pytest.mark.parametrize("name", NAMES)
def test_without_matplotlib_it_is_the_table(results, page, name, monkeypatch):
    _, whole = parsed(page(name))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    tree, rows = read(results[name])
    assert rows == whole
    assert not list(tree.iter("img"))


def test_a_run_has_its_settings_and_its_numbers(results, page):
    run = results["run"]
    tree, rows = parsed(page("run"))
    assert tree.find(".//strong").text == "3-4-1 network"
    changes = sum(int(layer.sum()) for layer in run.direction_changes)
    assert rows == [
        ["alpha", "10"],
        ["seed", "1"],
        ["options", "tolerance 0.01"],
        ["status", "finished after 300 iterations"],
        ["final error", f"{run.final_error:.5g}"],
        ["final loss", f"{run.final_loss:.5g}"],
        ["final validation error", f"{run.final_validation_error:.5g}"],
        ["best iteration", "300"],
        ["direction changes", f"{changes:,}"],
    ]


def test_a_sweep_has_its_best_runs_first(results, page):
    sweep = results["sweep"]
    tree, rows = parsed(page("sweep"))
    assert tree.find(".//strong").text == "4 runs: 2 alphas x 2 seeds"
    assert rows[:2] == [["hidden size", "4"], ["status", "4 finished"]]
    assert rows[2] == ["alpha", "seed", "final error", "iterations", "status"]
    best = sweep.best()
    assert rows[3] == ["10", str(best.seed), f"{best.final_error:.5g}", "300", "finished"]
    shown = [float(row[2]) for row in rows[3:]]
    assert len(shown) == 4
    assert shown == sorted(shown)


def test_a_plane_has_its_weights_and_its_lowest_error(results, page):
    plane = results["surface"]
    _, rows = parsed(page("surface"))
    x, y, error = plane.lowest()
    assert rows[0] == ["weights[0][0, 0]", "-10 to 10"]
    assert rows[-1] == ["lowest error", f"{error:.12g} at ({x:g}, {y:g})"]


def test_a_race_has_its_ranking_with_names_as_they_are(results, page):
    """A name that is markup is shown, not obeyed."""
    race = results["race"]
    _, rows = parsed(page("race"))
    assert [row[1] for row in rows[1:]] == race.ranking() == ["heavy & fast", "<i>plain</i>"]
    assert rows[1][3] == f"{race.runs['heavy & fast'].final_error:.12g}"
    assert "&lt;i&gt;plain&lt;/i&gt;" in page("race")


def test_a_map_has_its_settings(results, page):
    found = results["trainability"]
    _, rows = parsed(page("trainability"))
    assert ["network", "4-4-1, tanh"] in rows
    count, share = found.converged.sum(), found.converged.mean()
    assert rows[-1] == ["converged", f"{count} of 256 ({share:.1%})"]


def test_a_model_has_its_scores(results, page):
    model = results["model"]
    tree, rows = parsed(page("model"))
    assert tree.find(".//strong").text == "Model of price"
    assert rows[0] == ["inputs", "3: size, sort=<flat>, sort=house"]
    (names,) = (row for row in rows if row[0] == "on the test set")
    for who, found in model.scores.items():
        assert [who, *(f"{found[name]:.5g}" for name in names[1:])] in rows


def test_groups_have_the_worst_ones_first(results, page):
    models = results["groups"]
    tree, rows = parsed(page("groups"))
    assert tree.find(".//strong").text == "Models of price by sort"
    assert rows[:2] == [["groups", "2"], ["rows", "60"]]
    held = models.measured["test_error"]
    assert [row[3] for row in rows[-2:]] == [f"{error:.5g}" for error in sorted(held)[::-1]]
    assert {row[0] for row in rows[-2:]} == {"<flat>", "house"}


def test_groups_of_which_only_some_hold_rows_out_are_ranked_by_these(results):
    models = results["groups"]
    (sorts,) = models.keys.columns()
    held = np.array([np.nan if sort == "house" else 0.5 for sort in sorts])
    _, rows = read(replace(models, measured=models.measured | {"test_error": held}))
    names = rows.index(["the worst groups", "rows", "training error", "test error"])
    assert [(row[0], row[3]) for row in rows[names + 1 :]] == [("<flat>", "0.5")]


def test_many_settings_are_drawn_in_order_of_their_errors():
    sweep = fastgd.sweep(X, Y, alpha=np.arange(1.0, 21.0), iterations=300, record_every=100)
    tree, rows = read(sweep)
    assert tree.find(".//img").get("alt") == "The final errors of all runs, in order"
    assert len(rows) == 3 + 1 + 5, "only the best have a row"


@pytest.mark.slow
def test_methods_and_labels_on_axes():
    optimizers = [Momentum(0.5), Momentum(0.9)]
    sweep = fastgd.sweep(
        X, Y, optimizer=optimizers, groups=["<b>", "<b>", "&", "&"], iterations=10, folds=2,
        activation=fastgd.Function(lambda a: a / (1 + abs(a))),
    )  # fmt: skip
    _, rows = read(sweep)
    names = [row for row in rows if "optimizer" in row]
    assert names == [["optimizer", "group", "fold", "validation error", "final error",
                      "iterations", "status"]]  # fmt: skip
    assert {row[1] for row in rows if row[0].startswith("Momentum")} <= {"<b>", "&"}


def test_a_case_has_all_its_numbers():
    combinations = [{"alpha": 1, "l2": 0}, {"alpha": 10, "l2": 0.01}]
    _, rows = read(fastgd.sweep(X, Y, combinations=combinations, iterations=300))
    assert ["alpha", "1"] not in rows, "which is no fact of all runs"
    assert {row[0] for row in rows[-2:]} == {"alpha 1, l2 0", "alpha 10, l2 0.01"}


def test_nothing_that_a_run_may_come_to_breaks_it(results):
    """Its repr would be shown in place of the table, below a traceback."""
    lost = {"final_error": np.nan, "final_loss": np.nan, "status": "diverged", "seed": None}
    errors = np.full_like(results["run"].errors, np.nan)
    _, rows = read(replace(results["run"], errors=errors, **lost))
    assert ["final error", "nan"] in rows
    assert ["seed", "given initial weights"] in rows
    sweep = results["sweep"]
    nothing = np.full((2, 2), np.nan)
    _, rows = read(replace(sweep, final_error=nothing, errors=sweep.errors * np.nan))
    assert [row[2] for row in rows[3:]] == ["nan"] * 4
    _, rows = read(fastgd.sweep(X, Y, iterations=300))
    assert rows[0] == ["hidden size", "4"]
    _, rows = read(fastgd.sweep(X, Y, iterations=300, alpha=[(1, 2), (2, 3)], hidden_size=3))
    assert rows[-1][0] in ("1, 2", "2, 3")


def test_an_optimizer_has_its_fields_with_their_meanings():
    tree, rows = read(Momentum(momentum=["<b>", 0.5]))
    assert tree.find(".//strong").text == "Momentum"
    assert rows == [["momentum", "['<b>', 0.5]", "Decay rate of the velocity per update"]]
    assert read(Factors([1.0, 0.5]))[1] == [["factors", "[1.0, 0.5]", ""]]
    assert read(GradientDescent())[1] == []
    long = Factors([0.1] * 100_000)._repr_html_()
    assert len(long) < 200


def test_what_has_no_table_is_refused():
    with pytest.raises(TypeError, match="a notebook has no table for int"):
        html(3)


def test_import_fastgd_loads_no_plots():
    code = (
        "import sys, fastgd\n"
        "print([name for name in ('fastgd.plots', 'matplotlib', 'pandas', "
        "'xarray') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
