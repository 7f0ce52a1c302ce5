"""``fastgd sweep``: train a network for every combination of values, and rank them.

It may run on a Dask cluster (``--dask``).
"""

import logging
import re
import signal
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import import_module
from multiprocessing import resource_tracker
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fastgd
from fastgd import Sweep
from fastgd.arguments.declarations import FIELDED
from fastgd.checks.messages import many
from fastgd.cli.command_options import (
    DEVICE,
    ITERATIONS,
    JSON,
    PROGRESS,
    READING,
    TABLE_FILE,
    TARGET,
    THREADS,
    option,
    read_alpha,
    read_networks,
    take_reading,
    takes,
)
from fastgd.cli.machine_output import (
    RAW_TEXT,
    check_raw_text,
    plain,
    print_json,
    samples_facts,
    write_table,
)
from fastgd.cli.methods import method_options, read_method
from fastgd.cli.output_files import done_text, finished, folder_of, note_folder, writing
from fastgd.cli.result_tables import best_runs, show_axes, show_best, show_groups, statistics_of
from fastgd.cli.splits import FOLDS, GROUPS, VALIDATION, take_split
from fastgd.cli.terminal import RefusedError, complain, open_console, saying_how_to_resume
from fastgd.cli.train_common import TrainOptions, Writer, fit, outputs_of, show_samples
from fastgd.engine.devices import available_threads

DASK = option(
    "--dask WHERE",
    "Train on the workers of Dask: tcp://HOST:PORT is the address of a scheduler, local:N starts N "
    "processes on this machine.",
)

RULE = "tcp://HOST:PORT, the address of a scheduler, or local:N, processes on this machine"

SECONDS = 10
"""Seconds that a scheduler may take to answer."""

MOST_EACH = 4
"""Processes for each processor of this machine, at most: each takes some 200 MB."""

_LOCAL = re.compile(r"local:([1-9]\d{0,17})")
_ADDRESS = re.compile(r"(tcp|tls)://(\[[^\]]+\]|[^:/\s]+):\d{1,5}")


def check_dask(where: str | None, threads: int | None) -> str | None:
    """Reject what is no address of a scheduler, and threads next to it."""
    if where is None:
        return None
    local, processors = _LOCAL.fullmatch(where), available_threads()
    if not (local or _ADDRESS.fullmatch(where)):
        raise RefusedError(f"--dask must be {RULE}, got {where!r}")
    if local and int(local[1]) > MOST_EACH * processors:
        raise RefusedError(
            f"--dask must start at most {MOST_EACH * processors} processes here, {MOST_EACH} for "
            f"each of {many(processors, 'processor')}, got {where}"
        )
    if threads is not None:
        raise RefusedError(
            f"--threads must be left out with --dask, got {threads}: a worker trains on one thread"
        )
    return where


@contextmanager
def executor_at(where: str | None) -> Iterator[dict[str, Executor]]:
    """The executor for a call; a cluster that was started here is closed afterwards."""
    if where is None:
        yield {}
        return
    try:
        distributed: Any = import_module("distributed")
    except ImportError as error:
        raise RefusedError('--dask needs distributed: pip install "fastgd[dask]"') from error
    with ExitStack() as stack:
        local, server = _LOCAL.fullmatch(where), where
        if local:
            server = stack.enter_context(_processes(distributed, int(local[1])))
        try:
            client = distributed.Client(server, timeout=SECONDS, set_as_default=False)
        except OSError as error:
            raise RefusedError(f"--dask: no scheduler answers at {where}") from error
        stack.enter_context(client)
        if not client.scheduler_info()["workers"]:
            complain(f"{where} has no workers yet: waiting for some")
        try:
            yield {"executor": client.get_executor()}
        except RuntimeError as error:  # the workers are gone, or fail
            raise RefusedError(f"--dask {where}: {error}") from error


@contextmanager
def _processes(distributed: Any, count: int) -> Iterator[Any]:
    """Workers with one thread each, and a directory for everything that Dask writes.

    Neither their start nor their end can be interrupted: Dask would leave some of them.
    """
    dask: Any = import_module("dask")
    resource_tracker.ensure_running()  # whose start lets signals through that are held
    with ExitStack() as stack:
        log = logging.getLogger("distributed")  # of comms that close: nothing to worry about
        stack.callback(log.setLevel, log.level)
        log.setLevel(logging.CRITICAL)
        try:
            with _held():
                folder = stack.enter_context(TemporaryDirectory(prefix="fastgd-"))
                with dask.config.set({"temporary-directory": folder}):
                    cluster = distributed.LocalCluster(
                        n_workers=count,
                        threads_per_worker=1,
                        processes=True,
                        dashboard_address="127.0.0.1:0",  # the port may be any that is free
                        silence_logs="CRITICAL",
                    )
                stack.enter_context(cluster)
            yield cluster
        finally:
            with _held():
                stack.close()


@contextmanager
def _held() -> Iterator[None]:
    """Delay Ctrl-C until a process pool has started: it can't be stopped earlier.

    Processes that are started meanwhile never receive it: who has started them ends them.
    """
    came: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    try:
        signal.signal(signal.SIGINT, lambda number, _frame: came.append(number))
    except ValueError:  # not in the main thread, which alone is interrupted
        yield
        return
    masks = hasattr(signal, "pthread_sigmask")
    if masks:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        if masks:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)


