"""Every code block of the documents does what it says."""

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from document import DOCUMENTS, ROOT, blocks, name

# A copy of what a block may need; fastgd itself is the one that is tested.
COPIED = (".ci", ".github", "bench", "conda", "docs", "examples", "src", "tests")
COMMAND = re.compile(r"^\s*(\$ |fastgd |python|pip |ruff |mypy|lint-imports)", re.MULTILINE)
README = ROOT / "README.md"


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A copy of the repository to work in."""
    ignored = shutil.ignore_patterns("__pycache__", ".*", "build")
    for folder in COPIED:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    for path in ROOT.iterdir():
        if path.suffix in {".md", ".toml", ".cff"} or path.name == "LICENSE":
            shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def environment():
    """The environment of a block: this Python's commands first, nothing of this pytest's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return kept | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def run_python(block, path, names):
    text = block.text
    test = doctest.DocTestParser().get_doctest(text, names, name(path), str(path), block.line - 1)
    assert test.examples, f"{name(path)}, line {block.line}: a python block needs >>> lines"
    assert "+SKIP" not in text, f"{name(path)}, line {block.line}: nothing is skipped"
    said = []
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(test, out=said.append, clear_globs=False)
    assert not runner.failures, "".join(said)
    names.update(test.globs)


def run_bash(block, path):
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.script()],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    where = f"{name(path)}, line {block.line}"
    assert done.returncode == 0, f"{where}\n{block.script()}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def runnable(path):
    """The blocks to run; the README's first two commands are what ``.ci/run`` runs."""
    found = [block for block in blocks(path) if block.language in {"python", "bash"}]
    if path == README:
        return [block for block in found if block not in two_commands()]
    return [block for block in found if not block.needed]


def two_commands():
    return [block for block in blocks(README) if block.language == "bash"][:2]


NEEDED = {"docs/export.md": ("cc", "node")}
"""Programs besides Python that the blocks of a page call."""


@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path in DOCUMENTS if runnable(path)], ids=name)
@pytest.mark.usefixtures("checkout")
def test_blocks_run(path):
    for program in NEEDED.get(name(path), ()):
        if shutil.which(program) is None:
            pytest.skip(f"the page calls {program}, which is not installed")
    names = {"__name__": "__main__"}
    for block in runnable(path):
        if block.language == "python":
            run_python(block, path, names)
        elif block.script():
            run_bash(block, path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "block"),
    [
        pytest.param(path, block, id=f"{name(path)}-{block.needed}")
        for path in DOCUMENTS
        for block in blocks(path)
        if block.needed
    ],
)
@pytest.mark.usefixtures("checkout")
def test_blocks_that_need_a_program_print_what_stands_below(path, block, monkeypatch):
    """On MPI and Ray: the digest that the page has of the same sweep in one process."""
    if shutil.which(block.needed, path=environment()["PATH"]) is None:
        pytest.skip(f"the block calls {block.needed}, which is not installed")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # no key in the home folder
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    printed = run_bash(block, path).strip()
    _, _, below = path.read_text(encoding="utf-8").partition(block.text)
    assert printed
    assert f"`{printed}`" in below


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_blocks_are_python_bash_or_no_code(path):
    for block in blocks(path):
        where = f"{name(path)}, line {block.line}"
        if block.language.startswith("{"):  # a directive of Sphinx
            continue
        assert block.language in {"python", "bash", "text"}, f"{where}: {block.language!r}"
        if block.language == "text":
            assert not COMMAND.search(block.text), f"{where}: commands are bash blocks, which run"


@pytest.mark.parametrize("path", [one for one in DOCUMENTS if one.parent.name != "bench"], ids=name)
def test_lines_of_code_fit_the_column_of_the_site(path):
    wide = [
        f"{name(path)}, line {block.line}: {block.wide_lines()}"
        for block in blocks(path)
        if block.wide_lines()
    ]
    assert not wide, "\n".join(wide)


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_what_ci_is_said_to_run_stands_there(path):
    common = "".join((ROOT / ".ci" / name).read_text() for name in ("common", "package"))
    common += "\n".join(block.text for block in two_commands())  # which .ci/run takes from there
    for block in blocks(path):
        if block.language == "bash":
            for script, command in block.left_to_ci():
                ci = (ROOT / script).read_text() + common
                ci = ci.replace(" --quiet", "").replace("python -m", "python3 -m")
                assert command in ci, f"{name(path)}, line {block.line}: {command}"


def test_the_readme_opens_with_the_two_commands():
    # .ci/common takes them from there.
    assert [block.text for block in two_commands()] == [
        "python3 -m pip install -e '.[cli]' && fastgd tutorial\n",
        "python3 -m pip install -e '.[test]' && python3 -m pytest -n auto\n",
    ]
    assert "README.md" in (ROOT / ".ci" / "common").read_text()


def test_the_readme_is_a_door():
    assert len(README.read_text().splitlines()) <= 150


def test_many_models_take_few_lines():
    for block in blocks(ROOT / "docs" / "many-models.md"):
        code = re.findall(r"^(?:>>>|\.\.\.) ?.*$", block.text, re.MULTILINE)
        assert len(code) < 10, f"line {block.line}"


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=name)
def test_examples_run(path, tmp_path):
    done = subprocess.run(
        [sys.executable, path], env=environment(), cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    drawn = re.findall(r"^Drawn to (.+)$", done.stdout, re.MULTILINE)
    assert all((tmp_path / picture).stat().st_size > 10_000 for picture in drawn)
    assert len(done.stdout.splitlines()) >= 3
    assert len(path.read_text().splitlines()) <= 40
