"""``fastgd fit`` and ``predict``, and what ``train`` and ``sweep`` make of tables as they come."""

import csv
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import fastgd
from cases import XOR_CSV
from command import assert_refused
from fastgd import Model, Run
from fastgd.cli.result_tables import number_text, print_scores
from fastgd.optimizers import Adam

RANDOM = np.random.default_rng(5)
CITIES = ("Köln", "Oslo", "Rome")
ROWS = [
    (k, int(RANDOM.integers(30, 200)), CITIES[RANDOM.integers(3)], k % 3 > 0) for k in range(90)
]
SMALL = ["--hidden-size", "4", "--folds", "2"]


def _price(size, city, garden):
    return 1000 * size * (2 if city == "Rome" else 1) + 5000 * garden


@pytest.fixture(autouse=True)
def at_work(tmp_path, monkeypatch):
    """Houses with a price, with a decimal comma; and with a class instead."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    lines = [f"{k};{s},5;{c};{g};{_price(s, c, g)},25" for k, s, c, g in ROWS]
    lines[4] = lines[4].replace("Rome", "").replace("Oslo", "").replace("Köln", "")
    Path("houses.csv").write_text(
        "id;size;city;garden;price\n" + "\n".join(lines), encoding="utf-8"
    )
    lines_of_houses = [line.replace(";;", ";Rome;") for line in lines]
    dear = ["dear" if _price(*row[1:]) > 150_000 else "cheap" for row in ROWS]
    lines = [f"{s},{c},{g},{d}" for (_, s, c, g), d in zip(ROWS, dear, strict=True)]
    Path("sorts.csv").write_text("size,city,garden,sort\n" + "\n".join(lines), encoding="utf-8")
    Path("xor.csv").write_text(XOR_CSV)
    towns = [line.replace(";Rome;", f";Rome {k % 3};") for k, line in enumerate(lines_of_houses)]
    Path("groups.csv").write_text("id;size;city;garden;price\n" + "\n".join(towns), "utf-8")


# fastgd fit


def test_it_says_each_choice_and_how_good_it_is(run):
    code, out, err = run("fit", "houses.csv", "--target", "price", *SMALL, "--save", "m.npz")
    assert (code, err) == (0, "")
    for line in (
        "houses.csv: 90 rows with a target, 5 columns",
        "- id: left out: it numbers the rows (keep=['id'] or --keep id uses it)",
        "- city: text: an input for each of Köln, Oslo, Rome, and one for the 1 row where",
        "- garden: true or false: an input for each of False, True",
        "- numbers in piecewise-linear bins: size",
        "- rows: 72 for training, in 2 folds; 18 in the test set, drawn with seed 0",
        "The best of 16 settings, by squared error on the validation rows of each fold",
        "- learned again from all 90 rows, in folds as before; the scores are those of",
        "On the 18 rows of the test set, before learning from them, too",
        "Saved to m.npz: fastgd predict m.npz NEW.csv applies it.\n"
        "fastgd export writes it for C, JavaScript and others.",
    ):
        assert line in out
    for row in ("this model", "a linear model", "the mean"):
        assert f"\n{row}" in out
    assert isinstance(fastgd.load("m.npz"), Model)


def test_classes_have_a_table_of_confusions(run):
    code, out, _ = run("fit", "sorts.csv", "--target", "sort", *SMALL, "--plot", "p.png")
    assert code == 0
    assert "- sort: 2 classes to predict: cheap, dear\n" in out
    assert "the most frequent class" in out
    assert "actual \\ predicted  cheap  dear  recall" in out
    assert "accuracy  accuracy" in out  # the second is "balanced", a line above
    assert "log loss" in out
    assert Path("p.png").read_bytes().startswith(b"\x89PNG")


def test_what_machines_read_is_what_the_library_says(run):
    code, out, _ = run("fit", "houses.csv", "--target", "price", *SMALL, "--json")
    assert code == 0
    facts = json.loads(out)
    model = fastgd.fit("houses.csv", "price", hidden_size=[4], folds=2)
    assert facts["scores"] == model.scores
    assert facts["inputs"] == list(model.preparation.names)
    assert len(facts["candidates"]) == 16  # those of bins, too
    assert len(facts["actual"]) == len(facts["predicted"]) == facts["rows"]["judge"] == 18


JUDGING = ["--test-group", "city", "--weight", "size", "--loss", "quantile", "--tau", "0.7"]
JUDGING += ["--scoring", "r2", "--drop", "id"]


def in_the_library():
    return fastgd.fit(
        "groups.csv", "price", hidden_size=[4], folds=2, test_group="city", sample_weight="size",
        loss="quantile", tau=0.7, scoring="r2", drop=["id"],
    )  # fmt: skip


def test_each_option_of_judging_and_training_is_given_as_the_library_gives_it(run, monkeypatch):
    given = []

    def stop(columns, target, choices):
        given.append((list(columns), target, choices))
        raise ValueError("enough")

    for place in ("cli.fit_command", "models.fit"):
        monkeypatch.setattr(f"fastgd.{place}.fit_columns", stop)
    result = run("fit", "groups.csv", "--target", "price", *SMALL, *JUDGING, "--json")
    assert_refused(result, "enough$")
    with pytest.raises(ValueError, match="enough"):
        in_the_library()
    assert given[0] == given[1]


@pytest.mark.slow
def test_each_option_of_judging_and_training_is_that_of_the_library(run):
    code, out, err = run("fit", "groups.csv", "--target", "price", *SMALL, *JUDGING, "--json")
    assert (code, err) == (0, "")
    model = in_the_library()
    facts = json.loads(out)
    assert facts["scores"] == model.scores
    assert facts["candidates"][0]["score"] >= facts["candidates"][-1]["score"]
    assert facts["verdict"] in model.notes[-1]


def test_a_series_is_forecast_from_its_last_values(run):
    day = np.arange(40)
    y = np.cumsum(1 + np.random.default_rng(0).normal(size=40))
    rows = "\n".join(f"{d},{v}" for d, v in zip(day, y, strict=True))
    Path("series.csv").write_text(f"day,y\n{rows}\n")
    Path("next.csv").write_text("day\n40\n41\n43\n")
    fit = "fit series.csv --target y --test-last day --lags 2 --horizon 3 --hidden-size none"
    code, out, _ = run(*fit.split(), "--save", "m.npz")
    assert code == 0
    assert "- y lag 1 to 2: y as last known 1 to 3 steps before, by day" in out
    assert re.search(r"the last value +\d", out)
    code, out, _ = run("predict", "m.npz", "next.csv")
    assert "Note: day: 1 row more than 3 steps ahead, the horizon" in " ".join(out.split())
    given = {"test_last": "day", "lags": 2, "horizon": 3, "hidden_size": ()}
    model = fastgd.fit({"day": day, "y": y}, "y", **given)
    expected = model.predict({"day": [40], "x": [0]})
    assert f"{expected[0]:.5g}" in out


def test_nothing_may_be_judged(run):
    code, out, _ = run("fit", "houses.csv", "--target", "price", *SMALL, "--test-fraction", "0")
    assert code == 0
    assert "- rows: 90 for training, in 2 folds; no test set" in out
    assert "Nothing was judged: the losses above are all there is to go by." in out
    assert "mean |error|" not in out


def test_many_scores_are_not_cut(capsys):
    names = ["mean |error|", "median |error|", "root mean square", "R squared", "quantile loss"]
    names.append("share below")
    scores = dict.fromkeys(["model", "linear", "constant"], dict.fromkeys(names, 123456.789))
    runs = [SimpleNamespace(options={"loss": "quantile"})]
    found = SimpleNamespace(classes=None, runs=runs, scores=scores)
    print_scores(found)
    out = capsys.readouterr().out
    assert "…" not in out
    assert re.search(r"\|error\| +\|error\| .* loss +below", out)


def test_a_model_that_only_says_no_is_found_out(run):
    lines = [f"{RANDOM.normal():.3f},{'Yes' if k % 12 == 0 else 'No'}" for k in range(240)]
    Path("rare.csv").write_text("x,buys\n" + "\n".join(lines))
    code, out, _ = run("fit", "rare.csv", "--target", "buys", *SMALL)
    assert code == 0
    assert re.search(
        r"buys: by accuracy as good as always saying No \(91.7 %\): it finds 0 of the +4 +Yes", out
    )
    assert re.search(r"\nYes +4 +0 +0 %", out)
    words = [*SMALL, "--class-weight", "balanced", "--scoring", "balanced_accuracy"]
    balanced = run("fit", "rare.csv", "--target", "buys", *words)[1]
    assert re.search(r"The best of \d+ settings, by balanced_accuracy on the validation", balanced)
    assert re.search(r"\nYes +[0-3] +[1-4] +", balanced)


def test_of_many_classes_those_that_are_found_least_are_shown(run):
    lines = [
        f"{k % 10},{'abcdefghij'[k % 10 if k % 10 < 9 or k % 20 > 10 else 0]}" for k in range(200)
    ]
    Path("many.csv").write_text("x,letter\n" + "\n".join(lines))
    code, out, _ = run("fit", "many.csv", "--target", "letter", *SMALL)
    assert code == 0
    assert "actual \\ predicted" not in out
    assert re.search(r"\nclass +rows +recall +taken for", out)


def test_it_says_what_it_does_where_progress_is_shown(run):
    code, _, err = run("fit", "houses.csv", "--target", "price", *SMALL, "--progress")
    assert code == 0
    assert err.startswith(
        "fastgd: reading houses.csv\nfastgd: searching up to 16 settings x 2 folds"
    )


FIT = "fit houses.csv --target price "


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("fit houses.csv", "--target must name .* has these: id, size, city, garden, price$"),
        ("fit houses.csv --target prize", "--target must be a column .*: did you mean price"),
        ("fit no.csv --target y", "no.csv: No such file or directory$"),
        (FIT + "--test-fraction 2",
         "--test-fraction must be a number of at least 0 and below 1, got 2.0$"),
        (FIT + "--test-fraction 0 --plot p.png",
         "--plot needs a test set, got --test-fraction 0$"),
        (FIT + "--test-last id --test-group city",
         "--test-last must be left out with --test-group, got both$"),
        (FIT + "--lags 2", "--lags must be 0 without --test-last, which orders the rows, got 2$"),
        (FIT + "--horizon 2", "--horizon must be 1 without --lags, got 2$"),
        (FIT + "--weight garden", "--weight must be numbers, got '"),
        (FIT + "--weight city", "--weight must have no missing values, got one in row 5 of"),
        (FIT + "--weight town", "--weight must be a column of the table, got 'town'"),
        (FIT + "--loss gaussian", "--loss must have one output for each target, got 'gaussian'$"),
        (FIT + "--tau 0.5", "--tau needs --loss quantile, got squared$"),
        (FIT + "--loss quantile --tau 2", "--tau must be a number above 0 and below 1, got 2.0$"),
        (FIT + "--class-weight 3", "--class-weight must be balanced, got '3'$"),
        (FIT + "--scoring roc_auc", "--scoring must be 'r2', .* for the numeric target 'price'"),
        (FIT + "--folds 1", "--folds must be at least 2, got 1$"),
        (FIT + "--drop price", "--drop must not name the target, got 'price'$"),
        (FIT + "--drop town", "--drop must be a column of the table, got 'town'; its columns: id,"),
        (FIT + "--sep x", "--sep must be ',', ';', 'tab' or '|', got 'x'$"),
        (FIT + "--decimal x", "--decimal must be '.' or ',', got 'x'$"),
        (FIT + "--max-categories -1", "--max-categories must be at least 0, got -1$"),
        (FIT + "--hidden-size 8.8", "--hidden-size must be the units .* got '8.8'$"),
        (FIT + "--save m.txt", "the file of a model must end in .npz, got 'm.txt'$"),
        (FIT + "--plot m.txt", "a plot's file must end in .*, got 'm.txt'$"),
        ("fit houses.csv --target city --regression", "--target .* must be numbers, got '"),
    ],
)  # fmt: skip
def test_what_can_not_be_fitted(run, words, message):
    assert_refused(run(*words.split()), message)
    assert not Path("m.txt").exists()


def test_it_says_which_columns_matter(run):
    words = ["fit", "houses.csv", "--target", "price", *SMALL]
    _, out, _ = run(*words)
    _, given, _ = run(*words, "--json")
    facts = json.loads(given)["importances"]
    assert "How much worse the test set is predicted if a column is shuffled\n" in out
    table = out.partition("if a column is shuffled\n")[2]
    assert re.search(r"column +rise of mean \|error\| +5 times", table)
    lines = [line.split() for line in table.splitlines()[4:7]]
    assert [line[0] for line in lines] == facts["names"]
    assert {*facts["names"]} == {"size", "city", "garden"}
    assert lines[0][1:] == [number_text(facts[name][0]) for name in ("mean", "spread")]
    _, out, _ = run(*words, "--test-fraction", "0", "--json")
    assert json.loads(out)["importances"] is None
    assert "shuffled" not in run(*words, "--test-fraction", "0")[1]


# fastgd predict


@pytest.fixture(scope="module")
def learned():
    """The bytes of a model of the houses, once it was asked for."""
    return {}


@pytest.fixture
def model(run, learned):
    if not learned:
        assert run("fit", "houses.csv", "--target", "price", *SMALL, "--save", "m.npz")[0] == 0
        learned["m.npz"] = Path("m.npz").read_bytes()
    Path("m.npz").write_bytes(learned["m.npz"])
    return fastgd.load("m.npz")


def test_predictions_are_written_in_the_order_of_the_rows(run, model):
    Path("new.csv").write_text("garden,city,size,extra\nTrue,Rome,50,1\nfalse,Bonn,70,2\n")
    code, out, err = run("predict", "m.npz", "new.csv", "--csv", "predictions.csv")
    assert (code, err) == (0, "")
    assert "Note: city: Bonn in 1 row: not in" in out
    assert "Note: Not used: extra\n" in out
    assert out.endswith("Written to predictions.csv\n")
    with open("predictions.csv", encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    table = {"garden": [True, False], "city": ["Rome", "Oslo"], "size": [50, 70]}
    assert float(lines[0]["price"]) == model.predict(table)[0]
    assert [list(line) for line in lines] == [["price"]] * 2


def test_booleans_are_written_as_in_the_training_table(run):
    lines = [f"{k},{str(k % 30 > 14).upper()}" for k in range(60)]
    Path("t.csv").write_text("\n".join(["x,dear", *lines]))
    assert run("fit", "t.csv", "--target", "dear", "--keep", "x", *SMALL, "--save", "b.npz")[0] == 0
    assert run("predict", "b.npz", "t.csv", "--csv", "p.csv")[0] == 0
    with open("p.csv", encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert list(found[0]) == ["dear", "probability of FALSE", "probability of TRUE"]
    assert {line["dear"] for line in found} <= {"FALSE", "TRUE"}
    frame = fastgd.load("b.npz").predict({"x": [3, 20]})
    assert frame.dtype == bool


def test_a_file_that_has_the_target_is_judged(run, model):
    code, out, _ = run("predict", "m.npz", "houses.csv")
    assert code == 0
    assert "... and 80 rows more: --csv FILE.csv has all" in out
    assert "The file has price, too: mean |error|" in out
    assert "If the model has learned from these rows, these scores are too good." in out
    code, out, _ = run("predict", "m.npz", "houses.csv", "--json")
    facts = json.loads(out)
    assert facts["predictions"]["price"] == model.predict("houses.csv").tolist()
    assert facts["scores"]["R squared"] > 0.8


def test_classes_come_with_their_probabilities(run):
    run("fit", "sorts.csv", "--target", "sort", *SMALL, "--save", "s.npz")
    assert run("predict", "s.npz", "sorts.csv", "--csv", "p.csv")[0] == 0
    with open("p.csv", encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0]) == ["sort", "probability of cheap", "probability of dear"]
    assert [line["sort"] for line in lines] == fastgd.load("s.npz").predict("sorts.csv").tolist()
    refused = run("predict", "s.npz", "sorts.csv", "--interval", "0.9")
    assert_refused(refused, "--interval needs one numeric target, got the classes of sort$")


def test_intervals_are_two_columns_more(run, model):
    assert run("predict", "m.npz", "houses.csv", "--interval", "0.8", "--csv", "p.csv")[0] == 0
    with open("p.csv", encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0]) == ["price", "price low", "price high"]
    low, high = model.predict_interval("houses.csv", 0.8).T
    assert [float(line["price low"]) for line in lines] == low.tolist()
    assert [float(line["price high"]) for line in lines] == high.tolist()
    code, out, _ = run("predict", "m.npz", "houses.csv", "--interval", "0.99", "--json")
    facts = json.loads(out)
    assert (code, list(facts["predictions"])) == (0, ["price", "price low", "price high"])
    assert facts["remarks"] == [
        "intervals: 90 rows can't show 99 %: the bounds are beyond all their errors"
    ]


def test_it_applies_a_model_without_pandas(run, model, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    expected = model.predict("houses.csv").tolist()
    code, out, _ = run("predict", "m.npz", "houses.csv", "--json")
    assert code == 0
    assert json.loads(out)["predictions"]["price"] == expected


NEW = "id;size;city;garden;price\n007;50,5;Rome;True;1\n=8;-3,5;Oslo;false;2,50\n"


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("--keep size,id", ["id", "size"]),
        ("--keep size --keep id", ["id", "size"]),
        ("--keep-all", ["id", "size", "city", "garden", "price"]),
    ],
)
def test_columns_are_kept_as_they_are_in_the_file(run, model, words, kept):
    Path("new.csv").write_text(NEW)
    asked = ["predict", "m.npz", "new.csv", *words.split()]
    assert run(*asked, "--csv", "p.csv", "--raw-text")[0] == 0
    with open("p.csv", encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file)
    assert header == [*kept, "predicted price" if "price" in kept else "price"]
    cells = [
        dict(zip(*map(str.split, (NEW.splitlines()[0], row), ";;"), strict=True))
        for row in NEW.splitlines()[1:]
    ]
    assert [line[:-1] for line in lines] == [[own[name] for name in kept] for own in cells]
    assert [float(line[-1]) for line in lines] == model.predict("new.csv").tolist()
    facts = json.loads(run(*asked, "--json")[1])
    assert facts["kept"] == {name: [own[name] for own in cells] for name in kept}
    _, out, _ = run(*asked)
    assert re.search(r"row +" + " +".join(header), out)
    assert re.search(r"  1 +" + " +".join(cells[0][name] for name in kept), out)


@pytest.mark.usefixtures("model")
def test_numbers_that_are_kept_are_no_formulas_and_columns_may_have_commas(run):
    Path("new.csv").write_text(NEW.replace("id", '"a,b"', 1))
    words = ["--keep", "a,b", "--keep", "size", "--csv", "p.csv"]
    code, _, err = run("predict", "m.npz", "new.csv", *words)
    assert (code, "1 cell in p.csv might be run" in err) == (0, True)
    with open("p.csv", encoding="utf-8", newline="") as file:
        assert [line[:2] for line in csv.reader(file)] == [
            ["a,b", "size"], ["007", "50,5"], ["'=8", "-3,5"],
        ]  # fmt: skip


@pytest.mark.usefixtures("model")
def test_what_is_too_wide_is_not_shown(run):
    wide = [f"column number {k}" for k in range(9)]
    lines = [";".join(wide), *[";".join(["cell " * 20] * 9)] * 2]
    Path("new.csv").write_text(
        "\n".join(f"{a};{b}" for a, b in zip(NEW.splitlines(), lines, strict=True))
    )
    _, out, _ = run("predict", "m.npz", "new.csv", "--keep-all")
    assert "... and 9 columns more: --csv FILE.csv has all" in out
    assert max(map(len, out.splitlines())) <= 80
    assert re.search(r"row +id +size +city +garden +price +predicted price", out)


@pytest.mark.usefixtures("model")
def test_columns_of_parquet_are_kept_as_texts(run):
    days = pd.to_datetime(["2026-01-02", None])
    houses = {"size": [50.5, 60], "city": ["Rome", "Oslo"], "garden": [True, False], "day": days}
    pd.DataFrame(houses).to_parquet("new.parquet")
    facts = json.loads(run("predict", "m.npz", "new.parquet", "--keep", "day,size", "--json")[1])
    assert facts["kept"] == {"size": ["50.5", "60"], "day": ["2026-01-02", ""]}


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("m.npz xor.csv", "xor.csv: the table must have the columns size, city, garden, as the"),
        ("houses.csv houses.csv", "houses.csv must be a whole file that fastgd has saved$"),
        (
            "run.npz houses.csv",
            "run.npz must be a model .fastgd fit --save, train .* but it holds a Run,",
        ),
        ("m.npz big.csv", "big.csv: column 'size' must hold numbers, .* got 'big' in row 1$"),
        ("m.npz german.csv", "german.csv: column 'size' must .* got 'k.A.' in row 2$"),
        pytest.param(
            "groups.npz houses.csv",
            "groups.npz holds a model per group, for Python: fastgd.load",
            marks=pytest.mark.slow,
        ),
        ("m.npz houses.csv --interval 1", "--interval must be a number above 0 and below 1, got 1"),
        ("m.npz houses.csv --interval x", "--interval must be a number, got 'x'"),
        (
            "m.npz houses.csv --keep sizes",
            "--keep must be a column of .* got 'sizes': did you mean size",
        ),
        ("m.npz houses.csv --keep id,id", "--keep must name each column once, got 'id' twice$"),
        (
            "m.npz houses.csv --keep id --keep-all",
            "--keep must be left out with --keep-all, got 'id'$",
        ),
        (
            "m.npz both.csv --keep-all",
            "--keep must not name a column of the predictions, got 'predicted price'$",
        ),
        ("m.npz no.csv", "no.csv: No such file or directory$"),
        ("m.npz houses.csv --csv p.txt", "must end in .csv, got 'p.txt'$"),
        ("m.npz houses.csv --csv houses.csv", "it is the file that is read$"),
    ],
)
def test_what_can_not_be_predicted(run, words, message):
    Path("big.csv").write_text("size,city,garden\nbig,Rome,true\n")
    Path("both.csv").write_text("size,city,garden,price,predicted price\n2,Rome,true,3,4\n")
    Path("german.csv").write_text("size;city;garden\n2,5;Rome;true\nk.A.;Rome;true\n")
    table = {"shop": ["a", "b"] * 3, "x": range(6), "y": range(6)}
    if "groups.npz" in words:
        fastgd.fit_groups(table, by="shop", target="y").save("groups.npz")
    if "run.npz" in words:
        fastgd.train([[0, 1], [1, 0]], [0, 1], iterations=1).save("run.npz")
    assert_refused(run("predict", *words.split()), message)


# Tables that are prepared for train and sweep

FEW = ["--iterations", "20", "--alpha", "0.001"]


def test_a_table_that_is_ready_is_taken_as_it_is(run):
    code, out, _ = run("train", "xor.csv", "--target", "y", "--json", *FEW)
    assert code == 0
    raw = json.loads(run("train", "xor.csv", "--target", "y", "--raw", "--json", *FEW)[1])
    assert json.loads(out)["errors"] == raw["errors"]
    assert "Taken as it is: numbers only" in run("train", "xor.csv", "--target", "y", *FEW)[1]
    prepared = json.loads(run("train", "xor.csv", "--target", "y", "--prepare", "--json", *FEW)[1])
    assert len(prepared["inputs"]) == 2  # the third is always 1
    assert prepared["errors"] != raw["errors"]


def test_train_prepares_from_the_rows_that_it_learns_from(run):
    words = [
        "houses.csv",
        "--target",
        "price",
        "--validation-fraction",
        "0.2",
        "--split-seed",
        "3",
        *FEW,
    ]
    code, out, _ = run("train", *words, "--save", "run.npz")
    assert code == 0
    assert "price: numbers to predict, with mean" in out
    assert "output identity" in out
    saved = fastgd.load("run.npz")
    assert isinstance(saved, Model)
    held = np.zeros(90, dtype=bool)
    held[np.random.RandomState(3).permutation(90)[:18]] = True
    prices = np.array([_price(*row[1:]) + 0.25 for row in ROWS])
    assert saved.targets[0].mean == pytest.approx(prices[~held].mean())
    assert run("predict", "run.npz", "houses.csv")[0] == 0
    assert run("plot", "run.npz", "--kind", "errors", "--plot", "e.png")[0] == 0


DEFAULTS = {"reduction": "mean", "activation": "relu", "init": "glorot", "bias": True}


def test_a_prepared_table_has_defaults_that_work_there(run):
    words = ["houses.csv", "--target", "price"]
    code, out, _ = run("train", *words, "--save", "run.npz")
    assert code == 0
    assert (
        "Defaults for a prepared table, which other options replace: --alpha 0.01 "
        "--iterations 1000 --record-every 100 --reduction mean --optimizer adam --activation relu "
        "--init glorot --bias"
    ) in " ".join(out.split())
    assert "No better" not in out
    [saved] = fastgd.load("run.npz").runs
    assert (saved.alpha, saved.iterations) == (0.01, 1000)
    assert {name: saved.options[name] for name in DEFAULTS} == DEFAULTS
    assert saved.options["optimizer"] == Adam()
    assert saved.options["output"] == "identity"
    others = ["--alpha", 1, "--activation", "tanh", "--no-bias", "--iterations", 5, "--seed", 2]
    typed = json.loads(run("train", *words, *others, "--json")[1])
    assert (typed["alpha"], typed["iterations"]) == (1, 5)
    assert (typed["options"]["activation"], "bias" in typed["options"]) == ("tanh", False)
    assert typed["prepared"][-1].endswith(
        ": --record-every 100 --reduction mean --optimizer adam --init glorot"
    )
    swept = json.loads(run("sweep", *words, "--iterations", 5, "--json")[1])
    assert swept["axes"]["alpha"] == [0.01]
    assert swept["recorded"] == [0]
    assert {name: swept["options"][name] for name in DEFAULTS} == DEFAULTS
    resumed = json.loads(run("train", *words, "--resume", "run.npz", "--json")[1])
    assert resumed["iterations"] == 2000
    assert "Defaults" not in str(resumed["prepared"])


def test_a_table_as_it_is_keeps_the_defaults_of_the_article(run):
    for name in ("train", "sweep"):
        found = json.loads(run(name, "xor.csv", "--target", "y", "--json")[1])
        assert found["options"] == {}
        assert found["recorded"] == list(range(0, 60_000, 10_000))
        assert np.ravel(found["alpha"] if name == "train" else found["axes"]["alpha"])[0] == 1


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("price", r"squared error [\d.]+ on the samples, and 1 by always predicting the mean"),
        pytest.param(
            "garden",
            r"log loss [\d.]+ on the samples, and 0.6[\d]+ by always predicting the shares of",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_run_that_is_no_better_than_a_constant_says_so(run, target, said):
    words = ["houses.csv", "--target", target, "--iterations", 1, "--alpha", "1e-6"]
    code, out, _ = run("train", *words)
    assert code == 0
    assert re.search(f"No better than a constant: {said}", " ".join(out.split()))
    assert json.loads(run("train", *words, "--json")[1])["no_better_than_constant"]
    held = ["--validation-fraction", "0.5"]
    assert "on the validation set, and" in " ".join(run("train", *words, *held)[1].split())
    assert "No better" not in run("train", "xor.csv", "--target", "y", "--iterations", 1)[1]


def test_a_prepared_run_goes_on_with_its_preparation(run):
    words = ["houses.csv", "--target", "price", "--validation-fraction", "0.2"]
    assert run("train", *words, *FEW, "--save", "half.npz")[0] == 0
    code, out, _ = run("train", *words, "--resume", "half.npz", "--iterations", 20, "--json")
    assert code == 0
    once = run("train", *words, "--iterations", 40, "--alpha", "0.001", "--json")[1]
    assert json.loads(out)["final_error"] == json.loads(once)["final_error"]
    result = run("train", *words, "--resume", "half.npz", "--raw")
    assert_refused(result, "--raw does not go with the prepared table of half.npz$")
    result = run("train", "houses.csv", "--target", "id", "--resume", "half.npz")
    assert_refused(result, "--target must be price, which the network has learned, got id$")
    result = run("train", *words, "--resume", "half.npz", "--drop", "city")
    assert_refused(result, "--no-standardize must be left out with --resume: half.npz knows how")


def test_several_targets_of_softmax_are_numbers_in_a_prepared_table_too(run):
    Path("shares.csv").write_text("x,a,b\n100,1,0\n200,0,1\n300,0.5,0.5\n")
    words = ["shares.csv", "--target", "a", "--target", "b", "--output", "softmax", *FEW]
    code, out, _ = run("train", *words, "--loss", "cross-entropy")
    assert code == 0
    assert "A 1-4-2 network" in out


def test_texts_to_learn_are_classes(run):
    words = ["sorts.csv", "--target", "sort", "--validation", "sorts.csv", *FEW]
    code, out, _ = run("train", *words, "--save", "run.npz")
    assert code == 0
    assert "output softmax, loss cross_entropy" in out
    assert "of the validation set" in out
    assert fastgd.load("run.npz").classes == ("cheap", "dear")


@pytest.mark.slow
def test_a_sweep_of_groups_of_a_prepared_table(run):
    words = ["houses.csv", "--target", "price", "--groups", "garden", "--folds", "2", *FEW]
    code, out, _ = run("sweep", *words, "--drop", "city", "--keep", "id")
    assert code == 0
    assert "id: it numbers the rows, and is used: keep names it" in out
    assert "2 groups by garden, of 30 to 60 rows" in out
    assert "city" not in out
    assert run("sweep", *words[:3], "--save", "s.npz", *FEW)[0] == 0
    assert not isinstance(fastgd.load("s.npz"), Model | Run)


@pytest.mark.parametrize("command", ["train", "sweep"])
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("houses.csv --raw --target price", "houses.csv, line 2, column '.*' is not a number"),
        ("houses.csv --raw --sep ; --target price", "--raw takes a table as it is: --sep,"),
        ("houses.csv --target city --output tanh", "target 'city' must be numbers, or alone and"),
        ("houses.csv --target city --target price", "target 'city' must be numbers, or alone and"),
        ("houses.csv --target price --drop price", "--drop must not name the target, got 'price'$"),
        ("houses.csv --target price --keep price", "--keep must not name the target, got 'price'$"),
        ("houses.csv --target price --keep rooms", "--keep must be a column of the table, got"),
        (
            "houses.csv --target price --target size --encoding target",
            "--encoding must be 'one-hot' for several targets, got 'target'$",
        ),
        ("houses.csv --raw --target price --keep id", "--raw takes a table as it is: .* --keep,"),
        (
            "holes.csv --target a --target b",
            "targets a, b must all have a value in at least one row, got",
        ),
        (
            "houses.csv --target prize",
            "--target must be a column .*: did you mean price",
        ),
        ("houses.csv", "--target must name the column to learn; houses.csv has these: id,"),
        ("t.parquet --raw --target y", "--raw needs a CSV file, got t.parquet$"),
    ],
)
def test_tables_that_are_refused(run, command, words, message):
    Path("holes.csv").write_text("x,a,b\n1,2,\n2,,3\n")
    assert_refused(run(command, *words.split()), message)
