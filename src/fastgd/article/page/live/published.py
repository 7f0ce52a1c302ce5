"""The article's numbers as the page's script needs them: next to ours, each with its mark."""

from collections.abc import Sequence
from typing import Any

from fastgd.article.comparison import Result
from fastgd.article.twins import Comparison


def published_facts(results: Sequence[Result]) -> dict[str, Any]:
    """The published numbers by hidden size and alpha, ``{"4": {"10.0": {...}}}``.

    Of each alpha ``iterations``, and ``errors``, ``weights`` and ``changes``: lists of what is
    ``published`` and ``computed``, with a ``mark`` for each number. Weights and changes have a list
    per layer, row by row; they are empty where the article prints none.
    """
    facts: dict[str, Any] = {}
    for result in results:
        experiment = result.experiment
        if experiment.published:
            facts[str(experiment.hidden_size[0])] = {
                repr(setting.alpha): {
                    "iterations": list(map(int, setting.run.recorded)),
                    "final": float(setting.run.final_error),
                    "errors": _compared(setting.errors),
                    "weights": [_compared(c) for c in setting.weights if c.marks is not None],
                    "changes": [
                        _compared(c) for c in setting.direction_changes if c.marks is not None
                    ],
                }
                for setting in result.settings
            }
    return facts


def _compared(comparison: Comparison) -> dict[str, list[Any]]:
    assert comparison.published is not None
    assert comparison.marks is not None
    return {
        "published": comparison.published.ravel().tolist(),
        "computed": comparison.computed.ravel().tolist(),
        "marks": [str(mark) for mark in comparison.marks.ravel()],
    }
