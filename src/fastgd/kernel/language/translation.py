"""Kernels from their own source to LLVM, without Numba's type inference.

Numba compiles each function by itself: bytecode, SSA form, types, some 25 passes. For the 68
functions of a kernel of 3-4-1 that was two thirds of the time to compile it. But a kernel is
written in a small part of Python, whose types follow from the arguments in the order of the text.
So its source is walked once, calls inlined as they come, each operation emitted by the code that
Numba would call, too: tiles, words, structs and choices are defined once, for both. Numba sees a
kernel as one call of one intrinsic.

What Python knows while it walks is no code at all: numbers, None, the places and names of choices,
the sizes of shapes; of an ``if`` about them one side is looked at. Structs, tiles, and int64,
float64 and bool are values of the kernel. What the walk doesn't know raises :class:`UnknownError`,
which names the line.

The same source compiles by Numba alone, to the same bits: without a source file at hand, or
without the private parts in :mod:`.numba_internals`.
"""

import ast
import builtins
import operator
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache, partial, wraps
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from fastgd.kernel.language import structs
from fastgd.kernel.language.choice import ChoiceType, FactsType, MarkersType, picked_body
from fastgd.kernel.language.numba_internals import LACKING, definition_of
from fastgd.kernel.language.tile import OPERATORS

_I1, _I64, _F64 = ir.IntType(1), ir.IntType(64), ir.DoubleType()

_BINARY = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}
_COMPARISONS = {
    ast.Eq: ("==", operator.eq),
    ast.NotEq: ("!=", operator.ne),
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
}
_OF_INTEGERS = {
    operator.add: "add",
    operator.sub: "sub",
    operator.mul: "mul",
    operator.lshift: "shl",
    operator.rshift: "ashr",
    operator.and_: "and_",
    operator.or_: "or_",
    operator.xor: "xor",
}
_OF_FLOATS = {
    operator.add: "fadd",
    operator.sub: "fsub",
    operator.mul: "fmul",
    operator.truediv: "fdiv",
}


UNROLLED = 4
"""In code for known sizes so many rounds of a loop are there one after the other."""

TRANSLATES = not LACKING and Path(__file__).is_file()
"""Whether there are sources to translate: else Numba does it all."""


class UnknownError(Exception):
    """The source has something that the walk does not know."""


@dataclass(frozen=True, slots=True)
class Value:
    """What only a running kernel knows: its Numba type, and what LLVM calls it."""

    kind: types.Type
    code: Any


@dataclass(frozen=True, slots=True)
class Slot:
    """A variable that is assigned more than once: where it lies."""

    kind: types.Type
    place: Any


class _Return(NamedTuple):
    """Where a function's result goes that is returned from within loops or branches."""

    block: Any
    slots: list[Any]


def translated(
    function: Callable[..., Any] | None = None, *, returned: types.Type = types.none
) -> Any:
    """Decorator: what Numba compiles in place of a function, one call of an intrinsic.

    The function itself where its source is missing. What it returns is of the type ``returned``.
    """
    if function is None:
        return partial(translated, returned=returned)
    if not TRANSLATES:
        return function
    names = ", ".join(function.__code__.co_varnames[: function.__code__.co_argcount])

    def define(_typing: Any, *kinds: types.Type) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            walk = _Walk(context, builder)
            given = [walk.taken(kind, code) for kind, code in zip(sig.args, args, strict=True)]
            return walk.cast(walk.call_body(function, given, {}), returned)

        return returned(*kinds), codegen

    name, made = function.__name__, {"define": define, "intrinsic": intrinsic}
    text = f"""
@intrinsic
def whole(typing, {names}):
    return define(typing, {names})

def {name}({names}):
    return whole({names})
"""
    exec(text, made)
    compiled: Any = made[name]
    return wraps(function)(compiled)


# ------------------------------------------------------------------ sources


class _Source(NamedTuple):
    """A function's text: the names of its parameters, its statements, and what it assigns twice."""

    parameters: tuple[str, ...]
    defaults: dict[str, Any]
    body: list[ast.stmt]
    slots: frozenset[str]


