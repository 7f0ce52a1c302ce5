"""What an update by a rule computes for each weight, and what once per update and run.

What follows from hyperparameters and t alone, and takes more than additions and multiplications, is
the same for all weights: it is computed once per update and run, and kept with the run's values.
There ``x**t`` is a running product with one more factor in each update.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from fastgd.formulas.derivation import Derivation, Node, replaced
from fastgd.formulas.expressions import Tree
from fastgd.formulas.rules import facts_of
from fastgd.optimizers import Optimizer

Nodes = tuple[tuple[Node, ...], tuple[int, ...]]
"""Operations, each after its operands, and which of them are the results."""

_CHEAP = frozenset(("number", "variable", "add", "sub", "mul", "fma"))
_COMPARISONS = frozenset(("lt", "le", "gt", "ge"))


class Update(NamedTuple):
    """An update, in parts: with neutral names, so that equal ones are compiled once.

    States are called s0, s1, ..., hyperparameters h0, h1, ..., kept values k0, k1, ...
    """

    states: int
    step: Nodes
    """For each weight: the new weight and the new states."""
    once: Nodes
    """For each run: the new kept values."""
    kept: tuple[Tree, ...]
    """What each kept value is, as a formula of hyperparameters and t."""
    first: tuple[float, ...]
    """The kept values before the first update."""


@lru_cache(maxsize=1024)
def update_of(text: str, fields: tuple[str, ...]) -> Update:
    """Return the parts of a rule's update; ``fields`` are its hyperparameters."""
    facts = facts_of(text, fields)
    names: dict[str, Tree] = {name: f"s{k}" for k, name in enumerate(facts.states)}
    names |= {name: f"h{k}" for k, name in enumerate(fields)}
    found = Derivation(by="")
    results = [found.of(replaced(tree, names)).value for tree in facts.results]
    nodes = found.nodes
    reads = _reads(nodes)
    steady = [all(name == "t" or name[0] == "h" for name in each) for each in reads]
    costly: list[bool] = []
    for kind, *operands in nodes:
        own = kind not in _CHEAP or operands == ["t"]
        parts = operands if kind not in ("number", "variable") else ()
        costly.append(own or any(costly[k] for k in parts))

    hoisted: dict[int, None] = {}
    seen: set[int] = set()
    left = results[::-1]
    while left:
        k = left.pop()
        if k in seen:
            continue
        seen.add(k)
        kind, *operands = nodes[k]
        if steady[k] and costly[k] and kind not in _COMPARISONS:
            hoisted[k] = None
        elif kind not in ("number", "variable"):
            left += operands[::-1]
    inside = found.needed(hoisted)
    powers = [k for k in inside if _is_power(nodes, reads, k)]
    powers.sort(key=lambda k: (min(map(_number, reads[nodes[k][1]]), default=-1), k))
    # A t that is only the exponent of running products needs no count.
    others = found.needed(hoisted, powers)
    counts = [k for k in others if nodes[k] == ("variable", "t")]
    kept = dict.fromkeys([*powers, *counts, *hoisted])
    places = {k: f"k{place}" for place, k in enumerate(kept)}
    step = found.taken(results, places)
    moved = {
        k: found.make("mul", found.variable(places[k]), nodes[k][1])
        if k in powers
        else found.make("add", found.variable(places[k]), found.number(1.0))
        for k in (*powers, *counts)
    }
    once = found.taken([moved.get(k, k) for k in kept], {}, moved)
    first = tuple(1.0 if k in powers else 0.0 for k in kept)
    back: dict[str, Tree] = {f"h{k}": name for k, name in enumerate(fields)}
    trees = tuple(replaced(found.tree(k), back) for k in kept)
    return Update(len(facts.states), step, once, trees, first)


def _reads(nodes: Sequence[Node]) -> list[frozenset[str]]:
    """The variables that each node depends on."""
    found: list[frozenset[str]] = []
    for kind, *operands in nodes:
        if kind == "variable":
            found.append(frozenset(operands))
        elif kind == "number":
            found.append(frozenset())
        else:
            found.append(frozenset().union(*(found[k] for k in operands)))
    return found


def _is_power(nodes: Sequence[Node], reads: Sequence[frozenset[str]], k: int) -> bool:
    """Whether a node is x**t, where x doesn't depend on t."""
    kind, *operands = nodes[k]
    return (
        kind == "pow" and nodes[operands[1]] == ("variable", "t") and "t" not in reads[operands[0]]
    )


def _number(name: str) -> int:
    return int(name[1:])


def update_by(optimizer: Optimizer | type[Optimizer]) -> Update | None:
    """The parts of an optimizer's update; None if it isn't made of one formula for all weights."""
    text = optimizer.formula
    return update_of(text, tuple(optimizer.hyperparameters)) if text else None


def states_of(optimizer: Optimizer | type[Optimizer]) -> int:
    """How many numbers of state each parameter has; they start at 0."""
    update = update_by(optimizer)
    return optimizer.states if update is None else update.states


def kept_of(optimizer: Optimizer | type[Optimizer]) -> tuple[float, ...]:
    """The numbers of state that each run has, before the first update."""
    update = update_by(optimizer)
    return tuple(optimizer.kept.values()) if update is None else update.first
