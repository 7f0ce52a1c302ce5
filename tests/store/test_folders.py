"""A result on disk: what was written is read, and the folder of another call is rejected."""

import json
import os
import shutil
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from filling import ASKED, SHARED, arrays_of, fill, folder_at

from fastgd.store import BITS
from fastgd.store.folder import Folder
from fastgd.store.manifest import parsed
from fastgd.store.npz import CorruptChunkError, MissingChunkError


def assert_same(found, wanted):
    assert list(found) == list(wanted)
    for name, array in found.items():
        np.testing.assert_array_equal(array, wanted[name], strict=True)


def bytes_of(path):
    return {
        str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()
    }


def test_what_is_written_is_read(tmp_path):
    folder = folder_at(tmp_path / "a" / "b")
    folder.write(2, arrays_of(2))
    found = Folder.open(folder.path)
    for each in (folder, found):
        assert each.path == tmp_path / "a" / "b"
        assert each.done().tolist() == [False, False, True]
        assert (each.manifest.kind, each.chunk_count) == ("test", 3)
        assert each.manifest.asked == {"alpha": (0.5, 0.25), "seed": 1}
        assert each.manifest.facts == {"shape": (2, 3)}
        assert_same(each.arrays, SHARED)
        assert_same(each.read(2), arrays_of(2))
        assert_same(each.read(2, ["names"]), {"names": arrays_of(2)["names"]})
        with pytest.raises(MissingChunkError, match=r"00000001\.npz does not exist"):
            each.read(1)
        with pytest.raises(MissingChunkError, match=r"00000000\.npz does not exist"):
            each.digest()
        with pytest.raises(IndexError, match="chunk must be 0 to 2, got 3"):
            each.read(3)
        with pytest.raises(IndexError, match="chunk must be 0 to 2, got -1"):
            each.write(-1, {})
    assert folder.manifest.id == found.manifest.id
    assert repr(found) == f"<Folder {str(folder.path)!r}: test of 3 chunks>"


def test_the_same_call_resumes(tmp_path):
    folder_at(tmp_path).write(1, arrays_of(1))
    again = folder_at(tmp_path)
    assert again.done().tolist() == [False, True, False]
    fill(again)
    assert again.done().all()
    assert again.damaged() == []
    assert_same(again.read(1), arrays_of(1))


def test_the_order_of_chunks_and_processes_does_not_matter(tmp_path):
    fill(folder_at(tmp_path / "one"))
    other = folder_at(tmp_path / "other")
    for chunk in (2, 0, 1, 0):
        other.write(chunk, arrays_of(chunk))
    other.tidy()
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "other")
    assert other.digest() == Folder.open(tmp_path / "one").digest()
    other.write(1, arrays_of(7))
    assert other.digest() != Folder.open(tmp_path / "one").digest()


def test_chunks_of_two_folders_with_one_question_are_mixed(tmp_path):
    one, other = folder_at(tmp_path / "one"), folder_at(tmp_path / "other")
    one.write(0, arrays_of(0))
    other.write(2, arrays_of(2))
    shutil.copytree(other.path / "parts", one.path / "parts", dirs_exist_ok=True)
    assert one.done().tolist() == [True, False, True]
    assert_same(one.read(2), arrays_of(2))


def test_chunks_lie_in_subfolders(tmp_path):
    folder = Folder.create(tmp_path, "test", {}, {}, {}, 2001)
    assert sorted(os.listdir(tmp_path)) == ["manifest.json"]
    for chunk in (0, 999, 1000, 2000):
        folder.write(chunk, {"x": np.arange(chunk)})
    assert np.flatnonzero(folder.done()).tolist() == [0, 999, 1000, 2000]
    assert (tmp_path / "parts" / "00001" / "00001000.npz").is_file()
    assert folder.read(2000)["x"].size == 2000
    for place, chunk in (("00000", 1001), ("00001", 1), ("00001", 2000), ("00002", 1999)):
        (tmp_path / "parts" / place / f"{chunk:08}.npz").touch()
    assert np.flatnonzero(folder.done()).tolist() == [0, 999, 1000, 2000]


def test_no_chunks_at_all(tmp_path):
    folder = Folder.create(tmp_path, "test", {}, {}, {}, 0)
    assert folder.done().shape == (0,)
    assert folder.damaged() == []
    assert folder.digest() == sha256().hexdigest()


