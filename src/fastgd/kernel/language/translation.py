"""Translate kernels from their own source to LLVM, without Numba's type inference.

Numba compiles each function separately: bytecode, SSA form, types, some 25 passes. For the 68
functions of a kernel of 3-4-1 that was two thirds of the compile time. But kernels are written in a
small subset of Python in which the types follow from the arguments, in the order of the text. So
the source is walked once. Calls are inlined as they occur, and each operation is emitted by the
same code that Numba would call: tiles, words, structs and choices are defined once, for both. Numba
sees a kernel as a single call of an intrinsic.

Whatever Python knows during the walk generates no code: numbers, None, the indices and names of
choices, the sizes of shapes; of an ``if`` that depends on them only one branch is translated.
Structs, tiles, and int64, float64 and bool are values of the running kernel. Anything that the walk
doesn't support raises :class:`UnknownError`, which gives the line.

The same source can be compiled by Numba alone, to the same bits. That happens if there is no source
file, or if private parts of Numba are missing: see :mod:`.numba_internals`.
"""

import ast
import builtins
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from fastgd.kernel.language import structs
from fastgd.kernel.language.numba_internals import LACKING, typing_of_code
from fastgd.kernel.language.source_expressions import (
    BINARY,
    Expressions,
    FunctionSource,
    UnknownError,
    Value,
    Variable,
    source_of,
)

_I1, _I64 = ir.IntType(1), ir.IntType(64)

UNROLLED = 4
"""Loops of up to this many iterations are unrolled in code for known sizes."""

unrolled = range
"""In a ``for``: a range of known length whose rounds are always written one after the other."""

TRANSLATES = not LACKING and Path(__file__).is_file()
"""Whether there are sources to translate; if not, Numba compiles everything."""


def translated(
    function: Callable[..., Any] | None = None, *, returned: types.Type = types.none
) -> Any:
    """Decorator: turn a function into a single call of an intrinsic, which translates its source.

    Leaves the function unchanged if its source is missing. Its result has the type ``returned``.
    """
    if function is None:
        return partial(translated, returned=returned)
    if not TRANSLATES:
        return function

    def define(_typing: Any, *kinds: types.Type) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            walk = _Walk(context, builder)
            given = [walk.taken(kind, code) for kind, code in zip(sig.args, args, strict=True)]
            return walk.cast(walk.call_body(function, given, {}), returned)

        return returned(*kinds), codegen

    return wraps(function)(_with_names(function, define)[1])


def _with_names(function: Callable[..., Any], define: Callable[..., Any]) -> tuple[Any, Any]:
    """Return an intrinsic with the function's arguments, and a function that calls it."""
    names = ", ".join(function.__code__.co_varnames[: function.__code__.co_argcount])
    name, made = function.__name__, {"define": define, "intrinsic": intrinsic}
    text = f"""
@intrinsic
def whole(typing, {names}):
    return define(typing, {names})

def {name}({names}):
    return whole({names})
"""
    exec(text, made)
    return made["whole"], made[name]


def outlined(
    function: Callable[..., Any] | None = None, *, returned: types.Type | None = None
) -> Any:
    """Decorator: make a function one that is called, and never inlined.

    For what is needed rarely and would take much room in each place where it is. Its result has the
    type ``returned``, or that of its first argument.
    """
    if function is None:
        return partial(outlined, returned=returned)

    def define(_typing: Any, *kinds: types.Type) -> Any:
        result = returned or kinds[0]

        def codegen(context: Any, builder: Any, _sig: Any, args: Any) -> Any:
            nothing = result == types.none
            code = ir.VoidType() if nothing else context.get_value_type(result)
            called = emit_call(builder, function, kinds, args, code)
            return context.get_dummy_value() if nothing else called

        return result(*kinds), codegen

    return _with_names(function, define)[0]


def emit_call(
    builder: Any,
    function: Callable[..., Any],
    kinds: Sequence[Any],
    args: Sequence[Any],
    result: Any,
) -> Any:
    """Emit a call of a function, which the module has once for arguments of these types."""
    module, name = builder.module, name_of_called(function, kinds)
    made = module.globals.get(name)
    if made is None:
        made = ir.Function(module, ir.FunctionType(result, [a.type for a in args]), name)
        made.linkage = "internal"
        made.attributes.add("noinline")
        emit_body(made, function, list(map(Value, kinds, made.args)))
    return builder.call(made, args)


