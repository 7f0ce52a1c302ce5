"""What is refused, in the words that were typed: options given twice, messages of the library."""

from pathlib import Path

import pytest
import typer.main

from cases import XOR_CSV
from command import assert_refused
from fastgd.checks.numbers import check_memory
from fastgd.cli import dask_workers
from fastgd.cli.app import app
from fastgd.cli.refusals import in_typed_words
from fastgd.cli.terminal import complain

COMMANDS = typer.main.get_command(app).commands
ONCE = [
    (name, option)
    for name, command in COMMANDS.items()
    for option in command.params
    if option.param_type_name == "option" and not option.multiple and not option.is_eager
]


@pytest.fixture(autouse=True)
def at_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("xor.csv").write_text(XOR_CSV)


BY_OPTION = {option.opts[0]: (name, option) for name, option in ONCE}
BY_COMMAND = {name: (name, option) for name, option in ONCE}
THIRD = [*BY_OPTION.values()][::3]
SOME = [one for one in ONCE if one in THIRD or one in BY_COMMAND.values()]
"""Every third option of one command, and each command with an option."""


@pytest.mark.parametrize("asked", [SOME, pytest.param(ONCE, marks=pytest.mark.slow)], ids=len)
def test_an_option_is_given_once(run, asked):
    """Whatever its value: the last one would else be taken, without a word."""
    assert len(ONCE) > 200
    assert len(asked) > 40
    for name, option in asked:
        words = [option.opts[0]] if option.is_flag else [option.opts[0], "1"]
        assert_refused(run(name, *words, *words), rf"{option.opts[0]} must be given once, got it 2")
        if option.secondary_opts:
            both = f"{option.opts[0]} and {option.secondary_opts[0]} exclude each other$"
            assert_refused(run(name, option.secondary_opts[0], option.opts[0]), both)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fit", "xor.csv", "--target", "y", "--target", "a"], "--target must be given once, got"),
        (["train", "xor.csv", "--raw", "--prepare"], "--raw and --prepare exclude each other$"),
        (["train", "xor.csv", "--bias", "--no-bias"], "--bias and --no-bias exclude each other$"),
        (["train", "xor.csv", "--seed=1", "--seed", "2"], "--seed must be given once, got it 2 ti"),
    ],
)
def test_options_that_are_given_twice(run, words, message):
    assert_refused(run(*words), message)


def test_what_may_be_repeated_still_may(run):
    words = ["--target", "y", "--target", "a", "--iterations", 1, "--json"]
    assert run("train", "xor.csv", *words)[0] == 0
    words = ["--target", "y", "--bias", "--no-bias", "--iterations", 1, "--json"]
    assert run("sweep", "xor.csv", *words)[0] == 0


FLAGS = {"--alpha", "--batch-norm", "--batch-size", "--every", "--hidden-size", "--loss",
         "--optimizer", "--resume", "--schedule", "--target", "--window"}  # fmt: skip


@pytest.mark.parametrize(
    ("message", "typed"),
    [
        ("alpha must be above 0, got -1", "--alpha must be above 0, got -1"),
        ("window[0] must be finite, got nan", "--window[0] must be finite, got nan"),
        ("window's left must be below its right", "--window's left must be below its right"),
        ("target 'every' must repeat", "--target 'every' must repeat"),
        ("hidden_size must be at least 1", "--hidden-size must be at least 1"),
        (
            "every batch must have at least 2 samples with batch_norm=True (batch_size=3 of 7)",
            "every batch must have at least 2 samples with --batch-norm (--batch-size 3 of 7)",
        ),
        (
            "schedule must be Constant() with optimizer=Rprop(), got Step(step_size=3, factor=0.1)",
            "--schedule must be constant with --optimizer rprop, got Step(step_size=3, factor=0.1)",
        ),
        ("loss must be one, got Adam(alpha=0.1)", "--loss must be one, got Adam(alpha=0.1)"),
        ("alpha must be none with resume, got 1", "--alpha must be none with --resume, got 1"),
        ("loss must be 'x' unless batch_norm=False", "--loss must be 'x' unless --no-batch-norm"),
        # Words of the user's, of English, and arguments for which there is no option.
        ("loss must be one, got 'with alpha=1'", "--loss must be one, got 'with alpha=1'"),
        ("x.csv has no column 'z'; its columns: alpha, batch_size, hidden_size", None),
        ("x.csv has no column 'z'; its columns: alpha=1, loss=2", None),
        ("with resume.csv has no column 'z'", None),
        ("tolerance must be at least 0 with shuffle=True", None),
        ("alpha is lower than every other one", None),
    ],
)  # fmt: skip
def test_arguments_are_said_as_they_are_typed(message, typed):
    assert in_typed_words(message, FLAGS) == (typed or message)


