"""The page's bucket in Node: formulas become Python's programs, and balls roll with its bits."""

import json
import random
import re
import shlex
from base64 import b64decode

import numpy as np
import pytest

from fastgd import bucket
from fastgd.article.page.live import MODULES, bucket_facts
from fastgd.engine.formula_values import code_of
from fastgd.formulas.derivation import Derivation
from fastgd.formulas.expressions import FUNCTIONS, parse
from fastgd.kernel.bytecode import OF_VALUE
from fastgd.studies.bucket.curves import curve_of
from fastgd.studies.bucket.rolling import roller_of
from live import in_node, needs_node
from thinning import only

FACTS = bucket_facts()
BALLS = FACTS["randomBalls"]
EXAMPLES = FACTS["examples"]
CURVES = {each["curve"] for each in EXAMPLES}

pytestmark = [needs_node, pytest.mark.filterwarnings("ignore::SyntaxWarning")]

WRITTEN = """
x|1|-x|+x|x + 1|2*x - 1|x/3|x/4|x/0.1|1/x|2 / (1 + x**2)|x**0|x**1|x**-1|x**64|x**65|x**0.5|x**x
2**x|(x - 1)**3|-x**2|2**-1|-2**2*x|x**2**0.5|--x|x - -1|1 - x - 1|x / 2 / 3|0x10*x|1_000*x|.5*x
5.*x|1e-3*x|00*x|pi*x|e**x|exp(-x**2)|abs(x - 1)|sign(x)*x|relu(x) + sigmoid(x)|minimum(x, 1 - x)
maximum(x**2, 2)|where(x > 0, x**2, -x)|where(x <= 1, 1, 2)|where(1 < 2, x, log(2))
sin(x)*cos(x)*tan(x)|asin(x/9) + acos(x/9)|sinh(x) - cosh(x)|tanh(atan(x))|log(x**2 + 1)
fma(x, x, -1)|fma(1, 2, x)|floor(3*x)*x + floor(-0.5)
log1p(x**2)|expm1(x)|sqrt(x**2 + 1)|x + 1e-320|x*0 - 0|2**0.5 + x|(2 - 1)*x|1e300*x*1e300
x # the line|sin(x,)|(((x)))|x \u2212 1|x**2 \u2013 cos(3*x)|2\u00a0*\u202fx
""".strip()

REFUSED = """
x^2|x^2 + 1|(x)^2|sin|sin()|sin(x, 2)|minimum(x)|fma(x, x)|where(x, 1, 2)
where(0 < x < 1, 1, 2)|where(x == 1, 1, 2)|x < 1|y|foo(x)|sine(x)|sigmod(x)|ln(x)|pow(x, 2)
arcsin(x)|min(x, 1)|1/0|log(-1)|log(0)|sqrt(-1)|1e999|exp(1000)|(-8)**(1/3)|0**-1|x + log(-1)|x +
*x|(x|x)|x//2|x%2|~x|x@x|x&1|x<<1|01|x = 1|x²|√x|Sin(x)|X|sin(y)|1.5.2|x**
sin x|2*cos 3|x + ln x|tg  x + 1|sinx|asin x|x sin x|sin x 2|x \u2212 y
where(1 < 2, x, log(-1))|a'b|10000**10000|x!|where(x > 0, 1, 2, 3)|tanh + 1
""".strip()

PRODUCTS = ["2x", "3 x", "2(x)", "x(x + 1)", "(x + 1)(x - 1)", "pi(x)", "0x", "1j"]
PRODUCTS += ["foo x", "maximum x", "x sin(x)"]
OTHERWISE = [*PRODUCTS, "np.sin(x)", "sin.x", "x(", "x, 1", "0,5*x", "'a'", "[x]", "True"]
OTHERWISE += ["x if x else 1", "x[0]"]
"""Python refuses them in other words."""

TIMES = "\N{MULTIPLICATION SIGN}"


