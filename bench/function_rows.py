"""Rows about functions: what a formula costs beside a body of the kernel's own, and softmax."""

from statistics import median

import numpy as np

import fastgd
import fresh
from compare import Peer, Settings, compare, jax_best, jax_plain, ours_with
from report import Line
from workload import ALPHAS, SMALL_ALPHAS, Work, article, made_up

WRITTEN = "1 / (1 + exp(-a))"

COMPILED = {
    "softmax, cross entropy": {"output": "softmax", "loss": "cross_entropy", "bias": True},
    "gelu, huber": {"activation": "gelu", "output": "identity", "loss": "huber"},
    "a Function and a Loss": {
        "activation": "fastgd.Function('a * sigmoid(beta * a)', beta=1)",
        "loss": "fastgd.Loss('log(1 + ((y - v) / c)**2)', c=1)",
    },
}
"""Options whose first training is timed; a Function or a Loss as Python."""


def functions(settings: Settings) -> list[Line]:
    """A written-out sigmoid beside the built-in one, then what other activations cost."""
    work, title = article(4, ALPHAS, 32, 12_000), "sweep 3-4-1, 1,024 runs"
    plain = Peer(
        "the built-in sigmoid (ours / its)",
        "fastgd",
        ours_with(settings.threads),
        checked=False,
        inverse=True,
    )
    written = fastgd.Function(WRITTEN)
    swish = fastgd.Function("a / (1 + exp(-beta * a))", beta=1)
    tried = {
        f"Function({WRITTEN!r})": (written, "<= 1.1"),
        "silu, written out with a number": (swish, ""),
        "gelu": ("gelu", ""),
        "elu": ("elu", ""),
        "softplus": ("softplus", ""),
    }
    lines = []
    for name, (activation, target) in tried.items():
        peers = [Peer(plain.name, "fastgd", plain.prepare, target, checked=False, inverse=True)]
        given = work.given(activation=activation)
        lines += compare(f"{title}, {name}", given, peers, settings)
    return lines


def softmax(settings: Settings) -> list[Line]:
    """Softmax over 10 classes beside ten sigmoids, and beside JAX."""
    lines = compare(
        "sweep 8-10, 256 samples, 64 runs, softmax",
        _classes((8, 10), 960),
        [_sigmoids(settings, "<= 1.3")],
        settings,
    )
    peers = [
        _sigmoids(settings, ""),
        Peer("JAX, jit + vmap, best form", "jax", jax_best(4), ">= 2"),
        Peer("JAX, jit + vmap, plain", "jax", jax_plain),
    ]
    title = "sweep 64-32-10, 256 samples, 64 runs, softmax"
    return lines + compare(title, _classes((64, 32, 10), 192), peers, settings)


def _classes(sizes: tuple[int, ...], iterations: int) -> Work:
    """Made-up samples of as many classes as there are outputs."""
    work = made_up(256, sizes, SMALL_ALPHAS[::4], 8, iterations)
    work.y[:] = np.eye(sizes[-1])[work.y.argmax(axis=1)]
    return work.given(output="softmax", loss="cross_entropy")


def _sigmoids(settings: Settings, target: str) -> Peer:
    """Ourselves with a sigmoid for each class."""
    plain = ours_with(settings.threads, loss="cross_entropy")
    name = "sigmoids, cross entropy (ours / its)"
    return Peer(name, "fastgd", plain, target, checked=False, inverse=True)


def formula_compile_times(settings: Settings) -> list[Line]:
    """A first training with formulas beside a first plain one, in fresh Pythons in turn."""
    took: dict[str, list[float]] = {name: [] for name in ("plain", *COMPILED)}
    for _ in range(settings.repeats):
        took["plain"].append(fresh.compile_seconds("{}"))
        for name, options in COMPILED.items():
            given = ", ".join(
                f"{key!r}: {value if str(value).startswith('fastgd.') else repr(value)}"
                for key, value in options.items()
            )
            took[name].append(fresh.compile_seconds(f"{{{given}}}"))
    plain = median(took.pop("plain"))
    against = "plain (ours / its)"
    return [
        Line(f"compile train 3-4-1, {name}", against, own, plain, own / plain, "<= 1.2", unit="s")
        for name, own in ((name, median(times)) for name, times in took.items())
    ]


ALL = (functions, softmax, formula_compile_times)
