"""No phrase that the glossary retires comes back; .ci/retired.txt has the single words."""

import re

import pytest

from document import ROOT

RETIRED = {
    r"first weights": "initial weights",
    r"\b(go|goes|going|went) on with\b": "resume",
    r"\blooked at\b": "evaluated",
    r"\bwork(ed|s)? (out|off)\b": "computed, executed",
    r"\b(has|have|had) come to\b": "resulted in",
    r"\b(heard|told) of\b": "receives, knows",
    r"\bso many (iterations|seconds|updates)\b": "N",
}
FILES = [
    path
    for pattern in ("README.md", "docs/*.md", "src/**/*.py")
    for path in ROOT.glob(pattern)
    if path.name != "changelog.md"
]


@pytest.mark.parametrize("phrase", RETIRED)
def test_no_retired_phrase_is_used(phrase):
    found = [
        f"{path.relative_to(ROOT)}:{number}: {RETIRED[phrase]}?"
        for path in FILES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(phrase, line)
    ]
    assert not found, "\n".join(found)
