"""Training on GPUs: from a plan through the driver to the machine for PTX, to the CPU's bits."""

import json

import numpy as np
import pytest

import golden
from fastgd.kernel.cuda import DeviceError, device_at
from ptx_machine import Trapped

CASE = "article, hidden 4"
HASHES = json.loads(golden.GOLDEN.read_text())


def used(driver):
    """The GPUs that kernels have been launched on."""
    return {function.gpu.name for function, *_ in driver.named("cuLaunchKernel")}


@pytest.mark.parametrize("case", [CASE, pytest.param("batches", marks=pytest.mark.slow)])
def test_golden_hashes_of_a_gpu(gpu, case):
    assert golden.digest(case, 32, device="cuda") == HASHES[case]
    assert used(gpu) == {"Stand-in 0"}
    assert not gpu.allocated


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "seeds"),
    [
        (CASE, 32),  # as many blocks as samples
        ("groups", 6),  # blocks with samples of their own
    ],
)
def test_two_gpus_share_blocks(two_gpus, monkeypatch, case, seeds):
    monkeypatch.setattr(golden, "SEEDS", range(seeds))
    on_cpu = golden.digest(case, 8)
    assert not two_gpus.calls
    assert golden.digest(case, 32, device="cuda") == on_cpu
    assert used(two_gpus) == {"Stand-in 0", "Stand-in 1"}


@pytest.mark.slow
def test_kernel_that_gets_an_image_for_another_one(gpu):
    golden.digest(CASE, 32, device="cuda")
    [(image, *_)] = gpu.named("cuModuleLoadDataEx")
    memory = device_at(0).allocate(1 << 12)
    memory.write(0, np.zeros(1 << 12, np.uint8))
    memory.launch(device_at(0).function(image[:-1]), 1)
    with pytest.raises(DeviceError, match="a kernel must run to its end on cuda:0"):
        memory.wait()
    assert isinstance(gpu.failures[0], Trapped)
