"""Standard output that is full, closed or ASCII only, and names that would steer a terminal."""

import os
import re
import subprocess
import sys
from io import BytesIO, TextIOWrapper
from itertools import product
from pathlib import Path

import pytest

from cases import XOR_CSV
from command import assert_refused
from fastgd.checks.messages import escaped
from fastgd.cli import main, terminal
from thinning import some

TRAIN = ["train", "xor.csv", "--target", "y", "--iterations", "10"]
TUTORIAL = ["tutorial", "--experiment", "thirteen-lines"]

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")


@pytest.fixture
def process(tmp_path):
    """Call the command in a process of its own; gives back what became of it."""
    (tmp_path / "xor.csv").write_text(XOR_CSV)

    def call(*words, stdout=subprocess.PIPE, **environment):
        kept = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
        return subprocess.run(
            [sys.executable, "-m", "fastgd", *words],
            stdout=stdout, stderr=subprocess.PIPE, cwd=tmp_path, env=kept | environment,
        )  # fmt: skip

    return call


@needs_full
@pytest.mark.parametrize(
    "words",
    [["--version"]]
    + [
        pytest.param(words, marks=pytest.mark.slow)
        for words in (["--help"], ["race", "--help"], TRAIN, [*TRAIN, "--json"], TUTORIAL)
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_full_output_is_said_in_one_line(process, words):
    with open("/dev/full", "w") as full:
        done = process(*words, stdout=full)
    assert done.returncode == 1
    assert done.stderr == (
        b"fastgd: error: standard output can't be written: No space left on device\n"
    )


@pytest.mark.parametrize(
    "words", [pytest.param(["--version"], marks=pytest.mark.slow), TRAIN], ids=" ".join
)
def test_a_closed_output_is_said_in_one_line(words):
    command = ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "fastgd", *words]
    done = subprocess.run(command, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr == b"fastgd: error: standard output can't be written: it is closed\n"


@pytest.mark.slow
@needs_full
def test_a_full_error_output_leaves_the_exit_code_as_it_is():
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "fastgd", "bogus"], stdout=-1, stderr=full)
    assert (done.returncode, done.stdout) == (2, b"")


def test_without_an_error_output_nothing_is_said_elsewhere(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["bogus"]) == 2
    assert capsys.readouterr().out == ""


def test_a_file_that_a_bug_cannot_open_keeps_its_traceback(monkeypatch):
    def broken(*_, **__):
        raise FileNotFoundError(2, "No such file", "lost")

    monkeypatch.setattr("fastgd.article.comparison.run", broken)
    with pytest.raises(FileNotFoundError):
        main(TUTORIAL)


# ASCII


