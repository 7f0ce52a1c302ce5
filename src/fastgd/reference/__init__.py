"""The same training in plain NumPy, following the article and the papers: slow, the test oracle."""

from fastgd.reference.loss import objective
from fastgd.reference.sweeping import sweep
from fastgd.reference.training import train

__all__ = ["objective", "sweep", "train"]
