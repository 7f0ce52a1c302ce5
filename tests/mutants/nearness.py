"""In which order the test files are asked about a mutant: those near its module first."""

import ast
from functools import cache
from pathlib import Path

from catalog import PACKAGE, ROOT

TESTS = ROOT / "tests"
REACHED_THROUGH = {"kernel": "training", "engine": "training"}
"""Rooms that no public name is in, and the folder whose tests reach them."""

SLOW = {"subprocess", "multiprocessing", "command", "clusters", "nbclient"}
"""Who imports one of these starts processes."""


ROOM, FAR = 2, 4
"""Distances from which on a file imports no more than the room, and not even that."""


def stages(mutant):
    """Test files: those nearest, those that import the room, too, and all others."""
    files = _sorted(mutant)
    near = [file for file in files if _distance(mutant, file) < ROOM]
    room = [file for file in files if ROOM <= _distance(mutant, file) < FAR]
    return near, room, [file for file in files if _distance(mutant, file) >= FAR]


def _sorted(mutant):
    files = [path for path in TESTS.rglob("test_*.py") if path.parent.name != "mutants"]
    return sorted(files, key=lambda file: (_distance(mutant, file), _is_slow(file), file))


def _distance(mutant, file):
    """Steps to the mutant's module; FAR, and more, for files that don't import its room."""
    folder, imports = file.relative_to(TESTS).parts[0], _imports(file)
    is_own, direct = folder == mutant.room, mutant.module in imports
    if folder == "documents":
        return FAR + 2
    if mutant.module.rpartition(".")[2] in file.stem:
        return -1
    if is_own or direct:
        return 0 if is_own and direct else 1
    if mutant.room in {name.split(".")[1] for name in imports}:
        return ROOM
    if folder == REACHED_THROUGH.get(mutant.room):
        return ROOM + 1
    return FAR + (folder not in ("training", "models", "sklearn"))


def _is_slow(file):
    return bool(SLOW & _names(file))


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
    tree = ast.parse(Path(ROOT, PACKAGE, "public.py").read_text(encoding="utf-8"))
    return {
        f"fastgd.{name.asname or name.name}": node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module.startswith("fastgd.")
        for name in node.names
    }
