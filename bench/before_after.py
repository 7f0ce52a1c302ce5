"""Two source trees of fastgd, whichever their versions: is the new one as fast as the old one was?

    git archive OLD | tar x -C /tmp/old
    python bench/before_after.py /tmp/old/src src --threads 2
    python bench/before_after.py /tmp/old/src src --only search --only shops

Fresh Pythons work with one tree and the other in turn, by calls of the public functions only, so
that any two versions compare; what one of them does not have is left out. A pair of Pythons is one
round, and the order within a round alternates. Figures are medians over the rounds, the spread is
that of the rounds' ratios. Nothing else should run; the same tree given twice shows how much is
chance.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from inspect import signature
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from measure import in_turn

LIMIT = 1.03
"""New / old at most."""

_MEASURE = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import fastgd
import before_after
print(json.dumps([str(Path(fastgd.__file__).parents[1]), before_after.measure(*sys.argv[2:])]))
"""

XOR_X = np.array([[0.0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
XOR_Y = np.array([[0.0], [1], [1], [0]])
"""The article's samples."""

PER_ROUND = 100
"""Calls of less than a millisecond, of which a round measures the mean."""

Call = Callable[[], object]
Prepared = tuple[Call, float, str]
"""What is called, in how many pieces its time is divided, and the unit of a piece's time."""


def _train(threads: int) -> Prepared:
    import fastgd

    given: dict[str, Any] = {}
    if "threads" in signature(fastgd.train).parameters:  # not in older trees
        given["threads"] = threads
    given |= {"hidden_size": 4, "alpha": 1.0, "iterations": 60_000}
    return lambda: fastgd.train(XOR_X, XOR_Y, **given), 60_000, "ns"


def _sweep(
    hidden: int, exponents: tuple[int, int], iterations: int, seeds: int, samples: int = 0
) -> Callable[[int], Prepared]:
    """Return what prepares a sweep over 32 learning rates, on XOR or on random samples."""

    def prepare(threads: int) -> Prepared:
        import fastgd

        random = np.random.RandomState(0)
        X, y = XOR_X, XOR_Y
        if samples:
            X, y = 2 * random.random_sample((samples, 16)) - 1, random.random_sample((samples, 1))
        alphas = np.logspace(*exponents, 32)
        return (
            lambda: fastgd.sweep(
                X,
                y,
                hidden_size=hidden,
                alpha=alphas,
                seed=range(1, seeds + 1),
                iterations=iterations,
                record_every=iterations // 2,
                threads=threads,
            ),
            len(alphas) * seeds * iterations,
            "ns",
        )

    return prepare


def _short_train(_: int) -> Prepared:
    """Ten iterations, each time with another seed."""
    import fastgd

    seeds = count(1)

    def call() -> None:
        for _ in range(PER_ROUND):
            fastgd.train(XOR_X, XOR_Y, iterations=10, seed=next(seeds))

    return call, PER_ROUND, "us"


def _new_train(_: int) -> Prepared:
    """Ten iterations, each time with an option that no call has had."""
    import fastgd

    penalties = count(1)

    def call() -> None:
        for _ in range(PER_ROUND):
            fastgd.train(XOR_X, XOR_Y, iterations=10, l2=1e-9 * next(penalties))

    return call, PER_ROUND, "us"


def _table() -> dict[str, Any]:
    random = np.random.default_rng(0)
    table: dict[str, Any] = {name: random.normal(size=500) for name in "abc"}
    table["y"] = table["a"] * table["b"] + np.abs(table["c"]) + 0.1 * random.normal(size=500)
    return table


def _fit(_: int) -> Prepared:
    import fastgd

    table = _table()
    return lambda: fastgd.fit(table, target="y"), 1, "ms"


def _shops(_: int) -> Prepared:
    import fastgd

    table = _table() | {"shop": np.arange(500) % 10}
    many = {name: np.tile(column, 20) for name, column in table.items()}
    many["shop"] = many["shop"] + 10 * (np.arange(10_000) // 500)
    return lambda: fastgd.fit_groups(many, by="shop", target="y"), 1, "ms"


def _search(_: int) -> Prepared:
    from sklearn.datasets import load_wine
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from fastgd.sklearn import FastGDClassifier, SweepSearchCV

    X, y = load_wine(return_X_y=True)
    network = FastGDClassifier((16,), max_iter=50, tol=0, n_iter_no_change=50, random_state=0)
    grid = {"fastgdclassifier__learning_rate_init": [0.001, 0.003, 0.01, 0.03]}
    grid["fastgdclassifier__alpha"] = [0.0001, 0.001, 0.01, 0.1]
    search = SweepSearchCV(make_pipeline(StandardScaler(), network), grid, cv=5)
    return lambda: search.fit(X, y), 1, "ms"


WORKS: dict[str, Callable[[int], Prepared]] = {
    "train 3-4-1": _train,
    "sweep 3-4-1, 1,024 runs": _sweep(4, (-3, 0), 12_000, 32),
    "sweep 3-32-1, 1,024 runs": _sweep(32, (-3, 0), 2400, 32),
    "sweep 16-16-1, 272 samples, 512 runs": _sweep(16, (-4, -2), 96, 16, samples=272),
    "train, 10 iterations, another seed": _short_train,
    "train, 10 iterations, new options": _new_train,
    "fit, 500 rows": _fit,
    "fit_groups, 200 shops of 50 rows": _shops,
    "search, wine, 16 candidates, 5 folds": _search,
}

UNITS = {"ns": 1e9, "us": 1e6, "ms": 1e3}


def measure(threads: str, repeats: str, *only: str) -> dict[str, tuple[float, str]]:
    """Return each work's median time and its unit, without works that this tree does not have."""
    prepared = {}
    for name, prepare in WORKS.items():
        if not only or any(word in name for word in only):
            try:
                prepared[name] = prepare(int(threads))
                prepared[name][0]()  # compiles
            except (AttributeError, ImportError, TypeError) as error:
                print(f"{name}: {error}", file=sys.stderr)
                prepared.pop(name, None)
    seconds = in_turn({name: call for name, (call, *_) in prepared.items()}, int(repeats))
    return {
        name: (UNITS[unit] * seconds[name] / pieces, unit)
        for name, (_, pieces, unit) in prepared.items()
    }


def in_fresh_python(
    tree: Path, cache: str, threads: int, repeats: int, only: list[str]
) -> dict[str, tuple[float, str]]:
    """Measure what a source tree takes.

    Raises
    ------
    RuntimeError
        If Python imported fastgd from elsewhere.
    """
    environment = os.environ | {
        "PYTHONPATH": str(tree),
        "NUMBA_CACHE_DIR": cache,
        "NUMBA_NUM_THREADS": str(threads),
    }
    here = str(Path(__file__).resolve().parent)
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-c",
        _MEASURE,
        here,
        str(threads),
        str(repeats),
        *only,
    ]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: list[Any] = json.loads(done.stdout)
    if Path(found[0]).resolve() != tree:
        raise RuntimeError(f"fastgd must come from {tree}, but Python imported that in {found[0]}")
    return {name: (time, unit) for name, (time, unit) in found[1].items()}


def main() -> None:
    """Measure both trees and print a line for each work; exit 1 if one is slower than it may be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("old", type=Path, help="the folder that fastgd's own folder is in")
    parser.add_argument("new", type=Path)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5, help="of each work, in each Python")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--only", action="append", default=[], metavar="WORD", help="works with this in their name"
    )
    given = parser.parse_args()
    trees = (given.old.resolve(), given.new.resolve())

    rounds = []
    # Keys of the cache contain the path of the sources, so that both may share a folder.
    with tempfile.TemporaryDirectory() as cache:
        for tree in trees:  # compiles
            in_fresh_python(tree, cache, given.threads, 1, given.only)
        for number in range(given.rounds):
            order = (0, 1) if number % 2 == 0 else (1, 0)
            took = {
                which: in_fresh_python(
                    trees[which], cache, given.threads, given.repeats, given.only
                )
                for which in order
            }
            rounds.append((took[0], took[1]))

    slower = False
    for name, (_, unit) in rounds[0][0].items():
        if name not in rounds[0][1]:
            continue
        old, new = (median(both[which][name][0] for both in rounds) for which in (0, 1))
        ratios = sorted(after[name][0] / before[name][0] for before, after in rounds)
        met = new / old <= LIMIT
        slower |= not met
        print(
            f"{name:37}  old {old:8.1f} {unit}  new {new:8.1f} {unit}  new / old {new / old:.3f} "
            f"(rounds {ratios[0]:.3f} to {ratios[-1]:.3f})  "
            f"<= {LIMIT}: {'yes' if met else 'NO'}"
        )
    raise SystemExit(slower)


if __name__ == "__main__":
    main()