# ---------------------------------------------------------------- the command

ARTICLE = {"alpha": [1.0], "iterations": 60_000, "record_every": 10_000}
"""Defaults for tables that are taken as they are."""

SEEDS = "a whole number of at least 1 (the seeds are 1 to N)"


@takes(
    TABLE_FILE,
    TARGET,
    GROUPS,
    option(
        "--hidden-size SIZES",
        "Hidden sizes to try: 4,32. 8x8 has two layers, none has none.",
        default="4",
        read=read_networks,
    ),
    option(
        "--alpha ALPHAS",
        "Learning rates to try: 0.01,0.1,1 (default: 1; of a prepared table: 0.01, or 1 with "
        "--optimizer lm). 1/0.1 is one for each layer.",
        read=lambda text: [read_alpha(rate) for rate in text.split(",")],
    ),
    option("--seeds N", "Try N seeds with each of them: 1 to N (default: 1).", int, rule=SEEDS),
    option(
        "--seed SEEDS",
        "Seeds to try, in place of --seeds: 3,5,8.",
        read=lambda text: [int(seed) for seed in text.split(",")],
        rule="numbers separated by ','",
    ),
    ITERATIONS,
    option(
        "--record-every N",
        "Record the error every N iterations (default: 10000; of a prepared table: 100, or 10 with "
        "--optimizer lm).",
        int,
    ),
    option("--save FILE.npz", "Write all networks to this file.", Path),
    option("--csv FILE.csv", "Write a line for each network to this file.", Path),
    option(
        "--out FOLDER",
        "Keep the networks in this folder, chunk by chunk: the same command given again resumes "
        "where it was interrupted, and several such commands share the work.",
        Path,
    ),
    RAW_TEXT,
    THREADS,
    DEVICE,
    DASK,
    PROGRESS,
    JSON,
    FOLDS,
    *VALIDATION,
    *READING,
    *method_options(several=True),
)
def command(
    file: Path,
    target: list[str] | None,
    seeds: int | None,
    seed: list[int] | None,
    save: Path | None,
    csv: Path | None,
    out: Path | None,
    raw_text: bool,
    threads: int | None,
    dask: str | None,
    progress: bool,
    json: bool,
    **typed: Any,
) -> None:
    """Train a network for every combination of values and every seed, and rank them.

    Options with [bold],...[/bold] take several values, separated by commas.

    Example: [bold]fastgd sweep data.csv --target y --alpha 0.01,0.1,1 --seeds 100[/bold]
    """
    if seeds is not None and seeds < 1:
        raise RefusedError(f"--seeds must be {SEEDS}, got {seeds}")
    if seeds is not None and seed is not None:
        raise RefusedError("--seeds and --seed exclude each other")
    check_raw_text(raw_text, csv)
    folder = folder_of(out)
    reading, split = take_reading(typed), take_split(typed, takes_groups=True)
    settings = {
        "seed": range(1, (seeds or 1) + 1) if seed is None else seed,
        "threads": threads,
        "keep_weights": folder is not None or save is not None,
        **read_method(typed, several=True),
    }
    writers = (
        Writer(save, ".npz", Sweep.save),
        Writer(csv, ".csv", partial(write_table, raw_text=raw_text)),
    )
    asked = TrainOptions(file, target or [], split, settings, writers, progress, reading, ARTICLE)
    show(asked, folder, check_dask(dask, threads), json)


def show(asked: TrainOptions, folder: Path | None, where: str | None, as_json: bool) -> None:
    """Train many networks and show the best ones, and the errors over the seeds."""
    before = finished(folder)
    with executor_at(where) as workers, saying_how_to_resume(lambda: done_text(folder)):
        kept = workers if folder is None else {**workers, "out": folder}
        fitted = fit(fastgd.sweep, asked._replace(kept=kept))
    done, result = fitted.done, fitted.done.result
    with writing(*outputs_of(asked, fitted), as_json=as_json):
        if as_json:
            facts = samples_facts(fitted.samples) | fitted.given.facts | _facts(result)
            print_json(facts | {"seconds": done.seconds})
            return
        console = open_console()
        outputs = result.axes.get("output", [result.method.output])
        show_samples(console, asked, fitted, set(outputs))
        show_axes(console, result)
        show_best(console, result)
        show_groups(console, result)
        console.print(done.text("Trained"))
        note_folder(console, folder, before)


def _facts(result: Sweep) -> dict[str, Any]:
    """All numbers of a sweep, its best runs and its groups."""
    arrays = (
        "recorded", "errors", "final_error", "losses", "final_loss", "validation_errors",
        "final_validation_error", "best_iteration", "status", "iterations", "total_changes",
        "summary",
    )  # fmt: skip
    options = result.options
    for name in FIELDED:
        if name in options:
            fields = plain(options[name])
            options[name] = {k: v for k, v in fields.items() if k not in result.axes}
    return (
        {"axes": result.axes, "shape": result.shape, "options": options}
        | {name: getattr(result, name) for name in arrays}
        | {"best": best_runs(result), "groups": statistics_of(result)}
    )
