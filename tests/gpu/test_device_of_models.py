"""The argument device where models are trained: estimators, searches, tables, groups, commands.

The GPU is that of cuda_stand_in.py: it executes PTX by the tests' own machine, or does nothing
where the question is what is launched.
"""

import json

import numpy as np
import pytest
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import cuda_stand_in
import fastgd
from fastgd.engine import execution as device_choice
from fastgd.sklearn import FastGDRegressor, GroupedRegressor, SweepSearchCV
from fastgd.sklearn.estimator_parameters import check_parameters

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RANDOM = np.random.default_rng(4)
X = RANDOM.normal(size=(24, 2))
Y = X[:, 0] - 2 * X[:, 1]
IN_GROUPS = np.column_stack([X, np.arange(24) % 2])
TABLE = {"shop": ["Bonn", "Oslo"] * 12, "price": X[:, 0], "sales": Y}
GRID = {"alpha": [0, 1]}
NO_GPU = "^training on a GPU needs an NVIDIA GPU and its driver for CUDA 12 or newer, got no such"


def network(device="cpu", **parameters):
    few = {"hidden_layer_sizes": (3,), "max_iter": 2, "batch_size": 24, "random_state": 0}
    return FastGDRegressor(**few | parameters, device=device)


def ensemble(device):
    return network(device, n_ensemble=3).fit(X, Y).predict(X)


def epoch_by_epoch(device):
    return network(device).partial_fit(X, Y).partial_fit(X, Y).predict(X)


def warm_start(device):
    return network(device, warm_start=True).fit(X, Y).fit(X, Y).predict(X)


def found_by(searched):
    return searched.fit(X, Y).cv_results_["mean_test_score"]


def search_by_its_own(device):
    return found_by(SweepSearchCV(network(), GRID, cv=2, refit=False, device=device))


def search_by_the_estimators(device):
    return found_by(SweepSearchCV(network(device), GRID, cv=2, refit=False))


def halving(device):
    return found_by(SweepSearchCV(network(), GRID, cv=2, refit=False, halving=True, device=device))


def in_a_pipeline(device):
    steps = make_pipeline(StandardScaler(), network())
    grid = {"fastgdregressor__alpha": [0, 1]}
    return found_by(SweepSearchCV(steps, grid, cv=2, refit=False, device=device))


def grouped(device):
    return GroupedRegressor(network(device), groups=2).fit(IN_GROUPS, Y).predict(IN_GROUPS)


def fit_groups(device):
    given = {"by": "shop", "target": "sales", "hidden_size": 3, "iterations": 3}
    return fastgd.fit_groups(TABLE, **given, device=device).predict(TABLE)


def fit(device):
    columns = {"price": X[:, 0], "other": X[:, 1], "sales": Y}
    return fastgd.fit(columns, "sales", hidden_size=(), folds=2, device=device).predict(columns)


FACES = [
    ensemble,
    epoch_by_epoch,
    warm_start,
    search_by_its_own,
    search_by_the_estimators,
    halving,
    in_a_pipeline,
    grouped,
    fit_groups,
    fit,
]


@pytest.fixture
def no_gpu(monkeypatch):
    """This machine has a driver, but no GPU, as far as fastgd can see."""
    with cuda_stand_in.installed(monkeypatch, count=0) as driver:
        yield driver


@pytest.mark.parametrize("face", FACES)
def test_what_is_trained_is_launched_on_a_gpu(face, idle_gpu, monkeypatch):
    monkeypatch.setattr("fastgd.models.fit_search.EPOCHS", 1)
    face("cuda")
    assert idle_gpu.named("cuLaunchKernel")


@pytest.mark.slow
@pytest.mark.parametrize("face", FACES)
def test_a_gpu_gives_the_bits_of_the_cpu(face, gpu, monkeypatch):
    monkeypatch.setattr("fastgd.models.fit_search.EPOCHS", 1)
    on_gpu = face("cuda")
    assert gpu.named("cuLaunchKernel")
    gpu.calls.clear()
    assert face("cpu").tobytes() == on_gpu.tobytes()
    assert not gpu.calls


def test_a_fit_that_goes_on_does_so_on_the_gpu(idle_gpu):
    by_epoch = network("cuda").partial_fit(X, Y)
    warm = network("cuda", warm_start=True).fit(X, Y)
    for model, call in ((by_epoch, by_epoch.partial_fit), (warm, warm.fit)):
        idle_gpu.calls.clear()
        assert call(X, Y) is model
        assert idle_gpu.named("cuLaunchKernel")


@pytest.mark.parametrize("face", FACES)
def test_a_gpu_that_is_not_there(face, no_gpu):
    with pytest.raises(fastgd.DeviceError, match=NO_GPU):
        face("cuda")
    assert not no_gpu.named("cuLaunchKernel")


