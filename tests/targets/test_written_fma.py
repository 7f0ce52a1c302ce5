"""The fused multiply-add of other operations, against one that is rounded once."""

from functools import cache

import numpy as np
import pytest
from numba import njit
from small_kernels import on_webassembly

from fastgd.kernel.language import cross_compilation as fused
from fastgd.kernel.language.loads_and_stores import load, store
from fastgd.kernel.language.specialization import WHOLE
from fastgd.kernel.language.tile import Shape, fma, runs_of
from fastgd.kernel.language.translation import translated
from hard_triples import differing, exact, expected, hard_triples

written_fma, scaled_fma = fused.written_fma, fused.scaled_fma


def by_written(shape, x, y, z, out):
    for i in range(0, len(out), runs_of(shape)):
        lanes = load(shape, x, i, 0), load(shape, y, i, 0), load(shape, z, i, 0)
        store(shape, out, i, 0, written_fma(lanes[0], lanes[1], lanes[2]))


def by_scaled(shape, x, y, z, out):
    for i in range(0, len(out), runs_of(shape)):
        lanes = load(shape, x, i, 0), load(shape, y, i, 0), load(shape, z, i, 0)
        store(shape, out, i, 0, scaled_fma(lanes[0], lanes[1], lanes[2]))


WAYS = {
    "written": njit(**WHOLE)(translated(by_written)),
    "scaled": njit(**WHOLE)(translated(by_scaled)),
    "written, compiled by Numba alone": njit(**WHOLE)(by_written),
}
EACH = 24_000


@cache
def known(seed, count):
    """``count`` triples of each kind, and what they come to."""
    triples = hard_triples(seed, count)
    return *triples, expected(*triples)


def check(way, seed, count, lanes=2):
    """``count`` triples of each kind."""
    x, y, z, wanted = known(seed, count)
    got = np.empty_like(x)
    WAYS[way](Shape(1, 1, lanes), x, y, z, got)
    found = differing(got, wanted)
    assert not found.size, [
        tuple(map(float.hex, map(float, (x[i], y[i], z[i], got[i], wanted[i])))) for i in found[:5]
    ]


@pytest.mark.parametrize("lanes", [1, 2])
@pytest.mark.parametrize("way", WAYS)
def test_it_is_rounded_once(way, lanes):
    check(way, 0, EACH if lanes == 2 else 1000, lanes)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 41))
@pytest.mark.parametrize("way", ["written", "scaled"])
def test_it_is_rounded_once_10_000_000_times(way, seed):
    check(way, seed, 20_000)


def by_the_module(shape, _stamp, numbers):
    """A module has its own, by other operations or by relaxed_madd."""
    for i in range(0, len(numbers.out), runs_of(shape)):
        x, y = load(shape, numbers.x, i, 0), load(shape, numbers.y, i, 0)
        store(shape, numbers.out, i, 0, fma(x, y, load(shape, numbers.z, i, 0)))


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_it_is_rounded_once_on_webassembly(wasm, lanes):
    x, y, z, wanted = known(100 + lanes, 2000)
    found = on_webassembly(by_the_module, wasm, x, y, z, lanes)
    assert not differing(found, wanted).size


def test_python_agrees_with_integers():
    x, y, z = hard_triples(7, 400)
    exactly = np.array(list(map(exact, x.tolist(), y.tolist(), z.tolist())))
    assert not differing(expected(x, y, z), exactly).size
