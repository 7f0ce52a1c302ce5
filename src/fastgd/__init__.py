"""Gradient descent for small networks: as fast as a CPU goes, the same bits on every machine."""

from importlib.metadata import version

from fastgd import reference
from fastgd.results import Run, Sweep, load
from fastgd.training import sweep, train

__all__ = ["Run", "Sweep", "load", "reference", "sweep", "train"]
__version__ = version("fastgd")
