"""A model per group: bits, errors, predictions and files, each against plain loops."""

import subprocess
import sys
from functools import cache

import numpy as np
import pandas as pd
import pytest

import fastgd
from fastgd.arguments.cautions import TrainingWarning
from fastgd.models.group_training import hold_out, train_groups
from fastgd.models.keys import Keys

SHORT = {"hidden_size": 3, "iterations": 40}


def shops(counts=(30, 25, 12, 40, 8, 1, 6), seed=0):
    """Sales of shops: the last ones have too few rows to hold some out; one has no variety."""
    draw = np.random.default_rng(seed)
    shop = np.repeat([f"shop {k}" for k in range(len(counts))], counts)
    price, heat = draw.lognormal(size=len(shop)), draw.normal(15, 8, len(shop))
    sales = 3.0 * np.char.str_len(shop) + draw.normal(size=len(shop)) - price + 0.1 * heat
    sales += 10.0 * np.repeat(np.arange(len(counts)), counts)
    sales[shop == f"shop {len(counts) - 1}"] = 7.0
    table = pd.DataFrame({"price": price, "heat": heat, "shop": shop, "sales": sales})
    return table.sample(frac=1, random_state=1).reset_index(drop=True)


@cache
def fitted(**options):
    return fastgd.fit_groups(shops(), by="shop", target="sales", **SHORT, **options)


def rows_of(models, table, group):
    """The scaled inputs and targets of a group, by hand."""
    mine = table[table[models.keys.names[0]] == group]
    k = models.groups.index(group)
    prepared = models.preparation.transform({n: mine[n].to_numpy() for n in mine})
    X = (prepared - models.inputs.mean[k]) / models.inputs.scale[k]
    encoded = models.target.encode(mine[models.target.name].to_numpy())
    scale = models.outputs.scale[k]
    return X, (encoded - models.outputs.mean[k]) / np.where(scale > 0, scale, 1), mine.index


def held_rows(models, table, share=0.2, least=10, seed=0):
    codes = np.array([models.groups.index(label) for label in table[models.keys.names[0]]])
    return hold_out(codes, len(models), share, least, seed)


@pytest.mark.parametrize("start", ["global", "own"])
@pytest.mark.parametrize("standardize", ["group", "global"])
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
    np.testing.assert_allclose(errors.held_out_error, held_out.reindex(errors.index), atol=1e-12)
    assert errors.rows.to_dict() == table.shop.value_counts().to_dict()
    assert errors.held_out_rows.to_list() == [6, 5, 2, 8, 0, 0, 0]
    assert errors.status.to_list()[-2:] == ["constant", "constant"]
    run = models["shop 0"]
    scale = models.outputs.scale[0, 0] * models.target.scale
    assert errors.held_out_error.iloc[0] == pytest.approx(run.final_validation_error * scale)


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


def test_networks_of_groups_beat_their_means():
    table, models = shops((60,) * 6, seed=3), None
    models = fastgd.fit_groups(table, by="shop", target="sales", iterations=200)
    held = held_rows(models, table)
    means = table[~held].groupby("shop").sales.mean()
    missed = (table.sales[held] - table.shop[held].map(means)).abs().mean()
    errors = models.errors
    ours = np.average(errors.held_out_error, weights=errors.held_out_rows)
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
        assert 2 < np.median(change) < 8


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


def test_rows_without_target_or_label_are_left_out_and_counted():
    table = shops()
    holes = table.copy()
    holes.loc[[3, 7], "sales"] = np.nan
    holes.loc[[5], "shop"] = None
    models = fastgd.fit_groups(holes, by="shop", target="sales", **SHORT)
    assert models.notes[:2] == ("2 rows without sales left out", "1 row without shop left out")
    without = fastgd.fit_groups(table.drop([3, 5, 7]), by="shop", target="sales", **SHORT)
    np.testing.assert_array_equal(models.predict(table), without.predict(table))


