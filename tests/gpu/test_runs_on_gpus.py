"""Runs on GPUs: when Python looks at them, where they fit, and what fails."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Thread
from time import sleep

import numpy as np
import pytest

import fastgd
from cases import XOR_X, XOR_Y
from fastgd.arguments.options import Method
from fastgd.arguments.samples import TrainingData, Validation
from fastgd.arguments.subsets import check_partition
from fastgd.engine import execution
from fastgd.engine import execution as device_choice
from fastgd.engine import plan as plans
from fastgd.engine.devices import AUTO, CPU, CUDA, devices_of
from fastgd.engine.execution import execute
from fastgd.engine.network import Network, first_rows, network_of
from fastgd.engine.plan import Keep, Plan
from fastgd.engine.progress import unreported
from fastgd.kernel.cuda import Device, DeviceError, Memory
from fastgd.kernel.gpu import _allocated, _freed, free_on

SEEDS = np.arange(50)


def planned(device, iterations=4, **options):
    """50 runs of the article's network, in two blocks."""
    task = TrainingData.check(XOR_X, XOR_Y, iterations, 5)
    method = Method(**options)
    network = network_of(method, task.X, task.y, (4,))
    alpha = np.full((1, network.layers), 10.0)
    return Plan.make(task, network, method, alpha, {}, len(SEEDS), 1, device=device)


def trained(plan, advance=unreported):
    first = plan.network.rows(first_rows(plan.method.init, plan.network.sizes, SEEDS.tolist()))
    return execute(plan, first, SEEDS, Keep(state=True), advance)


def same(one, other):
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, other.arrays[name], name)


def test_the_next_call_begins_before_python_looks_at_the_last_one(idle_gpu, monkeypatch):
    events = []

    def look(done, _errors=None):
        if done:
            names = "cuLaunchKernel", "cuMemcpyDtoHAsync"
            events.append(tuple(len(idle_gpu.named(name)) for name in names))

    monkeypatch.setattr(execution._Work, "_step", lambda *_: 1)
    trained(planned(CUDA, iterations=5), look)
    # The first call is timed. Then one is under way whenever Python looks at the call before.
    assert events == [(1, 1), (2, 1), (3, 2), (4, 3), (5, 4)]


def test_time_that_python_takes_is_not_the_kernel_s(idle_gpu, monkeypatch):
    """Otherwise calls would become shorter and shorter, down to one iteration."""
    idle_gpu.run = lambda *_: sleep(0.01)
    runs = execution.loaded(planned(CUDA), np.zeros((50, 16)), SEEDS)
    first = runs.run(0, 1)
    monkeypatch.setattr(Memory, "wait", lambda _self: False)  # it was over before Python came
    for j in range(1, 5):
        sleep(4 * first)
        assert runs.run(j, j + 1) <= first
    monkeypatch.undo()
    runs.leave()


@pytest.mark.slow
def test_runs_that_end_leave_and_their_blocks_are_packed(gpu, monkeypatch):
    monkeypatch.setattr(execution._Work, "_step", lambda *_: 10)
    options = {"iterations": 40, "tolerance": 0.49, "evaluate_every": 3}
    found = trained(planned(CUDA, **options))
    same(found, trained(planned(CPU, **options)))
    assert 0 < (found.iterations < 40).sum() < 50
    blocks = [call[1] for call in gpu.named("cuLaunchKernel")]
    assert (blocks[0], blocks[-1]) == (2, 1)


def test_two_gpus_share_the_blocks(two_gpus):
    found = trained(planned(CUDA))
    same(found, trained(planned(CPU)))
    launched = {call[0].gpu.name: call[1] for call in two_gpus.named("cuLaunchKernel")}
    assert launched == {"Stand-in 0": 1, "Stand-in 1": 1}


def test_two_gpus_share_groups_and_their_samples(two_gpus):
    X, y = np.tile(XOR_X, (3, 1)), np.tile(XOR_Y, (3, 1))
    X[4:] *= 0.5
    given = {"groups": [0] * 4 + [1] * 8, "seed": range(32), "iterations": 5, "alpha": 10}
    on_gpus, on_cpu = (fastgd.sweep(X, y, **given, device=device) for device in (CUDA, CPU))
    np.testing.assert_array_equal(on_gpus.final_error, on_cpu.final_error)
    assert {call[0].gpu.name for call in two_gpus.named("cuLaunchKernel")} == {
        "Stand-in 0",
        "Stand-in 1",
    }


def test_one_of_two_gpus(two_gpus):
    same(trained(planned("cuda:1")), trained(planned(CPU)))
    launched = {call[0].gpu.name: call[1] for call in two_gpus.named("cuLaunchKernel")}
    assert launched == {"Stand-in 1": 2}


def test_as_many_blocks_as_there_is_room_for(gpu):
    plan = planned(CUDA)
    [(batch, session)] = plan.batches
    gpu.gpus[0].memory.size = int(1.5 * session.bytes(1, batch.size))
    same(trained(plan), trained(planned(CPU)))
    assert {call[1] for call in gpu.named("cuLaunchKernel")} == {1}


