"""The fastgd command: the article's experiments, and training on a CSV file.

`app` parses, `main` runs: a command only hands back a job, so that all that can go wrong is met in
one place. Typer and rich are an extra: nothing that needs them is imported before `main` is called.
"""

import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code (0, 2 if it was refused, 130 after Ctrl-C).

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process by default.

    Examples
    --------
    >>> main(["--version"])  # doctest: +ELLIPSIS
    fastgd ...
    0
    """
    try:
        import rich  # noqa: F401  Typer does without, but the commands don't
        import typer  # noqa: F401

        from fastgd.cli.app import app

        job = app(arguments, prog_name="fastgd", standalone_mode=False)
        if callable(job):
            job()
    except ModuleNotFoundError as error:
        if error.name not in ("rich", "tqdm", "typer"):
            raise
        return _say(f'the command needs {error.name}: pip install "fastgd[cli]"')
    except BrokenPipeError:
        # Whoever reads has seen enough (| head); without this Python complains on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("fastgd: interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        # Older versions of Typer raise click's usage errors, newer ones their own.
        if not hasattr(error, "format_message"):
            raise
        return _say(error.format_message())
    return 0


def _say(message: str) -> int:
    print("fastgd: error:", " ".join(message.split()), file=sys.stderr)
    return 2
