"""Modules of the live page share one scope in its script."""

import re
from collections import Counter
from importlib.resources import files

_NAMED = re.compile(r"^(?:export )?(?:async )?(?:const|let|function|class) (\w+)", re.MULTILINE)


def test_no_two_modules_give_something_the_same_name():
    modules = [f for f in files("fastgd.article.page.live").iterdir() if f.name.endswith(".js")]
    names = Counter(n for f in modules for n in _NAMED.findall(f.read_text(encoding="utf-8")))
    assert "State" in names
    assert [name for name, times in names.items() if times > 1] == []
