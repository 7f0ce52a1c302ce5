"""The sdist and the wheel: the same bytes from any folder, with all that belongs in them."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
IGNORED = shutil.ignore_patterns(".git", ".*_cache", "__pycache__", ".venv", ".hypothesis", "build")
EPOCH = "1764374400"  # 2025-11-29


def build(target):
    """Build both from a copy: other times of the files, another path."""
    source = target / "source"
    shutil.copytree(ROOT, source, ignore=IGNORED, copy_function=shutil.copy)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", target / "dist"],
        cwd=source,
        env=os.environ | {"SOURCE_DATE_EPOCH": EPOCH},
        check=True,
        capture_output=True,
    )
    wheel, sdist = sorted((target / "dist").iterdir(), key=lambda path: path.suffix, reverse=True)
    return sdist, wheel


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build(tmp_path_factory.mktemp("built"))


def test_two_builds_have_the_same_bytes(built, tmp_path):
    for first, second in zip(built, build(tmp_path), strict=True):
        assert first.name == second.name
        assert first.read_bytes() == second.read_bytes()


def test_the_wheel_has_the_package_and_nothing_else(built):
    wheel = zipfile.ZipFile(built[1])
    assert {entry.date_time[:3] for entry in wheel.infolist()} == {(2025, 11, 29)}
    names = set(wheel.namelist())
    folder = ROOT / "src"
    sources = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and path.suffix not in {".nbi", ".nbc"}
    }
    assert {name for name in names if ".dist-info/" not in name} == sources
    assert {path.rpartition(".")[2] for path in sources} == {
        "py",
        "pyi",
        "typed",
        "json",
        "js",
        "css",
        "html",
    }
    for needed in ("py.typed", "article/published.json", "article/page/page.html"):
        assert f"fastgd/{needed}" in names
    infos = {name.partition(".dist-info/")[2] for name in names} - {""}
    assert infos == {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    [metadata] = [name for name in names if name.endswith("/METADATA")]
    text = wheel.read(metadata).decode()
    assert text.startswith("Metadata-Version: 2.4\n")
    links = re.findall(r"\]\([^)]+\)", text)
    assert len(links) == README.read_text().count("](") > 50
    at = r"https://(github\.com/\w+/fastgd/blob|raw\.githubusercontent\.com/\w+/fastgd)/v[\d.]+/"
    assert [link for link in links if not re.match(rf"\]\({at}\w", link)] == []
    images = re.findall(r"!\[[^]]*\]\((.+?)\)", text)
    assert images
    assert all(link.startswith("https://raw.") for link in images)


def test_the_sdist_has_what_builds_and_tests_it(built):
    with tarfile.open(built[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {name.partition("/")[0] for name in names} == {
        ".ci", ".github", ".gitignore", ".pre-commit-config.yaml",
        "bench", "conda", "docs", "examples", "src", "tests",
        "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "PKG-INFO", "README.md",
        "SECURITY.md", "pyproject.toml",
    }  # fmt: skip
    for needed in ("tests/golden.json", "docs/images/trainability.png", ".ci/run"):
        assert needed in names
    for folder in ("docs", "tests", "examples", "bench"):
        for path in (ROOT / folder).rglob("*.py"):
            assert path.relative_to(ROOT).as_posix() in names


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_nothing_is_published_that_git_does_not_have(tmp_path):
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "package", tmp_path / ".ci")
    shutil.copy(ROOT / ".gitignore", tmp_path)

    def git(*words):
        subprocess.run(["git", "-C", tmp_path, *words], check=True, capture_output=True)

    def package():
        """Up to the first thing after the check: the Python, which is none."""
        environment = os.environ | {"UNCOMMITTED": ""}
        command = [tmp_path / ".ci" / "package", tmp_path / "dist", tmp_path / "no-python"]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert ended.returncode != 0
        return ended.stdout + ended.stderr

    git("init")
    git("add", ".")
    git("-c", "user.name=N", "-c", "user.email=n@localhost", "commit", "--message", "all")
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "ignored").touch()
    assert "no-python" in package()
    (tmp_path / "notes.md").touch()
    assert package() == "all files must be committed or ignored, got\n?? notes.md\n"
