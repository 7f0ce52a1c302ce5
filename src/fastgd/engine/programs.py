"""Rules as data: those of an axis become programs of the kernel's interpreter.

A program has no numbers: the constants of a rule are values of its runs, as its hyperparameters
are. So rules that differ in numbers only have the same program.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.axes import changing
from fastgd.checks.numbers import FloatArray
from fastgd.formulas.derivation import Node
from fastgd.formulas.rules import MOST_STATES
from fastgd.formulas.updates import Nodes, update_of
from fastgd.kernel.block import ALPHA, DIRECTION, STATES, WEIGHT, WORK_ROWS, Program
from fastgd.kernel.bytecode import BLOCK, FUNCTIONS, OPERATIONS, WORDS, code_of_operation
from fastgd.kernel.language.structs import IntArray
from fastgd.optimizers import Optimizer, Rprop

FEWEST = 10
"""Fewer formulas than this are always compiled: the interpreter is compiled, too."""

COMPILING = 0.5
"""Seconds in which a formula is compiled."""

INTERPRETING = 5e-9
"""Seconds that the interpreter takes more than compiled code, per parameter and update."""

_OPERATIONS = (*OPERATIONS, *FUNCTIONS)
_NUMBERS = {name: number for number, name in enumerate(_OPERATIONS)}

_AREA = WORK_ROWS  # of rows of each kind, as long as it isn't known how many of each there are
_VALUES, _KEPT, _RESULTS, _OTHERS = (_AREA * k for k in range(1, 5))
_ROWS = {"w": WEIGHT, "g": DIRECTION, "alpha": ALPHA}
_ROWS |= {f"s{k}": STATES + k for k in range(MOST_STATES)}
_ROWS |= {f"k{k}": _KEPT + k for k in range(_AREA)}


class Programs(Optimizer, command="programs", race_alpha=nan):
    """What stands for the optimizers of runs that each have their own, as a program."""

    def __init__(self, states: int, values: int, kept: int) -> None:
        names = ("number", *(f"n{k}" for k in range(values)))
        known = {"_fields": names, "hyperparameters": dict.fromkeys(names), "states": states}
        known |= {"kept": {f"k{k}": 0.0 for k in range(kept)}}
        vars(self).update(dict.fromkeys(names, 0.0) | known)


def are_data(axis: Sequence[Any], runs: int, updates: int, parameters: int) -> bool:
    """Whether an axis of optimizers has rules that are best run as programs.

    Each has this number of ``runs``. It depends on the arguments only, as the folders of a sweep
    do.
    """
    if not all(isinstance(one, Optimizer) and _is_alone(one) for one in axis):
        return False
    formulas = len({one.formula for one in axis})
    longer = INTERPRETING * len(axis) * runs * updates * parameters
    return formulas >= FEWEST and longer < COMPILING * formulas


def with_programs(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values on axes, with programs in place of optimizers."""
    return {
        name: ProgramAxis.of(axis) if name == "optimizer" else axis for name, axis in values.items()
    }


def _is_alone(optimizer: Optimizer) -> bool:
    """Whether nothing else is compiled or checked for this optimizer than its formula."""
    return bool(optimizer.formula) and not (isinstance(optimizer, Rprop) or changing(optimizer))


