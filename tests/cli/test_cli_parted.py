"""Held-out rows, folds, groups, resumed runs: the command is the library's call on these rows."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import KFold, train_test_split

import fastgd
from command import assert_refused
from thinning import only

ROWS = 40
INPUTS = np.random.default_rng(3).normal(size=(ROWS, 2))
OUTPUT = (INPUTS.sum(axis=1, keepdims=True) > 0.3).astype(float)
SHOPS = np.array(["north", "south", "east"])[np.arange(ROWS) % 3]
SETTINGS = {"iterations": 60, "alpha": 0.3}
TYPED = ["--target", "y", "--iterations", 60, "--alpha", 0.3]
BOTH = [*TYPED, "--record-every", 20]


@pytest.fixture(autouse=True)
def at_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    write("t.csv", range(ROWS))
    write("shops.csv", range(ROWS), SHOPS)


def write(name, rows, labels=None):
    lines = ["a,b,y" if labels is None else "a,shop,b,y"]
    for i in rows:
        a, b = INPUTS[i].tolist()
        label = "" if labels is None else f"{labels[i]},"
        lines.append(f"{a!r},{label}{b!r},{OUTPUT[i, 0]}")
    Path(name).write_text("\n".join(lines) + "\n")


def facts_of(result):
    code, out, err = result
    assert (code, err) == (0, "")
    return json.loads(out)


def test_train_holds_out_a_share(run):
    learn, held = map(np.sort, train_test_split(np.arange(ROWS), test_size=0.3, random_state=5))
    words = ["train", "t.csv", *BOTH, "--validation-fraction", 0.3, "--split-seed", 5]
    facts = facts_of(run(*words, "--patience", 30, "--restore-best", "--json"))
    alone = fastgd.train(
        INPUTS[learn], OUTPUT[learn], validation=(INPUTS[held], OUTPUT[held]), record_every=20,
        patience=30, restore_best=True, **SETTINGS,
    )  # fmt: skip
    for name in ("errors", "validation_errors"):
        assert facts[name] == getattr(alone, name).tolist()
    for name in ("final_error", "final_validation_error", "best_iteration", "status"):
        assert facts[name] == getattr(alone, name)
    assert (facts["samples"], facts["validation_samples"], facts["split_seed"]) == (40, 12, 5)
    assert "state" not in facts
    _, out, _ = run(*words)
    assert "Validation: 12 of 40 rows, drawn with seed 5 (--split-seed)\n" in out
    assert re.search(r"^iteration +mean \|y - output\| +validation +loss *$", out, re.MULTILINE)
    assert len(re.findall(r"^ *\d+ +0\.\d+ +0\.\d+ +\d+\.\d+ *$", out, re.MULTILINE)) == 4
    _, out, _ = run(*words, "--evaluate-every", 1)
    assert re.search(r"The smallest validation error is that of iteration \d+\n", out)


def test_train_with_a_file_of_held_out_samples(run):
    write("learn.csv", range(30))
    write("held.csv", range(30, ROWS))
    facts = facts_of(run("train", "learn.csv", *BOTH, "--validation", "held.csv", "--json"))
    in_order = facts_of(
        run(
            "train", "t.csv", *BOTH, "--validation-fraction", 0.25, "--split-seed", "none", "--json"
        )
    )
    for name in ("validation_errors", "final_validation_error", "weights"):
        assert facts[name] == in_order[name]
    assert (facts["validation_samples"], in_order["validation_samples"]) == (10, 10)


def test_restored_is_said(run):
    words = [
        "train",
        "t.csv",
        *BOTH,
        "--validation-fraction",
        0.3,
        "--restore-best",
        "--evaluate-every",
        1,
    ]
    _, out, _ = run(*words)
    assert re.search(
        r"Restored: the network is that of iteration \d+, with the smallest validation", out
    )


@pytest.mark.parametrize("optimizer", only(["gradient-descent", "adam"], "gradient-descent"))
def test_a_training_goes_on(run, optimizer):
    words = ["train", "t.csv", *TYPED, "--validation-fraction", 0.25, "--optimizer", optimizer]
    facts_of(run(*words, "--record-every", 10, "--save", "half.npz", "--json"))
    words[words.index(60)] = 100
    once = [*words, "--record-every", 10]
    goes_on = [
        "train",
        "t.csv",
        "--target",
        "y",
        "--validation-fraction",
        0.25,
        "--resume",
        "half.npz",
    ]
    whole = facts_of(run(*goes_on, "--iterations", 40, "--save", "half.npz", "--json"))
    expected = facts_of(run(*once, "--json"))
    for name in ("errors", "validation_errors", "weights", "direction_changes", "iterations"):
        assert whole[name] == expected[name]
    assert fastgd.load("half.npz").iterations == 100
    _, out, _ = run(*goes_on, "--iterations", 1)
    assert "Resumed from half.npz, after 100 iterations\n" in out
    assert "Finished after 101 iterations\n" in out


def test_a_training_is_changed_or_goes_on_with_other_rows(run):
    words = ["train", "t.csv", *TYPED, "--optimizer", "momentum", "--momentum", 0.5]
    facts_of(run(*words, "--save", "half.npz", "--json"))
    write("more.csv", range(30))
    goes_on = ["train", "t.csv", "--target", "y", "--resume", "half.npz", "--iterations", 40]
    change = ["--change", "--alpha", 0.1, "--optimizer", "momentum", "--momentum", 0.9]
    found = facts_of(run(*goes_on, *change, "--save", "on.npz", "--json"))
    half = fastgd.load("half.npz")
    expected = fastgd.train(
        INPUTS, OUTPUT, resume=half, iterations=40, change={"alpha": 0.1, "momentum": 0.9}
    )
    assert fastgd.load("on.npz") == expected
    assert (found["alpha"], found["schedule_start"]) == (0.1, 0)
    goes_on[1], goes_on[goes_on.index("half.npz")] = "more.csv", "on.npz"
    assert_refused(run(*goes_on), "--resume needs the rows that on.npz was trained on")
    found = facts_of(run(*goes_on, "--samples", "new", "--json"))
    again = fastgd.train(INPUTS[:30], OUTPUT[:30], resume=expected, samples="new", iterations=40)
    assert found["final_error"] == again.final_error


def test_a_file_without_hashes_goes_on_with_a_warning_or_has_other_rows(run):
    """Those of 0.2.0: its error on the rows is all that can be compared."""
    made = fastgd.train(INPUTS, OUTPUT, **SETTINGS)
    replace(made, sample_hashes=None).save("before.npz")
    resumed = ["train", "t.csv", "--target", "y", "--resume", "before.npz", "--iterations", 1]
    code, out, error = run(*resumed)
    assert code == 0
    assert "Resumed from before.npz" in out
    assert (
        error == "fastgd: warning: before.npz is of fastgd 0.2.0: only the error on its rows "
        "is compared\n"
    )
    other = fastgd.train(INPUTS, 1 - OUTPUT, **SETTINGS)
    replace(other, sample_hashes=None).save("before.npz")
    code, _, error = run(*resumed)
    assert code == 2
    assert "--resume needs the rows that before.npz was trained on" in error


def test_what_was_over_stays_so(run):
    words = ["t.csv", "--target", "y", "--alpha", 1000, "--patience", 3]
    run("train", *words, "--save", "over.npz")
    over = fastgd.load("over.npz")
    assert over.status == "stalled"
    _, out, _ = run("train", "t.csv", "--target", "y", "--resume", "over.npz")
    after = f"after {over.iterations:,} iterations, when it was over: it had stalled"
    assert f"Resumed from over.npz, {after}" in " ".join(out.split())


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder for what is resumed, which is made once."""
    return tmp_path_factory.mktemp("runs")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--resume no.npz", "no.npz: No such file"),
        ("--resume t.csv", "t.csv"),
        ("--resume sweep.npz", r"--resume needs one run .* sweep.npz holds a sweep of 2 runs$"),
        ("--resume old.npz", "--resume must be a run with a state"),
        ("--resume run.npz --alpha 2", "--alpha must be left out with --resume, .* 0.3, got"),
        ("--resume run.npz --hidden-size none", "--hidden-size must be left out with --resume"),
        ("--resume run.npz --l2 1", "--l2 must be left out with --resume, or as it was"),
        ("--resume run.npz --record-every 7", "--record-every must be left out with --resume"),
        ("--resume run.npz --seed 2", "--seed must be left out with --resume"),
        ("--resume run.npz --validation-fraction 0.5", "--resume needs the rows that run.npz was"),
        ("--resume turned.npz", "--resume needs the rows that turned.npz was trained on .*, got"),
        ("--resume held.npz", "--resume needs the rows that held.npz was"),
        ("--resume held.npz --validation-fraction 0.25 --split-seed 1",
         "--resume needs the rows that held"),
        ("--resume wide.npz", "--resume must be of a network with 2 inputs and 1 output"),
        ("--alpha 1 --change", "--change needs --resume RUN.npz"),
        ("--resume run.npz --change", "--change needs what replaces what the run had, such as"),
        ("--resume run.npz --change --bias", "--change must have what .*, got 'bias'"),
        ("--resume run.npz --change --seed 3", "--change must have what .*, got 'seed'"),
        ("--resume run.npz --change --alpha -1", "--alpha must be a finite number above 0, got"),
        ("--resume run.npz --samples old", "--samples must be 'same' or 'new', got 'old'"),
        ("--samples new", "--samples must go with --resume, got --samples new without it"),
    ],
)  # fmt: skip
def test_bad_resumes(run, runs, words, message):
    if not (runs / "run.npz").exists():
        fastgd.sweep(INPUTS, OUTPUT, seed=[1, 2], iterations=1).save(runs / "sweep.npz")
        made = fastgd.train(INPUTS, OUTPUT, **SETTINGS)
        replace(made, state=None).save(runs / "old.npz")
        fastgd.train(INPUTS[::-1], OUTPUT[::-1], **SETTINGS).save(runs / "turned.npz")
        held = ["--validation-fraction", 0.25, "--save", runs / "held.npz"]
        assert run("train", "t.csv", *TYPED, *held)[0] == 0
        fastgd.train(np.ones((4, 3)), [0, 1, 1, 0], iterations=1).save(runs / "wide.npz")
        made.save(runs / "run.npz")
    for path in runs.iterdir():
        Path(path.name).symlink_to(path)
    assert_refused(run("train", "t.csv", "--target", "y", *words.split()), message)


