"""The source of a kernel function as a syntax tree, and what the translation needs to know."""

import ast
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple


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
            nodes = [node for node in nodes if _place(node.body) in begins]
        if len(nodes) == 1:
            return nodes[0]
    raise UnknownError(f"{len(nodes)} sources of {name}")


def _place(node: Any) -> tuple[int, int]:
    return node.lineno, node.col_offset


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


def is_left_early(loop: ast.For) -> bool:
    """Whether a loop, or one nested in it, has a break or continue."""
    return any(isinstance(node, ast.Break | ast.Continue) for node in ast.walk(loop))
