import json
import os
import platform
import re
import signal
import subprocess
import sys
from importlib.metadata import version

import llvmlite.binding
import numba
import numpy as np
import pytest

import fastgd
from cases import XOR_CSV
from command import assert_refused
from fastgd.article import comparison
from fastgd.article.experiments import EXPERIMENTS, published
from fastgd.cli import main
from fastgd.engine import versions
from fastgd.engine.devices import place


@pytest.fixture(autouse=True)
def narrow_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def xor_csv(tmp_path):
    path = tmp_path / "xor.csv"
    path.write_text(XOR_CSV)
    return path


# The command itself


def test_version(run):
    assert run("--version") == (0, f"fastgd {fastgd.__version__}\n", "")


def test_after_the_version_nothing_is_done(run):
    assert run("--version", "devices") == run("-V", "train") == run("-V")


def test_versions_for_a_report(run, capsys):
    code, out, err = run("--version", "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert found["fastgd"] == fastgd.__version__
    assert found["Python"].startswith(platform.python_version())
    modules = {"NumPy": np, "Numba": numba, "llvmlite": llvmlite}
    assert {name: found[name] for name in modules} == {
        name: module.__version__ for name, module in modules.items()
    }
    assert found["LLVM"].split(".")[0] == str(llvmlite.binding.llvm_version_info[0])
    cpu, *gpus = fastgd.devices()
    assert found["processor"].startswith(cpu.model)
    assert found["vectors"] == f"{64 * cpu.lanes} bits, {cpu.lanes} float64"
    assert found["threads"] == cpu.threads
    assert found["cache folder"] == str(place())
    assert found["extras"]["pandas"] == version("pandas")
    assert "numba" not in found["extras"]
    assert found["devices"] == {one.name: one.model for one in gpus}
    fastgd.show_versions()
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["LLVM"] == found["LLVM"]
    assert f"pandas {version('pandas')}" in lines["extras"]


def test_versions_without_a_cache_and_of_damaged_installations(monkeypatch, capsys):
    monkeypatch.setattr(versions, "place", lambda: None)
    monkeypatch.setattr(versions, "version", lambda _: None)  # a folder left by an uninstallation
    fastgd.show_versions()
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["NumPy"] == lines["extras"] == "none"
    assert lines["cache"] == "folder  none"


def test_json_needs_something_to_print(run):
    assert_refused(run("--json"), "--json needs --version, or a command in front of it")
    assert_refused(run("--json", "devices"), "--json needs --version, or a command in front of it")


def test_alone_it_shows_its_help(run):
    code, out, _ = run()
    assert code == 0
    assert all(name in out for name in ("tutorial", "train", "sweep", "trainability"))


@pytest.mark.parametrize(
    "command", ["tutorial", "fit", "predict", "train", "sweep", "trainability"]
)
def test_each_command_has_an_example(run, command):
    code, out, _ = run(command, "--help")
    assert code == 0
    assert f"Example: fastgd {command}" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bogus"], "No such command 'bogus'"),
        (["--bogus"], "No such option"),
        (["tutorial", "--experiment", "x"], "must be one of two-layer, .*, got 'x'"),
        (["train"], "Missing argument"),
    ],
)
def test_unknown_words_are_refused(run, arguments, message):
    assert_refused(run(*arguments), message)


