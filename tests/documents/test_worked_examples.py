"""The worked examples of CONTRIBUTING: what they change, and that it works."""

import os
import re
import subprocess
import sys

import pytest

from cases import XOR_CODE
from document import ROOT

TEXT = (
    (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8").split("## Worked examples")[1]
)
EXAMPLES = {
    title: (int(count), patch)
    for title, count, patch in re.findall(
        r"^### ([^\n]+): (\d) files$.*?^```diff\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL
    )
}
AGREE = (
    "import fastgd, numpy as np\nfrom fastgd import optimizers, reference\n"
    + XOR_CODE
    + "given = dict(iterations=60, record_every=7, alpha=0.5, {})\n"
    "a, b = fastgd.train(X, y, **given), reference.train(X, y, **given)\n"
    "assert np.allclose(a.errors, b.errors, rtol=1e-12), (a, b)\n"
    "plain = fastgd.train(X, y, iterations=60, alpha=0.5)\n"
    "assert a.final_error != plain.final_error\n"
)
SWEEP = (
    "import fastgd, fastgd.plots\n"
    + XOR_CODE
    + "s = fastgd.sweep(X, y, iterations=9, seed=[1, 2])\n"
)
USED = {
    "A new activation": AGREE.format("activation='softsign', output='softsign'"),
    "A new loss": AGREE.format("loss='cauchy', width=0.5")
    + "s = fastgd.sweep(X, y, loss='cauchy', width=[0.5, 2], iterations=60, alpha=0.5)\n"
    "assert list(s.axes) == ['width'] and s[0].final_error == a.final_error\n",
    "A new optimizer": AGREE.format("optimizer=optimizers.AdaMax(beta1=0.8)"),
    "A new numeric option": AGREE.format("clip_gradient=0.01")
    + "s = fastgd.sweep(X, y, clip_gradient=[0.01, 0.1], iterations=60, alpha=0.5)\n"
    "assert list(s.axes) == ['clip_gradient'] and s[0].final_error == a.final_error\n"
    "assert 'clip_gradient : float, default inf' in fastgd.arguments.options.Options.__doc__\n",
    "A new step over whole units": AGREE.format("max_norm=0.5")
    + "s = fastgd.sweep(X, y, max_norm=[0.5, 0.1], iterations=60, alpha=0.5)\n"
    "assert list(s.axes) == ['max_norm'] and s[0].final_error == a.final_error\n",
    "A new plot": SWEEP
    + "ax = fastgd.plots.final_errors(s)\nassert sum(p.get_height() for p in ax.patches) == 2\n",
    "A new command": SWEEP + "import io, contextlib\nfrom fastgd.cli import main\ns.save('s.npz')\n"
    "with contextlib.redirect_stdout(io.StringIO()) as said:\n"
    "    assert not main(['show', 's.npz'])\n"
    "assert said.getvalue().startswith('Sweep(seed: 2')\n",
}

IN_PACKAGE = "A new step over whole units"
"""An example that is applied already."""


def files_of(patch):
    """The hunks of each file: the lines that are there before, and those after."""
    files = {}
    for line in patch.splitlines():
        if line.startswith("--- "):
            continue
        if line.startswith("+++ "):
            hunks = files.setdefault(line.removeprefix("+++ b/"), [])
        elif line == "@@":
            hunks.append(([], []))
        else:
            before, after = hunks[-1]
            if not line.startswith("+"):
                before.append(line[1:])
            if not line.startswith("-"):
                after.append(line[1:])
    return files


@pytest.fixture
def package(tmp_path):
    """A copy of the package to change."""
    for path in (ROOT / "src").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            target = tmp_path / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return tmp_path


def apply(files, package, *, back=False):
    """Change a copy of the package, or change it back."""
    for name, hunks in files.items():
        path = package / name
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        for hunk in hunks:
            old, new = ("".join(f"{line}\n" for line in lines) for lines in hunk)
            if back:
                old, new = new, old
            assert not old or text.count(old) == 1, f"{name} has no longer once:\n{old}"
            text = text.replace(old, new, 1)
        path.write_text(text, encoding="utf-8")


def python(code, package):
    """Use a changed copy of the package."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=package,
        env={
            "PYTHONPATH": str(package / "src"),
            "NUMBA_CACHE_DIR": str(package),
            "NUMBA_OPT": os.environ["NUMBA_OPT"],
            "HOME": "/",
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_example_is_in_the_package(package):
    files = files_of(EXAMPLES[IN_PACKAGE][1])
    applied = {name: (package / name).read_bytes() for name in files}
    apply(files, package, back=True)
    without = {name: (package / name).read_text() for name in files}
    assert not any("max_norm" in text.replace("``max_norm``", "") for text in without.values())
    apply(files, package)
    assert {name: (package / name).read_bytes() for name in files} == applied


@pytest.mark.slow
def test_the_package_works_without_it(package):
    apply(files_of(EXAMPLES[IN_PACKAGE][1]), package, back=True)
    use = f"import fastgd\n{XOR_CODE}fastgd.train(X, y, iterations=9)\n"
    done = python(use, package)
    assert done.returncode == 0, done.stderr
    refused = python(f"{use}fastgd.train(X, y, iterations=9, max_norm=0.5)\n", package)
    assert "TypeError" in refused.stderr
    assert "max_norm" in refused.stderr


def test_all_are_there():
    assert EXAMPLES.keys() == USED.keys()


@pytest.mark.slow
@pytest.mark.parametrize("title", EXAMPLES)
def test_a_worked_example_touches_so_many_files_and_works(title, package):
    count, patch = EXAMPLES[title]
    files = files_of(patch)
    assert len(files) == count
    if title == IN_PACKAGE:
        apply(files, package, back=True)
    apply(files, package)
    done = python(USED[title], package)
    assert done.returncode == 0, done.stderr
