"""A model per group: bits, errors and predictions, each against plain loops."""

import numpy as np
import pandas as pd
import pytest

import fastgd
from fastgd.checks.messages import TrainingWarning
from fastgd.models.group_training import GroupRows, Scaling, train_groups
from fastgd.models.row_splits import hold_out
from fastgd.optimizers import LevenbergMarquardt
from fastgd.tables.column_values import columns_of
from shops import SHORT, codes_of, fitted, held_rows, rows_of, shops, without_test_rows
from thinning import crossed


@pytest.mark.parametrize(("start", "standardize"), crossed(["global", "own"], ["group", "global"]))
def test_a_groups_network_is_that_of_train_on_all_its_rows(start, standardize):
    table, models = shops(), fitted(start=start, standardize=standardize)
    for group in ("shop 0", "shop 2", "shop 4"):  # the last one has few rows
        X, y, _ = rows_of(models, table, group)
        run = models[group]
        given = dict(run.options)
        if start == "global":
            given["weights"] = models.fits.shared
            given.pop("init", None)
        times = run.iterations
        alone = fastgd.train(
            X, y, hidden_size=3, alpha=0.01, iterations=times, record_every=times, **given
        )
        assert all(map(np.array_equal, run.weights, alone.weights))
        assert all(map(np.array_equal, run.biases, alone.biases))
        assert "patience" not in given


@pytest.mark.slow
def test_steps_of_second_order_are_whole_by_default():
    x = np.linspace(-1, 1, 90)
    table = {"of": ["a", "b", "c"] * 30, "x": x, "y": np.sin(2 * x)}
    given = {"by": "of", "target": "y", "hidden_size": 3, "start": "own", "validation_fraction": 0}
    models = fastgd.fit_groups(table, **given, optimizer=LevenbergMarquardt(), iterations=40)
    assert models["a"].alpha == 1
    assert max(models.errors["test_error"]) < 0.02  # with alpha 0.01 it is 1


def test_all_groups_start_from_a_network_that_has_not_seen_test_rows():
    table, models = shops(), fitted()
    codes, (held, test) = codes_of(models, table), held_rows(models, table)
    learn = ~(held | test)
    X = models.preparation.transform({name: table[name].to_numpy() for name in ("price", "heat")})
    y = models.target.encode(table.sales.to_numpy())
    assert models.target.mean == pytest.approx(table.sales[learn].mean())
    varied = Scaling.of_groups(y[learn], codes[learn], 7).scale[codes, 0] > 0
    scaled = []
    for values in (X, y):
        scaling = Scaling.of_groups(values[learn], codes[learn], 7)
        within = (scaling.scale[codes[learn]] ** 2).mean(axis=0) ** 0.5
        scale = np.where(scaling.scale > 0, scaling.scale, within)
        scaled.append(Scaling(scaling.mean, scale).apply(values, codes))
    X, y = scaled
    given = {"init": "glorot", "patience": 30, "restore_best": True} | models["shop 0"].options
    shared = fastgd.train(
        X[learn & varied], y[learn & varied], hidden_size=3, alpha=0.01, iterations=40,
        record_every=40, validation=(X[held & varied], y[held & varied]), **given,
    )  # fmt: skip
    assert all(map(np.array_equal, models.fits.shared.weights, shared.weights))


