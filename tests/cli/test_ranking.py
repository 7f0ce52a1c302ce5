"""Tables of the best settings: over folds by their mean, of groups each its own best one."""

import re
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from unittest.mock import patch

import numpy as np
import pytest

import fastgd
from cases import XOR_X, XOR_Y
from fastgd.cli.result_tables import (
    BEST,
    GROUPS,
    best_runs,
    show_axes,
    show_best,
    show_groups,
    statistics_of,
)
from fastgd.training import statistics


def made(axes, held=None, **changed):
    """A sweep with these axes, whose final errors are 0, 1, 2, ... in their order."""
    shape = tuple(map(len, axes.values()))
    runs = int(np.prod(shape))
    sweep = fastgd.sweep(XOR_X, XOR_Y, seed=range(runs), iterations=2)
    numbers = np.arange(float(runs)).reshape(shape)
    arrays = {
        "errors": sweep.errors.reshape(*shape, -1),
        "losses": sweep.losses.reshape(*shape, -1),
        "final_error": numbers,
        "final_loss": numbers,
        "status": np.full(shape, "finished", dtype="<U9"),
        "iterations": np.full(shape, 2),
        "total_changes": np.arange(runs).reshape(shape),
    }
    if held is not None:
        held = np.asarray(held, dtype=float).reshape(shape)
        arrays |= {"final_validation_error": held, "validation_errors": arrays["errors"]}
    return replace(sweep, axes=axes, **arrays | changed)


def printed(show, sweep, width=80):
    with patch.dict("os.environ", COLUMNS=str(width)), redirect_stdout(StringIO()) as printed:
        show(sweep)
    return printed.getvalue()


def test_runs_are_ranked_by_their_held_out_error():
    axes = {"alpha": [0.1, 1.0, 10.0], "seed": [1, 2]}
    sweep = made(axes, [5, 1, 4, np.nan, 3, 2], best_iteration=np.arange(6).reshape(3, 2))
    found = best_runs(sweep)
    assert [run["final_validation_error"] for run in found[:-1]] == [1, 2, 3, 4, 5]
    assert [(run["alpha"], run["seed"]) for run in found[:2]] == [(0.1, 2), (10.0, 2)]
    assert found[0]["final_error"] == 1
    assert found[1]["best_iteration"] == 5
    lines = printed(show_best, sweep).splitlines()
    assert lines[0].split() == ["validation", "training", "direction", "best", "at"]
    assert lines[1].split()[-4:] == ["error", "changes", "status", "iteration"]
    assert lines[3].split() == ["1", "0.1", "2", "1.00000", "1.00000", "1", "finished", "1"]
    assert len({len(line.rstrip()) for line in lines[3:9]}) == 1


def test_settings_are_ranked_by_the_mean_over_their_folds():
    axes = {"fold": [0, 1, 2], "alpha": [0.1, 1.0], "seed": [1]}
    status = np.array([["finished", "diverged"], ["finished", "finished"], ["stalled"] * 2])
    held = [[1, 5], [2, 5], [6, 2]]
    sweep = made(axes, held, status=status[..., None])
    first, second = best_runs(sweep)
    assert (first["alpha"], first["seed"], "fold" in first) == (0.1, 1, False)
    assert (first["final_validation_error"], second["final_validation_error"]) == (3, 4)
    assert first["spread"] == pytest.approx(np.std([1, 2, 6]))
    assert first["final_error"] == np.mean([0, 2, 4])
    assert first["status"] == "1 stalled"
    assert second["status"] == "1 diverged, 1 stalled"
    out = printed(show_best, sweep)
    assert out.startswith("Best settings: mean over 3 folds, ± their spread\n")
    assert re.search(r"^ *1 +0.1 +3.00000 +2.16 +2.00000 +1 stalled *$", out, re.MULTILINE)


@pytest.mark.parametrize("lost", [np.nan, np.inf])
def test_a_fold_that_is_lost_loses(lost):
    sweep = made({"fold": [0, 1], "alpha": [0.1, 1.0]}, [[lost, 9], [1, 9]])
    assert [run["alpha"] for run in best_runs(sweep)] == [1.0, 0.1]


def test_each_group_has_its_own_best_setting():
    axes = {"group": ["a", "b"], "alpha": [0.1, 1.0], "seed": [1, 2]}
    sweep = made(axes, [[[5, 4], [3, 9]], [[70, np.nan], [60, 90]]])
    found = best_runs(sweep)
    assert [(run["group"], run["alpha"], run["seed"]) for run in found] == [
        ("a", 1.0, 1),
        ("b", 1.0, 1),
    ]
    assert [run["final_validation_error"] for run in found] == [3, 60]
    out = printed(show_best, sweep)
    assert out.startswith("Best of each group\n")
    assert "rank" not in out
    with_folds = made({"group": ["a", "b"], "fold": [0, 1]}, [[1, 2], [3, 4]])
    assert [run["final_validation_error"] for run in best_runs(with_folds)] == [1.5, 3.5]
    assert printed(show_best, with_folds).startswith("Best of each group: mean over 2 folds, ±")


def test_of_many_groups_the_first_ones_are_shown():
    axes = {"group": list(range(100, 100 + GROUPS + 3)), "seed": [1]}
    out = printed(show_best, made(axes))
    assert f"\n{99 + GROUPS} " in out
    assert f"\n{100 + GROUPS} " not in out
    assert out.endswith("... and 3 groups more: --csv FILE.csv or --json have all\n\n")
    assert len(best_runs(made(axes))) == GROUPS + 3
    assert len(best_runs(made({"seed": list(range(30))}))) == BEST


def test_statistics_are_over_groups_folds_and_seeds():
    axes = {"group": ["a", "b"], "fold": [0, 1], "alpha": [0.1, 1.0], "seed": [1, 2, 3]}
    held = np.arange(24.0)[::-1] ** 2
    sweep = made(axes, held)
    rows = statistics_of(sweep)
    for row, group in zip(rows, [held.reshape(4, 2, 3)[:, i] for i in (0, 1)], strict=True):
        assert row["mean"] == pytest.approx(group.mean())
        assert (row["median"], row["best"]) == (np.median(group), group.min())
    assert [row["alpha"] for row in rows] == [0.1, 1.0]
    out = printed(show_groups, sweep)
    assert out.startswith("Held-out errors over 2 groups x 2 folds x 3 seeds\n")
    assert printed(show_groups, made({"alpha": [1.0, 2.0], "seed": [1]})).startswith(
        "Final errors over the seeds\n"
    )


def test_axes_are_told():
    axes = {"group": ["a"], "fold": [0, 1], "alpha": [0.1, 1.0], "seed": [1]}
    out = printed(show_axes, made(axes))
    assert out.startswith("4 runs: 2 folds x 2 alphas\nAll with group a, seed 1\n")


def test_a_mean_over_folds_is_that_of_the_library():
    axes = {"fold": [0, 1, 2], "alpha": [0.1, 1.0]}
    sweep = made(axes, [[1, 5], [2, 5], [6, 2]])
    means = [
        group.values.mean() for group in statistics.groups(sweep, sweep.final_validation_error)
    ]
    assert sorted(means) == [run["final_validation_error"] for run in best_runs(sweep)]
