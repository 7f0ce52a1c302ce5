"""Rows about runs that each have their own data: folds, groups, held-out errors, predictions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from fastgd.arguments.subsets import check_partition
from fastgd.engine.recipe import recipe_of

import fastgd
from compare import Settings
from fastgd.arguments.options import Method
from fastgd.engine.layout import up
from fastgd.engine.packing import PackedSamples, arrange
from fastgd.kernel.vectorization import ROWS
from measure import in_turn
from ours import result
from parts_work import RECORDS, Folds, Groups, equal_groups, length, lognormal_groups
from report import Line
from workload import ALPHAS, LENGTH, SMALL_ALPHAS, Work, article, made_up

FOLD_BLOCK, GROUP_BLOCK, PREDICT_BLOCK = 2, 32, 4
"""Runs that the best form of JAX vmaps; two to four times as many or few are no faster."""

WIDER = 1.1
"""Largest over smallest group of a bucket of JAX; with 1.25 and 1.5 it pads more and is slower."""

LOOK_EVERY = 100


class Against(NamedTuple):
    """What a call is compared with, and how many iterations of one run it does."""

    name: str
    call: Callable[[], object]
    count: int
    target: str = ""
    note: str = ""
    inverse: bool = False  # the ratio is ours / theirs


def compare(
    title: str,
    own: Callable[[], object],
    count: int,
    others: Sequence[Against],
    settings: Settings,
) -> list[Line]:
    """Time all in turn; ns per iteration of one run."""
    seconds = in_turn({"": own} | {other.name: other.call for other in others}, settings.repeats)
    ours = 1e9 * seconds[""] / count
    lines = []
    for other in others:
        theirs = 1e9 * seconds[other.name] / other.count
        ratio = ours / theirs if other.inverse else theirs / ours
        lines.append(Line(title, other.name, ours, theirs, ratio, other.target, note=other.note))
    return lines


def folds(settings: Settings) -> list[Line]:
    """Cross-validation of the table of tumours that scikit-learn ships, standardized."""
    if find_spec("sklearn") is None:
        return [Line("5 folds", "scikit-learn", np.nan, None, None, note="not installed")]
    from sklearn.datasets import load_breast_cancer

    import peer_sklearn

    data = load_breast_cancer()
    X = (data.data - data.data.mean(axis=0)) / data.data.std(axis=0)
    work = Folds(
        X,
        data.target[:, None].astype(float),
        5,
        16,
        tuple(np.logspace(-4, -2, 8).tolist()),
        (0.0, 1e-3, 1e-2, 1e-1),
        range(1, 9),
        length(96, settings.effort),
    )
    ours = _ours_of_folds(work, settings)
    short = replace(work, iterations=LENGTH)
    swept = _ours_of_folds(short, settings)()
    held = swept.validation_errors.reshape(-1, RECORDS)
    found = result(swept)
    short.check("fastgd", found.errors, held, found.weights)
    count = work.runs * work.iterations
    more = range(1, 1 + work.k * len(work.seeds))
    others = [
        Against(
            f"{work.runs:,} runs without folds (ours / its)",
            _ours_of_folds(replace(work, k=0, seeds=more), settings),
            count,
            "<= 1.15",
            inverse=True,
        )
    ]
    few = work.part(4) if settings.effort else work.part(8)
    others.append(
        Against(
            f"scikit-learn, GridSearchCV, {settings.threads} jobs, no counts",
            peer_sklearn.grid_search(few, settings.threads),
            few.runs * few.iterations,
            ">= 20",
            f"theirs from {few.runs:,} runs",
        )
    )
    if find_spec("jax") is not None:
        others += _jax_of_folds(work, short, count)
    title = f"{work.k} folds, 30-16-1, {len(X)} samples, {work.runs:,} runs"
    return compare(title, ours, count, others, settings)


def _ours_of_folds(work: Folds, settings: Settings) -> Callable[[], fastgd.Sweep]:
    given: dict[str, Any] = {"folds": work.k} if work.k else {}
    return lambda: fastgd.sweep(
        work.X,
        work.y,
        hidden_size=work.hidden,
        alpha=list(work.alphas),
        l2=list(work.l2s),
        seed=work.seeds,
        iterations=work.iterations,
        record_every=work.iterations // RECORDS,
        threads=settings.threads,
        **given,
    )


def _jax_of_folds(work: Folds, short: Folds, count: int) -> list[Against]:
    import peer_jax_parts as peer

    chosen = [work.setting(i) for i in range(work.settings)]
    alpha, l2, seeds = (np.array(values) for values in zip(*chosen, strict=True))
    first = replace(made_up(1, (30, work.hidden, 1), (1.0,), 1, 1), seeds=work.seeds).weights
    own = tuple(layer[seeds - work.seeds[0]] for layer in first)
    runs = peer.Run(own, alpha, l2)

    def training(work: Folds) -> Any:
        return peer.Training.of(work.iterations, RECORDS, "sigmoid", "sigmoid", 2)

    forms: dict[str, Callable[[Folds], Callable[[], Any]]] = {
        "JAX, jit + vmap, best form": lambda w: peer.best_folds(
            w.X, w.y, w.held_out, runs, training(w), FOLD_BLOCK, shared=False
        ),
        "JAX, jit + vmap, best form, 0/1 weights": lambda w: peer.best_folds(
            w.X, w.y, w.held_out, runs, training(w), FOLD_BLOCK, shared=True
        ),
        "JAX, jit + vmap, plain": lambda w: peer.plain_folds(
            w.X, w.y, w.held_out, runs, training(w)
        ),
    }
    for name, form in forms.items():
        short.check(name, *form(short)())
    return [Against(name, form(work), count, ">= 3") for name, form in forms.items()]


def groups(settings: Settings) -> list[Line]:
    """A network for each of many groups, whose sizes are spread like a log-normal."""
    work = lognormal_groups(2000, length(1000, settings.effort))
    many = len(work.tables)
    count = many * work.iterations
    short = replace(work, iterations=LENGTH)
    found = result(_ours_of_groups(short, settings)())
    short.check("fastgd", found.errors, found.weights)
    few = work.part(100)
    note = "theirs from 100 groups"
    others = [
        Against(
            "a loop over fastgd.train",
            lambda: [
                fastgd.train(
                    X,
                    y,
                    hidden_size=few.hidden,
                    iterations=few.iterations,
                    record_every=few.iterations // RECORDS,
                    **few.options,
                )
                for X, y in few.tables
            ],
            100 * few.iterations,
            ">= 10",
            note,
        )
    ]
    if find_spec("sklearn") is not None:
        import peer_sklearn

        name = "scikit-learn, a loop over MLPRegressor, no counts"
        loop = peer_sklearn.regressors(few)
        others.append(Against(name, loop, 100 * few.iterations, ">= 50", note))
    if find_spec("jax") is not None:
        others += _jax_of_groups(work, short, count)
    title = f"{many:,} groups of 20 to 500 rows, 6-8-1"
    lines = compare(title, _ours_of_groups(work, settings), count, others, settings)
    worked, there = _padded(work, settings.threads), len(work.X)
    against = "the rows that there are (worked on / there)"
    return [*lines, Line(title, against, worked, there, worked / there, "<= 1.25", "rows")]


def _padded(work: Groups, threads: int) -> int:
    """Rows that our blocks work on, with their padding."""
    partition = check_partition(work.X, work.y, groups=work.labels)
    samples = PackedSamples(work.X, work.y, partition=partition)
    matrices = [(work.X.shape[1], work.hidden), (work.hidden, 1)]
    padded = 0
    for lot in arrange(samples, recipe_of(Method(), {}), samples.parts, matrices, threads):
        lanes = lot.lanes(lot.keys, lot.count, threads)
        sizes = samples.sizes[lot.runs(0, lot.count)[lanes]]
        padded += sum(up(int(block.max()), ROWS) * lot.side_by_side for block in sizes)
    return padded


def _ours_of_groups(work: Groups, settings: Settings) -> Callable[[], fastgd.Sweep]:
    return lambda: fastgd.sweep(
        work.X,
        work.y,
        groups=work.labels,
        hidden_size=work.hidden,
        iterations=work.iterations,
        record_every=work.iterations // RECORDS,
        threads=settings.threads,
        **work.options,
    )


def _jax_of_groups(work: Groups, short: Groups, count: int) -> list[Against]:
    import peer_jax_parts as peer

    few = short.part(100)
    first = made_up(1, (work.X.shape[1], work.hidden, 1), (1.0,), 1, 1).weights
    run = peer.Run(tuple(layer[0] for layer in first), work.options["alpha"], 0.0)

    def training(work: Groups) -> Any:
        return peer.Training.of(work.iterations, RECORDS, "sigmoid", "identity", 2)

    forms: dict[str, Callable[[Groups], Callable[[], Any]]] = {
        "JAX, jit + vmap, best form": lambda w: peer.best_groups(
            w.tables, run, training(w), GROUP_BLOCK, WIDER
        ),
        "JAX, jit + vmap, plain": lambda w: peer.plain_groups(w.tables, run, training(w)),
    }
    for name, form in forms.items():
        errors, _, weights = form(few)()
        few.check(name, errors, weights)
    padded = f"{peer.padding(work.tables, WIDER):.3f} rows worked on for each that there is"
    notes = (f"sorted, in buckets: {padded}", "all groups padded to the largest")
    # The plain form takes ten times as long: a tenth of the iterations.
    part = replace(work, iterations=max(LENGTH, work.iterations // 10))
    works = (work, part)
    return [
        Against(name, form(w), count * w.iterations // work.iterations, ">= 3.5", note)
        for (name, form), w, note in zip(forms.items(), works, notes, strict=True)
    ]


def own_data(settings: Settings) -> list[Line]:
    """Networks of groups of one size beside as many networks that share one table."""
    lines = []
    for title, work in _both_sizes(settings):
        runs = work.runs
        parts = equal_groups(runs, work.X, work.y, work.hidden_size[0], work.iterations)
        shared = _sweep_of(work, settings, seed=range(1, runs + 1), alpha=parts.options["alpha"])
        other = Against(
            "runs that share one table (ours / its)",
            shared,
            runs * work.iterations,
            "<= 1.4",
            inverse=True,
        )
        title = f"{title}, {runs:,} groups"
        own = _ours_of_groups(parts, settings)
        lines += compare(title, own, runs * work.iterations, [other], settings)
    return lines


def held_out(settings: Settings) -> list[Line]:
    """As many held-out rows as there are to train on, looked at now and then."""
    lines = []
    for title, work in _both_sizes(settings):
        watched = {"validation": (work.X, work.y), "evaluate_every": LOOK_EVERY}
        # Looking is rare: more iterations than elsewhere, or there would be hardly any.
        long = replace(work, iterations=max(work.iterations, length(2000, settings.effort)))
        single = replace(long, iterations=10 * long.iterations)
        calls = {
            f"train {title}": (single, lambda w, **o: _train_of(w, **o), single.iterations),
            f"sweep {title}, {work.runs:,} runs": (
                long,
                lambda w, **o: _sweep_of(w, settings, **o),
                long.iterations * long.runs,
            ),
        }
        for name, (trained, call, count) in calls.items():
            other = Against(
                "no held-out rows (ours / its)", call(trained), count, "<= 1.03", inverse=True
            )
            full = f"{name}, held-out error every {LOOK_EVERY}"
            lines += compare(full, call(trained, **watched), count, [other], settings)
    return lines


def _both_sizes(settings: Settings) -> list[tuple[str, Work]]:
    """The article's network, and networks of two small layers on 272 samples."""
    small = made_up(272, (16, 16, 1), SMALL_ALPHAS, 16, 192)
    works = {"3-4-1": article(4, ALPHAS, 32, 12_000), "16-16-1, 272 samples": small}
    return [(title, work.times(settings.effort)) for title, work in works.items()]


