"""Code for other machines: what can't be emitted is refused in a sentence, what was is kept."""

import inspect
import os
import subprocess
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Semaphore
from time import sleep
from typing import NamedTuple

import numpy as np
import pytest
from numba.core import config
from small_kernels import Numbers, emitted, on_webassembly

from fastgd.kernel.language import code_directory
from fastgd.kernel.language import cross_compilation as targets
from fastgd.kernel.language.cross_compilation import TARGETS, Target, TargetError
from fastgd.kernel.language.loads_and_stores import load, store
from fastgd.kernel.language.structs import Floats
from fastgd.kernel.language.tile import Shape, runs_of, select
from fastgd.kernel.language.wasm_linking import LinkError, linked

TABLE = np.array([3, 1, 4, 1, 5, 9])


def scaled_sum(shape, _stamp, numbers):
    for i in range(0, len(numbers.out), runs_of(shape)):
        x, y, z = (
            load(shape, numbers.x, i, 0),
            load(shape, numbers.y, i, 0),
            load(shape, numbers.z, i, 0),
        )
        store(shape, numbers.out, i, 0, (x + y) * z)


def clamped(shape, _stamp, numbers):
    """x between y and z."""
    for i in range(0, len(numbers.out), runs_of(shape)):
        x, y = load(shape, numbers.x, i, 0), load(shape, numbers.y, i, 0)
        low = select(x > y, x, y)
        z = load(shape, numbers.z, i, 0)
        store(shape, numbers.out, i, 0, select(low < z, low, z))


def digits(_shape, _stamp, numbers):
    """TABLE at each x."""
    for i in range(len(numbers.out)):
        numbers.out[i] = float(TABLE[int(numbers.x[i])])


@pytest.fixture
def empty_cache(monkeypatch, tmp_path):
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.usefixtures("empty_cache")
def test_this_llvmlite_has_the_target(name):
    """The wheels of llvmlite 0.34 were without most of them (llvmlite#601)."""
    made = emitted(scaled_sum, name)
    if TARGETS[name].assembly:
        text = made.decode()
        assert ".visible .entry train(" in text
        assert f".target {TARGETS[name].cpu}" in text
    else:
        assert made.startswith(b"\0asm")


def test_small_kernels_are_computed_on_webassembly(wasm):
    x, y, z = np.random.default_rng(0).normal(size=(3, 10))
    assert on_webassembly(scaled_sum, wasm, x, y, z).tolist() == ((x + y) * z).tolist()


RELAXED = b"\xfd\x8f\x02", b"\xfd\x90\x02"
"""f64x2.relaxed_min and f64x2.relaxed_max."""


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_nan_is_selected_as_elsewhere(wasm, lanes):
    """LLVM made relaxed_min of it, which is any operand if one is NaN: in Node another one."""
    code = emitted(clamped, wasm, lanes)
    assert not any(operation in code for operation in RELAXED)
    values = [np.nan, -np.inf, -1.0, 0.0, 2.0]
    x, y, z = (each.ravel()[:124] for each in np.meshgrid(values, values, values))
    low = np.where(x > y, x, y)
    found = on_webassembly(clamped, wasm, x, y, z, lanes)
    np.testing.assert_array_equal(found, np.where(low < z, low, z))


REFUSED = (
    r"^code for {} must be something that this LLVM can emit, in a process of .*, "
    r"got {} \(exit status {}\)$"
)


def test_constant_arrays_are_part_of_the_module(wasm):
    x = np.array([5.0, 2.0, 0.0])
    assert on_webassembly(digits, wasm, x, x, x).tolist() == [9.0, 4.0, 3.0]


@pytest.mark.slow
def test_constant_arrays_before_anything_was_compiled_here(tmp_path):
    """Numba knows only then how they are emitted."""
    in_new_process("import test_emitting as t; t.emitted(t.digits, 'wasm32')", tmp_path)


