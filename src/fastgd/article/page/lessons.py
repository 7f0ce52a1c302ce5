"""The page's lessons and its settings to try: ``lessons.json``, checked, and the numbers in it.

A lesson is a state of the page and a text in each language: a question, three guesses, and why one
of them is right. A teacher or translator needs to change no other file. Numbers are written into
the texts here: the page's own have the same bits.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from importlib.resources import files
from itertools import pairwise
from typing import Any

import numpy as np

import fastgd
from fastgd.article.comparison import ExperimentResult
from fastgd.article.page.markup import Markup, element, join
from fastgd.article.page.sections import XOR
from fastgd.checks.messages import did_you_mean, either, shown
from fastgd.optimizers import FIRST_ORDER
from fastgd.training.run import Run
from fastgd.workers.compiling import ShortCall

FILE = "lessons.json"

CHOICES = 3
"""Guesses to choose from."""

START = 0.5
"""All initial weights of a network that starts with equal ones."""

_TABLE = re.compile(r"(-?[\d.]+(,-?[\d.]+)+\n?)*")
_FORM = re.compile(r"1\D234\D5")
_OPTIMIZERS = {kind.__name__: kind for kind in FIRST_ORDER}


def _number(low: float, high: float, *kinds: type) -> tuple[Callable[[Any], bool], str]:
    """Return a check of numbers in an interval, and what it demands."""
    rule = f"a {'number' if float in kinds else 'whole number'} from {low:g} to {high:,}"
    return lambda value: type(value) in kinds and low <= value <= high, rule


def _one_of(*known: Any) -> tuple[Callable[[Any], bool], str]:
    return lambda value: value in known, either(map(str, known))


SETTINGS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "alpha": _number(0.001, 1000, int, float),
    "hidden": _number(0, 32, int),
    "seed": _number(0, 2**32 - 1, int),
    "start": _one_of("random", "equal"),
    "iterations": _number(1, 1_000_000, int),
    "optimizer": _one_of(*_OPTIMIZERS),
    "bias": (lambda value: isinstance(value, bool), "true or false"),
    "dropout": _one_of(*(k / 20 for k in range(19))),
    "data": (lambda value: _TABLE.fullmatch(str(value)) is not None, "rows of numbers and commas"),
}
"""Settings of the page, with what they may be; one that is left out is the article's."""


def facts(results: Sequence[ExperimentResult]) -> dict[str, Any]:
    """What the page knows of lessons: the file, with each lesson's ``numbers``, also in its texts.

    Raises
    ------
    ValueError
        If the file is wrong: with the place in it, and the rule.
    """
    content = read(_file())
    count = len(content["lessons"])
    for n, lesson in enumerate(content["lessons"], 1):
        lesson["numbers"] = _numbers(lesson, results)
        for language, words in content["labels"].items():
            check_texts(lesson, language)
            text, form = lesson[language], words["number"]
            text["progress"] = filled(words["progress"], {"n": n, "count": count}, form)
            for part in ("question", "why"):
                text[part] = filled(text[part], lesson["numbers"], form)
    return content


def filled(text: str, numbers: Mapping[str, float], form: str) -> str:
    """Return a text with the numbers that it names, written as ``form`` has 1234.5.

    Examples
    --------
    >>> filled("{error} after {iterations}", {"error": 0.00119177, "iterations": 60_000}, "1.234,5")
    '0,00119 after 60.000'
    """

    def written(match: re.Match[str]) -> str:
        number = numbers[match[1]]
        if isinstance(number, int):
            return f"{number:,}".replace(",", form[1])
        exact = np.format_float_positional(number, 3, fractional=False, trim="-")
        return exact.replace(".", form[-2])

    return re.sub(r"\{(\w+)\}", written, text)


def sheets(content: Mapping[str, Any]) -> Markup:
    """Return a task sheet in each language of such facts, on paper only: questions, solutions."""
    return join([_sheet(content["lessons"], *each) for each in content["labels"].items()])


