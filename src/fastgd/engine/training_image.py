"""A training as an image for another machine: its memory, and where a face finds what it shows.

The other machine runs :meth:`TrainingImage.module`, in as many calls as it likes: a call takes the
runs from iteration ``span.first`` to ``span.last``, and a face writes both before each.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.numbers import FloatArray
from fastgd.engine.execution import loaded
from fastgd.engine.layout import Layout
from fastgd.engine.plan import Plan
from fastgd.kernel.block import SEED
from fastgd.kernel.call_image import Field, Image, arrays_of, module, probe_module
from fastgd.kernel.language.cross_compilation import TargetError
from fastgd.kernel.vectorization import WEBASSEMBLY

__all__ = ["WEBASSEMBLY", "TargetError", "TrainingImage", "probe_module"]


class TrainingImage(NamedTuple):
    """All runs of a plan, before their first iteration."""

    image: Image
    layout: Layout
    fields: dict[str, Field]
    """Where things are, by name.

    With B blocks of R runs side by side: ``alpha`` (B, layers, R), ``weights.k`` (B, inputs,
    outputs, R) for each layer k, of which the last inputs are its bias and, with batch
    normalization, scale, shift, mean and variance; ``changes.k`` of the same shape, direction
    changes; ``errors`` and ``losses`` (B, records + 1, R), the last of them the final ones;
    ``seeds`` (B, R), ``ended`` and ``outcome`` (B, R); ``values`` (B, n, R), the other values of
    each run; ``data.X`` and ``data.y``; whole numbers (:meth:`.Image.numbers`) such as
    ``span.first``, ``span.last`` and ``span.iterations``; and the other arrays of
    :class:`fastgd.kernel.block.Block` by their own names.
    """

    @classmethod
    def of(
        cls, plan: Plan, first: FloatArray, seeds: NDArray[np.int64], base: int
    ) -> "TrainingImage":
        """Load a plan's runs, from parameters (starts, P), into memory that begins at ``base``.

        Raises
        ------
        ValueError
            If ``base`` is no multiple of 64 or below 65,536, or if the runs don't share all their
            samples.
        """
        if len(plan.batches) != 1 or plan.samples.partition is not None:
            raise ValueError("an image must be of runs with the same samples, got groups or folds")
        runs = loaded(plan, first, seeds)
        image = Image.of(runs.call(0, plan.task.iterations + 1), base)
        return cls(image, runs.session.layout, dict(_fields(image, runs.session.layout)))

    def module(self, target: str) -> bytes:
        """Code that trains the runs: see :func:`fastgd.kernel.call_image.module`."""
        return module(self.image.call.shapes, self.image.call.recipe, target)


def _fields(image: Image, layout: Layout) -> Iterator[tuple[str, Field]]:
    block, runs = image.call.blocks, layout.runs
    for name, array in arrays_of(image.call):
        if array.size and name not in ("errors", "losses", "changes"):
            yield name.replace("data.0.", "data."), image.field(array)
    for name in ("errors", "losses"):
        by_run = layout.of_runs(getattr(block, name))  # a monitored loss follows, if there is one
        yield name, image.field(by_run[:, : block.errors.shape[1] // layout.runs])
    for name in ("alpha", "values"):
        yield name, image.field(layout.section(block.numbers, name))
    yield "seeds", image.field(layout.of_runs(block.integers)[:, SEED])
    weights = block.numbers[:, layout.sections["weights"]]
    for k, (start, (rows, outputs)) in enumerate(layout.matrices):
        part = slice(start, start + rows * outputs * runs)
        shape = (len(weights), rows, outputs, runs)
        yield f"weights.{k}", image.field(weights[:, part].reshape(shape))
        yield f"changes.{k}", image.field(block.changes[:, part].reshape(shape))
    yield from image.numbers()
