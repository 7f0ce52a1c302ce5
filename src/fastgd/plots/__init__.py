"""Pictures of what fastgd computes: each call takes an optional matplotlib ``ax`` and returns it.

The numbers come from elsewhere; nothing here computes. Needs matplotlib (``fastgd[plot]``).
"""

from fastgd.plots.animation import film
from fastgd.plots.bucket import basins, roll
from fastgd.plots.style import write

__all__ = ["basins", "film", "roll", "write"]
