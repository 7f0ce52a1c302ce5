"""The numbers contract in PTX: warps of threads, executed by the tests' own machine.

Nothing of a GPU or its driver is used: a kernel call is made as an image, as for WebAssembly.
"""

import json
from contextlib import contextmanager
from functools import cache, partial
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pytest

import golden
from fastgd.engine.execution import loaded
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


def results(case, runs):
    """What some runs have after three iterations: parameters, direction changes, errors."""
    work, first = golden.plan(case, runs, iterations=3)
    runs = loaded(work, first, np.array(golden.SEEDS))
    runs.run(0, 4)
    found = runs.parameters(), runs.changes(), runs.curve("errors"), runs.ended
    return [np.asarray(each).tobytes() for each in found]


@pytest.mark.parametrize("schedule", ["together", "one_by_one", "reversed"])
@pytest.mark.parametrize("case", ["batches"])
def test_any_order_of_threads(case, schedule):
    """Threads of a warp prepare the batches for each other."""
    with trained_in_ptx(schedule):
        found = results(case, WARP)
    assert found == results(case, 8)
