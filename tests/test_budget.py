"""What the default tests may cost: budget.py."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import budget

HERE = Path(__file__).parent


def test_each_folder_has_its_share():
    folders = {path.parent for path in HERE.rglob("test_*.py")} - {HERE}
    assert set(budget.SHARES) == {f.relative_to(HERE).parts[0] for f in folders} | {"rest"}


def test_the_room_of_a_test():
    assert budget.room_of("tests/training/test_x.py::test_y[a/b]") == "training"
    assert budget.room_of("tests/studies/bucket/test_x.py::test_y") == "studies"
    assert budget.room_of("tests/test_modules.py::test_y") == "rest"


def test_what_takes_too_long(monkeypatch):
    monkeypatch.setattr(budget, "SHARES", {"a": 60, "b": 40})
    monkeypatch.setattr(budget, "UNIT", 2.0)
    assert budget.excess(239.0, 4.0) is None
    assert budget.excess(242.0, 4.0).startswith(
        "the tests took 60 times what the known kernel takes, 121 s where that takes 2.0 s: more "
        "than 1.2 times the 100 s of tests/budget.py"
    )


TREE = {
    "pytest.ini": "[pytest]\ntestpaths = tests\naddopts = -m 'not slow'\nmarkers = slow\n",
    "conftest.py": f"""
import os
import sys
sys.path.insert(0, {str(HERE)!r})
import budget
budget.SHARES = dict(a=int(os.environ["SECONDS"]))
budget.KNOWN = "sum(range(10**6))"
def pytest_configure(config):
    config.pluginmanager.register(budget.Budget(config))
""",
    "tests/a/test_a.py": """
import time
def test_long():
    end = time.process_time() + 0.2
    while time.process_time() < end: pass
""",
}


ONE, WORKERS = [], ["-p", "xdist", "-n", "1"]


@pytest.mark.parametrize(
    ("jobs", "seconds", "environment", "words", "code"),
    [
        (WORKERS, 0, {"CI": "1"}, [], 1),
        (ONE, 0, {"CI": "1"}, [], 1),
        (ONE, 0, {}, [], 0),
        (ONE, 9999, {"CI": "1"}, [], 0),
        (ONE, 0, {"CI": "1"}, ["tests/a"], 0),
        (ONE, 0, {"CI": "1"}, ["-k", "long"], 0),
    ],
    ids=["workers", "too long", "at a user's", "soon enough", "a folder", "some"],
)
def test_only_all_tests_and_only_in_continuous_integration(
    tmp_path, jobs, seconds, environment, words, code
):
    for name, text in TREE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    # Without plugins in half the time.
    environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "SECONDS": str(seconds)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *jobs, *words],
        env={name: value for name, value in os.environ.items() if name != "CI"} | environment,
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == code, done.stdout
    assert ("the tests took" in done.stdout) == bool(code)
    assert ("tests/a/test_a.py::test_long" in done.stdout) == (not words)
