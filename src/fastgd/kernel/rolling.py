"""Balls that roll on a curve: a block of them side by side, and blocks on all threads.

Whether a ball goes on follows from where it is, so a call may end after any iteration and the next
one carries on, to the same bits.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import njit, prange, types

from fastgd.kernel.language.cache import cached_njit
from fastgd.kernel.language.numba_internals import call_compiled, handle
from fastgd.kernel.language.record import Floats, Integers, table_of

BLOCK = 64
"""Balls that move side by side: enough for the processor's vectors, too few to leave its caches."""

ROLLING, CONVERGED, STUCK, DIVERGED = range(4)

NEAR = 2.0**-20
DOUBLINGS = 40
"""A flat stretch is searched for its ends at distances NEAR, 2 NEAR, ... from the ball."""


class Balls(NamedTuple):
    """Some balls."""

    x: Floats  # (balls,) where they are
    start: Floats  # (balls,)
    alpha: Floats  # (balls,)
    iterations: Integers  # (balls,) done
    outcome: Integers  # (balls,) ROLLING, ...
    path: Floats  # (balls * length,), or empty


class Rules(NamedTuple):
    """How they roll in one call."""

    first: int  # iterations
    last: int
    by_sign: int  # whether a step has the slope's sign only
    length: int  # of a ball's path
    tolerance: float
    farthest: float


all_balls, all_rules = map(table_of, (Balls, Rules))


@njit(error_model="numpy", nogil=True)
def _goes_on(x, s, start, rules):
    """Whether the ball moves, from its place and the slope there; not if they are NaN."""
    too_steep = abs(s) > rules.tolerance
    return too_steep & (abs(s) < math.inf) & (abs(x - start) <= rules.farthest)


@njit(error_model="numpy", nogil=True)
def _rises(slope, x, side, tolerance):
    """Whether the curve rises where the flat stretch around x ends on this side."""
    distance = side * NEAR * max(1.0, abs(x))
    for _ in range(DOUBLINGS):
        s = slope(x + distance)
        if not abs(s) <= tolerance:
            return s * side > 0.0
        distance *= 2.0
    return False


@njit(error_model="numpy", nogil=True)
def _outcome(slope, x, start, rules):
    s = slope(x)
    if not (abs(s) < math.inf and abs(x) < math.inf and abs(x - start) <= rules.farthest):
        return DIVERGED
    if abs(s) > rules.tolerance:
        return ROLLING
    left = _rises(slope, x, -1.0, rules.tolerance)
    return CONVERGED if left and _rises(slope, x, 1.0, rules.tolerance) else STUCK


@njit(error_model="numpy", nogil=True)
def _record(ball, rules, begin, end, j):
    for i in range(begin, end):
        if ball.iterations[i] == j + 1:
            ball.path[i * rules.length + j + 1] = ball.x[i]


@njit(error_model="numpy", nogil=True)
def _roll(slope, balls, rules, b):
    """Roll block b from iteration ``rules.first`` to ``last``, unless all its balls end before."""
    ball, rules = all_balls(balls)[0], all_rules(rules)[0]
    begin, end = b * BLOCK, min((b + 1) * BLOCK, len(ball.x))
    for j in range(rules.first, rules.last):
        going = 0
        # Selects in place of branches: where the slope has no calls, this becomes vector code.
        for i in range(begin, end):
            x = ball.x[i]
            s = slope(x)
            goes = _goes_on(x, s, ball.start[i], rules)
            step = ball.alpha[i] * (np.sign(s) if rules.by_sign else s)
            ball.x[i] = x - step if goes else x
            ball.iterations[i] += goes
            going += goes
        if going == 0:
            break
        if rules.length:
            _record(ball, rules, begin, end, j)
    for i in range(begin, end):
        if ball.outcome[i] == ROLLING:
            ball.outcome[i] = _outcome(slope, ball.x[i], ball.start[i], rules)


@lru_cache(maxsize=32)
def roller(slope):
    """Return what rolls one block of balls on the curve that has this compiled slope."""

    @njit(error_model="numpy", nogil=True)
    def roll_block(balls, rules, b):
        _roll(slope, balls, rules, b)

    return roll_block


def handle_of(roll_block):
    """Compile it; what calls it for as long as it lives."""
    words = types.Array(types.int64, 2, "C")
    return handle(roll_block, (words, words, types.int64))


@cached_njit(error_model="numpy", nogil=True)
def roll_in_turn(compiled, balls, rules, blocks):
    """Roll all blocks, one after the other."""
    for b in range(blocks):
        call_compiled(compiled, (balls, rules, b))


@cached_njit(error_model="numpy", nogil=True, parallel=True)
def roll_at_once(compiled, balls, rules, blocks):
    """Roll all blocks on all threads."""
    for b in prange(blocks):
        call_compiled(compiled, (balls, rules, b))
