"""Balls that roll on a curve: a block of them side by side, blocks distributed over all threads.

Whether a ball keeps rolling depends only on its position, so a call may end after any iteration and
the next one continues with the same bits. The function that evaluates the slope for a block is
called by its address, so this code is compiled once for all curves.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import prange, typeof, types
from numpy.typing import NDArray

from fastgd.kernel.bytecode import (
    ALPHA,
    BLOCK,
    DONE,
    RESULT,
    SECOND,
    START,
    Code,
    Interpreter,
    X,
    all_evaluators,
    codes_with,
    evaluate_block,
    evaluators,
    known_functions,
)
from fastgd.kernel.language.cache import cached_njit
from fastgd.kernel.language.cross_compilation import TARGETS, emit
from fastgd.kernel.language.loads_and_stores import load, store
from fastgd.kernel.language.numba_internals import call_compiled, handle
from fastgd.kernel.language.specialization import PARALLEL, WHOLE, part
from fastgd.kernel.language.structs import Floats, Integers, encode, table_of
from fastgd.kernel.language.tile import (
    Shape,
    anywhere,
    constant_shape,
    magnitude,
    runs_of,
    select,
    with_sign,
)
from fastgd.kernel.language.translation import translated
from fastgd.kernel.language.wasm_linking import linked
from fastgd.kernel.launch import allowed, started

_step_shape = constant_shape(1, 1, 8)
"""Shape of the balls that take a step at a time."""

ROLLING, CONVERGED, STUCK, DIVERGED = range(4)
_AT_REST, _RISES_LEFT = -1, -2  # temporary, until both sides of a flat stretch have been checked

NEAR = 2.0**-20
DOUBLINGS = 40
"""The ends of a flat stretch are searched at distances NEAR, 2 NEAR, ... from the ball."""


class Balls(NamedTuple):
    """The state of some balls."""

    x: Floats  # (balls,) positions
    start: Floats  # (balls,)
    alpha: Floats  # (balls,)
    iterations: Integers  # (balls,) done
    outcome: Integers  # (balls,) ROLLING, ...
    path: Floats  # (balls * length,), or empty


class Rules(NamedTuple):
    """How balls roll in one call."""

    first: int  # iteration
    last: int
    by_sign: int  # whether a step depends only on the sign of the slope
    length: int  # of a ball's path
    tolerance: float
    farthest: float


all_balls, all_rules = map(table_of, (Balls, Rules))


@part
def _take(work, ball, begin, count):
    """Copy a block's balls to the working memory; unused places are NaN and never move."""
    for i in range(BLOCK):
        work[START * BLOCK + i] = ball.start[begin + i] if i < count else math.nan
    for i in range(count):
        work[i] = ball.x[begin + i]
        work[ALPHA * BLOCK + i] = ball.alpha[begin + i]
        work[DONE * BLOCK + i] = ball.iterations[begin + i]


@part
def _give_back(work, ball, begin, count):
    for i in range(count):
        ball.x[begin + i] = work[i]
        ball.iterations[begin + i] = int(work[DONE * BLOCK + i])


@part
def _record(work, ball, rules, begin, count, j):
    for i in range(count):
        if work[DONE * BLOCK + i] == j + 1:
            ball.path[(begin + i) * rules.length + j + 1] = work[i]


@part
def _step(work, rules, count):
    """One step of the first balls of a block, given its slopes; returns whether any has moved.

    Uses tiles: loops over these rows took 1.3 ns a ball, where tiles take 0.0.
    """
    shape, moved = _step_shape(), False
    for i in range(0, count, runs_of(shape)):
        x = load(shape, work, i, 0)
        slope = load(shape, work, RESULT * BLOCK + i, 0)
        start, alpha = (
            load(shape, work, START * BLOCK + i, 0),
            load(shape, work, ALPHA * BLOCK + i, 0),
        )
        steepness = magnitude(slope)
        # Also 0 where the slope or x is NaN.
        goes = select(rules.farthest >= magnitude(x - start), 1.0, 0.0)
        goes = select(steepness < math.inf, goes, 0.0)
        goes = select(steepness > rules.tolerance, goes, 0.0)
        moves = goes > 0.0
        step = alpha * (with_sign(1.0, slope) if rules.by_sign else slope)
        store(shape, work, i, 0, select(moves, x - step, x))
        done = load(shape, work, DONE * BLOCK + i, 0)
        store(shape, work, DONE * BLOCK + i, 0, done + goes)
        moved |= anywhere(moves)
    return moved


