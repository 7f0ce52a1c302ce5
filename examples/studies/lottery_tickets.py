"""Lottery tickets of XOR: do larger networks learn it because they hold more of them.

Frankle and Carbin, "The Lottery Ticket Hypothesis: Training Pruned Neural Networks" (arXiv
1803.03635, version 1, March 2018) train ReLU networks with 2 to 10 hidden units on XOR, 1,000 of
each size, and count two things: the outputs are on the right side of the boundary, and the loss is
zero. Then they prune trained networks to two units and train these again from the same initial
weights. The paper could not be opened when this was written, only its abstract: its first table is
quoted from memory, and its initial weights, loss and learning rate are not known to us. Eight
readings, ways to fill these in, are trained:

- with or without biases;
- cross-entropy with a sigmoid output, or the squared error with an identity output;
- uniform initial weights (Glorot), or normal ones (LeCun).

The readings without biases or with the squared error have 10,000 seeds for each size, which is
enough beside 1,000; those with biases and cross-entropy have 100,000, and so have the tickets.

The first of them (biases, cross-entropy, LeCun, rate 1) is that of a program by a third party, the
repository zchenry/lottery-ticket-hypothesis (``figure1.py``, in Chainer). Its README also has two
chains (``xor.py``), 100 networks each, of 8, 6, 4 and 2 and of 8, 4 and 2 units: networks of eight
units without biases, of which the units with the largest product of the sum of the weights that
enter and the weight that leaves are kept. It looks at the signs of the sums before the sigmoid: 0,
as of a network whose units are all dead, is right, and so is what rounding leaves of 0 if it has
the right sign. We count so, too, and beside it without these. (A first run compared outputs after
the sigmoid with 1/2, to which sums below 2e-16 of either sign round: it found 95 % for two units.)
The program stops when the loss hardly changes, and computes in float32; ours are trained for all
10,000 iterations, in float64.

"Zero loss" of ours is a mean absolute error below 0.01 within 1,000 iterations.

Tickets are of the first reading. The units of a trained network are ranked by |weight that leaves|
x sum of |weights that enter|, two are kept, and these two are trained alone from their own initial
weights; "iteratively" means that two units are removed at a time, with a training in between. A
pruned unit, with weights of 0 that are frozen, changes no bit of the others: this is checked with
``freeze=`` before the run. The same size with new weights is two units of another seed's network.

What counts as agreement, decided before the run: a share agrees if ours is inside Wilson's 95 %
interval of the published count. What is quoted from memory can't be compared: it is shown which
readings would agree. Of the abstract's claims, "reliably" is
more than 90 % of the tickets of networks that had learned XOR, "worse" is an interval below that
of the original networks, and "often faster" is more than half of the pairs that both learned it.

    python examples/studies/lottery_tickets.py           # 4 minutes on two cores
    python examples/studies/lottery_tickets.py --quick   # seconds, few seeds

Counts are written for 5,000 seeds at a time, and the same command resumes after them.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from study import Row, answer, finish, in_blocks, options, percent, wilson

import fastgd

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
Y = np.array([0, 1, 1, 0])
SEEDS, OTHERS, SIZES = 100_000, 10_000, (2, 4, 6, 8, 10)
LOSSES: dict[str, dict[str, Any]] = {
    "cross-entropy": {"loss": "cross_entropy", "output": "sigmoid", "alpha": 1.0},
    "squared error": {"loss": "squared", "output": "identity", "alpha": 0.1},
}
INITS = {"LeCun": "lecun_normal", "Glorot": "glorot"}
SHARED: dict[str, Any] = {
    "activation": "relu",
    "reduction": "mean",
    "tolerance": 0.01,
    "evaluate_every": 10,
}
FIRST = {**SHARED, **LOSSES["cross-entropy"], "bias": True}
PAPER = {10: (985, 929), 8: (968, 875), 6: (925, 768), 4: (783, 553), 2: (491, 176)}
CHAINS = {(8, 6, 4, 2): (98, 97, 89, 75), (8, 4, 2): (100, 89, 71)}
"""Third party's networks that are right, of 100 each, by hidden units."""
ROUNDING = 1e-9
"""Sums closer to 0 are 0 but for rounding."""

Arrays = dict[str, np.ndarray]


