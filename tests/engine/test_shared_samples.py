"""Samples as the kernel takes them: padded, side by side, shared where runs have the same."""

from itertools import product

import numpy as np
import pytest
from fastgd.arguments.samples import Validation
from fastgd.arguments.subsets import check_partition

from fastgd.engine.layout import Sharing
from fastgd.engine.packing import PackedSamples, Packer
from fastgd.kernel.vectorization import ROWS

RANDOM = np.random.default_rng(4)
X, Y = RANDOM.normal(size=(23, 3)), RANDOM.normal(size=(23, 2))
WEIGHT = RANDOM.random(23)
LABELS = np.repeat([0, 1, 2], [4, 13, 6])


def packer(samples, sharing, runs, *, bias=True, batch=0):
    own = runs if sharing is Sharing.NONE else 1
    weighed = runs if sharing in (Sharing.NONE, Sharing.TABLE) else 1
    return Packer(samples, sharing, bias, 1, batch, runs, own, weighed)


def lanes_of(array, runs, numbers):
    """(N, numbers, runs)."""
    return array.reshape(-1, numbers, runs)


@pytest.mark.parametrize("samples", [1, 4, 5])
def test_padding_has_no_weight(samples):
    whole = PackedSamples(X[:samples], Y[:samples], WEIGHT[:samples])
    portion = packer(whole, Sharing.ALL, 3).portion(np.zeros((2, 3), np.int64))
    [data] = portion.tables
    padded = -(-samples // ROWS) * ROWS
    inputs, targets = lanes_of(data.X, 1, 4), lanes_of(data.y, 1, 2)
    importance = lanes_of(data.importance, 1, 2)
    for n in range(padded):
        i = min(n, samples - 1)
        assert inputs[n, :, 0].tolist() == [*X[i], 1.0]
        assert targets[n, :, 0].tolist() == Y[i].tolist()
        assert importance[n, :, 0].tolist() == [WEIGHT[n] if n < samples else 0.0] * 2
    assert (data.samples, data.epoch) == (samples, 1)
    assert portion.total.tolist() == [[WEIGHT[:samples].sum() * 2]] * 2  # all runs have the same


def test_runs_with_samples_of_their_own_are_padded_to_the_most():
    partition = check_partition(X, Y, groups=LABELS, folds=2, sample_weight=WEIGHT)
    samples = PackedSamples(X, Y, partition=partition)
    parts = np.array([[0, 3, 4], [5, 5, 1]])
    portion = packer(samples, Sharing.NONE, 3).portion(parts)
    assert len(portion.tables) == 4
    for b, row in enumerate(parts):
        for table, real, weighed in (
            (portion.tables[2 * b], "rows", "weight"),
            (portion.tables[2 * b + 1], "held", "held_weight"),
        ):
            rows = [getattr(partition.part(i), real) for i in row]
            assert table.samples == max(map(len, rows))
            inputs, importance = lanes_of(table.X, 3, 4), lanes_of(table.importance, 3, 2)
            for r, own in enumerate(rows):
                weights = getattr(partition.part(row[r]), weighed)
                np.testing.assert_array_equal(inputs[: len(own), :3, r], X[own])
                np.testing.assert_array_equal(importance[: len(own), 0, r], weights)
                assert (importance[len(own) :, :, r] == 0).all()
                assert (inputs[len(own) :, :3, r] == X[own[-1]]).all()
    np.testing.assert_array_equal(
        portion.total, [[partition.part(i).weight.sum() * 2 for i in row] for row in parts]
    )
    np.testing.assert_array_equal(
        portion.held_total,
        [[partition.part(i).held_weight.sum() * 2 for i in row] for row in parts],
    )


def test_folds_share_a_table_and_differ_in_weights():
    partition = check_partition(X, Y, groups=LABELS, folds=3)
    samples = PackedSamples(X, Y, partition=partition)
    parts = np.array([[3, 4, 5, 3]])  # the three folds of the second group
    learned, held = packer(samples, Sharing.TABLE, 4, bias=False).portion(parts).tables
    rows = np.flatnonzero(LABELS == 1)
    np.testing.assert_array_equal(lanes_of(learned.X, 1, 3)[:13, :, 0], X[rows])
    np.testing.assert_array_equal(learned.X, held.X)
    assert learned.samples == held.samples == 13
    weights = [lanes_of(data.importance, 4, 2)[:, 0] for data in (learned, held)]
    for r, part in enumerate(parts[0]):
        for weight, own in zip(
            weights, (partition.part(part).rows, partition.part(part).held), strict=True
        ):
            assert np.flatnonzero(weight[:, r]).tolist() == np.searchsorted(rows, own).tolist()


@pytest.mark.parametrize("sharing", [Sharing.ALL, Sharing.TABLE])
def test_held_out_samples_beside_the_table(sharing):
    validation = Validation(X[:7], Y[:7], WEIGHT[:7])
    partition = None
    if sharing is Sharing.TABLE:
        partition = check_partition(X, Y, sample_weight=np.stack([WEIGHT, WEIGHT[::-1]]))
    samples = PackedSamples(X, Y, validation=validation, partition=partition)
    portion = packer(samples, sharing, 2).portion(np.array([[0, 0], [0, 0]]))
    learned, held = portion.tables[:2]
    assert (learned.samples, held.samples) == (23, 7)
    runs = 1 if sharing is Sharing.ALL else 2
    for n, r in product(range(7), range(runs)):
        assert lanes_of(held.importance, runs, 2)[n, 0, r] == WEIGHT[n]
    assert (portion.held_total == WEIGHT[:7].sum() * 2).all()


def test_blocks_with_the_same_samples_have_one_copy():
    samples = PackedSamples(X, Y, partition=check_partition(X, Y, groups=LABELS))
    portion = packer(samples, Sharing.PART, 2, batch=4).portion(np.array([[1, 1], [1, 1], [2, 2]]))
    first, second, third = portion.tables
    assert first is second
    assert (first.samples, first.epoch) == (13, 4)
    assert (third.samples, third.epoch) == (6, 2)


def test_blocks_whose_first_runs_are_alike_have_weights_of_their_own():
    samples = PackedSamples(X, Y, partition=check_partition(X, Y, folds=3))
    parts = np.array([[0, 0], [0, 1]])
    (first, _, second, _) = packer(samples, Sharing.TABLE, 2).portion(parts).tables
    for data, row in ((first, parts[0]), (second, parts[1])):
        importance = lanes_of(data.importance, 2, 2)[:, 0]
        for r, part in enumerate(row):
            assert np.flatnonzero(importance[:, r]).tolist() == samples.part(part).rows.tolist()
