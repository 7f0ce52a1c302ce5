"""The source of kernels: syntax trees of functions, and the translation of expressions.

An expression is evaluated in Python where possible, otherwise emitted as code.
:mod:`.translation` handles variables and statements.
"""

import ast
import operator
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numpy.typing import NDArray

from fastgd.kernel.language import structs
from fastgd.kernel.language.numba_internals import definition_of
from fastgd.kernel.language.specialization import (
    ChoiceType,
    KnownFactsType,
    MarkersType,
    picked_body,
)
from fastgd.kernel.language.tile import OPERATORS


class UnknownError(Exception):
    """The source contains something that the translation doesn't support."""


class FunctionSource(NamedTuple):
    """A function's source: parameters, defaults, statements, and names that need a stack slot."""

    parameters: tuple[str, ...]
    defaults: dict[str, Any]
    body: list[ast.stmt]
    slots: frozenset[str]


@cache
def _tree_of(filename: str) -> ast.Module:
    return ast.parse(Path(filename).read_text(encoding="utf-8"))


@cache
def _all_functions_of(filename: str) -> dict[int, list[Any]]:
    """All functions of a file, including nested ones, by the line where each begins."""
    found: dict[int, list[Any]] = {}
    for node in ast.walk(_tree_of(filename)):
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            found.setdefault(_first_line(node), []).append(node)
    return found


@cache
def _functions_of(filename: str) -> dict[int, list[Any]]:
    """The top-level functions of a file: most of the ones needed, found quickly."""
    functions = (node for node in _tree_of(filename).body if isinstance(node, ast.FunctionDef))
    return {_first_line(node): [node] for node in functions}


def _first_line(node: Any) -> int:
    first: int = min(
        [node, *getattr(node, "decorator_list", ())], key=lambda each: each.lineno
    ).lineno
    return first


def source_of(function: Callable[..., Any]) -> FunctionSource:
    """The source of a function: from its file, or ``__text__`` if it was made from a string."""
    text = getattr(function, "__text__", "")
    return _source(function.__code__, text, function.__defaults__ or (), function.__qualname__)


@lru_cache(1024)
def _source(code: Any, text: str, given: tuple[Any, ...], name: str) -> FunctionSource:
    node: Any = ast.parse(text).body[0] if text else _node_of(code, name)
    others = node.args.kwonlyargs, node.args.posonlyargs, node.args.kwarg, node.args.vararg
    if any(others):
        raise UnknownError(f"the parameters of {name}")
    parameters = tuple(each.arg for each in node.args.args)
    body: list[ast.stmt] = [ast.Return(node.body)] if isinstance(node, ast.Lambda) else node.body
    defaults = dict(zip(parameters[len(parameters) - len(given) :], given, strict=True))
    return FunctionSource(parameters, defaults, body, _assigned_again(parameters, body))


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
        if len(nodes) > 1:  # several lambdas on one line
            begins = {(line, column) for line, _, column, _ in code.co_positions()}
            nodes = [node for node in nodes if (node.body.lineno, node.body.col_offset) in begins]
        if len(nodes) == 1:
            return nodes[0]
    raise UnknownError(f"{len(nodes)} sources of {name}")


def _assigned_again(parameters: Sequence[str], body: Sequence[ast.stmt]) -> frozenset[str]:
    """Names assigned inside loops or branches, unless that is their only assignment."""
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


# ---------------------------------------------------------------- expressions


_I1, _I64, _F64 = ir.IntType(1), ir.IntType(64), ir.DoubleType()

