"""The worked examples of CONTRIBUTING: what they change, and that it works.

Each is a file of ``examples/changes``, which the page includes.
"""

import os
import re
import shutil
import subprocess
import sys

import pytest

from cases import XOR_CODE
from document import ROOT

PAGE = ROOT / "docs" / "contributing.md"
TEXT = PAGE.read_text(encoding="utf-8").split("\n## Worked examples\n")[1].partition("\n## ")[0]
CHANGES = ROOT / "examples" / "changes"
INCLUDED = re.findall(
    r"^### ([^\n]+): (\d+) files$.*?"
    r"^```\{literalinclude\} \.\./examples/changes/(\w+\.diff)\n:language: diff\n```\n\n"
    r"Not shown: (.*?)\n\n",
    TEXT + "\n",
    re.MULTILINE | re.DOTALL,
)
"""Of each example: its title, the number of its files, its file in CHANGES, what is not shown."""
EXAMPLES = {
    title: (
        int(count),
        (CHANGES / name).read_text(encoding="utf-8"),
        {*re.findall(r"`([\w/-]+\.\w+)`", others)},
    )
    for title, count, name, others in INCLUDED
}
"""Of each: the number of files, what changes in most of them, and the names of the others."""
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
    "A new loss": AGREE.format("loss='log_cosh', width=0.5")
    + "s = fastgd.sweep(X, y, loss='log_cosh', width=[0.5, 2], iterations=60, alpha=0.5)\n"
    "assert list(s.axes) == ['width'] and s[0].final_error == a.final_error\n",
    "A new optimizer": AGREE.format("optimizer=optimizers.AdaMax(beta1=0.8)"),
    "A new numeric option": AGREE.format("clip_gradient=0.01")
    + "s = fastgd.sweep(X, y, clip_gradient=[0.01, 0.1], iterations=60, alpha=0.5)\n"
    "assert list(s.axes) == ['clip_gradient'] and s[0].final_error == a.final_error\n"
    "assert 'clip_gradient : float, default inf' in fastgd.train.__doc__\n",
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
    """A copy of the package to change, with its tests and documents."""
    for room in ("src", "tests", "docs", "examples"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
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
            assert not old or text.count(old) == 1, (
                f"examples/changes must quote {name} as it is, which has no longer once:\n{old}"
            )
            text = text.replace(old, new, 1)
        path.write_text(text, encoding="utf-8")


def python(code, package):
    """Use a changed copy of the package."""
    return run(["-c", code], package)


def run(words, package):
    """Run Python with these arguments in a changed copy."""
    return subprocess.run(
        [sys.executable, *words],
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
    without = [(package / name).read_text() for name in files if name != "docs/methods.md"]
    assert not any("max_norm" in text.replace("``max_norm``", "") for text in without)
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
    assert len(INCLUDED) == TEXT.count("\n### ")
    assert {name for _, _, name, _ in INCLUDED} == {path.name for path in CHANGES.iterdir()}
    assert all(f"](../examples/changes/{name})" in TEXT for _, _, name, _ in INCLUDED)


PYTEST = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "slow or not slow"]
DECLARED = "tests/arguments/test_declarations.py", "tests/test_modules.py", "-k"
FAR_OUT = "tests/training/test_far_out.py"
NAMES, IN_TABLES = "tests/documents/test_name_tables.py", "those_of_the_docstrings"
ASKED = {
    "A new activation": (*DECLARED, "softsign", FAR_OUT),
    "A new loss": (*DECLARED, "log_cosh", FAR_OUT),
    "A new optimizer": (NAMES, *DECLARED, f"AdaMax or optimizers or {IN_TABLES}"),
    "A new numeric option": (*DECLARED, "clip_gradient or layer or kernel"),
    "A new step over whole units": (*DECLARED, "max_norm or layer or kernel"),
    "A new plot": (
        NAMES, "tests/documents/test_gallery.py", "-k",
        f"every or title or final_errors or {IN_TABLES}",
    ),
    "A new command": ("tests/cli/test_app.py",),
}  # fmt: skip
"""The tests that say what is missing."""


@pytest.mark.parametrize("title", EXAMPLES)
def test_a_worked_example_names_all_its_files(title):
    count, patch, others = EXAMPLES[title]
    assert count == len({*files_of(patch), *others})
    assert "CHANGELOG.md" in others
    assert ("tests/cases.py" in files_of(patch)) == ("tests/golden.json" in others)


@pytest.mark.slow
@pytest.mark.parametrize("title", EXAMPLES)
def test_a_worked_example_works_and_nothing_is_missing(title, package):
    files = files_of(EXAMPLES[title][1])
    if title == IN_PACKAGE:
        apply(files, package, back=True)
    apply(files, package)
    for name in EXAMPLES[title][2]:
        (package / name).touch()
    done = python(USED[title], package)
    assert done.returncode == 0, done.stderr
    tested = run([*PYTEST, *ASKED[title]], package)
    assert tested.returncode == 0, tested.stdout


OPTION = "A new numeric option"
SOURCE = "src/fastgd/"
APPLIES = r'applies_to=AllBut\(.*\),\n(?= *feature="clipping")'
FORGOTTEN = {
    "that it applies to less": (
        f"{SOURCE}arguments/declarations.py", APPLIES, "applies_to=EVERYTHING,\n",
        "LevenbergMarquardt doesn't read clip_gradient: its declaration must say",
    ),
    "the name of the argument": (
        f"{SOURCE}kernel/iteration/updates.py", r"clipping(?=\.clip_gradient)", "chosen",
        "reads clipping.clip_gradient: the argument that takes the feature must be named clipping",
    ),
    "the twin": (
        f"{SOURCE}reference/layer.py", r"np\.clip\(g, .*\)", "g",
        "the twin in src/fastgd/reference differs with clip_gradient",
    ),
    "the case": (
        "tests/cases.py", r".*clip_gradient.*\n", "", "no case in tests/cases.py"
    ),
    "the row": (
        "docs/methods.md", r".*clip_gradient.*\n", "",
        "no row of a table in docs/methods.md has `clip_gradient=...`",
    ),
    "the layer of a new module": (
        f"{SOURCE}kernel/clipping.py", "$", '"""A new module."""',
        "fastgd.kernel has no layer for ['clipping']: write it into the contract 'The kernel is",
    ),
}  # fmt: skip


def forget(name, pattern, instead, package):
    """Change a copy that has the worked option: a step is missing or wrong."""
    apply(files_of(EXAMPLES[OPTION][1]), package)
    path = package / name
    text, count = re.subn(pattern, instead, path.read_text() if path.exists() else "")
    assert count == 1
    path.write_text(text)


@pytest.mark.slow
@pytest.mark.parametrize("step", FORGOTTEN)
def test_a_forgotten_step_fails_and_names_what_is_missing(step, package):
    *change, message = FORGOTTEN[step]
    forget(*change, package)
    tested = run([*PYTEST, *ASKED[OPTION]], package)
    assert tested.returncode == 1
    assert message in " ".join(tested.stdout.split())


def test_an_option_that_does_not_say_what_it_applies_to_fails_the_import(package):
    forget(f"{SOURCE}arguments/declarations.py", APPLIES, "", package)
    done = python("import fastgd.arguments.declarations", package)
    assert "declaration of clip_gradient must say what it applies to: applies_to=" in done.stderr
