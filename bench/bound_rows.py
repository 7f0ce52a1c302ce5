"""Rows about what is possible: each work beside its bound, and two threads for a single run."""

from collections.abc import Callable

import numba

import bounds as least
import ours
from compare import Settings
from measure import in_turn
from report import BOUND, Line


def bounds(settings: Settings) -> list[Line]:
    """Each work beside the least that it can take: see ``bounds.py``."""
    lines = []
    for case in least.CASES.values():
        work = case.work.times(settings.effort)
        own, machine = least.measured(work, settings.repeats)
        bound = least.bound_of(work, machine)
        note = f"bound by the {bound.which}"
        ratio = own / bound.ns
        lines.append(Line(case.title, BOUND, own, bound.ns, ratio, case.target, note=note))
    return lines


def threads_of_one_run(settings: Settings) -> list[Line]:
    """Two threads against one for a single large run."""
    case = least.CASES["train_784"]
    work = case.work.times(settings.effort)
    seconds = in_turn({str(n): _on(n, ours.prepare(work, n)) for n in (1, 2)}, settings.repeats)
    two, one = (1e9 * seconds[n] / work.iterations for n in "21")
    return [Line(case.title, "one thread (ours: two)", two, one, one / two, ">= 1.8")]


def _on(threads: int, call: Callable[[], object]) -> Callable[[], object]:
    """A call with so many threads of Numba."""

    def run() -> object:
        numba.set_num_threads(threads)
        return call()

    return run


ALL = (bounds, threads_of_one_run)
