"""``fastgd sweep --out FOLDER``: interrupted and gone on with, refused, read again."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import fastgd
from fastgd.cli.output_files import finished

XOR = "a,b,c,y\n0,0,1,0\n0,1,1,1\n1,0,1,1\n1,1,1,0\n"


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "xor.csv"
    path.write_text(XOR)
    return path


def typed(table, *more):
    given = ["--target", "y", "--raw", "--alpha", "1,10", "--iterations", "200", *more]
    return ["sweep", str(table), *given]


def test_a_folder_has_the_networks_and_is_read_again(run, table, tmp_path):
    folder = tmp_path / "runs"
    code, text, err = run(*typed(table, "--seeds", "3", "--out", folder))
    assert (code, err) == (0, "")
    assert f"fastgd.open('{folder}') reads it" in text
    X, y = np.loadtxt(table, delimiter=",", skiprows=1)[:, :3], [0, 1, 1, 0]
    sweep = fastgd.sweep(X, y, alpha=[1, 10], seed=range(1, 4), iterations=200)
    opened = fastgd.open(folder)
    assert np.array_equal(opened[0].final_error, sweep.final_error)
    assert np.array_equal(opened[0, 1, 2].weights[0], sweep[1, 2].weights[0])
    code, text, err = run(*typed(table, "--seeds", "3", "--out", folder))
    assert (code, err) == (0, "")
    assert "(1 of 1 chunks from an earlier call)" in text


def test_a_folder_of_another_command_is_refused(run, table, tmp_path):
    folder = tmp_path / "runs.d"
    folder.mkdir()
    assert run(*typed(table, "--out", folder))[0] == 0
    code, text, err = run(*typed(table, "--seeds", "2", "--out", folder))
    assert (code, text) == (2, "")
    assert "hold the same sweep, got one with" in err
    for name, flag in (("runs.npz", "--save"), ("runs.csv", "--csv")):
        code, _, err = run(*typed(table, "--out", name))
        assert code == 2
        assert f"--out must be a folder, got '{name}': {flag} writes a file" in err
    code, _, err = run(*typed(table, "--out", table.parent / "nowhere" / "runs"))
    assert code == 2
    assert "there is no folder" in err


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent as a signal")
def test_ctrl_c_says_how_to_resume(table, tmp_path):
    folder, given = tmp_path / "runs", typed(table, "--seeds", "40000")
    given[given.index("200")] = "6000"
    command = [sys.executable, "-m", "fastgd", *given, "--out", str(folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while finished(folder)[0] < 1:
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        err = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    done, chunks = finished(folder)
    assert 1 <= done < chunks
    assert err == (
        f"fastgd: interrupted: {done} of {chunks} chunks are done and in {folder}; "
        "the same command resumes from there\n"
    )
    assert not list((folder / "claims").glob("*"))
