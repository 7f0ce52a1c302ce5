"""Whatever takes a path takes a str or a path: no number of an open file, no bytes, no flag."""

import os

import pytest

import fastgd
from fastgd import bucket, plots
from fastgd.article import page
from fastgd.tables.preparation import Preparation
from fastgd.tables.targets import NumberTarget

DATA = {"X": [[0.0], [1.0]], "y": [0.0, 1.0], "hidden_size": (), "iterations": 3}
RUN = fastgd.train(**DATA)
MODEL = fastgd.Model(
    (RUN,), Preparation.learn({"a": [1, 2, 3]}), (NumberTarget("y", mean=0.0, scale=1.0),)
)


class BytesPath:
    def __fspath__(self):
        return b"bytes"


class BrokenPath:
    def __fspath__(self):
        raise RuntimeError


def film(path):
    rolled = bucket.roll(curve="x**2", start=1.0, iterations=3, record_path=True)
    return plots.film(rolled, path)


CALLS = {
    "load": ("path", fastgd.load),
    "open": ("path", fastgd.open),
    "save a run": ("path", RUN.save),
    "save a sweep": ("path", lambda path: fastgd.sweep(**DATA, alpha=[1, 2]).save(path)),
    "save a model": ("path", MODEL.save),
    "train": ("checkpoint", lambda path: fastgd.train(**DATA, checkpoint=path)),
    "sweep": ("out", lambda path: fastgd.sweep(**DATA, alpha=[1, 2], out=path)),
    "plots.write": ("path", lambda path: plots.write(None, path)),
    "plots.film": ("path", film),
    "page": ("path", lambda path: page.write(path, [])),
}
TABLES = {
    "fit": ("table", lambda path: fastgd.fit(path, target="y")),
    "predict": ("table", MODEL.predict),
}
NO_PATHS = [1, 0, True, False, b"bytes", 1.5, ["x"], object(), BytesPath(), BrokenPath()]


@pytest.mark.parametrize(("name", "call"), CALLS.values(), ids=CALLS)
def test_what_is_no_path(name, call):
    for value in NO_PATHS:
        with pytest.raises(TypeError, match=f"{name} must be a str or a path, got "):
            call(value)
    for text in ("", "zero\0byte"):
        with pytest.raises(
            ValueError, match=f"{name} must not be empty or contain a zero byte, got "
        ):
            call(text)


@pytest.mark.parametrize(("name", "call"), TABLES.values(), ids=TABLES)
def test_what_is_no_path_of_a_table(name, call):
    with pytest.raises(TypeError, match=f"{name} must be a str or a path, got "):
        call(BytesPath())
    with pytest.raises(ValueError, match=f"{name} must not be empty or contain a zero byte, got "):
        call("zero\0byte")
    for value in NO_PATHS[:4]:
        with pytest.raises(TypeError, match="must be"):
            call(value)


def test_an_open_file_stays_open(tmp_path):
    RUN.save(tmp_path / "run.npz")
    with open(tmp_path / "run.npz", "rb") as file:
        with pytest.raises(TypeError):
            fastgd.load(file.fileno())
        assert os.fstat(file.fileno()).st_size == len(file.read())
