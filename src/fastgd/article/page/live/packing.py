"""What the page's script gets from Python, as one compressed block: code, images and facts."""

import gzip
import json
from base64 import b64encode
from typing import Any

from fastgd.article.page.live.programs import MODULES, Program, programs
from fastgd.engine.image import probe_module


class Packing:
    """Pieces of bytes with names: see ``pack.js``."""

    def __init__(self) -> None:
        self._parts: dict[str, bytes] = {}

    def add(self, name: str, content: bytes) -> None:
        """Add a piece."""
        self._parts[name] = content

    def add_json(self, name: str, facts: Any) -> None:
        """Add facts."""
        self.add(name, json.dumps(facts, separators=(",", ":"), allow_nan=False).encode())

    def text(self) -> str:
        """All pieces: an index and their bytes, compressed, as base64."""
        index, begin = {}, 0
        for name, content in self._parts.items():
            index[name] = begin, len(content)
            begin += len(content)
        head = json.dumps(index, separators=(",", ":")).encode()
        whole = b"".join([len(head).to_bytes(4, "little"), head, *self._parts.values()])
        return b64encode(gzip.compress(whole, mtime=0)).decode()


def add_programs(packing: Packing) -> None:
    """Add all code that trains, with the images that it needs."""
    packing.add("probe", probe_module())
    for program in programs():
        add_program(packing, program)


def add_program(packing: Packing, program: Program) -> None:
    """Add one program: what the script must know of it, its image, and its modules."""
    made = program.image()
    packing.add_json(f"program {program.name}", program.facts(made))
    # Zeros at the end are left out: the page's memory is zero before.
    packing.add(f"image {program.name}", made.image.memory.tobytes().rstrip(b"\0"))
    for name, target in MODULES.items():
        packing.add(f"{name} {program.code}", made.module(target))
