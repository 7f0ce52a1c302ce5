"""Rows that are held out and groups of rows: what the command hands to the library."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import KFold, train_test_split

from command import assert_refused
from fastgd.cli.refusals import RefusedError
from fastgd.cli.table_options import read_rows, take_split
from fastgd.models.row_splits import ShuffledFolds
from fastgd.tables.table_samples import read_samples

ROWS = 23
TABLE = "a,b,y,shop\n" + "".join(f"{i},{i * i},{i % 2},{'ns'[i % 3 == 0]}\n" for i in range(ROWS))


@pytest.fixture(autouse=True)
def at_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(TABLE)
    Path("numbers.csv").write_text(TABLE.replace("n\n", "7\n").replace("s\n", "10\n"))


def parted(**typed):
    file = Path("numbers.csv" if "groups" not in typed else "t.csv")
    return read_rows(file, ["y"], take_split(typed), {"raw": True}, {})


@pytest.mark.parametrize(("share", "seed"), [(0.2, 0), (0.5, 7), (0.01, 3), (0.95, 1)])
def test_a_share_is_held_out_as_scikit_learn_does(share, seed):
    samples, data, facts, notes = parted(validation_fraction=share, split_seed=str(seed))
    rows = np.arange(ROWS)
    learn, held = map(np.sort, train_test_split(rows, test_size=share, random_state=seed))
    assert data["X"].tolist() == samples.X[learn].tolist()
    assert data["y"].tolist() == samples.y[learn].tolist()
    X, y = data["validation"]
    assert (X.tolist(), y.tolist()) == (samples.X[held].tolist(), samples.y[held].tolist())
    assert facts == {"validation_samples": len(held), "split_seed": seed}
    assert notes == [f"Validation: {len(held)} of 23 rows, drawn with seed {seed} (--split-seed)"]


def test_a_share_in_order_is_the_last_rows():
    samples, data, _, notes = parted(validation_fraction=0.2, split_seed="none")
    assert data["X"].tolist() == samples.X[:18].tolist()
    assert data["validation"][0].tolist() == samples.X[18:].tolist()
    assert notes == ["Validation: 5 of 23 rows, the last ones"]


def test_the_largest_seed_of_a_split_is_that_of_numpy():
    typed = {"validation_fraction": 0.2, "split_seed": str(2**32 - 1)}
    assert take_split(typed)["split_seed"] == 2**32 - 1
    with pytest.raises(RefusedError, match=r"or none, got '4294967296'$"):
        take_split({"validation_fraction": 0.2, "split_seed": str(2**32)})


@pytest.mark.parametrize("folds", [2, 5, 23])
def test_folds_are_those_of_scikit_learn(folds):
    X = np.zeros((ROWS, 1))
    theirs = KFold(folds, shuffle=True, random_state=4).split(X)
    for (learn, held), (their_learn, their_held) in zip(
        ShuffledFolds(folds, 4).split(X), theirs, strict=True
    ):
        assert (learn.tolist(), held.tolist()) == (their_learn.tolist(), their_held.tolist())


def test_folds_are_handed_on():
    _, data, _, notes = parted(folds=5)
    assert (data["folds"].folds, data["folds"].seed) == (5, 0)
    assert notes == ["Validation: each row once, in 5 folds, drawn with seed 0 (--split-seed)"]
    samples, data, facts, notes = parted(folds=5, split_seed="none")
    assert data == {"X": samples.X, "y": samples.y, "folds": 5}
    assert facts == {"folds": 5, "split_seed": None}
    assert notes == ["Validation: each row once, in 5 folds, in their order"]


def test_a_column_of_labels_is_no_input():
    samples, data, _, notes = parted(groups="shop", folds=3)
    assert samples.inputs == ["a", "b"]
    assert samples.X[:, 1].tolist() == [i * i for i in range(ROWS)]
    assert data["groups"].tolist() == ["ns"[i % 3 == 0] for i in range(ROWS)]
    assert notes == [
        "2 groups by shop, of 8 to 15 rows",
        "Validation: each row once, in 3 folds of every group, drawn with seed 0 (--split-seed)",
    ]
    assert parted(groups="shop")[1].keys() == {"X", "y", "groups"}


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (["10", "9", "-3"], [10, 9, -3]),
        (["10", "9", "x"], ["10", "9", "x"]),
        (["007", "9", "8"], ["007", "9", "8"]),  # not one whole number is lost
        (["1.5", "9", "8"], ["1.5", "9", "8"]),
        ([" a ", '"b, c"', "a"], ["a", "b, c", "a"]),
    ],
)
def test_labels_are_whole_numbers_or_texts(cells, labels):
    Path("l.csv").write_text("g,a,y\n" + "".join(f"{cell},1,0\n" for cell in cells))
    samples = read_samples(Path("l.csv"), ["y"], "g")
    assert samples.labels.tolist() == labels
    assert samples.X.tolist() == [[1]] * 3


def test_validation_may_have_its_columns_in_another_order():
    Path("v.csv").write_text("y;b;shop;a\n1;2;3;4\n")
    _, data, _, notes = parted(validation=Path("v.csv"))
    X, y = data["validation"]
    assert (X.tolist(), y.tolist()) == ([[4, 2, 3]], [[1]])
    assert notes == ["Validation: 1 sample of v.csv"]
    assert len(data["X"]) == ROWS


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b,y\n1,2,3\n", "v.csv must have the columns of numbers.csv, and has no 'shop'$"),
        ("a,b,c,y,shop\n1,2,3,4,5\n", "v.csv must have the columns of numbers.csv, got 'c', too$"),
        ("a,b,y,shop\n1,2,x,4\n", "v.csv, line 2, column 'y': 'x' is not a number$"),
        ("a,b,y,shop\n", "v.csv has a header line, but no line below it$"),
    ],
)
@pytest.mark.parametrize("command", ["train", "sweep"])
def test_bad_validation_files(run, command, content, message):
    Path("v.csv").write_text(content)
    words = ["numbers.csv", "--raw", "--target", "y", "--validation", "v.csv"]
    assert_refused(run(command, *words), message)


TRAIN = "train numbers.csv --raw --target y "
SWEEP = "sweep numbers.csv --raw --target y "
GROUPED = "sweep t.csv --raw --target y "


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (TRAIN + "--validation-fraction 1",
         "--validation-fraction must be a share above 0 and below 1, got 1$"),
        (TRAIN + "--validation-fraction nan",
         "--validation-fraction must be a share above 0 and below 1, got nan$"),
        (TRAIN + "--validation-fraction 20%", "--validation-fraction must be a number, got '20%'$"),
        (TRAIN + "--validation-fraction 0.99",
         "--validation-fraction must leave a row to train on, got 0.99 of 23 rows"),
        (TRAIN + "--validation-fraction 0.2 --validation v.csv",
         "--validation and --validation-fraction exclude each"),
        (TRAIN + "--split-seed 3", "--split-seed needs --validation-fraction or --folds$"),
        (TRAIN + "--validation-fraction 0.2 --split-seed x",
         r"--split-seed must be .* or none, got 'x'$"),
        (TRAIN + "--validation-fraction 0.2 --split-seed -1",
         r"--split-seed must be .* or none, got '-1'$"),
        (TRAIN + "--validation no.csv", "no.csv: No such file or directory$"),
        (SWEEP + "--folds 1", "--folds must be at least 2, got 1$"),
        (SWEEP + "--folds 2.5", "--folds must be a whole number, got '2.5'$"),
        (SWEEP + "--folds 24", "--folds 24 needs at least 24 rows, and numbers.csv has 23$"),
        (SWEEP + "--folds 5 --validation-fraction 0.5",
         "--validation-fraction and --folds exclude each other$"),
        (SWEEP + "--folds 5 --validation v.csv", "--validation and --folds exclude each other$"),
        (GROUPED + "--groups shop --folds 9", "at least 9 rows in each group, and group s has 8$"),
        (GROUPED + "--groups shop --validation-fraction 0.1",
         "--groups and --validation-fraction exclude each other: "),
        (GROUPED + "--groups shp", "--groups must be a column .*: did you mean shop"),
        (GROUPED + "--groups y", "--groups must not name the target, got 'y'$"),
        ("sweep t.csv --groups shop", "--target must name the column .* these: a, b, y, shop$"),
        (GROUPED, "column 'shop': 's' is not a number; --groups NAME takes one column of labels$"),
        ("train t.csv --raw --target y", "t.csv, line 2, column 'shop': 's' is not a number$"),
        ("sweep few.csv --target y --groups g", "few.csv, line 3, column .g.: the label is"),
        ("sweep two.csv --target y --groups g", "two.csv has no column besides the target and the"),
    ],
)  # fmt: skip
def test_what_can_not_be_parted(run, words, message):
    Path("few.csv").write_text("g,a,y\nx,1,0\n ,1,0\n")
    Path("two.csv").write_text("g,y\nx,1\n")
    assert_refused(run(*words.split()), message)
