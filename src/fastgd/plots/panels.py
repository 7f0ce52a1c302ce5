"""Pictures of several axes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    Given = Sequence[Axes] | NDArray[Any]


def panels(ax: "Given | None", count: int, plt: Any, **options: Any) -> NDArray[Any]:
    """Those axes, or so many of a new figure, one above the other.

    Raises
    ------
    ValueError
        If the axes given are fewer or more.
    """
    if ax is None:
        _, made = plt.subplots(count, squeeze=False, layout="constrained", **options)
        return np.asarray(made)[:, 0]
    given = np.array(ax, dtype=object).ravel()
    if len(given) != count:
        raise ValueError(f"ax must be {count} axes, got {len(given)}")
    return given
