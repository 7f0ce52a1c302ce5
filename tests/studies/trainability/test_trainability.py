import multiprocessing
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

import fastgd
from fastgd.engine.devices import available_threads
from fastgd.engine.results import Summary
from fastgd.store.folder import MANIFEST, Folder, remove
from fastgd.studies import mean_field as trainings
from fastgd.studies.job import StudyJob
from fastgd.studies.mean_field import MapTrainings, Settings, mean_field, patches_of
from fastgd.studies.trainability_map import Trainability

# Small maps that cross the edge; all of them share one compiled kernel.
SMALL = {"iterations": 30, "width": 4, "window": ((-1.0, 3.0), (-1.0, 3.0))}


@pytest.fixture(scope="module")
def found():
    return fastgd.trainability(16, **SMALL)


@pytest.fixture
def small_patches(monkeypatch):
    """Patches of at most 6 x 6 pixels, 9 of them."""
    monkeypatch.setattr(trainings, "side_of", lambda *_: 6)
    return patches_of(16, 6)


@pytest.fixture
def trained(monkeypatch):
    """The patches that were computed, in order."""
    found, compute = [], StudyJob.compute

    def counted(self, chunk, threads, advance):
        arrays = compute(self, chunk, threads, advance)
        found.append(chunk)
        return arrays

    monkeypatch.setattr(StudyJob, "compute", counted)
    return found


def patches_in(folder):
    """How many patches a folder has."""
    return int(Folder.open(folder).done().sum()) if (folder / MANIFEST).exists() else 0


def made_up(values, window=((0.0, 1.0), (2.0, 4.0))):
    """A map with these values."""
    values = np.asarray(values, float)
    rates = np.arange(1.0, len(values) + 1)
    settings = Settings(len(values), 5, 4, window, "tanh", None, 1)
    return Trainability(settings, rates, 10 * rates, values)


def value_of(run):
    """The definition, from all errors of a run."""
    errors = np.append(run.errors, run.final_error)[: run.iterations + 1]
    errors = errors[np.isfinite(errors)] / errors[0]
    converged = run.status != "diverged" and errors[-20:].mean() < 1
    return -errors.sum() if converged else (1 / errors).sum()


def test_a_pixel_is_the_training_with_its_rates(found):
    problem = mean_field(4, "tanh", None, 1)
    for row, column in ((0, 0), (3, 15), (10, 2), (8, 9), (12, 12), (15, 15)):
        rates = found.input_rates[column], found.output_rates[row]
        alpha = tuple(rate * factor for rate, factor in zip(rates, problem.factors, strict=True))
        run = fastgd.train(
            problem.X,
            problem.y,
            weights=problem.weights,
            alpha=alpha,
            activation="tanh",
            output="identity",
            iterations=29,
            record_every=1,
            summary=20,
        )
        value = found.values[row, column]
        assert value == pytest.approx(value_of(run), rel=1e-12)
        kept = -run.summary.error_sum if value < 0 else run.summary.inverse_sum
        assert value == kept  # the same bits
        assert found.converged[row, column] == (value < 0)
    assert 0.2 < found.converged.mean() < 0.8


def test_pixels_lie_at_centres(found):
    centers = -1 + 4 * (np.arange(16) + 0.5) / 16
    np.testing.assert_allclose(found.input_rates, 10.0**centers)
    np.testing.assert_array_equal(found.input_rates, found.output_rates)
    given = (16, 30, 4, ((-1.0, 3.0), (-1.0, 3.0)), "tanh", None, 1)
    assert found.settings == (*given, None, "output_rate")


@pytest.mark.parametrize("against", ["mean", "spread"])
def test_rows_may_differ_in_their_initial_weights(against):
    given = SMALL | {"window": ((-1.0, 3.0), (-2.0, 1.0)), "samples": 5, "against": against}
    found = fastgd.trainability(9, **given)
    heights = -2 + 3 * (np.arange(9) + 0.5) / 9
    np.testing.assert_allclose(found.rows, heights if against == "mean" else 10.0**heights)
    problem = mean_field(4, "tanh", None, 1, 5)
    assert problem.X.shape == (5, 4)
    weights = problem.weights[0] / np.sqrt(2 / 4)  # those from N(0, 1)
    for row, column in ((0, 0), (8, 3), (3, 8), (5, 4)):
        changed = weights + found.rows[row] if against == "mean" else weights * found.rows[row]
        [(first, second)] = problem.starts(against, found.rows[row : row + 1])
        np.testing.assert_allclose(first, changed * np.sqrt(2 / 4), rtol=1e-14)
        assert np.array_equal(second, problem.weights[1])
        run = fastgd.train(
            problem.X,
            problem.y,
            weights=(first, second),
            alpha=tuple(found.input_rates[column] * factor for factor in problem.factors),
            activation="tanh",
            output="identity",
            iterations=29,
            summary=20,
        )
        value = found.values[row, column]
        assert value == (-run.summary.error_sum if value < 0 else run.summary.inverse_sum)
    assert 0.2 < found.converged.mean() < 0.8


