"""Corrupt folders on disk: a clear error or a repair, but never a wrong result."""

import os
import shutil
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from filling import SHARED, arrays_of, fill, folder_at

from fastgd.store.files import put
from fastgd.store.folder import DamageWarning, Folder
from fastgd.store.npz import CorruptChunkError, MissingChunkError

CHUNKS = 4


def bytes_of(path):
    return {
        str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()
    }


@pytest.fixture
def full(tmp_path):
    """A folder with all chunks."""
    fill(folder_at(tmp_path / "full", CHUNKS))
    return tmp_path / "full"


def mend(path):
    """Resume the work in a folder, as a call does; return warnings and corrupt chunks."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        folder = folder_at(path, CHUNKS)
    damaged = folder.damaged()
    for chunk in damaged:
        folder.discard(chunk)
    fill(folder)
    assert all(warning.category is DamageWarning for warning in warned)
    return [str(warning.message) for warning in warned] + damaged


@pytest.mark.slow
def test_bits_that_flip_are_found_and_repaired(full):
    """One bit in one file, 300 times: each of them is detected."""
    before = bytes_of(full)
    random = np.random.default_rng(5)
    names = sorted(before)
    for _ in range(300):
        name = names[random.integers(len(names))]
        damaged = bytearray(before[name])
        damaged[random.integers(len(damaged))] ^= 1 << random.integers(8)
        (full / name).write_bytes(damaged)
        found = mend(full)
        assert len(found) == 1, name
        stem = Path(name).stem
        assert found == [int(stem)] if stem.isdigit() else str(full / name) in found[0]
        assert bytes_of(full) == before


def test_files_that_are_cut_are_found_and_repaired(full):
    before = bytes_of(full)
    for name, content in before.items():
        for length in (0, 1, 50, len(content) // 2, len(content) - 1):
            (full / name).write_bytes(content[:length])
            assert len(mend(full)) == 1, (name, length)
            assert bytes_of(full) == before


def test_files_that_are_lost_are_written_again(full):
    before = bytes_of(full)
    for name in before:
        (full / name).unlink()
        found = mend(full)
        assert bool(found) == (name == "manifest.json")
        assert bytes_of(full) == before


def test_a_corrupt_chunk_is_named_and_not_read(full):
    path = full / "parts" / "00000" / "00000002.npz"
    path.write_bytes(path.read_bytes()[:-1])
    folder = Folder.open(full)
    assert folder.done().all()
    assert folder.damaged() == [2]
    for look in (folder.read, folder.verify):
        with pytest.raises(CorruptChunkError, match=r"00000002\.npz must be as fastgd has written"):
            look(2)
    with pytest.raises(CorruptChunkError, match=r"00000002\.npz"):
        folder.digest()
    assert not folder.acquire(2)
    for chunk in (2, 2, 1):  # one that another process has repaired meanwhile stays
        folder.discard(chunk)
    assert folder.done().tolist() == [True, True, False, True]
    assert folder.acquire(2)


def test_what_cannot_be_read_from_the_disk_is_corrupt(full, monkeypatch):
    """As with a bad sector of a disk: opening the file works, and reading it fails."""
    folder = Folder.open(full)

    def fail(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("fastgd.store.npz._verified", fail)
    assert folder.damaged() == [0, 1, 2, 3]


def test_shared_arrays_that_are_corrupt_are_an_error_until_the_call_is_repeated(full):
    path = full / "shared.npz"
    content = path.read_bytes()
    path.write_bytes(content[:-30] + b"x" + content[-29:])
    folder = Folder.open(full)
    assert folder.read(1).keys() == arrays_of(1).keys()
    with pytest.raises(CorruptChunkError, match=r"shared\.npz must be as fastgd has written it"):
        _ = folder.arrays
    with pytest.warns(DamageWarning, match=r"shared\.npz was corrupt: written again"):
        folder_at(full, CHUNKS)
    np.testing.assert_array_equal(Folder.open(full).arrays["X"], SHARED["X"])


def test_a_manifest_without_chunks_that_prove_it_is_not_replaced(full):
    """It may be the manifest of another result, which its chunks belong to."""
    manifest = full / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"seed", b"Seed"))
    before = bytes_of(full)
    with pytest.raises(ValueError, match=r"manifest\.json must be a whole manifest"):
        folder_at(full, CHUNKS, seed=2)
    manifest.unlink()
    with pytest.raises(ValueError, match=r"got chunks of something else without manifest\.json"):
        folder_at(full, CHUNKS, seed=2)
    assert bytes_of(full) == {name: before[name] for name in before if name != "manifest.json"}


def test_half_written_files_are_removed_at_the_end(full):
    before = bytes_of(full)
    for name in (".unfinished-0a1b2c3d.json", "parts/00000/.unfinished-0a1b2c3d.npz"):
        (full / name).write_bytes(b"half")
    folder = folder_at(full, CHUNKS)
    assert folder.damaged() == []
    assert folder.done().all()
    folder.tidy()
    assert bytes_of(full) == before
    assert sorted(os.listdir(full)) == ["manifest.json", "parts", "shared.npz"]


def test_a_folder_that_is_removed_meanwhile_is_made_again(full, tmp_path):
    before = bytes_of(full)
    folder = folder_at(tmp_path / "new", CHUNKS)
    folder.write(0, arrays_of(0))
    shutil.rmtree(folder.path)
    assert not folder.done().any()
    with pytest.raises(MissingChunkError):
        folder.read(0)
    folder.leases.renew([1])
    folder.leases.release(1)
    folder.tidy()
    fill(folder)
    assert bytes_of(folder.path) == before


def test_a_folder_that_is_removed_is_not_made_again_by_who_only_opened_it(full):
    opened = Folder.open(full)
    shutil.rmtree(full)
    with pytest.raises(FileNotFoundError, match=r"manifest\.json"):
        opened.write(0, arrays_of(0))


def test_a_folder_that_is_removed_while_a_chunk_is_written(full, monkeypatch):
    before, fsync = bytes_of(full), os.fsync
    folder = folder_at(full, CHUNKS)
    removals = iter([full])

    def remove_and_sync(number):
        for path in removals:
            shutil.rmtree(path)
        fsync(number)

    monkeypatch.setattr(os, "fsync", remove_and_sync)
    folder.write(1, arrays_of(1))
    assert folder.done().tolist() == [False, True, False, False]
    fill(folder)
    assert bytes_of(full) == before


def test_a_folder_that_another_process_makes_at_the_same_time(full, monkeypatch):
    """It had no manifest a moment ago, and now it has chunks, too: nothing is corrupt."""
    found, answers = Folder._found, iter([None])
    monkeypatch.setattr(Folder, "_found", lambda place: next(answers, found(place)))
    assert folder_at(full, CHUNKS).done().all()


def test_the_manifest_comes_last(tmp_path, monkeypatch):
    """If the manifest exists, so do all shared arrays."""
    written = []

    def put_and_tell(path, content, root):
        written.append(path.name)
        put(path, content, root)

    monkeypatch.setattr("fastgd.store.folder.put", put_and_tell)
    folder_at(tmp_path)
    assert written == ["shared.npz", "manifest.json"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc to ask")
def test_a_chunk_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """Its name and those of new folders are, too, before the chunk counts as written."""
    folder, done = folder_at(tmp_path), []
    fsync, replace = os.fsync, Path.replace

    def sync_and_tell(number):
        where = os.path.realpath(f"/proc/self/fd/{number}")
        done.append("file" if ".unfinished" in where else os.path.relpath(where, tmp_path))
        fsync(number)

    def replace_and_tell(path, target):
        done.append("name")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", sync_and_tell)
    monkeypatch.setattr(Path, "replace", replace_and_tell)
    folder.write(0, arrays_of(0))
    folder.write(1, arrays_of(1))
    assert done == [".", "parts", *["file", "name", os.path.join("parts", "00000")] * 2]


def test_another_folder_in_its_place_is_rejected(full):
    folder = folder_at(full, CHUNKS)
    folder.write(0, arrays_of(0))
    shutil.rmtree(full)
    other = folder_at(full, CHUNKS, seed=2)
    for each in (folder, folder):
        with pytest.raises(ValueError, match="got one with seed 2 instead of 1"):
            each.write(1, arrays_of(1))
    assert not other.done().any()


def test_a_full_disk(disk, full):
    """Finished chunks stay, and the same call resumes when there is room."""
    path, _ = disk
    folder = folder_at(path / "out", CHUNKS)
    folder.write(0, arrays_of(0))
    (path / "filler").write_bytes(bytes(2**20 - 40 * 1024))
    large = {"x": np.zeros(100_000)}
    with pytest.raises(OSError, match=r"No space left on device: .*00000001\.npz"):
        folder.write(1, large)
    with suppress(OSError):
        for number in range(1000):
            (path / f"filler {number}").write_bytes(b"x" * 4096)
    with pytest.raises(OSError, match=r"No space left on device: .*claims/00000001'"):
        folder.acquire(1)
    assert folder.done().tolist() == [True, False, False, False]
    names = [name for name in bytes_of(path / "out") if "unfinished" in name or "claims" in name]
    assert names == []
    with pytest.raises(OSError, match=r"No space left on device: .*other"):
        folder_at(path / "other", CHUNKS)
    for filler in path.glob("filler*"):
        filler.unlink()
    assert mend(path / "out") == []
    assert bytes_of(path / "out") == bytes_of(full)


def test_a_read_only_disk(disk):
    path, make_read_only = disk
    folder = folder_at(path / "chunk", CHUNKS)
    folder.write(0, arrays_of(0))
    fill(folder_at(path / "whole", CHUNKS))
    make_read_only()
    whole = folder_at(path / "whole", CHUNKS)
    fill(whole)
    assert whole.damaged() == []
    chunk = folder_at(path / "chunk", CHUNKS)
    assert chunk.read(0).keys() == arrays_of(0).keys()
    with pytest.raises(OSError, match=r"Read-only file system: .*claims"):
        chunk.acquire(1)
    with pytest.raises(OSError, match=r"Read-only file system: .*00000"):
        chunk.write(1, arrays_of(1))
    with pytest.raises(OSError, match=r"Read-only file system: .*new"):
        folder_at(path / "new", CHUNKS)
    chunk.tidy()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(full):
    (full / "parts" / "00000" / "00000001.npz").unlink()
    for folder in (full, full / "parts", full / "parts" / "00000"):
        folder.chmod(0o555)
    try:
        folder = folder_at(full, CHUNKS)
        with pytest.raises(PermissionError, match="claims"):
            folder.acquire(1)
        with pytest.raises(PermissionError, match="00000"):
            folder.write(1, arrays_of(1))
    finally:
        for folder in (full, full / "parts", full / "parts" / "00000"):
            folder.chmod(0o755)
