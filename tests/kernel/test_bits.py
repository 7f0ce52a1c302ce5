"""The numbers contract: the same bits whatever computes them."""

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import fastgd
from cases import (
    EVERYTHING,
    LOSSES,
    NETWORKS,
    OBJECTIVES,
    OPTIONS,
    PARTED,
    QUICK,
    TABLE,
    TOGETHER,
)
from fastgd.arguments.options import Method
from fastgd.arguments.samples import TrainingData
from fastgd.engine import execution
from fastgd.engine import plan as plan_module
from fastgd.engine.execution import execute
from fastgd.engine.layout import Layout
from fastgd.engine.network import Network, first_weights
from fastgd.engine.plan import Keep
from fastgd.engine.progress import unreported
from fastgd.kernel.iteration import activations
from golden import GOLDEN, digest, main, plan, write
from thinning import crossed, only, side_by_side, some

HASHES = json.loads(GOLDEN.read_text())
MACHINE = {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
TARGETS = {
    # AVX2 and FMA; no FMA at all. What has AVX-512 runs its own code by the tests above.
    "x86_64": ("haswell", "nehalem"),
    "aarch64": ("generic", "cortex-a57"),  # newer ones have vectors that this one may lack
}.get(MACHINE) or [
    pytest.param("", marks=pytest.mark.skip(f"no processors are known that {MACHINE} can be"))
]


LANES = (1, 2, 4, 8, 16, 32)


@pytest.mark.parametrize(("case", "runs"), crossed(list(NETWORKS), LANES))
def test_golden_hashes_at_every_lane_count(case, runs):
    assert digest(case, runs) == HASHES[case]


@pytest.mark.parametrize(("case", "runs"), crossed(list(NETWORKS), LANES))
@pytest.mark.usefixtures("users_kernels")
def test_golden_hashes_of_code_for_one_network(case, runs):
    assert digest(case, runs) == HASHES[case]


@pytest.mark.parametrize("case", NETWORKS)
def test_golden_hashes_on_two_threads(case):
    assert digest(case, 4, threads=2) == HASHES[case]


ALL_OPTIONS = [(case, runs) for case in OPTIONS for runs in (1, 8)]


@pytest.mark.parametrize(
    ("case", "runs"),
    some(ALL_OPTIONS, [side_by_side(c) == runs and c not in TOGETHER for c, runs in ALL_OPTIONS]),
)
def test_golden_hashes_of_the_options(case, runs):
    assert digest(case, runs) == HASHES[case]


@pytest.mark.parametrize("case", EVERYTHING)
def test_golden_hashes_of_the_options_on_two_threads(case):
    assert digest(case, 8, threads=2) == HASHES[case]


# A mean, and outputs of tanh, are those of the trainings above.
@pytest.mark.parametrize(
    "case", only(OBJECTIVES, *(c for c in OBJECTIVES if "mean" not in c and "tanh c" not in c))
)
def test_golden_hashes_of_objectives(case):
    assert digest(case, 1) == HASHES[case]


def test_golden_hash_of_the_elementary_functions():
    assert digest(TABLE, 1) == HASHES[TABLE]


def both_ways(cases):
    """One run on one thread, or eight side by side on two."""
    ways = [(case, *way) for case in cases for way in ((1, 1), (8, 2))]
    # Dropout with folds is a question of runs side by side; tests of parts have it.
    slow = {"folds, dropout", *TOGETHER}
    return some(ways, [side_by_side(c) == r and LOSSES.get(c, c) not in slow for c, r, _ in ways])


@pytest.mark.parametrize(("case", "runs", "threads"), both_ways(PARTED))
def test_golden_hashes_of_samples_of_their_own(case, runs, threads):
    assert digest(case, runs, threads) == HASHES[case]


@pytest.mark.parametrize(("case", "runs", "threads"), both_ways(LOSSES))
def test_golden_hashes_of_losses(case, runs, threads):
    assert digest(case, runs, threads) == HASHES[case]


@pytest.mark.slow
@pytest.mark.skipif(MACHINE != "x86_64", reason="these kernels of OpenBLAS are of x86")
@pytest.mark.parametrize("coretype", ["Haswell", "Nehalem"])
def test_golden_hashes_of_objectives_owe_nothing_to_openblas(coretype):
    """Its dot product has another order of summation for each kind of processor."""
    found = in_fresh_python(OBJECTIVES, os.environ | {"OPENBLAS_CORETYPE": coretype})
    assert found == {case: HASHES[case] for case in OBJECTIVES}


@pytest.mark.parametrize(
    ("runs", "cases"),
    [
        (8, [EVERYTHING[0]]),
        pytest.param(1, [*NETWORKS, *OBJECTIVES, *LOSSES], marks=pytest.mark.slow),
        pytest.param(8, ["article, hidden 4", *OPTIONS, *PARTED, TABLE], marks=pytest.mark.slow),
    ],
    ids=["some, side by side", "all, alone", "all, side by side"],
)
def test_golden_hashes_of_users_kernels(runs, cases):
    """With code for one network alone, and Numba's level 3 for what it compiles by itself."""
    found = in_fresh_python(cases, os.environ | {"NUMBA_OPT": "3"}, runs)
    assert found == {case: HASHES[case] for case in cases}


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("runs", [1, 8])
def test_golden_hashes_on_other_processors(target, runs, tmp_path):
    # The feature list has to be emptied, or Numba adds this machine's to the named processor's.
    environment = os.environ | {
        "NUMBA_CPU_NAME": target,
        "NUMBA_CPU_FEATURES": "",
        "NUMBA_OPT": "3",
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    cases = [*NETWORKS, *(EVERYTHING if runs == 8 else [*OBJECTIVES, TABLE])]
    assert in_fresh_python(cases, environment, runs) == {case: HASHES[case] for case in cases}


def in_fresh_python(cases, environment, runs=1):
    """What golden.py prints."""
    done = subprocess.run(
        [sys.executable, GOLDEN.with_name("golden.py"), "--runs", str(runs), *cases],
        env=environment,
        capture_output=True,
        check=True,
        text=True,
    )
    return json.loads(done.stdout)


# ---------------------------------------------------------------- how golden.json is renewed


@pytest.fixture
def copy(tmp_path):
    """golden.json with one hash that is wrong."""
    path = tmp_path / "golden.json"
    path.write_text(json.dumps(HASHES | {"no hidden layer": "wrong"}))
    return path


def test_writing_a_hash_leaves_the_others(copy):
    assert write(["no hidden layer"], copy) == ["no hidden layer"]
    assert json.loads(copy.read_text()) == HASHES
    assert list(json.loads(copy.read_text())) == list(HASHES)  # in the order of cases.py
    assert list(copy.parent.iterdir()) == [copy]
    assert write(["no hidden layer"], copy) == []  # none has moved


def test_who_moves_a_hash_is_told_of_the_bits_policy(copy, monkeypatch, capsys):
    monkeypatch.setattr(write, "__defaults__", (copy,))
    for said in ("moved: no hidden layer; now raise BITS in src/fastgd/store/__init__.py\n", ""):
        main(["--write", "no hidden layer"])
        assert capsys.readouterr().out == said


def test_nothing_is_written_that_depends_on_lanes(copy, monkeypatch):
    before = copy.read_bytes()
    monkeypatch.setitem(write.__globals__, "digest", lambda _case, runs: str(runs))
    with pytest.raises(ValueError, match="must not depend on lanes, but that of 'bias' does"):
        write(["bias"], copy)
    assert copy.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--write"], "must be named, got none"),
        (["--write", "bias", "biass"], "a case must be one of cases.py, got biass"),
        (["1"], "a case must be one of cases.py, got 1"),
        (["--check", "--write", "bias"], "not allowed with"),
    ],
)
def test_what_golden_refuses(words, message, capsys):
    before = GOLDEN.read_bytes()
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
    assert GOLDEN.read_bytes() == before