@pytest.mark.parametrize("face", FACES)
def test_names_of_devices(face):
    with pytest.raises(ValueError, match=r"device must be .*, got 'gpu': did you mean 'cuda'\?"):
        face("gpu")


@pytest.mark.usefixtures("no_gpu")
def test_a_search_has_no_score_for_a_gpu_that_is_not_there():
    """error_score is for the faults of candidates."""
    for device in (["cuda"], ["cpu", "cuda"]):
        searched = SweepSearchCV(network(), {"device": device}, cv=2, error_score=np.nan)
        with pytest.raises(fastgd.DeviceError, match=NO_GPU):
            searched.fit(X, Y)


def test_a_gpu_that_fails_in_a_search(idle_gpu):
    idle_gpu.fail("cuLaunchKernel", "LAUNCH_FAILED")
    searched = SweepSearchCV(network(), GRID, cv=2, device="cuda", error_score=np.nan)
    with pytest.raises(fastgd.DeviceError, match="must run to its end on cuda:0"):
        searched.fit(X, Y)


def test_the_best_candidate_is_trained_where_the_estimator_says(idle_gpu):
    searched = SweepSearchCV(network(), GRID, cv=2, device="cuda").fit(X, Y)
    launches = len(idle_gpu.named("cuLaunchKernel"))
    assert searched.best_estimator_.device == "cpu"
    SweepSearchCV(network(), GRID, cv=2, refit=False, device="cuda").fit(X, Y)
    assert len(idle_gpu.named("cuLaunchKernel")) == 2 * launches


@pytest.mark.slow
@pytest.mark.usefixtures("gpu")
def test_scikit_learns_own_search_has_the_same_scores():
    ours = SweepSearchCV(network(), GRID, cv=2, device="cuda").fit(X, Y)
    theirs = GridSearchCV(network(), GRID, cv=2).fit(X, Y)
    for name in ("mean_test_score", "split0_test_score"):
        assert ours.cv_results_[name].tobytes() == theirs.cv_results_[name].tobytes()


@pytest.mark.usefixtures("no_gpu")
def test_a_minimizer_needs_no_gpu_to_be_refused_one():
    with pytest.raises(ValueError, match=r"^device must be 'cpu' with solver='lbfgs', got 'cuda'$"):
        network("cuda", solver="lbfgs").fit(X, Y)


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_a_search_refuses_a_gpu_where_it_could_not_use_it(idle_gpu):
    with pytest.raises(
        ValueError,
        match=r"^device must be 'cpu' for an estimator that is not one of fastgd, got 'cuda'$",
    ):
        SweepSearchCV(Ridge(), GRID, cv=2, device="cuda").fit(X, Y)
    minimizing = SweepSearchCV(network(solver="lbfgs"), GRID, cv=2, device="cuda")
    rule = r"device must be 'cpu' with solver='lbfgs', got 'cuda'"
    with pytest.raises(ValueError, match=rule):
        minimizing.fit(X, Y)
    with pytest.raises(ValueError, match=rule):
        minimizing.set_params(error_score="raise").fit(X, Y)
    assert not idle_gpu.named("cuMemAlloc")
    both = SweepSearchCV(network(), {"solver": ["lbfgs", "adam"]}, cv=2, device="cuda", refit=False)
    with pytest.warns(FitFailedWarning, match=rule):
        scores = both.fit(X, Y).cv_results_["mean_test_score"]
    assert np.isnan(scores).tolist() == [True, False]
    assert idle_gpu.named("cuLaunchKernel")


@pytest.mark.filterwarnings("ignore:Ridge is not an estimator of fastgd")
@pytest.mark.filterwarnings("ignore:solver='lbfgs' can't be trained jointly")
def test_a_search_on_the_cpu_has_any_estimator():
    for estimator in (Ridge(), network(solver="lbfgs")):
        for device in (None, "cpu", "auto"):
            found = SweepSearchCV(estimator, GRID, cv=2, refit=False, device=device).fit(X, Y)
            assert np.isfinite(found.cv_results_["mean_test_score"]).all()


@pytest.mark.usefixtures("gpu")
def test_a_minimizer_has_no_gpu():
    with pytest.raises(
        ValueError, match=r"^device must be 'cpu' with solver='lbfgs', got 'cuda:0'$"
    ):
        network("cuda:0", solver="lbfgs").fit(X, Y)
    check_parameters(vars(network("auto", solver="lbfgs")))


# ---------------------------------------------------------------------------------- commands


@pytest.fixture
def table(tmp_path):
    file = tmp_path / "table.csv"
    rows = [f"{a:.3f},{b:.3f},{c:.3f}" for (a, b), c in zip(X, Y, strict=True)]
    file.write_text("\n".join(["a,b,y", *rows]))
    return file