def name_of_called(function: Callable[..., Any], kinds: Sequence[Any]) -> str:
    """The name that a module has for a function that is called."""
    return ".".join([function.__name__, *map(str, kinds)])


def emit_body(function: Any, body: Callable[..., Any], given: Sequence[Any]) -> None:
    """Emit a body as that of an LLVM function, with these arguments."""
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    walk = _Walk(typing_of_code(), builder)
    result = walk.call_body(body, given, {})
    if result is None:
        builder.ret_void()
    else:
        builder.ret(walk.value(result).code)


# ------------------------------------------------------------------ the walk


class _Frame:
    """A function that is being translated."""

    def __init__(self, function: Callable[..., Any], source: FunctionSource) -> None:
        self.function = function
        self.source = source
        self.names: dict[str, Any] = {}
        self.depth = 0  # of the running kernel's loops and branches
        self.returned: tuple[Any, Any] | None = None  # the block to jump to, and slots
        self.result: Any = None
        self.loops: list[tuple[Any, Any]] = []  # targets of continue and break
        cells = function.__closure__ or ()
        self.outer = dict(zip(function.__code__.co_freevars, cells, strict=True))


class _Walk(Expressions):
    """Emits functions at the builder's position."""

    def __init__(self, context: Any, builder: Any) -> None:
        super().__init__(context, builder)
        self.frames: list[_Frame] = []

    @property
    def frame(self) -> _Frame:
        return self.frames[-1]

    # -------------------------------------------------------------- variables

    def variable(self, name: str) -> Any:
        """The current value of a name."""
        frame = self.frame
        if name in frame.names:
            found = frame.names[name]
            return self.loaded(found) if isinstance(found, Variable) else found
        if name in frame.outer:
            return frame.outer[name].cell_contents
        if name in frame.function.__globals__:
            return frame.function.__globals__[name]
        if hasattr(builtins, name):
            return getattr(builtins, name)
        raise UnknownError(f"the name {name!r}")

    def slot(self, kind: types.Type) -> Variable:
        with self.builder.goto_entry_block():
            return Variable(kind, self.builder.alloca(self.context.get_value_type(kind)))

    def assign(self, name: str, value: Any) -> None:
        frame = self.frame
        if name not in frame.source.slots:
            frame.names[name] = value
            return
        there = frame.names.get(name)
        if isinstance(there, Variable):
            kind = self.kind_of(value)
            # A value of another type gets a new variable; in a branch a number is converted.
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
        """Emit a function's body here and return its result."""
        source = source_of(function)
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
            end, slots = frame.returned
            self.builder.position_at_end(end)
            frame.result = self.loaded(slots)
        self.frames.pop()
        return frame.result

    def loaded(self, slots: Any) -> Any:
        if isinstance(slots, Variable):
            return Value(slots.kind, self.builder.load(slots.place))
        if isinstance(slots, tuple):
            return tuple(map(self.loaded, slots))
        return slots

    def statements(self, body: Sequence[ast.stmt]) -> bool:
        """Emit statements; returns whether their end can be reached."""
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
        self.put(target, self.binary(BINARY[type(statement.op)], first, second))
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
            if not isinstance(owner, Value) or isinstance(owner.kind, structs.TableType):
                raise UnknownError("an item that is set")
            kind, place = self.place_of(owner, index)
            stored = self.builder.store(self.cast(value, kind), place)
            structs.of_field(self.builder, owner.kind, stored)
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
        """Jump to the end of the function with this result."""
        frame = self.frame
        if frame.returned is None:
            frame.returned = self.builder.append_basic_block("end"), self.slots_for(value)
        end, slots = frame.returned
        self.fill(slots, value)
        self.builder.branch(end)

    def slots_for(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(self.slots_for, value))
        return None if value is None else self.slot(self.value(value).kind)

    def fill(self, slots: Any, value: Any) -> None:
        if isinstance(slots, Variable):
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
        is_short = isinstance(called.func, ast.Name) and called.func.id == "unrolled"
        bounds = [self.expression(each) for each in called.args]
        start, stop, step = (0, *bounds, 1) if len(bounds) == 1 else (*bounds, 1)[:3]
        if all(isinstance(each, int) for each in (start, stop, step)):
            rounds = range(start, stop, step)
            is_short |= len(rounds) <= (UNROLLED if self.has_facts else 1)
            leaves = (isinstance(each, ast.Break | ast.Continue) for each in ast.walk(statement))
            if is_short and not any(leaves):
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
        """Emit the body once for each number."""
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
