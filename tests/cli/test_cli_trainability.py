import json
import os
import re
import signal
import subprocess
import sys
import time

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

import fastgd
from fastgd.cli import main
from fastgd.cli.output_files import finished
from fastgd.studies import mean_field as trainings
from fastgd.studies.job import StudyJob

SMALL = ["--resolution=16", "--iterations=30", "--width=4", "--window=-1,3,-1,3"]
GIVEN = {"iterations": 30, "width": 4, "window": ((-1.0, 3.0), (-1.0, 3.0))}


@pytest.fixture(autouse=True)
def narrow_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "edge.png"


@pytest.fixture
def run(capsys, out):
    """Call the command; gives back exit code, stdout and stderr."""

    def call(*arguments, small=SMALL):
        given = [*map(str, arguments)]
        typed = {word.partition("=")[0] for word in given}
        usual = [w for w in (*small, f"--plot={out}") if w.partition("=")[0] not in typed]
        code = main(["trainability", *usual, *given])
        return code, *capsys.readouterr()

    return call


@pytest.fixture(scope="module")
def found():
    return fastgd.trainability(16, **GIVEN)


def test_map_dimension_and_how_to_zoom(run, out, found):
    code, text, err = run("--box-plot", out.with_name("fit.svg"))
    assert (code, err) == (0, "")
    boxes = found.box_counting()
    assert text.startswith("Map of 16 x 16 trainings\n")
    lines = [re.sub(" {2,}", ": ", line.strip()) for line in text.splitlines()]
    assert {
        "network: 4-4-1, tanh", "iterations: 30", "batch: all samples", "seed: 1",
        "log10 of the learning rate of the input layer: -1 to 3",
        "log10 of the learning rate of the output layer: -1 to 3",
        f"converged: {found.converged.sum()} of 256 ({found.converged.mean():.1%})",
    } <= set(lines)  # fmt: skip
    for size, count in zip(boxes.sizes, boxes.counts, strict=True):
        assert re.search(rf"^ +{size} +{count:.1f} +{boxes.fitted(size):.1f}", text, re.MULTILINE)
    interval = f"({boxes.low:.2f} to {boxes.high:.2f} at 95 %, R² {boxes.r_squared:.4f})"
    assert f"dimension of the boundary: {boxes.dimension:.3f} {interval}" in text
    (left, right), (bottom, top) = found.zoom()
    assert f"--window {left},{right},{bottom},{top}" in text
    assert f"Written to {out}" in text.replace("\n", "")
    pixels = plt.imread(out)
    assert len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) > 100
    assert "fit: dimension" in out.with_name("fit.svg").read_text()
    assert sorted(path.name for path in out.parent.iterdir()) == ["edge.png", "fit.svg"]
    assert plt.get_fignums() == []


@pytest.mark.slow
def test_what_it_suggests_can_be_typed(run, out):
    _, text, _ = run()
    window = re.search(r"--window (\S+)", text)[1]
    _, text, _ = run(f"--window={window}", "--json")
    assert json.loads(text)["window"] == edge_window(window)
    assert out.exists()


def edge_window(text):
    left, right, bottom, top = map(float, text.split(","))
    return [[left, right], [bottom, top]]


def test_json(run, found):
    code, text, err = run("--json", "--seed", "1", "--activation", "tanh", "--threads", "1")
    assert (code, err) == (0, "")
    facts = json.loads(text)
    boxes = found.box_counting()
    assert facts["trainings"] == 256
    assert facts["converged"] == found.converged.sum()
    assert facts["box_counting"] == {
        "sizes": boxes.sizes.tolist(),
        "counts": boxes.counts.tolist(),
        "dimension": boxes.dimension,
        "low": boxes.low,
        "high": boxes.high,
        "intercept": boxes.intercept,
        "r_squared": boxes.r_squared,
    }
    assert facts["reason"] is None
    assert facts["zoom"] == [list(side) for side in found.zoom()]
    assert facts["seconds"] > 0
    assert facts["patches_found"] == 0
    given = ("resolution", "iterations", "width", "activation", "batch_size", "seed")
    assert [facts[name] for name in given] == [16, 30, 4, "tanh", None, 1]


def test_options_reach_the_map(run, monkeypatch):
    seen = {}

    def stop(**given):
        seen.update(given)
        raise ValueError("enough")

    monkeypatch.setattr("fastgd.trainability", stop)
    options = ["--activation", "relu", "--batch-size", "5", "--seed", "3", "--threads", "1"]
    options += ["--samples", "10", "--against", "spread"]
    assert run(*options)[2] == "fastgd: error: enough\n"
    assert seen == {
        "resolution": 5, "iterations": 2, "width": 4, "window": ((-1.0, 3.0), (-1.0, 3.0)),
        "activation": "relu", "batch_size": 5, "seed": 3, "threads": 1, "samples": 10,
        "against": "spread",
    }  # fmt: skip


