"""Write the tables of names in api.md: ``python docs/name_tables.py``.

Above the directives of each section stands a table of what they document, with the first line of
each docstring, so that the page can be read where it isn't built.
"""

import re
from importlib import import_module
from inspect import getdoc
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent / "api.md"

_SECTION = re.compile(
    r"(?s)(<!-- names:begin -->\n).*?(<!-- names:end -->\n)(.*?)(?=^## |\Z)", re.M
)
_DIRECTIVE = re.compile(r"^\.\. (\w+):: ([\w.]+)\n((?:   .*\n)*)", re.M)
_ROLE = re.compile(r":\w+(?::\w+)?:`~?([^`]+)`")


def documented(directives: str) -> list[tuple[str, Any]]:
    """Return the names that these directives document, each with its object."""
    found: list[tuple[str, Any]] = []
    module = ""
    for kind, name, options in _DIRECTIVE.findall(directives):
        if kind in {"currentmodule", "automodule"}:
            module = name
            members = import_module(name).__all__ if ":members:" in options else ()
            found += [(f"{name}.{one}", getattr(import_module(name), one)) for one in members]
        elif kind.startswith("auto"):
            home, _, own = name.rpartition(".")
            place = home or module
            found.append((f"{place}.{own}", getattr(import_module(place), own)))
    return found


def table(directives: str) -> str:
    """Return the table of a section."""
    lines = ["| name | what it is |", "|---|---|"]
    for name, thing in documented(directives):
        first = (getdoc(thing) or "").partition("\n")[0]
        text = _ROLE.sub(r"`\1`", first).replace("``", "`").replace("|", "\\|")
        lines.append(f"| `{name}` | {text} |")
    return "\n".join(lines) + "\n\n"


def with_tables(page: str) -> str:
    """Return the page with its tables written anew."""
    return _SECTION.sub(lambda found: f"{found[1]}{table(found[3])}{found[2]}{found[3]}", page)


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text("utf-8")), "utf-8")
