"""Which tests notice a mutant: ``python tests/mutants/kill.py [--near] [-n JOBS] [WORD ...]``.

Each mutant of ``mutants.toml`` (or each whose name or file contains a WORD) is put into a copy of
the files that git tracks, as they are now, and the tests are run there until one fails: first the
one that killed it the last time (``killers.json``), then the files near its module (``--near``
stops after them), then the others. A failure counts only if the same test fails again by itself,
and passes without the mutant. The exit code is 1 if one survives.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory

from catalog import ROOT, keep_killers, killers, mutants
from nearness import stages

PAUSE = 0.1
UNNAMED = "a test"
FAILED = re.compile(r"^(?:FAILED|ERROR) (tests/.*?)(?: - .*)?$", re.MULTILINE)
UNFINISHED = re.compile(r"^(tests/[^\n]*?::.*?)\s*(?:Fatal Python error.*)?$")
UNKNOWN, NOTHING = 4, 5
"""Exit codes of pytest: there is no such test, or none that the markers select."""


def main():
    """Try the mutants, and print a table of them."""
    arguments = _arguments()
    chosen = [
        mutant
        for mutant in mutants()
        if not arguments.words or any(w in mutant.name + mutant.file for w in arguments.words)
    ]
    if arguments.list:
        for mutant in chosen:
            print(f"{mutant.file:36} {mutant.name}")
        return 0
    killed, tried = Counter(), Counter(mutant.room for mutant in chosen)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # nothing is left behind
    with Judge(arguments) as judge:
        for mutant in chosen:
            began = time.monotonic()
            killer, words = judge.verdict(mutant)
            killed[mutant.room] += bool(killer)
            seconds = time.monotonic() - began
            print(f"{mutant.file:36} {mutant.name:72} {seconds:5.0f} s  {words}", flush=True)
    for room, count in tried.items():
        print(f"{room:36} {killed[room]} of {count} killed")
    print(f"{killed.total()} of {len(chosen)} mutants were killed")
    return killed.total() < len(chosen)


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("words", nargs="*", metavar="WORD", help="part of a name or of a file")
    parser.add_argument("--list", action="store_true", help="say which there are, and run nothing")
    parser.add_argument("--near", action="store_true", help="ask only the files near the module")
    parser.add_argument("-n", "--jobs", help="processes of pytest-xdist for the files far away")
    parser.add_argument(
        "--limit", type=float, default=300, help="seconds without a result after which it is killed"
    )
    parser.add_argument("--most", type=float, default=inf, help="seconds for a mutant, at most")
    return parser.parse_args()


class Judge:
    """Finds out who kills a mutant, and checks each killer on a copy without one."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.killers = killers()
        self.sound = {}  # tests that failed for a mutant: do they pass without it?

    def __enter__(self):
        self._folder = TemporaryDirectory(prefix="mutants-")
        self.unchanged = _copied(Path(self._folder.name, "unchanged"))
        return self

    def __exit__(self, *error):
        self._folder.cleanup()

    def verdict(self, mutant):
        """The killer, or None, and words for the table; the killer is noted for the next time."""
        with TemporaryDirectory(prefix="mutant-") as folder:
            copy = _copied(Path(folder, "copy"))
            try:
                mutant.apply(copy)
            except LookupError as error:
                return None, f"NOT APPLIED: {error}"
            cache = Path(folder, "cache") if mutant.room == "kernel" else None
            copy = Copy(copy, cache, self.arguments.limit, self.arguments.most)
            killer, words = self._killer(mutant, copy)
        if killer or not self.arguments.near:
            self.killers[mutant.name] = killer
        self.killers.setdefault(mutant.name, None)
        keep_killers(self.killers)
        return killer, words

    def _killer(self, mutant, copy):
        *close, far = stages(mutant)
        jobs = ["-n", self.arguments.jobs] if self.arguments.jobs else []
        rounds = [([self.killers.get(mutant.name)], []), *((files, []) for files in close)]
        if not self.arguments.near:
            rounds.append((far, jobs))
        unsound = []
        for files, options in rounds:
            tests = [str(file).removeprefix(f"{ROOT}/") for file in files if file]
            while tests:
                skipped = [word for test in unsound for word in ("--deselect", test)]
                killer, words = copy.first_failure([*options, *skipped, *tests])
                if not killer:
                    break
                if self._is_sound(killer, copy):
                    return killer, words
                unsound.append(killer)
        if copy.is_late():
            return None, f"survived {self.arguments.most:.0f} s"
        also = f"; not counted: {', '.join(unsound)}" if unsound else ""
        return None, ("survived near" if self.arguments.near else "SURVIVED") + also

    def _is_sound(self, test, copy):
        """Whether a test fails again with the mutant, and passes without it."""
        if test == UNNAMED:
            return True
        if not Copy(copy.folder, copy.cache, self.arguments.limit).first_failure([test])[0]:
            return False
        if test not in self.sound:
            unchanged = Copy(self.unchanged, None, self.arguments.limit)
            self.sound[test] = not unchanged.first_failure([test])[0]
        return self.sound[test]


def _copied(folder):
    """The files that git tracks, as they are now, copied to a folder."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in names.stdout.decode().split("\0"):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


class Copy:
    """A copy of the repository in which tests run, with a cache of kernels or the usual one."""

    def __init__(self, folder, cache, limit, most=inf):
        self.folder, self.cache = folder, cache
        self.limit = limit
        self.left = most
        paths = [str(folder / "src"), os.environ.get("PYTHONPATH", "")]
        self.environment = {"NUMBA_OPT": "1"} | os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
        if cache:
            self.environment["NUMBA_CACHE_DIR"] = str(cache)

    def is_late(self):
        return self.left < 0

    def first_failure(self, arguments):
        """The first test that fails, does not end or takes the process down, and words for it."""
        command = [sys.executable, "-m", "pytest", "-x", "-v", "-p", "no:cacheprovider", *arguments]
        log = self.folder.parent / "log"
        code = self._run(command, log)
        text = log.read_text(encoding="utf-8", errors="replace")
        is_gone = code == UNKNOWN and "::" in arguments[-1]  # a killer that was renamed
        if code in (0, NOTHING) or is_gone or (code is None and self.is_late()):
            return None, ""
        if code is None or code < 0:
            test = _unfinished(text)
            how = f"no end within {self.limit:.0f} s" if code is None else f"signal {-code}"
            return test, f"{how}: {test}"
        found = FAILED.findall(text)
        if not found:
            raise RuntimeError(f"pytest has ended with {code}:\n{text[-2000:]}")
        return found[0], found[0]

    def _run(self, command, log):
        """Its exit code; None if it was killed, as it printed nothing for too long."""
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        size = silent = 0
        try:
            while (code := process.poll()) is None:
                if self.is_late() or silent > self.limit:
                    return None
                time.sleep(PAUSE)  # which is counted, as this process may be stopped for a while
                self.left, silent = self.left - PAUSE, silent + PAUSE
                if (now := log.stat().st_size) != size:
                    size, silent = now, 0
            return code
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _unfinished(text):
    """The test that was running last, or a word for it."""
    lines = [line for line in text.splitlines() if line.startswith("tests/")]
    found = UNFINISHED.match(lines[-1]) if lines else None
    return found[1] if found else UNNAMED


if __name__ == "__main__":
    sys.exit(main())
