"""The prose of docs/performance.md: each of its figures is that of a measured row, rounded."""

import re

import pytest

from benches import bench

SUMMARY = bench("summary")
MEASURED = SUMMARY.read()
TABLES = re.compile(r"<!-- (\w+):begin -->.*?<!-- \1:end -->", re.DOTALL)
PROSE = " ".join(TABLES.sub("", SUMMARY.PAGE.read_text()).split())
COLUMNS = {"ours": 3, "theirs": 4, "ratio": 5, "target": -2}


def figure(table, work, peer=SUMMARY.BEST, column="ratio"):
    """The number in a cell: 126 ns, 1.39x, >= 8."""
    text = MEASURED[table, work, peer][COLUMNS[column]]
    return float(text.strip("<>=x ").split()[0].replace(",", ""))


def figures(table, start, peer=SUMMARY.BEST, column="ratio"):
    """Those of all rows whose work begins so."""
    works = [work for key, work, other in MEASURED if key == table and work.startswith(start)]
    return [figure(table, work, peer, column) for work in works if (table, work, peer) in MEASURED]


def with_target(table, work):
    """JAX's ratio, and what it should be."""
    return [figure(table, work), figure(table, work, column="target")]


def of_wasm(work, column):
    """The least and the largest figure of all engines, in the table of WebAssembly."""
    table = SUMMARY.PAGE.read_text().partition("<!-- targets:begin -->")[2]
    rows = [
        line.strip("| ").split(" | ") for line in table.splitlines() if f"| train {work}" in line
    ]
    texts = [row[column] for row in rows if len(row) == 6]
    numbers = [float(text.rstrip(" nsx").replace(",", "")) for text in texts]
    return [min(numbers), max(numbers)]


TRAIN, SWEEP, LARGE = SUMMARY.TRAIN, SUMMARY.SWEEP, SUMMARY.LARGE
TORCH, LIMIT = "PyTorch, hand-written", "the limit, Numba's own start apart (ours / limit)"
THE_LIMIT = "the limit (ours / limit)"
IMPORT = "import fastgd, with all that train needs, after numba"
BOUND, ACCURACY = SUMMARY.report.BOUND, "GridSearchCV over MLPClassifier (ours / its)"
LOOP_OF_JAX = "JAX, jit + fori_loop, best form"
C, SAME_C = "C, AVX-512 intrinsics", "C, AVX-512 intrinsics, our numbers"
FOLDS, WIDE = "5 folds, 30-16-1, 569 samples, 1,280 runs", "train 784-100-10, 2,000 samples"
SHOPS = "fit 1,000,000 rows of 10,000 shops"
LEGO = "scikit-lego's GroupedRegressor over MLPRegressor"
SWEEPS = figures("bench", "sweep", column="ratio")

