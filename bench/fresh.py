"""What a fresh Python takes: to start, to compile, how much memory."""

import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

from workload import XOR_CODE

TELLS_MEMORY = find_spec("resource") is not None
"""Not on Windows."""

_DATA = "import json, sys, time\n" + XOR_CODE

_STARTUP = """
import numba
with_numba = time.perf_counter()
import fastgd
fastgd.train  # imported when it is first used
with_fastgd = time.perf_counter()
fastgd.train(X, y)
trained = time.perf_counter()
print(json.dumps([with_fastgd - with_numba, trained - with_fastgd]))
"""

# A first compilation of anything makes Numba load its own parts: not ours to answer for.
_COMPILE = """
import numba, numpy
numba.njit(lambda a: a.sum() + a[0])(numpy.ones(3))
import fastgd
from fastgd.optimizers import *
options = eval(sys.argv[1])
times = [time.perf_counter()]
for _ in range(2):
    fastgd.train(X, y, iterations=8, **options)
    times.append(time.perf_counter())
print(json.dumps(times[1] - times[0] - (times[2] - times[1])))
"""

_COMPILATIONS = """
import numpy as np
from numba.core import event
import fastgd
from fastgd.optimizers import *

class Counter(event.Listener):
    seen = 0
    def on_start(self, event):
        self.seen += 1
    def on_end(self, event):
        pass

counter = Counter()
event.register("numba:compile", counter)

def compiled(**options):
    before = counter.seen
    fastgd.sweep(X, y, iterations=8, **options)
    return counter.seen - before

rates = np.linspace(0, 0.99, 1000)
first = compiled(seed=range(1000), optimizer=Momentum(momentum=0.5))
later = {"mu": compiled(optimizer=Momentum(momentum=rates)), "alpha": compiled(
    alpha=10 * rates + 0.01, optimizer=Momentum(momentum=0.5))}

given = {name: 0.5 for name in ("dropout", "dropconnect", "l1", "l2", "trim_below", "clip_above",
                                "tolerance")}
adam = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
first += compiled(seed=range(1000), optimizer=Adam(**adam), patience=5, **given)
values = {name: rates for name in ("beta1", "beta2", *given)}
values |= {"epsilon": rates + 1e-9, "clip_above": rates + 0.1, "patience": range(1, 1001)}
for name, axis in values.items():
    if name in adam:
        later[name] = compiled(optimizer=Adam(**adam | {name: axis}), patience=5, **given)
    else:
        later[name] = compiled(optimizer=Adam(**adam), **{"patience": 5} | given | {name: axis})
print(json.dumps([first, later]))
"""

_MEMORY = """
import resource
import fastgd
sys.path.insert(0, sys.argv[1])
import option_rows, ours
work = option_rows.two_alphas().times(float(sys.argv[2]))
ours.prepare(work, int(sys.argv[3]))()
unit = 1 if sys.platform == "darwin" else 1024
print(json.dumps(unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
"""

# As in _COMPILE: Numba's own parts are loaded before.
_FIRST_CALL = """
import numba, numpy
numba.njit(lambda a: a.sum() + a[0])(numpy.ones(3))
sys.path.insert(0, sys.argv[1])
import laboratory_rows
print(json.dumps(laboratory_rows.first_call(sys.argv[2], *map(int, sys.argv[3:]))))
"""


def _run(code: str, cache: str, *arguments: str) -> Any:
    """Return what the code prints, as JSON, in a fresh Python with this cache of compiled code."""
    done = subprocess.run(
        [sys.executable, "-c", _DATA + code, *arguments],
        env=os.environ | {"NUMBA_CACHE_DIR": cache, "PYTHONDONTWRITEBYTECODE": ""},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(done.stdout)


def startup() -> tuple[float, float, float]:
    """Return seconds of importing ``fastgd.train`` after numba, and of a first call after that.

    The training with an empty cache, then with the cache that this filled.
    """
    with tempfile.TemporaryDirectory() as cache:
        (_, cold), (imported, warm) = (_run(_STARTUP, cache) for _ in range(2))
    return imported, warm, cold


def command_seconds(*arguments: str) -> float:
    """Return seconds of a command of fastgd, with an empty cache, in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        kept = {"NUMBA_CACHE_DIR": str(Path(folder, "cache")), "PYTHONDONTWRITEBYTECODE": ""}
        began = perf_counter()
        subprocess.run(
            [sys.executable, "-m", "fastgd", *arguments],
            cwd=folder,
            env=os.environ | kept,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return perf_counter() - began


def compile_seconds(options: str) -> float:
    """Return seconds that a first ``train`` takes longer than a second one, with an empty cache.

    The options are Python, a dict.
    """
    with tempfile.TemporaryDirectory() as cache:
        return float(_run(_COMPILE, cache, options))


def first_call(name: str, networks: int, threads: int) -> float:
    """Return seconds that the first call of a row of ``laboratory_rows.py`` takes longer.

    With an empty cache, than the second one.
    """
    here = str(Path(__file__).parent)
    with tempfile.TemporaryDirectory() as cache:
        return float(_run(_FIRST_CALL, cache, here, name, str(networks), str(threads)))


def compilations() -> tuple[int, dict[str, int]]:
    """Return how many functions first sweeps compile, and then those of 1,000 values of something.

    The first sweeps, one for each of two combinations of options, go over 1,000 seeds.
    """
    with tempfile.TemporaryDirectory() as cache:
        first, later = _run(_COMPILATIONS, cache)
    return first, later


def peak_memory(share: float, threads: int) -> float:
    """Return the most MiB that a Python held while it trained this share of the alpha map."""
    here = str(Path(__file__).parent)
    with tempfile.TemporaryDirectory() as cache:
        return float(_run(_MEMORY, cache, here, str(share), str(threads))) / 2**20
