"""Results that are equal if all of their bits are, and where they differ first."""

import pickle
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest

import fastgd
from cases import XOR_X, XOR_Y
from fastgd.engine.results import MISSING
from fastgd.schedules import Factors

GIVEN = {"alpha": [1, 10], "seed": range(1, 4), "iterations": 30, "record_every": 10}


@pytest.fixture(scope="module")
def swept():
    return fastgd.sweep(XOR_X, XOR_Y, **GIVEN)


@pytest.fixture(scope="module")
def run():
    return fastgd.train(XOR_X, XOR_Y, alpha=10, seed=2, iterations=30, record_every=10)


def with_one(array, place, value):
    """A copy with another value at a place."""
    changed = array.copy()
    changed[place] = value
    return changed


def where(a, b):
    """What is said of their first difference."""
    assert a != b
    assert a.digest() != b.digest()
    with pytest.raises(AssertionError) as raised:
        fastgd.assert_equal(a, b)
    return str(raised.value).removeprefix("the results differ first in ")


def test_a_sweep_is_equal_in_memory_in_a_folder_and_in_a_file(swept, tmp_path):
    folder = fastgd.sweep(XOR_X, XOR_Y, **GIVEN, keep_state=True, out=tmp_path / "folder")
    swept.save(tmp_path / "file")
    forms = [swept, folder, fastgd.open(tmp_path / "folder"), fastgd.load(tmp_path / "file")]
    for one in forms:
        assert one == swept
        assert swept == one
        fastgd.assert_equal(one, swept)
    assert len({*forms, deepcopy(swept), pickle.loads(pickle.dumps(swept))}) == 1
    assert {folder: "found"}[swept] == "found"


def test_a_run_of_a_sweep_equals_the_run_alone_and_what_is_loaded(swept, run, tmp_path):
    """Only one of the two has a state."""
    run.save(tmp_path / "run")
    assert (run.state, swept[1, 1].state) == (run.state, None)
    for other in (swept[1, 1], fastgd.load(tmp_path / "run"), deepcopy(run)):
        assert other == run
        assert hash(other) == hash(run)
        assert other.digest() == run.digest()
        fastgd.assert_equal(other, run)
    assert swept[1, 0] != run
    assert run in list(swept)


def test_equal_is_to_the_bit(run):
    """NaN equals NaN, but -0.0 is not 0.0."""
    lost = replace(run, errors=with_one(run.errors, 1, np.nan), final_error=np.nan)
    assert lost == deepcopy(lost)
    next_float = np.nextafter(run.weights[0][2, 1], 1.0)
    moved = replace(run, weights=(with_one(run.weights[0], (2, 1), next_float), run.weights[1]))
    old, new = float(run.weights[0][2, 1]), float(next_float)
    assert where(run, moved) == f"weights[0][2, 1]: {old!r} and {new!r} (1 of 12 differ)"
    zeros = replace(run, errors=run.errors * 0.0)
    assert where(zeros, replace(run, errors=run.errors * -0.0)).startswith(
        "errors[0]: 0.0 and -0.0"
    )


def test_networks_of_other_shapes_differ_though_their_bytes_are_the_same(run):
    flat = replace(run, weights=tuple(layer.reshape(-1, 2) for layer in run.weights))
    assert where(run, flat) == "weights[0]: float64 (3, 4) and float64 (6, 2)"


def test_what_was_given_is_said_first_and_single_numbers_last(swept, run):
    other = fastgd.train(XOR_X, XOR_Y, alpha=1, seed=2, iterations=30, record_every=10)
    assert where(other, run) == "alpha: 1.0 and 10.0"
    assert where(run, replace(run, options={"l2": 0.1})) == "options['l2']: None and 0.1"
    longer = fastgd.train(XOR_X, XOR_Y, alpha=10, seed=2, iterations=31, record_every=10)
    assert where(run, longer) == "iterations: 30 and 31"
    assert where(run, replace(run, status="stalled")) == "status: 'finished' and 'stalled'"
    assert where(swept, swept[:, :2]) == "axes['seed'][2]: 3 and None"
    notes = [replace(run, minimizer={"method": "BFGS", "note": f"{one:-^99}"}) for one in "ab"]
    assert where(*notes).startswith("minimizer['note']: '---")


def test_arrays_that_were_given_are_said_before_results():
    def trained(**given):
        return fastgd.train(XOR_X, XOR_Y, iterations=3, **given)

    weighted = [trained(sample_weight=[1, 1, 1, last]) for last in (2, 3)]
    assert where(*weighted) == "sample_weight[3]: 2.0 and 3.0 (1 of 4 differ)"
    scheduled = [trained(schedule=Factors([1.0, 0.5, last])) for last in (0.4, 0.3)]
    assert where(*scheduled) == "factors[0][2]: 0.4 and 0.3 (1 of 3 differ)"


def test_bytes_in_another_order_are_no_difference(run):
    swapped = replace(run, errors=run.errors.astype(run.errors.dtype.newbyteorder()))
    assert swapped == run
    said = where(swapped, replace(run, final_error=3.0))
    assert said == f"final_error: {run.final_error!r} and 3.0"


def test_the_kind_of_numbers_counts(run):
    whole, floats = (
        replace(run, direction_changes=tuple(np.zeros(layer.shape, dtype) for layer in run.weights))
        for dtype in (np.int64, np.float64)
    )
    assert where(whole, floats) == "direction_changes[0]: int64 (3, 4) and float64 (3, 4)"


def test_groups_with_labels_of_other_lengths():
    made = [
        fastgd.fit_groups(
            {"shop": ["Oslo", other] * 20, "day": range(40), "sales": [*range(40)]},
            by="shop", target="sales", iterations=10,
        )
        for other in ("Rome", "Prague")
    ]  # fmt: skip
    assert where(*made) == "levels[0][1]: 'Rome' and 'Prague' (1 of 2 differ)"


def test_unequal_kinds(swept, run):
    assert run != swept
    assert run != "run"
    with pytest.raises(AssertionError, match="differ first in kind: 'Run' and 'Sweep'"):
        fastgd.assert_equal(run, swept)
    with pytest.raises(TypeError, match=r"must get two of Run, Sweep, .* got None"):
        fastgd.assert_equal(run, None)


def test_unfinished_sweeps_equal_themselves_only(swept):
    status = with_one(swept.status, (0, 0), MISSING)
    some, same = replace(swept, status=status), replace(swept, status=status)
    assert some == some
    assert some != same
    assert hash(some) == hash(swept)
    with pytest.raises(AssertionError, match="differ first in runs that are missing"):
        fastgd.assert_equal(some, same)
    with pytest.raises(AssertionError, match=r"differ first in status\[0, 0\]: 'missing'"):
        fastgd.assert_equal(some, swept)


def test_a_hash_reads_no_chunk(swept, tmp_path):
    folder = fastgd.sweep(XOR_X, XOR_Y, **GIVEN, out=tmp_path)
    for chunk in tmp_path.glob("parts/*/*"):
        chunk.write_bytes(b"nothing that can be read")
    assert hash(folder) == hash(swept)