def in_new_process(program, caches, **variables):
    """Run a program whose ``sys.path`` is that of this process, set by the program itself."""
    paths = [os.path.dirname(__file__), *filter(None, sys.path)]
    environment = os.environ | {"NUMBA_CACHE_DIR": str(caches)} | variables
    environment.pop("PYTHONPATH", None)
    command = [sys._base_executable, "-c", f"import sys; sys.path[:0] = {paths!r}; {program}"]
    subprocess.run(command, env=environment, check=True)


@pytest.mark.usefixtures("empty_cache")
def test_with_numba_s_checks_of_indices(monkeypatch):
    """These raise errors, which code for other machines can't."""
    monkeypatch.setattr(config, "BOUNDSCHECK", 1)
    assert linked(emitted(scaled_sum, "wasm32"), "train")


@pytest.mark.slow
def test_with_numba_s_checks_of_indices_from_the_start(tmp_path):
    program = "import test_emitting as t; t.emitted(t.scaled_sum, 'wasm32')"
    in_new_process(program, tmp_path, NUMBA_BOUNDSCHECK="1")


@pytest.mark.parametrize(
    ("target", "what"),
    [
        (Target("none", "no-such-machine", ""), '.*compatible with triple "no-such-machine"'),
        # LLVM ends the process: this backend has no code of 64 bits for a processor of 32.
        (Target("old", "x86_64-unknown-linux", "i386"), ".+"),
    ],
    ids=["no backend", "a processor of 32 bits"],
)
@pytest.mark.usefixtures("empty_cache")
def test_what_cannot_be_emitted_is_refused(target, what):
    with pytest.raises(TargetError, match=REFUSED.format(target.name, what, ".+")):
        emitted(scaled_sum, target)


@pytest.mark.parametrize(
    ("ending", "what", "status"),
    [
        ("os._exit(3)", "no message", 3),
        ("print('Python 3.13')", "no message", 0),
        ("os.write(2, b'one\\nLLVM ERROR: two\\n'); os.abort()", "LLVM ERROR: two", ".+"),
    ],
)
@pytest.mark.usefixtures("empty_cache")
def test_an_emitter_that_ends_early(monkeypatch, tmp_path, ending, what, status):
    tmp_path.joinpath("emitter.py").write_text(f"import os\n{ending}\n")
    monkeypatch.setattr(targets, "__file__", str(tmp_path / "targets.py"))
    with pytest.raises(TargetError, match=REFUSED.format("wasm32", what, status)):
        emitted(scaled_sum, "wasm32")


@pytest.mark.parametrize(("name", "what"), [("nowhere", "No such"), (None, "not NoneType")])
@pytest.mark.usefixtures("empty_cache")
def test_a_python_that_can_not_be_started(monkeypatch, name, what):
    monkeypatch.setattr(targets.sys, "executable", name)
    with pytest.raises(TargetError, match=rf"wasm32 is emitted by a Python of its own, .*{what}"):
        emitted(scaled_sum, "wasm32")


