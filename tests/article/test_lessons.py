"""The page's lessons: their file, what is wrong in one, and whether what they say is so."""

import json
import re
from copy import deepcopy
from importlib.resources import files

import numpy as np
import pytest

from fastgd.article import comparison
from fastgd.article.experiments import EXPERIMENTS
from fastgd.article.page import lessons
from fastgd.optimizers import FIRST_ORDER
from live import in_node, needs_node

TEXT = files("fastgd.article.page").joinpath(lessons.FILE).read_text(encoding="utf-8")
CONTENT = lessons.read(TEXT)
LESSONS = {lesson["name"]: lesson for lesson in CONTENT["lessons"]}


def first(content):
    return content["lessons"][0]


def test_there_are_six_lessons_in_two_languages():
    assert len(LESSONS) == 6
    assert CONTENT["languages"] == {"en": "English", "de": "Deutsch"}


def add_lesson(content):
    content["lessons"].append({**deepcopy(first(content)), "name": "another"})


def add_language(content):
    content["languages"]["la"] = "Latine"
    content["labels"]["la"] = content["labels"]["en"]
    for lesson in content["lessons"]:
        lesson["la"] = lesson["en"]


@pytest.mark.parametrize("change", [add_lesson, add_language])
def test_a_lesson_or_a_language_is_added_in_the_file_alone(change):
    content = json.loads(TEXT)
    change(content)
    assert lessons.read(json.dumps(content)) == content


WRONG = {
    "presets": (lambda c: c.pop("presets"), 'the file: "presets" is missing'),
    "language": (lambda c: first(c).pop("de"), 'larger-alpha: "de" is missing'),
    "labels": (lambda c: c["labels"].pop("de"), 'labels: "de" is missing'),
    "label": (lambda c: c["labels"]["de"].pop("try"), 'labels of "de": "try" is missing'),
    "no words": (
        lambda c: c["labels"]["de"].update({"try": " "}),
        'labels of "de": "try" must be a text, got \' \'',
    ),
    "other label": (
        lambda c: c["labels"]["de"].update({"tri": "x"}),
        'labels of "de": "tri" is unknown: did you mean try?',
    ),
    "number": (
        lambda c: c["labels"]["de"].update({"number": "1.234"}),
        'labels of "de": "number" must be 1234.5 as one writes it, such as 1,234.5, got \'1.234\'',
    ),
    "setting": (
        lambda c: first(c)["settings"].update({"alhpa": 3}),
        'settings of larger-alpha: "alhpa" is unknown: did you mean alpha?',
    ),
    "range": (
        lambda c: first(c)["settings"].update({"alpha": 2000}),
        'larger-alpha: "alpha" must be a number from 0.001 to 1,000, got 2000',
    ),
    "whole": (
        lambda c: first(c)["before"].update({"hidden": 2.5}),
        'larger-alpha: "hidden" must be a whole number from 0 to 32, got 2.5',
    ),
    "choice": (
        lambda c: first(c)["settings"].update({"start": "same"}),
        "larger-alpha: \"start\" must be random or equal, got 'same'",
    ),
    "flag": (
        lambda c: first(c)["settings"].update({"bias": "on"}),
        "larger-alpha: \"bias\" must be true or false, got 'on'",
    ),
    "data": (
        lambda c: first(c)["settings"].update({"data": "0,1\n0;1"}),
        "larger-alpha: \"data\" must be rows of numbers and commas, got '0,1\\n0;1'",
    ),
    "right": (
        lambda c: first(c).update(right=3),
        'larger-alpha: "right" must be the place of the right choice, from 0 to 2, got 3',
    ),
    "published": (
        lambda c: first(c).update(published="yes"),
        "larger-alpha: \"published\" must be true or false, got 'yes'",
    ),
    "choices": (
        lambda c: first(c)["de"].update(choices=["a", "b"]),
        "larger-alpha, de: \"choices\" must be 3 texts, got ['a', 'b']",
    ),
    "question": (
        lambda c: first(c)["de"].update(question=3),
        'larger-alpha, de: "question" must be a text, got 3',
    ),
    "name": (lambda c: first(c).update(name="stuck"), "stuck: names must differ"),
    "lesson": (
        lambda c: c["lessons"].append("new"),
        "a lesson: must be an object with names, got 'new'",
    ),
    "preset": (lambda c: c["presets"][0].pop("so"), 'presets: "so" is missing'),
}


