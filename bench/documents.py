"""The documents' tables and picture, from the figures in ``figures/``.

    python bench/documents.py    measures nothing; ``peers.py --write`` calls it after measuring

The README has the rows that people ask for first, docs/performance.md a few more and a picture,
docs/benchmarks.md all rows in which the other is another library, docs/laboratory.md those of its
examples, and TABLES.md all rows, with all versions. Figures are those of the processor that was
measured last; the others have a column of ratios. Each table stands between markers of its name in
the document.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import report
from report import Line, Table

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
PERFORMANCE = HERE.parent / "docs" / "performance.md"
BENCHMARKS = HERE.parent / "docs" / "benchmarks.md"
LABORATORY = HERE.parent / "docs" / "laboratory.md"
TABLES = HERE / "TABLES.md"
IMAGE = HERE.parent / "docs" / "images" / "performance.png"

TRAIN, SWEEP = "train 3-4-1", "sweep 3-4-1, 1,024 runs"
LARGE = "sweep 64-64-10, 256 samples, 64 runs"
GROUPS = "2,000 groups of 20 to 500 rows, 6-8-1"
SEARCH = "search, breast cancer (569 x 30), 16 units"
BEST, LOOP_IN_JAX = "JAX, jit + vmap, best form", "JAX, jit + fori_loop, best form"
LOOP = "scikit-learn, a loop over MLPRegressor, no counts"
GRID = "GridSearchCV over MLPClassifier, n_jobs=2"
TORCH = "PyTorch, hand-written"
LISTING = "NumPy, the article's listing"

IN_README = (
    ("speed", TRAIN, LISTING),
    ("speed", TRAIN, LOOP_IN_JAX),
    ("speed", SWEEP, BEST),
    ("speed", LARGE, BEST),
    ("speed", "loss surface 2-1, 512 x 512 points", "NumPy, the whole grid at once"),
)
"""Table, work and peer of the rows that the README shows: what people ask first, good or not."""
IN_PERFORMANCE = (
    ("speed", TRAIN, LISTING),
    ("speed", TRAIN, LOOP_IN_JAX),
    ("speed", SWEEP, TORCH),
    ("speed", SWEEP, BEST),
    ("speed", LARGE, BEST),
    ("parts", GROUPS, LOOP),
    ("search", SEARCH, GRID),
)
BARS = (
    (("speed", TRAIN, LISTING), "one 3-4-1: NumPy"),
    (("speed", TRAIN, "scikit-learn, no counts"), "one 3-4-1: scikit-learn"),
    (("speed", TRAIN, TORCH), "one 3-4-1: PyTorch"),
    (("speed", TRAIN, LOOP_IN_JAX), "one 3-4-1: JAX"),
    (("speed", TRAIN, "C, AVX-512 intrinsics"), "one 3-4-1: C for this network"),
    (("speed", SWEEP, TORCH), "1,024 of 3-4-1: PyTorch"),
    (("speed", SWEEP, BEST), "1,024 of 3-4-1: JAX"),
    (("speed", LARGE, TORCH), "64 of 64-64-10: PyTorch"),
    (("speed", LARGE, BEST), "64 of 64-64-10: JAX"),
    (("parts", GROUPS, LOOP), "2,000 groups: scikit-learn"),
    (("parts", GROUPS, BEST), "2,000 groups: JAX"),
    (("search", SEARCH, GRID), "search: scikit-learn"),
)
"""The bars of the picture and their labels."""

OTHERS = ("NumPy", "JAX", "PyTorch", "scikit-learn", "scikit-lego", "C,", "GridSearchCV over MLP",
          "optimistix", "torch-", "SciPy")  # fmt: skip
"""How the names of other libraries begin, as against parts of fastgd, bounds and limits."""
NOT_SHOWN = ("201 x 201", "Auto,", "concrete,", "AdaGrad", "AdaDelta", "RMSProp", "0/1 weights",
             "our numbers", "cache-sized", "NumPy reference", "in a loop", "7 alphas",
             "surface 3-4-1", "Nesterov", "AdamW", "halving", "best accuracy", "diabetes,",
             "lbfgs", "Momentum", "3-32-1, 1,024 runs PyTorch", "512 runs PyTorch",
             "to 0.0001, a start of 100 opti", "to 0.0001, a start of 100 torch",
             "to 0.0001, a start of 100 SciPy least", "to 1e-06, a start of 100 opti",
             "to 1e-06, a start of 100 SciPy least", "balls on sines")  # fmt: skip
"""What rows contain that are much like others: they are only in TABLES.md."""
NOTED = ("fastgd", "jax")
"""Packages whose versions stand below the short tables."""
SCALED = "\\* theirs measured on fewer runs or iterations, and scaled."

Kept = Mapping[str, Mapping[str, Table]]
Row = tuple[str, str, str]


def last_measured(found: Kept) -> str:
    """Return the processor whose table of speeds is the newest."""
    return max(found, key=lambda name: found[name]["speed"].date if "speed" in found[name] else "")


def line_of(found: Kept, processor: str, row: Row) -> Line | None:
    """Return the line of this table, work and peer; None if this processor has none."""
    table, work, against = row
    lines = found[processor][table].lines if table in found[processor] else []
    return next((one for one in lines if (one.work, one.against) == (work, against)), None)


def rows_of_peers(found: Kept, table: str) -> list[Row]:
    """Return the rows of a table in which the other is another library in its best form."""
    lines = found[last_measured(found)][table].lines
    return [
        (table, one.work, one.against)
        for one in lines
        if one.against.startswith(OTHERS)
        and not one.against.endswith("plain")
        and not any(text in f"{one.work} {one.against}" for text in NOT_SHOWN)
    ]


def markdown(found: Kept, rows: Sequence[Row], *, is_whole: bool) -> str:
    """Return these rows as a table, with the ratios of other processors that have them.

    A whole table has targets; the README's rows say what they were measured on.

    Raises
    ------
    ValueError
        If a row wasn't measured.
    """
    main = last_measured(found)
    lines = [line_of(found, main, row) for row in rows]
    if None in lines:
        raise ValueError(f"all rows must be measured, got none of {rows[lines.index(None)]}")
    others = [
        name for name in found
        if name != main and any(line_of(found, name, row) for row in rows)
    ]  # fmt: skip
    head = [*report.HEAD[:5], f"ratio, {main}" if others else "ratio", *others]
    cells = []
    for row, line in zip(rows, lines, strict=True):
        elsewhere = [_ratio(line_of(found, name, row)) for name in others]
        cells.append([_HOW.sub("", cell) for cell in line.cells()[:6]] + elsewhere)
        if is_whole:
            sign = {True: "yes", False: "**NO**", None: ""}[line.met]
            cells[-1].append(f"{line.target.partition(' ')[2]} {sign}".strip())
    head += ["target"] if is_whole else []
    notes = [SCALED] if any(line.note and line.theirs for line in lines) else []
    if is_whole and len(numbers := {line.threads for line in lines}) == 1:
        head, *cells = ([*row[:1], *row[2:]] for row in (head, *cells))
        notes.append(f"All rows: threads = {numbers.pop()}.")
    if rows == IN_README:
        notes.append(stamps(found, {row[0] for row in rows}, (main, *others)))
    return "\n\n".join([report.markdown_table(head, cells), *notes])


def stamps(found: Kept, tables: Iterable[str], names: Sequence[str]) -> str:
    """Return what these tables were measured on, a line for each processor and run."""
    lines = [
        f"{name}: {report.brief(table.stamp, NOTED)}."
        for name in names
        for key, table in found[name].items()
        if key in tables
    ]
    return "\n\n".join(dict.fromkeys(lines))


_HOW = re.compile(r", (jit \+ \w+|best form|hand-written)")
"""What the pages say once: the others are in their best form."""


def _ratio(line: Line | None) -> str:
    return "" if line is None or line.ratio is None else f"{report.digits(line.ratio)}x"


def texts(found: Kept) -> dict[Path, dict[str, str]]:
    """Return what stands between which markers of which document."""
    last = last_measured(found)
    main = found[last]
    speed = main["speed"].lines
    bounded = {name: report.with_bounds([*speed, *main[name].lines])[len(speed) :] for name in main}
    return {
        README: {"speed": markdown(found, IN_README, is_whole=False)},
        PERFORMANCE: {"summary": markdown(found, IN_PERFORMANCE, is_whole=False)},
        BENCHMARKS: {
            name: markdown(found, rows_of_peers(found, name), is_whole=True)
            for name in main
            if name not in {"fixed", "functions", "laboratory"}
        }
        | {"machines": stamps(found, main, sorted(found, key=lambda name: name != last))},
        LABORATORY: {
            "laboratory": markdown(found, rows_of_peers(found, "laboratory"), is_whole=True)
        },
        TABLES: {name: report.markdown(bounded[name], main[name].stamp) for name in main},
    }


def write() -> None:
    """Write all tables, and the picture."""
    found = report.kept()
    for document, tables in texts(found).items():
        for name, text in tables.items():
            report.write_between_markers(document, text, name)
    main = last_measured(found)
    _draw([(label, line_of(found, main, row).ratio) for row, label in BARS])


def _draw(bars: list[tuple[str, float]]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    labels, ratios = zip(*reversed(bars), strict=True)
    colors = ["tab:blue" if ratio >= 1 else "tab:red" for ratio in ratios]
    drawn = axes.barh(labels, [ratio - 1 for ratio in ratios], left=1, color=colors)
    axes.bar_label(drawn, [f"{ratio:.3g}x" for ratio in ratios], padding=3)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlim(0.2, 1000)
    axes.set_xlabel("the peer's time / fastgd's time (right of 1: fastgd is faster)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(IMAGE, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    write()
