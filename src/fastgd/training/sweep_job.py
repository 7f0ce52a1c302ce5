"""The job of a sweep: all that its runs depend on, cut into chunks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments import options
from fastgd.arguments.axes import MOST_NETWORKS, as_axis, check_axes, check_networks
from fastgd.arguments.samples import TrainingData
from fastgd.arguments.subsets import check_partition
from fastgd.checks.numbers import check_flag
from fastgd.engine.devices import AUTO, CPU
from fastgd.engine.execution import execute, plan_on_a_device
from fastgd.engine.network import Network
from fastgd.engine.plan import Keep, Plan
from fastgd.engine.recipe import recipe_of
from fastgd.engine.results import STATE, State, TrainedRuns
from fastgd.optimizers import BAYESIAN
from fastgd.training.resuming import check_same_samples, check_states, join, resumed_partition
from fastgd.training.run import SOURCES
from fastgd.training.selection import Selection, field_of, narrowed
from fastgd.training.stored_results import Hashes, hashes_of, with_hashes
from fastgd.training.sweep_axes import (
    COMBINATION,
    PARTS,
    Chunks,
    end_to_end,
    runs_per_chunk,
    seconds_of,
)
from fastgd.training.sweep_result import Sweep
from fastgd.training.training_job import Trainings, TrainingSource, checked_trainings

COMPILED_AFTER = 2
"""Iterations of a training that only serves to compile its code."""

TRIAL_BYTES = 512 * 1024**2
"""Memory limit for the initial parameters of the runs by which devices are compared."""


@dataclass(frozen=True, eq=False)
class SweepJob(Trainings):
    """The runs of a sweep; a :class:`fastgd.workers.worker.Job`."""

    keep: Keep
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
        number = self._largest
        chunk = int(self._ends[number]) - self.chunks[number].count
        return self.selected(chunk).plan(number, 1, self.values)

    @property
    def _largest(self) -> int:
        return int(np.argmax([network.parameters for network in self.networks]))

    def on_one_device(self, threads: int) -> SweepJob:
        """The same job; "auto" becomes what is faster for the network with the most parameters.

        That is chosen before the runs are cut: a chunk by itself is too little work for a GPU, and
        would be timed while others are computed.
        """
        if self.device != AUTO:
            return self
        number, some = self._largest, self
        if "seed" not in self.together:
            most = max(1, TRIAL_BYTES // (24 * self.networks[number].parameters))
            starts = self.starts and self.starts[:most]
            some = replace(self, seeds=self.seeds[:most], starts=starts)
        plan = some.plan(number, threads)
        plan = plan_on_a_device(plan, some.first(number), some.run_seeds)
        return replace(self, device=plan.device)

    def selection(self, chunk: int) -> Selection:
        """The runs of a chunk."""
        number, local = self.place(chunk)
        network = self.sweep_axes.network_index(number)
        return Selection(self.sweep_axes, (*network, *self.chunks[number].box(local)))

    def selected(self, chunk: int) -> SweepJob:
        """The job of a chunk's runs only."""
        chosen = self.selection(chunk)
        places = chosen.places_by_name

        def some(name: str, values: Any) -> Any:
            name = COMBINATION if name in self.together else name
            return values[places.get(name, slice(None))]

        return replace(
            self,
            task=replace(self.task, partition=narrowed(self.task.partition, chosen)),
            alphas=tuple(some("alpha", alphas) for alphas in self.alphas),
            values={name: some(name, values) for name, values in self.values.items()},
            seeds=some("seed", self.seeds),
            starts=self.starts and some("weights", self.starts),
        )

    def compute(
        self, chunk: int, threads: int, advance: Callable[[int], None]
    ) -> dict[str, NDArray[Any]]:
        """Train the runs of a chunk: see :class:`fastgd.engine.results.TrainedRuns`."""
        number, local = self.place(chunk)
        job = self.selected(chunk)
        plan = job.plan(number, threads, self.values)
        arrays = job.train(number, plan, advance, self.chunks[number].runs(local)).arrays
        wanted = {SOURCES[name] for name in self.known}
        if "state" in wanted:  # it consists of several arrays
            wanted |= {f"{STATE}{name}" for name in State._fields}
        return {name: one for name, one in arrays.items() if name in wanted}

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

    def train(
        self,
        number: int,
        plan: Plan,
        advance: Callable[[int], None],
        runs: slice = slice(None),
    ) -> TrainedRuns:
        """Train the runs of a plan, or resume those of a sweep: ``runs`` of a network's runs."""
        state = self._state(number, plan, runs)
        trained = execute(plan, self.first(number), self.run_seeds, self.keep, advance, state)
        if self.resume is not None:
            join(trained, self.resume, number, runs)
        return trained

    def _state(self, number: int, plan: Plan, runs: slice) -> State | None:
        """The state that runs of a network resume from."""
        if self.resume is None or self.resume.states is None:
            return None
        state = self.resume.states[number].at(runs)
        return state._replace(tau=state.tau[:, : int(plan.samples.sizes.max())])

    @property
    def source(self) -> TrainingSource | None:
        """The data to train a run again; an axis of initial weights has the networks itself."""
        before = self.resume
        start = self.starts[0] if self.starts else None
        if start and before is not None and "weights" not in before.axes:
            if before.source is None:  # its initial weights are unknown
                return None
            start = before.source.weights
        return TrainingSource(self.task, start, self.seeds[0], self.record_weights)

    @cached_property
    def sample_hashes(self) -> Hashes:
        """The hashes of all samples."""
        return hashes_of(self.task.samples)

    def with_own_samples(self) -> SweepJob:
        """The same job with copies of the caller's arrays, which may change later."""
        X, y, held = deepcopy((self.task.X, self.task.y, self.task.validation))
        return replace(self, task=replace(self.task, X=X, y=y, validation=held))

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
            "sample_hashes": self.sample_hashes if self.keep.state else None,
        }

    def sweep(self, trained: Sequence[TrainedRuns]) -> Sweep:
        """Make the sweep from the results of each network's runs."""
        measured: dict[str, Any] = dict.fromkeys(SOURCES)
        for name in self.known:
            arrays = [getattr(runs, SOURCES[name]) for runs in trained]
            measured[name] = field_of(name, self.sweep_axes, self.methods[0].summary, arrays)
        fields = self.outline
        if self.keep.state:
            fields["partition"] = with_hashes(self.task.partition, self.task)
        return Sweep(**fields, **measured)

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
        """The fields that the sweep will have; the others are None."""
        has = {
            "kept_weights": self.keep.weights,
            "kept_changes": self.keep.weights,
            "kept_path": self.record_weights,
            "states": self.keep.state,
            "validation_errors": self.task.holds_out,
            "final_validation_error": self.task.holds_out,
            "best_iteration": recipe_of(self.methods[0], self.values).watch is not None,
            "summary": self.methods[0].summary is not None,
            **dict.fromkeys(BAYESIAN, self.methods[0].regularization == "bayesian"),
        }
        return tuple(name for name in SOURCES if has.get(name, True))


