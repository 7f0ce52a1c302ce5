"""fastgd bucket."""

import json
import os
import re
import sys
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from fastgd import bucket
from fastgd.cli import main
from thinning import some

W = "x**4 - 3*x**2 + x"

BEGINS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF", "gif": b"GIF89a"}


@pytest.fixture(autouse=True)
def narrow_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("MPLBACKEND", "Agg")
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    yield
    plt.close("all")


@pytest.fixture
def run(capsys):
    def call(*arguments):
        code = main(["bucket", *map(str, arguments)])
        return code, *capsys.readouterr()

    return call


def table(out):
    return [" ".join(line.split()) for line in out.splitlines()]


def test_balls(run):
    code, out, err = run(W, "--start", "2,-2", "--alpha", 0.01)
    assert (code, err) == (0, "")
    assert table(out)[0] == f"{W}: x -= alpha * slope"
    assert "2 0.01 1.13090112273 -1.07023 converged 223" in table(out)
    assert "-2 0.01 -1.30083956601 -3.51391 converged 145" in table(out)
    assert max(map(len, out.splitlines())) <= 80


def test_rules_and_slopes(run):
    _, out, _ = run("--slope", "2*x", "--start", 1, "--rule", "sign", "--iterations", 3)
    assert table(out)[0] == "slope 2*x: x -= alpha * sign(slope)"
    assert "1 0.1 0.7 nan rolling 3" in table(out)
    _, out, _ = run("x**2/4", "--start", 1, "--rule", "naive", "--tolerance", 0.2)
    assert "1 1 0.25 0.015625 rolling 10" not in table(out)
    assert "1 1 0.25 0.015625 converged 2" in table(out)


def test_json_is_what_roll_gives(run):
    code, out, err = run(W, "--start", "2,-2", "--alpha", "0.01,0.02", "--json")
    assert (code, err) == (0, "")
    facts = json.loads(out)
    alone = bucket.roll(curve=W, start=[2, -2], alpha=[0.01, 0.02])
    assert (facts["curve"], facts["rule"]) == (W, "alpha")
    for name in ("start", "alpha", "x", "height", "slope", "status", "iterations"):
        assert [ball[name] for ball in facts["balls"]] == getattr(alone, name).tolist()


def test_numbers_that_are_not_finite_are_null_in_json(run):
    _, out, _ = run("--slope", "2*x", "--start", 1, "--json")
    assert json.loads(out)["balls"][0]["height"] is None


def test_many_balls(run):
    _, out, _ = run("x**2", "--start", ",".join(map(str, range(1, 51))))
    assert "... (50 balls in all)" in out
    assert "41 0.1" not in out


@pytest.mark.parametrize("name", bucket.EXAMPLES)
def test_examples(run, name):
    code, out, err = run("--example", name)
    assert (code, err) == (0, "")
    example = bucket.EXAMPLES[name]
    assert table(out)[0] == example.title
    assert example.takeaway in " ".join(table(out))
    for status in example.roll().status:
        assert f" {status} " in " ".join(table(out))


def test_basins(run):
    code, out, err = run("--basins")
    assert (code, err) == (0, "")
    found = bucket.basins()
    assert "100 random balls from -6 to 6" in table(out)
    for x, height, count, stretch in zip(
        found.minima, found.heights, found.counts, found.stretches, strict=True
    ):
        ends = f"{stretch.left:.6g} to {stretch.right:.6g}"
        assert f"{x:.9g} {height:.6g} {count} {ends}" in table(out)


def test_basins_of_ones_own_curve(run):
    code, out, _ = run("x**3/3 - x", "--basins", "--window=-3,3", "--balls", 20, "--seed", 3)
    assert code == 0
    assert "20 random balls from -3 to 3" in table(out)
    assert any(re.fullmatch(r"none \d+ -3 to -1", line) for line in table(out))


def test_basins_as_json(run):
    _, out, _ = run("--basins", "--json")
    facts, found = json.loads(out), bucket.basins()
    assert facts["minima"] == found.minima.tolist()
    assert facts["counts"] == found.counts.tolist()
    assert facts["owner"] == found.owner.tolist()
    assert facts["stretches"] == [stretch._asdict() for stretch in found.stretches]
    assert len(facts["balls"]) == 100


