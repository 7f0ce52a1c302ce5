"""The same training in PyTorch: hand-written tensors without autograd, float64.

Every buffer is allocated once and written in place: on an AVX-512 Zen 5 with one thread 1,024 runs
of 3-32-1 take 562 ns per run and iteration instead of 1,619. Tiny networks have the runs on the
last axis (3-4-1: 115 ns, with ``bmm`` 157), larger ones go through ``bmm``, some runs at a time
(16-16-1: 25,000 ns in blocks of 32, 34,000 all at once). ``torch.compile`` measured 152 ns at 3-4-1
and needs a C++ compiler, so it is left out. OpenMP threads that sleep instead of spinning
(``OMP_WAIT_POLICY=passive``) take up to three times as long on an idle machine; on a busy one those
that spin may take fifty times as long.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from workload import Array, Result, Work

Tensors = list[torch.Tensor]
Product = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def prepare(work: Work, block: int, threads: int) -> Callable[[], Result]:
    """Return a call that trains all runs, ``block`` at a time."""
    torch.set_num_threads(threads)
    form = _RUNS_LAST if len(work.X) == 4 and work.runs > 1 else _RUNS_FIRST
    alpha, first = work.alpha, work.weights
    parts = [slice(begin, begin + block) for begin in range(0, work.runs, block)]

    def call() -> Result:
        with torch.inference_mode():
            results = [
                _Trainer(work, alpha[part], tuple(w[part] for w in first), form).train()
                for part in parts
            ]
        errors = np.concatenate([result.errors for result in results])
        weights, changes = (
            tuple(np.concatenate(layer) for layer in zip(*part, strict=True))
            for part in ([r.weights for r in results], [r.changes or () for r in results])
        )
        return Result(errors, weights, changes if work.counts else None)

    return call


@dataclass(frozen=True)
class _Form:
    """Where the axis of the runs is, and the product of two batches of matrices."""

    axis: int
    product: Product

    def place(self, array: Array) -> torch.Tensor:
        return torch.from_numpy(np.moveaxis(array, 0, self.axis).copy(order="C"))

    def back(self, tensor: torch.Tensor) -> Array:
        return np.moveaxis(tensor.numpy(), self.axis, 0)

    def flip(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.transpose(1, 2) if self.axis == 0 else tensor.transpose(0, 1)


def _bmm(a: torch.Tensor, b: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    return torch.bmm(a, b, out=out)


def _sum_of_products(a: torch.Tensor, b: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    if a.shape[1] > 8:  # a call per term costs more than the temporary
        return torch.sum(a[:, :, None, :] * b[None], 1, out=out)
    torch.mul(a[:, 0, None, :], b[None, 0], out=out)
    for i in range(1, a.shape[1]):
        out.addcmul_(a[:, i, None, :], b[None, i])
    return out


_RUNS_FIRST = _Form(0, _bmm)
_RUNS_LAST = _Form(-1, _sum_of_products)


class _Trainer:
    """Buffers of the runs in one block, and an iteration over them."""

    def __init__(self, work: Work, alpha: Array, weights: tuple[Array, ...], form: _Form) -> None:
        self.work, self.form = work, form
        runs, samples = len(alpha), len(work.X)
        self.alpha = form.place(alpha[:, None, None])
        self.y = form.place(np.broadcast_to(work.y, (runs, *work.y.shape)))
        self.weights = [form.place(layer) for layer in weights]
        shapes = [(runs, samples, layer.shape[2]) for layer in weights]
        X = form.place(np.broadcast_to(work.X, (runs, *work.X.shape)))
        self.layers = [X, *(form.place(np.empty(shape)) for shape in shapes)]
        self.deltas = [torch.empty_like(layer) for layer in self.layers[1:]]
        self.slopes = [torch.empty_like(layer) for layer in self.layers[1:]]
        self.updates = [torch.empty_like(w) for w in self.weights]
        self.signs, self.before, self.changed = (
            [torch.zeros_like(w, dtype=torch.bool) for w in self.weights] for _ in range(3)
        )
        self.changes = [torch.zeros_like(w, dtype=torch.int32) for w in self.weights]
        self.layers_flipped = [form.flip(layer) for layer in self.layers]
        self.weights_flipped = [form.flip(w) for w in self.weights]

    def train(self) -> Result:
        errors = []
        for j in range(self.work.iterations):
            self._forward()
            torch.sub(self.y, self.layers[-1], out=self.deltas[-1])
            if j % self.work.record_every == 0:
                runs = self.form.axis % 3
                axes = tuple(axis for axis in range(3) if axis != runs)
                errors.append(self.deltas[-1].abs().mean(dim=axes).numpy())
            self._back()
            if self.work.counts:
                self._count(first=j == 0)
            for w, update in zip(self.weights, self.updates, strict=True):
                w.addcmul_(self.alpha, update)
        weights = tuple(self.form.back(w) for w in self.weights)
        changes = tuple(self.form.back(c).astype(np.int64) for c in self.changes)
        return Result(np.stack(errors, axis=1), weights, changes)

    def _forward(self) -> None:
        for k, w in enumerate(self.weights):
            self.form.product(self.layers[k], w, self.layers[k + 1]).sigmoid_()

    def _back(self) -> None:
        for k in reversed(range(len(self.weights))):
            out = self.layers[k + 1]
            torch.addcmul(out, out, out, value=-1, out=self.slopes[k])
            self.deltas[k].mul_(self.slopes[k])
            self.form.product(self.layers_flipped[k], self.deltas[k], self.updates[k])
            if k:
                self.form.product(self.deltas[k], self.weights_flipped[k], self.deltas[k - 1])

    def _count(self, first: bool) -> None:
        self.signs, self.before = self.before, self.signs
        for k, update in enumerate(self.updates):
            torch.gt(update, 0, out=self.signs[k])
            if not first:
                torch.ne(self.signs[k], self.before[k], out=self.changed[k])
                self.changes[k] += self.changed[k]
