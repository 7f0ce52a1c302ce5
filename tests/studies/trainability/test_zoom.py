import re
from functools import wraps

import numpy as np
import pytest
from fastgd.studies.mean_field import MapJob, Settings
from fastgd.studies.trainability_map import Trainability

import fastgd
from fastgd.studies import trainability_map as zoom

SMALL = {"iterations": 30, "width": 4, "window": ((-1.0, 3.0), (-1.0, 3.0))}


@pytest.fixture(scope="module")
def maps():
    return fastgd.trainability_zoom(5, factor=2, resolution=16, **SMALL)


def test_windows_shrink_towards_the_boundary(maps):
    windows = [found.settings.window for found in maps]
    assert windows[0] == SMALL["window"]
    for k, (narrow, wide) in enumerate(zip(windows[1:], windows, strict=False), 1):
        for (low, high), (lowest, highest) in zip(narrow, wide, strict=True):
            assert lowest <= low < high <= highest
            assert high - low == pytest.approx(4 / 2**k)
    rows, columns = np.nonzero(maps[-1].boundary)
    assert np.hypot(rows - 7.5, columns - 7.5).min() < 3  # near the middle of the last frame


def test_the_boundary_itself_lies_in_the_cell():
    """Between two rows of pixels, the first of which is the one that is marked."""
    values = np.ones((64, 64))
    values[:32] = -1
    settings = Settings(64, 5, 4, ((0.0, 64.0), (0.0, 64.0)), "tanh", None, 1)
    rates = np.arange(1.0, 65)
    edge = np.ones((64, 64))
    edge[:62] = -1
    (left, right), (bottom, top) = zoom._cell(Trainability(settings, rates, rates, edge))
    assert (right - left, bottom, top) == (8, 56, 64)  # not half a pixel beyond the edge
    (left, right), (bottom, top) = zoom._cell(Trainability(settings, rates, rates, values))
    assert bottom < 32 < top
    assert (right - left, top - bottom) == (8, 8)


def test_a_frame_is_a_map(maps):
    window = maps[2].settings.window
    alone = fastgd.trainability(16, **SMALL | {"window": window})
    assert alone.values.tobytes() == maps[2].values.tobytes()


def test_a_single_outcome_is_no_place_to_zoom_to():
    message = "window must hold a part of the boundary, got ((-9, -8), (-9, -8))"
    with pytest.raises(ValueError, match=re.escape(message)):
        fastgd.trainability_zoom(3, resolution=8, **SMALL | {"window": ((-9, -8), (-9, -8))})


def test_it_ends_where_the_boundary_is_lost(monkeypatch):
    """A scout without a boundary is the last one."""
    trained, asked = zoom.trainability, []

    @wraps(trained)
    def flat(pixels, **given):
        asked.append(given["window"])
        if len(asked) == 2:
            given["window"] = ((-9, -8), (-9, -8))
        return trained(pixels, **given)

    monkeypatch.setattr(zoom, "trainability", flat)
    maps = fastgd.trainability_zoom(3, factor=5, resolution=8, **SMALL)
    assert len(asked) == 5
    center = [sum(side) / 2 for side in maps[-1].settings.window]
    assert center == pytest.approx([sum(side) / 2 for side in asked[1]])