def test_a_folder_of_such_a_map_is_no_other_one(tmp_path):
    given = SMALL | {"against": "mean", "samples": 5, "out": tmp_path / "map"}
    whole = fastgd.trainability(9, **given)
    assert fastgd.trainability(9, **given).values.tobytes() == whole.values.tobytes()
    with pytest.raises(ValueError, match="got one with samples 5 instead of none, against 'mean'"):
        fastgd.trainability(9, **SMALL, out=tmp_path / "map")


def test_a_map_against_the_mean_has_no_output_rates():
    found = fastgd.trainability(5, **SMALL, against="mean")
    message = "needs a map against 'output_rate', got one against 'mean': its values are in rows"
    with pytest.raises(AttributeError, match=message):
        _ = found.output_rates
    assert repr(found).split("; ")[0].endswith("seed=1, against='mean'")


def test_a_folder_of_an_older_version_holds_the_same_map(tmp_path):
    fastgd.trainability(5, **SMALL, out=tmp_path / "map")
    assert list(Folder.open(tmp_path / "map").manifest.asked) == [
        "resolution", "iterations", "width", "window", "activation", "batch_size", "seed",
    ]  # fmt: skip


def test_rates_of_the_layers_do_not_get_mixed_up():
    found = fastgd.trainability(6, **SMALL | {"window": ((-8, -7), (0, 3))})
    # The input layer hardly learns, so that columns are nearly alike and rows are not.
    np.testing.assert_allclose(found.values, found.values[:, :1] + np.zeros(6), rtol=1e-3)
    assert found.converged[0].all()
    assert not found.converged[-1].any()
    assert found.input_rates.max() < 1e-7


def test_hardly_any_learning_sums_up_to_one_per_look():
    found = fastgd.trainability(5, **SMALL | {"window": ((-9, -8), (-9, -8))})
    np.testing.assert_allclose(found.values, -30, rtol=1e-6)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_bits_in_any_patches_on_any_threads(found, small_patches, trained, threads):
    again = fastgd.trainability(16, **SMALL, threads=min(threads, available_threads()))
    assert again.values.tobytes() == found.values.tobytes()
    assert sorted(trained) == list(range(len(small_patches)))


def test_settings_decide_about_patches(found):
    assert len(MapTrainings.of(found.settings).patches) == 4
    slow = found.settings._replace(resolution=100, iterations=10**6)
    assert len(MapTrainings.of(slow).patches) == 20**2


@pytest.mark.usefixtures("small_patches")
@pytest.mark.parametrize("out", [False, True], ids=["in memory", "in a folder"])
def test_an_executor_changes_no_bit(found, trained, tmp_path, out):
    where = {"out": tmp_path / "map"} if out else {}
    with ThreadPoolExecutor(2) as executor:
        again = fastgd.trainability(16, **SMALL, executor=executor, **where)
    assert again.values.tobytes() == found.values.tobytes()
    assert sorted(trained) == list(range(9))


@pytest.mark.slow
@pytest.mark.usefixtures("small_patches")
def test_workers_in_other_processes_change_no_bit(found, tmp_path):
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        again = fastgd.trainability(16, **SMALL, executor=executor)
        kept = fastgd.trainability(16, **SMALL, executor=executor, out=tmp_path / "map")
    assert again.values.tobytes() == kept.values.tobytes() == found.values.tobytes()
    assert patches_in(tmp_path / "map") == 9


def test_another_seed_is_another_map(found):
    other = fastgd.trainability(16, **SMALL, seed=2)
    assert (other.values != found.values).mean() > 0.9


