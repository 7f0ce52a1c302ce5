"""The Typer app: its commands, how they are parsed and helped.

A new command is a function that `takes` options, in a file of its own or with related ones, and its
name below. An option is given once, and a long help shows the first options only.
"""

from collections import Counter
from inspect import cleandoc
from re import sub
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from fastgd.cli.bucket_command import bucket
from fastgd.cli.fit_command import fit
from fastgd.cli.machine_commands import devices, precompile
from fastgd.cli.machine_output import print_version
from fastgd.cli.problem_commands import race, surface
from fastgd.cli.refusals import TYPED, RefusedError
from fastgd.cli.saved_commands import export, plot, predict
from fastgd.cli.trainability import trainability
from fastgd.cli.training_commands import sweep, train
from fastgd.cli.tutorial import tutorial

FIRST = frozenset(
    (
        *("target", "hidden_size", "alpha", "iterations", "seed", "seeds", "optimizer"),
        *("optimizers", "activation", "output", "bias", "loss", "batch_size"),
        *("validation_fraction", "folds", "patience", "resume", "save", "csv", "out", "device"),
        *("plot", "json", "help"),
    )
)
"""What ``--help`` shows of a command with many options, by the names of its arguments."""

HELP_ALL = "--help-all"

LONG = 40
"""A command with this many options shows them all only with ``--help-all``."""


class Command(TyperCommand):
    """A command that refuses an option given twice, and whose help begins with the basics."""

    shows_all = False

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help: of a command with many options the first ones, unless all are wanted."""
        shows_all = self.shows_all or len(self.params) < LONG
        options: list[Any] = [one for one in self.params if one.param_type_name == "option"]
        hidden = [one for one in options if not shows_all and one.name not in FIRST]
        for one in hidden:
            one.hidden = True
        try:
            super().format_help(ctx, formatter)
        finally:
            for one in hidden:
                one.hidden = False
        if hidden:
            print(f" {len(hidden)} more options: {ctx.command_path} {HELP_ALL}\n")

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse them; from here on messages know the command's options."""
        if HELP_ALL in args and len(self.params) >= LONG:
            self.shows_all = True
            print(ctx.get_help())
            ctx.exit()
        TYPED.set(frozenset(flag for one in self.params for flag in one.opts))
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for taken, count in Counter(given).items():
            if count > 1 and not (taken.is_eager or getattr(taken, "multiple", True)):
                used = [flag for flag in (*taken.opts, *taken.secondary_opts) if flag in args]
                if len(used) > 1:
                    raise RefusedError(f"{used[0]} and {used[1]} exclude each other")
                raise RefusedError(f"{taken.opts[0]} must be given once, got it {count} times")
        return super().parse_args(ctx, args)


# ---------------------------------------------------------------- the commands

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

app = typer.Typer(
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
"""Called with the user's arguments, it returns a job to run, if there is one."""


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", "-V", metavar="", help="Show the version and exit.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", metavar="", help="With --version: what a bug report needs.")
    ] = False,
) -> None:
    """Train small neural networks by gradient descent, very fast.

    Start with [bold]fastgd tutorial[/bold].
    """
    if json and not version:
        raise RefusedError("--json needs --version, or a command in front of it")
    if version:
        print_version(json)
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


for command in COMMANDS:
    # Typer would keep the breaks of a paragraph, and add its own.
    flowing = sub(r"(?<!\n)\n(?!\n)", " ", cleandoc(command.__doc__ or ""))
    app.command(name=command.__name__, cls=Command, help=flowing)(command)