@cache
def _tree_of(filename: str) -> ast.Module:
    return ast.parse(Path(filename).read_text(encoding="utf-8"))


@cache
def _all_functions_of(filename: str) -> dict[int, list[Any]]:
    """The functions of a file, also within others, by the line where each begins."""
    found: dict[int, list[Any]] = {}
    for node in ast.walk(_tree_of(filename)):
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            found.setdefault(_first_line(node), []).append(node)
    return found


@cache
def _functions_of(filename: str) -> dict[int, list[Any]]:
    """The functions of a file that are in no other one: most of them, found soon."""
    functions = (node for node in _tree_of(filename).body if isinstance(node, ast.FunctionDef))
    return {_first_line(node): [node] for node in functions}


def _first_line(node: Any) -> int:
    first: int = min(
        [node, *getattr(node, "decorator_list", ())], key=lambda each: each.lineno
    ).lineno
    return first


def _source_of(function: Callable[..., Any]) -> _Source:
    text = getattr(function, "__text__", "")
    return _source(function.__code__, text, function.__defaults__ or (), function.__qualname__)


@lru_cache(1024)
def _source(code: Any, text: str, given: tuple[Any, ...], name: str) -> _Source:
    node: Any = ast.parse(text).body[0] if text else _node_of(code, name)
    others = node.args.kwonlyargs, node.args.posonlyargs, node.args.kwarg, node.args.vararg
    if any(others):
        raise UnknownError(f"the parameters of {name}")
    parameters = tuple(each.arg for each in node.args.args)
    body: list[ast.stmt] = [ast.Return(node.body)] if isinstance(node, ast.Lambda) else node.body
    defaults = dict(zip(parameters[len(parameters) - len(given) :], given, strict=True))
    return _Source(parameters, defaults, body, _assigned_again(parameters, body))


def _node_of(code: Any, name: str) -> Any:
    names = code.co_varnames[: code.co_argcount]
    for functions in (_functions_of, _all_functions_of):
        try:
            candidates = functions(code.co_filename).get(code.co_firstlineno, [])
        except (OSError, SyntaxError) as error:
            raise UnknownError(f"no source of {name}: {error}") from error
        nodes = [
            node
            for node in candidates
            if tuple(each.arg for each in node.args.args) == names
            and getattr(node, "name", "<lambda>") == code.co_name
        ]
        if len(nodes) > 1:  # lambdas of one line
            begins = {(line, column) for line, _, column, _ in code.co_positions()}
            nodes = [node for node in nodes if _place(node.body) in begins]
        if len(nodes) == 1:
            return nodes[0]
    raise UnknownError(f"{len(nodes)} sources of {name}")


def _place(node: Any) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _assigned_again(parameters: Sequence[str], body: Sequence[ast.stmt]) -> frozenset[str]:
    """Names that loops or branches assign, if that is not the only time."""
    times, nested = Counter(parameters), set()

    def visit(node: ast.AST, inside: bool) -> None:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            times[node.id] += 1
            if inside:
                nested.add(node.id)
        inside = inside or isinstance(node, ast.For | ast.While | ast.If)
        for child in ast.iter_child_nodes(node):
            visit(child, inside)
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            times[node.target.id] += 1

    for statement in body:
        visit(statement, False)
    return frozenset(name for name in nested if times[name] > 1)


# ------------------------------------------------------------------ the walk


class _Frame:
    """A function that is being walked."""

    def __init__(self, function: Callable[..., Any], source: _Source) -> None:
        self.function = function
        self.source = source
        self.names: dict[str, Any] = {}
        self.depth = 0  # of loops and branches of the running kernel
        self.returned: _Return | None = None
        self.result: Any = None
        self.loops: list[tuple[Any, Any]] = []  # where continue and break lead to
        cells = function.__closure__ or ()
        self.outer = dict(zip(function.__code__.co_freevars, cells, strict=True))

    def find(self, name: str) -> Any:
        """What a name means that isn't the function's own."""
        if name in self.outer:
            return self.outer[name].cell_contents
        if name in self.function.__globals__:
            return self.function.__globals__[name]
        if hasattr(builtins, name):
            return getattr(builtins, name)
        raise UnknownError(f"the name {name!r}")


