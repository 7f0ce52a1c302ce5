"""In which order the test files are asked about a mutant: those near its module first."""

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

from catalog import PACKAGE, ROOT

TESTS = ROOT / "tests"
REACHED_THROUGH = dict.fromkeys(("kernel", "engine", "arguments"), "training")
"""Rooms that no public name is in, and the folder whose tests reach them."""

SLOW = {"subprocess", "multiprocessing", "command", "clusters", "nbclient"}
"""Who imports one of these starts processes."""

NEAR, ROOM, FAR, FARTHER, LAST = range(5)
"""How far a file is: of the room or for the module, for the room, for none of both."""


def stages(mutant):
    """Test files: those that are near, those that import the room, too, and all others.

    In each of them those come first that share the most words with the function that is mutated.
    """
    words = _words(_function(mutant))
    files = [path for path in TESTS.rglob("test_*.py") if path.parent.name != "mutants"]
    files.sort(
        key=lambda file: (-sum(1 / _spread()[word] for word in words & _words_of(file)), file)
    )
    by_stage = {NEAR: [], ROOM: [], FAR: [], FARTHER: [], LAST: []}
    for file in files:
        by_stage[_distance(mutant, file)].append(file)
    near, room, far, farther, last = by_stage.values()
    return near, room, [*far, *farther, *last]


def _distance(mutant, file):
    folder, imports = file.relative_to(TESTS).parts[0], _imports(file)
    if folder == "documents":
        return LAST
    name = mutant.module.rpartition(".")[2]
    if folder == mutant.room or mutant.module in imports or name in file.stem:
        return NEAR
    rooms = {name.split(".")[1] for name in imports}
    if mutant.room in rooms or folder == REACHED_THROUGH.get(mutant.room):
        return ROOM
    return FARTHER if SLOW & _names(file) else FAR


def _function(mutant):
    """The source of the innermost function or class around the line, or of the whole file."""
    source = mutant.source()
    if not mutant.is_python:
        return source
    line = source[: source.index(mutant.old)].count("\n") + 1
    around = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        and node.lineno <= line <= node.end_lineno
    ]
    innermost = max(around, key=lambda node: node.lineno, default=None)
    return ast.get_source_segment(source, innermost) if innermost else source


def _words(text):
    return set(re.findall("[a-z]{4,}", text.lower()))


@cache
def _words_of(file):
    return _words(file.read_text(encoding="utf-8"))


@cache
def _spread():
    """In how many test files each word is."""
    return Counter(word for file in TESTS.rglob("test_*.py") for word in _words_of(file))


@cache
def _imports(file):
    """Modules of fastgd that a test file imports, itself or through a helper in tests/."""
    found = {name for name in _names(file) if name.startswith("fastgd.")}
    for name in _names(file):
        for helper in (TESTS / f"{name}.py", file.parent / f"{name}.py"):
            if name != "cases" and helper.exists():  # which imports a bit of everything
                found |= _imports(helper)
    return found | {_public()[name] for name in found if name in _public()}


@cache
def _names(file):
    """What is imported somewhere in a file, and the names after ``fastgd.``, dotted."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                found |= {name.name for name in names}
            case ast.ImportFrom(module=str(module), names=names, level=0):
                found |= {module, *(f"{module}.{name.name}" for name in names)}
            case ast.Attribute(value=ast.Name(id="fastgd"), attr=name):
                found.add(f"fastgd.{name}")
    return found


@cache
def _public():
    """The module that each public name comes from."""
    tree = ast.parse(Path(ROOT, PACKAGE, "__init__.pyi").read_text(encoding="utf-8"))
    return {
        f"fastgd.{name.asname or name.name}": node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module.startswith("fastgd.")
        for name in node.names
    }