@pytest.mark.parametrize("classes", [False, True])
def test_test_rows_choose_nothing_and_judge_networks_that_have_not_seen_them(monkeypatch, classes):
    table = shops()
    if classes:
        middle = table.groupby("shop").sales.transform("median")
        table["sales"] = np.where(table.sales > middle, "many", "few")
    given = {"by": "shop", "target": "sales", **SHORT}
    models, judged, test = without_test_rows(monkeypatch, table, **given)
    whole = models.preparation.numbers(columns_of(table))  # only ranges are those of all rows
    assert judged.preparation.reaching(whole) == models.preparation
    predicted = judged.predict(table)
    missed = pd.Series(predicted != table.sales) if classes else (table.sales - predicted).abs()
    errors = models.errors.set_index("shop")
    assert list(errors) == ["rows", "test_rows", "training_error", "test_error", "status"]
    assert list(errors.index) == sorted(table.shop.unique())
    for name, some in (("training_error", ~test), ("test_error", test)):
        expected = missed[some].groupby(table.shop[some]).mean().reindex(errors.index)
        np.testing.assert_allclose(errors[name], expected, atol=1e-12)
    assert errors.rows.to_dict() == table.shop.value_counts().to_dict()
    assert errors.test_rows.to_list() == [6, 5, 2, 8, 2, 0, 1]
    if not classes:
        assert errors.status.to_list()[-2:] == ["constant", "constant"]
    np.testing.assert_array_equal(errors.test_error, models.comparison.network)
    means = judged.fits.constant[codes_of(models, table)]
    wrong = missed if classes else (table.sales - models.target.decode(means)).abs()
    if classes:
        wrong = pd.Series(models.target.decode(means) != table.sales)
    expected = wrong[test].groupby(table.shop[test]).mean().reindex(errors.index)
    np.testing.assert_allclose(models.comparison.constant, expected, atol=1e-12)
    names = ["shop", "network", "shared", *([] if classes else ["ridge"]), "constant"]
    assert list(models.comparison) == names


def test_predictions_are_in_the_order_of_the_rows_by_each_groups_network():
    table, models = shops(), fitted()
    predicted = models.predict(table)
    for group in models.groups[:5]:
        X, _, index = rows_of(models, table, group)
        k = models.groups.index(group)
        scaling = models.fits.outputs
        outputs = models[group].predict(X) * scaling.scale[k] + scaling.mean[k]
        np.testing.assert_array_equal(predicted[index], models.target.decode(outputs))
    order = np.random.default_rng(0).permutation(len(table))
    np.testing.assert_array_equal(models.predict(table.iloc[order]), predicted[order])
    some = table.shop.isin(["shop 1", "shop 3"])
    np.testing.assert_array_equal(models.predict(table[some]), predicted[some])
    as_mapping = {name: table[name].to_list() for name in table}
    np.testing.assert_array_equal(models.predict(as_mapping), predicted)


def test_groups_are_scaled_by_all_their_rows_in_the_end():
    table, models = shops(), fitted()
    learned, target, fits = table.groupby("shop"), models.target, models.fits
    means = fits.outputs.mean[:, 0] * target.scale + target.mean
    np.testing.assert_allclose(means, learned.sales.mean())
    scales = fits.outputs.scale[:, 0] * target.scale
    np.testing.assert_allclose(scales, learned.sales.std(ddof=0).fillna(0), atol=1e-12)
    X = fits.inputs.mean @ np.diag([c.scale for c in models.preparation.columns])
    expected = learned[["price", "heat"]].mean()
    np.testing.assert_allclose(X + [c.mean for c in models.preparation.columns], expected)


def test_networks_of_groups_beat_their_means():
    table = shops((60,) * 6, seed=3)
    models = fastgd.fit_groups(table, by="shop", target="sales", hidden_size=8, iterations=200)
    errors, compared = models.errors, models.comparison
    weights = errors.test_rows
    ours = np.average(errors.test_error, weights=weights)
    assert ours < 0.9 * np.average(compared.constant, weights=weights)


def watched(models, table, group, **given):
    """The training with a validation set, of networks that neither share nor scale anything."""
    held, test = held_rows(models, table)
    X, y, index = rows_of(models, table, group)
    held, learn = held[index], ~(held | test)[index]
    options = {"init": "glorot", "patience": 30, "restore_best": True} | models["shop 0"].options
    return fastgd.train(
        X[learn], y[learn], hidden_size=3, iterations=40, record_every=40,
        validation=(X[held], y[held]), **options | given,
    )  # fmt: skip


