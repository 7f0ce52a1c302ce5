"""What the live page's experiment says and draws, in Node: tables, labels, axes."""

from dataclasses import replace

import numpy as np
import pytest

import fastgd
import live
from fastgd.article import comparison
from fastgd.article.experiments import EXPERIMENTS
from fastgd.article.page.live import XOR, published_facts

pytestmark = live.needs_node


@pytest.fixture(scope="module")
def in_node(tmp_path_factory):
    """What an expression gives in Node, by what it needs of a module; ``given`` is data there."""
    folder = tmp_path_factory.mktemp("node")

    def run(names, module, expression, given=None):
        script = (
            f'import {{ {names} }} from "./live/{module}";'
            'import { Scale } from "./live/scales.js";'
            f"answer({expression});"
        )
        return live.in_node(script, folder, given=given)

    return run


def layers_of(weights, biases=None):
    """Layers as a result of the page has them, in JavaScript."""
    parts = [
        f"{{rows: {len(layer)}, columns: {len(layer[0])}, "
        f"values: Float64Array.from({np.ravel(layer).tolist()}), "
        f"bias: {'null' if biases is None else list(map(float, biases[k]))}}}"
        for k, layer in enumerate(weights)
    ]
    return f"[{', '.join(parts)}]"


def test_ticks_are_round_numbers(in_node):
    def ticks(scale, most):
        return in_node("ticksOf", "charts.js", f"ticksOf(new Scale({scale}), {most})")

    assert ticks("{low: 0, high: 60000}", 6) == [k * 10_000 for k in range(7)]
    assert ticks("{low: 0, high: 0.5}", 5) == [0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert ticks("{low: 0.0003, high: 1, log: true}", 5) == [0.001, 0.01, 0.1, 1]


def test_labels_leave_room_for_each_other(in_node):
    def shown(room):
        labels = [{"at": room * k, "width": width} for k, width in enumerate([33, 26, 20, 7] * 2)]
        some = in_node("spread", "charts.js", "spread(given)", labels)
        return [label["at"] // room for label in some]

    assert shown(36) == list(range(8))
    assert shown(35) == [0, 2, 4, 6]
    assert shown(11) == [0, 3, 6]
    assert shown(1) == [0]


def test_numbers_for_people(in_node):
    numbers = [60_000, 0.0031835023858748255, 0.1, 1_000_000]
    written = in_node("readable", "charts.js", "given.map((x) => readable(x))", numbers)
    assert written == ["60,000", "0.00318", "0.1", "1,000,000"]


def test_weights_are_short(in_node):
    numbers = [4.6013571, -14.87601886, -116.60053379, 0, 0.021, -0.00021]
    written = in_node("shortWeight", "wording.js", "given.map(shortWeight)", numbers)
    assert written == ["4.6", "-14.9", "-117", "0.0", "0.02", "-2e-4"]


def test_the_axis_of_errors_has_room_for_the_least(in_node):
    def low(errors, log):
        made = "[errorScale([given], LOG)].map((s) => [s.low, s.high])[0]".replace("LOG", log)
        return in_node("errorScale", "error_curve.js", made, errors)

    assert low([0.5, 0.01, 0.0012], "true") == [0.001, 1]
    assert low([0.5, 0.0, 0.0009], "true") == pytest.approx([10**-3.5, 1])
    assert low([0.4982, 0.01], "false") == [0, 0.5]


def test_a_note_tells_how_far_how_fast_and_how(in_node):
    def note(fused="true", stopped="false", **given):
        result = {"finished": True, "diverged": False, "settings": {"iterations": 60_000}, **given}
        return in_node("noteOf", "wording.js", f"noteOf(given, {fused}, {stopped})", result)

    assert note(done=60_000, seconds=0.00871) == "60,000 iterations in 8.7 ms."
    assert note("false", done=60_000, seconds=1.5).endswith(
        "in 1.5 s. This browser has no fused multiply-add, so each one is computed exactly in "
        "steps, which takes about 12 times as long."
    )
    assert "500 of 60,000 iterations in 10 ms, then stopped" in note(
        stopped="true", finished=False, done=500, seconds=0.01
    )
    assert note(diverged=True, done=1234, seconds=1) == (
        "The weights overflowed after 1,234 iterations: alpha is too large."
    )


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("hidden", [(4,), ()])
def test_outputs_are_those_of_the_network(in_node, hidden, bias):
    run = fastgd.train(*XOR, alpha=1, hidden_size=hidden, iterations=500, bias=bias)
    layers = layers_of(run.weights, run.biases if bias else None)
    outputs = in_node("outputsOf", "forward.js", f"outputsOf(given, {layers})", XOR[0])
    np.testing.assert_allclose(outputs, np.ravel(run.predict(XOR[0])), rtol=1e-12)


def test_rows_of_a_matrix_have_what_belongs_to_a_unit(in_node):
    layers = layers_of([[[1, 2], [3, 4], [5, 6]], [[7], [8]]], [[9, 10], [11]])
    rows = in_node("rowsByUnit", "matrix.js", f"rowsByUnit({layers})")
    assert {row["name"]: row["values"] for row in rows} == {
        "input 1": [1, 2],
        "input 2": [3, 4],
        "input 3": [5, 6],
        "bias": [9, 10],
        "to output": [7, 8],
        "output's bias": [11],
    }
    total = in_node("totalOf", "matrix.js", f"totalOf({layers})")
    assert total == {"sum": 66, "average": 6}


@pytest.fixture(scope="module")
def facts():
    (experiment,) = (e for e in EXPERIMENTS if e.name == "alpha")
    return published_facts([comparison.run(replace(experiment, alphas=(0.001, 10.0)))])


SETTINGS = {
    "isArticle": True,
    "hidden": 4,
    "alpha": 10,
    "seed": 1,
    "start": "random",
    "iterations": 60_000,
    "optimizer": "GradientDescent",
    "bias": False,
    "dropout": 0,
}


def test_published_errors_are_printed_as_the_article_does(facts):
    last = [50_000, "0.00131274062834", "0.0013127406283356727", "agrees"]
    assert facts["4"]["10.0"]["rows"][-1] == last


def test_only_the_article_s_own_settings_have_published_numbers(in_node, facts):
    others = {
        "isArticle": False,
        "hidden": 5,
        "alpha": 2,
        "seed": 2,
        "start": "equal",
        "iterations": 1000,
        "optimizer": "Adam",
        "bias": True,
        "dropout": 0.5,
    }
    changes = [{}, {"alpha": 0.001}, *({name: value} for name, value in others.items())]
    given = [facts, [SETTINGS | changed for changed in changes]]
    has = "given[1].map((settings) => publishedOf(given[0], settings) !== undefined)"
    found = in_node("publishedOf", "published.js", has, given)
    assert found == [True] * 2 + [False] * len(others)


def test_marks_hold_only_for_the_same_bits(in_node, facts):
    fact = facts["4"]["10.0"]
    run = fastgd.train(*XOR, alpha=10, hidden_size=4, seed=1, iterations=60_000, record_every=100)
    errors = run.errors.tolist()
    recorded = run.recorded.tolist()
    compare = (
        "comparedWith(given[0], {finalError: given[1].finalError, moments: given[1].recorded"
        ".map((iteration, k) => ({iteration, error: given[1].errors[k]}))})"
    )

    def same(**changed):
        result = {"recorded": recorded, "errors": errors, "finalError": run.final_error, **changed}
        return in_node("comparedWith", "published.js", compare, [fact, result])["same"]

    assert same()
    assert not same(finalError=float(np.nextafter(run.final_error, 1)))
    at = recorded.index(10_000)
    errors[at] = float(np.nextafter(errors[at], 0))
    assert not same()
