"""Which runs go side by side: every run once, only what may share a block, little padding."""

import numpy as np
import pytest

from cases import XOR_X, XOR_Y
from fastgd.arguments.options import Method
from fastgd.arguments.subsets import check_partition
from fastgd.engine.layout import Sharing
from fastgd.engine.packing import PackedSamples, arrange, by_part, dealt, lanes_of
from fastgd.engine.progress import unreported
from fastgd.engine.recipe import recipe_of
from fastgd.training.training_job import checked_job


def lots_of(labels, *, runs=1, folds=None, sample_weight=None, side_by_side=8, **options):
    X, y = np.zeros((len(labels), 2)), np.zeros((len(labels), 1))
    groups = labels if len(set(labels.tolist())) > 1 else None
    partition = check_partition(X, y, groups=groups, folds=folds, sample_weight=sample_weight)
    samples = PackedSamples(X, y, partition=partition)
    recipe = recipe_of(Method(**options), {})
    return samples, arrange(samples, recipe, runs * samples.parts, [(2, 15)], 1, side_by_side)


def blocks_of(lots, runs=1):
    """(lot, the parts in its blocks)."""
    for lot in lots:
        order = lot.runs()
        for lanes in lanes_of(lot.keys, len(lot.order), lot.side_by_side):
            yield lot, order[lanes] // runs


SIZES = np.random.default_rng(1).lognormal(3, 1, 300).astype(int) + 2
LABELS = np.repeat(np.arange(300), SIZES)
ALL = np.zeros(40, int)

CASES = {
    "a few runs of each group": ({"labels": LABELS, "runs": 2}, [Sharing.NONE]),
    "many runs of each group": ({"labels": LABELS, "runs": 24}, [Sharing.PART]),
    "groups in batches": ({"labels": LABELS, "batch_size": 2}, [Sharing.NONE, Sharing.PART]),
    "folds": ({"labels": ALL, "folds": 4, "runs": 2}, [Sharing.TABLE]),
    "folds and dropout": ({"labels": ALL, "folds": 4, "runs": 2, "dropout": 0.5}, [Sharing.NONE]),
    "folds in batches": ({"labels": ALL, "folds": 4, "runs": 8, "batch_size": 3}, [Sharing.PART]),
    "weights in batches": (
        {"labels": ALL, "sample_weight": np.ones((8, 40)), "batch_size": 3},
        [Sharing.TABLE],
    ),
    "folds of groups": ({"labels": LABELS, "folds": 2, "runs": 4}, [Sharing.TABLE]),
}


@pytest.mark.parametrize("name", CASES)
def test_every_run_has_one_place_beside_others_of_its_kind(name):
    given, sharings = CASES[name]
    runs = given.get("runs", 1)
    samples, lots = lots_of(**given)
    assert {lot.sharing for lot in lots} == set(sharings) or name == "a few runs of each group"
    every = np.sort(np.concatenate([lot.runs() for lot in lots]))
    assert every.tolist() == list(range(runs * samples.parts))
    for lot, parts in blocks_of(lots, runs):
        if lot.sharing is Sharing.PART:
            assert len(set(parts.tolist())) == 1
        if lot.sharing is Sharing.TABLE:
            assert len(set(samples.tables[parts].tolist())) == 1
        if lot.sharing is Sharing.NONE and "batch_size" in given:
            assert len(set(samples.sizes[parts].tolist())) == 1
        most = samples.table_sizes.max() if lot.sharing is Sharing.TABLE else samples.sizes[parts]
        assert lot.size >= np.max(most)


@pytest.mark.parametrize("count", [1000, 2000, 20_000])
@pytest.mark.parametrize("wide", [8, 16, 32])
def test_padding_costs_at_most_a_quarter_for_log_normal_sizes(count, wide):
    """With sigma 1. Of fewer groups the padding costs more, but narrower blocks would, too."""
    random = np.random.default_rng(count)
    sizes = np.clip(random.lognormal(np.log(60), 1, count), 5, 3000).astype(int)
    samples, lots = lots_of(np.repeat(np.arange(count), sizes), side_by_side=wide)
    work = sum(int(samples.sizes[parts].max()) * lot.side_by_side for lot, parts in blocks_of(lots))
    assert work <= 1.25 * sizes.sum()


def test_runs_alone_are_exact_and_have_a_block_each():
    samples, _ = lots_of(LABELS)
    lot = by_part(samples, np.array([3, 7, 250]), 1, 1)
    assert (lot.side_by_side, lot.is_exact, len(lot.order)) == (1, True, 3)
    assert sorted(lot.order.tolist()) == [3, 7, 250]


def test_lanes_are_filled_up_with_the_last_run_of_a_block():
    assert lanes_of(None, 5, 2).tolist() == [[0, 1], [2, 3], [4, 4]]
    keys = np.array([7, 7, 7, 1, 2, 2])
    assert lanes_of(keys, 6, 2).tolist() == [[0, 1], [2, 2], [3, 3], [4, 5]]


def test_threads_share_the_largest_blocks():
    order = dealt(5, 2)
    assert sorted(order.tolist()) == list(range(5))
    assert order.tolist() == [0, 2, 4, 1, 3]


def test_a_plan_lets_go_of_the_samples_that_were_padded_for_it():
    given = {"hidden_size": 4, "alpha": 1.0, "seed": 1, "weights": None, "biases": None}
    job = checked_job(XOR_X, XOR_Y, iterations=1, record_every=1, given_options={}, **given)
    plan = job.plan(0, 1)
    job.train(0, plan, unreported)
    assert "_shared" not in vars(plan.batches[0][1])
