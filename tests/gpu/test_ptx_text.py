"""PTX for GPUs: each operation is rounded to nearest, and fused only where the source says so.

A compiler of PTX may contract a product and a sum to a multiply-add only where neither has a
rounding mode (PTX ISA 8, section 9.7.3).
"""

import re
from collections import Counter

import llvmlite.binding as llvm
import pytest
from numba.core import config

import golden
from fastgd.kernel.call_image import module
from fastgd.kernel.language import cross_compilation as targets
from fastgd.kernel.language import emitter
from fastgd.kernel.language.cross_compilation import TARGETS
from thinning import some

ARTICLE = "article, hidden 4"
# test_golden_on_gpu.py has the others among the slow tests: it runs them, too.
CASES = (ARTICLE, "levenberg marquardt", "dropout", "everything in epochs")
SOURCES = [(ARTICLE, True), (ARTICLE, False), ("adam", False), ("everything in epochs", False)]
"""Cases, and whether their code is for one network alone."""

TARGET = TARGETS["nvptx64"]
ROUNDED = {"add", "sub", "mul", "fma", "div", "rcp", "sqrt"}
EXACT = {"abs", "neg", "copysign", "setp", "selp", "min", "max", "mov", "ld", "st"}
TO_FLOAT, TO_INTEGER = re.compile(r"cvt\.rn\.f64\.[su]64"), re.compile(r"cvt\.r[zm]i\.[sf]64\.f64")


def instructions(text):
    """Those with floating-point operands."""
    found = re.findall(r"^\s*(?:@!?%p\d+\s+)?([a-z]\S*)\s.*;", text, re.MULTILINE)
    return [each for each in found if re.search(r"\.b?f(16|32|64)", each)]


def optimized(text):
    """What the emitter makes of LLVM code before it is compiled."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple(TARGET.triple)
    machine = target.create_target_machine(cpu=TARGET.cpu, features="", opt=3)
    head = f'target triple = "{TARGET.triple}"\ntarget datalayout = "{machine.target_data}"\n'
    made = llvm.parse_assembly(head + text)
    emitter._optimize(made, machine, targets._level())
    return str(made)


def operations(text):
    """How many lanes each operation of LLVM code has in all."""
    counted = Counter()
    pattern = r" = (?:tail )?(fadd|fsub|fmul|fdiv|call) (?:<(\d+) x double>|double)(.*)"
    for name, lanes, rest in re.findall(pattern, text):
        called = re.search(r"@llvm\.(\w+)", rest)
        counted[called[1] if called else name] += int(lanes or 1)
    return counted


def texts(case):
    """The PTX of a case, one for each way in which its runs share their samples."""
    work, _ = golden.plan(case, 8, device="cuda")
    layouts = [session.layout for _, session in work.batches]
    return [module(each.markers, each.recipe, TARGET.name).decode() for each in layouts]


def kinds(text):
    """How many there are of each floating-point instruction, none of which leaves anything open."""
    assert re.search(r"^\.target sm_70$", text, re.MULTILINE)  # what CUDA 12 and 13 compile
    assert not re.search(r"\.(ftz|approx|full|func|extern|local)\b|\bcall\b|depot", text)
    counted = Counter()
    for each in instructions(text):
        name, *parts = each.split(".")
        counted[name] += 1
        assert parts[-1] == "f64" or name in ("setp", "cvt"), each
        if name in ROUNDED:
            assert parts == ["rn", "f64"], each
        elif name == "cvt":
            assert TO_FLOAT.fullmatch(each) or TO_INTEGER.fullmatch(each), each
        else:
            assert name in EXACT, each
    return counted


@pytest.mark.parametrize("case", CASES)
def test_operations_are_rounded_to_nearest(case):
    for text in texts(case):
        assert kinds(text)["fma"] > 0


@pytest.mark.parametrize(("case", "known"), some(SOURCES, [known for _, known in SOURCES]))
def test_operations_are_those_of_the_source(case, known, monkeypatch, tmp_path, request):
    emitted = []
    compiled = targets._compiled

    def spy(text, target):
        emitted.append(text)
        return compiled(text, target)

    if known:
        request.getfixturevalue("users_kernels")
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(config, "OPT", 3)  # as for users
    monkeypatch.setattr(targets, "_compiled", spy)
    (text,) = texts(case)
    found, source = kinds(text), operations(optimized(*emitted))
    assert found["fma"] == source["fma"] > 100
    # An operation of lanes that are alike is done once.
    for name in ("add", "mul", "sub"):
        assert 0 < found[name] <= source[f"f{name}"], name
    assert 0 < found["div"] + found["rcp"] <= source["fdiv"]
