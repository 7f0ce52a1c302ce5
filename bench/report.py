"""The table of the figures: as text, as Markdown in the documents, as JSON."""

import datetime
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

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
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
MARKERS = {
    name: (f"<!-- {name}:begin -->", f"<!-- {name}:end -->")
    for name in ("fixed", "parts", "functions", "shops", "search", "second_order", "bounds")
}
"""Around the tables: fixed costs, own rows, functions, models per group, and so on."""
BOUND = "its bound, one thread (ours / bound)"
"""Against what the lines are whose ratio all lines of the same work show."""
OF_BOUND = "of the bound"
HEAD = ("work", "threads", "against", "ours", "theirs", "ratio", OF_BOUND, "target", "met")
LEFT = ("work", "against", "target", "engine", "module")

README = (
    ("train 3-4-1", "NumPy, the article's listing"),
    ("train 3-4-1", "JAX, jit + fori_loop, best form"),
    ("sweep 3-4-1, 1,024 runs", "JAX, jit + vmap, best form"),
    ("sweep 64-64-10, 256 samples, 64 runs", "JAX, jit + vmap, best form"),
    ("loss surface 2-1, 512 x 512 points", "NumPy, the whole grid at once"),
)
"""Work and peer of the rows that the README shows: what people ask first, good or not."""
README_HEAD = HEAD[:6]

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


def short_markdown(lines: Sequence[Line], stamped: str) -> str:
    """Return the README's rows, and what was measured.

    Raises
    ------
    ValueError
        If one of them wasn't measured.
    """
    found = {(line.work, line.against): line for line in lines}
    if missing := [row for row in README if row not in found]:
        raise ValueError(f"the README's rows must be measured, got none of {missing}")
    table = markdown_table(README_HEAD, [found[row].cells()[: len(README_HEAD)] for row in README])
    return f"{table}\n\n{stamped}."


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return these cells as a table, with numbers to the right."""
    align = ["---" if name in LEFT else "--:" for name in head]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, align, *rows))


def write_between_markers(
    document: Path, text: str, markers: tuple[str, str] = (BEGIN, END)
) -> None:
    """Put a text between the markers of a document.

    Raises
    ------
    ValueError
        If the markers aren't there.
    """
    first, last = markers
    before, begin, rest = document.read_text().partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise ValueError(f"{document.name} must have the markers {first} and {last}")
    document.write_text(f"{before}{first}\n{text}\n{last}{after}")


def as_json(lines: Sequence[Line], stamped: str) -> str:
    """Return all figures, with full digits."""
    figures = [asdict(line) | {"met": line.met} for line in lines]
    return json.dumps({"stamp": stamped, "lines": figures}, indent=1) + "\n"