def test_texts_booleans_and_holes_among_the_inputs():
    table = shops()
    draw = np.random.default_rng(2)
    table["weather"] = draw.choice(["sun", "rain", "snow"], len(table))
    table["open"] = draw.random(len(table)) < 0.5
    table.loc[draw.random(len(table)) < 0.1, "heat"] = np.nan
    models = fastgd.fit_groups(table, by="shop", target="sales", **SHORT)
    assert "weather=sun" in models.preparation.names
    assert "heat missing" in models.preparation.names
    assert np.isfinite(models.predict(table)).all()
    assert np.isfinite(models.predict(table.assign(weather="fog"))).all()


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
        table, by="shop", target="answer", classes=True, hidden_size=3, iterations=200
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
    np.testing.assert_allclose(errors.held_out_error, expected.reindex(errors.index))
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


def test_labels_in_several_columns():
    table = shops((20, 20, 20))
    table["floor"] = np.arange(len(table)) % 2
    models = fastgd.fit_groups(table, by=["shop", "floor"], target="sales", **SHORT)
    assert models.groups == [(f"shop {k}", floor) for k in range(3) for floor in (0, 1)]
    assert list(models.errors)[:2] == ["shop", "floor"]
    joined = table.assign(both=table.shop + table.floor.astype(str)).drop(columns=["shop", "floor"])
    alike = fastgd.fit_groups(joined, by="both", target="sales", **SHORT)
    np.testing.assert_array_equal(models.predict(table), alike.predict(joined))
    assert models["shop 1", 0].final_error == alike["shop 10"].final_error
    assert np.isnan(models.predict(table.assign(floor=2))).all()


@pytest.mark.parametrize(
    "labels",
    [
        np.repeat(pd.date_range("2026-01-01", periods=3), 12),
        np.repeat([1.5, -2.0, 4.0], 12),
        np.repeat([True, False], 18),
        pd.Categorical(np.repeat(["b", "a", "c"], 12)),
    ],
    ids=["dates", "numbers", "booleans", "categories"],
)
def test_kinds_of_labels(labels, tmp_path):
    table = shops((36,)).drop(columns="shop").assign(g=labels, sales=np.arange(36.0))
    models = fastgd.fit_groups(table, by="g", target="sales", **SHORT)
    assert models.groups == sorted(set(pd.Series(labels).tolist()))
    models.save(tmp_path / "models.npz")
    again = fastgd.load(tmp_path / "models.npz")
    assert again.groups == models.groups
    np.testing.assert_array_equal(again.predict(table), models.predict(table))
    assert again[models.groups[1]].final_error == models[models.groups[1]].final_error


def test_whole_numbers_are_found_among_floats():
    table = shops((20, 20)).drop(columns="shop").assign(g=np.repeat([1, 2], 20))
    models = fastgd.fit_groups(table, by="g", target="sales", **SHORT)
    holes = table.assign(g=table.g.astype(float)).astype({"g": object})
    holes.loc[0, "g"] = None
    expected = models.predict(table)
    expected[0] = np.nan
    np.testing.assert_array_equal(models.predict(holes), expected)


def test_codes_of_many_columns_do_not_overflow():
    draw = np.random.default_rng(0)
    columns = {f"c{k}": draw.integers(0, 1000, 2000) for k in range(8)}  # 1000**8 > 2**63
    keys, codes = Keys.learn(columns, list(columns))
    assert len(keys) == len(
        set(zip(*(column.tolist() for column in columns.values()), strict=True))
    )
    np.testing.assert_array_equal(keys.codes(columns), codes)
    labels = list(keys)
    assert labels == sorted(labels)
    assert all(
        labels[codes[i]] == tuple(int(column[i]) for column in columns.values()) for i in (0, 99)
    )


