"""The first training of a fresh Python, with an empty and with a filled cache."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from workload import XOR_CODE

FIRST = f"{XOR_CODE}import fastgd; fastgd.train(X, y, iterations=1)"


def start(cache: Path, code: str) -> None:
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_numba_alone(benchmark: Any, tmp_path: Path) -> None:
    """What the next two hold of Python and Numba themselves."""
    benchmark.pedantic(start, (tmp_path, "import numba"), rounds=3)


def test_cold(benchmark: Any, tmp_path: Path) -> None:
    benchmark.pedantic(start, (tmp_path, FIRST), rounds=1)
    assert any(tmp_path.rglob("*")), "nothing was cached"


def test_warm(benchmark: Any, tmp_path: Path) -> None:
    start(tmp_path, FIRST)
    benchmark.pedantic(start, (tmp_path, FIRST), rounds=3)