def formulas(count):
    """Random formulas of all operations."""
    choose = random.Random(1)
    numbers = ["0", "1", "2", "0.5", "10", "0.1", "7", "1e-3", "65", "2.5", "-1", "-0.5", "pi", "e"]

    def make(depth):
        kind = choose.random()
        if depth == 0 or kind < 0.2:
            return "x" if choose.random() < 0.6 else choose.choice(numbers)
        if kind < 0.5:
            return f"({make(depth - 1)} {choose.choice('+-*/')} {make(depth - 1)})"
        if kind < 0.6:
            return f"{make(depth - 1)} {choose.choice('+-*/')} {make(depth - 1)}"
        if kind < 0.7:
            return f"-{make(depth - 1)}"
        if kind < 0.85:
            exponent = choose.choice(["2", "3", "-1", "-2", "0.5", "7", "65", make(depth - 1)])
            return f"({make(depth - 1)})**({exponent})"
        name = choose.choice([*FUNCTIONS])
        operands = [make(depth - 1) for _ in range(FUNCTIONS[name])]
        if name == "where":
            operands[0] += f" {choose.choice(['<', '<=', '>', '>='])} {make(depth - 1)}"
        return f"{name}({', '.join(operands)})"

    return [make(choose.randint(1, 5)) for _ in range(count)]


def listed(text):
    return text.replace("\n", "|").split("|")


def numbers(text):
    return np.frombuffer(b64decode(text))


# ---------------------------------------------------------------- formulas

BITS = """
const bits = (numbers) => Buffer.from(Float64Array.from(numbers).buffer).toString("base64");
"""

ENDED = """
const ended = (work) => {
  for (;;) {
    const { value, done } = work.next();
    if (done) return value;
  }
};
"""
"""What a generator returns at its end."""

COMPILES = (
    BITS
    + """
import { programsOf } from "./live/bytecode.js";
import { FormulaError } from "./live/formulas.js";
const inWords = (program) => ({ ...program, constants: bits(program.constants) });
answer(given.texts.map((text) => {
  try {
    const { height, slope } = programsOf("curve", text, given.facts);
    return [inWords(height), inWords(slope)];
  } catch (error) {
    if (!(error instanceof FormulaError)) throw error;
    return error.message;
  }
}));
"""
)


def compiled(texts, folder):
    return in_node(COMPILES, folder, given={"texts": texts, "facts": FACTS})


def in_python(text):
    """The programs of a formula's height and slope, or what is wrong with it."""
    try:
        tree = parse("curve", text)
    except ValueError as error:
        return str(error)
    derivation = Derivation(of_value=OF_VALUE)
    found = derivation.of(tree)
    slope = derivation.number(0.0) if found.derivative is None else found.derivative
    return [
        program(code_of(derivation, node, codes=FACTS["codes"].__getitem__))
        for node in (found.value, slope)
    ]


def program(made):
    constants = [float(constant).hex() for constant in made.constants]
    return {"words": made.program.tolist(), "rows": made.rows, "constants": constants}


def with_digits(found):
    return [
        each | {"constants": [float(c).hex() for c in numbers(each["constants"])]} for each in found
    ]


def test_formulas_become_the_programs_of_python(tmp_path):
    texts = [*CURVES, *listed(WRITTEN), *formulas(300)]
    for text, found in zip(texts, compiled(texts, tmp_path), strict=True):
        expected = in_python(text)
        assert (found if isinstance(found, str) else with_digits(found)) == expected, text


def test_what_is_no_formula_is_refused_in_pythons_words(tmp_path):
    texts = [
        *listed(REFUSED),
        *("", "  ", "x" * 200, "1" * 400, "x + " * 150 + "x", "sin(" * 100 + "y" + ")" * 100),
        "x ^ " + "a" * 99,
    ]
    for text, found in zip(texts, compiled(texts, tmp_path), strict=True):
        sentence, *guess = in_python(text).partition(": did you mean ")
        assert found == sentence, text  # it names all that are known, and guesses none
        assert ", known are x, pi, e, " in sentence or not any(guess), text


