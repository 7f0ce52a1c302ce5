"""``fastgd export``: what it writes, what it says, and what it refuses."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import fastgd
from cases import XOR_X, XOR_Y
from command import assert_refused
from fastgd import Model
from fastgd.cli.saved_commands import LANGUAGES
from fastgd.models.intervals import Intervals
from fastgd.tables.preparation import Preparation
from fastgd.tables.targets import ClassTarget, NumberTarget

TABLE = {"size": [30.0, 50.0, 70.0, 40.0], "city": ["Rome", "Oslo", "Rome", "Bonn"]}
TINY = {"hidden_size": 2, "iterations": 3, "activation": "tanh", "output": "identity"}


ERRORS = Intervals(np.array([0.0, 1.0]), np.array([1.0, 2.0]), np.linspace(-1, 1, 99))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A run, a model of a number, a model of classes, a sweep, a folder of one, and groups."""
    folder = tmp_path_factory.mktemp("saved")
    fastgd.train(XOR_X, np.hstack([XOR_Y, XOR_Y]), iterations=3).save(folder / "run.npz")
    preparation = Preparation.learn(TABLE)
    X = preparation.transform(TABLE)
    targets = {"model": NumberTarget("price", 3.0, 2.0), "kinds": ClassTarget("kind", ("a", "b"))}
    for name, target in targets.items():
        y = target.encode([1, 5, 1, 5] if name == "model" else list("abab"))
        run, errors = fastgd.train(X, y, **TINY), ERRORS if name == "model" else None
        model = Model((run,), preparation, (target,), intervals=errors)
        model.save(folder / f"{name}.npz")
    sweep = {"alpha": [1, 2], "iterations": 3}
    fastgd.sweep(XOR_X, XOR_Y, **sweep).save(folder / "sweep.npz")
    fastgd.sweep(XOR_X, XOR_Y, **sweep, out=folder / "sweep")
    groups = {"shop": ["Bonn", "Oslo"] * 8, "x": list(range(16)), "y": list(range(16))}
    fastgd.fit_groups(groups, by="shop", target="y", iterations=3).save(folder / "groups.npz")
    return folder


