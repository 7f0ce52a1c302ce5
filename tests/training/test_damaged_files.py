"""A corrupt file of results raises an error of one sentence, whatever is wrong with it."""

import io
import json
import tracemalloc
import warnings
import zipfile
import zlib
from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pytest
from test_results import divided, same

import fastgd
from cases import CAUCHY, SWISH
from fastgd.optimizers import Adam, Momentum
from fastgd.store import npz
from fastgd.training.stored_results import encode_run, encode_sweep
from thinning import only

REFUSED = "must be a whole file that fastgd has saved"
X = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]
Y = [0, 1, 1, 0]


@cache
def result(kind):
    """One of the four, of which most tests need one or two."""
    settings = {"iterations": 20, "record_every": 5, "bias": True, "summary": 2, "batch_norm": True}
    settings |= {"optimizer": Adam(beta1=0.8), "sample_weight": [1, 2, 1, 1]}
    settings |= {"restore_best": True, "validation": (X, Y), "record_weights": True}
    functions = {"activation": SWISH, "beta": 2.0, "loss": CAUCHY, "c": 0.5}
    if kind == "run":
        return fastgd.train(X, Y, alpha=(0.1, 0.2), **settings, **functions)
    if kind == "sweep":
        axes = {"l2": [0, 0.1], "weights": [result("run"), result("run").at(1)]}
        return fastgd.sweep(X, Y, **settings | axes, keep_state=True)
    if kind == "methods":
        return fastgd.sweep(
            X, Y, hidden_size=[2, 3], optimizer=[Momentum(), Momentum(0.5)], seed=[1, 2],
            iterations=5, patience=[None, 3], keep_weights=False, alpha=[1, (0.5, 0.1)],
            loss=["squared", CAUCHY],
        )  # fmt: skip
    parts = fastgd.sweep(X, Y, alpha=[1, 2], l2=[0, 0.1], seed=[1, 2], iterations=5)
    return divided(parts, **PARTS)


PARTS = {
    "groups": ["b", "a"] * 6, "folds": 2, "sample_weight": np.arange(24.0).reshape(2, 12)
}  # fmt: skip