@pytest.mark.parametrize(
    ("arguments", "ending"),
    some(
        product([(W, "--start", "2,-2", "--alpha", 0.04), ("--basins",)], BEGINS),
        [ending == "gif" for ending in BEGINS] + [ending == "svg" for ending in BEGINS],
    ),
)
def test_pictures(run, tmp_path, arguments, ending):
    path = tmp_path / f"picture.{ending}"
    code, out, err = run(*arguments, "--plot", path)
    assert (code, err) == (0, "")
    assert f"Written to {path}" in out.replace("\n", "")
    content = path.read_bytes()
    assert content.startswith(BEGINS[ending])
    assert len(content) > 5000
    if ending in ("png", "gif"):
        with Image.open(path) as picture:
            assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 20


def test_the_example_has_its_window(run, tmp_path, monkeypatch):
    seen = []

    def draw(_, window):
        seen.append(window)
        return plt.figure(layout="constrained").add_subplot()

    monkeypatch.setattr("fastgd.plots.roll", draw)
    run("--example", "rut", "--plot", tmp_path / "a.png")
    run("--example", "rut", "--window", "0,4", "--plot", tmp_path / "a.png")
    assert seen == [bucket.EXAMPLES["rut"].window, (0, 4)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "CURVE and --start must be given, or --example, or --basins"),
        (("x**2",), "CURVE and --start must be given"),
        (("--start", 1), "CURVE and --start must be given"),
        (("x*y", "--start", 1), "curve: unknown name 'y', known are x, pi, e, .*"),
        (("x**2", "--slope", "2*z", "--start", 1), "slope: unknown name 'z'"),
        (("log(x)", "--start", -1), r"must have a slope where a ball starts, got nan at x = -1"),
        (("x**2", "--start", "a"), "--start must be numbers separated by ',', got 'a'"),
        (("x**2", "--start", 1, "--alpha", 0), "alpha must be a finite number above 0, got 0"),
        (("x**2", "--start", 1, "--alpha", "nan"), "alpha must be .* above 0, got nan"),
        (("x**2", "--start", 1, "--rule", "fast"), "rule must be 'sign', .* got 'fast'"),
        (("x**2", "--start", 1, "--iterations", 0), "iterations must be at least 1, got 0"),
        (("x**2", "--start", 1, "--balls", 3), "--balls and --seed need --basins"),
        (("--basins", "--window", "3,-3"), "the smaller one first, got '3,-3'"),
        (("--basins", "--window", "3"), "--window must be two finite numbers"),
        (("--basins", "--balls", 0), "balls must be at least 1, got 0"),
        (("x**2", "--basins"), "--window LOW,HIGH must be given with --basins and a CURVE"),
        (("--slope", "x", "--basins"), "--window LOW,HIGH must be given"),
        (("--basins", "--balls", 10**12), "the balls must fit into the available memory"),
        (("ln(x)", "--start", 1), r"ln\(x\) is written log\(x\)"),
        (("--basins", "--start", 1), "--basins and --start exclude each other"),
        (("--example", "rat"), "--example must be 'too-big', .*: did you mean 'rut'"),
        (("--example", "rut", "--alpha", 1), "--example and --alpha exclude each other"),
        (("x", "--example", "rut"), "--example and CURVE exclude each other"),
        (("--example", "rut", "--rule", "sign"), "--example and --rule exclude each other"),
        (("--example", "rut", "--basins"), "--example and --basins exclude each other"),
        (("--basins", "--plot", "a.txt"), "must end in .png, .svg, .pdf, .gif, got 'a.txt'"),
        (("--basins", "--plot", "no/a.png"), "there is no folder no"),
        (("--slope", "x", "--start", 1, "--plot", "a.png"), "a plot needs the curve"),
        (("x", "--start", 1, "--plot", "a.png", "--window", "1,0"), "the smaller one first"),
    ],
)
def test_refused_in_one_line(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert re.fullmatch(rf"fastgd: error: .*{message}.*\n", err), err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_read_only(run, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # who tests may be root
    code, out, err = run("--basins", "--plot", tmp_path / "a.png")
    assert (code, out) == (2, "")
    assert err.endswith("a.png can't be written: permission denied\n")


def test_without_matplotlib_it_says_what_to_install(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    code, _, err = run("--basins", "--plot", tmp_path / "a.png")
    assert code == 2
    assert err == 'fastgd: error: plots need matplotlib: pip install "fastgd[plot]"\n'
    assert run("--example", "rut")[0] == 0


def test_help_has_an_example(run):
    code, out, _ = run("--help")
    assert code == 0
    assert 'Example: fastgd bucket "x**4 - 3*x**2 + x" --start 2,-2' in out