class _Walk:
    """Emits functions into the block where the builder stands."""

    def __init__(self, context: Any, builder: Any) -> None:
        self.context = context
        self.builder = builder
        self.frames: list[_Frame] = []
        self.has_facts = False

    @property
    def frame(self) -> _Frame:
        return self.frames[-1]

    # -------------------------------------------------------------- values

    def taken(self, kind: types.Type, code: Any) -> Any:
        """A value of the kernel; what its type says already is Python's."""
        if isinstance(kind, types.NoneType):
            return None
        if kind == types.int64 and isinstance(code, ir.Constant):
            return code.constant
        return Value(kind, code)

    def kind_of(self, value: Any) -> Any:
        if isinstance(value, Value):
            return value.kind
        if value is None:
            return types.none
        if isinstance(value, bool):
            return types.boolean
        if isinstance(value, int):
            return types.int64
        if isinstance(value, float):
            return types.float64
        if isinstance(value, tuple):
            return types.BaseTuple.from_types([self.kind_of(each) for each in value])
        if isinstance(value, np.ndarray):
            return numba.typeof(value)
        raise UnknownError(f"{value!r} as a value")

    def value(self, value: Any) -> Value:
        """The same as a value of the kernel."""
        if isinstance(value, Value):
            if value.kind == types.uint8:
                return Value(types.int64, self.builder.zext(value.code, _I64))
            return value
        kind = self.kind_of(value)
        if kind == types.none:
            return Value(kind, self.context.get_dummy_value())
        if isinstance(value, tuple):
            parts = [self.value(each).code for each in value]
            return Value(kind, self.context.make_tuple(self.builder, kind, parts))
        if isinstance(value, np.ndarray):
            return Value(kind, self.context.get_constant_generic(self.builder, kind, value))
        element = _I1 if kind == types.boolean else _I64 if kind == types.int64 else _F64
        return Value(kind, ir.Constant(element, value))

    def cast(self, value: Any, kind: types.Type) -> Any:
        """Its code as a value of this type."""
        if isinstance(value, int) and kind == types.float64:
            return ir.Constant(_F64, float(value))
        own = self.value(value)
        if own.kind == kind:
            return own.code
        build = self.builder
        if own.kind == types.boolean and kind == types.int64:
            return build.zext(own.code, _I64)
        if own.kind == types.boolean and kind == types.float64:
            return build.uitofp(own.code, _F64)
        if own.kind == types.int64 and kind == types.float64:
            return build.sitofp(own.code, _F64)
        if own.kind == types.int64 and kind == types.uint8:
            return build.trunc(own.code, ir.IntType(8))
        raise UnknownError(f"{own.kind} where {kind} is wanted")

    def truth(self, value: Any) -> Any:
        """Whether it counts as true: a bool of Python, or the code of one."""
        if not isinstance(value, Value):
            return bool(value)
        value = self.value(value)
        if value.kind == types.boolean:
            return value.code
        zero = ir.Constant(value.code.type, 0)
        if value.kind == types.int64:
            return self.builder.icmp_signed("!=", value.code, zero)
        if value.kind == types.float64:
            return self.builder.fcmp_unordered("!=", value.code, zero)
        if isinstance(value.kind, MarkersType | ChoiceType):
            return True
        raise UnknownError(f"whether {value.kind} is true")

    # -------------------------------------------------------------- variables

    def slot(self, kind: types.Type) -> Slot:
        with self.builder.goto_entry_block():
            return Slot(kind, self.builder.alloca(self.context.get_value_type(kind)))

    def assign(self, name: str, value: Any) -> None:
        frame = self.frame
        if name not in frame.source.slots:
            frame.names[name] = value
            return
        there = frame.names.get(name)
        if isinstance(there, Slot):
            kind = self.kind_of(value)
            # Of another type it is another variable; but numbers of two types would be one.
            if kind == there.kind or (frame.depth and isinstance(there.kind, types.Number)):
                self.builder.store(self.cast(value, there.kind), there.place)
                return
        elif name in frame.names and frame.depth:
            raise UnknownError(f"another {name!r} in a loop or branch")
        if value is None or isinstance(value, tuple):
            frame.names[name] = value
            return
        value = self.value(value)
        slot = self.slot(value.kind)
        self.builder.store(value.code, slot.place)
        frame.names[name] = slot

    # -------------------------------------------------------------- statements

    def call_body(
        self, function: Callable[..., Any], given: Sequence[Any], named: dict[str, Any]
    ) -> Any:
        """What a function returns whose body is emitted here."""
        source = _source_of(function)
        frame = _Frame(function, source)
        if len(given) > len(source.parameters) or len(self.frames) > 100:
            raise UnknownError(f"a call of {function.__qualname__}")
        arguments = source.defaults | dict(zip(source.parameters, given, strict=False)) | named
        if arguments.keys() != set(source.parameters):
            raise UnknownError(f"the arguments of {function.__qualname__}")
        self.frames.append(frame)
        for name, value in arguments.items():
            self.assign(name, value)
        self.statements(source.body)
        if frame.returned is not None:
            if not self.builder.block.is_terminated:
                self.leave(None)
            self.builder.position_at_end(frame.returned.block)
            frame.result = self.loaded(frame.returned.slots)
        self.frames.pop()
        return frame.result

    def loaded(self, slots: Any) -> Any:
        if isinstance(slots, Slot):
            return Value(slots.kind, self.builder.load(slots.place))
        if isinstance(slots, tuple):
            return tuple(map(self.loaded, slots))
        return slots

    def statements(self, body: Sequence[ast.stmt]) -> bool:
        """Emit them; whether the end is reached."""
        for statement in body:
            try:
                if not getattr(self, f"on_{type(statement).__name__.lower()}", self.on_other)(
                    statement
                ):
                    return False
            except UnknownError as error:
                if hasattr(error, "placed"):
                    raise
                function = self.frame.function
                line = getattr(statement, "lineno", 1)
                placed = UnknownError(f"{error} ({function.__qualname__}, line {line})")
                placed.placed = True  # type: ignore[attr-defined]
                raise placed from error
        return True

    def on_other(self, statement: ast.stmt) -> bool:
        raise UnknownError(f"a statement: {type(statement).__name__}")

    def on_pass(self, _statement: ast.Pass) -> bool:
        return True

    def on_expr(self, statement: ast.Expr) -> bool:
        if not isinstance(statement.value, ast.Constant):
            self.expression(statement.value)
        return True

    def on_assign(self, statement: ast.Assign) -> bool:
        value = self.expression(statement.value)
        for target in statement.targets:
            self.put(target, value)
        return True

    def on_augassign(self, statement: ast.AugAssign) -> bool:
        target = statement.target
        own = ast.copy_location(
            ast.Name(target.id, ast.Load()) if isinstance(target, ast.Name) else target, target
        )
        first, second = self.expression(own), self.expression(statement.value)
        self.put(target, self.binary(_BINARY[type(statement.op)], first, second))
        return True

    def put(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Name):
            self.assign(target.id, value)
        elif isinstance(target, ast.Tuple):
            if not isinstance(value, tuple):
                raise UnknownError("what is taken apart")
            for each, part in zip(target.elts, value, strict=True):
                self.put(each, part)
        elif isinstance(target, ast.Subscript):
            owner, index = self.expression(target.value), self.expression(target.slice)
            if not isinstance(owner, Value) or isinstance(owner.kind, structs.Table):
                raise UnknownError("an item that is set")
            kind, place = self.place_of(owner, index)
            self.builder.store(self.cast(value, kind), place)
        else:
            raise UnknownError(f"a target: {type(target).__name__}")

    def on_return(self, statement: ast.Return) -> bool:
        value = None if statement.value is None else self.expression(statement.value)
        if self.frame.depth or self.frame.returned:
            self.leave(value)
        else:
            self.frame.result = value
        return False

    def leave(self, value: Any) -> None:
        """Go to the end of the function with this result."""
        frame = self.frame
        if frame.returned is None:
            end = self.builder.append_basic_block("end")
            frame.returned = _Return(end, self.slots_for(value))
        self.fill(frame.returned.slots, value)
        self.builder.branch(frame.returned.block)

    def slots_for(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(self.slots_for, value))
        return None if value is None else self.slot(self.value(value).kind)

    def fill(self, slots: Any, value: Any) -> None:
        if isinstance(slots, Slot):
            self.builder.store(self.cast(value, slots.kind), slots.place)
        elif isinstance(slots, tuple):
            for slot, part in zip(slots, value, strict=True):
                self.fill(slot, part)
        elif value is not None:
            raise UnknownError("a function that returns something, or nothing")

    @contextmanager
    def deeper(self) -> Iterator[None]:
        self.frame.depth += 1
        yield
        self.frame.depth -= 1

    def on_if(self, statement: ast.If) -> bool:
        test = self.truth(self.expression(statement.test))
        if isinstance(test, bool):
            return self.statements(statement.body if test else statement.orelse)
        build, after = self.builder, None
        then, other = (build.append_basic_block(name) for name in ("then", "else"))
        build.cbranch(test, then, other)
        with self.deeper():
            for block, body in ((then, statement.body), (other, statement.orelse)):
                build.position_at_end(block)
                if self.statements(body):
                    after = after or build.append_basic_block("after")
                    build.branch(after)
        if after is None:
            return False
        build.position_at_end(after)
        return True

    def on_while(self, statement: ast.While) -> bool:
        build = self.builder
        head, body, after = (build.append_basic_block(name) for name in ("head", "body", "after"))
        build.branch(head)
        with self.deeper():
            build.position_at_end(head)
            test = self.truth(self.expression(statement.test))
            build.cbranch(ir.Constant(_I1, test) if isinstance(test, bool) else test, body, after)
            build.position_at_end(body)
            self.loop(statement.body, head, after)
        build.position_at_end(after)
        return True

    def loop(self, body: Sequence[ast.stmt], again: Any, after: Any) -> None:
        self.frame.loops.append((again, after))
        if self.statements(body):
            self.builder.branch(again)
        self.frame.loops.pop()

    def on_for(self, statement: ast.For) -> bool:
        called = statement.iter
        if not isinstance(called, ast.Call) or self.expression(called.func) is not range:
            raise UnknownError("a loop over anything but a range")
        bounds = [self.expression(each) for each in called.args]
        start, stop, step = (0, *bounds, 1) if len(bounds) == 1 else (*bounds, 1)[:3]
        if all(isinstance(each, int) for each in (start, stop, step)):
            rounds = range(start, stop, step)
            if len(rounds) <= (UNROLLED if self.has_facts else 1):
                return self.rounds(statement, rounds)
        build, counter = self.builder, self.slot(types.int64)
        stop, by = self.cast(stop, types.int64), self.cast(step, types.int64)
        build.store(self.cast(start, types.int64), counter.place)
        names = ("head", "body", "next", "after")
        head, body, following, after = (build.append_basic_block(name) for name in names)
        build.branch(head)
        with self.deeper():
            build.position_at_end(head)
            now = build.load(counter.place)
            goes_on = build.icmp_signed("<", now, stop)
            if not isinstance(step, int) or step < 0:
                falls = build.icmp_signed(">", now, stop)
                goes_on = build.select(build.icmp_signed(">", by, _I64(0)), goes_on, falls)
            build.cbranch(goes_on, body, after)
            build.position_at_end(body)
            self.put(statement.target, Value(types.int64, now))
            self.loop(statement.body, following, after)
            build.position_at_end(following)
            build.store(build.add(now, by), counter.place)
            build.branch(head)
        build.position_at_end(after)
        return True

    def rounds(self, statement: ast.For, rounds: range) -> bool:
        """The body for each of some numbers."""
        if any(isinstance(node, ast.Break | ast.Continue) for node in ast.walk(statement)):
            raise UnknownError("a short loop that is left early")
        for each in rounds:
            self.put(statement.target, each)
            if not self.statements(statement.body):
                return False
        return True

    def on_break(self, _statement: ast.Break) -> bool:
        self.builder.branch(self.frame.loops[-1][1])
        return False

    def on_continue(self, _statement: ast.Continue) -> bool:
        self.builder.branch(self.frame.loops[-1][0])
        return False

    # -------------------------------------------------------------- expressions

    def expression(self, node: ast.expr) -> Any:
        """A value of the kernel, or what Python knows."""
        return getattr(self, f"of_{type(node).__name__.lower()}", self.of_other)(node)

    def of_other(self, node: ast.expr) -> Any:
        raise UnknownError(f"an expression: {type(node).__name__}")

    def of_constant(self, node: ast.Constant) -> Any:
        return node.value

    def of_name(self, node: ast.Name) -> Any:
        names = self.frame.names
        found = names[node.id] if node.id in names else self.frame.find(node.id)
        return self.loaded(found) if isinstance(found, Slot) else found

    def of_tuple(self, node: ast.Tuple) -> Any:
        return tuple(self.listed(node.elts))

    def listed(self, nodes: Sequence[ast.expr]) -> list[Any]:
        values: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                values += self.expression(node.value)
            else:
                values.append(self.expression(node))
        return values

    def of_attribute(self, node: ast.Attribute) -> Any:
        owner, name = self.expression(node.value), node.attr
        if not isinstance(owner, Value):
            return getattr(owner, name)
        kind = owner.kind
        if isinstance(kind, ChoiceType):
            return kind.places[name]
        if isinstance(kind, MarkersType):
            member = kind.members[name]
            if isinstance(member, types.NoneType):
                return None
            if isinstance(member, FactsType):
                self.has_facts = True
                return member.known
            return Value(member, ir.Constant(self.context.get_value_type(member), None))
        if isinstance(kind, structs.Struct):
            code = structs.field(self.context, self.builder, kind, owner.code, name)
            return Value(kind.fields[name][1], code)
        raise UnknownError(f"{name!r} of {kind}")

    def of_subscript(self, node: ast.Subscript) -> Any:
        owner, index = self.expression(node.value), self.expression(node.slice)
        parts = index if isinstance(index, tuple) else (index,)
        if not any(isinstance(each, Value) for each in (owner, *parts)):
            return owner[index]
        owner = self.value(owner)
        if isinstance(owner.kind, structs.Table):
            at = self.cast(index, types.int64)
            code = structs.item(self.context, self.builder, owner.kind, owner.code, at)
            return Value(owner.kind.struct, code)
        kind, place = self.place_of(owner, index)
        return Value(kind, self.builder.load(place))

    def place_of(self, owner: Value, index: Any) -> tuple[types.Type, Any]:
        """The type of a number of a buffer or an array, and its address."""
        if not isinstance(owner.kind, structs.Buffer | types.Array):
            raise UnknownError(f"an item of {owner.kind}")
        indices = index if isinstance(index, tuple) else (index,)
        at = [self.cast(each, types.int64) for each in indices]
        return owner.kind.dtype, structs.address_at(
            self.context, self.builder, owner.kind, owner.code, at
        )

    def of_unaryop(self, node: ast.UnaryOp) -> Any:
        value = self.expression(node.operand)
        if isinstance(node.op, ast.Not):
            truth = self.truth(value)
            if isinstance(truth, bool):
                return not truth
            return Value(types.boolean, self.builder.not_(truth))
        if not isinstance(node.op, ast.USub):
            raise UnknownError(f"an operator: {type(node.op).__name__}")
        if not isinstance(value, Value):
            return -value
        if value.kind == types.int64:
            return Value(types.int64, self.builder.neg(value.code))
        if value.kind == types.float64:
            return Value(types.float64, self.builder.fneg(value.code))
        raise UnknownError(f"minus {value.kind}")

    def of_binop(self, node: ast.BinOp) -> Any:
        first, second = self.expression(node.left), self.expression(node.right)
        return self.binary(_BINARY[type(node.op)], first, second)

    def binary(self, function: Any, first: Any, second: Any) -> Any:
        """An operation with two operands."""
        pair = first, second
        if not any(isinstance(each, Value) for each in pair):
            return function(first, second)
        kinds = [self.kind_of(each) for each in pair]
        for vector, result, emit in OPERATORS.get(function, ()):
            lanes = [kind.lanes for kind in kinds if isinstance(kind, vector)]
            if lanes:
                wanted = [kind if isinstance(kind, vector) else vector.number for kind in kinds]
                codes = [self.cast(each, kind) for each, kind in zip(pair, wanted, strict=True)]
                made = result(lanes[0])
                return Value(made, emit(self.builder, made.lanes, codes))
        return self.of_numbers(function, pair, kinds)

    def of_numbers(self, function: Any, pair: Any, kinds: Any) -> Value:
        build = self.builder
        if function is operator.truediv or types.float64 in kinds:
            codes = [self.cast(each, types.float64) for each in pair]
            if function not in _OF_FLOATS:
                raise UnknownError(f"{function.__name__} of floats")
            return Value(types.float64, getattr(build, _OF_FLOATS[function])(*codes))
        if function in (operator.and_, operator.or_) and set(kinds) == {types.boolean}:
            codes = [self.cast(each, types.boolean) for each in pair]
            return Value(types.boolean, getattr(build, _OF_INTEGERS[function])(*codes))
        codes = [self.cast(each, types.int64) for each in pair]
        if function in (operator.floordiv, operator.mod):
            return Value(types.int64, self.floored(function, *codes))
        if function not in _OF_INTEGERS:
            raise UnknownError(f"{function.__name__} of integers")
        return Value(types.int64, getattr(build, _OF_INTEGERS[function])(*codes))

    def floored(self, function: Any, a: Any, b: Any) -> Any:
        """Quotient or remainder toward minus infinity, as Python has it."""
        build, zero = self.builder, _I64(0)
        rest = build.srem(a, b)
        differs = build.icmp_signed("<", build.xor(rest, b), zero)
        wrong = build.and_(build.icmp_signed("!=", rest, zero), differs)
        if function is operator.mod:
            return build.select(wrong, build.add(rest, b), rest)
        quotient = build.sdiv(a, b)
        return build.select(wrong, build.sub(quotient, _I64(1)), quotient)

    def of_compare(self, node: ast.Compare) -> Any:
        if len(node.ops) != 1:
            raise UnknownError("a chain of comparisons")
        first, second = self.expression(node.left), self.expression(node.comparators[0])
        if isinstance(node.ops[0], ast.Is | ast.IsNot):
            if second is not None:
                raise UnknownError("identity with anything but None")
            return (first is None) == isinstance(node.ops[0], ast.Is)
        sign, function = _COMPARISONS[type(node.ops[0])]
        pair = first, second
        if not any(isinstance(each, Value) for each in pair):
            return function(first, second)
        kinds = [self.kind_of(each) for each in pair]
        if any(not isinstance(kind, types.Number | types.Boolean) for kind in kinds):
            return self.binary(function, first, second)
        if types.float64 in kinds:
            codes = [self.cast(each, types.float64) for each in pair]
            compare = self.builder.fcmp_unordered if sign == "!=" else self.builder.fcmp_ordered
        else:
            codes = [self.cast(each, types.int64) for each in pair]
            compare = self.builder.icmp_signed
        return Value(types.boolean, compare(sign, *codes))

    def of_boolop(self, node: ast.BoolOp) -> Any:
        return self.in_turn(isinstance(node.op, ast.And), node.values)

    def in_turn(self, is_and: bool, nodes: Sequence[ast.expr]) -> Any:
        """The operands of ``and`` or ``or``, of which one decides."""
        first = self.truth(self.expression(nodes[0]))
        if len(nodes) == 1:
            return first if isinstance(first, bool) else Value(types.boolean, first)
        if isinstance(first, bool):
            return self.in_turn(is_and, nodes[1:]) if first == is_and else first
        rest = (lambda: self.in_turn(is_and, nodes[1:])), (lambda: not is_and)
        return self.either(first, *(rest if is_and else rest[::-1]))

    def of_ifexp(self, node: ast.IfExp) -> Any:
        test = self.truth(self.expression(node.test))
        if isinstance(test, bool):
            return self.expression(node.body if test else node.orelse)
        return self.either(
            test, lambda: self.expression(node.body), lambda: self.expression(node.orelse)
        )

    def either(self, test: Any, first: Callable[[], Any], second: Callable[[], Any]) -> Any:
        """One of two values, of which only that one is worked out."""
        build = self.builder
        blocks = [build.append_basic_block(name) for name in ("then", "else")]
        build.cbranch(test, *blocks)
        after, made = build.append_basic_block("after"), []
        with self.deeper():
            for block, emit in zip(blocks, (first, second), strict=True):
                build.position_at_end(block)
                made.append((self.value(emit()), build.block))
        kinds = {value.kind for value, _ in made}
        kind = types.float64 if kinds == {types.float64, types.int64} else made[0][0].kind
        codes = []
        for value, block in made:
            build.position_at_end(block)
            codes.append(self.cast(value, kind))
            build.branch(after)
        build.position_at_end(after)
        chosen = build.phi(codes[0].type)
        for code, (_, block) in zip(codes, made, strict=True):
            chosen.add_incoming(code, block)
        return Value(kind, chosen)

    # -------------------------------------------------------------- calls

    def of_call(self, node: ast.Call) -> Any:
        called = self.expression(node.func)
        given = self.listed(node.args)
        named = {str(each.arg): self.expression(each.value) for each in node.keywords}
        if compiled := getattr(called, "py_func", None):
            return self.call_body(compiled, given, named)
        if (defined := definition_of(called)) is not None:
            return self.call_intrinsic(defined, given)
        is_known = not any(isinstance(each, Value) for each in given)
        if isinstance(called, type) and (is_known or issubclass(called, tuple)):
            return called(*given, **named)
        if body := picked_body(called, map(self.marked, given)):
            return self.call_body(body, given, named)
        return called(*given, **named) if is_known else self.call_builtin(called, given)

    def marked(self, value: Any) -> types.Type:
        """The type that a choice between bodies looks at."""
        is_tuple = isinstance(value, tuple)
        return types.pyobject if is_tuple else self.kind_of(value)

    def call_intrinsic(self, defined: Any, given: Sequence[Any]) -> Any:
        sig, codegen = defined(None, *map(self.kind_of, given))
        codes = [self.cast(each, kind) for each, kind in zip(given, sig.args, strict=True)]
        return self.taken(sig.return_type, codegen(self.context, self.builder, sig, codes))

    def call_builtin(self, called: Any, given: Sequence[Any]) -> Any:
        kinds, build = [self.kind_of(each) for each in given], self.builder
        if called is len:
            code = structs.length(self.context, build, kinds[0], given[0].code)
            return Value(types.int64, code)
        if called is float:
            return Value(types.float64, self.cast(given[0], types.float64))
        if called is int and kinds[0] == types.float64:
            return Value(types.int64, build.fptosi(given[0].code, _I64))
        if called is abs and kinds[0] == types.float64:
            fabs = build.module.declare_intrinsic("llvm.fabs", [_F64])
            return Value(types.float64, build.call(fabs, [given[0].code]))
        if called in (min, max) and len(given) == 2:
            # The second one only if it is smaller, or larger, as Python has it.
            sign = "<" if called is min else ">"
            kind = types.float64 if types.float64 in kinds else types.int64
            first, second = (self.cast(each, kind) for each in given)
            is_float = kind == types.float64
            compare = build.fcmp_ordered if is_float else build.icmp_signed
            return Value(kind, build.select(compare(sign, second, first), second, first))
        raise UnknownError(f"a call of {called!r}")
