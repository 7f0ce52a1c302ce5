"""The live page's error plane: contour lines, and paths with the bits of Python's."""

import re

import numpy as np
import pytest

import fastgd
from fastgd.article.page.live import LINE, Packing, Program, add_programs
from fastgd.optimizers import FIRST_ORDER, GradientDescent, Rprop
from live import in_node, needs_node
from thinning import only

pytestmark = needs_node

CONTOUR = """
import { contour } from "./live/contours.js";
answer(given.map(([heights, size, level]) => contour(heights, size, level)));
"""


def test_a_contour_crosses_where_the_height_is(tmp_path):
    size, radius = 41, 13.3
    rows, columns = np.mgrid[:size, :size]
    cone = np.hypot(rows - 20, columns - 20)
    slope = columns + rows / 4
    cases = [[cone.ravel().tolist(), size, radius], [slope.ravel().tolist(), size, 20.5]]
    circle, line = map(np.array, in_node(CONTOUR, tmp_path, given=cases))
    for pieces in (circle[:, :2], circle[:, 2:]):
        assert np.hypot(*(pieces - 20).T) == pytest.approx(radius, abs=0.02)
    lengths = np.hypot(*(circle[:, 2:] - circle[:, :2]).T)
    assert lengths.sum() == pytest.approx(2 * np.pi * radius, rel=0.01)
    assert line[:, 0] + line[:, 1] / 4 == pytest.approx(20.5)
    assert line[:, 2] + line[:, 3] / 4 == pytest.approx(20.5)
    assert np.unique(line[:, 1].astype(int)).tolist() == list(range(40))


def test_a_saddle_is_crossed_by_two_lines(tmp_path):
    """Of corners by turns high and low, those are connected whose side the middle is on."""
    cases = [[[9, 0, 0, 9], 2, 4], [[9, 0, 0, 9], 2, 5], [[0, 9, 9, 0], 2, 4], [[1, 1, 1, 1], 2, 1]]
    high, low, other, flat = in_node(CONTOUR, tmp_path, given=cases)

    def around(pieces):
        """The corner that each line cuts off."""
        middles = [((a + c) / 2 > 0.5, (b + d) / 2 > 0.5) for a, b, c, d in pieces]
        return sorted(middles)

    assert around(high) == [(False, True), (True, False)]
    assert around(low) == [(False, False), (True, True)]
    assert around(other) == [(False, False), (True, True)]
    assert flat == []


TRAINS = """
import { Pack } from "./live/pack.js";
import { momentTold, plane, planeSettings, stepAt, weightsAt } from "./live/plane.js";
import { State } from "./live/state.js";
import { Programs, Trainings } from "./live/worker.js";

const pack = await Pack.decode(readFileSync("pack", "utf-8"));
const state = new State(plane.fields(pack));
state.take(given.address);
const [found, moments] = [{}, { First: [], Second: [] }];
const trainings = new Trainings(await Programs.open(pack), (result) => {
  if (result.failed) throw new Error(result.failed);
  moments[result.slot].push(...result.moments);
  if (result.finished) {
    const run = { ...result, moments: moments[result.slot] };
    const places = run.moments.map(weightsAt);
    const all = places.slice(0, -1).map((_, k) => stepAt(run, k));
    const [gradients, steps] = [all.map(({ gradient }) => gradient), all.map(({ step }) => step)];
    const told = all.map((_, k) => momentTold(run, k, [-10, 10]));
    const iterations = run.moments.map(({ iteration }) => iteration);
    found[run.slot] = { places, gradients, steps, told, iterations, finalError: run.finalError };
    answer(found);
  }
});
for (const side of ["First", "Second"]) {
  trainings.start(side, 1, planeSettings(state, side, given));
}
trainings.run(() => new Promise((resolve) => setImmediate(resolve)));
"""


@pytest.mark.parametrize("iterations", only([1, 600, 1500], 1500), ids=str)
def test_paths_have_the_bits_of_python(tmp_path, iterations):
    packing = Packing()
    add_programs(packing, [Program(kind, layers=1) for kind in (GradientDescent, Rprop)])
    packing.add_json("optimizers", {kind.__name__: kind.race_alpha for kind in FIRST_ORDER})
    (tmp_path / "pack").write_text(packing.text())
    X, y = LINE
    address = f"planeSecond=Rprop&planeAlphaSecond=0.01&planeSeed=7&planeIterations={iterations}"
    found = in_node(TRAINS, tmp_path, given={"X": X, "y": y, "address": address})
    for side, optimizer, alpha in (("First", GradientDescent(), 1.0), ("Second", Rprop(), 0.01)):
        run = fastgd.train(
            *LINE,
            hidden_size=(),
            alpha=alpha,
            seed=7,
            iterations=iterations,
            optimizer=optimizer,
            record_every=1,
            record_weights=True,
        )
        places = [run.at(k).weights[0].ravel().tolist() for k in range(iterations)]
        places.append(run.weights[0].ravel().tolist())
        mine = found[side]
        moments = mine["iterations"]
        assert moments[-1] == iterations
        assert mine["places"] == [places[moment] for moment in moments]
        assert mine["finalError"] == run.final_error
        gradients = [gradient_at(places[moment]) for moment in moments[:-1]]
        assert np.array(mine["gradients"]) == pytest.approx(np.array(gradients), abs=1e-9)
        pairs = zip(moments, moments[1:], mine["steps"], mine["told"], strict=False)
        for now, then, step, told in pairs:
            if side == "First":
                then = now + 1  # that of gradient descent is exact
            moved = np.subtract(places[then], places[now]) / (then - now)
            assert step == pytest.approx(moved, abs=1e-12)
            numbers = [float(text) for text in re.findall(r"-?\d[\d.]*(?:e-\d+)?", told)]
            assert numbers[:2] == pytest.approx(places[now], rel=5e-3)
            assert numbers[2] == pytest.approx(run.errors[now], rel=5e-3)
            assert numbers[-2:] == pytest.approx(moved, rel=5e-3)


def gradient_at(weights):
    """The gradient of half the sum of squared errors, from differences."""
    X, y = map(np.array, LINE)

    def loss(weights):
        return ((1 / (1 + np.exp(-X @ weights)) - y) ** 2).sum() / 2

    ends = [(weights + 1e-4 * side, weights - 1e-4 * side) for side in np.eye(2)]
    return [(loss(more) - loss(less)) / 2e-4 for more, less in ends]


def test_where_it_ends_in_words(tmp_path):
    script = """
import { momentTold } from "./live/plane.js";
const ended = (values) => ({ settings: {}, moments: [{ weights: [{ values }] }] });
answer(given.map((last) => momentTold(ended(last), 0, [-10, 10])));
"""
    found = in_node(script, tmp_path, given=[[1.23456, -10], [0, -10.1]])
    assert found == [
        "It ends at the weights 1.23 and -10.",
        "It leaves this map and ends at the weights 0 and -10.1.",
    ]
