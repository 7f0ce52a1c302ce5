"""The live page's modules in Node.js, where there is one."""

import json
import shutil
import subprocess
from importlib.resources import files
from typing import Any

import pytest

NODE = shutil.which("node")
FOLDER = files("fastgd.article.page.live")

needs_node = pytest.mark.skipif(NODE is None, reason="needs Node.js")


def in_node(script: str, folder, given: Any = None) -> Any:
    """Run a script next to the page's modules.

    ``given`` is there as a constant; ``answer(value)`` sets what this function returns.
    """
    for file in FOLDER.iterdir():
        if file.name.endswith(".js"):
            (folder / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "given.json").write_text(json.dumps(given))
    head = (
        'import { readFileSync, writeFileSync } from "node:fs";\n'
        'const given = JSON.parse(readFileSync("given.json"));\n'
        'const answer = (value) => writeFileSync("answer.json", JSON.stringify(value));\n'
    )
    (folder / "script.js").write_text(head + script, encoding="utf-8")
    made = subprocess.run(
        [NODE, "--experimental-wasm-relaxed-simd", "script.js"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return json.loads((folder / "answer.json").read_text(encoding="utf-8"))
