"""Choices that are part of a kernel's type: what is not chosen costs nothing, not even a branch.

A :class:`Choice` is a marker whose name is part of its Numba type. :func:`dispatch` makes a
function whose body is picked by the name while the kernel is compiled.
"""

from numba.core import types
from numba.extending import NativeValue, models, overload, register_model, typeof_impl, unbox


class Choice:
    """Marker for the choice with this name."""

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return f"Choice({self.name!r})"


class ChoiceType(types.Type):
    """The Numba type of a :class:`Choice`; the name is part of the type."""

    def __init__(self, name):
        self.choice = name
        super().__init__(f"Choice({name})")


register_model(ChoiceType)(models.OpaqueModel)


@typeof_impl.register(Choice)
def _typeof_choice(value, _context):
    return ChoiceType(value.name)


@unbox(ChoiceType)
def _unbox_choice(_type, _object, context):
    return NativeValue(context.context.get_dummy_value())


def dispatch(stub, bodies, options):
    """Let ``stub(choice, ...)`` be the body that ``bodies`` has for the choice's name.

    Where more than one argument decides, ``bodies`` is a function of the arguments' types.
    """
    pick = bodies if callable(bodies) else lambda choice, *_others: bodies[choice.choice]
    overload(stub, jit_options=options, strict=False)(pick)
