"""Pictures of what fastgd computes: each call takes an optional matplotlib ``ax`` and returns it.

The numbers come from elsewhere; nothing here computes. Needs matplotlib (``fastgd[plot]``).
"""

from fastgd.plots.edge import box_counts, trainability
from fastgd.plots.style import write

__all__ = ["box_counts", "trainability", "write"]
