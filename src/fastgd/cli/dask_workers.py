"""``fastgd sweep --dask``: training on the workers of a Dask cluster."""

import logging
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from multiprocessing import resource_tracker
from tempfile import TemporaryDirectory
from typing import Any

from fastgd.checks.messages import many
from fastgd.cli.refusals import RefusedError
from fastgd.cli.terminal import complain
from fastgd.engine.devices import available_threads

SECONDS = 10
"""Seconds that a scheduler may take to answer."""

MOST_EACH = 4
"""Processes for each processor of this machine, at most: each takes some 200 MB."""

_LOCAL = re.compile(r"local:([1-9]\d{0,17})")
_ADDRESS = re.compile(r"(tcp|tls)://(\[[^\]]+\]|[^:/\s]+):\d{1,5}")


def check_dask(where: str | None, threads: int | None) -> None:
    """Reject what is no address of a scheduler, and threads next to it."""
    if where is None:
        return
    local, processors = _LOCAL.fullmatch(where), available_threads()
    if not (local or _ADDRESS.fullmatch(where)):
        raise RefusedError(
            "--dask must be tcp://HOST:PORT, the address of a scheduler, or local:N, processes on "
            f"this machine, got {where!r}"
        )
    if local and int(local[1]) > MOST_EACH * processors:
        raise RefusedError(
            f"--dask must start at most {MOST_EACH * processors} processes here, {MOST_EACH} for "
            f"each of {many(processors, 'processor')}, got {where}"
        )
    if threads is not None:
        raise RefusedError(
            f"--threads must be left out with --dask, got {threads}: a worker trains on one thread"
        )


@contextmanager
def executor_at(where: str | None) -> Iterator[dict[str, Any]]:
    """The executor as an argument; a cluster that was started here is closed afterwards."""
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
