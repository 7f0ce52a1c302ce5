"""The scripts of bench/, which is no package, as modules."""

import sys
from importlib import import_module
from types import ModuleType

from document import ROOT


def bench(name: str) -> ModuleType:
    """A module of bench/."""
    folder = str(ROOT / "bench")
    if folder not in sys.path:
        sys.path.append(folder)
    return import_module(name)
