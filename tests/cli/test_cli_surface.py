"""The commands surface and race: what they say, write and refuse."""

import json
import re

import numpy as np
import pytest
from matplotlib import pyplot as plt

import fastgd
from cases import LINE_X, LINE_Y
from command import assert_refused
from fastgd import plots
from fastgd.optimizers import Adam, GradientDescent, LevenbergMarquardt, Momentum
from thinning import some

X, Y = LINE_X, LINE_Y
SMALL = ("--resolution", 41)


@pytest.fixture(autouse=True)
def narrow_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,b,y\n0,1,0\n0,1,0\n1,0,1\n1,0,1\n")
    return path


@pytest.fixture
def drawn(monkeypatch):
    """What the commands hand to the plots."""
    calls = []
    for name in ("surface", "race"):
        draw = getattr(plots, name)

        def spy(*given, draw=draw, **options):
            calls.append((given, options))
            return draw(*given, **options)

        monkeypatch.setattr(plots, name, spy)
    return calls


# surface


def test_surface_as_json_is_what_surface_gives(run):
    code, out, err = run("surface", "--iterations", 60, *SMALL, "--json")
    assert (code, err) == (0, "")
    facts = json.loads(out)
    trained = fastgd.train(X, Y, hidden_size=(), iterations=60, record_every=1, record_weights=True)
    plane = fastgd.surface(X, Y, trained, resolution=41)
    assert facts["errors"] == plane.errors.tolist()
    assert facts["x"] == plane.x.tolist()
    assert facts["axes"] == [[0, 0, 0], [0, 1, 0]]
    assert facts["lowest"] == list(plane.lowest())
    assert facts["path"] == plane.path(trained).tolist()
    assert facts["final_error"] == trained.final_error
    assert facts["samples"] == 4


def test_surface_says_what_it_measured(run):
    code, out, err = run("surface", "--iterations", 60, *SMALL)
    assert (code, err) == (0, "")
    lowest = fastgd.surface(X, Y, [[[0], [0]]], resolution=41).errors[0, -1]
    assert "The article's data (two-layer): 4 samples" in out
    assert "A 2-1 network, alpha 1, seed 1: mean |y - output| 0.0739" in out
    assert "Loss surface of a 2-1 network\n" in out
    assert re.search(r"^weights\[0\]\[1, 0\] +-10 to 10 *$", out, re.MULTILINE)
    assert re.search(rf"^lowest error +{lowest:.12g} at \(10, -10\) *$", out, re.MULTILINE)
    assert "1,681 points measured in" in out
    _, out, _ = run("surface", "--iterations", 60, "--optimizer", "adam", "--l2", "0.1", *SMALL)
    options = "Options: optimizer adam (beta1 0.9, beta2 0.999, epsilon 1e-08), l2 0.1"
    assert options in " ".join(out.split())  # of the training; the plane's errors have none


