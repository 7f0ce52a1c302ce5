"""Which kernels were compiled, by whom, how often and how long: ``pytest --kernels``.

Each process that the tests start notes what it compiles, as a line of a file that the environment
names. To be seen in processes that know nothing of tests, this folder is on their path, and Python
itself imports ``sitecustomize`` from there.
"""

import importlib.abc
import importlib.util
import json
import os
import sys
import time
from collections import defaultdict
from pathlib import Path

LOG = "FASTGD_KERNEL_LOG"
CACHE = "fastgd.kernel.language.cache"


def start(log):
    """Have this process and those that it starts note what they compile."""
    folder = str(Path(__file__).parent)
    os.environ[LOG] = str(log)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))
    watch()


def watch():
    """Note what this process compiles from now on."""
    if CACHE in sys.modules:
        _wrap(sys.modules[CACHE])
    else:
        sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    """Wraps the cache as it is imported."""

    def find_spec(self, name, path=None, target=None):  # noqa: ARG002  as Python calls it
        if name != CACHE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            _wrap(module)

        spec.loader.exec_module = exec_module
        return spec


def _wrap(module):
    kept = module.KernelCache
    if hasattr(kept.load_overload, "is_counted"):  # workers of pytest come here twice
        return
    load, save = kept.load_overload, kept.save_overload
    begun = []  # a kernel may need others: theirs is not its time

    def load_overload(self, sig, target_context):
        found = load(self, sig, target_context)
        if found is None:
            begun.append([time.process_time(), 0.0])
        return found

    def save_overload(self, sig, data):
        begin, others = begun.pop()
        seconds = time.process_time() - begin
        if begun:
            begun[-1][1] += seconds
        save(self, sig, data)
        file = module._file_name(self._prefix, self._key(sig, data.codegen))
        _note(self._name, file, seconds - others)

    load_overload.is_counted = True
    kept.load_overload, kept.save_overload = load_overload, save_overload


def _note(name, file, seconds):
    test = os.environ.get("PYTEST_CURRENT_TEST", "").partition(" ")[0]
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    line = json.dumps([name, file, seconds, test, worker, os.getpid()]) + "\n"
    number = os.open(os.environ[LOG], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(number, line.encode())  # one write: lines of processes don't mix
    os.close(number)


def report(log):
    """Lines for the end of the tests."""
    noted = [json.loads(line) for line in Path(log).read_text().splitlines()]
    times, seconds = defaultdict(int), defaultdict(float)
    files = defaultdict(lambda: [0, 0.0])
    for name, kernel, took, test, _, _ in noted:
        times[kernel] += 1
        seconds[name.rpartition(".")[2]] += took
        entry = files[test.partition("::")[0] or "(no test)"]
        entry[0] += 1
        entry[1] += took
    again = sum(times.values()) - len(times)
    total = sum(seconds.values())
    yield f"{len(noted)} kernels compiled in {total:.0f} s of CPU, {again} of them once more"
    yield from (
        f"{seconds[name]:8.1f} s  {name}" for name in sorted(seconds, key=seconds.get)[::-1]
    )
    yield f"{'kernels':>8}  {'seconds':>8}  file of tests"
    for file in sorted(files, key=lambda file: -files[file][1])[:25]:
        yield f"{files[file][0]:8}  {files[file][1]:8.1f}  {file}"
