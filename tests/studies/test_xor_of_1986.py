"""The networks of examples/studies/xor_1986.py learn like plain back-propagation of 1986."""

import importlib
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

STUDIES = Path(__file__).parents[2] / "examples" / "studies"


def logistic(a):
    """The logistic function."""
    return 1 / (1 + np.exp(-a))


def plain(study, network, update, setting, run, most):
    """Sweeps until one run is solved, with direct connections written out; NaN if above ``most``.

    PDP, volume 1, chapter 8: delta of an output (equation 13), of a hidden unit (14), and the
    momentum rule (16).
    """
    hidden, direct = network
    below, above = study.initial(hidden, direct, run + 1)[0][run]
    goals = np.abs(study.y - setting["shift"])
    solved = study.SOLVED[setting["solved"]]
    near = 0.4 if "right side" in setting["solved"] and setting["shift"] else solved["near"]
    w, v = setting["r"] * below[:, :hidden], setting["r"] * above[:hidden, 0]
    u = setting["r"] * above[hidden:, 0]  # from the inputs, if direct, and from the bias
    passed = study.X if direct else study.X[:, 2:]
    steps = [np.zeros_like(part) for part in (w, v, u)]
    batches = [[0, 1, 2, 3]] if update == "per sweep" else [[0], [1], [2], [3]]
    for sweep in range(most + 1):
        misses = goals - logistic(logistic(study.X @ w) @ v + passed @ u)
        far = np.count_nonzero(np.abs(misses) >= near)
        if far + solved["squared"] * (misses**2).sum() < solved["tolerance"]:
            return sweep
        for batch in batches:
            h = logistic(study.X[batch] @ w)
            o = logistic(h @ v + passed[batch] @ u)
            delta = (goals[batch] - o) * o * (1 - o)
            deltas = delta[:, None] * v * h * (1 - h)
            gradients = study.X[batch].T @ deltas, h.T @ delta, passed[batch].T @ delta
            for at, (part, gradient) in enumerate(zip((w, v, u), gradients, strict=True)):
                steps[at] = setting["eta"] * gradient + setting["momentum"] * steps[at]
                part += steps[at]
    return np.nan


def test_what_is_no_number_cannot_be_compared(monkeypatch):
    monkeypatch.syspath_prepend(str(STUDIES))
    study = importlib.import_module("xor_1986")
    assert study.judge(True, 1.0) == "agrees"
    assert study.judge(False, 1.0) == "differs"
    assert study.judge(False, 1.0, study.mean(np.array([np.nan]))[0]) == "can't be compared"


def test_a_quick_run_names_its_own_limit(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(STUDIES))
    study = importlib.import_module("xor_1986")
    given = SimpleNamespace(quick=True, threads=1, out=tmp_path)
    rows = np.array([100.0, np.nan])
    found = {
        (label, "per sweep", eta, r): rows
        for label, eta, r in product(study.NETWORKS, (0.25, 0.5), (0.3, 0.5, 1.0))
    }
    longer = dict.fromkeys((0.1, 0.2, 0.3, 0.5, 1.0), rows)
    texts = [row.what for row in study.rows_of_the_unsolved(given, found, longer)]
    assert all("after 658 " in text for text in (texts[0], texts[2])), texts
    assert "after 5,000 " in texts[1]


@pytest.mark.slow
def test_networks_are_those_of_1986(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(STUDIES))
    study = importlib.import_module("xor_1986")
    given = SimpleNamespace(quick=False, threads=1, out=tmp_path)
    settings = [
        study.LITERAL | {"eta": 1.0, "r": 0.7, "solved": name, "shift": shift}
        for name, shift in product(study.SOLVED, (0.0, 0.1))
    ]
    most = 400
    for network, update in product(study.NETWORKS.values(), ("per sweep", "per pattern")):
        name = f"{update} {network[0]}"
        found = study.sweeps(given, name, network, update, settings, 3, most)
        expected = [
            [plain(study, network, update, setting, run, most) for run in range(3)]
            for setting in settings
        ]
        np.testing.assert_array_equal(found, expected, err_msg=name)
        assert np.isfinite(found).sum() > 10, "else nothing is compared"