@pytest.mark.parametrize(("change", "rule"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_in_the_file_is_named(change, rule):
    content = json.loads(TEXT)
    change(content)
    with pytest.raises(ValueError, match=f"^{re.escape(f'lessons.json, {rule}')}$"):
        lessons.read(json.dumps(content))


def test_a_file_that_is_no_json():
    with pytest.raises(ValueError, match=r"^lessons\.json must be JSON: .* line 1 column 2"):
        lessons.read("{")


NUMBERS = {"before": 0.5, "before_changes": 3, "error": 0.25, "changes": 1}


@pytest.mark.parametrize(("part", "name"), [("question", "error"), ("why", "published")])
def test_a_number_that_a_text_can_not_have(part, name):
    lesson = {"name": "x", "numbers": NUMBERS, "en": {"question": "{before}?", "why": "{error}"}}
    lessons.check_texts(lesson, "en")
    lesson["en"][part] = f"{{{name}}}"
    with pytest.raises(
        ValueError, match=rf'^lessons\.json, x, en: "{part}" may have .*, got {name}$'
    ):
        lessons.check_texts(lesson, "en")


def test_numbers_are_written_as_in_a_language():
    numbers = {"a": 0.0011918, "b": 4238, "c": 0.5, "d": 1.23456e-7}
    written = {
        language: lessons.filled("{a} {b} {c} {d}", numbers, words["number"])
        for language, words in CONTENT["labels"].items()
    }
    assert written == {
        "en": "0.00119 4,238 0.5 0.000000123",
        "de": "0,00119 4.238 0,5 0,000000123",
    }


def test_a_sheet_has_questions_and_solutions():
    settings = {"alpha": 10, "start": "equal"}
    text = {"question": "A < B?", "choices": ["x", "y", "z"], "why": "So."}
    lesson = {"settings": settings, "right": 2, "en": text}
    sheet = lessons.sheets({"lessons": [lesson], "labels": {"en": CONTENT["labels"]["en"]}})
    assert sheet.startswith('<section id="task-sheet-en" class="task-sheet" lang="en" hidden="">')
    assert "<li>A &lt; B?<small> (Settings: alpha = 10, start = equal)</small><ul>" in sheet
    assert sheet.endswith("<ol><li><strong>z</strong><p>So.</p></li></ol></section>")


IN_NODE = """
import { learningFields, settingsOf } from "./live/learning.js";
import { lessons } from "./live/lessons.js";
import { ARTICLE_SETTINGS } from "./live/presets.js";
import { State } from "./live/state.js";

const fields = learningFields({ json: () => given.optimizers });
const state = new State({ ...fields, ...lessons.fields({ json: () => given.content }) });
const all = given.content.lessons.flatMap(({ settings, before }) => [settings, before]);
const found = all.map((settings) => {
  state.set({ ...ARTICLE_SETTINGS, ...settings, language: "de", lesson: 2 });
  const { address } = state;
  state.take(address);
  return [state.problems, settings, settingsOf(state), address.endsWith("language=de&lesson=2")];
});
answer(found);
"""


@needs_node
def test_the_page_can_read_their_settings(tmp_path):
    optimizers = {kind.__name__: kind.race_alpha for kind in FIRST_ORDER}
    given = {"optimizers": optimizers, "content": CONTENT}
    for problems, wanted, read, has_place in in_node(IN_NODE, tmp_path, given=given):
        assert problems == {}
        assert has_place
        assert wanted == {name: read[name] for name in wanted}


# ---------------------------------------------------------------- what they say


def answers(run):
    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    first_layer, second_layer = run.weights
    return sigmoid(sigmoid(np.array(lessons.XOR[0]) @ first_layer) @ second_layer).ravel()


@pytest.fixture(scope="module")
def facts():
    results = [comparison.run(each) for each in EXPERIMENTS]
    return {lesson["name"]: lesson for lesson in lessons.facts(results)["lessons"]}


@pytest.mark.slow
def test_the_right_guess_is_right(facts):
    numbers = {name: lesson["numbers"] for name, lesson in facts.items()}
    larger, huge, tiny = (numbers[name] for name in ("larger-alpha", "huge-alpha", "tiny-alpha"))
    assert larger["error"] < larger["before"]
    assert larger["published"] == 0.00131274062834
    assert huge["error"] == huge["published"] == 0.5
    assert tiny["changes"] == tiny["published_changes"] == 6
    assert tiny["before_changes"] == 192
    assert numbers["equal-start"]["error"] > 0.4 > numbers["equal-start"]["before"]
    assert numbers["stuck"]["error"] < 0.02 < 0.3 < numbers["stuck"]["before"]
    more = numbers["more-units"]
    assert 0.7 < more["error"] / more["before"] < 0.8
    assert more["published"] == 0.000942641990774
    right = {name: lesson["en"]["choices"][lesson["right"]] for name, lesson in facts.items()}
    assert right == {
        "larger-alpha": "Lower",
        "huge-alpha": "At 0.5: it learns nothing",
        "tiny-alpha": "Fewer than 20 times",
        "equal-start": "All four the same: no more than one unit can",
        "stuck": "Another start: seed 2",
        "more-units": "Lower, by about a quarter",
    }


@pytest.mark.slow
def test_the_reasons_are_so():
    huge = lessons.train(LESSONS["huge-alpha"]["settings"])
    assert answers(huge).max() < 1e-40
    assert abs(huge.weights[1]).max() > 100
    first_layer, second_layer = lessons.train(LESSONS["equal-start"]["settings"]).weights
    assert (first_layer == first_layer[:, :1]).all()
    assert (second_layer == second_layer[0]).all()
    before = LESSONS["stuck"]["before"]
    assert np.ptp(answers(lessons.train(before))[1:]) < 1e-3
    for change in ({"iterations": 1_000_000}, {"alpha": 0.1}):
        error = f"{lessons.train(before | change).final_error:.3f}"
        assert f" {error}" in LESSONS["stuck"]["en"]["why"]
        assert f" {error.replace('.', ',')}" in LESSONS["stuck"]["de"]["why"]


def test_a_training_that_the_article_has_not():
    lesson = LESSONS["stuck"] | {"published": True}
    with pytest.raises(
        ValueError, match=r"^lessons\.json, stuck: .*the article printed no such training$"
    ):
        lessons._published(lesson, [])
