"""Choices that are part of a kernel's type: what is not chosen costs nothing, not even a branch.

A :class:`Choice` is a marker whose name is part of its Numba type. :func:`dispatch` makes a
function whose body is picked by the name while the kernel is compiled.
"""

from llvmlite import ir
from numba import typeof
from numba.core import types
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import (
    NativeValue,
    lower_getattr_generic,
    models,
    overload,
    register_model,
    typeof_impl,
    unbox,
)


class _Nothing(models.StructModel):
    """No value at all: a marker is no argument of the compiled function."""

    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, [])


def marker(numba_type):
    """Class decorator for a Numba type whose values are known by their type only."""
    register_model(numba_type)(_Nothing)

    @unbox(numba_type)
    def _unbox(_type, _object, _context):
        return NativeValue(ir.Constant(ir.LiteralStructType([]), []))

    return numba_type


class Choice:
    """Marker for the choice with this name."""

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return f"Choice({self.name!r})"


@marker
class ChoiceType(types.Type):
    """The Numba type of a :class:`Choice`; the name is part of the type."""

    def __init__(self, name):
        self.choice = name
        super().__init__(f"Choice({name})")


@marker
class MarkersType(types.Type):
    """The Numba type of a NamedTuple of markers and Nones, itself a marker."""

    def __init__(self, name, members):
        self.members = dict(members)
        super().__init__(f"{name}({', '.join(f'{k}={v}' for k, v in members)})")


@typeof_impl.register(Choice)
def _typeof_choice(value, _context):
    return ChoiceType(value.name)


def markers(named_tuple):
    """Class decorator: let such a NamedTuple be known to Numba by the types of its fields only."""

    @typeof_impl.register(named_tuple)
    def _typeof(value, _context):
        kinds = ((name, typeof(getattr(value, name))) for name in value._fields)
        return MarkersType(named_tuple.__name__, tuple(kinds))

    return named_tuple


@infer_getattr
class _Members(AttributeTemplate):
    key = MarkersType

    def generic_resolve(self, kind, name):
        return kind.members.get(name)


@lower_getattr_generic(MarkersType)
def _member(context, _builder, kind, _value, name):
    return ir.Constant(context.get_value_type(kind.members[name]), None)


def dispatch(stub, bodies, options):
    """Let ``stub(choice, ...)`` be the body that ``bodies`` has for the choice's name.

    Where more than one argument decides, ``bodies`` is a function of the arguments' types.
    """
    pick = bodies if callable(bodies) else lambda choice, *_others: bodies[choice.choice]
    overload(stub, jit_options=options, strict=False)(pick)
