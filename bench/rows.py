"""The rows of the table: each measures us and the others in turn, in a process of its own.

``peers.py`` starts ``rows.py NAME`` with the threads and the environment that the row needs; the
lines of the row come back as JSON.
"""

import argparse
import json
from dataclasses import asdict

import bound_rows
import bucket_rows
import fixed_rows
import function_rows
import laboratory_rows
import option_rows
import ours
import parts_rows
import peer_c
import plane_rows
import probes
import search_rows
import second_order_rows
import shop_rows
import trainability_rows
from compare import (
    Peer,
    Settings,
    compare,
    jax_best,
    jax_plain,
    numpy_listing,
    sklearn_fit,
    torch_tensors,
)
from fastgd.kernel.vectorization import native_lanes
from measure import in_turn
from report import Line
from workload import ALPHAS, SMALL_ALPHAS, article, made_up

ARTICLE_ALPHAS = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)


def train(settings: Settings) -> list[Line]:
    """One training of the article's network."""
    peers = [
        Peer("NumPy reference", "numpy", ours.reference, ">= 250"),
        Peer("NumPy, the article's listing", "numpy", numpy_listing),
        Peer("JAX, jit + fori_loop, best form", "jax", jax_best(1), ">= 8"),
        Peer("JAX, jit + fori_loop, plain", "jax", jax_plain, ">= 8"),
        *_in_c(">= 1", 1),
        Peer("PyTorch, hand-written", "torch", torch_tensors(1, 1), share=0.1),
        Peer("scikit-learn, no counts", "sklearn", sklearn_fit, share=0.05, checked=False),
    ]
    return compare("train 3-4-1", article(4, (1.0,), 1, 60_000), peers, settings)


def latency(settings: Settings) -> list[Line]:
    """One iteration beside the latency of one fused multiply-add: 125 ns where that is 1.36 ns."""
    work = article(4, (1.0,), 1, 60_000).times(settings.effort)
    calls = {"ours": ours.prepare(work, 1), "chain": probes.fma_chain()}
    seconds = in_turn(calls, settings.repeats)
    iteration = 1e9 * seconds["ours"] / work.iterations
    step = 1e9 * seconds["chain"] / probes.CHAIN
    name = "FMA latency (ours / latency)"
    return [Line("train 3-4-1", name, iteration, step, iteration / step, f"<= {125 / 1.36:.0f}")]


def article_sweep(settings: Settings) -> list[Line]:
    """The article's seven alphas."""
    peers = [
        Peer("NumPy reference x 7", "numpy", ours.reference, ">= 600"),
        Peer("NumPy, the article's listing x 7", "numpy", numpy_listing),
    ]
    work = article(4, ARTICLE_ALPHAS, 1, 60_000)
    return compare("sweep 3-4-1, 7 alphas", work, peers, settings)


def sweep_4(settings: Settings) -> list[Line]:
    """Many networks with 4 hidden units."""
    work = article(4, ALPHAS, 32, 12_000)
    peers = _batched(">= 8", 512, work.runs, 0.1, settings) + _in_c("", settings.threads)
    return compare("sweep 3-4-1, 1,024 runs", work, peers, settings)


def sweep_32(settings: Settings) -> list[Line]:
    """Many networks with 32 hidden units."""
    work = article(32, ALPHAS, 32, 4800)
    peers = _batched(">= 8", 64, work.runs, 0.1, settings)
    return compare("sweep 3-32-1, 1,024 runs", work, peers, settings)


def sweep_16(settings: Settings) -> list[Line]:
    """Networks of two small layers on 272 samples."""
    work = made_up(272, (16, 16, 1), SMALL_ALPHAS, 16, 192)
    peers = _batched(">= 4", 4, 32, 0.5, settings)
    return compare("sweep 16-16-1, 272 samples, 512 runs", work, peers, settings)


def sweep_64(settings: Settings) -> list[Line]:
    """Networks of middle size on 256 samples."""
    work = made_up(256, (64, 64, 10), SMALL_ALPHAS[::4], 8, 192)
    peers = _batched(">= 3", 4, 16, 0.5, settings)
    return compare("sweep 64-64-10, 256 samples, 64 runs", work, peers, settings)


def _in_c(target: str, threads: int) -> list[Peer]:
    """An expert's C, and C with our numbers; the first one needs AVX-512."""
    wide = native_lanes() == 8
    names = {
        "peer_c.c": "C, AVX-512 intrinsics",
        "peer_c_same.c": f"C, {'AVX-512 intrinsics' if wide else 'vectors'}, our numbers",
    }
    return [
        Peer(names[source], source, peer_c.prepare(source, threads), target)
        for source in (names if wide else ("peer_c_same.c",))
    ]


def _batched(
    target: str, jax_block: int, torch_block: int, torch_share: float, settings: Settings
) -> list[Peer]:
    torch_calls = torch_tensors(torch_block, settings.threads)
    return [
        Peer("JAX, jit + vmap, best form", "jax", jax_best(jax_block), target),
        Peer("JAX, jit + vmap, plain", "jax", jax_plain, target),
        Peer("PyTorch, hand-written", "torch", torch_calls, share=torch_share),
    ]


def sigmoids(settings: Settings) -> list[Line]:
    """A sweep's iteration beside nothing but its sigmoids."""
    lines = []
    for hidden in (4, 32):
        work = article(hidden, ALPHAS, 32, 9600 if hidden == 4 else 1920).times(settings.effort)
        times = 1000
        bare, runs = probes.bare_sigmoids(*work.X.shape, hidden, 1, times)
        seconds = in_turn({"ours": ours.prepare(work, 1), "bare": bare}, settings.repeats)
        own = 1e9 * seconds["ours"] / work.iterations / work.runs
        sigmoids = 1e9 * seconds["bare"] / times / runs
        title = f"sweep 3-{hidden}-1, 1,024 runs"
        target = "<= 2" if hidden == 4 else ""
        against = "its bare sigmoids (ours / theirs)"
        lines.append(Line(title, against, own, sigmoids, own / sigmoids, target))
    return lines


def threads(settings: Settings) -> list[Line]:
    """Two threads against one."""
    work = article(4, ALPHAS, 32, 12_000).times(settings.effort)
    calls = {str(n): ours.prepare(work, n) for n in (1, 2)}
    seconds = in_turn(calls, settings.repeats)
    two, one = (1e9 * seconds[n] / work.iterations / work.runs for n in "21")
    name = "one thread (ours: two)"
    return [Line("sweep 3-4-1, 1,024 runs", name, two, one, one / two, ">= 1.85")]


ROWS = {
    function.__name__: function
    for function in (
        train, latency, article_sweep, sweep_4, sweep_32, sweep_16, sweep_64, sigmoids, threads,
        *fixed_rows.ALL, *bound_rows.ALL, *option_rows.ALL, *bucket_rows.ALL, *plane_rows.ALL,
        *trainability_rows.ALL, *parts_rows.ALL, *function_rows.ALL, *search_rows.ALL,
        *shop_rows.ALL, *second_order_rows.ALL, *laboratory_rows.ALL,
    )
}  # fmt: skip


def main() -> None:
    """Measure one row and print its lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("row", choices=ROWS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--effort", type=float, default=1.0)
    given = parser.parse_args()
    settings = Settings(given.threads, given.repeats, given.effort)
    print(json.dumps([asdict(line) for line in ROWS[given.row](settings)]))


if __name__ == "__main__":
    main()