def test_a_check_fails_where_one_hash_differs(monkeypatch, capsys):
    cases = ["no hidden layer", "one of everything"]
    with pytest.raises(SystemExit) as stopped:
        main(["--check", *cases])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.count("same bits") == 2
    monkeypatch.setitem(main.__globals__, "digest", lambda *_: HASHES[cases[0]])
    with pytest.raises(SystemExit) as stopped:
        main(["--check", *cases])
    assert stopped.value.code == 1
    assert f"{cases[1]}: OTHER bits" in capsys.readouterr().out


def test_shares_are_all_cases_once(monkeypatch, capsys):
    monkeypatch.setitem(main.__globals__, "check", lambda cases, *_: print(*cases, sep="\n"))
    for share in ("0/2", "1/2"):
        with pytest.raises(SystemExit):
            main(["--check", "--share", share])
    assert sorted(capsys.readouterr().out.splitlines()) == sorted(QUICK)


def test_ci_computes_the_quick_cases_on_arm():
    ci = (GOLDEN.parents[1] / ".ci" / "nightly").read_text()
    named = re.findall(r"^arm_cases\w*=\(\n(.*?)^\)", ci, re.DOTALL | re.MULTILINE)
    cases = [case for part in named for case in re.findall(r"'(.+)'", part)]
    assert sorted(cases) == sorted(QUICK)


