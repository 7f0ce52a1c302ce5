"""Every file that a command writes: what its ending says, or refused before the work."""

import csv
import errno
import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import pandas
import pytest

import fastgd
from cases import XOR_CSV
from command import assert_refused
from fastgd.cli import training_commands
from thinning import crossed, only

DATA = ["xor.csv", "--target", "y"]

COMMANDS = {
    "train": (["train", *DATA, "--save"], ".npz"),
    "sweep": (["sweep", *DATA, "--save"], ".npz"),
    "sweep to a table": (["sweep", *DATA, "--csv"], ".csv"),
    "tutorial": (["tutorial", "--html"], ".html"),
    "plot": (["plot", "run.npz", "--kind", "errors", "--plot"], ".png"),
    "surface": (["surface", "--plot"], ".pdf"),
    "race": (["race", "--plot"], ".svg"),
    "trainability": (["trainability", "--plot"], ".png"),
    "its boxes": (["trainability", "--plot", "a.png", "--box-plot"], ".png"),
    "bucket": (["bucket", "x**2", "--start", "1", "--plot"], ".gif"),
}


@pytest.fixture(autouse=True)
def at_work(tmp_path, monkeypatch):
    """A folder with data, in which nothing may be computed."""
    monkeypatch.chdir(tmp_path)
    Path("xor.csv").write_text(XOR_CSV)
    return tmp_path


@pytest.fixture
def idle(monkeypatch):
    def never(*_, **__):
        raise AssertionError("work has begun")

    for place in ("fit_command", "training_commands", "problem_commands", "tutorial"):
        monkeypatch.setattr(f"fastgd.cli.{place}.timed", never)
    for place in ("cli.trainability.timed", "cli.bucket_command.timed", "load"):
        monkeypatch.setattr(f"fastgd.{place}", never)


@pytest.mark.usefixtures("idle")
@pytest.mark.parametrize(("words", "ending"), COMMANDS.values(), ids=COMMANDS)
def test_what_can_not_be_written_is_refused_before_the_work(run, monkeypatch, words, ending):
    # A sweep may go into a folder, which has no ending.
    for wrong in ("x.txt", f"x{ending}.bak", *["x"] * (words[0] != "sweep")):
        assert_refused(run(*words, wrong), rf"must end in .*\{ending}.*, got '{wrong}'$")
    assert_refused(run(*words, f"no/x{ending}"), "there is no folder no$")
    assert_refused(run(*words, f"xor.csv/x{ending}"), "there is no folder xor.csv$")
    Path(f"folder{ending}").mkdir()
    assert_refused(run(*words, f"folder{ending}"), "is a folder, not a file to write to$")
    Path(f"link{ending}").symlink_to(f"no/x{ending}")
    assert_refused(run(*words, f"link{ending}"), "can't be written: there is no folder")
    long = "x" * 300
    assert_refused(run(*words, long + ending), "File name too long$")
    monkeypatch.setattr("os.access", lambda _, mode: mode != os.W_OK)  # root may write anywhere
    assert_refused(run(*words, f"x{ending}"), f"{ending} can't be written: permission denied$")
    assert not Path(f"x{ending}").exists()


@pytest.mark.usefixtures("idle")
def test_a_file_whose_folder_is_read_only_can_not_be_replaced(run, monkeypatch, at_work):
    Path("run.npz").touch()
    monkeypatch.setattr("os.access", lambda path, _: Path(path) != at_work)
    result = run("train", *DATA, "--save", "run.npz")
    assert_refused(result, "run.npz can't be written: permission denied$")


@pytest.mark.usefixtures("idle")
@pytest.mark.parametrize("same", ["xor.csv", "./xor.csv", "link.csv"])
def test_a_sweep_does_not_write_over_its_data(run, same):
    Path("link.csv").symlink_to("xor.csv")
    assert_refused(run("sweep", *DATA, "--csv", same), "written: it is the file that is read$")
    assert Path("xor.csv").read_text() == XOR_CSV


@pytest.mark.usefixtures("idle")
def test_two_pictures_are_two_files(run):
    result = run("trainability", "--plot", "a.png", "--box-plot", "./a.png")
    assert_refused(result, "--plot and --box-plot must be two files, got a.png twice$")


