"""The page of the studies shows what their full runs found."""

import json
import sys

from document import ROOT

sys.path.insert(0, str(ROOT / "examples" / "studies"))

import study

PAGE = study.PAGE.read_text(encoding="utf-8")
NAMES = sorted(path.stem for path in study.HERE.glob("*.py") if path.stem != "study")


def test_tables_are_those_of_the_full_runs():
    assert study.with_tables(PAGE) == PAGE


def test_every_study_is_on_the_page():
    assert [name for name in NAMES if f"<!-- {name}:begin -->" not in PAGE] == []
    assert sorted(path.stem for path in study.RESULTS.glob("*.json")) == NAMES


def test_cells_with_bars_and_long_cells_stay_in_their_columns():
    row = study.Row("a | b", "p" * 30, "1 %", "agrees", "why " * 30)
    assert study.markdown_table([row]).splitlines()[2].startswith(r"| a \| b | ppp")
    assert max(map(len, study.text_table([row], 200).splitlines())) == 136


def test_a_narrow_terminal_has_a_block_for_each_row():
    row = study.Row("a share", "p " * 40, "1 %", "agrees", "why " * 30)
    first, second = study.text_table([row, row], 60).split("\n\n")
    lines = first.splitlines()
    assert first == second
    assert lines[0] == "What:      a share"
    assert [line.split(":")[0] for line in lines if line[0] != " "] == list(study.HEAD)
    assert 50 < max(map(len, lines)) <= 60


def test_no_table_is_of_a_quick_run():
    found = [json.loads(path.read_text(encoding="utf-8")) for path in study.RESULTS.glob("*.json")]
    assert found
    assert not any(one.get("quick") for one in found)
