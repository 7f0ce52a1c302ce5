"""Forgetting events: which samples does a network learn, and then lose again.

Toneva and others, "An Empirical Study of Example Forgetting during Deep Neural Network Learning"
(ICLR 2019, arXiv 1812.05159) count how often a sample is classified rightly and, the next time,
wrongly. They find that many samples are never forgotten, that these are the same for other seeds,
and that samples with wrong labels are forgotten most.

The paper could not be opened when this was written, only its abstract and its program, the
repository mtoneva/example_forgetting: the definition, the settings (mini-batches of 64, 200 epochs,
momentum 0.5), five runs, of which none may forget an "unforgettable" sample, and 20 % random labels
are from there. The published shares and correlations are quoted from memory.

Here the samples are scikit-learn's digits: 1,797 images of 8 x 8 pixels, ten classes, and the
networks have 32 hidden units (ReLU) before softmax and cross-entropy. Theirs are convolutional
networks on 60,000 images (MNIST, also with permuted pixels) and 50,000 (CIFAR-10), with a learning
rate of 0.01; with 29 updates per epoch, where MNIST has 938, ours is 0.1. Other data can't confirm
a share, so no share or correlation is compared, only the claim about wrong labels.

Two more things are different. Theirs look at a sample when its mini-batch is presented, ours at all
samples before each epoch and after the last one, with ``record_predictions=True``. And runs of a
sweep share the order of the samples: each order has five seeds of the initial weights. So that
nothing is shared, groups of five runs and pairs are of different orders; what a shared order adds
is a row of its own.

In the second condition 20 % of the samples, the same ones in all runs, have labels that are drawn
from all ten; "changed" are those whose label is then another one. A sample that was never learned
ranks as forgotten more often than any other. What counts as agreement, decided before the run: a
changed label is forgotten more often than an unchanged one with a probability (equal ranks count
half) above 1/2 in more than 95 % of the runs.

    python examples/studies/forgetting_events.py           # 4 minutes on two cores
    python examples/studies/forgetting_events.py --quick   # seconds: ten orders, 8 epochs

Counts are written for one order at a time, and the same command resumes after them.
"""

from argparse import Namespace
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from study import Row, Verdict, answer, finish, options

import fastgd
from fastgd.optimizers import Momentum

BATCH, SEEDS, GROUP, CLASSES, CHANGED = 64, 5, 5, 10, 0.2
FULL, QUICK = {"orders": 20, "epochs": 200}, {"orders": 10, "epochs": 8}
METHOD: dict[str, Any] = {
    "hidden_size": 32,
    "alpha": 0.1,
    "optimizer": Momentum(0.5),
    "activation": "relu",
    "output": "softmax",
    "loss": "cross_entropy",
    "init": "he",
    "bias": True,
    "batch_size": BATCH,
    "reduction": "mean",
}
CONDITIONS = ("true labels", "20 % random labels")

Counts = dict[str, np.ndarray]
"""By name an array (orders, seeds, samples): how often each was forgotten; whether it was learned;
whether it is right at the end."""


def events(right: np.ndarray) -> Counts:
    """Count over the second axis from the end whether samples are right.

    >>> found = events(np.array([[0, 0, 1], [1, 0, 1], [0, 0, 1], [1, 0, 1]], dtype=bool))
    >>> found["forgotten"].tolist(), found["learned"].tolist()
    ([1, 0, 0], [True, False, True])
    """
    lost = right[..., :-1, :] & ~right[..., 1:, :]
    return {
        "forgotten": lost.sum(axis=-2),
        "learned": right.any(axis=-2),
        "right at the end": right[..., -1, :],
    }


def samples() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The images, from 0 to 1, and the labels of each condition."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    random, noisy = np.random.default_rng(2019), labels.copy()
    chosen = random.choice(len(labels), round(CHANGED * len(labels)), replace=False)
    noisy[chosen] = random.integers(CLASSES, size=len(chosen))
    return images / 16, dict(zip(CONDITIONS, (labels, noisy), strict=True))


