"""roll(): balls that roll down a curve by one of the article's three rules, on any machine."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastgd.checks.messages import shown
from fastgd.checks.numbers import (
    ABOVE_ZERO,
    FINITE,
    NOT_NEGATIVE,
    Rule,
    check_choice,
    check_count,
    check_flag,
    check_memory,
    check_number,
    check_threads,
    numbers_of,
    rule_of,
)
from fastgd.engine.devices import available_threads
from fastgd.engine.progress import Advance, ProgressHook, check_progress, reporting
from fastgd.formulas.derivation import Derivation
from fastgd.formulas.expressions import FUNCTIONS
from fastgd.formulas.named import Given
from fastgd.kernel.bytecode import (
    BLOCK,
    CONSTANTS,
    OF_VALUE,
    OPERATIONS,
    RESULT,
    WORDS,
    X,
    codes_with,
)
from fastgd.kernel.curve_descent import (
    ROLLING,
    Balls,
    Rules,
    roll_balls,
    roller_image,
    roller_module,
)
from fastgd.studies.bucket.curves import Curve, check_places, curve_of

_STEPS = {"sign": "alpha * sign(slope)", "naive": "slope", "alpha": "alpha * slope"}

RuleName = Literal["sign", "naive", "alpha"]
RULES: tuple[RuleName, ...] = get_args(RuleName)
"""The article's "Oversimplified", "Naive" and "Improved Gradient Descent"."""

STATUS = np.array(["rolling", "converged", "stuck", "diverged"])

ALPHA = 0.1
"""The article's alpha."""

GROUP = 2**15
"""Balls per call of the kernel: their state fits into the processor's caches."""

EVALUATIONS = 2**21
"""Slopes per call of the kernel, some 10 ms: Ctrl-C and progress are handled between calls."""

# Per ball: nine arrays (as given, broadcast, in the kernel and in the result), and its status.
BALL_BYTES = 9 * 8 + 36


@dataclass(frozen=True, eq=False)
class Roll:
    """Where balls ended; arrays have the broadcast shape of start and alpha, one ball has scalars.

    Attributes
    ----------
    x : float or array
        Where they ended.
    height, slope : float or array
        Of the curve at x; the height is NaN if only the slope is known.
    status : str or array of str
        "converged": the slope is within the tolerance, and the curve rises on both sides.
        "stuck": the slope is within the tolerance, but x is not a minimum: a flat stretch, or a
        maximum. "rolling": the iterations ran out. "diverged": farther from the start than
        ``farthest``, or x or the slope is not finite, as at a pole.
    iterations : int or array of int
        Number of steps.
    path : (..., steps + 1) array or None
        x before each step and at the end, if recorded; NaN after the end.
    start, alpha : float or array
        As given.
    rule : {"sign", "naive", "alpha"}
        As given.
    curve : Curve
        The curve they rolled on.
    """

    x: Any
    height: Any
    slope: Any
    status: Any
    iterations: Any
    path: NDArray[np.float64] | None
    start: Any
    alpha: Any
    rule: str
    curve: Curve = field(repr=False)

    @property
    def step(self) -> str:
        """The formula of a step, as in the article."""
        return f"x -= {_STEPS[self.rule]}"

    def __repr__(self) -> str:
        """The end of the ball, or the number of balls by status."""
        if np.ndim(self.status) == 0:
            return f"Roll(x={self.x:.6g}, {self.status} after {self.iterations} iterations)"
        counts = {name: int((self.status == name).sum()) for name in STATUS}
        parts = [f"{count} {name}" for name, count in counts.items() if count]
        return f"Roll({self.status.size} balls: {', '.join(parts)})"


