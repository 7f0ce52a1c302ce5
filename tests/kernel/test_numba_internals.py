"""Without Numba's private parts: the stock pipeline, the same bits, one warning."""

import ast
import gc
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba import njit, typeof, types
from numba.core import ir

import fastgd
from fastgd.kernel.language import numba_internals
from fastgd.kernel.language.numba_internals import (
    PARTS,
    address,
    call_address,
    call_compiled,
    entry_point,
    handle,
)
from fastgd.kernel.language.specialization import INLINED, WHOLE, Choice
from fastgd.kernel.language.structs import floats_at
from golden import GOLDEN

SOURCES = Path(fastgd.__file__).parent


class Without:
    """A module or class without one of its names, or without a name in one of its classes."""

    def __init__(self, whole, names):
        self.whole, self.names = whole, names

    def __getattr__(self, name):
        first, *rest = self.names
        if name == first and not rest:
            raise AttributeError(name)
        found = getattr(self.whole, name)
        return Without(found, rest) if name == first else found


# What follows is as if Numba had moved the part: Numba itself still finds it.
@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_gone_is_seen(monkeypatch, part):
    """All of them lead to the same: what that is, the processes below tell."""
    whole = numba_internals.import_module
    home, _, names = part.partition(":")

    def without(module):
        return Without(whole(module), names.split(".")) if module == home else whole(module)

    assert numba_internals._lacking() is None
    monkeypatch.setattr(numba_internals, "import_module", without)
    assert numba_internals._lacking() == part


def test_no_other_module_knows_them():
    names = {re.split("[.:]", part)[-1] for part in PARTS} - {"dumps", "target_context"}
    names |= {"_cache", "_nrt", "pipeline_class", "llvm_func_name", "cpu_target"}
    modules = {part.partition(":")[0] for part in PARTS} | {"numba.core.caching"}
    words = re.compile(rf"\b(numba|{'|'.join(names)})\b")  # most sources have none of them
    for path in SOURCES.rglob("*.py"):
        used, text = set(), path.read_text()
        for node in ast.walk(ast.parse(text)) if words.search(text) else ():
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("numba"):
                used |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
            used |= {getattr(node, "attr", None), getattr(node, "arg", None)}
        if path.name != "numba_internals.py":
            assert not used & (names | modules), f"{path}: {used & (names | modules)}"


@njit
def write(target, i, number):
    if i < 0:
        raise ValueError("i must be at least 0")
    target[i] = number


@njit
def write_all(compiled, target):
    for i in range(len(target)):
        call_compiled(compiled, (target, i, 0.5 * i + 1))


@njit
def write_before(compiled, target):
    call_compiled(compiled, (target, -1, 0.0))


def test_a_function_is_called_by_its_handle():
    target = np.zeros(3)
    compiled = handle(write, (typeof(target), types.int64, types.float64))
    assert isinstance(compiled, int)
    write_all(compiled, target)
    assert target.tolist() == [1.0, 1.5, 2.0]
    with pytest.raises(ValueError, match="i must be at least 0"):
        write_before(compiled, target)


@njit
def write_at(_choice, place, a, b, c):
    floats_at(place, 1)[0] = a - b * c


@njit
def write_by_address(compiled, target):
    call_address(compiled, (target.ctypes.data, 7, 2, 3))


def written_by_address():
    target = np.zeros(1)
    kinds = typeof(Choice("any")), *[types.int64] * 4
    write_by_address(address(write_at, kinds, markers=1), target)
    return target[0]


@pytest.mark.slow
def test_functions_of_integers_are_called_by_address():
    assert written_by_address() == 1.0


def test_an_entry_point_takes_what_was_compiled():
    target = np.zeros(5)
    call = entry_point(write, (typeof(target), types.int64, types.float64))
    call(target, 2, 7.0)
    assert target.tolist() == [0, 0, 7, 0, 0]
    assert call is not write


def other_calls():
    """Ways into the kernel beside training: a bound run, and a handle without markers.

    Grids and balls go these ways, too; to compile them by the stock pipeline takes half a minute.
    """
    X, y = np.array([[0.0, 1.0], [1.0, 1.0]]), np.array([0.0, 1.0])
    loss, _ = fastgd.objective(X, y, hidden_size=())(np.array([0.5, 0.25]))
    target = np.zeros(2)
    write_all(handle(write, (typeof(target), types.int64, types.float64)), target)
    return [float(loss).hex(), target.tolist(), written_by_address()]


CHILD = """
import importlib, json, sys, warnings
import numba.core.codegen, numba.core.compiler, numba.core.typed_passes
sys.path += sys.argv[1:]
{change}
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import test_numba_internals
    from golden import digest
    hashes = [digest("no hidden layer", 1, threads) for threads in (1, 2)]
    called = test_numba_internals.other_calls() if {all_calls} else []
warned = [str(w.message) for w in caught if w.category is RuntimeWarning]
print(json.dumps([hashes, called, warned]))
"""

MISSING_MODULE = """
whole = importlib.import_module
def import_module(name, *rest):
    if name == "numba.misc.appdirs":
        raise ImportError(name)
    return whole(name, *rest)
importlib.import_module = import_module
"""

