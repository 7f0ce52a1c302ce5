"""Signatures and docstrings of the calls that take options: each option by name, as declared."""

from collections.abc import Callable, Collection, Mapping
from inspect import Parameter, cleandoc, signature
from textwrap import fill
from types import MappingProxyType
from typing import Any, TypeVar

from fastgd.arguments.axes import OWNED
from fastgd.arguments.declarations import DECLARED, STRUCTURES, VALUES, Options
from fastgd.arguments.option_types import Number, Option
from fastgd.checks.messages import either

Call = TypeVar("Call", bound=Callable[..., Any])

AXES = frozenset((*STRUCTURES, *VALUES, *OWNED))
"""What may be an axis of a sweep."""

# An option that is a parameter of some of the named functions, with which alone it may be given.
_PARAMETERS = {
    name: Option(
        owned.default,
        Number(""),
        f"Parameter of {either(f'``{owned.option}={one!r}``' for one in owned.names)}.",
        owned.option,
    )
    for name, owned in OWNED.items()
}


def options_of(
    taken: Any = Options,
    without: Collection[str] = (),
    defaults: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Option]:
    """Return the options of a call by name, with those that are parameters of named functions."""
    names = taken.__annotations__.keys() - {*without}
    found = {name: option for name, option in DECLARED.items() if name in names}
    found |= {name: option for name, option in _PARAMETERS.items() if option.help in names}
    return {n: one._replace(default=defaults.get(n, one.default)) for n, one in found.items()}


def taking(
    options: Mapping[str, Option], axes: Collection[str] = (), *, explained: bool = False
) -> Callable[[Call], Call]:
    """Decorate a function: its signature and docstring have each of these options.

    In the docstring they stand in place of the line ``OPTIONS``. Those of ``axes`` may have several
    values. ``explained`` is whether the docstring explains each, as that of :func:`fastgd.train`.
    """

    def decorate(function: Call) -> Call:
        own = signature(function)
        *named, rest = own.parameters.values()
        added = [
            Parameter(
                name,
                Parameter.KEYWORD_ONLY,
                default=option.default,
                annotation=option.kind.annotated(is_axis=name in axes),
            )
            for name, option in options.items()
        ]
        # Parameters of a caller's own functions, whose names nobody else knows.
        rest = rest.replace(name="parameters", annotation="Any" if axes else "float")
        vars(function)["__signature__"] = own.replace(parameters=[*named, *added, rest])
        entries = (
            f"{name} : {option.kind.documented(option.default)}"
            + (", or an axis" if name in axes else "")
            + (f"\n{fill(option.doc, 96, **_INDENTED)}" if explained else "")
            for name, option in options.items()
        )
        function.__doc__ = cleandoc(function.__doc__ or "").replace("OPTIONS", "\n".join(entries))
        return function

    return decorate


_INDENTED: Any = {"initial_indent": "    ", "subsequent_indent": "    "}