@pytest.mark.parametrize(
    ("command", "typed", "end"),
    [
        ("train", "--learning-rate", ": fastgd calls it --alpha"),
        ("bucket", "--lr", ": fastgd calls it --alpha"),
        ("train", "--epochs", ": fastgd counts --iterations, each of them an update"),
        ("sweep", "--max-iter", ": fastgd calls it --iterations"),
        ("surface", "--random-state", ": fastgd calls it --seed"),
        ("sweep", "--random-state", ": fastgd calls it --seed"),
        ("sweep", "--n-jobs", ": fastgd calls it --threads"),
        ("train", "--n-jobs", ": fastgd calls it --threads"),
        ("train", "--look-every", ": fastgd calls it --evaluate-every"),
        ("train", "--held-out", ": fastgd calls it --validation-fraction"),
        ("fit", "--hold-out", ": fastgd calls it --test-fraction"),
        ("train", "--hold-out", ": fastgd calls it --validation-fraction"),
        ("fit", "--most-categories", ": fastgd calls it --max-categories"),
        ("train", "--categories", ": fastgd calls it --max-categories"),
        ("fit", "--classes", ": fastgd calls it --classification"),
        ("sweep", "--cases", ""),
        ("bucket", "--n-jobs", ""),
        ("race", "--learning-rate", ""),
    ],
)
def test_options_of_other_libraries_are_answered_with_ours(run, command, typed, end):
    """And with nothing that only looks alike: --learning-rate is no --sampling-rate."""
    assert_refused(run(command, typed, "1"), f"No such option: {typed}{end}$")


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_it_says_what_to_install(run, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    message = rf'needs {missing}: pip install "fastgd\[cli\]"$'
    assert_refused(run("tutorial", "--help"), message)
    assert run("-V") == run("--version") == (0, f"fastgd {fastgd.__version__}\n", "")
    code, out, err = run("--version", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["fastgd"] == fastgd.__version__
    for typed in ([], ["-h"], ["--help"], ["-V", "-h"]):
        code, out, _ = run(*typed)
        assert code == 0
        assert out.startswith("Usage: fastgd")
        assert f"All commands, and their list, need {missing}: " in out
        assert out.endswith('pip install "fastgd[cli]"\n')
    monkeypatch.setenv("_FASTGD_COMPLETE", "complete_bash")
    assert_refused(run(), message)


def test_without_tqdm_progress_says_what_to_install(run, monkeypatch, xor_csv):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    result = run("train", xor_csv, "--target", "y", "--progress")
    assert_refused(result, "needs tqdm: pip install tqdm$")


def test_ctrl_c(run, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(comparison, "run", interrupted)
    assert run("tutorial", "--json") == (130, "", "fastgd: interrupted\n")


def test_a_bug_keeps_its_traceback(monkeypatch):
    def broken(*_, **__):
        raise ValueError("a bug")

    monkeypatch.setattr(comparison, "run", broken)
    with pytest.raises(ValueError, match="a bug"):
        main(["tutorial", "--json"])


@pytest.mark.slow
def test_module_and_ctrl_c_in_a_real_process(xor_csv):
    command = [sys.executable, "-m", "fastgd"]
    shown = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout == f"fastgd {fastgd.__version__}\n"
    arguments = ["train", str(xor_csv), "--target", "y", "--iterations", "100000000000"]
    with subprocess.Popen(
        [*command, *arguments, "--progress"], stdout=-1, stderr=-1, text=True
    ) as process:
        for _ in range(2):  # the bar has moved: it is whole, and the kernel is at work
            while process.stderr.read(1) != "%":
                pass
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert out == ""
    assert err.endswith("fastgd: interrupted\n")
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_reader_that_leaves_early(xor_csv):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stdout:
        process = subprocess.run(
            [sys.executable, "-m", "fastgd", "train", xor_csv, "--target", "y", "--json"],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            env={k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"},
        )
    assert process.returncode == 1
    assert process.stderr == ""


# fastgd tutorial


@pytest.fixture(scope="module")
def results():
    """Of the article's experiments, by name."""
    return {}


@pytest.fixture
def once(monkeypatch, results):
    """An experiment that ran for a test is not run again for another."""
    experiment_run = comparison.run

    def known(experiment, **given):
        if experiment.iterations == 2:  # only to compile
            return experiment_run(experiment, **given)
        if experiment.name not in results:
            results[experiment.name] = experiment_run(experiment, **given)
        return results[experiment.name]

    monkeypatch.setattr(comparison, "run", known)


@pytest.mark.usefixtures("once")
def test_tutorial(run):
    code, out, err = run("tutorial")
    assert code == 0
    assert err == ""
    assert max(map(len, out.splitlines())) <= 80
    assert "…" not in out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0].startswith("Running the article's experiments")
    assert "50,000 0.00131274062834 0.00131274062834 14 agrees" in lines
    (chaotic,) = [line for line in lines if line.startswith("50,000 0.000942641990774 ")]
    assert chaotic.endswith(" 1 within the spread")
    assert "input 3 19 26 9 17 19 26 9 17 the same agrees" in lines
    assert "1 0 1 0.99494905 all right" in lines
    assert "errors 74 10 0" in lines
    assert "tables of direction changes 14 0 0" in lines
    assert "so these counts are no evidence" in " ".join(lines)
    assert re.match(r"4 experiments in [\d.]+ m?s, after .* load or compile", lines[-1])


@pytest.mark.usefixtures("once")
def test_tutorial_runs_the_experiments_it_is_asked_for(run):
    _, out, _ = run("tutorial", "--experiment", "two-layer", "--experiment", "thirteen-lines")
    assert "Output After Training" in out
    assert "The 13 lines" in out
    assert "Tuning alpha" not in out
    assert "2 experiments in" in out


@pytest.mark.slow
def test_tutorial_shows_a_number_that_differs(run, monkeypatch):
    experiment = EXPERIMENTS[2]
    right = published(experiment)
    wrong = {**right, 1.0: right[1.0]._replace(errors=[0.4] * 6)}
    monkeypatch.setattr(comparison, "published", lambda asked: wrong if asked.published else {})
    _, out, _ = run("tutorial", "--experiment", "alpha")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "50,000 0.4 0.00351012256786 14 differs" in lines
    assert "errors 31 5 6" in lines


@pytest.mark.usefixtures("once")
def test_tutorial_as_json(run):
    code, out, err = run("tutorial", "--experiment", "alpha", "--json")
    assert (code, err) == (0, "")
    facts = json.loads(out)
    assert facts["tally"]["direction_tables"]["agrees"] == 14
    (experiment,) = facts["experiments"]
    setting = experiment["settings"][4]
    assert setting["alpha"] == 10
    assert setting["errors"]["published"][-1] == 0.00131274062834
    assert setting["errors"]["marks"] == ["agrees"] * 6
    assert setting["direction_changes"][0]["computed"][0] == [7, 19, 2, 6]


# fastgd train


def test_train(run, xor_csv):
    code, out, err = run("train", xor_csv, "--target", "y", "--alpha", "10")
    assert (code, err) == (0, "")
    assert "4 samples, 3 inputs (a, b, bias), target y" in " ".join(out.split())
    assert "A 3-4-1 network, alpha 10, seed 1" in out
    assert re.search(r"^ *50,000 +0.00131274062834 ", out, re.MULTILINE)
    assert "Direction changes of the derivatives, by layer: 136, 56" in out


def test_train_as_json_is_what_train_gives(run, xor_csv, xor):
    settings = ["--hidden-size", "8x3", "--alpha", "1/0.5/2", "--iterations", "500", "--seed", "7"]
    code, out, err = run(
        *("train", xor_csv, "--target", "y", *settings, "--record-every", 100, "--json"),
        "--record-predictions",
    )
    assert (code, err) == (0, "")
    facts = json.loads(out)
    alone = fastgd.train(
        *xor, hidden_size=(8, 3), alpha=(1, 0.5, 2), iterations=500, seed=7, record_every=100,
        record_predictions=True,
    )  # fmt: skip
    assert facts["recorded_predictions"] == alone.recorded_predictions.tolist()
    assert facts["inputs"] == ["a", "b", "bias"]
    assert facts["hidden_size"] == [8, 3]
    assert facts["errors"] == alone.errors.tolist()
    assert facts["recorded"] == [0, 100, 200, 300, 400]
    assert facts["final_error"] == alone.final_error
    assert facts["weights"] == [layer.tolist() for layer in alone.weights]
    assert facts["direction_changes"] == [layer.tolist() for layer in alone.direction_changes]


def test_train_without_hidden_layer_on_two_targets(run, xor_csv):
    arguments = [
        "--target",
        "y",
        "--target",
        "a",
        "--hidden-size",
        "none",
        "--iterations",
        "10",
        "--json",
    ]
    facts = json.loads(run("train", xor_csv, *arguments)[1])
    assert facts["targets"] == ["y", "a"]
    assert facts["inputs"] == ["b", "bias"]
    assert np.shape(facts["weights"]) == (1, 2, 2)


def test_train_saves(run, xor_csv, tmp_path):
    path = tmp_path / "run.npz"
    _, out, _ = run("train", xor_csv, "--target", "y", "--iterations", "100", "--save", path)
    assert "Saved to" in out
    assert fastgd.load(path).iterations == 100


def test_train_shows_twenty_records_at_most(run, xor_csv):
    arguments = ["--target", "y", "--iterations", "1000", "--record-every", "1"]
    out = run("train", xor_csv, *arguments)[1]
    rows = re.findall(r"^ *[\d,]+ +0\.\d+ +0\.\d+ *$", out, re.MULTILINE)
    assert len(rows) == 20
    assert rows[0].split()[0] == "0"
    assert rows[-1].split()[0] == "1,000"


def test_a_diverged_run_is_called_so_and_is_json(run, tmp_path):
    path = tmp_path / "huge.csv"
    path.write_text("x,y\n1,1e300\n2,0\n")
    arguments = ["train", path, "--target", "y", "--alpha", "1e10", "--iterations", "50"]
    _, out, _ = run(*arguments)
    assert "Diverged after 1 iteration: a number overflowed\n" in out
    assert re.search(r"^ *1 +nan +nan *$", out, re.MULTILINE)
    code, out, _ = run(*arguments, "--json")
    facts = json.loads(out, parse_constant=pytest.fail)  # Infinity and NaN are no JSON
    assert code == 0
    assert facts["status"] == "diverged"
    assert None in np.ravel(facts["weights"][0])


def test_targets_that_a_sigmoid_cannot_reach_are_pointed_out(run, tmp_path):
    path = tmp_path / "far.csv"
    path.write_text("x,y\n1,5\n2,0\n")
    _, out, _ = run("train", path, "--target", "y", "--iterations", "10")
    assert "y has values outside 0 to 1" in out


def test_progress_goes_to_stderr(run, xor_csv):
    _, out, err = run("train", xor_csv, "--target", "y", "--progress", "--json")
    json.loads(out)
    assert "100%" in err
    assert run("train", xor_csv, "--target", "y", "--no-progress", "--json")[2] == ""


# fastgd sweep


def test_sweep(run, xor_csv):
    arguments = ["--hidden-size", "4,8x2,none", "--alpha", "1,10", "--seeds", "3"]
    code, out, err = run("sweep", xor_csv, "--target", "y", *arguments, "--iterations", "2000")
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    assert "18 runs: 3 hidden sizes x 2 alphas x 3 seeds" in out
    assert len(re.findall("finished", out)) == 10
    for name in ("4", "8x2", "none"):
        assert len(re.findall(rf"^{name} +(?:1|10)  .* 0 *$", out, re.MULTILINE)) == 2


def test_seeds_are_counted_or_named(run, xor_csv):
    words = ["sweep", xor_csv, "--target", "y", "--iterations", 2, "--json"]
    assert json.loads(run(*words, "--seeds", 2)[1])["axes"]["seed"] == [1, 2]
    assert json.loads(run(*words, "--seed", "5,3")[1])["axes"]["seed"] == [5, 3]
    assert_refused(run(*words, "--seed", "5", "--seeds", "2"), "--seeds and --seed exclude each")
    assert_refused(run(*words, "--seed", "x"), "--seed must be numbers separated by ',', got 'x'")


def test_sweep_as_json_and_saved(run, xor_csv, xor, tmp_path):
    path = tmp_path / "sweep.npz"
    arguments = ["--alpha", "0.1,10", "--seeds", "4", "--iterations", "1000", "--threads", "1"]
    code, out, err = run("sweep", xor_csv, "--target", "y", *arguments, "--save", path, "--json")
    assert (code, err) == (0, "")
    facts = json.loads(out)
    expected = fastgd.sweep(
        *xor, hidden_size=[4], alpha=[0.1, 10], seed=range(1, 5), iterations=1000
    )
    assert facts["shape"] == [1, 2, 4]
    assert facts["axes"] == {"hidden_size": [[4]], "alpha": [0.1, 10], "seed": [1, 2, 3, 4]}
    assert facts["final_error"] == expected.final_error.tolist()
    assert facts["best"][0]["final_error"] == expected.final_error.min()
    assert facts["best"][0]["seed"] == expected.best().seed
    assert facts["groups"][1]["alpha"] == 10
    assert facts["groups"][1]["mean"] == pytest.approx(expected.final_error[0, 1].mean())
    assert facts["groups"][1]["median"] == pytest.approx(np.median(expected.final_error[0, 1]))
    saved = fastgd.load(path)
    np.testing.assert_array_equal(saved.final_error, expected.final_error)
    np.testing.assert_array_equal(saved[0, 1, 2].weights[0], expected[0, 1, 2].weights[0])


def test_progress_counts_the_updates_of_all_runs(run, xor_csv):
    arguments = ["--target", "y", "--seeds", "40", "--iterations", "1000", "--progress"]
    err = run("sweep", xor_csv, *arguments)[2]
    assert "40.0k/40.0k" in err
    # Those that a run is spared count as done.
    assert "40.0k/40.0k" in run("sweep", xor_csv, *arguments, "--tolerance", "0.49")[2]


def test_a_need_of_memory_is_that_of_the_whole_sweep(run, xor_csv, monkeypatch):
    monkeypatch.setattr("fastgd.checks.numbers.available_memory", lambda: 10**8)
    needs = []
    for every in ("1", "60000"):  # more is recorded, more is needed
        arguments = ["--target", "y", "--seeds", "100000", "--iterations", "6000000"]
        arguments += ["--record-every", every]
        result = run("sweep", xor_csv, *arguments)
        assert_refused(result, r"the sweep must fit into the available memory \(100 MB\)")
        needs += re.findall(r"got a need of [\d.,]+ (\w+)", result[2])
    assert needs == ["TB", "MB"]


def test_what_needs_less_memory_is_said_in_the_words_of_the_command(run, xor_csv, monkeypatch):
    monkeypatch.setattr("fastgd.checks.numbers.available_memory", lambda: 10**8)
    arguments = ["--target", "y", "--seeds", "500000"]
    result = run("sweep", xor_csv, *arguments, "--save", "x.npz")
    more = r"fewer records \(--record-every\) or values on its axes need less$"
    ways = rf"got a need of \d+ MB: a sweep without --save and --out needs \d+ MB; {more}"
    assert_refused(result, ways)
    need, less = map(int, re.findall(r"(\d+) MB", result[2])[-2:])
    assert less < need
    assert_refused(run("sweep", xor_csv, *arguments), rf"got a need of {less} MB: {more}")


# Bad options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--target", "z"],
            "--target must be a column of the table, got 'z'; its columns: a, b, bias, y",
        ),
        (["--target", "y", "--target", "y"], "--target must name each column once, got 'y' twice"),
        ([], "--target must name the column to learn; .*xor.csv has these: a, b, bias, y$"),
        (["--target", "y", "--alpha", "-1"], "--alpha must be a finite number above 0, got -1.0"),
        (["--target", "y", "--alpha", "fast"], "--alpha must be a number, .* got 'fast'"),
        (["--target", "y", "--alpha", "1,2,3"], "--alpha must"),
        (["--target", "y", "--hidden-size", "4.5"], "--hidden-size must be the units of a hidden"),
        (["--target", "y", "--hidden-size", "0"], "must be at least 1, got 0"),
        (["--target", "y", "--hidden-size", "8,8"], "got '8,8': two layers are 8x8$"),
        (["--target", "y", "--iterations", "0"], "--iterations must be at least 1, got 0"),
        (
            ["--target", "y", "--iterations", "many"],
            "--iterations must be a whole number, got 'many'$",
        ),
        (["--target", "y", "--record-every", "0"], "--record-every must be at least 1"),
        (["--target", "y", "--seed", "-1"], "--seed must be at least 0"),
        (["--target", "y", "--save", "."], "is a folder"),
        (["--target", "y", "--save", "no/such/run.npz"], "there is no folder no/such"),
    ],
)
def test_bad_train_options(run, xor_csv, options, message):
    assert_refused(run("train", xor_csv, *options), message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seeds", "0"], r"--seeds must be a whole number of at least 1 \(the seeds .* got 0$"),
        (["--seeds", "1,2,3"], r"--seeds must be a whole number of at least 1 .* got '1,2,3'$"),
        (["--seeds", "1000000000000"], "must fit"),
        (["--alpha", "1,,2"], "--alpha must be a number"),
        (
            ["--hidden-size", "8,8"],
            "an axis of .* twice: the layers of one network are typed as 8x4$",
        ),
        (["--hidden-size", "4,x"], "--hidden-size must be the units of a hidden layer"),
        (["--threads", "0"], "--threads must be at least 1"),
        (["--save", "no/such/sweep.npz"], "there is no folder no/such"),
    ],
)
def test_bad_sweep_options(run, xor_csv, options, message):
    assert_refused(run("sweep", xor_csv, "--target", "y", *options), message)


# Bad files


def test_a_bad_file_is_refused(run, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("a,y\n1,0\n\n1,red\n")
    for command in "train", "sweep":
        result = run(command, path, "--target", "y", "--raw")
        assert_refused(result, "bad.csv, line 4, column 'y': 'red' is not a number; --output soft")


def test_a_missing_file_and_a_folder(run, tmp_path):
    missing = tmp_path / "none.csv"
    assert_refused(run("train", missing, "--target", "y"), "none.csv: No such file")
    assert_refused(run("sweep", tmp_path, "--target", "y"), f"{tmp_path}: Is a directory")


@pytest.mark.slow
def test_no_color(run, monkeypatch):
    arguments = ("tutorial", "--experiment", "alpha")
    green = "\x1b[32m"
    assert green not in run(*arguments)[1]
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    assert green in run(*arguments)[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert green not in run(*arguments)[1]
