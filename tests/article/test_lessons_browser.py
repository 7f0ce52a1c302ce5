"""Lessons in a browser: each is guessed and tried, and answers with Python's numbers."""

import json
import re
from importlib.resources import files

import pytest

from chromium import needs_chromium
from fastgd.article.page import lessons

pytestmark = [pytest.mark.slow, needs_chromium]

CONTENT = lessons.read(files("fastgd.article.page").joinpath(lessons.FILE).read_text("utf-8"))
LESSONS = CONTENT["lessons"]
ARTICLE = {"alpha": 1, "hidden": 4, "seed": 1, "start": "random"}


def written(number, language):
    text = f"{number:,}" if isinstance(number, int) else f"{number:.3g}"
    return text if language == "en" else text.replace(".", ";").replace(",", ".").replace(";", ",")


def filled(text, numbers, language):
    return re.sub(r"\{(\w+)\}", lambda m: written(numbers[m[1]], language), text)


def numbers_of(lesson):
    """Python's numbers, and the article's from its own file."""
    before, run = lessons.train(lesson["before"]), lessons.train(lesson["settings"])
    numbers = {
        "before": float(before.final_error),
        "before_changes": lessons._changes(before),
        "error": float(run.final_error),
        "changes": lessons._changes(run),
    }
    if lesson["published"]:
        settings = ARTICLE | lesson["settings"]
        of_size = json.loads(files("fastgd.article").joinpath("published.json").read_text())
        [entry] = [
            each
            for each in of_size[f"hidden_{settings['hidden']}"]
            if each["alpha"] == settings["alpha"]
        ]
        numbers["published"] = entry["errors"][-1]
        if "direction_changes" in entry:
            layers = entry["direction_changes"]
            numbers["published_changes"] = sum(sum(row) for layer in layers for row in layer)
    return numbers


def card(page):
    return page.page.locator(".lesson-cards fieldset:not(.room)")


def to_the_end(page):
    page.page.locator(".lesson-stage input[type=range]").press("End")


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("place", range(len(LESSONS)), ids=[each["name"] for each in LESSONS])
def test_a_lesson(live, place, language):
    lesson = LESSONS[place]
    text, words, numbers = lesson[language], CONTENT["labels"][language], numbers_of(lesson)
    page = live(f"#lesson={place + 1}&language={language}&hidden=7&bias=on&iterations=10")
    n = filled(words["progress"], {"n": place + 1, "count": len(LESSONS)}, language)
    assert card(page).locator("legend").inner_text().split("\n") == [
        n,
        filled(text["question"], numbers, language),
    ]
    assert card(page).locator("label").all_inner_texts() == text["choices"]
    assert page.page.locator(".lesson-cards").get_attribute("lang") == language
    guess = place % 3
    assert page["lesson-try"].is_disabled()
    card(page).locator("input").nth(guess).check()
    page["lesson-try"].click()
    page.says("lesson-status", words["watch"])
    page.ends_with(repr(numbers["error"]))
    to_the_end(page)
    verdict = words["right" if guess == lesson["right"] else "wrong"]
    page.says("lesson-status", f"{verdict} {filled(text['why'], numbers, language)}")
    for name, value in (ARTICLE | lesson["settings"]).items():
        assert page.value(name) == str(value)
    if guess != lesson["right"]:  # another guess is judged when it has been tried
        card(page).locator("input").nth(lesson["right"]).check()
        page.says("lesson-status", "")
        page["lesson-try"].click()
        to_the_end(page)
        page.says("lesson-status", f"{words['right']} {filled(text['why'], numbers, language)}")


def test_it_is_played_from_the_first_iteration_to_the_last(live):
    page = live()
    card(page).locator("input").nth(0).check()
    page["lesson-try"].click()
    position = page.page.locator(".lesson-stage .position")
    assert int(re.sub(r"\D", "", position.inner_text())) < 1000
    page.says("lesson-status", re.compile("^Not so"))
    assert position.inner_text() == "iteration 60,000"


PLACES = """() => ["#lesson-try", "#lesson-status", "#lesson-next", ".lesson-stage"]
  .map((name) => document.querySelector(name).getBoundingClientRect().top
    - document.querySelector(".lessons").getBoundingClientRect().top)"""


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_moves_while_one_learns(live, width):
    page = live("#language=de", width=width)
    card(page).wait_for()
    places = [page.page.evaluate(PLACES)]
    for place in range(len(LESSONS)):
        card(page).locator("input").first.check()
        page["lesson-try"].click()
        page.ends_with(repr(numbers_of(LESSONS[place])["error"]))
        to_the_end(page)
        page.says("lesson-status", re.compile("^(Richtig|Nein)"))
        places.append(page.page.evaluate(PLACES))
        if place < len(LESSONS) - 1:
            page["lesson-next"].click()
            assert card(page).evaluate("(card) => card === document.activeElement")
            places.append(page.page.evaluate(PLACES))
    assert page["lesson-next"].is_disabled()
    assert all(each == places[0] for each in places)


def test_another_language(live):
    page = live()
    card(page).locator("input").nth(1).check()
    page["control-language"].select_option("de")
    assert card(page).locator("legend").inner_text().startswith("1 von 6")
    assert card(page).locator("input").nth(1).is_checked()
    page.page.wait_for_url("**/*#language=de&section=lessons")


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_task_sheet_takes_two_pages(live, language):
    page = live(f"#language={language}", script="window.print = () => (window.printed = true)")
    page["lesson-print"].click()
    assert page.page.evaluate("window.printed")
    page.page.emulate_media(media="print")
    shown = "(all) => all.filter((each) => each.checkVisibility()).map((each) => each.id)"
    assert page.page.locator("body > *").evaluate_all(shown) == [f"task-sheet-{language}"]
    sheet = page[f"task-sheet-{language}"].inner_text()
    for lesson in LESSONS:
        numbers = numbers_of(lesson)
        for text in (lesson[language]["question"], *lesson[language]["choices"]):
            assert filled(text, numbers, language) in sheet
        assert filled(lesson[language]["why"], numbers, language) in sheet
    solutions = page[f"task-sheet-{language}"].locator("h1").nth(1)
    assert solutions.evaluate("(title) => getComputedStyle(title).breakBefore") == "page"
    page.page.emulate_media(media="null")
    pdf = page.page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 2
    sizes = re.findall(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    assert [[round(float(x)) for x in size] for size in sizes] == [[595, 842]] * 2  # A4
    assert page[f"task-sheet-{language}"].is_hidden()
    assert page[f"task-sheet-{language}"].get_attribute("hidden") == ""  # after it was printed
    assert page["lesson-print"].is_visible()
