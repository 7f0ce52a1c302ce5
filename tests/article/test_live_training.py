"""Trainings of the page's script, in Node: the bits of fastgd.train, for any network that fits."""

import json
import math
import re
from importlib.resources import files
from itertools import product

import numpy as np
import pytest

import fastgd
from fastgd.article.page.live import (
    INPUTS,
    RATES,
    RECORDS,
    SAMPLES,
    UNITS,
    XOR,
    Packing,
    Program,
    add_programs,
    all_programs,
    bundled,
)
from fastgd.optimizers import FIRST_ORDER, Adam, AdamW, GradientDescent
from live import in_node, needs_node
from thinning import some

BY_NAME = {optimizer.__name__: optimizer for optimizer in FIRST_ORDER}

TRAINS = """
import { Pack } from "./live/pack.js";
import { Programs, programOf } from "./live/worker.js";

const pack = await Pack.decode(readFileSync("pack", "utf-8"));
const programs = await Programs.open(pack);
const fused = programs.fused;
const found = [];
const numbers = (array) => [...array].map((x) => (Number.isFinite(x) ? x : String(x)));
const layers = (each) =>
  each.map(({ values, bias }) => [numbers(values), bias && numbers(bias)]);
const trainings = {};  // used again, so that memory has what was trained before
for (const settings of given) {
  const name = programOf(settings);
  const training = (trainings[name] ??= await programs.training(name));
  training.begin(settings);
  const moments = [];  // whatever the slices
  for (let last = 1; !training.finished; ) {
    moments.push(...training.advance(last));
    last = training.done < last ? last : 3 * last + 1;
  }
  found.push({
    program: name,
    iterations: moments.map(({ iteration }) => iteration),
    errors: numbers(moments.map(({ error }) => error)),
    path: moments.map((moment) => layers(moment.weights)),
    changesThen: layers(moments[Math.floor(moments.length / 2)].changes),
    finalError: numbers([training.finalError])[0],
    updates: training.updates,
    weights: layers(training.layers.weights),
    changes: layers(training.layers.changes),
  });
}
answer({ fused, found });
"""


def settings(**given):
    ours = {
        "X": XOR[0],
        "y": XOR[1],
        "hidden": 4,
        "alpha": 1.0,
        "seed": 1,
        "iterations": 600,
        "optimizer": "GradientDescent",
        "bias": False,
        "dropout": 0,
    }
    return ours | given


def table(samples, inputs, seed=0):
    random = np.random.RandomState(seed)
    X = random.standard_normal((samples, inputs)).round(3).tolist()
    return {"X": X, "y": random.randint(0, 5, samples).__truediv__(4).tolist()}


def in_python(case):
    return fastgd.train(
        case["X"],
        case["y"],
        hidden_size=(case["hidden"],) if case["hidden"] else (),
        alpha=case["alpha"],
        seed=case["seed"],
        iterations=case["iterations"],
        record_every=1,
        record_weights=True,
        optimizer=BY_NAME[case["optimizer"]](),
        bias=case["bias"],
        dropout=case["dropout"],
    )


def plain(array):
    names = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}
    return [x if math.isfinite(x) else names[str(x)] for x in np.ravel(array).tolist()]


