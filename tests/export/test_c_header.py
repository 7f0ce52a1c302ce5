"""Networks as C: what compilers make of the header has the bits of predict."""

import ctypes
import re
from dataclasses import replace
from functools import cache
from math import inf

import numpy as np
import pytest
from compiled_c import BUILDS, CompileError, compiled, missing, run, text_of

import exports
import fastgd
from fastgd.arguments.initial_network import BatchNorm, NetworkParts
from fastgd.arguments.options import Method
from fastgd.engine.network import Network
from fastgd.engine.prediction import outputs
from fastgd.export.c_header import c_header
from fastgd.export.c_networks import differences, sample_of
from fastgd.export.exported import Bounds, Exported, ExportError
from fastgd.formulas.named import ACTIVATIONS, OUTPUTS
from fastgd.functions import cos, exp, sin, sqrt, tanh
from fastgd.models.model import Model
from fastgd.tables.columns import TargetColumn, TextColumn
from fastgd.tables.preparation import Preparation
from fastgd.tables.targets import ClassTarget, NumberTarget
from fastgd.training.run import exported

ROWS, MANY = 2000, 100_000


def parts_of(sizes, seed=0, *, bias=False, batch_norm=False, size=2.0):
    """Random parameters."""
    random, network = np.random.default_rng(seed), Network(sizes, bias, batch_norm)
    row = random.uniform(-size, size, network.parameters)
    parts = network.parts(row)
    return parts._replace(
        normalization=tuple(
            BatchNorm(norm.scale, norm.shift, norm.mean, np.abs(norm.variance))
            for norm in parts.normalization
        )
    )


def networks_of(
    sizes, *, members=1, bias=False, batch_norm=False, size=2.0, also=({},), table=(), **options
):
    """Random networks with these options; ``also`` are those of each network."""
    how = {"bias": bias, "batch_norm": batch_norm}
    parts = tuple(parts_of(sizes, k, size=size, **how) for k in range(members))
    methods = (Method(**how, **options | also[k % len(also)]) for k in range(members))
    return Exported(parts, tuple(methods), *table)


SWISH = fastgd.Function(lambda a, beta: a / (1 + exp(-beta * a)), beta=1.0)
WAVE = fastgd.Function(lambda a, far: sin(far * a) - cos(a) ** 3 + tanh(a) * sqrt(a * a), far=1e9)
STEEP = fastgd.Function("where(a > 0, log(a + 1)**1.5, minimum(a, -0.25)) + maximum(abs(a), 2)")
BENT = fastgd.Function("atan(a) + asin(tanh(a)) - acos(sigmoid(a)) + sinh(a/4)*log1p(exp(a))")
POWER = fastgd.Function("(a*a)**0.3 + expm1(-abs(a)) + cosh(a/3) + tan(a) + sign(a) + relu(a)")

RANDOM = np.random.default_rng(0)
CITIES = ["K\u00f6ln", "a\\b", '"q"', "what??/", "*/ no", "Rome\n1", "\u6771\u4eac\U0001f3d9"]
"""Strings that a compiler must not read as anything else."""


def table_of(count):
    """A table with unknown categories and missing cells."""
    random = np.random.default_rng(count)
    size, built = random.normal(50, 20, count), random.normal(1960, 30, count)
    size[random.random(count) < 0.05] = built[random.random(count) < 0.1] = np.nan
    return {
        "size": size,
        "built": built,
        "city ??/": random.choice([*CITIES, "Bonn"], count),
        "heating": random.choice(np.array(["gas", None, "wood", "coal"], object), count),
        "garden": random.choice(["True", "false", "TRUE", "no"], count),
        **{name: exports.table_of(count)[name] for name in ("sold", "street", "opened", "owner")},
    }


