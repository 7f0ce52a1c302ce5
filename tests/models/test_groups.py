"""A model per group: bits, errors and predictions, each against plain loops."""

import numpy as np
import pandas as pd
import pytest

import fastgd
from fastgd.arguments.warnings import TrainingWarning
from fastgd.models.group_training import GroupRows, hold_out, train_groups
from shops import SHORT, fitted, held_rows, rows_of, shops
from thinning import crossed


@pytest.mark.parametrize(("start", "standardize"), crossed(["global", "own"], ["group", "global"]))
def test_a_groups_network_is_that_of_train_on_its_rows(start, standardize):
    table, models = shops(), fitted(start=start, standardize=standardize)
    held = held_rows(models, table)
    for group in ("shop 0", "shop 2", "shop 4"):  # the last one holds nothing out
        X, y, index = rows_of(models, table, group)
        run, mine = models[group], held[index]
        given = dict(run.options)
        if start == "global":
            given["weights"] = first_network(models, table, held)
            given.pop("init", None)
        validation = (X[mine], y[mine]) if mine.any() else None
        alone = fastgd.train(
            X[~mine],
            y[~mine],
            hidden_size=3,
            alpha=0.01,
            iterations=run.iterations if validation is None else 40,
            record_every=40,
            validation=validation,
            **given,
        )
        assert all(map(np.array_equal, run.weights, alone.weights))
        assert all(map(np.array_equal, run.biases, alone.biases))
        assert run.final_validation_error == alone.final_validation_error


def first_network(models, table, held):
    """What all groups start from, by hand: all rows of groups with various targets."""
    parts = [rows_of(models, table, group) for group in models.groups]
    order = np.concatenate([index for *_, index in parts])
    X, y = (
        np.concatenate(arrays)[np.argsort(order)] for arrays in list(zip(*parts, strict=True))[:2]
    )
    status = dict(zip(models.groups, models.measured["status"], strict=True))
    varied = np.array([status[label] != "constant" for label in table.shop])
    learn, out = varied & ~held, varied & held
    given = {"init": "glorot"} | models["shop 0"].options
    return fastgd.train(
        X[learn],
        y[learn],
        hidden_size=3,
        alpha=0.01,
        iterations=40,
        record_every=40,
        validation=(X[out], y[out]),
        **given,
    )


def test_errors_are_those_of_a_plain_loop():
    table, models = shops(), fitted()
    held = held_rows(models, table)
    missed = (table.sales - models.predict(table)).abs()
    training = missed[~held].groupby(table.shop[~held]).mean()
    held_out = missed[held].groupby(table.shop[held]).mean()
    errors = models.errors.set_index("shop")
    assert list(errors.index) == sorted(table.shop.unique())
    np.testing.assert_allclose(errors.training_error, training.reindex(errors.index), atol=1e-12)
    np.testing.assert_allclose(errors.validation_error, held_out.reindex(errors.index), atol=1e-12)
    assert errors.rows.to_dict() == table.shop.value_counts().to_dict()
    assert errors.validation_rows.to_list() == [6, 5, 2, 8, 0, 0, 0]
    assert errors.status.to_list()[-2:] == ["constant", "constant"]
    run = models["shop 0"]
    scale = models.outputs.scale[0, 0] * models.target.scale
    assert errors.validation_error.iloc[0] == pytest.approx(run.final_validation_error * scale)


def test_predictions_are_in_the_order_of_the_rows_by_each_groups_network():
    table, models = shops(), fitted()
    predicted = models.predict(table)
    for group in models.groups[:5]:
        X, _, index = rows_of(models, table, group)
        k = models.groups.index(group)
        outputs = models[group].predict(X) * models.outputs.scale[k] + models.outputs.mean[k]
        np.testing.assert_array_equal(predicted[index], models.target.decode(outputs))
    order = np.random.default_rng(0).permutation(len(table))
    np.testing.assert_array_equal(models.predict(table.iloc[order]), predicted[order])
    some = table.shop.isin(["shop 1", "shop 3"])
    np.testing.assert_array_equal(models.predict(table[some]), predicted[some])
    as_mapping = {name: table[name].to_list() for name in table}
    np.testing.assert_array_equal(models.predict(as_mapping), predicted)


def test_groups_are_scaled_by_the_rows_they_learn_from():
    table, models = shops(), fitted()
    learned = table[~held_rows(models, table)].groupby("shop")
    target = models.target
    means = models.outputs.mean[:, 0] * target.scale + target.mean
    np.testing.assert_allclose(means, learned.sales.mean())
    scales = models.outputs.scale[:, 0] * target.scale
    np.testing.assert_allclose(scales, learned.sales.std(ddof=0).fillna(0), atol=1e-12)
    X = models.inputs.mean @ np.diag([c.scale for c in models.preparation.columns])
    expected = learned[["price", "heat"]].mean()
    np.testing.assert_allclose(X + [c.mean for c in models.preparation.columns], expected)


