"""Measured lines: as text or Markdown, and kept in ``figures/``, a file per processor."""

import datetime
import json
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

PACKAGES = (
    "fastgd",
    "numpy",
    "numba",
    "llvmlite",
    "jax",
    "optax",
    "torch",
    "scikit-learn",
    "scikit-lego",
    "scipy",
    "optimistix",
    "torch-levenberg-marquardt",
)
FIGURES = Path(__file__).parent / "figures"
GENERATIONS = {
    (6, 167): "Rocket Lake",
    (25, 17): "Zen 4",
    (26, 2): "Zen 5",
}
"""What people call the processors of these families and models."""

BOUND = "its bound, one thread (ours / bound)"
"""Against what the lines are whose ratio all lines of the same work show."""
OF_BOUND = "of the bound"
HEAD = ("work", "threads", "against", "ours", "theirs", "ratio", OF_BOUND, "target", "met")
LEFT = ("work", "against", "target", "engine", "module", "table", "score", "model", "panel")

EXPLANATION = (
    "Float64; ns per iteration of one run (or per point of a loss surface, or per row and run of a "
    "prediction), or seconds where it says s. "
    "The ratio is theirs / ours, unless the line says otherwise. Medians, measured in turn in one "
    "run, compile time apart. fastgd always counts direction changes; the peers do in the 3-4-1 "
    "and 3-32-1 rows, unless the line says no counts."
)


@dataclass(frozen=True)
class Line:
    """One line of the table, as ``rows.py`` measures it."""

    work: str
    against: str
    ours: float
    theirs: float | None
    ratio: float | None  # how many times faster we are, or what ``against`` says
    target: str = ""  # ">= 8": of the ratio; empty for a line that only informs
    unit: str = "ns"
    note: str = ""
    threads: int = 0  # told by ``peers.py``
    of_bound: float | None = None  # told by ``with_bounds``

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None if there is none, or nothing to compare with."""
        if not self.target or self.ratio is None:
            return None
        sign, limit = self.target.split()
        return self.ratio >= float(limit) if sign == ">=" else self.ratio <= float(limit)

    @property
    def is_beyond_bound(self) -> bool:
        """Whether even a kernel at the bound would miss the target of this ratio."""
        if None in (self.of_bound, self.ratio) or not self.target.startswith(">="):
            return False
        return self.ratio * self.of_bound < float(self.target.split()[1])

    def cells(self) -> tuple[str, ...]:
        """Return the texts of the line's cells."""
        met = "" if self.is_beyond_bound else {True: "yes", False: "NO", None: ""}[self.met]
        theirs = self.note if self.theirs is None else figure(self.theirs, self.unit)
        ratio = "" if self.ratio is None else f"{digits(self.ratio)}x"
        against = f"{self.against}*" if self.note and self.theirs else self.against
        of_bound = "" if self.of_bound is None else f"{digits(self.of_bound)}x"
        ours = figure(self.ours, self.unit)
        threads = str(self.threads)
        return (self.work, threads, against, ours, theirs, ratio, of_bound, self.target, met)


class Table(NamedTuple):
    """Lines that were measured in one run, and on what."""

    lines: list[Line]
    stamp: str

    @property
    def date(self) -> str:
        """When they were measured: 2026-12-01."""
        return self.stamp.rpartition(", ")[2]


def digits(value: float) -> str:
    """Three digits at least, none of them after the point for large numbers; counts as they are."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if value >= 100 else f"{value:#.3g}"


def figure(value: float, unit: str) -> str:
    return f"{digits(value)} {unit}"


def stamp(quick: bool, packages: Sequence[str] = PACKAGES) -> str:
    """Return what was measured: processor, versions, date."""
    versions = [f"{name} {_version(name)}" for name in packages]
    parts = [_processor(), f"Python {platform.python_version()}", *versions]
    parts.append(datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"))
    return ", ".join(parts) + (". SMOKE RUN: figures mean nothing" if quick else "")


def generation(stamped: str) -> str:
    """Return what people call the processor of a stamp: Zen 4, or its family and model."""
    found = re.search(r"family (\d+) model (\d+)", stamped)
    if found is None:
        return stamped.partition(",")[0]
    return GENERATIONS.get((int(found[1]), int(found[2])), found[0])


def brief(stamped: str, packages: Sequence[str]) -> str:
    """Return a stamp with the versions of these packages only."""
    left_out = set(PACKAGES) - set(packages)
    return ", ".join(one for one in stamped.split(", ") if one.split()[0] not in left_out)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    """Return the processor's name, with what tells its generation where that's known."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor() or platform.machine()
    first = path.read_text().split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    facts = {name.strip(): value.strip() for name, _, value in pairs}
    if "model name" not in facts:
        return platform.machine()
    vectors = "AVX-512" if "avx512f" in facts.get("flags", "") else platform.machine()
    return f"{facts['model name']} (family {facts['cpu family']} model {facts['model']}, {vectors})"


