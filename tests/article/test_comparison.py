from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import fastgd
from fastgd.article import comparison
from fastgd.article.comparison import COUNT, Mark, compare, tally
from fastgd.article.experiments import EXPERIMENTS, published
from fastgd.article.tables import tables

TWO_LAYER, THIRTEEN, ALPHA, HIDDEN_32 = EXPERIMENTS


@cache
def result_of(name):
    """Of one experiment: the widest one, on which alone most of the time goes, is slow here.

    By default cli/test_cli.py compares all of them, test_tutorial.
    """
    (experiment,) = (one for one in EXPERIMENTS if one.name == name)
    return comparison.run(experiment)


@pytest.fixture(scope="module")
def results():
    return {experiment.name: result_of(experiment.name) for experiment in EXPERIMENTS}


def test_published_numbers_are_complete():
    four, wide = published(ALPHA), published(HIDDEN_32)
    assert tuple(four) == tuple(wide) == ALPHA.alphas
    assert sum(len(p.errors) for p in [*four.values(), *wide.values()]) == 84
    assert sum(len(p.direction_changes) for p in four.values()) == 14
    assert sum(np.size(layer) for p in four.values() for layer in p.weights) == 7 * 16


@pytest.mark.slow
def test_74_errors_agree_and_ten_are_within_the_spread(results):
    errors = tally(results.values()).errors
    assert errors == {Mark.AGREES: 74, Mark.WITHIN: 10, Mark.DIFFERS: 0}
    others = {
        (name, setting.alpha)
        for name, result in results.items()
        for setting in result.settings
        if setting.errors.mark not in (None, Mark.AGREES)
    }
    assert others == {("alpha", 100.0), ("hidden-32", 10.0)}


@pytest.mark.slow
def test_only_one_experiment_has_tables_of_direction_changes_and_weights(results):
    whole, alone = tally(results.values()), tally([results["alpha"]])
    assert whole.direction_tables == alone.direction_tables
    assert whole.weights == alone.weights


def test_all_tables_of_direction_changes_agree():
    tables = tally([result_of("alpha")]).direction_tables
    assert tables == {Mark.AGREES: 14, Mark.WITHIN: 0, Mark.DIFFERS: 0}


def test_no_weight_differs():
    weights = tally([result_of("alpha")]).weights
    assert sum(weights.values()) == 112
    assert weights[Mark.DIFFERS] == 0
    for setting in result_of("alpha").settings[:5]:
        assert [layer.mark for layer in setting.weights] == [Mark.AGREES] * 2


@pytest.mark.slow
def test_the_chaotic_setting_is_seen_as_such(results):
    chaotic = results["hidden-32"].settings[4]
    assert chaotic.alpha == 10
    assert chaotic.errors.digits[1:].max() <= 3
    assert results["hidden-32"].settings[3].errors.digits.min() >= 12


def test_the_run_is_what_train_gives():
    setting = result_of("alpha").settings[4]
    alone = fastgd.train(ALPHA.X, ALPHA.y, alpha=10)
    np.testing.assert_array_equal(setting.run.errors, alone.errors)
    np.testing.assert_array_equal(setting.errors.computed, alone.errors)


def test_the_two_layer_net_prints_the_output_of_its_last_forward_pass():
    result = result_of("two-layer")
    before_last = fastgd.train(TWO_LAYER.X, TWO_LAYER.y, hidden_size=(), iterations=9_999)
    np.testing.assert_array_equal(result.outputs.computed, before_last.predict(TWO_LAYER.X))
    assert result.right.tolist() == [[True]] * 4
    assert result.twins == 8


def test_an_output_on_the_wrong_side_is_seen():
    changed = replace(TWO_LAYER, y=(1, 0, 1, 1), iterations=200, record_every=100)
    assert comparison.run(changed).right.sum() < 4


def test_the_thirteen_lines_have_no_published_numbers():
    (setting,) = result_of("thirteen-lines").settings
    assert setting.errors.marks is None
    assert setting.alpha == 0.5
    assert setting.final_error.computed < 0.005


def test_a_wrong_published_number_is_marked(monkeypatch):
    wrong = {10.0: published(ALPHA)[10.0]._replace(errors=[0.4, *[0.00131274062834] * 5])}
    monkeypatch.setattr(comparison, "published", lambda _: wrong)
    result = comparison.run(replace(ALPHA, alphas=(10.0,)))
    assert result.settings[0].errors.marks.tolist() == ["differs"] * 5 + ["agrees"]


def test_twins_are_the_same_only_if_all_numbers_of_a_line_are():
    result = result_of("alpha")
    layers = (
        compare(np.array([[[3, 5]], [[3, 6]]]), [[3, 5]], COUNT),
        compare(np.array([[[3], [5]]] * 2), [[3], [5]], COUNT),
    )
    setting = replace(result.settings[0], direction_changes=layers)
    _, changes, _ = tables(replace(result, settings=(setting,)))
    assert [row[4] for row in changes.groups[0]] == ["vary", "the same"]


def test_prepare_says_how_long_it_took():
    assert 0 < comparison.prepare([TWO_LAYER]) < 60
