"""What a GPU has to show, in one command: the bits of all golden cases, then times.

    python bench/gpu_check.py                 where there is a GPU; nothing else should run
    python bench/gpu_check.py --json FILE     write all that is found there, too
    python bench/gpu_check.py --stand-in      tiny sizes on the GPU of the tests: this script's test

First, every golden case that is a training is trained on the GPUs, and its hash compared. Then the
same sweeps, and a map of trainability, are trained on the CPU and the GPUs in turn: ns per
iteration of one run, medians, from the call to the result. Before that their errors are compared,
bit by bit. JAX takes part if it is installed and has a GPU. A bound is the time that arithmetic
alone takes at the GPUs' peak: see :func:`operations` and :data:`UNITS`.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

# JAX would take three quarters of the GPU's memory for itself.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import numpy as np
from numpy.typing import NDArray

import bounds
import fastgd
import report
from bounds import sizes_of
from fastgd.engine.devices import CPU, CUDA, devices_of
from fastgd.studies.mean_field import mean_field
from measure import in_turn
from workload import ALPHAS, LENGTH, SMALL_ALPHAS, Work, article, check, made_up

from cases import HASHED, OBJECTIVES, TABLE  # isort: skip: workload.py says where tests/ is
from golden import GOLDEN, digest  # isort: skip

TRAININGS = tuple(case for case in HASHED if case not in {*OBJECTIVES, TABLE})

FEWEST = 12
"""Iterations come in multiples of this, since errors are recorded at equal distances."""

WORKS = {
    "3-4-1": article(4, ALPHAS, 1, FEWEST),
    "3-32-1": article(32, ALPHAS, 1, FEWEST),
    "16-16-1, 272 samples": made_up(272, (16, 16, 1), SMALL_ALPHAS, 1, FEWEST),
    "64-64-10, 256 samples": made_up(256, (64, 64, 10), SMALL_ALPHAS, 1, FEWEST),
}

UNITS = {
    (7, 0): 32,
    (7, 5): 2,
    (8, 0): 32,
    (8, 6): 2,
    (8, 9): 2,
    (9, 0): 64,
    (10, 0): 64,
    (10, 3): 2,
    (12, 0): 2,
}
"""Sums, products or multiply-adds of float64 per cycle of a multiprocessor, by compute capability.

From "Throughput of Native Arithmetic Instructions" in NVIDIA's CUDA C++ Programming Guide; those of
the B200 (10.0) and the B300 (10.3) are their data sheets' peaks divided by clock and
multiprocessors.
"""

DIVISION = 5
"""Multiply-adds of a reciprocal in NVIDIA's machine code, besides an estimate."""


HASHES, MAP = "hashes", "map of trainability"


@dataclass(frozen=True)
class Row:
    """A work on the CPU, on the GPUs, and in JAX; None where there is nothing to tell."""

    work: str
    runs: int
    cpu: float | None = None  # ns per iteration and run
    gpu: float | None = None
    jax: float | None = None
    bound: float | None = None
    same: bool | None = None  # whether the GPUs have the CPU's bits
    note: str = ""

    def cells(self) -> tuple[str, ...]:
        """Return the cells of the table."""
        bits = {None: "", True: "same", False: "OTHER"}[self.same]
        return (
            *(self.work, f"{self.runs:,}"),
            *(_figure(self.cpu), _figure(self.gpu), _ratio(self.cpu, self.gpu)),
            *(_figure(self.jax), _ratio(self.jax, self.gpu)),
            *(_figure(self.bound), _ratio(self.gpu, self.bound), bits, self.note),
        )


HEAD = (
    *("work", "runs", "CPU", "GPU", "CPU / GPU", "JAX", "JAX / GPU"),
    *("bound", "GPU / bound", "bits", "note"),
)


def _figure(ns: float | None) -> str:
    return "" if ns is None else report.figure(ns, "ns")


def _ratio(one: float | None, other: float | None) -> str:
    return "" if one is None or other is None else f"{report.digits(one / other)}x"


# ------------------------------------------------------------------ bits


SAME = "same bits"


