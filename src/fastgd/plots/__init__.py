"""Plots of fastgd's results: each function takes an optional matplotlib ``ax`` and returns it.

They only draw; the results are computed elsewhere. Without matplotlib they raise ImportError
(``pip install "fastgd[plot]"``).
"""

from fastgd.plots import thumbnails as _thumbnails  # noqa: F401 - registers them
from fastgd.plots.balls import basins, film, roll
from fastgd.plots.dependence import importances, partial
from fastgd.plots.maps import box_counts, trainability, zoom_film
from fastgd.plots.networks import direction_changes, predictions, sensitivity, weight_paths
from fastgd.plots.planes import surface
from fastgd.plots.style import write
from fastgd.plots.trainings import errors, measured, race, solved, takeaways

__all__ = [
    "basins",
    "box_counts",
    "direction_changes",
    "errors",
    "film",
    "importances",
    "measured",
    "partial",
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


def __dir__() -> list[str]:
    return __all__