def test_a_pass_counts_its_validation_samples(monkeypatch):
    X, y = np.zeros((3000, 2)), np.zeros((3000, 1))
    partition = check_partition(
        X, y, groups=np.repeat(np.arange(300), 10), folds=None, sample_weight=None
    )
    task = TrainingData.check(X, y, 10, 1)
    task = replace(task, validation=Validation(X, y, None), partition=partition)
    plan = Plan.make(task, Network((2, 3, 1)), Method(), np.ones((1, 2)), {}, 1, 1, device=CUDA)
    [(batch, session)] = plan.batches
    monkeypatch.setattr(plans, "GPU_BYTES", int(2.5 * session.bytes(1, batch.size, 3000)))
    assert plan.blocks_per_pass(session, batch.size) == 2


def test_threads_do_not_share_the_updates_of_a_gpu():
    """A block has no room for what threads of the CPU would share."""
    rows = np.zeros((2000, 64))
    task = TrainingData.check(rows, rows[:, :10], 10, 1)
    network = Network((64, 64, 10))
    plan = Plan.make(task, network, Method(), np.ones((1, 2)), {}, 1, 2, device=CUDA)
    assert plan.layout.threads == 1
    assert plan.on(CPU).layout.threads == 2


def test_passes_are_limited_in_bytes(gpu, monkeypatch):
    monkeypatch.setattr(plans, "GPU_BYTES", 1)
    same(trained(planned(CUDA)), trained(planned(CPU)))
    assert {call[1] for call in gpu.named("cuLaunchKernel")} == {1}


def test_no_room_is_known_before_anything_is_allocated(gpu):
    gpu.gpus[0].memory.size = 10_000
    rule = r"32 runs and their samples must fit into the free memory of cuda:0 \(9,000 bytes\), got"
    with pytest.raises(DeviceError, match=rule):
        trained(planned(CUDA))
    assert not gpu.named("cuMemAlloc")


@pytest.mark.slow
def test_room_for_one_image_is_enough(gpu):
    """The losses of the best networks are computed when the runs have left."""
    options = {"restore_best": True, "patience": 4, "iterations": 16}
    plan = planned(CUDA, **options)
    [(batch, session)] = plan.batches
    gpu.gpus[0].memory.size = int(2.3 * session.bytes(1, batch.size))
    same(trained(plan), trained(planned(CPU, **options)))
    assert 2 in {call[1] for call in gpu.named("cuLaunchKernel")}


def test_threads_wait_for_the_memory_of_others(gpu):
    plan = planned(CUDA)
    [(batch, session)] = plan.batches
    gpu.gpus[0].memory.size = int(2.3 * session.bytes(1, batch.size))
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(trained, [planned(CUDA) for _ in range(3)]))
    expected = trained(planned(CPU))
    for result in results:
        same(result, expected)


def test_what_others_free_meanwhile_is_known(gpu, monkeypatch):
    """Either as held by this process or as free: it was in neither, so threads had no room."""
    (device,) = devices_of(CUDA)
    whole, free = free_on(device), Device.free
    others = Thread(target=_freed, args=[_allocated(device, 4096)])

    def freed_meanwhile(device):
        size = free(device)
        others.start()
        others.join(0.05)  # it waits until the sum is there
        return size

    monkeypatch.setattr(Device, "free", freed_meanwhile)
    assert free_on(device) == whole
    others.join()
    assert not gpu.allocated


def test_samples_that_blocks_share_are_written_once(idle_gpu):
    X, y = np.tile(XOR_X, (500, 1)), np.tile(XOR_Y, (500, 1))
    given = {"groups": [0, 1] * 1000, "seed": range(96), "iterations": 1}
    fastgd.sweep(X, y, **given, device=CUDA)
    written = [call[2] for call in idle_gpu.named("cuMemcpyHtoDAsync")]
    assert written.count(1000 * 3 * 8) == 2  # the inputs of each group, for six blocks


@pytest.mark.parametrize(
    ("function", "status", "call", "rule"),
    [
        ("cuMemAlloc", "OUT_OF_MEMORY", 1, "must fit into the free memory of cuda:0"),
        ("cuLaunchKernel", "LAUNCH_FAILED", 2, "a kernel must run to its end on cuda:0"),
        ("cuStreamQuery", "ILLEGAL_ADDRESS", 2, "a kernel must run to its end on cuda:0"),
        ("cuMemcpyDtoHAsync", "DEVICE_UNAVAILABLE", 1, "cuda:0 .* must answer"),
    ],
)
def test_what_fails_is_one_sentence(idle_gpu, monkeypatch, function, status, call, rule):
    """In the end nothing stays allocated: the fixture sees to that."""
    monkeypatch.setattr(execution._Work, "_step", lambda *_: 1)
    idle_gpu.fail(function, status, call)
    with pytest.raises(DeviceError, match=rule) as caught:
        trained(planned(CUDA))
    assert status in str(caught.value) or "got a need of" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_image_that_can_not_be_written_leaves_no_memory(idle_gpu):
    idle_gpu.fail("cuMemcpyHtoDAsync", "UNKNOWN", 3)
    with pytest.raises(DeviceError, match=r"cuda:0 .* must answer") as held:
        trained(planned(CUDA))
    assert not idle_gpu.allocated, held  # though the error, with its traceback, is still there