def hashes(cases: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each case, and whether it has the golden bits on the GPUs.

    Some at a time: most of it is the time in which their code is emitted and compiled.
    """
    expected = json.loads(GOLDEN.read_text())

    def said(case: str) -> str:
        try:
            return SAME if digest(case, 1, device=CUDA) == expected[case] else "OTHER bits"
        except fastgd.DeviceError as error:
            return str(error)

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        yield from zip(cases, pool.map(said, cases), strict=True)


def same_bits(one: Any, other: Any) -> bool:
    """Whether two arrays have the same words, but for which NaN a NaN is."""
    words = (np.where(np.isnan(each), np.nan, each).tobytes() for each in (one, other))
    return one.shape == other.shape and next(words) == next(words)


# ------------------------------------------------------------------ the bound


def operations(samples: int, sizes: Sequence[int]) -> float:
    """Count what the units for float64 do in an iteration of one run.

    As in bounds.py; comparisons and all that is done to integers are left out.
    """
    counts = bounds.arithmetic(samples, sizes)
    multiplies = sum(count.numbers * count.multiplies for count in counts)
    hidden, outputs = sum(sizes[1:-1]), sizes[-1]
    sums = 2 * (hidden + outputs) + 2 * outputs + hidden  # of sigmoids, of deltas
    return multiplies + samples * (sums + DIVISION * (hidden + outputs))


def rate() -> float | None:
    """Operations on float64 that all GPUs do in a nanosecond at their highest clock."""
    found = 0.0
    for device in devices_of(CUDA):
        driver = device._driver
        kind = driver.api.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_CLOCK_RATE
        handle = driver.call("cuDeviceGet", device.index)
        kilohertz = driver.call("cuDeviceGetAttribute", kind, handle)
        if device.capability not in UNITS:
            return None
        found += device.multiprocessors * UNITS[device.capability] * kilohertz * 1e-6
    return found


# ------------------------------------------------------------------ times


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    cases: Sequence[str] = TRAININGS
    works: Sequence[str] = tuple(WORKS)
    runs: Sequence[int] = (1, 1024, 16_384, 131_072)
    iterations: int = FEWEST  # of a call that compares bits, and the fewest of one that is timed
    most: int = 1 << 20
    seconds: float = 1.0  # that a call should take, but for a map's
    resolution: int = 512  # of a map
    width: int = 16
    has_map: bool = True
    map_iterations: int = 100
    repeats: int = 5
    threads: int | None = None  # of the CPU


TINY = Effort(
    cases=("one of everything",),
    works=("3-4-1",),
    runs=(1, 64),
    iterations=6,
    most=6,
    seconds=0.0,
    resolution=4,
    width=2,
    map_iterations=3,
    repeats=1,
)
"""For the stand-in."""


def sized(work: Work, runs: int, iterations: int) -> Work:
    """Return the work with so many runs and iterations."""
    alphas = work.alphas[: min(runs, len(work.alphas))]
    return replace(
        work, alphas=alphas, seeds=range(1, runs // len(alphas) + 1), iterations=iterations
    )


def swept(work: Work, device: str, threads: int | None) -> fastgd.Sweep:
    """Train all runs of a work on a device."""
    return fastgd.sweep(
        work.X,
        work.y,
        hidden_size=work.hidden_size,
        alpha=np.array(work.alphas),
        seed=work.seeds,
        iterations=work.iterations,
        record_every=work.record_every,
        keep_weights=False,  # of 131,072 networks 64-64-10 these are 10 GB
        threads=threads,
        device=device,
    )


def lasting(call: Callable[[int], object], effort: Effort) -> int:
    """Return with how many iterations a call takes about as long as it should."""
    iterations = effort.iterations
    call(iterations)  # this may compile
    while True:
        begin = perf_counter()
        call(iterations)
        took = perf_counter() - begin
        if took >= effort.seconds / 4 or iterations >= effort.most:
            break
        iterations = min(4 * iterations, effort.most)
    return _length(effort, iterations, took)


def _length(effort: Effort, iterations: int, took: float) -> int:
    """Return with how many iterations a call takes as long as it should, if it took that long."""
    wanted = round(effort.seconds / took * iterations / FEWEST) * FEWEST
    return max(effort.iterations, min(wanted, effort.most))


def sweep_row(name: str, runs: int, effort: Effort, peak: float | None) -> Row:
    """Return the row of a sweep."""
    work = sized(WORKS[name], runs, effort.iterations)
    bound = operations(len(work.X), sizes_of(work)) / peak if peak and runs > 1 else None

    def call(device: str, iterations: int) -> fastgd.Sweep:
        return swept(sized(work, runs, iterations), device, effort.threads)

    def values(device: str) -> NDArray[np.float64]:
        sweep = call(device, effort.iterations)
        return np.concatenate([sweep.errors.ravel(), sweep.final_error.ravel()])

    same = same_bits(values(CPU), values(CUDA))
    lengths = {each: lasting(partial(call, each), effort) for each in (CPU, CUDA)}
    calls: Calls = {each: partial(call, each, lengths[each]) for each in lengths}

    def jax() -> Callable[[], object]:
        import peer_jax

        checked = sized(work, runs, LENGTH)
        short = peer_jax.plain(checked)
        check("JAX", short(), checked)
        began = perf_counter()
        short()
        lengths["jax"] = _length(effort, LENGTH, perf_counter() - began)
        return peer_jax.plain(sized(work, runs, lengths["jax"]))

    note = _join(calls, jax)
    seconds = in_turn(calls, effort.repeats)
    ns = {each: 1e9 * seconds[each] / runs / lengths[each] for each in calls}
    return Row(name, runs, ns[CPU], ns[CUDA], ns.get("jax"), bound, same, note)


def map_row(effort: Effort) -> Row:
    """Return the row of a map of trainability, as in trainability_rows.py."""
    runs = effort.resolution**2

    def call(device: str) -> fastgd.Trainability:
        return fastgd.trainability(
            effort.resolution,
            iterations=effort.map_iterations,
            width=effort.width,
            threads=effort.threads,
            device=device,
        )

    one, other = call(CPU), call(CUDA)
    calls: Calls = {each: partial(call, each) for each in (CPU, CUDA)}

    def jax() -> Callable[[], object]:
        import peer_jax_trainability

        problem = mean_field(effort.width, "tanh", None, 1)
        alphas = problem.alphas(one.input_rates, one.output_rates)
        return peer_jax_trainability.plain(problem, alphas, effort.map_iterations)

    note = _join(calls, jax)
    seconds = in_turn(calls, effort.repeats)
    ns = {each: 1e9 * seconds[each] / runs / effort.map_iterations for each in calls}
    same = same_bits(one.values, other.values)
    return Row(MAP, runs, ns[CPU], ns[CUDA], ns.get("jax"), None, same, note)


Calls = dict[str, Callable[[], object]]


def _join(calls: Calls, make: Callable[[], Callable[[], object]]) -> str:
    """Let JAX take part, by a call that ``make`` makes; returns why it can't, or nothing."""
    if find_spec("jax") is None:
        return "JAX is not installed"
    import jax

    if jax.default_backend() != "gpu":
        return "JAX has no GPU"
    try:
        call = make()
        call()
    except (AssertionError, MemoryError, RuntimeError) as error:
        return f"JAX: {_short(error)}"
    calls["jax"] = call
    return ""


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def rows(effort: Effort, peak: float | None) -> Iterator[Row]:
    """Yield all rows. One that fails says why, and that it failed unless memory is too small."""
    made: list[tuple[str, int, Callable[[], Row]]] = [
        (name, runs, partial(sweep_row, name, runs, effort, peak))
        for name in effort.works
        for runs in effort.runs
    ]
    if effort.has_map:
        made.append((MAP, effort.resolution**2, partial(map_row, effort)))
    for name, runs, row in made:
        try:
            yield row()
        except (MemoryError, RuntimeError, ValueError) as error:
            is_large = isinstance(error, MemoryError) or "must fit into" in str(error)
            yield Row(name, runs, same=None if is_large else False, note=_short(error))


# ------------------------------------------------------------------ all of it


def checked(effort: Effort, write: Callable[[dict[str, Any]], object]) -> bool:
    """Check and measure everything, and print it; returns whether all bits are the CPU's."""
    gpus, table, peak = devices_of(CUDA), [], rate()
    found = {
        "stamp": report.stamp(not effort.seconds),
        "devices": [f"{gpu}, {gpu.multiprocessors} multiprocessors" for gpu in gpus],
        "operations per ns": peak,
        "hashes": {},
        "rows": [],
    }
    print(*found["devices"], sep="\n", flush=True)
    for case, said in hashes(effort.cases):
        found["hashes"][case] = said
        print(f"{case}: {said}", flush=True)
    same = [said == SAME for said in found["hashes"].values()]
    print(f"\n{sum(same)} of {len(same)} golden cases have the same bits\n", flush=True)
    write(found)
    for row in rows(effort, peak):
        table.append(row)
        found["rows"].append(asdict(row))
        print("; ".join(filter(None, row.cells())), flush=True)
        write(found)
    cells = [row.cells() for row in table]
    print(f"\n{report.markdown_table(HEAD, cells)}\n\n{found['stamp']}")
    return all(same) and all(row.same is not False for row in table)


def main(words: Sequence[str] | None = None) -> int:
    """Print the table; returns 1 if there is no GPU, or if a bit isn't the CPU's."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--stand-in", action="store_true", help="tiny sizes, on the tests' GPU")
    parser.add_argument("--repeats", type=int, help="of each call; 5 unless given")
    parser.add_argument("--threads", type=int, help="of the CPU; all unless given")
    parser.add_argument("--only", nargs="+", choices=(HASHES, *WORKS, MAP), help="some of it")
    given = parser.parse_args(words)
    effort = TINY if given.stand_in else Effort()
    if given.only:
        effort = replace(
            effort,
            cases=effort.cases if HASHES in given.only else (),
            works=tuple(name for name in WORKS if name in given.only),
            has_map=MAP in given.only,
        )
    effort = replace(effort, repeats=given.repeats or effort.repeats, threads=given.threads)

    def write(found: dict[str, Any]) -> None:
        if given.json:
            given.json.write_text(json.dumps(found, indent=4) + "\n")

    with ExitStack() as stack:
        if given.stand_in:
            import pytest

            import cuda_stand_in

            patch = stack.enter_context(pytest.MonkeyPatch.context())
            stack.enter_context(cuda_stand_in.installed(patch))
        try:
            return int(not checked(effort, write))
        except fastgd.DeviceError as error:
            print(error, file=sys.stderr)
            return 1


if __name__ == "__main__":
    sys.exit(main())
