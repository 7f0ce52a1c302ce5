"""Gradient descent for small networks: as fast as a CPU goes, the same bits on every machine."""

from importlib.metadata import version

from fastgd import bucket, reference
from fastgd.box_counting import BoxCounting, box_counting
from fastgd.edge import Trainability, trainability
from fastgd.minimization import minimize
from fastgd.objective import Objective, objective
from fastgd.race import Race, race
from fastgd.results import Run, Sweep, load
from fastgd.surface import Surface, surface
from fastgd.training import sweep, train

__all__ = [
    "BoxCounting",
    "Objective",
    "Race",
    "Run",
    "Surface",
    "Sweep",
    "Trainability",
    "box_counting",
    "bucket",
    "load",
    "minimize",
    "objective",
    "race",
    "reference",
    "surface",
    "sweep",
    "train",
    "trainability",
]
__version__ = version("fastgd")