@pytest.mark.usefixtures("idle")
@pytest.mark.parametrize(
    ("folder", "message"),
    [("xor.csv", "xor.csv is a file, not a folder$"), ("no/no", "there is no folder no$")],
)
def test_a_folder_that_can_not_be_is_refused_before_the_work(run, folder, message):
    assert_refused(run("trainability", "--plot", "a.png", "--out", folder), message)


TABLE = "size,sort\n" + "".join(f"{k},{'big' if k > 20 else 'small'}\n" for k in range(40))
FIT = ["fit", "table.csv", "--target", "sort", "--hidden-size", "none", "--folds", 2]
RACE = ["race", "--optimizer", "momentum", "--optimizer", "adam"]
SMALL_MAP = ["--resolution", 16, "--width", 4, "--iterations", 30, "--window=-1,3,-1,3"]

# What is asked for, the files, and something of what is printed.
COMPUTED = {
    "train": (["train", *DATA, "--iterations", 3], {"--save": "a.npz"}, "Trained in"),
    "sweep": (
        ["sweep", *DATA, "--iterations", 3, "--alpha", "1,2"],
        {"--save": "a.npz", "--csv": "b.csv"},
        "Trained in",
    ),
    "fit": (FIT, {"--save": "a.npz", "--plot": "b.png"}, "Learned in"),
    "predict": (["predict", "model.npz", "table.csv"], {"--csv": "a.csv"}, "40 rows"),
    "surface": (["surface", "--resolution", 3, "--iterations", 9], {"--plot": "a.png"}, "lowest"),
    "race": ([*RACE, "--iterations", 9], {"--plot": "a.png"}, "Trained in"),
    "trainability": (
        ["trainability", *SMALL_MAP],
        {"--plot": "a.png", "--box-plot": "b.png"},
        "256 trainings done",
    ),
    "bucket": (["bucket", "x**2", "--start", 1], {"--plot": "a.svg"}, "converged"),
}


@pytest.fixture
def full(monkeypatch):
    """The disk of the folder is full, that of folders in it is not; counts what was tried."""
    tried = []
    Path("table.csv").write_text(TABLE)

    def no_space(_):
        if unfinished := [*Path().glob(".unfinished-*")]:
            tried.append(unfinished)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fill(times=9):
        monkeypatch.setattr(
            os, "fsync", lambda number: no_space(number) if len(tried) < times else None
        )

    return fill


@pytest.mark.parametrize(("command", "as_json"), crossed([*COMPUTED], [False, True]))
def test_results_are_printed_though_no_file_can_be_written(run, full, command, as_json):
    if command == "predict":
        assert run(*FIT, "--save", "model.npz")[0] == 0
    words, files, said = COMPUTED[command]
    full()
    asked = [word for pair in files.items() for word in pair]
    code, out, err = run(*words, *asked, *["--json"] * as_json)
    assert code == 1
    assert json.loads(out) if as_json else said in out, out
    assert err.splitlines()[-len(files) :] == [
        f"fastgd: error: {name}: No space left on device" for name in files.values()
    ]
    assert not any(Path(name).exists() for name in files.values())


@pytest.mark.parametrize("command", only(["sweep", "fit", "trainability"], "sweep"))
def test_a_file_that_can_not_be_written_leaves_the_others(run, full, command):
    words, files, said = COMPUTED[command]
    full(1)
    code, out, err = run(*words, *[word for pair in files.items() for word in pair])
    assert (code, said in out) == (1, True)
    first, second = files.values()
    assert err.splitlines()[-1] == f"fastgd: error: {first}: No space left on device"
    assert not Path(first).exists()
    assert Path(second).stat().st_size > 100
    assert f"to {second}" in out.splitlines()[-1]
    assert f"to {first}" not in out
    if command == "trainability":
        assert Path("a.patches").is_dir()  # the same command resumes from them


