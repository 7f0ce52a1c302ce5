"""The short page docs/performance.md: its table and its picture, from the tables of benchmarks.md.

python bench/summary.py    measures nothing; ``peers.py --markdown`` calls it after measuring
"""

from pathlib import Path

import report

DOCS = Path(__file__).parent.parent / "docs"
TABLES = DOCS / "benchmarks.md"
PAGE = DOCS / "performance.md"
IMAGE = DOCS / "images" / "performance.png"
MARKERS = ("<!-- summary:begin -->", "<!-- summary:end -->")

TRAIN, SWEEP = "train 3-4-1", "sweep 3-4-1, 1,024 runs"
LARGE = "sweep 64-64-10, 256 samples, 64 runs"
GROUPS = "2,000 groups of 20 to 500 rows, 6-8-1"
SEARCH = "search, breast cancer (569 x 30), 16 units"
BEST = "JAX, jit + vmap, best form"
LOOP = "scikit-learn, a loop over MLPRegressor, no counts"
GRID = "GridSearchCV over MLPClassifier, n_jobs=2"
ROWS = (
    ("bench", TRAIN, "NumPy, the article's listing"),
    ("bench", SWEEP, "PyTorch, hand-written"),
    ("bench", SWEEP, BEST),
    ("bench", LARGE, BEST),
    ("parts", GROUPS, LOOP),
    ("search", SEARCH, GRID),
)
"""Table, work and peer of the rows that the page shows."""
BARS = (
    (ROWS[0], "one 3-4-1: NumPy"),
    (("bench", TRAIN, "scikit-learn, no counts"), "one 3-4-1: scikit-learn"),
    (("bench", TRAIN, "PyTorch, hand-written"), "one 3-4-1: PyTorch"),
    (("bench", TRAIN, "JAX, jit + fori_loop, best form"), "one 3-4-1: JAX"),
    (("bounds", TRAIN, "C, AVX-512 intrinsics"), "one 3-4-1: C for this network"),
    (ROWS[1], "1,024 of 3-4-1: PyTorch"),
    (ROWS[2], "1,024 of 3-4-1: JAX"),
    (("bench", LARGE, "PyTorch, hand-written"), "64 of 64-64-10: PyTorch"),
    (ROWS[3], "64 of 64-64-10: JAX"),
    (ROWS[4], "2,000 groups: scikit-learn"),
    (("parts", GROUPS, BEST), "2,000 groups: JAX"),
    (ROWS[5], "search: scikit-learn"),
)
"""The bars of the picture and their labels."""


def read() -> dict[tuple[str, str, str], tuple[str, ...]]:
    """Return the cells of all measured rows, by table, work and peer."""
    text = TABLES.read_text()
    found = {}
    for name, (first, last) in {"bench": (report.BEGIN, report.END), **report.MARKERS}.items():
        lines = text.partition(first)[2].partition(last)[0].splitlines()
        for line in lines:
            if line.startswith("| ") and not line.startswith(("| work", "| ---")):
                cells = tuple(cell.strip() for cell in line.strip("|").split("|"))
                found[name, cells[0], cells[2].rstrip("*")] = cells
    return found


def write() -> None:
    """Write the page's table and its picture."""
    found = read()
    head = report.README_HEAD
    rows = [found[row][: len(head)] for row in ROWS]
    report.write_between_markers(PAGE, report.markdown_table(head, rows), MARKERS)
    _draw([(label, float(found[row][5].rstrip("x"))) for row, label in BARS])


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
