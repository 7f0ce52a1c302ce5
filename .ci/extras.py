"""Call what each extra is for, in a bare environment: .ci/extras.py python3.11 python3.13 ...

For each of these Pythons and each extra, uv makes a virtual environment with nothing but fastgd and
that extra. The sizes of the environments are printed.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]

FOR_DEVELOPERS = {"bench", "dev", "docs", "executors", "ptx", "release", "studies", "test"}
"""Extras that are not tried here."""

HEAD = """
import subprocess, sys
from importlib.util import find_spec
from pathlib import Path

import fastgd

X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
few = dict(alpha=10, iterations=100, record_every=10)
run = fastgd.train(X, y, **few)

def command(line, code=0):
    words = [sys.executable, "-m", "fastgd", *line.split()]
    ended = subprocess.run(words, text=True, capture_output=True)
    assert ended.returncode == code, (line, ended)
    return ended.stdout + ended.stderr
"""

ALONE = """
assert command("--version") == command("-V") == f"fastgd {fastgd.__version__}\\n"
assert command("--version --json").startswith('{"fastgd"')
assert command("--help") == command("-h") == command("")
for said in (command("-h"), command("train table.csv", 2)):
    assert 'pip install "fastgd[cli]"' in said
try:
    fastgd.train(X, y, **few, progress=True)
except ImportError as error:
    assert str(error) == "progress=True needs tqdm: pip install tqdm"
else:
    raise AssertionError("tqdm is here")
"""

CLI = """
assert not find_spec("pandas") and not find_spec("pyarrow")
rows = [f"{i % 7},{i % 5},{i % 7 + 2 * (i % 5)},{'ab'[i % 7 > 3]}" for i in range(40)]
Path("table.csv").write_text("\\n".join(["u,v,w,kind", *rows]))
Path("numbers.csv").write_text("a,b,y\\n0,0,0\\n0,1,1\\n1,0,1\\n1,1,0\\n")
few = "numbers.csv --target y --iterations 100 --record-every 10"
for line in (
    "tutorial --no-progress",
    "fit table.csv --target w --save w.npz",
    "predict w.npz table.csv --csv out.csv",
    "fit table.csv --target kind --save kind.npz",
    "predict kind.npz table.csv --csv kinds.csv",
    f"train {few} --save run.npz --progress",
    f"sweep {few} --seeds 3 --csv sweep.csv",
    "race --iterations 100",
    "bucket x**2 --start 2 --alpha 0.1",
    "export run.npz run.js",
    "devices",
    "train -h",
):
    assert command(line), line
Path("table.parquet").touch()
assert 'pip install "fastgd[parquet]"' in command("train table.parquet --target y", 2)
"""

DASK = """
from distributed import Client

with Client(processes=False, dashboard_address=None) as client:
    fastgd.sweep(X, y, seed=range(3), **few, executor=client.get_executor())
"""

PARQUET = """
import pandas

pandas.DataFrame({"a": range(40), "b": range(3, 43)}).to_parquet("table.parquet")
fastgd.fit("table.parquet", target="b")
"""

SKLEARN = """
from fastgd.sklearn import FastGDRegressor

FastGDRegressor(tol=0.01).fit(X, y).predict(X)
"""

CALLS = {
    "": ALONE,
    "cli": CLI,
    "cuda": "fastgd.devices()",
    "dask": DASK,
    "dataframe": "run.to_dataframe()",
    "onnx": "run.to_onnx('run.onnx')",
    "parquet": PARQUET,
    "plot": "fastgd.plots.write(fastgd.plots.errors(run).figure, 'errors.png')",
    "scipy": "fastgd.minimize(X, y)",
    "sklearn": SKLEARN,
    "xarray": "fastgd.sweep(X, y, seed=range(3), **few).to_xarray()",
}
"""What is called with each extra; the first is without one."""


def size(folder: Path) -> float:
    """Return the megabytes of the files in a folder, without what Python compiles."""
    files = (path for path in folder.rglob("*") if "__pycache__" not in path.parts)
    return sum(path.stat().st_size for path in files if path.is_file()) / 1e6


def check(python: str, extra: str, folder: Path, cache: str) -> None:
    """Make an environment in this folder, call what the extra is for, and print a line."""
    environment = folder / "environment"
    interpreter = environment / "bin" / "python"
    uv = [sys.executable, "-m", "uv"]
    wanted = f"{ROOT}[{extra}]" if extra else str(ROOT)
    subprocess.run([*uv, "venv", "--quiet", "--python", python, environment], check=True)
    install = [*uv, "pip", "install", "--quiet", "--python", interpreter, wanted]
    subprocess.run(install, check=True)
    told = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    told["NUMBA_CACHE_DIR"] = cache
    subprocess.run([interpreter, "-c", HEAD + CALLS[extra]], check=True, cwd=folder, env=told)
    print(f"{Path(python).name} {extra or 'no extra':10} {size(environment):4.0f} MB", flush=True)


def main(*pythons: str) -> None:
    """Check all extras on each of the Pythons."""
    for python in pythons:
        with tempfile.TemporaryDirectory() as cache:
            for extra in CALLS:
                with tempfile.TemporaryDirectory() as folder:
                    check(python, extra, Path(folder), cache)


if __name__ == "__main__":
    main(*sys.argv[1:])
