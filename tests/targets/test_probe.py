"""The probe tells whether an engine fuses relaxed_madd."""

import shutil
import subprocess
from pathlib import Path

import pytest

from fastgd.kernel.call_image import probe_module

SCRIPT = """
const bytes = require("fs").readFileSync(process.argv[1]);
WebAssembly.instantiate(bytes).then(
  ({instance}) => { instance.exports.probe(65536); console.log("fused"); }
).catch((error) => console.log(error.name));
"""


RELAXED = "--experimental-wasm-relaxed-simd"


@pytest.mark.parametrize(
    ("options", "said"),
    [((RELAXED,), "fused"), ((RELAXED, "--no-enable-fma3"), "RuntimeError")],
)
def test_in_node(tmp_path, options, said):
    node = shutil.which("node")
    processor = Path("/proc/cpuinfo")
    if node is None or not processor.is_file() or " fma " not in processor.read_text():
        pytest.skip("needs Node.js and a processor with fused multiply-adds")
    module = tmp_path / "probe.wasm"
    module.write_bytes(probe_module())
    command = [node, *options, "-e", SCRIPT, str(module)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if "bad option" in made.stderr:
        pytest.skip("this Node.js has no such options")
    assert made.stdout.strip() == said, made.stderr
