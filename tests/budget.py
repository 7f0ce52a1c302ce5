"""What the default tests cost, and the most that they may.

Processor time depends on the machine and on what goes on beside. So the limit is in the time that a
known kernel takes on the same machine, compiled and trained by each worker as it starts.
"""

import os
import resource
import sys
from collections import Counter
from subprocess import run
from tempfile import TemporaryDirectory

import pytest

SHARES = {
    "training": 169,
    "cli": 57,
    "sklearn": 42,
    "kernel": 38,
    "gpu": 29,
    "models": 40,
    "article": 21,
    "plots": 18,
    "studies": 17,
    "export": 14,
    "reference": 14,
    "targets": 10,
    "arguments": 9,
    "store": 9,
    "engine": 8,
    "workers": 5,
    "documents": 5,
    "notebook": 5,
    "tables": 3,
    "mutants": 1,
    "release": 1,
    "rest": 27,
}
"""Seconds that each folder may take, with empty caches; ``rest`` is all else, and to begin."""

MARGIN = 1.2
UNIT = 1.7
"""Seconds of the known kernel on the machine of these seconds."""

MEMORY_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes, as the system counts the most memory that a process had."""

KNOWN = """
import numpy as np, fastgd
X = np.random.default_rng(0).normal(size=(50, 5))
fastgd.train(X, X[:, 0] > 0, hidden_size=16, iterations=10_000)
"""


def room_of(test):
    """The folder of a test; of those beside the folders ``rest``."""
    folders = test.partition("::")[0].split("/")[1:-1]
    return folders[0] if folders else "rest"


def used():
    """Processor seconds of this process and of those that it has waited for."""
    return sum(os.times()[:4])


def calibration():
    """Processor seconds of the known kernel, in a fresh Python with an empty cache."""
    with TemporaryDirectory() as cache:
        begin = used()
        environment = os.environ | {"NUMBA_CACHE_DIR": cache, "NUMBA_NUM_THREADS": "1"}
        run([sys.executable, "-c", KNOWN], env=environment, check=True)
        return used() - begin


def excess(seconds, unit):
    """What is said if the tests took too long where the known kernel takes ``unit`` seconds."""
    most = sum(SHARES.values())
    there = seconds / unit * UNIT
    if there <= MARGIN * most:
        return None
    return (
        f"the tests took {seconds / unit:.0f} times what the known kernel takes, {there:.0f} s "
        f"where that takes {UNIT} s: more than {MARGIN} times the {most} s of tests/budget.py"
    )


class Budget:
    """A plugin of pytest: processor time of each test, and the limit in continuous integration."""

    def __init__(self, config):
        self.of_worker = getattr(config, "workeroutput", None)
        self.whole = config.args_source == pytest.Config.ArgsSource.TESTPATHS
        self.whole &= config.option.markexpr == "not slow" and not config.option.keyword
        self.limited = self.whole and bool(os.environ.get("CI"))
        self.seconds = Counter()
        self.memory = 0
        self.units = []
        self.others = 0.0
        self.mark = used()
        self.problem = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node):
        """Workers don't know what the whole is."""
        node.workerinput["limited"] = self.limited

    def pytest_sessionstart(self, session):
        """Each worker, or the only process, measures the machine."""
        given = getattr(session.config, "workerinput", {"limited": self.limited})
        if given["limited"] and not session.config.getoption("numprocesses", None):
            self.units = [calibration(), calibration()]
            self.mark = used()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self):
        """What this phase of a test took: what comes before it is the phase's, too."""
        report = yield
        now = used()
        report.processor_seconds = now - self.mark
        self.mark = now
        return report

    def pytest_runtest_logreport(self, report):
        """Add it, where the reports arrive."""
        self.seconds[report.nodeid] += report.processor_seconds

    def pytest_collection_finish(self):
        """Collecting is no test's."""
        self.others += used() - self.mark
        self.mark = used()

    def pytest_sessionfinish(self, session):
        """A worker says what it has measured; who has heard all of them judges."""
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MEMORY_UNIT
        if self.of_worker is not None:
            self.of_worker["budget"] = (self.others, memory, self.units)
            return
        self.memory = max(self.memory, memory)
        if self.units and session.exitstatus == pytest.ExitCode.OK:
            self.problem = excess(self.total(), sum(self.units) / len(self.units))
            session.exitstatus = pytest.ExitCode.TESTS_FAILED if self.problem else 0

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node):
        """A worker is done."""
        others, memory, units = getattr(node, "workeroutput", {}).get("budget", (0, 0, []))
        self.others += others
        self.memory = max(self.memory, memory)
        self.units += units

    def total(self):
        """Processor seconds of all processes."""
        return self.seconds.total() + self.others

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter):
        """Print where the time went."""
        if not self.whole:
            return
        terminalreporter.section("processor time")
        for line in self.report():
            terminalreporter.write_line(line)
        if self.problem:
            terminalreporter.write_line(self.problem, red=True)

    def report(self):
        """Lines: the rooms, the most expensive tests, the sum."""
        rooms, tests = Counter(), Counter(map(room_of, self.seconds))
        for test, seconds in self.seconds.items():
            rooms[room_of(test)] += seconds
        rooms["rest"] += self.others
        yield f"{'seconds':>8} {'may take':>9} {'tests':>6}  package"
        for room, seconds in rooms.most_common():
            yield f"{seconds:8.1f} {SHARES.get(room, 0):9} {tests[room]:6}  {room}"
        yield "the ten most expensive tests"
        for test, seconds in self.seconds.most_common(10):
            yield f"{seconds:8.1f}  {test}"
        yield (
            f"{self.total():.0f} s of processor time, {self.others:.0f} of them to begin; "
            f"the largest process took {self.memory / 1e9:.2f} GB"
        )
        if self.units:
            yield f"the known kernel took {sum(self.units) / len(self.units):.2f} s"
