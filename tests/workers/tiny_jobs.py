"""Jobs without networks, for the tests of how parts are handed out; workers import this file."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Squares:
    """The square of each part's number; ``log`` has a file for each time that one was computed."""

    parts: int
    seconds: float = 0.0
    log: str = ""
    fails: tuple[int, ...] = ()
    fails_once: tuple[int, ...] = ()
    data: bytes = b""

    @property
    def sizes(self):
        return [10] * self.parts

    def compile(self):
        pass

    def compute(self, part, threads, advance):
        calls = self.calls_of(part)
        if self.log:
            name = f"{part}-{os.getpid()}-{threads}-{time.monotonic_ns()}"
            Path(self.log, name).touch()
        for _ in range(10):
            time.sleep(self.seconds / 10)
            advance(1)
        if part in self.fails or (part in self.fails_once and not calls):
            raise ValueError(f"{part} is a bad number")
        return {"square": np.array(part**2)}

    def calls_of(self, part):
        """Process and threads of each call for a part."""
        if not self.log:
            return []
        return [
            tuple(map(int, path.name.split("-")[1:3])) for path in Path(self.log).glob(f"{part}-*")
        ]

    def calls(self):
        return [self.calls_of(part) for part in range(self.parts)]
