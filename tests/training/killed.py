"""A sweep into a folder, killed again and again: run by test_killed_sweeps.

It forks, as a fresh process would take longer to begin than its work does.
"""

import os
import random
import signal
import sys
import time

import fastgd
from cases import XOR_X, XOR_Y
from fastgd.training import training_job as sweep_job

GIVEN = {"alpha": [0.1, 1, 10, 100], "seed": range(640), "iterations": 20_000, "record_every": 2500}


def of_eight(_seconds, _size):
    """Runs of a chunk."""
    return 8


def sweep(folder):
    """The sweep, of 320 chunks that take about 10 ms each."""
    return fastgd.sweep(XOR_X, XOR_Y, **GIVEN, threads=1, out=folder)


def main(folder, seed, kills):
    """Kill this number of processes at random moments; print the number of chunks each time."""
    sweep_job.runs_per_chunk = of_eight
    moments = random.Random(seed)
    fastgd.sweep(XOR_X, XOR_Y, **GIVEN | {"iterations": 1})  # compiles
    for _ in range(kills):
        child = os.fork()
        if not child:
            sweep(folder)
            os._exit(0)
        time.sleep(moments.uniform(0.001, 0.25))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        chunks = os.path.join(folder, "parts", "00000")
        names = os.listdir(chunks) if os.path.isdir(chunks) else []
        print(sum(name.endswith(".npz") and name[0] == "0" for name in names))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