def test_interrupted_between_two_calls(gpu, monkeypatch):
    monkeypatch.setattr(execution._Work, "_step", lambda *_: 1)

    def advance(done, _errors=None):
        if done and len(gpu.named("cuLaunchKernel")) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as held:  # as a notebook holds the last exception
        trained(planned(CUDA), advance)
    assert not gpu.allocated, held
    same(trained(planned(CUDA)), trained(planned(CPU)))


# ------------------------------------------------------------------ "auto"


@pytest.fixture
def choosing(monkeypatch):
    """Devices are chosen anew, and all work is worth a GPU; returns the facts that are kept."""
    known = {}

    def kept(kind, facts, make):
        assert kind == "devices"
        if facts not in known:
            known[facts] = make()
        return known[facts]

    monkeypatch.setattr(device_choice, "_said", set())
    monkeypatch.setattr(device_choice, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(device_choice, "kept", kept)
    monkeypatch.setattr(execution, "TRIAL_SECONDS", 0.0)
    return known


def test_the_faster_device_is_timed_once_and_said_once(gpu, choosing):
    with pytest.warns(device_choice.DeviceWarning, match='device="auto" took the CPU: .* times as'):
        found = trained(planned(AUTO))
    same(found, trained(planned(CPU)))
    [speeds] = choosing.values()
    on_cpu, on_gpu = json.loads(speeds)
    assert on_cpu > on_gpu > 0  # the stand-in is slow
    launches = len(gpu.named("cuLaunchKernel"))
    assert launches > 0
    trained(planned(AUTO))  # without a warning
    assert len(gpu.named("cuLaunchKernel")) == launches


@pytest.mark.usefixtures("gpu")
def test_other_ratios_are_not_said_again(choosing, monkeypatch):
    speeds = iter([2.0, 1.0, 3.0, 1.0])
    monkeypatch.setattr(execution, "_speed", lambda *_, **__: next(speeds))
    with pytest.warns(device_choice.DeviceWarning, match="took the CPU: 2 times as fast as"):
        trained(planned(AUTO, iterations=8))
    trained(planned(AUTO, iterations=16))
    assert len(choosing) == 2


def test_a_warning_that_is_an_error_is_not_a_warning_that_was_seen(monkeypatch):
    monkeypatch.setattr(device_choice, "_said", set())
    for _ in range(2):
        with pytest.raises(device_choice.DeviceWarning):  # as the tests make all warnings errors
            device_choice.say_chosen("the CPU")
    with pytest.warns(device_choice.DeviceWarning):
        device_choice.say_chosen("the CPU")
    device_choice.say_chosen("the CPU")


def test_how_long_runs_take_is_part_of_what_is_timed(choosing, monkeypatch, gpu):
    monkeypatch.setattr(execution, "_speed", lambda plan, **_: {CPU: 2.0, CUDA: 1.0}[plan.device])
    with pytest.warns(device_choice.DeviceWarning):
        trained(planned(AUTO, iterations=8))
    trained(planned(AUTO, iterations=15))
    assert len(choosing) == 1
    trained(planned(AUTO, iterations=16))
    assert len(choosing) == 2
    assert not gpu.named("cuLaunchKernel")


@pytest.mark.parametrize(
    ("speed", "times"), [(3.0, "1.5"), (68.0, "34"), (246.8, "120"), (2e7, "10000000")]
)
@pytest.mark.usefixtures("choosing")
def test_a_gpu_is_taken_if_it_is_faster(speed, times, gpu, monkeypatch):
    monkeypatch.setattr(execution, "_speed", lambda plan, **_: {CPU: 2.0, CUDA: speed}[plan.device])
    took = re.escape(f'device="auto" took cuda:0 (Stand-in 0): {times} times as fast as the CPU')
    with pytest.warns(device_choice.DeviceWarning, match=took):
        found = trained(planned(AUTO))
    same(found, trained(planned(CPU)))
    assert gpu.named("cuLaunchKernel")


def test_little_work_stays_on_the_cpu(gpu, choosing, monkeypatch):
    monkeypatch.setattr(device_choice, "LEAST_SECONDS", 1.0)
    with pytest.warns(device_choice.DeviceWarning, match="took the CPU, where the work takes less"):
        trained(planned(AUTO))
    assert not gpu.named("cuMemAlloc")
    assert not choosing


@pytest.mark.usefixtures("choosing")
def test_without_a_gpu_it_is_the_cpu_and_says_why(gpu):
    gpu.gpus.clear()
    with pytest.warns(device_choice.DeviceWarning, match=r"took the CPU: training on a GPU needs"):
        trained(planned(AUTO))


@pytest.mark.usefixtures("choosing")
def test_a_gpu_without_room_is_not_chosen(gpu):
    gpu.gpus[0].memory.size = 10_000
    with pytest.warns(device_choice.DeviceWarning, match="took the CPU: 32 runs and their samples"):
        trained(planned(AUTO))
