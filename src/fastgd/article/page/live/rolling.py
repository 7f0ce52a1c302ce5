"""What the bucket of the page needs: the kernel's roller, the names in formulas, the curves."""

from typing import Any

from fastgd.article.page.live.packing import MODULES, Packing
from fastgd.formulas.expressions import CONSTANTS, FUNCTIONS, LARGEST, OTHER_WORDS
from fastgd.studies.bucket.examples import EXAMPLES, FIVE_MINIMA, FIVE_MINIMA_WINDOW, Example
from fastgd.studies.bucket.portable import roller_facts, roller_of

FIRST = Example(
    "bucket",
    "The ball in the bucket",
    "x**2",
    start=(1.0,),
    alpha=(0.1,),
    iterations=10_000,
    window=(-1.5, 1.5),
    takeaway="The ball rolls to the lowest place: a step is alpha times the slope, and shorter "
    "where the curve is flatter.",
)

STARTS = Example(
    "starts",
    "Solution 2: several starts",
    FIVE_MINIMA,
    start=(-5.5, -3.5, 0.5, 2.5, 5.0),
    alpha=(0.1,) * 5,
    iterations=10_000,
    window=FIVE_MINIMA_WINDOW,
    takeaway="From any start the ball ends in one of five minimums: of a few random balls, one "
    "finds the lowest place (Solution 2).",
)


def bucket_facts() -> dict[str, Any]:
    """What ``formulas.js``, ``roller.js`` and ``bucket.js`` know from Python."""
    return roller_facts() | {
        "functions": FUNCTIONS,
        "constants": CONSTANTS,
        "otherWords": OTHER_WORDS,
        "largest": LARGEST,
        "examples": [example.__dict__ for example in (FIRST, *EXAMPLES.values(), STARTS)],
    }


def add_bucket(packing: Packing) -> None:
    """Add what the bucket needs; both modules give the same bits."""
    packing.add_json("bucket", bucket_facts())
    for name, target in MODULES.items():
        packing.add(f"{name} roller", roller_of(target))