def test_a_summary_is_broken_where_the_terminal_is_narrow(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    _, out, _ = run("surface", "--iterations", 9, *SMALL)
    assert "\N{HORIZONTAL ELLIPSIS}" not in out


def test_surface_of_a_file_with_its_options(run, csv):
    _, out, _ = run(
        "surface", csv, "--target", "y", "--hidden-size", 2, "--bias", "--alpha", "0.5",
        "--seed", 3, "--iterations", 20, "--axes", "0,2,1", "--axes", "1,0,0",
        "--span", "-1,1", "--span", "0,4", "--resolution", 5, "--json",
    )  # fmt: skip
    facts = json.loads(out)
    trained = fastgd.train(X, Y, hidden_size=2, bias=True, alpha=0.5, seed=3, iterations=20)
    plane = fastgd.surface(X, Y, trained, axes=((0, 2, 1), (1, 0, 0)), span=((-1, 1), (0, 4)),
                           resolution=5)  # fmt: skip
    assert facts["errors"] == plane.errors.tolist()
    assert facts["inputs"] == ["a", "b"]
    recorded = fastgd.train(
        X, Y, hidden_size=2, bias=True, alpha=0.5, seed=3, iterations=20, record_every=1,
        record_weights=True,
    )  # fmt: skip
    assert facts["path"] == plane.path(recorded).tolist()
    assert facts["path"][0][0] == 0  # a bias, at first


def test_surface_of_a_saved_network(run, tmp_path, drawn):
    saved, picture = tmp_path / "run.npz", tmp_path / "plane.png"
    fastgd.train(X, Y, hidden_size=(), iterations=60, alpha=2).save(saved)
    code, out, _ = run("surface", "--weights-from", saved, *SMALL, "--plot", picture)
    assert code == 0
    assert "A 2-1 network, alpha 2, seed 1" in out
    assert "(No path: a path needs a run trained with record_weights=True" in out
    assert drawn[0][1]["paths"] is None
    fastgd.train(X, Y, hidden_size=(), iterations=60, record_weights=True).save(saved)
    _, out, _ = run("surface", "--weights-from", saved, *SMALL, "--plot", picture)
    assert "No path" not in out
    assert drawn[1][1]["paths"].recorded_weights is not None


@pytest.mark.parametrize(
    ("flags", "kind", "log", "has_path"),
    some(
        [((), "contour", False, True), (("--3d", "--log-scale", "--no-path"), "3d", True, False)],
        [True, False],
    ),
)
def test_surface_draws(run, tmp_path, drawn, flags, kind, log, has_path):
    picture = tmp_path / "plane.png"
    code, out, err = run("surface", "--iterations", 60, *SMALL, *flags, "--plot", picture)
    assert (code, err) == (0, "")
    assert f"Written to {picture}" in out.replace("\n", "")
    (((plane,), options),) = drawn
    assert plane.errors.shape == (41, 41)
    assert (options["kind"], options["log"]) == (kind, log)
    assert (options["paths"] is not None) == has_path
    assert len(np.unique(plt.imread(picture)[..., :3].reshape(-1, 3), axis=0)) > 100
    assert plt.get_fignums() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--axes", "0,0,0"], "--axes must be given twice, once for each weight, got 1"),
        (["--axes", "0,0", "--axes", "0,1,0"], r"axes\[0\] must be a weight"),
        (["--axes", "0,0,x", "--axes", "0,1,0"], "--axes must be layer,input,output, three whole"),
        (["--axes", "0,5,0", "--axes", "0,1,0"], r"axes\[0\] must be from input 0 to 1 to output"),
        (["--span", "3,3"], r"span must have the smaller number first, got \(3, 3\)"),
        (["--span", "a,b"], "--span must be low,high, two numbers, separated by ',', got 'a,b'"),
        (["--span", "1"], r"span must be \(low, high\), or two of these, got"),
        (["--span", "0,1"] * 3, "--span must be given once, or once for each weight, got 3 times"),
        (["--resolution", "1"], "resolution must be at least 2, got 1"),
        (["--threads", "0"], "threads must be at least 1, got 0"),
        (["--plot", "plane.gif"], "must end in .png, .svg, .pdf, got 'plane.gif'"),
        (["--plot", "nowhere/plane.png"], "there is no folder nowhere"),
        (["--experiment", "x"], "--experiment must be one of two-layer, .*, got 'x'"),
        (["--target", "y"], "--target needs FILE.csv"),
        (["data.csv", "--target", "y"], "data.csv: No such file"),
        (["data.csv", "--target", "y", "--experiment", "alpha"],
         "FILE.csv and --experiment exclude each other"),
        (["--hidden-size", "2,2"], "got '2,2': two layers are 2x2"),
        (["--hidden-size", "x"], "--hidden-size must be the units of a hidden layer"),
        (["--weights-from", "nothing.npz"], "nothing.npz: No such file"),
        (["--weights-from", "a.npz", "--seed", "2"], "trained already: leave out --seed"),
        (
            ["--weights-from", "a.npz", "--hidden-size", "none"],
            "trained already: leave out --hidden-size",
        ),
        (["--optimizer", "x"], "--optimizer must be one of"),
    ],
)  # fmt: skip
def test_surface_refuses(run, monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert_refused(run("surface", *arguments), message)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["surface"], marks=pytest.mark.slow),
        ["race", "--optimizer", "gradient-descent"],
    ],
)
def test_targets_out_of_reach_are_pointed_out(run, tmp_path, words):
    path = tmp_path / "far.csv"
    path.write_text("a,b,y\n0,1,5\n1,0,0\n")
    out = run(*words, path, "--target", "y", "--iterations", 5)[1]
    assert "Note: y has values outside 0 to 1, which a sigmoid never reaches.\n" in out


