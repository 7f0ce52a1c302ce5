"""The live parts of the page: the article's network trains in the reader's browser.

The page's script (``*.js`` in this folder) runs the kernel itself, as WebAssembly, so its numbers
have the bits of Python's. What it needs is in the page: it asks no network.

Python's part is one compressed block of code, images and facts. Code are the kernels as
WebAssembly, each with an image that fits every network on it.
"""

import gzip
import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from importlib.resources import files
from typing import Any

import numpy as np

import fastgd
from fastgd.arguments.options import Method
from fastgd.arguments.samples import TrainingData
from fastgd.article.comparison import ExperimentResult, Setting
from fastgd.article.page import lessons
from fastgd.article.page.markup import Markup, element, join
from fastgd.article.page.sections import LINE, XOR
from fastgd.checks.messages import error_text
from fastgd.engine.devices import available_threads
from fastgd.engine.network import network_of
from fastgd.engine.plan import Plan
from fastgd.engine.training_image import WEBASSEMBLY, TrainingImage, probe_module
from fastgd.formulas.expressions import BARE_CALL, CONSTANTS, FUNCTIONS, LARGEST, OTHER_WORDS
from fastgd.optimizers import FIRST_ORDER, GradientDescent, Optimizer
from fastgd.studies.bucket.examples import EXAMPLES, FIVE_MINIMA, FIVE_MINIMA_WINDOW, Example
from fastgd.studies.bucket.rolling import roller_facts, roller_of
from fastgd.workers.compiling import ShortCall

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export ", re.MULTILINE)


@dataclass(frozen=True)
class Live:
    """What the page gets besides its sections."""

    style: str
    script: str
    worker: str
    pack: str
    sheets: Markup

    @property
    def markup(self) -> Markup:
        """The elements at the end of the page."""
        return join(
            [
                self.sheets,
                # Browsers don't execute scripts of an unknown type: these two are data.
                element("script", Markup(self.worker), type="text/plain", id="live-worker"),
                element("script", Markup(self.pack), type="text/plain", id="live-pack"),
                element("script", Markup(self.script), type="module"),
            ]
        )

    @property
    def policy(self) -> str:
        """What the content security policy allows: this script, WebAssembly, and a worker."""
        return f"script-src {hashed(self.script)} 'wasm-unsafe-eval'; worker-src blob:"


def make(results: Sequence[ExperimentResult]) -> Live:
    """Emit the code of the live parts, and collect all that they need.

    ``results`` are those of the article's experiments, with which the page compares its own.
    """
    packing = Packing()
    add_programs(packing, all_programs())
    packing.add_json("published", published_facts(results))
    content = lessons.facts(results)
    packing.add_json("lessons", content)
    packing.add_json("optimizers", {each.__name__: each.race_alpha for each in FIRST_ORDER})
    add_facts(packing)
    packing.add_json("bucket", bucket_facts())
    for name, target in MODULES.items():  # both give the same bits
        packing.add(f"{name} roller", roller_of(target))
    return Live(
        style=files("fastgd.article.page.live").joinpath("live.css").read_text(encoding="utf-8"),
        script=bundled("main.js", "start();"),
        worker=bundled("worker.js", "serve(self);"),
        pack=packing.text(),
        sheets=lessons.sheets(content),
    )