def test_a_plot_that_can_not_be_drawn_leaves_the_model(run, full):
    words, _, said = COMPUTED["fit"]
    full(0)

    def broken(*_, **__):
        raise RuntimeError("of\nmatplotlib")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fastgd.plots.predictions", broken)
        code, out, err = run(*words, "--no-progress", "--plot", "b.png", "--save", "a.npz")
    assert (code, said in out) == (1, True)
    assert err == "fastgd: error: b.png can't be written: RuntimeError: of matplotlib\n"
    assert isinstance(fastgd.load("a.npz"), fastgd.Model)


def test_files_are_written_though_the_results_can_not_be_printed(run, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("fastgd.cli.training_commands.print_json", full)
    code, out, err = run("train", *DATA, "--iterations", 3, "--save", "a.npz", "--json")
    assert (code, out) == (1, "")
    assert err.endswith("error: standard output can't be written: No space left on device\n")
    assert fastgd.load("a.npz").iterations == 3


def test_a_folder_that_went_away_meanwhile(run, monkeypatch):
    Path("folder").mkdir()
    timed = training_commands.timed

    def gone(*work):
        Path("folder").rmdir()
        return timed(*work)

    monkeypatch.setattr(training_commands, "timed", gone)
    code, out, err = run("train", *DATA, "--iterations", 3, "--save", "folder/a.npz")
    assert (code, "Trained in" in out) == (1, True)
    assert err.endswith("fastgd: error: folder/a.npz: No such file or directory\n")


@pytest.mark.parametrize(
    "words",
    [
        ["train", *DATA, "--iterations", 3, "--checkpoint", "kept.npz"],
        ["plot", "old.npz", "--kind", "errors", "--plot", "picture.png"],
        ["export", "old.npz", "old.h"],
    ],
    ids=lambda words: words[0],
)
def test_a_full_disk_is_said_with_the_name_of_the_file(run, full, words):
    fastgd.train([[0.0], [1.0]], [0.0, 1.0], hidden_size=(), iterations=3).save("old.npz")
    full()
    assert_refused(run(*words), f"error: {words[-1]}: No space left on device$", code=1)
    assert not Path(words[-1]).exists()


def test_a_sweep_becomes_a_table(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    code, out, err = run(
        *("sweep", *DATA, "--iterations", 100, "--alpha", "0.1,10", "--seeds", 2),
        *("--hidden-size", "none,8x2", "--no-progress", "--csv", "table.csv"),
    )
    assert (code, err) == (0, "")
    assert out.endswith("Saved to table.csv\n")
    with open("table.csv", encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    X, y = np.loadtxt("xor.csv", delimiter=",", skiprows=1)[:, :3], [0, 1, 1, 0]
    expected = fastgd.sweep(
        X, y, hidden_size=[(), (8, 2)], alpha=[0.1, 10], seed=[1, 2], iterations=100
    )
    assert list(lines[0]) == [
        *("hidden_size", "alpha", "seed"),
        *("final_error", "final_loss", "status", "iterations", "total_changes"),
    ]
    assert [float(line["final_error"]) for line in lines] == expected.final_error.ravel().tolist()
    assert [line["hidden_size"] for line in lines] == ["none"] * 4 + ["8x2"] * 4
    assert [float(line["alpha"]) for line in lines] == [0.1, 0.1, 10, 10] * 2
    assert {line["status"] for line in lines} == {"finished"}


@pytest.mark.slow
def test_optimizers_in_a_table_have_columns_of_their_own(run):
    words = ["--optimizer", "momentum,adam", "--momentum", "0.5,0.9", "--iterations", 5]
    assert run("sweep", *DATA, *words, "--alpha", "1,2", "--csv", "t.csv")[0] == 0
    with open("t.csv", encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["optimizer"], line["momentum"], line["beta1"]) for line in lines[::2]] == [
        ("Momentum", "0.5", ""), ("Momentum", "0.9", ""), ("Adam", "", "0.9")
    ]  # fmt: skip


def test_a_table_is_the_data_frame(run):
    words = ["--bias", "--no-bias", "--patience", "none,2", "--iterations", 9, "--seeds", 2]
    kept = ["--csv", "t.csv", "--save", "t.npz"]
    assert run("sweep", *DATA, *words, "--alpha", "1,1e300", *kept)[0] == 0
    table, expected = pandas.read_csv("t.csv"), fastgd.load("t.npz").to_dataframe()
    assert list(table) == list(expected)
    numbers = ["alpha", "seed", "final_error", "iterations", "total_changes"]
    pandas.testing.assert_frame_equal(table[numbers], expected[numbers])
    assert (table["status"] == expected["status"]).all()
    assert table["bias"].tolist() == expected["bias"].tolist()
    assert set(table["hidden_size"]) == {4}
    assert set(table["patience"]) == {"none", "2"}


def test_a_table_does_not_need_the_weights(run, monkeypatch):
    kept = []
    sweep = fastgd.sweep
    monkeypatch.setattr(
        "fastgd.sweep", lambda *a, **o: kept.append(o["keep_weights"]) or sweep(*a, **o)
    )
    for kept_in in (["--csv", "t.csv"], ["--save", "t.npz"]):
        assert run("sweep", *DATA, "--iterations", 5, *kept_in)[0] == 0
    assert kept == [False, False, True, True]
    assert fastgd.load("t.npz").best().iterations == 5


FORMULAS = ["=1+1", "+1 x", "-x", "@x", "'=x", "'' -x"]
PLAIN = ["x", "'x", "x=1", "1-2", "-1.5e3", "+2", "a"]


def test_a_spreadsheet_runs_no_label_of_a_prediction(run):
    labels = [*FORMULAS, *PLAIN] * 6
    marks = {f"is {name}": [1.0 * (one == name) for one in labels] for name in labels}
    table = pandas.DataFrame(marks)
    table.assign(**{"=y": labels}).to_csv("t.csv", index=False)
    words = ["--target", "=y", "--hidden-size", "none", "--folds", 2, "--save", "m.npz"]
    assert run("fit", "t.csv", *words, "--no-progress")[0] == 0
    model = fastgd.load("m.npz")
    expected = model.predict("t.csv").tolist()
    assert {*expected} == {*labels}

    code, _, err = run("predict", "m.npz", "t.csv", "--csv", "p.csv")
    count = sum(label in FORMULAS for label in expected) + 1
    assert (code, err.count("\n")) == (0, 1)
    assert err.startswith(f"fastgd: note: {count} cells in p.csv might be run by a spreadsheet, a")
    found = column_of("p.csv", "'=y")
    assert found == [f"'{label}" if label in FORMULAS else label for label in expected]
    # One quote is to be removed where such a sign is behind quotes: all are told apart.
    assert [re.sub(r"^'(?='*\s*[=+\-@])", "", label) for label in found] == expected

    assert run("predict", "m.npz", "t.csv", "--csv", "raw.csv", "--raw-text")[::2] == (0, "")
    assert column_of("raw.csv", "=y") == expected


def column_of(path, name):
    with open(path, encoding="utf-8", newline="") as file:
        return [line[name] for line in csv.DictReader(file)]


@pytest.mark.parametrize("raw", [False, True])
def test_a_spreadsheet_runs_no_group_of_a_sweep(run, raw):
    rows = "\n".join(f"{k},{('-1', '=x', 'x')[k % 3]},{k / 9}" for k in range(9))
    Path("g.csv").write_text(f"a,g,y\n{rows}\n")
    words = ["--target", "y", "--groups", "g", "--iterations", 5, "--csv", "s.csv"]
    code, _, err = run("sweep", "g.csv", *words, *["--raw-text"] * raw)
    assert code == 0
    assert err.startswith("fastgd: note: 1 cell in s.csv might be run") is not raw
    assert column_of("s.csv", "group") == ["-1", "=x" if raw else "'=x", "x"]


@pytest.mark.usefixtures("idle")
@pytest.mark.parametrize("out", [[], ["--save", "s.npz"], ["--out", "folder"]])
def test_raw_text_is_for_a_table(run, out):
    assert_refused(run("sweep", *DATA, *out, "--raw-text"), "--raw-text needs --csv FILE.csv$")
    assert_refused(run("predict", "m.npz", "xor.csv", "--raw-text"), "--raw-text needs --csv FI")