def is_right(outputs: np.ndarray, ties: bool = False) -> np.ndarray:
    """Whether all four outputs are on the right side of 1/2; ``ties``: or exactly 1/2."""
    above = outputs >= 0.5 if ties else outputs > 0.5
    return np.where(Y == 1, above, outputs <= 0.5).all(axis=-1)


def has_right_signs(trained: Arrays) -> np.ndarray:
    """Whether none of the four sums before the sigmoid has the wrong sign; no biases."""
    return ~((2 * Y - 1) * sums(trained) < 0).any(axis=-1)


def sums(weights: Arrays) -> np.ndarray:
    """What networks without biases give before the sigmoid: (n, 4)."""
    hidden = np.maximum(np.einsum("si,nih->nsh", X, weights["entering"]), 0)
    return np.einsum("nsh,nh->ns", hidden, weights["leaving"])


def importance(entering: np.ndarray, leaving: np.ndarray, rule: str = "product") -> np.ndarray:
    """Rank the hidden units of networks (n, 2, H), (n, H) by the magnitude of their weights."""
    sums = np.abs(entering).sum(axis=1)
    return {"product": sums * np.abs(leaving), "in": sums, "out": np.abs(leaving)}[rule]


def kept(start: Arrays, rank: np.ndarray, size: int) -> Arrays:
    """Initial weights of the units with the largest ranks, in their old order."""
    units = np.sort(np.argsort(-rank, axis=1, kind="stable")[:, :size], axis=1)
    entering = np.take_along_axis(start["entering"], units[:, None], axis=2)
    return {"entering": entering, "leaving": np.take_along_axis(start["leaving"], units, axis=1)}


def weights_of(sweep: fastgd.Sweep) -> tuple[Arrays, Arrays]:
    """Weights of all networks before and after the training."""
    pairs = [(run.recorded_weights, run.weights) for run in sweep]

    def stacked(networks: Iterable[Sequence[np.ndarray]]) -> Arrays:
        entering, leaving = (np.array(layers) for layers in zip(*networks, strict=True))
        return {"entering": entering, "leaving": leaving[..., 0]}

    initial = ([layer[0] for layer in records] for records, _ in pairs)
    return stacked(initial), stacked(weights for _, weights in pairs)


def train_again(start: Arrays, **settings: Any) -> fastgd.Sweep:
    """Train a network from each of these initial weights; biases start at 0, as at first."""
    pairs = [(e, v[:, None]) for e, v in zip(start["entering"], start["leaving"], strict=True)]
    size = start["leaving"].shape[1]
    biases = [(np.zeros(size), np.zeros(1))] * len(pairs) if settings["bias"] else None
    return fastgd.sweep(X, Y, weights=pairs, biases=biases, **settings)


def check_that_pruned_is_smaller(settings: dict[str, Any]) -> None:
    """Compare pruned networks, masked with ``freeze``, to the kept units alone, by their bits."""
    large = fastgd.sweep(
        X, Y, hidden_size=6, init="lecun_normal", seed=range(5), record_weights=True, **settings
    )
    start, trained = weights_of(large)
    small = train_again(kept(start, importance(**trained), 2), **settings)
    for place, run in enumerate(small):
        rank = importance(**trained)[place]
        gone = rank < np.sort(rank)[-2]
        pruned = [
            np.where(gone, 0, start["entering"][place]),
            np.where(gone, 0, start["leaving"][place])[:, None],
        ]
        frozen = [np.tile(gone, (2, 1)), gone[:, None]]
        zeros = [np.zeros(6), np.zeros(1)]
        same = fastgd.train(X, Y, weights=pruned, biases=zeros, freeze=frozen, **settings)
        assert np.array_equal(same.weights[0][:, ~gone], run.weights[0])
        assert np.array_equal(same.weights[1][~gone], run.weights[1])
        assert same.final_loss == run.final_loss


def readings(seeds: range, loss: str, bias: bool, shared: dict[str, Any]) -> Arrays:
    """Arrays (sizes, inits, seeds): which networks are right, count as right, have no loss."""
    sweep = fastgd.sweep(
        X,
        Y,
        hidden_size=list(SIZES),
        init=list(INITS.values()),
        bias=bias,
        seed=seeds,
        **LOSSES[loss],
        **shared,
    )
    outputs = sweep.predict(X)[..., 0]
    zero = sweep.status == "converged"
    return {"right": is_right(outputs), "with ties": is_right(outputs, True), "zero loss": zero}


