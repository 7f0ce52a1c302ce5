"""Each study of examples/studies/ runs from the command line, and resumes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

STUDIES = Path(__file__).parents[2] / "examples" / "studies"
NAMES = sorted(path.stem for path in STUDIES.glob("*.py") if path.stem != "study")
VERDICTS = {"agrees", "differs", "can't be compared"}


def study(name, *arguments):
    """What a study prints."""
    return subprocess.run(
        [sys.executable, STUDIES / f"{name}.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"MPLBACKEND": "Agg"},
    ).stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_study_runs_and_resumes(name, tmp_path):
    said = study(name, "--quick", "--out", tmp_path)
    found = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))
    assert found["quick"] is True
    assert said.splitlines()[-1] == "--quick: these numbers mean little"
    assert {row["verdict"] for row in found["rows"]} <= VERDICTS
    assert all(row["reason"] and row["published"] and row["ours"] for row in found["rows"])
    assert found["rows"][0]["what"].split()[0] in said
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("parts/*/*")}
    study(name, "--quick", "--out", tmp_path)
    assert json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8")) == found
    assert written == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("parts/*/*")}