def checked_sweep(
    X: object,
    y: object,
    *,
    iterations: object,
    record_every: object,
    combinations: Sequence[Mapping[str, Any]] | None,
    groups: object,
    folds: object,
    validation: object,
    gradients: object = None,
    keep_weights: object,
    record_weights: object,
    keep_state: object,
    resume: Sweep | None,
    device: str = CPU,
    given_options: Mapping[str, Any],
    **given: Any,
) -> SweepJob:
    """Check the arguments of :func:`fastgd.sweep`.

    ``given`` are hidden_size, alpha, seed, weights and biases.
    """
    together = tuple(combinations[0]) if combinations else ()
    task = TrainingData.check(
        X, y, iterations, record_every, given_options, validation, gradients=gradients
    )
    weight = given_options.get("sample_weight")
    partition = check_partition(task.X, task.y, groups=groups, folds=folds, sample_weight=weight)
    if partition is not None and "sample_weight" in partition.axes:
        given_options = {n: value for n, value in given_options.items() if n != "sample_weight"}
    if resume is not None:
        partition = resumed_partition(partition, resume.partition, len(task.X))
    parts = {} if partition is None else partition.axes
    divided = parts.keys() - {"sample_weight"} or (
        partition is not None and partition.held is not None
    )
    if validation is not None and divided:
        raise ValueError(
            "validation must be left out with groups, and with folds, which have validation "
            "samples of their own; got both"
        )
    done = 0 if resume is None or not resume.states else int(resume.states[0].planned[0])
    task = replace(task, iterations=done + task.iterations, done=done, partition=partition)
    keep = Keep(check_flag("keep_weights", keep_weights), check_flag("keep_state", keep_state))
    recording = check_flag("record_weights", record_weights)
    axes = {
        name: as_axis(name, value, MOST_NETWORKS if name == "hidden_size" else None)
        for name, value in given.items()
        if name != "biases"
    }
    check_axes(
        [name for name, axis in axes.items() if axis is not None or name in together],
        weights_given=given["weights"] is not None,
    )
    option_axes = options.axes(given_options, arguments=("combinations",))
    check_networks({"hidden_size": axes["hidden_size"] or [None], **option_axes.structures})
    found = checked_trainings(
        task,
        given,
        given_options,
        record_weights=recording,
        device=device,
        axes=axes,
        option_axes=option_axes,
        together=together,
    )
    if resume is not None:
        most = len(task.X) if partition is None else int(partition.rows.sizes.max())
        check_states(resume, found.networks, most)
    job = SweepJob(**vars(found), keep=keep, resume=resume)
    if resume is not None:
        check_same_samples(resume.sample_hashes, job.sample_hashes, "the sweep")
    return job
