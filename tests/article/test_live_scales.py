"""The scales of the live page's sliders, in Node: what a hand can choose is what a reader wants."""

import pytest

import live

pytestmark = live.needs_node

ALPHA = "{low: 0.001, high: 1000, log: true, ticks: [0.001, 0.01, 0.1, 1, 10, 100, 1000]}"
ITERATIONS = "{low: 1, high: 1e6, log: true, digits: 2, whole: true, ticks: [60000]}"
DROPOUT = "{low: 0, high: 0.9, step: 0.05}"
HIDDEN = "{low: 0, high: 32, step: 1, whole: true, ticks: [4, 32]}"


@pytest.fixture(scope="module")
def on(tmp_path_factory):
    """What an expression gives in Node, with a scale named ``s`` and its numbers, ``all``."""
    folder = tmp_path_factory.mktemp("node")

    def run(scale, expression):
        script = (
            'import { Scale } from "./live/scales.js";'
            f"const s = new Scale({scale});"
            "const all = Array.from({ length: s.steps + 1 }, (_, k) => s.at(k));"
            f"answer({expression});"
        )
        return live.in_node(script, folder)

    return run


def test_powers_of_ten_are_steps_of_a_logarithmic_scale(on):
    powers = [0.001, 0.01, 0.1, 1, 10, 100, 1000]
    assert on(ALPHA, "s.ticks.map((tick) => s.at(s.stepOf(tick)))") == powers
    assert on(ALPHA, "[all.length, all[0], all.at(-1)]") == [601, 0.001, 1000]


def test_numbers_of_a_scale_grow_and_are_short(on):
    numbers = on(ALPHA, "all")
    assert numbers == sorted(set(numbers))
    assert numbers == [float(f"{x:.3g}") for x in numbers]


def test_a_pointer_snaps_to_the_nearest_tick(on):
    near, free, far = on(ALPHA, "[s.at(397, true), s.at(397), s.at(390, true)]")
    assert (near, free) == (10, 9.33)
    assert far == 7.94
    assert on("{low: 0, high: 100, ticks: [50, 51]}", "[101, 102].map((k) => s.at(k, true))") == [
        50,
        51,
    ]


def test_whole_numbers_stay_whole(on):
    assert on(HIDDEN, "all") == list(range(33))
    assert all(isinstance(count, int) for count in on(ITERATIONS, "all"))
    assert on(ITERATIONS, "s.at(s.stepOf(60000))") == 60_000


def test_rates_of_dropout_are_those_of_python(on):
    assert on(DROPOUT, "all") == [k / 20 for k in range(19)]


def test_on_the_slider_what_lies_outside_stands_at_the_end(on):
    assert on(ALPHA, "[s.stepOf(1e-9), s.stepOf(1e9)]") == [0, 600]
    assert on(DROPOUT, "[s.place(-0.9), s.place(1.8)]") == [-1, 2]
