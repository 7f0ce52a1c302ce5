"""The reference has a line for each name it documents: the first one of its docstring."""

import sys

from document import ROOT

sys.path.insert(0, str(ROOT / "docs"))

import name_tables

PAGE = name_tables.PAGE.read_text(encoding="utf-8")


def test_tables_are_those_of_the_docstrings():
    assert name_tables.with_tables(PAGE) == PAGE  # if not: python docs/name_tables.py


def test_every_section_has_a_table():
    assert PAGE.count("<!-- names:begin -->") == PAGE.count("\n## ")
