"""Ctrl-C at random moments: exit code 130, one line, no process and no file left behind."""

import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import fastgd
from cases import XOR_CSV
from thinning import only, some

SECONDS = 2.0
"""From the first instruction of ours on a start is interrupted within this time."""

# What pip makes of the entry point, but for a line about Windows.
SCRIPT = """
import sys
from fastgd.cli import main
if __name__ == '__main__':
    sys.exit(main())
"""

# Python's own start is nobody's. `main` answers Ctrl-C before it imports this module.
TELLING = """
import os, sys
told = [int(os.environ["FASTGD_TEST_PIPE"])]
def tell(event, arguments):
    if event == "import" and arguments[0] == "fastgd.cli.terminal" and told:
        os.write(told.pop(), b".")
sys.addaudithook(tell)
"""

DATA = ["xor.csv", "--target", "y"]
LONG = ["--iterations", "100000000000"]
MANY = ["--iterations", "10000000", "--seeds", "1000"]
COMMANDS = {
    "train": ["train", *DATA, *LONG],
    "checkpoint": ["train", *DATA, *LONG, "--checkpoint", "c.npz", "--checkpoint-every", "0.05"],
    "sweep": ["sweep", *DATA, *MANY, "--save", "sweep.npz"],
    "help": ["--help"],
    "help of a command": ["sweep", "--help"],
    "tutorial": ["tutorial"],
    "page": ["tutorial", "--html", "page.html"],
    "folder": ["sweep", *DATA, "--iterations", "100000", "--seeds", "90000", "--out", "folder"],
    "fit": ["fit", "table.csv", "--target", "y", "--save", "model.npz"],
    "race": ["race", *LONG, "--plot", "race.svg"],
    "surface": ["surface", *LONG, "--plot", "plane.svg"],
    "trainability": ["trainability", "--iterations", "100000", "--plot", "edge.png"],
    "precompile": ["precompile"],
}
ON_DASK = {"dask": ["sweep", *DATA, *MANY, "--dask", "local:2"]}
COMPILE = ("page", "precompile")
"""They find no code, and have helpers to compile it."""

KEPT = {"xor.csv", "table.csv", "c.npz"}
KEPT_FOLDERS = ("folder", "edge.patches")


def test_nothing_heavy_is_imported_before_ctrl_c_has_an_answer():
    source = str(Path(fastgd.__file__).parents[1])  # without site there are no editable installs
    code = f"import sys; sys.path.insert(0, {source!r}); import fastgd.cli\n"
    code += "print({'numpy', 'typing', 'contextlib'} & {*sys.modules})"
    said = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, env=_own())
    assert said.stdout == b"set()\n"


@pytest.mark.parametrize("starts", only([3, 200], 3))
def test_a_start_is_interrupted_at_a_random_moment(tmp_path, starts):
    _prepare(tmp_path)
    draws = random.Random(20)
    commands = COMMANDS if starts < 100 else COMMANDS | ON_DASK
    names = [name for _ in range(starts) for name in commands][:starts]
    draws.shuffle(names)
    asked = [
        (tmp_path / str(place), name, draws.uniform(0, SECONDS), draws.random() < 0.5)
        for place, name in enumerate(names)
    ]
    with ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(lambda one: _interrupted(*one), asked))
    failures = [one for one in ended if one not in ("interrupted", "had ended")]
    assert not failures, "\n".join(failures)
    assert ended.count("interrupted") >= 0.75 * starts


def _prepare(folder):
    (folder / "telling").mkdir()
    (folder / "telling" / "sitecustomize.py").write_text(TELLING)
    (folder / "fastgd").write_text(SCRIPT)
    draws = random.Random(1)
    rows = (f"{draws.random()},{draws.choice('uvw')},{draws.random()}" for _ in range(20_000))
    (folder / "table.csv").write_text("a,b,y\n" + "\n".join(rows))


