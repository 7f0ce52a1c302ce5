"""What kernels are made of: parts, and choices that are part of a kernel's type.

A kernel is compiled from its source as a whole, with one LLVM optimization: see
:mod:`.translation`. Numba's standard pipeline, which types and lowers each of 68 functions
separately, would take four times as long for a first kernel and for others of the same kind. Tried
and rejected: optimizing the parts function by function first (0.2 s more, no faster code). What
LLVM does is in :mod:`.numba_internals`.

What isn't chosen costs nothing, not even a branch. A :class:`Choice` is a marker whose name is part
of its Numba type. :func:`dispatch` makes a function whose body is selected by that name at compile
time. The indices of a choice's values are part of the type, too: they become constants in the
machine code, although this module doesn't assign them.
"""

from collections.abc import Callable, Sequence
from functools import cache, cached_property, update_wrapper
from hashlib import sha256
from inspect import Parameter, Signature, signature
from typing import Any, NamedTuple

from llvmlite import ir
from numba import njit, typeof
from numba.core import types
from numba.core.errors import TypingError
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import (
    NativeValue,
    intrinsic,
    lower_getattr_generic,
    models,
    overload,
    register_model,
    typeof_impl,
    unbox,
)

from fastgd.kernel.language import numba_internals

# Everything in kernel/iteration, extensions and training_loop.py becomes part of one compiled
# function. These options matter where Numba compiles a part separately: for tests, or if there is
# no source.
INLINED = {
    "error_model": "numpy",
    "forceinline": True,
    **numba_internals.NOT_COUNTED,
    **numba_internals.UNWRAPPED,
}
"""Options of a function that is part of a kernel."""

UNCOUNTED = {
    "error_model": "numpy",
    "nogil": True,
    **numba_internals.NOT_COUNTED,
    **numba_internals.NOT_FROM_C,
}
"""Options of a function that calls kernels and contains no parts of one."""

WHOLE = {"error_model": "numpy", "nogil": True, **numba_internals.WHOLE}
"""Options of a kernel."""

PARALLEL = {
    "error_model": "numpy",
    "nogil": True,
    "parallel": True,
    **numba_internals.NOT_FROM_C,
}
"""Options of a function that calls a kernel on all threads."""


class KernelPart:
    """A function that is part of kernels, which the translator takes from its source.

    Numba's own object for it, which a test or a kernel without a source calls, is made when it is
    first needed: 260 of them take a fifth of the time of an import.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.py_func = function
        self.__qualname__ = function.__qualname__
        update_wrapper(self, function)

    @cached_property
    def compiled(self) -> Any:
        """The function as Numba compiles it."""
        return njit(**INLINED)(self.py_func)

    def __call__(self, *args: Any) -> Any:
        """Call it as Numba compiles it."""
        return self.compiled(*args)

    def __repr__(self) -> str:
        """Like that of a function."""
        return f"<part of kernels {self.__module__}.{self.__qualname__}>"

    def __reduce__(self) -> str:
        """Pickled by name, as a function is."""
        return self.__qualname__


@typeof_impl.register(KernelPart)
def _typeof_part(value: KernelPart, context: Any) -> Any:
    return typeof_impl(value.compiled, context)


def part(function: Callable[..., Any]) -> Any:
    """Decorator: make a function a :class:`KernelPart`."""
    return KernelPart(function)


def emitted(defined: Callable[..., Any], given: Callable[..., Any] | None = None) -> Any:
    """Decorator: make an intrinsic of a function of its arguments' types.

    It returns the signature, and what emits code given a builder and the arguments' code. ``given``
    makes what stands for an argument there of a context, the builder, its type and its code.
    """

    def define(_typing: Any, *kinds: types.Type) -> Any:
        sig, emit = defined(*kinds)

        def codegen(context: Any, builder: Any, sig: Any, args: Sequence[Any]) -> Any:
            if given is not None:
                args = [given(context, builder, *each) for each in zip(sig.args, args, strict=True)]
            made = emit(builder, *args)
            return context.get_dummy_value() if made is None else made

        return sig, codegen

    define.__name__, define.__doc__ = defined.__name__, defined.__doc__
    typing = Parameter("_typing", Parameter.POSITIONAL_OR_KEYWORD)
    named = [typing, *signature(defined).parameters.values()]  # Numba binds arguments by them
    define.__signature__ = Signature(named)  # type: ignore[attr-defined]
    return intrinsic(define)


# ---------------------------------------------------------------- choices


class _Nothing(models.StructModel):
    """No data at all: a marker is no argument of the compiled function."""

    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, [])


def marker(numba_type):
    """Class decorator for a Numba type whose values are determined by the type alone."""
    register_model(numba_type)(_Nothing)

    @unbox(numba_type)
    def _unbox(_type, _object, _context):
        return NativeValue(ir.Constant(ir.LiteralStructType([]), []))

    return numba_type


class FormulaChoice(NamedTuple):
    """A formula as a list of operations, each of which comes after its operands.

    A node is ("variable", name), ("number", value, sign), or an operation with the indices of its
    operands. :mod:`fastgd.formulas.derivation` makes these from expressions.
    """

    nodes: tuple[tuple[Any, ...], ...]
    results: tuple[int, ...]  # indices of the result nodes


def _marked(formulas):
    """Short stand-in for formulas in a type's name, as symbol names are made of type names."""
    return {"formulas": _digest(tuple(formulas.items()))} if formulas else {}


