"""The article's page: what is on it is compared with the numbers, and nothing is outside of it."""

import errno
import os
import re
import subprocess
import sys
from base64 import b64decode, b64encode
from dataclasses import dataclass, field, replace
from hashlib import sha256
from html.parser import HTMLParser
from io import BytesIO
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest

from command import assert_refused
from fastgd import bucket
from fastgd.article import comparison, page
from fastgd.article.comparison import Mark, lines
from fastgd.article.experiments import EXPERIMENTS, published
from fastgd.article.page import sections as calls
from fastgd.article.page.markup import CLASSES, Markup, PageFigure, element, show_table
from fastgd.article.page.sections import SECTIONS
from fastgd.article.tables import tables
from fastgd.checks.messages import error_text
from fastgd.engine.training_image import TargetError
from fastgd.plots.style import styled

mpl.use("Agg")

PICTURES = [picture for section in SECTIONS for picture in section.figures]
VOID = {"meta"}
TWO_LAYER = EXPERIMENTS[0]


@dataclass(eq=False, repr=False)
class Element:
    name: str
    attributes: dict
    parent: "Element | None" = None
    content: list = field(default_factory=list)

    def all(self, name):
        """All elements of this name inside, in order."""
        found = []
        for part in self.content:
            if isinstance(part, Element):
                found += [part] if part.name == name else []
                found += part.all(name)
        return found

    def everything(self):
        yield self
        for part in self.content:
            if isinstance(part, Element):
                yield from part.everything()

    @property
    def text(self):
        return "".join(p if isinstance(p, str) else p.text for p in self.content)


class Parser(HTMLParser):
    """A tree; an end tag that is not the open element's is an error."""

    def __init__(self):
        super().__init__()
        self.root = self.open = Element("document", {})

    def handle_starttag(self, tag, attrs):
        new = Element(tag, dict(attrs), self.open)
        self.open.content.append(new)
        if tag not in VOID:
            self.open = new

    def handle_endtag(self, tag):
        assert tag == self.open.name, f"</{tag}> closes <{self.open.name}>"
        self.open = self.open.parent

    def handle_data(self, data):
        self.open.content.append(data)


def parse(html):
    parser = Parser()
    parser.feed(html)
    parser.close()
    assert parser.open is parser.root, f"<{parser.open.name}> is not closed"
    return parser.root


@pytest.fixture(autouse=True)
def closed():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture(scope="module")
def html(article_page):
    return article_page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tree(html):
    return parse(html)


@pytest.fixture(scope="module")
def sections(tree):
    return {section.attributes["id"]: section for section in tree.all("section")}


def rows(table):
    """The text of a table's cells, with the heading of a group before each of its rows."""
    found = []
    for body in table.all("tbody"):
        heading = ""
        for row in body.all("tr"):
            cells = [cell.text for cell in row.content]
            if row.content[0].name == "th":
                heading, *cells = cells
            found.append([heading, *cells])
    return found


# The page as a document


@pytest.mark.slow
def test_it_is_a_page_for_phones_in_english(html, tree):
    assert html.startswith("<!DOCTYPE html>\n")
    (root,) = tree.all("html")
    assert root.attributes["lang"] == "en"
    metas = [meta.attributes for meta in tree.all("meta")]
    assert {"charset": "utf-8"} in metas
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in metas
    assert tree.all("title")[0].text == tree.all("h1")[0].text
    assert len(tree.all("main")) == len(tree.all("h1")) == 1