def tickets(seeds: range, settings: dict[str, Any]) -> Arrays:
    """Whether each network and each of its tickets is right, and after how many iterations."""
    found = {}

    def note(name: str, sweep: fastgd.Sweep) -> fastgd.Sweep:
        found[name] = is_right(sweep.predict(X)[..., 0])
        found[f"{name}, iterations"] = sweep.iterations.astype(np.int32)
        return sweep

    for size in SIZES[1:]:
        large = fastgd.sweep(
            X, Y, hidden_size=size, init="lecun_normal", seed=seeds, record_weights=True, **settings
        )
        start, trained = weights_of(note(f"{size}", large))
        other = {name: np.roll(weights, 1, axis=0) for name, weights in start.items()}
        first = kept(other, -np.arange(size) * np.ones((len(seeds), 1)), 2)
        note(f"{size}, new weights", train_again(first, **settings))
        for rule in ("product", "in", "out") if size == SIZES[-1] else ("product",):
            ticket = kept(start, importance(**trained, rule=rule), 2)
            note(f"{size}, {rule}", train_again(ticket, **settings))
    for fewer in (8, 6, 4, 2):  # the last of them has ten units
        pruned = kept(start, importance(**trained), fewer)
        again = train_again(pruned, record_weights=True, **settings)
        start, trained = weights_of(note(f"10, iteratively {fewer}", again))
    return found


def chain(seeds: range, settings: dict[str, Any]) -> Arrays:
    """The third party's chains: the units with the largest signed products are kept.

    On a GPU, its default, its program ranks and keeps the initial weights. On a CPU the arrays that
    it ranks and keeps are those that the first training changes. Neither changes on the way, so
    that both chains keep the same four and the same two units.
    """
    large = fastgd.sweep(
        X, Y, hidden_size=8, init="lecun_normal", seed=seeds, record_weights=True, **settings
    )
    found = {}
    for kind, weights in zip(("initial", "trained"), weights_of(large), strict=True):
        sweep, start = large, weights
        for size in (8, 6, 4, 2):
            if size < 8:
                start = kept(start, start["entering"].sum(axis=1) * start["leaving"], size)
                sweep = train_again(start, record_weights=True, **settings)
            _, trained = weights_of(sweep)
            found[f"{size}, {kind}"] = has_right_signs(trained)
            clear = np.where(Y == 1, sums(trained) > ROUNDING, sums(trained) < ROUNDING)
            found[f"{size}, {kind}, clearly"] = clear.all(axis=-1)
    return found


def inside(ours: float, published: int, trials: int) -> bool:
    """Whether our share is in the interval of the published count."""
    low, high = wilson(published, trials)
    return low <= ours <= high


def short(part: float) -> str:
    """Write a share without its interval.

    >>> short(0.9234)
    '92.3 %'
    """
    return f"{100 * part:.1f} %"


def share(reading: dict[str, Any], kind: str, size: int) -> float:
    """Share of a reading's networks of this size that are counted as this kind."""
    count: int = reading[kind][str(size)]
    return count / reading["seeds"]


def rows_of_sizes(counts: dict[str, Any]) -> list[Row]:
    """One row for each size of the paper's first table."""
    first, rows = counts["cross-entropy, biases, LeCun"], []
    kinds = ("right", "zero loss")
    for size, published in PAPER.items():
        fits = {
            name: [
                inside(share(one, kind, size), count, 1000)
                for kind, count in zip(kinds, published, strict=True)
            ]
            for name, one in counts.items()
        }
        shares = sorted(share(one, "right", size) for one in counts.values())
        both = [name for name, one in fits.items() if all(one)]
        either = [name for name, one in fits.items() if any(one) and not all(one)]
        agreeing = {"in both figures": both, "in one of the two figures": either}
        some = "; ".join(
            f"{where}: {'; '.join(names)}" for where, names in agreeing.items() if names
        )
        rows.append(
            Row(
                f"{size} hidden units: right side, and zero loss",
                f"{published[0] / 10:.1f} % and {published[1] / 10:.1f} % of 1,000 (first table, "
                "from memory)",
                " and ".join(percent(first[kind][str(size)], first["seeds"]) for kind in kinds),
                "can't be compared",
                f"From memory. With the {len(counts)} readings, {short(shares[0])} to "
                f"{short(shares[-1])} are on the right side. "
                + (f"Readings that would agree {some}" if some else "No reading would agree")
                + ". If an output of exactly 1/2 is right, the first reading has "
                f"{short(share(first, 'with ties', size))}",
            )
        )
    return rows


