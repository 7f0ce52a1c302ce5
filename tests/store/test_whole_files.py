"""Files appear complete or not at all, whichever function writes them."""

import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import fastgd
from fastgd import plots
from fastgd.article import page
from fastgd.sklearn import FastGDRegressor
from fastgd.store.files import whole_file
from thinning import only

OLD = b"what was there before"


def save_run(path):
    fastgd.train([[0.0], [1.0]], [0.0, 1.0], hidden_size=(), iterations=3).save(path)


def save_sweep(path):
    fastgd.sweep([[0.0], [1.0]], [0.0, 1.0], hidden_size=(), alpha=[1, 2], iterations=3).save(path)


def write_plot(path):
    run = fastgd.train([[0.0], [1.0]], [0.0, 1.0], hidden_size=(), iterations=3, record_every=1)
    ax = plots.errors(run)
    plots.write(ax.figure, path)


def write_animation(path):
    roll = fastgd.bucket.roll(curve="x**2", start=1.0, iterations=3, record_path=True)
    plots.film(roll, path, frames=2)


def write_page(path):
    page.write(path, [])


def write_model(path):
    pytest.importorskip("onnx")
    model = FastGDRegressor((), max_iter=2, n_iter_no_change=9, random_state=0)
    model.partial_fit([[0.0], [1.0]], [1, 2]).to_onnx(path)


def write_header(path):
    fastgd.train([[0.0], [1.0]], [0.0, 1.0], hidden_size=(), iterations=3).to_c(path)


def write_checkpoint(path):
    path.unlink(missing_ok=True)
    given = {"hidden_size": (), "iterations": 3, "checkpoint": path}
    fastgd.train([[0.0], [1.0]], [0.0, 1.0], **given)


WRITERS = {
    "run.npz": save_run,
    "sweep.npz": save_sweep,
    "plot.png": write_plot,
    "ball.gif": write_animation,
    "page.html": write_page,
    "network.h": write_header,
}


def test_a_new_file_has_the_permissions_that_any_file_gets(tmp_path):
    with whole_file(tmp_path / "new") as file:
        file.write(b"new")
    (tmp_path / "any").touch()
    assert (tmp_path / "new").read_bytes() == b"new"
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "any").stat().st_mode


def test_an_old_file_keeps_its_permissions(tmp_path):
    path = tmp_path / "old"
    path.write_bytes(OLD)
    path.chmod(0o640)
    with whole_file(path) as file:
        file.write(b"new")
        assert path.read_bytes() == OLD
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    link.symlink_to(target)
    for content in (b"first", b"second"):
        with whole_file(link) as file:
            file.write(content)
        assert link.is_symlink()
        assert target.read_bytes() == content
    assert os.listdir(target.parent) == ["target"]


def test_what_is_no_file_is_written_as_it_is(tmp_path):
    with whole_file("/dev/null") as file:
        file.write(b"gone")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with whole_file(tmp_path / "pipe") as file:
        file.write(b"through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_folders_are_no_files(tmp_path):
    with pytest.raises(IsADirectoryError), whole_file(tmp_path):
        pass
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "none" / "file"):
        pass


def test_long_names(tmp_path):
    path = tmp_path / ("x" * 251 + ".npz")
    with whole_file(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "old"
    path.write_bytes(OLD)

    def fail():
        with whole_file(path) as file:
            file.write(b"half")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert path.read_bytes() == OLD
    assert os.listdir(tmp_path) == ["old"]


@pytest.mark.parametrize("name", only(WRITERS, "sweep.npz"))
def test_on_a_full_disk_the_old_file_stays_whole(tmp_path, name):
    """The size of the process's files is limited, as on a full disk."""
    path = tmp_path / name
    WRITERS[name](path)  # nothing else needs a file of its own any more
    path.write_bytes(OLD)
    before = sorted(os.listdir(tmp_path))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40, hard))
    try:
        with pytest.raises(OSError, match=f"File too large: '{path}'"):
            WRITERS[name](path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == OLD
    assert sorted(os.listdir(tmp_path)) == before
    WRITERS[name](path)
    assert path.read_bytes() != OLD


@pytest.mark.parametrize(
    "name", only([*WRITERS, "checkpoint.npz", "model.onnx"], "run.npz", "checkpoint.npz")
)
def test_a_disk_without_room_is_said_with_the_name_of_the_file(disk, name):
    path, make_read_only = disk
    write = {"checkpoint.npz": write_checkpoint, "model.onnx": write_model} | WRITERS
    (path / "filler").write_bytes(bytes(2**20))
    with pytest.raises(OSError, match=f"No space left on device: '{path / name}'"):
        write[name](path / name)
    assert os.listdir(path) == ["filler"]
    make_read_only()
    with pytest.raises(OSError, match=f"Read-only file system: '{path / name}'"):
        write[name](path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_what_may_not_be_written_is_not_replaced(tmp_path):
    path = tmp_path / "old"
    path.write_bytes(OLD)
    path.chmod(0o444)
    with pytest.raises(PermissionError), whole_file(path) as file:
        file.write(b"new")
    assert path.read_bytes() == OLD


def test_nobody_sees_half_a_file(tmp_path):
    """One process writes the same file again and again, and another one reads it."""
    path = tmp_path / "run.npz"
    save_run(path)
    code = (
        "import sys, fastgd\n"
        "run = fastgd.load(sys.argv[1])\n"
        "print('ready', flush=True)\n"
        "for _ in range(25): run.save(sys.argv[1])\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout.readline() == "ready\n"
        while writer.poll() is None:
            fastgd.load(path)
    assert writer.returncode == 0
    assert Path(path).exists()
