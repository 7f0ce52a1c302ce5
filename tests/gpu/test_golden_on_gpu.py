"""The numbers contract on a GPU: each array of the results is that of the CPU, word for word.

All is done as for a GPU, but its driver and the warps of its threads are those of tests. Each case
has a few iterations, of which the machine takes some milliseconds for each.
"""

from functools import partial

import numpy as np
import pytest
from test_ptx_kernels import check
from test_ptx_text import kinds

import cuda_stand_in
import golden
import ptx_machine
from cases import HASHED, LOSSES, OBJECTIVES, PARTED, TABLE, XOR_X, XOR_Y
from fastgd.arguments.options import Method
from fastgd.arguments.samples import TrainingData
from fastgd.engine import execution
from fastgd.engine.execution import execute
from fastgd.engine.layout import Layout
from fastgd.engine.network import Network, first_rows
from fastgd.engine.plan import Keep, Plan
from fastgd.engine.progress import unreported
from fastgd.kernel.block import CONVERGED, DIVERGED, RUNNING, STALLED
from golden import SEEDS
from thinning import only

CASES = [case for case in HASHED if case not in {*OBJECTIVES, *LOSSES, TABLE}]
# The plain kernel for networks of all kinds, one of the second order, one with random numbers.
PLAIN = ("article, hidden 4", "article, hidden 32", "deep and odd", "several groups of samples")
ALWAYS = (*PLAIN, "levenberg marquardt", "dropout")
WHOLE = Keep(state=True)


def trained(work, first, state=None):
    """All results, also the state from which the runs could be taken up again."""
    return execute(work, first, np.array(SEEDS), WHOLE, unreported, state)


def arrays(case, device, iterations=3):
    """The arrays of a case's results."""
    at = 1 if case in PARTED and PARTED[case].resumed else 0
    half = trained(*golden.plan(case, 8, device=device, iterations=at)).state if at else None
    return trained(
        *golden.plan(case, 8, device=device, iterations=iterations, done=at), half
    ).arrays


def assert_same(found, expected):
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert words(found[name]) == words(array), name


def words(array):
    """The array's bits. A NaN is a NaN: which one, IEEE leaves to the processor."""
    return (array if array.dtype.kind != "f" else np.where(array == array, array, np.nan)).tobytes()


@pytest.mark.parametrize("case", only(CASES, *ALWAYS))
def test_all_arrays_are_those_of_the_cpu(case, gpu):
    assert_same(arrays(case, "cuda"), arrays(case, "cpu"))
    kernels = {function.ptx for function, *_ in gpu.named("cuLaunchKernel")}
    assert kernels
    for ptx in kernels:
        check(cuda_stand_in.program_of(ptx))
        assert kinds(ptx.decode())["fma"] > 0


@pytest.mark.parametrize(
    "case", only(["article, hidden 4", "one of everything"], "article, hidden 4")
)
@pytest.mark.usefixtures("users_kernels", "gpu")
def test_code_for_one_network(case):
    assert golden.plan(case, 8, device="cuda")[0].layout.markers.layout is not None
    assert_same(arrays(case, "cuda"), arrays(case, "cpu"))


# ---------------------------------------------------------------- orders of threads, ends of runs


def sweep(device, sizes, alpha, values, iterations, **options):
    """All results of a sweep over the article's samples."""
    method = Method(**options)
    task = TrainingData.check(XOR_X, XOR_Y, iterations, 5)
    network = Network(sizes)
    alpha = np.repeat(np.array(alpha)[:, None], network.layers, axis=1)
    wide = 8 if device == "cpu" else None
    work = Plan.make(task, network, method, alpha, values, len(SEEDS), 1, wide, True, device=device)
    return trained(work, network.rows(first_rows(method.init, network.sizes, SEEDS)))


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["one_by_one", "reversed"])
@pytest.mark.usefixtures("gpu")
def test_threads_read_what_others_write_after_a_barrier_only(schedule, monkeypatch):
    """A thread is alone until the next barrier: the first one, or the last one, goes first."""
    monkeypatch.setattr(ptx_machine, "run", partial(ptx_machine.run, schedule=schedule))
    found, expected = (
        sweep(device, (3, 1), [0.1, 1.0], {}, 4, batch_size=2, reduction="mean").arrays
        for device in ("cuda", "cpu")
    )
    assert_same(found, expected)


ORDERS = [
    (case, schedule)
    for case in ("batches", "weightings in batches", "adaptive")
    for schedule in ("one_by_one", "reversed")
]


@pytest.mark.slow
@pytest.mark.parametrize(("case", "schedule"), ORDERS)
@pytest.mark.usefixtures("gpu")
def test_arrays_in_other_orders_of_the_threads(case, schedule, monkeypatch):
    monkeypatch.setattr(ptx_machine, "run", partial(ptx_machine.run, schedule=schedule))
    # The second iteration reads what the first one has written; a third one would do the same.
    assert_same(arrays(case, "cuda", 2), arrays(case, "cpu", 2))


def endings(device):
    """400 runs in 13 blocks, of which most end early, in each way that there is."""
    return sweep(
        device,
        (3, 4, 1),
        np.repeat([1e-300, 0.1, 0.3, 30.0, 1e200], 4),
        {"tolerance": [0.0, 0.4], "patience": [None, 2]},
        24,
        activation="tanh",  # as in maps of trainability
        output="identity",
    )


@pytest.fixture
def packed(monkeypatch):
    """Each call of the kernel has one iteration; gives how many blocks there were and are."""
    blocks, pack = [], Layout.pack

    def spy(layout, old, lanes, *others):
        blocks.append((len(old.numbers), len(lanes) // layout.runs))
        return pack(layout, old, lanes, *others)

    monkeypatch.setattr(Layout, "pack", spy)
    monkeypatch.setattr(execution, "CHUNK_SECONDS", 1e-9)
    monkeypatch.setattr(execution, "CALL_SECONDS", 1e-9)
    return blocks


@pytest.mark.parametrize("gpus", only(["gpu", "two_gpus"], "two_gpus"))
def test_runs_end_in_each_way_and_the_others_are_packed(gpus, packed, request):
    driver = request.getfixturevalue(gpus)
    found = endings("cuda")
    assert packed == [(13, 6)]
    launched = {function.gpu.name for function, *_ in driver.named("cuLaunchKernel")}
    assert len(launched) == len(driver.gpus)
    assert {RUNNING, CONVERGED, DIVERGED, STALLED} == {*found.outcome.tolist()}
    assert len(found.path)
    assert_same(found.arrays, endings("cpu").arrays)
