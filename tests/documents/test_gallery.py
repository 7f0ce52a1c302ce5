"""Every picture of the documents has its whole code, in files that these tests run."""

import contextlib
import os
import re
import runpy
import shlex
import subprocess
import sys
from inspect import signature
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from document import ROOT, WIDTH
from fastgd import plots
from fastgd.cli.app import COMMANDS
from fastgd.cli.saved_commands import KINDS

EXAMPLES = ROOT / "examples"
FILES = sorted(path for path in (EXAMPLES / "gallery").iterdir() if path.suffix in {".py", ".sh"})
PAGES = [ROOT / "docs" / name for name in ("plots.md", "results.md")]

NO_PICTURES = {"page-live.gif", "page-phone.png", "performance.png"}
"""What shows the article's page, and what `bench/` measures."""

QUICK = {
    "bucket_balls.py": {"0.02": "0.2"},
    "bucket_balls.sh": {"0.02": "0.2"},
    "bucket_basins_film.py": {"0.02": "0.2"},
    "bucket_basins_film.sh": {"0.02": "0.2"},
    "decision_map.py": {"1000": "10", "30": "3", "150": "10"},
    "derivatives.py": {"2000": "20"},
    "double_descent.py": {
        "32, 48": "13",
        "range(1, 31)": "range(1, 3)",
        "iterations=100": "iterations=2",
    },
    "edge_of_stability.py": {"2000": "50"},
    "errors.py": {"range(1, 101)": "range(1, 3)"},
    "errors.sh": {"--seeds 100": "--seeds 2"},
    "own_functions.py": {"3000": "30", "range(10)": "range(2)"},
    "predictions.sh": {"range(400)": "range(60)"},
    "predictions_classes.py": {"test_size=50": "test_size=110"},
    "sensitivity.py": {"400": "60"},
    "solved.py": {"range(1, 1001)": "range(1, 4)"},
    "solved.sh": {"--seeds 1000": "--seeds 3"},
    "takeaways.py": {"range(1, 101)": "range(1, 3)"},
    "takeaways.sh": {"--seeds 100": "--seeds 2"},
    "trainability.sh": {"512": "16", "500": "20"},
    "trainability_film.py": {"frames=24": "frames=3", "80": "16", "=100": "=20"},
    "trainability_film.sh": {"frames 24": "frames 3", "80": "16", "s 100": "s 20"},
    "trainability_zoom.py": {"128": "16"},
}
"""Per file, what the tests replace in it: they draw with fewer numbers."""


class Shown(NamedTuple):
    """Pictures of a page, and the files to which the line "Code:" below them links."""

    pictures: list[str]
    files: dict[str, str]
    """The texts of the links by file."""


def all_shown():
    """What the pages show, in order."""
    found = []
    for page in PAGES:
        parts = re.split(r"^Code: (.+?)(?:\n\n|\Z)", page.read_text("utf-8"), flags=re.M | re.S)
        for text, code in zip(parts[::2], [*parts[1::2], ""], strict=True):
            links = re.findall(r"\[([\w.]+)\]\(\.\./examples/([\w/.]+)\)", code)
            pictures = re.findall(r"\]\(images/([\w.-]+)\)", text)
            if pictures or links:
                found.append(Shown(pictures, {path: said for said, path in links}))
    return found


SHOWN = all_shown()


def script(path):
    """The text of a file; a command of several lines is one."""
    return path.read_text("utf-8").replace("\\\n", "")


def drawn_by(path):
    """The pictures that a file names: those that it draws."""
    return {*re.findall(r"[\w-]+\.(?:png|gif)\b", path.read_text("utf-8"))}


def test_every_picture_of_the_documents_has_its_code_and_vice_versa():
    shown = [picture for each in SHOWN for picture in each.pictures]
    assert len(shown) == len({*shown})
    assert {*shown} == {path.name for path in (ROOT / "docs" / "images").iterdir()} - NO_PICTURES
    linked = [path for each in SHOWN for path in each.files if path.startswith("gallery/")]
    assert sorted(linked) == sorted(f"gallery/{path.name}" for path in FILES)


@pytest.mark.parametrize("each", SHOWN, ids=[" ".join(each.pictures) for each in SHOWN])
def test_the_code_below_pictures_draws_them_and_the_title_of_a_link_is_its_file(each):
    drawn = [drawn_by(EXAMPLES / path) for path in each.files]
    assert {*each.pictures} == set().union(*drawn)
    assert all(Path(path).name == said for path, said in each.files.items())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_lines_of_the_files_fit_the_column_of_the_site(path):
    assert max(map(len, path.read_text("utf-8").splitlines())) <= WIDTH


def test_every_function_and_every_command_that_draws_is_there():
    python = "\n".join(path.read_text("utf-8") for path in FILES if path.suffix == ".py")
    assert {*re.findall(r"\bplots\.(\w+)\(", python)} == {*plots.__all__}
    shell = "\n".join(script(path) for path in FILES if path.suffix == ".sh")
    drawing = {command.__name__ for command in COMMANDS if "plot" in signature(command).parameters}
    assert {*re.findall(r"^fastgd (\w+) .*--plot ", shell, re.MULTILINE)} == drawing
    assert {*re.findall(r"--kind (\w+)", shell)} == {*KINDS}


def draw(path, folder, run):
    """Run a file, with fewer numbers, in this folder; return its pictures."""
    text = script(path)
    for old, new in QUICK.get(path.name, {}).items():
        assert old in text
        text = text.replace(old, new)
    folder.mkdir()
    copy = folder / path.name
    with contextlib.chdir(folder):
        if path.suffix == ".py":
            copy.write_text(text, "utf-8")
            runpy.run_path(str(copy), run_name="__main__")
        else:  # commands, which share this process, and before them what makes their table
            table, *commands = re.split(r"^(?=fastgd )", text, flags=re.MULTILINE)
            environment = os.environ | {
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"
            }
            subprocess.run(["bash", "-eu", "-c", table], check=True, env=environment)
            for command in commands:
                code, _, said = run(*shlex.split(command)[1:])
                assert code == 0, said
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix in {".png", ".gif"}}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({path.stem for path in FILES}))
def test_files_draw_their_pictures(name, tmp_path, run):
    # The Python file and the commands of one name: the same picture, to the byte.
    drawn = [draw(path, tmp_path / path.suffix, run) for path in FILES if path.stem == name]
    assert all(pictures == drawn[0] for pictures in drawn)
    for path in FILES:
        if path.stem == name:
            assert {*drawn[0]} == drawn_by(path)
    assert all(len(picture) > 10_000 for picture in drawn[0].values())


@pytest.mark.slow
def test_derivatives_lower_the_errors_of_the_option_as_their_page_says(tmp_path):
    page = " ".join((ROOT / "docs" / "derivatives.md").read_text("utf-8").split())
    assert "falls to a half for the price, and to an eighth for its slope" in page
    with contextlib.chdir(tmp_path):
        found = runpy.run_path(str(EXAMPLES / "gallery" / "derivatives.py"))
    for name, factor in ("price", 2), ("delta", 8):
        learned, exact = found[name]  # (networks, without and with derivatives, places)
        without, learning = np.sqrt(np.mean((learned - exact.T) ** 2, axis=(0, 2)))
        assert without / learning == pytest.approx(factor, rel=0.1)