def test_a_refused_output_unit_is_named_though_the_table_needs_it(run):
    Path("labels.csv").write_text("a,b,y\n0,1,no\n1,0,yes\n1,1,yes\n0,0,no\n")
    fastgd.train([[0, 1], [1, 0]], [0, 1], iterations=1).save("plain.npz")
    words = ["train", "labels.csv", "--target", "y", "--resume", "plain.npz", "--output", "softmax"]
    assert_refused(run(*words), "--output must be left out with --resume, or as it was in the run")


@pytest.mark.slow
def test_sweep_over_folds(run):
    words = ["sweep", "t.csv", *TYPED, "--folds", 4, "--l2", "0,1", "--seeds", 2]
    facts = facts_of(run(*words, "--json"))
    folds = KFold(4, shuffle=True, random_state=0)
    expected = fastgd.sweep(
        INPUTS, OUTPUT, hidden_size=[4], folds=folds, alpha=[0.3], l2=[0, 1], seed=[1, 2],
        iterations=60,
    )  # fmt: skip
    assert list(facts["axes"]) == ["hidden_size", "fold", "alpha", "l2", "seed"]
    assert facts["shape"] == [1, 4, 1, 2, 2]
    assert facts["final_validation_error"] == expected.final_validation_error.tolist()
    assert facts["validation_errors"] == expected.validation_errors.tolist()
    means = expected.final_validation_error.mean(axis=1)
    assert facts["best"][0]["final_validation_error"] == pytest.approx(means.min())
    assert len(facts["best"]) == 4
    assert facts["groups"][1]["mean"] == pytest.approx(
        expected.final_validation_error[:, :, :, 1].mean()
    )
    _, out, _ = run(*words)
    assert "16 runs: 4 folds x 2 values of l2 x 2 seeds\n" in out
    assert max(map(len, out.splitlines())) <= 80
    best = facts["best"][0]
    assert re.search(rf"^ *1 +{best['l2']:g} +{best['seed']} +0\.\d+ ", out, re.MULTILINE)
    in_order = facts_of(run(*words, "--split-seed", "none", "--json"))
    expected = fastgd.sweep(
        INPUTS, OUTPUT, folds=4, alpha=0.3, l2=[0, 1], seed=[1, 2], iterations=60
    )
    assert (
        in_order["final_validation_error"][0] == expected.final_validation_error[:, None].tolist()
    )


