"""Groups in time: what is learned before each cutoff, what judges, what is refused and kept."""

import numpy as np
import pandas as pd
import pytest

import fastgd
from fastgd.models import fit_search
from fastgd.models.cutoffs import FEWEST_STEPS, Cutoffs, seasons_of
from fastgd.models.group_keys import Keys
from fastgd.models.row_splits import RowOrder, folds_in_order
from fastgd.training.training_job import TrainingJob
from shops import SHORT, shops

GIVEN = {"by": "shop", "target": "sales", **SHORT}
TIMED = {**GIVEN, "test_last": "day", "horizon": 3, "cutoffs": 2}


def table():
    """Twenty consecutive days of four shops, which grow."""
    found = shops((20, 20, 20, 20), seed=3).drop(columns="price")
    found.insert(0, "day", found.groupby("shop").cumcount() + 100)
    found["sales"] += 0.3 * found.day
    return found


@pytest.fixture(scope="module")
def models():
    return fastgd.fit_groups(table(), **TIMED)


# ---------------------------------------------------------------- cutoffs by hand


@pytest.mark.parametrize("seed", range(5))
def test_each_cutoff_by_ranks(seed):
    """With groups of different lengths, and rows of the same time."""
    draw = np.random.default_rng(seed)
    sizes = draw.integers(12, 40, 6)
    codes = draw.permutation(np.repeat(np.arange(6), sizes))
    time = draw.integers(0, 3 * sizes[codes]).astype(float)
    keys, _ = Keys.learn({"g": np.arange(6)}, ["g"])
    step = pd.Series(time).groupby(codes).rank(method="dense").to_numpy() - 1
    steps = pd.Series(step).groupby(codes).max().to_numpy() + 1
    horizon, count = int(draw.integers(1, steps.min() - 4)), 2

    def hold(own):
        return np.arange(len(own)) % 3 == 0

    found = Cutoffs.of(RowOrder("t", None), time, codes, keys, 0.2, horizon, count, hold)
    for k in range(count):
        some, held, test = found.splits[k]
        start = found.starts[k][codes]
        np.testing.assert_array_equal(test, (step >= start) & (step < start + horizon))
        np.testing.assert_array_equal(some, step < start + horizon)
        assert not (held & (step >= start)).any()
        before = step == start - 1
        np.testing.assert_array_equal(found.after[k][codes[before]], time[before])
    np.testing.assert_array_equal(found.starts[-1], steps - horizon)
    gaps = np.diff(found.starts, axis=0)
    assert ((gaps >= 1) & (gaps <= horizon)).all()
    is_tight = gaps[0] < horizon  # only where the first would leave less than a third
    assert (found.starts[0] >= np.maximum(steps // 3, FEWEST_STEPS) - 1)[is_tight].all()
    assert found.splits[-1].some.all()
    assert not found.splits[-1].test.any()


def test_models_are_those_that_were_fitted_to_the_rows_before(models):
    """What judges, and what predicts, by fits that know nothing of cutoffs."""
    whole, errors = table(), models.cutoffs
    place = (whole.day - 100).to_numpy()
    for k, start in enumerate((14, 17)):
        before, after = whole[place < start], whole[(place >= start) & (place < start + 3)]
        known = fastgd.fit_groups(before, **GIVEN, test_fraction=0)
        wrong = (known.predict(after) - after.sales).abs().groupby(after["shop"]).mean()
        own = errors[errors.after == 100 + start - 1]
        np.testing.assert_allclose(own.test_error, wrong, rtol=1e-12, err_msg=str(k))
        assert (own.test_rows == 3).all()
    mean = errors.groupby("shop").test_error.mean()
    np.testing.assert_allclose(models.errors.test_error, mean, rtol=1e-12)
    assert (models.errors.test_rows == 6).all()
    final = fastgd.fit_groups(whole, **GIVEN, test_fraction=0)
    np.testing.assert_array_equal(models.predict(whole), final.predict(whole))


def test_nothing_is_learned_from_what_follows_a_cutoff():
    errors = []
    for more in (1000.0, 3000.0):
        own = table()
        own.loc[own.day >= 117, "sales"] += more
        errors.append(fastgd.fit_groups(own, **TIMED | {"cutoffs": 1}).errors)
    np.testing.assert_allclose(errors[1].test_error - errors[0].test_error, 2000.0, rtol=1e-9)
    np.testing.assert_array_equal(errors[0].training_error, errors[1].training_error)


@pytest.mark.slow
def test_classes():
    own = table()
    own["kind"] = np.where(own.heat + draw_of(own) > 15, "warm", "cold")
    own = own.drop(columns="sales")
    given = {**TIMED, "target": "kind", "unknown": "global", "model": "best"}
    found = fastgd.fit_groups(own, **given)
    place = own.day - 100
    wrong = []
    for start in (14, 17):
        last = own[place == start - 1].set_index("shop").kind
        after = own[(place >= start) & (place < start + 3)]
        wrong.append((after.kind != after["shop"].map(last)).groupby(after["shop"]).mean())
    np.testing.assert_allclose(found.comparison["last value"], sum(wrong) / 2, rtol=1e-12)
    assert not found.errors.test_error.isna().any()


def draw_of(own):
    return np.random.default_rng(0).normal(size=len(own))


# ---------------------------------------------------------------- naive forecasts


@pytest.mark.parametrize("as_dates", [True, False])
def test_naive_forecasts_by_hand(as_dates):
    months = pd.date_range("2020-01-01", periods=30, freq="MS")
    draw = np.random.default_rng(0)
    own = pd.DataFrame({"shop": np.repeat(["a", "b"], 30), "sales": draw.normal(size=60)})
    own["when"] = np.tile(months if as_dates else 2020 + np.arange(30) / 12, 2)
    own["heat"] = draw.normal(size=60)
    given = {"test_last": "when", "horizon": 5, "cutoffs": 1, "start": "own", "drop": ["when"]}
    found = fastgd.fit_groups(own.sample(frac=1, random_state=0), **GIVEN, **given).comparison
    for shop, sales in own.groupby("shop").sales:
        past, new = sales.to_numpy()[:25], sales.to_numpy()[25:]
        [line] = found[found["shop"] == shop].to_dict("records")
        assert line["last value"] == pytest.approx(np.abs(new - past[-1]).mean())
        assert line["seasonal naive"] == pytest.approx(np.abs(new - past[13:18]).mean())


def test_seasons():
    codes = np.zeros(50, np.int64)
    days = np.arange(50.0)
    quarters = (days * 3).astype("M8[M]").astype("M8[D]").astype(float)
    for time, wanted in (
        (days, (days + 3) % 7),
        (days / 24, days % 24),
        (quarters, days % 4),
        (days * 365.25, None),
        (days * 10, None),
    ):
        found = seasons_of(RowOrder("t", ""), time, codes)
        if wanted is None:
            assert found is None
        else:
            np.testing.assert_array_equal(found, wanted)
    assert seasons_of(RowOrder("t", None), days, codes) is None
    assert seasons_of(RowOrder("t", None), days / 12, codes) is None  # no years
    for count in (4, 12):
        found = seasons_of(RowOrder("t", None), 2000 + np.round(days / count, 3), codes)
        np.testing.assert_array_equal(found, days % count)


# ---------------------------------------------------------------- files, folders, refusals


def test_a_file_has_the_order_and_the_cutoffs(models, tmp_path):
    models.save(tmp_path / "models.npz")
    again = fastgd.load(tmp_path / "models.npz")
    assert again.order == models.order == RowOrder("day", None)
    pd.testing.assert_frame_equal(again.cutoffs, models.cutoffs)
    pd.testing.assert_frame_equal(again.comparison, models.comparison)
    assert "last value" in again.comparison
    dates = table()
    dates["day"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(dates.day, "D")
    found = fastgd.fit_groups(dates, **TIMED, drop=["day"]).cutoffs
    assert found.after.tolist()[:2] == [pd.Timestamp("2026-04-24"), pd.Timestamp("2026-04-27")]
    with pytest.raises(ValueError, match="cutoffs needs models that were fitted with test_last"):
        _ = fastgd.fit_groups(table(), **GIVEN, test_fraction=0).cutoffs


def test_a_folder_resumes_all_cutoffs(models, tmp_path, monkeypatch):
    fastgd.fit_groups(table(), **TIMED, out=tmp_path)
    monkeypatch.setattr(TrainingJob, "compute", None)
    monkeypatch.setattr("fastgd.training.training_job.TrainingJob.train_one", None)
    again = fastgd.fit_groups(table(), **TIMED, out=tmp_path)
    np.testing.assert_equal(again.judged, models.judged)
    with pytest.raises(ValueError, match="got one with horizon 3 instead of 2"):
        fastgd.fit_groups(table(), **TIMED | {"horizon": 2}, out=tmp_path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"test_last": "shop"}, "test_last must not name a column of by, got 'shop'"),
        ({"test_last": "sales"}, "test_last must not name the target, got 'sales'"),
        ({"test_last": "kind"}, "test_last must be numbers or dates, got 'tea'"),
        ({"test_last": "gaps"}, "test_last must have no missing values, got one in row 1"),
        ({"test_last": "dya"}, "test_last must be a column of the table, got 'dya'"),
        ({"test_last": None}, "horizon must be left out without test_last, got 3"),
        (
            {"test_last": None, "horizon": None, "cutoffs": 2},
            "cutoffs must be left out without test_last, got 2",
        ),
        ({"cutoffs": 0}, "cutoffs must be at least 1, got 0"),
        ({"horizon": 0}, "horizon must be at least 1, got 0"),
        ({"test_fraction": 0}, "test_last must be left out with test_fraction=0, got 'day'"),
        (
            {"horizon": 17},
            "horizon must leave 3 steps before the first of 2 cutoffs in each group, got 17 with "
            "20 steps in 'shop 0'",
        ),
        (
            {"test_last": "same", "horizon": None},
            "test_last must have at least 5 different values in a group, got 1: choose fewer",
        ),
        ({"batch_size": 15}, r"batch_size must be at most .* \(11 in 'shop 0'\), got 15"),
    ],
)
def test_refusals(given, message):
    own = table().assign(kind="tea", same=1)
    own["gaps"] = np.r_[np.nan, np.arange(len(own) - 1)]
    with pytest.raises((ValueError, TypeError), match=message):
        fastgd.fit_groups(own, **TIMED | given)


