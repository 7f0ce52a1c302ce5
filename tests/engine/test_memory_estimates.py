"""What a call says that it needs is at least what it takes: its peak, measured in a child."""

import json
import re
import subprocess
import sys

import pytest

from thinning import only

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="peak memory is reset and read in /proc"
)

# Each time it says something it looks at what is free then, so the sum is what it makes sure of. A
# small call first compiles and imports all that the large one needs; then the peak is set back to
# what is in use. What the allocator gives back late counts to nobody, hence the collection.
CHILD = """
import gc, json, sys, tempfile, warnings
from pathlib import Path
import numpy as np
import fastgd
{imported}
from fastgd.checks import numbers as memory
warnings.simplefilter("ignore")

said = []
check = memory.check_memory
def noted(needed, *others, **more):
    said.append(needed)
    check(needed, *others, **more)
for module in list(sys.modules.values()):
    if getattr(module, "check_memory", None) is check:
        module.check_memory = noted

def kilobytes(name):
    (line,) = [l for l in Path("/proc/self/status").read_text().splitlines() if l.startswith(name)]
    return int(line.split()[1])

def given(small):
{given}
def call(given):
{call}

call(given(True))
large = given(False)
gc.collect()
said.clear()
Path("/proc/self/clear_refs").write_text("5")  # the peak is what is in use now
before = kilobytes("VmRSS")
kept = call(large)
print(json.dumps([sum(said), 1024 * (kilobytes("VmHWM") - before)]))
"""

XOR = "[[0, 1], [1, 0]], [0, 1]"