def test_sweep_over_groups(run):
    words = ["sweep", "shops.csv", *TYPED, "--groups", "shop", "--seeds", 2]
    facts = facts_of(run(*words, "--json"))
    assert facts["axes"]["group"] == ["east", "north", "south"]
    for i, label in enumerate(facts["axes"]["group"]):
        rows = label == SHOPS
        alone = fastgd.sweep(INPUTS[rows], OUTPUT[rows], alpha=0.3, seed=[1, 2], iterations=60)
        assert facts["final_error"][0][i][0] == alone.final_error.tolist()
    _, out, _ = run(*words)
    assert "3 groups by shop, of 13 to 14 rows\n" in out
    assert "Best of each group\n" in out
    assert len(re.findall(r"^(?:east|north|south) ", out, re.MULTILINE)) == 3


def test_groups_and_folds_become_a_table_and_a_file(run):
    words = ["sweep", "shops.csv", *TYPED, "--groups", "shop", "--folds", 3]
    assert run(*words, "--save", "t.npz", "--csv", "out.csv")[0] == 0
    saved = fastgd.load("t.npz")
    assert list(saved.axes) == ["hidden_size", "group", "fold", "alpha", "seed"]
    with open("out.csv", encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["group"] for line in lines] == ["east"] * 3 + ["north"] * 3 + ["south"] * 3
    held = saved.final_validation_error.ravel()
    assert [float(line["final_validation_error"]) for line in lines] == held.tolist()
    assert run("plot", "t.npz", "--kind", "errors", "--plot", "errors.png")[0] == 0