BINARY = {
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


@dataclass(frozen=True, slots=True)
class Value:
    """A value known only when the kernel runs: its Numba type and its LLVM value."""

    kind: types.Type
    code: Any


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that is assigned more than once: its type and stack slot."""

    kind: types.Type
    place: Any


class Expressions(ABC):
    """Emits expressions at the builder's position."""

    def __init__(self, context: Any, builder: Any) -> None:
        self.context = context
        self.builder = builder
        self.has_facts = False  # whether the code is specialized for known sizes

    @abstractmethod
    def variable(self, name: str) -> Any:
        """The current value of a name."""

    @abstractmethod
    def call_body(
        self, function: Callable[..., Any], given: Sequence[Any], named: dict[str, Any]
    ) -> Any:
        """Emit a function's body here and return its result."""

    @abstractmethod
    def deeper(self) -> Any:
        """The context manager for code inside a branch of the running kernel."""

    # -------------------------------------------------------------- values

    def taken(self, kind: types.Type, code: Any) -> Any:
        """A value of the kernel; None and constants become Python values."""
        if isinstance(kind, types.NoneType):
            return None
        if kind == types.int64 and isinstance(code, ir.Constant):
            return code.constant
        return Value(kind, code)

    def kind_of(self, value: Any) -> Any:
        """The Numba type of a value."""
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
        """Turn a Python value into a value of the kernel."""
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
        """The LLVM value, converted to this type."""
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
        """Whether a value counts as true: a Python bool, or the LLVM value of one."""
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

    # -------------------------------------------------------------- expressions

    def expression(self, node: ast.expr) -> Any:
        """Translate an expression: to a value of the kernel, or to a Python value."""
        return getattr(self, f"of_{type(node).__name__.lower()}", self.of_other)(node)

    def of_other(self, node: ast.expr) -> Any:
        """Reject all other expressions."""
        raise UnknownError(f"an expression: {type(node).__name__}")

    def of_constant(self, node: ast.Constant) -> Any:
        """A number, None, a string."""
        return node.value

    def of_name(self, node: ast.Name) -> Any:
        """The value of a variable."""
        return self.variable(node.id)

    def of_tuple(self, node: ast.Tuple) -> Any:
        """A tuple, which exists in Python only."""
        return tuple(self.listed(node.elts))

    def listed(self, nodes: Sequence[ast.expr]) -> list[Any]:
        """The values of some expressions; starred ones are expanded."""
        values: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                values += self.expression(node.value)
            else:
                values.append(self.expression(node))
        return values

    def of_attribute(self, node: ast.Attribute) -> Any:
        """An attribute of a Python value, or a field of a kernel value."""
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
            if isinstance(member, KnownFactsType):
                self.has_facts = True
                self.builder.module.has_facts = True  # read by structs.has_facts
                return member.known
            return Value(member, ir.Constant(self.context.get_value_type(member), None))
        if isinstance(kind, structs.Struct):
            code = structs.field(self.context, self.builder, kind, owner.code, name)
            return Value(kind.fields[name][1], code)
        raise UnknownError(f"{name!r} of {kind}")

    def of_subscript(self, node: ast.Subscript) -> Any:
        """An item of a tuple, table, buffer or array."""
        owner, index = self.expression(node.value), self.expression(node.slice)
        parts = index if isinstance(index, tuple) else (index,)
        if not any(isinstance(each, Value) for each in (owner, *parts)):
            return owner[index]
        if isinstance(owner, np.ndarray) and owner.ndim == 1 and owner.dtype == np.int64:
            return self.item_of_list(owner, index)
        owner = self.value(owner)
        if isinstance(owner.kind, structs.TableType):
            at = self.cast(index, types.int64)
            code = structs.item(self.context, self.builder, owner.kind, owner.code, at)
            return Value(owner.kind.struct, code)
        kind, place = self.place_of(owner, index)
        return Value(kind, structs.of_field(self.builder, owner.kind, self.builder.load(place)))

    def item_of_list(self, known: NDArray[np.int64], index: Any) -> Value:
        """An item of a known list of integers, which becomes a constant of the module."""
        module, name = self.builder.module, f"list.{sha256(known.tobytes()).hexdigest()[:16]}"
        held = module.globals.get(name)
        if held is None:
            kind = ir.ArrayType(_I64, len(known))
            held = ir.GlobalVariable(module, kind, name)
            held.initializer = ir.Constant(kind, known.tolist())
            held.linkage, held.global_constant = "internal", True
        place = self.builder.gep(held, [_I64(0), self.cast(index, types.int64)], inbounds=True)
        return Value(types.int64, self.builder.load(place))

    def place_of(self, owner: Value, index: Any) -> tuple[types.Type, Any]:
        """Type and address of an item of a buffer or an array."""
        if not isinstance(owner.kind, structs.Buffer | types.Array):
            raise UnknownError(f"an item of {owner.kind}")
        indices = index if isinstance(index, tuple) else (index,)
        at = [self.cast(each, types.int64) for each in indices]
        return owner.kind.dtype, structs.address_at(
            self.context, self.builder, owner.kind, owner.code, at
        )

    def of_unaryop(self, node: ast.UnaryOp) -> Any:
        """``not`` and unary minus."""
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
        """A binary operator."""
        first, second = self.expression(node.left), self.expression(node.right)
        return self.binary(BINARY[type(node.op)], first, second)

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
        """Quotient or remainder, rounded toward minus infinity as in Python."""
        build, zero = self.builder, _I64(0)
        rest = build.srem(a, b)
        differs = build.icmp_signed("<", build.xor(rest, b), zero)
        wrong = build.and_(build.icmp_signed("!=", rest, zero), differs)
        if function is operator.mod:
            return build.select(wrong, build.add(rest, b), rest)
        quotient = build.sdiv(a, b)
        return build.select(wrong, build.sub(quotient, _I64(1)), quotient)

    def of_compare(self, node: ast.Compare) -> Any:
        """A single comparison, or a test for None."""
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
        """``and``, ``or``."""
        return self.in_turn(isinstance(node.op, ast.And), node.values)

    def in_turn(self, is_and: bool, nodes: Sequence[ast.expr]) -> Any:
        """The operands of ``and`` or ``or``, evaluated until one decides."""
        first = self.truth(self.expression(nodes[0]))
        if len(nodes) == 1:
            return first if isinstance(first, bool) else Value(types.boolean, first)
        if isinstance(first, bool):
            return self.in_turn(is_and, nodes[1:]) if first == is_and else first
        rest = (lambda: self.in_turn(is_and, nodes[1:])), (lambda: not is_and)
        return self.either(first, *(rest if is_and else rest[::-1]))

    def of_ifexp(self, node: ast.IfExp) -> Any:
        """A conditional expression."""
        test = self.truth(self.expression(node.test))
        if isinstance(test, bool):
            return self.expression(node.body if test else node.orelse)
        return self.either(
            test, lambda: self.expression(node.body), lambda: self.expression(node.orelse)
        )

    def either(self, test: Any, first: Callable[[], Any], second: Callable[[], Any]) -> Any:
        """One of two values; only that one is computed."""
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
        """A call of a function whose body is emitted here, an intrinsic, or a Python function."""
        called = self.expression(node.func)
        given = self.listed(node.args)
        named = {str(each.arg): self.expression(each.value) for each in node.keywords}
        if compiled := getattr(called, "py_func", None):
            body = getattr(compiled, "__wrapped__", compiled)  # of a whole kernel
            return self.call_body(body, given, named)
        if (defined := definition_of(called)) is not None:
            sig, codegen = defined(None, *map(self.kind_of, given))
            codes = [self.cast(each, kind) for each, kind in zip(given, sig.args, strict=True)]
            return self.taken(sig.return_type, codegen(self.context, self.builder, sig, codes))
        is_known = not any(isinstance(each, Value) for each in given)
        if isinstance(called, type) and (is_known or issubclass(called, tuple)):
            return called(*given, **named)
        kinds = (
            types.pyobject if isinstance(each, tuple) else self.kind_of(each) for each in given
        )
        if body := picked_body(called, kinds):  # a dispatch chooses between bodies by types
            return self.call_body(body, given, named)
        return called(*given, **named) if is_known else self.call_builtin(called, given)

    def call_builtin(self, called: Any, given: Sequence[Any]) -> Any:
        """The result of a Python builtin."""
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
            # The second one only if it is smaller, or larger, as in Python.
            sign = "<" if called is min else ">"
            kind = types.float64 if types.float64 in kinds else types.int64
            first, second = (self.cast(each, kind) for each in given)
            is_float = kind == types.float64
            compare = build.fcmp_ordered if is_float else build.icmp_signed
            return Value(kind, build.select(compare(sign, second, first), second, first))
        raise UnknownError(f"a call of {called!r}")
