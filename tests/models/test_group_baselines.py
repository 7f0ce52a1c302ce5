"""The other models of groups: their numbers, and which one is chosen."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

import fastgd
from fastgd.models import group_training
from fastgd.models.group_training import MODELS, GroupRows, best_of, ridge_outputs, ridges
from shops import SHORT, codes_of, held_rows, shops, without_test_rows


def made_up(groups=3, rows=12, inputs=4):
    draw = np.random.default_rng(0)
    X = draw.normal(2, 3, (groups * rows, inputs))
    X[:rows, 1] = 5.0  # constant in the first group
    y = X @ draw.normal(size=(inputs, 1)) + draw.normal(size=(groups * rows, 1))
    none = np.zeros(groups * rows, dtype=bool)
    return GroupRows(X, y, draw.permutation(np.repeat(range(groups), rows)), none, none)


def test_ridges_are_those_of_scikit_learn():
    rows = made_up()
    penalties = np.array([[0.1, 3.0], [1.0, 0.0], [10.0, 2.0]])
    found = ridges(rows, 3, penalties)
    for group, own in enumerate(penalties):
        mine = rows.codes == group
        X, y = rows.inputs[mine], rows.targets[mine, 0]
        scale = X.std(axis=0)
        scale[scale == 0] = 1.0
        for k, penalty in enumerate(own):
            theirs = Ridge(alpha=penalty).fit(X / scale, y)
            np.testing.assert_allclose(found[group, k, :-1], theirs.coef_ / scale, rtol=1e-9)
            outputs = ridge_outputs(found[:, k], X, rows.codes[mine])[:, 0]
            np.testing.assert_allclose(outputs, theirs.predict(X / scale), rtol=1e-9)


def test_what_is_constant_in_a_group_has_no_coefficient():
    rows = made_up()
    rows.inputs[rows.codes == 1, 2] = 7.0
    found = ridges(rows, 3, np.array([[0.0]] * 3))
    assert found[1, 0, 2] == 0
    assert np.isfinite(found).all()
    assert found[0, 0, 2] != 0


def rows_with(targets, codes):
    none = np.zeros(len(targets), dtype=bool)
    return GroupRows(
        np.zeros((len(targets), 1)), np.array(targets, float)[:, None], codes, none, none
    )


def test_a_group_with_many_rows_chooses_alone_and_one_with_few_follows():
    codes = np.array([0] * 100 + [1] + [2] * 100)
    first, second = np.ones((201, 1)), np.ones((201, 1))
    first[codes < 2] = 3.0  # better in the last group only
    second[codes == 2] = 6.0
    second[codes == 1] = 2.9
    rows = rows_with(np.zeros(201), codes)
    assert best_of([first, second], rows, 3).tolist() == [1, 0, 0]
    assert best_of([first, second * np.nan], rows, 3).tolist() == [0, 0, 0]
    assert best_of([first * np.nan, second], rows, 3).tolist() == [1, 1, 1]
    nothing = rows.where(codes < 0)
    assert best_of([first[:0], second[:0]], nothing, 3).tolist() == [0, 0, 0]
    exact = best_of([first * 0, second * 0], rows, 3)
    assert exact.tolist() == [0, 0, 0]


def test_a_model_whose_stopping_point_was_chosen_by_these_rows_has_a_handicap():
    first, second = np.full((4, 1), 1.0), np.full((4, 1), 1.1)
    rows = rows_with(np.zeros(4), np.zeros(4, np.int64))
    assert best_of([first, second], rows, 1, 0.3).tolist() == [0]
    assert best_of([first, second], rows, 1, 0.5).tolist() == [1]


def linear():
    """Two shops with a linear law, which few iterations miss, and one where nothing matters."""
    table = shops((40, 40, 40))
    table["sales"] = 3 * table.price - table.heat
    noise = np.random.default_rng(1).normal(size=len(table))
    table.loc[table.shop == "shop 2", "sales"] = noise[table.shop == "shop 2"]
    return table


def test_the_best_model_predicts(monkeypatch, tmp_path):
    given = {"by": "shop", "target": "sales", "hidden_size": 3, "iterations": 3}
    models, judged, test = without_test_rows(monkeypatch, linear(), **given, model="best")
    table, codes = linear(), codes_of(models, linear())
    assert models.errors.model.to_list()[:2] == ["ridge", "ridge"]
    assert models.fits.names == list(MODELS)
    predicted = models.predict(table)
    prepared = models.preparation.transform({n: table[n].to_numpy() for n in ("price", "heat")})
    outputs = models.target.decode(ridge_outputs(models.fits.ridge, prepared, codes))
    np.testing.assert_array_equal(predicted[codes < 2], outputs[codes < 2])
    assert np.abs(predicted - table.sales)[codes < 2].max() < 0.5
    missed = (judged.predict(table) - table.sales).abs()
    expected = missed[test].groupby(table.shop[test]).mean()
    np.testing.assert_allclose(models.errors.test_error, expected)
    assert models.chosen.tolist() == judged.chosen.tolist()
    elsewhere = table.replace({"shop": {"shop 0": "elsewhere"}})
    assert np.array_equal(np.isnan(models.predict(elsewhere)), codes == 0)
    models.save(tmp_path / "models.npz")
    again = fastgd.load(tmp_path / "models.npz")
    np.testing.assert_array_equal(again.predict(table), predicted)
    assert repr(again) == repr(models)
    assert again.comparison.equals(models.comparison)
    usual = fastgd.fit_groups(table, **given)
    assert list(usual.errors) != list(models.errors)
    assert (usual.predict(table) != predicted).all()
    np.testing.assert_array_equal(usual[usual.groups[0]].weights[0], models["shop 0"].weights[0])


@pytest.mark.parametrize(
    "given",
    [
        {"start": "own"},
        pytest.param({"min_rows": 50}, marks=pytest.mark.slow),  # trains other kernels
        {"standardize": "global"},
    ],
    ids=str,
)
def test_the_best_of_what_there_is(given):
    table = linear()
    models = fastgd.fit_groups(table, "shop", "sales", model="best", **SHORT, **given)
    assert np.isfinite(models.predict(table)).all()
    assert ("shared" in models.comparison) == (given != {"start": "own"})
    assert models.errors.model.isin(models.fits.names).all()


def test_classes_have_frequencies_and_no_ridge():
    table = linear()
    table["sales"] = np.where(table.sales > -10, "many", "few")
    models = fastgd.fit_groups(table, "shop", "sales", model="best", **SHORT)
    assert models.fits.names == ["network", "shared", "constant"]
    shares = (table.sales == "many").groupby(table.shop).mean()
    np.testing.assert_allclose(models.fits.constant[:, 1], shares)
    np.testing.assert_allclose(models.predict_proba(table).sum(axis=1), 1.0)


def test_no_ridge_for_many_inputs(monkeypatch):
    monkeypatch.setattr(group_training, "MOST_MOMENTS", 3 * 2**2 - 1)
    models = fastgd.fit_groups(linear(), "shop", "sales", model="best", **SHORT)
    assert models.fits.names == ["network", "shared", "constant"]


def test_a_network_that_diverges_is_not_the_best():
    table = linear()
    given = {"hidden_size": 3, "iterations": 40, "alpha": 1e300, "start": "own"}
    models = fastgd.fit_groups(table, "shop", "sales", model="best", **given)
    assert "network" not in set(models.errors.model)
    assert np.isfinite(models.predict(table)).all()
    held, test = held_rows(models, table)
    assert (held.sum(), test.sum()) == (24, 24)


def test_without_validation_rows_the_networks_predict_and_a_note_says_so():
    table = shops((3, 3, 3))
    models = fastgd.fit_groups(table, "shop", "sales", model="best", **SHORT)
    line = (
        "model='best': no group has enough rows for a validation set, so all are predicted by "
        "their networks"
    )
    assert models.notes[-2] == f"{line}; with test_fraction=0 more rows are left"
    more = fastgd.fit_groups(table, "shop", "sales", model="best", test_fraction=0, **SHORT)
    assert more.notes[-2].startswith("rows: 3 in validation sets and 0 in test sets")
