"""The layer over CUDA's driver and its stand-in, against the package cuda-bindings."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cuda_stand_in
from fastgd.kernel import cuda
from fastgd.kernel import cuda as cuda_driver

package = pytest.importorskip(
    "cuda.bindings.driver", reason="cuda-bindings is missing: there is none for macOS"
)


def test_the_package_has_the_functions_of_the_stand_in():
    assert [name for name in cuda_stand_in.FUNCTIONS if not hasattr(package, name)] == []


@pytest.mark.parametrize("enum", cuda_stand_in.ENUMS)
def test_enums_are_those_of_the_package(enum):
    real = getattr(package, enum.__name__)
    assert {each.name: int(getattr(real, each.name)) for each in enum} == {
        each.name: int(each) for each in enum
    }


def test_statuses_that_have_a_meaning_are_those_of_the_package():
    named = " ".join([*cuda_driver._MEANINGS.values(), cuda._TOO_OLD])
    own, real = cuda_stand_in.CUresult, package.CUresult
    for status in named.split():
        assert own[f"CUDA_ERROR_{status}"] == getattr(real, f"CUDA_ERROR_{status}")


def run(program, **environment):
    folders = [*map(str, (Path(__file__).parent, Path(cuda_stand_in.__file__).parent)), *sys.path]
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(folders)} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert not ran.stderr
    return ran.stdout


def test_it_is_imported_when_devices_are_asked_for():
    """And without a driver the answer is one sentence."""
    said = run(
        "import sys; from fastgd.kernel import cuda; assert 'cuda.bindings' not in sys.modules\n"
        "try: print(len(cuda.devices()), 'devices')\n"
        "except cuda.DeviceError as error: print(error)\n"
        "assert 'cuda.bindings.driver' in sys.modules"
    )
    assert re.fullmatch(r"training on a GPU needs an NVIDIA GPU.*, got .*\n|\d+ devices\n", said)


PROGRAM = """
import numpy as np
from fastgd.kernel.cuda import DeviceError, device_at, devices
from test_cuda import PTX, doubled

[gpu] = devices()
print(gpu, gpu.memory, gpu.capability, gpu.multiprocessors, gpu.free())
print(doubled(gpu, np.array([1.5, -2])))
for fails in (
    lambda: gpu.function(PTX.replace(b".entry", b".func")),
    lambda: gpu.allocate(1 << 30),
):
    try:
        fails()
    except DeviceError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("gcc"), reason="no gcc on Linux")
def test_all_arguments_arrive_in_the_driver(tmp_path):
    """Through the package, in a driver written in C, which checks them and has a GPU."""
    source = Path(__file__).with_name("driver.c")
    build = ["gcc", "-shared", "-fPIC", "-o", tmp_path / "libcuda.so.1", source, "-ldl"]
    subprocess.run(build, check=True)
    assert run(PROGRAM, LD_LIBRARY_PATH=str(tmp_path)).splitlines() == [
        "cuda:0 (A GPU of C) 1099511627776 (9, 0) 132 1000",
        "[ 3. -4.]",
        "the driver must compile PTX 7.8 of fastgd, got CUDA_ERROR_INVALID_PTX from one for CUDA "
        "13.0 (please report it): ptxas fatal in line 3 of 149 bytes",
        "the data of a kernel must fit into the free memory of cuda:0 (A GPU of C) (1,000 bytes), "
        "got a need of 1,073,741,824 bytes",
    ]
