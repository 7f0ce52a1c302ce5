"""HTML for notebooks in place of a result's repr: a small table and a small plot."""

from typing import Any

from fastgd.notebook.html_blocks import block
from fastgd.notebook.result_rows import facts_of
from fastgd.notebook.thumbnails import picture_of

__all__ = ["html"]


def html(result: Any) -> str:
    """Return a summary table of a result, and a plot next to it if matplotlib is installed.

    Parameters
    ----------
    result : Run, Sweep, Surface, Race, Trainability, Model or GroupModels

    Examples
    --------
    >>> import fastgd
    >>> run = fastgd.train([[0, 1], [1, 0]], [0, 1], iterations=10)
    >>> "2-4-1 network" in html(run)
    True
    """
    return block(facts_of(result), picture_of(result))
