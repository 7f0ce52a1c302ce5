"""Odd arguments to the calls around a training: a rule that is stated, or a result, nothing else.

``train``, ``sweep`` and related calls have tests of their own: ``training/test_odd_calls.py``.
"""

from functools import cache
from numbers import Real

import matplotlib.pyplot as plt
import numpy as np
import pytest

import fastgd
from fastgd import bucket, plots
from fastgd.optimizers import GradientDescent, Momentum
from fastgd.studies import mean_field
from fastgd.training import statistics
from odd import ODD, stated

X, Y = [[0, 1], [0, 1], [1, 0], [1, 0]], [0, 0, 1, 1]
SMALL = {"hidden_size": (), "iterations": 20, "record_every": 5}


class Later:
    """What is made when a test first asks for it: each worker reads this file, a few run it."""

    def __init__(self, make):
        self.made = cache(make)

    def __call__(self):
        return self.made()


def now(value):
    return value() if isinstance(value, Later) else value


RUN = Later(lambda: fastgd.train(X, Y, **SMALL, record_weights=True))
OTHER = Later(
    lambda: fastgd.train(np.eye(3), [0, 1, 0], hidden_size=2, iterations=3, record_weights=True)
)
BARE = Later(lambda: fastgd.train(X, Y, **SMALL))
SWEEP = Later(
    lambda: fastgd.sweep(
        X, Y, alpha=[0.1, 1.0, 10.0], hidden_size=[2, 3], seed=[1, 2], iterations=9
    )
)
PLAIN_SWEEP = Later(lambda: fastgd.sweep(X, Y, seed=[1, 2, 3], iterations=9))
RACE = Later(lambda: fastgd.race(X, Y, [(GradientDescent(), 1), (Momentum(), 1)], **SMALL))
SURFACE = Later(lambda: fastgd.surface(X, Y, RUN(), resolution=5))
MAP = Later(lambda: fastgd.trainability(16, iterations=20, width=4, window=((-1, 3), (-1, 3))))
BOXES = Later(lambda: MAP().box_counting())
ROLL = Later(lambda: bucket.roll(curve="x**2", start=[1.0, -2.0], record_path=True))
TABLE = {"a": [0.0, 1, 2, 4] * 10, "b": ["x", "y"] * 20}
MODEL = Later(
    lambda: fastgd.fit(TABLE | {"c": [*range(40)]}, "c", hidden_size=[()], folds=2, keep=["a"])
)
BASINS = Later(lambda: bucket.basins(balls=10, record_path=True))


VALUES = ODD | {
    "a dict of a run": Later(lambda: {"a": RUN()}),
    "a dict of another run": Later(lambda: {"a": OTHER()}),
    "Run": RUN,
    "Run without weights": BARE,
    "Run of another network": OTHER,
    "Sweep": SWEEP,
    "Sweep over seeds": PLAIN_SWEEP,
    "Race": RACE,
    "Surface": SURFACE,
    "Trainability": MAP,
    "BoxCounting": BOXES,
    "Roll": ROLL,
    "Basins": BASINS,
}

