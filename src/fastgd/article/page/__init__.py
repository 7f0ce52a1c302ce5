"""The article on one page: its experiments with tables, figures and code, in a single file.

The page is self-contained: style, figures and what makes it live are embedded. Without JavaScript
it reads as an article with figures; :mod:`.live` adds to that.
"""

import os
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.resources import files
from string import Template
from threading import Event

from fastgd.article import comparison
from fastgd.article.comparison import DEVIATIONS, TWINS, ExperimentResult
from fastgd.article.experiments import EXPERIMENTS, Experiment
from fastgd.article.page import live
from fastgd.article.page.drawings import color_rules
from fastgd.article.page.markup import Markup, element, join, show_code, show_table
from fastgd.article.page.sections import SECTIONS, Section, needed
from fastgd.article.page.words import explained
from fastgd.article.tables import tables, tally_table
from fastgd.checks.messages import warn
from fastgd.checks.numbers import check_path
from fastgd.engine.progress import ProgressHook, check_progress, reporting, stopped_by
from fastgd.engine.training_image import TargetError
from fastgd.plots.style import check_ending, pyplot
from fastgd.store.files import whole_file
from fastgd.workers.compiling import compile_all

__all__ = ["ENDINGS", "build", "prepare", "write"]

ENDINGS = (".html", ".htm")

TITLE = "A Neural Network in 13 lines of Python, Part 2: Gradient Descent"

SENTENCE = (
    "A tiny network learns from four examples by gradient descent, in steps of alpha times the "
    "slope: find the alpha with which it learns best."
)

ARTICLE = "https://iamtrask.github.io/2015/07/27/python-network-part2/"


def build(
    experiments: Sequence[Experiment] = EXPERIMENTS, *, progress: bool | ProgressHook = False
) -> str:
    """Run the article's experiments and return the page, as HTML.

    Parameters
    ----------
    experiments : sequence of Experiment
        Some of `fastgd.article.experiments.EXPERIMENTS`; if all are given, the page also has the
        article's other figures.
    progress : bool or function
        As in :func:`fastgd.train`, with one step per section.

    Returns
    -------
    str

    Raises
    ------
    ImportError
        If matplotlib (``pip install "fastgd[plot]"``), or tqdm for the progress bar, is missing.

    Examples
    --------
    >>> from fastgd.article import page
    >>> from fastgd.article.experiments import EXPERIMENTS
    >>> html = page.build(EXPERIMENTS[:1])
    >>> html.startswith("<!DOCTYPE html>"), html.count("<table>"), html.count("<svg ")
    (True, 2, 1)
    """
    pyplot()  # raises with what to install, before any work
    asked = {experiment.name: experiment for experiment in experiments}
    sections = _sections(asked)
    results: list[ExperimentResult] = []
    parts: list[Markup] = []
    mine = [asked[section.name] for section in sections if section.is_experiment]
    with (
        reporting(check_progress(progress), len(sections), unit="section") as advance,
        _running(mine) as running,
    ):
        drawn = []
        for section in sections:
            drawn.append([figure.markup() for figure in section.figures])
            advance(not section.is_experiment)
        for section, figures in zip(sections, drawn, strict=True):
            if section.is_experiment:
                results.append(next(running))
                figures.append(_experiment(results[-1]))
                advance(1)
            if section.live and _is_whole(asked):  # for what the page's script adds
                place = element("div", id=f"live-{section.live}", class_="live", hidden="")
                figures.insert(0, place)
            parts.append(_section(section, *figures))
    tally = comparison.tally(results)
    if any(tally["errors"].values()):
        name = "all-together"
        title = element("h2", "All together", id=f"{name}-title")
        table = show_table(tally_table(tally))
        parts.append(element("section", title, table, id=name, aria_labelledby=f"{name}-title"))
    lively = _lively(results) if _is_whole(asked) else None
    opening = _opening(is_live=lively is not None)
    content = join([opening, *parts, _contents(sections)])
    return whole_page(element("main", explained(content)), lively)


def _lively(results: Sequence[ExperimentResult]) -> live.Live | None:
    try:
        return live.make(results)
    except TargetError as error:
        warn(f"the page is written without its live parts: {error}", UserWarning)
        return None


def whole_page(main: Markup, lively: live.Live | None) -> str:
    """Return the page with this content, and with what makes it live."""
    style = _file("page.css")
    policy = ["default-src 'none'", "img-src data:"]
    style += color_rules(main)
    if lively is not None:
        style += lively.style
        policy.append(lively.policy)
    return Template(_file("page.html")).substitute(
        title=TITLE,
        style=style,
        policy="; ".join([*policy, f"style-src {live.hashed(style)}", "base-uri 'none'"]),
        body=main if lively is None else join([main, lively.markup]),
    )