def rows_of_chains(found: Arrays) -> list[Row]:
    """One row for each size of the third party's chains."""
    rows = []
    published = [
        (", ".join(map(str, sizes)), size, count)
        for sizes, counts in CHAINS.items()
        for size, count in zip(sizes, counts, strict=True)
    ]
    for name, size, count in published:
        right = {kind: found[f"{size}, {kind}"] for kind in ("initial", "trained")}
        clear = short(found[f"{size}, initial, clearly"].mean())
        fits = [kind for kind, one in right.items() if inside(one.mean(), count, 100)]
        shares = [percent(int(one.sum()), one.size) for one in right.values()]
        low, high = wilson(count, 100)
        reason = (
            f"The interval of the published count is {100 * low:.1f} to {100 * high:.1f} %. "
            "A sum of 0 before the sigmoid, as of a dead network, is right, as in the program; "
            f"without such sums {clear} are right"
        )
        ours = shares[0]
        if size < 8:
            ours = (
                f"{shares[0]} if the units start again from their initial weights, {shares[1]} if "
                "from trained ones"
            )
            reason += ". The program does the first on a GPU, the second on a CPU"
        rows.append(
            Row(
                f"A third party's chain {name}: "
                + ("all units" if size == 8 else f"{size} units are kept"),
                f"{count} of 100 (README of zchenry/lottery-ticket-hypothesis)",
                ours,
                "agrees" if fits else "differs",
                reason,
            )
        )
    return rows


def rows_of_tickets(found: Arrays) -> list[Row]:
    """The abstract's claims about tickets of ten-unit networks."""
    original, n = found["10"], found["10"].size
    learned = int(original.sum())
    rows = []
    rules = " and ".join(short(found[f"10, {rule}"].mean()) for rule in ("in", "out"))
    how = {
        ("one shot", "10, product"): f"Ranked by the weights that enter, or leave: {rules} of all",
        ("iteratively", "10, iteratively 2"): "From ten to eight, six, four and two units",
    }
    for (name, key), reason in how.items():
        won = int((found[key] & original).sum())
        rows.append(
            Row(
                f"Tickets of two units from ten, pruned {name}",
                '"reliably converge successfully" (abstract)',
                f"{percent(won, learned)} of those whose network learned XOR; "
                f"{short(found[key].mean())} of all",
                "agrees" if wilson(won, learned)[0] > 0.9 else "differs",
                f"{reason}. To agree, it had to be more than 90 %",
            )
        )
    new = int(found["10, new weights"].sum())
    worse = wilson(new, n)[1] < wilson(learned, n)[0]
    rows.append(
        Row(
            "Two units with new weights",
            '"when ... randomly reinitialized ..., they perform worse than the original network" '
            "(abstract)",
            f"{percent(new, n)}; the original networks {percent(learned, n)}",
            "agrees" if worse else "differs",
            "Two units of another seed's ten-unit network, so that the distribution is the same",
        )
    )
    pairs = original & found["10, product"]

    def median(key: str) -> float:
        return float(np.median(found[f"{key}, iterations"][pairs]))

    faster = found["10, product, iterations"] < found["10, iterations"]
    count = int((faster & pairs).sum())
    rows.append(
        Row(
            "Tickets that need fewer iterations than their network",
            '"often faster than the original network" (abstract)',
            f"{percent(count, int(pairs.sum()))} of the pairs that both learned XOR",
            "agrees" if count > pairs.sum() / 2 else "differs",
            "Until the mean absolute error is below 0.01, at the same rate. Medians: "
            f"{median('10, product'):.0f} iterations, and {median('10'):.0f} of their networks",
        )
    )
    return rows


