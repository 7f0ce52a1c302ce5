"""Each extra in a bare environment: .ci/extras.py python3.11 python3.13

For each of these Pythons and each extra, uv makes a virtual environment with nothing but fastgd and
that extra, where what the extra is for is called. The sizes of the environments are printed.
"""

import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

FOR_DEVELOPERS = {"bench", "dev", "docs", "executors", "ptx", "release", "studies", "test"}

HEAD = """
import subprocess, sys
from importlib.util import find_spec
from pathlib import Path
import fastgd
X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
few = dict(alpha=10, iterations=100, record_every=10)
run = fastgd.train(X, y, **few)
def command(line, code=0):
    ended = subprocess.run([sys.executable, "-m", "fastgd", *line.split()], text=True, capture_output=True)
    assert ended.returncode == code, (line, ended)
    return ended.stdout + ended.stderr
"""

CALLS = {
    "": """
assert command("--version") == command("-V") == f"fastgd {fastgd.__version__}\\n"
assert command("--help") == command("-h") == command("")
assert 'pip install "fastgd[cli]"' in command("-h")
assert 'pip install "fastgd[cli]"' in command("train table.csv", 2)
try:
    fastgd.train(X, y, **few, progress=True)
except ImportError as error:
    assert str(error) == "progress=True needs tqdm: pip install tqdm"
""",
    "cli": """
assert not find_spec("pandas") and not find_spec("pyarrow")
rows = "".join(f"{i % 7},{i % 5},{i % 7 + 2 * (i % 5)},{'ab'[i % 7 > 3]}\\n" for i in range(40))
Path("table.csv").write_text("u,v,w,kind\\n" + rows)
Path("numbers.csv").write_text("a,b,c,y\\n" + "".join(f"{str(x)[1:-1]},{t}\\n" for x, t in zip(X, y)))
train = "numbers.csv --target y --iterations 100 --record-every 10"
for line in (
    "tutorial --no-progress", "fit table.csv --target w --save w.npz", "predict w.npz table.csv --csv out.csv",
    "fit table.csv --target kind --save kind.npz", "predict kind.npz table.csv --csv kinds.csv",
    f"train {train} --save run.npz --progress", f"sweep {train} --seeds 3 --csv sweep.csv", "race --iterations 100",
    "bucket x**2 --start 2 --alpha 0.1", "export run.npz run.js", "devices", "precompile --help", "train -h",
):
    assert command(line), line
assert 'pip install "fastgd[parquet]"' in command("train table.parquet --target y", 2)
""",
    "cuda": "fastgd.devices()",
    "dask": """
from distributed import Client
with Client(processes=False, dashboard_address=None) as client:
    fastgd.sweep(X, y, seed=range(3), **few, executor=client.get_executor())
""",
    "dataframe": "assert len(run.to_dataframe()) == len(run.errors)",
    "onnx": "run.to_onnx('run.onnx')",
    "parquet": """
import pandas
pandas.DataFrame({"a": range(40), "b": [i * i for i in range(40)]}).to_parquet("table.parquet")
fastgd.fit("table.parquet", target="b")
""",
    "plot": "fastgd.plots.errors(run).figure.savefig('errors.png')",
    "scipy": "fastgd.minimize(X, y)",
    "sklearn": "from fastgd.sklearn import FastGDRegressor; FastGDRegressor(max_iter=10).fit(X, y).predict(X)",
    "xarray": "fastgd.sweep(X, y, seed=range(3), **few).to_xarray()",
}  # fmt: skip
"""What is called with each extra; the first has none."""


def size(folder: Path) -> float:
    """Return the megabytes of the files in a folder, without what Python compiles."""
    files = (path for path in folder.rglob("*") if "__pycache__" not in path.parts)
    return sum(path.stat().st_size for path in files if path.is_file()) / 1e6


def main(*pythons: str) -> None:
    """Print a line for each Python and extra, with the size of its environment."""
    if missing := EXTRAS.keys() ^ FOR_DEVELOPERS ^ CALLS.keys() ^ {""}:
        sys.exit(f"each extra must have a call or be for developers, got {sorted(missing)}")
    with tempfile.TemporaryDirectory() as folder:
        for python in pythons:
            for extra, calls in CALLS.items():
                where = Path(folder, f"{Path(python).name}-{extra}")
                env = where / "env"
                wanted = f"{ROOT}[{extra}]" if extra else str(ROOT)
                uv = [sys.executable, "-m", "uv"]
                subprocess.run([*uv, "venv", "-q", "--python", python, env], check=True)
                interpreter = env / "bin" / "python"
                install = [*uv, "pip", "install", "-q", "--python", interpreter, wanted]
                subprocess.run(install, check=True)
                cache = {"NUMBA_CACHE_DIR": str(where.with_name("cache"))}
                told = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
                call = [interpreter, "-c", HEAD + calls]
                subprocess.run(call, check=True, cwd=where, env=told | cache)
                print(f"{python} {extra or 'alone':10} {size(env):4.0f} MB", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
