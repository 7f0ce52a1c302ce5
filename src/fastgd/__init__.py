"""Gradient descent for small networks: as fast as a CPU goes, the same bits on every machine."""

from importlib.metadata import version

from fastgd import reference
from fastgd.box_counting import BoxCounting, box_counting
from fastgd.edge import Trainability, trainability
from fastgd.minimization import minimize
from fastgd.objective import Objective, objective
from fastgd.results import Run, Sweep, load
from fastgd.training import sweep, train

__all__ = [
    "BoxCounting",
    "Objective",
    "Run",
    "Sweep",
    "Trainability",
    "box_counting",
    "load",
    "minimize",
    "objective",
    "reference",
    "sweep",
    "train",
    "trainability",
]
__version__ = version("fastgd")