def test_iterations_are_those_that_were_best_and_with_few_rows_those_of_the_others():
    table, models = shops(), fitted(start="own", standardize="global")
    best = [watched(models, table, g, alpha=0.01).best_iteration for g in models.groups[:4]]
    assert len(set(best)) > 1
    for group, count in zip(models.groups, best, strict=False):
        assert models[group].iterations == min(40, 2 ** round(np.log2(count)))
    assert models["shop 4"].iterations == min(40, 2 ** round(np.log2(int(np.median(best)))))
    few = fastgd.fit_groups(
        table, "shop", "sales", **SHORT, start="own", standardize="global", min_rows=100
    )
    counts = {few[group].iterations for group in few.groups[:5]}
    assert len(counts) == 1
    assert counts.pop() < 40


def test_constant_groups_are_predicted_as_they_are():
    table, models = shops(), fitted()
    alone = table[table.shop == "shop 5"]
    assert models.predict(alone).to_numpy() == pytest.approx(alone.sales.to_numpy())
    high = models.preparation.columns[0].high
    high = models.predict(alone.assign(price=high))
    assert high.to_numpy() == pytest.approx(alone.sales.to_numpy())
    assert set(models.predict(table[table.shop == "shop 6"]).round(9)) == {7.0}
    with pytest.raises(ValueError, match="group 'shop 5' has no network: all its targets are the"):
        models["shop 5"]


@pytest.mark.parametrize("start", ["global", "own"])
def test_what_is_the_same_in_a_group_counts_as_elsewhere_or_not_at_all(start):
    table = shops((40, 40, 40))
    table["promotion"] = np.where(table.shop == "shop 0", 0.0, np.arange(len(table)) % 2)
    table["sales"] += 5 * table.promotion
    given = {"start": start, "hidden_size": 8, "iterations": 200}
    models = fastgd.fit_groups(table, "shop", "sales", **given)
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
    predicted = models.predict(dict(table))
    assert predicted.dtype.kind == kind
    assert (predicted[shop == "b"] == labels[1]).all()
    assert (predicted == answer).mean() > 0.85
    probability = models.predict_proba(table)
    np.testing.assert_allclose(probability.sum(axis=1), 1.0)
    unknown = models.predict(table.assign(shop=["a", "z"] * 45))
    assert pd.isna(unknown).tolist() == [False, True] * 45


@pytest.mark.parametrize(
    "penalties",
    [[0.0], pytest.param([0.001, 0.1], marks=pytest.mark.slow)],
    ids=["rates", "rates and penalties"],
)
def test_each_group_keeps_its_best_setting(penalties):
    table = shops()
    options = {"hidden_size": 3, "iterations": 40, "start": "own", "standardize": "global"}
    models = fastgd.fit_groups(table, "shop", "sales", alpha=[0.001, 0.1], l2=penalties, **options)
    errors = {
        (alpha, l2): [
            watched(models, table, f"shop {k}", alpha=alpha, l2=l2).final_validation_error
            for k in range(4)
        ]
        for alpha in (0.001, 0.1)
        for l2 in penalties
    }
    for k in range(4):
        run = models[f"shop {k}"]
        assert (run.alpha, run.options.get("l2", 0)) == min(errors, key=lambda s: errors[s][k])
    run = models["shop 4"]
    assert (run.alpha, run.options.get("l2", 0)) == min(errors, key=lambda s: np.mean(errors[s]))


def test_hold_out_leaves_two_rows_and_takes_one_of_each():
    codes = np.random.default_rng(0).permutation(np.repeat(range(6), [100, 10, 4, 3, 2, 1]))

    def counts(shares, least=4, seed=1):
        return [
            np.bincount(codes[one], minlength=6).tolist()
            for one in hold_out(codes, 6, shares, least, seed)
        ]

    assert counts((0.2, 0.3)) == [[20, 2, 1, 0, 0, 0], [30, 3, 1, 1, 0, 0]]
    assert counts((0.2, 0.1), least=10) == [[20, 2, 1, 1, 0, 0], [10, 1, 0, 0, 0, 0]]
    assert counts((0.01, 0.01)) == [[1, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0]]
    assert counts((0.0, 0.99)) == [[0] * 6, [98, 8, 2, 1, 0, 0]]
    assert counts((0.99, 0.0)) == [[98, 8, 2, 1, 0, 0], [0] * 6]
    held, test = hold_out(codes, 6, (0.2, 0.2), 2, 1)
    assert not (held & test).any()
    assert (hold_out(codes, 6, (0.2, 0.2), 2, 2)[1] != test).any()


