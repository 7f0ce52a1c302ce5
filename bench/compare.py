"""How a row is measured: who is compared, the check that all do the same, the timing in turn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import ours
import peer_c
import peer_numpy
from measure import in_turn
from report import Line
from workload import Work, check


@dataclass(frozen=True)
class Settings:
    """How a row is measured."""

    threads: int
    repeats: int
    effort: float  # share of the full iterations


@dataclass(frozen=True)
class Peer:
    """Another way to do a work."""

    name: str
    module: str  # must be installed; or a file in C that must be compiled
    prepare: Callable[[Work], Callable[[], Any]]  # turns a work into a call
    target: str = ""
    share: float = 1.0  # of the iterations: slow ones do fewer, and the figures are per iteration
    alphas: int | None = None  # of the work, at equal distances; None: all of them
    checked: bool = True
    inverse: bool = False  # the ratio is ours / theirs


def numpy_listing(work: Work) -> Callable[[], object]:
    """Return a call of the article's listing, once for each run."""
    return partial(peer_numpy.train, work)


def jax_plain(work: Work) -> Callable[[], object]:
    """Return what a user of JAX would write."""
    import peer_jax

    return peer_jax.plain(work)


def jax_best(block: int) -> Callable[[Work], Callable[[], object]]:
    """Return the fastest form of JAX, ``block`` runs at a time."""

    def prepare(work: Work) -> Callable[[], object]:
        import peer_jax

        return peer_jax.best(work, block)

    return prepare


def torch_tensors(block: int, threads: int) -> Callable[[Work], Callable[[], object]]:
    """Return hand-written tensors, ``block`` runs at a time."""

    def prepare(work: Work) -> Callable[[], object]:
        import peer_torch

        return peer_torch.prepare(work, block, threads)

    return prepare


def sklearn_fit(work: Work) -> Callable[[], object]:
    """Return one fit of a classifier."""
    import peer_sklearn

    return peer_sklearn.prepare(work)


def is_installed(module: str) -> bool:
    """Whether a peer can be measured here."""
    if module in peer_c.FLAGS:
        return peer_c.can_compile(module)
    return find_spec(module) is not None


def ours_with(threads: int, **options: Any) -> Callable[[Work], Callable[[], object]]:
    """Return ourselves with these options in place of the work's."""

    def prepare(work: Work) -> Callable[[], object]:
        return ours.prepare(work.given(**options), threads)

    return prepare


def compare(title: str, work: Work, peers: Sequence[Peer], settings: Settings) -> list[Line]:
    """Check everybody who is installed, then time all in turn; ns per iteration of one run."""
    work = work.times(settings.effort)
    short = work.shortest()
    check("fastgd", ours.result(ours.prepare(short, settings.threads)()), short)
    works, calls = {"fastgd": work}, {"fastgd": ours.prepare(work, settings.threads)}
    for peer in peers:
        if not is_installed(peer.module):
            continue
        theirs = work.times(peer.share)
        if peer.alphas:
            theirs = theirs.part(peer.alphas)
        works[peer.name], calls[peer.name] = theirs, peer.prepare(theirs)
        if peer.checked:
            same = (theirs.iterations, theirs.runs) == (short.iterations, short.runs)
            check(peer.name, (calls[peer.name] if same else peer.prepare(short))(), short)
    seconds = in_turn(calls, settings.repeats)
    ns = {name: 1e9 * s / works[name].runs / works[name].iterations for name, s in seconds.items()}
    own = ns["fastgd"]
    lines = []
    for peer in peers:
        theirs_ns = ns.get(peer.name)
        if theirs_ns is None:
            lines.append(Line(title, peer.name, own, None, None, peer.target, note="not installed"))
            continue
        ratio = own / theirs_ns if peer.inverse else theirs_ns / own
        note = _share(works[peer.name], work)
        lines.append(Line(title, peer.name, own, theirs_ns, ratio, peer.target, note=note))
    return lines


def _share(theirs: Work, work: Work) -> str:
    """Say what a peer did less of."""
    parts = [f"{theirs.iterations:,} iterations"] * (theirs.iterations != work.iterations)
    parts += [f"{theirs.runs:,} runs"] * (theirs.runs != work.runs)
    return f"theirs from {' of '.join(parts)}" if parts else ""
