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


def test_import_fastgd_imports_no_other_module_of_it():
    """Else ``import fastgd`` in one thread, and a task that is unpickled in another, may fail.

    Who imports ``fastgd.workers.worker`` has its lock before that of ``fastgd``: Python ends the
    import of a thread that would wait for the former and has the latter.
    """
    code = "import sys, fastgd; print([name for name in sys.modules if 'fastgd.' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
