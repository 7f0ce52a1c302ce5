"""The kernel as WebAssembly compared with that of this machine: the table in TABLES.md.

    python bench/targets.py                 some minutes; nothing else should run
    python bench/targets.py --quick         a smoke run
    python bench/targets.py --write         write the table

Every engine that is here takes part: wasmtime (the wheel), Node.js, Chromium without a window. All
train the same, in turn, many times. The figures are the smallest ones, since whatever else runs can
only add to them; the first calls, which compile, are not counted. After each call every byte of its
image is compared with what this machine's kernel makes of it.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from queue import Queue
from threading import Thread
from time import perf_counter
from typing import Any
from zlib import compress

import numpy as np
from numba import config
from numpy.typing import NDArray

import documents
import report
from fastgd.arguments.options import Method
from fastgd.arguments.samples import TrainingData
from fastgd.engine.network import first_rows, network_of
from fastgd.engine.plan import Plan
from fastgd.engine.training_image import TrainingImage
from fastgd.kernel.language.wasm_linking import PAGE, STACK
from fastgd.kernel.launch import bind
from fastgd.kernel.vectorization import WEBASSEMBLY, Machine
from fastgd.optimizers import Adam
from workload import Work, article, made_up

MODULES = ("wasm32", "wasm32-relaxed")
WARM = 3
"""First calls: an engine compiles code again, optimized, while it is run."""
CHROMIUM = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-quic"),
    "--remote-debugging-port=0",
)
RELAXED = "--experimental-wasm-relaxed-simd"  # before Node.js 21

WORKS = {
    "3-4-1": article(4, (10.0,), 1, 6_000),
    "3-32-1": article(32, (10.0,), 1, 1_200),
    "16-16-1, 64 samples, Adam": made_up(64, (16, 16, 1), (0.001,), 1, 96).given(optimizer=Adam()),
}

Bytes = NDArray[np.uint8]
Train = Callable[[], float]
"""Trains once, checks the result, and returns the seconds."""


class Trained:
    """A training: its memory before and after, and the modules for it."""

    def __init__(self, work: Work, machine: Machine | None) -> None:
        task = TrainingData.check(work.X, work.y, work.iterations, work.record_every)
        method = Method(**work.options)
        network = network_of(method, task.X, task.y, work.hidden_size)
        alpha = np.repeat(work.alpha[:, None], network.layers, axis=1)
        seeds = np.array(work.seeds)
        plan = Plan.make(task, network, method, alpha, {}, len(seeds), 1, machine=machine)
        first = network.rows(first_rows(method.init, network.sizes, seeds.tolist()))
        self.made = TrainingImage.of(plan, first, seeds, STACK)
        self.memory = self.made.image.memory
        self.before = self.memory.copy()
        self._again = bind(self.made.image.call)
        self.after = self.memory.copy()

    def here(self) -> float:
        """Train on this machine."""
        self.memory[:] = self.before
        began = perf_counter()
        self._again()
        return perf_counter() - began

    def results(self) -> list[bytes]:
        """Errors, weights and direction changes."""
        found = []
        for name, field in self.made.fields.items():
            if name.startswith(("errors", "losses", "weights.", "changes.")):
                _, dtype, shape, strides = field
                array = np.ndarray(shape, dtype, self.after, field.offset, strides)
                found.append(array.tobytes())
        return found


class Engine:
    """Node.js or a browser, which asks this process over HTTP what to do next."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.jobs: Queue[Any] = Queue()
        self.answers: Queue[Any] = Queue()
        engine = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.removeprefix("/")
                if name == "job":
                    content = json.dumps(engine.jobs.get()).encode()
                else:
                    content = engine.files.get(name, b"")
                self.send_response(200)
                kind = "application/octet-stream" if name else "text/html"
                self.send_header("Content-Type", "text/javascript" if ".js" in name else kind)
                self.send_header("Content-Length", str(len(content)))
                # With these two a page's clock has a resolution of 5 us.
                self.send_header("Cross-Origin-Opener-Policy", "same-origin")
                self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
                self.end_headers()
                with suppress(ConnectionError):  # it was asked to stop
                    self.wfile.write(content)

            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers["Content-Length"]))
                engine.answers.put(json.loads(text))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_arguments: Any) -> None:
                pass

        script = Path(__file__).with_suffix(".js")
        self.files["targets.js"] = script.read_bytes()
        self.files[""] = b'<!DOCTYPE html><script src="targets.js"></script>'
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    @contextmanager
    def started(self, command: list[str]) -> Iterator["Engine"]:
        """Serve what the command asks for."""
        Thread(target=self.server.serve_forever, daemon=True).start()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield self
        finally:
            self.jobs.put(None)
            process.terminate()
            process.wait()
            self.server.shutdown()
            self.server.server_close()

    def trainer(self, trained: Trained, code: bytes) -> Train:
        """Return what trains there."""
        files = {"code": code, "before": trained.before, "after": trained.after}
        job: dict[str, Any] = {"base": STACK}
        for key, content in files.items():
            job[key] = f"{key}-{len(self.files)}"
            self.files[job[key]] = bytes(content)

        def train() -> float:
            self.jobs.put(job)
            answer = self.answers.get(timeout=300)
            if "error" in answer:
                raise RuntimeError(answer["error"])
            if answer["differing"]:
                raise AssertionError(f"{answer['differing']} bytes differ")
            return float(answer["seconds"])

        return train


