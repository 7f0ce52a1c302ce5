"""Gradient descent for small networks: as fast as a CPU goes, the same bits on every machine."""

from importlib.metadata import version

from fastgd import bucket, reference
from fastgd.minimization import minimize
from fastgd.objective import Objective, objective
from fastgd.race import Race, race
from fastgd.results import Run, Sweep, load
from fastgd.surface import Surface, surface
from fastgd.training import sweep, train

__all__ = [
    "Objective",
    "Race",
    "Run",
    "Surface",
    "Sweep",
    "bucket",
    "load",
    "minimize",
    "objective",
    "race",
    "reference",
    "surface",
    "sweep",
    "train",
]
__version__ = version("fastgd")
