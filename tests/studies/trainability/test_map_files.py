import json
import re

import numpy as np
import pytest

from fastgd.studies.trainability.patches import PatchFolder, count_finished, patches_of, remove

SETTINGS = {"resolution": 10, "window": ((0.0, 1.0), (2.0, 3.5)), "batch_size": None}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "map.patches"


@pytest.mark.parametrize(("resolution", "side"), [(1, 32), (5, 5), (33, 32), (100, 32), (512, 32)])
def test_patches_cover_a_map_once(resolution, side):
    seen = np.zeros((resolution, resolution), int)
    patches = patches_of(resolution, side)
    for patch in patches:
        seen[patch] += 1
        assert max(patch.shape) <= side
        assert seen[patch].size == patch.size
        assert seen[patch].shape == patch.shape
    assert (seen == 1).all()
    assert len(patches) == (-(-resolution // side)) ** 2
    # No sliver of a patch, which would be trained with another kernel.
    sides = [length for patch in patches for length in patch.shape]
    assert max(sides) - min(sides) <= 1


def test_what_is_written_is_read_by_another_with_the_same_settings(folder):
    patches = patches_of(10, 4)
    values = np.random.RandomState(0).standard_normal(patches[1].shape)
    PatchFolder(folder, SETTINGS).write(patches[1], values)
    again = PatchFolder(folder, SETTINGS)
    assert again.read(patches[0]) is None
    assert again.read(patches[1]).tobytes() == values.tobytes()
    assert count_finished(folder) == 1
    assert sorted(path.name for path in folder.iterdir()) == [
        "patch-00000-00003.npy",
        "settings.json",
    ]


@pytest.mark.parametrize("stage", ["while it is written", "before it is renamed"])
def test_an_interrupted_patch_is_not_there(folder, monkeypatch, stage):
    patch = patches_of(10, 4)[0]
    done = PatchFolder(folder, SETTINGS)

    def interrupt(file, *_):
        if stage == "while it is written":
            file.write(b"half")
        raise KeyboardInterrupt

    broken = "numpy.save" if stage == "while it is written" else "os.fsync"
    with monkeypatch.context() as changed:
        changed.setattr(broken, interrupt)
        with pytest.raises(KeyboardInterrupt):
            done.write(patch, np.ones(patch.shape))
    assert [path.name for path in folder.iterdir()] == ["settings.json"]
    assert done.read(patch) is None


def test_what_a_killed_process_left_is_no_patch(folder):
    folder.mkdir()
    (folder / ".unfinished-0123").write_bytes(b"half")  # not even its settings were written
    PatchFolder(folder, SETTINGS)
    assert count_finished(folder) == 0
    remove(folder)
    assert not folder.exists()


def test_another_map_is_refused(folder):
    PatchFolder(folder, SETTINGS)
    for name, value, was, wants in (
        ("resolution", 12, "10", "12"),
        ("batch_size", 8, "None", "8"),
        (
            "window",
            ((0.0, 1.0), (2.0, 3.0)),
            "[[0.0, 1.0], [2.0, 3.5]]",
            "[[0.0, 1.0], [2.0, 3.0]]",
        ),
        ("more", 1, "None", "1"),
    ):
        message = (
            f"{folder} must hold patches of the same map, got one with {name} {was} instead of "
            f"{wants}: remove it, or choose another folder"
        )
        with pytest.raises(ValueError, match=re.escape(message)):
            PatchFolder(folder, SETTINGS | {name: value})
    PatchFolder(folder, SETTINGS)


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"resolution": 10})])
def test_broken_settings_are_another_map(folder, text):
    PatchFolder(folder, SETTINGS)
    (folder / "settings.json").write_text(text)
    with pytest.raises(ValueError, match="must hold patches of the same map"):
        PatchFolder(folder, SETTINGS)


def test_a_folder_with_other_files_is_left_alone(folder):
    folder.mkdir()
    (folder / "thesis.tex").write_text("years")
    with pytest.raises(
        ValueError, match=r"must be empty or hold the patches of a map, got a folder"
    ):
        PatchFolder(folder, SETTINGS)
    assert [path.name for path in folder.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("content", [b"", b"no array", None])
def test_a_foreign_patch_is_pointed_out(folder, content):
    patch = patches_of(10, 4)[0]
    done = PatchFolder(folder, SETTINGS)
    done.write(patch, np.ones(patch.shape))
    path = folder / "patch-00000-00000.npy"
    if content is None:
        np.save(path, np.ones(3))
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(f"{path} must be a patch that fastgd wrote")):
        done.read(patch)


def test_remove_takes_only_what_was_written(folder):
    patch = patches_of(10, 4)[0]
    PatchFolder(folder, SETTINGS).write(patch, np.ones(patch.shape))
    (folder / "notes.txt").write_text("mine")
    remove(folder)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_no_place_for_a_folder(tmp_path):
    (tmp_path / "file").write_text("")
    for path, kind in (("file", FileExistsError), ("nowhere/map", FileNotFoundError)):
        with pytest.raises(kind):
            PatchFolder(tmp_path / path, SETTINGS)