def roll(
    slope: Given | None = None,
    start: ArrayLike | None = None,
    *,
    curve: Given | None = None,
    alpha: ArrayLike | None = None,
    rule: RuleName = "alpha",
    iterations: int = 10_000,
    tolerance: float = 1e-9,
    farthest: float = 1e9,
    record_path: bool = False,
    threads: int | None = None,
    progress: bool | ProgressHook = False,
) -> Roll:
    """Let balls roll down a curve (article, part 2: the ball in the bucket).

    Parameters
    ----------
    slope : function or str, optional
        The slope of the curve: an expression of x, or a Python function of one number, made of
        arithmetic, constants, the functions of `fastgd.functions`, and of math and NumPy these:
        powers, roots, exponentials, logarithms, trigonometric and hyperbolic functions with their
        inverses, abs and erf. The function is called once, to record its operations. By default
        the slope is derived from the curve, exactly.
    start : float or array_like
        Where balls start.
    curve : function or str, optional
        The curve, as an expression or a function. Without it heights are unknown.
    alpha : float or array_like, optional
        Factor of the slope, or of its sign; 0.1 by default. Broadcast against ``start``. Not used
        by the naive rule.
    rule : {"alpha", "naive", "sign"}
        The step: ``x -= alpha * slope`` ("Improved Gradient Descent"), ``x -= slope`` ("Naive
        Gradient Descent") or ``x -= alpha * sign(slope)`` ("Oversimplified Gradient Descent", which
        ignores how steep the slope is).
    iterations : int
        The most steps of a ball.
    tolerance : float
        A ball stops where the absolute slope is at most this; in the article at 0.
    farthest : float
        A ball farther from its start than this has diverged; infinity is allowed.
    record_path : bool
        Whether to keep the balls' places at each step.
    threads : int, optional
        All by default.
    progress : bool or function
        As in :func:`fastgd.train`.

    Returns
    -------
    Roll

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described, or the curve has no slope where a ball starts; the
        message states the rule and what came.

    Notes
    -----
    Results are bit-identical for any number of threads, any other balls and any machine: sin, exp
    and the like are the kernel's own, those of ``fastgd.functions``, in expressions and in a Python
    function. Nothing is compiled for a new curve.

    To tell a minimum from a flat stretch, the slope is evaluated on both sides at growing distances
    (a millionth of x, or of 1 if that is larger, doubled up to 40 times) until it exceeds the
    tolerance: at a minimum the curve rises on both sides.

    Examples
    --------
    >>> from fastgd import bucket
    >>> bucket.roll(curve="x**4 - 3*x**2 + x", start=2, alpha=0.01)
    Roll(x=1.1309, converged after 223 iterations)

    The first of the article's three problems, slopes that are too big, and its solution:

    >>> bucket.roll(lambda x: 2 * x, [1, 1], alpha=[1.1, 0.1]).status
    array(['diverged', 'converged'], dtype='<U9')
    """
    if start is None:
        raise ValueError("start must be given: the x where balls start")
    starts = _numbers("start", start, FINITE)
    rule = check_choice("rule", rule, RULES)
    rates = _check_alpha(alpha, rule)
    iterations = check_count("iterations", iterations)
    tolerance = check_number("tolerance", tolerance, NOT_NEGATIVE)
    farthest = check_number("farthest", farthest, rule_of("(0, inf]"))
    recording = check_flag("record_path", record_path)
    threads = check_threads(threads, available_threads())
    progress = check_progress(progress)
    try:
        shape = np.broadcast_shapes(starts.shape, rates.shape)
    except ValueError:
        raise ValueError(
            "start and alpha must have shapes that can be broadcast, "
            f"got {starts.shape} and {rates.shape}"
        ) from None
    count = math.prod(shape)
    length = iterations + 1 if recording else 0
    check_memory(count * (BALL_BYTES + 16 * length), "the balls")
    found = curve_of(curve, slope)
    _check_slopes(found, starts)
    start_of = np.broadcast_to(starts, shape).reshape(-1).copy()
    path = np.full(count * length, np.nan)
    if recording:
        path[::length] = start_of
    balls = Balls(
        x=start_of.copy(),
        start=start_of,
        alpha=np.broadcast_to(rates, shape).reshape(-1).copy(),
        iterations=np.zeros(count, np.int64),
        outcome=np.full(count, ROLLING, np.int64),
        path=path,
    )
    rules = Rules(0, 0, int(rule == "sign"), length, tolerance, farthest)
    with reporting(progress, count * iterations) as advance:
        _roll_all(found, balls, rules, iterations, threads, advance)
    heights, slopes = found.at(balls.x)
    most = int(balls.iterations.max())

    def shaped(values: NDArray[Any]) -> Any:
        return values.reshape(shape) if shape else values.item()

    return Roll(
        x=shaped(balls.x),
        height=shaped(heights),
        slope=shaped(slopes),
        status=shaped(STATUS[balls.outcome]),
        iterations=shaped(balls.iterations),
        path=path.reshape(*shape, length)[..., : most + 1].copy() if recording else None,
        start=shaped(start_of),
        alpha=shaped(balls.alpha),
        rule=rule,
        curve=found,
    )