def hashed(text: str) -> str:
    """A script or style as a content security policy names it."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def bundled(entry: str, call: str) -> str:
    """Return a module and all that it imports as one script, which then makes a call.

    Each of these modules of this folder stands after those that it imports. They import each other
    as ``import { a, b } from "./file.js";`` and share one scope here, so no two of them may give
    something the same name at the top level.

    Examples
    --------
    >>> script = bundled("worker.js", "serve(self);")
    >>> script.count("import {")
    0
    >>> script.index("class RandomState") < script.index("class Training ")
    True
    """
    parts: dict[str, str] = {}

    def add(name: str) -> None:
        if name not in parts:
            text = files("fastgd.article.page.live").joinpath(name).read_text(encoding="utf-8")
            parts[name] = ""  # a circle ends here
            for imported in _IMPORT.findall(text):
                add(imported)
            del parts[name]
            parts[name] = _EXPORT.sub("", _IMPORT.sub("", text)).strip()

    add(entry)
    return "\n\n".join(['"use strict";', *parts.values(), call]) + "\n"


# ---------------------------------------------------------------- programs

SAMPLES, INPUTS, UNITS = 64, 8, 32
"""The most samples, inputs and hidden units of a network on the page."""

RECORDS = 3
"""Errors recorded at a time: that of iteration 0, that of a later one, and the final one."""

BASE = 65_536
"""Address of an image."""

RATES = [k / 20 for k in range(1, 19)]
"""Dropout rates of the page."""

MODULES = {"relaxed": "wasm32-relaxed", "exact": "wasm32"}
"""Targets, by the names of their modules on the page."""


@dataclass(frozen=True)
class Program:
    """A kernel of the page: an optimizer, with dropout or without, and a number of layers.

    With ``fixed`` it is the code for the article's own network only, which is faster.
    """

    optimizer: type[Optimizer]
    dropout: bool = False
    layers: int = 2
    fixed: bool = False

    @property
    def name(self) -> str:
        """By which the page finds it."""
        name = f"{self.optimizer.__name__}.{self.layers}{'.dropout' * self.dropout}"
        return name + ".article" * self.fixed

    @property
    def code(self) -> str:
        """Name of its modules, which serve any number of layers."""
        return f"{self.optimizer.__name__}{'.dropout' * self.dropout}{'.article' * self.fixed}"

    def image(self) -> TrainingImage:
        """The image of its largest network."""
        if self.fixed:
            X, y = np.array(XOR[0], float), np.array(XOR[1], float)
            hidden: tuple[int, ...] = (4,)
        else:
            X, y = np.zeros((SAMPLES, INPUTS + 1)), np.zeros(SAMPLES)  # with room for biases
            hidden = (UNITS + 1,) if self.layers == 2 else ()
        task = TrainingData.check(X, y, RECORDS, 1)
        dropout = RATES[0] if self.dropout else 0.0
        method = Method(optimizer=self.optimizer(), dropout=dropout)
        network = network_of(method, task.X, task.y, hidden)
        alpha = np.ones((1, network.layers))
        plan = Plan.make(task, network, method, alpha, {}, 1, 1, machine=WEBASSEMBLY)
        return TrainingImage.of(plan, np.zeros((1, network.parameters)), np.array([1]), BASE)

    def facts(self, made: TrainingImage) -> dict[str, Any]:
        """What the page must know of it, besides its bytes."""
        recipe, shapes = made.image.call.recipe, made.image.call.shapes
        dropout = recipe.features.dropout
        return {
            "code": self.code,
            "base": BASE,
            "bytes": len(made.image.memory),
            "wide": shapes.wide.units,
            "fields": {
                name: {"offset": field.offset, "length": int(np.prod(field.shape))}
                for name, field in made.fields.items()
            },
            "dropout": dropout and dropout.places,
            "rates": {
                f"{rate:g}": {"threshold": int(rate * 2.0**32), "factor": 1 / (1 - rate)}
                for rate in RATES
            },
        }


def all_programs() -> Iterator[Program]:
    """Yield all programs of the page."""
    yield Program(GradientDescent, fixed=True)
    for optimizer in FIRST_ORDER:
        yield Program(optimizer)
        yield Program(optimizer, dropout=True)
        yield Program(optimizer, layers=1)  # without hidden units, of which dropout leaves some out


# ---------------------------------------------------------------- the block


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
        emitted = pool.map(
            lambda image: {name: image.module(target) for name, target in MODULES.items()},
            by_code.values(),
        )
        modules = dict(zip(by_code, emitted, strict=True))
    for program, image in made.items():
        packing.add_json(f"program {program.name}", program.facts(image))
        # Zeros at the end are left out: the page's memory is zero before.
        packing.add(f"image {program.name}", image.image.memory.tobytes().rstrip(b"\0"))
        for name, content in modules[program.code].items():
            packing.add(f"{name} {program.code}", content)


# ---------------------------------------------------------------- maps and the error plane

ALPHAS = [float(f"{10 ** (k / 4 - 3):.3g}") for k in range(25)]
"""Four to the power of ten, with three digits, among them the article's seven."""

AXES: dict[str, list[int]] = {
    "seed": list(range(1, 33)),
    # Large networks take most of the time, and differ little from those of nearly their size.
    "hidden_size": [*range(1, 17), *range(20, UNITS + 1, 4)],
}
"""What is varied besides alpha: one map each. The other one is the article's."""

