"""The thirteen lines beside the page's network, in Node: the article's, and so are the numbers."""

import json

import numpy as np
import pytest

import fastgd
import live
from fastgd.article.page.live import XOR
from fastgd.optimizers import FIRST_ORDER

pytestmark = live.needs_node

PRINTED = """\
import numpy as np
X = np.array([ [0,0,1],[0,1,1],[1,0,1],[1,1,1] ])
y = np.array([[0,1,1,0]]).T
alpha,hidden_dim = (0.5,4)
synapse_0 = 2*np.random.random((3,hidden_dim)) - 1
synapse_1 = 2*np.random.random((hidden_dim,1)) - 1
for j in xrange(60000):
    layer_1 = 1/(1+np.exp(-(np.dot(X,synapse_0))))
    layer_2 = 1/(1+np.exp(-(np.dot(layer_1,synapse_1))))
    layer_2_delta = (layer_2 - y)*(layer_2*(1-layer_2))
    layer_1_delta = layer_2_delta.dot(synapse_1.T) * (layer_1 * (1-
        layer_1))
    synapse_1 -= (alpha * layer_1.T.dot(layer_2_delta))
    synapse_0 -= (alpha * X.T.dot(layer_1_delta))"""
"""The article's listing, "Just Give Me The Code"."""

ARTICLE = {
    "X": XOR[0],
    "y": XOR[1],
    "hidden": 4,
    "alpha": 0.5,
    "seed": 1,
    "iterations": 60_000,
    "optimizer": "GradientDescent",
    "bias": False,
    "dropout": 0,
}
OTHERS = [
    {"alpha": 10, "hidden": 1, "seed": 7},
    {"X": [[0.5, -1], [2, 1e-3], [0, 0]], "y": [0.25, 1, 0], "hidden": 7, "alpha": 1000},
    {"hidden": 0, "seed": 3},
]

IMPORTS = """
import { stepOf } from "./live/step.js";
import { differencesOf, fourDigits, linesOf } from "./live/listing.js";
const momentOf = (weights, biases) => ({
  weights: weights.map((rows, k) => ({
    rows: rows.length,
    columns: rows[0].length,
    values: Float64Array.from(rows.flat()),
    bias: biases && Float64Array.from(biases[k]),
  })),
});
const stepIn = ({ settings, weights, biases }) =>
  stepOf(settings, settings, momentOf(weights, biases));
"""


@pytest.fixture(scope="module")
def on(tmp_path_factory):
    """What an expression gives in Node for what it is given."""
    folder = tmp_path_factory.mktemp("node")
    return lambda expression, given: live.in_node(
        f"{IMPORTS}answer({expression});", folder, given=given
    )


def lines_run(lines, settings, times):
    """The variables of such lines after some iterations, in NumPy."""
    kept = [
        line
        for number, line in enumerate(lines, 1)
        if settings["hidden"] or number not in (5, 8, 11, 12, 14)
    ]
    code = "\n".join(kept).replace("|", "").replace("xrange", "range")
    scope = {"np": np, "range": lambda count: range(min(count, times))}
    code = code.replace("np.random.random", "generator.random_sample")
    scope["generator"] = np.random.RandomState(settings["seed"])  # what np.random.seed starts
    if not settings["hidden"]:
        code = code.replace("for j", "layer_1 = X\nfor j")
    exec(code, scope)
    return scope


def in_python(settings, **options):
    """The same training by fastgd."""
    return fastgd.train(
        settings["X"],
        settings["y"],
        hidden_size=settings["hidden"] or (),
        alpha=settings["alpha"],
        seed=settings["seed"],
        bias=settings["bias"],
        **options,
    )


def weights_of(scope):
    return [scope[name].tolist() for name in ("synapse_0", "synapse_1") if name in scope]


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-300)


def test_the_lines_are_those_that_the_article_prints(on):
    assert [line.replace("|", "") for line in on("linesOf(given)", ARTICLE)] == PRINTED.split("\n")


