"""Links, pictures and file names in the documents lead somewhere: as files, and as built pages."""

import re
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest

from chromium import needs_chromium
from document import DOCUMENTS, ROOT, WIDTH, name, prose

LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
TERM = re.compile(r"\{term\}`([^`<]+?)(?: <([^`>]+)>)?`")
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


def test_terms_are_in_the_glossary():
    """A term is a line of its own above its definition; else the built page has none."""
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    listed = text.partition(":sorted:\n\n")[2].partition("\n:::")[0]
    entries = [entry.split("\n") for entry in listed.split("\n\n")]
    assert all(len(lines) > 1 and all(x.startswith("  ") for x in lines[1:]) for lines in entries)
    terms = {lines[0] for lines in entries}
    for path in DOCUMENTS:
        for shown, given in TERM.findall(path.read_text(encoding="utf-8")):
            assert (given or shown) in terms, f"{name(path)}: {given or shown}"


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
def test_every_public_name_is_in_the_reference(pages):
    import fastgd
    import fastgd.optimizers
    import fastgd.plots
    import fastgd.sklearn

    api = next(page for path, page in pages.items() if path.name == "api.html")
    rooms = {"bucket", "functions", "optimizers", "reference", "schedules"}
    names = {f"fastgd.{name}" for name in fastgd.__all__ if name not in rooms}
    for room in (fastgd.bucket, fastgd.functions, fastgd.plots, fastgd.reference, fastgd.sklearn):
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
def test_every_page_has_a_title_a_description_and_an_icon(pages):
    for path in pages:
        if path.stem in {"article-live", "genindex", "py-modindex", "search"}:
            continue
        head, *_ = path.read_text(encoding="utf-8").partition("</head>")
        if 'http-equiv="refresh"' not in head:
            assert re.search(r"<title>[^<]*fastgd", head), path.name
            described = re.search(r'<meta name="description" content="([^"]+)">', head)
            assert described, path.name
            assert 40 <= len(unescape(described[1])) <= 160, path.name
            assert 'href="_static/favicon.svg"' in head, path.name


TOO_WIDE = """() => {
    // Furo hides what the window cuts off; the live page has no such column.
    const column = document.querySelector(".content") ?? document.documentElement;
    const wide = [...document.querySelectorAll("article pre, article .table-wrapper")];
    return {
        page: column.scrollWidth - column.clientWidth,
        tables: wide.filter(one => one.tagName != "PRE" && one.scrollWidth > one.clientWidth + 1)
            .map(one => one.textContent.trim().split("\\n")[0]),
        blocks: wide.filter(one => one.tagName == "PRE" && one.scrollWidth > one.clientWidth + 1)
            .map(one => one.textContent),
    };
}"""


@needs_chromium
@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_its_window(pages, browser, width):
    opened = browser.new_page(viewport={"width": width, "height": 900})
    asked = []
    opened.on("request", lambda request: asked.append(request.url))
    for path in pages:
        if 'http-equiv="refresh"' in path.read_text(encoding="utf-8"):
            continue
        opened.goto(path.as_uri())
        found = opened.evaluate(TOO_WIDE)
        assert found["page"] <= 0, path.name
        if width == 1280:
            assert not found["tables"], path.name
            for block in found["blocks"]:
                assert max(map(len, block.splitlines())) > WIDTH, f"{path.name}: {block}"
        elif path.name == "getting-started.html":
            assert not found["tables"]
    opened.close()
    assert all(url.startswith(("file:", "blob:", "data:")) for url in asked)


@needs_chromium
@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "option"),
    [
        ("l2", "l2"),
        ("batch size", "batch_size"),
        ("learning rate", "alpha"),
        ("epochs", "iterations"),
    ],
)
def test_a_search_for_an_option_finds_it_first(pages, browser, words, option):
    opened = browser.new_page()
    opened.goto(f"{next(path for path in pages if path.name == 'search.html').as_uri()}?q={words}")
    first = opened.wait_for_selector("#search-results li a")
    assert first.get_attribute("href") == f"api.html#train-{option}"
    opened.close()


@pytest.mark.slow
def test_readers_see_no_remarks_for_the_tests(pages):
    # Only the page that explains the remarks has them, and not in a block.
    for path in pages:
        blocks = re.findall(r"<pre>.*?</pre>", path.read_text(encoding="utf-8"), re.DOTALL)
        for remark in ("the tests add", "runs this"):
            assert not any(remark in block for block in blocks), f"{path.name}: {remark}"
