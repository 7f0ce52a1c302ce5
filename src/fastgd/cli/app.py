"""The Typer app: one command per module of the same name.

A new command is a file with a function ``command``, which `takes` options, and its name below.
"""

from inspect import cleandoc
from re import sub
from typing import Annotated

import typer

import fastgd
from fastgd.cli import (
    bucket,
    devices,
    export,
    fit,
    plot,
    precompile,
    predict,
    race,
    surface,
    sweep,
    train,
    trainability,
    tutorial,
)
from fastgd.cli.app import Command
from fastgd.cli.options import option

COMMANDS = (
    tutorial,
    fit,
    predict,
    export,
    train,
    sweep,
    plot,
    bucket,
    surface,
    race,
    trainability,
    precompile,
    devices,
)
"""In the order of the help."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
"""Called with the user's arguments, it returns a job to run, if there is one."""


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    version: Annotated[bool, option("--version", "Show the version and exit.", bool).how] = False,
) -> None:
    """Train small neural networks by gradient descent, very fast.

    Start with [bold]fastgd tutorial[/bold].
    """
    if version:
        print("fastgd", fastgd.__version__)
    elif context.invoked_subcommand is None:
        print(context.get_help())


for module in COMMANDS:
    name, text = module.__name__.rpartition(".")[2], cleandoc(module.command.__doc__ or "")
    flowing = sub(r"(?<!\n)\n(?!\n)", " ", text)  # Typer would keep the breaks, and add its own
    app.command(name=name, cls=Command, help=flowing)(module.command)
