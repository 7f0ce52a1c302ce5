"""The learning rates of a race are those that a search finds."""

import pytest

from benches import bench
from fastgd.optimizers import BY_COMMAND
from thinning import only

ALPHAS = bench("race_alphas")


@pytest.mark.parametrize("name", only(BY_COMMAND, "gradient_descent"))
def test_an_optimizers_alpha_is_the_best_of_the_search(name):
    assert ALPHAS.best_alpha(BY_COMMAND[name]) == BY_COMMAND[name].race_alpha


def test_who_has_another_alpha_is_named(monkeypatch, capsys):
    monkeypatch.setattr(ALPHAS, "best_alpha", lambda _kind: 0.1)
    assert ALPHAS.main(["adam"]) == 0
    assert ALPHAS.main(["momentum"]) == 1
    assert "race_alpha is 1" in capsys.readouterr().out