def test_long_texts_are_refused_before_they_are_read(tmp_path):
    most = "x + 1" + " " * 9992 + "+ 1  "
    assert len(most.strip()) == 10_000
    taken, *refused = compiled([most, "x" + "+x" * 5000, "(" * 1_000_000, "x^" * 6000], tmp_path)
    assert with_digits(taken) == in_python(most)
    for sentence, size in zip(refused, (10_001, 1_000_000, 12_000), strict=True):
        assert sentence == f"curve must have at most 10000 characters, got {size}"


def test_the_rest_is_refused_too(tmp_path):
    for text, found in zip(OTHERWISE, compiled(OTHERWISE, tmp_path), strict=True):
        assert isinstance(found, str), text
        assert isinstance(in_python(text), str), text
        assert found.endswith(f"got {text!r}")
        assert ("a product is written *" in found) == (text in PRODUCTS)


# ---------------------------------------------------------------- balls

ROLLS = (
    BITS
    + ENDED
    + """
import { programsOf } from "./live/bytecode.js";
import { Roller } from "./live/roller.js";
const roller = await Roller.start(readFileSync("module"), given.facts);
answer(given.rolls.map(({ curve, xs, starts, ...options }) => {
  const programs = programsOf("curve", curve, given.facts);
  const roll = (more) => ended(roller.roll({ programs, ...options, ...more }));
  const balls = roll({ starts });
  const paths = starts.map((start) => roll({ starts: [start], recordPath: true })[0].path);
  return {
    heights: bits(roller.heights(programs, xs)),
    slopes: bits(roller.slopes(programs, xs)),
    x: bits(balls.map((ball) => ball.x)),
    status: balls.map((ball) => ball.status),
    iterations: balls.map((ball) => ball.iterations),
    paths: paths.map(bits),
  };
}));
"""
)


def rolls():
    """Balls on the article's curves and on random ones, with one alpha for those of a call."""
    for each in EXAMPLES:
        for alpha in sorted(set(each["alpha"])):
            yield each["curve"], each["start"], alpha, "alpha", each["iterations"]
    choose = random.Random(2)
    for text in formulas(100):
        if not isinstance(in_python(text), str):
            count = choose.choice([1, 2, 3, 5])
            starts = [round(choose.uniform(-3, 3), 2) for _ in range(count)]
            alpha = choose.choice([1e-3, 0.01, 0.1, 0.5, 1.0])
            yield text, starts, alpha, choose.choice(bucket.RULES), choose.choice([50, 500])
    yield "x**2 - cos(3*x)", np.linspace(-9, 9, BALLS).tolist(), 0.01, "alpha", 30


@pytest.mark.parametrize("target", only(MODULES.values(), "wasm32-relaxed"))
def test_balls_roll_with_the_bits_of_python(tmp_path, target):
    module = roller_of(target)
    assert len(module) < 60_000
    (tmp_path / "module").write_bytes(module)
    xs = [0.0, -0.0, 1e-310, 1e300, *np.random.RandomState(1).normal(0, 5, 700).tolist()]
    given = list(rolls())
    assert len(given) > 80
    keys = ("curve", "starts", "alpha", "rule", "iterations")
    asked = [dict(zip(keys, each, strict=True), xs=xs) for each in given]
    asked[0]["xs"] = xs[:1]
    found = in_node(ROLLS, tmp_path, given={"rolls": asked, "facts": FACTS})
    seen, nowhere = set(), 0
    for (curve, starts, alpha, rule, iterations), asks, got in zip(
        given, asked, found, strict=True
    ):
        heights, slopes = curve_of(curve, None).at(asks["xs"])
        assert_same_bits(numbers(got["heights"]), heights, curve)
        assert_same_bits(numbers(got["slopes"]), slopes, curve)
        options = {"rule": rule, "iterations": iterations, "record_path": True}
        options |= {} if rule == "naive" else {"alpha": alpha}
        height, slope = curve_of(curve, None).at(starts)
        lacking = np.isnan(slope) & ~np.isinf(height)
        if lacking.any():
            with pytest.raises(ValueError, match="must have a slope where a ball starts"):
                bucket.roll(curve=curve, start=starts, **options)
            ends = np.array([*zip(got["status"], got["iterations"], strict=True)])[lacking]
            assert (ends == ["diverged", "0"]).all()
            nowhere += 1
            continue
        rolled = bucket.roll(curve=curve, start=starts, **options)
        assert_same_bits(numbers(got["x"]), rolled.x, curve)
        assert got["status"] == rolled.status.tolist(), curve
        assert got["iterations"] == rolled.iterations.tolist(), curve
        for path, expected, done in zip(got["paths"], rolled.path, rolled.iterations, strict=True):
            assert_same_bits(numbers(path), expected[: done + 1], curve)
        seen |= set(got["status"])
    assert seen == {"rolling", "converged", "stuck", "diverged"}
    assert nowhere


