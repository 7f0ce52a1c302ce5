"""Links, pictures and file names in the documents lead somewhere: as files, and as built pages."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest

from document import DOCUMENTS, ROOT, name, prose

LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FILE = re.compile(r"`((?:[\w.]+/)+[\w.]*)`")


def anchors(path):
    """The names that code hosts give the headings of a document."""
    headings = HEADING.findall(prose(path))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_links_between_the_files(path):
    for link in LINK.findall(prose(path)):
        parts = urlsplit(link)
        if parts.scheme:
            continue
        target = (path.parent / parts.path).resolve() if parts.path else path
        assert target.exists(), f"{name(path)}: {link}"
        if parts.fragment and target.name != "changelog.md":  # which includes the changelog
            assert parts.fragment in anchors(target), f"{name(path)}: {link}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_files_that_are_named_exist(path):
    places = (ROOT, ROOT / "src", ROOT / "src" / "fastgd")
    for file in FILE.findall(prose(path)):
        assert any((place / file).exists() for place in places), f"{name(path)}: {file}"


class Page(HTMLParser):
    """What a built page links to, and what can be linked to in it."""

    def __init__(self, path):
        super().__init__()
        self.links, self.ids = [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, _tag, attributes):
        for key, value in attributes:
            if key in {"href", "src"} and value:
                self.links.append(value)
            elif key in {"id", "name"}:
                self.ids.add(value)


@pytest.fixture(scope="module")
def pages(tmp_path_factory, article_page):
    """The pages, as Sphinx builds them without a network; a warning is an error."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html"]
    command += ["-D", f"article_page={article_page}", ROOT / "docs", out]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {path: Page(path) for path in out.rglob("*.html")}


@pytest.mark.slow
def test_links_and_anchors_of_the_built_pages(pages):
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            found = target.exists() and (
                not parts.fragment or unquote(parts.fragment) in pages[target].ids
            )
            if not found:
                broken.append(f"{path.name}: {link}")
    assert not broken


@pytest.mark.slow
@pytest.mark.parametrize("old", ["from-matlab.html", "gallery.html", "which-function.html"])
def test_an_old_address_leads_to_a_page(pages, old):
    (path,) = (path for path in pages if path.name == old)
    [target] = re.findall(r'http-equiv="refresh" content="0; url=([^"]+)"', path.read_text())
    parts = urlsplit(target)
    assert parts.path != old
    assert parts.fragment in {"", *pages[path.parent / parts.path].ids}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["index.html", "article.html"])
def test_the_live_page_is_linked(pages, name):
    (page,) = (page for path, page in pages.items() if path.name == name)
    assert "article-live.html" in page.links


@pytest.mark.slow
def test_the_reference_is_built_and_short(pages):
    api = next(path for path in pages if path.name == "api.html")
    assert {"fastgd.train", "fastgd.Sweep.best", "fastgd.plots.errors"} <= pages[api].ids
    assert {"train-l2", "train-batch_size", "sweep-combinations", "optimizers-Adam-beta1"} <= (
        pages[api].ids
    )
    text = api.read_text()
    assert "_NestedSequence" not in text
    assert "\\|" not in text  # what a docstring escapes must not be escaped twice


@pytest.mark.slow
@pytest.mark.parametrize(
    ("searched", "option"),
    [("l2", "l2"), ("batch size", "batch_size"), ("learning rate", "alpha")],
)
def test_a_search_for_an_option_finds_it(pages, searched, option):
    index = next(path for path in pages if path.name == "api.html").with_name("searchindex.js")
    found = json.loads(index.read_text().removeprefix("Search.setIndex(").removesuffix(")"))
    assert f"train-{option}" in {place for _, place, _ in found["indexentries"][searched]}


@pytest.mark.slow
def test_every_public_name_is_in_the_reference(pages):
    import fastgd
    import fastgd.optimizers
    import fastgd.plots
    import fastgd.sklearn

    api = next(page for path, page in pages.items() if path.name == "api.html")
    rooms = {"bucket", "functions", "optimizers", "reference", "schedules"}
    names = {f"fastgd.{name}" for name in fastgd.__all__ if name not in rooms}
    for room in (fastgd.functions, fastgd.plots, fastgd.reference, fastgd.sklearn):
        names |= {f"{room.__name__}.{name}" for name in room.__all__}
    names |= {f"fastgd.optimizers.{kind.__name__}" for kind in fastgd.optimizers.ALL}
    assert names <= api.ids, names - api.ids


@pytest.mark.slow
def test_every_option_of_every_command_is_in_the_reference(pages):
    import typer

    from fastgd.cli.app import app

    ids = next(page.ids for path, page in pages.items() if path.name == "command-line.html")
    for command_name, command in typer.main.get_command(app).commands.items():
        options = [one for one in command.params if one.param_type_name == "option"]
        flags = [flag for one in options for flag in (*one.opts, *one.secondary_opts)]
        expected = {f"cmdoption-fastgd-{command_name}-{flag.lstrip('-')}" for flag in flags}
        assert expected <= ids, expected - ids


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plots", "results"])
def test_the_code_of_the_pictures_is_in_the_built_page(pages, name):
    linked = re.findall(r"\(\.\./examples/", (ROOT / "docs" / f"{name}.md").read_text("utf-8"))
    (built,) = (path for path in pages if path.name == f"{name}.html")
    dropdowns = re.findall(r"<details[^>]*sd-dropdown", built.read_text("utf-8"))
    assert len(dropdowns) == len(linked) > 0


@pytest.mark.slow
def test_readers_see_no_remarks_for_the_tests(pages):
    # Only the page that explains the remarks has them, and not in a block.
    for path in pages:
        blocks = re.findall(r"<pre>.*?</pre>", path.read_text(encoding="utf-8"), re.DOTALL)
        for remark in ("the tests add", "runs this"):
            assert not any(remark in block for block in blocks), f"{path.name}: {remark}"
