"""A search for update rules: is there anything better than Adam among 100,000 random formulas.

Question: which of 100,000 random update rules learn XOR, parity and a spiral fastest, do they take
the sign of a momentum, and do they hold on problems that they were not chosen on?

Published: Bello, Zoph, Vasudevan and Le, *Neural Optimizer Search with Reinforcement Learning*
(ICML 2017, arXiv 1709.07417) let a recurrent network write formulas of the gradient, its running
averages and their signs, and found several that beat Adam, RMSProp and gradient descent with and
without momentum on a small convolutional network; two of them, PowerSign and AddSign, are said to
transfer well. Chen and others, *Symbolic Discovery of Optimization Algorithms* (NeurIPS 2023, arXiv
2302.06675) found Lion, the sign of a momentum, by an evolutionary search over programs; it needs a
smaller learning rate than Adam, 3 to 10 times smaller as its authors advise (README of
google/automl, lion). Ours is the plainest search, random formulas, on problems of seconds.

A rule is w + alpha * d, where d has two or three of Bello's operands, joined by one or two of his
operations, each with one of his functions before it: of g, minus the derivative, of m, v and c, the
running averages of g, g^2 and g^3 (0.9, 0.999 and 0.999; corrected for their start), of Adam's and
RMSProp's update, signs, the weight, 1 and 2. Left out are his random drops, noise, and decays over
the training. Each formula counts once.

How a rule is judged: by the iterations until the mean absolute error is below a limit, at most the
budget, on average over 8 seeds, at the best of four learning rates. All rules train on XOR (the
article's network), the best tenth on the parity of three bits, the best tenth of these on a spiral.
The hundred with the smallest product of the three, the *winners*, train again: with 32 new seeds,
on these three problems, and on two that nobody chose them on, circles and the table breast_cancer
of scikit-learn. So do fastgd's optimizers of first order, Lion, PowerSign and AddSign, with their
papers' defaults and the same learning rates.

What counts, decided before the run: a rule beats another if it needs fewer iterations (as a ratio,
the geometric mean over problems, below 1). "Several" is at least three; "transfers well" is that it
beats Adam on both new problems; "contains sign-momentum" is that the sign of m, or of Adam's update
is part of it. For Lion "smaller" is a smaller best learning rate on most problems.

    python examples/studies/update_rules.py           # half an hour on two cores
    python examples/studies/update_rules.py --quick   # two minutes, few rules

Scores are written for 2,500 rules at a time, and the same command resumes after them.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from study import Arrays, Row, answer, finish, in_blocks, options, percent, wilson

import fastgd
from fastgd.optimizers import AdaDelta, AdaGrad, Adam, GradientDescent, Momentum, Nesterov, RMSProp

RULES, WINNERS, SEEDS, NEW_SEEDS = 100_000, 100, 8, 32
ALPHAS = (0.01, 0.1, 1.0, 10.0)

# ---------------------------------------------------------------- random rules

AVERAGES = {
    "m": "(0.9 * m + 0.1 * g)",
    "v": "(0.999 * v + 0.001 * (g * g))",
    "c": "(0.999 * c + 0.001 * (g * g * g))",
}
"""The states of a rule, running averages, and the next value of each."""

HATS = {
    "M": f"({AVERAGES['m']} / (1 - 0.9**t))",
    "V": f"({AVERAGES['v']} / (1 - 0.999**t))",
    "C": f"({AVERAGES['c']} / (1 - 0.999**t))",
}
"""These, corrected for their start at 0."""

ADAM = "(M / (sqrt(V) + 1e-8))"
OPERANDS = (
    "g", "(g * g)", "(g * g * g)", "M", "V", "C", "sign(g)", "sign(M)", "1", "2", ADAM,
    "(g / (sqrt(V) + 1e-8))", "(0.0001 * w)", "(0.001 * w)", "(0.01 * w)", "(0.1 * w)",
)  # fmt: skip
FUNCTIONS = (
    "{}", "(-{})", "exp({})", "log(abs({}))", "sqrt(abs({}))", "sign({})",
    "maximum(-0.0001, minimum(0.0001, {}))", "maximum(-0.01, minimum(0.01, {}))",
    "maximum(-1, minimum(1, {}))",
)  # fmt: skip
OPERATIONS = ("({} + {})", "({} - {})", "({} * {})", "({} / ({} + 1e-8))", "{}")
"""The last one keeps the first operand alone."""


def rule_of(step: str) -> str:
    """Return the text of the rule that adds alpha times this step, with the states it needs."""
    for hat, average in HATS.items():
        step = step.replace(hat, average)
    states = [name for name, average in AVERAGES.items() if average in step]
    results = ", ".join([f"w + alpha * {step}", *(AVERAGES[name] for name in states)])
    return f"lambda {', '.join(['w, g, alpha, t', *states])}: ({results})"


def random_step(random: Generator) -> str:
    """Draw a formula of two or three operands."""

    def operand() -> str:
        function, name = random.choice(FUNCTIONS), random.choice(OPERANDS)
        return str(function).format(name)

    step = operand()
    for _ in range(random.integers(1, 3)):
        step = str(random.choice(OPERATIONS)).format(step, operand())
    return step


def steps_of(count: int) -> list[str]:
    """Draw different steps that depend on the gradient."""
    random, found = np.random.default_rng(1), dict[str, None]()
    while len(found) < count:
        step = random_step(random)
        if any(letter in step.replace("sign", "") for letter in "gMVC"):
            found[step] = None
    return list(found)


def has_sign_of_momentum(step: str) -> bool:
    """Whether the sign of m, or of Adam's update, is part of a step."""
    return "sign(M)" in step or f"sign({ADAM})" in step


