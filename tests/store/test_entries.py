"""Links, pipes and devices in place of a folder's files: named in an error, never opened."""

import os
import shutil
import signal
import socket
import tracemalloc

import pytest
from filling import arrays_of, fill, folder_at

import fastgd
from fastgd.store import files
from fastgd.store.files import ForeignEntryError, open_inside
from fastgd.store.folder import Folder, remove
from fastgd.store.npz import MissingChunkError
from folder_state import state_of

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has no such entries")

CHUNKS = 3
FILES = ["manifest.json", "shared.npz", "parts/00000/00000001.npz", "claims/00000001"]
FOLDERS = ["parts", "parts/00000", "claims"]


@pytest.fixture(autouse=True)
def in_time():
    """Nothing may block on a pipe without another end."""

    def stop(*_):
        raise TimeoutError("it waits")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def path(tmp_path):
    """A folder with all chunks but one, and a lease on the missing one."""
    folder = folder_at(tmp_path / "out", CHUNKS)
    for chunk in (0, 2):
        folder.write(chunk, arrays_of(chunk))
    assert folder.acquire(1)
    return folder.path


def put_link(path, outside):
    """Link to what had this name, or to something else, outside the folder."""
    if path.exists():
        path.rename(outside / "moved")
    else:
        (outside / "moved").write_bytes(b"mine")
    path.symlink_to(outside / "moved")


def put_dangling_link(path, outside):
    clear(path)
    path.symlink_to(outside / "new")


def put_link_to_a_device(path, _):
    clear(path)
    path.symlink_to("/dev/zero")


def put_pipe(path, _):
    clear(path)
    os.mkfifo(path)


def put_socket(path, _):
    clear(path)
    before = os.getcwd()
    os.chdir(path.parent)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(path.name)
    os.chdir(before)


