"""The argument device: every call that has it gives a GPU's results with the CPU's bits.

The GPU is that of cuda_stand_in.py, which executes PTX by the tests' own machine.
"""

import filecmp
import pickle
from concurrent.futures import Executor, Future

import numpy as np
import pytest

import cuda_stand_in
import fastgd
from cases import XOR_X, XOR_Y
from fastgd.checks import numbers as memory
from fastgd.engine import execution
from fastgd.engine import execution as device_choice
from fastgd.engine.devices import check_device
from fastgd.studies import mean_field as map_job
from fastgd.training import training_job
from thinning import crossed

SEEDS = range(1, 6)
FEW = {"iterations": 4, "record_every": 3}
RULE = "device must be 'cpu', 'cuda', 'cuda:0' (or another number) or 'auto', got"
SWEEP = {"hidden_size": [4, 5], "alpha": [0.1, 10], "seed": SEEDS, **FEW}


def arrays_of(result):
    """Its arrays and those within them, as bytes: no zero has another sign."""
    if isinstance(result, np.ndarray):
        return [result.tobytes()]
    if isinstance(result, (tuple, list)):
        return [array for one in result for array in arrays_of(one)]
    return []


def same(one, other):
    """Whether two results have the same fields, to the bit."""
    assert type(one) is type(other)
    names = [name for name in vars(one) if isinstance(vars(one)[name], (np.ndarray, tuple, list))]
    assert names
    return all(arrays_of(vars(one)[name]) == arrays_of(vars(other)[name]) for name in names)


def train(**how):
    return fastgd.train(XOR_X, XOR_Y, **FEW, **how)


def sweep(**how):
    return fastgd.sweep(XOR_X, XOR_Y, **SWEEP, **how)  # two chunks


def surface(**how):
    start = [np.full((3, 4), 0.5), np.full((4, 1), -0.25)]
    return fastgd.surface(XOR_X, XOR_Y, start, resolution=5, **how)


def trainability(**how):
    # Four chunks, or all on a GPU; the kernel is one of test_golden_on_gpu.py.
    return fastgd.trainability(9, iterations=3, width=4, **how)


FACES = [train, sweep, surface, trainability]


@pytest.fixture
def no_gpu(monkeypatch):
    """This machine has a driver, but no GPU, as far as fastgd can see."""
    with cuda_stand_in.installed(monkeypatch, count=0) as driver:
        yield driver


@pytest.mark.parametrize(("face", "device"), crossed(FACES, ["cuda", "cuda:1"]))
def test_a_gpu_gives_the_bits_of_the_cpu(face, device, two_gpus):
    assert same(face(device=device), face(device="cpu"))
    used = {function.gpu.name for function, *_ in two_gpus.named("cuLaunchKernel")}
    assert used == {"Stand-in 1"} if device == "cuda:1" else "Stand-in 0" in used


def test_several_gpus_share_the_runs(two_gpus):
    given = {"alpha": [0.1, 10], "seed": range(32), **FEW}
    found = fastgd.sweep(XOR_X, XOR_Y, **given, device="cuda")
    assert same(found, fastgd.sweep(XOR_X, XOR_Y, **given))
    used = {function.gpu.name for function, *_ in two_gpus.named("cuLaunchKernel")}
    assert used == {"Stand-in 0", "Stand-in 1"}


def test_the_cpu_is_the_default(gpu):
    for face in FACES:
        face()
    assert not gpu.calls


@pytest.mark.parametrize("face", FACES)
def test_auto_says_what_it_chose(face, gpu, monkeypatch):
    monkeypatch.setattr(device_choice, "_said", set())
    with pytest.warns(device_choice.DeviceWarning, match='^device="auto" took the CPU'):
        found = face(device="auto")
    assert same(found, face())
    assert same(found, face(device="auto"))  # and warns no more
    assert not gpu.named("cuLaunchKernel")


