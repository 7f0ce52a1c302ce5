"""Schedules chunks on an executor, and sends its workers the jobs and code that they ask for."""

from collections import Counter, defaultdict, deque
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import NamedTuple

from fastgd.store import Arrays
from fastgd.workers.worker import Answer, WorkerState

Submit = Callable[[int, str], "Future[Answer]"]
"""Submit a chunk, together with the job or code of this name, if it isn't empty."""


class LostExecutorError(Exception):
    """The executor takes no more tasks."""


class Outcome(NamedTuple):
    """The result of a chunk: its arrays (None if the worker has written them), or an error."""

    chunk: int
    arrays: Arrays | None
    error: Exception | None


class _Task(NamedTuple):
    chunk: int
    along: str


class Scheduler:
    """The chunks that an executor is computing, and the workers that have answered so far.

    The same job or code is never sent more often than the number of processes that have asked for
    it: if 8 tasks on 2 workers find no job, it is sent twice. The other tasks wait until it has
    arrived.
    """

    def __init__(self, submit: Submit) -> None:
        self._submit = submit
        self._over: SimpleQueue[Future[Answer]] = SimpleQueue()
        self._tasks: dict[Future[Answer], _Task] = {}
        self._waiting: deque[int] = deque()
        self._under_way: Counter[str] = Counter()
        self._asked: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
        self.places: set[WorkerState] = set()

    def __len__(self) -> int:
        """Number of chunks that are submitted, or wait for a job or code to arrive."""
        return len(self._tasks) + len(self._waiting)

    def start(self, chunk: int, along: str = "") -> None:
        """Submit a chunk; raise LostExecutorError if the executor takes no tasks."""
        try:
            future = self._submit(chunk, along)
        except Exception as error:  # BrokenExecutor, RuntimeError after shutdown(), a closed client
            raise LostExecutorError(str(error)) from error
        self._tasks[future] = _Task(chunk, along)
        self._under_way[along] += 1
        future.add_done_callback(self._over.put)

    def next(self, seconds: float) -> Outcome | None:
        """Return the result of some chunk, or None if none is finished within ``seconds``.

        Raises LostExecutorError if the executor is broken.
        """
        with suppress(Empty):
            return self._outcome(self._over.get(timeout=seconds))
        return None

    def leave(self) -> list[Outcome]:
        """Cancel the chunks that have not begun; return the finished ones not yet returned."""
        for future in list(self._tasks):
            future.cancel()
        found = []
        with suppress(Empty):
            while True:
                future = self._over.get_nowait()
                chunk, _ = self._tasks.pop(future)
                with suppress(Exception):
                    answer = future.result()
                    if not answer.missing:
                        found.append(Outcome(chunk, answer.arrays, None))
        return found

    def _outcome(self, future: "Future[Answer]") -> Outcome | None:
        chunk, along = self._tasks.pop(future)
        self._under_way[along] -= 1
        answer, error = None, None
        try:
            answer = future.result()
            if not isinstance(answer, Answer):
                answer, error = (
                    None,
                    TypeError(f"a future must have the result of its task, got {answer!r}"),
                )
        except BrokenExecutor as broken:
            raise LostExecutorError(str(broken)) from broken
        except Exception as raised:
            error = raised
        if along:
            if answer:
                self._asked[along].discard(answer.place[:2])
            for _ in range(len(self._waiting)):
                self.start(self._waiting.popleft())
        if answer is None:
            return Outcome(chunk, None, error)
        self.places.add(answer.place)
        if not answer.missing:
            return Outcome(chunk, answer.arrays, None)
        asked = self._asked[answer.missing]
        asked.add(answer.place[:2])
        if self._under_way[answer.missing] < len(asked):
            self.start(chunk, answer.missing)
        else:
            self._waiting.append(chunk)
        return None
