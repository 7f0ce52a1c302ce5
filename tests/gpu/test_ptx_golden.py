"""The numbers contract in PTX: warps of threads, executed by the tests' own machine.

Nothing of a GPU or its driver is used: a kernel call is made as an image, as for WebAssembly.
"""

import json
from contextlib import contextmanager
from functools import cache, partial
from types import SimpleNamespace
from unittest.mock import patch

import pytest

import golden
from fastgd.engine.plan import Plan
from fastgd.kernel import calls
from fastgd.kernel.image import Image, module
from fastgd.kernel.vectorization import GPU
from ptx_machine import WARP, Program, run

HASHES = json.loads(golden.GOLDEN.read_text())
BASE = 1 << 40
program_of = cache(Program)


@contextmanager
def trained_in_ptx(schedule="together"):
    """Within this, runs are laid out for a GPU, and calls of the kernel are launches."""

    def launch(call, _threads=1):
        image = Image.of(call, BASE)
        program = program_of(module(call.shapes, call.recipe, "nvptx64"))
        blocks = len(call.blocks.numbers)
        run(program, {BASE: image.memory}, [BASE], blocks, schedule=schedule)
        image.copy_to(call)

    plans = SimpleNamespace(make=partial(Plan.make, machine=GPU))
    with patch.object(calls, "train_blocks", launch), patch.object(golden, "Plan", plans):
        yield


@pytest.mark.parametrize("case", ["article, hidden 4", "batches"])
def test_golden_hashes_of_a_warp(case):
    with trained_in_ptx():
        assert golden.digest(case, WARP) == HASHES[case]
