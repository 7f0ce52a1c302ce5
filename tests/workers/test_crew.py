import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from fastgd.engine.session import available_threads
from fastgd.workers.crew import check_crew
from fastgd.workers.job import Crew


def test_a_crew_is_threads_or_an_executor():
    assert check_crew(None, None, 1) == Crew(None, available_threads(), 1)
    with ThreadPoolExecutor(1) as pool:
        assert check_crew(pool, None, 3) == Crew(pool, 1, 3)


REFUSED = {
    "no executor": (
        (2, None, 1),
        TypeError,
        "executor must be a concurrent.futures.Executor, such as a ProcessPoolExecutor() or "
        "Dask's client.get_executor(), got 2",
    ),
    "no count": ((None, None, 1.5), TypeError, "threads_per_worker must be an int, got 1.5"),
    "no threads": ((None, None, 0), ValueError, "threads_per_worker must be at least 1, got 0"),
    "workers without an executor": (
        (None, None, 2),
        ValueError,
        "threads_per_worker must be left out without an executor, got 2: threads is for this "
        "process",
    ),
    "threads with an executor": (
        (ThreadPoolExecutor(1), 2, 1),
        ValueError,
        "threads must be left out with an executor, got 2: threads_per_worker is for its workers",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    arguments, error, message = REFUSED[case]
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        check_crew(*arguments)