def test_networks_of_groups_beat_their_means():
    table, models = shops((60,) * 6, seed=3), None
    models = fastgd.fit_groups(table, by="shop", target="sales", iterations=200)
    held = held_rows(models, table)
    means = table[~held].groupby("shop").sales.mean()
    missed = (table.sales[held] - table.shop[held].map(means)).abs().mean()
    errors = models.errors
    ours = np.average(errors.validation_error, weights=errors.validation_rows)
    assert ours < 0.9 * missed


def test_few_rows_are_trained_as_long_as_the_others_needed():
    models = fitted()
    best = [models[group].best_iteration for group in models.groups[:4]]
    assert models["shop 4"].iterations == max(1, int(np.median(best)))
    assert models["shop 4"].final_validation_error is None
    assert "patience" not in models["shop 4"].options


def test_constant_groups_are_predicted_as_they_are():
    table, models = shops(), fitted()
    alone = table[table.shop == "shop 5"]
    assert models.predict(alone) == pytest.approx(alone.sales.to_numpy())
    assert models.predict(alone.assign(price=99.0)) == pytest.approx(alone.sales.to_numpy())
    assert set(models.predict(table[table.shop == "shop 6"]).round(9)) == {7.0}
    with pytest.raises(ValueError, match="group 'shop 5' has no network: all its targets are the"):
        models["shop 5"]


@pytest.mark.parametrize("start", ["global", "own"])
def test_what_is_the_same_in_a_group_counts_as_elsewhere_or_not_at_all(start):
    table = shops((40, 40, 40))
    table["promotion"] = np.where(table.shop == "shop 0", 0.0, np.arange(len(table)) % 2)
    table["sales"] += 5 * table.promotion
    models = fastgd.fit_groups(table, "shop", "sales", start=start, iterations=200)
    mine = table.query("shop == 'shop 0'")
    change = models.predict(mine.assign(promotion=1.0)) - models.predict(mine)
    if start == "own":
        assert not change.any()
    else:
        assert 1 < np.median(change) < 8


@pytest.mark.parametrize("standardize", ["group", "global"])
def test_all_groups_may_be_constant(standardize):
    table = {"x": [1.0, 2, 3, 4], "g": ["a", "a", "b", "b"], "y": [1.5, 1.5, 2.5, 2.5]}
    models = fastgd.fit_groups(table, "g", "y", standardize=standardize)
    assert models.predict(table) == pytest.approx([1.5, 1.5, 2.5, 2.5])
    assert list(models.errors.status) == ["constant"] * 2


def test_one_group():
    table = shops((30, 2)).query("shop == 'shop 0'")
    models = fastgd.fit_groups(table, by="shop", target="sales", **SHORT)
    assert len(models) == 1
    assert np.isfinite(models.predict(table)).all()