IN_PARTS = (
    BITS
    + ENDED
    + """
import { programsOf } from "./live/bytecode.js";
import { Roller } from "./live/roller.js";
const start = () => Roller.start(readFileSync("module"), given.facts);
const listed = (balls) =>
  balls.map(({ x, path = [], pathHeights = [], ...ball }) => {
    return { ...ball, numbers: [[x], path, pathHeights].map(bits) };
  });
const rollers = [await start(), await start()];
answer(given.rolls.map(({ curve, ...options }) => {
  const programs = programsOf("curve", curve, given.facts);
  const asked = [
    { programs, ...options, starts: options.starts.slice(0, 1), recordPath: true },
    { programs, ...options },
  ];
  const works = rollers.map((roller, k) => roller.roll({ ...asked[k], lasts: 0 }));
  const [ends, heights] = [[null, null], []];
  let parts = 0;
  for (; ends.includes(null); parts += 1) {
    works.forEach((work, k) => {
      const { value, done } = work.next();
      if (done && !ends[k]) ends[k] = value;
    });
    heights.push(rollers[0].heights(programs, [1])[0]); // while its ball rolls
  }
  return {
    parts,
    inParts: ends.map(listed),
    whole: asked.map((each) => listed(ended(rollers[0].roll({ ...each, lasts: Infinity })))),
    pathHeights: bits(rollers[0].heights(programs, ends[0][0].path)),
    height: bits(heights),
    again: bits(heights.map(() => rollers[1].heights(programs, [1])[0])),
  };
}));
"""
)


@pytest.mark.parametrize("every", only([1, 4], 4))
def test_balls_that_roll_in_parts_side_by_side_have_the_same_bits(tmp_path, every):
    (tmp_path / "module").write_bytes(roller_of("wasm32"))
    keys = ("curve", "starts", "alpha", "rule", "iterations")
    asked = [dict(zip(keys, each, strict=True)) for each in rolls() if each[4] <= 500][::every]
    found = in_node(IN_PARTS, tmp_path, given={"rolls": asked, "facts": FACTS})
    for asks, got in zip(asked, found, strict=True):
        assert got["inParts"] == got["whole"], asks["curve"]
        assert got["inParts"][0][0]["numbers"][2] == got["pathHeights"], asks["curve"]
        assert got["height"] == got["again"], asks["curve"]
    assert max(got["parts"] for got in found) > 400


TURNS = """
import { Parts } from "./live/parts.js";
const seen = [];
const parts = new Parts();
function* work(name, turns) {
  for (let turn = 1; turn < turns; turn++) {
    for (const from = performance.now(); performance.now() - from < 5; );
    yield `${name} ${turn}`;
  }
  return `${name} is over`;
}
const does = (name, turns) =>
  new Promise((resolve) =>
    parts.begin(work(name, turns), (...part) => {
      seen.push(part);
      if (part[1]) resolve();
    })
  );
does("older", 1000);
await new Promise((resolve) => setTimeout(resolve)); // somebody else's turn
seen.push(parts.isOver);
await does("newer", 3);
seen.push(parts.isOver);
does("last", 1000);
parts.stop();
const count = seen.length;
await new Promise((resolve) => setTimeout(resolve, 50));
answer({ seen, isQuiet: count === seen.length });
"""


