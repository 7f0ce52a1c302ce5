"""How the modules hang together."""

import subprocess
import sys
from importlib import import_module
from pkgutil import walk_packages
from types import ModuleType

import fastgd


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


def test_tasks_are_unpickled_from_modules_that_import_fastgd_does_not_want():
    """A worker's thread that unpickles one waits for another's ``import fastgd``, not it for us.

    Python takes that for a deadlock, and ends the import with an error.
    """
    code = "import sys, fastgd; print('fastgd.workers.remote' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