@pytest.mark.slow
def test_a_map_against_the_mean_says_so(run):
    _, text, err = run("--against", "mean", "--samples", "1")
    assert err == ""
    assert re.search(r"^samples +1 *$", text, re.MULTILINE)
    assert re.search(r"^log10 of the learning rate of both layers +-1 to 3 *$", text, re.MULTILINE)
    assert re.search(r"^mean of the input layer's initial weights +-1 to 3 *$", text, re.MULTILINE)


ZOOM = ["--frames=3", "--factor=2"]


@pytest.mark.slow
def test_a_zoom_is_a_film_with_a_row_for_each_frame(run, out):
    film = out.with_name("zoom.gif")
    maps = fastgd.trainability_zoom(3, factor=2, resolution=16, **GIVEN)
    code, text, err = run(*ZOOM, f"--plot={film}")
    assert (code, err) == (0, "")
    for k, one in enumerate(maps):
        boxes = one.box_counting()
        row = rf"{k} +{2**k} x +{100 * one.converged.mean():.1f}% +{boxes.dimension:.3f} \("
        assert re.search(row, text), text
    assert re.search(r"Median of the box-counting dimensions: \d\.\d{3}\n", text)
    assert "768 trainings done" in text
    with Image.open(film) as frames:
        assert frames.n_frames == 3
    assert [path.name for path in out.parent.iterdir()] == ["zoom.gif"]


