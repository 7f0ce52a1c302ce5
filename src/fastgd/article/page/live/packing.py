"""What the page's script gets from Python, as one compressed block: code, images and facts."""

import gzip
import json
from base64 import b64encode
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastgd.article.page.live.packing import MODULES, Program
from fastgd.engine.devices import available_threads
from fastgd.engine.training_image import TrainingImage, probe_module


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


def add_programs(packing: Packing, which: Iterable[Program]) -> None:
    """Add what trains: for each program its facts, its image, and its modules.

    LLVM compiles the modules in processes of its own, so threads are enough to make several of
    them at a time: the page's take 36 s of two processors, 15 s of it here.
    """
    packing.add("probe", probe_module())
    made = {program: program.image() for program in which}
    by_code = {program.code: image for program, image in made.items()}
    with ThreadPoolExecutor(available_threads()) as pool:
        modules = dict(zip(by_code, pool.map(_modules, by_code.values()), strict=True))
    for program, image in made.items():
        packing.add_json(f"program {program.name}", program.facts(image))
        # Zeros at the end are left out: the page's memory is zero before.
        packing.add(f"image {program.name}", image.image.memory.tobytes().rstrip(b"\0"))
        for name, content in modules[program.code].items():
            packing.add(f"{name} {program.code}", content)


def _modules(image: TrainingImage) -> dict[str, bytes]:
    return {name: image.module(target) for name, target in MODULES.items()}