def test_work_has_turns_until_newer_work_takes_its_place(tmp_path):
    said = in_node(TURNS, tmp_path)
    begin = said["seen"].index(False)
    older = [[f"older {turn}", False] for turn in range(1, begin + 1)]
    newer = [["newer 1", False], ["newer 2", False], ["newer is over", True]]
    assert said["seen"] == [*older, False, *newer, True, ["last 1", False]]
    assert said["isQuiet"]


def assert_same_bits(found, expected, curve):
    """Equal but for the payload of a NaN."""
    same = found.view(np.int64) == np.asarray(expected).view(np.int64)
    assert (same | (np.isnan(found) & np.isnan(expected))).all(), curve


# ---------------------------------------------------------------- the section

STEPS = (
    ENDED
    + """
import { programsOf } from "./live/bytecode.js";
import { Roller } from "./live/roller.js";
import { outsideTold, placeTold, stepTold } from "./live/rolls.js";
const roller = await Roller.start(readFileSync("module"), given.facts);
answer({
  rolls: given.rolls.map(({ curve, start, alpha, rule, iterations }) => {
    const programs = programsOf("curve", curve, given.facts);
    const options = { programs, starts: [start], alpha, rule, iterations, recordPath: true };
    const [{ path }] = ended(roller.roll(options));
    const slopes = roller.slopes(programs, path);
    const step = (x, k) => ({ x, slope: slopes[k], next: path[k + 1] });
    return Array.from(path, (x, k) => stepTold(step(x, k), { alpha, rule }));
  }),
  places: given.places.map(([x, width]) => placeTold(x, width)),
  outside: given.outside.map(([x, height]) => outsideTold(x, height, [-2, 2], [0, 4])),
  infinite: [placeTold(-Infinity, 3), stepTold({ x: 0, slope: NaN }, {})],
});
"""
)


@pytest.mark.parametrize("rule", bucket.RULES)
def test_the_numbers_of_a_step_are_those_of_python(tmp_path, rule):
    (tmp_path / "module").write_bytes(roller_of("wasm32"))
    curves = [*sorted(CURVES), "x**3 - x", "sin(3*x)*exp(-x**2)"]
    keys = ("curve", "start", "alpha", "rule", "iterations")
    rolls = [
        dict(zip(keys, (curve, start, alpha, rule, 30), strict=True))
        for curve in curves
        for start, alpha in ((1.0, 0.1), (-0.75, 0.01), (0.3, 0.7))
    ]
    given = {"rolls": rolls, "facts": FACTS, "places": [], "outside": []}
    found = in_node(STEPS, tmp_path, given=given)["rolls"]
    for asked, told in zip(rolls, found, strict=True):
        settings = {**asked, "alpha": None if rule == "naive" else asked["alpha"]}
        path = bucket.roll(**settings, record_path=True).path
        _, slopes = curve_of(asked["curve"], None).at(path)
        assert len(told) == len(path)
        assert told[-1]["step"] == "no more steps"
        for x, slope, then, says in zip(path, slopes, path[1:], told, strict=False):
            assert_written(says["slope"], slope)
            formula, sign, result = re.fullmatch(r"x = (.+) ([=≈]) (.+)", says["step"]).groups()
            assert_written(formula.split(" - ")[0], x)
            assert_written(result, then)
            if sign == "=":
                assert eval(formula.replace(TIMES, "*")) == pytest.approx(then, rel=1e-11)
                assert float(result) == pytest.approx(then, rel=1e-11)


def assert_written(text, number):
    """Four digits, or two if it is very small or large."""
    size = abs(number)
    assert float(text) == pytest.approx(number, rel=1e-3 if 1e-3 <= size < 1e6 else 0.06)