@pytest.mark.parametrize("changed", OTHERS, ids=json.dumps)
def test_the_lines_of_other_settings_train_what_the_page_trains(on, changed):
    settings = ARTICLE | changed
    scope = lines_run(on("linesOf(given)", settings), settings, 100)
    for found, expected in zip(
        weights_of(scope), in_python(settings, iterations=100).weights, strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_many_rows_and_equal_starts_in_the_lines(on):
    lines = on(
        "linesOf(given)", ARTICLE | {"X": [[k] for k in range(9)], "y": [1] * 9, "start": "equal"}
    )
    assert lines[1:3] == [
        "X = np.array([ [0],[1],[2],[3],... ])",
        "y = np.array([[1,1,1,1,...]]).T",
    ]
    assert lines[4:6] == [
        "synapse_0 = |0.5|*np.ones((1,hidden_dim))",
        "synapse_1 = |0.5|*np.ones((hidden_dim,1))",
    ]


@pytest.mark.parametrize("changed", [{}, *OTHERS[:2]], ids=json.dumps)
def test_numbers_of_a_step_are_those_of_the_lines(on, changed):
    """Each variable after the second iteration's lines, from the weights before it."""
    settings = ARTICLE | changed
    lines = PRINTED.replace("[ [0,0,1],[0,1,1],[1,0,1],[1,1,1] ]", repr(settings["X"]))
    lines = lines.replace("[[0,1,1,0]]", repr([settings["y"]])).replace(
        "0.5,4", f"{settings['alpha']},{settings['hidden']}"
    )
    lines = lines.replace("(3,", f"({len(settings['X'][0])},").split("\n")
    before, after = (lines_run(lines, settings, times) for times in (1, 2))
    step = on("stepIn(given)", {"settings": settings, "weights": weights_of(before)})
    for name in ("layer_1", "layer_2", "layer_2_delta", "layer_1_delta"):
        close(step[name], after[name])
    for k in (0, 1):
        close(step[f"synapse_{k}"], before[f"synapse_{k}"])
        close(step[f"next_{k}"], after[f"synapse_{k}"])
    close(step["error"], after["layer_2"] - after["y"])
    close(step["layer_1_error"], after["layer_2_delta"] @ before["synapse_1"].T)
    close(step["gradient_1"], after["layer_1"].T @ after["layer_2_delta"])
    close(step["gradient_0"], after["X"].T @ after["layer_1_delta"])
    for k in (1, 2):
        close(step[f"slope_{k}"], after[f"layer_{k}"] * (1 - after[f"layer_{k}"]))


@pytest.mark.parametrize(
    "changed", [{}, *OTHERS, {"bias": True}, {"bias": True, "hidden": 0}], ids=json.dumps
)
def test_new_weights_are_those_of_python_one_iteration_later(on, changed):
    settings = ARTICLE | changed
    run = in_python(settings, iterations=7, record_every=1, record_weights=True)

    def layers(recorded, j):
        return [layer[j].tolist() for layer in recorded]

    given = [
        {
            "settings": settings,
            "weights": layers(run.recorded_weights, j),
            "biases": layers(run.recorded_biases, j) if settings["bias"] else None,
        }
        for j in (0, 5)
    ]
    for j, step in zip((0, 5), on("given.map(stepIn)", given), strict=True):
        names = ("next_0", "next_1") if settings["hidden"] else ("next_1",)
        for name, expected in zip(names, layers(run.recorded_weights, j + 1), strict=True):
            close(step[name], expected)
        if not settings["hidden"]:
            assert step["layer_1"] == [*map(list, settings["X"])]
            assert "next_0" not in step


def test_a_sentence_for_each_setting_that_changes_the_step(on):
    others = [kind.__name__ for kind in FIRST_ORDER[1:]]
    cases = [{"bias": True}, {"dropout": 0.5}, {"hidden": 0}, *({"optimizer": o} for o in others)]
    given = [ARTICLE | changed for changed in [{}, *cases, {"hidden": 0, "dropout": 0.5}]]
    seed, *pairs, (_, without) = on("given.map(differencesOf)", given)
    assert seed == ["The initial weights are those of np.random.seed(1)."]
    assert [first for first, _ in pairs] == seed * len(pairs)
    assert len({second for _, second in pairs}) == len(cases)
    assert [second.split()[0] for _, second in pairs[3:]] == others
    assert without == pairs[2][1]  # without hidden units none is left out
    assert on("differencesOf(given)", ARTICLE | {"start": "equal"}) == []


def test_numbers_have_four_digits(on):
    numbers = [0, 1, -3, 0.5, 0.123456, -12.3456, 0.00123456, 9.99996e-4, 123456.7, 5e-324, 20000]
    assert on("given.map(fourDigits)", numbers) == [
        *("0", "1", "-3", "0.5000", "0.1235", "-12.35", "0.001235", "1.000e-3"),
        *("1.235e+5", "4.941e-324", "2.000e+4"),
    ]
