"""Chunks in the hands of an executor, whose workers are sent what they lack."""

from collections import Counter, defaultdict, deque
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import NamedTuple

from fastgd.store.npz import Arrays
from fastgd.workers.worker import Answer, WorkerState

Submit = Callable[[int, str], "Future[Answer]"]
"""Let a chunk be computed somewhere, with what has this name along, if any."""


class LostExecutorError(Exception):
    """The executor takes no tasks any more."""


class Outcome(NamedTuple):
    """What came of a chunk: its arrays, none if the worker has written them, or an error."""

    chunk: int
    arrays: Arrays | None
    error: Exception | None


class _Task(NamedTuple):
    chunk: int
    along: str


class Scheduler:
    """The chunks that were handed to an executor, and who has been heard of.

    No more of the same parcels are under way than there are processes that asked for it: 8 tasks
    that find nothing in 2 workers cost 2 parcels. The others wait until a parcel has arrived.
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
        """How many chunks are in hand."""
        return len(self._tasks) + len(self._waiting)

    def start(self, chunk: int, along: str = "") -> None:
        """Hand a chunk to the executor.

        Raises
        ------
        LostExecutorError
            If it takes none.
        """
        try:
            future = self._submit(chunk, along)
        except Exception as error:  # BrokenExecutor, RuntimeError after shutdown(), a closed client
            raise LostExecutorError(str(error)) from error
        self._tasks[future] = _Task(chunk, along)
        self._under_way[along] += 1
        future.add_done_callback(self._over.put)

    def next(self, seconds: float) -> Outcome | None:
        """Return what has come of some chunk, within so many seconds.

        Raises
        ------
        LostExecutorError
            If the executor is broken.
        """
        with suppress(Empty):
            return self._outcome(self._over.get(timeout=seconds))
        return None

    def leave(self) -> list[Outcome]:
        """Cancel what has not begun; return what is finished, but was not asked for yet."""
        for future in list(self._tasks):
            future.cancel()
        found = []
        with suppress(Empty):
            while True:
                future = self._over.get_nowait()
                chunk, _ = self._tasks.pop(future)
                with suppress(Exception):
                    answer = future.result()
                    if not answer.lacks:
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
        if not answer.lacks:
            return Outcome(chunk, answer.arrays, None)
        asked = self._asked[answer.lacks]
        asked.add(answer.place[:2])
        if self._under_way[answer.lacks] < len(asked):
            self.start(chunk, answer.lacks)
        else:
            self._waiting.append(chunk)
        return None