@pytest.mark.slow
def test_headings_are_in_order(tree):
    levels = [int(e.name[1]) for e in tree.everything() if re.fullmatch("h[1-6]", e.name)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.slow
def test_sections_follow_the_article_and_can_be_reached(tree, sections):
    assert list(sections) == [*(section.name for section in SECTIONS), "all-together", "about"]
    names = [section.name for section in SECTIONS if section.is_experiment]
    assert sorted(names) == sorted(experiment.name for experiment in EXPERIMENTS)
    links = [link.attributes["href"] for link in tree.all("nav")[0].all("a")]
    assert links == [f"#{section.name}" for section in SECTIONS]
    ids = [e.attributes["id"] for e in tree.everything() if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    for section in sections.values():
        assert section.attributes["aria-labelledby"] in ids


@pytest.mark.slow
def test_nothing_is_outside_of_it(html, tree):
    assert not tree.all("link")
    assert not tree.all("iframe")
    outside = [
        value
        for each in tree.everything()
        for name, value in each.attributes.items()
        if name not in ("alt", "content") and re.match(r"(?!data:|#)[a-z]*:?//|\.+/", value or "")
    ]
    assert outside == [page.ARTICLE]
    assert tree.all("a")[0].attributes["href"] == page.ARTICLE
    (style,) = tree.all("style")
    assert not re.search(r"url\(|@import", style.text)
    without = html.replace(page.ARTICLE, "").replace("http://www.w3.org/2000/svg", "")
    assert "http:" not in without
    assert "https:" not in without
    assert len(html.encode()) <= 2_100_000


@pytest.mark.slow
def test_only_its_own_script_and_style_are_allowed(tree):
    assert not any(
        name.startswith("on") or name == "style" for e in tree.everything() for name in e.attributes
    )
    assert not any("src" in script.attributes for script in tree.all("script"))
    (style,) = tree.all("style")
    worker, pack, script = tree.all("script")
    assert [worker.attributes["type"], pack.attributes["type"]] == ["text/plain", "text/plain"]
    policy = next(m.attributes["content"] for m in tree.all("meta") if "http-equiv" in m.attributes)
    assert policy == (
        f"default-src 'none'; img-src data:; script-src {sha256_of(script)} 'wasm-unsafe-eval'; "
        f"worker-src blob:; style-src {sha256_of(style)}; base-uri 'none'"
    )
    for code in script.text, worker.text:
        # What a policy would stop, and what would make elements of a reader's text.
        assert not re.search(r"\b(eval|fetch|XMLHttpRequest|\w+HTML|importScripts)\b", code)


def sha256_of(element):
    return f"'sha256-{b64encode(sha256(element.text.encode()).digest()).decode()}'"


@pytest.mark.slow
def test_what_scrolls_can_be_reached_and_has_a_name(tree):
    boxes = [
        e for e in tree.everything() if e.name == "pre" or e.attributes.get("class") == "scroll"
    ]
    assert len(boxes) > 15
    for box in boxes:
        assert box.attributes["tabindex"] == "0"
        # tables of the same name are no landmarks: those must differ
        assert box.attributes["role"] == ("region" if box.name == "pre" else "group")
        assert box.attributes["aria-label"]
    for table in tree.all("table"):
        assert table.parent.attributes["class"] == "scroll"
        assert table.all("caption")[0].text == table.parent.attributes["aria-label"]
        assert all(cell.attributes["scope"] for cell in table.all("th"))


# Pictures


def plots(tree):
    return [e for e in tree.all("svg") if e.attributes.get("class") == "plot"]


@pytest.mark.slow
def test_each_picture_is_part_of_the_page_and_not_empty(tree):
    images = plots(tree)
    assert len(images) == len(PICTURES)
    ids = {e.attributes["id"] for e in tree.everything() if "id" in e.attributes}
    for image, picture in zip(images, PICTURES, strict=True):
        assert image.attributes["role"] == "img"
        assert image.attributes["aria-label"] == picture.alt
        assert len(picture.alt) > 40
        assert image.parent.name == "figure"
        assert image.parent.all("figcaption")[0].text == picture.caption
        box = [float(number) for number in image.attributes["viewbox"].split()]
        assert box == pytest.approx([0, 0, 72 * picture.size[0], 72 * picture.size[1]])
        parts = list(image.everything())
        assert len([e for e in parts if e.name in ("path", "use", "image")]) > 5
        assert len([e for e in parts if e.name == "text"]) > 8, "text stays text"
        for e in parts:
            if href := e.attributes.get("href"):
                assert href.startswith("data:image/png;base64,") or href[1:] in ids
            if clip := e.attributes.get("clip-path"):
                assert clip.removeprefix("url(#").removesuffix(")") in ids


@pytest.mark.slow
def test_pixels_in_pictures_have_a_transparent_ground(tree):
    import matplotlib.pyplot as plt

    images = [e for image in plots(tree) for e in image.all("image")]
    assert 2 < len(images) < len(PICTURES)
    clear = []
    for image in images:
        data = b64decode(image.attributes["href"].partition(",")[2], validate=True)
        pixels = plt.imread(BytesIO(data))
        clear.append((pixels[..., 3] == 0).any())
        assert (pixels[..., 3] > 0).mean() > 0.2
    assert any(clear), "the surface in space"


@pytest.mark.slow
def test_pictures_have_the_colors_of_the_page(tree):
    """Its own by name: they follow its scheme. Only numbers on colored cells keep theirs."""
    (style,) = tree.all("style")
    own, fixed = set(), set()
    for image in plots(tree):
        for e in image.everything():
            for name in {"fill", "stroke"} & e.attributes.keys():
                color = e.attributes[name]
                if found := re.fullmatch(r"var\((--[\w-]+)\)", color):
                    own.add(found[1])
                elif color != "none":
                    fixed.add((e.name, color))
    assert own >= {"--paper", "--grid", "--series-0", "--series-5"}
    for name in own:
        assert len(re.findall(rf"{name}: #[0-9a-f]{{6}};", style.text)) == 2, name
    assert fixed == {("text", "#000"), ("text", "#ffffff")}


@pytest.mark.slow
def test_no_two_pictures_are_alike(html):
    drawn = re.findall(r'<svg class="plot" [^>]*>(.*?)</svg>', html)
    assert len(set(drawn)) == len(PICTURES)
    assert sum(map(len, drawn)) < 500_000


@pytest.mark.slow
def test_the_call_below_a_picture_makes_it(html, tree):
    written = re.findall(r'<svg class="plot" .*?</svg>', html)
    for image, picture, markup in zip(plots(tree), PICTURES, written, strict=True):
        code = image.parent.all("pre")[0].text
        *lines, last = code.splitlines()
        start = next(i for i in range(len(lines), -1, -1) if _is_whole("\n".join(lines[:i])))
        space = {}
        with styled():  # which axes of one's own are not by themselves
            exec("\n".join(lines[:start]), space)
            axes = eval("\n".join([*lines[start:], last]), space)
        assert picture.image(axes) == markup


@pytest.mark.slow
def test_axes_of_the_race_fill_its_width():
    """A legend that is wider than the figure made the layout shrink them to 44 %."""
    with styled():
        curves, plane = axes = calls.race()
    (picture,) = (each for each in PICTURES if each.draw is calls.race)
    picture.image(axes)
    for ax, least in ((curves, 0.75), (plane, 0.6)):
        box = ax.get_window_extent()
        assert box.width / ax.figure.figure.bbox.width > least


def _is_whole(code):
    try:
        compile(code, "<code>", "exec")
    except SyntaxError:
        return False
    return True


@pytest.mark.slow
def test_the_call_that_made_the_numbers_makes_them(sections):
    (code,) = (pre.text for pre in sections["two-layer"].all("pre") if "comparison.run" in pre.text)
    space = {}
    exec(code, space)
    result = space["result"]
    assert result.experiment is TWO_LAYER
    (table,) = (t for t in sections["two-layer"].all("table") if "Mean absolute error" in t.text)
    assert [row[1] for row in rows(table)][:-1] == [
        error_text(error) for error in result.settings[0].run.errors
    ]


@pytest.mark.slow
def test_alternative_texts_say_what_is_drawn():
    """The numbers that they quote, in their order."""
    error = calls.thirteen_lines().lines[0]
    drawn = dict(zip(error.get_xdata(), error.get_ydata(), strict=True))
    quoted = [("0.496", 0), ("0.099", 1_000), ("0.013", 10_000), ("0.0046", 60_000)]
    assert_quoted(calls.thirteen_lines, [(text, drawn[x]) for text, x in quoted])
    ends = np.array([line.get_ydata()[[0, -1]] for line in calls.two_layer()[0].lines])
    assert_quoted(
        calls.two_layer, zip(["-0.17", "5.28", "0.44", "-5.28"], ends.ravel(), strict=True)
    )
    final = [line.get_ydata()[-1] for line in calls.race()[0].lines]
    quoted = ["0.000003", "0.0032", "0.037", "0.125"]
    assert_quoted(calls.race, zip(quoted, np.take(final, [0, 1, 8, 9]), strict=True))
    order = [line.get_label().split(",")[0] for line in calls.race()[0].lines]
    assert order == [
        "LevenbergMarquardt", "AdaDelta", "Adam", "RMSProp", "Nesterov", "GradientDescent",
        "Momentum", "AdamW", "AdaGrad", "Rprop",
    ]  # fmt: skip
    ended = bucket.roll(curve="x**2", start=-3, alpha=0.1)
    assert (ended.status, ended.iterations) == ("converged", 101)
    examples = {name: example.roll() for name, example in bucket.EXAMPLES.items()}
    assert examples["too-big"].status.tolist() == ["diverged", "converged"]
    ends = examples["local-minimum"].x
    assert ends == pytest.approx([1.13, -1.30], abs=0.005)
    assert examples["rut"].x == pytest.approx([3, 0], abs=0.1)
    assert examples["too-small"].status.tolist() == ["stuck", "rolling", "converged"]
    assert_quoted(calls.basins, [(str(count), count) for count in bucket.basins().counts])
    path = calls.error_plane_from_above().lines[0].get_xydata()
    assert_quoted(calls.error_plane_from_above, zip(["5.28", "-5.28"], path[-1], strict=True))
    final = [line.get_ydata()[-1] for line in calls.alphas().lines]
    assert_quoted(
        calls.alphas,
        zip(["0.482", "0.0012", "0.125", "0.5"], np.take(final, [0, 4, 5, 6]), strict=True),
    )
    error, changes = (ax.lines[0].get_ydata() for ax in calls.takeaways())
    assert error.argmin() == changes.argmax() == 4
    told = [error[4], changes[4], changes[0], changes[6]]
    assert_quoted(calls.takeaways, zip(["0.0011", "169", "10", "8"], told, strict=True))
    tiny, best, huge = (
        np.concatenate([np.ravel(ax.images[0].get_array()) for ax in draw()])
        for draw in (
            calls.changes_of_a_tiny_alpha,
            calls.changes_of_the_best_alpha,
            calls.changes_of_a_huge_alpha,
        )
    )
    assert (set(tiny), best.max(), round(best.mean())) == ({0, 1}, 26, 12)
    assert (huge.min(), huge.max()) == (1, 7)
    final = [line.get_ydata()[-1] for line in calls.hidden_sizes().lines]
    texts = ["0.0116", "0.0032", "0.0012", "0.0097", "0.0027", "0.0009"]
    assert_quoted(calls.hidden_sizes, zip(texts, final, strict=True))
    shares = [container.lines[0].get_ydata() for container in calls.solved().containers]
    quoted = [("28", 0, 1), ("6", 1, 1), ("89", 0, 2), ("98", 1, 2)]
    assert_quoted(calls.solved, [(text, 100 * shares[i][j]) for text, i, j in quoted])
    assert all(share[0] == 0 and (share[3:] == 1).all() for share in shares)


def assert_quoted(draw, numbers):
    (alt,) = (picture.alt for picture in PICTURES if picture.draw is draw)
    place = 0
    for text, number in numbers:
        decimals = len(text.partition(".")[2])
        assert round(number + 1e-12, decimals) == float(text)
        place = alt.index(text, place) + len(text)


# Tables


@pytest.mark.slow
def test_all_published_errors_stand_beside_ours(sections):
    for name, total in (("alpha", 42), ("hidden-32", 42)):
        (experiment,) = (e for e in EXPERIMENTS if e.name == name)
        result = comparison.run(experiment)
        (table,) = (t for t in sections[name].all("table") if "Mean absolute error" in t.text)
        found = iter(rows(table))
        for setting, printed in zip(result.settings, published(experiment).values(), strict=True):
            for i, number in enumerate(printed.errors):
                alpha, after, theirs, ours, _, mark = next(found)
                assert (alpha, after) == (f"{setting.alpha:g}", f"{10_000 * i:,}")
                assert theirs == error_text(number)
                assert ours == error_text(setting.run.errors[i])
                assert mark == setting.errors.marks[i]
        assert next(found, None) is None
        assert len(rows(table)) == total


@pytest.mark.slow
@pytest.mark.parametrize("what", ["direction_changes", "weights"])
def test_all_published_tables_stand_beside_ours(sections, what):
    (experiment,) = (e for e in EXPERIMENTS if e.name == "alpha")
    result = comparison.run(experiment)
    start = {"direction_changes": "Direction changes", "weights": "Weights after"}[what]
    (table,) = (t for t in sections["alpha"].all("table") if t.text.startswith(start))
    found = rows(table)
    assert len(found) == 7 * 4
    expected = [
        (f"{s.alpha:g}", name, line)
        for s in result.settings
        for name, line in lines(getattr(s, what))
    ]
    form = "d" if what == "direction_changes" else ".8f"
    for (alpha, name, theirs, ours, _, mark), (at, line_name, line) in zip(
        found, expected, strict=True
    ):
        assert (alpha, name) == (at, line_name)
        assert theirs.split() == [format(number, form) for number in line.published]
        assert ours.split() == [format(number, form) for number in line.computed]
        assert mark == line.mark


@pytest.mark.slow
def test_outputs_after_training(sections):
    (table,) = (t for t in sections["two-layer"].all("table") if "Output After" in t.text)
    result = comparison.run(TWO_LAYER)
    computed = [f"{output:.8f}" for output in result.outputs.computed.ravel()]
    assert [row[:3] for row in rows(table)] == [
        [" ".join(map(str, x)), str(y), output]
        for x, y, output in zip(TWO_LAYER.X, TWO_LAYER.y, computed, strict=True)
    ]
    assert {row[4] for row in rows(table)} == {"right"}


@pytest.mark.slow
def test_marks_are_words_with_a_color_of_their_own(tree, sections):
    (style,) = tree.all("style")
    for mark, name in CLASSES.items():
        assert re.search(rf"\.{name} {{ color: var\(--{name}\)", style.text)
        spans = [s for s in tree.all("span") if s.attributes.get("class") == name]
        assert {s.text for s in spans} <= {str(mark), "right", "wrong"}
    assert "so these counts are no evidence" in sections["alpha"].text


@pytest.mark.slow
def test_all_together(sections):
    (table,) = sections["all-together"].all("table")
    assert rows(table)[:2] == [
        ["errors", "74", "10", "0"],
        ["tables of direction changes", "14", "0", "0"],
    ]
    weights = [int(count) for count in rows(table)[2][1:]]
    assert (sum(weights), weights[list(Mark).index(Mark.DIFFERS)]) == (112, 0)


def test_a_number_that_differs_is_shown_as_such(monkeypatch):
    (experiment,) = (e for e in EXPERIMENTS if e.name == "alpha")
    right = published(experiment)
    wrong = {**right, 1.0: right[1.0]._replace(errors=[0.4] * 6)}
    monkeypatch.setattr(comparison, "published", lambda _: wrong)
    result = comparison.run(replace(experiment, alphas=(1.0, 10.0)))
    found = rows(parse(show_table(next(tables(result)))).all("table")[0])
    assert ["1", "50,000", "0.4", "0.00351012256786", "14", "differs"] in found


# Markup


def test_text_is_escaped_and_markup_is_not():
    inner = element("b", "a < b & c")
    whole = element("p", "<script>", inner, title='"quoted" & <b>')
    assert whole == (
        '<p title="&quot;quoted&quot; &amp; &lt;b&gt;">&lt;script&gt;<b>a &lt; b &amp; c</b></p>'
    )
    assert isinstance(whole, Markup)


def test_titles_are_broken_where_they_would_leave_the_picture():
    def long():
        """A title."""
        import matplotlib.pyplot as plt

        return plt.figure().add_subplot(title="word " * 40)

    picture = PageFigure(long, "", "", size=(3.0, 2.0))
    axes = long()
    picture.image(axes)
    lines = axes.get_title().splitlines()
    assert len(lines) > 4
    assert max(map(len, lines)) <= 33
    assert picture.code().startswith("import matplotlib")


# The call and the command


def test_some_experiments_make_a_smaller_page(tmp_path):
    path = tmp_path / "small.htm"
    page.write(path, [TWO_LAYER])
    small = parse(path.read_text(encoding="utf-8"))
    assert not small.all("script")  # only the whole article is live
    sections = small.all("section")
    assert [section.attributes["id"] for section in sections] == ["two-layer", "about"]
    assert list(tmp_path.iterdir()) == [path]


def test_where_no_code_can_be_emitted_the_page_is_written_without_its_live_parts(monkeypatch):
    def refuse(_results):
        raise TargetError("no such backend")

    monkeypatch.setattr(page.live, "make", refuse)
    with pytest.warns(UserWarning, match="written without its live parts: no such backend"):
        assert page._lively([]) is None


def test_the_same_page_each_time():
    assert page.build([TWO_LAYER]) == page.build([TWO_LAYER])


def test_progress_counts_sections(capsys):
    page.build([TWO_LAYER], progress=True)
    assert "1.00/1.00" in capsys.readouterr().err


SHORTER = """
import fastgd
from fastgd.article import comparison, page
from fastgd.article.page.live import Packing, add_facts
from fastgd.article.page.sections import SECTIONS
from fastgd.kernel.language.cache import KernelCache

page.prepare()
load, late = KernelCache.load_overload, []
KernelCache.load_overload = lambda *given: late.append(given[1]) or load(*given)
for name in "train", "sweep", "race":
    full = getattr(fastgd, name)
    def short(*data, full=full, **options):
        return full(*data, **{**options, "iterations": 3, "record_every": 1})
    setattr(fastgd, name, short)
for section in SECTIONS:
    for picture in section.figures:
        picture.draw()
        assert not late, (picture.draw, late)
add_facts(Packing())
assert not late, late
"""


@pytest.mark.slow
def test_all_code_is_there_before_the_work_begins():
    """In a process that has drawn nothing yet."""
    subprocess.run([sys.executable, "-c", SHORTER], check=True)


def test_the_command_writes_the_page_of_its_experiments(run, tmp_path):
    path = tmp_path / "page.html"
    code, out, err = run("tutorial", "--experiment", "two-layer", "--html", path)
    assert (code, err) == (0, "")
    assert re.fullmatch(rf"Written to {path} in [\d.]+ m?s\n", out)
    assert path.read_text(encoding="utf-8") == page.build([TWO_LAYER])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["x.txt"], r"a page's file must end in .html, .htm, got 'x.txt'$"),
        (["no/x.html"], r"no/x.html can't be written: there is no folder no$"),
        (["x.html", "--json"], "--html and --json exclude each other$"),
        (["x.html", "--experiment", "y"], "--experiment must be one of .*, got 'y'$"),
    ],
)
def test_what_can_not_be_written_is_refused(run, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(comparison, "run", None)  # and nothing is computed before
    assert_refused(run("tutorial", "--html", *words), message)
    assert not list(tmp_path.iterdir())


def test_a_folder_or_a_read_only_one_is_refused(run, tmp_path, monkeypatch):
    (tmp_path / "x.html").mkdir()
    monkeypatch.setattr(comparison, "run", None)
    result = run("tutorial", "--html", tmp_path / "x.html")
    assert_refused(result, "x.html is a folder, not a file to write to$")
    monkeypatch.setattr("os.access", lambda _, mode: mode != os.W_OK)  # root may write anywhere
    result = run("tutorial", "--html", tmp_path / "y.html")
    assert_refused(result, "y.html can't be written: permission denied$")


def test_without_matplotlib_it_says_what_to_install(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    result = run("tutorial", "--html", tmp_path / "x.html")
    assert_refused(result, r'plots need matplotlib: pip install "fastgd\[plot\]"$')


def test_a_page_that_is_interrupted_leaves_the_old_one(run, tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text("old")

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(PageFigure, "image", interrupted)
    assert run("tutorial", "--experiment", "two-layer", "--html", path)[0] == 130
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_experiment_that_nobody_waits_for_ends(monkeypatch):
    """It would take years."""

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(PageFigure, "image", interrupted)
    long = replace(TWO_LAYER, iterations=10**14, record_every=10**14, shows_output=False)
    with pytest.raises(KeyboardInterrupt):
        page.build([long])


def test_a_full_disk_leaves_the_old_page(run, tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text("old")

    def full(_file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(os, "fsync", full)
    result = run("tutorial", "--experiment", "two-layer", "--html", path)
    assert_refused(result, "page.html: No space left on device$", code=1)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
