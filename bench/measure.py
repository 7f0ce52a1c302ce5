"""Time several ways of doing the same, in turn."""

from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter, sleep

PAUSE = 0.02
"""Seconds between two measurements: OpenMP threads spin a while before they go to sleep."""


def in_turn(calls: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Return the median seconds of each call: a, b, c, a, b, c, ...

    The first call of each, which may compile, is not counted.
    """
    for call in calls.values():
        call()
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            sleep(PAUSE)
            began = perf_counter()
            call()
            seconds[name].append(perf_counter() - began)
    return {name: median(times) for name, times in seconds.items()}
