"""Training on GPUs: from a plan through the driver to the machine for PTX, to the CPU's bits."""

import json
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

import golden
from fastgd.engine.plan import Plan
from fastgd.kernel.cuda import device_at
from fastgd.kernel.cuda_driver import DeviceError
from ptx_machine import Trapped

CASE = "article, hidden 4"
HASHES = json.loads(golden.GOLDEN.read_text())


@pytest.fixture
def on_gpus(monkeypatch):
    plans = SimpleNamespace(make=partial(Plan.make, device="cuda"))
    monkeypatch.setattr(golden, "Plan", plans)


def used(driver):
    """The GPUs that kernels have been launched on."""
    return {function.gpu.name for function, *_ in driver.named("cuLaunchKernel")}


@pytest.mark.usefixtures("on_gpus")
@pytest.mark.parametrize("case", [CASE, "batches"])
def test_golden_hashes_of_a_gpu(gpu, case):
    assert golden.digest(case, 32) == HASHES[case]
    assert used(gpu) == {"Stand-in 0"}
    assert not gpu.allocated


@pytest.mark.parametrize(
    ("case", "seeds"),
    [
        (CASE, 32),  # as many blocks as samples
        ("groups", 6),  # a block for each group, with samples of its own
    ],
)
def test_two_gpus_share_blocks(two_gpus, monkeypatch, request, case, seeds):
    monkeypatch.setattr(golden, "SEEDS", range(seeds))
    on_cpu = golden.digest(case, 8)
    assert not two_gpus.calls
    request.getfixturevalue("on_gpus")
    assert golden.digest(case, 32) == on_cpu
    assert used(two_gpus) == {"Stand-in 0", "Stand-in 1"}


@pytest.mark.usefixtures("on_gpus")
@pytest.mark.parametrize(
    ("name", "call", "status", "rule"),
    [
        ("cuLaunchKernel", 1, "LAUNCH_FAILED", "a kernel must run to its end on cuda:0"),
        ("cuMemcpyDtoHAsync", 3, "DEVICE_UNAVAILABLE", "must answer, got CUDA_ERROR_DEVICE_UN"),
        ("cuMemAlloc", 1, "OUT_OF_MEMORY", "must fit into the free memory of cuda:0"),
    ],
)
def test_gpu_that_fails_while_it_trains(gpu, name, call, status, rule):
    gpu.fail(name, status, call)
    with pytest.raises(DeviceError, match=rule) as info:
        golden.digest(CASE, 32)
    assert info.value.status == status


@pytest.mark.usefixtures("on_gpus")
def test_kernel_that_gets_an_image_for_another_one(gpu):
    golden.digest(CASE, 32)
    [(image, *_)] = gpu.named("cuModuleLoadDataEx")
    memory = device_at(0).allocate(1 << 12)
    memory.write(0, np.zeros(1 << 12, np.uint8))
    memory.launch(device_at(0).function(image[:-1]), 1)
    with pytest.raises(DeviceError, match="a kernel must run to its end on cuda:0"):
        memory.wait()
    assert isinstance(gpu.failures[0], Trapped)
