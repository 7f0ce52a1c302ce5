"""The least that each work can take on this machine: counted out, times what is measured.

    python bench/bounds.py                    all works, some minutes; nothing else should run
    python bench/bounds.py --only train_4     one of them

A bound is the largest of these times, for one iteration of one run on one thread:

- products: what only the ports of multiply-adds can do;
- ports: all arithmetic on floats, whole vectors full of it;
- divider: a division for each sigmoid;
- loads, stores and the second-level cache: what has to be moved, see :func:`traffic`;
- chain: what one operation after another takes where each needs the one before, for a single run
  only; several runs side by side fill each other's gaps. See :func:`chain`.

Assumed, and so no work of anybody can be faster: the recipes and orders of sums of
``src/fastgd/kernel/iteration/``; vectors without an idle lane; a division by the divider (estimates
and Newton steps that give the same bits took longer, see ``peer_c_same.c``). Where in doubt, less
is counted: no loops, no addresses, no number moved from lane to lane, no latency of a cache, no
weights of samples, and of what is kept about a training only the direction changes.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import sqrt
from pathlib import Path

import ours
import probes
from fastgd.kernel.vectorization import native_lanes
from measure import in_turn
from probes import Machine
from workload import ALPHAS, SMALL_ALPHAS, Work, article, made_up

REPEATS = 7


@dataclass(frozen=True)
class Case:
    """A work, how the tables call it, and what is to be reached."""

    title: str
    work: Work
    target: str


CASES = {
    "train_4": Case("train 3-4-1", article(4, (1.0,), 1, 60_000), ""),
    "sweep_4": Case("sweep 3-4-1, 1,024 runs", article(4, ALPHAS, 32, 9600), "<= 1.35"),
    "sweep_32": Case("sweep 3-32-1, 1,024 runs", article(32, ALPHAS, 32, 1920), "<= 1.3"),
    "sweep_16": Case(
        "sweep 16-16-1, 272 samples, 512 runs",
        made_up(272, (16, 16, 1), SMALL_ALPHAS, 16, 96),
        "<= 1.2",
    ),
    "sweep_64": Case(
        "sweep 64-64-10, 256 samples, 64 runs",
        made_up(256, (64, 64, 10), SMALL_ALPHAS[::4], 8, 48),
        "<= 1.2",
    ),
    "train_64": Case(
        "train 64-64-10, 256 samples",
        made_up(256, (64, 64, 10), SMALL_ALPHAS[:1], 1, 960),
        "<= 1.3",
    ),
    "train_784": Case(
        "train 784-100-10, 2,000 samples",
        made_up(2000, (784, 100, 10), SMALL_ALPHAS[:1], 1, 48),
        "<= 1.3",
    ),
}


# ------------------------------------------------------------------ arithmetic


@dataclass(frozen=True)
class Count:
    """Numbers of one run and iteration that so many operations are done to."""

    what: str
    numbers: int
    multiplies: float  # products and fused multiply-adds
    others: float = 0.0  # sums, comparisons, integers


SIGMOID = {
    "x limited from above": (0, 1),
    "x compared with the lower limit: a mask of the division": (0, 1),
    "t = fma(x, -log2(e), shift)": (1, 0),
    "n = t - shift": (0, 1),
    "r = fma(n, low, fma(n, high, x))": (2, 0),
    "r**2, r**4": (2, 0),
    "5 pairs of coefficients": (5, 0),
    "pairs joined by r**2, r**4: high 2, low 1": (3, 0),
    "q = fma(high, r**4, low)": (1, 0),
    "fma(fma(q, r, -1), r, 1)": (2, 0),
    "exponent: a shift and a sum": (0, 2),
    "1 + e": (0, 1),
    "the division's own instruction": (0, 1),
}
"""Operations of ``functions.sigmoid``: multiplies and others."""

OUTPUT_DELTA = (2, 2)
"""(y - v) * (v * (1 - v))."""

HIDDEN_DELTA = (2, 1)
"""error * (v * (1 - v))."""

UPDATE = (1, 2.25)
"""fma(alpha, g, w); g > 0, a check for overflow; bytes, 8 to the place of a number: xor and sum."""


def sizes_of(work: Work) -> tuple[int, ...]:
    """Units of all layers, from the inputs on."""
    return (work.X.shape[1], *work.hidden_size, work.y.shape[1])


def arithmetic(samples: int, sizes: Sequence[int]) -> list[Count]:
    """Count the operations of an iteration."""
    weights = sum(a * b for a, b in pairwise(sizes))
    beyond_first = weights - sizes[0] * sizes[1]
    hidden, outputs = sum(sizes[1:-1]), sizes[-1]
    sigmoid = [sum(each) for each in zip(*SIGMOID.values(), strict=True)]
    return [
        Count("forward: a multiply-add for each weight", samples * weights, 1),
        Count("sigmoids", samples * (hidden + outputs), *sigmoid),
        Count("deltas of outputs", samples * outputs, *OUTPUT_DELTA),
        Count("back: the same as forward, but for the first layer", samples * beyond_first, 1),
        Count("deltas of hidden units", samples * hidden, *HIDDEN_DELTA),
        Count("gradient: the same as forward", samples * weights, 1),
        Count("updates", weights, *UPDATE),
    ]


# ------------------------------------------------------------------ memory


def products(samples: int, sizes: Sequence[int]) -> list[int]:
    """Multiply-adds of each product of two matrices."""
    layers = [samples * a * b for a, b in pairwise(sizes)]
    return layers + layers[1:] + layers  # forward, back, gradient


@dataclass(frozen=True)
class Traffic:
    """Vectors that come from and go to what is beyond a room."""

    loads: float
    stores: float


def traffic(samples: int, sizes: Sequence[int], single: bool, room: int) -> Traffic:
    """Count what comes from beyond a ``room`` of so many vectors (registers, or the first cache).

    Weights come and go once in an iteration, and a single run's samples come, but for what has
    room; values of units may be gone before others come. And a product of m x k and k x n numbers
    moves at least 2 m k n / sqrt(S) - 2 S of them if S have room (Smith, Lowery, Langou, van de
    Geijn: "A tight I/O lower bound for matrix multiplication", 2019). A vector has room for
    ``lanes`` numbers of a single run, or for one number of as many runs.
    """
    lanes = native_lanes()
    S = room * lanes if single else room
    weights = sum(a * b for a, b in pairwise(sizes))
    read = samples * sizes[0] if single else 0  # many runs share it
    moved = sum(max(0.0, 2 * count / sqrt(S) - 2 * S) for count in products(samples, sizes))
    return Traffic(max(0.0, weights + read - S, moved) / lanes, max(0.0, weights - S) / lanes)


def first_cache() -> int:
    """Bytes of the first-level cache for data; 48 KiB where that isn't known."""
    for folder in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        names = ("level", "type", "size")
        level, kind, size = ((folder / name).read_text().strip() for name in names)
        if (level, kind) == ("1", "Data"):
            return 1024 * int(size.removesuffix("K"))
    return 48 * 1024


