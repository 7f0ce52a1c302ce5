"""Plots of fastgd's results: each function takes an optional matplotlib ``ax`` and returns it.

They only draw; the results are computed elsewhere. Needs matplotlib (``fastgd[plot]``).
"""

from fastgd.plots import thumbnails as _thumbnails  # noqa: F401 - registers them
from fastgd.plots.alpha_curves import solved, takeaways
from fastgd.plots.animation import film
from fastgd.plots.bucket import basins, roll
from fastgd.plots.error_curves import errors, race
from fastgd.plots.maps import box_counts, trainability, zoom_film
from fastgd.plots.planes import surface
from fastgd.plots.prediction_plots import predictions, sensitivity
from fastgd.plots.style import write
from fastgd.plots.weights import direction_changes, weight_paths

__all__ = [
    "basins",
    "box_counts",
    "direction_changes",
    "errors",
    "film",
    "predictions",
    "race",
    "roll",
    "sensitivity",
    "solved",
    "surface",
    "takeaways",
    "trainability",
    "weight_paths",
    "write",
    "zoom_film",
]
