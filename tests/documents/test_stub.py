"""The stub is current, and what type checkers make of it: right calls pass, wrong ones don't."""

import re
import subprocess
import sys
from importlib.util import find_spec
from typing import get_args

import pytest

from document import ROOT
from fastgd.models.scores import SCORING, Score

sys.path.insert(0, str(ROOT / "docs"))

import write_stub

CALLS = """\
import fastgd
import numpy as np
import pandas
from fastgd import *
from fastgd.optimizers import Adam, Momentum
from fastgd.schedules import Cosine

X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
file = open("xor.txt", "w")  # Python's own
run = fastgd.train(X, y, alpha=10, activation="relu", l2=0.1, optimizer=Adam(beta1=0.8))
fastgd.train(np.ones((4, 3)), y, loss="huber", delta=2, batch_size=2, schedule=Cosine(steps=9))
fastgd.train(X, y, init=("he", "glorot"), freeze=(1,), hidden_size=(4, 2), patience=None)
swept = fastgd.sweep(X, y, alpha=[1, 10], activation=["relu", "tanh"], l2=np.logspace(-3, 0, 4))
fastgd.sweep(X, y, seed=range(3), optimizer=[Adam(), Momentum(momentum=[0.5, 0.9])], folds=5)
fastgd.fit_groups({"a": [1]}, "a", "b", l2=[0.1, 0.2], unknown="global", patience=9)
fastgd.race(X, y, {"plain": (Momentum(0.9), 1)}, bias=True)
fastgd.minimize(X, y, method="lm", reduction="mean")
fastgd.sweep(X, y, alpha=pandas.Series([0.1, 1]))
several: fastgd.Sweep = swept[1:, [0, 1]]
errors: float = several.best().final_error
either: fastgd.Run | fastgd.Sweep = swept[0]
place = np.unravel_index(np.argmin(swept.final_error), swept.shape)
round(swept[place].final_error, 3), swept[place].at(0).error, swept[0].shape, swept[0].best()
round(swept.sel(alpha=1).final_error.mean(), 3), swept.sel(alpha=1, l2=1.0).weights[0].T
for run in swept:
    fastgd.surface(X, y, run)
fastgd.surface(X, y, swept[0, 1, 2])
loaded = fastgd.load("run.npz")
print(round(loaded.final_error, 3), loaded.best(), loaded.weights, loaded["Oslo"].alpha, loaded[0])
loaded.predict({"size": [1]}).round(), loaded.columns(), loaded.remarks({"size": [1]})
model = fastgd.fit({"size": [1], "price": [2]}, "price")
model.predict({"size": [1]}).mean(), model.predict(pandas.DataFrame({"size": [1]})).index
resumed: fastgd.Run = fastgd.train(X, y, resume=loaded)
fastgd.optimizers.AdamW(weight_decay=[0.1, 0.2])
Adam(np.linspace(0.8, 0.9, 3)).beta1 / 2 + Cosine(9).steps // 2
fastgd.bucket.basins(alpha=0.1, rule="sign")
fastgd.train(X, y, activation="rleu")  # wrong
fastgd.train(X, y, lr=0.1)  # wrong
fastgd.train(X, y, l2=[0.1, 0.2])  # wrong
fastgd.train(X, y, monitor="accuracy")  # wrong
fastgd.sweep(X, y, loss=["squared", "mse"])  # wrong
fastgd.sweep(X, y, l2="0.1")  # wrong
fastgd.fit_groups({"a": [1]}, "a", "b", unknown="zero")  # wrong
fastgd.race(X, y, optimizer=Adam())  # wrong
fastgd.objective(X, y, dropout=0.5)  # wrong
fastgd.minimize(X, y, method="CG")  # wrong
Momentum(momentum="0.9")  # wrong
Cosine(steps=0.5)  # wrong
fastgd.bucket.basins(rule="signs")  # wrong
swept[0].nothing  # wrong
swept["alpha"]  # wrong
loaded.nothing  # wrong
model.predict({"size": [1]}).nothing  # wrong
"""
WRONG = [number for number, line in enumerate(CALLS.splitlines(), 1) if line.endswith("# wrong")]


def test_the_stub_is_that_of_the_declarations():
    stub = write_stub.STUB.read_text(encoding="utf-8")
    assert write_stub.with_calls(stub) == stub, "run: python docs/write_stub.py"


def test_scores_are_those_that_type_checkers_know():
    assert set(get_args(Score)) == {*SCORING[True], *SCORING[False]}


@pytest.mark.slow
@pytest.mark.parametrize("checker", [["mypy", "--strict"], ["pyright"]], ids=lambda words: words[0])
def test_type_checkers_find_wrong_calls_only(checker, tmp_path):
    """Ten seconds each. Both are among the extra ``dev``."""
    name, *options = checker
    if find_spec(name) is None:
        pytest.skip(f"needs {name}")
    (tmp_path / "calls.py").write_text(CALLS, encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(
        f'[tool.mypy]\nmypy_path = "{ROOT / "src"}"\nfollow_imports = "silent"\n'
        f'[tool.pyright]\nextraPaths = ["{ROOT / "src"}"]\ninclude = ["calls.py"]\n'
    )
    words = [sys.executable, "-m", name, *options]
    words += ["calls.py"] if name == "mypy" else ["--pythonpath", sys.executable]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    found = re.findall(r"calls\.py:(\d+):(?:\d+)?.*?\berror\b", done.stdout)
    assert sorted({int(number) for number in found}) == WRONG, done.stdout