def test_unknown_groups_have_nan_or_the_prediction_of_all_rows():
    table = shops()
    new = table.assign(shop=["shop 0", None, "elsewhere"] * (len(table) // 3) + ["shop 9"] * 2)
    ours = fitted()
    assert np.isnan(ours.predict(new)).tolist() == (new.shop != "shop 0").to_list()
    shared = fitted(unknown="global")
    predicted = shared.predict(new)
    assert np.array_equal(predicted[::3][:-1], ours.predict(new)[::3][:-1])
    X = shared.preparation.transform({name: table[name].to_numpy() for name in ("price", "heat")})
    known = (new.shop == "shop 0").to_numpy()
    expected = shared.target.decode(shared.fallback.predict(X))
    np.testing.assert_array_equal(predicted[~known], expected[~known])
    everywhere = shared.predict(table.assign(shop="nowhere"))
    np.testing.assert_array_equal(everywhere, expected)


@pytest.mark.parametrize(
    ("labels", "kind"),
    [(["no", "yes"], "U"), ([False, True], "b"), ([3, 5], "i")],
    ids=["texts", "booleans", "numbers"],
)
def test_classes(labels, kind):
    draw = np.random.default_rng(0)
    shop = np.repeat(["a", "b", "c"], [40, 30, 20])
    x = draw.normal(size=90)
    answer = np.where(x + 0.3 * draw.normal(size=90) > 0, labels[1], labels[0])
    answer[shop == "b"] = labels[1]  # one class only
    table = pd.DataFrame({"x": x, "shop": shop, "answer": answer})
    models = fastgd.fit_groups(
        table, by="shop", target="answer", classification=True, hidden_size=3, iterations=200
    )
    predicted = models.predict(table)
    assert predicted.dtype.kind == kind
    assert (predicted[shop == "b"] == labels[1]).all()
    assert (predicted == answer).mean() > 0.85
    probability = models.predict_proba(table)
    np.testing.assert_allclose(probability.sum(axis=1), 1.0)
    held = held_rows(models, table)
    wrong = pd.Series(predicted != answer)
    errors = models.errors.set_index("shop")
    expected = wrong[held].groupby(shop[held]).mean()
    np.testing.assert_allclose(errors.validation_error, expected.reindex(errors.index))
    unknown = models.predict(table.assign(shop=["a", "z"] * 45))
    assert pd.isna(unknown).tolist() == [False, True] * 45


def test_each_group_keeps_its_best_setting():
    table = shops()
    options = {"hidden_size": 3, "iterations": 40, "start": "own"}
    models = fastgd.fit_groups(
        table, "shop", "sales", alpha=[0.001, 0.1], l2=[0.001, 0.1], **options
    )
    singles = {
        (alpha, l2): fastgd.fit_groups(table, "shop", "sales", alpha=alpha, l2=l2, **options)
        for alpha in (0.001, 0.1)
        for l2 in (0.001, 0.1)
    }
    for group in ("shop 0", "shop 1", "shop 2", "shop 3"):
        run = models[group]
        errors = {s: one[group].final_validation_error for s, one in singles.items()}
        assert run.final_validation_error == min(errors.values())
        assert (run.alpha, run.options["l2"]) == min(errors, key=errors.get)
    mean = {
        s: np.mean([one[f"shop {k}"].final_validation_error for k in range(4)])
        for s, one in singles.items()
    }
    assert (models["shop 4"].alpha, models["shop 4"].options["l2"]) == min(mean, key=mean.get)


def test_hold_out_leaves_and_takes_a_row():
    codes = np.random.default_rng(0).permutation(np.repeat([0, 1, 2, 3], [100, 10, 2, 1]))
    held = hold_out(codes, 4, 0.2, 2, 1)
    assert np.bincount(codes[held], minlength=4).tolist() == [20, 2, 1, 0]
    assert np.bincount(codes[hold_out(codes, 4, 0.99, 2, 1)], minlength=4).tolist() == [99, 9, 1, 0]
    assert not hold_out(codes, 4, 0.0, 2, 1).any()
    assert (hold_out(codes, 4, 0.2, 2, 2) != held).any()


def test_nothing_held_out():
    models = fitted(validation_fraction=0)
    assert models.errors.validation_error.isna().all()
    assert "held-out" not in repr(models)
    assert models["shop 0"].iterations == 40


def test_a_group_that_diverges_says_so():
    models = fitted(validation_fraction=0, alpha=1e300, start="own")
    assert models.errors.status.to_list() == ["diverged"] * 5 + ["constant"] * 2
    alone = shops().query("shop == 'shop 0'")
    assert np.isnan(models.predict(alone)).all()
    assert np.isnan(models.errors.training_error.iloc[0])
    np.testing.assert_array_equal(models.predict(shops().query("shop == 'shop 6'")), 7.0)


def test_groups_can_not_start_from_a_network_that_diverged():
    with (
        pytest.warns(TrainingWarning, match="diverged"),
        pytest.raises(ValueError, match='must not diverge: use a smaller alpha, or start="own"'),
    ):
        fitted(validation_fraction=0, alpha=1e300)


def test_a_name_in_a_repr_does_not_steer_the_terminal():
    table = {"sh\x1b[31mop": ["a", "b"] * 10, "x": list(range(20)), "y\x07": list(range(20))}
    models = fastgd.fit_groups(table, by="sh\x1b[31mop", target="y\x07", **SHORT)
    assert repr(models).startswith(r"GroupModels(y\x07 by sh\x1b[31mop: 2 groups, 20 rows")
    assert repr(models).isprintable()


def test_repr_and_labels():
    models = fitted()
    assert repr(models).startswith(
        "GroupModels(sales by shop: 7 groups, 122 rows; median validation"
    )
    assert models.groups == [f"shop {k}" for k in range(7)]
    with pytest.raises(KeyError, match="one of the 7 groups, such as 'shop 0', got 'shop'"):
        models["shop"]
    with pytest.raises(KeyError, match="got 3"):
        models[3]


def test_progress(capsys):
    fitted(progress=True)
    assert "updates" in capsys.readouterr().err


def test_training_says_which_rows_have_networks():

    rows = GroupRows(np.ones((4, 1)), np.ones((4, 1)), np.array([0, 0, 2, 2]), np.zeros(4, bool))
    settings = {"iterations": 1, "record_every": 1}
    trained = train_groups(rows, 3, settings, None)
    assert trained.places.tolist() == [[0, 0], [-1, -1], [0, 1]]
