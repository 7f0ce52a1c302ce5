"""Hashes of trained networks, the numbers contract's own: golden.json has those of all cases.

    python tests/golden.py CASE ...             print their hashes, as JSON
    python tests/golden.py --check [CASE ...]   compare them with golden.json; exit 1 if one differs
    python tests/golden.py --write CASE ...     put them in golden.json, beside all the others

Without a CASE, --check takes the networks, the "everything" cases and an objective. --write takes
only what cases.py has, wants to be told which, and writes only what comes out alike at one run and
at eight side by side. A commit that moves a hash says why in its message.

Run by itself so that it can be told another processor (NUMBA_CPU_NAME) than the tests run on.
"""

import argparse
import hashlib
import json
import platform
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

import fastgd
from cases import (
    HASHED,
    LOSSES,
    NETWORKS,
    OBJECTIVES,
    OPTIONS,
    PAIRS,
    PARTED,
    QUICK,
    TABLE,
    XOR_X,
    XOR_Y,
    Case,
    Parted,
)
from fastgd.arguments.options import Method
from fastgd.arguments.samples import TrainingData, Validation
from fastgd.arguments.subsets import check_partition
from fastgd.engine.devices import CPU
from fastgd.engine.execution import execute
from fastgd.engine.formula_values import evaluate
from fastgd.engine.network import Network, first_rows, network_of
from fastgd.engine.plan import Keep, Plan
from fastgd.engine.progress import unreported
from fastgd.engine.results import State, TrainedRuns
from fastgd.kernel.block import CONVERGED, STALLED
from fastgd.kernel.bytecode import FUNCTIONS

GOLDEN = Path(__file__).with_name("golden.json")

ALPHAS = (0.01, 1.0, 10.0, 1000.0)
SEEDS = range(5)


def problem(case: str) -> tuple[TrainingData, Network, Method, dict[str, list[float | None]]]:
    """The case's samples and counts, its network, options and axes of values."""
    if case in PARTED:
        return parted(PARTED[case])
    if case in OPTIONS:
        random = np.random.RandomState(8)
        X, y = random.random_sample((8, 3)), random.random_sample((8, 2))
        task = TrainingData.check(X, OPTIONS[case].targets(y), 150, 7)
        method = Method(**OPTIONS[case].options)
        return task, network_of(method, task.X, task.y, (5, 3)), method, OPTIONS[case].axes
    samples, inputs, hidden, outputs, iterations = NETWORKS[case]
    random = np.random.RandomState(samples)
    X, y = random.random_sample((samples, inputs)), random.random_sample((samples, outputs))
    if case.startswith("article"):
        X, y = XOR_X, XOR_Y
    task = TrainingData.check(X, y, iterations, 7)
    return task, Network((inputs, *hidden, outputs)), Method(), {}


def parted(case: Parted) -> tuple[TrainingData, Network, Method, dict[str, list[float | None]]]:
    """The same, of a case whose runs have samples of their own."""
    random = np.random.RandomState(20)
    X, y = random.random_sample((20, 3)), random.random_sample((20, 2))
    beside = Validation(random.random_sample((5, 3)), random.random_sample((5, 2)), None)
    slopes = None
    if case.has_gradients:
        slopes = random.random_sample((20, 2, 3)) - 0.5
        slopes[slopes > 0.3] = np.nan
    task = replace(
        TrainingData.check(X, y, 150, 7, gradients=slopes),
        validation=beside if case.holds_out else None,
        partition=check_partition(
            X, y, groups=case.groups, folds=case.folds, sample_weight=case.sample_weight
        ),
    )
    method = Method(**case.options)
    return task, Network((3, 5, 3, 2), method.bias, method.batch_norm), method, case.axes


def plan(
    case: str, runs: int, threads: int = 1, device: str = CPU, **counts: int
) -> tuple[Plan, np.ndarray]:
    """The case with so many runs side by side, or as many as a GPU has: its plan and parameters."""
    task, network, method, values = problem(case)
    task = replace(task, **counts)
    first = first_rows(method.init, network.sizes, SEEDS)
    alpha = np.repeat(np.array(ALPHAS)[:, None], network.layers, axis=1)
    wide = runs if device == CPU else None
    work = Plan.make(task, network, method, alpha, values, len(SEEDS), threads, wide, device=device)
    return work, network.rows(first)


def digest(case: str, runs: int, threads: int = 1, device: str = CPU) -> str:
    """SHA-256 over errors, weights, direction changes and how each of its runs ended.

    That of losses is over these, recorded and final; that of an objective over its values and
    derivatives, that of functions over their values: they have one run, and one thread.
    """
    if case in OBJECTIVES:
        return hashlib.sha256(b"".join(evaluations(case))).hexdigest()
    if case == TABLE:
        return hashlib.sha256(b"".join(values())).hexdigest()
    if case in LOSSES:
        trained = trained_of(LOSSES[case], runs, threads, device)
        return _hash([np.column_stack([trained.losses, trained.final_loss])])
    trained = trained_of(case, runs, threads, device)
    errors = np.column_stack([trained.errors, trained.final_error])
    ended = np.where(trained.outcome == 0, -1, trained.iterations)
    arrays = [errors, trained.weights, trained.changes, ended]
    if case in OPTIONS:
        # The hashes are older than STALLED, and such runs were CONVERGED then.
        outcome = np.where(trained.outcome == STALLED, CONVERGED, trained.outcome)
        arrays += [outcome, trained.watch, trained.measured]
    if case in PARTED:
        arrays += [trained.outcome, trained.held_errors, trained.held_final, trained.best_iteration]
        arrays += [] if trained.state is None else [np.ascontiguousarray(a) for a in trained.state]
    return _hash(arrays)