@pytest.mark.usefixtures("empty_cache")
def test_what_is_no_code_is_not_kept(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(targets.sys, "executable", "/bin/true")
        with pytest.raises(TargetError, match="no message"):
            emitted(scaled_sum, "wasm32")
    assert emitted(scaled_sum, "wasm32")


@pytest.mark.usefixtures("empty_cache")
def test_without_sources_there_is_nothing_to_translate(monkeypatch):
    monkeypatch.setattr(targets, "TRANSLATES", False)
    with pytest.raises(TargetError, match="from fastgd's own source files, got an installation"):
        emitted(scaled_sum, "wasm32")


@pytest.fixture
def emissions(monkeypatch):
    """The processes that emit code."""
    started = []
    run = targets.subprocess.run

    def spy(*arguments, **named):
        started.append(arguments)
        return run(*arguments, **named)

    monkeypatch.setattr(targets.subprocess, "run", spy)
    return started


@pytest.mark.usefixtures("empty_cache")
def test_emitted_code_is_kept(emissions, tmp_path):
    first = emitted(scaled_sum, "wasm32")
    assert emitted(scaled_sum, "wasm32") == first
    assert len(emissions) == 1
    emitted(scaled_sum, "wasm32", lanes=1)
    assert len(emissions) == 2
    assert len(list((tmp_path / "fastgd").glob("targets.wasm32*.nbc"))) == 2


class Others(NamedTuple):
    """Numbers at other places."""

    out: Floats
    x: Floats


def test_emitted_code_is_known_by_all_that_it_depends_on(monkeypatch):
    monkeypatch.setattr(targets, "kept", lambda kind, facts, _made: f"{kind} {facts}".encode())
    given = {
        "body": scaled_sum, "markers": (Shape(1, 1, 2),), "stamp": 1, "header": Numbers,
        "target": TARGETS["wasm32"], "at": 0,
    }  # fmt: skip
    others = {
        "body": clamped, "markers": (Shape(1, 1, 1),), "stamp": 2, "header": Others,
        "target": TARGETS["nvptx64"], "at": 64,
    }  # fmt: skip
    assert [*others] == [*inspect.signature(targets.emit).parameters]
    found = [targets.emit(**given)]
    found += [targets.emit(**given | {name: other}) for name, other in others.items()]
    elsewhere = types.FunctionType(scaled_sum.__code__, {"__name__": "another module"})
    elsewhere.__qualname__ = scaled_sum.__qualname__
    found.append(targets.emit(**given | {"body": elsewhere}))
    monkeypatch.setattr(config, "OPT", 0)
    found.append(targets.emit(**given))
    assert len(set(found)) == len(found)


@pytest.mark.usefixtures("empty_cache")
@pytest.mark.parametrize("damage", [lambda _content: b"", lambda content: content[:-1] + b"?"])
def test_a_damaged_file_is_emitted_anew(emissions, tmp_path, damage):
    first = emitted(scaled_sum, "wasm32")
    [path] = (tmp_path / "fastgd").glob("targets.*.nbc")
    path.write_bytes(damage(path.read_bytes()))
    assert emitted(scaled_sum, "wasm32") == first
    assert emitted(scaled_sum, "wasm32") == first
    assert len(emissions) == 2


@pytest.mark.usefixtures("empty_cache")
def test_code_that_cannot_be_kept_is_emitted(emissions, monkeypatch):
    def refuse(*_arguments):
        raise PermissionError("not here")

    monkeypatch.setattr(code_directory, "write", refuse)
    assert emitted(scaled_sum, "wasm32") == emitted(scaled_sum, "wasm32")
    assert len(emissions) == 2


@pytest.mark.usefixtures("empty_cache")
def test_threads_translate_in_turn_and_llvm_runs_meanwhile(monkeypatch):
    """Two threads meet while LLVM runs for both of them, but never while they translate."""
    alone = [emitted(scaled_sum, "wasm32", lanes) for lanes in (2, 4)]
    meeting, translating, run = Barrier(2), Semaphore(), targets.subprocess.run
    define = targets._define

    def spy_run(*arguments, **named):
        meeting.wait(60)
        return run(*arguments, **named)

    def spy_define(*arguments):
        assert translating.acquire(blocking=False)
        sleep(0.1)  # time for the other thread to come
        define(*arguments)
        translating.release()

    monkeypatch.setattr(targets.subprocess, "run", spy_run)
    monkeypatch.setattr(targets, "_define", spy_define)
    monkeypatch.setattr(targets, "kept", lambda _kind, _facts, make: make())
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda lanes: emitted(scaled_sum, "wasm32", lanes), (2, 4))
    assert list(found) == alone


def test_code_that_calls_what_is_not_there_is_not_linked():
    text = (
        "declare double @sin(double)\n"
        "define double @train(double %x) {\n%y = call double @sin(double %x)\nret double %y\n}\n"
    )
    made = targets._compiled(text, TARGETS["wasm32"])
    with pytest.raises(LinkError, match=r"^the code must need nothing but a memory, got sin$"):
        linked(made, "train")
