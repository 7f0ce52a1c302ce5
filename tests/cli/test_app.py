"""The frame of the command, and the help of all commands."""

import re
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

from command import assert_refused
from fastgd import cli
from fastgd.cli.app import COMMANDS, app
from fastgd.cli.command_options import takes

NAMES = [command.__name__ for command in COMMANDS]


def test_each_command_of_a_file_is_in_the_frame():
    files = [import_module(f"fastgd.cli.{name}") for _, name, _ in iter_modules(cli.__path__)]
    declared = [
        name
        for file in files
        for name, one in vars(file).items()
        if hasattr(one, "__signature__") and one.__module__ == file.__name__
    ]
    assert sorted(declared) == sorted(NAMES)
    assert [command.name for command in app.registered_commands] == NAMES
    page = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text()
    assert re.findall(r"^```{command} (\w+)$", page, re.MULTILINE) == NAMES, "docs/command-line.md"


def test_what_is_said_of_an_option_that_is_in_no_table_is_refused():
    with pytest.raises(TypeError, match=r"^options must be in a table, got alhpa$"):
        takes("--alpha ALPHA  A learning rate.", alhpa=float)


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("name", ["", *NAMES])
def test_no_help_is_cut(run, monkeypatch, name, width):
    monkeypatch.setenv("COLUMNS", str(width))
    code, out, err = run(*([name] if name else []), "--help")
    assert (code, err) == (0, "")
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= width
    assert f"Example: fastgd {name}" in out if name else all(other in out for other in NAMES)


def test_sentences_of_a_help_are_broken_where_the_terminal_ends(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out = run("fit", "--help")[1]
    assert "for each category, missing" in " ".join(out.split("\n Example")[0].split())
    lines = [line.rstrip() for line in out.partition("\n Example")[0].splitlines()]
    assert min(map(len, lines[lines.index("") + 5 : -2])) > 60


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("fastgd tra", "train\ntrainability\n"), ("fastgd fit --hid", "--hidden-size\n")],
)
def test_a_shell_completes_commands_and_options(run, monkeypatch, typed, offered):
    monkeypatch.setenv("_FASTGD_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(typed.count(" ")))
    assert run() == (0, offered, "")


def test_a_completion_that_cannot_be_installed_is_one_line(run, monkeypatch, tmp_path):
    monkeypatch.setattr("shellingham.detect_shell", lambda: ("bash", "bash"))
    (tmp_path / "home").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert_refused(run("--install-completion"), r"error: .*home\S* can't be written: \w", 1)


@pytest.mark.parametrize(("typed", "code"), [("fastgd train --al", 0), ("fastgd nothing", 1)])
def test_fish_hears_by_the_exit_code_whether_there_is_something_to_offer(
    run, monkeypatch, typed, code
):
    monkeypatch.setenv("_FASTGD_COMPLETE", "complete_fish")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "is-args")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", typed)
    assert run() == (code, "", "")
