"""Loading any saved result: beside runs and sweeps, models, whose classes this imports."""

import fastgd.models.group_models
import fastgd.models.model
import fastgd.training.sweep_result  # noqa: F401
from fastgd.training.codec import load

__all__ = ["load"]