def test_every_case_has_its_hash():
    assert set(HASHES) == {*NETWORKS, *OPTIONS, *OBJECTIVES, *PARTED, *LOSSES, TABLE}


# ---------------------------------------------------------------- what changes nothing


@pytest.mark.parametrize("seconds", [1e-9, 2e-5])
def test_chunks_change_nothing(monkeypatch, seconds):
    monkeypatch.setattr(execution, "CHUNK_SECONDS", seconds)
    assert digest("deep and odd", 4) == HASHES["deep and odd"]


@pytest.mark.parametrize(
    "case", ["adam", "batches", *EVERYTHING, "folds of groups", "taken up again"]
)
def test_chunks_of_one_iteration_change_nothing(monkeypatch, case):
    """Also in the middle of an epoch, and with what an optimizer remembers."""
    monkeypatch.setattr(execution, "CHUNK_SECONDS", 1e-9)
    assert digest(case, side_by_side(case)) == HASHES[case]


PACKED = [(case, runs) for case in ("endings", *EVERYTHING) for runs in (1, 8)]


@pytest.mark.parametrize(
    ("case", "runs"), some(PACKED, [c == "endings" or side_by_side(c) == r for c, r in PACKED])
)
def test_packing_changes_nothing(monkeypatch, case, runs):
    """Runs whose neighbors are over move to other lanes of fewer blocks."""
    packed = []
    pack = Layout.pack

    def spy(layout, old, lanes, *others):
        packed.append((len(old.numbers), len(lanes)))
        return pack(layout, old, lanes, *others)

    monkeypatch.setattr(Layout, "pack", spy)
    monkeypatch.setattr(execution, "CHUNK_SECONDS", 1e-9)
    assert digest(case, runs) == HASHES[case]
    assert packed


def test_waves_change_nothing(monkeypatch):
    monkeypatch.setattr(plan_module, "PASS_BYTES", 1)
    work, _ = plan("deep and odd", 2)
    [(lot, session)] = work.batches
    assert work.blocks_per_pass(session, lot.size) == 1
    assert digest("deep and odd", 2, threads=2) == HASHES["deep and odd"]


def test_neighbors_change_nothing(xor):
    """Also if they diverge or settle: each run is alone in its lane."""
    alphas = [1e308, 0.5, 1e-300, 1000.0, 10.0, 0.001, 1e200, 3.0, 7.0]
    sweep = fastgd.sweep(*xor, alpha=alphas, iterations=500, record_every=50)
    for alpha, row in zip(alphas, sweep, strict=True):
        assert same_bits(row, fastgd.train(*xor, alpha=alpha, iterations=500, record_every=50))


