"""The options that define a loss, without those of the updates and of random choices."""

from collections.abc import Mapping

from fastgd.arguments import options
from fastgd.arguments.data import FloatArray
from fastgd.arguments.declarations import DECLARED, LossOptions
from fastgd.arguments.formula_parameters import hint_of, kinds_of
from fastgd.arguments.options import Method
from fastgd.checks.messages import either, shown

__all__ = ["LossOptions", "check"]

_NAMES = tuple(name for name in DECLARED if name in LossOptions.__annotations__)


def check(
    given: Mapping[str, object], X: FloatArray, y: FloatArray, hidden: tuple[int, ...]
) -> Method:
    """Return the checked options of a loss; X, y and the hidden sizes are checked already."""
    check_names(given, ("hidden_size",))
    return options.check(given, X, y, hidden)


def check_names(given: Mapping[str, object], arguments: tuple[str, ...]) -> None:
    """Reject unknown options of a loss; suggestions may also name one of the other arguments."""
    known = (*_NAMES, *kinds_of(given))
    for name in given:
        if name not in known:
            raise TypeError(
                f"an option of an objective must be {either(known)}, got {shown(name)}"
                + ("" if name in DECLARED else hint_of(name, given, (*known, *arguments)))
            )