def test_hold_out_leaves_and_takes_a_row():
    codes = np.random.default_rng(0).permutation(np.repeat([0, 1, 2, 3], [100, 10, 2, 1]))
    held = hold_out(codes, 4, 0.2, 2, 1)
    assert np.bincount(codes[held], minlength=4).tolist() == [20, 2, 1, 0]
    assert np.bincount(codes[hold_out(codes, 4, 0.99, 2, 1)], minlength=4).tolist() == [99, 9, 1, 0]
    assert not hold_out(codes, 4, 0.0, 2, 1).any()
    assert (hold_out(codes, 4, 0.2, 2, 2) != held).any()


def test_nothing_held_out():
    models = fitted(held_out=0)
    assert models.errors.held_out_error.isna().all()
    assert "held-out" not in repr(models)
    assert models["shop 0"].iterations == 40


def test_a_group_that_diverges_says_so():
    models = fitted(held_out=0, alpha=1e300, start="own")
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
        fitted(held_out=0, alpha=1e300)


def test_repr_and_labels():
    models = fitted()
    assert repr(models).startswith("GroupModels(sales by shop: 7 groups, 122 rows; median held-out")
    assert models.groups == [f"shop {k}" for k in range(7)]
    with pytest.raises(KeyError, match="one of the 7 that there are, such as 'shop 0', got 'shop'"):
        models["shop"]
    with pytest.raises(KeyError, match="got 3"):
        models[3]


def changed(**change):
    return shops().assign(**change)


