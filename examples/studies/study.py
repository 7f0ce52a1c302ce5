"""What the studies of this folder share: options, rows of results, tables, intervals, pictures.

As a program it writes the rows of ``results/*.json`` that answer a study's question into the tables
of ``docs/results.md``. To bring a full run there, copy its ``NAME.json`` to ``results/`` and its
pictures to ``docs/images/`` before::

    python examples/studies/study.py
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from math import sqrt
from pathlib import Path
from shutil import get_terminal_size
from textwrap import wrap
from typing import Any, Literal

import numpy as np

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
PAGE = HERE.parents[1] / "docs" / "results.md"

ON_PAGE = {
    "xor_1986": (
        "Sweeps, direct", "Sweeps, 2-2-1, eta 0.25", "Not solved after 50,000", "Of the", "Law"
    ),
    "trainability": ("tanh, full batch", "linear", "tanh, one sample"),
    "lottery_tickets": ("Tickets", "Two units"),
    "seeds_as_noise": ("cancer1", "cancer, 4+2: "),
    "edge_of_stability": ("The", "Progressive"),
    "forgetting_events": ("Samples", "20 %"),
    "update_rules": ("Random", "Winners", "Rules", "Lion against"),
}  # fmt: skip
"""By study, how the rows begin that the page shows, without their reasons; else it shows all."""

Arrays = dict[str, Any]

Verdict = Literal["agrees", "differs", "can't be compared"]
HEAD = ("What", "Published", "Ours", "Verdict", "Reason")
WIDTHS = (26, 26, 26, 10, 40)
WHOLE = sum(WIDTHS) + 2 * (len(WIDTHS) - 1)
"""Columns of a terminal that the table needs."""


@dataclass(frozen=True)
class Row:
    """One published number and ours."""

    what: str
    published: str
    """With its source: page, table or section."""
    ours: str
    """With its 95 % interval."""
    verdict: Verdict
    reason: str

    def cells(self) -> tuple[str, ...]:
        """In the order of the table's head."""
        return self.what, self.published, self.ours, self.verdict, self.reason


def options(description: str | None, name: str) -> argparse.Namespace:
    """Parse the options that all studies have: ``quick``, ``out`` (a Path), ``threads``.

    Other options are an error that names them. ``out`` is made if needed, and keeps in ``NAME.run``
    whether its runs are full or quick: what is there of the one is no part of the other.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="few seeds: seconds, to see that it works"
    )
    parser.add_argument(
        "--out",
        type=Path,
        help=f"folder of everything that is computed; the same command resumes from it "
        f"(default: build/studies/{name}, with --quick build/studies/{name}-quick)",
    )
    parser.add_argument("--threads", type=int, help="threads that train (default: all cores)")
    given = parser.parse_args()
    if given.out is None:
        given.out = Path("build", "studies", name + ("-quick" if given.quick else ""))
    if given.threads is not None and given.threads < 1:
        parser.error(f"--threads must be at least 1, got {given.threads}")
    kind, marker = "quick" if given.quick else "full", given.out / f"{name}.run"
    try:
        given.out.mkdir(parents=True, exist_ok=True)
        there = marker.read_text(encoding="utf-8").strip() if marker.exists() else kind
        if there == kind:
            marker.write_text(kind + "\n", encoding="utf-8")
    except OSError as error:
        parser.error(f"--out must be a folder that can be written to, got {given.out}: {error}")
    if there != kind:
        parser.error(
            f"--out must be a folder of {kind} runs or a new one, got {given.out}, which has a "
            f"{there} run"
        )
    return given


def answer(main: Callable[[], None]) -> None:
    """Call the program of a study; Ctrl-C ends it with one line and the exit code 130."""
    try:
        main()
    except KeyboardInterrupt:
        print("\nInterrupted: the same command resumes", file=sys.stderr)
        sys.exit(130)


def finish(
    rows: Sequence[Row],
    given: argparse.Namespace,
    name: str,
    details: object = None,
    *draw: Callable[[], object],
) -> None:
    """Print the table and write it, with all other figures, to ``name.json``; then draw.

    A row without a number of ours, as few seeds may leave it, can't be compared.
    """
    rows = [without_verdict(row) if re.search(r"\bnan\b", row.ours) else row for row in rows]
    print("\n" + text_table(rows))
    path = given.out / f"{name}.json"
    content = {"quick": given.quick, "rows": [asdict(row) for row in rows], "details": details}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"\nThe table and all figures: {path}")
    pictures(*draw)
    if given.quick:
        print("--quick: these numbers mean little")


def without_verdict(row: Row) -> Row:
    """Return the row as one that can't be compared."""
    return replace(row, verdict="can't be compared", reason=f"no number of ours. {row.reason}")


