"""Balls that roll on a curve: a block of them side by side, blocks distributed over all threads.

Whether a ball keeps rolling depends only on its position, so a call may end after any iteration and
the next one continues with the same bits. The interpreter that evaluates the slope for a block is
called by its address, so this code is compiled apart from it.
"""

import math
from functools import cache
from itertools import accumulate
from typing import Any, NamedTuple

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
    Evaluator,
    Interpreter,
    X,
    all_evaluators,
    codes_with,
    evaluate_block,
    evaluators,
    interpreter,
    known_functions,
)
from fastgd.kernel.language.cache import cached_njit
from fastgd.kernel.language.cross_compilation import TARGETS, emit
from fastgd.kernel.language.loads_and_stores import load, store
from fastgd.kernel.language.numba_internals import call_compiled, handle
from fastgd.kernel.language.specialization import PARALLEL, WHOLE, part
from fastgd.kernel.language.structs import Buffer, Floats, IntArray, Struct, encode, table_of
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
from fastgd.kernel.language.wasm_linking import STACK, linked
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
    iterations: IntArray  # (balls,) done
    outcome: IntArray  # (balls,) ROLLING, ...
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
    count = end - begin
    for i in range(BLOCK):  # unused places are NaN and never move
        work[START * BLOCK + i] = ball.start[begin + i] if i < count else math.nan
    for i in range(count):
        work[i] = ball.x[begin + i]
        work[ALPHA * BLOCK + i] = ball.alpha[begin + i]
        work[DONE * BLOCK + i] = ball.iterations[begin + i]
    for j in range(rules.first, rules.last):
        evaluate_block(evaluate, evaluators, w, count)
        if not _step(work, rules, count):
            break
        for i in range(count if rules.length else 0):
            if work[DONE * BLOCK + i] == j + 1:
                ball.path[(begin + i) * rules.length + j + 1] = work[i]
    for i in range(count):
        ball.x[begin + i] = work[i]
        ball.iterations[begin + i] = int(work[DONE * BLOCK + i])
    if _judge(evaluate, evaluators, w, ball, rules, begin, end):
        _look(evaluate, evaluators, w, ball, rules, begin, end, -1.0, _AT_REST, _RISES_LEFT)
        _look(evaluate, evaluators, w, ball, rules, begin, end, 1.0, _RISES_LEFT, CONVERGED)


@cached_njit(**WHOLE)
@translated
def roll_share(evaluate, evaluators, w, balls, rules):
    """Roll thread w's share of the blocks: every n-th block, for n threads.

    ``evaluate`` is for ``evaluate_block``; the other arguments except ``w`` are named tuples
    encoded by ``structs.encode``.
    """
    threads = len(all_evaluators(evaluators))
    blocks = (len(all_balls(balls)[0].x) + BLOCK - 1) // BLOCK
    for b in range(w, blocks, threads):
        _roll(evaluate, evaluators, w, balls, rules, b)


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
    made = evaluators(code, threads)  # its arrays must live as long as its words, their addresses
    evaluate, words = interpreter(), encode(made, threads)
    if threads == 1:
        roll_share(evaluate, words, 0, encode(balls), encode(rules))
        return
    array = types.Array(types.int64, 2, "C")
    roller = handle(roll_share, (typeof(evaluate), array, types.int64, array, array))
    with started(threads):
        roll_all(roller, evaluate, words, encode(balls), encode(rules))


def evaluate(code: Code, *operands: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evaluate the code for each of these values; for several operands, value by value."""
    allowed(1, 1)
    made, results = evaluators(code, 1), np.empty_like(operands[0])
    columns = operands[0][None] if len(operands) == 1 else np.array(operands)
    evaluate_all(interpreter(), encode(made, 1), columns, results)
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
    evaluators: IntArray  # the words of an Evaluator
    balls: IntArray  # of Balls
    rules: IntArray  # of Rules


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


class RollerImage(NamedTuple):
    """The memory of a roller before its first call.

    Attributes
    ----------
    base : int
        Address of its RollerHeader.
    size : int
        In bytes. Behind them there is room for a program, and for its working memory.
    head : bytes
        Its first bytes; all others are zeros.
    fields : dict of str to (int, int)
        Where things are from the base on, and how many of eight bytes: the arrays of Balls by their
        names, and the words of the structs, such as ``rules.first``. That of an array is its
        address, ``evaluators.work``, and the next one its length, ``evaluators.work.length``.
    """

    base: int
    size: int
    head: bytes
    fields: dict[str, tuple[int, int]]


def roller_image(balls: int, steps: int) -> RollerImage:
    """The memory of a roller with room for some balls, and for a path with that many steps."""
    x, start, alpha = np.zeros((3, balls))
    done, outcome = np.zeros((2, balls), np.int64)
    state = Balls(x, start, alpha, done, outcome, path=np.zeros(steps + 1))
    structs: dict[str, Any] = {
        "evaluators": Evaluator(np.zeros(0, np.int64), np.zeros(0)),
        "balls": state,
        "rules": Rules(0, 0, 0, 0, 1e-9, 1e9),
    }
    tables = {name: encode(struct)[0] for name, struct in structs.items()}
    structs = {"header": RollerHeader(0, **tables), **structs}
    arrays = {"header": encode(structs["header"])[0], **tables, **state._asdict()}
    *begins, size = accumulate((-(-each.nbytes // 64) * 64 for each in arrays.values()), initial=0)
    places = dict(zip(arrays, begins, strict=True))
    address = {id(array): STACK + places[name] for name, array in arrays.items()}
    head = np.zeros(places["x"], np.uint8)
    fields = {name: (places[name], len(array)) for name, array in state._asdict().items()}
    for name, struct in structs.items():
        words = encode(struct, place=lambda array: address[id(array)])
        head[places[name] :][: words.nbytes] = words.view(np.uint8)
        for field, (word, kind) in Struct(type(struct)).fields.items():
            place = places[name] + 8 * word
            fields[f"{name}.{field}"] = place, 1
            if isinstance(kind, Buffer):
                fields[f"{name}.{field}.length"] = place + 8, 1
    return RollerImage(STACK, size, head.tobytes(), fields)


def _roll_or_evaluate(interpreter, _stamp, header):
    if header.values > 0:
        evaluate_block(interpreter, header.evaluators, 0, header.values)
    else:
        roll_share(interpreter, header.evaluators, 0, header.balls, header.rules)
