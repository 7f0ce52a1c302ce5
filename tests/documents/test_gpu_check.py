"""bench/gpu_check.py, as far as it goes without a GPU: on the stand-in, with tiny sizes."""

import json

import pytest

import cuda_stand_in
from benches import bench

gpu_check = bench("gpu_check")


@pytest.mark.slow
def test_all_of_it(tmp_path, capsys):
    path = tmp_path / "found.json"
    assert gpu_check.main(["--stand-in", "--json", str(path)]) == 0
    text = capsys.readouterr().out
    assert "1 of 1 golden cases have the same bits" in text
    found = json.loads(path.read_text())
    assert found["hashes"] == {"one of everything": gpu_check.SAME}
    assert [(row["work"], row["runs"]) for row in found["rows"]] == [
        ("3-4-1", 1),
        ("3-4-1", 64),
        ("map of trainability", 16),
    ]
    for row in found["rows"]:
        assert row["same"]
        assert row["cpu"] > 0 < row["gpu"]
        assert f"| {row['work']} | {row['runs']} | " in text
    assert 0 < found["rows"][1]["bound"] < found["rows"][1]["gpu"]


def test_without_a_gpu_there_is_one_sentence(monkeypatch, capsys):
    with cuda_stand_in.installed(monkeypatch, count=0):
        assert gpu_check.main([]) == 1
    out, error = capsys.readouterr()
    assert not out
    assert error.startswith("training on a GPU needs an NVIDIA GPU and its driver for CUDA 12")
    assert error.count("\n") == 1


@pytest.mark.slow
def test_other_bits_are_seen(monkeypatch, capsys):
    monkeypatch.setattr(gpu_check, "digest", lambda *_, **__: "another")
    monkeypatch.setattr(gpu_check, "same_bits", lambda *_: False)
    assert gpu_check.main(["--stand-in", "--only", "hashes"]) == 1
    assert "one of everything: OTHER bits" in capsys.readouterr().out
    assert gpu_check.main(["--stand-in", "--only", "map of trainability"]) == 1
    assert "| OTHER |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("facts", "status", "same", "note"),
    [
        ({"memory": 1 << 12}, None, None, "must fit into the free memory of cuda:0"),
        ({}, "LAUNCH_FAILED", False, "a kernel must run to its end on cuda:0"),
    ],
)
def test_a_row_says_why_it_fails(facts, status, same, note, monkeypatch):
    with cuda_stand_in.installed(monkeypatch, **facts) as driver:
        if status:
            driver.fail("cuLaunchKernel", status)
        row = next(gpu_check.rows(gpu_check.TINY, None))
    assert row.same is same
    assert note in row.note


def test_the_bound_counts_less_than_the_code_has():
    """In an iteration of 3-4-1, whose code has no loops: 726 operations, and 25 divisions."""
    assert 500 < gpu_check.operations(4, (3, 4, 1)) < 726 + 25 * gpu_check.DIVISION