@pytest.mark.slow
def test_ctrl_c_in_a_zoom_says_how_to_go_on(run, out, monkeypatch):
    computed, compute = [], StudyJob.compute

    def interrupted(self, *given):
        settings = self.computing.__self__.settings
        if settings.resolution == 16:
            computed.append(settings.window)
            if len(computed) == 4 * 2 + 3:  # two frames of four patches
                raise KeyboardInterrupt
        return compute(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(StudyJob, "compute", interrupted)
        code, _, err = run(*ZOOM, "--threads", "1")
    folder = out.with_name("edge.frames")
    assert code == 130
    assert err == (
        f"fastgd: interrupted: 2 of 3 frames are done and in {folder}; "
        "the same command resumes from there\n"
    )
    assert not out.exists()
    maps = fastgd.trainability_zoom(3, factor=2, resolution=16, **GIVEN, out=folder)
    code, text, _ = run(*ZOOM, "--json")
    assert code == 0
    assert [each["window"] for each in json.loads(text)["frames"]] == [
        [list(side) for side in one.settings.window] for one in maps
    ]
    assert [path.name for path in out.parent.iterdir()] == ["edge.png"]


@pytest.mark.slow
def test_ctrl_c_while_scouting_says_what_is_kept(run, out, monkeypatch):
    computed, compute = [], StudyJob.compute

    def interrupted(self, *given):
        settings = self.computing.__self__.settings
        if settings.resolution == 64:
            computed.append(settings.window)
            if len(computed) == 4:
                raise KeyboardInterrupt
        return compute(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(StudyJob, "compute", interrupted)
        code, _, err = run(*ZOOM, "--threads", "1")
    assert code == 130
    assert err == (
        "fastgd: interrupted: the search for the boundary has begun, with 3 patches in "
        f"{out.with_name('edge.frames')}; the same command resumes from there\n"
    )
    assert run()[0] == 0  # the plain map has another folder


@pytest.mark.slow
def test_without_a_boundary_it_says_why(run, out):
    code, text, _ = run("--window=-9,-8,-9,-8", "--box-plot", out.with_name("fit.png"))
    assert code == 0
    assert "No box-counting dimension: a window must hold converged and diverged" in text
    assert "Zoom" not in text
    assert [path.name for path in out.parent.iterdir()] == ["edge.png"]
    facts = json.loads(run("--window=-9,-8,-9,-8", "--json")[1])
    assert facts["box_counting"] is None
    assert facts["zoom"] is None
    assert facts["reason"].startswith("a window must hold")


@pytest.mark.slow
def test_a_folder_of_ones_own_is_kept_and_read(run, out):
    folder = out.with_name("kept")
    assert "Patches kept in" in run("--out", folder)[1]
    assert finished(folder) == (4, 4)
    first = out.read_bytes()
    _, text, _ = run("--out", folder)
    assert "4 patches from an earlier call" in text
    assert out.read_bytes() == first


def test_ctrl_c_says_how_to_go_on_and_going_on_is_the_same_picture(run, out, monkeypatch):
    run()
    whole = out.read_bytes()
    out.unlink()
    monkeypatch.setattr(trainings, "side_of", lambda *_: 6)
    computed, compute = [], StudyJob.compute

    def interrupted(self, chunk, *given):
        if len(self.pieces) == 9:  # not to load the kernel
            computed.append(chunk)
            if len(computed) == 4:
                raise KeyboardInterrupt
        return compute(self, chunk, *given)

    with monkeypatch.context() as patch:
        patch.setattr(StudyJob, "compute", interrupted)
        code, text, err = run("--threads", "1")
    folder = out.with_name("edge.patches")
    assert (code, text) == (130, "")
    assert err == (
        f"fastgd: interrupted: 3 of 9 patches are done and in {folder}; "
        "the same command resumes from there\n"
    )
    assert not out.exists()
    code, text, err = run()
    assert (code, err) == (0, "")
    assert "3 patches from an earlier call" in text
    assert out.read_bytes() == whole
    assert not folder.exists()


LARGE = ["--resolution=96", "--iterations=300", *SMALL[2:]]
"""A map of 64 patches."""


@pytest.mark.slow
def test_ctrl_c_in_a_real_process(run, out):
    """A map in pieces, each ended by SIGINT, is the map in one."""
    run(small=LARGE)
    whole = out.read_bytes()
    out.unlink()
    folder = out.with_name("edge.patches")
    command = [sys.executable, "-m", "fastgd", "trainability", *LARGE, "--plot", str(out)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while finished(folder)[0] < 1:
            assert process.poll() is None, process.communicate()
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.match(r"fastgd: interrupted: \d+ of 64 patches are done and in ", err)
    assert not out.exists()
    assert 1 <= finished(folder)[0] < 64
    assert run(small=LARGE)[0] == 0
    assert out.read_bytes() == whole
    assert not folder.exists()


@pytest.mark.slow
def test_two_processes_with_one_output(run, out):
    """They share the work, and each may remove the folder that the other one still reads."""
    run(small=LARGE)
    whole = out.read_bytes()
    out.unlink()
    command = [sys.executable, "-m", "fastgd", "trainability", *LARGE, "--plot", str(out)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(command, **streams) for _ in range(2)]
    for process in both:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert err == ""
    assert out.read_bytes() == whole
    assert [path.name for path in out.parent.iterdir()] == ["edge.png"]


def test_an_unfinished_map_with_other_settings_is_refused(run, out, monkeypatch):
    fastgd.trainability(16, **GIVEN, out=out.with_name("edge.patches"))
    code, text, err = run("--seed", "2")
    assert (code, text) == (2, "")
    assert err.count("\n") == 1
    assert "hold the same map of trainability, got one with seed 1 instead of 2: remove it" in err
    monkeypatch.undo()
    assert run()[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--window", "1,2,3"], "--window must be four numbers: left, right, bottom and top, "
         "separated by ',', got '1,2,3'"),
        (["--window", "a,2,3,4"], "--window must be four numbers: left, right, bottom and top, "
         "separated by ',', got 'a,2,3,4'"),
        (["--window", "10,1e6,0.1,1e4"], "--window's right, log10 of a learning rate, must be"),
        (["--window", "2,1,3,4"], "--window's left must be below its right, got 2.0 and 1.0"),
        (["--window", "1,1,3,4"], "--window's left must be below its right, got 1.0 and 1.0"),
        (["--activation", "step"], "--activation must be 'tanh', 'relu', 'identity' or 'sigmoid'"),
        (["--batch-size", "99"], "--batch-size must be at most 20, got 99"),
        (["--resolution", "0"], "--resolution must be at least 1, got 0"),
        (["--width", "0"], "--width must be at least 1, got 0"),
        (["--samples", "0"], "--samples must be at least 1, got 0"),
        (["--against", "rate"], "--against must be 'output_rate', 'mean' or 'spread', got 'rate'"),
        (["--frames", "1"], "--frames must be at least 2, got 1"),
        (["--frames", "2", "--factor", "1"], "--factor must be a number above 1 and at most 100"),
        (["--factor", "2"], "--factor needs --frames"),
        (["--frames", "2", "--box-plot", "a.png"], "--frames and --box-plot exclude each other"),
        (["--plot", "edge.gif"], "a plot's file must end in .png, .svg, .pdf, got 'edge.gif'"),
        (["--plot", "edge.jpg"], "a plot's file must end in .png, .svg, .pdf, got 'edge.jpg'"),
        (["--box-plot", "fit.txt"], "a plot's file must end in .png, .svg, .pdf, got 'fit.txt'"),
        (["--plot", "nowhere/edge.png"], "nowhere/edge.png can't be written: there is no folder"),
        (["--out", "nowhere/map"], "nowhere/map can't be made: there is no folder nowhere"),
    ],
)  # fmt: skip
def test_bad_options_get_one_line(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, text, err = run(*arguments)
    assert (code, text) == (2, "")
    assert err.startswith(f"fastgd: error: {message}"), err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(run, tmp_path):
    tmp_path.chmod(0o500)
    try:
        code, _, err = run()
    finally:
        tmp_path.chmod(0o700)
    assert code == 2
    assert re.search("can't be written: permission denied", err)


def test_a_folder_that_refuses_files(run, monkeypatch):
    def refuse(path, **_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    code, text, err = run()
    assert (code, text) == (2, "")
    assert re.fullmatch(r"fastgd: error: .*edge\.patches: Permission denied\n", err)


def test_without_matplotlib_it_says_what_to_install(run, out, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    code, _, err = run()
    assert (code, err) == (
        2,
        'fastgd: error: plots need matplotlib: pip install "fastgd[plot]"\n',
    )
    assert list(out.parent.iterdir()) == []