@pytest.fixture(autouse=True)
def at_work(saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for path in saved.iterdir():
        Path(path.name).symlink_to(path)
    Path("link.h").symlink_to("run.npz")


SAID = {
    "run.npz run.h": """\
Written to run.h
Use: #include "run.h", call run_predict(x, y), link with -lm
Inputs: 3 numbers
Outputs: 2 numbers
""",
    "model.npz my.h --name houses": """\
Written to my.h
Use: #include "my.h", call houses_predict(x, y), link with -lm
Inputs: size, city (0 Bonn, 1 Oslo, 2 Rome)
Outputs: price
""",
    "kinds.npz kinds.mjs": """\
Written to kinds.mjs
Use: import { predict } from "./kinds.mjs", then predict(rows)
Inputs: size, city
Outputs: kind: one of a, b
""",
    "kinds.npz kinds.wasm": """\
Written to kinds.wasm
Use: write to its "memory" at "rows", call predict(count), read at "results"
Inputs: size, city (0 Bonn, 1 Oslo, 2 Rome)
Outputs: kind: the probability of a, b
""",
    "model.npz b.h --interval 0.9": """\
Written to b.h
Use: #include "b.h", call b_predict(x, y), link with -lm
Inputs: size, city (0 Bonn, 1 Oslo, 2 Rome)
Outputs: price
Bounds: low and high, between which 0.9 of targets lie
""",
    "model.npz model.onnx": """\
Written to model.onnx
Use: in Python, onnxruntime.InferenceSession("model.onnx").run(None, inputs)
Inputs: size, city
Outputs: price
""",
}


@pytest.mark.parametrize("words", SAID)
def test_it_says_how_the_file_is_used(run, words):
    assert run("export", *words.split()) == (0, SAID[words], "")
    saved, out, *_ = words.split()
    assert Path(out).stat().st_size > 200
    network = fastgd.load(saved)
    ways = {".h": network.to_c, ".mjs": network.to_javascript, ".wasm": network.to_wasm}
    named = {"my.h": {"name": "houses"}, "b.h": {"name": "b", "interval": 0.9}}.get(out, {})
    ways.get(Path(out).suffix, network.to_onnx)(f"again-{out}", **named)
    if out != "run.h":
        assert Path(f"again-{out}").read_bytes() == Path(out).read_bytes()


@pytest.mark.parametrize(
    ("out", "use"),
    [
        ('"q.js', 'import { predict } from "./\\"q.js", then predict(rows)'),
        ('"q.onnx', 'in Python, onnxruntime.InferenceSession("\\"q.onnx").run(None, inputs)'),
    ],
)
def test_names_of_files_are_quoted(run, out, use):
    assert f"Use: {use}\n" in run("export", "run.npz", out)[1]


def called(program, *words):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    done = subprocess.run([program, *words], capture_output=True, text=True, check=True)
    return done.stdout


def test_a_c_program_predicts_the_same(run):
    assert run("export", "model.npz", "model.h")[0] == 0
    Path("main.c").write_text("""\
#include <stdio.h>
#include "model.h"
int main(void)
{
    double x[] = {45.5, model_category(1, "Oslo")}, y[1];
    model_predict(x, y);
    printf("%.17g", y[0]);
}
""")
    called("cc", "main.c", "-lm", "-o", "main")
    [known] = fastgd.load("model.npz").predict({"size": [45.5], "city": ["Oslo"]})
    assert float(called("./main")) == known


def test_node_predicts_the_same(run):
    assert run("export", "kinds.npz", "kinds.mjs")[0] == 0
    Path("main.mjs").write_text("""\
import { predict, probabilities } from "./kinds.mjs";
const rows = [{ city: "Bonn", size: 45.5 }, { city: "Oslo", size: 1 }];
console.log(JSON.stringify([predict(rows), probabilities(rows)]));
""")
    labels, probabilities = json.loads(called("node", "main.mjs"))
    model, table = fastgd.load("kinds.npz"), {"size": [45.5, 1.0], "city": ["Bonn", "Oslo"]}
    assert labels == model.predict(table).tolist()
    assert probabilities == model.predict_proba(table).tolist()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_file_is_called_like_the_model(run, language):
    assert run("export", "run.npz", "--to", language)[0] == 0
    assert Path("run.npz").with_suffix(LANGUAGES[language].endings[0]).exists()


def test_models_of_groups_are_one_file_of_onnx(run):
    code, said, _ = run("export", "groups.npz", "groups.onnx")
    assert code == 0
    given = [one.name for one in onnxruntime.InferenceSession("groups.onnx").get_inputs()]
    assert f"Inputs: {', '.join(given)}\n" in said


def test_onnx_has_a_type(run):
    assert run("export", "run.npz", "run.onnx", "--dtype", "float32")[0] == 0
    [given] = onnxruntime.InferenceSession("run.onnx").get_inputs()
    assert given.type == "tensor(float)"


NAMED = "a letter from A to Z and no digit at its beginning"

REFUSED = {
    "run.npz": "give FILE, or --to c, js, wasm or onnx$",
    "run.npz x.c": r"FILE must end in \.h, \.js, \.mjs, \.wasm or \.onnx, got 'x\.c'$",
    ". --to c": "MODEL.npz must be a file, got '.'$",
    "/ --to js": "MODEL.npz must be a file, got '/'$",
    "run.npz --to java": "--to must be 'c', 'js', 'wasm' or 'onnx', got 'java'",
    "run.npz x.js --to c": "a file with --to c must end in .h, got 'x.js'$",
    "run.npz link.h": "link.h can't be written: it is the file that is read$",
    "run.npz none/x.h": "none/x.h can't be written: there is no folder none$",
    "run.npz \u65e5\u672c.h": f"{NAMED}, got '\u65e5\u672c': give another, such as --name model$",
    "run.npz _.h": f"{NAMED}, got '_': give another, such as --name model$",
    "run.npz 9x.h": f"{NAMED}, got '9x': give another, such as --name model$",
    "run.npz x.h --name a-b": "--name must be a C identifier.* got 'a-b'$",
    "run.npz x.js --name x": "--name is for --to c, got --to js$",
    "run.npz x.h --dtype float32": "--dtype is for --to onnx, got --to c$",
    "run.npz x.h --interval 2": r"--interval must be .*, got 2(\.0)?$",
    "run.npz x.js --interval 0.9": "--interval must be None for a network that .*, got 0.9$",
    "kinds.npz x.js --interval 0.9": "--interval needs one numeric target, got the classes of k",
    "run.npz x.onnx --dtype float": "--dtype must be 'float64' or 'float32', got 'float'",
    "none.npz x.h": "none.npz: No such file or directory$",
    "sweep.npz x.h": r"a sweep of 2 runs: .*fastgd\.load\('sweep.npz'\)\.best\(\)\.to_c",
    "sweep x.h": r"a sweep of 2 runs: .*fastgd\.open\('sweep'\)\.best\(\)\.to_c",
    "groups.npz x.h": r"a network per group \(2\): .*\.load\('groups.npz'\)\['Bonn'\]\.to_c",
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_can_not_be_exported(run, words):
    before = os.listdir()
    assert_refused(run("export", *words.split()), REFUSED[words])
    assert os.listdir() == before


@pytest.mark.parametrize("file", ["sweep.npz", "sweep", "groups.npz"])
def test_what_it_says_to_do_works(run, file):
    said = run("export", file, "x.h")[2]
    exec(said.partition("such as ")[2], {"fastgd": fastgd})
    assert Path("model.h").exists()


def test_nothing_is_loaded_before_the_file_can_be_written(run, monkeypatch):
    monkeypatch.setattr("fastgd.load", None)
    assert_refused(run("export", "run.npz", "none/x.h"), "can't be written")
