"""50 processes that fill a folder are killed: no finished chunk is lost, and no bit differs."""

import os
import subprocess
import sys
from pathlib import Path

import killed
import pytest

from fastgd.training import training_job as sweep_job

KILLS = 50


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked, and killed by a signal")
def test_fifty_kills_leave_no_trace(tmp_path, monkeypatch):
    places = [str(Path(killed.__file__).parent), str(Path(killed.__file__).parents[1])]
    command = [sys.executable, killed.__file__, str(tmp_path / "killed"), "5", str(KILLS)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*places, *sys.path])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    counts = [int(line) for line in done.stdout.split()]
    assert len(counts) == KILLS
    assert counts == sorted(counts), "a chunk that was done is gone"
    assert counts[-1] > counts[0], "nothing was ever done: the kills came too early"

    monkeypatch.setattr(sweep_job, "runs_per_chunk", killed.of_eight)
    again, whole = (killed.sweep(tmp_path / name) for name in ("killed", "whole"))
    assert again.digest() == whole.digest()
    assert files_of(tmp_path / "killed") == files_of(tmp_path / "whole")


def files_of(folder):
    """All files below a folder, by their names there."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
