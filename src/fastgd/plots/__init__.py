"""Pictures of what fastgd computes: each call takes an optional matplotlib ``ax`` and returns it.

The numbers come from elsewhere; nothing here computes. Needs matplotlib (``fastgd[plot]``).
"""

from fastgd.plots.animation import film
from fastgd.plots.bucket import basins, roll
from fastgd.plots.direction_changes import direction_changes
from fastgd.plots.error_curves import errors
from fastgd.plots.maps import box_counts, trainability
from fastgd.plots.planes import surface
from fastgd.plots.predictions import predictions
from fastgd.plots.races import race
from fastgd.plots.solved import solved
from fastgd.plots.style import write
from fastgd.plots.takeaways import takeaways
from fastgd.plots.weights import weight_paths

__all__ = [
    "basins",
    "box_counts",
    "direction_changes",
    "errors",
    "film",
    "predictions",
    "race",
    "roll",
    "solved",
    "surface",
    "takeaways",
    "trainability",
    "weight_paths",
    "write",
]