def test_interrupted_and_continued_it_has_the_same_frames(maps, tmp_path, monkeypatch):
    compute, computed = MapJob.compute, []

    def interrupted(self, *given):
        computed.append(self.settings.resolution)
        if computed.count(16) == 10:
            raise KeyboardInterrupt
        return compute(self, *given)

    asked = SMALL | {"factor": 2, "resolution": 16, "out": tmp_path / "zoom", "threads": 1}
    with monkeypatch.context() as patch:
        patch.setattr(MapJob, "compute", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fastgd.trainability_zoom(5, **asked)
    again = fastgd.trainability_zoom(5, **asked)
    assert [one.values.tobytes() for one in again] == [one.values.tobytes() for one in maps]
    names = sorted(path.name for path in (tmp_path / "zoom").iterdir())
    scouts = [f"scout-{k}" for k in range(3)]
    assert names == [*(f"frame-{k:03}" for k in range(5)), "manifest.json", *scouts]
    rule = "must be empty or hold the same zoom of trainability, got one with "
    for other, difference in (
        ({"frames": 6}, "frames 5 instead of 6: "),
        ({"factor": 3}, "factor 2.0 instead of 3.0: "),
        ({"width": 5}, "width 4 instead of 5: "),
    ):
        with pytest.raises(ValueError, match=rule + difference):
            fastgd.trainability_zoom(**{"frames": 5, **asked, **other})


@pytest.mark.parametrize("window", [((-100.0, 100.0), (-100.0, 100.0)), ((-1.0, 3.0), (-0.3, 3.0))])
def test_frames_lie_in_the_first_one_also_near_its_edge(window):
    maps = fastgd.trainability_zoom(2, factor=1.5, resolution=8, **SMALL | {"window": window})
    assert maps[0].settings.window == window
    for (low, high), (lowest, highest) in zip(maps[1].settings.window, window, strict=True):
        assert lowest <= low < high <= highest
        assert (high - low) * 1.5 == pytest.approx(highest - lowest)


@pytest.mark.parametrize("goal", [-0.9, 0.1, 1.3, 5.0])
@pytest.mark.parametrize("factor", [1.01, 1.25])
def test_windows_are_nested_to_the_last_bit(goal, factor):
    whole = inside = ((-0.7, 1.1), (-0.7, 1.1))
    total = factor**9
    for frame in range(1, 10):
        before, inside = (
            inside,
            zoom._next(inside, whole, ((goal, goal),) * 2, factor**frame, total),
        )
        assert before[0][0] <= inside[0][0] < inside[0][1] <= before[0][1]


@pytest.mark.parametrize("given", [{"frames": 3}, {"frames": 3, "seed": 2}])
def test_a_folder_with_anything_else_is_left_alone(tmp_path, given):
    folder = tmp_path / "zoom"
    if "seed" in given:
        fastgd.trainability(8, **SMALL, out=folder)
        message = "same zoom of trainability, got one with kind 'map of trainability' instead of"
    else:
        folder.mkdir()
        (folder / "notes.txt").write_text("mine")
        message = "must be empty or a folder that fastgd has written, got one with 'notes.txt'"
    before = sorted(folder.iterdir())
    with pytest.raises(ValueError, match=message):
        fastgd.trainability_zoom(**given, resolution=8, **SMALL, out=folder)
    assert sorted(folder.iterdir()) == before


def test_what_cannot_work_is_said_before_the_work(monkeypatch):
    monkeypatch.setattr(MapJob, "compute", lambda *_: pytest.fail("it has begun"))
    message = (
        "frames and factor must magnify this window at most 8.8e+12 times, or pixels would not "
        "differ, got 1000 and 100, which magnify inf times"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        fastgd.trainability_zoom(1000, factor=100, **SMALL)
    for given in ({"resolution": 10**6}, {"frames": 1000, "factor": 1.01, "resolution": 10**5}):
        with pytest.raises(ValueError, match="must fit into the available memory"):
            fastgd.trainability_zoom(**given, **SMALL)


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"frames": 1}, ValueError, "frames must be at least 2, got 1"),
        ({"frames": 1001}, ValueError, "frames must be at most 1000, got 1001"),
        ({"factor": 1}, ValueError, "factor must be a number above 1 and at most 100, got 1"),
        ({"factor": "2"}, TypeError, "factor must be a number, got '2'"),
        ({"resolution": 0}, ValueError, "resolution must be at least 1, got 0"),
        ({"pixels": 9}, TypeError, "got an unexpected keyword argument 'pixels'"),
        ({"threads": 0}, ValueError, "threads must be at least 1, got 0"),
        ({"width": 0}, ValueError, "width must be at least 1, got 0"),
        ({"window": 3}, ValueError, "window must be ((left, right), (bottom, top))"),
    ],
)
def test_bad_arguments(tmp_path, given, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        fastgd.trainability_zoom(**{"resolution": 16, **SMALL, **given}, out=tmp_path / "zoom")
    assert not (tmp_path / "zoom").exists()
