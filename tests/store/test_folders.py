"""A result on disk, part by part."""

import numpy as np
import pytest

from fastgd.store.folder import Folder
from fastgd.store.part_file import MissingPartError

ASKED = {"alpha": [0.1, 0.2], "seed": 1}


def part_of(number):
    return {
        "errors": np.arange(5.0) + number,
        "names": np.array([f"run {number}"]),
        "none": np.empty((0, 3), np.float32),
    }


def folder_at(path, parts=3, **asked):
    return Folder.create(path, "test", ASKED | asked, {"shape": (2, 3)}, {"X": np.eye(3)}, parts)


def assert_same(found, wanted):
    assert list(found) == list(wanted)
    for name, array in found.items():
        np.testing.assert_array_equal(array, wanted[name], strict=True)


def test_what_is_written_is_read(tmp_path):
    folder = folder_at(tmp_path / "a" / "b")
    folder.write(2, part_of(2))
    again = Folder.open(folder.path)
    for each in (folder, again):
        assert each.done().tolist() == [False, False, True]
        assert (each.kind, each.parts) == ("test", 3)
        assert each.asked == {"alpha": (0.1, 0.2), "seed": 1}
        assert each.facts == {"shape": (2, 3)}
        assert_same(each.arrays, {"X": np.eye(3)})
        assert_same(each.read(2), part_of(2))
        assert_same(each.read(2, ["names"]), {"names": part_of(2)["names"]})
        with pytest.raises(MissingPartError, match=r"00000001\.npz is not there"):
            each.read(1)
    assert folder.id == again.id


def test_another_question_is_refused(tmp_path):
    folder_at(tmp_path)
    with pytest.raises(ValueError, match=r"got one with alpha\[1\] 0.2 instead of 0.3, no beta"):
        folder_at(tmp_path, alpha=[0.1, 0.3], beta=2)
