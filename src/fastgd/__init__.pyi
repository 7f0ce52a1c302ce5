"""The public names of ``fastgd``: ``__init__.py`` imports each on first use, as it is here."""

from fastgd import bucket as bucket
from fastgd import functions as functions
from fastgd import reference as reference
from fastgd.checks.messages import TrainingWarning as TrainingWarning
from fastgd.engine.devices import DeviceError as DeviceError
from fastgd.engine.devices import devices as devices
from fastgd.engine.progress import Progress as Progress
from fastgd.engine.results import Summary as Summary
from fastgd.engine.versions import show_versions as show_versions
from fastgd.formulas.named import Function as Function
from fastgd.formulas.named import Loss as Loss
from fastgd.models.fit import fit as fit
from fastgd.models.group_models import GroupModels as GroupModels
from fastgd.models.group_models import load as load
from fastgd.models.groups import fit_groups as fit_groups
from fastgd.models.model import Model as Model
from fastgd.studies.box_counting import BoxCounting as BoxCounting
from fastgd.studies.box_counting import box_counting as box_counting
from fastgd.studies.race import Race as Race
from fastgd.studies.race import race as race
from fastgd.studies.surface import Surface as Surface
from fastgd.studies.surface import surface as surface
from fastgd.studies.trainability_map import Trainability as Trainability
from fastgd.studies.trainability_map import trainability as trainability
from fastgd.studies.trainability_map import trainability_zoom as trainability_zoom
from fastgd.training.folder_sweep import open as open  # noqa: A004
from fastgd.training.objective import Objective as Objective
from fastgd.training.objective import minimize as minimize
from fastgd.training.objective import objective as objective
from fastgd.training.run import Run as Run
from fastgd.training.run import Snapshot as Snapshot
from fastgd.training.saved_result import assert_equal as assert_equal
from fastgd.training.sweep_result import Sweep as Sweep
from fastgd.training.train_sweep import sweep as sweep
from fastgd.training.train_sweep import train as train

__version__: str
