import os

# Before Numba is imported: kernels for other machines compile in a third of the time that they take
# at 3, which users have. Those for this one are the same.
os.environ.setdefault("NUMBA_OPT", "1")

import fcntl
import gc
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

import cuda_stand_in
import few_kernels
from budget import Budget
from cases import XOR_X, XOR_Y
from chromium import Visitor, chromium
from counter import kernel_counter
from fastgd.training import training_job as training_run

os.environ["MPLBACKEND"] = "Agg"  # pictures need no screen
# Where Python is told not to keep its bytecode, as in most containers, each process that a test
# starts would compile all sources again: 0.4 s of its 1.1 s.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
few_kernels.begin()

# An example may compile, or wait for a busy machine: how long it takes says nothing.
settings.register_profile("fastgd", deadline=None)
settings.load_profile("fastgd")


def pytest_addoption(parser):
    parser.addoption("--kernels", action="store_true", help="say which kernels were compiled")


def pytest_configure(config):
    config.pluginmanager.register(Budget(config))
    if config.getoption("--kernels") and not hasattr(config, "workerinput"):
        config.kernel_log = Path(tempfile.mkdtemp(), "kernels")
        config.kernel_log.touch()
        kernel_counter.start(config.kernel_log)
    elif kernel_counter.LOG in os.environ:
        kernel_counter.watch()


def pytest_collection_finish():
    """No search for garbage looks at 8,000 tests and the modules that they import."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Tests of a file share what they train and compile: -n keeps them on one processor."""
    from xdist.scheduler import LoadFileScheduling

    return LoadFileScheduling(config, log) if config.getoption("dist") == "load" else None


def pytest_terminal_summary(terminalreporter, config):
    if log := getattr(config, "kernel_log", None):
        terminalreporter.section("compiled kernels")
        for line in kernel_counter.report(log):
            terminalreporter.write_line(line)


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Tests in the background of a script would hand that on to processes that they interrupt.
    with suppress(ValueError):  # only the main thread may
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def no_picture_stays_open():
    """Whoever counts pictures counts its own, whatever ran before."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


@pytest.fixture(autouse=True)
def every_training_is_planned(request):
    """A test may change how trainings are planned, and a known one would not be planned anew."""
    with pytest.MonkeyPatch.context() as patch:  # not the test's own, which is undone before others
        if "known_trainings" not in request.fixturenames:
            patch.setattr(training_run, "_kept", lambda *_: training_run._Kept())
        yield


@pytest.fixture
def known_trainings():
    """Trainings are kept as those of users; none is known yet."""
    training_run._kept.cache_clear()
    return training_run._kept


@pytest.fixture
def users_kernels():
    """The kernels are those of users: see few_kernels.py."""
    with few_kernels.users_kernels():
        yield


@pytest.fixture
def xor():
    """The article's problem: three inputs, the last one always 1."""
    return XOR_X.copy(), XOR_Y.copy()


@pytest.fixture
def random_problem():
    """Samples, inputs and outputs that fill no tile."""
    random = np.random.default_rng(7)
    return random.normal(size=(9, 5)), random.random((9, 2))


@pytest.fixture
def run(capsys):
    """Call the command; gives back its exit code, stdout and stderr."""

    def call(*arguments):
        from fastgd.cli import main

        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return call


@pytest.fixture(scope="session")
def article_page(tmp_path_factory):
    """The file that ``fastgd tutorial --html`` writes: the whole article, once for all workers."""
    from fastgd.cli import main

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    path = folder / "article.html"
    with (folder / "article.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            assert main(["tutorial", "--html", str(path), "--no-progress"]) == 0
    return path


@pytest.fixture(scope="module")
def browser(request):
    """Closed with its module: while it is open, nothing else may run an event loop here.

    Its parameters are flags of Chromium.
    """
    with chromium(*getattr(request, "param", ())) as browser:
        yield browser


@pytest.fixture
def visit(browser):
    """Open a page: see chromium.py. It is an error if one says or asks for anything."""
    visitor = Visitor(browser)
    yield visitor
    visitor.leave()


@pytest.fixture
def gpu(monkeypatch):
    """This machine has a GPU, as far as fastgd can see."""
    with cuda_stand_in.installed(monkeypatch) as driver:
        yield driver


@pytest.fixture
def two_gpus(monkeypatch):
    """This machine has two GPUs, as far as fastgd can see."""
    with cuda_stand_in.installed(monkeypatch, count=2) as driver:
        yield driver