def of_order(
    X: np.ndarray, labels: np.ndarray, order: int, epochs: int, threads: int | None
) -> Counts:
    """Train the seeds of an order; count the events of each of them."""
    every = -(-len(X) // BATCH)
    sweep = fastgd.sweep(
        X,
        np.eye(CLASSES)[labels],
        seed=range(SEEDS * order, SEEDS * (order + 1)),
        shuffle_seed=order,
        iterations=epochs * every,
        record_every=every,
        record_predictions=True,
        threads=threads,
        **METHOD,
    )
    assert sweep.recorded_predictions is not None
    outputs = np.concatenate([sweep.recorded_predictions, sweep.predict(X)[:, None]], axis=1)
    return events(outputs.argmax(axis=-1) == labels)


def counted(given: Namespace, X: np.ndarray, labels: np.ndarray, name: str) -> Counts:
    """The counts of all orders of a condition, from files where they are."""
    size = QUICK if given.quick else FULL
    folder = given.out / name.replace(" ", "-").replace("%", "percent")
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for order in range(size["orders"]):
        path = folder / f"{order}.npz"
        if not path.exists():
            with (folder / "unfinished").open("wb") as file:
                np.savez(file, **of_order(X, labels, order, size["epochs"], given.threads))
            (folder / "unfinished").rename(path)
            print(f"{name}: {order + 1} of {size['orders']} orders", flush=True)
        with np.load(path) as arrays:
            parts.append(dict(arrays))
    return {key: np.stack([part[key] for part in parts]) for key in parts[0]}


def groups(numbers: np.ndarray) -> np.ndarray:
    """Five runs of other orders at a time: (orders, seeds, n) become (seeds, groups, 5, n).

    Two groups of the same row have no order and no seed in common.
    """
    orders, seeds, count = numbers.shape
    return numbers.swapaxes(0, 1).reshape(seeds, orders // GROUP, GROUP, count)


def correlations(pairs: Iterator[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Pearson's correlation over the samples, for each pair; NaN if nothing is forgotten."""
    with np.errstate(invalid="ignore"):
        return np.array([np.corrcoef(one, other)[0, 1] for one, other in pairs])


def middle(numbers: np.ndarray, percent: bool = True) -> str:
    """Mean, and the two numbers with 95 % of all between them.

    >>> middle(np.array([0.5, 0.5, 0.8]))
    '60.0 % (50.0 to 78.5)'
    """
    if not np.isfinite(numbers).any():
        return "nan"
    scale = 100 if percent else 1
    low, high = scale * np.nanpercentile(numbers, [2.5, 97.5])
    return f"{scale * np.nanmean(numbers):.1f}{' %' * percent} ({low:.1f} to {high:.1f})"


def shares_of(counts: np.ndarray, most: int = 0) -> np.ndarray:
    """Shares of samples that a run forgets 0, 1, 2, ... times, up to ``most`` at least.

    >>> shares_of(np.array([[0, 2], [0, 0]])).tolist()
    [0.75, 0.0, 0.25]
    """
    return np.bincount(counts.ravel(), minlength=most + 1) / counts.size


def chance_above(ranks: np.ndarray, changed: np.ndarray) -> np.ndarray:
    """By run (orders, seeds): the probability that a changed label ranks above an unchanged one."""
    ours, others = ranks[..., changed], ranks[..., ~changed]
    above = (ours[..., None] > others[..., None, :]).mean(axis=(-2, -1))
    equal = (ours[..., None] == others[..., None, :]).mean(axis=(-2, -1))
    return np.asarray(above + equal / 2)


def rows_of(found: dict[str, Counts], changed: np.ndarray) -> tuple[list[Row], dict[str, Any]]:
    """One row for each published finding, and further figures."""
    true, noisy = (found[name] for name in CONDITIONS)
    kept = true["learned"] & (true["forgotten"] == 0)
    of_five = groups(kept).all(axis=2).mean(axis=-1)
    counts = true["forgotten"]
    orders = counts.shape[0]
    others = correlations(
        (counts[one, seed], counts[other, seed])
        for one, other in combinations(range(orders), 2)
        for seed in range(SEEDS)
    )
    same = correlations(
        (counts[order, one], counts[order, other])
        for order in range(orders)
        for one, other in combinations(range(SEEDS), 2)
    )
    alike = correlations(
        pair for sums in groups(counts).sum(axis=2) for pair in combinations(sums, 2)
    )
    lost = noisy["forgotten"]
    above = chance_above(np.where(noisy["learned"], lost, lost.max() + 1), changed)
    means = [lost[..., some].mean(axis=-1) for some in (changed, ~changed)]
    never = [(~noisy["learned"])[..., some].mean() for some in (changed, ~changed)]
    agrees = (above > 0.5).mean() > 0.95
    verdict: Verdict = "agrees" if agrees else "differs"
    other_data = "Other data and networks, and another time of looking"
    rows = [
        Row(
            "Samples that none of five runs forgets",
            "MNIST 91.7 %, with permuted pixels 75.3 %, CIFAR-10 31.3 % (from memory)",
            middle(of_five),
            "can't be compared",
            f"{other_data}. A single run doesn't forget {middle(kept.mean(axis=-1))}, and has "
            f"{middle(true['right at the end'].mean(axis=-1))} right at the end",
        ),
        Row(
            "Forgetting events of samples: correlation of two runs",
            "89.2 % (CIFAR-10, ten seeds; from memory)",
            middle(others),
            "can't be compared",
            f"{other_data}. Other seed and other order, as there. With the same order of the "
            f"samples, and only other initial weights: {middle(same)}",
        ),
        Row(
            "Forgetting events of samples: correlation of two sums of five runs",
            "97.6 % (CIFAR-10; from memory)",
            middle(alike),
            "can't be compared",
            f"{other_data}. Of more runs the ranking is more one of the samples",
        ),
        Row(
            "20 % random labels: a changed one is forgotten more often than an unchanged one",
            "wrong labels are among the most forgotten (figure 3; no number)",
            f"with probability {middle(above)}",
            verdict,
            f"Above 1/2 in {(above > 0.5).mean():.0%} of the runs. Events of a changed label: "
            f"{middle(means[0], percent=False)}, of an unchanged one "
            f"{middle(means[1], percent=False)}; never learned are {never[0]:.1%} and "
            f"{never[1]:.1%}. If these rank by their events, 0, the probability is only "
            f"{middle(chance_above(lost, changed))}",
        ),
    ]
    details = {
        "samples": int(counts.shape[-1]),
        "runs of each condition": int(counts.shape[0] * counts.shape[1]),
        "changed labels": int(changed.sum()),
        "share of samples by events in a run": {
            name: shares_of(own["forgotten"]).round(6).tolist() for name, own in found.items()
        },
    }
    return rows, details


def draw(found: dict[str, Counts], changed: np.ndarray, X: np.ndarray, path: Path) -> None:
    """Draw how often samples are forgotten, how alike that is, and which ones are."""
    import matplotlib.pyplot as plt

    true, noisy = (found[name]["forgotten"] for name in CONDITIONS)
    figure = plt.figure(figsize=(13.5, 4.4), layout="constrained")
    left, center, right = figure.subfigures(1, 3, width_ratios=(1.1, 1, 1))
    ax = left.subplots()
    kinds = {
        "true labels": (true, "C0"),
        "unchanged, beside random ones": (noisy[..., ~changed], "C2"),
        "changed labels": (noisy[..., changed], "C3"),
    }
    most = int(noisy.max())
    for name, (counts, color) in kinds.items():
        ax.step(
            np.arange(most + 1), 100 * shares_of(counts, most), where="mid", color=color, label=name
        )
    ax.set(xlabel="times that a run forgets a sample", ylabel="samples, %", yscale="log")
    ax.set_title("How often samples are forgotten", fontsize=11)
    ax.legend(fontsize=8)
    sums = groups(true).sum(axis=2)[0]
    ax = center.subplots()
    spread = np.random.default_rng(0).uniform(-0.3, 0.3, (2, sums.shape[1]))
    ax.plot(sums[0] + spread[0], sums[-1] + spread[1], ".", ms=3, alpha=0.4)
    ax.set(xlabel="events in five runs", ylabel="events in five other runs")
    ax.set_title("Other seeds forget the same samples", fontsize=11)
    order = np.argsort(true.sum(axis=(0, 1)), kind="stable")
    panels = right.subplots(4, 5)
    shown = np.concatenate([order[-10:][::-1], order[:10]])
    for panel, place in zip(panels.flat, shown, strict=True):
        panel.imshow(X[place].reshape(8, 8), cmap="gray_r")
        panel.set_axis_off()
    right.suptitle("Most forgotten (two rows), least (two rows)", fontsize=11)
    figure.savefig(path, dpi=90)
    plt.close(figure)
    print(f"Drawn to {path}")


def main() -> None:
    """Train what isn't in files yet, count, print, draw."""
    given = options(__doc__, "forgetting_events")
    X, labels = samples()
    found = {name: counted(given, X, own, name) for name, own in labels.items()}
    changed = labels[CONDITIONS[0]] != labels[CONDITIONS[1]]
    rows, details = rows_of(found, changed)
    picture = given.out / "forgetting-events.png"
    finish(rows, given, "forgetting_events", details, lambda: draw(found, changed, X, picture))


if __name__ == "__main__":
    answer(main)