def test_short_groups_are_not_judged_if_they_are_few():
    own = table()
    few = pd.DataFrame({"shop": "new", "day": [100, 101], "heat": 1.0, "sales": [1.0, 2.0]})
    with pytest.raises(ValueError, match="got 3 with 2 steps in 'new'"):
        fastgd.fit_groups(pd.concat([own, few]), **TIMED)
    more = [own.assign(shop=own["shop"] + f" {k}") for k in range(3)]
    found = fastgd.fit_groups(pd.concat([*more, few]), **TIMED)
    assert found.errors.set_index("shop").test_rows["new"] == 0
    [line] = [note for note in found.notes if note.startswith("rows: ")]
    assert line.endswith("; 1 group too short to judge")


def test_by_default_cutoffs_cover_the_test_fraction():
    found = fastgd.fit_groups(table(), **GIVEN, test_last="day", test_fraction=0.3)
    [line] = [note for note in found.notes if note.startswith("rows: ")]
    assert line.startswith("rows: judged on the 2 steps by day after each of 3 cutoffs;")
    assert found.cutoffs.after.tolist()[:3] == [113, 115, 117]


# ---------------------------------------------------------------- what is said, and fit


def test_a_naive_forecast_that_is_better_is_told():
    walk = table()  # steps of 0.01 after one of 100
    walk["sales"] = np.where(walk.day < 108, 0.0, 100.0) + 0.01 * walk.day
    walk["heat"] = np.random.default_rng(0).normal(size=len(walk))
    notes = fastgd.fit_groups(walk, **TIMED, drop=["day"]).notes
    line = "last value: the better forecast: median error 0.02, that of the models"
    assert sum(note.startswith(line) for note in notes) == 1
    steady = table().assign(sales=lambda own: 10 * own.heat)
    assert not any("better" in note for note in fastgd.fit_groups(steady, **TIMED).notes)


