"""Figures with several axes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import shown
from fastgd.plots.style import check_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    Given = Sequence[Axes] | NDArray[Any]


def panels(ax: "Given | None", count: int, plt: Any, **options: Any) -> NDArray[Any]:
    """Return the given axes, or ``count`` axes of a new figure, one above the other.

    Raises
    ------
    ValueError, TypeError
        If the number of given axes is different, or they are not axes.
    """
    if ax is None:
        _, made = plt.subplots(count, squeeze=False, layout="constrained", **options)
        return np.asarray(made)[:, 0]
    several = ax.ravel() if isinstance(ax, np.ndarray) else ax
    if not isinstance(several, (list, tuple, np.ndarray)):
        raise TypeError(f"ax must be {count} axes, got {shown(ax)}")
    if len(several) != count:
        raise ValueError(f"ax must be {count} axes, got {len(several)}")
    found = np.empty(count, dtype=object)
    found[:] = [check_axes(f"ax[{k}]", one) for k, one in enumerate(several)]
    return found