def test_a_table_made_up_with_the_same_seed_is_not_split_by_its_first_column():
    first = np.random.default_rng(0).random(1000)
    for some in hold_out(np.zeros(1000, np.int64), 1, (0.2, 0.2), 2, 0):
        assert first[some].min() < 0.05
        assert first[some].max() > 0.95


def test_nothing_held_out():
    models = fitted(validation_fraction=0, test_fraction=0)
    assert models.errors.test_error.isna().all()
    assert repr(models) == "GroupModels(sales by shop: 7 groups, 122 rows)"
    assert models.comparison.columns.to_list() == ["shop"]
    assert models["shop 0"].iterations == 40
    judged = fitted(validation_fraction=0)
    assert judged.errors.test_error.notna().sum() == 6
    assert judged["shop 0"].iterations == 40


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
    error = np.nanmedian(models.measured["test_error"])
    assert repr(models).startswith(
        f"GroupModels(sales by shop: 7 groups, 122 rows; median test error {error:.6g}; best: "
    )
    best = models.comparison.iloc[:5, 1:].idxmin(axis=1).value_counts()
    counts = [f"{name} {count}" for name, count in best.items()]
    assert sorted(repr(models)[:-1].split("best: ")[1].split(", ")) == sorted(counts)
    assert list(models) == models.groups == [f"shop {k}" for k in range(7)]
    assert "shop 6" in models
    networks = dict(models.items())
    assert list(networks) == models.groups
    assert [group for group, run in networks.items() if run is None] == ["shop 5", "shop 6"]
    assert all(networks[group] == models[group] for group in models.groups[:5])
    for absent in ("shop", 3, None, [], ("shop 1", 2)):
        assert absent not in models
    with pytest.raises(KeyError, match="one of the 7 groups, such as 'shop 0', got 'shop'"):
        models["shop"]
    with pytest.raises(KeyError, match="got 3"):
        models[3]


def test_progress(capsys):
    fitted(progress=True)
    assert "updates" in capsys.readouterr().err


def test_training_says_which_rows_have_networks():
    none = np.zeros(4, bool)
    rows = GroupRows(np.ones((4, 1)), np.ones((4, 1)), np.array([0, 0, 2, 2]), none, none)
    first, second = ({"iterations": n, "record_every": n} for n in (1, 2))
    trained = train_groups(rows, 3, [(first, np.array([1, 2])), (second, np.array([0]))], None)
    assert trained.places.tolist() == [[1, 0], [-1, -1], [0, 0]]
    assert [sweep.iterations.tolist() for sweep in trained.sweeps] == [[1], [2]]


def test_a_table_in_a_file(tmp_path):
    table = shops((20, 20)).assign(shop=lambda table: table.shop.str[-1:].replace("0", "a"))
    table.to_csv(tmp_path / "all.csv", index=False)
    models = fastgd.fit_groups(tmp_path / "all.csv", by="shop", target="sales", **SHORT)
    assert models.groups == ["1", "a"]
    expected = models.predict(table)
    np.testing.assert_array_equal(models.predict(tmp_path / "all.csv"), expected)
    some = (table.shop == "1").to_numpy()
    table[some].to_csv(tmp_path / "some.csv", index=False)  # of which all labels are numbers
    np.testing.assert_array_equal(models.predict(str(tmp_path / "some.csv")), expected[some])
    assert models.remarks(tmp_path / "some.csv") == []
