"""Groups, folds and rows of weights against plain loops, and what is refused."""

import re
import time

import numpy as np
import pandas as pd
import pytest
from fastgd.arguments.subsets import check_partition, joined
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import model_selection as sk

X = np.arange(24.0).reshape(12, 2)
Y = np.arange(12.0).reshape(12, 1) % 2
LABELS = ["b", "a", "c", "a", "b", "a", "a", "b", "c", "c", "b", "c"]


def parts(*args, **kwargs):
    partition = check_partition(*args, **kwargs)
    return [
        tuple(None if array is None else array.tolist() for array in partition.part(i))
        for i in range(len(partition))
    ]


def plain(samples, labels, pairs_of, weights):
    """Every part by a loop over (group, fold, weighting)."""
    found = []
    names = sorted(set(labels)) if labels else [None]
    for name in names:
        rows = [n for n in range(samples) if not labels or labels[n] == name]
        for train, test in pairs_of(rows):
            for weight in weights or [None]:
                used = [n for n in rows if n in train]
                held = None if test is None else [n for n in rows if n in test]
                found.append(
                    (
                        used,
                        None if weight is None else [weight[n] for n in used],
                        held,
                        None if weight is None or held is None else [weight[n] for n in held],
                    )
                )
    return found


def kfold(k):
    """scikit-learn's contiguous folds of some rows, by hand."""

    def pairs_of(rows):
        ends = [sum(len(rows) // k + (i < len(rows) % k) for i in range(f)) for f in range(k + 1)]
        for f in range(k):
            held = rows[ends[f] : ends[f + 1]]
            yield [n for n in rows if n not in held], held

    return pairs_of


@st.composite
def tables(draw):
    """Labels, folds of the whole table with rows in neither part, weights."""
    count, k = draw(st.integers(1, 4)), draw(st.integers(2, 4))
    labels = draw(st.permutations([g for g in range(count) for _ in range(2 * k)]))
    labels += draw(st.lists(st.integers(0, count - 1), max_size=9))
    samples = len(labels)
    # Each fold trains on and holds out at least a row of each group.
    marks = [
        draw(st.lists(st.sampled_from("- TH"), min_size=samples, max_size=samples))
        for _ in range(k)
    ]
    for mark in marks:
        for g in range(count):
            first, second = [n for n in range(samples) if labels[n] == g][:2]
            mark[first], mark[second] = draw(st.permutations("TH"))
    weights = draw(
        st.none()
        | st.lists(
            st.lists(st.floats(0.5, 2), min_size=samples, max_size=samples), min_size=1, max_size=3
        )
    )
    return labels, k, marks, weights


@given(tables(), st.sampled_from(["pairs", "booleans", "int", "splitter", "none"]), st.booleans())
@settings(max_examples=150)
def test_parts_are_those_of_a_plain_loop(table, way, is_grouped):
    labels, k, marks, weights = table
    samples = len(labels)
    pairs = [
        (
            [n for n in range(samples) if mark[n] == "T"],
            [n for n in range(samples) if mark[n] == "H"],
        )
        for mark in marks
    ]
    if way == "booleans":
        pairs = [(sorted(set(range(samples)) - set(held)), held) for _, held in pairs]
    folds, pairs_of = {
        # Whatever order the numbers come in.
        "pairs": (((t[::-1], np.array(h)) for t, h in pairs), lambda _: pairs),
        "booleans": (
            np.array([[n in held for n in range(samples)] for _, held in pairs]),
            lambda _: pairs,
        ),
        "int": (k, kfold(k)),
        "splitter": (sk.KFold(k), kfold(k)),
        "none": (None, lambda rows: [(rows, None)]),
    }[way]
    given_labels = labels if is_grouped else None
    X = np.zeros((samples, 1))
    keywords = {"groups": given_labels, "folds": folds, "sample_weight": weights}
    if way == "none" and not is_grouped and weights is None:
        assert check_partition(X, X, **keywords) is None
        return
    assert parts(X, X, **keywords) == plain(samples, given_labels, pairs_of, weights)


@pytest.mark.parametrize(
    "splitter",
    [
        sk.KFold(3),
        sk.KFold(4, shuffle=True, random_state=3),
        sk.StratifiedKFold(3),
        sk.ShuffleSplit(5, test_size=0.3, random_state=1),
        sk.LeaveOneOut(),
        sk.TimeSeriesSplit(3),
        sk.RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
    ],
    ids=lambda splitter: type(splitter).__name__,
)
def test_a_splitter_of_scikit_learn(splitter):
    partition = check_partition(X, Y, folds=splitter)
    expected = list(splitter.split(X, Y[:, 0]))
    assert partition.axes == {"fold": list(range(len(expected)))}
    for i, (train, test) in enumerate(expected):
        rows, weight, held, held_weight = partition.part(i)
        np.testing.assert_array_equal(rows, np.sort(train))
        np.testing.assert_array_equal(held, np.sort(test))
        assert weight is held_weight is None


def test_a_splitter_sees_the_labels_and_only_its_group():
    labels = np.array(LABELS)
    splitter = sk.StratifiedKFold(2, shuffle=True, random_state=5)
    y = np.array([0, 0, 0, 0, 0, 1, 1, 1, 0, 1, 1, 1.0]).reshape(-1, 1)
    partition = check_partition(X, y, groups=labels, folds=splitter)
    at = 0
    for label in "abc":
        rows = np.flatnonzero(labels == label)
        for train, test in splitter.split(X[rows], y[rows, 0]):
            np.testing.assert_array_equal(partition.part(at).rows, np.sort(rows[train]))
            np.testing.assert_array_equal(partition.part(at).held, np.sort(rows[test]))
            at += 1
    assert at == len(partition) == 6


def test_pairs_of_a_splitter_that_needs_labels():
    splitter = sk.GroupKFold(3)
    partition = check_partition(X, Y, folds=splitter.split(X, Y, LABELS))
    for i, (train, test) in enumerate(splitter.split(X, Y, LABELS)):
        assert partition.rows[i].tolist() == sorted(train)
        assert partition.held[i].tolist() == sorted(test)


def test_a_splitter_gets_all_columns_of_y():
    class Splitter:
        def split(self, X, y):
            self.shapes = (X.shape, y.shape)
            return [([0, 1], [2])]

    splitter = Splitter()
    check_partition(X, np.hstack([Y, Y]), folds=splitter)
    assert splitter.shapes == ((12, 2), (12, 2))
    check_partition(X, Y, folds=splitter)
    assert splitter.shapes == ((12, 2), (12,))


@pytest.mark.parametrize(
    ("groups", "labels"),
    [
        (LABELS, ["a", "b", "c"]),
        (tuple(LABELS), ["a", "b", "c"]),
        (np.array(LABELS), ["a", "b", "c"]),
        (np.array(LABELS, dtype=object), ["a", "b", "c"]),
        (pd.Series(LABELS, index=range(50, 62)), ["a", "b", "c"]),
        (pd.Series(LABELS).astype("category"), ["a", "b", "c"]),
        (pd.Categorical(LABELS, categories=["c", "unused", "b", "a"]), ["a", "b", "c"]),
        (pd.CategoricalIndex(LABELS), ["a", "b", "c"]),
        (pd.Series(LABELS).astype("string"), ["a", "b", "c"]),
        (pd.Series(range(12), dtype="Int64") // 5, [0, 1, 2]),
        (np.arange(12, dtype=np.uint8) // 5, [0, 1, 2]),
        ([np.int8(i // 5) for i in range(12)], [0, 1, 2]),
        ([2**70, 2**53, 2**53 + 1, 0.5] * 3, [0.5, 2**53, 2**53 + 1, 2**70]),
        ([2**63, -1] * 6, [-1, 2**63]),
        ([True, False] * 6, [False, True]),
        ([0.0, -0.0, 2.5] * 4, [0.0, 2.5]),
        (np.ma.array(np.arange(12) % 2), [0, 1]),
    ],
)  # fmt: skip
def test_labels(groups, labels):
    partition = check_partition(X, Y, groups=groups)
    assert partition.axes == {"group": labels}
    assert [type(label) for label in partition.axes["group"]] == [type(v) for v in labels]
    listed = list(groups)
    for i, label in enumerate(labels):
        assert partition.part(i).rows.tolist() == [n for n in range(12) if listed[n] == label]
    assert partition.held is partition.weights is None


def test_axes_are_in_order_and_weights_of_one_row_are_none():
    one = np.linspace(0, 1, 12)
    assert check_partition(X, Y, sample_weight=one) is None
    assert list(check_partition(X, Y, sample_weight=one, folds=2).axes) == ["fold"]
    assert check_partition(X, Y, sample_weight=[one.tolist()]).axes == {"sample_weight": [0]}
    partition = check_partition(X, Y, sample_weight=np.ones((3, 12)), folds=2, groups=LABELS)
    assert list(partition.axes) == ["group", "fold", "sample_weight"]
    assert len(partition) == 3 * 2 * 3
    assert partition.rows.sizes.tolist() == [2] * 6


def test_row_indices_in_place_of_labels_may_overlap_and_keep_their_order():
    rows, held = joined([np.array([0, 2, 4]), np.array([4, 2])]), joined([np.array([1])] * 2)
    X, weight = np.zeros((5, 1)), np.arange(1.0, 6.0)
    partition = check_partition(X, X, groups=rows, folds=held, sample_weight=weight)
    assert partition.axes == {}
    own = partition.part(1)
    assert [part.tolist() for part in own] == [[4, 2], [5.0, 3.0], [1], [2.0]]
    with pytest.raises(ValueError, match=r"sample_weight must have a finite sum .* of group 1"):
        check_partition(X, X, groups=rows, sample_weight=weight * (np.arange(5) == 0))


def test_the_caller_s_weights_stay_theirs():
    weights = np.ones((2, 12))
    partition = check_partition(X, Y, sample_weight=weights)
    weights[:] = 0
    assert partition.weights.min() == 1


def test_100_000_groups_of_1_000_000_rows_are_cheap():
    labels = np.random.default_rng(0).permutation(np.arange(1_000_000) // 10)
    X = np.zeros((1_000_000, 1))
    begin = time.process_time()
    partition = check_partition(X, X, groups=labels, folds=5)
    taken = time.process_time() - begin
    assert len(partition) == 500_000
    assert partition.part(499_999).held.tolist() == np.flatnonzero(labels == 99_999)[8:].tolist()
    assert taken < 5  # of CPU: 0.3 s; a Python loop over the parts with NumPy inside takes 10 s


def none_for(*_):
    return []


class Empty:
    split = none_for


class Uneven:
    def split(self, X, y):
        assert len(X) == len(y)
        return [([0], [1])] * (1 if y[0] else 2)


WHOLE = [list(range(11)), [11]]
ZERO_A = np.where(np.array(LABELS) == "a", 0.0, 1.0)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        # Folds
        ({"folds": 1}, "folds must be at least 2, got 1"),
        ({"folds": 13}, "folds must be at most the number of the rows (12), got 13"),
        (
            {"folds": 5, "groups": ["a"] * 5 + ["b"] * 7, "sample_weight": [[1.0] * 12]},
            None,
        ),
        (
            {"folds": 5, "groups": ["b"] * 4 + ["a"] * 8},
            "folds must be at most the number of the rows of group 'b' (4), got 5",
        ),
        ({"folds": True}, "folds must be an int, a splitter such as scikit-learn's KFold"),
        ({"folds": "5"}, "folds must be an int, a splitter"),
        ({"folds": {1: 2}}, "folds must be an int, a splitter"),
        ({"folds": 2.5}, "folds must be an int, a splitter"),
        ({"folds": sk.KFold}, "folds must be a splitter that can split the rows"),
        (
            {"folds": sk.GroupKFold(2)},
            "If it needs labels, pass folds=splitter.split(X, y, labels)",
        ),
        (
            {"folds": sk.KFold(5), "groups": LABELS},
            "folds must be a splitter that can split the rows of group 'a' by X and y alone, but "
            "KFold(n_splits=5, random_state=None, shuffle=False) raised ValueError: Cannot have",
        ),
        ({"folds": sk.GroupKFold(2).split(X, Y)}, "folds must be pairs of row numbers (train, te"),
        ({"folds": []}, "folds must be at least one fold, got none"),
        ({"folds": Empty(), "groups": LABELS}, "at least one fold, got none of group 'a'"),
        ({"folds": np.empty((0, 12), bool)}, "folds must be at least one fold, got none"),
        (
            {"folds": Uneven(), "groups": ["a", "a", "b", "b"] * 3},
            None,
        ),
        (
            {"folds": Uneven(), "groups": ["a", "b"] * 6},
            "folds must split every group into the same number of folds, "
            "got 2 of group 'a' and 1 of group 'b'",
        ),
        (
            {"folds": np.zeros((3, 11), bool)},
            "folds must have shape (folds, 12) as booleans, one for each sample of X, "
            "got shape (3, 11)",
        ),
        ({"folds": np.zeros(12, bool)}, "got shape (12,): use folds.reshape(1, -1)"),
        (
            {"folds": np.zeros((1, 12), bool)},
            "folds must leave rows to train on and rows to test on, got none to test on in "
            "fold 0",
        ),
        ({"folds": np.ones((1, 12), bool)}, "got none to train on in fold 0"),
        ({"folds": [WHOLE, ([], [3])]}, "got none to train on in fold 1"),
        ({"folds": [WHOLE, ([3], [])]}, "got none to test on in fold 1"),
        (
            {"folds": [([0, 1, 2, 3], [4, 5, 6, 8]), WHOLE], "groups": LABELS},
            "got none to test on in fold 1 of group 'a'",
        ),
        ({"folds": [WHOLE, 3]}, "folds[1] must be a pair of row numbers (train, test), got 3"),
        ({"folds": [WHOLE, [[1], [2], [3]]]}, "folds[1] must be a pair of row numbers"),
        ({"folds": [("ab", "cd")]}, "folds[0] must have row numbers to train on in 1-D, got shape"),
        ({"folds": [([[1]], [2])]}, "folds[0] must have row numbers to train on in 1-D"),
        ({"folds": [([1], [[2], [1, 3]])]}, "folds[0] must have row numbers to test on, got [["),
        ({"folds": [([1.0], [2])]}, "folds[0] must have whole row numbers to train on, got [1.0]"),
        ({"folds": [([True], [2])]}, "folds[0] must have whole row numbers to train on, got [Tru"),
        ({"folds": [([1], [12])]}, "folds[0] must have rows from 0 to 11 to test on, got 12"),
        ({"folds": [([-1], [2])]}, "folds[0] must have rows from 0 to 11 to train on, got -1"),
        (
            {"folds": [WHOLE, ([1, 2, 1], [3])]},
            "folds[1] must have each row once, got row 1 twice to train on",
        ),
        ({"folds": [([1], [3, 3])]}, "folds[0] must have each row once, got row 3 twice to test"),
        (
            {"folds": [([4, 1], [3, 4])]},
            "folds[0] must have each row once, got row 4 both to train on and to test on",
        ),
        # Groups
        (
            {"groups": LABELS[:11]},
            "groups must have shape (12,), one label for each sample of X, got shape (11,)",
        ),
        ({"groups": np.zeros((12, 1))}, "groups must have shape (12,), one label for each sample"),
        ({"groups": pd.Categorical(LABELS[:11])}, "groups must have shape (12,)"),
        ({"groups": [[1]] * 12}, "groups must be strings or numbers, one for each row of X, got"),
        ({"groups": [*LABELS[:11], None]}, "groups must have no missing labels, got None at [11]"),
        ({"groups": [*LABELS[:11], np.nan]}, "groups must have no missing labels, got nan at [11"),
        ({"groups": [*[1.0] * 11, np.nan]}, "groups must have no missing labels, got nan at [11]"),
        ({"groups": [1, pd.NA] * 6}, "groups must have no missing labels, got <NA> at [1]"),
        ({"groups": [1, pd.NaT] * 6}, "groups must have no missing labels, got NaT at [1]"),
        ({"groups": pd.Categorical([*LABELS[:11], None])}, "no missing labels, got None at [11]"),
        ({"groups": pd.Series([1, None] * 6, dtype="Int64")}, "no missing labels, got"),
        ({"groups": np.array(["2001", "NaT"] * 6, "M8[ns]")}, "no missing labels, got"),
        ({"groups": np.ma.array(range(12), mask=[0, 1] * 6)}, "missing labels, got None at [1]"),
        ({"groups": np.array(["2001", "2002"] * 6, "M8[ns]")}, "at [0]: use groups.astype(str)"),
        ({"groups": pd.cut(X[:, 0], 2)}, "of type Interval at [0]: use groups.astype(str)"),
        ({"groups": [1 + 2j] * 12}, "groups must be strings or numbers, one for each row of X, go"),
        (
            {"groups": ["b", 1] * 6},
            "groups must be all strings or all numbers, so that they can be sorted, got 'b' and 1",
        ),
        ({"groups": "abcabcabcabc"}, "groups must be strings or numbers, one for each row of X, a"),
        ({"groups": 3}, "groups must be strings or numbers, one for each row of X, as a list"),
        # Weights
        (
            {"sample_weight": np.ones((2, 11))},
            "sample_weight must have shape (12,), one for each sample of X, or (weightings, 12) as "
            "an axis, got shape (2, 11)",
        ),
        ({"sample_weight": np.ones((1, 12, 1))}, "as an axis, got shape (1, 12, 1)"),
        ({"sample_weight": [[1.0] * 11 + [-2]]}, "must be at least 0, got -2.0 at [0, 11]"),
        ({"sample_weight": [[1.0] * 11 + [np.inf]]}, "must be finite, got inf at [0, 11]"),
        (
            {"sample_weight": [[1.0] * 12, [0.0] * 12]},
            "sample_weight[1] must have a finite sum above 0 over the rows to train on, "
            "got a sum of 0.0",
        ),
        ({"sample_weight": [[1e308] * 12]}, "over the rows to train on, got a sum of inf"),
        (
            {"sample_weight": ZERO_A, "groups": LABELS},
            "sample_weight must have a finite sum above 0 over the rows to train on, "
            "got a sum of 0.0 of group 'a'",
        ),
        (
            {"sample_weight": [[0.0] * 11 + [1.0]], "folds": [([11, 2], [0, 1])]},
            "sample_weight[0] must have a finite sum above 0 over the rows to test on, "
            "got a sum of 0.0 in fold 0",
        ),
        (
            {
                "sample_weight": np.array([1.0] * 11 + [0]),
                "folds": [([0, 1, 2], [3, 4, 8]), ([0, 1, 2], [5, 7, 11])],
                "groups": LABELS,
            },
            "over the rows to test on, got a sum of 0.0 in fold 1 of group 'c'",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_refused(keywords, message):
    if message is None:
        check_partition(X, Y, **keywords)
        return
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        check_partition(X, Y, **keywords)


def test_what_a_splitter_raised_is_the_cause():
    with pytest.raises(ValueError, match="raised ValueError") as caught:
        check_partition(X, Y, folds=sk.GroupKFold(2))
    assert isinstance(caught.value.__cause__, ValueError)
