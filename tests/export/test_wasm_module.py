"""A WebAssembly module of its own, in wasmtime: the bits of predict."""

import ctypes
import json
from dataclasses import replace
from subprocess import CompletedProcess

import numpy as np
import pytest
import wasmtime

import fastgd
from exports import BOUNDED, MODELS, RUNS, assert_same_bits, expected, inputs, run_of, table_of
from fastgd.export.web import wasm_module
from fastgd.kernel.language import cache
from fastgd.kernel.language import cross_compilation as targets
from fastgd.kernel.language.cross_compilation import TargetError
from thinning import some

pytestmark = pytest.mark.filterwarnings("ignore:.*(not in|never in) the training table")

FEW, MANY = 3_000, 100_000


class Module:
    """An instance of a module, and what its exports and its section of facts say."""

    def __init__(self, content):
        self.store = wasmtime.Store()
        module = wasmtime.Module(self.store.engine, content)
        assert not module.imports
        exports = wasmtime.Instance(self.store, module, []).exports(self.store)
        assert sorted(exports.keys()) == ["capacity", "memory", "predict", "results", "rows"]
        names = ("rows", "results", "capacity")
        self.rows, self.results, self.capacity = (exports[n].value(self.store) for n in names)
        self.memory, self.call = exports["memory"], exports["predict"]
        self.facts = facts_of(content)

    def predict(self, rows):
        """The results of these rows, and how many were predicted."""
        base = ctypes.addressof(self.memory.data_ptr(self.store).contents)
        found = np.empty((len(rows), self.facts["results"]))
        for first in range(0, len(rows), self.capacity):
            part = np.ascontiguousarray(rows[first : first + self.capacity], dtype=float)
            assert part.shape[1] == self.facts["width"]
            ctypes.memmove(base + self.rows, part.ctypes.data, part.nbytes)
            done = self.call(self.store, len(part))
            results = found[first : first + done]
            ctypes.memmove(results.ctypes.data, base + self.results, results.nbytes)
            if done < len(part):
                return found[: first + done]
        return found


def facts_of(content):
    """The JSON of the custom section, which is the last one."""
    return json.loads(content[content.rindex(b"\x06fastgd") + 7 :])


def module_of(exportable):
    return wasm_module(exportable._exported("to_wasm"))


@pytest.mark.parametrize(
    ("name", "rows"),
    some(
        [(name, rows) for name in RUNS for rows in (FEW, MANY)],
        [
            rows == FEW and name in ("3-4-1", "silu, softmax")
            for name in RUNS
            for rows in (FEW, MANY)
        ],
    ),
)
def test_run(name, rows):
    X = inputs(name, rows)
    assert_same_bits(Module(module_of(run_of(name))).predict(X), run_of(name).predict(X))


@pytest.mark.parametrize(
    ("name", "rows"),
    some(
        [(name, rows) for name in MODELS for rows in (FEW, MANY)],
        [
            rows == FEW and name in ("three networks", "several numbers", "classes")
            for name in MODELS
            for rows in (FEW, MANY)
        ],
    ),
)
def test_model(name, rows):
    model, table = MODELS[name](), table_of(rows)
    module = Module(module_of(model))
    found = module.predict(model.preparation.numbers(table))
    assert_same_bits(found, expected(model, table))
    if model.classes:
        labels = np.array(module.facts["classes"])[found.argmax(axis=1)]
        assert labels.dtype == model.predict(table).dtype
        assert (labels == model.predict(table)).all()


def test_bounds_are_two_results_more():
    model, table = MODELS["a number"](), table_of(500)
    model = replace(model, intervals=BOUNDED._replace(least=0.0))
    module = Module(wasm_module(model._with_bounds("to_wasm", 0.8)))
    assert (module.facts["interval"], module.facts["results"]) == (0.8, 3)
    found = module.predict(model.preparation.numbers(table))
    assert_same_bits(found[:, :1], expected(model, table))
    known = model.predict_interval(table, 0.8)
    np.testing.assert_allclose(found[:, 1:], known, rtol=1e-12)
    assert 1 < len({*known[:, 0]}) < 400  # some are at the least


def test_the_section_says_what_a_row_is():
    facts = facts_of(module_of(MODELS["classes"]()))
    assert facts["width"] == 9
    assert facts["results"] == 3
    assert facts["targets"] == ["kind"]
    assert facts["classes"] == ["kind 0", "kind 1", "kind 2"]
    assert [column["name"] for column in facts["columns"]] == [
        *("size", "built", "city", "heating", "garden", "sold", "street", "opened", "owner")
    ]
    assert facts["columns"][5]["dates"] is True
    assert facts["columns"][7]["dates"] == "time"
    assert [facts["columns"][k]["unknown"] for k in (2, 6, 8)] == [-1, 4, -1]
    assert "categories" not in facts["columns"][0]
    assert facts["columns"][2]["categories"]["Oslo"] == 2
    assert facts["columns"][4]["categories"] == {
        key: code
        for code, text in enumerate(("false", "true"))
        for key in (text, text.title(), text.upper())
    }
    assert facts_of(module_of(run_of("3-4-1"))) == {
        "version": fastgd.__version__,
        "width": 3,
        "results": 1,
    }


def test_the_parameter_of_a_function_is_each_networks_own():
    run = run_of("leaky_relu, tanh")
    exported = run._exported("to_wasm")
    [method] = exported.methods
    steep = method.at({"negative_slope": 0.9})
    both = exported._replace(members=exported.members * 2, methods=(method, steep))
    X = inputs("leaky_relu, tanh", 100)
    one, other = (
        Module(wasm_module(exported._replace(methods=(own,)))).predict(X) for own in both.methods
    )
    assert (one != other).any()
    assert_same_bits(Module(wasm_module(both)).predict(X), (one + other) / 2)


def test_a_number_that_is_far_too_large_ends_a_call():
    model, table = MODELS["a number"](), table_of(70)
    rows = model.preparation.numbers(table)
    rows[[40, 41], 0] = 1e308, np.inf
    assert model.preparation.columns[0].scale > 1.0  # 1e308 is none of them
    assert len(Module(module_of(model)).predict(rows)) == 41
    rows[41, 0] = -np.inf
    assert len(Module(module_of(model)).predict(rows)) == 41


@pytest.mark.parametrize("count", [-1, 33, 2**31 - 1])
def test_more_rows_than_fit_are_no_call(count):
    module = Module(module_of(run_of("3-4-1")))
    assert module.capacity == 32
    assert module.call(module.store, 0) == 0
    with pytest.raises(wasmtime.Trap, match="unreachable"):
        module.call(module.store, count)


def test_a_small_network_is_small():
    assert len(module_of(run_of("3-4-1"))) < 8_000
    assert len(module_of(run_of("3-32-1"))) < 9_000


def test_a_target_that_the_wheel_lacks_is_one_sentence(monkeypatch):
    said = b"No available targets are compatible with triple"
    monkeypatch.setattr(cache, "kept", lambda _prefix, _facts, make: make())
    monkeypatch.setattr(targets, "kept", lambda _prefix, _facts, make: make())
    monkeypatch.setattr(
        targets.subprocess, "run", lambda *_, **__: CompletedProcess((), 1, b"", said)
    )
    with pytest.raises(TargetError, match=r"code for wasm32 must be .*, got No available targets"):
        module_of(run_of("3-4-1"))
