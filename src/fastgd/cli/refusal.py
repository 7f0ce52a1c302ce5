"""What the user asked for can't be done: said in one line, without a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager


class RefusedError(Exception):
    """What the user asked for can't be done, in one line."""

    def format_message(self) -> str:
        """What it says: the name that Typer's usage errors have for it."""
        return str(self)


_TYPED = {"keep_weights=False": "--out FILE.csv, or no --out,"}
"""What is typed for an argument that the library speaks of."""


@contextmanager
def refusing() -> Iterator[None]:
    """Turn what the library or the file system objects to into one line."""
    try:
        yield
    except (ImportError, TypeError, ValueError) as error:
        message = str(error)
        for argument, typed in _TYPED.items():
            message = message.replace(argument, typed)
        raise RefusedError(message) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise RefusedError(f"{where}{error.strerror}") from error
