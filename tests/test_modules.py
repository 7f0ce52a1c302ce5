"""How the modules hang together."""

import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules, walk_packages
from types import ModuleType

import pytest

import fastgd

PYPROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
CONTRACTS = [c for c in PYPROJECT["tool"]["importlinter"]["contracts"] if c.get("exhaustive")]


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract["containers"][0])
def test_every_module_has_its_layer(contract):
    (package,) = contract["containers"]
    known = {name for layer in contract["layers"] for name in layer.split(" | ")}
    there = {found.name for found in iter_modules(import_module(package).__path__)}
    missing = there - known - set(contract.get("exhaustive_ignores", ()))
    assert not missing, (
        f"{package} has no layer for {sorted(missing)}: write it into the contract "
        f"{contract['name']!r} of pyproject.toml, above what it imports and below what imports it"
    )


def test_no_module_is_hidden_by_something_of_its_name():
    """``import a.b`` and ``from a import b`` must mean the same."""
    names = [found.name for found in walk_packages(fastgd.__path__, "fastgd.")]
    names.remove("fastgd.__main__")
    assert len(names) > 100
    for name in names:
        import_module(name)
    for name in names:
        package, _, own = name.rpartition(".")
        found = getattr(sys.modules[package], own)
        assert isinstance(found, ModuleType), f"{name} is hidden by {found!r}"


def test_import_fastgd_imports_no_other_module_of_it():
    """Else ``import fastgd`` in one thread, and a task that is unpickled in another, may fail.

    Who imports ``fastgd.workers.tasks`` has its lock before that of ``fastgd``: Python ends the
    import of a thread that would wait for the former and has the latter.
    """
    code = "import sys, fastgd; print([name for name in sys.modules if 'fastgd.' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