@pytest.fixture(scope="module", params=only(["run", "sweep", "methods", "parts"], "run", "parts"))
def saved(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("damaged") / "result.npz"
    result(request.param).save(path)
    return result(request.param), path


def refused_or_the_same(path, result):
    """Whether it was rejected; else it is the saved result, as not all bytes of a zip matter."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = fastgd.load(path)
    except ValueError as error:
        assert str(error) == f"{path} {REFUSED}"  # noqa: PT017  any other error is to be seen
        return True
    assert same(loaded, result)
    return False


@pytest.mark.parametrize("step", [2003, pytest.param(41, marks=pytest.mark.slow)])
def test_cut_files(saved, step):
    result, path = saved
    whole = path.read_bytes()
    try:
        last = range(len(whole) - 60, len(whole), 1 if step < 1000 else 7)
        for length in [*range(0, len(whole), step), *last]:
            path.write_bytes(whole[:length])
            assert refused_or_the_same(path, result), length
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("step", [499, pytest.param(23, marks=pytest.mark.slow)])
def test_changed_bytes(saved, step):
    """Some bytes of every part of the file, each set to 0, to 255 and with one bit flipped."""
    result, path = saved
    whole = bytearray(path.read_bytes())
    refused = 0
    try:
        for place in range(0, len(whole), step):
            kept = whole[place]
            for value in {0, 255, kept ^ (1 << place % 8)} - {kept}:
                whole[place] = value
                path.write_bytes(whole)
                refused += refused_or_the_same(path, result)
            whole[place] = kept
    finally:
        path.write_bytes(whole)
    assert refused > len(whole) // step


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(path, content):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def npy(array):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asanyarray(array))
    return buffer.getvalue()


def test_missing_members(saved):
    result, path = saved
    whole = members(path)
    try:
        for name in whole:
            rewrite(path, {other: data for other, data in whole.items() if other != name})
            assert refused_or_the_same(path, result), name
        rewrite(path, whole | {"more.npy": npy(np.zeros(2))})
        assert refused_or_the_same(path, result)
    finally:
        rewrite(path, whole)


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_members_of_another_kind(saved, step):
    result, path = saved
    whole = members(path)
    absurd = npy(np.zeros(2)).replace(b"(2,), }", b"(9999999999999,), }"[:7] + b"}")
    huge = npy(np.zeros((1, 1))).replace(b"(1, 1), }" + b" " * 12, b"(10**12, 1), }".ljust(21))
    others = [
        npy(np.zeros((1, 1, 1, 1))), npy(np.array(["x"])), npy(np.array(3 + 4j)), npy(np.zeros(0)),
        npy(np.zeros(3, "M8[s]")), npy(np.zeros(2, [("a", "f8")])), b"", b"\x93NUMPY", b"x" * 100,
        whole["fastgd.npy"] + b"x", absurd, huge,
        np.lib.format.magic(1, 0) + b"\x46\x00{'descr': '<f8', 'fortran_order': False, 'shape': "
        b"(9999999999,)}\n" + b"\0" * 8,
        np.lib.format.magic(1, 0) + b"\x4e\x00{'descr': '<f8', 'fortran_order': False, 'shape': "
        b"(99999999999999999,)}\n" + b"\0" * 8,
        np.lib.format.magic(1, 0) + b"\x46\x00{'descr': '|O', 'fortran_order': False, 'shape': "
        b"(1,)}        \n" + b"\0" * 8,
    ]  # fmt: skip
    try:
        for first, name in enumerate(whole):
            for number in range(first % step, len(others), step):
                rewrite(path, whole | {name: others[number]})
                assert refused_or_the_same(path, result), (name, number)
    finally:
        rewrite(path, whole)


def test_arrays_of_another_shape(saved):
    result, path = saved
    whole = members(path)
    try:
        for name in whole.keys() - {"sample_weight.npy"}:  # a result knows no number of samples
            array = np.lib.format.read_array(io.BytesIO(whole[name]))
            for other in (array[None], np.concatenate([np.atleast_1d(array)] * 2)):
                rewrite(path, whole | {name: npy(other)})
                assert refused_or_the_same(path, result), name
    finally:
        rewrite(path, whole)


WRONG = {
    "parts": {
        "partition_rows": [(-1, -1), (-1, 12), (0, 10**9)],
        "partition_held": [(-1, -1), (-1, 12)],
        "partition_rows_starts": [(0, 1), (1, 0), (1, -1), (-1, 9)],
        "partition_weights": [(-1, -1.0), (-1, np.nan), (-1, np.inf)],
    },
    "run": {
        "state_signs_0": [(0, 2)],
        "state_ended_0": [(0, -2)],
        "state_outcome_0": [(0, -1), (0, 4)],
        "state_planned_0": [(0, 0)],
        "state_record_every_0": [(0, 0)],
    },
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in WRONG for name in WRONG[kind]])
def test_numbers_that_lead_nowhere(tmp_path, kind, name):
    """Row numbers, signs and endings are used as they are: one that can't be is noticed."""
    path = tmp_path / "result.npz"
    result(kind).save(path)
    whole = members(path)
    for place, value in WRONG[kind][name]:
        array = np.lib.format.read_array(io.BytesIO(whole[f"{name}.npy"]))
        array.flat[place] = value
        rewrite(path, whole | {f"{name}.npy": npy(array)})
        with pytest.raises(ValueError, match=REFUSED):
            fastgd.load(path)


@pytest.mark.parametrize("name", ["watch", "tau", "best", "steps", "corrections"])
def test_states_of_other_options(tmp_path, name):
    """As wide as the options say: nothing else could go on."""
    path = tmp_path / "result.npz"
    result("run").save(path)
    whole = members(path)
    array = np.lib.format.read_array(io.BytesIO(whole[f"state_{name}_0.npy"]))
    for other in (
        array[..., 1:],
        np.concatenate([array, np.zeros((*array.shape[:-1], 1))], axis=-1),
    ):
        if other.shape != array.shape:
            rewrite(path, whole | {f"state_{name}_0.npy": npy(other)})
            with pytest.raises(ValueError, match=REFUSED):
                fastgd.load(path)


@pytest.mark.parametrize("option", ["bias", "batch_norm"])
def test_parameters_that_the_options_say_are_there(tmp_path, option):
    """A run without a state, without which nothing else says how many there were."""
    path = tmp_path / "result.npz"
    run = fastgd.train(X, Y, iterations=5, **{option: True})
    header, arrays = encode_run(replace(run, state=None))
    gone = ("biases", "bias_direction_changes", "scale", "shift", "mean", "variance")
    kept = {name: array for name, array in arrays.items() if not name.startswith(gone)}
    npz.write(path, "Run", header, kept)
    with pytest.raises(ValueError, match=REFUSED):
        fastgd.load(path)


HASH = "float64 (4, 3) " + "0" * 64
NO_HASHES = [
    3, "X", [], {}, {"X": HASH}, {"X": HASH, "y": HASH, "zz": HASH}, {"X": HASH, "y": None},
    {"X": HASH, "y": [HASH]}, {"X": HASH, "y": HASH[:-1]}, {"X": HASH, "y": HASH + "0"},
    {"X": HASH, "y": HASH + "\n"}, {"X": HASH, "y": HASH.replace("4", "-4")},
    {"X": HASH, "y": HASH.replace("64", "32")}, {"X": HASH, "y": "0" * 64},
]  # fmt: skip


@pytest.mark.parametrize("hashes", NO_HASHES, ids=range(len(NO_HASHES)))
def test_hashes_of_no_samples(tmp_path, hashes):
    path = tmp_path / "result.npz"
    fastgd.train(X, Y, iterations=5).save(path)
    whole = members(path)
    header = json.loads(str(np.lib.format.read_array(io.BytesIO(whole["fastgd.npy"]))))
    rewrite(path, whole | {"fastgd.npy": npy(np.array(json.dumps(header)))})
    assert fastgd.load(path).sample_hashes == header["sample_hashes"]
    text = json.dumps(header | {"sample_hashes": hashes})
    rewrite(path, whole | {"fastgd.npy": npy(np.array(text))})
    with pytest.raises(ValueError, match=REFUSED):
        fastgd.load(path)


@pytest.mark.parametrize("hashes", [NO_HASHES[1:4], [{"X": HASH, "y": HASH}], [None] * 2, 3])
def test_hashes_of_other_subsets(tmp_path, hashes):
    path = tmp_path / "result.npz"
    sweep = fastgd.sweep(X, Y, folds=2, alpha=range(1, 9), iterations=5, keep_state=True)
    header, arrays = encode_sweep(sweep)
    npz.write(path, "Sweep", header | {"subset_hashes": hashes}, arrays)
    with pytest.raises(ValueError, match=REFUSED):
        fastgd.load(path)


NO_AXES = [
    {"group": ["a", 1]}, {"group": ["a"]}, {"group": [None, "a"]}, {"group": [float("nan"), 1]},
    {"fold": [0]}, {"fold": [False, True]}, {"fold": []}, {"sample_weight": [0, 1, 2]},
    {"sample_weight": ["0", "1"]}, {"alpha": [1]}, {"group": ["a", "b"], "l2": [1]},
]  # fmt: skip


@pytest.mark.parametrize("axes", NO_AXES, ids=range(len(NO_AXES)))
def test_axes_of_samples_that_are_none(tmp_path, axes):
    path = tmp_path / "result.npz"
    result("parts").save(path)
    whole = members(path)
    header = json.loads(str(np.lib.format.read_array(io.BytesIO(whole["fastgd.npy"]))))
    header["axes"] |= axes
    rewrite(path, whole | {"fastgd.npy": npy(np.array(json.dumps(header)))})
    with pytest.raises(ValueError, match=REFUSED):
        fastgd.load(path)


NOBODYS_AXES = [
    {"zz": [1]}, {"alpha": [1, 2], "zz": [1]}, {"__class__": [1, 2]}, {"__init__": 2}, {"": [1]},
    {"case": [{"zz": 1}, {"zz": 2}]}, {"case": [{"__class__": 1}, {"__class__": 2}]},
    {"case": [{}, {}]}, {"case": [{"alpha": 1}, {"l2": 2}]}, {"case": [{"alpha": 1}, 2]},
    {"case": [{"case": [{"alpha": 1}]}, {"case": []}]}, {"case": [{"seed": 1}, {"seed": 2}]},
    {"alpha": [1, 2], "case": [{"l2": 1}]}, {"case": [{"alpha": 1}, {"alpha": 2}], "alpha": [1]},
    {"seed": [1, 2], "alpha": [1]}, {"l2": [0, 1], "alpha": [1]}, {"alpha": [1, 2], "bias": [0]},
    {"alpha": [1, 2], "hidden_size": [4]}, {"seed": [1, 2], "l2": [0]}, {}, [], None, "alpha",
]  # fmt: skip


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory):
    """A small sweep in a file, and its header."""
    path = tmp_path_factory.mktemp("two") / "sweep.npz"
    fastgd.sweep(X, Y, alpha=[1, 2], seed=[1], iterations=5).save(path)
    whole = members(path)
    return path, whole, json.loads(str(np.lib.format.read_array(io.BytesIO(whole["fastgd.npy"]))))


