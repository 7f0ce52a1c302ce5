"""What machines read: what a command has found out, as JSON."""

import json
from math import isfinite
from typing import Any

import numpy as np

from fastgd import Sweep
from fastgd.arguments.wording import optimizer_name
from fastgd.article import comparison
from fastgd.article.comparison import Result
from fastgd.article.experiments import source
from fastgd.cli.samples import Samples
from fastgd.optimizers import ALL

BEST = 10
"""Best runs of a sweep that are shown."""


def print_json(facts: dict[str, Any]) -> None:
    """Print one line of JSON."""
    print(json.dumps(_plain(facts), allow_nan=False), flush=True)


def _plain(value: Any) -> Any:
    """A value as JSON knows it; numbers that are not finite become null."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, ALL):
        value = {"name": optimizer_name(value)} | value._asdict()
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | range):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def samples_facts(samples: Samples) -> dict[str, Any]:
    """What the file holds."""
    return {"samples": len(samples.X), "inputs": samples.inputs, "targets": samples.targets}


def sweep_facts(result: Sweep) -> dict[str, Any]:
    """All numbers of a sweep, its best runs and its groups."""
    arrays = ("recorded", "errors", "final_error", "status", "iterations", "total_changes")
    options = result.options
    if "optimizer" in options:
        fields = _plain(options["optimizer"])
        options["optimizer"] = {k: v for k, v in fields.items() if k not in result.axes}
    return (
        {"axes": result.axes, "shape": result.shape, "options": options}
        | {name: getattr(result, name) for name in (*arrays, "summary")}
        | {"best": best_runs(result), "groups": groups(result)}
    )


def best_runs(result: Sweep) -> list[dict[str, Any]]:
    """The runs with the smallest final errors, the best one first."""
    order = np.argsort(result.final_error, axis=None, kind="stable")[:BEST]  # NaN comes last
    return [
        _place(result, index)
        | {
            "final_error": result.final_error[index],
            "direction_changes": result.total_changes[index],
            "status": result.status[index],
            "iterations": result.iterations[index],
        }
        for index in zip(*np.unravel_index(order, result.shape), strict=True)
    ]


def groups(result: Sweep) -> list[dict[str, Any]]:
    """Mean, median and best final error over the seeds, the last axis, for each combination."""
    found = []
    for index in np.ndindex(result.shape[:-1]):
        errors, status = result.final_error[index], result.status[index]
        numbers = errors[np.isfinite(errors)]
        statistics = [
            float(f(numbers)) if len(numbers) else None for f in (np.mean, np.median, np.min)
        ]
        found.append(
            _place(result, index)
            | dict(zip(("mean", "median", "best"), statistics, strict=True))
            | {name: int((status == name).sum()) for name in ("converged", "diverged")}
        )
    return found


def _place(result: Sweep, index: tuple[int, ...]) -> dict[str, Any]:
    """The values on the axes, of which there may be more than indices."""
    return {name: axis[i] for (name, axis), i in zip(result.axes.items(), index, strict=False)}


def tutorial_facts(results: list[Result], preparing: float) -> dict[str, Any]:
    """All numbers of the experiments beside the published ones."""
    return {
        "source": source(),
        "experiments": [_result_facts(result) for result in results],
        "tally": vars(comparison.tally(results)),
        "seconds": sum(result.seconds for result in results),
        "seconds_to_load_the_kernel": preparing,
    }


def _result_facts(result: Result) -> dict[str, Any]:
    experiment = result.experiment
    outputs = result.outputs
    return {
        "name": experiment.name,
        "title": experiment.title,
        "part": experiment.part,
        "hidden_size": experiment.hidden_size,
        "iterations": experiment.iterations,
        "takeaway": experiment.takeaway,
        "twins": result.twins,
        "seconds": result.seconds,
        "outputs": None if outputs is None else vars(outputs) | {"right": result.right},
        "settings": [
            {
                "alpha": setting.alpha,
                "recorded": setting.run.recorded,
                "errors": vars(setting.errors),
                "final_error": vars(setting.final_error),
                "weights": [vars(layer) for layer in setting.weights],
                "direction_changes": [vars(layer) for layer in setting.direction_changes],
                "note": setting.note,
            }
            for setting in result.settings
        ],
    }
