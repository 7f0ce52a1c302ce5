"""Text files: read whole, up to a size limit; anything but UTF-8 text is rejected."""

import codecs
import gzip
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import IO

from fastgd.checks.formatting import many
from fastgd.checks.memory import check_memory

LARGEST = 2**30
"""Most bytes of a file: /dev/zero, or a pipe whose writer never stops, has no end."""

CHUNK = 2**25
"""Bytes per read."""


def read_text(path: Path) -> bytes:
    """Return the bytes of a UTF-8 text file, decompressed if its name ends in .gz.

    Raises
    ------
    OSError
        If it can't be read.
    ValueError
        If it is not text, or too large; the message says where.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile(suffix=".csv.gz") as file:
    ...     _ = file.write(gzip.compress(b"a,b"))
    ...     file.flush()
    ...     read_text(Path(file.name))
    b'a,b'
    """
    text = BytesIO()
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            for chunk in _chunks(path, file):
                text.write(chunk)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} must be a complete gzip file, since it ends in .gz") from error
    return text.getvalue()


def _chunks(path: Path, file: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    """Yield the bytes of a file; raise as soon as they are not text, or too many."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    total = 0
    while True:
        chunk = file.read(CHUNK)
        waiting = len(decoder.getstate()[0])
        try:
            decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            at = total - waiting + error.start
            raise ValueError(
                f"{path} is not UTF-8 text: byte {at} can't be read{_remedy(chunk)}"
            ) from error
        if b"\0" in chunk:
            raise ValueError(f"{path} is not text: it has zero bytes")
        total += len(chunk)
        if total > LARGEST:
            raise ValueError(
                f"{path} must have at most {many(LARGEST, 'byte')}, got more than that"
            )
        if not chunk:
            return
        check_memory(2 * CHUNK, f"{path}")
        yield chunk


def _remedy(chunk: bytes) -> str:
    """Guess the reason: Latin-1 text has none of the control characters of binary files."""
    if b"\0" in chunk or any(byte < 32 and byte not in b"\t\n\r" for byte in chunk[:1000]):
        return ": is it another kind of file?"
    return ": save it as UTF-8"
