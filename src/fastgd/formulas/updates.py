"""What an update by a rule computes for each weight, and what once per update and run.

What follows from hyperparameters and t alone, and takes more than additions and multiplications, is
the same for all weights: it is computed once per update and run, and kept with the run's values.
There ``x**t`` is a running product with one more factor in each update.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from fastgd.formulas.derivation import Derivation, Node, replaced
from fastgd.formulas.expressions import COMPARISONS, Tree, variables_of
from fastgd.formulas.rules import facts_of
from fastgd.optimizers import Optimizer

Nodes = tuple[tuple[Node, ...], tuple[int, ...]]
"""Operations, each after its operands, and which of them are the results."""

_CHEAP = ("add", "sub", "mul", "neg", "fma")


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
    """What each kept value is, as a formula of hyperparameters and t: powers, maybe t, others."""
    first: tuple[float, ...]
    """The kept values before the first update."""


@lru_cache(maxsize=1024)
def update_of(text: str, fields: tuple[str, ...]) -> Update:
    """Return the parts of a rule's update; ``fields`` are its hyperparameters."""
    facts = facts_of(text, fields)
    results = list(map(_signed, facts.results))
    once = [part for tree in results for part in _steady(tree, (*fields, "t"))]
    powers = [power for tree in once for power in _powers(tree)]
    in_order = (("pow", name, "t") for name in fields)
    powers = [power for power in in_order if power in powers] + powers
    without = (replaced(tree, dict.fromkeys(powers, 1.0)) for tree in once)
    counts = ["t"] if any("t" in variables_of(tree) for tree in without) else []
    kept = tuple(dict.fromkeys([*powers, *counts, *once]))
    places = {tree: f"k{k}" for k, tree in enumerate(kept)}

    names: dict[Tree, Tree] = {name: f"s{k}" for k, name in enumerate(facts.states)}
    names |= {name: f"h{k}" for k, name in enumerate(fields)}
    new = names | {power: ("mul", places[power], replaced(power[1], names)) for power in powers}
    new |= {tree: ("add", places[tree], 1.0) for tree in counts}
    first = tuple(1.0 if tree in powers else 0.0 for tree in kept)
    step, own = _nodes(results, names | places), _nodes(kept, new)
    return Update(len(facts.states), step, own, kept, first)


def _signed(tree: Tree) -> Tree:
    """The tree with another tree for -0.0, which is equal to 0.0."""
    if isinstance(tree, tuple):
        return (tree[0], *map(_signed, tree[1:]))
    return ("neg", 0.0) if tree == 0 and np.signbit(tree) else tree


def _steady(tree: Tree, names: Collection[str]) -> Iterator[Tree]:
    """The largest parts that depend on these names alone, and are no mere sums or products."""
    if tree == "t":
        yield tree
    elif isinstance(tree, tuple):
        is_number = tree[0] not in COMPARISONS.values()
        if is_number and _is_of(tree, names) and _is_costly(tree):
            yield tree
        else:
            for operand in tree[1:]:
                yield from _steady(operand, names)


def _is_of(tree: Tree, names: Collection[str]) -> bool:
    if isinstance(tree, tuple):
        return all(_is_of(operand, names) for operand in tree[1:])
    return not isinstance(tree, str) or tree in names


def _is_costly(tree: Tree) -> bool:
    if isinstance(tree, tuple):
        return tree[0] not in _CHEAP or any(map(_is_costly, tree[1:]))
    return tree == "t"


def _powers(tree: Tree) -> Iterator[tuple[str, Tree, str]]:
    """The parts that are x**t, where x doesn't depend on t."""
    match tree:
        case ("pow", x, "t") if "t" not in variables_of(x):
            yield tree
        case (_, *operands):
            for operand in operands:
                yield from _powers(operand)


def _nodes(trees: Iterable[Tree], by: Mapping[Tree, Tree]) -> Nodes:
    found = Derivation(by="")
    return found.taken([found.of(replaced(tree, by)).value for tree in trees])


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
