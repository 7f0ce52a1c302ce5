"""A million balls in the bucket, beside the same in vectorized NumPy."""

from collections.abc import Callable

import numpy as np

from compare import Settings
from fastgd import bucket
from measure import in_turn
from report import Line
from workload import Array

BALLS = 1_000_000
ALPHA = 0.01
STEPS = 100
PIECE = 8192
"""Balls whose arrays stay in the second-level cache."""

TOLERANCE = 1e-9

Slope = Callable[[Array], Array]


def w_slope(x: Array) -> Array:
    """Slope of the first curve, as one writes it for arrays that are multiplied fast."""
    return (4 * (x * x) - 6) * x + 1


def five_minima_slope(x: Array) -> Array:
    """Slope of the second curve."""
    return x * x * x / 75 + 2.5 * np.cos(2.5 * x) - np.sin(x / 2) / 2


CURVES: dict[str, tuple[str, Slope, str]] = {
    "a polynomial": ("x**4 - 3*x**2 + x", w_slope, ""),
    "sines": (bucket.FIVE_MINIMA, five_minima_slope, ""),
}


def numpy_whole(slope: Slope, start: Array, steps: int) -> Array:
    """What one writes: each step goes over all balls."""
    x = start.copy()
    for _ in range(steps):
        x -= ALPHA * slope(x)
    return x


def numpy_in_pieces(slope: Slope, start: Array, steps: int) -> Array:
    """The same for as many balls at a time as the cache holds."""
    pieces = np.array_split(start, -(-len(start) // PIECE))
    return np.concatenate([numpy_whole(slope, piece, steps) for piece in pieces])


def balls(settings: Settings) -> list[Line]:
    """A million balls, none of which ever stops; ns per step of one ball.

    Raises
    ------
    AssertionError
        If the balls of NumPy end elsewhere.
    """
    lines = []
    steps = max(1, round(STEPS * settings.effort))
    start = np.random.RandomState(1).uniform(-3, 3, BALLS)
    for name, (curve, slope, target) in CURVES.items():

        def ours(curve: str = curve) -> Array:
            rolled = bucket.roll(
                curve=curve,
                start=start,
                alpha=ALPHA,
                iterations=steps,
                tolerance=0,
                threads=settings.threads,
            )
            ended: Array = rolled.x
            return ended

        peers = {"NumPy, whole arrays": numpy_whole, "NumPy, cache-sized pieces": numpy_in_pieces}
        calls: dict[str, Callable[[], Array]] = {"fastgd": ours}
        for peer, function in peers.items():
            calls[peer] = lambda function=function, slope=slope: function(slope, start, steps)
            np.testing.assert_allclose(calls[peer](), ours(), rtol=0, atol=TOLERANCE)
        seconds = in_turn(calls, settings.repeats)
        ns = {peer: 1e9 * took / BALLS / steps for peer, took in seconds.items()}
        own = ns["fastgd"]
        title = f"{BALLS:,} balls on {name}, {steps} steps"
        lines += [
            Line(title, f"{peer}, one thread", own, ns[peer], ns[peer] / own, target)
            for peer in peers
        ]
    return lines


ALL = (balls,)
