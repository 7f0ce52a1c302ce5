"""Plain gradient descent in two source trees: is it as fast as it was?

    git archive OLD | tar x -C /tmp/old
    python bench/before_after.py /tmp/old/src src --threads 2

Fresh Pythons train with one tree and the other in turn, each time with what this folder's scripts
ask for; a pair of them is one round, and the order within a round alternates. Figures are medians
over the rounds, the spread is that of the rounds' ratios. Nothing else should run; the same tree
given twice shows how much is chance.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

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


def measure(threads: str, repeats: str) -> dict[str, float]:
    """Return median ns per iteration of one run, of each work."""
    import ours
    from measure import in_turn
    from workload import ALPHAS, SMALL_ALPHAS, article, made_up

    works = {
        "train 3-4-1": article(4, (1.0,), 1, 60_000),
        "sweep 3-4-1, 1,024 runs": article(4, ALPHAS, 32, 12_000),
        "sweep 3-32-1, 1,024 runs": article(32, ALPHAS, 32, 2400),
        "sweep 16-16-1, 272 samples, 512 runs": made_up(272, (16, 16, 1), SMALL_ALPHAS, 16, 96),
    }
    calls = {name: ours.prepare(work, int(threads)) for name, work in works.items()}
    seconds = in_turn(calls, int(repeats))
    return {name: 1e9 * seconds[name] / work.runs / work.iterations for name, work in works.items()}


def in_fresh_python(tree: Path, cache: str, threads: int, repeats: int) -> dict[str, float]:
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
    command = [sys.executable, "-c", _MEASURE, here, str(threads), str(repeats)]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: list[Any] = json.loads(done.stdout)
    if Path(found[0]).resolve() != tree:
        raise RuntimeError(f"fastgd must come from {tree}, but Python imported that in {found[0]}")
    return dict(found[1])


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
    given = parser.parse_args()
    trees = (given.old.resolve(), given.new.resolve())

    rounds = []
    # Keys of the cache contain the path of the sources, so that both may share a folder.
    with tempfile.TemporaryDirectory() as cache:
        for tree in trees:  # compiles
            in_fresh_python(tree, cache, given.threads, 1)
        for number in range(given.rounds):
            order = (0, 1) if number % 2 == 0 else (1, 0)
            took = {
                which: in_fresh_python(trees[which], cache, given.threads, given.repeats)
                for which in order
            }
            rounds.append((took[0], took[1]))

    slower = False
    for name in rounds[0][0]:
        old, new = (median(both[which][name] for both in rounds) for which in (0, 1))
        ratios = sorted(after[name] / before[name] for before, after in rounds)
        met = new / old <= LIMIT
        slower |= not met
        print(
            f"{name:37}  old {old:8.1f} ns  new {new:8.1f} ns  new / old {new / old:.3f} "
            f"(rounds {ratios[0]:.3f} to {ratios[-1]:.3f})  "
            f"<= {LIMIT}: {'yes' if met else 'NO'}"
        )
    raise SystemExit(slower)


if __name__ == "__main__":
    main()
