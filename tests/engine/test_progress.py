from threading import Event

import pytest

import fastgd
from fastgd.engine.progress import StoppedError, stopped_by


def test_work_that_nobody_waits_for_ends(xor):
    left = Event()
    with stopped_by(left):
        fastgd.train(*xor, iterations=2)
        left.set()
        with pytest.raises(StoppedError):
            fastgd.train(*xor, iterations=10**12, record_every=10**12)
    fastgd.train(*xor, iterations=2)
