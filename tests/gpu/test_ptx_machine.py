"""The tests' own machine executes each instruction of PTX as its manual defines it."""

import numpy as np

from hard_triples import differing, expected, hard_triples
from ptx_operations import OPERATIONS


def test_fused_multiply_add():
    x, y, z = hard_triples(1, 2000)
    found = np.empty_like(x)
    with np.errstate(all="ignore"):
        OPERATIONS["fma.rn.f64"].function.ufunc(x, y, z, found)
    assert not differing(found, expected(x, y, z)).size
