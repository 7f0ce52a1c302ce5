"""The numbers contract on WebAssembly: the hashes of the host."""

import json

import pytest
from wasm_machine import WASM, trained_on

from cases import HASHED, OBJECTIVES, TABLE
from fastgd.kernel.vectorization import WEBASSEMBLY
from golden import GOLDEN, digest
from thinning import only, some

HASHES = json.loads(GOLDEN.read_text())
CASES = [case for case in HASHED if case != TABLE]  # the table's is no training
# The other cases have code of their own, which "everything" has, too.
ALWAYS = (
    *("article, hidden 4", "no hidden layer", "one of everything", "deep and odd"),
    *("article, hidden 32", "several groups of samples", "a page between samples"),
    "everything in epochs",
)
CODES = (
    # The cases of a line have the same code.
    *("article, hidden 4", "no hidden layer", "one of everything", "deep and odd"),
    *("plain", "bias", "sample weight", "groups", "losses, plain"),
    *("article, hidden 32", "several groups of samples", "a page between samples"),
    *("batches", "batches in order", "weightings in batches"),
    *("folds", "folds of groups"),
    "softmax",
    "functions of one's own",
    "everything in epochs",
)


@pytest.mark.parametrize("case", only(CODES, *ALWAYS))
def test_golden_hashes_on_webassembly(case, wasm):
    with trained_on(wasm) as trainer:
        assert digest(case, 1) == HASHES[case]
    assert max(trainer.blocks) > 1


SWEEPS = [
    (case, runs, WASM[k % 2])
    for runs in (2, 8)
    for k, case in enumerate(CASES)
    if case not in OBJECTIVES and (k % 3 == 0 if runs == 8 else case == "deep and odd")
]
IN_VECTORS = {case for case, runs, _ in SWEEPS if runs == 8}
# Both modules have the same code but for the multiply-adds: each case is on one of them. What runs
# side by side has the instructions for two lanes, too.
TILES = [
    (case, WASM[k % 2])
    for k, case in enumerate(CASES)
    if case not in IN_VECTORS or case == "article, hidden 4"
]


@pytest.mark.parametrize(
    ("case", "wasm"),
    some(TILES, [case == "article, hidden 4" for case, _ in TILES]),
    indirect=["wasm"],
)
def test_golden_hashes_with_tiles_of_two_lanes(case, wasm):
    """The tiles of a page's code, which is for one network alone."""
    with trained_on(wasm, WEBASSEMBLY):
        assert digest(case, 1) == HASHES[case]


@pytest.mark.slow
@pytest.mark.parametrize(("case", "runs", "wasm"), SWEEPS, indirect=["wasm"])
def test_golden_hashes_of_runs_side_by_side(case, runs, wasm):
    with trained_on(wasm) as trainer:
        assert digest(case, runs) == HASHES[case]
    assert max(trainer.blocks) > 1