@cache
def _digest(formulas):
    return sha256(repr(sorted(formulas)).encode()).hexdigest()[:16]


class Marker:
    """A value whose content is part of its Numba type; two are equal if their keys are."""

    _key: Any

    def __eq__(self, other):
        return self._key == other._key if type(other) is type(self) else NotImplemented

    def __hash__(self):
        return hash(self._key)


class Choice(Marker):
    """Marker for the choice with this name, with the indices of its values by name.

    It may contain formulas, each for one purpose, from which code is generated; their variables are
    tiles passed to that code, or values of the choice. Two choices with equal contents have the
    same type, and the same code.
    """

    def __init__(self, name, formulas=(), **places):
        self.name = name
        self.formulas = dict(formulas)
        self.places = places
        # Computed once, as kernels are looked up by it.
        self._key = (name, tuple(self.formulas.items()), tuple(places.items()))

    def __hash__(self):
        return hash((self.name, *self.places.values()))

    def __repr__(self):
        facts = _pairs(_marked(self.formulas) | self.places)
        return f"Choice({', '.join([repr(self.name), *facts])})"


class KnownFacts(Marker):
    """Marker for nested named tuples of integers that become constants in the code."""

    def __init__(self, known):
        self.known = self._key = known

    def __repr__(self):
        return f"KnownFacts({self.known})"


class Features(Marker):
    """Markers by name: a :class:`Choice` for each feature that is on, None for the others."""

    def __init__(self, **members):
        self.members = members
        self._key = tuple(members.items())

    def __getattr__(self, name):
        try:
            return self.__dict__["members"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __repr__(self):
        return f"Features({', '.join(_pairs(self.members))})"

    def replaced(self, **members):
        """A copy with these members replaced."""
        return Features(**self.members | members)


def _pairs(members):
    return [f"{name}={value}" for name, value in members.items()]


@marker
class ChoiceType(types.Type):
    """The Numba type of a :class:`Choice`, all of whose contents are part of the type."""

    def __init__(self, name, formulas, places):
        self.choice = name
        self.formulas = dict(formulas)
        self.places = dict(places)
        facts = _pairs(_marked(self.formulas) | self.places)
        super().__init__(f"Choice({', '.join([name, *facts])})")


@marker
class KnownFactsType(types.Type):
    """The Numba type of :class:`KnownFacts`; only translated kernels can read them."""

    def __init__(self, known):
        self.known = known
        super().__init__(f"KnownFacts({sha256(repr(known).encode()).hexdigest()[:16]})")


@marker
class MarkersType(types.Type):
    """The Numba type of named markers and Nones, itself a marker."""

    def __init__(self, name, members):
        self.members = dict(members)
        self.kind = name
        super().__init__(f"{name}({', '.join(_pairs(self.members))})")


typeof_impl.register(KnownFacts)(lambda value, _context: KnownFactsType(value.known))
typeof_impl.register(Choice)(
    lambda value, _context: ChoiceType(value.name, value.formulas.items(), value.places.items())
)


@typeof_impl.register(Features)
def _typeof_features(value, _context):
    kinds = ((name, typeof(member)) for name, member in value.members.items())
    return MarkersType("Features", tuple(kinds))


def markers(named_tuple):
    """Class decorator: make a NamedTuple known to Numba by the types of its fields only."""

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


@infer_getattr
class _Places(AttributeTemplate):
    key = ChoiceType

    def generic_resolve(self, kind, name):
        return types.intp if name in kind.places else None


@lower_getattr_generic(ChoiceType)
def _place(context, _builder, kind, _value, name):
    return context.get_constant(types.intp, kind.places[name])


_PICKS: dict[Any, Any] = {}


def picked_body(stub, kinds):
    """The body that :func:`dispatch` selects for arguments of these types, or None."""
    pick = _PICKS.get(stub) if callable(stub) else None
    return pick and pick(*kinds)


def replaced_by(load, stub):
    """Where its first argument is a choice, let the function of the same name take a stub's place.

    That is in the module ``load()``, which is imported when a kernel with the choice is compiled:
    no other kernel needs it. The stub itself is for None, and for the choice "all" (of samples).
    """

    def pick(choice, *others):
        if isinstance(choice, types.NoneType) or choice.choice == "all":
            return stub
        found = getattr(load(), stub.__name__)
        found = getattr(found, "py_func", found)
        return picked_body(found, (choice, *others)) or found

    dispatch(stub, pick)


def dispatch(stub, bodies):
    """Make ``stub(choice, ...)`` compile to the body that ``bodies`` has for the choice's name.

    If more than one argument decides, ``bodies`` is a function of the arguments' types.
    """

    def by_name(choice, *_others):
        if choice.choice not in bodies:
            names = " or ".join(map(repr, bodies))
            raise TypingError(f"{stub.__name__} must be {names}, got {choice.choice!r}")
        return bodies[choice.choice]

    pick = bodies if callable(bodies) else by_name
    _PICKS[stub] = pick
    overload(stub, jit_options=INLINED, strict=False)(pick)
