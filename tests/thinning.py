"""Products of what a test is tried with: a few of them always, all of them among the slow tests."""

from itertools import product

import pytest

from cases import OPTIONS


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
    """How many runs of a case of OPTIONS lie side by side always: of every second case eight."""
    return (1, 8)[list(OPTIONS).index(name) % 2]


def only(names, *always):
    """These names; all but some of them are slow."""
    assert set(always) <= set(names)
    return some([(name,) for name in names], [name in always for name in names])


def firsts(cases):
    """Each case of which a part comes first: of pairs (a, b), those with a new a or a new b."""
    seen = [set() for _ in cases[0]]
    always = []
    for case in cases:
        always.append(any(part not in known for part, known in zip(case, seen, strict=True)))
        for part, known in zip(case, seen, strict=True):
            known.add(part)
    return some(cases, always)