@pytest.mark.usefixtures("small_patches")
@pytest.mark.parametrize("finished", [0, 1, 4])
def test_interrupted_and_continued_it_has_the_same_bits(
    found, trained, tmp_path, monkeypatch, finished
):
    compute = StudyJob.compute

    def interrupted(*given):
        if len(trained) == finished:
            raise KeyboardInterrupt
        return compute(*given)

    folder = tmp_path / "map"
    with monkeypatch.context() as patch:
        patch.setattr(StudyJob, "compute", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fastgd.trainability(16, **SMALL, out=folder, threads=1)
    assert patches_in(folder) == finished
    trained.clear()
    again = fastgd.trainability(16, **SMALL, out=folder, threads=1)
    assert again.values.tobytes() == found.values.tobytes()
    assert trained == list(range(finished, 9))
    trained.clear()
    read = fastgd.trainability(16, **SMALL, out=folder)
    assert read.values.tobytes() == found.values.tobytes()
    assert trained == []


SLOW = """
import time
import fastgd
from fastgd.studies import job
from fastgd.studies import mean_field as trainings

trainings.side_of = lambda *_: 6
compute = job.StudyJob.compute

def slow(*given):
    time.sleep(0.2)
    return compute(*given)

job.StudyJob.compute = slow
"""


@pytest.mark.slow
@pytest.mark.usefixtures("small_patches")
def test_killed_in_a_real_process_and_continued(found, tmp_path):
    """SIGINT ends it with a traceback, SIGKILL without: what is done stays in both cases."""
    folder = tmp_path / "map"
    program = f"{SLOW}\nfastgd.trainability(16, **{SMALL}, out={str(folder)!r}, threads=1)\n"
    for kind in (signal.SIGINT, signal.SIGKILL):
        before = patches_in(folder)
        process = subprocess.Popen(
            [sys.executable, "-c", program], stderr=subprocess.PIPE, text=True
        )
        with process:
            while patches_in(folder) < before + 2:
                assert process.poll() is None, process.communicate()
                time.sleep(0.01)
            process.send_signal(kind)
            _, err = process.communicate(timeout=60)
        assert process.returncode != 0
        assert ("KeyboardInterrupt" in err) == (kind == signal.SIGINT)
        assert before + 2 <= patches_in(folder) < 9
    again = fastgd.trainability(16, **SMALL, out=folder)
    assert again.values.tobytes() == found.values.tobytes()


@pytest.mark.usefixtures("small_patches")
@pytest.mark.parametrize("when", [1, 3, 9])
def test_another_process_with_the_whole_map_removes_the_folder(
    found, trained, tmp_path, monkeypatch, when
):
    """What was seen of it is not computed again."""
    folder, compute = tmp_path / "map", StudyJob.compute

    def interfered(*given):
        if len(trained) == when - 1:
            remove(folder)
        return compute(*given)

    monkeypatch.setattr(StudyJob, "compute", interfered)
    again = fastgd.trainability(16, **SMALL, out=folder, threads=1)
    assert again.values.tobytes() == found.values.tobytes()
    assert len(trained) == 9
    assert patches_in(folder) == 9 - (when - 1)


@pytest.mark.slow
@pytest.mark.usefixtures("small_patches")
def test_two_processes_share_a_map(found, tmp_path):
    """The one with the most to do waits for the other one's last patch, and reads it."""
    folder = tmp_path / "map"
    log = "import sys; print(len(done), file=sys.stderr)"
    program = SLOW.replace("def slow(*given):", "done = []\ndef slow(*given):\n    done.append(1)")
    program += f"fastgd.trainability(16, **{SMALL}, out={str(folder)!r}, threads=1)\n{log}\n"
    processes = [
        subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    done = [int(process.communicate(timeout=60)[1]) for process in processes]
    assert sum(done) == 9
    assert min(done) > 0
    read = fastgd.trainability(16, **SMALL, out=folder)
    assert read.values.tobytes() == found.values.tobytes()


def test_a_folder_with_another_map_is_refused(tmp_path):
    folder = tmp_path / "map"
    fastgd.trainability(16, **SMALL, out=folder)
    for name, value in (("seed", 2), ("iterations", 31), ("window", ((0, 1), (0, 1)))):
        message = f"hold the same map of trainability, got one with {name}"
        with pytest.raises(ValueError, match=message):
            fastgd.trainability(16, **SMALL | {name: value}, out=folder)


@pytest.mark.slow
def test_mini_batches_look_once_per_epoch():
    settings = {"iterations": 31, "width": 4, "batch_size": 5}  # 20 samples: 4 batches
    found = fastgd.trainability(5, **settings, window=((-9, -8), (-9, -8)))
    np.testing.assert_allclose(found.values, -9, rtol=1e-6)
    found = fastgd.trainability(5, **settings, window=((-1, 3), (-1, 3)))
    problem = mean_field(4, "tanh", 5, 1)
    for row, column in ((0, 0), (1, 3), (4, 4)):
        rates = found.input_rates[column], found.output_rates[row]
        run = fastgd.train(
            problem.X,
            problem.y,
            weights=problem.weights,
            alpha=tuple(r * factor for r, factor in zip(rates, problem.factors, strict=True)),
            activation="tanh",
            output="identity",
            iterations=30,
            batch_size=5,
            shuffle_seed=1,
            summary=5,  # epochs that hold 20 iterations
        )
        converged = run.status != "diverged" and run.summary.tail_mean < 1
        assert found.converged[row, column] == converged
        kept = -run.summary.error_sum if converged else run.summary.inverse_sum
        assert found.values[row, column] == kept


@pytest.mark.parametrize(("batch_size", "looks"), [(None, 20), (10, 10), (4, 4), (1, 1)])
def test_the_last_twenty_iterations_decide(found, batch_size, looks):
    job = MapTrainings.of(found.settings._replace(batch_size=batch_size))
    method = job.method
    assert method.summary == looks
    assert method.batch_size == batch_size


def test_what_converged_means():
    status = np.array(["finished", "finished", "finished", "diverged"])
    sums = Summary(None, None, np.array([0.999, 1.0, 1.5, 0.5]), np.arange(4.0), 7 + np.arange(4.0))
    assert trainings.values_of(status, sums).tolist() == [-0.0, 8.0, 9.0, 10.0]


@pytest.mark.parametrize(
    "names",
    [pytest.param(("tanh", "relu", "identity", "sigmoid"), marks=pytest.mark.slow)],
    ids=len,
)
def test_activations_differ(names):
    maps = [fastgd.trainability(5, **SMALL, activation=name).values for name in names]
    for k, one in enumerate(maps):
        assert (one < 0).any()
        for other in maps[:k]:
            assert (one != other).all()


def test_boundary_and_its_dimension(found):
    outcomes = found.converged
    for i, j in np.ndindex(15, 15):
        square = outcomes[i : i + 2, j : j + 2]
        assert found.boundary[i, j] == (square.any() and not square.all())
    boxes = found.box_counting()
    assert boxes.counts[0] == found.boundary.sum()
    assert 0.5 < boxes.dimension < 1.5


def test_a_map_with_a_straight_edge_has_dimension_one():
    values = np.ones((64, 64))
    values[:30] = -1
    assert made_up(values).box_counting().dimension == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(("value", "word"), [(-1, "converged"), (1, "diverged")])
def test_no_boundary(value, word):
    message = "must hold converged and diverged trainings to have a boundary, "
    with pytest.raises(ValueError, match=message + f"got {word} ones only"):
        made_up(np.full((16, 16), value)).box_counting()


def test_zoom_goes_where_most_of_the_boundary_is():
    values = np.ones((16, 16))
    values[3, 2] = -1  # a little boundary
    values[10:13:2, 14] = -1  # and more of it
    (left, right), (bottom, top) = made_up(values).zoom(4)
    assert (left, right) == (0.75, 1.0)
    assert (bottom, top) == (3.0, 3.5)
    with pytest.raises(ValueError, match="factor must be at most 16, got 17"):
        made_up(values).zoom(17)


def test_a_zoom_is_a_part_of_the_map(found):
    window = ((1.0, 2.0), (1.0, 2.0))
    part = fastgd.trainability(4, **SMALL | {"window": window})
    np.testing.assert_allclose(part.input_rates, found.input_rates[8:12])
    np.testing.assert_array_equal(part.converged, found.converged[8:12, 8:12])


def test_the_initial_weights_of_rows_need_memory(monkeypatch):
    """Three copies for the 16 rows of a patch, on one thread."""
    monkeypatch.setattr("fastgd.studies.mean_field.check_memory", lambda size, _: seen(size))

    def seen(size):
        raise ValueError(size)

    given = SMALL | {"samples": 3, "threads": 1}
    plain, extra = 64 * 16**2 + 128 * 4 * (4 + 3), 24 * 16 * 4 * 5
    for more, expected in (({}, plain), ({"against": "mean"}, plain + extra)):
        with pytest.raises(ValueError, match=f"^{expected}$"):
            fastgd.trainability(16, **given | more)


def test_the_default_number_of_samples_is_the_default(found, tmp_path):
    fastgd.trainability(16, **SMALL, out=tmp_path / "map")
    again = fastgd.trainability(16, **SMALL, samples=20, out=tmp_path / "map")
    assert again.settings == found.settings


def test_repr(found):
    assert repr(found).startswith("Trainability(resolution=16, iterations=30, width=4, window=")
    assert repr(found).endswith(f"seed=1; {found.converged.mean():.1%} of 256 converged)")


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"resolution": 0}, ValueError, "resolution must be at least 1, got 0"),
        ({"resolution": 2.5}, TypeError, "resolution must be an int, got 2.5"),
        ({"resolution": 10**7}, ValueError, "the map must fit into the available memory"),
        ({"iterations": 1}, ValueError, "iterations must be at least 2, got 1"),
        ({"width": 0}, ValueError, "width must be at least 1, got 0"),
        ({"width": 10**6}, ValueError, "the map must fit into the available memory"),
        ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
        ({"threads": 0}, ValueError, "threads must be at least 1, got 0"),
        ({"progress": 1}, TypeError, "progress must be True, False or a function, got 1"),
        ({"activation": "tan"}, ValueError, "activation must be 'tanh', 'relu', 'identity' or "
         "'sigmoid', got 'tan': did you mean 'tanh'?"),
        ({"batch_size": 21}, ValueError, "batch_size must be at most 20, got 21"),
        ({"batch_size": 8}, ValueError, "batch_size must divide the number of samples (20), got 8"),
        ({"samples": 0}, ValueError, "samples must be at least 1, got 0"),
        ({"samples": 5, "batch_size": 2}, ValueError,
         "batch_size must divide the number of samples (5), got 2"),
        ({"against": "rate"}, ValueError, "against must be 'output_rate', 'mean' or 'spread', got"),
        ({"against": "mean", "window": ((0, 1), (0, 101))}, ValueError,
         "window's top, a mean of initial weights, must be a number from -100 to 100, got 101"),
        ({"against": "spread", "window": ((0, 1), (0, 101))}, ValueError,
         "window's top, log10 of a standard deviation, must be a number from -100 to 100, got 101"),
        ({"against": "mean", "window": ((0, 1), (1, 1 + 1e-15))}, ValueError,
         "window must be wide enough for its pixels to differ in mean of the input layer's initial "
         "weights, got 1.0 to "),
        ({"window": 3}, ValueError, "window must be ((left, right), (bottom, top)), log10 of a "
         "learning rate and log10 of a learning rate, got 3"),
        ({"window": 3, "against": "mean"}, ValueError,
         "log10 of a learning rate and a mean of initial weights, got 3"),
        ({"window": ((0, 1), (1, 1 + 1e-15)), "against": "spread"}, ValueError,
         "pixels to differ in standard deviation of the input layer's initial weights, got 1.0"),
        ({"width": 10**6, "samples": 1}, ValueError, "the map must fit into the available memory"),
        ({"window": (1, 2, 3, 4)}, ValueError, "log10 of a learning rate, got (1, 2, 3, 4)"),
        ({"window": ((1, 1), (0, 1))}, ValueError,
         "window's left must be below its right, got 1.0 and 1.0"),
        ({"window": ((0, 1), (2, 1))}, ValueError,
         "window's bottom must be below its top, got 2.0 and 1.0"),
        ({"window": ((0, 101), (0, 1))}, ValueError,
         "window's right, log10 of a learning rate, must be a number from -100 to 100, got 101"),
        ({"window": ((0, 1), ("a", 1))}, TypeError,
         "window's bottom, log10 of a learning rate, must be a number, got 'a'"),
        ({"window": ((1, 1 + 1e-15), (0, 1))}, ValueError,
         "window must be wide enough for its pixels to differ in learning rate of the input "),
    ],
)  # fmt: skip
def test_bad_arguments(tmp_path, given, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        fastgd.trainability(**{"resolution": 16, **SMALL, **given}, out=tmp_path / "map")
    assert not (tmp_path / "map").exists()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="must be a folder, got a file"):
        fastgd.trainability(16, **SMALL, out=tmp_path / "file")


@pytest.mark.usefixtures("small_patches")
def test_progress_counts_pixels(capsys, tmp_path):
    for _ in range(2):
        fastgd.trainability(16, **SMALL, out=tmp_path / "map", progress=True)
        assert "256/256" in capsys.readouterr().err


def test_a_map_has_no_best_error(tmp_path):
    """Neither while it is computed, nor of the chunks that a folder has."""
    events = []
    for _ in range(2):
        fastgd.trainability(16, **SMALL, out=tmp_path / "map", progress=events.append)
    assert [event.done for event in events if event.done in {0, 256}] == [0, 256, 0, 256]
    assert np.isnan([event.best_error for event in events]).all()
