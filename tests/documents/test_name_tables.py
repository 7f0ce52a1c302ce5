"""The reference has a line for each name it documents: the first one of its docstring."""

import re
import sys

from document import ROOT

sys.path.insert(0, str(ROOT / "docs"))

import name_tables

PAGE = name_tables.PAGE.read_text(encoding="utf-8")


def test_tables_are_those_of_the_docstrings():
    assert name_tables.with_tables(PAGE) == PAGE  # if not: python docs/name_tables.py


def test_environment_variables_are_listed():
    """Those that are asked for by name: Numba's config has NUMBA_X as X, or under its full name."""
    known = re.findall(r"`([A-Z]+_[A-Z_]+)`", PAGE.partition("### Environment variables\n")[2])
    read: set[str] = set()
    for path in (ROOT / "src").rglob("*.py"):
        text = path.read_text("utf-8")
        read |= set(re.findall(r"""environ(?:\.get\(|\[)["'](\w+)""", text))
        found = re.findall(r"""\bconfig(?:\.|, ")([A-Z_]+)\b""", text)
        read |= {f"NUMBA_{name.removeprefix('NUMBA_')}" for name in found}
    assert len(read) > 5
    assert read <= set(known)


def test_every_section_has_a_table():
    assert PAGE.count("<!-- names:begin -->") == PAGE.count("\n## ")