@pytest.mark.parametrize("command", ["surface", "race"])
def test_a_file_needs_a_target(run, tmp_path, command):
    path = tmp_path / "data.csv"
    path.write_text("a,b,y\n0,1,0\n")
    message = r"--target must name the column to learn; .*data.csv has these: a, b, y$"
    assert_refused(run(command, path), message)


def test_surface_refuses_what_is_no_network_of_the_data(run, tmp_path):
    saved = tmp_path / "saved.npz"
    fastgd.sweep(X, Y, hidden_size=(), alpha=[1, 2], iterations=1).save(saved)
    assert_refused(run("surface", "--weights-from", saved), "must hold one network, got a sweep")
    fastgd.train([[1.0], [0.0]], [0, 1], hidden_size=(), iterations=1).save(saved)
    assert_refused(
        run("surface", "--weights-from", saved),
        r"weights\[0\] must have shape \(2, outputs\), one row for each input of X",
    )
    run_ = fastgd.train(X, Y, hidden_size=(), iterations=1)
    run_.weights[0][1, 0] = np.nan
    run_.save(saved)
    assert_refused(run("surface", "--weights-from", saved), r"weights\[0\] must be finite, got nan")


@pytest.mark.parametrize("command", ["surface", "race"])
def test_a_read_only_folder_is_met_before_the_work(run, tmp_path, monkeypatch, command):
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write anywhere
    for name in ("surface", "race", "train"):
        monkeypatch.setattr(fastgd, name, None)
    picture = tmp_path / "picture.png"
    assert_refused(run(command, "--plot", picture), "can't be written: permission denied")


@pytest.mark.parametrize("command", ["surface", "race"])
def test_without_matplotlib_it_says_what_to_install(run, tmp_path, monkeypatch, command):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.pyplot", None)
    assert_refused(
        run(command, "--plot", tmp_path / "picture.png"),
        r'plots need matplotlib: pip install "fastgd\[plot\]"',
    )


@pytest.mark.parametrize("command", ["surface", "race"])
def test_each_has_an_example(run, command):
    code, out, _ = run(command, "--help")
    assert code == 0
    assert f"Example: fastgd {command}" in out


def test_surface_meets_a_bad_window_before_the_training(run, monkeypatch):
    trained = []
    train = fastgd.train
    monkeypatch.setattr(
        fastgd, "train", lambda *a, **k: trained.append(k["iterations"]) or train(*a, **k)
    )
    assert_refused(run("surface", "--span", "2,1"), "span must have the smaller number first")
    assert trained == [1]


def test_surface_of_a_network_that_a_minimizer_made(run, tmp_path):
    saved = tmp_path / "run.npz"
    fastgd.minimize(X, Y, hidden_size=(), method="BFGS", iterations=3).save(saved)
    _, out, _ = run("surface", "--weights-from", saved, *SMALL)
    assert "A 2-1 network, BFGS, seed 1: mean |y - output|" in out


# race


def test_race_as_json_is_what_race_gives(run):
    code, out, err = run(
        "race", "--optimizer", "adam", "--optimizer", "momentum,momentum=0.5,alpha=2",
        "--experiment", "two-layer", "--iterations", 60, "--seed", 2, "--json",
    )  # fmt: skip
    assert (code, err) == (0, "")
    runs = json.loads(out)["runs"]
    race = fastgd.race(X, Y, [Adam(), (Momentum(0.5), 2)], hidden_size=(), iterations=60, seed=2)
    assert list(runs) == race.ranking()
    for name, facts in runs.items():
        assert facts["errors"] == race.runs[name].errors.tolist()
        assert facts["recorded_weights"] == [w.tolist() for w in race.runs[name].recorded_weights]