@pytest.mark.parametrize("axes", NOBODYS_AXES, ids=range(len(NOBODYS_AXES)))
def test_axes_that_no_sweep_has(two_runs, axes):
    """Names of nothing, of two axes for one number, or in another order: of as many runs."""
    path, whole, header = two_runs
    text = json.dumps(header | {"axes": axes})
    rewrite(path, whole | {"fastgd.npy": npy(np.array(text))})
    with pytest.raises(ValueError, match=REFUSED):
        fastgd.load(path)


def test_two_headers_of_one_name(two_runs):
    """JSON may have two axes of one name: the last one counts."""
    path, whole, header = two_runs
    text = json.dumps(header).replace('"axes": {', '"axes": {"alpha": [7.0], "case": [], ')
    rewrite(path, whole | {"fastgd.npy": npy(np.array(text))})
    with pytest.raises(ValueError, match=REFUSED):
        fastgd.load(path)


@pytest.mark.parametrize("name", ["errors", "recorded", "status", "kept_weights_0"])
def test_an_array_that_is_too_large_is_not_unpacked(two_runs, name):
    path, whole, _ = two_runs
    like = {"status": "<U262144", "recorded": "i8"}.get(name, "f8")
    zeros = np.broadcast_to(np.zeros((), like), (2, 1) if name == "status" else (2**20, 2))
    rewrite(path, whole | {f"{name}.npy": npy(zeros)})
    tracemalloc.start()
    with pytest.raises(ValueError, match=REFUSED):
        fastgd.load(path)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_an_axis_of_samples_needs_its_samples(tmp_path):
    path = tmp_path / "result.npz"
    replace(result("parts"), partition=None).save(path)
    with pytest.raises(ValueError, match=REFUSED):
        fastgd.load(path)