def test_the_manifest_is_readable(tmp_path):
    folder = folder_at(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["asked"] == {"alpha": [0.5, 0.25], "seed": 1}
    assert manifest["facts"] == {"shape": [2, 3]}
    assert manifest["shared"]["X"].startswith("float64 (3, 3) ")
    assert (manifest["format"], manifest["bits"], manifest["parts"]) == (1, BITS, 3)
    assert manifest["id"] == folder.manifest.id
    assert manifest["versions"]["numpy"] == np.__version__


def test_nan_equals_nan_in_a_manifest(tmp_path):
    folder_at(tmp_path, clip=np.nan, l1=-np.inf)
    assert np.isnan(folder_at(tmp_path, clip=np.nan, l1=-np.inf).manifest.asked["clip"])


def create(path, **changed):
    wanted = {
        "kind": "test",
        "asked": ASKED,
        "facts": {},
        "arrays": SHARED,
        "chunk_count": 3,
    } | changed
    return Folder.create(path, **wanted)


OTHERS = {
    "value": ({"asked": ASKED | {"seed": 2}}, "seed 1 instead of 2"),
    "list": ({"asked": ASKED | {"alpha": [0.5, 0.3]}}, "alpha[1] 0.25 instead of 0.3"),
    "length": ({"asked": ASKED | {"alpha": [0.5]}}, "alpha (0.5, 0.25) instead of (0.5,)"),
    "type": ({"asked": ASKED | {"seed": 1.0}}, "seed 1 instead of 1.0"),
    "new": ({"asked": ASKED | {"l2": 0.1}}, "no l2 instead of 0.1"),
    "gone": ({"asked": {"alpha": [0.5, 0.25]}}, "seed 1 instead of none"),
    "order": (
        {"asked": dict(reversed(ASKED.items()))},
        "arguments in the order ('alpha', 'seed') instead of ('seed', 'alpha')",
    ),
    "many": (
        {"asked": {"alpha": 1, "seed": 2, "l1": 3, "l2": 4}},
        "alpha (0.5, 0.25) instead of 1, seed 1 instead of 2, no l1 instead of 3 and more",
    ),
    "three": (
        {"asked": {"alpha": 1, "seed": 2, "l1": 3}},
        "alpha (0.5, 0.25) instead of 1, seed 1 instead of 2, no l1 instead of 3: remove it",
    ),
    "inner": ({"asked": ASKED | {"seed": {"a": 1}}}, "seed 1 instead of {'a': 1}"),
    "chunks": ({"chunk_count": 4}, "chunks 3 instead of 4"),
    "kind": ({"kind": "map"}, "kind 'test' instead of 'map'"),
    "numbers": (
        {"arrays": SHARED | {"y": np.arange(3.0) + 1}},
        "y 'float64 (3,) b0c45303' instead of 'float64 (3,) a68de4b5'",
    ),
    "arrays": ({"arrays": {}}, "X 'float64 (3, 3) "),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_question_is_rejected(tmp_path, name):
    folder_at(tmp_path).write(1, arrays_of(1))
    before = bytes_of(tmp_path)
    changed, message = OTHERS[name]
    with pytest.raises(ValueError, match="must be empty or hold the same") as refused:
        create(tmp_path, **changed)
    assert message in str(refused.value)
    assert str(refused.value).startswith(str(tmp_path))
    assert str(refused.value).endswith(": remove it, or choose another folder")
    assert len(str(refused.value)) < len(str(tmp_path)) + 300
    assert bytes_of(tmp_path) == before


def test_what_follows_from_the_question_is_not_compared(tmp_path):
    assert create(tmp_path, facts={"a": 1}).manifest.facts == {"a": 1}
    assert create(tmp_path, facts={"a": 2}).manifest.facts == {"a": 1}


def test_chunks_of_another_bits_policy_are_rejected_but_read(tmp_path):
    folder = folder_at(tmp_path)
    path = tmp_path / "manifest.json"
    old = replace(parsed(path.read_bytes()), bits=BITS - 1)
    path.write_bytes(old.text())
    assert Folder.open(tmp_path).manifest.id == old.id != folder.manifest.id
    with pytest.raises(ValueError, match=f"got one with bits policy {BITS - 1} instead of {BITS}"):
        folder_at(tmp_path)


@pytest.mark.parametrize("version", [0, 2, 10])
def test_another_format_is_rejected(tmp_path, version):
    folder_at(tmp_path)
    path = tmp_path / "manifest.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"format": version, "more": "x"}))
    message = rf"manifest\.json must have format 1, got format {version}$"
    with pytest.raises(ValueError, match=message):
        Folder.open(tmp_path)
    with pytest.raises(ValueError, match=message):
        folder_at(tmp_path)


def test_a_folder_of_something_else_is_rejected(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    message = r"must be empty or a folder that fastgd has written, got one with 'notes\.txt'"
    with pytest.raises(ValueError, match=message):
        folder_at(tmp_path)
    with pytest.raises(ValueError, match=r"got one without manifest\.json"):
        Folder.open(tmp_path)
    assert os.listdir(tmp_path) == ["notes.txt"]


def test_a_manifest_that_makes_no_sense_is_rejected(tmp_path):
    """Even if its checksum is valid: no content of a file is trusted."""
    folder_at(tmp_path)
    path = tmp_path / "manifest.json"
    manifest = parsed(path.read_bytes())
    changes = [
        {"chunk_count": -1},
        {"chunk_count": 10**9},
        {"chunk_count": "3"},
        {"bits": 1.5},
        {"asked": []},
    ]
    changes += [{"shared": {"X": 3}}, {"facts": {"deep": json.loads("[" * 60 + "]" * 60)}}]
    for change in changes:
        path.write_bytes(replace(manifest, **change).text())
        with pytest.raises(ValueError, match="must be a whole manifest"):
            Folder.open(tmp_path)


def test_the_number_of_chunks_is_bounded(tmp_path):
    with pytest.raises(ValueError, match="must have at most 100,000,000 chunks, got 100,000,001"):
        Folder.create(tmp_path, "test", {}, {}, {}, 10**8 + 1)


@pytest.mark.parametrize("text", ["", "{}", "[1]", "7", '{"format": 1}', '{"format": "x"}', "\0"])
def test_a_foreign_manifest_is_rejected_and_kept(tmp_path, text):
    path = tmp_path / "manifest.json"
    path.write_text(text)
    message = r"manifest\.json must be a whole manifest that fastgd has written"
    with pytest.raises(ValueError, match=message):
        folder_at(tmp_path)
    with pytest.raises(ValueError, match=message):
        Folder.open(tmp_path)
    assert path.read_text() == text


def test_a_file_is_no_folder(tmp_path):
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(ValueError, match="file must be a folder, got a file"):
        folder_at(path)
    with pytest.raises(ValueError, match="inner must be a folder, got a file"):
        folder_at(path / "inner")
    with pytest.raises(NotADirectoryError):
        Folder.open(path)
    with pytest.raises(FileNotFoundError):
        Folder.open(tmp_path / "none")


def test_foreign_files_next_to_chunks_are_left_alone(tmp_path):
    folder = folder_at(tmp_path)
    fill(folder)
    chunks = tmp_path / "parts"
    names = ["README", "parts/notes", "parts/00000/00000000.npz.bak", "parts/00000/0000000².npz"]
    names += ["parts/00000/00000007.npz", "parts/00000/1.npz", "claims/notes"]
    (tmp_path / "claims").mkdir()
    (chunks / "00001").mkdir()
    (chunks / "00000" / "00000003.npz").mkdir()
    shutil.copy(chunks / "00000" / "00000001.npz", chunks / "00001" / "00001001.npz")
    for name in names:
        (tmp_path / name).write_text("mine")
    again = folder_at(tmp_path)
    assert again.done().tolist() == [True] * 3
    assert again.damaged() == []
    again.tidy()
    for name in names[:-1]:
        assert (tmp_path / name).read_text() == "mine"


def test_chunks_of_another_question_are_corrupt(tmp_path):
    folder, other = folder_at(tmp_path / "one"), folder_at(tmp_path / "other", seed=2)
    fill(folder)
    fill(other)
    shutil.copytree(other.path / "parts", folder.path / "parts", dirs_exist_ok=True)
    assert folder.damaged() == [0, 1, 2]
    with pytest.raises(CorruptChunkError, match="a file that is corrupt or from another place"):
        folder.read(0)


def test_a_chunk_in_the_place_of_another_is_corrupt(tmp_path):
    folder = folder_at(tmp_path)
    fill(folder)
    first = tmp_path / "parts" / "00000" / "00000000.npz"
    shutil.copy(first, first.with_name("00000001.npz"))
    assert folder.damaged() == [1]


def test_a_chunk_that_may_not_be_replaced_is_fine_if_it_is_the_same(tmp_path, monkeypatch):
    """Windows can't replace a file that another process has open."""
    folder = folder_at(tmp_path)
    folder.write(0, arrays_of(0))

    def refuse(*_):
        raise PermissionError(13, "Access is denied")

    monkeypatch.setattr(Path, "replace", refuse)
    folder.write(0, arrays_of(0))
    with pytest.raises(PermissionError, match=r"Access is denied: .*00000001\.npz"):
        folder.write(1, arrays_of(1))
    (tmp_path / "parts" / "00000" / "00000000.npz").write_bytes(b"damaged")
    with pytest.raises(PermissionError, match=r"00000000\.npz"):
        folder.write(0, arrays_of(0))
