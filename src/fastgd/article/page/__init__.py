"""The article on one page: its experiments with their tables, pictures and calls, in one file.

The page needs nothing but itself: style and pictures are inside, and there is no script.
"""

import os
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from string import Template
from threading import Event
from time import perf_counter

from fastgd.article import comparison
from fastgd.article.comparison import Result
from fastgd.article.experiments import EXPERIMENTS, Experiment
from fastgd.article.page.markup import Markup, element, join
from fastgd.article.page.pictures import show_code
from fastgd.article.page.preparing import needed
from fastgd.article.page.sections import SECTIONS, Section
from fastgd.article.page.table import show_table
from fastgd.article.tables import tables, tally_table
from fastgd.article.twins import DEVIATIONS, TWINS
from fastgd.checks.values import check_path
from fastgd.engine.progress import progress_bar, stopped_by
from fastgd.plots.style import pyplot
from fastgd.store.files import whole_file
from fastgd.workers.compiling import compile_all

__all__ = ["ENDINGS", "build", "check_ending", "prepare", "write"]

ENDINGS = (".html", ".htm")

TITLE = "A Neural Network in 13 lines of Python, Part 2: Gradient Descent"

ARTICLE = "https://iamtrask.github.io/2015/07/27/python-network-part2/"


def build(experiments: Sequence[Experiment] = EXPERIMENTS, *, progress: bool = False) -> str:
    """Run the article's experiments and return the page, as HTML.

    Parameters
    ----------
    experiments : sequence of Experiment
        Some of `fastgd.article.experiments.EXPERIMENTS`; the article's other pictures are on the
        page if it has all of them.
    progress : bool
        Show a progress bar, one step per section (needs tqdm).

    Returns
    -------
    str

    Raises
    ------
    ImportError
        If matplotlib is not installed (``pip install "fastgd[plot]"``), or tqdm for the progress.

    Examples
    --------
    >>> from fastgd.article import page
    >>> from fastgd.article.experiments import EXPERIMENTS
    >>> html = page.build(EXPERIMENTS[:1])
    >>> html.startswith("<!DOCTYPE html>"), html.count("<table>"), html.count("<img ")
    (True, 2, 1)
    """
    pyplot()  # says what to install, before any work
    asked = {experiment.name: experiment for experiment in experiments}
    sections = _sections(asked)
    results: list[Result] = []
    parts: list[Markup] = []
    mine = [asked[section.name] for section in sections if section.is_experiment]
    with (
        progress_bar(progress, len(sections), unit="section") as advance,
        _running(mine) as running,
    ):
        drawn = []
        for section in sections:
            drawn.append([picture.markup() for picture in section.pictures])
            advance(not section.is_experiment)
        for section, pictures in zip(sections, drawn, strict=True):
            if section.is_experiment:
                results.append(next(running))
                pictures.append(_experiment(results[-1]))
                advance(1)
            parts.append(_section(section, *pictures))
    main = element("main", _introduction(sections), *parts, _conclusion(results))
    return Template(_file("page.html")).substitute(title=TITLE, style=_file("page.css"), body=main)


def write(
    path: str | os.PathLike[str],
    experiments: Sequence[Experiment] = EXPERIMENTS,
    *,
    progress: bool = False,
) -> None:
    """Write the page of :func:`build` to a file; whole or not at all.

    Raises
    ------
    ValueError
        If the file's ending is not .html or .htm.
    OSError
        If it cannot be written.
    ImportError
        As :func:`build`.
    """
    path = check_path("path", path)
    check_ending(path)
    html = build(experiments, progress=progress)
    with whole_file(path) as file:
        file.write(html.encode())


def prepare(experiments: Sequence[Experiment] = EXPERIMENTS) -> float:
    """Compile or load all the code that their page needs; returns the seconds it took."""
    begin = perf_counter()
    sections = _sections([experiment.name for experiment in experiments])
    compile_all([*needed(sections), *comparison.short(experiments)])
    return perf_counter() - begin


def check_ending(path: Path) -> None:
    """Refuse a file that browsers would not take for a page.

    Raises
    ------
    ValueError
        If its ending is not .html or .htm.
    """
    if path.suffix.lower() not in ENDINGS:
        raise ValueError(f"a page's file must end in {', '.join(ENDINGS)}, got {str(path)!r}")


def _sections(names: Collection[str]) -> list[Section]:
    """Those of these experiments; of all of them together the others, too."""
    whole = {experiment.name for experiment in EXPERIMENTS} == set(names)
    return [s for s in SECTIONS if (whole if not s.is_experiment else s.name in names)]


def _file(name: str) -> str:
    return files("fastgd.article.page").joinpath(name).read_text(encoding="utf-8")


def _introduction(sections: Sequence[Section]) -> Markup:
    links = [
        element("li", element("a", section.title, href=f"#{section.name}")) for section in sections
    ]
    return join(
        [
            element("h1", TITLE),
            element(
                "p",
                "The experiments and pictures of ",
                element("a", "iamtrask's article", href=ARTICLE),
                " of 2015, computed anew by fastgd: each with its numbers, its picture and the "
                "call that made it.",
            ),
            element(
                "p",
                f"Beside each run train up to {TWINS} twins, whose first weights differ in the "
                "last bit only. Digits are the significant digits that run and twins share. A "
                "published number ",
                element("span", "agrees", class_="agrees"),
                " if ours, printed to as many digits, is the same. It is ",
                element("span", "within the spread", class_="within"),
                f" if it lies within {DEVIATIONS} standard deviations of the mean of run and "
                "twins. Else it ",
                element("span", "differs", class_="differs"),
                ".",
            ),
            element("nav", element("ol", *links), aria_label="Sections"),
        ]
    )


@contextmanager
def _running(experiments: Sequence[Experiment]) -> Iterator[Iterator[Result]]:
    """Hand out their results, in order; they run in a thread while pictures are drawn.

    The kernel works without Python's lock, and takes half of the time.
    """
    left = Event()

    def run(experiment: Experiment) -> Result:
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
    return element(
        "section",
        element("h2", section.title, id=f"{section.name}-title"),
        element("p", section.part[0].upper() + section.part[1:] + " of the article", class_="part"),
        element("p", section.text),
        *content,
        id=section.name,
        aria_labelledby=f"{section.name}-title",
    )


def _experiment(result: Result) -> Markup:
    """Return an experiment's tables, and the call that made them."""
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
            show_code(code, f"The call that made the numbers of {name}"),
            *map(show_table, tables(result)),
        ]
    )


def _conclusion(results: Sequence[Result]) -> Markup:
    """Return how many published numbers agree, if there are any."""
    tally = comparison.tally(results)
    if not any(tally.errors.values()):
        return Markup("")
    return element(
        "section",
        element("h2", "All together", id="all-together-title"),
        show_table(tally_table(tally)),
        id="all-together",
        aria_labelledby="all-together-title",
    )