ODD = [None, True, -1, 0, 10**30, 0.5, float("nan"), "x", "", [], [[]], [1], ["x"], [None], {}]
ODD += [{"x": 1}, [[1, 2], [3]], [-1], [10**30], [0.5, "x"], {"alpha": []}, {"weights": 1}]


def places_of(value, path=()):
    """The paths of all values in a header."""
    yield path
    if isinstance(value, list):
        value = dict(enumerate(value[:3]))
    for key, part in value.items() if isinstance(value, dict) else ():
        yield from places_of(part, (*path, key))


def replaced(value, path, other):
    if not path:
        return other
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(copy[path[0]], path[1:], other)
    return copy


@pytest.mark.parametrize("step", [23, pytest.param(1, marks=pytest.mark.slow)])
def test_headers_of_odd_types(saved, step):
    """Another value anywhere in the header: an error, or a usable result."""
    result, path = saved
    whole = members(path)
    header = json.loads(str(np.lib.format.read_array(io.BytesIO(whole["fastgd.npy"]))))
    assert refused_or_the_same(path, result) is False
    refused = tried = 0
    try:
        places = [*places_of(header), ("kind",), ("new",)]
        for place, odd in list(product(places, ODD))[::step]:
            other = header | {"new": odd} if place == ("new",) else replaced(header, place, odd)
            rewrite(path, whole | {"fastgd.npy": npy(np.array(json.dumps(other)))})
            tried += 1
            try:
                loaded = fastgd.load(path)
            except ValueError as error:
                refused += 1
                is_format = place == ("format",) and "must have format 1" in str(error)
                is_name = "must have functions that fastgd knows: " in str(error)
                is_known = str(error).endswith(REFUSED) or is_format or is_name
                assert is_known, (place, odd)
                continue
            repr(loaded)
            if isinstance(loaded, fastgd.Run):
                loaded.predict(X)
                loaded.at(1)
            else:
                assert len(loaded.to_dataframe()) == len(loaded)
                if loaded.kept_weights is not None:
                    list(loaded)
    finally:
        rewrite(path, whole)
    assert refused > 0.8 * tried


DOUBLED = "(a := w + w) + " + " + ".join(f"(a := a * a) * {k}" for k in range(40))