def _roll_all(
    curve: Curve, balls: Balls, rules: Rules, iterations: int, threads: int, advance: Advance
) -> None:
    """Roll groups of balls, one after the other, until they end or the iterations are used up."""
    for begin in range(0, len(balls.x), GROUP):
        end = min(begin + GROUP, len(balls.x))
        path = balls.path[begin * rules.length : end * rules.length]
        group = Balls._make([*(array[begin:end] for array in balls[:-1]), path])
        step = max(1, EVALUATIONS // (end - begin))
        for first in range(0, iterations, step):
            last = min(first + step, iterations)
            roll_balls(curve.slope, group, rules._replace(first=first, last=last), threads)
            if not (group.outcome == ROLLING).any():
                advance((end - begin) * (iterations - first))
                break
            advance((end - begin) * (last - first))


def _check_alpha(alpha: object, rule: str) -> NDArray[np.float64]:
    if rule == "naive":
        if alpha is not None:
            raise ValueError(f"alpha must be left out with rule='naive', got {shown(alpha)}")
        return np.array(1.0)
    rates = np.array(ALPHA) if alpha is None else _numbers("alpha", alpha, ABOVE_ZERO)
    wrong = rates[~ABOVE_ZERO.holds(rates)]
    if wrong.size:
        raise ValueError(f"alpha must be {ABOVE_ZERO.words}, got {wrong[0]:g}")
    return rates


def _numbers(name: str, given: object, rule: Rule) -> NDArray[np.float64]:
    """Return a number that follows the rule, or an array of finite numbers."""
    if isinstance(given, list | tuple | range) or getattr(given, "ndim", False):
        return numbers_of(name, check_places(name, given))
    return np.array(check_number(name, given, rule))


def _check_slopes(curve: Curve, starts: NDArray[np.float64]) -> None:
    heights, slopes = curve.at(starts)
    missing = np.isnan(slopes) & ~np.isinf(heights)  # poles are allowed
    if missing.any():
        at = np.unravel_index(int(missing.argmax()), missing.shape)
        raise ValueError(
            f"the curve must have a slope where a ball starts, got {slopes[at]:g} at x = "
            f"{starts[at]:g} of {curve.text}"
        )


# ---------------------------------------------------------------- balls on another machine


@cache
def _functions() -> tuple[str, ...]:
    """The functions that programs of expressions may use, without what the interpreter has."""
    found: set[str] = set()
    for name, operands in {**FUNCTIONS, "pow": 2}.items():
        if name != "where":
            derivation = Derivation(of_value=OF_VALUE)
            derivation.of((name, *["x"] * operands))
            found |= {node[0] for node in derivation.nodes}
    return tuple(sorted(found - OPERATIONS.keys() - {"variable", "number"}))


def roller_of(target: str) -> bytes:
    """The module for a target, ``wasm32`` or ``wasm32-relaxed``: see :func:`.roller_module`."""
    return roller_module(_functions(), target)


def roller_facts(balls: int, steps: int) -> dict[str, Any]:
    """The codes of operations in a roller, and its layout of memory for so many balls and steps.

    See :class:`.RollerImage`.
    """
    image = roller_image(balls, steps)
    return {
        "codes": codes_with(_functions()),
        "ofValue": sorted(OF_VALUE),
        "block": BLOCK,
        "words": WORDS,
        "rows": {"x": X, "result": RESULT, "constants": CONSTANTS},
        "image": {
            "base": image.base,
            "bytes": image.size,
            "head": [*image.head],
            "fields": {
                name: {"offset": place, "length": count}
                for name, (place, count) in image.fields.items()
            },
        },
        "statuses": STATUS.tolist(),
        "rules": list(RULES),
    }
