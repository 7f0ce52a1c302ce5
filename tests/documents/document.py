"""Documents as the tests read them: the files, and their code blocks in order."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    path for folder in ("", "docs", "bench") for path in sorted((ROOT / folder).glob("*.md"))
]

WIDTH = 88
"""The characters of a line that the column of the site shows without scrolling."""

_BLOCK = re.compile(r"^```(.*)\n((?:.*\n)*?)^```$", re.MULTILINE)
_ADDED = re.compile(r"\(the tests add (.+)\)$")
_REMARK = re.compile(r" \((?:the tests (?:add|need) .+|\.ci/\w+ runs this)\)$")
_NEEDED = re.compile(r"^# .*\(the tests need (.+)\)$", re.MULTILINE)
IN_CI = re.compile(r"\((\.ci/\w+) runs this\)$")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, the number of its first line."""

    language: str
    text: str
    line: int

    def script(self) -> str:
        """What the tests run of a bash block: with the options that its comments say they add."""
        added, in_ci, lines = "", False, []
        for line in self.text.splitlines():
            if line.startswith("# "):  # #include isn't one
                found = _ADDED.search(line)
                added, in_ci = f" {found[1]}" if found else "", IN_CI.search(line) is not None
            elif line and not in_ci:
                assert not (added and line.endswith("\\")), "one command, one line, to add options"
                for option in re.findall(r"--[\w-]+", added):  # one that it has is replaced
                    line = re.sub(rf" {option} \S+", "", line)
                lines.append(line + added)
        return "\n".join(lines)

    def wide_lines(self) -> list[str]:
        """The lines of code that readers have to scroll; what Python prints is as wide as it is."""
        if self.language.startswith("{"):
            return []
        lines = [_REMARK.sub("", line) for line in self.text.splitlines()]
        code = [one for one in lines if self.language != "python" or one.startswith((">>>", "..."))]
        return [line for line in code if len(line) > WIDTH]

    @property
    def needed(self) -> str:
        """The program without which the tests skip a bash block; empty if there is none."""
        found = _NEEDED.search(self.text)
        return found[1] if found else ""

    def left_to_ci(self) -> list[tuple[str, str]]:
        """The commands of a bash block that a script runs, as it says, each after the script."""
        script, lines = "", []
        for line in self.text.splitlines():
            if line.startswith("#"):
                found = IN_CI.search(line)
                script = found[1] if found else ""
            elif line and script:
                lines.append((script, line))
        return lines


def blocks(path: Path) -> list[Block]:
    """The fenced blocks of a document."""
    text = path.read_text(encoding="utf-8")
    return [
        Block(found[1], found[2], text.count("\n", 0, found.start()) + 2)
        for found in _BLOCK.finditer(text)
    ]


def prose(path: Path) -> str:
    """A document without its fenced blocks."""
    return _BLOCK.sub("", path.read_text(encoding="utf-8"))


def name(path: Path) -> str:
    """How a test calls a document."""
    return str(path.relative_to(ROOT))
