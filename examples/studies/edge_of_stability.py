"""The edge of stability: where does the sharpness of 1,000 networks end.

Cohen, Kaur, Li, Kolter and Talwalkar, "Gradient Descent on Neural Networks Typically Occurs at the
Edge of Stability" (ICLR 2021, arXiv 2103.00065, version 3), train networks by full-batch gradient
descent and follow the sharpness, the largest eigenvalue of the Hessian of the training loss. While
it is below 2 / step size it rises; there it stops, and hovers right at, or just above, that value
(abstract, introduction, Figure 1). The loss rises and falls from then on, and is smaller in the
long run.

Here are 100 seeds with each of ten step sizes. The samples are a data set of the paper's program
(``chebyshev-4-20`` of the repository locuslab/edge-of-stability): 20 points from -1 to 1 and the
Chebyshev polynomial of degree 4. The program's network for it has 100 tanh units, hidden biases
and normal initial weights (Glorot, those of the first layer times 1.9). Ours has 20 units, a bias
of the output, too, and no such factor, so that its sharpness begins below 2 / step size everywhere.

The loss is half the squared error, as in the program, and the mean over the samples
(``reduction="mean"``). Its Hessian is what alpha multiplies, so a step along an eigenvector
multiplies the distance to a minimum by 1 - alpha * eigenvalue, and the limit is 2 / alpha. With
``reduction="sum"`` the sharpness is 20 times that, and the limit is still 2 / alpha. A network
without hidden units, whose loss is quadratic, is trained below and above the limit first.

All runs have the same time, alpha * iterations = 4,000, and 100 measurements, an odd number of
iterations apart: what oscillates has a period of two. A run reached the edge if a measurement is
above 2 / alpha; where its sharpness ends is the median of its last 20 measurements.

What counts as agreement, decided after a look at 16 seeds of similar networks and before the full
run: of those that reached the edge, more than
90 % (lower end of the interval) end within 10 % of 2 / alpha; half of these ends are between 2 /
alpha less 1 % and 5 % more; more than 90 % of all runs are sharper at their sharpest than at first;
after they reached the edge, the loss of more than 90 % rises from some measurement to the next, and
that of more than 90 % is smaller at the end than there. No share of networks is published.

    python examples/studies/edge_of_stability.py           # a minute on two cores
    python examples/studies/edge_of_stability.py --quick   # seconds: few seeds, a short time

The same command resumes after an interruption.
"""

from pathlib import Path
from typing import Any

import numpy as np
from study import Row, answer, finish, options, percent, wilson

import fastgd

x = np.linspace(-1, 1, 20)[:, None]
y = 8 * x**4 - 8 * x**2 + 1
ALPHAS = [0.1, 0.12, 0.15, 0.18, 0.22, 0.26, 0.31, 0.37, 0.44, 0.53]
METHOD: dict[str, Any] = {
    "bias": True,
    "activation": "tanh",
    "output": "identity",
    "reduction": "mean",
    "init": "glorot_normal",
}
NEAR = 0.1
"""Of 2 / alpha, on either side."""
SOURCE = "Cohen and others, abstract and Figure 1"

Arrays = dict[str, np.ndarray]


def check_the_limit() -> None:
    """Train a quadratic loss with 1 % less and 1 % more than 2 / sharpness."""
    options = METHOD | {"hidden_size": (), "iterations": 1001, "record_every": 1000}
    features = np.hstack([x, x**2, x**3])
    limit = 2 / fastgd.train(features, y, measure="sharpness", **options).measured["sharpness"][0]
    for factor, is_stable in ((0.99, True), (1.01, False)):
        losses = fastgd.train(features, y, alpha=factor * limit, **options).losses
        if (losses[-1] < losses[0]) != is_stable:
            raise AssertionError(f"alpha {factor} of the limit: losses {losses}")


def trained(alpha: float, seeds: int, time: int, threads: int | None, folder: Path) -> Arrays:
    """Sharpness, in units of 2 / alpha, and losses of all seeds, (seeds, measurements)."""
    iterations = round(time / alpha)
    sweep = fastgd.sweep(
        x,
        y,
        alpha=alpha,
        seed=range(seeds),
        hidden_size=20,
        iterations=iterations,
        record_every=iterations // 100 | 1,
        measure="sharpness",
        threads=threads,
        out=folder,
        **METHOD,
    )
    sharpness = sweep.measured["sharpness"] * alpha / 2
    return {"sharpness": sharpness, "losses": sweep.losses[:], "time": alpha * sweep.recorded}


def facts_of(found: Arrays) -> Arrays:
    """What is counted of each run, (seeds,)."""
    sharpness, losses = found["sharpness"], found["losses"]
    reached = (sharpness > 1).any(axis=1)
    first = np.where(reached, (sharpness > 1).argmax(axis=1), sharpness.shape[1] - 1)
    after = np.arange(losses.shape[1] - 1) >= first[:, None]
    end = np.median(sharpness[:, -20:], axis=1)
    return {
        "reached": reached,
        "end": end,
        "near": abs(end - 1) < NEAR,
        "sharper": sharpness.max(axis=1) > sharpness[:, 0],
        "rose": ((np.diff(losses, axis=1) > 0) & after).any(axis=1),
        "smaller": losses[:, -1] < losses[np.arange(len(losses)), first],
    }