def test_the_first_step_in_words(tmp_path):
    (tmp_path / "module").write_bytes(roller_of("wasm32"))
    keys = ("curve", "start", "alpha", "rule", "iterations")
    rolls = [
        ("x**2", 1.0, 0.1, "alpha", 9),
        ("x**2", -3.0, 0.1, "alpha", 9),
        ("x**2", 1.0, 0.1, "naive", 9),
        ("x**2", -0.35, 0.1, "sign", 9),
        ("x**2", 0.0, 0.1, "alpha", 9),
    ]
    given = {
        "rolls": [dict(zip(keys, roll, strict=True)) for roll in rolls],
        "places": [[0.8, 3], [4.97323236409787e-10, 3], [-1e-9, 3], [1.4641000000000002, 3],
                   [2.123456789, 12], [1.5e-6, 2e-6], [-1234567890.0, 3]],
        "outside": [[1, 1], [-1.23e9, 1e18], [2.5, 1], [1.5, 5], [0, -1]],
        "facts": FACTS,
    }  # fmt: skip
    said = in_node(STEPS, tmp_path, given=given)
    assert [told[0] for told in said["rolls"]] == [
        {"slope": "2", "step": f"x = 1 - 0.1 {TIMES} 2 = 0.8"},
        {"slope": "-6", "step": f"x = -3 - 0.1 {TIMES} (-6) = -2.4"},
        {"slope": "2", "step": "x = 1 - 2 = -1"},
        {"slope": "-0.7", "step": f"x = -0.35 - 0.1 {TIMES} (-1) = -0.25"},
        {"slope": "0", "step": "no more steps"},
    ]
    assert said["places"] == [
        *("x = 0.8", "x ≈ 0.000000", "x ≈ 0.000000", "x = 1.4641"),
        *("x ≈ 2.12346", "x = 0.0000015", "x ≈ -1.2e9"),
    ]
    assert said["outside"] == [
        "",
        "The ball is at x = -1.2e9, left of the picture.",
        "The ball is at x = 2.5, right of the picture.",
        "The ball is at x = 1.5, above the picture.",
        "The ball is at x = 0, below the picture.",
    ]
    assert said["infinite"] == ["x = -inf", {"slope": "none", "step": "no more steps"}]


SLOPES = """
import { programsOf } from "./live/bytecode.js";
import { Roller } from "./live/roller.js";
const roller = await Roller.start(readFileSync("module"), given.facts);
answer(given.curves.map((curve) => {
  const programs = programsOf("curve", curve, given.facts);
  const beside = (by) => roller.heights(programs, given.xs.map((x) => x + by));
  const [left, right] = [beside(-1e-5), beside(1e-5)];
  const differences = Array.from(right, (height, k) => (height - left[k]) / 2e-5);
  return [[...roller.slopes(programs, given.xs)], differences];
}));
"""


def test_the_slope_of_the_tangent_is_that_of_the_curve(tmp_path):
    (tmp_path / "module").write_bytes(roller_of("wasm32"))
    given = {"curves": sorted(CURVES), "xs": np.linspace(-3, 5, 83).tolist(), "facts": FACTS}
    for slopes, differences in in_node(SLOPES, tmp_path, given=given):
        assert slopes == pytest.approx(differences, rel=1e-6, abs=1e-6)


SAYS = """
import { ballCommand, ballPython, basinsTold, endTold } from "./live/rolls.js";
import { heightsShown, stepsAfter } from "./live/hill.js";
const ball = (x, status = "converged") => ({ x, status });
answer({
  python: given.map(ballPython),
  commands: given.map(ballCommand),
  ends: [
    ["converged", 0, 1],
    ["stuck", 5, 0],
    ["rolling", 3, 10000],
    ["diverged", -2e9, 99],
    ["diverged", 1, 0],
  ].map(([status, x, iterations]) => endTold({ start: 1, status, x, iterations })),
  told: [
    [[ball(-4e-10), ball(1e-9)], 3],
    [[ball(1.23456789), ball(1e-5), ball(2, "diverged")], 3],
    [[ball(1), ball(3, "stuck")], 3],
    [[ball(3, "stuck")], 3],
    [[ball(3), ball(1.01), ball(1), ball(9, "stuck"), ball(1.02)], 15],
    [Array.from({ length: 13 }, (_, k) => ball(k)), 13],
  ].map(([balls, width]) => basinsTold(balls, width)),
  shown: [[0, 1, 2], [5, 5], [NaN], [...Array(98).keys(), 1e9, -1e9]].map(heightsShown),
  steps: [0, 0.5, 1].map((share) => stepsAfter(share, 1000)),
});
"""


