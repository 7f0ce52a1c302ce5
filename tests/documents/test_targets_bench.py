"""bench/targets.py checks what it measures, and writes the tables of WebAssembly."""

from argparse import Namespace

import pytest

from benches import bench

targets, report = bench("targets"), bench("report")
WORK = targets.WORKS["3-4-1"].times(0.01)


@pytest.fixture(scope="module")
def trained():
    return targets.Trained(WORK, targets.WEBASSEMBLY)


def test_all_results_are_compared_with_those_of_other_tiles(trained):
    own = targets.Trained(WORK, None)
    assert own.results() == trained.results()
    assert len(own.results()) == 2 + 2 * 2  # errors, losses; weights and changes of two layers
    own.after[own.made.fields["weights.1"].offset] ^= 1
    assert own.results() != trained.results()


def test_a_byte_that_differs_is_seen(trained):
    code, seconds = targets.emission(trained, "wasm32", 1)
    assert seconds > 0
    train = targets.Wasmtime().trainer(trained, code)
    assert train() > 0
    trained.after[-1] ^= 1
    try:
        with pytest.raises(AssertionError, match="the bits differ"):
            train()
    finally:
        trained.after[-1] ^= 1


@pytest.mark.slow
def test_every_engine_that_is_here_has_its_row():
    """Of Node.js and Chromium, too: their bits are checked."""
    with targets.ExitStack() as stack:
        found = targets.engines(stack)
        text = targets.table(found, Namespace(quick=True, only="3-4-1", repeats=1))
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| train")]
    assert [row[1] for row in rows] == [*found, *targets.MODULES]
    assert all(len(row) == len(rows[0]) for row in rows[: len(found)])


def test_the_document_has_its_tables():
    documents = targets.documents
    text = documents.report.between_markers(documents.TABLES.read_text(), "targets")[1]
    for name in targets.WORKS:
        for module in targets.MODULES:
            assert f"| train {name} | {module} | " in text
        assert f"| train {name} | Chromium " in text
    assert "SMOKE" not in text