class Wasmtime:
    """The engine in the wheel."""

    def __init__(self) -> None:
        import wasmtime

        self.api = wasmtime
        options = wasmtime.Config()
        options.wasm_relaxed_simd = True
        self.engine = wasmtime.Engine(options)

    def trainer(self, trained: Trained, code: bytes) -> Train:
        """Return what trains there."""
        api, store, size = self.api, self.api.Store(self.engine), trained.before.size
        limits = api.Limits(-(-(STACK + size) // PAGE), None)
        memory = api.Memory(store, api.MemoryType(limits))
        made = api.Instance(store, api.Module(self.engine, code), [memory])
        function = made.exports(store)["train"]

        def train() -> float:
            memory.write(store, trained.before.tobytes(), STACK)
            began = perf_counter()
            function(store, STACK)
            seconds = perf_counter() - began
            if memory.read(store, STACK, STACK + size) != trained.after.tobytes():
                raise AssertionError("the bits differ")
            return seconds

        return train


def engines(stack: ExitStack) -> dict[str, Engine | Wasmtime]:
    """Start what there is, by names with versions."""
    found: dict[str, Engine | Wasmtime] = {}
    if find_spec("wasmtime"):
        found[f"wasmtime {version('wasmtime').partition('.')[0]}"] = Wasmtime()
    if node := shutil.which("node"):
        made = Engine()
        known = subprocess.run([node, RELAXED, "-e", "0"], capture_output=True, check=False)
        options = [] if known.returncode else [RELAXED]
        script = str(Path(__file__).with_suffix(".js"))
        stack.enter_context(made.started([node, *options, script, made.address]))
        found[f"Node.js {_version(node)}"] = made
    names = ("chromium", "chromium-browser", "google-chrome")
    named = os.environ.get("FASTGD_CHROMIUM")
    if browser := named or next(filter(None, map(shutil.which, names)), None):
        made = Engine()
        profile = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        command = [browser, *CHROMIUM, f"--user-data-dir={profile}", made.address]
        stack.enter_context(made.started(command))
        found[f"Chromium {_version(browser)}"] = made
    return found


def _version(program: str) -> str:
    """The major version."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return re.findall(r"\d+", said.stdout)[0]


def emission(trained: Trained, module: str, repeats: int) -> tuple[bytes, float]:
    """Emit a module and return it, and the seconds that this takes with an empty cache."""
    times, before = [], config.CACHE_DIR
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as empty:
            config.CACHE_DIR = empty
            began = perf_counter()
            code = trained.made.module(module)
            times.append(perf_counter() - began)
    config.CACHE_DIR = before
    return code, min(times)


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", metavar="NETWORK", choices=WORKS, help="; ".join(WORKS))
    parser.add_argument("--repeats", type=int, default=51)
    parser.add_argument("--quick", action="store_true", help="a smoke run, no figures")
    parser.add_argument("--write", action="store_true", help="write the document's table")
    given = parser.parse_args()
    if given.write and (given.quick or given.only):
        parser.error("--write writes the whole table: without --quick and --only")
    with ExitStack() as stack:
        text = table(engines(stack), given)
    print(text)
    if given.write:
        report.write_between_markers(documents.TABLES, text, "targets")


def table(found: dict[str, Engine | Wasmtime], given: argparse.Namespace) -> str:
    """Measure, and return the lines of both tables."""
    speeds, sizes = [], []
    for name, work in WORKS.items():
        if given.only not in (None, name):
            continue
        work = work.times(0.01) if given.quick else work
        own, page = Trained(work, None), Trained(work, WEBASSEMBLY)
        if own.results() != page.results():
            raise AssertionError("tiles of other shapes must give the same bits")
        ways: dict[tuple[str, str], Train] = {("", "here"): own.here}
        for module in MODULES:
            code, seconds = emission(page, module, 1 if given.quick else 3)
            packed = len(compress(code, 9))
            sizes.append(
                (f"train {name}", module, f"{len(code):,}", f"{packed:,}", f"{seconds:.2f} s")
            )
            ways |= {(key, module): engine.trainer(page, code) for key, engine in found.items()}
        times = {way: 1e9 / work.iterations * s for way, s in in_turn(ways, given).items()}
        here = times["", "here"]
        for key in found:
            cells = [f"train {name}", key, report.figure(here, "ns")]
            relaxed, exact = times[key, "wasm32-relaxed"], times[key, "wasm32"]
            cells += [report.figure(relaxed, "ns"), f"{report.digits(relaxed / here)}x"]
            speeds.append([*cells, report.figure(exact, "ns")])
    head = ("work", "engine", "native", "`wasm32-relaxed`", "ratio", "`wasm32`")
    small = ("work", "module", "bytes", "deflated", "emitted in")
    return "\n\n".join(
        [
            report.markdown_table(head, speeds),
            report.markdown_table(small, sizes),
            report.stamp(given.quick, ("fastgd", "numba", "llvmlite")) + ".",
        ]
    )


def in_turn(ways: dict[Any, Train], given: argparse.Namespace) -> dict[Any, float]:
    """Return the fewest seconds of each way: a, b, c, a, b, c, ..."""
    times: dict[Any, list[float]] = {way: [] for way in ways}
    for k in range(WARM + (1 if given.quick else given.repeats)):
        for way, train in ways.items():
            seconds = train()
            if k >= WARM:
                times[way].append(seconds)
    return {way: min(all_times) for way, all_times in times.items()}


if __name__ == "__main__":
    main()