SENTENCES = {
    "(native 3-4-1: {} ns, there {} ns)": [
        of_wasm("3-4-1", 2)[0],
        figure("bench", *SUMMARY.ROWS[0][1:], "ours"),
    ],
    "takes {} to {} times as long for 3-4-1, {} to {} times for 3-32-1 and {} to {} times for": [
        *of_wasm("3-4-1", 4),
        *of_wasm("3-32-1", 4),
        *of_wasm("16-16-1", 4),
    ],
    "multiply-adds take {} to {} us for 3-4-1": [ns / 1000 for ns in of_wasm("3-4-1", 5)],
    "is {} times as fast as JAX in": [figure("bench", SWEEP)],
    "{} times as fast as PyTorch (3-4-1,": [figure("bench", SWEEP, TORCH)],
    "{} times as fast as a loop over": [figure("parts", SUMMARY.GROUPS, SUMMARY.LOOP)],
    "and {} times as fast as `GridSearchCV`": [figure("search", SUMMARY.SEARCH, SUMMARY.GRID)],
    "about {} times as fast as in plain": [figure("bench", *SUMMARY.ROWS[0][1:])],
    "at 64-64-10 it is {} times JAX and {} times": [
        figure("bench", LARGE),
        figure("bench", LARGE, TORCH),
    ],
    "takes {} times its bound for one 3-4-1, {} times for a sweep of them, {} times for": [
        figure("bounds", TRAIN, BOUND),
        figure("bounds", SWEEP, BOUND),
        figure("bounds", LARGE, BOUND),
    ],
    "and {} times for one 784-100-10": [figure("bounds", WIDE, BOUND)],
    "shops in {} s on two threads, {} times": [
        figure("shops", SHOPS, LEGO, "ours"),
        figure("shops", SHOPS, LEGO),
    ],
    "only, takes {} of our time for one 3-4-1 and {} for": [
        figure("bounds", TRAIN, C),
        figure("bounds", SWEEP, C),
    ],
    "bit for bit, {} and {}.": [figure("bounds", TRAIN, SAME_C), figure("bounds", SWEEP, SAME_C)],
    "3-4-1 ({}x; the target was {})": [
        figure("bench", TRAIN, LOOP_OF_JAX),
        figure("bench", TRAIN, LOOP_OF_JAX, "target"),
    ],
    "predictions ({}x; {})": with_target("parts", "predict 16-16-1, 4,096 rows, 1,024 runs"),
    "of 8-8-1 ({}x; {})": with_target("bench", "map 8-8-1, 72 samples, 262,144 runs"),
    "all four sweeps ({}x to {}x)": [min(SWEEPS), max(SWEEPS)],
    "in folds ({}x; {})": with_target("parts", FOLDS),
    "in groups ({}x; {})": with_target("parts", SUMMARY.GROUPS),
    "with softmax ({}x; {})": with_target(
        "functions", "sweep 64-32-10, 256 samples, 64 runs, softmax"
    ),
    "is {} (digits; target {}) to {} times (iris; {}) as fast as": [
        figure("search", f"search, {table}, 16 units", SUMMARY.GRID, column)
        for table in ("digits (1,797 x 64)", "iris (150 x 4)")
        for column in ("ratio", "target")
    ],
    "on wine {} times, not {}.": [
        figure("search", "search, wine (178 x 13), 16 units", SUMMARY.GRID, column)
        for column in ("ratio", "target")
    ],
    "Folds are {} times as fast, not {} times": [
        figure("parts", FOLDS, "scikit-learn, GridSearchCV, 2 jobs, no counts"),
        figure("parts", FOLDS, "scikit-learn, GridSearchCV, 2 jobs, no counts", "target"),
    ],
    "breast cancer is {} against {}": [
        figure("search", "best accuracy, breast cancer", ACCURACY, column)
        for column in ("ours", "theirs")
    ],
    "on digits {} against {}": [
        figure("search", "best accuracy, digits", ACCURACY, column) for column in ("ours", "theirs")
    ],
    "784-100-10 only {} times as fast as one thread (target {})": [
        figure("bounds", WIDE, "one thread (ours: two)", column) for column in ("ratio", "target")
    ],
    "compiles in {} to {} s (limits {} s for the article's network and {} s": [
        *(end(figures("fixed", "compile train", LIMIT, "ours")) for end in (min, max)),
        *(
            figure("fixed", f"compile train 3-4-1, {name}", LIMIT, "theirs")
            for name in ("plain", "dropout")
        ),
    ],
    "takes {} s to import after Numba (limit {} s)": [
        figure("fixed", IMPORT, THE_LIMIT, column) for column in ("ours", "theirs")
    ],
    "tutorial takes {} s, its page {} s and the first race {} s (limits {}, {} and {} s)": [
        figure("fixed", f"fastgd {command}, empty cache", THE_LIMIT, column)
        for column in ("ours", "theirs")
        for command in ("tutorial", "tutorial --html", "race --plot")
    ],
}


def shown(sentence):
    """The numbers that stand in a sentence of the page."""
    pattern = re.escape(sentence).replace(r"\{\}", r"(\d+(?:\.\d+)?)")
    found = re.findall(pattern, PROSE)
    assert len(found) == 1, f"once on the page: {sentence}"
    return found[0] if isinstance(found[0], tuple) else found


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_figure_is_the_measured_one(sentence):
    for text, measured in zip(shown(sentence), SENTENCES[sentence], strict=True):
        digits = text.rstrip("0") if "." not in text else text
        last = 10.0 ** (len(text) - len(digits) - len(text.partition(".")[2]))
        assert abs(float(text) - measured) <= last / 2 + 1e-9, f"{measured} in: {sentence}"


def test_every_figure_is_compared():
    """Those with a decimal point; one was measured apart, and the targets were of all bounds."""
    compared = {text for sentence in SENTENCES for text in shown(sentence)}
    assert set(re.findall(r"\b\d+\.\d+\b", PROSE)) - compared == {"1.19", "1.1", "1.3"}
