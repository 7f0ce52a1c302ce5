"""The public names of ``fastgd`` for type checkers; ``__init__.py`` imports each on first use."""

from fastgd import bucket, functions, reference
from fastgd.engine.devices import DeviceError, devices
from fastgd.engine.results import Summary
from fastgd.formulas.named import Function, Loss
from fastgd.models.fit import fit
from fastgd.models.group_models import GroupModels
from fastgd.models.groups import fit_groups
from fastgd.models.loading import load
from fastgd.models.model import Model
from fastgd.studies.box_counting import BoxCounting, box_counting
from fastgd.studies.race import Race, race
from fastgd.studies.surface import Surface, surface
from fastgd.studies.trainability_map import Trainability, trainability, trainability_zoom
from fastgd.training.folder_sweep import open_folder as open  # noqa: A004 - fastgd.open, as load
from fastgd.training.objective import Objective, minimize, objective
from fastgd.training.run import Run, Snapshot
from fastgd.training.sweep_result import Sweep
from fastgd.training.train_sweep import sweep, train

__all__ = [
    "BoxCounting",
    "DeviceError",
    "Function",
    "GroupModels",
    "Loss",
    "Model",
    "Objective",
    "Race",
    "Run",
    "Snapshot",
    "Summary",
    "Surface",
    "Sweep",
    "Trainability",
    "box_counting",
    "bucket",
    "devices",
    "fit",
    "fit_groups",
    "functions",
    "load",
    "minimize",
    "objective",
    "open",
    "race",
    "reference",
    "surface",
    "sweep",
    "train",
    "trainability",
    "trainability_zoom",
]
