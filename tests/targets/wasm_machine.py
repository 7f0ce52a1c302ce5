"""WebAssembly in wasmtime; the engine can train there, with nothing else changed."""

from contextlib import contextmanager
from functools import cache
from unittest.mock import patch

import numpy as np
import wasmtime

from fastgd.engine import session
from fastgd.engine.session import layout_for
from fastgd.kernel import launch
from fastgd.kernel.call_image import Image, module, probe_module
from fastgd.kernel.language.wasm_linking import PAGE, STACK

WASM = ("wasm32", "wasm32-relaxed")
BASE = 2 * STACK
"""Where images lie: above the module's own memory."""


@cache
def engine():
    """Made when it is needed: it handles signals, which pytest's faulthandler would take over."""
    config = wasmtime.Config()
    config.wasm_relaxed_simd = True
    return wasmtime.Engine(config)


class Machine:
    """A module in memory of its own, of as many bytes."""

    def __init__(self, code, size):
        self.store = wasmtime.Store(engine())
        limits = wasmtime.Limits(-(-size // PAGE), None)
        self.memory = wasmtime.Memory(self.store, wasmtime.MemoryType(limits))
        compiled = code if isinstance(code, wasmtime.Module) else wasmtime.Module(engine(), code)
        self.exports = wasmtime.Instance(self.store, compiled, [self.memory]).exports(self.store)

    def call(self, name, *arguments):
        return self.exports[name](self.store, *arguments)

    def write(self, array, begin):
        self.memory.write(self.store, array.tobytes(), begin)

    def read(self, begin, size):
        return np.frombuffer(self.memory.read(self.store, begin, begin + size), np.uint8)

    def train(self, image):
        """Train the blocks of an image, which then has the results."""
        self.write(image.memory, image.base)
        self.call("train", image.base)
        image.memory[:] = self.read(image.base, image.memory.size)


class Trainer:
    """Makes kernel calls on a module for the target; counts those that had several blocks."""

    def __init__(self, target):
        self.target = target
        self.blocks = []
        self._compiled = {}

    def __call__(self, call, _threads=1):
        assert call.split is None
        image = Image.of(call, BASE)
        code = module(call.shapes, call.recipe, self.target)
        if code not in self._compiled:
            self._compiled[code] = wasmtime.Module(engine(), code)
        Machine(self._compiled[code], BASE + image.memory.size).train(image)
        image.copy_to(call)
        self.blocks.append(len(call.blocks.numbers))

    def bind(self, call):
        self(call)
        return lambda: self(call)


@contextmanager
def trained_on(target, machine=None):
    """Within this, kernel calls are made on WebAssembly.

    With a ``machine`` their code has tiles for that, and not for this one.
    """

    def for_machine(*arguments, **named):
        return layout_for(*arguments, **named | {"machine": machine})

    trainer = Trainer(target)
    with (
        patch.object(launch, "train_blocks", trainer),
        patch.object(launch, "bind", trainer.bind),
        patch.object(session, "layout_for", for_machine),
    ):
        yield trainer


def is_fused():
    """Whether relaxed_madd rounds only once here."""
    store = wasmtime.Store(engine())
    probe = wasmtime.Instance(store, wasmtime.Module(engine(), probe_module()), []).exports(store)
    try:
        probe["probe"](store, STACK)
    except wasmtime.Trap:
        return False
    return True
