"""Processes in which Numba is ready, and nothing of ours is imported.

A new one takes half a second to import Numba, and as much again before it compiles anything.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

PARENT = """
import json, os, sys, traceback
import numba, numpy
from numba.core import config

numba.njit(lambda x: 2 * x + 1j)(1.0)
for line in sys.stdin:
    code, environment, output, errors = json.loads(line)
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
        continue
    status = 1
    try:
        for descriptor, path in ((1, output), (2, errors)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), descriptor)
        os.environ.clear()
        os.environ.update(environment)
        sys.path.insert(0, environment["PYTHONPATH"])
        sys.dont_write_bytecode = True
        config.reload_config()
        exec(code, {"__name__": "__main__"})
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
"""


class Forks:
    """Python with ``-W error`` that has compiled something by Numba; its forks run code."""

    def __init__(self, environment):
        self._folder = TemporaryDirectory()
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", PARENT],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, code, environment):
        """Run code in a fork; return its exit code, and what it has written to both streams."""
        files = [Path(self._folder.name, name) for name in ("output", "errors")]
        for file in files:
            file.unlink(missing_ok=True)
        print(
            json.dumps([code, environment, *map(str, files)]), file=self._process.stdin, flush=True
        )
        status = int(self._process.stdout.readline())
        return status, *(file.read_text() for file in files)

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._folder.cleanup()


POSSIBLE = hasattr(os, "fork")