def _sheet(lessons: Sequence[Mapping[str, Any]], language: str, words: Mapping[str, str]) -> Markup:
    blank = element("span", class_="blank")
    questions, solutions = [], []
    for lesson in lessons:
        text = lesson[language]
        chosen = ", ".join(f"{name} = {value}" for name, value in lesson["settings"].items())
        question = (
            text["question"],
            element("small", f" ({words['set']}: {chosen})"),
            element("ul", *(element("li", choice) for choice in text["choices"])),
            element("p", f"{words['seen']}: ", blank),
            element("p", blank),
        )
        questions.append(element("li", *question))
        right = element("strong", text["choices"][lesson["right"]])
        solutions.append(element("li", right, element("p", text["why"])))
    parts = (
        element("h1", words["sheet"]),
        element("p", f"{words['name']}: ", blank, f" {words['date']}: ", blank),
        element("p", words["how"]),
        element("ol", *questions),
        element("h1", words["solutions"]),
        element("ol", *solutions),
    )
    name = f"task-sheet-{language}"
    return element("section", *parts, id=name, class_="task-sheet", lang=language, hidden="")


def _file() -> str:
    return files("fastgd.article.page").joinpath(FILE).read_text(encoding="utf-8")


def needed() -> list[ShortCall]:
    """Return quick calls that compile the code of the lessons' trainings."""
    content = read(_file())
    settings = [lesson[name] for lesson in content["lessons"] for name in ("settings", "before")]
    return [partial(train, {**each, "iterations": 2}) for each in settings]


def train(settings: Mapping[str, Any]) -> Run:
    """Train the page's network with these settings; those left out are the article's."""
    given = dict(settings)
    X: Sequence[Sequence[float]] = XOR[0]
    y: Sequence[float] = XOR[1]
    if data := given.pop("data", ""):
        rows = [[float(cell) for cell in line.split(",")] for line in data.splitlines()]
        X, y = [row[:-1] for row in rows], [row[-1] for row in rows]
    hidden = given.pop("hidden", 4)
    if "optimizer" in given:
        given["optimizer"] = _OPTIMIZERS[given["optimizer"]]()
    if given.pop("start", "random") == "random":
        given["hidden_size"] = hidden or ()
    else:
        sizes = [len(X[0]), *([hidden] if hidden else []), 1]
        given["weights"] = [np.full(size, START) for size in pairwise(sizes)]
        if given.get("bias"):
            given["biases"] = [np.zeros(size) for size in sizes[1:]]
    return fastgd.train(X, y, **given)


def _numbers(lesson: Mapping[str, Any], results: Sequence[ExperimentResult]) -> dict[str, float]:
    """All numbers that the texts of a lesson may have."""
    before, tried = train(lesson["before"]), train(lesson["settings"])
    numbers = {
        "before": float(before.final_error),
        "before_changes": _changes(before),
        "error": float(tried.final_error),
        "changes": _changes(tried),
    }
    return numbers | (_published(lesson, results) if lesson["published"] else {})


def _changes(run: Run) -> int:
    """Direction changes of all derivatives together."""
    layers = [*run.direction_changes, *(run.bias_direction_changes or ())]
    return sum(int(layer.sum()) for layer in layers)


def _published(lesson: Mapping[str, Any], results: Sequence[ExperimentResult]) -> dict[str, float]:
    """The last error that the article printed for these settings, and all direction changes."""
    for result in results:
        for setting in result.settings:
            same = {"alpha": setting.alpha, "hidden": sum(result.experiment.hidden_size)}
            errors = setting.errors.published
            if same == {"alpha": 1, "hidden": 4} | lesson["settings"] and errors is not None:
                layers = [one.published for one in setting.direction_changes]
                found = {"published": float(errors[-1])}
                counts = [int(layer.sum()) for layer in layers if layer is not None]
                return found | ({"published_changes": sum(counts)} if counts else {})
    raise _wrong(lesson["name"], '"published" must be false: the article printed no such training')


# ---------------------------------------------------------------- checks


def check_texts(lesson: Mapping[str, Any], language: str) -> None:
    """Check that what stands in braces are names of the lesson's numbers.

    Raises
    ------
    ValueError
        If a name is unknown, or is that of a number that a question would give away.
    """
    numbers = list(lesson["numbers"])
    before = [name for name in numbers if name.startswith("before")]
    for part, known in (("question", before), ("why", numbers)):
        for name in re.findall(r"\{(.*?)\}", lesson[language][part]):
            if name not in known:
                place = f"{lesson['name']}, {language}"
                raise _wrong(place, f'"{part}" may have {either(known)} in braces, got {name}')