def test_names_of_columns_are_no_options(run):
    Path("named.csv").write_text("every,batch_size,alpha\n1,2,3\n2,3,4\n")
    result = run("train", "named.csv", "--target", "z")
    assert_refused(result, "got 'z'; its columns: every, batch_size, alpha$")


def test_a_way_out_is_one_that_the_command_has(run, monkeypatch):
    monkeypatch.setattr("fastgd.checks.numbers.available_memory", lambda: 10**8)
    rows = "\n".join(f"{k % 7},{k % 11},c{k % 700}" for k in range(4500))
    Path("classes.csv").write_text(f"a,b,y\n{rows}\n")
    result = run("fit", "classes.csv", "--target", "y", "--max-classes", 700)
    assert_refused(result, "the search must .*: fewer classes, rows or hidden sizes need less$")

    def as_if_large(_, *rest, **more):
        check_memory(10**9, *rest, **more)

    monkeypatch.setattr("fastgd.studies.race.check_memory", as_if_large)
    result = run("race", "--iterations", 1)
    assert_refused(result, r"the race must .* \(100 MB\), got a need of 1 GB$")


@pytest.mark.parametrize("window", ["2,1", "1,1", "nan,1", "1,inf", "1", "1,2,3", "1,x", ""])
def test_a_window_of_the_bucket_is_one_also_without_a_picture(run, window):
    rule = "--window must be two finite numbers separated by ',', the smaller one first, got "
    result = run("bucket", "x**2", "--start", 1, f"--window={window}")
    assert result == (2, "", f"fastgd: error: {rule}{window!r}\n")


def test_processes_of_dask_have_a_bound(run, monkeypatch):
    monkeypatch.setattr(dask_workers, "available_threads", lambda: 3)
    words = ["sweep", "xor.csv", "--target", "y", "--dask"]
    rule = "--dask must start at most 12 processes here, 4 for each of 3 processors, got "
    for where in ("local:13", "local:99999", "local:1000000000"):
        assert run(*words, where) == (2, "", f"fastgd: error: {rule}{where}\n")


LONG = "-" * 5000


@pytest.mark.parametrize(
    "words",
    [
        ["bucket", LONG],
        ["bucket", "--start", 1, "--", LONG],
        ["bucket", "x", "y", f"z + {LONG} - " * 3],
        ["bucket", "x", "--start", 1, "--plot", LONG],
        [LONG],
        [f"x {LONG} " * 3],
        ["train", f"x{LONG}"],
        ["train", "xor.csv", "--save", f"{LONG}.npz"],
        ["train", "xor.csv", "--target", f"x{LONG}"],
        ["race", "--optimizer", LONG],
        ["tutorial", "--experiment", LONG],
    ],
    ids=lambda words: " ".join(str(word)[:12] for word in words),
)
def test_what_is_long_is_shortened(run, words):
    result = run(*words)
    assert_refused(result, r"\.\.\.")
    assert len(result[2]) < 400


def test_what_has_quotes_is_not_shortened(capsys):
    message = "can't do 'a', known are " + "sin(), " * 40 + "did you mean 'b'?"
    complain(message)
    assert capsys.readouterr().err == f"fastgd: {message}\n"
