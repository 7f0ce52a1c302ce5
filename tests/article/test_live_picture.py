"""What the live page says of a network's outputs and saturation, in Node, compared with Python."""

import numpy as np
import pytest
from test_live_contrast import contrast, scheme, schemes
from test_live_experiment import layers_of

import fastgd
import live
from fastgd.article.page.live import XOR

pytestmark = live.needs_node

X, Y = np.array(XOR[0], float), np.array(XOR[1], float)
DATA = {"X": XOR[0], "y": XOR[1]}
SEEDS = range(1, 6)


@pytest.fixture(scope="module")
def in_node(tmp_path_factory):
    """What an expression gives in Node, by what it needs of a module; ``given`` is data there."""
    folder = tmp_path_factory.mktemp("node")

    def run(names, module, expression, given=None):
        script = f'import {{ {names} }} from "./live/{module}"; answer({expression});'
        return live.in_node(script, folder, given=given)

    return run


def trained(alpha, seed, iterations=60_000):
    return fastgd.train(*XOR, alpha=alpha, hidden_size=4, seed=seed, iterations=iterations)


def effect_of(run, row):
    """The largest derivative of the output with respect to a weight, by differences."""
    change = 1e-6
    largest = 0.0
    for layer, weights in enumerate(run.weights):
        for place in np.ndindex(weights.shape):
            both = []
            for sign in (-1, 1):
                moved = [each.copy() for each in run.weights]
                moved[layer][place] += sign * change
                values = row
                for matrix in moved:
                    values = 1 / (1 + np.exp(-values @ matrix))
                both.append(values[0])
            largest = max(largest, abs(both[1] - both[0]) / (2 * change))
    return largest


def test_effect_is_the_largest_derivative(in_node):
    run = trained(1, 1, 500)
    row = [0.3, -2.0, 1.0]
    found = in_node("answerOf", "forward.js", f"answerOf({layers_of(run.weights)}, given)", row)
    assert found["output"] == pytest.approx(run.predict([row])[0, 0], rel=1e-12)
    assert found["slope"] == pytest.approx(found["output"] * (1 - found["output"]), rel=1e-9)
    assert found["effect"] == pytest.approx(effect_of(run, np.array(row)), rel=1e-6)


@pytest.fixture(scope="module")
def runs():
    """The article's trainings by alpha and seed."""
    alphas = (0.1, 1, 10, 100, 1000)
    return {(alpha, seed): trained(alpha, seed) for alpha in alphas for seed in SEEDS}


def test_samples_are_stuck_where_a_large_alpha_fails(in_node, runs):
    all_layers = ", ".join(layers_of(run.weights) for run in runs.values())
    answers = in_node(
        "saturationOf",
        "forward.js",
        f"[{all_layers}].map((each) => saturationOf(given, each))",
        DATA,
    )
    for ((alpha, _seed), run), found in zip(runs.items(), answers, strict=True):
        unlearned = int((np.abs(run.predict(X)[:, 0] - Y) >= 0.25).sum())
        assert len(found["stuck"]) == unlearned
        assert (unlearned > 0) == (alpha >= 100)
        assert not (alpha < 100 and any(found["units"]))
    (of_1000,) = (each for key, each in zip(runs, answers, strict=True) if key == (1000, 1))
    assert of_1000["units"] == [True, False, True, True, True]


def test_only_pictures_of_a_large_alpha_are_hatched(in_node, runs):
    all_layers = ", ".join(layers_of(run.weights) for run in runs.values())
    flat = "outputsOver(windowOf(given.X), each, 21).flat.some(Boolean)"
    found = in_node(
        "outputsOver, windowOf", "picture.js", f"[{all_layers}].map((each) => {flat})", DATA
    )
    assert found == [alpha >= 100 for alpha, _seed in runs]


def test_the_sentence_s_largest_step_is_true(in_node, runs):
    """It is the step for the sample that is stuck, by differences of its output."""
    run = runs[100, 1]
    layers = layers_of(run.weights)
    settings = "{alpha: 100, optimizer: 'GradientDescent', dropout: 0, iterations: 60000}"
    say = f"saturationSentence(saturationOf(given, {layers}), {settings}, {run.final_error!r})"
    sentence = in_node("saturationOf, saturationSentence", "forward.js", say, DATA)
    assert sentence == (
        "1 of 4 samples is stuck: the output, 0.500, hardly depends on the weights: the hidden "
        "units answer at most 2e-7. With alpha 100 they move a weight by at most 2e-5 in an "
        "iteration."
    )
    step = 100 * abs(run.predict(X)[3, 0]) * effect_of(run, X[3])
    assert step == pytest.approx(2e-5, rel=0.2)