@part
def _judge(evaluate, evaluators, w, ball, rules, begin, end):
    """Set the outcome of rolling balls that have diverged or may be at rest; count the latter."""
    work = all_evaluators(evaluators)[w].work
    for i in range(end - begin):
        work[i] = ball.x[begin + i]
    evaluate_block(evaluate, evaluators, w, end - begin)
    resting = 0
    for i in range(begin, end):
        x, s = ball.x[i], work[RESULT * BLOCK + i - begin]
        if ball.outcome[i] != ROLLING:
            continue
        near = abs(x) < math.inf and abs(x - ball.start[i]) <= rules.farthest
        if not (abs(s) < math.inf and near):
            ball.outcome[i] = DIVERGED
        elif abs(s) <= rules.tolerance:
            ball.outcome[i] = _AT_REST
            resting += 1
    return resting


@part
def _look(evaluate, evaluators, w, ball, rules, begin, end, side, unknown, risen):
    """Search one side of each ball at rest for the end of the flat stretch around it.

    Applies to balls with outcome ``unknown``. It becomes ``risen`` if the curve rises there, else
    STUCK.
    """
    work = all_evaluators(evaluators)[w].work
    distance = side * NEAR
    for _ in range(DOUBLINGS):
        for i in range(end - begin):
            x = ball.x[begin + i]
            away = distance * max(1.0, abs(x))
            work[i] = x + away if ball.outcome[begin + i] == unknown else x
        evaluate_block(evaluate, evaluators, w, end - begin)
        left = 0
        for i in range(begin, end):
            s = work[RESULT * BLOCK + i - begin]
            if ball.outcome[i] == unknown:
                if abs(s) <= rules.tolerance:
                    left += 1
                else:
                    ball.outcome[i] = risen if s * side > 0.0 else STUCK
        if left == 0:
            return
        distance *= 2.0
    for i in range(begin, end):
        if ball.outcome[i] == unknown:
            ball.outcome[i] = STUCK


@part
def _roll(evaluate, evaluators, w, balls, rules, b):
    """Roll block b from iteration ``rules.first`` to ``last``, or until no ball moves."""
    ball, rules = all_balls(balls)[0], all_rules(rules)[0]
    work = all_evaluators(evaluators)[w].work
    begin, end = b * BLOCK, min((b + 1) * BLOCK, len(ball.x))
    _take(work, ball, begin, end - begin)
    for j in range(rules.first, rules.last):
        evaluate_block(evaluate, evaluators, w, end - begin)
        if not _step(work, rules, end - begin):
            break
        if rules.length:
            _record(work, ball, rules, begin, end - begin, j)
    _give_back(work, ball, begin, end - begin)
    if _judge(evaluate, evaluators, w, ball, rules, begin, end):
        _look(evaluate, evaluators, w, ball, rules, begin, end, -1.0, _AT_REST, _RISES_LEFT)
        _look(evaluate, evaluators, w, ball, rules, begin, end, 1.0, _RISES_LEFT, CONVERGED)


@cached_njit(**WHOLE)
@translated
def roll_share(evaluate, evaluators, w, balls, rules):
    """Roll thread w's share of the blocks: every n-th block, for n threads.

    ``evaluate`` is the handle of a function with the signature ``bytecode.EVALUATES``; the other
    arguments except ``w`` are named tuples encoded by ``structs.encode``.
    """
    threads = len(all_evaluators(evaluators))
    blocks = (len(all_balls(balls)[0].x) + BLOCK - 1) // BLOCK
    for b in range(w, blocks, threads):
        _roll(evaluate, evaluators, w, balls, rules, b)