def commands(file, folder):
    few = ("--target", "y", "--raw", "--iterations", 6, "--hidden-size", 3)
    return {
        "train": ("train", file, *few),
        "sweep": ("sweep", file, *few, "--alpha", "0.1,0.01"),
        "surface": ("surface", "--resolution", 4, "--iterations", 2),
        "fit": ("fit", file, "--target", "y", "--folds", 2, "--hidden-size", "none"),
        "trainability": (
            *("trainability", "--resolution", 4, "--iterations", 4, "--width", 4),
            *("--plot", folder / "map.png"),
        ),
    }


COMMANDS = ["train", "sweep", "surface", "fit", "trainability"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_launches_on_a_gpu(command, idle_gpu, run, table, tmp_path, monkeypatch):
    monkeypatch.setattr("fastgd.models.fit_search.EPOCHS", 1)
    code, out, err = run(*commands(table, tmp_path)[command], "--json", "--device", "cuda")
    assert (code, err) == (0, "")
    assert json.loads(out)["seconds"] > 0
    assert idle_gpu.named("cuLaunchKernel")


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_gives_the_bits_of_the_cpu(command, gpu, run, table, tmp_path, monkeypatch):
    monkeypatch.setattr("fastgd.models.fit_search.EPOCHS", 1)
    found = []
    for device in ("cuda", "cpu"):
        gpu.calls.clear()
        code, out, err = run(*commands(table, tmp_path)[command], "--json", "--device", device)
        assert (code, err) == (0, "")
        assert bool(gpu.named("cuLaunchKernel")) is (device == "cuda")
        facts = json.loads(out)
        facts.pop("seconds")
        found.append(facts)
    assert found[0] == found[1]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_refuses_what_is_no_device(command, no_gpu, run, table, tmp_path):
    rule = "--device must be 'cpu', 'cuda', 'cuda:0' (or another number) or 'auto', got "
    for device, message in (
        ("gpu", f"{rule}'gpu': did you mean 'cuda'?"),
        ("cuda:x", f"{rule}'cuda:x'"),
        ("cuda", f"{NO_GPU[1:]} GPU"),
    ):
        code, out, err = run(*commands(table, tmp_path)[command], "--device", device)
        assert (code, out) == (2, "")
        assert err == f"fastgd: error: {message}\n"
    assert not no_gpu.named("cuLaunchKernel")


def test_the_command_trainability_has_large_patches_on_a_gpu(run, gpu, tmp_path):
    plot = tmp_path / "map.png"
    given = ("trainability", "--resolution", 9, "--iterations", 3, "--width", 4, "--plot", plot)
    code, on_gpu, _ = run(*given, "--json", "--device", "cuda")
    assert code == 0
    assert gpu.named("cuLaunchKernel")[-1][1] == 3  # 81 runs
    code, on_cpu, _ = run(*given, "--json")
    assert json.loads(on_gpu) | {"seconds": 0} == json.loads(on_cpu) | {"seconds": 0}
    assert [path.name for path in tmp_path.iterdir()] == ["map.png"]
    folder = tmp_path / "map.patches"  # as an interrupted command leaves it
    fastgd.trainability(9, iterations=3, width=4, out=folder)
    _, resumed, _ = run(*given, "--json", "--device", "cuda")
    assert json.loads(resumed)["patches_found"] == 4
    assert not folder.exists()


@pytest.mark.parametrize(
    ("command", "work"), [("train", (1, 6)), ("sweep", (2, 6)), ("trainability", (16, 3))]
)
def test_a_command_chooses_for_the_whole_work(
    command, work, run, table, gpu, tmp_path, monkeypatch
):
    chosen = []

    def estimate(plan):
        chosen.append((plan.runs, plan.task.iterations))
        return 0.0

    monkeypatch.setattr(device_choice, "_estimate", estimate)
    monkeypatch.setattr(device_choice, "_said", {"the CPU, where the work takes less than 1 s"})
    assert run(*commands(table, tmp_path)[command], "--device", "auto")[0] == 0
    assert chosen == [work]  # and not for one iteration, which only compiles
    assert not gpu.named("cuLaunchKernel")


@pytest.mark.usefixtures("two_gpus")
def test_the_command_devices(run):
    code, out, err = run("devices")
    assert (code, out, err) == (0, f"{fastgd.devices()}\n", "")
    code, out, err = run("devices", "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert [one["name"] for one in found["devices"]] == ["cpu", "cuda:0", "cuda:1"]
    assert found["devices"][1]["capability"] == [9, 0]
    assert found["note"] == ""


@pytest.mark.usefixtures("no_gpu")
def test_the_command_devices_without_a_gpu(run):
    code, out, err = run("devices")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].startswith("No GPU: training on a GPU needs")
