"""A process that fills a folder, together with others: python filling.py PATH CHUNKS SECONDS.

It prints "ready", waits for a line, and then prints the number of each chunk that it has computed.
A chunk takes SECONDS, during which its lease is renewed. Leases expire after FILLING_EXPIRY
seconds, and the machine's clock is wrong by FILLING_HOURS.
"""

import os
import sys
import time

import numpy as np

from fastgd.store.folder import Folder

ASKED = {"alpha": [0.5, 0.25], "seed": 1}
SHARED = {"X": np.eye(3), "y": np.arange(3.0)}
EXPIRY = float(os.environ.get("FILLING_EXPIRY", "15"))


def arrays_of(chunk):
    return {
        "errors": np.arange(20.0) / (1 + chunk),
        "names": np.array([f"run {chunk}"]),
        "none": np.empty((0, 3), np.float32),
    }


def folder_at(path, chunk_count=3, *, expiry=EXPIRY, **asked):
    facts = {"shape": (2, 3)}
    folder = Folder.create(path, "test", ASKED | asked, facts, SHARED, chunk_count)
    folder.leases.expiry = expiry
    return folder


def fill(folder, seconds=0.0, tell=str):
    """Compute missing chunks until none is missing."""
    while missing := np.flatnonzero(~folder.done()).tolist():
        for chunk in filter(folder.acquire, missing):
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                folder.leases.renew([chunk])
                time.sleep(min(left, folder.leases.expiry / 5))
            folder.write(chunk, arrays_of(chunk))
            folder.leases.release(chunk)
            tell(chunk)
        time.sleep(0.01)
    folder.tidy()


def main():
    hours = float(os.environ.get("FILLING_HOURS", "0"))
    if hours:
        wrong, utime = time.time() + 3600 * hours, os.utime
        os.utime = lambda path: utime(path, times=(wrong + time.monotonic(),) * 2)
        time.time = lambda: wrong
    path, chunks, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    print("ready", flush=True)
    input()
    fill(folder_at(path, chunks), seconds, lambda chunk: print(chunk, flush=True))


if __name__ == "__main__":
    main()
