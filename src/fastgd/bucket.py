"""The ball in the bucket (article, parts 2 and 3): gradient descent on a curve.

`roll` lets balls roll down a curve, `basins` finds the minima in which balls end, and `EXAMPLES`
are the article's three problems.
"""

from fastgd.studies.bucket.basins import Basins, Stretch, basins
from fastgd.studies.bucket.curves import Curve
from fastgd.studies.bucket.examples import EXAMPLES, FIVE_MINIMA, Example
from fastgd.studies.bucket.rolling import RULES, Roll, roll

__all__ = [
    "EXAMPLES",
    "FIVE_MINIMA",
    "RULES",
    "Basins",
    "Curve",
    "Example",
    "Roll",
    "Stretch",
    "basins",
    "roll",
]
