"""What bench/ judges predictions by, and the peers that need no library, by hand."""

import numpy as np
import pandas as pd
import pytest

from benches import bench

tables, intervals, forecasts = (
    bench(name) for name in ("table_scores", "interval_scores", "forecast_scores")
)


def test_an_interval_pays_for_its_width_and_for_what_it_misses():
    found = intervals.judged([1.0, 5.0, 9.0, -2.0], [0.0, 4.0, 3.0, -1.0], [2.0, 8.0, 8.0, 1.0])
    assert found.coverage == 0.5
    assert found.width == (2 + 4 + 5 + 2) / 4
    assert found.score == pytest.approx(found.width + 20 * (1 + 1) / 4)


def test_ranks_are_by_the_error_and_close_is_within_two_percent():
    errors = {"fastgd": 1.019, "linear": 1.0, "MLP": 1.03, "forest": 3.0, "boosting": 1.0}
    line = {name: tables.Found(error, 0.0) for name, error in errors.items()}
    assert [tables.rank(line, name) for name in line] == [3, 1, 4, 5, 1]
    assert [tables.is_close(line, name) for name in line] == [True, True, False, False, True]


@pytest.fixture
def panel():
    weeks = pd.DataFrame({"shop": ["a"] * 10 + ["b"] * 7, "week": [*range(10), *range(6, -1, -1)]})
    weeks["sold"] = weeks.week + 100.0 * (weeks.shop == "b")
    weeks.loc[3, "sold"] = np.nan
    return forecasts.Panel(lambda: weeks, "shop", "week", "sold", season=2)


def test_the_last_third_of_each_group_is_held_back_and_repeats_what_was_known(panel):
    learn, judge = forecasts.held_back(panel)
    assert judge.sold.tolist() == [7, 8, 9, 105, 106]
    assert sorted(learn.sold) == [0, 1, 2, 4, 5, 6, 100, 101, 102, 103, 104]
    assert forecasts.naive(panel, learn, judge, 1).tolist() == [6, 6, 6, 104, 104]
    seasonal = forecasts.naive(panel, learn, judge, 2)
    assert seasonal.tolist() == [5, 6, 5, 103, 104]
    assert forecasts.unseen(panel, judge, seasonal) == np.median([8 / 3, 2])
