"""Words that a beginner lacks: explained where they first occur, in one sentence, on a tap.

A word is a button that opens its sentence, without JavaScript. The live parts have such buttons,
too: ``termButton`` in ``live/dom.js``.
"""

import json
import re
from importlib.resources import files

from fastgd.article.page.markup import Markup, element, join


def sentences() -> dict[str, tuple[str, list[str]]]:
    """Return, for each word, its sentence and other forms of the word, such as its plural."""
    text = files("fastgd.article.page").joinpath("words.json").read_text(encoding="utf-8")
    given = {word: [s] if isinstance(s, str) else s for word, s in json.loads(text).items()}
    return {word: (sentence, forms) for word, (*forms, sentence) in given.items()}


def address(word: str) -> str:
    """Return the id of a word's sentence.

    Examples
    --------
    >>> address("Levenberg-Marquardt")
    'term-levenbergmarquardt'
    """
    return f"term-{re.sub('[^a-z]', '', word.lower())}"


def explained(main: str) -> Markup:
    """Return the content of a page with a button for each word at its first place in a text.

    Texts are paragraphs without a class, and captions of figures. The sentences follow.
    """
    known = sentences()
    words = {form.lower(): word for word, (_, forms) in known.items() for form in (word, *forms)}
    longest = sorted(words, key=len, reverse=True)
    any_word = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, longest))})(?![\w-])", re.I)
    found: set[str] = set()

    def button(match: re.Match[str]) -> str:
        word = words[match[0].lower()]
        if word in found:
            return match[0]
        found.add(word)
        options = {"type": "button", "class_": "term", "popovertarget": address(word)}
        return element("button", Markup(match[0]), **options)

    def mark(match: re.Match[str]) -> str:
        pieces = re.split(r"(<[^>]*>)", match[2])
        return match[1] + "".join(
            piece if piece.startswith("<") else any_word.sub(button, piece) for piece in pieces
        )

    marked = re.sub(r"(<(?:p|figcaption)>)(.*?)(?=</(?:p|figcaption)>)", mark, main)
    told = [
        element("div", element("strong", word), f": {sentence}", id=address(word), popover="")
        for word, (sentence, _) in known.items()
    ]
    return join([Markup(marked), element("div", *told, class_="terms")])
