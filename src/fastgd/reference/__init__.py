"""The same training in plain NumPy, as the article and the papers write it: slow, the oracle."""

from fastgd.reference.loss import objective
from fastgd.reference.sweeping import sweep
from fastgd.reference.training import train

__all__ = ["objective", "sweep", "train"]
