"""Random update rules, and what they compute in NumPy, to the bit.

Their operations are those that IEEE 754 rounds once, so that NumPy has the bits of compiled code.
"""

from collections.abc import Sequence

import numpy as np

from fastgd.formulas.rules import Rule

DEPTH = 4
"""The most operations within one another."""


def random_rule(rng: np.random.Generator) -> str:
    """Return the text of a random :class:`fastgd.Rule`.

    It has up to two states and two hyperparameters, and may depend on t. No update is larger than
    alpha, so most trainings end with finite weights.
    """
    states = ["m", "v"][: rng.integers(3)]
    fields = ["p", "q"][: rng.integers(3)]
    names = ["w", "g", "g", *states, *states, *fields, "alpha", "t", "1", "0.5", "2", "-3"]
    defaults = [f"{name}={rng.integers(-100, 100) / 100}" for name in fields]
    bases = [*fields, "0.9", "(-0.5)"]

    def one_of(words: Sequence[str]) -> str:
        return words[rng.integers(len(words))]

    def made(depth: int) -> str:
        kind = rng.random() if depth and rng.random() > 0.15 else 1.0
        if kind < 0.5:
            return f"({made(depth - 1)} {one_of('+-*/')} {made(depth - 1)})"
        if kind < 0.7:
            return f"{one_of(['sqrt', 'abs', 'sign', '-'])}({made(depth - 1)})"
        if kind < 0.82:
            return f"{one_of(['minimum', 'maximum'])}({made(depth - 1)}, {made(depth - 1)})"
        if kind < 0.94:
            a, b, c, d = (made(depth - 1) for _ in range(4))
            return f"where({a} {one_of(['<', '<=', '>', '>='])} {b}, {c}, {d})"
        return f"{one_of(bases)}**t" if kind < 1 else one_of(names)

    while True:
        change, *new = (f"maximum(-1, minimum(1, {made(DEPTH)}))" for _ in ("w", *states))
        body = ", ".join([f"w + alpha * {change}", *new])
        text = f"lambda {', '.join(['w', 'g', 'alpha', 't', *states, *defaults])}: ({body})"
        try:
            Rule(text)
        except ValueError:  # 1 / 0, sqrt(-3), or too long
            continue
        return text


class Count(np.float64):
    """The number of an update, as an exponent: a power is a product with one factor per update."""

    def __rpow__(self, base: float) -> np.float64:
        """The product, from the left."""
        product = np.float64(1)
        for _ in range(int(self)):
            product = product * base
        return product


_NUMPY = {
    "sqrt": np.sqrt,
    "abs": np.abs,
    "where": np.where,
    "minimum": lambda a, b: np.where((a <= b) | (a != a), a, b),
    "maximum": lambda a, b: np.where((a >= b) | (a != a), a, b),
    "sign": lambda x: np.where(x > 0, 1.0, np.where(x < 0, -1.0, x)),
}


def step_in_numpy(text, w, g, alpha, t, states):
    """Return the new weights and states: what the rule with this text makes of these arrays."""
    rule = eval(text, dict(_NUMPY))
    defaults = rule.__defaults__ or ()
    rule.__defaults__ = tuple(map(np.float64, defaults))  # so that 1 / p is infinite
    known = {"w": w, "g": g, "alpha": np.float64(alpha), "t": Count(t)}
    names = rule.__code__.co_varnames[: rule.__code__.co_argcount - len(defaults)]
    others = iter(states)
    with np.errstate(all="ignore"):
        results = rule(*(known[name] if name in known else next(others) for name in names))
    return [np.broadcast_to(one, w.shape) for one in (results if states else [results])]