NO_FUNCTIONS = {
    "activation": [
        ["Function", "a / (1 + exp(-beta * a))", None, ["a"], {}],
        ["Loss", "a / (1 + exp(-beta * a))", None, ["a"], {"beta": 1.0}],
        ["Function", "a / (1 + exp(-beta * a))", None, ["a", "b"], {"beta": 1.0}],
        ["Function", "a / (1 + exp(-beta * a))", None, ["exp"], {"beta": 1.0}],
        ["Function", "a / (1 +", None, ["a"], {"beta": 1.0}],
        ["Function", "a / (1 + exp(-beta * a))", "1 +", ["a"], {"beta": 1.0}],
        ["Function", "a" + " + a" * 200, None, ["a"], {"beta": 1.0}],
        ["Function", "__import__('os').system('true')", None, ["a"], {"beta": 1.0}],
        ["Function", "a.real", None, ["a"], {"beta": 1.0}],
        ["Function", "a * beta", None, ["a"], {"beta": float("inf")}],
        ["Function", "a * beta", None, ["a"], {"beta": "1"}],
        ["Function", "a * alpha", None, ["a"], {"alpha": 1.0}],
        ["Function"],
        "swish",
    ],
    "beta": ["1", float("nan"), True, None, [1.0]],
    "c": [float("inf")],
    "gamma": [1.0],
    "loss": [
        ["Loss", "v", None, ["y"], {"c": 1.0}],
        ["Loss", "y - v1 - v2", None, ["y", "v1", "v2"], {"c": 1.0}],  # one output unit
        ["Loss", "y - v", "1", ["y", "v", "w"], {"c": 1.0}],
    ],
    "optimizer": [
        ["Rule", {"formula": "lambda w, g, m: (w, evil(g))"}],
        ["Rule", {"formula": "lambda w, g: __import__('os')"}],
        ["Rule", {"formula": "lambda w, g: w" + " + g" * 10**6}],
        ["Rule", {"formula": "lambda w, g: " + "w + (" * 150 + "g" + ")" * 150}],
        ["Rule", {"formula": "lambda w, g: (lambda w: w(w))(g)"}],
        ["Rule", {"formula": "lambda w, g: (w, w)"}],
        ["Rule", {"formula": f"lambda w, g: {DOUBLED}"}],
        ["Rule", {"formula": "lambda w, g, m, m: (w, g, g)"}],
        ["Rule", {"formula": "lambda w, g, p=1: w", "p": ["Rule", {"formula": "lambda w, g: w"}]}],
        ["Rule", {"formula": "lambda w, g, l2=1: w"}],
        ["Rule", {"formula": "lambda w, g, p=1: w + p * g", "p": "1"}],
        ["Rule", {"formula": "lambda w, g, p=1: w + p * g", "p": float("nan")}],
        ["Rule", {"formula": "lambda w, g, p=1: w + p * g", "q": 1}],
        ["Rule", {"formula": 1}],
        ["Rule", {}],
        ["Rule"],
    ],
}


@pytest.mark.parametrize("name", NO_FUNCTIONS)
def test_functions_that_are_none(tmp_path, name):
    path = tmp_path / "result.npz"
    result("run").save(path)
    whole = members(path)
    header = json.loads(str(np.lib.format.read_array(io.BytesIO(whole["fastgd.npy"]))))
    for odd in NO_FUNCTIONS[name]:
        other = header | {"options": header["options"] | {name: odd}}
        rewrite(path, whole | {"fastgd.npy": npy(np.array(json.dumps(other)))})
        with pytest.raises(ValueError, match="must have functions that fastgd knows|" + REFUSED):
            fastgd.load(path)


def test_a_function_of_a_newer_version_is_named(tmp_path):
    path = tmp_path / "result.npz"
    result("run").save(path)
    whole = members(path)
    header = json.loads(str(np.lib.format.read_array(io.BytesIO(whole["fastgd.npy"]))))
    header["options"]["activation"][1] = "a * sinc(beta * a)"
    rewrite(path, whole | {"fastgd.npy": npy(np.array(json.dumps(header)))})
    rule = "must have functions that fastgd knows: a Function: unknown name 'sinc', known are a, "
    with pytest.raises(ValueError, match=rule):
        fastgd.load(path)


def test_the_error_says_nothing_of_zlib(tmp_path):
    path = tmp_path / "run.npz"
    fastgd.train(X, Y, iterations=1).save(path)
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("errors.npy")
        begin = info.header_offset + 30 + len(info.filename) + 20
    whole = bytearray(path.read_bytes())
    whole[begin : begin + 30] = b"\xff" * 30
    path.write_bytes(whole)
    with pytest.raises(ValueError, match=REFUSED) as caught:
        fastgd.load(path)
    assert isinstance(caught.value.__cause__, zlib.error | zipfile.BadZipFile)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ValueError, match=r"must be a file, got a folder: fastgd\.open"):
        fastgd.load(tmp_path)