@pytest.mark.parametrize(
    ("environment", "words"),
    some(
        product(
            [
                {"PYTHONIOENCODING": "ascii"},
                {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
            ],
            [["race", "--help"], ["train", "names.csv", "--target", "größe"]],
        ),
        [False, False, False, True],
    ),
)
def test_a_terminal_that_knows_ascii_only(process, tmp_path, words, environment):
    table = XOR_CSV.replace("a,b,bias,y", "länge,b,c,größe")
    (tmp_path / "names.csv").write_text(table, encoding="utf-8")
    done = process(*words, *([] if "--help" in words else ["--iterations", "5"]), **environment)
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode("ascii")
    if "names.csv" in words:
        assert r"3 inputs (l\xe4nge, b, c), target gr\xf6\xdfe" in text


@pytest.mark.parametrize(
    ("text", "expected"), [("1.5 ± 0.1 (R² 0.9)…", "1.5 +- 0.1 (R^2 0.9)..."), ("ö", r"\xf6")]
)
def test_what_ascii_has_for_other_characters(monkeypatch, text, expected):
    stream = TextIOWrapper(BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    terminal.open_streams()
    print(text, end="", flush=True)
    assert stream.buffer.getvalue() == expected.encode()


def test_the_map_on_a_terminal_that_knows_ascii_only(monkeypatch, tmp_path):
    stream = TextIOWrapper(BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    words = ["--resolution", 32, "--iterations", 30, "--width", 4, "--plot", tmp_path / "edge.png"]
    assert main(["trainability", *map(str, words), "--no-progress"]) == 0
    assert re.search(rb"Box-counting dimension .*, R\^2 0\.\d+\)", stream.buffer.getvalue())


# Text of others


EVIL = "\x1b[31mred\x07[bold]:bomb:\u202e"
SHOWN = r"\x1b[31mred\x07[bold]:bomb:\u202e"


@pytest.mark.parametrize("word", ["\x1b", "\x07", "\x9b", "\u202e", "\udcff", "\n"])
def test_escaped(word):
    assert escaped(f"größe{word}") == "größe" + ascii(word)[1:-1]


def test_names_and_paths_do_not_steer_the_terminal(run, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    Path(f"{EVIL}.csv").write_text(f"a,{EVIL}\n0,0\n1,5\n")
    code, out, err = run(
        *("train", f"{EVIL}.csv", "--target", EVIL, "--iterations", 5, "--no-progress"),
        *("--save", f"{EVIL}.npz"),
    )
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == f"{SHOWN}.csv: 2 samples, 1 input (a), target {SHOWN}"
    assert lines[2].startswith(f"Note: {SHOWN} has values outside 0 to 1")
    assert lines[-1].startswith(f"Saved to {SHOWN}.npz")
    code, out, err = run("plot", f"{EVIL}.npz", "--kind", "errors", "--plot", f"{EVIL}.svg")
    assert (code, out, err) == (0, f"Written to {SHOWN}.svg\n", "")


@pytest.mark.parametrize(
    "words",
    [
        ["train", f"{EVIL}.csv", "--target", "y"],
        ["train", "xor.csv", "--target", EVIL],
        ["train", "names.csv", "--target", "y"],
        ["train", "xor.csv", "--target", "y", "--save", f"no{EVIL}/run.npz"],
        ["plot", f"{EVIL}.npz", "--kind", "errors", "--plot", "x.png"],
        [EVIL],
        ["train", "xor.csv", "--target", "y", "--seed", EVIL],
    ],
)
def test_messages_do_not_steer_the_terminal(run, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    Path("xor.csv").write_text(XOR_CSV)
    Path("names.csv").write_text(f"a,{EVIL}\n0,0\n1,5\n")
    result = run(*words)
    assert_refused(result, "red")
    assert result[2][:-1].isprintable()


LABELS = (f"x{EVIL}", "[/x]")
EVIL_CLASSES = "a,b,y\n" + "".join(f"{k % 7},{k % 5},{LABELS[k % 2]}\n" for k in range(60))


@pytest.mark.usefixtures("in_folder")
def test_labels_do_not_steer_the_terminal_and_are_no_markup(run):
    """In the tables of classes and predictions, and in their headings."""
    Path("classes.csv").write_text(EVIL_CLASSES)
    words = ["--target", "y", "--hidden-size", "none", "--folds", 2, "--save", "m.npz"]
    words += ["--no-progress"]
    for result in (
        run("fit", "classes.csv", *words),
        run("predict", "m.npz", "classes.csv"),
        run("sweep", "classes.csv", "--groups", "y", "--target", "a", "--iterations", 5),
        run("predict", "m.npz", "classes.csv", "--json"),
    ):
        assert result[::2] == (0, "")
        assert all(map(str.isprintable, result[1].split("\n")))
        assert r"x\x1b[31mred" in result[1] or r"x\u001b[31mred" in result[1]
        assert "[/x]" in result[1]


@pytest.mark.usefixtures("in_folder")
def test_one_group_and_one_heading_do_not_steer_it(run):
    Path("t.csv").write_text(f"a,{EVIL},y\n1,{EVIL},9\n2,{EVIL},5\n3,{EVIL},7\n")
    words = ["--target", "y", "--groups", EVIL, "--iterations", 5, "--no-progress"]
    code, out, err = run("sweep", "t.csv", *words)
    assert (code, err) == (0, "")
    assert all(map(str.isprintable, out.split("\n")))
    assert f"With hidden size 4, group {SHOWN}, alpha 1" in " ".join(out.split())
    Path("u.csv").write_text(f"a,{EVIL}\n1,9\n2,5\n3,7\n")
    words = ["--target", EVIL, "--prepare", "--save", "m.npz", "--iterations", 5]
    assert run("train", "u.csv", *words)[0] == 0
    code, out, err = run("predict", "m.npz", "u.csv")
    assert (code, err) == (0, "")
    assert all(map(str.isprintable, out.split("\n")))
    assert f"row {SHOWN}" in " ".join(out.split())


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)


@pytest.mark.filterwarnings("default")
@pytest.mark.usefixtures("in_folder")
def test_a_warning_is_a_line_that_does_not_steer_it(run):
    Path("xor.csv").write_text(XOR_CSV)
    words = ["sweep", "xor.csv", "--target", "y", "--iterations", 5, "--out", f"runs{EVIL}"]
    assert run(*words)[0] == 0
    chunk = next(Path(f"runs{EVIL}").rglob("0*.npz"))
    chunk.write_bytes(chunk.read_bytes()[:-1])
    code, _, err = run(*words)
    assert code == 0
    assert re.fullmatch(r"fastgd: warning: chunk 0 in .* was corrupt: computed again\n", err)
    assert SHOWN in err
    assert err[:-1].isprintable()