_WORDS = types.Array(types.int64, 2, "C")


def handle_of_roller(evaluate):
    """Compile :func:`roll_share`, or load it from the cache; returns a handle for kernels."""
    return handle(roll_share, (typeof(evaluate), _WORDS, types.int64, _WORDS, _WORDS))


@cached_njit(**PARALLEL)
def roll_all(roll, evaluate, evaluators, balls, rules):
    """Roll all blocks, a share on each thread; ``roll`` is the handle of :func:`roll_share`."""
    for w in prange(len(evaluators)):
        call_compiled(roll, (evaluate, evaluators, w, balls, rules))


@cached_njit(**WHOLE)
@translated
def evaluate_all(evaluate, evaluators, operands, results):
    """Evaluate a curve, or a function of up to three operands, for each value, on one thread."""
    work = all_evaluators(evaluators)[0].work
    for begin in range(0, len(results), BLOCK):
        count = min(BLOCK, len(results) - begin)
        for k in range(len(operands)):
            row = X if k == 0 else SECOND + k - 1
            for i in range(count):
                work[row * BLOCK + i] = operands[k, begin + i]
        evaluate_block(evaluate, evaluators, 0, count)
        for i in range(count):
            results[begin + i] = work[RESULT * BLOCK + i]


def roll_balls(code: Code, balls: Balls, rules: Rules, threads: int) -> None:
    """Roll balls on the curve whose derivative this code gives, on at most ``threads`` threads."""
    threads = allowed(threads, -(-len(balls.x) // BLOCK))
    made = evaluators(code, threads)
    arguments = code.handle, encode(made, threads)
    if threads == 1:
        roll_share(*arguments, 0, encode(balls), encode(rules))
        return
    with started(threads):
        try:
            roll_all(handle_of_roller(code.handle), *arguments, encode(balls), encode(rules))
        except SystemError as error:  # raised by a user's function in a thread
            raise error.__cause__ or error from None


def evaluate(code: Code, *operands: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evaluate the code for each of these values; for several operands, value by value."""
    allowed(1, 1)
    made, results = evaluators(code, 1), np.empty_like(operands[0])
    columns = operands[0][None] if len(operands) == 1 else np.array(operands)
    evaluate_all(code.handle, encode(made, 1), columns, results)
    return results


# ---------------------------------------------------------------- balls on another machine
#
# Where a function has no address, the interpreter has all functions that a program may use in
# itself, and is a single function with the roller.


_PAIR = Shape(1, 1, 2)
"""As many lanes as a register of WebAssembly has: code for more at a time is larger."""


class RollerHeader(NamedTuple):
    """The first words of the memory of a roller."""

    values: int  # how many to evaluate, in the row X of the working memory; 0: roll
    evaluators: Integers  # the words of an Evaluator
    balls: Integers  # of Balls
    rules: Integers  # of Rules


@cache
def roller_module(functions: tuple[str, ...], target: str) -> bytes:
    """A module of WebAssembly whose function ``roll`` takes the address of a RollerHeader.

    Programs for it have the codes of ``codes_with(functions)``. It imports its memory, whose first
    65,536 bytes are its own.

    Raises
    ------
    TargetError
        If this machine can't emit it.
    """
    known = codes_with(functions)
    interpreter = Interpreter(_PAIR, known_functions({name: known[name] for name in functions}))
    made = emit(_roll_or_evaluate, (interpreter,), len(functions), RollerHeader, TARGETS[target])
    return linked(made, "roll")


def _roll_or_evaluate(interpreter, _stamp, header):
    if header.values > 0:
        evaluate_block(interpreter, header.evaluators, 0, header.values)
    else:
        roll_share(interpreter, header.evaluators, 0, header.balls, header.rules)
