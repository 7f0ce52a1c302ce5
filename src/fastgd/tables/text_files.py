"""Text files: read whole, up to a size limit; anything but text is rejected."""

import gzip
import re
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import IO

from fastgd.checks.memory import check_memory
from fastgd.checks.messages import escaped, many, warn

LARGEST = 2**30
"""Most bytes of a file: /dev/zero, or a pipe whose writer never stops, has no end."""

CHUNK = 2**25
"""Bytes per read."""

_MARKS = (b"\xff\xfe", b"\xfe\xff")
_CONTROL = re.compile(rb"[\0-\x08\x0b\x0e-\x1f\x7f]")


def read_text(path: Path) -> bytes:
    """Return a text file as UTF-8, decompressed if its name ends in .gz.

    Text in UTF-16 needs its byte order mark. What is neither, but has no control characters, is
    read as Windows-1252, which Latin-1 is part of; a warning says so.

    Raises
    ------
    OSError, ValueError
        If it can't be read, is not text, or too large; the message says where.
    """
    stream = BytesIO()
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            stream.writelines(_chunks(path, file))
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} must be a complete gzip file, since it ends in .gz") from error
    text = stream.getvalue()
    try:
        if text.startswith(_MARKS):
            return text.decode("utf-16").encode()
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        return _from_windows(path, text, error)
    return text


def _chunks(path: Path, file: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    """Yield the bytes of a file; raise as soon as they are not text, or too many."""
    total = 0
    wide = False
    while chunk := file.read(CHUNK):
        wide = wide or (not total and chunk.startswith(_MARKS))  # zero bytes are half of UTF-16
        if not wide and b"\0" in chunk:
            raise ValueError(f"{escaped(path)} must be text, got a file with zero bytes")
        total += len(chunk)
        if total > LARGEST:
            raise ValueError(
                f"{path} must have at most {many(LARGEST, 'byte')}, got more than that"
            )
        check_memory(2 * CHUNK, f"{path}")
        yield chunk


def _from_windows(path: Path, text: bytes, error: UnicodeDecodeError) -> bytes:
    """Text in Windows-1252 as UTF-8; raise for other files, which have control characters.

    So do a few letters of UTF-8 before the first error: a file that was cut or joined.
    """
    what = f"{path} is not {error.encoding.upper()} text: byte 0x{text[error.start]:02X} at "
    what += f"position {error.start:,} can't be read"
    if _CONTROL.search(text) or text.startswith(_MARKS):
        raise ValueError(f"{what}: is it another kind of file?") from error
    try:
        windows = text.decode("cp1252").encode()
    except UnicodeDecodeError:
        windows = b""
    if not windows or not text.decode(errors="ignore").isascii():
        raise ValueError(f"{what}: save it as UTF-8") from error
    line = text.count(b"\n", 0, error.start) + 1
    warn(
        f"{path} is not UTF-8 text (line {line:,}): read as Windows-1252, which Latin-1 is part of",
        UserWarning,
    )
    return windows