def facts(case):
    run = in_python(case)
    last = run.iterations
    moments = [*(j for j in moments_of(case["iterations"]) if j < last), last]
    then = in_python(case | {"iterations": max(moments[len(moments) // 2], 1)})

    def layers(weights, biases):
        return [
            [plain(layer), plain(biases[k]) if case["bias"] else None]
            for k, layer in enumerate(weights)
        ]

    path = [run.at(j) for j in moments[:-1]]
    return {
        "iterations": moments,
        "errors": plain([*run.errors[moments[:-1]], run.final_error]),
        "finalError": plain(run.final_error)[0],
        "updates": run.iterations,
        "weights": layers(run.weights, run.biases),
        "changes": layers(run.direction_changes, run.bias_direction_changes),
        "path": [layers(at.weights, at.biases) for at in (*path, run)],
        "changesThen": layers(then.direction_changes, then.bias_direction_changes),
    }


def moments_of(iterations):
    """All of the first iterations, then 40 in each power of ten, and its multiples 1 to 9."""
    tens = [10**power for power in range(len(str(iterations)))]
    some = {0, *(k * ten for ten in tens for k in range(1, 10))}
    some |= {round(ten * 10 ** (k / 40)) for ten in tens for k in range(40)}
    return sorted(j for j in some if j < iterations)


def compare(cases, chosen, folder, *flags):
    """Train in Node and in Python; returns the programs used, and whether madd was fused."""
    packing = Packing()
    add_programs(packing, chosen)
    (folder / "pack").write_text(packing.text())
    made = in_node(TRAINS, folder, given=cases, flags=flags)
    used = [found.pop("program") for found in made["found"]]
    for case, found in zip(cases, made["found"], strict=True):
        # JavaScript writes 1.92e+17 without a point, which Python takes for a whole number.
        found["path"] = json.loads(json.dumps(found["path"]), parse_int=float)
        assert found == facts(case), case
    return used, made["fused"]


SHAPES = [
    {"hidden": 4},
    {"hidden": 4, "seed": 2**32 - 1, "alpha": 1000.0},
    {"hidden": 0, "bias": True},
    {"hidden": 1, "alpha": 10.0},
    {"hidden": 17, "seed": 12345},
    {"hidden": UNITS, "bias": True},
    {"hidden": 3, **table(1, 1)},
    {"hidden": 8, "bias": True, **table(7, 5)},
    {"hidden": UNITS, "bias": True, "iterations": 60, **table(SAMPLES, INPUTS)},
    {"hidden": 0, **table(SAMPLES, INPUTS)},
    {"hidden": 4, "iterations": RECORDS},
    {"hidden": 4, "iterations": 1},
]
RELAXED = ("--experimental-wasm-relaxed-simd",)


@needs_node
@pytest.mark.parametrize("flags", [RELAXED, ()], ids=["relaxed", "exact"])
def test_any_network_that_fits(tmp_path, flags):
    chosen = [
        Program(GradientDescent, fixed=True),
        Program(GradientDescent),
        Program(GradientDescent, layers=1),
    ]
    used, fused = compare([settings(**shape) for shape in SHAPES], chosen, tmp_path, *flags)
    assert fused == (flags == RELAXED)
    assert set(used) == {program.name for program in chosen}


@needs_node
@pytest.mark.parametrize(
    "shapes", some([(SHAPES[7:8],), ([{}, SHAPES[5]],)], [True, False]), ids=len
)
@pytest.mark.slow
def test_dropout_and_an_optimizer_with_state_of_its_own(tmp_path, shapes):
    cases = [
        settings(optimizer="Adam", dropout=rate, alpha=0.01, **shape)
        for rate, shape in product((RATES[0], 0.25, 0.5, RATES[-1]), shapes)
    ]
    used, _ = compare(cases, [Program(Adam, dropout=True)], tmp_path, *RELAXED)
    assert set(used) == {"Adam.2.dropout"}


@needs_node
@pytest.mark.filterwarnings("ignore:.*diverged")
@pytest.mark.parametrize(("layers", "hidden"), some([(1, 0), (2, 3)], [True, False]))
def test_a_run_whose_weights_overflow_ends_as_in_python(tmp_path, layers, hidden):
    case = settings(optimizer="AdamW", alpha=1000.0, bias=True, hidden=hidden)
    used, _ = compare([case], [Program(AdamW, layers=layers)], tmp_path, *RELAXED)
    assert used == [f"AdamW.{layers}"]
    assert facts(case)["updates"] == 321


@needs_node
@pytest.mark.slow
@pytest.mark.parametrize("flags", [RELAXED, ()], ids=["relaxed", "exact"])
def test_all_programs(tmp_path, flags):
    rates = {"Rprop": 0.01, "AdaDelta": 1.0}
    cases = [
        settings(
            optimizer=name, hidden=hidden, bias=bias, dropout=dropout, alpha=rates.get(name, 0.1)
        )
        for name in BY_NAME
        for hidden in (0, 4, 11)
        for bias in (False, True)
        for dropout in (0, 0.3)
        if hidden or not dropout
    ]
    used, _ = compare(cases, list(all_programs()), tmp_path, *flags)
    assert {name.replace(".dropout", "") for name in used} >= {
        f"{n}.{k}" for n in BY_NAME for k in (1, 2)
    }


@needs_node
def test_initial_weights_are_those_of_the_article(tmp_path):
    seeds = [0, 1, 2, 2**31, 2**32 - 1]
    script = """
import { RandomState } from "./live/random.js";
const stream = (seed) => {
  const random = new RandomState(seed);
  return Array.from({ length: 1500 }, () => random.random());
};
answer(given.map(stream));
"""
    found = in_node(script, tmp_path, given=seeds)
    expected = [np.random.RandomState(seed).random_sample(1500).tolist() for seed in seeds]
    assert found == expected


NUMBERS = [
    *(0.0, -0.0, 1.0, -1.5, 0.1, 1e-4, 1e-5, 1.5e-7, 123456789012.0, 1e15, 1e16, 1.2345e17, 5e-324),
    *(1.7976931348623157e308, 0.0013127406283377, 0.496410031903, 100.0, 1e22, 12345678.9, 0.5),
    *(99999999999.99999, 999999999999.9999, 0.00009999999999999),
]


@needs_node
def test_numbers_are_shown_as_python_shows_them(tmp_path):
    script = """
import { repr } from "./live/dom.js";
answer(given.map((x) => repr(x)));
"""
    given = [*NUMBERS, *(-x for x in NUMBERS)]
    found = in_node(
        script.replace("given.map", "given.map(Number).map"), tmp_path, given=list(map(repr, given))
    )
    assert found == list(map(repr, given))


def top_level_names(text):
    return re.findall(r"^(?:async )?(?:function|class|const|let) ([\w$]+)", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("entry", "call"), [("main.js", "start();"), ("worker.js", "serve(self);")]
)
def test_all_modules_share_one_scope_in_the_page(entry, call):
    text = bundled(entry, call)
    assert not re.search(r"^(import|export)\b", text, re.MULTILINE)
    assert text.rstrip().endswith(call)
    names = top_level_names(text)
    assert len(set(names)) == len(names) > 5
    assert "</script" not in text


def test_every_file_of_the_script_is_in_the_page():
    both = bundled("main.js", "start();") + bundled("worker.js", "serve(self);")
    for file in files("fastgd.article.page.live").iterdir():
        if file.name.endswith(".js"):
            names = top_level_names(
                re.sub("^export ", "", file.read_text("utf-8"), flags=re.MULTILINE)
            )
            assert all(re.search(rf"\b{re.escape(name)}\b", both) for name in names), file.name
