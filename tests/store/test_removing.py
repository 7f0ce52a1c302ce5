"""A folder is removed, except for files that others have put there."""

import numpy as np
import pytest

from fastgd.store.folder import Folder, remove


@pytest.fixture
def folder(tmp_path):
    shared = {"X": np.arange(3)}
    found = Folder.create(tmp_path / "map", "squares", {}, {}, shared, chunk_count=2)
    found.write(1, {"square": np.array(1)})
    found.acquire(0)
    (found.path / ".unfinished-0123.npz").write_bytes(b"half")
    return found


def test_nothing_is_left(folder):
    remove(folder.path)
    assert list(folder.path.parent.iterdir()) == []
    remove(folder.path)  # it doesn't exist


def test_only_what_was_written_goes(folder):
    (folder.path / "notes.txt").write_text("mine")
    (folder.path / "notes").mkdir()
    remove(folder.path)
    assert sorted(path.name for path in folder.path.iterdir()) == ["notes", "notes.txt"]


def test_a_process_that_is_still_working_creates_it_again(folder):
    remove(folder.path)
    folder.write(0, {"square": np.array(0)})
    assert Folder.open(folder.path).done().tolist() == [True, False]
