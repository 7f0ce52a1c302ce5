"""A process that fills a folder, together with others: python filling.py PATH PARTS SECONDS.

It prints "ready", waits for a line, and then prints the number of each part that it has computed.
A part takes SECONDS, during which its claim is renewed. FILLING_EXPIRY is the seconds after which
claims expire, FILLING_HOURS how wrong the clock of the machine is.
"""

import os
import sys
import time

import numpy as np

from fastgd.store.folder import Folder

ASKED = {"alpha": [0.5, 0.25], "seed": 1}
SHARED = {"X": np.eye(3), "y": np.arange(3.0)}
EXPIRY = float(os.environ.get("FILLING_EXPIRY", "15"))


def arrays_of(part):
    return {
        "errors": np.arange(20.0) / (1 + part),
        "names": np.array([f"run {part}"]),
        "none": np.empty((0, 3), np.float32),
    }


def folder_at(path, parts=3, *, expiry=EXPIRY, **asked):
    facts = {"shape": (2, 3)}
    return Folder.create(path, "test", ASKED | asked, facts, SHARED, parts, expiry=expiry)


def fill(folder, seconds=0.0, tell=str):
    """Do all parts that are missing, until none is."""
    while missing := np.flatnonzero(~folder.done()).tolist():
        for part in filter(folder.claim, missing):
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                folder.renew([part])
                time.sleep(min(left, folder.expiry / 5))
            folder.write(part, arrays_of(part))
            folder.release(part)
            tell(part)
        time.sleep(0.01)
    folder.tidy()


def main():
    hours = float(os.environ.get("FILLING_HOURS", "0"))
    if hours:
        wrong, utime = time.time() + 3600 * hours, os.utime
        os.utime = lambda path: utime(path, times=(wrong + time.monotonic(),) * 2)
        time.time = lambda: wrong
    path, parts, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    print("ready", flush=True)
    input()
    fill(folder_at(path, parts), seconds, lambda part: print(part, flush=True))


if __name__ == "__main__":
    main()
