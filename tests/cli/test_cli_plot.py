"""``fastgd plot``, from the CSV file to the picture."""

import os
import sys

import matplotlib as mpl
import numpy as np
import pytest

import fastgd
from cases import XOR_CSV
from command import assert_refused
from fastgd import plots
from fastgd.cli import main
from fastgd.cli.saved_commands import KINDS as BY_KIND
from thinning import some

mpl.use("Agg")

KINDS = {"errors": "errors", "changes": "direction_changes", "alphas": "takeaways"}
KINDS |= {"weights": "weight_paths", "solved": "solved"}


@pytest.fixture(autouse=True)
def closed():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A run, a run with its weights, a sweep and one without several alphas or sizes, on disk."""
    folder = tmp_path_factory.mktemp("saved")
    data = folder / "xor.csv"
    data.write_text(XOR_CSV)
    common = ["--target", "y", "--iterations", "100", "--record-every", "20", "--no-progress"]

    def made(name, *words):
        assert main([words[0], str(data), *common, *words[1:], str(folder / name)]) == 0

    made("run.npz", "train", "--save")
    made("path.npz", "train", "--record-weights", "--save")
    made("sweep.npz", "sweep", "--alpha", "1,10", "--hidden-size", "none,4", "--save")
    made("seeds.npz", "sweep", "--seeds", "3", "--save")
    return folder


DRAWN = [
    ("errors", "run.npz"),
    ("errors", "sweep.npz"),
    ("changes", "run.npz"),
    ("alphas", "sweep.npz"),
    ("weights", "path.npz"),
    ("solved", "sweep.npz"),
]


def test_each_kind_is_drawn_by_its_call():
    assert {kind: draw.__name__ for kind, (draw, _, _) in BY_KIND.items()} == KINDS
    assert {kind for kind, _ in DRAWN} == KINDS.keys()


@pytest.mark.parametrize(
    ("kind", "file"),
    some(DRAWN, [file != "sweep.npz" and kind != "weights" for kind, file in DRAWN]),
)
def test_the_picture_is_that_of_the_call(run, saved, tmp_path, kind, file):
    import matplotlib.pyplot as plt

    out = tmp_path / "picture.png"
    assert run("plot", saved / file, "--kind", kind, "--plot", out) == (
        0,
        f"Written to {out}\n",
        "",
    )
    expected = tmp_path / "expected.png"
    axes = getattr(plots, KINDS[kind])(fastgd.load(saved / file))
    plots.write(np.ravel(axes)[0].figure, expected)
    ours, theirs = plt.imread(out), plt.imread(expected)
    assert np.array_equal(ours, theirs)
    assert (ours[..., :3] < 1).any(axis=-1).mean() > 0.005


@pytest.mark.parametrize(("ending", "start"), [(".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_the_ending_says_what_file_it_is(run, saved, tmp_path, ending, start):
    out = tmp_path / f"picture{ending}"
    assert run("plot", saved / "run.npz", "--kind", "errors", "--plot", out)[0] == 0
    assert out.read_bytes().startswith(start)


def test_the_threshold(run, saved, tmp_path):
    out = tmp_path / "picture.svg"
    words = ["plot", saved / "sweep.npz", "--kind", "solved", "--plot", out, "--threshold", 0.25]
    assert run(*words)[0] == 0
    assert "below 0.25" in out.read_text()


@pytest.mark.parametrize(
    ("file", "words", "message"),
    [
        ("run.npz", ["bogus", "x.png"], "--kind must be 'errors', .* or 'solved', got 'bogus'$"),
        ("run.npz", ["errors", "x.jpg"], r"must end in .png, .svg, .pdf, got 'x.jpg'$"),
        ("run.npz", ["errors", "no/x.png"], r"no/x.png can't be written: there is no folder no$"),
        ("no.npz", ["errors", "x.png"], r"no.npz: No such file or directory$"),
        ("xor.csv", ["errors", "x.png"], r"xor.csv must be a whole file that fastgd has saved$"),
        ("sweep.npz", ["changes", "x.png"], r"changes needs one run \(.*\), but .* of 4 runs$"),
        ("sweep.npz", ["weights", "x.png"], r"weights needs one run \(.* --record-weights --save"),
        (
            "run.npz",
            ["weights", "x.png"],
            r"but .* holds one run without recorded weights$",
        ),
        ("run.npz", ["alphas", "x.png"], r"--kind alphas needs a sweep \(.*\), but .* one run$"),
        ("run.npz", ["solved", "x.png"], r"--kind solved needs a sweep \(.*\), but .* one run$"),
        ("seeds.npz", ["alphas", "x.png"], r"needs a sweep over several alphas, got 1.0$"),
        ("seeds.npz", ["solved", "x.png"], r"over several hidden sizes, got one hidden size$"),
        ("sweep.npz", ["solved", "x.png", "--threshold", "0"], r"threshold must be .* got 0.0$"),
        ("run.npz", ["errors", "x.png", "--threshold", "1"], r"--threshold is for --kind solved"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(run, saved, monkeypatch, file, words, message):
    monkeypatch.chdir(saved)
    kind, out, *rest = words
    assert_refused(run("plot", saved / file, "--kind", kind, "--plot", out, *rest), message)
    assert not list(saved.glob("*x.png"))


def test_a_folder_that_is_read_only_is_refused(run, saved, tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda _, mode: mode != os.W_OK)  # root may write anywhere
    result = run("plot", saved / "run.npz", "--kind", "errors", "--plot", tmp_path / "x.png")
    assert_refused(result, r"x.png can't be written: permission denied$")


def test_without_matplotlib_it_says_what_to_install(run, saved, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    result = run("plot", saved / "run.npz", "--kind", "errors", "--plot", tmp_path / "x.png")
    assert_refused(result, r'plots need matplotlib: pip install "fastgd\[plot\]"$')


def test_it_has_an_example(run):
    code, out, _ = run("plot", "--help")
    assert code == 0
    assert "Example: fastgd plot" in out


def test_train_saves_the_weights_it_recorded(saved):
    path = fastgd.load(saved / "path.npz")
    assert [layer.shape for layer in path.recorded_weights] == [(5, 3, 4), (5, 4, 1)]
    assert fastgd.load(saved / "run.npz").recorded_weights is None
    assert (path.errors == fastgd.load(saved / "run.npz").errors).all()


@pytest.mark.parametrize("flag", ["--record-weights", "--record-predictions"])
def test_what_is_recorded_must_go_somewhere(run, saved, flag):
    result = run("train", saved / "xor.csv", "--target", "y", flag)
    assert_refused(result, f"{flag} needs --save FILE.npz or --json to keep them$")