@pytest.mark.slow
def test_sweep_with_a_held_out_share_and_an_early_end(run):
    words = ["sweep", "t.csv", *TYPED, "--validation-fraction", 0.3, "--seeds", 3, "--patience", 10]
    facts = facts_of(run(*words, "--restore-best", "--json"))
    assert np.shape(facts["best_iteration"]) == (1, 1, 3)
    held = np.array(facts["final_validation_error"])[0, 0]
    assert [best["seed"] for best in facts["best"]] == (
        1 + np.argsort(held, kind="stable")
    ).tolist()
    _, out, _ = run(*words, "--restore-best")
    assert re.search(r"status +iteration *$", out, re.MULTILINE) or "iterations" in out


def test_progress_counts_the_updates_of_all_folds(run):
    words = ["sweep", "t.csv", *TYPED, "--folds", 5, "--l2", "0,1", "--seeds", 5]
    words += ["--progress", "--json"]
    assert "3.00k/3.00k" in run(*words)[2]


def test_restore_best_needs_something_to_watch(run):
    result = run("train", "t.csv", *TYPED, "--restore-best")
    asked_for = "that --patience, --tolerance, --summary or --evaluate-every ask for"
    assert_refused(
        result, f"^fastgd: error: --restore-best must have an error to monitor: .* {asked_for}"
    )