@dataclass(frozen=True, eq=False)
class ProgramAxis:
    """Rules as programs: an axis of n values."""

    words: NDArray[np.int16]  # (instructions, WORDS) of all programs: operation and rows
    facts: IntArray  # (n, 6) where those of each begin; then as Program, but counted from there
    numbers: FloatArray  # (n, V) its hyperparameters and constants
    kept: FloatArray  # (n, C) what it keeps, before the first update
    states: int  # the most of any

    @classmethod
    def of(cls, rules: Sequence[Optimizer]) -> "ProgramAxis":
        """Make programs of rules."""
        places: dict[tuple[Any, ...], int] = {}
        which, firsts = [], []
        numbers: list[list[Any]] = []
        for rule in rules:
            update = update_of(rule.formula, tuple(rule.hyperparameters))
            own: dict[Node, int] = {}
            step, once = _instructions(update.step, own), _instructions(update.once, own)
            program = update.states, len(own), len(update.kept), step, once
            which.append(places.setdefault(program, len(places)))
            fields = {f"h{k}": getattr(rule, name) for k, name in enumerate(rule.hyperparameters)}
            numbers.append([fields.get(name, name) for _, name, *_ in own])
            firsts.append(update.first)
        words, facts = [], []
        for own_states, values, own_kept, step, once in places:
            most = max(1 + own_states, own_kept)
            bases = list(accumulate((STATES + own_states, values, own_kept, most), initial=0))
            for operation, *rows in (*step, *once):
                words.append((operation, *(bases[row // _AREA] + row % _AREA for row in rows)))
            facts.append((len(step), len(step) + len(once), own_states, values, own_kept))
        found = np.array(facts)
        begin = np.cumsum(found[:, 1]) - found[:, 1]
        return cls(
            words=np.array(words, np.int16),
            facts=np.column_stack((begin, found))[which],
            numbers=_padded(numbers),
            kept=_padded(firsts),
            states=int(found[:, 2].max()),
        )

    def __len__(self) -> int:
        return len(self.facts)

    def __getitem__(self, some: slice) -> "ProgramAxis":
        numbers, kept = self.numbers[some], self.kept[some]
        return replace(self, facts=self.facts[some], numbers=numbers, kept=kept)

    @property
    def optimizer(self) -> Programs:
        """What stands for each of them."""
        return Programs(self.states, self.numbers.shape[1], self.kept.shape[1])

    @cached_property
    def _used(self) -> tuple[IntArray, IntArray]:
        """The facts of each program, and the number of that of each value."""
        _, place, number = np.unique(self.facts[:, 0], return_index=True, return_inverse=True)
        return self.facts[place], number

    @property
    def values(self) -> FloatArray:
        """(n, 1 + V + C) the number of each program, and all values of a run with it."""
        return np.column_stack((self._used[1], self.numbers, self.kept))

    @property
    def table(self) -> IntArray:
        """The programs for the kernel: see :mod:`fastgd.kernel.extensions.programs`."""
        facts, _ = self._used
        begin, once, end, *counts = facts.T
        to = np.cumsum(end) - end  # without those of programs that aren't used
        words = self.words[np.repeat(begin - to, end) + np.arange(end.sum())].astype(np.int64)
        words[:, 1:] *= BLOCK
        used, operation = np.unique(words[:, 0], return_inverse=True)
        codes = [code_of_operation(_OPERATIONS[number]) for number in used.tolist()]
        words[:, 0] = np.array(codes)[operation]
        first = len(facts) * len(Program._fields)
        places = (first + WORDS * place for place in (to, to + once, to + end))
        return np.concatenate((np.column_stack((*places, *counts)).ravel(), words.ravel()))


def _instructions(formula: Nodes, own: dict[Node, int]) -> tuple[tuple[int, ...], ...]:
    """The instructions of a formula; ``own`` gets its hyperparameters and constants, in order."""
    nodes, results = formula
    row = {}
    for k, node in enumerate(nodes):
        if node[0] == "variable" and node[1] in _ROWS:
            row[k] = _ROWS[node[1]]
        elif node[0] in ("variable", "number"):
            row[k] = _VALUES + own.setdefault(node, len(own))
    targets = {_RESULTS + k: node for k, node in enumerate(results)}
    steps, _ = instructions(nodes, targets, row, _OTHERS)
    return tuple((_NUMBERS[name], *places) for name, *places in steps)


def _padded(rows: Sequence[Sequence[Any]]) -> FloatArray:
    found = np.zeros((len(rows), max(map(len, rows))))
    for k, row in enumerate(rows):
        found[k, : len(row)] = row
    return found


# ---------------------------------------------------------------- instructions of the interpreter


def instructions(
    nodes: Sequence[Node],
    results: Mapping[int, int],
    row: dict[int, int],
    rows: int,
) -> tuple[list[tuple[Any, ...]], int]:
    """Return the instructions that put nodes into the rows of ``results``, and the rows in use.

    An instruction is an operation, the row of its result and those of three operands. ``row`` has
    those of numbers and variables; those from ``rows`` on are for other values, and reused after
    their last use.
    """
    last = last_uses(nodes, results.values())
    targets = {k: target for target, k in results.items()}
    free: list[int] = []
    steps: list[tuple[Any, ...]] = []
    for k in sorted(last):
        operands = _operands(nodes[k])
        if not operands:
            continue
        places = [row[operand] for operand in operands]
        free.extend(
            row[operand]
            for operand in sorted(set(operands))
            if last[operand] == k and _operands(nodes[operand])
        )
        if k in targets:
            row[k] = targets[k]
        elif free:
            row[k] = free.pop()
        else:
            row[k], rows = rows, rows + 1
        places += places[:1] * (WORDS - 2 - len(places))
        steps.append((nodes[k][0], row[k], *places))
    for target, k in results.items():
        if row[k] != target:  # a variable itself, a constant, or the result of another row
            steps.append(("copy", target, *[row[k]] * (WORDS - 2)))
    return steps, rows


def last_uses(nodes: Sequence[Node], results: Iterable[int]) -> dict[int, int]:
    """Return, for each node that the results depend on, the last node that uses it.

    That of a result is after all nodes.
    """
    last = dict.fromkeys(results, len(nodes))
    for k in range(max(last, default=-1), -1, -1):
        if k in last:
            for operand in _operands(nodes[k]):
                last.setdefault(operand, k)
    return last


def _operands(node: Node) -> tuple[int, ...]:
    return () if node[0] in ("variable", "number") else node[1:]