def test_race_ranks(run, csv):
    code, out, err = run(
        "race", csv, "--target", "y", "--hidden-size", "none", "--iterations", 60,
        "--optimizer", "adam", "--optimizer", "momentum,momentum=0.5,alpha=2",
    )  # fmt: skip
    assert (code, err) == (0, "")
    race = fastgd.race(X, Y, [Adam(), (Momentum(0.5), 2)], hidden_size=(), iterations=60)
    rows = [line for line in out.splitlines() if re.match(r" *[12] ", line)]
    assert [row.split()[1] for row in rows] == ["momentum", "adam"]
    assert race.ranking() == ["Momentum", "Adam"]
    for row, name in zip(rows, race.ranking(), strict=True):
        assert f"{race.runs[name].final_error:.12g}" in row
    assert "(momentum 0.5)" in rows[0]
    first = race.runs["Adam"].errors[0]
    when = race.reached(first / 10)
    assert f"below {first / 10:.3g} at" in out
    assert rows[0].split()[-2:] == [f"{when['Momentum']:,}", "finished"]
    assert rows[1].split()[-2:] == ["-", "finished"]
    assert when["Adam"] is None
    said = "data.csv: 4 samples, a 2-1 network, seed 1, 60 iterations"
    assert said.replace(" ", "") in re.sub(r"\s", "", out)  # the line breaks where the path lets it


@pytest.mark.slow
def test_race_says_who_diverged(run):
    _, out, _ = run(
        "race", "--experiment", "two-layer", "--iterations", 60, "--output", "identity",
        "--activation", "tanh",
        "--optimizer", "gradient_descent,alpha=1e9", "--optimizer", "gradient-descent,alpha=0.1",
    )  # fmt: skip
    assert re.search(r"2 +gradient_descent +1e\+09 .* diverged", out), out


@pytest.mark.slow
def test_race_says_who_is_left_out(run, monkeypatch):
    monkeypatch.setattr("fastgd.studies.race.ALL", (GradientDescent, LevenbergMarquardt))
    words = ["race", "--experiment", "two-layer", "--iterations", 60, "--loss", "cross_entropy"]
    words += ["--activation", "identity"]
    _, out, _ = run(*words)
    said = "Left out: --loss must be 'squared' with --optimizer levenberg_marquardt"
    assert said in " ".join(out.split())
    left_out = json.loads(run(*words, "--json")[1])["left_out"]
    assert [*left_out] == ["LevenbergMarquardt"]


@pytest.mark.slow
def test_race_draws(run, tmp_path, drawn):
    picture = tmp_path / "race.png"
    code, out, err = run(
        "race", "--experiment", "two-layer", "--iterations", 60, "--optimizer", "adam",
        "--optimizer", "momentum,momentum=0.5,alpha=2", "--span", "-5,5", "--plot", picture,
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert f"Written to {picture}" in out.replace("\n", "")
    (((race, plane), _),) = drawn
    assert list(race.runs) == ["Adam", "Momentum"]
    assert (plane.x[0], plane.y[-1], len(plane.x)) == (-5, 5, 201)
    assert len(np.unique(plt.imread(picture)[..., :3].reshape(-1, 3), axis=0)) > 100
    assert plt.get_fignums() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--optimizer", "x"], "--optimizer must be one of gradient_descent, .*, got 'x'"),
        (["--optimizer", "adam,momentum=0.5"], "--optimizer adam takes beta1=X, "
         "beta2=X, epsilon=X, alpha=X, got 'momentum=0.5'"),
        (["--optimizer", "adam,alpha=x"], "--optimizer adam: alpha must be a number, got 'x'"),
        (["--optimizer", "adam,alpha=-1"], "alpha must be a finite number above 0, got -1"),
        (["--optimizer", "adam"] * 2, "optimizers must differ from one another, got Adam"),
        (["--iterations", "0"], "iterations must be at least 1, got 0"),
        (["--threads", "0"], "threads must be at least 1, got 0"),
        (["--axes", "0,0,0", "--axes", "0,1,0"], "--axes and --span need --plot: they say what"),
        (["--axes", "0,0,0", "--axes", "0,9,0", "--plot", "a.png", "--experiment", "two-layer",
          "--optimizer", "adam"], r"axes\[1\] must be from input 0 to 1 to output 0 of layer 0"),
        (["--plot", "race.jpg"], "must end in .png, .svg, .pdf, got 'race.jpg'"),
    ],
)  # fmt: skip
def test_race_refuses(run, monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert_refused(run("race", *arguments), message)
    assert list(tmp_path.iterdir()) == []
