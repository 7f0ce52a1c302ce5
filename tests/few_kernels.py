"""Kernels of tests: the same few, on every processor and in any order.

A kernel takes a second to compile, and tests train many networks. For users the first tiny networks
of a process get code for their sizes alone, and how many runs lie side by side is the processor's
choice. In tests all sizes share the general code, for one run or for eight. The bits are the same:
kernel/test_bits.py and kernel/test_translation.py show it. Users' kernels are those of the fixture
``users_kernels``, and of each process that a test starts.
"""

from contextlib import contextmanager
from unittest.mock import patch

from fastgd.engine import layout, packing, prediction, session
from fastgd.kernel.vectorization import GPU

MOST_KNOWN = layout.MOST_KNOWN
SIDE_BY_SIDE = packing.runs_side_by_side


def begin():
    """From now on, in this process."""
    layout.MOST_KNOWN = 0
    packing.runs_side_by_side = prediction.runs_side_by_side = one_or_eight


def one_or_eight(count, _samples, _matrices, _threads=1, machine=None, _others=(), **_kind):
    """How many of so many runs lie side by side."""
    return GPU.threads if machine == GPU else 1 if count == 1 else 8


@contextmanager
def users_kernels():
    """As outside of tests."""
    session._remembered.cache_clear()
    with (
        patch.object(layout, "MOST_KNOWN", MOST_KNOWN),
        patch.object(layout, "_known", {}),
        patch.object(packing, "runs_side_by_side", SIDE_BY_SIDE),
        patch.object(prediction, "runs_side_by_side", SIDE_BY_SIDE),
    ):
        yield
    session._remembered.cache_clear()
