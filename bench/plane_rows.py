"""The row about loss surfaces: ours beside a NumPy loop over the grid, and beside whole arrays."""

from functools import partial
from importlib.util import find_spec

import numpy as np

import fastgd
import peer_plane
from compare import Settings
from measure import in_turn
from report import Line
from workload import LINE_X, LINE_Y, XOR_X, XOR_Y, Array

PEERS = {
    "NumPy, the article's logic in a loop": (peer_plane.loop, "numpy", ">= 100", 4),
    "NumPy, the whole grid at once": (peer_plane.at_once, "numpy", "", 1),
    "JAX, jit + vmap": (peer_plane.jax_vmap, "jax", "", 1),
}
"""Call, what must be installed, target, and the share of points along each axis that it gets."""

SPAN = (-10.0, 10.0)


def error_plane(settings: Settings) -> list[Line]:
    """Two planes, ns per point: the article's, and a slice of its larger network.

    Raises
    ------
    AssertionError
        If a peer's errors are others.
    """
    random = np.random.RandomState(1)
    lines = []
    for title, (X, y), shapes in (
        ("loss surface 2-1", (LINE_X, LINE_Y), [(2, 1)]),
        ("loss surface 3-4-1", (XOR_X, XOR_Y), [(3, 4), (4, 1)]),
    ):
        weights = [2 * random.random_sample(shape) - 1 for shape in shapes]
        for resolution in (201, 512):
            lines += _compare(title, X, y, weights, resolution, settings)
    return lines


def _compare(
    title: str, X: Array, y: Array, weights: list[Array], resolution: int, settings: Settings
) -> list[Line]:
    resolution = max(8, round(resolution * settings.effort))
    ours = partial(
        fastgd.surface, X, y, weights, span=SPAN, resolution=resolution, threads=settings.threads
    )
    calls, points = {"fastgd": ours}, {"fastgd": resolution**2}
    for name, (prepare, module, _, share) in PEERS.items():
        if find_spec(module) is not None:
            own = max(8, resolution // share)
            calls[name] = prepare(X, y, weights, np.linspace(*SPAN, own))
            points[name] = own**2
            expected = fastgd.surface(X, y, weights, span=SPAN, resolution=own).errors
            np.testing.assert_allclose(calls[name](), expected, 1e-9, 1e-12, err_msg=name)
    seconds = in_turn(calls, settings.repeats)
    ns = {name: 1e9 * seconds[name] / points[name] for name in calls}
    return [
        Line(
            f"{title}, {resolution} x {resolution} points",
            name,
            ns["fastgd"],
            ns.get(name),
            ns[name] / ns["fastgd"] if name in ns else None,
            target,
            note=_note(points[name], resolution) if name in ns else "not installed",
        )
        for name, (_, _, target, _) in PEERS.items()
    ]


def _note(points: int, resolution: int) -> str:
    return "" if points == resolution**2 else f"theirs from {points:,} points"


ALL = (error_plane,)