def test_groups_of_samples_change_nothing():
    """A sum over samples is one chain, however the samples are grouped."""
    random = np.random.default_rng(3)
    X, y = random.normal(size=(50, 4)), random.random((50, 2))
    digests = set()
    for group in (4, 8, 20, 52):
        task = TrainingData.check(X, y, 30, 10)
        network = Network((4, 6, 2))
        alpha = np.full((1, 2), 0.7)
        work = plan_module.Plan.make(task, network, Method(), alpha, {}, 2, 1, side_by_side=2)
        [(lot, session)] = work.batches
        session = replace(session, layout=replace(work.layout, group=group))
        work = replace(work, batches=((lot, session),))
        first = np.linspace(-1, 1, 2 * 36).reshape(2, 36)
        trained = execute(work, first, np.zeros(2, int), Keep(), unreported)
        digests.add(hashlib.sha256(trained.weights.tobytes() + trained.errors.tobytes()).digest())
    assert len(digests) == 1


def same_bits(a, b):
    arrays = [(a.errors, b.errors), *zip(a.weights, b.weights, strict=True)]
    arrays += zip(a.direction_changes, b.direction_changes, strict=True)
    same = all(x.tobytes() == y.tobytes() for x, y in arrays)
    return same and (a.status, a.iterations) == (b.status, b.iterations)


# ---------------------------------------------------------------- the contract, written out


def fma(x, y, z):
    """x * y + z rounded once: Python rounds a fraction correctly."""
    return float(Fraction(x) * Fraction(y) + Fraction(z))


def chain(pairs):
    total = 0.0
    for x, y in pairs:
        total = fma(x, y, total)
    return total


def exact_sigmoid(x):
    """The sequence of operations of activations.sigmoid, for arguments inside its limits."""
    c = activations
    t = fma(x, -c.LOG2E, c.SHIFT)
    n = t - c.SHIFT
    r = fma(n, c.LN2_LOW, fma(n, c.LN2_HIGH, x))
    r2 = r * r
    r4 = r2 * r2
    low = fma(fma(r, -c._C5, c._C4), r2, fma(r, -c._C3, c._C2))
    high = fma(fma(r, -c._C11, c._C10), r4, fma(fma(r, -c._C9, c._C8), r2, fma(r, -c._C7, c._C6)))
    p = fma(fma(fma(high, r4, low), r, -1.0), r, 1.0)
    return 1.0 / (1.0 + p * 2.0 ** int(n))


def contract(X, y, weights, alpha, iterations):
    """Train as the contract says, one number after the other."""
    weights = [layer.tolist() for layer in weights]
    for _ in range(iterations):
        layers = [X]
        for w in weights:
            columns = list(zip(*w, strict=True))
            layers.append(
                [
                    [exact_sigmoid(chain(zip(row, column, strict=True))) for column in columns]
                    for row in layers[-1]
                ]
            )
        delta = [
            [(t - v) * (v * (1.0 - v)) for t, v in zip(*pair, strict=True)]
            for pair in zip(y, layers[-1], strict=True)
        ]
        for k in range(len(weights) - 1, -1, -1):
            w = weights[k]
            error = [[chain(zip(row, unit, strict=True)) for unit in w] for row in delta]
            inputs = list(zip(*layers[k], strict=True))
            outputs = list(zip(*delta, strict=True))
            weights[k] = [
                [
                    fma(alpha, chain(zip(x, d, strict=True)), value)
                    for d, value in zip(outputs, row, strict=True)
                ]
                for x, row in zip(inputs, w, strict=True)
            ]
            delta = [
                [e * (v * (1.0 - v)) for e, v in zip(*pair, strict=True)]
                for pair in zip(error, layers[k], strict=True)
            ]
    return [np.array(layer) for layer in weights]


@pytest.mark.parametrize("hidden_size", [(), (4,), (3, 2)])
def test_bits_are_those_of_the_contract(random_problem, hidden_size):
    X, y = random_problem
    sizes = (5, *hidden_size, 2)
    start = first_weights(sizes, 1)
    expected = contract(X.tolist(), y.tolist(), start, 3.0, 4)
    run = fastgd.train(X, y, hidden_size=hidden_size, alpha=3.0, iterations=4)
    for got, wanted in zip(run.weights, expected, strict=True):
        assert got.tobytes() == wanted.tobytes()
