"""The job of a sweep: all that its runs depend on, cut into chunks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments.data import NetworkParts
from fastgd.arguments.options import Method
from fastgd.arguments.validation import Validation
from fastgd.engine.execution import execute
from fastgd.engine.initialization import first_rows
from fastgd.engine.lowering import recipe_of
from fastgd.engine.network import Network
from fastgd.engine.plan import Keep, Plan
from fastgd.engine.state import State
from fastgd.engine.trained_runs import TrainedRuns
from fastgd.engine.training_data import TrainingData
from fastgd.training.chunks import Chunks, end_to_end, runs_per_chunk, seconds_of
from fastgd.training.indexing import narrowed
from fastgd.training.recompute import TrainingSource
from fastgd.training.result_fields import SOURCES, fields_of, known_fields, source_of
from fastgd.training.resuming_sweeps import join
from fastgd.training.runs import Sweep
from fastgd.training.selection import Selection
from fastgd.training.sweep_axes import COMBINATION, PARTS, SweepAxes

ALL = slice(None)

COMPILED_AFTER = 2
"""Iterations of a training that only serves to compile its code."""


@dataclass(frozen=True, eq=False)
class SweepJob:
    """All that the runs of a sweep depend on, checked; a :class:`fastgd.workers.job.Job`.

    ``networks``, ``methods`` and ``alphas`` have one item for each combination of the axes that
    change the network.
    """

    task: TrainingData
    sweep_axes: SweepAxes
    networks: tuple[Network, ...]
    methods: tuple[Method, ...]
    alphas: tuple[NDArray[np.float64], ...]  # (values, K)
    values: Mapping[str, Sequence[Any]]
    """Values of other options, each along its own axis or along that of combinations."""
    together: tuple[str, ...]
    """The names in the combinations."""
    seeds: list[int]
    starts: list[NetworkParts] | None
    """Initial networks, if they are given."""
    settings: dict[str, Any]
    keep: Keep
    record_weights: bool
    resume: Sweep | None
    given_chunks: tuple[Chunks, ...] | None = None
    """The chunks of each network, if they are given, as by a folder."""

    @cached_property
    def chunks(self) -> tuple[Chunks, ...]:
        """The chunks of each network's runs."""
        if self.given_chunks is not None:
            return self.given_chunks
        partition, iterations = self.task.partition, self.task.iterations - self.task.done
        samples = float(len(self.task.X))
        if partition is not None:
            samples = float(partition.rows.sizes.mean())
        shape = self.sweep_axes.shape[self.sweep_axes.cut :]
        found = []
        for network, method in zip(self.networks, self.methods, strict=True):
            seconds = seconds_of(network, method.batch_size or samples, iterations)
            found.append(Chunks.of(shape, runs_per_chunk(seconds, self._bytes(network))))
        return tuple(found)

    def _bytes(self, network: Network) -> int:
        """Approximate size of a run's results."""
        records, size = self.task.records, 16 * network.parameters
        kept = self.keep.weights + 4 * self.keep.state + records * self.record_weights
        return 24 * (records + 3) + size * kept

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        """The index after the last chunk of each network."""
        return np.cumsum([chunks.count for chunks in self.chunks])

    @property
    def chunk_count(self) -> int:
        """Number of chunks of all networks."""
        return int(self._ends[-1])

    @cached_property
    def sizes(self) -> list[int]:
        """Number of updates of each chunk."""
        iterations = self.task.iterations - self.task.done
        return [size * iterations for chunks in self.chunks for size in chunks.sizes]

    def place(self, chunk: int) -> tuple[int, int]:
        """The network of a chunk, and the index of the chunk within the network."""
        number = int(np.searchsorted(self._ends, chunk, side="right"))
        return number, chunk - int(self._ends[number]) + self.chunks[number].count

    @property
    def largest(self) -> Plan:
        """The plan of the first chunk of the network with the most parameters."""
        number = int(np.argmax([network.parameters for network in self.networks]))
        chunk = int(self._ends[number]) - self.chunks[number].count
        return self.plan(number, 1, self.selection(chunk))

    def selection(self, chunk: int) -> Selection:
        """The runs of a chunk."""
        number, local = self.place(chunk)
        lengths = self.sweep_axes.shape[: self.sweep_axes.cut]
        network = tuple(map(int, np.unravel_index(number, lengths))) if lengths else ()
        return Selection(self.sweep_axes, (*network, *self.chunks[number].box(local)))

    def compute(
        self, chunk: int, threads: int, advance: Callable[[int], None]
    ) -> dict[str, NDArray[Any]]:
        """Train the runs of a chunk: see :class:`fastgd.engine.trained_runs.TrainedRuns`."""
        number, local = self.place(chunk)
        chosen = self.selection(chunk)
        plan = self.plan(number, threads, chosen)
        runs = self.chunks[number].runs(local)
        arrays = self.train(number, plan, advance, chosen, runs).arrays
        wanted = {SOURCES[name] for name in self.known}
        return {name: one for name, one in arrays.items() if source_of(name) in wanted}

    def compile(self, threads: int) -> None:
        """Compile the code: train a few iterations of one chunk of each shape on these threads.

        Not more iterations than the sweep has, as a schedule may have no factors beyond these.
        """
        few = min(self.task.done + COMPILED_AFTER, self.task.iterations)
        task = replace(self.task, iterations=few)
        short = replace(self, task=task, given_chunks=self.chunks)
        seen = set()
        for chunk in range(self.chunk_count):
            number, local = self.place(chunk)
            box = self.chunks[number].box(local)
            shape = number, tuple(place.stop - place.start for place in box)
            if shape not in seen:
                seen.add(shape)
                short.compute(chunk, threads, lambda _done: None)

    def plan(self, number: int, threads: int, chosen: Selection | None = None) -> Plan:
        """Plan the training of all runs of a network, or of a box of them."""
        task = self.task
        if chosen is not None:
            task = replace(task, partition=narrowed(task.partition, chosen))
        which = self._slices(chosen)
        return Plan.make(
            task,
            self.networks[number],
            self.methods[number],
            self.alphas[number][which("alpha")],
            {name: values[which(name)] for name, values in self.values.items()},
            len(self.starts[which("weights")] if self.starts else self.seeds[which("seed")]),
            threads,
            record_weights=self.record_weights,
            together=self.together,
            scope=self.values,
        )

    def train(
        self,
        number: int,
        plan: Plan,
        advance: Callable[[int], None],
        chosen: Selection | None = None,
        runs: slice = ALL,
    ) -> TrainedRuns:
        """Train the runs of a plan, or resume those of a sweep.

        These are all runs of a network, or the chosen ones, whose indices are ``runs``.
        """
        which, network = self._slices(chosen), plan.network
        seeds = self.seeds[which("seed")]
        if self.starts:
            starts = self.starts[which("weights")]
            first = np.array(list(map(network.row, starts)))
            seeds = seeds * len(starts)
        else:
            first = network.rows(first_rows(plan.method.init, network.sizes, seeds))
        state = self._state(number, plan, runs)
        trained = execute(plan, first, np.array(seeds, np.int64), self.keep, advance, state)
        if self.resume is not None:
            join(trained, self.resume, number, runs)
        return trained

    def _slices(self, chosen: Selection | None) -> Callable[[str], slice]:
        """Return a function from the name of an argument to the slice of its values."""
        places = {} if chosen is None else chosen.places_by_name

        def which(name: str) -> Any:
            return places.get(COMBINATION if name in self.together else name, slice(None))

        return which

    def _state(self, number: int, plan: Plan, runs: slice) -> State | None:
        """The state that runs of a network resume from."""
        if self.resume is None or self.resume.states is None:
            return None
        state = self.resume.states[number].at(runs)
        return state._replace(tau=state.tau[:, : int(plan.samples.sizes.max())])

    @property
    def source(self) -> TrainingSource | None:
        """The data to train a run again; an axis of initial weights has the networks itself."""
        task, before = self.task, self.resume
        start = self.starts[0] if self.starts else None
        if start and before is not None and "weights" not in before.axes:
            if before.source is None:  # its initial weights are unknown
                return None
            start = before.source.weights
        return TrainingSource(
            task.X,
            task.y,
            task.iterations,
            task.record_every,
            task.validation,
            start,
            self.seeds[0],
            self.record_weights,
        )

    def with_own_samples(self) -> SweepJob:
        """The same job with copies of the caller's arrays, which may change later."""
        task, held = self.task, self.task.validation
        if held is not None:
            weight = None if held.weight is None else held.weight.copy()
            held = Validation(held.X.copy(), held.y.copy(), weight)
        return replace(self, task=replace(task, X=task.X.copy(), y=task.y.copy(), validation=held))

    @property
    def outline(self) -> dict[str, Any]:
        """The fields of the sweep that are known before the training."""
        places = {}
        if self.resume is not None:
            places = {n: v for n, v in self.resume.settings.items() if n in PARTS}
        return {
            "axes": self.sweep_axes.axes,
            "settings": self.settings | places,
            "method": self.methods[0],
            "recorded": self.task.recorded,
            "networks": self.networks,
            "partition": self.task.partition,
            "source": None if self.keep.weights else self.source,
        }

    def sweep(self, trained: Sequence[TrainedRuns]) -> Sweep:
        """Make the sweep from the results of each network's runs."""
        window = self.methods[0].summary
        return Sweep(**self.outline, **fields_of(self.known, self.sweep_axes, window, trained))

    def joined(self, found: Sequence[dict[str, NDArray[Any]]]) -> list[TrainedRuns]:
        """Join the results of all chunks into those of each network's runs."""
        trained, first = [], 0
        for chunks in self.chunks:
            own = found[first : first + chunks.count]
            first += chunks.count
            names = own[0]
            trained.append(
                TrainedRuns.of({name: end_to_end([p[name] for p in own]) for name in names})
            )
        return trained

    @cached_property
    def known(self) -> tuple[str, ...]:
        """The fields that the sweep will have."""
        recipe = recipe_of(self.methods[0], self.values)
        return known_fields(
            weights=self.keep.weights,
            state=self.keep.state,
            path=self.record_weights,
            holds_out=self.task.holds_out,
            monitored=recipe.watch is not None,
            window=self.methods[0].summary,
        )
