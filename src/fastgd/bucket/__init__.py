"""The ball in the bucket (article, parts 2 and 3): gradient descent on a curve."""

from fastgd.bucket.curves import Curve
from fastgd.bucket.rolling import RULES, Roll, roll

__all__ = ["RULES", "Curve", "Roll", "roll"]