def with_bounds(lines: Sequence[Line]) -> list[Line]:
    """Return the lines with what their works are of their bounds, where these were measured."""
    found = {line.work: line.ratio for line in lines if line.against == BOUND}
    return [replace(line, of_bound=found.get(line.work)) for line in lines]


def _columns(lines: Sequence[Line]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the head and the lines' cells; a table without bounds has no column for them."""
    kept = [
        at
        for at, name in enumerate(HEAD)
        if name != OF_BOUND or any(line.of_bound is not None for line in lines)
    ]
    head, *rows = (tuple(row[at] for at in kept) for row in (HEAD, *(x.cells() for x in lines)))
    return head, rows


def notes(lines: Sequence[Line]) -> list[str]:
    """Return the footnotes."""
    return [f"* {x.work}, {x.against}: {x.note}" for x in lines if x.note and x.theirs]


def text(lines: Sequence[Line], stamped: str) -> str:
    """Return the table in columns that line up."""
    head, cells = _columns(lines)
    rows = [head, *cells]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = [
        "  ".join(
            cell.ljust(width) if name in LEFT else cell.rjust(width)
            for cell, width, name in zip(row, widths, head, strict=True)
        ).rstrip()
        for row in rows
    ]
    table.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*table, *notes(lines), "", EXPLANATION, stamped])


def markdown(lines: Sequence[Line], stamped: str) -> str:
    """Return the whole table, with what it means."""
    table = markdown_table(*_columns(lines))
    small = [note.replace("*", "\\*", 1) for note in notes(lines)]
    return "\n".join([table, "", EXPLANATION, *("", *small) * bool(small), "", stamped + "."])


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return these cells as a table, with numbers to the right."""
    align = ["---" if name in LEFT else "--:" for name in head]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, align, *rows))


def between_markers(document: str, name: str) -> tuple[str, str, str]:
    """Return a document up to the table of this name, the table, and what follows it.

    Raises
    ------
    ValueError
        If the markers of the table aren't there.
    """
    first, last = f"<!-- {name}:begin -->\n", f"\n<!-- {name}:end -->"
    before, begin, rest = document.partition(first)
    table, end, after = rest.partition(last)
    if not begin or not end:
        raise ValueError(f"the document must have the markers of the table {name!r}")
    return before + first, table, last + after


def write_between_markers(document: Path, text: str, name: str) -> None:
    """Put a text between the markers of this name in a document."""
    before, _, after = between_markers(document.read_text(), name)
    document.write_text(before + text + after)


def keep(measured: Mapping[str, Sequence[Line]], stamped: str) -> None:
    """Write these tables into the file of the processor; its other tables stay as they are."""
    label = generation(stamped)
    file = FIGURES / f"{label.lower().replace(' ', '-')}.json"
    tables = json.loads(file.read_text())["tables"] if file.exists() else {}
    for name, lines in measured.items():
        tables[name] = {"stamp": stamped, "lines": list(map(_as_dict, lines))}
    file.write_text(json.dumps({"processor": label, "tables": tables}, indent=1) + "\n")


def kept() -> dict[str, dict[str, Table]]:
    """Return the tables of all processors, by processor and name."""
    files = [json.loads(file.read_text()) for file in sorted(FIGURES.glob("*.json"))]
    return {
        one["processor"]: {
            name: Table([Line(**line) for line in table["lines"]], table["stamp"])
            for name, table in one["tables"].items()
        }
        for one in files
    }


def _as_dict(line: Line) -> dict[str, Any]:
    """The fields that are not as they are by default."""
    return {f.name: value for f in fields(Line) if (value := getattr(line, f.name)) != f.default}