def test_a_random_split_of_rows_in_time_is_told():
    line = "day: orders the rows of groups in time: .* test_last='day' judges by later ones"
    told = fastgd.fit_groups(table(), **GIVEN).notes
    assert sum(bool(pd.Series([note]).str.fullmatch(line)[0]) for note in told) == 1
    for given in ({"test_last": "day"}, {"test_fraction": 0}, {"drop": ["day"]}):
        assert not any(
            "orders" in one for one in fastgd.fit_groups(table(), **GIVEN, **given).notes
        )


YEARS = pd.DataFrame(
    {
        "state": np.repeat(["Iowa", "Ohio", "Utah", "Maine"], 10),
        "year": np.tile(np.arange(1990, 2000), 4),
        "built": np.random.default_rng(0).integers(1900, 2000, 40),
        "sales": np.random.default_rng(1).normal(size=40),
    }
)
PLAIN = {"hidden_size": [()], "folds": 2}


def test_fit_names_a_column_that_orders_rows_in_time():
    line = (
        "year: orders rows in time, and scores are those of rows in between: test_last='year' "
        "(--test-last year) judges by later ones"
    )
    assert line in fastgd.fit(YEARS, "sales", **PLAIN).notes
    for given in ({"test_last": "year"}, {"test_fraction": 0}, {"drop": ["year"]}):
        assert not any(
            "orders" in note for note in fastgd.fit(YEARS, "sales", **PLAIN, **given).notes
        )
    by_date = YEARS.drop(columns="year").assign(sold=pd.date_range("2026-01-01", periods=40))
    assert any("sold: orders" in note for note in fastgd.fit(by_date, "sales", **PLAIN).notes)
    born = by_date.rename(columns={"sold": "birthday"})
    assert not any("orders" in note for note in fastgd.fit(born, "sales", **PLAIN).notes)


