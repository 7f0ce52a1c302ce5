"""How the words of a command are parsed: an option is given once, unless it may be repeated."""

from collections import Counter
from typing import Any

from typer.core import TyperCommand

from fastgd.cli.errors import TYPED, RefusedError


class Command(TyperCommand):
    """A command that refuses what Typer takes the last of."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse them; from here on messages know the command's options."""
        TYPED.set(frozenset(flag for one in self.params for flag in one.opts))
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for option, count in Counter(given).items():
            if count > 1 and not (option.is_eager or getattr(option, "multiple", True)):
                used = [flag for flag in (*option.opts, *option.secondary_opts) if flag in args]
                if len(used) > 1:
                    raise RefusedError(f"{used[0]} and {used[1]} exclude each other")
                raise RefusedError(f"{option.opts[0]} must be given once, got it {count} times")
        return super().parse_args(ctx, args)