TWICE = pd.DataFrame(np.ones((4, 3)), columns=["shop", "x", "x"])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"by": "store"}, ValueError, "by must be a column of the table .*'store'"),
        ({"by": []}, ValueError, "by must name a column"),
        ({"by": 3}, TypeError, "by must be a list of names"),
        ({"by": ["shop", "shop"]}, ValueError, "by must name each column once, got 'shop' twice"),
        ({"target": "sale"}, ValueError, "target must be a column .*'sale': did you mean sales?"),
        ({"target": "shop"}, ValueError, "target must be none of the columns of by"),
        ({"inputs": ["price", "sales"]}, ValueError, "inputs must not have the target"),
        ({"inputs": ["price", "shop"]}, ValueError, "inputs must have no column of by"),
        ({"inputs": "price"}, TypeError, "inputs must be a list"),
        ({"inputs": ["cost"]}, ValueError, "inputs must be a column .*got 'cost'"),
        ({"df": TWICE}, ValueError, "columns must have different names, got 'x' twice"),
        ({"df": 3}, TypeError, "a table must be a DataFrame"),
        ({"df": changed(sales=np.nan)}, ValueError, "target 'sales' must be there in some row"),
        ({"df": changed(shop=None)}, ValueError, "by must have a row with a label"),
        ({"df": changed(shop=[1, "a"] * 61)}, TypeError, "labels in 'shop' must be all texts"),
        ({"df": changed(shop=[(1,)] * 122)}, TypeError, "labels in 'shop' must be all texts"),
        ({"df": {"shop": ["a"], "x": [1, 2], "sales": [1]}}, ValueError, r"all have shape \(1,\)"),
        ({"df": changed(sales=2.0)}, ValueError, "target 'sales' must have different numbers"),
        ({"df": shops()[["shop", "sales"]]}, ValueError, "must have a column to learn from"),
        ({"unknown": "mean"}, ValueError, "unknown must be"),
        ({"start": "zero"}, ValueError, "start must be"),
        ({"standardize": True}, (ValueError, TypeError), "standardize must be"),
        ({"held_out": 1}, ValueError, "held_out must be a number of at least 0 and below 1"),
        ({"min_rows": 1}, ValueError, "min_rows must be at least 2"),
        ({"split_seed": -1}, ValueError, "split_seed must be at least 0"),
        ({"folds": 5}, ValueError, "folds must be left out of fit_groups, got 5"),
        ({"hidden_size": [4, 8]}, ValueError, "hidden_size must be one value: each group selects"),
        ({"alpha": [0.1, 1], "held_out": 0}, ValueError, "alpha must be one value where nothing"),
        ({"loss": "gaussian"}, ValueError, "loss must have an output for each target"),
        ({"batch_size": 8}, ValueError, "at most the rows that each group .*1 in 'shop 5'"),
        ({"learning_rate": 1}, TypeError, "learning_rate"),
        ({"iterations": 0}, ValueError, "iterations must be at least 1"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_is_refused(change, error, message):
    given = {"df": shops(), "by": "shop", "target": "sales", **SHORT} | change
    with pytest.raises(error, match=message):
        fastgd.fit_groups(**given)


def test_predict_refuses_what_it_cant_read():
    models, table = fitted(), shops()
    with pytest.raises(ValueError, match="the table must have the column 'shop', which has labels"):
        models.predict(table.drop(columns="shop"))
    with pytest.raises(ValueError, match="the table must have the column price"):
        models.predict(table.drop(columns="price"))
    with pytest.raises(ValueError, match="sales is a number: use predict"):
        models.predict_proba(table)


def test_saved_and_read_again(tmp_path):
    table, models = shops(), fitted(unknown="global")
    path = tmp_path / "models.npz"
    models.save(path)
    again = fastgd.load(path)
    new = table.assign(shop=["shop 1", "new"] * 61)
    np.testing.assert_array_equal(again.predict(new), models.predict(new))
    pd.testing.assert_frame_equal(again.errors, models.errors)
    assert again.notes == models.notes
    assert repr(again) == repr(models)
    assert np.array_equal(again["shop 3"].weights[0], models["shop 3"].weights[0])


def test_damaged_files_are_refused(tmp_path):
    path = tmp_path / "models.npz"
    fitted(unknown="global").save(path)
    with np.load(path) as file:
        arrays = dict(file)
    rng = np.random.default_rng(0)
    names = [name for name in arrays if name != "fastgd" and "." not in name]
    names += ["measured.rows", "measured.status", "preparation.preparation", "target.target"]
    for name in names:
        worse_ones = [arrays[name][..., None]]
        if not name.startswith("levels"):  # which may be dates
            worse_ones.append(np.zeros_like(arrays[name], dtype="M8[s]"))
        for worse in worse_ones:
            np.savez(path, **arrays | {name: worse})
            with pytest.raises(ValueError, match="must be a whole file that fastgd has saved"):
                fastgd.load(path)
    for name in ("members", "places"):
        np.savez(path, **arrays | {name: arrays[name] + int(rng.integers(100, 200))})
        with pytest.raises(ValueError, match="must be a whole file that fastgd has saved"):
            fastgd.load(path)


def test_neither_training_nor_a_file_needs_pandas(tmp_path):
    path = tmp_path / "models.npz"
    fitted().save(path)
    code = (
        "import sys; sys.modules['pandas'] = None\n"
        "import fastgd\n"
        f"models = fastgd.load({str(path)!r})\n"
        "print(models.predict({'shop': ['shop 0'], 'price': [1.0], 'heat': [15.0]}))\n"
        "try: models.errors\n"
        "except ImportError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    expected = fitted().predict({"shop": ["shop 0"], "price": [1.0], "heat": [15.0]})
    assert done.stdout.splitlines() == [
        str(expected),
        'errors needs pandas: pip install "fastgd[dataframe]"',
    ]


def test_progress(capsys):
    pytest.importorskip("tqdm")
    fitted(progress=True)
    assert "updates" in capsys.readouterr().err


def test_training_says_which_rows_have_networks():
    from fastgd.models.group_training import Rows

    rows = Rows(np.ones((4, 1)), np.ones((4, 1)), np.array([0, 0, 2, 2]), np.zeros(4, bool))
    settings = {"iterations": 1, "record_every": 1}
    trained = train_groups(rows, 3, settings, None)
    assert trained.places.tolist() == [[0, 0], [-1, -1], [0, 1]]