def _interrupted(work, name, moment, as_script):
    """Start a command and interrupt it; gives back what is wrong, if something is."""
    shared = work.parent
    (work / "tmp").mkdir(parents=True)
    (work / "xor.csv").write_text(XOR_CSV)
    (work / "table.csv").symlink_to(shared / "table.csv")
    hears, tells = os.pipe()
    environment = {
        **_own(shared / "telling"), "FASTGD_TEST_PIPE": str(tells), "TMPDIR": str(work / "tmp"),
    }  # fmt: skip
    if name in COMPILE:
        environment["NUMBA_CACHE_DIR"] = str(work / "tmp" / "code")
    python = [sys.executable, *([str(shared / "fastgd")] if as_script else ["-m", "fastgd"])]
    child = subprocess.Popen(
        [*python, *(COMMANDS | ON_DASK)[name]], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        cwd=work, env=environment, pass_fds=[tells], start_new_session=True,
    )  # fmt: skip
    os.close(tells)
    os.read(hears, 1)
    os.close(hears)
    time.sleep(moment)
    # A terminal interrupts all processes of a command; it may have ended, but is not waited for.
    os.killpg(child.pid, signal.SIGINT)
    try:
        _, said = child.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        said = b"it does not end"
    left = _left(child.pid)
    files = {str(path.relative_to(work)) for path in work.rglob("*") if not path.is_dir()}
    files = {path for path in files if not _is_kept(Path(path))}
    if (child.returncode, said, left, files) == (0, b"", [], {*()}) and name not in ON_DASK:
        return "had ended"
    in_a_line = said.startswith(b"fastgd: interrupted") and said.count(b"\n") == 1
    if (child.returncode, in_a_line, left, files) == (130, True, [], {*()}):
        return "interrupted"
    return f"{name}, {moment:.4f} s: {child.returncode}, {said.decode()}, {left}, {files}"


def _is_kept(path):
    """Whether a file is to be there: the user's, what resumes the work, and compiled code."""
    if "unfinished" in path.name or "claims" in path.parts or path.suffix == ".tmp":
        return False
    return str(path) in KEPT or path.parts[0] in KEPT_FOLDERS or path.parts[:2] == ("tmp", "code")


def _left(group):
    """Processes of a group that are still there after some seconds; they are ended."""
    for _ in range(50):
        found = [path for path in Path("/proc").glob("[0-9]*") if _group(path) == group]
        if not found:
            return []
        time.sleep(0.1)
    os.killpg(group, signal.SIGKILL)
    return found


def _group(process):
    try:
        state, _, group, *_ = (process / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state in "XZ" else int(group)


def _own(*first):
    """The environment of a process that finds the same fastgd."""
    here = os.environ.get("PYTHONPATH", "")
    return os.environ | {"PYTHONPATH": os.pathsep.join([*map(str, first), here])}


@pytest.mark.slow
def test_what_is_dropped_is_raised_again():
    code = """
import os, signal, sys, time
from fastgd.article import comparison
from fastgd.cli import main

class Dropping:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)

def run(*_, **__):
    Dropping()
    while True:
        time.sleep(0.1)

comparison.run = run
sys.argv = ["fastgd", "tutorial", "--json"]
sys.exit(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"fastgd: interrupted\n")


@pytest.mark.parametrize(
    "what",
    only(["raise ImportError('half imported')", "sys.exit(3)", "pass"]),
)
def test_whatever_becomes_of_it_in_code_of_others(what):
    code = f"""
import os, signal, sys
from fastgd.article import comparison
from fastgd.cli import main

def run(*given, **options):
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        {what}
    return experiment(*given, **options)

experiment, comparison.run = comparison.run, run
sys.argv = ["fastgd", "tutorial", "--experiment", "thirteen-lines", "--json"]
sys.exit(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (130, b"fastgd: interrupted\n")


def test_who_swallows_it_gets_another_one_and_who_cleans_up_does_not():
    code = """
import os, signal, sys, time
from contextlib import contextmanager
from fastgd.article import comparison
from fastgd.cli import main

@contextmanager
def slowly():
    try:
        yield
    finally:
        try:
            {}["not there"]
        except KeyError:
            time.sleep(1.2)
        print("cleaned up", flush=True)

def run(*_, **__):
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        pass
    with slowly():
        while True:
            time.sleep(0.1)

comparison.run = run
sys.argv = ["fastgd", "tutorial", "--json"]
sys.exit(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout) == (130, b"cleaned up\n")
    assert done.stderr == b"fastgd: interrupted\n"


@pytest.mark.parametrize(
    ("typed", "code"), some([("--version", 0), ("--nonsense", 2)], [True, False])
)
def test_nothing_runs_when_a_command_has_ended(typed, code):
    """Python's own end takes up to a second, in which Ctrl-C would do nothing."""
    source = f"""
import os, sys
from fastgd.cli import main

class TakenDown:
    def __del__(self, write=os.write):
        write(1, b"taken down")

one = TakenDown()
sys.argv = ["fastgd", {typed!r}]
sys.exit(main())
"""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, timeout=60)
    assert (done.returncode, b"taken down" in done.stdout) == (code, False)
    assert done.stdout or done.stderr


@pytest.mark.slow
def test_a_job_in_the_background_ignores_it_as_others_do():
    code = """
import os, signal, sys
from fastgd.cli import main
signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.argv = ["fastgd", "--version"]
code = main()
os.kill(os.getpid(), signal.SIGINT)
sys.exit(code)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