def test_what_an_alpha_of_1000_means(in_node, runs):
    run = runs[1000, 1]
    layers = layers_of(run.weights)
    settings = "{alpha: 1000, optimizer: 'GradientDescent', dropout: 0, iterations: 60000}"
    say = f"saturationSentence(saturationOf(given, {layers}), {settings}, 0.5)"
    assert in_node("saturationOf, saturationSentence", "forward.js", say, DATA) == (
        "2 of 4 samples are stuck: the output, 8e-50, is where the sigmoid is flat: its slope "
        "there, a factor of each derivative, is at most 8e-50. With alpha 1000 they move a weight "
        "by at most 2e-46 in an iteration, so the error stays at 0.5. 4 of 5 units are saturated: "
        "slopes below 0.0001 for every sample hardly let weights change."
    )
    earlier = trained(1000, 1, 30_000)
    for now, then in zip(run.weights, earlier.weights, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_picture_has_the_network_s_outputs(in_node, runs):
    run = runs[10, 1]
    found = in_node(
        "outputsOver, windowOf",
        "picture.js",
        f"[...outputsOver(windowOf(given.X), {layers_of(run.weights)}, 5).outputs]",
        DATA,
    )
    places = np.linspace(-0.25, 1.25, 5)
    rows = [[across, upward, 1] for upward in places for across in places]
    np.testing.assert_allclose(found, run.predict(rows)[:, 0], rtol=1e-12)


def test_a_window_is_over_inputs_that_vary(in_node):
    def window(samples):
        return in_node("windowOf", "picture.js", "windowOf(given)", samples)

    assert window([[5, 0, 2, 1], [5, 4, 4, 1]]) == {
        "axes": [1, 2],
        "ends": [[-1, 5], [1.5, 4.5]],
        "means": [5, 2, 3, 1],
        "hasMore": False,
    }
    assert window([[0, 1, 2], [4, 2, 3]])["hasMore"]
    band = window([[0, 1], [4, 1]])
    assert (band["axes"], band["ends"]) == ([0, 2], [[-1, 5], [-1, 1]])
    assert window([[3], [3]])["ends"] == [[-1, 1], [-1, 1]]


def test_a_picture_over_one_input_is_a_band(in_node):
    run = fastgd.train([[0.0], [1.0]], [0, 1], alpha=1, hidden_size=4, seed=1, iterations=9)
    found = in_node(
        "outputsOver, windowOf",
        "picture.js",
        f"[...outputsOver(windowOf(given), {layers_of(run.weights)}, 5).outputs]",
        [[0], [1]],
    )
    rows = np.linspace(-0.25, 1.25, 5)[:, np.newaxis]
    np.testing.assert_allclose(found, np.tile(run.predict(rows)[:, 0], 5), rtol=1e-12)


def test_units_are_those_of_a_sample_or_of_all(in_node, runs):
    run = runs[10, 1]

    def units(chosen):
        call = f"unitsOf(given, {layers_of(run.weights)}, {chosen})"
        return in_node("unitsOf", "diagram.js", call, DATA)

    inputs, hidden, output = units("2")
    activations = 1 / (1 + np.exp(-X @ run.weights[0]))
    assert inputs == {"values": [1, 0, 1], "slopes": None}
    np.testing.assert_allclose(hidden["values"], activations[2])
    np.testing.assert_allclose(output["values"], run.predict(X)[2])
    _inputs, hidden, output = units("null")
    np.testing.assert_allclose(hidden["values"], activations.mean(axis=0))
    np.testing.assert_allclose(hidden["slopes"], (activations * (1 - activations)).max(axis=0))
    np.testing.assert_allclose(output["values"], [run.predict(X).mean()])


def test_verdicts_and_short_numbers(in_node):
    outputs = [[0.004, 0], [0.74, 0], [0.76, 0], [0.9, 1], [0.5, 1]]
    found = in_node(
        "verdictOf", "answers.js", "given.map(([output, y]) => verdictOf(output, y)[1])", outputs
    )
    assert found == ["right", "undecided", "wrong", "right", "undecided"]
    numbers = [0, 8.1e-50, 2e-5, 0.000999, 0.0012, 0.99996]
    written = in_node("short", "forward.js", "given.map(short)", numbers)
    assert written == ["0.000", "8e-50", "2e-5", "1e-3", "0.001", "1.000"]


@schemes
def test_tiles_and_lines_of_the_picture_are_seen(in_node, is_dark):
    colors = scheme(is_dark)
    for name in ("ink", "soft", "agrees", "differs"):
        assert contrast(colors[name], colors["raised"]) >= 4.5, name
    strengths = in_node("strengthOf", "picture.js", "[0, 0.5, 1, NaN].map(strengthOf)")
    assert strengths[1::2] == [0, 0]
    shades = [
        colors["paper"] + strength * (colors[name] - colors["paper"])
        for name, strength in zip(("negative", "paper", "accent"), strengths, strict=False)
    ]
    for shade in shades:
        assert contrast(colors["ink"], shade) >= 3