OTHER_ARGUMENTS = """
from llvmlite.binding.newpassmanagers import ModulePassManager
def add_always_inliner_pass(self):
    raise TypeError("a pass takes options now")
ModulePassManager.add_always_inliner_pass = add_always_inliner_pass
"""

OTHER_STEP = """
from numba.core.compiler_machinery import register_pass
builder, lowering = numba.core.compiler.DefaultPassBuilder, numba.core.typed_passes.NativeLowering
class NewLowering(lowering):
    _name = "new_lowering"
register_pass(mutates_CFG=True, analysis_only=False)(NewLowering)
whole = builder.define_nopython_pipeline
def define_nopython_pipeline(state, name="nopython"):
    pipeline = whole(state, name)
    pipeline.passes = [(NewLowering if s is lowering else s, why) for s, why in pipeline.passes]
    pipeline.finalize()
    return pipeline
builder.define_nopython_pipeline = staticmethod(define_nopython_pipeline)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (MISSING_MODULE, "there is no numba.misc.appdirs:AppDirs"),
        (OTHER_ARGUMENTS, "TypeError: a pass takes options now"),
        (OTHER_STEP, "a trial gave 42.0 by JITCodeLibrary"),
    ],
)
def test_another_numba_gives_the_same_bits_and_one_warning(change, reason, tmp_path):
    everything = change == MISSING_MODULE  # the others call each other as they always do
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            CHILD.format(change=change, all_calls=everything),
            str(GOLDEN.parent),
            str(Path(__file__).parent),
        ],
        env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    hashes, called, warned = json.loads(done.stdout)
    assert hashes == [json.loads(GOLDEN.read_text())["no hidden layer"]] * 2
    (message,) = warned
    assert reason in message
    assert "take longer to compile" in message
    # Numba's own cache would take stale code for this kernel's.
    assert everything <= (not list(tmp_path.rglob("*.nb?")))
    if everything:
        assert called == other_calls()


@njit(**INLINED)
def innermost(x):
    return 3.0 * x


@njit(**INLINED)
def first_part(x):
    return innermost(x) + 1.0


@njit(**INLINED)
def second_part(x):
    return innermost(x) + first_part(x)


def both_parts(x):
    return first_part(x) * second_part(x)


@pytest.mark.parametrize("options", [WHOLE, {}], ids=["a whole", "a function of Numba's"])
def test_parts_of_parts_are_linked(options):
    function = njit(**options)(both_parts)
    assert function(2.0) == 7.0 * 13.0
    for part in (innermost, first_part, second_part):
        (compiled,) = part.overloads.values()
        assert [f.name for f in compiled.library.get_defined_functions()] == [
            compiled.fndesc.llvm_func_name
        ]


def test_parts_of_a_whole_are_inlined():
    function = njit(**WHOLE)(both_parts)
    assert function(2.0) == 7.0 * 13.0
    (compiled,) = function.overloads.values()
    defined = [f.name for f in compiled.library._final_module.functions if not f.is_declaration]
    assert len(defined) == 2  # the function, and the one that Python calls
    assert all("10both_parts" in name for name in defined)


def test_llvms_modules_are_freed_once_code_is_kept():
    """The machine code stays, and others can still be linked with it."""
    part = njit(**WHOLE)(both_parts)
    assert part(2.0) == 7.0 * 13.0
    ((signature, compiled),) = part.overloads.items()
    modules = compiled.library._get_module_for_linking(), compiled.library._final_module
    for _ in range(2):  # what is freed is not freed again
        assert numba_internals.pickled(compiled, signature)
    assert all(module.closed for module in modules)
    assert part(2.0) == 7.0 * 13.0

    @njit
    def caller(x):
        return part(x) + 1.0

    assert caller(2.0) == 7.0 * 13.0 + 1.0


def test_what_was_typed_is_forgotten():
    function = njit(**WHOLE)(both_parts)
    function(2.0)
    gc.collect()
    for place in (both_parts, first_part.py_func):
        of_function = place.__code__.co_filename, place.__code__.co_firstlineno + 1
        kept = [o for o in gc.get_objects() if type(o) is ir.Assign]
        assert of_function not in {(o.loc.filename, o.loc.line) for o in kept}


@pytest.mark.parametrize("enabled", [True, False])
def test_no_garbage_is_looked_for_while_a_kernel_compiles(enabled):
    function = njit(**WHOLE)(both_parts)
    searches = []

    def count(phase, _):
        searches.append(phase)

    gc.callbacks.append(count)
    if not enabled:
        gc.disable()
    try:
        numba_internals.entry_point(function, (types.float64,))
        assert gc.isenabled() is enabled
    finally:
        gc.enable()
        gc.callbacks.remove(count)
    assert searches in ([], ["start", "stop"])  # one afterwards
    assert function(2.0) == 7.0 * 13.0


def test_kernels_go_through_our_pipeline_here():
    """So that the tests above can fail: this Numba is as expected."""
    assert numba_internals._trial_succeeds()
    assert INLINED["_nrt"] is False
    assert "pipeline_class" in WHOLE
