"""The row about the map of trainability."""

from importlib.util import find_spec

import numpy as np

import fastgd
from compare import Settings
from fastgd.studies.mean_field import mean_field
from measure import in_turn
from report import Line

RESOLUTION = 128
ITERATIONS = 100
BLOCK = 4
"""Trainings that the best form of JAX vmaps: 2, 8 and 16 are slower."""

ALIKE = 0.99
"""Share of outcomes that must be the same: at the edge the last bit decides."""


def edge(settings: Settings) -> list[Line]:
    """The map of the documents, smaller and shorter; theirs at half the resolution, in one window.

    Nothing is spared us that is not spared them: who can, ends a training that has diverged.
    """
    resolution = RESOLUTION if settings.effort else 32
    title = f"map of trainability, {resolution**2:,} trainings of {ITERATIONS} iterations"
    calls = {"fastgd": lambda: _ours(resolution, settings.threads).values}
    coarse = _ours(resolution // 2, settings.threads)
    names = {
        "JAX, jit + vmap, best form": lambda peer, *given: peer.best(*given, BLOCK),
        "JAX, jit + vmap, plain": lambda peer, *given: peer.plain(*given),
    }
    note = f"theirs from {coarse.values.size:,} trainings"
    if find_spec("jax") is not None:
        import peer_jax_trainability

        problem = mean_field(16, "tanh", None, 1)
        alphas = problem.alphas(coarse.input_rates, coarse.output_rates)
        for name, prepare in names.items():
            calls[name] = prepare(peer_jax_trainability, problem, alphas, ITERATIONS)
            _check(name, calls[name](), coarse.values.ravel())
    seconds = in_turn(calls, settings.repeats)
    own = 1e9 * seconds.pop("fastgd") / resolution**2 / ITERATIONS
    lines = []
    for name in names:
        if name not in seconds:
            lines.append(Line(title, name, own, None, None, note="not installed"))
            continue
        theirs = 1e9 * seconds[name] / coarse.values.size / ITERATIONS
        lines.append(Line(title, name, own, theirs, theirs / own, note=note))
    return lines


def _ours(resolution: int, threads: int) -> fastgd.Trainability:
    return fastgd.trainability(resolution, iterations=ITERATIONS, threads=threads)


def _check(name: str, theirs: np.ndarray, ours: np.ndarray) -> None:
    """Outcomes are the same, and most sums to many digits."""
    alike = ((theirs < 0) == (ours < 0)).mean()
    assert alike >= ALIKE, f"{name}: only {alike:.2%} of the outcomes are alike"
    miss = np.median(np.abs(theirs - ours) / np.abs(ours))
    assert miss < 1e-9, f"{name}: sums are off by {miss:.2g}"


ALL = (edge,)
