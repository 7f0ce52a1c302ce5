"""Ten million runs in a folder: seconds and memory of making it, and of reading it.

``python bench/large_sweep.py`` writes some 800 MB into a temporary folder and removes it;
``python bench/large_sweep.py 100000`` makes fewer runs. Each step is a process of its own, so that
its memory is not that of the others.
"""

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from time import perf_counter, process_time
from typing import Any

import numpy as np

import fastgd
from fastgd import Sweep
from workload import XOR_X, XOR_Y

RUNS = 10_000_000
ALPHAS = 1000


def made(folder: str, axes: dict[str, Any]) -> Sweep:
    """A sweep of short runs, of which the errors are kept."""
    return fastgd.sweep(
        XOR_X, XOR_Y, **axes, iterations=20, record_every=10, keep_weights=False, out=folder
    )


def grid(folder: str, runs: int) -> Sweep:
    alphas = np.geomspace(0.001, 1000, ALPHAS)
    return made(folder, {"alpha": alphas, "seed": range(runs // ALPHAS)})


def seeds(folder: str, runs: int) -> Sweep:
    return made(folder, {"seed": range(runs)})


STEPS: dict[str, Callable[[str, int], Any]] = {
    "sweep over alphas and seeds": grid,
    "open, best final error": lambda folder, _: repr(fastgd.open(folder)),
    "all final errors": lambda folder, _: fastgd.open(folder).final_error.mean(),
    "all recorded errors": lambda folder, _: fastgd.open(folder).errors.mean(),
    "the best run, trained again": lambda folder, _: fastgd.open(folder).best().final_error,
    "a table of 1 % of the runs": lambda folder, _: fastgd.open(folder)[:10].to_dataframe(),
    "to_xarray(), mean of all errors": lambda folder, _: float(
        fastgd.open(folder).to_xarray().errors.mean()
    ),
    "sweep over seeds alone": lambda folder, runs: seeds(f"{folder}-seeds", runs),
}


def step(name: str, folder: str, runs: int) -> None:
    """Do one, and print what it took."""
    begin, cpu = perf_counter(), process_time()
    STEPS[name](folder, runs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([perf_counter() - begin, process_time() - cpu, peak]))


def main(runs: int) -> None:
    with tempfile.TemporaryDirectory() as parent:
        print(f"{runs:,} runs\n\n{'step':34}{'seconds':>9}{'of CPU':>9}{'MiB':>7}")
        for name in STEPS:
            command = [sys.executable, __file__, name, f"{parent}/runs", str(runs)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            seconds, cpu, peak = json.loads(done.stdout.splitlines()[-1])
            print(f"{name:34}{seconds:9.2f}{cpu:9.2f}{peak:7.0f}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 4:
        step(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) == 2 else RUNS)
