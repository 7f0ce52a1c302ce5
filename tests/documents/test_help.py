"""What ``help()`` begins with is short: annotations are named, not taken apart."""

import inspect

import pytest

import fastgd
import fastgd.plots
import fastgd.sklearn

LONGEST = 150
"""Characters of a parameter in a signature; ArrayLike, taken apart by NumPy, has 300."""


def public():
    for room in (fastgd, fastgd.bucket, fastgd.plots, fastgd.reference, fastgd.sklearn):
        for name in room.__all__:
            found = getattr(room, name)
            if callable(found) and found is not fastgd.TrainingWarning:  # which any text makes
                yield f"{room.__name__}.{name}", found
            if inspect.isclass(found):
                for method, function in inspect.getmembers(found, inspect.isfunction):
                    if not method.startswith("_") or method == "__call__":
                        yield f"{room.__name__}.{name}.{method}", function


@pytest.mark.parametrize("call", [pytest.param(call, id=name) for name, call in public()])
def test_signatures_are_short(call):
    signature = inspect.signature(call)
    assert "_NestedSequence" not in str(signature)
    assert all(len(str(parameter)) < LONGEST for parameter in signature.parameters.values())


def test_the_heart_of_it_is_looked_at():
    names = [name for name, _ in public()]
    assert {"fastgd.train", "fastgd.Run.predict", "fastgd.bucket.roll"} <= set(names)
