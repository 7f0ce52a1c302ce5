"""``fastgd train --checkpoint``: what is interrupted goes on with the same command."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import fastgd
from cases import XOR_CSV, XOR_X, XOR_Y
from command import assert_refused

TARGET = ("--target", "y")


@pytest.fixture
def xor_csv(tmp_path):
    path = tmp_path / "xor.csv"
    path.write_text(XOR_CSV)
    return path


def test_a_finished_one_is_read(run, xor_csv, tmp_path):
    file, save = tmp_path / "run.npz", tmp_path / "saved.npz"
    command = ("train", xor_csv, *TARGET, "--iterations", 300, "--checkpoint", file)
    code, out, _ = run(*command, "--checkpoint-every", 5, "--save", save)
    assert code == 0
    assert "Went on" not in out
    whole = fastgd.train(XOR_X, XOR_Y, iterations=300)
    assert fastgd.load(file).final_error == fastgd.load(save).final_error == whole.final_error
    code, out, _ = run(*command)
    assert code == 0
    assert f"Resumed from {file}, after 300 iterations" in " ".join(out.split())
    code, out, _ = run(*command, "--json")
    assert json.loads(out)["final_error"] == whole.final_error


def test_what_does_not_go_together(run, xor_csv, tmp_path):
    file = tmp_path / "run.npz"
    train = ("train", xor_csv, *TARGET, "--iterations", 5)
    for typed, message in (
        (("--checkpoint-every", 5), "--checkpoint-every needs --checkpoint FILE.npz"),
        (
            ("--checkpoint", file, "--checkpoint-every", 0),
            "--checkpoint-every must be a finite number above 0, got 0.0",
        ),
        (("--checkpoint", file, "--save", file), "--checkpoint and --save must be two files"),
        (("--checkpoint", tmp_path / "run.txt"), "a checkpoint must end in .npz"),
        (("--checkpoint", tmp_path / "no" / "run.npz"), "there is no folder"),
    ):
        assert_refused(run(*train, *typed), message)
    assert run(*train, "--checkpoint", file)[0] == 0
    refused = run(*train, "--checkpoint", file, "--alpha", 3)
    assert_refused(refused, "must be the checkpoint of this training, got one with alpha 1.0 inst")
    file.write_bytes(file.read_bytes()[:300])
    assert_refused(run(*train, "--checkpoint", file), "must be a whole file that fastgd has saved")


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT can't be sent to one process there")
def test_after_ctrl_c_it_says_how_to_go_on(xor_csv, tmp_path):
    file = tmp_path / "run.npz"
    command = [sys.executable, "-m", "fastgd", "train", xor_csv, *TARGET]
    command += ["--iterations", str(10**9), "--checkpoint", file, "--checkpoint-every", "0.1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        deadline = time.monotonic() + 60
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        said = child.stderr.read()
    assert child.returncode == 130
    assert said.count("\n") == 1
    assert said.startswith(f"fastgd: interrupted: {file} has the run so far, after ")
    assert said.endswith(" iterations; the same command resumes from there\n")
    assert np.isfinite(fastgd.load(file).final_error)
