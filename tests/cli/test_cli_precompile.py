import re

import pytest

from command import assert_refused
from fastgd.cli import machine_commands
from fastgd.engine import devices


@pytest.fixture
def found(monkeypatch):
    """Warm up with one call only; how many of them had to compile is given."""

    def set_to(count):
        monkeypatch.setattr(machine_commands, "calls", lambda: [None] * 5)
        monkeypatch.setattr(
            machine_commands, "compile_all", lambda calls, advance: advance(len(calls)) or count
        )

    return set_to


def test_it_says_how_long_it_took_and_where_the_code_lies(run, found):
    found(3)
    code, out, err = run("precompile", "--no-progress")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert re.fullmatch(r"Compiled what 3 of 5 calls lacked in [\d.]+ (m?s|min)\.", lines[0])
    assert lines[1:] == [f"The code lies in {devices.place()}"]


def test_a_second_time_there_is_nothing_to_do(run, found):
    found(0)
    assert run("precompile")[1].startswith("There is nothing to compile.\n")


def test_progress_counts_calls(run, found):
    found(0)
    assert "5.00/5.00" in run("precompile", "--progress")[2]


def test_without_a_folder_it_is_refused(run, monkeypatch):
    monkeypatch.setattr("fastgd.cli.machine_commands.code_place", lambda: None)
    assert_refused(
        run("precompile"), "no folder for it can be written to: NUMBA_CACHE_DIR is to name"
    )


@pytest.mark.slow
def test_all_that_is_called_is_in_order():
    """Each of them; most have code that other tests need, too."""
    for call in machine_commands.calls():
        call()