ITERATIONS = 60_000

SPAN = (-10.0, 10.0)
RESOLUTION = 101

_PLANE = partial(fastgd.surface, *LINE, [[[0], [0]]], span=SPAN, resolution=RESOLUTION)
"""The error plane of part 4."""


def add_facts(packing: Packing) -> None:
    """Compute the maps and the plane, and add them.

    Doubles are added as bytes: errors of a map by (value of its axis, alpha), those of the plane by
    (second weight, first weight).
    """
    for name in AXES:
        packing.add(f"map {name}", _map(name, ITERATIONS).astype("<f8").tobytes())
    packing.add_json("maps", {"alphas": ALPHAS, "axes": AXES, "iterations": ITERATIONS})
    packing.add("plane", _PLANE().errors.astype("<f8").tobytes())
    X, y = LINE
    packing.add_json("plane facts", {"X": X, "y": y, "span": SPAN, "resolution": RESOLUTION})
    packing.add_json("commands", {kind.__name__: kind.command for kind in FIRST_ORDER})


def needed() -> list[ShortCall]:
    """Return quick calls that compile the code of the maps, of the plane and of the lessons."""
    return [*(partial(_map, name, iterations=2) for name in AXES), _PLANE, *lessons.needed()]


def _map(name: str, iterations: int) -> Any:
    """Final errors by value of the axis and alpha."""
    axis: dict[str, Any] = {name: AXES[name]}
    sweep = fastgd.sweep(
        *XOR,
        alpha=ALPHAS,
        **axis,
        iterations=iterations,
        record_every=iterations,
        keep_weights=False,
    )
    order = [*sweep.axes].index(name), [*sweep.axes].index("alpha")
    return np.transpose(sweep.final_error, order)


# ---------------------------------------------------------------- the article's numbers


def published_facts(results: Sequence[ExperimentResult]) -> dict[str, Any]:
    """The published errors by hidden size and alpha, ``{"4": {"10.0": {...}}}``.

    Of each alpha ``rows`` of an iteration, the published error, ours, and its mark, and ``final``,
    our error at the end; the page compares ours as texts, which have all digits.
    """
    return {
        str(result.experiment.hidden_size[0]): {
            repr(setting.alpha): {
                "rows": list(_error_rows(setting)),
                "final": repr(float(setting.run.final_error)),
            }
            for setting in result.settings
        }
        for result in results
        if result.experiment.published
    }


def _error_rows(setting: Setting) -> Iterator[list[Any]]:
    for k, iteration in enumerate(setting.run.recorded):
        found = setting.errors.part(k)
        ours = repr(float(found.computed))
        yield [int(iteration), error_text(found.published), ours, str(found.mark)]


# ---------------------------------------------------------------- the bucket

RANDOM_BALLS = 100
"""How many start together: as many as fastgd.bucket.basins has on the page."""

MOST_STEPS = 10_000
"""Of a ball, as in fastgd.bucket.roll."""

FIRST = Example(
    "bucket",
    "The ball in the bucket",
    "x**2",
    start=(1.0,),
    alpha=(0.1,),
    iterations=10_000,
    window=(-1.5, 1.5),
    takeaway="The ball rolls to the lowest place: a step is alpha times the slope, and shorter "
    "where the curve is flatter.",
)

STARTS = Example(
    "starts",
    "Solution 2: several starts",
    FIVE_MINIMA,
    start=(-5.5, -3.5, 0.5, 2.5, 5.0),
    alpha=(0.1,) * 5,
    iterations=10_000,
    window=FIVE_MINIMA_WINDOW,
    takeaway="Each of these balls ends in a different one of five minimums. The more balls start "
    "at random places, the likelier it is that one finds the lowest (Solution 2).",
)


def bucket_facts() -> dict[str, Any]:
    """What ``formulas.js``, ``roller.js`` and ``bucket.js`` know from Python."""
    return roller_facts(RANDOM_BALLS, MOST_STEPS) | {
        "randomBalls": RANDOM_BALLS,
        "iterations": MOST_STEPS,
        "functions": FUNCTIONS,
        "constants": CONSTANTS,
        "otherWords": OTHER_WORDS,
        "bareCall": BARE_CALL,
        "largest": LARGEST,
        "examples": [example.__dict__ for example in (FIRST, *EXAMPLES.values(), STARTS)],
    }
