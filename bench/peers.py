"""fastgd beside what people use today: the speed tables of the documents.

    python bench/peers.py                     everything, an hour; nothing else should run
    python bench/peers.py --quick             a smoke run
    python bench/peers.py --only sweep_4      one row
    python bench/peers.py --table parts       one table
    python bench/peers.py --table tables      how good fit is on real tables: table_scores.py;
                                              intervals and panels: interval_ and forecast_scores.py
    python bench/peers.py --write             keep the figures in figures/, write the documents

After each row of ``--write`` what was measured so far is kept.

Everybody works in float64 and is checked against ``fastgd.reference`` before it is timed. Each row
runs in a process of its own and times us and the others in turn, several times; the figures are
medians. The first call of each, which compiles, is not counted. A row has as many threads as it
says: its process is bound to that many cores (where the system can do that), and PyTorch, Numba and
JAX are told so, JAX by as many devices.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from importlib import import_module
from math import nan
from pathlib import Path

import documents
import report

HERE = Path(__file__).parent
FAILED = "failed"


@dataclass(frozen=True)
class Row:
    """A row to measure: a function of ``rows.py``."""

    name: str
    threads: int | None  # None: as many as the whole script may use
    repeats: int = 7
    table: str = "speed"


ROWS = (
    Row("train", 1),
    Row("latency", 1, repeats=15),
    Row("article_sweep", 1, repeats=3),
    Row("sweep_4", None),
    Row("sweep_32", None),
    Row("sweep_16", None),
    Row("sweep_64", None),
    Row("sigmoids", 1, repeats=15),
    Row("threads", 2, repeats=15),
    Row("bounds", 1),
    Row("threads_of_one_run", 2),
    Row("optimizers", None),
    Row("regularized", None),
    Row("ending", None),
    Row("alpha_map", None, repeats=3),
    Row("error_plane", 1),
    Row("balls", None, repeats=5),
    Row("edge", 2, repeats=3),
    Row("startup", None, repeats=3, table="fixed"),
    Row("calls", 1, repeats=5, table="fixed"),
    Row("compile_times", 1, repeats=3, table="fixed"),
    Row("first_uses", None, repeats=1, table="fixed"),
    Row("folds", None, repeats=5, table="parts"),
    Row("groups", None, repeats=5, table="parts"),
    Row("own_data", None, table="parts"),
    Row("held_out", None, repeats=15, table="parts"),
    Row("predict", None, table="parts"),
    Row("functions", None, table="functions"),
    Row("softmax", None, table="functions"),
    Row("formula_compile_times", 1, repeats=3, table="functions"),
    Row("shop_models", None, repeats=3, table="shops"),
    Row("searches", 2, repeats=3, table="search"),
    Row("matlab_race", 1, table="second_order"),
    Row("sine_starts", 1, repeats=5, table="second_order"),
    Row("surrogate_starts", 1, repeats=3, table="second_order"),
    Row("regression_tables", 1, repeats=3, table="second_order"),
    Row("curvature_products", 1, repeats=15, table="second_order"),
    Row("own_rule", None, repeats=5, table="laboratory"),
    Row("own_penalty", None, repeats=5, table="laboratory"),
    Row("gradient_norm", None, repeats=5, table="laboratory"),
    Row("sharpness", None, repeats=5, table="laboratory"),
    Row("final_weights", None, repeats=5, table="laboratory"),
    Row("noise", None, repeats=5, table="laboratory"),
    Row("momentum_switched", None, repeats=5, table="laboratory"),
    Row("samples_added", None, repeats=5, table="laboratory"),
    Row("predictions", None, repeats=5, table="laboratory"),
    Row("stop", None, repeats=5, table="laboratory"),
    Row("masks", None, repeats=5, table="laboratory"),
)
SCORES = {
    "tables": ("table_scores", "penguins"),
    "intervals": ("interval_scores", "Auto"),
    "panels": ("forecast_scores", "Produc"),
}
"""Modules that measure how good fastgd is, and what a smoke run takes of theirs."""
TABLES = (*dict.fromkeys(row.table for row in ROWS), *SCORES)


def cores() -> list[int]:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def environment(threads: int, quick: bool) -> dict[str, str]:
    """Return the environment of a row: OpenBLAS as it comes, and the threads said to everybody.

    A smoke run may have company, and there OpenMP threads that spin while they wait take forever.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
    count = str(threads)
    if quick:
        kept["OMP_WAIT_POLICY"] = "passive"
    return kept | {
        "OMP_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "NUMBA_NUM_THREADS": count,
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={threads}",
        "JAX_PLATFORMS": "cpu",
    }


def measure(row: Row, threads: int, quick: bool) -> list[report.Line]:
    """Run a row in its own process and return its lines."""
    options = [f"--threads={threads}", f"--repeats={1 if quick else row.repeats}"]
    options += ["--effort=0"] if quick else []
    allowed = cores()
    bound = hasattr(os, "sched_setaffinity")
    if bound:
        os.sched_setaffinity(0, allowed[-threads:])  # the process inherits it
    try:
        done = subprocess.run(
            [sys.executable, str(HERE / "rows.py"), row.name, *options],
            env=environment(threads, quick),
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        if bound:
            os.sched_setaffinity(0, allowed)
    if done.returncode:  # what the other rows measured is not lost
        return [report.Line(row.name, "", nan, None, None, note=FAILED, threads=threads)]
    lines = [report.Line(**line | {"threads": threads}) for line in json.loads(done.stdout)]
    # A smoke run pronounces no verdicts.
    return [replace(line, target="") for line in lines] if quick else lines


def main() -> None:
    """Measure, print the table, and write what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", metavar="ROW", choices=[row.name for row in ROWS])
    parser.add_argument("--table", choices=TABLES, help="the rows of one table")
    parser.add_argument("--quick", action="store_true", help="a smoke run, no figures")
    parser.add_argument("--threads", type=int, default=len(cores()), help="for the large sweeps")
    parser.add_argument("--write", action="store_true", help="keep figures, write the documents")
    given = parser.parse_args()
    if given.write and (given.quick or given.only):
        parser.error("--write keeps whole tables: without --quick and --only")
    if given.table in SCORES:
        module, smallest = SCORES[given.table]
        scores = import_module(module)  # needs packages that have tables
        scores.main([smallest] if given.quick else scores.NAMES, write=given.write)
        return
    if given.threads > len(cores()):
        parser.error(f"--threads must be at most {len(cores())}, got {given.threads}")

    stamp = report.stamp(quick=given.quick)
    measured: dict[str, list[report.Line]] = {}
    for row in ROWS:
        threads = row.threads or given.threads
        if given.only not in (None, row.name) or given.table not in (None, row.table):
            continue
        if threads > len(cores()):
            print(f"{row.name}: left out, it needs {threads} cores", file=sys.stderr)
            continue
        began = time.perf_counter()
        measured.setdefault(row.table, []).extend(measure(row, threads, given.quick))
        print(f"{row.name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
        if given.write:
            report.keep(measured, stamp)
    lines = report.with_bounds([line for table in measured.values() for line in table])
    print(report.text(lines, stamp))
    if given.write:
        documents.write()
    if any(line.note == FAILED for line in lines):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
