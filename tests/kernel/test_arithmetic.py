import ctypes
import ctypes.util
import platform
import re
import threading

import numpy as np
import pytest

import fastgd
from fastgd import bucket
from fastgd.kernel import launch

# FE_UPWARD, FE_DOWNWARD and FE_TOWARDZERO of the C library's fenv.h.
MODES = {
    "x86_64": {"up": 0x800, "down": 0x400, "zero": 0xC00},
    "aarch64": {"up": 0x400000, "down": 0x800000, "zero": 0xC00000},
}
KNOWN = MODES.get(
    {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
)
LIBRARY = ctypes.util.find_library("m")

pytestmark = [
    pytest.mark.skipif(KNOWN is None, reason="the numbers of fenv.h are x86's and ARM's"),
    pytest.mark.skipif(LIBRARY is None, reason="no C library has fesetround here"),
]

RULE = "numbers must be rounded to nearest, but this thread has another rounding mode: "
X, Y = [[0.0, 1.0], [1.0, 0.0]], [0.0, 1.0]


@pytest.fixture
def rounded():
    """Call with a rounding mode of this thread only, and set it back at once."""
    library = ctypes.CDLL(LIBRARY)

    def call(mode, work):
        assert library.fesetround(KNOWN[mode]) == 0
        try:
            return work()
        finally:
            library.fesetround(0)  # to nearest, on both

    return call


@pytest.mark.parametrize("mode", ["up", "down", "zero"])
def test_another_rounding_mode_is_refused(rounded, mode):
    f = fastgd.objective(X, Y)
    start = f.start(1)
    for work in (
        lambda: fastgd.train(X, Y, iterations=1),
        lambda: fastgd.sweep(X, Y, seed=range(40), iterations=1, threads=2),
        lambda: fastgd.surface(X, Y, [[[0], [0]]], resolution=3),
        lambda: bucket.roll(curve="x**2", start=1.0),
        lambda: f(start),
        lambda: fastgd.objective(X, Y),
    ):
        work()
        with pytest.raises(RuntimeError, match=re.escape(RULE)):
            rounded(mode, work)
        work()


def test_a_mode_is_the_threads_own(rounded):
    inside, over = threading.Event(), threading.Event()
    came = []

    def work():
        def train():
            inside.set()
            over.wait(60)
            return fastgd.train(X, Y, iterations=1)

        try:
            rounded("up", train)
        except RuntimeError as error:
            came.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait(60)
    fastgd.train(X, Y, iterations=1)
    over.set()
    thread.join()
    assert len(came) == 1
    assert came[0].startswith(RULE)


@pytest.mark.parametrize("mode", ["up", "down", "zero"])
def test_new_threads_have_the_mode_of_the_one_that_starts_them(rounded, mode):
    """So Numba's workers, which the thread that was probed has started, need no probe."""
    came = []

    def work():
        try:
            launch._check_arithmetic()
        except RuntimeError as error:
            came.append(error)

    def start():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    rounded(mode, start)
    assert len(came) == 1
    start()
    assert len(came) == 1


def test_modes_change_bits(rounded):
    """Without the probe, other bits would come: why it is there."""
    plain = fastgd.train(X, Y, iterations=50).weights[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch, "_check_arithmetic", lambda: None)
        other = rounded("up", lambda: fastgd.train(X, Y, iterations=50)).weights[0]
    assert not np.array_equal(plain, other)
