"""Calls in an object file are replaced by an instruction: so one emission gives two modules."""

import re
from functools import cache

import pytest
import wasmtime
from small_kernels import emitted
from test_written_fma import by_the_module
from wasm_machine import engine

from fastgd.kernel.language import cross_compilation as targets
from fastgd.kernel.language.cross_compilation import TARGETS
from fastgd.kernel.language.wasm_linking import RELAXED_MADD, LinkError, linked, with_instruction

TEXT = """
@table = internal constant [4 x double] [double 3.0, double 5.0, double 7.0, double 9.0]

define double @train(i32 %k, double %x, double %y) {
  %place = getelementptr [4 x double], [4 x double]* @table, i32 0, i32 %k
  %of_table = load double, double* %place
  %first = call double @sum(double %x, double %y)
  %second = call double @square(double %first)
  %third = call double @sum(double %second, double %of_table)
  ret double %third
}
define double @sum(double %x, double %y) noinline {
  %twice = call double @twice(double %y)
  %sum = fadd double %x, %twice
  ret double %sum
}
define double @square(double %x) noinline {
  %nothing = call double @sum(double %x, double 0.0)
  %square = fmul double %nothing, %x
  ret double %square
}
define double @twice(double %x) noinline {
  %twice = fadd double %x, %x
  ret double %twice
}
"""
SUBTRACTION = b"\xa1"


def result(made, *arguments):
    store = wasmtime.Store(engine())
    limits = wasmtime.MemoryType(wasmtime.Limits(1, None))
    module = wasmtime.Module(engine(), linked(made, "train"))
    exports = wasmtime.Instance(store, module, [wasmtime.Memory(store, limits)]).exports(store)
    return exports["train"](store, *arguments)


@cache
def compiled(text=TEXT):
    """An object file: this LLVM knows pointers without types only, or with types only."""
    untyped = re.sub(r"(double|\])\*", "ptr", text)
    try:
        return targets._compiled(untyped, TARGETS["wasm32"])
    except targets.TargetError:
        return targets._compiled(text, TARGETS["wasm32"])


def test_each_call_is_replaced():
    made = compiled()
    other = with_instruction(made, "sum", SUBTRACTION)
    for k, of_table in enumerate((3.0, 5.0, 7.0, 9.0)):
        assert result(made, k, 10.0, 2.0) == 14.0**2 + 2 * of_table
        assert result(other, k, 10.0, 2.0) == 8.0 * 8.0 - of_table


@pytest.mark.parametrize(("name", "count"), [("sum", 2), ("square", 1), ("twice", 1)])
def test_functions_that_are_needed_no_more_have_no_code(name, count):
    """Without sum nothing needs twice. (The others' code isn't valid: it has one operand.)"""
    nothing = b"\3\0\0\x0b"
    made = compiled()
    assert nothing not in made
    assert with_instruction(made, name, SUBTRACTION).count(nothing) == count


def test_without_such_calls_a_file_stays_as_it_is():
    made = compiled()
    assert with_instruction(made, "difference", SUBTRACTION) == made


def test_what_is_not_there_is_refused_as_before():
    text = TEXT.replace("fmul double %nothing, %x", "call double @sin(double %nothing)")
    made = with_instruction(compiled(f"declare double @sin(double)\n{text}"), "sum", SUBTRACTION)
    with pytest.raises(LinkError, match=r"got sin$"):
        linked(made, "train")


@pytest.mark.parametrize("lanes", [1, 2, 8])
def test_the_fast_module_has_instructions_where_the_other_has_calls(lanes):
    exact, relaxed = (emitted(by_the_module, name, lanes) for name in ("wasm32", "wasm32-relaxed"))
    assert exact.count(RELAXED_MADD) == 0
    assert relaxed.count(RELAXED_MADD) == max(1, lanes // 2)
    assert len(linked(relaxed, "train")) < len(linked(exact, "train")) / 3


def test_a_file_in_which_nothing_is_called():
    text = """
define double @train(double %x) {
  ret double %x
}
define double @sum(double %x, double %y) noinline {
  %sum = fadd double %x, %y
  ret double %sum
}
"""
    assert with_instruction(compiled(text), "sum", SUBTRACTION).count(b"\3\0\0\x0b") == 1