@pytest.fixture
def timed(monkeypatch):
    """Work is timed on either device, and a GPU is faster; returns the numbers of runs."""
    timed = []

    def speed(plan, first, seeds):
        assert first.shape == (plan.starts, plan.network.parameters)
        assert len(seeds) in (1, plan.starts)
        timed.append((plan.device, plan.network.sizes[1], plan.runs))
        return {"cpu": 1.0, "cuda": 2.0}[plan.device]

    monkeypatch.setattr(device_choice, "_said", set())
    monkeypatch.setattr(device_choice, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(device_choice, "kept", lambda _kind, _facts, make: make())
    monkeypatch.setattr(execution, "_speed", speed)
    return timed


@pytest.mark.parametrize(
    ("face", "size", "runs"), [(sweep, 5, 10), (trainability, 4, 81)], ids=["sweep", "trainability"]
)
def test_auto_chooses_once_for_all_chunks(face, size, runs, timed, gpu, tmp_path):
    with pytest.warns(device_choice.DeviceWarning, match="took cuda:0"):
        found = face(device="auto", out=tmp_path / "folder")
    assert timed == [("cpu", size, runs), ("cuda", size, runs)]
    assert gpu.named("cuLaunchKernel")
    if face is trainability:
        assert same(found, face())
    else:
        assert found.digest() == face(out=tmp_path / "whole").digest()
        # There is nothing left to choose a device for.
        face(device="auto", out=tmp_path / "folder")
    assert len(timed) == 2


def test_a_choice_needs_few_of_many_seeds(timed, monkeypatch, tmp_path, gpu):
    monkeypatch.setattr(training_job, "TRIAL_BYTES", 24 * 20 * 3)  # 3 seeds of the larger network
    with pytest.warns(device_choice.DeviceWarning, match="took cuda:0"):
        sweep(device="auto", out=tmp_path / "folder")
    assert timed == [("cpu", 5, 6), ("cuda", 5, 6)]
    assert gpu.named("cuLaunchKernel")


@pytest.mark.usefixtures("timed")
def test_a_map_in_memory_is_a_single_patch_on_a_gpu(gpu, monkeypatch):
    whole = trainability()

    def blocks(device):
        before = len(gpu.named("cuLaunchKernel"))
        assert same(trainability(device=device), whole)
        return {blocks for _, blocks, *_ in gpu.named("cuLaunchKernel")[before:]}

    assert blocks("cuda") == {3}  # 81 runs
    with pytest.warns(device_choice.DeviceWarning):
        assert blocks("auto") == {3}
    monkeypatch.setattr(map_job, "MOST_ON_GPU", 6)
    assert blocks("cuda") == {1}  # 4 * 4, 4 * 5 and 5 * 5 runs


@pytest.mark.usefixtures("timed")
def test_a_map_against_initial_weights_on_a_gpu(gpu):
    given = {"against": "mean", "samples": 3, "window": ((1, 6), (-2, 2))}
    assert same(trainability(**given, device="cuda"), trainability(**given))
    assert gpu.named("cuLaunchKernel")


def test_patches_in_a_folder_do_not_depend_on_the_device(gpu, tmp_path):
    trainability(device="cuda", out=tmp_path / "map")
    assert len([path for path in (tmp_path / "map" / "parts").rglob("*") if path.is_file()]) == 4
    assert gpu.named("cuLaunchKernel")


@pytest.mark.usefixtures("gpu")
def test_a_map_on_a_gpu_must_fit_into_memory(monkeypatch):
    monkeypatch.setattr(memory, "ALWAYS_FITS", 0)
    monkeypatch.setattr(memory, "available_memory", lambda: 300_000)
    trainability()
    with pytest.raises(ValueError, match="the map must fit into the available memory"):
        trainability(device="cuda")


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("gpu", ": did you mean 'cuda'?"),
        ("gpu:1", ": did you mean 'cuda'?"),
        ("CUDA", ": did you mean 'cuda'?"),
        ("cpus", ": did you mean 'cpu'?"),
        ("mps", ": all GPUs but NVIDIA's are unknown here"),
        ("rocm:0", ": all GPUs but NVIDIA's are unknown here"),
        ("cuda:x", ""),
        ("cuda:-1", ""),
        ("cuda:1.0", ""),
        ("cuda:01", ""),
        ("cuda:", ""),
        ("cuda:٣", ""),
        ("cpu:0", ""),
        ("", ""),
    ],
)
def test_names_of_devices(value, hint, gpu):
    for face in FACES:
        with pytest.raises(ValueError, match="device") as error:
            face(device=value)
        assert str(error.value) == f"{RULE} {value!r}{hint}"
    assert not gpu.calls


@pytest.mark.parametrize("value", [None, 0, True, ["cuda"], b"cuda"])
def test_a_device_is_a_string(value):
    for face in FACES:
        with pytest.raises(TypeError) as error:
            face(device=value)
        assert str(error.value) == f"{RULE} {value!r}"


@pytest.mark.parametrize("name", ["cpu", "cuda", "auto", "cuda:0", "cuda:17"])
def test_known_names(name):
    assert check_device(np.str_(name)) == name
    assert type(check_device(np.str_(name))) is str


@pytest.mark.parametrize("face", FACES)
@pytest.mark.usefixtures("no_gpu")
def test_a_gpu_that_is_not_there(face):
    rule = "^training on a GPU needs an NVIDIA GPU and its driver for CUDA 12 or newer, got no such"
    for device in ("cuda", "cuda:0"):
        with pytest.raises(fastgd.DeviceError, match=rule):
            face(device=device)