# ------------------------------------------------------------------ the chain


@dataclass(frozen=True)
class Step:
    """A part of the chain: operations of which each needs the one before."""

    what: str
    multiplies: int = 0
    adds: int = 0
    selects: int = 0
    divider: float = 0.0  # ns that it takes

    def time(self, machine: Machine) -> float:
        """Return its ns."""
        return (
            self.multiplies * machine.after_multiply
            + self.adds * machine.after_add
            + self.selects * machine.after_select
            + self.divider
        )


def divided(count: int, machine: Machine) -> float:
    """Ns until so many divisions, all of which could start now, are done."""
    lanes = native_lanes()
    whole, half = -(-count // lanes), -(-count // max(1, lanes // 2))
    return min(
        (whole - 1) * machine.divide + machine.after_divide,
        (half - 1) * machine.half_divide + machine.after_half_divide,
    )


def sigmoid_steps(what: str, count: int, machine: Machine) -> list[Step]:
    """The chain of a sigmoid, of which so many go through the divider."""
    return [
        Step(f"{what}: limited, t, n, r", 3, 1, 1),
        Step(f"{what}: r**2, r**4, high, q, two more; 1 + e", 6, 1),
        Step(f"{what}: divisions, of {count:,}", divider=divided(count, machine)),
    ]


def chain(samples: int, sizes: Sequence[int], machine: Machine) -> list[Step]:
    """Write out what a run's iteration does one after the other.

    Sums are chains in the order of their index. All samples go side by side, but for one layer's
    divisions, which come out one after the other. If those of the widest layer are counted whole,
    of the sums over its units, and over samples, only the last step is sure to come after them; so
    there are two chains, and the longer one counts. (Adding the integer exponent is left out.)
    """
    return max(
        (_chain(samples, sizes, machine, whole) for whole in (False, True)),
        key=lambda steps: sum(step.time(machine) for step in steps),
    )


def _chain(samples: int, sizes: Sequence[int], machine: Machine, whole: bool) -> list[Step]:
    widest = max(range(1, len(sizes)), key=lambda k: sizes[k])
    steps = []
    for k in range(1, len(sizes)):
        inputs = 1 if whole and k == widest + 1 else sizes[k - 1]
        name = "outputs" if k == len(sizes) - 1 else f"hidden layer {k}"
        steps.append(Step(f"{name}: sum over {inputs} of {sizes[k - 1]} inputs", inputs))
        steps += sigmoid_steps(name, samples * sizes[k] if whole and k == widest else 1, machine)
    steps.append(Step("delta: y - v beside 1 - v; two products", 2, 1))
    for k in range(len(sizes) - 2, 0, -1):
        outputs = sizes[k + 1]
        steps.append(Step(f"hidden layer {k}, back: sum over {outputs}; slope", outputs + 1))
    last = 1 if whole else samples
    steps.append(Step(f"gradient: sum over {last} of {samples} samples", last))
    return [*steps, Step("update", 1)]


# ------------------------------------------------------------------ bounds


@dataclass(frozen=True)
class Bound:
    """The times of a work, in ns per iteration and run on one thread."""

    counts: list[Count]
    registers: Traffic
    cache: Traffic
    steps: list[Step]
    times: dict[str, float]

    @property
    def operations(self) -> tuple[float, float]:
        """Multiplies and others of an iteration."""
        multiplies = sum(count.numbers * count.multiplies for count in self.counts)
        return multiplies, sum(count.numbers * count.others for count in self.counts)

    @property
    def which(self) -> str:
        """The time that is the bound."""
        return max(self.times, key=self.times.__getitem__)

    @property
    def ns(self) -> float:
        """The bound."""
        return self.times[self.which]


def bound_of(work: Work, machine: Machine) -> Bound:
    """Return the bound of a work on a machine."""
    lanes, samples, sizes, single = native_lanes(), len(work.X), sizes_of(work), work.runs == 1
    counts = arithmetic(samples, sizes)
    registers = traffic(samples, sizes, single, 16 if lanes == 4 else 32)
    cache = traffic(samples, sizes, single, first_cache() // (8 * lanes))
    steps = chain(samples, sizes, machine) if single else []
    made = Bound(counts, registers, cache, steps, {})
    multiplies, others = made.operations
    times = {
        "products": multiplies / lanes * machine.multiply,
        "ports": (multiplies + others) / lanes * machine.any,
        "divider": samples * sum(sizes[1:]) / lanes * machine.divide,
        "loads": registers.loads * machine.load,
        "stores": registers.stores * machine.store,
        "second-level cache": max(cache.loads * machine.load_l2, cache.stores * machine.store_l2),
        "chain": sum(step.time(machine) for step in steps),
    }
    return replace(made, times=times)


def calls_of(work: Work) -> dict[str, Callable[[], object]]:
    """Return what is timed in turn: ourselves on one thread, and the machine."""
    return {"ours": ours.prepare(work, 1), **probes.machine_calls()}


def measured(work: Work, repeats: int) -> tuple[float, Machine]:
    """Return our ns per iteration and run, and the machine of the same minute."""
    seconds = in_turn(calls_of(work), repeats)
    return 1e9 * seconds["ours"] / work.iterations / work.runs, probes.machine_of(seconds)


# ------------------------------------------------------------------ as text


def text(case: Case, bound: Bound, machine: Machine, own: float) -> str:
    """Return everything that a bound comes from."""
    parts = [
        f"{case.title}\n{'=' * len(case.title)}",
        _counts(bound),
        _traffic(bound),
        *([_steps(bound, machine)] if bound.steps else []),
        _times(bound, own),
    ]
    return "\n\n".join(parts)


def _counts(bound: Bound) -> str:
    lanes = native_lanes()
    head = ("operations of an iteration", "numbers", "multiplies", "others", "all")
    lines = [_row(head)]
    for count in bound.counts:
        whole = count.numbers * (count.multiplies + count.others)
        lines.append(_row((count.what, count.numbers, count.multiplies, count.others, whole)))
    multiplies, others = bound.operations
    lines.append(_row(("all of them", "", multiplies, others, multiplies + others)))
    vectors = (multiplies / lanes, others / lanes, (multiplies + others) / lanes)
    lines.append(_row((f"as vectors of {lanes}", "", *vectors)))
    return "\n".join(lines)


def _traffic(bound: Bound) -> str:
    lines = [_row(("vectors moved", "from", "to"))]
    lines.append(_row(("beyond the registers", bound.registers.loads, bound.registers.stores)))
    lines.append(_row(("beyond the first-level cache", bound.cache.loads, bound.cache.stores)))
    return "\n".join(lines)


def _steps(bound: Bound, machine: Machine) -> str:
    lines = [_row(("the chain", "multiplies", "adds", "limits", "divider", "ns"))]
    for step in bound.steps:
        counts = (step.multiplies, step.adds, step.selects)
        lines.append(_row((step.what, *counts, step.divider, step.time(machine))))
    return "\n".join(lines)


def _times(bound: Bound, own: float) -> str:
    lines = [_row(("times, one thread", "ns"))]
    for name, ns in bound.times.items():
        lines.append(_row((name, ns)) + "  <- the bound" * (name == bound.which))
    return "\n".join([*lines, _row(("ours", own)) + f"  {own / bound.ns:.2f}x of the bound"])


def _row(cells: Sequence[object]) -> str:
    first, *rest = cells
    return f"{first:58}" + "".join(f"{_figure(cell):>14}" for cell in rest)


def _figure(cell: object) -> str:
    if not isinstance(cell, float):
        return f"{cell:,}" if isinstance(cell, int) else str(cell)
    return f"{cell:,.0f}" if cell >= 1000 or cell == int(cell) else f"{cell:.2f}"


def machine_text(machine: Machine) -> str:
    """Return what was measured of the machine."""
    lines = [_row((f"ns for a vector of {native_lanes()}", "ns"))]
    names = {
        "multiply": "multiply-adds, side by side",
        "any": "the same mixed with sums",
        "divide": "divisions, side by side",
        "half_divide": "divisions of half a vector",
        "load": "loads from the first-level cache",
        "store": "stores to it",
        "load_l2": "loads from the second level",
        "store_l2": "stores to it",
        "after_multiply": "latency of a multiply-add",
        "after_add": "latency of a sum",
        "after_select": "latency of a limit",
        "after_divide": "latency of a division",
        "after_half_divide": "the same of half a vector",
    }
    return "\n".join([*lines, *(_row((say, getattr(machine, n))) for n, say in names.items())])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", metavar="WORK", choices=CASES, help=", ".join(CASES))
    parser.add_argument("--repeats", type=int, default=REPEATS)
    given = parser.parse_args()
    sigmoid = [_row(("operations of a sigmoid", "multiplies", "others"))]
    sigmoid += [_row((what, *counts)) for what, counts in SIGMOID.items()]
    print("\n".join(sigmoid))
    for name, case in CASES.items():
        if given.only in (None, name):
            own, machine = measured(case.work, given.repeats)
            print(f"\n\n{text(case, bound_of(case.work, machine), machine, own)}")
            print(f"\n{machine_text(machine)}", flush=True)


if __name__ == "__main__":
    main()