PREPARATION = Preparation.learn(
    {
        "size": RANDOM.normal(50, 20, 30),
        "built": np.where(np.arange(30) % 3 > 1, np.nan, RANDOM.normal(1960, 30, 30)),
        "city ??/": [CITIES[k % len(CITIES)] for k in range(30)],
        "heating": [("gas", None, "wood")[k % 3] for k in range(30)],
        "garden": RANDOM.random(30) > 0.5,
    }
)
PREPARATION = Preparation(
    exports.other_numbers(*PREPARATION.columns[:2])
    + PREPARATION.columns[2:]
    + exports.PREPARATION.columns[5:]
)
INPUTS = len(PREPARATION.names)
PRICE, RENT = NumberTarget("price", 123456.7, 9876.5), NumberTarget("rent", -0.1, 1e-3)
SORT = ClassTarget("sort", ("flat \u00e9", 'a "house"', "hut"))

KNOTS = PRICE.mean + PRICE.scale * np.array([-1.0, -0.2, 0.3, 0.9])
BOUNDS = Bounds.between(0.9, KNOTS, np.array([9e3, 2e3, 2e3, 4e3]), np.array([-2.0, 1.5]), 112e3)
STEP = np.array([[0.4, 0.1, 0.0, 1.0]])

PAIRS = [
    *[("sigmoid", "sigmoid"), ("tanh", "identity"), ("relu", "softmax"), ("identity", "sigmoid")],
    *[("softplus", "tanh"), ("leaky_relu", "softmax"), ("elu", "softplus"), ("silu", "tanh")],
    ("gelu", "exp"),
]
"""Activations and output units, of which each is in one pair at least."""
CASES = {
    **{
        f"{hidden}_{output}": networks_of(
            (3, 5, 3, 2), activation=hidden, output=output, bias=k % 2 > 0
        )
        for k, (hidden, output) in enumerate(PAIRS)
    },
    "article": networks_of((3, 4, 1), size=10.0),
    "article32": networks_of((3, 32, 1), size=10.0),
    "flat": networks_of((4, 3), activation="leaky_relu", output="softmax", size=300.0),
    "normalized": networks_of(
        (3, 4, 4, 2), activation="tanh", output="exp", bias=True, batch_norm=True
    ),
    "normalized3": networks_of(
        (3, 4, 1), activation="tanh", output="exp", batch_norm=True, members=3
    ),
    "slopes": networks_of(
        (3, 4, 7),
        activation="leaky_relu",
        output="softmax",
        members=4,
        also=[{"negative_slope": 0.01 * 3**k} for k in range(4)],
    ),
    "swish": networks_of(
        (3, 4, 1), activation=SWISH, output=STEEP, members=2, also=[{"beta": 2.0}, {"beta": -0.3}]
    ),
    "wave": networks_of((2, 3, 3, 1), activation=WAVE, output="tanh", far=1e15),
    "bent": networks_of((2, 4, 2), activation=BENT, output="identity"),
    "power": networks_of((2, 4, 1), activation=POWER, output="identity", bias=True, size=0.5),
    "deep": networks_of(
        (2, *[1] * 30, 1), activation="tanh", output="exp", bias=True, batch_norm=True, members=2
    ),
    "gaussian": networks_of((2, 3, 4), activation="tanh", output="identity", loss="gaussian"),
    "price": networks_of(
        (INPUTS, 4, 1), output="identity", members=2, table=(PREPARATION, (PRICE,))
    )._replace(bounds=BOUNDS),
    "steady": networks_of((2, 3, 1))._replace(bounds=Bounds(0.5, 2.0, STEP[:0], (-1, 3), -inf)),
    "stepped": networks_of((2, 3, 1))._replace(bounds=Bounds(0.5, 2.0, STEP, (-1, 3), 0.5)),
    "prices": networks_of(
        (INPUTS, 3, 4),
        activation="tanh",
        output="identity",
        loss="gaussian",
        table=(PREPARATION, (PRICE, RENT)),
    ),
    "sort": networks_of(
        (INPUTS, 4, 3),
        activation="leaky_relu",
        output="softmax",
        members=3,
        table=(PREPARATION, (SORT,)),
    ),
}
"""Networks by name."""