def _hash(arrays: list[np.ndarray]) -> str:
    # A NaN is a NaN: which one, IEEE leaves to the processor.
    for array in arrays:
        array[array != array] = np.nan if array.dtype == float else 0
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


def trained_of(case: str, runs: int, threads: int, device: str = CPU) -> TrainedRuns:
    """What the runs come to, some of them in two parts with nothing but a state between them."""
    work, first = plan(case, runs, threads, device)
    seeds = np.array(SEEDS)

    def run(work: Plan, keep: Keep, state: State | None = None) -> TrainedRuns:
        return execute(work, first, seeds, keep, unreported, state)

    at = PARTED[case].resumed if case in PARTED else 0
    if not at:
        return run(work, Keep())
    keep = Keep(state=True)
    half = run(plan(case, runs, threads, device, iterations=at)[0], keep)
    whole = run(plan(case, runs, threads, device, done=at)[0], keep, half.state)
    whole.errors[:, : half.errors.shape[1]] = half.errors
    whole.held_errors[:, : half.errors.shape[1]] = half.held_errors
    return whole


def evaluations(case: str) -> Iterator[bytes]:
    """Loss, error and derivative of an objective, where trainings begin and farther out."""
    random = np.random.RandomState(8)
    X, y = random.random_sample((8, 3)), random.random_sample((8, 2))
    y = PAIRS.get(case.removeprefix("objective, "), Case()).targets(y)
    objective = fastgd.objective(X, y, hidden_size=(5, 3), **OBJECTIVES[case])
    for seed, scale in product(SEEDS, (0.01, 1.0, 30.0)):
        start = scale * np.random.RandomState(seed).normal(size=objective.network.parameters)
        loss, derivative, error = objective.evaluate(start)
        yield np.array([loss, error, *derivative]).tobytes()


def values() -> Iterator[bytes]:
    """Values of each elementary function over all doubles, and where most of them are used."""
    fractions = np.random.RandomState(8).random_sample
    # Not by powers, which would be the machine's: a fraction and an exponent are put together.
    parts = [
        np.ldexp(fractions(2000) - 0.5, np.floor(low + (high - low) * fractions(2000)).astype(int))
        for low, high in ((-1074, 1026), (-4, 6), (-30, 2))
    ]
    x = np.concatenate([*parts, 1 + parts[-1], 1 - parts[-1]])
    for name in FUNCTIONS:
        found = evaluate(name, *((np.abs(x), x[::-1]) if name == "pow" else (x,)))
        found[found != found] = np.nan
        yield found.tobytes()


def check(cases: list[str], runs: int, threads: int) -> bool:
    """Say of each case whether its hash is the expected one; return whether all are."""
    expected = json.loads(GOLDEN.read_text())
    different = []
    for case in cases:
        begin = time.perf_counter()
        same = digest(case, runs, threads) == expected[case]
        different += [] if same else [case]
        took = f"{time.perf_counter() - begin:.1f} s"
        print(
            f"{platform.machine()}: {case}: {'same' if same else 'OTHER'} bits, {took}", flush=True
        )
    return not different


def write(cases: list[str], path: Path = GOLDEN) -> list[str]:
    """Put the hashes of these cases in the file, and leave the others as they are.

    Returns the cases whose hashes have moved.

    Raises
    ------
    ValueError
        If no case is named, or if a hash isn't the same at one run and at eight side by side.
    """
    if not cases:
        raise ValueError("the cases whose hashes are to be written must be named, got none")
    old = json.loads(path.read_text())
    hashes = dict(old)
    for case in cases:
        alone, together = digest(case, 1), digest(case, 8)
        if alone != together:
            raise ValueError(f"a hash must not depend on lanes, but that of {case!r} does")
        hashes[case] = alone
    hashes = {case: hashes[case] for case in HASHED if case in hashes}
    whole = path.with_suffix(".tmp")
    whole.write_text(json.dumps(hashes, indent=4) + "\n")
    whole.replace(path)
    return [case for case in cases if hashes[case] != old.get(case, hashes[case])]


def main(words: list[str] | None = None) -> None:
    """Print, check or write hashes; exit 1 if a check fails."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="compare with golden.json")
    what.add_argument("--write", action="store_true", help="renew them in golden.json")
    parser.add_argument("--runs", type=int, default=1, help="side by side; 1 unless given")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--share", default="0/1", help="J/N: of the parts of --check, every Nth")
    parser.add_argument("cases", nargs="*", metavar="CASE")
    given = parser.parse_args(words)
    unknown = set(given.cases) - {*HASHED}
    if unknown:
        parser.error(f"a case must be one of cases.py, got {', '.join(sorted(unknown))}")
    if given.write:
        try:
            moved = write(given.cases)
        except ValueError as error:
            parser.error(str(error))
        if moved:
            print(f"moved: {', '.join(moved)}; now raise BITS in src/fastgd/store/__init__.py")
    elif given.check:
        # Networks share their code, so one process has them all.
        cases = given.cases or list(QUICK)
        parts = [[case for case in cases if case in NETWORKS]]
        parts += [[case] for case in cases if case not in NETWORKS]
        job, jobs = map(int, given.share.split("/"))
        own = [case for part in parts[job::jobs] for case in part]
        parser.exit(not check(own, given.runs, given.threads))
    else:
        cases = given.cases or list(HASHED)
        print(
            json.dumps({case: digest(case, given.runs, given.threads) for case in cases}, indent=4)
        )


if __name__ == "__main__":
    main()
