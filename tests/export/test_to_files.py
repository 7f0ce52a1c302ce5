"""Run.to_c and related methods: which files they write, and what they refuse."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import fastgd
from fastgd import Model
from fastgd.export import c_header, onnx, web
from fastgd.export.exported import Exported, ExportError
from fastgd.kernel.language.cross_compilation import TargetError
from fastgd.models.intervals import Intervals
from fastgd.tables.preparation import Preparation
from fastgd.tables.targets import NumberTarget

X, Y = [[0.0, 0.0, 1.0], [0.0, 1.0, 1.0]], [0.0, 1.0]
TINY = {"hidden_size": 2, "activation": "relu"}
TABLE = {"size": [1.0, 2.0, 4.0, 5.0], "city": ["Rome", "Oslo", "Rome", "Oslo"]}
EXPORTERS = {
    "to_c": (c_header, "c_header"),
    "to_javascript": (web, "es_module"),
    "to_wasm": (web, "wasm_module"),
    "to_onnx": (onnx, "onnx_model"),
}


@pytest.fixture(scope="module")
def run():
    return fastgd.train(X, Y, hidden_size=2, iterations=3, record_every=1, record_weights=True)


@pytest.fixture(scope="module")
def model():
    preparation = Preparation.learn(TABLE)
    inputs = preparation.transform(TABLE)
    runs = [fastgd.train(inputs, [0, 1, 1, 0], **TINY, iterations=k) for k in (3, 4)]
    return Model(tuple(runs), preparation, (NumberTarget("price", 3.0, 2.0),))


@pytest.fixture
def asked(monkeypatch):
    """What exporters were called with; each writes "made"."""
    calls = []
    for module, name in EXPORTERS.values():
        is_text = name in ("c_header", "es_module")
        made = "made" if is_text else b"made"
        monkeypatch.setattr(module, name, lambda *given, made=made: calls.append(given) or made)
    return calls


@pytest.mark.parametrize("method", EXPORTERS)
def test_what_is_exported_of_a_run(tmp_path, run, asked, method):
    for network in (run, run.at(1)):
        getattr(network, method)(tmp_path / "file")
        assert (tmp_path / "file").read_bytes() == b"made"
        [exported, *_] = asked.pop()
        assert isinstance(exported, Exported)
        [parts] = exported.members
        assert all(map(np.array_equal, parts.weights, network.weights))
        assert (exported.preparation, exported.targets) == (None, ())


@pytest.mark.parametrize("method", EXPORTERS)
def test_what_is_exported_of_a_model(tmp_path, model, asked, method):
    getattr(model, method)(str(tmp_path / "file"))
    [(exported, *_)] = asked
    for parts, run in zip(exported.members, model.runs, strict=True):
        assert all(map(np.array_equal, parts.weights, run.weights))
    assert [method.given for method in exported.methods] == [{"activation": "relu"}] * 2
    assert (exported.preparation, exported.targets) == (model.preparation, model.targets)


@pytest.mark.parametrize(
    ("file", "name"),
    [("model.h", "model"), ("my-model.v2.h", "my_model_v2"), ("größe", "gr__e")],
)
def test_names_in_c_begin_with_that_of_the_file(tmp_path, run, asked, file, name):
    run.to_c(tmp_path / file)
    run.to_c(tmp_path / file, name="Mine_2")
    assert [given[1] for given in asked] == [name, "Mine_2"]


def test_rows_to_measure_on_are_what_predict_takes(tmp_path, run, model, asked):
    run.to_c(tmp_path / "run.h", X=X)
    model.to_c(tmp_path / "model.h", X={"city": ["Bonn", None], "size": [None, 3]})
    run.to_c(tmp_path / "run.h")
    rows = [given[2] for given in asked]
    assert np.array_equal(rows[0], X)
    assert np.array_equal(rows[1], [[np.nan, -1.0], [3.0, np.nan]], equal_nan=True)
    assert rows[2] is None


@pytest.mark.parametrize("method", EXPORTERS)
def test_bounds_need_errors(tmp_path, model, asked, method):
    with pytest.raises(ValueError, match="interval needs errors on rows that"):
        getattr(model, method)(tmp_path / "file", interval=0.9)
    errors = Intervals(np.array([0.0, 1.0]), np.array([1.0, 2.0]), np.linspace(-1, 1, 99))
    getattr(replace(model, intervals=errors), method)(tmp_path / "file", interval=0.9)
    [(exported, *_)] = asked
    assert (exported.bounds.coverage, exported.bounds.spread) == (0.9, 2.0)  # in the target's unit
    assert exported.bounds.pieces.tolist() == [[3.0, 1.0, 0.0, 2.0]]


def test_onnx_has_a_type(tmp_path, run, asked):
    run.to_onnx(tmp_path / "run.onnx")
    run.to_onnx(tmp_path / "run.onnx", dtype="float32")
    assert [given[1] for given in asked] == ["float64", "float32"]


@pytest.mark.parametrize(
    ("method", "given", "message"),
    [
        ("to_c", {"name": "4x"}, "name must be a C identifier.* got '4x'$"),
        ("to_c", {"name": "a b"}, "name must be a C identifier.* got 'a b'$"),
        ("to_c", {"name": "größe"}, "name must be a C identifier.* got 'größe'$"),
        ("to_c", {"name": 7}, "name must be a C identifier.* got 7$"),
        ("to_c", {"X": [[1.0, 2.0]]}, r"X must have .*3.* got"),
        *((method, {"interval": 1.2}, "interval must be .*got 1.2") for method in EXPORTERS),
        ("to_c", {"interval": 0.9}, "interval must be None for a network that .*, got 0.9$"),
        ("to_onnx", {"dtype": "float16"}, "dtype must be 'float64' or 'float32', got 'float16'"),
        ("to_onnx", {"dtype": None}, "dtype must be 'float64' or 'float32', got None"),
        *((method, {"path": 7}, "path must be a str or a path, got 7") for method in EXPORTERS),
    ],
)
def test_odd_arguments_are_refused(tmp_path, run, method, given, message):
    with pytest.raises((TypeError, ValueError), match=message):
        getattr(run, method)(**{"path": tmp_path / "file"} | given)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("file", ["3d.h", "\u00e9.h", "\u00fc2.h", "12.h", "_.h"])
def test_a_file_whose_name_is_none_in_c_needs_another_one(tmp_path, run, file):
    message = (
        "^a header's names begin with that of its file, which must have a letter from A to Z "
        f"and no digit at its beginning, got '{file[:-2]}': give another, such as name='model'$"
    )
    with pytest.raises(ValueError, match=message):
        run.to_c(tmp_path / file)
    assert not list(tmp_path.iterdir())
    run.to_c(tmp_path / file, name="e")


@pytest.mark.parametrize("method", EXPORTERS)
def test_where_nothing_can_be_written_nothing_is_done(tmp_path, run, asked, method):
    (tmp_path / "folder").mkdir()
    places = {"folder": "Is a directory", "none/file": "No such file or directory"}
    if os.geteuid():
        (tmp_path / "old").touch(mode=0o400)
        places["old"] = "Permission denied"
    for place, why in places.items():
        path = tmp_path / place
        with pytest.raises(OSError, match=f"{why}: '{path}'"):
            getattr(run, method)(path)
    assert not asked


@pytest.mark.parametrize("kind", [ExportError, TargetError])
@pytest.mark.parametrize("method", EXPORTERS)
def test_what_fails_leaves_the_old_file(tmp_path, run, monkeypatch, method, kind):
    def fails(*_):
        raise kind("no such function there")

    monkeypatch.setattr(*EXPORTERS[method], fails)
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(ExportError, match="no such function"):
        getattr(run, method)(path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("method", EXPORTERS)
def test_a_diverged_network_is_refused(tmp_path, run, model, asked, method):
    weights = (run.weights[0] * np.inf, *run.weights[1:])
    diverged = replace(run, weights=weights)
    for network in (diverged, replace(model, runs=(*model.runs, diverged))):
        message = f"^{method} needs a network of finite numbers, got one whose training diverged$"
        with pytest.raises(ValueError, match=message):
            getattr(network, method)(tmp_path / "file")
    assert not asked


def test_exporters_are_loaded_when_they_are_needed():
    code = (
        "import sys, fastgd; fastgd.train; modules = set(sys.modules)\n"
        "print([name for name in ('c_header', 'onnx', 'web')"
        " if f'fastgd.export.{name}' in modules], 'onnx' in modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[] False\n"