def write(
    path: str | os.PathLike[str],
    experiments: Sequence[Experiment] = EXPERIMENTS,
    *,
    progress: bool | ProgressHook = False,
) -> None:
    """Write the page of :func:`build` to a file, atomically.

    Raises
    ------
    ValueError
        If the file's suffix is not .html or .htm.
    OSError
        If it can't be written.
    ImportError
        As :func:`build`.
    """
    path = check_path("path", path)
    check_ending(path, ENDINGS, "a page's file")
    html = build(experiments, progress=progress)
    with whole_file(path) as file:
        file.write(html.encode())


def prepare(experiments: Sequence[Experiment] = EXPERIMENTS) -> None:
    """Compile or load the code that the page needs."""
    names = [experiment.name for experiment in experiments]
    calls = [*needed(_sections(names)), *comparison.short(experiments)]
    compile_all([*calls, *live.needed()] if _is_whole(names) else calls)


def _sections(names: Collection[str]) -> list[Section]:
    """Return the sections of these experiments; if they are all, also the other sections."""
    whole = _is_whole(names)
    return [s for s in SECTIONS if (whole if not s.is_experiment else s.name in names)]


def _is_whole(names: Collection[str]) -> bool:
    """Whether these are all experiments: then the page is the whole article, and live."""
    return {experiment.name for experiment in EXPERIMENTS} == set(names)


def _file(name: str) -> str:
    return files("fastgd.article.page").joinpath(name).read_text(encoding="utf-8")


def _opening(*, is_live: bool) -> Markup:
    """Return the first screen: the title, one sentence, and the place of the live curve."""
    place = element("div", id="live-opening", class_="live", hidden="")
    return join([element("h1", TITLE), element("p", SENTENCE), *([place] if is_live else [])])


def _contents(sections: Sequence[Section]) -> Markup:
    """Return the end of the page: what it is, its sections, and how it compares numbers."""
    links = [
        element("li", element("a", section.title, href=f"#{section.name}")) for section in sections
    ]
    comparing = element(
        "p",
        f"Each run has up to {TWINS} twins, whose initial weights differ only in the last "
        "bit. Digits are the significant digits on which a run and its twins agree. A "
        "published number ",
        element("span", "agrees", class_="agrees"),
        " if ours, printed with the same number of digits, is equal. It is ",
        element("span", "within the spread", class_="within"),
        f" if it lies within {DEVIATIONS} standard deviations of the mean of the run and "
        "its twins. Otherwise it ",
        element("span", "differs", class_="differs"),
        ".",
    )
    return element(
        "section",
        element("h2", "About this page", id="about-title"),
        element(
            "p",
            "The experiments and figures of ",
            element("a", "iamtrask's article", href=ARTICLE),
            " of 2015, reproduced with fastgd: each with its numbers, its figure and the code "
            "that made it.",
        ),
        element("nav", element("ol", *links), aria_label="Sections"),
        element("h3", "How published numbers are compared with these"),
        comparing,
        id="about",
        aria_labelledby="about-title",
    )


@contextmanager
def _running(experiments: Sequence[Experiment]) -> Iterator[Iterator[ExperimentResult]]:
    """Yield the results in order; experiments run in a thread while figures are drawn.

    The kernel releases the GIL, and takes half of the time.
    """
    left = Event()

    def run(experiment: Experiment) -> ExperimentResult:
        with stopped_by(left):
            return comparison.run(experiment)

    with ThreadPoolExecutor(1, thread_name_prefix="fastgd") as pool:
        futures = [pool.submit(run, experiment) for experiment in experiments]
        try:
            yield (future.result() for future in futures)
        finally:
            left.set()
            pool.shutdown(wait=False, cancel_futures=True)


def _section(section: Section, *content: Markup) -> Markup:
    part = section.part and f"{section.part[0].upper()}{section.part[1:]} of the article"
    return element(
        "section",
        element("h2", section.title, id=f"{section.name}-title"),
        *([element("p", part, class_="part")] if part else []),
        *([element("p", section.question, class_="question")] if section.question else []),
        element("p", section.text),
        *content,
        id=section.name,
        aria_labelledby=f"{section.name}-title",
    )


def _experiment(result: ExperimentResult) -> Markup:
    """Return an experiment's tables, and the code that computed them."""
    name = result.experiment.name
    code = (
        "from fastgd.article import comparison\n"
        "from fastgd.article.experiments import EXPERIMENTS\n\n"
        f'(experiment,) = (e for e in EXPERIMENTS if e.name == "{name}")\n'
        "result = comparison.run(experiment)"
    )
    return join(
        [
            element("h3", "The numbers"),
            show_code(code, f"The code that computed the numbers of {name}"),
            *map(show_table, tables(result)),
        ]
    )
