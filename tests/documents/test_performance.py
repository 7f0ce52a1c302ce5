"""What the prose of the pages on speed says in numbers holds for the kept figures."""

from statistics import median

import pytest

from benches import bench

DOCUMENTS = bench("documents")
FOUND = DOCUMENTS.report.kept()
MAIN = DOCUMENTS.last_measured(FOUND)
PROSE = " ".join(
    " ".join(path.read_text().split()) for path in (DOCUMENTS.PERFORMANCE, DOCUMENTS.BENCHMARKS)
)


def ratios(rows, processors=(MAIN,)):
    lines = [DOCUMENTS.line_of(FOUND, name, row) for name in processors for row in rows]
    return [line.ratio for line in lines if line is not None]


def of_jax(rows):
    return [row for row in rows if row[2].startswith("JAX")]


def plain_by_best():
    """How much longer JAX takes as it is usually written."""
    lines = [line for table in FOUND[MAIN].values() for line in table.lines if line.theirs]
    found = {}
    for line in lines:
        name, _, form = line.against.rpartition(", ")
        if line.against.startswith("JAX"):
            found.setdefault((line.work, name), {})[form] = line.theirs
    return [forms["plain"] / forms["best form"] for forms in found.values() if "plain" in forms]


def ours(table, start):
    return [line.ours for line in FOUND[MAIN][table].lines if line.work.startswith(start)]


LARGE = [("speed", DOCUMENTS.LARGE, DOCUMENTS.BEST)]
IN_LOOPS = [row for row in DOCUMENTS.IN_PERFORMANCE if not row[2].startswith("JAX")]
SAID = {
    "faster by factors of ten to several hundred": (ratios(IN_LOOPS), 10, 900),
    "is ahead by a factor between 1 and 4": (
        ratios(of_jax(DOCUMENTS.IN_PERFORMANCE), FOUND), 0.95, 4.2,
    ),
    "with layers of 64 units it is small": (ratios(LARGE, FOUND), 1.0, 2.0),
    "takes about half a millisecond before the first update": (
        [us / 1000 for us in ours("fixed", "train 3-4-1, 10 iterations")], 0.35, 0.6,
    ),
    "trains it in half the time": (
        ratios([("speed", DOCUMENTS.TRAIN, "C, AVX-512 intrinsics")]), 0.45, 0.6,
    ),
    "it takes about twice as long in the median": ([median(plain_by_best())], 1.7, 2.4),
    "from some seconds to half a minute": (ours("fixed", "fastgd "), 2.0, 36.0),
}  # fmt: skip
"""Sentences: the measured values, and between what they must be for the sentence to be true."""


@pytest.mark.parametrize("sentence", SAID)
def test_a_sentence_is_true_of_what_was_measured(sentence):
    values, least, most = SAID[sentence]
    assert PROSE.count(sentence) == 1
    assert values
    assert least <= min(values), sentence
    assert max(values) <= most, sentence
