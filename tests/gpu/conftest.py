import pytest

import cuda_stand_in
from fastgd.kernel import gpu as blocks


@pytest.fixture
def idle_gpu(gpu, monkeypatch):
    """A GPU where all is as on another but the kernel, which does nothing and isn't emitted.

    That shows where a training goes, at the price of a launch. What it comes to is shown by the
    tests that execute kernels, and by the slow ones for each kind of call.
    """
    monkeypatch.setattr(blocks, "module", lambda *_: cuda_stand_in.IDLE)
    gpu.run = lambda *_: None
    return gpu
