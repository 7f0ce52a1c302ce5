"""3-4-1 in C, compiled here and now: as an expert writes it, and with our numbers.

The article's network and no other: fixed shapes, direction changes and recorded errors. The first
is for AVX-512 alone, the other one takes the vectors that there are.
"""

import ctypes
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workload import Result, Work

FLAGS = {
    "peer_c.c": ("-Ofast", "-fno-associative-math"),  # the order of its sums is the fastest one
    "peer_c_same.c": ("-O3", "-ffp-contract=off"),
}
LANES = 8
BLOCKS_A_THREAD = 8


def compiler() -> str | None:
    """The C compiler of this machine, if there is one."""
    return next(filter(None, map(shutil.which, ("gcc", "cc", "clang"))), None)


@cache
def library(source: str) -> ctypes.CDLL:
    """Compile and load one of both peers."""
    found = compiler()
    assert found is not None
    with tempfile.TemporaryDirectory() as folder:
        made, whole = Path(folder, "peer.o"), Path(folder, "peer.so")
        given = (*FLAGS[source], "-march=native", "-fPIC", "-Wno-psabi")
        path = str(Path(__file__).with_name(source))
        subprocess.run([found, *given, "-c", path, "-o", str(made)], check=True)
        # Without -Ofast, which would flush subnormal numbers to zero in the whole process.
        subprocess.run([found, "-shared", str(made), "-o", str(whole)], check=True)
        return ctypes.CDLL(str(whole))


@cache
def can_compile(source: str) -> bool:
    """Whether one of them can be compiled here."""
    try:
        return compiler() is not None and bool(library(source))
    except (subprocess.CalledProcessError, OSError) as error:
        print(f"{source}: {error}", file=sys.stderr)
        return False


def prepare(source: str, threads: int) -> Callable[[Work], Callable[[], Result]]:
    """Return what turns a work into a call of a peer, ``peer_c.c`` or ``peer_c_same.c``."""
    return lambda work: _call(library(source), work, threads)


def _call(made: ctypes.CDLL, work: Work, threads: int) -> Callable[[], Result]:
    X, y, alpha = (np.ascontiguousarray(part) for part in (work.X, work.y, work.alpha))
    if (X.shape, y.shape, work.hidden_size) != ((4, 3), (4, 1), (4,)):
        raise ValueError("the peers in C are for 3-4-1 networks on 4 samples")
    first = work.weights
    iterations, every = ctypes.c_int64(work.iterations), ctypes.c_int64(work.record_every)

    def call() -> Result:
        weights = tuple(layer.copy() for layer in first)
        changes = tuple(np.zeros(layer.shape, np.int64) for layer in first)
        errors = np.empty((work.runs, work.records))
        parts = [_at(layer) for layer in weights]
        ends = [_at(errors), *(_at(layer) for layer in changes)]
        if work.runs == 1:
            rate = ctypes.c_double(alpha[0])
            made.train(_at(X), _at(y), *parts, rate, iterations, every, *ends)
            return Result(errors, weights, changes)
        records = ctypes.c_int64(work.records)

        def train(piece: range) -> None:
            begin, end = ctypes.c_int64(piece.start), ctypes.c_int64(piece.stop)
            made.sweep(
                _at(X), _at(y), *parts, _at(alpha), iterations, every, records, *ends, begin, end
            )  # fmt: skip

        list(map(train, pieces) if threads == 1 else pool.map(train, pieces))
        return Result(errors, weights, changes)

    if work.runs > 1 and work.runs % LANES:
        raise ValueError(f"runs must be a multiple of {LANES}, got {work.runs}")
    size = LANES * max(1, work.runs // (LANES * BLOCKS_A_THREAD * threads))
    pieces = [range(at, min(at + size, work.runs)) for at in range(0, work.runs, size)]
    pool = ThreadPoolExecutor(threads)
    return call


def _at(array: NDArray[Any]) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)