def read(text: str) -> dict[str, Any]:
    """Check the file's text, and return what it has.

    Raises
    ------
    ValueError
        If something is missing, unknown or out of range.

    Examples
    --------
    >>> read('{"languages": {}}')
    Traceback (most recent call last):
        ...
    ValueError: lessons.json, the file: "labels" is missing
    """
    try:
        content: dict[str, Any] = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{FILE} must be JSON: {error}") from None
    _check_keys("the file", content, {"labels", "languages", "lessons", "presets"})
    languages = list(content["languages"])
    labels = content["labels"]
    _check_keys("labels", labels, languages)
    for language in languages:
        _check_keys(f'labels of "{language}"', labels[language], labels[languages[0]])
        _check_texts(f'labels of "{language}"', labels[language])
        if not _FORM.fullmatch(form := labels[language]["number"]):
            rule = f'"number" must be 1234.5 as one writes it, such as 1,234.5, got {shown(form)}'
            raise _wrong(f'labels of "{language}"', rule)
    for lesson in content["lessons"]:
        _check_lesson(lesson, languages)
    for preset in content["presets"]:
        _check_keys("presets", preset, {"name", "settings", "so"}, {"quote"})
        _check_settings(preset["name"], preset["settings"])
    names = [each["name"] for each in [*content["lessons"], *content["presets"]]]
    if twice := [name for name in names if names.count(name) > 1]:
        raise _wrong(twice[0], "names must differ")
    return content


def _check_lesson(lesson: Mapping[str, Any], languages: list[str]) -> None:
    wanted = {"name", "settings", "before", "published", "right", *languages}
    name = lesson.get("name", "a lesson") if isinstance(lesson, dict) else "a lesson"
    _check_keys(name, lesson, wanted)
    _check_settings(name, lesson["settings"])
    _check_settings(name, lesson["before"])
    published, right = lesson["published"], lesson["right"]
    if not isinstance(published, bool):
        raise _wrong(name, f'"published" must be true or false, got {shown(published)}')
    if type(right) is not int or not 0 <= right < CHOICES:
        rule = f"the place of the right choice, from 0 to {CHOICES - 1}"
        raise _wrong(name, f'"right" must be {rule}, got {shown(right)}')
    for language in languages:
        text, place = lesson[language], f"{name}, {language}"
        _check_keys(place, text, {"question", "choices", "why"})
        choices = text["choices"]
        if not isinstance(choices, list) or len(choices) != CHOICES:
            raise _wrong(place, f'"choices" must be {CHOICES} texts, got {shown(choices)}')
        _check_texts(place, {"question": text["question"], "why": text["why"]})
        _check_texts(place, {f"choice {k}": choice for k, choice in enumerate(choices)})


def _check_settings(place: str, settings: Any) -> None:
    _check_keys(f"settings of {place}", settings, (), SETTINGS)
    for name, value in settings.items():
        is_right, rule = SETTINGS[name]
        if not is_right(value):
            raise _wrong(place, f'"{name}" must be {rule}, got {shown(value)}')


def _check_keys(
    place: str, given: Any, wanted: Iterable[str], optional: Iterable[str] = ()
) -> None:
    if not isinstance(given, dict):
        raise _wrong(place, f"must be an object with names, got {shown(given)}")
    for name in sorted(wanted):
        if name not in given:
            raise _wrong(place, f'"{name}" is missing')
    known = [*wanted, *optional]
    for name in given:
        if name not in known:
            raise _wrong(place, f'"{name}" is unknown{did_you_mean(name, known)}')


def _check_texts(place: str, texts: Mapping[str, Any]) -> None:
    for name, text in texts.items():
        if not isinstance(text, str) or not text.strip():
            raise _wrong(place, f'"{name}" must be a text, got {shown(text)}')


def _wrong(place: str, rule: str) -> ValueError:
    return ValueError(f"{FILE}, {place}: {rule}")
