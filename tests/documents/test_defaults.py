"""The defaults on the page for people from other libraries are those of the library."""

import inspect
import re

import fastgd
from document import ROOT
from fastgd.arguments.declarations import DECLARED

PAGE = ROOT / "docs/coming-from.md"


def _written(default: object) -> str:
    return f'"{default}"' if isinstance(default, str) else str(default)


def test_terms_and_defaults_has_the_defaults_of_train():
    section = PAGE.read_text(encoding="utf-8").partition("\n## Terms and defaults\n")[2]
    rows = re.findall(r"^\| `(\w+)=([^`]*)`", section.partition("\n## ")[0], re.MULTILINE)
    parameters = inspect.signature(fastgd.train).parameters
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    defaults |= {name: option.default for name, option in DECLARED.items()}
    assert len(rows) == len(dict(rows)) > 15
    assert dict(rows) == {name: _written(defaults[name]) for name, _ in rows}