def row(what: str, published: str, holds: np.ndarray, of: str, reason: str) -> Row:
    """Make a row of a share that must be above 90 %."""
    count, runs = int(holds.sum()), holds.size
    ours = f"{percent(count, runs)} of {runs:,} {of}" if runs else "nan"
    agrees = runs > 0 and wilson(count, runs)[0] > 0.9
    return Row(what, published, ours, "agrees" if agrees else "differs", reason)


def rows_of(each: dict[float, Arrays]) -> list[Row]:
    """The claims, then one row for each step size."""
    facts = {name: np.concatenate([one[name] for one in each.values()]) for name in each[0.1]}
    at_edge = facts["reached"]
    low, middle, high = np.percentile(facts["end"][at_edge], [25, 50, 75]) if at_edge.any() else (
        np.nan, np.nan, np.nan
    )  # fmt: skip
    rows = [
        row(
            "The sharpness stops at 2 / alpha",
            f"it hovers right at 2 / step size, or just above ({SOURCE})",
            facts["near"][at_edge],
            "runs that reached it end within 10 % of it",
            f"{at_edge.sum():,} of {at_edge.size:,} runs reached it in this time",
        ),
        Row(
            "Where it hovers",
            f"right at 2 / step size, or just above ({SOURCE})",
            f"median {middle:.3f} of 2 / alpha, half of the runs {low:.3f} to {high:.3f}",
            "agrees" if low >= 0.99 and high <= 1.05 else "differs",
            "Of the runs that reached it. To agree, half had to be between 0.99 and 1.05",
        ),
        row(
            "Progressive sharpening",
            "below 2 / step size the sharpness tends to rise (introduction)",
            facts["sharper"],
            "runs are sharper than at first",
            "At their sharpest; also of the runs that never reach the edge",
        ),
        row(
            "At the edge the loss rises at times",
            "it is not monotonous over short times (abstract)",
            facts["rose"][at_edge],
            "runs that reached the edge",
            "From some measurement to the next",
        ),
        row(
            "At the edge the loss falls in the long run",
            "it decreases consistently over long times (abstract)",
            facts["smaller"][at_edge],
            "runs that reached the edge",
            "At the end against where the edge was reached",
        ),
    ]
    for alpha, own in each.items():
        runs, reached = own["end"].size, own["reached"]
        low, middle, high = np.percentile(own["end"] * 2 / alpha, [5, 50, 95])
        rows.append(
            Row(
                f"alpha {alpha:g}: ends within 10 % of 2 / alpha = {2 / alpha:.2f}",
                "no share is published",
                f"{percent(int(own['near'].sum()), runs)}; the sharpness ends at {middle:.2f}, "
                f"90 % of the runs from {low:.2f} to {high:.2f}",
                "can't be compared",
                f"{int(reached.sum())} of {runs} runs reached the edge",
            )
        )
    return rows


def draw(found: dict[float, Arrays], each: dict[float, Arrays], path: Path) -> None:
    """Draw the sharpness over time for some step sizes, and where all runs end."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4.2), layout="constrained")
    for k, alpha in enumerate(ALPHAS[::3]):
        time, sharpness = found[alpha]["time"], found[alpha]["sharpness"] * 2 / alpha
        low, middle, high = np.percentile(sharpness, [5, 50, 95], axis=0)
        left.fill_between(time, low, high, color=f"C{k}", alpha=0.2, lw=0)
        left.plot(time, middle, color=f"C{k}", label=f"alpha {alpha:g}")
        left.axhline(2 / alpha, color=f"C{k}", ls="--", lw=1)
    left.set(xlabel="time: alpha x iteration", ylabel="sharpness", ylim=(0, None))
    left.set_title("Medians, and 90 % of the seeds (dashed: 2 / alpha)", fontsize=11)
    left.legend(fontsize=8, loc="center right")
    ends = [each[alpha]["end"] * 2 / alpha for alpha in ALPHAS]
    for alpha, own in zip(ALPHAS, ends, strict=True):
        spread = np.exp(np.linspace(-0.03, 0.03, len(own)))
        right.plot(alpha * spread, own, ".", color="C0", ms=3, alpha=0.5)
    right.plot(ALPHAS, [2 / alpha for alpha in ALPHAS], "k--", lw=1, label="2 / alpha")
    right.set(xlabel="alpha", ylabel="sharpness at the end", xscale="log", yscale="log")
    ticks = ALPHAS[::3]
    right.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    right.set_yticks(marks := [4, 6, 8, 10, 14, 20], [f"{mark}" for mark in marks])
    right.minorticks_off()
    right.set_title(f"Where {sum(map(len, ends)):,} networks end", fontsize=11)
    right.legend(fontsize=8)
    figure.savefig(path, dpi=95)
    print(f"Drawn to {path}")


def main() -> None:
    """Train everything that isn't in the folder yet, count, print, draw."""
    given = options(__doc__, "edge_of_stability")
    seeds, time = (10, 500) if given.quick else (100, 4000)
    check_the_limit()
    found = {
        alpha: trained(alpha, seeds, time, given.threads, given.out / "parts" / f"{alpha:g}")
        for alpha in ALPHAS
    }
    each = {alpha: facts_of(one) for alpha, one in found.items()}
    details = {
        f"{alpha:g}": {name: array.tolist() for name, array in one.items()}
        for alpha, one in each.items()
    }
    picture = given.out / "edge-of-stability-study.png"
    finish(rows_of(each), given, "edge_of_stability", details, lambda: draw(found, each, picture))


if __name__ == "__main__":
    answer(main)