# What the caller makes, and what is called with it.
CALLS = {
    "sweep over a long axis of alpha": (
        "np.linspace(0.1, 1, 1000 if small else 400_000)",
        f"fastgd.sweep({XOR}, alpha=given, iterations=1)",
    ),
    "sweep over a long axis of alpha, no weights": (
        "np.linspace(0.1, 1, 1000 if small else 1_000_000)",
        f"fastgd.sweep({XOR}, alpha=given, iterations=1, keep_weights=False)",
    ),
    "sweep over tuples of alpha": (
        "np.linspace((0.1, 0.2), (1, 2), 1000 if small else 600_000)",
        f"fastgd.sweep({XOR}, alpha=given, iterations=1, keep_weights=False)",
    ),
    "sweep over seeds": (
        "range(1000 if small else 200_000)",
        f"fastgd.sweep({XOR}, seed=given, iterations=10, record_every=1)",
    ),
    "sweep over an option": (
        "np.linspace(0, 1, 1000 if small else 400_000)",
        f"fastgd.sweep({XOR}, l2=given, iterations=1)",
    ),
    "sweep over starts": (
        "[[np.ones((20, 50)), np.ones((50, 1))] for _ in range(10 if small else 20_000)]",
        "fastgd.sweep(np.eye(20), np.ones(20), weights=given, iterations=1)",
    ),
    "sweep over stacked starts": (
        "[np.ones((10 if small else 20_000, *shape)) for shape in ((20, 50), (50, 1))]",
        "fastgd.sweep(np.eye(20), np.ones(20), weights=given, iterations=1)",
    ),
    "sweep of two networks": (
        "range(100 if small else 50_000)",
        f"fastgd.sweep({XOR}, hidden_size=[4, 32], seed=given, iterations=2)",
    ),
    "sweep with summaries": (
        "range(100 if small else 50_000)",
        f"fastgd.sweep({XOR}, seed=given, iterations=2, summary=50)",
    ),
    "sweep of a network that draws samples": (
        "np.ones((2_000, 3)), range(100 if small else 2_000)",
        "fastgd.sweep(given[0], given[0][:, 0], seed=given[1], iterations=2, batch_size=10, "
        "sampling='adaptive')",
    ),
    "large samples": (
        "np.ones((100 if small else 500_000, 30))",
        "fastgd.train(given, given[:, 0], iterations=1)",
    ),
    "large network": (
        "10 if small else 3000",
        "fastgd.train(np.ones((8, 1000)), np.ones(8), hidden_size=given, iterations=1)",
    ),
    "recorded weights": (
        "100 if small else 100_000",
        f"fastgd.train({XOR}, hidden_size=32, iterations=given, record_every=1, "
        "record_weights=True)",
    ),
    "recorded networks": (
        "100 if small else 30_000",
        f"fastgd.train({XOR}, hidden_size=32, iterations=given, record_every=1, bias=True, "
        "batch_norm=True, record_weights=True)",
    ),
    "recorded predictions": (
        "np.ones((100 if small else 5_000, 2))",
        "fastgd.sweep(given, given[:, 0], iterations=50, record_every=1, seed=range(50), "
        "record_predictions=True)",
    ),
    "recorded predictions of one network": (
        "100 if small else 100_000",
        f"fastgd.train({XOR}, hidden_size=32, iterations=given, record_every=1, "
        "record_predictions=True)",
    ),
    "objective": (
        "np.ones((100 if small else 400_000, 20))",
        "(f := fastgd.objective(given, given[:, 0], hidden_size=32), f(f.start(1)))",
    ),
    "objective of cross entropy": (
        "np.ones((100 if small else 400_000, 20))",
        "(f := fastgd.objective(given, given[:, 0], hidden_size=32, loss='cross_entropy', "
        "bias=True), f(f.start(1)))",
    ),
    "classes": (
        "np.arange(100 if small else 5_000) % (10 if small else 1_000)",
        "fastgd.train(np.ones((len(given), 2)), given, output='softmax', loss='cross_entropy', "
        "iterations=1)",
    ),
    "classes of an estimator": (
        "np.arange(100 if small else 5_000) % (10 if small else 1_000)",
        "estimators.FastGDClassifier(4, max_iter=1).fit(np.ones((len(given), 2)), given)",
    ),
    "ensemble": (
        "100 if small else 20_000",
        "estimators.FastGDRegressor(4, max_iter=1, n_ensemble=given).fit(np.eye(2), [0, 1])",
    ),
    "balls from a range": (
        "range(10_000 if small else 1_000_000)",
        "fastgd.bucket.roll(curve='x**2', start=given, iterations=1)",
    ),
    "prediction": (
        f"fastgd.train({XOR}, iterations=1), np.ones((100 if small else 6_000_000, 2))",
        "given[0].predict(given[1])",
    ),
    "values of hidden layers": (
        f"fastgd.train({XOR}, hidden_size=30, iterations=1), "
        "np.ones((100 if small else 400_000, 2))",
        "given[0].hidden(given[1])",
    ),
    "values of hidden layers of a sweep": (
        f"fastgd.sweep({XOR}, seed=range(100), iterations=1), np.ones((9 if small else 30_000, 2))",
        "given[0].hidden(given[1])",
    ),
    "prediction of whole numbers": (
        f"fastgd.train({XOR}, iterations=1), np.ones((100 if small else 2_000_000, 2), int)",
        "given[0].predict(given[1])",
    ),
    "surface": (
        "300 if small else 3000",
        f"fastgd.surface({XOR}, [[[0], [0]]], resolution=given)",
    ),
    "surface over many samples": (
        "np.ones((100 if small else 500_000, 20))",
        "fastgd.surface(given, given[:, 0], [np.ones((20, 1))], resolution=3)",
    ),
    "basins": (
        "10_000 if small else 1_000_000",
        "fastgd.bucket.basins('x**2', (-2, 2), balls=given)",
    ),
    "balls with their paths": (
        "np.linspace(-1, 1, 10_000 if small else 50_000)",
        "fastgd.bucket.roll(curve='x**2', start=given, alpha=0.01, iterations=100, tolerance=0, "
        "record_path=True)",
    ),
}


@pytest.mark.parametrize("name", only(CALLS, "sweep over seeds"))
def test_a_call_takes_no_more_than_it_says(name):
    given, call = (f"    return {code}\n" for code in CALLS[name])
    imported = "list(map(fastgd.__getattr__, fastgd.__all__))"
    if "estimators" in call:
        imported = "import fastgd.sklearn as estimators"
    parts = {"{imported}": imported, "{given}": given, "{call}": call}
    done = subprocess.run(
        [sys.executable, "-c", re.sub("{(?:imported|given|call)}", lambda m: parts[m[0]], CHILD)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said, taken = json.loads(done.stdout)
    assert taken > 40 * 2**20, f"{name} takes too little to be measured: {taken / 2**20:.0f} MiB"
    assert said >= taken, f"{name} says {said / 2**20:.0f} MiB and takes {taken / 2**20:.0f} MiB"
