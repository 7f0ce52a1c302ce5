"""How a command is parsed and helped: an option is given once; the first options come first."""

from collections import Counter
from typing import Any

from typer.core import TyperCommand

from fastgd.cli.errors import TYPED, RefusedError

FIRST = frozenset(
    {
        *(
            "target",
            "hidden_size",
            "alpha",
            "iterations",
            "seed",
            "seeds",
            "optimizer",
            "optimizers",
        ),
        *("activation", "output", "bias", "loss", "batch_size", "validation_fraction", "folds"),
        *("patience", "resume", "save", "csv", "out", "device", "plot", "json", "help"),
    }
)
"""What ``--help`` shows of a command with many options, by the names of its arguments."""

HELP_ALL = "--help-all"

LONG = 40
"""A command with this many options shows them all only with ``--help-all``."""


class Command(TyperCommand):
    """A command that refuses an option given twice, and whose help begins with the basics."""

    shows_all = False

    @property
    def _is_long(self) -> bool:
        return len(self.params) >= LONG

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help: of a command with many options the first ones, unless all are wanted."""
        hidden: list[Any] = [
            one
            for one in self.params
            if self._is_long
            and not self.shows_all
            and one.param_type_name == "option"
            and one.name not in FIRST
        ]
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
        if HELP_ALL in args and self._is_long:
            self.shows_all = True
            print(ctx.get_help())
            ctx.exit()
        TYPED.set(frozenset(flag for one in self.params for flag in one.opts))
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for option, count in Counter(given).items():
            if count > 1 and not (option.is_eager or getattr(option, "multiple", True)):
                used = [flag for flag in (*option.opts, *option.secondary_opts) if flag in args]
                if len(used) > 1:
                    raise RefusedError(f"{used[0]} and {used[1]} exclude each other")
                raise RefusedError(f"{option.opts[0]} must be given once, got it {count} times")
        return super().parse_args(ctx, args)
