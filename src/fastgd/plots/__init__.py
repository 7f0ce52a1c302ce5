"""Pictures of what fastgd computes: each call takes an optional matplotlib ``ax`` and returns it.

The numbers come from elsewhere; nothing here computes. Needs matplotlib (``fastgd[plot]``).
"""

from fastgd.plots.race import race
from fastgd.plots.style import write
from fastgd.plots.surface import surface

__all__ = ["race", "surface", "write"]
