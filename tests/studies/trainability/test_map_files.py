import json
import re

import numpy as np
import pytest

from fastgd.studies.trainability.tiles import TileFolder, count_finished, remove, tiles_of

SETTINGS = {"resolution": 10, "window": ((0.0, 1.0), (2.0, 3.5)), "batch_size": None}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "map.tiles"


@pytest.mark.parametrize(("resolution", "side"), [(1, 32), (5, 5), (33, 32), (100, 32), (512, 32)])
def test_tiles_cover_a_map_once(resolution, side):
    seen = np.zeros((resolution, resolution), int)
    tiles = tiles_of(resolution, side)
    for tile in tiles:
        seen[tile] += 1
        assert max(tile.shape) <= side
        assert seen[tile].size == tile.size
        assert seen[tile].shape == tile.shape
    assert (seen == 1).all()
    assert len(tiles) == (-(-resolution // side)) ** 2
    # No sliver of a tile, which would be trained with another kernel.
    sides = [length for tile in tiles for length in tile.shape]
    assert max(sides) - min(sides) <= 1


def test_what_is_written_is_read_by_another_with_the_same_settings(folder):
    tiles = tiles_of(10, 4)
    values = np.random.RandomState(0).standard_normal(tiles[1].shape)
    TileFolder(folder, SETTINGS).write(tiles[1], values)
    again = TileFolder(folder, SETTINGS)
    assert again.read(tiles[0]) is None
    assert again.read(tiles[1]).tobytes() == values.tobytes()
    assert count_finished(folder) == 1
    assert sorted(path.name for path in folder.iterdir()) == [
        "settings.json",
        "tile-00000-00003.npy",
    ]


@pytest.mark.parametrize("stage", ["while it is written", "before it is renamed"])
def test_an_interrupted_tile_is_not_there(folder, monkeypatch, stage):
    tile = tiles_of(10, 4)[0]
    done = TileFolder(folder, SETTINGS)

    def interrupt(file, *_):
        if stage == "while it is written":
            file.write(b"half")
        raise KeyboardInterrupt

    broken = "numpy.save" if stage == "while it is written" else "os.fsync"
    with monkeypatch.context() as patch:
        patch.setattr(broken, interrupt)
        with pytest.raises(KeyboardInterrupt):
            done.write(tile, np.ones(tile.shape))
    assert [path.name for path in folder.iterdir()] == ["settings.json"]
    assert done.read(tile) is None


def test_what_a_killed_process_left_is_no_tile(folder):
    folder.mkdir()
    (folder / ".unfinished-0123").write_bytes(b"half")  # not even its settings were written
    TileFolder(folder, SETTINGS)
    assert count_finished(folder) == 0
    remove(folder)
    assert not folder.exists()


def test_another_map_is_refused(folder):
    TileFolder(folder, SETTINGS)
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
            f"{folder} must hold tiles of the same map, got one with {name} {was} instead of "
            f"{wants}: remove it, or choose another folder"
        )
        with pytest.raises(ValueError, match=re.escape(message)):
            TileFolder(folder, SETTINGS | {name: value})
    TileFolder(folder, SETTINGS)


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"resolution": 10})])
def test_broken_settings_are_another_map(folder, text):
    TileFolder(folder, SETTINGS)
    (folder / "settings.json").write_text(text)
    with pytest.raises(ValueError, match="must hold tiles of the same map"):
        TileFolder(folder, SETTINGS)


def test_a_folder_with_other_files_is_left_alone(folder):
    folder.mkdir()
    (folder / "thesis.tex").write_text("years")
    with pytest.raises(ValueError, match=r"must be empty or hold the tiles of a map, got a folder"):
        TileFolder(folder, SETTINGS)
    assert [path.name for path in folder.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("content", [b"", b"no array", None])
def test_a_foreign_tile_is_pointed_out(folder, content):
    tile = tiles_of(10, 4)[0]
    done = TileFolder(folder, SETTINGS)
    done.write(tile, np.ones(tile.shape))
    path = folder / "tile-00000-00000.npy"
    if content is None:
        np.save(path, np.ones(3))
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(f"{path} must be a tile that fastgd wrote")):
        done.read(tile)


def test_remove_takes_only_what_was_written(folder):
    tile = tiles_of(10, 4)[0]
    TileFolder(folder, SETTINGS).write(tile, np.ones(tile.shape))
    (folder / "notes.txt").write_text("mine")
    remove(folder)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_no_place_for_a_folder(tmp_path):
    (tmp_path / "file").write_text("")
    for path, kind in (("file", FileExistsError), ("nowhere/map", FileNotFoundError)):
        with pytest.raises(kind):
            TileFolder(tmp_path / path, SETTINGS)