def put_device(path, _):
    clear(path)
    try:
        os.mknod(path, 0o20666, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root makes devices")


def put_folder(path, _):
    clear(path)
    path.mkdir()


def put_file(path, _):
    clear(path)
    path.write_bytes(b"something")


def clear(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


KINDS = {
    put_link: "a link",
    put_dangling_link: "a link",
    put_link_to_a_device: "a link",
    put_pipe: "a pipe",
    put_socket: "a socket",
    put_device: "a device",
}
CASES = [
    *[(name, put, "a file", got) for name in FILES for put, got in KINDS.items()],
    *[(name, put_folder, "a file", "a folder") for name in FILES],
    *[(name, put, "a folder", got) for name in FOLDERS for put, got in KINDS.items()],
    *[(name, put_file, "a folder", "a file") for name in FOLDERS],
]


@pytest.mark.parametrize(
    ("name", "put", "wanted", "got"), CASES, ids=[f"{c[0]}-{c[1].__name__}" for c in CASES]
)
def test_what_is_no_file_of_ours_is_rejected_by_name(path, tmp_path, name, put, wanted, got):
    outside = tmp_path / "outside"
    outside.mkdir()
    put(path / name, outside)
    before = state_of(outside), state_of(path)
    with pytest.raises(ForeignEntryError) as caught:
        fill(folder_at(path, CHUNKS))
    assert str(caught.value) == f"{path / name} must be {wanted}, got {got}"
    assert (state_of(outside), state_of(path)) == before


def test_reading_refuses_them_too(path, tmp_path):
    (tmp_path / "outside").mkdir()
    opened = Folder.open(path)
    put_link(path / "parts/00000/00000000.npz", tmp_path / "outside")
    put_pipe(path / "parts/00000/00000002.npz", tmp_path / "outside")
    for work in (opened.read, opened.verify, opened.has, opened.acquire, opened.discard):
        for chunk in (0, 2):
            with pytest.raises(ForeignEntryError, match=f"0{chunk}.npz must be a file, got a "):
                work(chunk)
    for work in (opened.done, opened.damaged, opened.digest):
        with pytest.raises(ForeignEntryError, match=r"0[02].npz must be a file, got a "):
            work()
    with pytest.raises(MissingChunkError):
        opened.read(1)


@pytest.mark.parametrize("put", [put_link, put_pipe])
def test_what_takes_the_place_of_a_file_after_it_was_asked_for(path, tmp_path, monkeypatch, put):
    (tmp_path / "outside").mkdir()
    chunk = path / "parts" / "00000" / "00000000.npz"
    put(chunk, tmp_path / "outside")
    monkeypatch.setattr(files, "is_file", lambda *_: True)
    with pytest.raises((OSError, ForeignEntryError), match=r"00000000\.npz"):
        open_inside(chunk, path)


def test_a_link_that_a_lease_would_be_written_through(path, tmp_path, monkeypatch):
    """The temporary name for taking over a lease can be learned from another lease."""
    (path / "claims" / "00000001").write_text("of another machine")
    monkeypatch.setenv("FILLING_EXPIRY", "0")
    folder = folder_at(path, CHUNKS, expiry=0.0)
    name = folder.leases._name
    (path / "claims" / f"00000001.{name}").symlink_to(tmp_path / "target")
    folder.acquire(1)
    assert not (tmp_path / "target").exists()
    assert folder.acquire(1)
    assert os.listdir(path / "claims") == ["00000001"]


def test_a_lease_of_any_size_is_hardly_read(path):
    lease = path / "claims" / "00000001"
    os.truncate(lease, 2**33)
    tracemalloc.start()
    folder = folder_at(path, CHUNKS, expiry=0.0)
    assert folder.acquire(1)  # as any expired one
    folder.leases.release(1)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


@pytest.mark.parametrize("name", ["manifest.json", "shared.npz", "parts/00000/00000000.npz"])
def test_a_file_that_became_huge_is_not_read_whole(path, name):
    os.truncate(path / name, 2**33)

    def read():
        folder = Folder.open(path)
        return folder.arrays, folder.read(0)

    tracemalloc.start()
    with pytest.raises(ValueError, match=name):
        read()
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_the_way_to_a_folder_may_lead_through_links(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to("disk")
    for path in (tmp_path / "link", tmp_path / "link" / "inner"):
        folder = folder_at(path, CHUNKS)
        fill(folder)
        assert Folder.open(path).digest() == folder.digest()
    remove(tmp_path / "link" / "inner")
    remove(tmp_path / "link")
    assert sorted(os.listdir(tmp_path)) == ["disk", "link"]
    assert os.listdir(tmp_path / "disk") == []


def test_removing_a_folder_removes_links_and_not_what_they_lead_to(path, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    put_link(path / "parts", outside)
    put_pipe(path / "shared.npz", outside)
    (path / "claims" / "link").symlink_to(outside)
    before = state_of(outside)
    remove(path)
    assert not path.exists()
    assert state_of(outside) == before


def test_tidying_leaves_what_links_lead_to(path, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    put_link(path / "claims", outside)
    (path / "parts" / ".unfinished-x").symlink_to(outside / "moved" / "00000001")
    before = state_of(outside)
    Folder.open(path).tidy()
    assert state_of(outside) == before
    assert os.listdir(path / "parts") == ["00000"]


SWEEP = {"hidden_size": (), "alpha": [1, 2], "iterations": 3}


def test_a_sweep_names_what_is_in_its_folder(tmp_path):
    out = tmp_path / "out"
    fastgd.sweep([[0.0], [1.0]], [0.0, 1.0], **SWEEP, out=out)
    target = tmp_path / "target.npz"
    (out / "shared.npz").rename(target)
    (out / "shared.npz").symlink_to(target)
    target.write_bytes(b"mine")
    with pytest.raises(ValueError, match=r"shared\.npz must be a file, got a link$"):
        fastgd.sweep([[0.0], [1.0]], [0.0, 1.0], **SWEEP, out=out)
    assert target.read_bytes() == b"mine"


GROUPS = {"g": ["a", "b"] * 5, "x": list(range(10)), "y": list(range(0, 30, 3))}


def test_so_does_one_for_groups(tmp_path):
    out, outside = tmp_path / "out", tmp_path / "outside"
    outside.mkdir()
    given = {"hidden_size": (), "alpha": 0.01, "iterations": 3, "unknown": "global", "out": out}
    fastgd.fit_groups(GROUPS, "g", "y", **given)
    for name in ("start.npz", "unknown.npz", "groups", "judged-0", "final-0"):
        entry, moved = out / name, outside / name
        if entry.exists():
            entry.rename(moved)
        entry.symlink_to(moved)
        before = state_of(outside)
        wanted = "file" if name.endswith("npz") else "folder"
        with pytest.raises(ValueError, match=rf"{name} must be a {wanted}, got a link$"):
            fastgd.fit_groups(GROUPS, "g", "y", **given)
        assert state_of(outside) == before
        entry.unlink()
