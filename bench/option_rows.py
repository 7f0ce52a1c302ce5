"""The rows about the options: what each costs beside plain training, and beside the peers."""

import numpy as np

import fastgd
import fresh
from compare import Peer, Settings, compare, jax_best, jax_plain, ours_with
from measure import in_turn
from report import Line
from workload import ALPHAS, OPTIONS, SMALL_ALPHAS, Work, article, made_up

THOUSAND = "sweep 3-4-1, 1,024 runs"

MEMORY_LIMIT = 1024.0  # MiB


def optimizers(settings: Settings) -> list[Line]:
    """Each optimizer beside plain gradient descent, and beside JAX with optax.

    AdaGrad's epsilon is one that makes no difference: optax has it in another place. The learning
    rates suit those that divide by the size of the gradient: a first step of theirs is alpha.
    """
    works = article(4, SMALL_ALPHAS, 32, 4800)
    lines = []
    for case in OPTIONS.values():
        given = {} if case.speed is None else case.speed.options or case.options
        if "optimizer" not in given:
            continue
        optimizer, limit = given["optimizer"], case.speed.peer_limit
        peers = [_beside("plain gradient descent (ours / its)", case.speed.limit, settings)]
        if case.speed.peer == "optax":
            names = {"best form": jax_best(512), "plain": jax_plain}
            peers += [
                Peer(f"JAX + optax, jit + vmap, {name}", "optax", form, limit, share=0.2)
                for name, form in names.items()
            ]
        title = f"{THOUSAND}, {type(optimizer).__name__}"
        lines += compare(title, works.given(optimizer=optimizer), peers, settings)
    return lines


def regularized(settings: Settings) -> list[Line]:
    """Dropout beside none, updates from mini-batches beside updates from all samples."""
    names = {"dropout": ("dropout 0.5", "no dropout"), "batches": ("batches of 2", "full batch")}
    speeds = {name: OPTIONS[name].speed for name in names}
    works = {THOUSAND: article(4, ALPHAS, 32, 12_000), "train 3-4-1": article(4, (1.0,), 1, 60_000)}
    return [
        line
        for title, work in works.items()
        for name, speed in speeds.items()
        for line in compare(
            f"{title}, {names[name][0]}",
            work.given(**speed.options),
            [_beside(f"{names[name][1]} (ours / its)", speed.limit, settings)],
            settings,
        )
    ]


def _beside(name: str, target: str, settings: Settings) -> Peer:
    """Ourselves without options."""
    plain = ours_with(settings.threads)
    return Peer(name, "fastgd", plain, target, checked=False, inverse=True)


def ending(settings: Settings) -> list[Line]:
    """A sweep of which nine tenths end in the first tenth, beside the same that all go on.

    Every tenth run, one of each alpha, has a tolerance that it never meets.

    Raises
    ------
    AssertionError
        If the runs do not end as they should.
    """
    work = article(4, tuple(np.logspace(0.5, 1, 256).tolist()), 1, 12_000)
    tolerances = [*np.linspace(0.03, 0.1, 9).tolist(), 1e-12]
    never = [1e-12 / k for k in range(1, 11)]  # values of an axis differ

    def sweep(tolerance: list[float], iterations: int) -> fastgd.Sweep:
        return fastgd.sweep(
            work.X,
            work.y,
            alpha=list(work.alphas),
            tolerance=tolerance,
            summary=10,
            iterations=iterations,
            record_every=iterations,
            threads=settings.threads,
        )

    ended = sweep(tolerances, work.iterations).iterations
    assert (ended[:, :-1] <= work.iterations // 10).all(), ended.max(axis=0)
    assert (ended[:, -1] == work.iterations).all(), ended.min(axis=0)
    iterations = work.times(settings.effort).iterations
    calls = {
        "ending": lambda: sweep(tolerances, iterations),
        "going on": lambda: sweep(never, iterations),
    }
    seconds = in_turn(calls, settings.repeats)
    own, theirs = seconds["ending"], seconds["going on"]
    needed = np.minimum(ended, iterations).sum() / (ended.size * iterations)
    title = f"sweep 3-4-1, {ended.size:,} runs, 90 % end in the first tenth"
    note = f"{needed:.1%} of the iterations are needed"
    against = "none of them ends (ours / its)"
    return [Line(title, against, own, theirs, own / theirs, "<= 0.3", unit="s", note=note)]


def two_alphas() -> Work:
    """Return the map: every pair of 512 learning rates of the first and 512 of the second layer.

    None of them diverges, so that nobody is spared an iteration.
    """
    rates = np.logspace(-4, -2, 512).tolist()
    pairs = tuple((first, second) for first in rates for second in rates)
    work = made_up(72, (8, 8, 1), pairs, 1, 100)
    return work.given(activation="tanh", output="identity")


def alpha_map(settings: Settings) -> list[Line]:
    """A map over two learning rates, and the memory it takes."""
    runs = 2**12
    peers = [
        Peer("JAX, jit + vmap, best form", "jax", jax_best(16), ">= 4", alphas=runs),
        Peer("JAX, jit + vmap, plain", "jax", jax_plain, ">= 4", alphas=runs),
    ]
    title = "map 8-8-1, 72 samples, 262,144 runs"
    lines = compare(title, two_alphas(), peers, settings)
    if fresh.TELLS_MEMORY:
        peak = fresh.peak_memory(settings.effort, settings.threads)
        against = "the limit of its memory (ours / limit)"
        ratio = peak / MEMORY_LIMIT
        lines.append(Line(title, against, peak, MEMORY_LIMIT, ratio, "<= 1", unit="MiB"))
    return lines


ALL = (optimizers, regularized, ending, alpha_map)
