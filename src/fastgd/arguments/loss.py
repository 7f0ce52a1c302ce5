"""The options of a loss as such: what is left of a training without its steps and its chance."""

from collections.abc import Mapping
from typing import TypedDict

from numpy.typing import ArrayLike

from fastgd.arguments import options
from fastgd.arguments.messages import did_you_mean, listed, shown
from fastgd.arguments.options import FloatArray, Method, Options


class LossOptions(TypedDict, total=False):
    """Keyword arguments of :func:`fastgd.objective` and :func:`fastgd.minimize`.

    They mean what they mean in :func:`fastgd.train`, see
    :class:`fastgd.arguments.options.Options`. All others belong to gradient descent's own steps
    (``optimizer``, ``tolerance``, ...), or would make the loss another one at every call
    (``batch_size``, ``dropout``, ...).
    """

    activation: str
    output: str
    loss: str
    bias: bool
    sample_weight: ArrayLike | None
    l1: float
    l2: float


_NAMES = tuple(LossOptions.__annotations__)


def check(
    given: Mapping[str, object], X: FloatArray, y: FloatArray, hidden: tuple[int, ...]
) -> Method:
    """Return the options of a loss; X, y and the hidden sizes are checked already."""
    for name in given:
        if name not in _NAMES:
            is_known = name in Options.__annotations__
            raise TypeError(
                f"an option of an objective must be {listed(_NAMES)}, got {shown(name)}"
                + ("" if is_known else did_you_mean(name, (*_NAMES, "hidden_size")))
            )
    return options.check(given, X, y, hidden)