def samples_of(networks, count):
    """Rows for C, of all sizes, also some whose sums overflow; and the inputs that they become."""
    if networks.preparation:
        table = table_of(count)
        return networks.preparation.numbers(table), networks.preparation.transform(table)
    random, width = np.random.default_rng(1), networks.network.sizes[0]
    rows = random.normal(size=(count, width))
    rows[: count // 4] *= 10.0 ** random.uniform(-20, 20, (count // 4, 1))
    rows[0], rows[1], rows[2] = 0.0, -0.0, 1e308
    return rows, rows


class Owner:
    """Of a network."""


def predicted(networks, inputs):
    """What predict returns, of classes their probabilities: see :class:`fastgd.Model`.

    A network is predicted twice side by side: that compiles in half the time.
    """
    network, count = networks.network, len(networks.members)
    own = np.arange(max(count, 2)) % count
    rows = np.array([network.row(networks.members[k]) for k in own])
    methods = [networks.methods[k] for k in own]
    each = outputs(Owner(), network, lambda: methods, rows, inputs)
    mean = (sum(each[1:count], each[0]) / count)[:, : networks.outputs]
    for k, target in enumerate(networks.targets):
        if isinstance(target, NumberTarget):
            mean[:, k] = target.decode(mean[:, [k]])
    return mean


def bits(numbers):
    """The bits, of NaN those of one NaN."""
    return np.where(np.isnan(numbers), np.nan, numbers).view(np.int64)


@pytest.fixture(scope="module")
def headers():
    return {name: c_header(networks, name) for name, networks in CASES.items()}


@pytest.fixture(scope="module")
def library_of(headers, tmp_path_factory):
    """A function: the library that a build makes of all headers."""
    made = {}

    def library(build):
        if reason := missing(build):
            pytest.skip(reason)
        if build not in made:
            made[build] = compiled(tmp_path_factory.mktemp("c"), build, headers)
        return made[build]

    return library


@cache
def known(name, count):
    """Rows for C, and what C must make of them."""
    rows, inputs = samples_of(CASES[name], count)
    return rows, predicted(CASES[name], inputs)


def agree(library, count, names=CASES):
    for name in names:
        rows, expected = known(name, count)
        found = run(library, name, rows, CASES[name].outputs)
        wrong = (bits(found) != bits(expected)).any(axis=1)
        assert not wrong.any(), (name, rows[wrong][0], found[wrong][0], expected[wrong][0])


OFTEN = ("gcc", "gcc -O3 -mfma", "clang", "clang -O3 -mfma")
"""Builds of each test run; the others take as long again."""

ALWAYS = (
    *("sigmoid_sigmoid", "article", "article32", "flat", "normalized", "normalized3", "slopes"),
    *("swish", "wave", "price", "prices", "sort"),
)
"""Networks of each test run: every kind of code. The others have only other functions in it, whose
own bits test_c_functions.py compares; each takes a kernel of its own."""


@pytest.mark.parametrize("build", OFTEN)
def test_the_bits_of_predict(build, library_of):
    agree(library_of(build), 2000, ALWAYS)


@pytest.mark.slow
@pytest.mark.parametrize("build", OFTEN)
def test_the_bits_of_predict_of_all_networks(build, library_of):
    agree(library_of(build), 2000)


@pytest.mark.parametrize("build", ["g++", "clang++"])
def test_the_header_is_cpp_too(build, headers, tmp_path):
    if reason := missing(build):
        pytest.skip(reason)
    names = ("article", "wave", "slopes", "sort")  # with labels and goto, tables, strings
    agree(compiled(tmp_path, build, {name: headers[name] for name in names}), 2000, names)


@pytest.mark.slow
@pytest.mark.parametrize("build", OFTEN)
def test_the_bits_of_predict_on_many_rows(build, library_of):
    agree(library_of(build), 100_000)


@pytest.mark.slow
@pytest.mark.parametrize("build", [build for build in BUILDS if build not in OFTEN])
def test_the_bits_of_predict_of_other_builds(build, library_of):
    agree(library_of(build), 2000)


@pytest.mark.parametrize("build", ["gcc", "g++", "clang"])
def test_more_warnings_find_nothing(build, headers, tmp_path):
    if reason := missing(build):
        pytest.skip(reason)
    chosen = {name: headers[name] for name in ("wave", "swish", "slopes", "normalized3", "sort")}
    flags = ["-Wconversion", "-Wshadow", "-Wundef"]
    compiled(tmp_path, build, chosen, flags)


def test_gcc_would_fuse_products_and_sums(headers, tmp_path):
    """So the test above sees whether it does."""
    build, pragma = "gcc -O3 -mfma", '#pragma GCC optimize("fp-contract=off")'
    if reason := missing(build):
        pytest.skip(reason)
    assert pragma in headers["price"]
    library = compiled(tmp_path, build, {"price": headers["price"].replace(pragma, "")})
    with pytest.raises(AssertionError, match=r"^\('price'"):
        agree(library, 2000, ["price"])


BUILD = "gcc -O3 -mfma"


def test_outputs_may_replace_inputs(library_of):
    library, name = library_of(BUILD), "flat"
    rows = np.array([[0.5, -1.0, 2.0, 0.25]])
    expected = run(library, name, rows, 3)
    both = (ctypes.c_double * 4)(*rows[0])
    library.run_flat(both, both, ctypes.c_long(1))
    assert np.array(both)[:3].tobytes() == expected.tobytes()


def test_a_mean_keeps_the_sign_of_zero(tmp_path):
    if reason := missing(BUILD):
        pytest.skip(reason)
    networks = networks_of((2, 1), output=fastgd.Function("-abs(a)"), members=2)
    library = compiled(tmp_path, BUILD, {"net": c_header(networks, "net")})
    found = run(library, "net", np.zeros((1, 2)), 1)
    assert found[0, 0] == 0
    assert np.signbit(found[0, 0])


def test_texts_stand_for_numbers(library_of, headers):
    library = library_of(BUILD)
    for k, column in enumerate(PREPARATION.columns):
        assert text_of(library, "column", "sort", k) == column.name
    for k, city in enumerate(PREPARATION.columns[2].categories):
        assert library.category_sort(2, city.encode()) == k
    for text, code in {"TRUE": 1, "true": 1, "False": 0, "no": -1}.items():
        assert library.category_sort(4, text.encode()) == code
    assert library.category_sort(2, b"gas") == library.category_sort(0, b"gas") == -1
    assert library.category_sort(3, b"gas") == 0
    assert library.category_sort(3, b" gas") == library.category_sort(3, b"") == -1
    assert "around it. For a missing cell, such as an empty text, write NAN to x" in headers["sort"]


@pytest.mark.parametrize(
    "y", [[1, 2, 3], [3, 3, 1], [0, 5, 5], [1, np.nan, 9], [np.nan, np.nan, 9], [-np.inf] * 3]
)
def test_the_label_is_that_of_the_largest_probability(library_of, y):
    found = text_of(library_of(BUILD), "label", "sort", (ctypes.c_double * 3)(*y))
    assert found == SORT.decode(np.array([y], float))[0]


def test_the_bounds_of_a_prediction(library_of):
    library = library_of("gcc")
    for name, knots, spread in (
        ("price", KNOTS, [9e3, 2e3, 2e3, 4e3]),
        ("steady", [0.0], [2.0]),
        ("stepped", [0.4, 0.5], [2.0, 3.0]),
    ):
        bounds, y = CASES[name].bounds, np.linspace(knots[0] * 0.9 - 1, knots[-1] * 1.1 + 1, 300)
        scales = np.interp(y, knots, spread)
        for k, end in enumerate(bounds.ends):
            found = np.array([bounds_of(library, name, each)[k] for each in y])
            np.testing.assert_allclose(
                found, np.maximum(y + scales * end, bounds.least), rtol=1e-14
            )


def bounds_of(library, name, prediction):
    numbers = (ctypes.c_double * 3)(prediction)
    getattr(library, f"bounds_{name}")(numbers, ctypes.byref(numbers, 8))
    return numbers[1:]


@pytest.mark.filterwarnings("ignore:.*(not in|never in) the training table")
@pytest.mark.parametrize("target", [PRICE, SORT])
def test_a_model_as_c(target, tmp_path):
    if reason := missing(BUILD):
        pytest.skip(reason)
    X, is_class = PREPARATION.transform(table_of(30)), target is SORT
    y = np.eye(3)[np.arange(30) % 3] if is_class else X[:, 0]
    options = {"output": "identity"}
    if is_class:
        options = {"activation": "leaky_relu", "output": "softmax", "loss": "cross_entropy"}
    own = {"hidden_size": 4, "alpha": 0.01, "iterations": 20, "bias": True}
    runs = tuple(fastgd.train(X, y, seed=k, **own, **options) for k in (1, 2))
    model = Model(runs, PREPARATION, (target,))
    header = c_header(exported(runs, "to_c", PREPARATION, (target,)), "model")
    table = table_of(200)
    found = run(
        compiled(tmp_path, BUILD, {"model": header}),
        "model",
        PREPARATION.numbers(table),
        3 if is_class else 1,
    )
    expected = model.predict_proba(table) if is_class else model.predict(table)[:, None]
    assert found.tobytes() == expected.tobytes()


# ---------------------------------------------------------------- single precision


def stated(header):
    """The differences in the comment: the largest one, and the mean."""
    text = re.sub(r"\s*\n \* ", " ", header)
    found = re.search(r"differed by about (\S+) or less, by (\S+) on average", text)
    return float(found[1]), float(found[2])


def test_the_error_of_single_precision_is_the_stated_one(library_of, headers):
    library = library_of(BUILD)
    for name, networks in CASES.items():
        rows = sample_of(networks)
        single, double = (
            run(library, name, rows, networks.outputs, kind) for kind in (np.float32, np.float64)
        )
        with np.errstate(invalid="ignore"):
            off = np.abs(single.astype(np.float64) - double)
        for measured, text in zip((off.max(), off.mean()), stated(headers[name]), strict=True):
            # asin(tanh(a)) turns the last bit of tanhf, which is the library's, into five digits.
            # The outputs of "deep" are nearly constant: a single rounding decides.
            factor = 10 if name in ("bent", "deep") else 2
            assert text / factor <= measured <= factor * text, (name, measured, text)


def test_rows_are_drawn_as_in_the_table():
    rows = sample_of(CASES["sort"])
    assert len(rows) == 10_000
    for cells, column in zip(rows.T, PREPARATION.columns, strict=True):
        assert np.isnan(cells).any() == column.flagged
        known = cells[~np.isnan(cells)]
        if not isinstance(column, TextColumn | TargetColumn):
            assert abs(known.mean() - column.mean) < column.scale / 20
            assert abs(known.std() / column.scale - 1) < 0.05
        else:
            assert {*known} == {*range(len(column.categories))}
    assert len(sample_of(networks_of((784, 100, 10)))) == 100_000_000 // 79_400


def test_the_error_of_single_precision_may_be_measured_on_given_rows():
    header = c_header(CASES["article"], "net", np.zeros((7, 3)))
    assert re.search(r"On 7 rows that were\s+\*? ?given its outputs", header)
    assert stated(header)[0] < 1e-6 < stated(c_header(CASES["article"], "net"))[0] * 10


def test_outputs_may_overflow_in_single_precision():
    networks = Exported((NetworkParts((np.ones((1, 1)),)),), (Method(output="exp"),))
    off = differences(networks, np.array([[0.0], [100.0], [1000.0], [np.inf], [np.nan]]))
    assert off.ravel().tolist() == [0.0, np.inf, 0.0, 0.0, 0.0]
    header = c_header(networks, "net", np.array([[0.0], [100.0]]))
    text = re.sub(r"\s*\n \* ", " ", header)
    assert "On 2 rows that were given it overflowed in 1; in the others its outputs" in text
    assert stated(header) == (0, 0)


@pytest.mark.parametrize("output", ["sin(a*1e300)", "minimum(a, 1e300) * 1e39"])
def test_functions_may_overflow_in_single_precision(output):
    header = c_header(networks_of((2, 1), output=fastgd.Function(output)), "net")
    text = re.sub(r"\s*\n \* ", " ", header)
    assert "There is no net_predict_float: it would overflow in all of 10,000 rows from" in text
    assert "predict_float(" not in header


def test_numbers_may_be_too_large_for_single_precision():
    networks = CASES["article"]
    parts = networks.members[0]
    parts.weights[0][0, 0], before = 1e39, parts.weights[0][0, 0]
    header = c_header(networks, "net")
    parts.weights[0][0, 0] = before
    assert "There is no net_predict_float: some numbers are too large for it." in header
    assert "predict_float(" not in header


# ---------------------------------------------------------------- refused


@pytest.mark.parametrize("name", ["", "3d", "my model", "n\u00e9t", "a-b", "a;"])
def test_a_name_is_an_identifier(name):
    with pytest.raises(ExportError, match=r"^name must be a C identifier such as 'model', got"):
        c_header(CASES["article"], name)


def test_a_header_may_be_included_twice_but_no_other_of_its_name(tmp_path):
    if reason := missing(BUILD):
        pytest.skip(reason)
    first, second = (networks_of((2, 1), size=size) for size in (1.0, 2.0))
    (tmp_path / "again").mkdir()
    for networks in (first, second):
        again = c_header(networks, "net", np.ones((3, 2)))  # another comment
        (tmp_path / "again" / "net.h").write_text(again)
        header = c_header(first, "net") + '#include "again/net.h"\n'
        if networks is first:
            compiled(tmp_path, BUILD, {"net": header})
    with pytest.raises(CompileError, match="two different networks are called net: give one"):
        compiled(tmp_path, BUILD, {"net": header})


def test_strings_end_at_nul():
    column, odd = PREPARATION.columns[2], "a\0b"
    for place, renamed in {
        "a column": replace(column, name=odd),
        r"a category of city \?\?/": replace(column, categories=(odd, *column.categories[1:])),
    }.items():
        columns = (*PREPARATION.columns[:2], renamed, *PREPARATION.columns[3:])
        networks = CASES["sort"]._replace(preparation=replace(PREPARATION, columns=columns))
        with pytest.raises(ExportError, match=f"^{place} must have no NUL character in C, got 'a"):
            c_header(networks, "net")
    target = ClassTarget("sort", (odd, "c", "d"))
    networks = CASES["sort"]._replace(targets=(target,))
    with pytest.raises(ExportError, match=r"^a class of sort must have no NUL character in C, got"):
        c_header(networks, "net")


@pytest.mark.parametrize(
    ("build", "flags", "message"),
    [
        *(
            (build, flag, "must be compiled without -ffast-math")
            for build in ("gcc", "clang")
            for flag in ("-ffast-math", "-ffinite-math-only")
        ),
        ("gcc", "-mfpmath=387", "must be compiled for arithmetic without excess precision"),
        *(
            ("gcc", flags, "must be compiled without -funsafe-math-optimizations")
            for flags in (
                "-funsafe-math-optimizations",
                "-fassociative-math -fno-signed-zeros -fno-trapping-math",
                "-freciprocal-math",
                "-fno-signed-zeros",
            )
        ),
        ("gcc", "-U__DBL_MANT_DIG__ -D__DBL_MANT_DIG__=24", "must be compiled with a double of 64"),
        ("gcc", "-fsingle-precision-constant", "article_needs_literals_that_are_doubles"),
        *((build, "-std=c89", r"needs C99 or C\+\+17") for build in ("gcc", "clang")),
        *((build, "-std=c++11", r"needs C99 or C\+\+17") for build in ("g++", "clang++")),
    ],
)
def test_other_arithmetic_and_other_languages_are_refused(build, flags, message, headers, tmp_path):
    if reason := missing(build):
        pytest.skip(reason)
    with pytest.raises(CompileError, match=message):
        compiled(tmp_path, build, {"article": headers["article"]}, flags.split())


def test_all_units_are_tried():
    assert {hidden for hidden, _ in PAIRS} == {*ACTIVATIONS}
    assert {output for _, output in PAIRS} == {*OUTPUTS}


def test_headers_are_always_the_same(headers):
    assert all(c_header(networks, name) == headers[name] for name, networks in CASES.items())
    assert all(header.isascii() for header in headers.values())
