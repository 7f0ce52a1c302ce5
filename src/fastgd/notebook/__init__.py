"""What a notebook shows in place of a result's repr: a small table and a small picture."""

from typing import Any

from fastgd.notebook.html_blocks import block
from fastgd.notebook.result_rows import facts_of
from fastgd.notebook.thumbnails import picture_of

__all__ = ["html"]


def html(result: Any) -> str:
    """A table of what a result comes to, and a picture beside it if there is matplotlib.

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
