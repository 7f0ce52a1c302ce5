"""Sphinx: the directive ``command``, which documents a command of ``fastgd`` from its declaration.

```{command} train``` writes the arguments and options of ``fastgd train``, each with a permanent
link, from the Typer app itself. A command that no page documents is a warning.
"""

import re
from typing import Any

import typer
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from fastgd.cli.app import app as fastgd_app

COMMANDS: dict[str, Any] = typer.main.get_command(fastgd_app).commands  # type: ignore[attr-defined]
EXAMPLE = "Example: "

# What is shown as code; all other punctuation is escaped, so that it is no Markdown.
_CODE = re.compile(r"\[bold\](?P<bold>.+?)\[/bold\]|(?P<flag>--?[a-z][\w-]*)")
_PUNCTUATION = re.compile(r"([\\`*_{}\[\]<>()#+.!|~$'\"^=:-])")


class Command(SphinxDirective):
    """Document one command: what it does, an example, its arguments and its options."""

    required_arguments = 1

    def run(self) -> list[Any]:
        """Return the nodes, parsed from Markdown."""
        name = self.arguments[0]
        if name not in COMMANDS:
            raise self.error(f"fastgd has no command {name!r}, only {', '.join(COMMANDS)}")
        documented(self.env).setdefault(self.env.docname, set()).add(name)
        return self.parse_text_to_nodes(command_text(name))


def command_text(name: str) -> str:
    """Return the Markdown of a command; panels are those of its help, in order."""
    command = COMMANDS[name]
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option" and not one.hidden]
    usage = " ".join(["fastgd", name, *map(_usage, arguments), "[OPTIONS]"])
    parts = [f"```text\n{usage}\n```"]
    for paragraph in command.help.split("\n\n"):
        text = " ".join(paragraph.split())
        if text.startswith(EXAMPLE):
            example = re.sub(r"\[/?bold\]", "", text.removeprefix(EXAMPLE))
            parts.append(f"```bash\n{example}\n```")
        else:
            parts.append(_prose(text))
    parts += [f"- `{one.metavar}`: {_described(one)}" for one in arguments]
    parts.append(f"```{{program}} fastgd {name}\n```")
    for panel in dict.fromkeys(one.rich_help_panel for one in options):
        if panel:
            parts.append(f"```{{rubric}} {panel}\n```")
        parts += [_option(one) for one in options if one.rich_help_panel == panel]
    return "\n\n".join(parts)


def _usage(argument: Any) -> str:
    return argument.metavar if argument.required else f"[{argument.metavar}]"


def _option(option: Any) -> str:
    """An object of Sphinx's own domain, so that it can be linked to and searched for."""
    flags = [*option.opts, *option.secondary_opts]
    if option.metavar:
        flags[0] += f" {option.metavar}"
    return f"````{{option}} {', '.join(flags)}\n{_described(option)}\n````"


def _described(parameter: Any) -> str:
    """The help, with the default that the command shows at its end."""
    text = _prose(parameter.help)
    if parameter.required and parameter.param_type_name == "option":
        text += " Required."
    if not (parameter.default is None or parameter.default is False or parameter.required):
        text += f" Default: `{parameter.default}`."
    return text


def _prose(text: str) -> str:
    """Markdown that shows the text as it is, with options and what is bold as code."""
    shown, end = [], 0
    for found in _CODE.finditer(text):
        code = found["bold"] or found["flag"]
        if not found["bold"] and found.start() and re.match(r"[\w-]", text[found.start() - 1]):
            continue  # a hyphen within a word
        shown += [_PUNCTUATION.sub(r"\\\1", text[end : found.start()]), f"`{code}`"]
        end = found.end()
    return "".join([*shown, _PUNCTUATION.sub(r"\\\1", text[end:])])


def documented(env: BuildEnvironment) -> dict[str, set[str]]:
    """Return the commands that each page documents; it is kept with the environment."""
    if not hasattr(env, "fastgd_commands"):
        env.fastgd_commands = {}  # type: ignore[attr-defined]
    return env.fastgd_commands  # type: ignore[attr-defined, no-any-return]


def forget(_app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    """Forget what a page documented that is read again, or gone."""
    documented(env).pop(docname, None)


def check(_app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of commands that no page documents."""
    missing = set(COMMANDS).difference(*documented(env).values())
    if missing:
        logging.getLogger(__name__).warning(
            "no page documents the commands %s", ", ".join(sorted(missing))
        )


def setup(app: Sphinx) -> ExtensionMetadata:
    """Add the directive, and the check that every command has one."""
    app.add_directive("command", Command)
    app.connect("env-purge-doc", forget)
    app.connect("env-check-consistency", check)
    return {"version": "1", "parallel_read_safe": False}