def text_table(rows: Sequence[Row], columns: int | None = None) -> str:
    """Align the rows for a terminal; long cells are wrapped.

    In fewer than 136 columns (default: those of the terminal) each row is a block of lines.
    """
    columns = columns or get_terminal_size((WHOLE, 24)).columns
    if columns < WHOLE:
        return "\n\n".join(block(row, columns) for row in rows)
    lines = []
    for cells in (HEAD, *(row.cells() for row in rows)):
        parts = [wrap(cell, width) or [""] for cell, width in zip(cells, WIDTHS, strict=True)]
        for at in range(max(map(len, parts))):
            texts = [part[at] if at < len(part) else "" for part in parts]
            line = "  ".join(text.ljust(width) for text, width in zip(texts, WIDTHS, strict=True))
            lines.append(line.rstrip())
        lines.append("-" * WHOLE)
    return "\n".join(lines)


def block(row: Row, columns: int) -> str:
    """Write a row as lines that begin with ``What:``, ``Published:``, ..."""
    indent = " " * 11
    lines: list[str] = []
    for name, cell in zip(HEAD, row.cells(), strict=True):
        start = f"{name}:".ljust(len(indent))
        lines += wrap(cell, max(columns, 40), initial_indent=start, subsequent_indent=indent)
    return "\n".join(lines)


def markdown_table(rows: Sequence[Row]) -> str:
    """Return a table for the documents, without the reasons."""
    lines = [HEAD[:-1], ("---",) * len(HEAD[:-1]), *(row.cells()[:-1] for row in rows)]
    escaped = ([cell.replace("|", "\\|") for cell in cells] for cells in lines)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in escaped)


def in_blocks(
    folder: Path, count: int, block: int, work: Callable[[range], Arrays], what: str = "seeds"
) -> Arrays:
    """Do the work for each block of these once, in files; return the arrays of all, joined."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for begin in range(0, count, block):
        path = folder / f"{begin}.npz"
        if not path.exists():
            end = min(begin + block, count)
            some = work(range(begin, end))
            with (folder / "unfinished").open("wb") as file:
                np.savez(file, **some)
            (folder / "unfinished").rename(path)
            print(f"{folder.name}: {end:,} of {count:,} {what}", flush=True)
        with np.load(path) as arrays:
            parts.append({name: arrays[name] for name in arrays.files})
    return {name: np.concatenate([part[name] for part in parts], axis=-1) for name in parts[0]}


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share (1927), also good near 0 and 1.

    >>> [round(end, 3) for end in wilson(2, 200)]
    [0.003, 0.036]
    """
    z = 1.959963984540054
    share = successes / trials
    center = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials)
    half *= sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return max(0.0, center - half), min(1.0, center + half)


def percent(successes: int, trials: int) -> str:
    """Return a share with its interval, as text.

    >>> percent(2, 200)
    '1.00 % (0.27 to 3.57)'
    """
    low, high = wilson(successes, trials)
    return f"{successes / trials:.2%} ({100 * low:.2f} to {100 * high:.2f})".replace("%", " %")


def pictures(*draw: Callable[[], object]) -> None:
    """Call each function that draws; without matplotlib, say what is missing."""
    if not draw:
        return
    try:
        import matplotlib
    except ImportError:
        print('No pictures without matplotlib: pip install "fastgd[plot]"', file=sys.stderr)
        return
    matplotlib.use("Agg")
    for function in draw:
        function()


def rows_of(path: Path) -> list[Row]:
    """Read the rows of a study."""
    return [Row(**row) for row in json.loads(path.read_text(encoding="utf-8"))["rows"]]


def with_tables(page: str) -> str:
    """Return the page with the tables of ``results/`` between their markers."""

    def table(found: re.Match[str]) -> str:
        rows = rows_of(RESULTS / f"{found[1]}.json")
        rows = [row for row in rows if row.what.startswith(ON_PAGE.get(found[1], ""))]
        return f"<!-- {found[1]}:begin -->\n{markdown_table(rows)}\n<!-- {found[1]}:end -->"

    return re.sub(r"<!-- (\w+):begin -->.*?<!-- \1:end -->", table, page, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
