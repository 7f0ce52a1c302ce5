"""The live parts of the page: the article's network trains in the reader's browser.

The page's script (``*.js`` in this folder) runs the kernel itself, as WebAssembly, so its numbers
have the bits of Python's. What it needs is in the page: it asks no network.
"""

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files

from fastgd.article.comparison import Result
from fastgd.article.page.live import (
    Packing,
    add_bucket,
    add_facts,
    add_programs,
    all_programs,
    needed,
    published_facts,
)
from fastgd.article.page.markup import Markup, element, join
from fastgd.optimizers import FIRST_ORDER

__all__ = ["Live", "hashed", "make", "needed"]


_IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export ", re.MULTILINE)


@dataclass(frozen=True)
class Live:
    """What the page gets besides its sections."""

    style: str
    script: str
    worker: str
    pack: str

    @property
    def markup(self) -> Markup:
        """The elements at the end of the page."""
        return join(
            [
                # Browsers don't execute scripts of an unknown type: these two are data.
                element("script", Markup(self.worker), type="text/plain", id="live-worker"),
                element("script", Markup(self.pack), type="text/plain", id="live-pack"),
                element("script", Markup(self.script), type="module"),
            ]
        )

    @property
    def policy(self) -> str:
        """What the content security policy allows: this script, WebAssembly, and a worker."""
        return f"script-src {hashed(self.script)} 'wasm-unsafe-eval'; worker-src blob:"


def make(results: Sequence[Result]) -> Live:
    """Emit the code of the live parts, and collect all that they need.

    ``results`` are those of the article's experiments, with which the page compares its own.
    """
    packing = Packing()
    add_programs(packing, all_programs())
    packing.add_json("published", published_facts(results))
    packing.add_json("optimizers", {each.__name__: each.race_alpha for each in FIRST_ORDER})
    add_facts(packing)
    add_bucket(packing)
    return Live(
        style=files("fastgd.article.page.live").joinpath("live.css").read_text(encoding="utf-8"),
        script=bundled("main.js", "start();"),
        worker=bundled("worker.js", "serve(self);"),
        pack=packing.text(),
    )


def hashed(text: str) -> str:
    """A script or style as a content security policy names it."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def bundled(entry: str, call: str) -> str:
    """Return a module and all that it imports as one script, which then makes a call.

    Each of these modules of this folder stands after those that it imports. They import each other
    as ``import { a, b } from "./file.js";`` and share one scope here, so no two of them may give
    something the same name at the top level.

    Examples
    --------
    >>> script = bundled("worker.js", "serve(self);")
    >>> script.count("import {")
    0
    >>> script.index("class RandomState") < script.index("class Training ")
    True
    """
    parts: dict[str, str] = {}

    def add(name: str) -> None:
        if name not in parts:
            text = files("fastgd.article.page.live").joinpath(name).read_text(encoding="utf-8")
            parts[name] = ""  # a circle ends here
            for imported in _IMPORT.findall(text):
                add(imported)
            del parts[name]
            parts[name] = _EXPORT.sub("", _IMPORT.sub("", text)).strip()

    add(entry)
    return "\n\n".join(['"use strict";', *parts.values(), call]) + "\n"
