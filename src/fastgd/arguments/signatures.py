"""Signatures and docstrings of the calls that take options: each option by name, as declared."""

from collections.abc import Callable, Collection, Mapping
from inspect import Parameter, cleandoc, signature
from textwrap import fill, indent
from types import MappingProxyType
from typing import Any, TypeVar

from fastgd.arguments.axes import OWNED
from fastgd.arguments.declarations import DECLARED, OF_EACH_RUN, STRUCTURES, Options
from fastgd.arguments.option_types import Number, Option
from fastgd.checks.messages import either

Call = TypeVar("Call", bound=Callable[..., Any])

AXES = (*STRUCTURES, *OF_EACH_RUN, *OWNED)
"""What may be an axis of a sweep."""


def taking(
    taken: Any = Options,
    *,
    without: Collection[str] = (),
    defaults: Mapping[str, Any] = MappingProxyType({}),
    axes: Collection[str] = (),
    explained: bool = False,
) -> Callable[[Call], Call]:
    """Decorate a function: its signature and docstring have each option that it takes.

    In the docstring they stand in place of the line ``OPTIONS``. Those of ``axes`` may have several
    values. ``explained`` is whether the docstring explains each, as that of :func:`fastgd.train`.
    """
    names = taken.__annotations__.keys() - without
    options = {name: option for name, option in DECLARED.items() if name in names}
    for name, owned in OWNED.items():
        if owned.option in names:
            doc = f"Parameter of {either(f'``{owned.option}={one!r}``' for one in owned.names)}."
            options[name] = Option(owned.default, Number(""), doc)
    entries, added = [], []
    for name, option in options.items():
        default, is_axis = defaults.get(name, option.default), name in axes
        hint = option.kind.annotated(is_axis=is_axis)
        added.append(Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=hint))
        entry = f"{name} : {option.kind.documented(default)}" + (", or an axis" if is_axis else "")
        about = f"\n{indent(fill(option.doc, 92), '    ')}" if explained else ""
        entries.append(entry + about)

    def decorate(function: Call) -> Call:
        own = signature(function)
        *named, rest = own.parameters.values()
        # Parameters of a caller's own functions, whose names nobody else knows.
        rest = rest.replace(name="parameters", annotation="Any" if axes else "float")
        vars(function)["__signature__"] = own.replace(parameters=[*named, *added, rest])
        function.__doc__ = cleandoc(function.__doc__ or "").replace("OPTIONS", "\n".join(entries))
        return function

    return decorate
