"""Words that the page explains: each once, where it first occurs, in one sentence."""

import re

import pytest

from fastgd.article.page.words import address, explained, sentences
from fastgd.optimizers import ALL


def test_each_explanation_is_one_sentence():
    for word, (sentence, _) in sentences().items():
        assert re.fullmatch(r"[A-Z][^?!]{20,200}\.", sentence), word
        assert ". " not in sentence, word


def test_addresses_are_apart():
    words = sentences()
    assert len({address(word) for word in words}) == len(words) >= 30


def test_optimizers_are_explained():
    known = {address(word) for word in sentences()}
    assert {address(each.__name__) for each in ALL} <= known


def test_the_first_occurrence_in_a_text_becomes_a_button():
    marked = explained(
        "<h2>Alpha</h2><pre>alpha</pre><p>A <a>hidden layer</a>, Alphabet and hidden layers.</p>"
        '<p class="note">alpha</p><figcaption>Alpha, alpha</figcaption><p>alpha and weights</p>'
    )
    buttons = re.findall(r'<button type="button" class="term" popovertarget="(.*?)">(.*?)<', marked)
    assert buttons == [
        ("term-hiddenlayer", "hidden layer"), ("term-layer", "layers"), ("term-alpha", "Alpha"),
        ("term-weight", "weights"),
    ]  # fmt: skip
    assert "</button>, alpha</figcaption><p>alpha and <button" in marked


@pytest.mark.slow
def test_each_word_occurs_on_the_page_and_its_first_place_is_a_button(article_page):
    """But for two, which are only at controls."""
    html = article_page.read_text(encoding="utf-8")
    texts = "\n".join(re.findall(r"<(?:p|figcaption)>(.*?)</(?:p|figcaption)>", html))
    for word, (_, forms) in sentences().items():
        whole = "|".join(map(re.escape, (word, *forms)))
        target = f'popovertarget="{address(word)}">'
        if word in ("dropout", "bias"):
            assert target not in texts
            continue
        assert texts.count(target) == 1, word
        before, _, after = texts.partition(target)
        assert re.match(rf"({whole})</button>", after, re.I)
        # Earlier only as a piece of a longer word that is explained, such as "hidden layer".
        plain = re.sub(r"<button.*?</button>|<[^>]*>", "", before)
        assert not re.search(rf"(?<![\w-])({whole})(?![\w-])", plain, re.I), word
