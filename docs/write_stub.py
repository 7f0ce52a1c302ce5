"""Write the calls with all of their options into the stub: ``python docs/write_stub.py``.

Type checkers and editors read ``src/fastgd/__init__.pyi``. Below its last comment it has what
follows from the declarations of the options: the choices, and the signatures of the calls.
"""

from collections.abc import Callable
from inspect import Parameter, signature
from pathlib import Path
from textwrap import indent, wrap
from typing import Any

import fastgd
from fastgd.arguments.declarations import DECLARED

STUB = Path(fastgd.__file__).with_suffix(".pyi")
CALLS = (
    *(fastgd.train, fastgd.sweep, fastgd.fit_groups, fastgd.race),
    *(fastgd.objective, fastgd.minimize, fastgd.surface),
)
CHOICES = {
    name: option.kind.known
    for name, option in DECLARED.items()
    if option.kind.hint.startswith("str") and hasattr(option.kind, "known")
}

_JOINT = "\N{NO-BREAK SPACE}"  # where no line ends
_MARK = "# Below: python docs/write_stub.py\n"


def _alias(option: str) -> str:
    return f"_{option.title()}"


def _text(parameter: Parameter) -> str:
    """Return a parameter as it is declared."""
    name, hint = parameter.name, parameter.annotation
    if parameter.kind is Parameter.VAR_KEYWORD:
        return ""  # else a misspelled option would be one
    if name in CHOICES:
        hint = hint.replace("str", _alias(name))
    default = parameter.default
    return f"{name}: {hint}" + ("" if default is Parameter.empty else f" = {default!r}")


def _declared(call: Callable[..., Any]) -> str:
    """Return the signature of a call, filled to the width of a line."""
    own = signature(call)
    texts = []
    for parameter in own.parameters.values():
        if parameter.kind is Parameter.KEYWORD_ONLY and "*" not in texts:
            texts.append("*")
        texts.append(_text(parameter))
    whole = (text.replace(" ", _JOINT) for text in texts if text)
    lines = wrap(", ".join(whole), 92, break_long_words=False, break_on_hyphens=False)
    body = indent("\n".join(lines).replace(_JOINT, " "), "    ")
    return f"def {call.__name__}(\n{body}\n) -> {own.return_annotation}: ...\n"


def _filled(text: str) -> str:
    return "\n".join(wrap(text, 92, subsequent_indent="    ")) + "\n"


def with_calls(stub: str) -> str:
    """Return the stub with its choices and calls written anew."""
    lists = {"__all__ = ": sorted(fastgd.__all__)}
    lists |= {f"{_alias(name)} = Literal": known for name, known in CHOICES.items()}
    written = [
        _filled(begin + "[" + ", ".join(f'"{one}"' for one in names) + "]")
        for begin, names in lists.items()
    ]
    written += map(_declared, CALLS)
    return stub.partition(_MARK)[0] + _MARK + indent("".join(written), "    ")


if __name__ == "__main__":
    STUB.write_text(with_calls(STUB.read_text("utf-8")), "utf-8")