def _sweep_of(work: Work, settings: Settings, **options: Any) -> Callable[[], fastgd.Sweep]:
    given: dict[str, Any] = {"alpha": list(work.alphas), "seed": work.seeds} | options
    return lambda: fastgd.sweep(
        work.X,
        work.y,
        hidden_size=work.hidden_size,
        iterations=work.iterations,
        record_every=work.iterations // RECORDS,
        threads=settings.threads,
        **given,
    )


def _train_of(work: Work, **options: Any) -> Callable[[], fastgd.Run]:
    return lambda: fastgd.train(
        work.X,
        work.y,
        hidden_size=work.hidden_size,
        alpha=work.alphas[0],
        iterations=work.iterations,
        record_every=work.iterations // RECORDS,
        **options,
    )


def predict(settings: Settings) -> list[Line]:
    """Outputs of many networks for many rows, ns per row of one network.

    The forward speed of a sweep is what it takes to look at held-out rows: a forward pass and the
    mean error. It is the difference between a sweep that looks after each iteration and one that
    looks first and last only, over the looks between; both train on one row.
    """
    work = made_up(4096, (16, 16, 1), SMALL_ALPHAS, 32, 24 if settings.effort else 4)
    one = replace(work, X=work.X[:1], y=work.y[:1])
    looking: Mapping[str, Callable[[], object]] = {
        every: _sweep_of(one, settings, validation=(work.X, work.y), evaluate_every=look)
        for every, look in (("always", 1), ("ends", work.iterations))
    }
    swept = _sweep_of(one, settings)()
    calls: dict[str, Callable[[], object]] = {
        "fastgd": lambda: swept.predict(work.X),
        **looking,
    }
    peers = []
    if find_spec("jax") is not None:
        peers = ["JAX, jit + vmap, best form", "JAX, jit + vmap, plain"]
        calls |= dict(zip(peers, _jax_of_predict(work, swept), strict=True))
    seconds = in_turn(calls, settings.repeats)
    between = work.iterations - 1 - (RECORDS - 1)  # those at records are in both
    forward = (seconds["always"] - seconds["ends"]) / between
    rows = work.runs * len(work.X)
    ours = 1e9 * seconds["fastgd"] / rows
    title = f"predict 16-16-1, {len(work.X):,} rows, {work.runs:,} runs"
    against = "the sweep's own look at held-out rows"
    theirs = 1e9 * forward / rows
    lines = [Line(title, against, ours, theirs, theirs / ours, ">= 0.8")]
    for name in peers:
        theirs = 1e9 * seconds[name] / rows
        lines.append(Line(title, name, ours, theirs, theirs / ours, ">= 2"))
    return lines


def _jax_of_predict(work: Work, swept: fastgd.Sweep) -> list[Callable[[], Any]]:
    import peer_jax_parts as peer
    from peer_jax import UNITS

    weights = result(swept).weights
    units = (UNITS["sigmoid"],) * len(weights)
    calls = [
        peer.best_predict(work.X, weights, units, PREDICT_BLOCK),
        peer.plain_predict(work.X, weights, units),
    ]
    ours = swept.predict(work.X).reshape(-1, len(work.X), 1)
    for call in calls:
        np.testing.assert_allclose(np.asarray(call()), ours, 1e-9, 1e-12)
    return calls


ALL = (folds, groups, own_data, held_out, predict)
