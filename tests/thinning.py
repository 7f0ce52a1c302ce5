"""What tests are tried with always, and with which kernels; all of it is among the slow tests."""

from contextlib import contextmanager, nullcontext
from itertools import product
from unittest.mock import patch

import pytest

from cases import EVERYTHING, LOSSES, OPTIONS, PARTED, TOGETHER
from fastgd.engine import packing
from fastgd.engine.prediction import Forward


def crossed(*axes):
    """All combinations; those beyond each value's first turn are slow."""
    count = max(map(len, axes))
    turns = {tuple(k % len(axis) for axis in axes) for k in range(count)}
    return some(product(*axes), [i in turns for i in product(*(range(len(a)) for a in axes))])


def some(cases, always):
    """These cases; those that are not always to be tried are slow."""
    return [
        pytest.param(*case, marks=[] if wanted else pytest.mark.slow)
        for case, wanted in zip(cases, always, strict=True)
    ]


def side_by_side(name):
    """How many runs of a golden case lie side by side always: of every second case eight."""
    name = LOSSES.get(name, name)
    cases = list(OPTIONS if name in OPTIONS else PARTED)
    return 8 if name in EVERYTHING else (1, 8)[cases.index(name) % 2]


@contextmanager
def at_a_time(runs):
    """Trainings have so many runs side by side, also of one run, whose other lanes are empty."""
    beside = outputs_side_by_side() if runs > 1 else nullcontext()
    with patch.object(packing, "runs_side_by_side", lambda *_, **__: runs), beside:
        yield


def outputs_side_by_side():
    """Outputs of a run are those of several, whose kernel trains nothing.

    The training's own kernel would have to be compiled for one run, too.
    """
    return patch.object(Forward, "of", lambda net, options, _, room: _beside(net, options, room))


_beside = Forward._side_by_side


def kernels_of(name):
    """Trainings have the kernels that the hash of this golden case needs always."""
    return at_a_time(side_by_side(name))


def only(names, *always):
    """These names; all but some of them are slow."""
    assert set(always) <= set(names)
    return some([(name,) for name in names], [name in always for name in names])


def except_together(names):
    """These golden cases; those that only have together what others have are slow."""
    return only(names, *(name for name in names if name not in TOGETHER))


def firsts(cases):
    """Each case of which a part comes first: of pairs (a, b), those with a new a or a new b."""
    seen = [set() for _ in cases[0]]
    always = []
    for case in cases:
        always.append(any(part not in known for part, known in zip(case, seen, strict=True)))
        for part, known in zip(case, seen, strict=True):
            known.add(part)
    return some(cases, always)
