"""The comparison of two source trees asks for public functions only, of any version."""

import sys

import pytest

from benches import bench

TRAIN = "def train(X, y, hidden_size=4, alpha=1, iterations=1, seed=1): pass\n"
L2 = "def train(X, y, hidden_size=4, alpha=1, iterations=1, seed=1, l2=0): pass\n"


@pytest.fixture
def tree(tmp_path):
    """A source tree whose fastgd has this code."""

    def make(name, code):
        package = tmp_path / name / "fastgd"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(code)
        return package.parent

    return make


def test_what_only_one_tree_has_is_left_out(tree, monkeypatch, capsys):
    old, new = tree("old", TRAIN), tree("new", L2)
    command = ["before_after.py", str(old), str(new), "--rounds=1", "--repeats=1"]
    monkeypatch.setattr(sys, "argv", [*command, "--only=10 iterations", "--only=shops"])
    with pytest.raises(SystemExit):
        bench("before_after").main()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("train, 10 iterations, another seed")


def test_each_work_can_be_prepared_here():
    before_after = bench("before_after")
    for name, prepare in before_after.WORKS.items():
        call, pieces, unit = prepare(1)
        assert callable(call), name
        assert pieces >= 1
        assert unit in before_after.UNITS


def test_a_package_from_elsewhere_is_refused(tmp_path):
    with pytest.raises(RuntimeError, match="fastgd must come from"):
        bench("before_after").in_fresh_python(tmp_path, str(tmp_path), 1, 1, ["no such work"])
