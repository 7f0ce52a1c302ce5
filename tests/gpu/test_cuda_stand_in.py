"""The stand-in sees what a GPU would punish."""

import numpy as np
import pytest

import cuda_stand_in
from cuda_stand_in import CudaError, CUresult
from fastgd.kernel.cuda import device_at


def test_memory_that_is_left(monkeypatch):
    installed = cuda_stand_in.installed(monkeypatch)
    gpu = installed.__enter__()
    memory = device_at(0).allocate(10)
    assert list(gpu.allocated.values()) == [10]
    with pytest.raises(AssertionError):
        installed.__exit__(None, None, None)
    memory.close()


def test_memory_that_is_not_there(gpu):
    memory = device_at(0).allocate(64)
    held = gpu.gpus[0].memory
    assert held.view(memory.address, 64).size == 64
    for address, size in (
        (memory.address - 1, 2),
        (memory.address, 65),
        (memory.address + 64, 1),
        (0, 8),
        (1 << 62, 8),
    ):
        with pytest.raises(CudaError, match="ILLEGAL_ADDRESS"):
            held.view(address, size)
    memory.close()
    with pytest.raises(CudaError, match="ILLEGAL_ADDRESS"):
        held.view(memory.address, 1)


def test_new_memory_has_no_zeros(gpu):
    memory = device_at(0).allocate(8)
    assert gpu.gpus[0].memory.view(memory.address, 8).all()


def test_calls_without_a_context(gpu):
    assert gpu.cuMemAlloc(8) == (CUresult.CUDA_ERROR_NOT_INITIALIZED, None)
    gpu.cuInit(0)
    assert gpu.cuMemAlloc(8) == (CUresult.CUDA_ERROR_INVALID_CONTEXT, None)
    assert gpu.cuMemGetInfo() == (CUresult.CUDA_ERROR_INVALID_CONTEXT, None, None)
    assert gpu.cuMemFree(8) == (CUresult.CUDA_ERROR_INVALID_CONTEXT,)


def test_a_stream_of_another_gpu(two_gpus):
    memory = [device_at(k).allocate(8) for k in range(2)]
    two_gpus.cuCtxPushCurrent(two_gpus.gpus[0].context)
    values = np.zeros(1)
    other = memory[0].address, values.ctypes.data, 8, memory[1]._stream
    assert two_gpus.cuMemcpyHtoDAsync(*other) == (CUresult.CUDA_ERROR_INVALID_HANDLE,)
    two_gpus.cuCtxPopCurrent()


def test_calls_fail_when_told(gpu):
    gpu.fail("cuMemGetInfo", "UNKNOWN", call=2)
    device = device_at(0)
    device.free()
    with pytest.raises(RuntimeError, match="CUDA_ERROR_UNKNOWN"):
        device.free()
    device.free()


def test_errors_of_a_test_are_not_those_of_a_gpu(gpu):
    def wrong(*_):
        raise ZeroDivisionError

    gpu.run = wrong
    memory = device_at(0).allocate(8)
    memory.launch(device_at(0).function(b".version 7.8\n.target sm_90\n.entry train()"), 1)
    with pytest.raises(ZeroDivisionError):
        memory.wait()
