"""Gradient descent for small networks: as fast as a CPU goes, the same bits on every machine."""

from importlib.metadata import version

from fastgd import bucket, reference
from fastgd.minimization import minimize
from fastgd.objective import Objective, objective
from fastgd.results import Run, Sweep, load
from fastgd.training import sweep, train

__all__ = [
    "Objective",
    "Run",
    "Sweep",
    "bucket",
    "load",
    "minimize",
    "objective",
    "reference",
    "sweep",
    "train",
]
__version__ = version("fastgd")
