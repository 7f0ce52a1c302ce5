"""The page's JavaScript: modules of this folder in one script, each after those that it imports."""

import re
from importlib.resources import files

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export ", re.MULTILINE)


def bundled(entry: str, call: str) -> str:
    """Return a module and all that it imports as one script, which then makes a call.

    Modules import each other as ``import { a, b } from "./file.js";`` and share one scope here, so
    no two of them may give something the same name at the top level.

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
            for needed in _IMPORT.findall(text):
                add(needed)
            del parts[name]
            parts[name] = _EXPORT.sub("", _IMPORT.sub("", text)).strip()

    add(entry)
    return "\n\n".join(['"use strict";', *parts.values(), call]) + "\n"
