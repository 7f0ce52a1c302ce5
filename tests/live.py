"""The page's JavaScript in Node: its modules, and what Python puts into the page."""

import json
import shutil
import subprocess
from importlib.resources import files

import pytest

NODE = shutil.which("node")
FLAGS = ("--no-warnings", "--experimental-wasm-relaxed-simd")

needs_node = pytest.mark.skipif(NODE is None, reason="needs Node.js")


def in_node(script, folder, *, given=None, flags=FLAGS):
    """Run a script that may import the page's modules (``./live/...``); gives back its answer.

    It finds what it is given as ``given``, and calls ``answer(found)``.
    """
    live = folder / "live"
    if not live.exists():
        live.mkdir()
        for file in files("fastgd.article.page.live").iterdir():
            if file.name.endswith(".js"):
                (live / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "given.json").write_text(json.dumps(given))
    head = """
import { readFileSync, writeFileSync } from "node:fs";
const given = JSON.parse(readFileSync("given.json"));
const answer = (found) => writeFileSync("answer.json", JSON.stringify(found));
"""
    (folder / "script.js").write_text(head + script, encoding="utf-8")
    made = subprocess.run(
        [NODE, *flags, "script.js"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,  # a script that waits for ever is an error, too
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return json.loads((folder / "answer.json").read_text())
