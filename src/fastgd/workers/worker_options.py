"""The public arguments that choose the workers: executor, threads, threads_per_worker."""

from multiprocessing import current_process

from fastgd.arguments.executors import check_executor
from fastgd.checks.messages import shown
from fastgd.checks.values import check_count, check_threads
from fastgd.engine.session import available_threads
from fastgd.workers.job import WorkerOptions


def check_worker_options(
    executor: object, threads: object, threads_per_worker: object
) -> WorkerOptions:
    """Check these arguments of a public call.

    Raises
    ------
    TypeError, ValueError
        If one of them is invalid, or if they exclude each other.
    RuntimeError
        If a worker process repeats the call because the script has no main guard.

    Examples
    --------
    >>> check_worker_options(None, 1, 1)
    WorkerOptions(executor=None, threads=1, threads_per_worker=1)
    """
    found = check_executor(executor)
    each = check_count("threads_per_worker", threads_per_worker)
    if found is None:
        if each != 1:
            raise ValueError(
                f"threads_per_worker must be left out without an executor, got {each}: "
                "threads is for this process"
            )
        return WorkerOptions(None, check_threads(threads, available_threads()), 1)
    if getattr(current_process(), "_inheriting", False):  # multiprocessing's own check
        raise RuntimeError(
            "a script whose executor starts processes must have its calls below "
            "if __name__ == '__main__': each of the processes begins by reading the script"
        )
    if threads is not None:
        raise ValueError(
            f"threads must be left out with an executor, got {shown(threads)}: "
            "threads_per_worker is for its workers"
        )
    return WorkerOptions(found, 1, each)