def draw(counts: dict[str, Any], found: Arrays, path: Path) -> None:
    """Draw the shares against the hidden units, and tickets beside random two-unit networks."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(
        1, 2, figsize=(9.6, 4.2), sharey=True, layout="constrained"
    )
    for name, one in counts.items():
        shares = [100 * share(one, "right", size) for size in SIZES]
        is_first = name == next(iter(counts))
        look = {"color": "C0", "lw": 2, "marker": "o"} if is_first else {"color": "0.75", "lw": 1}
        left.plot(SIZES, shares, **look, label=f"ours: {name}" if is_first else None)
    left.plot([], [], color="0.75", lw=1, label=f"ours: {len(counts) - 1} other readings")
    for place, (kind, marker) in enumerate((("right side", "s"), ("zero loss", "D"))):
        ends = np.array([wilson(PAPER[size][place], 1000) for size in SIZES]).T * 100
        middle = np.array([PAPER[size][place] / 10 for size in SIZES])
        left.errorbar(
            SIZES,
            middle,
            np.abs(ends - middle),
            fmt=marker,
            color=("C1", "C3")[place],
            capsize=3,
            label=f"published (from memory): {kind}",
        )
    left.set(xlabel="hidden units", ylabel="% of networks", xticks=SIZES, ylim=(0, 103))
    left.set_title(f"Networks that learn XOR, {found['10'].size:,} seeds", fontsize=11)
    left.legend(fontsize=8, loc="lower right")
    large = SIZES[1:]
    styles = {
        "": ("the whole network", "C0"),
        ", product": ("its ticket: two units, own initial weights", "C2"),
        ", new weights": ("two units with new weights", "C4"),
    }
    for ending, (label, color) in styles.items():
        shares = [100 * found[f"{size}{ending}"].mean() for size in large]
        right.plot(large, shares, "o-", color=color, lw=2, label=label)
    iterative = [100 * found[f"10, iteratively {size}"].mean() for size in (8, 6, 4, 2)]
    right.plot(
        10, iterative[-1], "*", color="C2", ms=13, label="its ticket, pruned two units at a time"
    )
    right.set(xlabel="hidden units before pruning", xticks=large)
    right.set_title("Pruned to two hidden units", fontsize=11)
    right.legend(fontsize=8, loc="lower right", bbox_to_anchor=(1, 0.28))
    figure.savefig(path, dpi=95)
    print(f"Drawn to {path}")


def main() -> None:
    """Train everything that isn't in the folder yet, count, print, draw."""
    given = options(__doc__, "lottery_tickets")
    seeds, others, block = (300, 300, 150) if given.quick else (SEEDS, OTHERS, 5_000)
    length, long = (500, 1000) if given.quick else (1000, 10_000)
    shared = SHARED | {"iterations": length, "record_every": length, "threads": given.threads}
    first = FIRST | shared
    check_that_pruned_is_smaller(first)
    counts: dict[str, Any] = {}
    for loss in list(LOSSES)[: 1 if given.quick else None]:
        for bias in (True, False):
            name = f"{loss}, {'biases' if bias else 'no biases'}"

            def work(some: range, loss: str = loss, bias: bool = bias) -> Arrays:
                return readings(some, loss, bias, shared)

            several = others if counts else seeds
            arrays = in_blocks(given.out / "parts" / name, several, block, work)
            for place, init in enumerate(INITS):
                counts[f"{name}, {init}"] = {"seeds": several} | {
                    kind: {str(size): int(array[at, place].sum()) for at, size in enumerate(SIZES)}
                    for kind, array in arrays.items()
                }
    found = in_blocks(
        given.out / "parts" / "tickets", seeds, block, lambda some: tickets(some, first)
    )
    own = first | {"bias": False, "iterations": long, "record_every": long, "tolerance": 0.0}
    pruned = in_blocks(given.out / "parts" / "chains", others, block, lambda some: chain(some, own))
    won = {name: float(array.mean()) for name, array in found.items() if array.dtype == bool}
    medians = {
        name: float(np.median(array[found[name.removesuffix(", iterations")]]))
        for name, array in found.items()
        if array.dtype != bool
    }
    rows = [*rows_of_sizes(counts), *rows_of_chains(pruned), *rows_of_tickets(found)]
    details = {
        "readings": counts,
        "tickets": won,
        "median iterations of those that learned XOR": medians,
    }
    picture = given.out / "lottery-tickets.png"
    finish(rows, given, "lottery_tickets", details, lambda: draw(counts, found, picture))


if __name__ == "__main__":
    answer(main)