@pytest.mark.parametrize("face", FACES)
@pytest.mark.usefixtures("two_gpus")
def test_a_number_that_no_gpu_has(face):
    with pytest.raises(fastgd.DeviceError) as error:
        face(device="cuda:2")
    assert str(error.value) == "a GPU of this process must be cuda:0 to cuda:1, got cuda:2"
    assert isinstance(error.value, RuntimeError)


@pytest.mark.parametrize("face", [sweep, surface, trainability])
@pytest.mark.usefixtures("no_gpu")
def test_the_gpu_is_looked_for_before_a_folder_is_made(face, tmp_path):
    with pytest.raises(fastgd.DeviceError):
        face(device="cuda", out=tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


@pytest.mark.usefixtures("no_gpu")
def test_the_gpu_is_looked_for_before_the_targets_are(tmp_path):
    for call in (fastgd.train, fastgd.sweep):
        with pytest.raises(fastgd.DeviceError):  # and not a warning that 2 is never reached
            call(XOR_X, [0, 1, 1, 2], device="cuda")
    with pytest.raises(fastgd.DeviceError):
        train(device="cuda", checkpoint=tmp_path / "run.npz")
    assert not any(tmp_path.iterdir())


def test_a_misspelled_device():
    with pytest.raises(TypeError, match=r"got 'gpu': fastgd calls it device$"):
        sweep(gpu=True)


# ---------------------------------------------------------------------------------- resuming


@pytest.mark.usefixtures("gpu")
def test_a_run_of_a_gpu_is_resumed_on_the_cpu():
    whole = fastgd.train(XOR_X, XOR_Y, iterations=8, record_every=3)
    on_gpu = train(device="cuda")
    again = fastgd.train(XOR_X, XOR_Y, resume=on_gpu, iterations=4)
    assert again.final_error == whole.final_error
    assert same(again, fastgd.train(XOR_X, XOR_Y, resume=train(), iterations=4, device="cuda"))


@pytest.mark.usefixtures("gpu")
def test_a_sweep_of_a_gpu_is_resumed_on_the_cpu():
    on_gpu, on_cpu = (sweep(keep_state=True, device=device) for device in ("cuda", "cpu"))
    given = {"X": XOR_X, "y": XOR_Y, "iterations": 4}
    again = fastgd.sweep(**given, resume=on_gpu)
    assert same(again, fastgd.sweep(**given, resume=on_cpu, device="cuda:0"))


@pytest.mark.usefixtures("gpu")
def test_a_checkpoint_of_a_gpu_is_resumed_on_the_cpu(tmp_path):
    files = [tmp_path / f"{device}.npz" for device in ("cuda", "cpu")]
    for file in files:
        train(device=file.stem, checkpoint=file)
    assert filecmp.cmp(*files, shallow=False)
    assert same(train(device="cpu", checkpoint=files[0]), train())


@pytest.mark.parametrize("face", [sweep, surface, trainability])
@pytest.mark.parametrize("order", [("cpu", "cuda"), ("cuda", "cpu")])
@pytest.mark.usefixtures("gpu")
def test_a_folder_of_one_device_is_completed_by_another(face, order, tmp_path):
    folder, whole = tmp_path / "folder", tmp_path / "whole"
    face(device="cpu", out=whole)
    face(device=order[0], out=folder)
    *others, last = sorted(path for path in (folder / "parts").rglob("*") if path.is_file())
    assert others or face is surface
    last.unlink()
    face(device=order[1], out=folder)
    names = sorted(path.relative_to(whole) for path in whole.rglob("*") if path.is_file())
    assert last.relative_to(folder) in names
    assert filecmp.cmpfiles(folder, whole, names, shallow=False) == (names, [], [])


def test_a_gpu_that_fails_loses_no_chunk(gpu, tmp_path):
    given = {"hidden_size": [4, 5, 6], "threads": 1, "out": tmp_path / "folder"}
    given = {"X": XOR_X, "y": XOR_Y, "alpha": [0.1, 10], "seed": SEEDS, **FEW, **given}
    fastgd.sweep(**given | {"out": tmp_path / "whole", "device": "cuda"})
    gpu.fail("cuLaunchKernel", "LAUNCH_FAILED", len(gpu.named("cuLaunchKernel")))
    with pytest.raises(fastgd.DeviceError, match="must run to its end on cuda:0"):
        fastgd.sweep(**given, device="cuda")
    begun = fastgd.open(tmp_path / "folder")
    assert 0 < begun.missing < len(begun)
    assert fastgd.sweep(**given).digest() == fastgd.open(tmp_path / "whole").digest()


# --------------------------------------------------------------------------------- executors


class Workers(Executor):
    """Executes each task at once, on a worker that has this number of GPUs."""

    def __init__(self, gpus):
        self.gpus, self.launches = gpus, 0

    def submit(self, task, *args):
        done = Future()
        with (
            pytest.MonkeyPatch.context() as patch,
            cuda_stand_in.installed(patch, count=self.gpus) as driver,
        ):
            try:
                done.set_result(pickle.loads(pickle.dumps(task(*args))))
            except Exception as error:
                done.set_exception(pickle.loads(pickle.dumps(error)))
                error.__traceback__ = None
            self.launches += len(driver.named("cuLaunchKernel"))
        return done


@pytest.mark.parametrize("face", [sweep, surface, trainability])
def test_workers_have_the_gpu_and_the_caller_has_none(face, no_gpu):
    workers = Workers(gpus=1)
    assert same(face(device="cuda", executor=workers), face())
    assert workers.launches > 0
    assert not no_gpu.calls


def test_a_worker_without_a_gpu(gpu):
    with pytest.raises(fastgd.DeviceError) as error:
        sweep(device="cuda", executor=Workers(gpus=0))
    assert (
        "training on a GPU needs an NVIDIA GPU and its driver for CUDA 12 or newer, got no such GPU"
    ) in str(error.value)
    assert not gpu.calls


@pytest.mark.usefixtures("no_gpu")
def test_names_are_checked_with_an_executor():
    with pytest.raises(ValueError, match="'gpu': did you mean 'cuda'"):
        sweep(device="gpu", executor=Workers(gpus=1))


def fit_groups(**how):
    return fastgd.fit_groups({"g": [0, 1], "x": [1, 2], "y": [3, 4]}, by="g", target="y", **how)


@pytest.mark.parametrize("face", [sweep, surface, trainability, fit_groups])
def test_the_caller_does_not_choose_for_workers(face, gpu, tmp_path):
    for where in ({}, {"out": tmp_path / "folder"}):
        with pytest.raises(ValueError, match=r"^device must be .* with an executor, got 'auto'"):
            face(device="auto", executor=Workers(gpus=1), **where)
    assert not gpu.calls
    assert not any(tmp_path.iterdir())


# ----------------------------------------------------------------------------------- devices


def test_devices_of_a_machine_with_gpus(two_gpus):
    found = fastgd.devices()
    assert [one.name for one in found] == ["cpu", "cuda:0", "cuda:1"]
    cpu, first, _ = found
    assert cpu.threads >= 1
    assert cpu.lanes in (2, 4, 8)
    assert (first.model, first.multiprocessors, first.capability) == ("Stand-in 0", 132, (9, 0))
    assert first.memory == 1 << 30
    assert not two_gpus.named("cuDevicePrimaryCtxRetain")  # which would take memory for good
    assert found.note == ""
    lines = str(found).splitlines()
    assert lines[0].split() == [*("device", "model", "memory", "processors", "capability")]
    assert lines[2].endswith("1.1 GB  132 multiprocessors  9.0")
    assert len({line.index(word) for line, word in zip(lines, ("processors", f"{cpu.threads} thr",
                "132 multi", "132 multi"), strict=True)}) == 1  # fmt: skip
    for one in found:
        assert check_device(one.name) == one.name
        with pytest.raises(AttributeError):
            one.name = "cpu"


@pytest.mark.usefixtures("no_gpu")
def test_devices_of_a_machine_without_a_gpu():
    found = fastgd.devices()
    assert [one.name for one in found] == ["cpu"]
    assert found.note.startswith("No GPU: training on a GPU needs an NVIDIA GPU")
    assert str(found).splitlines()[2:] == [found.note]


OLD = "a kernel needs a GPU of compute capability 7.0 or newer, got 6.1 of cuda:0 (Stand-in 0)"


def test_a_gpu_that_is_too_old_is_left_out(two_gpus):
    two_gpus.gpus[0].capability = 6, 1
    found = fastgd.devices()
    assert [one.name for one in found] == ["cpu", "cuda:1"]
    assert found.note == f"Left out: {OLD}"
    assert same(sweep(device="cuda"), sweep())
    used = {function.gpu.name for function, *_ in two_gpus.named("cuLaunchKernel")}
    assert used == {"Stand-in 1"}


@pytest.mark.parametrize("face", [sweep, surface, trainability])
def test_a_gpu_that_is_too_old_makes_no_folder(face, gpu, tmp_path):
    gpu.gpus[0].capability = 6, 1
    for device in ("cuda", "cuda:0"):
        with pytest.raises(fastgd.DeviceError) as error:
            face(device=device, out=tmp_path / "folder")
        assert str(error.value) == OLD
    assert not any(tmp_path.iterdir())
    found = fastgd.devices()
    assert [one.name for one in found] == ["cpu"]
    assert found.note == f"No GPU: {OLD}"