def test_what_is_copied_rolls_the_same_ball(tmp_path, capsys, run):
    own = {"curve": "x**2", "start": -0.3, "alpha": 1e-5, "rule": "alpha", "iterations": 10_000}
    others = (
        {"rule": "naive"},
        {"rule": "sign", "iterations": 20},
        {"curve": "-abs(x)", "start": 1e6, "iterations": 3},
    )
    given = [own, *({**own, **other} for other in others)]
    said = in_node(SAYS, tmp_path, given=given)
    for settings, code, command in zip(given, said["python"], said["commands"], strict=True):
        names = {}
        exec(code, names)
        ball = names["ball"]
        assert capsys.readouterr().out == f"{ball.x!r}\n"
        assert (ball.curve.text, ball.start) == (settings["curve"], settings["start"])
        assert ball.rule == settings["rule"]
        assert ball.alpha == (1.0 if ball.rule == "naive" else settings["alpha"])
        assert ball.iterations <= settings["iterations"]
        _, *words = shlex.split(command)
        status, out, err = run(words[0], "--json", *words[1:])
        assert (status, err) == (0, "")
        assert json.loads(out)["balls"][0]["x"] == ball.x
    assert said["python"][0] == (
        "import fastgd\n\n"
        'ball = fastgd.bucket.roll(curve="x**2", start=-0.3, alpha=1e-05, iterations=10000)\n'
        "print(ball.x)\n"
    )
    assert said["commands"][2] == (
        'fastgd bucket --start -0.3 --alpha 1e-05 --rule sign --iterations 20 -- "x**2"\n'
    )


def test_what_is_said_of_random_balls(tmp_path):
    told = in_node(SAYS, tmp_path, given=[])["told"]
    assert told[:5] == [
        "Where 2 random balls end: 2 at 0.",
        "Where 3 random balls end: 1 at 0.00001, 1 at 1.23457, 1 in no minimum.",
        "Where 2 random balls end: 1 at 1, 1 in no minimum.",
        "Where 1 random balls end: 1 in no minimum.",
        "Where 5 random balls end: 3 at 1.01, 1 at 3, 1 in no minimum.",
    ]
    twelve = ", ".join(f"1 at {k}" for k in range(12))
    assert told[5] == f"Where 13 random balls end: {twelve}, more in other minimums."


def test_how_a_ball_ended_in_words(tmp_path):
    told = in_node(SAYS, tmp_path, given=[])["ends"]
    begins = ("converged after 1 iteration: ", "stuck after 0 iterations: ")
    for sentence, begin in zip(told, begins, strict=False):
        assert sentence.startswith(f"{begin}the slope is at most 0.000000001, ")
    assert told[2:] == [
        "rolling after 10,000 iterations: it has not arrived.",
        "diverged after 99 iterations: it is farther than 1,000,000,000 from its start.",
        "diverged after 0 iterations: the curve has no slope there.",
    ]


def test_the_curve_shown_and_the_pace(tmp_path):
    said = in_node(SAYS, tmp_path, given=[])
    assert said["steps"][::2] == [0, 1000]
    assert said["steps"][1] < 200
    (low, high), same, nothing, poles = said["shown"]
    assert -0.2 < low < 0
    assert 2 < high < 2.2
    assert same == [0, 10]
    assert nothing == [-1, 1]
    assert -10 < poles[0] < 10
    assert 90 < poles[1] < 110