KNOWN = {
    "Lion": fastgd.Rule(
        "lambda w, g, alpha, m: (w + alpha * sign(0.9 * m + 0.1 * g), 0.99 * m + 0.01 * g)"
    ),
    "PowerSign": fastgd.Rule(rule_of("(exp(sign(g) * sign(M)) * g)")),
    "AddSign": fastgd.Rule(rule_of("((1 + sign(g) * sign(M)) * g)")),
}
BUILT_IN = {
    type(one).__name__: one
    for one in (
        *(GradientDescent(), Momentum(), Nesterov(), AdaGrad(), AdaDelta(), RMSProp(), Adam()),
    )
}
BEATEN = ("GradientDescent", "Momentum", "RMSProp", "Adam")
"""Those that Bello's rules are compared to."""

# ---------------------------------------------------------------- problems


class Problem(NamedTuple):
    """What a rule has to learn: samples, hidden units, budget, and the error that ends it."""

    X: NDArray[np.float64]
    y: NDArray[np.float64]
    hidden_size: int
    iterations: int
    tolerance: float


def with_ones(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Append a column of ones, as the article does."""
    return np.column_stack([X, np.ones(len(X))])


def bits(count: int) -> NDArray[np.float64]:
    """All numbers of this many bits, a row for each."""
    return (np.arange(2**count)[:, None] >> np.arange(count) & 1).astype(float)


def two(radius: NDArray[np.float64], angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points in polar coordinates."""
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


def problems() -> dict[str, Problem]:
    """The three problems of the search, and the two new ones."""
    from sklearn.datasets import load_breast_cancer

    turn, way = 2 * np.pi, np.linspace(0.25, 1, 24)
    arms = np.vstack([two(way, turn * way), two(way, turn * way + np.pi)])
    around = np.linspace(0, turn, 24, endpoint=False)
    rings = np.vstack([two(np.full(24, 0.4), around), two(np.full(24, 1.0), around)])
    table, classes = load_breast_cancer(return_X_y=True)
    table = (table - table.mean(axis=0)) / table.std(axis=0)
    halves = np.repeat([0.0, 1.0], 24)
    three = bits(3)
    return {
        "XOR": Problem(with_ones(bits(2)), bits(2).sum(axis=1) % 2, 4, 1000, 0.1),
        "parity": Problem(with_ones(three), three.sum(axis=1) % 2, 8, 2000, 0.1),
        "spiral": Problem(with_ones(3 * arms), halves, 16, 2000, 0.2),
        "circles": Problem(with_ones(2 * rings), halves, 8, 1000, 0.1),
        "breast_cancer": Problem(with_ones(table), classes.astype(float), 8, 100, 0.05),
    }


SEARCHED = ("XOR", "parity", "spiral")
NEW = ("circles", "breast_cancer")


def times(problem: Problem, rules: list[Any], seeds: range, threads: int | None) -> NDArray[Any]:
    """Mean iterations (learning rates, rules) until the limit, or the budget."""
    sweep = fastgd.sweep(
        problem.X,
        problem.y,
        optimizer=rules,
        alpha=list(ALPHAS),
        seed=seeds,
        hidden_size=problem.hidden_size,
        iterations=problem.iterations,
        record_every=problem.iterations,
        tolerance=problem.tolerance,
        evaluate_every=10,
        keep_weights=False,
        keep_state=False,
        threads=threads,
    )
    needed = np.where(sweep.status == "converged", sweep.iterations, problem.iterations)
    mean: NDArray[np.float64] = needed.mean(axis=-1).T
    return mean


class Found(NamedTuple):
    """What the search found."""

    steps: list[str]
    on_xor: NDArray[np.float64]
    """The iterations of all rules on XOR, each at its best learning rate."""
    winners: list[str]


def search(given: Any, count: int, block: int, winners: int, known: dict[str, Problem]) -> Found:
    """Train random rules, a tenth of them on each next problem; keep the best."""
    steps, kept = steps_of(count), np.arange(count)
    product, on_xor = np.ones(count), np.empty(0)
    for name in SEARCHED:

        def work(some: range, name: str = name, kept: NDArray[Any] = kept) -> Arrays:
            rules = [fastgd.Rule(rule_of(steps[k])) for k in kept[some.start : some.stop]]
            return {"times": times(known[name], rules, range(SEEDS), given.threads)}

        found = in_blocks(given.out / "parts" / name, len(kept), block, work, "rules")
        best = found["times"].min(axis=0)
        on_xor = best if name == SEARCHED[0] else on_xor
        product = product * best
        most = winners if name == SEARCHED[-1] else max(len(kept) // 10, winners)
        best_first = np.argsort(product, kind="stable")[:most]
        kept, product = kept[best_first], product[best_first]
    return Found(steps, on_xor, [steps[k] for k in kept])


def compare(found: Found, given: Any, known: dict[str, Problem], seeds: range) -> Arrays:
    """Iterations (learning rates, rules) on each problem: of the winners, then the others."""
    winners = [fastgd.Rule(rule_of(step)) for step in found.winners]
    others = [*KNOWN.values(), *BUILT_IN.values()]
    folder = given.out / "parts" / "compared"

    def of_problem(name: str) -> NDArray[Any]:
        def work(_some: range) -> Arrays:
            both = (times(known[name], some, seeds, given.threads) for some in (winners, others))
            return {"times": np.concatenate(list(both), axis=1)}

        return in_blocks(folder / name, 1, 1, work, "comparisons")["times"]

    return {name: of_problem(name) for name in known}


# ---------------------------------------------------------------- what is shown


def ratios(compared: Arrays, names: tuple[str, ...], to: int) -> NDArray[np.float64]:
    """Iterations of each rule divided by those of rule ``to``, the geometric mean over problems."""
    logarithms = [np.log(best := compared[name].min(axis=0)) - np.log(best[to]) for name in names]
    mean: NDArray[np.float64] = np.exp(np.mean(logarithms, axis=0))
    return mean


def rows_of(found: Found, compared: Arrays) -> list[Row]:
    """Compare with the claims of both papers."""
    count, total = len(found.winners), len(found.steps)
    place = {name: count + k for k, name in enumerate((*KNOWN, *BUILT_IN))}
    adam, all_five = place["Adam"], (*SEARCHED, *NEW)
    searched, new = (ratios(compared, names, adam) for names in (SEARCHED, NEW))
    limit = min(searched[place[name]] for name in BEATEN)
    better = int((searched[:count] < limit).sum())
    both = np.all([ratios(compared, (name,), adam)[:count] < 1 for name in NEW], axis=0)
    signs = sum(map(has_sign_of_momentum, found.winners))
    of_all = sum(map(has_sign_of_momentum, found.steps))
    low, high = (float(end) for end in np.percentile(new[:count], (2.5, 97.5)))
    whole = ratios(compared, all_five, adam)
    best_known = min(whole[place[name]] for name in BEATEN)
    signed = {name: whole[place[name]] / best_known for name in ("PowerSign", "AddSign")}
    rates = {
        name: [ALPHAS[int(compared[problem][:, place[name]].argmin())] for problem in all_five]
        for name in ("Lion", "Adam")
    }
    times_smaller = [adam / lion for lion, adam in zip(rates["Lion"], rates["Adam"], strict=True)]
    smaller = sum(ratio > 1 for ratio in times_smaller)
    first = int(np.argmin(searched[:count]))
    return [
        Row(
            "Random rules that beat Adam, RMSProp, gradient descent and Momentum",
            "several, on CIFAR-10 (Bello, abstract)",
            f"{better} of the {count} winners among {total:,} rules, with new seeds",
            "agrees" if better >= 3 else "differs",
            "On XOR, parity and a spiral, whose winners they are. To agree, at least three",
        ),
        Row(
            "Best winner, against Adam",
            "none",
            f"{searched[first]:.2f} of Adam's iterations; {new[first]:.2f} on the new problems",
            "can't be compared",
            f"w + alpha * d with d = {found.winners[first]}",
        ),
        Row(
            "Winners that beat Adam on both new problems",
            "PowerSign and AddSign transfer well (Bello, abstract)",
            f"{percent(int(both.sum()), count)}; 95 % of the winners need {low:.2f} to {high:.2f} "
            "of Adam's iterations",
            "agrees" if both.mean() > 0.5 else "differs",
            "On circles and breast_cancer. To agree, more than half of them",
        ),
        Row(
            "PowerSign and AddSign, against the best of these four",
            "better, on CIFAR-10 (Bello, abstract)",
            " and ".join(f"{ratio:.2f}" for ratio in signed.values()) + " of its iterations",
            "agrees" if max(signed.values()) < 1 else "differs",
            "On all five problems, with the best of four learning rates",
        ),
        Row(
            "Rules with the sign of a momentum",
            "Lion, found by evolution, is one (Chen)",
            f"{percent(signs, count)} of the winners, {of_all / total:.2%} of all rules",
            "agrees" if wilson(signs, count)[0] > of_all / total else "differs",
            "To agree, the interval had to be above the share of all",
        ),
        Row(
            "Lion's best learning rate",
            "3 to 10 times smaller than Adam's (README of google/automl, lion)",
            f"{', '.join(f'{ratio:g}' for ratio in times_smaller)} times smaller "
            f"({', '.join(all_five)})",
            "agrees" if smaller > len(all_five) / 2 else "differs",
            "Of learning rates a factor of 10 apart. To agree, smaller on most problems",
        ),
        Row(
            "Lion against Adam",
            "similar or better (Chen, abstract)",
            f"{searched[place['Lion']]:.2f} of Adam's iterations; {new[place['Lion']]:.2f} on the "
            "new problems",
            "agrees" if whole[place["Lion"]] <= 1.1 else "differs",
            "To agree, at most 1.1 over the five problems",
        ),
    ]


def draw(found: Found, compared: Arrays, path: Path) -> None:
    """Draw all rules on XOR, and the winners on old and new problems."""
    import matplotlib.pyplot as plt

    count, names = len(found.winners), (*KNOWN, *BUILT_IN)
    adam = count + names.index("Adam")
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4.4), layout="constrained")
    left.hist(found.on_xor, bins=np.linspace(0, found.on_xor.max(), 51), color="0.7", log=True)
    left.set(xlabel="iterations until XOR is learned (at the end: never)", ylabel="rules")
    left.set_title(f"{len(found.steps):,} random rules", fontsize=11)
    for k, name in enumerate(("GradientDescent", "Adam", "Lion")):
        needed = compared["XOR"].min(axis=0)[count + names.index(name)]
        left.axvline(needed, color=f"C{k}", label=name)
    left.legend(fontsize=8)
    x, y = ratios(compared, SEARCHED, adam), ratios(compared, NEW, adam)
    signed = np.array([has_sign_of_momentum(step) for step in found.winners])
    right.scatter(x[:count][~signed], y[:count][~signed], 14, "0.5", label="winners")
    label = "winners with the sign of a momentum"
    right.scatter(x[:count][signed], y[:count][signed], 14, "C3", label=label)
    right.scatter(x[count:], y[count:], 30, "C0", marker="D", label="known optimizers")
    for k, name in enumerate(names, count):
        right.annotate(name, (x[k], y[k]), (4, 3), textcoords="offset points", fontsize=7)
    right.axvline(1, color="0.8", zorder=0)
    right.axhline(1, color="0.8", zorder=0)
    right.set(xscale="log", yscale="log", ylabel="on two new problems")
    right.set_xlabel("iterations on XOR, parity, spiral, as a ratio to Adam")
    right.set_title("Chosen on three problems, tried on two others", fontsize=11)
    right.legend(fontsize=8)
    figure.savefig(path, dpi=95)
    plt.close(figure)
    print(f"Drawn to {path}")


def main() -> None:
    """Search, compare, print, draw."""
    given = options(__doc__, "update_rules")
    count, block, winners = (60, 30, 20) if given.quick else (RULES, 2_500, WINNERS)
    seeds = 8 if given.quick else NEW_SEEDS
    known = problems()
    found = search(given, count, block, winners, known)
    compared = compare(found, given, known, range(SEEDS, SEEDS + seeds))
    best = {name: array.min(axis=0) for name, array in compared.items()}
    details = {
        "winners": [rule_of(step) for step in found.winners],
        "known": [*KNOWN, *BUILT_IN],
        "iterations": {name: array.round(1).tolist() for name, array in best.items()},
    }
    picture = given.out / "update-rules.png"
    finish(
        rows_of(found, compared),
        given,
        "update_rules",
        details,
        lambda: draw(found, compared, picture),
    )


if __name__ == "__main__":
    answer(main)