def test_remarks_about_years_past_the_last():
    model = fastgd.fit(YEARS, "sales", **PLAIN)
    later = YEARS.tail(3).assign(year=[1999, 2000, 2001])
    assert "year: after 1999, the last year learned, in 2 rows" in model.remarks(later)
    assert not model.remarks(YEARS.tail(3))
    halves = later.assign(year=later.year + 0.5)
    assert not any("last year" in line for line in model.remarks(halves))


@pytest.mark.parametrize("folds", [2, 3, 5])
def test_folds_in_order_are_consecutive(folds):
    time = np.random.default_rng(folds).integers(0, 20, 60).astype(float)
    held = folds_in_order(time, folds)
    np.testing.assert_array_equal(held.sum(axis=0), 1)
    assert held.any(axis=1).all()
    ends = [time[own].max() for own in held]
    starts = [time[own].min() for own in held]
    assert all(end < start for end, start in zip(ends, starts[1:], strict=False))  # ties together
    few = folds_in_order(np.repeat([1.0, 2.0], 30), 5)  # too few times for ties to be together
    np.testing.assert_array_equal(few.sum(axis=1), 12)


def test_folds_of_fit_are_consecutive(monkeypatch):
    held = []

    def seen(*given, **options):
        held.append(options["folds"])
        return sweep(*given, **options)

    sweep = fit_search.sweep
    monkeypatch.setattr(fit_search, "sweep", seen)
    fastgd.fit(YEARS, "sales", test_last="year", **PLAIN)
    years = YEARS.year.to_numpy()
    for own in (years[years < 1998], years):
        folds = next(one for one in held if one.shape[1] == len(own))
        assert own[folds[0]].max() < own[folds[1]].min()
        np.testing.assert_array_equal(folds[0], ~folds[1])
