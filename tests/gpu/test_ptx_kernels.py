"""What is emitted for a GPU has only instructions that test_ptx_machine.py compares with theirs."""

import pytest
from test_ptx_machine import TESTED
from test_ptx_text import CASES

import golden
from fastgd.kernel.call_image import module
from ptx_machine import Program


def check(program):
    """All instructions are tested ones, and no thread needs memory of its own."""
    assert set(program.instructions) <= TESTED
    assert program.instructions["fma.rn.f64"] > 0
    assert program.local_bytes == 0


def programs(case):
    """The kernels of a case, one for each way in which its runs share their samples."""
    work, _ = golden.plan(case, 8, device="cuda")
    for _, session in work.batches:
        layout = session.layout
        yield Program(module(layout.markers, layout.recipe, "nvptx64"))


@pytest.mark.parametrize("case", CASES)
def test_instructions_of_kernels(case):
    for program in programs(case):
        check(program)


@pytest.mark.usefixtures("users_kernels")
def test_instructions_of_code_for_one_network():
    (program,) = programs("article, hidden 4")
    check(program)
