"""The page of the studies shows what their full runs found."""

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
    assert max(map(len, study.text_table([row]).splitlines())) <= 136
