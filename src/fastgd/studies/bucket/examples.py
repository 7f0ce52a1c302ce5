"""The article's three problems (part 3, "Sometimes It Breaks") as ready-made examples."""

from dataclasses import dataclass

from fastgd.studies.bucket.rolling import Roll, roll

FIVE_MINIMA = "x**4/300 + sin(2.5*x) + cos(x/2)"
"""A curve like the article's: balls that start in its window end in one of five minima."""

FIVE_MINIMA_WINDOW = (-6.0, 6.0)


@dataclass(frozen=True)
class Example:
    """One of the article's problems: a curve, and balls of which the first one gets into trouble.

    Attributes
    ----------
    name, title : str
        Its key in ``EXAMPLES``, and its heading.
    curve : str
        An expression of x.
    start, alpha : tuple of float
        One for each ball.
    iterations : int
        The most steps of a ball.
    window : (float, float)
        The interval of x in a plot.
    takeaway : str
        What the example shows.
    """

    name: str
    title: str
    curve: str
    start: tuple[float, ...]
    alpha: tuple[float, ...]
    iterations: int
    window: tuple[float, float]
    takeaway: str

    def roll(self, *, record_path: bool = True) -> Roll:
        """Roll the example's balls.

        Examples
        --------
        >>> from fastgd import bucket
        >>> bucket.EXAMPLES["too-big"].roll().status
        array(['diverged', 'converged'], dtype='<U9')
        """
        return roll(
            curve=self.curve,
            start=self.start,
            alpha=self.alpha,
            iterations=self.iterations,
            record_path=record_path,
        )


EXAMPLES = {
    example.name: example
    for example in (
        Example(
            "too-big",
            "Problem 1: when slopes are too big",
            "x**2",
            start=(1.0, 1.0),
            alpha=(1.05, 0.1),
            iterations=10_000,
            window=(-2.5, 2.5),
            takeaway="Each step overshoots to a steeper place: the ball diverges. A smaller alpha "
            "makes the steps smaller, and it converges (Solution 1).",
        ),
        Example(
            "local-minimum",
            "Problem 2: local minimums",
            "x**4 - 3*x**2 + x",
            start=(2.0, -2.0),
            alpha=(0.01, 0.01),
            iterations=10_000,
            window=(-2.2, 2.2),
            takeaway="From the right the ball ends in the shallower minimum, from the left in the "
            "lowest place: try several starts (Solution 2).",
        ),
        Example(
            "too-small",
            "Problem 3: when slopes are too small",
            "-exp(-x**2)",
            start=(5.0, 3.0, 3.0),
            alpha=(0.1, 0.1, 0.9),
            iterations=2_000,
            window=(-1.5, 5.5),
            takeaway="Where it is flat the ball is stuck, as at 5, or takes very long, as from 3; "
            "from there it arrives in time with a larger alpha (Solution 3).",
        ),
        Example(
            "rut",
            "Problem 3: stuck in a rut",
            "x**2/8 - exp(-20*(x - 3)**2)/2",
            start=(4.0, 4.0),
            alpha=(0.01, 1.0),
            iterations=10_000,
            window=(-2.0, 4.5),
            takeaway="A ball with too small an alpha drops into the first rut and ignores the big "
            "picture; with a larger one it gets out (Solution 3).",
        ),
    )
}
"""The examples by name."""