# What is called, with arguments that it takes: each in turn gives way to all odd ones.
CALLS = {
    "race.reached": (Later(lambda: RACE().reached), {"error": 0.1}),
    "race.surface": (
        Later(lambda: RACE().surface),
        {"axes": ((0, 0, 0), (0, 1, 0)), "span": None, "resolution": 3, "at": None},
    ),
    "race": (
        fastgd.race,
        {"X": X, "y": Y, "optimizers": [Momentum()], "hidden_size": (), "iterations": 3,
         "record_every": 1, "seed": 1, "weights": None, "progress": False},
    ),
    "surface": (
        fastgd.surface,
        {"X": X, "y": Y, "weights": RUN, "axes": ((0, 0, 0), (0, 1, 0)), "span": (-1, 1),
         "resolution": 3, "threads": 1, "progress": False, "sample_weight": None},
    ),
    "surface.path": (Later(lambda: SURFACE().path), {"run": RUN}),
    "trainability": (
        fastgd.trainability,
        {"resolution": 2, "iterations": 3, "width": 2, "window": ((0, 1), (0, 1)),
         "activation": "tanh", "batch_size": None, "samples": None, "against": "output_rate",
         "seed": 1, "threads": 1, "progress": False, "out": None, "executor": None,
         "threads_per_worker": 1},
    ),
    "trainability_zoom": (
        fastgd.trainability_zoom,
        {"frames": 2, "factor": 2.0, "resolution": 8, "window": ((-1, 3), (-1, 3)), "out": None,
         "iterations": 20, "width": 4},
    ),
    "trainability.zoom": (Later(lambda: MAP().zoom), {"factor": 4}),
    "box_counting": (fastgd.box_counting, {"pixels": np.eye(16, dtype=bool)}),
    "box_counting.fitted": (Later(lambda: BOXES().fitted), {"sizes": [1, 2]}),
    "boundary": (fastgd.studies.box_counting.boundary,
                 {"inside": np.eye(4, dtype=bool)}),
    "mean_field": (
        mean_field.mean_field,
        {"width": 2, "activation": "tanh", "batch_size": None, "seed": 1, "samples": None},
    ),
    "sample_count": (mean_field.sample_count, {"width": 2, "activation": "tanh", "samples": 1}),
    "power_of_ten": (mean_field.power_of_ten, {"exponent": 2.0}),
    "error_curves": (statistics.error_curves, {"result": RUN}),
    "groups": (
        lambda **given: list(statistics.groups(**given)),
        {"sweep": SWEEP, "values": Later(lambda: SWEEP().final_error), "along": ""},
    ),
    "quartiles": (statistics.quartiles, {"values": [[1.0, 2.0]], "axis": 0}),
    "solved": (statistics.solved, {"errors": [0.1, 0.2], "threshold": 0.1}),
    "plots.errors": (plots.errors, {"result": RUN, "ax": None}),
    "plots.direction_changes": (plots.direction_changes, {"run": RUN, "ax": None}),
    "plots.weight_paths": (plots.weight_paths, {"run": RUN, "ax": None}),
    "plots.takeaways": (plots.takeaways, {"sweep": SWEEP, "ax": None}),
    "plots.solved": (plots.solved, {"sweep": SWEEP, "threshold": 0.1, "ax": None}),
    "plots.sensitivity": (
        plots.sensitivity,
        {"network": RUN, "X": X, "names": None, "standardized": False, "ax": None},
    ),
    "plots.importances": (
        plots.importances,
        {"found": MODEL, "table": TABLE | {"c": [*range(40)]}, "ax": None},
    ),
    "plots.partial": (
        plots.partial,
        {"found": MODEL, "table": TABLE, "column": "a", "output": None, "ax": None},
    ),
    "model.importances": (
        Later(lambda: MODEL().importances),
        {"table": TABLE | {"c": [*range(40)]}, "repeats": 2, "seed": 1, "scoring": None},
    ),
    "model.partial": (
        Later(lambda: MODEL().partial), {"table": TABLE, "column": "a", "values": [1, 2]}
    ),
    "plots.race": (plots.race, {"race": RACE, "surface": SURFACE, "ax": None}),
    "plots.surface": (
        plots.surface,
        {"surface": SURFACE, "ax": None, "kind": "contour", "paths": RUN, "log": False},
    ),
    "plots.trainability": (plots.trainability, {"found": MAP, "ax": None}),
    "plots.box_counts": (plots.box_counts, {"found": BOXES, "ax": None}),
    "plots.roll": (plots.roll, {"rolled": ROLL, "ax": None, "window": None}),
    "plots.basins": (plots.basins, {"found": BASINS, "ax": None}),
    "plots.film": (
        plots.film,
        {"rolled": ROLL, "path": "balls.gif", "ax": None, "window": None, "frames": 2},
    ),
    "plots.zoom_film": (
        plots.zoom_film, {"found": Later(lambda: [MAP()]), "path": "zoom.gif", "ax": None}
    ),
    "plots.write": (plots.write, {"figure": plt.figure(), "path": "figure.png"}),
}  # fmt: skip


def is_number(value):
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_, np.timedelta64))


# Whether an odd value is none at all for an argument: those that are not here take few of them, and
# what they take is up to their own tests.
TAKEN = {
    ("race.reached", "error"): lambda v: is_number(v) and 0 <= v < 10**300,
    ("surface.path", "run"): lambda v: v is RUN(),
    ("trainability.zoom", "factor"): lambda v: type(v) is int and 2 <= v <= 16,
    ("plots.solved", "threshold"): lambda v: is_number(v) and 0 < v < 10**300,
    ("solved", "threshold"): lambda v: is_number(v) and 0 < v < 10**300,
    **{(name, place): (lambda v: v is None) for name, call in CALLS.items() for place in call[1]
       if place == "ax"},
}  # fmt: skip


def asked(call):
    function, given = call
    return now(function), {place: now(value) for place, value in given.items()}


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    plt.close("all")


LONG = [
    ("race", "optimizers"),
    *(("plots.film", place) for place in ("window", "rolled", "frames", "ax")),
    ("plots.zoom_film", "ax"),
    *(("trainability_zoom", place) for place in ("resolution", "out", "iterations", "width")),
    ("trainability", "batch_size"),
]
"""Whole films and zooms, and other optimizers and batches, each of which is another kernel.

What a zoom hands on to its maps is checked there.
"""


@pytest.mark.parametrize(
    ("name", "place"),
    [
        pytest.param(name, place, marks=pytest.mark.slow if (name, place) in LONG else [])
        for name, (_, given) in CALLS.items()
        for place in given
    ],
)
def test_odd_arguments_are_refused_by_a_rule(name, place):
    call, given = asked(CALLS[name])
    wrong = []
    for odd, value in VALUES.items():
        value = now(value)
        outcome = "took it"
        try:
            call(**given | {place: value})
        except (TypeError, ValueError) as error:
            outcome = "stated" if stated(error) else f"{type(error).__name__}: {error}"
        except OSError as error:  # of a path, that it can't be opened
            outcome = "stated" if place in ("path", "out", "table") else repr(error)
        except Exception as error:
            outcome = repr(error) if odd != "hostile" else type(error).__name__
        plt.close("all")
        expected = ["took it", "stated"]
        if (name, place) in TAKEN and odd != "hostile":
            expected = ["took it" if TAKEN[name, place](value) else "stated"]
        if outcome not in expected:
            wrong.append(f"{odd}: {outcome}")
    assert not wrong, "\n".join(wrong)


def test_the_calls_go_well_as_they_stand():
    for call, given in map(asked, CALLS.values()):
        call(**given)
        plt.close("all")
