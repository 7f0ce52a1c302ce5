"""PTX for GPUs: each operation is rounded to nearest, and fused only where the source says so.

A compiler of PTX may contract a product and a sum to a multiply-add only where neither has a
rounding mode (PTX ISA 8, section 9.7.3).
"""

import re
from collections import Counter

import llvmlite.binding as llvm
import pytest
from numba.core import config
from test_images import call_of
from wasm_machine import trained_on

from fastgd.kernel.image import module
from fastgd.kernel.language import emitter, targets
from fastgd.kernel.language.targets import TARGETS
from fastgd.kernel.vectorization import WEBASSEMBLY

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


@pytest.mark.parametrize(
    "case",
    [
        "article, hidden 4",
        *(pytest.param(case, marks=pytest.mark.slow) for case in ("adam", "everything in epochs")),
    ],
)
def test_operations_are_those_of_the_source(case, monkeypatch, tmp_path):
    emitted = []
    compiled = targets._compiled

    def spy(text, target):
        emitted.append(text)
        return compiled(text, target)

    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(targets, "_compiled", spy)
    with trained_on(TARGET.name, WEBASSEMBLY):  # code for one network, which is short
        call = call_of(case)
    found = instructions(module(call.shapes, call.recipe, TARGET.name).decode())
    kinds = Counter()
    for each in found:
        name, *parts = each.split(".")
        kinds[name] += 1
        assert parts[-1] == "f64" or name in ("setp", "cvt"), each
        if name in ROUNDED:
            assert parts == ["rn", "f64"], each
        elif name == "cvt":
            assert TO_FLOAT.fullmatch(each) or TO_INTEGER.fullmatch(each), each
        else:
            assert name in EXACT, each
    source = operations(optimized(*emitted))
    assert kinds["fma"] == source["fma"] > 100
    assert kinds["mul"] == source["fmul"] > 0
    assert kinds["add"] == source["fadd"] > 0
    assert kinds["div"] + kinds["rcp"] <= source["fdiv"]
    assert kinds["sub"] <= source["fsub"]  # one of a scalar is done once for all lanes
