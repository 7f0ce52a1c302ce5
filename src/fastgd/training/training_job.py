"""The job of one training or of a sweep: checked arguments, which know how they are executed.

All that the runs depend on is checked here, once; whatever gets the job checks nothing again. A
training is a sweep without axes. A sweep is cut into chunks where that is of use: for folders and
executors.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastgd.arguments import options
from fastgd.arguments.axes import (
    MOST_NETWORKS,
    as_axis,
    changing,
    check_axes,
    check_distinct,
    check_networks,
    kinds_of,
)
from fastgd.arguments.declarations import LossOptions
from fastgd.arguments.initial_network import (
    NetworkParts,
    check_alphas,
    check_start,
    check_whole,
    stack_of,
)
from fastgd.arguments.options import NO_AXES, Axes, Method, check_names
from fastgd.arguments.samples import TrainingData, outputs_to_start
from fastgd.arguments.subsets import Partition, Subset, check_partition
from fastgd.checks.messages import either, shown
from fastgd.checks.numbers import FloatArray, check_flag, check_memory, check_seeds
from fastgd.engine.devices import AUTO, CPU, available_threads
from fastgd.engine.execution import execute, plan_on_a_device
from fastgd.engine.network import Network, count_weights, first_rows, network_of
from fastgd.engine.plan import PASS_BYTES, Keep, Plan
from fastgd.engine.prediction import predict
from fastgd.engine.programs import are_data, with_programs
from fastgd.engine.progress import Advance, unreported
from fastgd.engine.recipe import has_second_derivative, is_watched
from fastgd.engine.results import STATE, STATUS, State, TrainedRuns, summarize
from fastgd.formulas.measures import SHARPNESS
from fastgd.optimizers import BAYESIAN
from fastgd.store import Arrays, hashes_of
from fastgd.training.codec import JsonValues
from fastgd.training.resuming import (
    check_resumed_networks,
    check_same_samples,
    differing,
    join,
    planned,
    resumed_partition,
    schedule_start,
    states_of,
    suited,
)
from fastgd.training.run import Run, run_of
from fastgd.training.selection import Selection, fields_of, narrowed
from fastgd.training.stored_results import SOURCES, Hashes, as_json, encode_run, with_hashes
from fastgd.training.sweep_axes import (
    COMBINATION,
    PARTS,
    Chunks,
    SweepAxes,
    end_to_end,
    is_numbered,
    runs_per_chunk,
    seconds_of,
)
from fastgd.training.sweep_result import Sweep

COMPILED_AFTER = 2
"""Iterations of a training that only serves to compile its code."""

_INTERPRETED = "a sweep whose rules are interpreted"

TRIAL_BYTES = 512 * 1024**2
"""Memory limit for the initial parameters of the runs by which devices are compared."""

_shares_code: ContextVar[bool] = ContextVar("_shares_code", default=False)


@contextmanager
def sharing_code(shares: bool) -> Iterator[None]:
    """Let networks of different sizes share code where they can: less is compiled for short work.

    A block then has as many runs as suits all of them.
    """
    token = _shares_code.set(shares)
    try:
        yield
    finally:
        _shares_code.reset(token)


@dataclass(frozen=True, eq=False)
class TrainingJob:
    """All that some runs depend on, checked; a :class:`fastgd.workers.tasks.Job`.

    ``networks``, ``methods`` and ``alphas`` have one item for each combination of the axes that
    change the network.
    """

    task: TrainingData
    sweep_axes: SweepAxes
    """No axes for a single training."""
    networks: tuple[Network, ...]
    methods: tuple[Method, ...]
    alphas: tuple[FloatArray, ...]  # (values, K)
    values: Mapping[str, Sequence[Any]]
    """Values of other options, each along its own axis or along that of combinations."""
    together: tuple[str, ...]
    """The names in the combinations."""
    seeds: list[int]
    starts: FloatArray | None
    """(starts, P) the initial networks, if they are given."""
    settings: dict[str, Any]
    """The first alpha, as it was given, and the first seed, None with given initial networks."""
    record_weights: bool
    device: str
    """Where they are trained: see :mod:`fastgd.engine.devices`."""
    keep: Keep
    resume: Run | Sweep | None
    """What is to be continued."""
    given_chunks: tuple[Chunks, ...] | None = None
    """The chunks of each network, if they are given, as by a folder."""

    # ------------------------------------------------------------ plans, and their execution

    def plan(
        self, number: int, threads: int, scope: Mapping[str, Sequence[Any]] | None = None
    ) -> Plan:
        """Plan the runs of a network; ``scope`` is that of :meth:`Plan.make`."""
        return Plan.make(
            self.task,
            self.networks[number],
            self.methods[number],
            self.alphas[number],
            self.values,
            len(self.seeds if self.starts is None else self.starts),
            threads,
            record_weights=self.record_weights or self.keep.predictions,
            together=self.together,
            scope=scope,
            device=self.device,
            others=self.networks if _shares_code.get() else (),
        )

    def first(self, number: int) -> FloatArray:
        """The initial parameters of a network's runs, (starts, P)."""
        network = self.networks[number]
        if self.starts is not None:
            return self.starts
        return network.rows(first_rows(self.methods[number].init, network.sizes, self.seeds))

    @property
    def run_seeds(self) -> NDArray[np.int64]:
        """The seed of all that is random later, for each initial network, (starts,)."""
        return np.array(self.seeds * (1 if self.starts is None else len(self.starts)), np.int64)

    def train(
        self, number: int, plan: Plan, advance: Advance, runs: slice = slice(None)
    ) -> TrainedRuns:
        """Train the runs of a plan, or resume them: ``runs`` of a network's runs."""
        state = None
        if self.resume is not None and (states := states_of(self.resume)):
            state = states[number].at(runs)
            state = state._replace(tau=state.tau[:, : int(plan.samples.sizes.max())])
        trained = execute(plan, self.first(number), self.run_seeds, self.keep, advance, state)
        if self.keep.predictions:
            trained.predictions = self._predictions(plan, trained.path)
        if self.resume is not None:
            join(trained, self.resume, self.networks[number], number, runs)
        advance(0, lambda: trained.errors)  # also those of GPUs, and the resumed ones
        advance(0, lambda: trained.final_error)
        return trained

    def _predictions(self, plan: Plan, path: FloatArray) -> FloatArray:
        """Outputs (n, records, samples, outputs) of the networks on the path (n, records, P).

        NaN in records of a resumed training, which has these.
        """
        (n, records, parameters), old = path.shape, -(-self.task.done // self.task.record_every)
        shape = len(self.task.X), plan.network.sizes[-1]
        found, rows = np.full((n * records, *shape), np.nan), path.reshape(-1, parameters)
        columns = plan.columns_at(plan.places(np.arange(n)))
        numbers = {
            name: np.array(axis)[index]
            for (name, axis), (_, index) in zip(self.values.items(), columns, strict=True)
            if name in plan.method.numbers
        }
        new = np.flatnonzero(np.tile(np.arange(records) >= old, n))
        step = max(1, PASS_BYTES // (32 * prod(shape) + 8 * parameters))
        for own in (new[begin : begin + step] for begin in range(0, len(new), step)):
            some, of_runs = np.empty((len(own), *shape)), own // records
            mine = {name: values[of_runs] for name, values in numbers.items()}
            predict(plan.network, plan.method, rows[own], self.task.X, mine, plan.threads, some)
            found[own] = some
        return found.reshape(n, records, *shape)

    def train_one(self, plan: Plan, advance: Advance) -> Run:
        """Train the only run as planned."""
        trained = self.train(0, plan, advance)
        names, window = self.known, self.methods[0].summary
        row = {name: getattr(trained, SOURCES[name])[0] for name in names if name != "states"}
        row["status"] = STATUS[row["status"]]
        if window is not None:
            row["summary"] = [array[0] for array in summarize(trained.watch, window)]
        return run_of(
            self.networks[0],
            self.methods[0],
            row,
            **self.settings,
            recorded=self.task.recorded,
            state=trained.state,
            sample_hashes=self.sample_hashes,
            schedule_start=self.schedule_start,
        )

    def between(self, done: int, iterations: int, before: Run | None) -> TrainingJob:
        """The job of some of the updates, with the run as it was before these."""
        task = replace(self.task, done=done, iterations=iterations)
        job = replace(self, task=task, resume=before)
        vars(job)["sample_hashes"] = self.sample_hashes  # a GB of samples takes a second
        return job

    # ------------------------------------------------------------ results

    @property
    def schedule_start(self) -> int | None:
        """The update at which the schedule began; None if all updates have the same arguments."""
        return None if self.resume is None else self.resume.schedule_start

    @cached_property
    def sample_hashes(self) -> Hashes:
        """The hashes of all samples."""
        return hashes_of(self.task.samples)

    @property
    def asked(self) -> tuple[JsonValues, Arrays]:
        """All that the only run depends on: values that JSON can hold, and arrays."""
        samples = self.task.samples.items()
        arrays: Arrays = {name.replace("_", " "): array for name, array in samples}
        if self.starts is not None:
            arrays["weights"] = self.first(0)
        if isinstance(self.resume, Run):
            past = encode_run(self.resume)[1]
            arrays |= {f"resume {name}": array for name, array in past.items()}
        asked = {
            "hidden_size": self.networks[0].sizes[1:-1],
            "alpha": self.settings["alpha"],
            "iterations": self.task.updates,
            "record_every": self.task.record_every,
            "seed": self.seeds[0],
            "record_weights": self.record_weights,
            **({"record_predictions": True} if self.keep.predictions else {}),
            **as_json(self.methods[0].given, arrays),
        }
        asked |= {"schedule_start": start} if (start := self.schedule_start) is not None else {}
        return asked, arrays

    @property
    def outline(self) -> dict[str, Any]:
        """The fields of the sweep that are known before the training."""
        places = {}
        if isinstance(self.resume, Sweep):
            places = {n: v for n, v in self.resume.settings.items() if n in PARTS}
        return {
            "axes": self.sweep_axes.axes,
            "settings": self.settings | places,
            "method": self.methods[0],
            "recorded": self.task.recorded,
            "networks": self.networks,
            "partition": self.task.partition,
            "source": None if self.keep.weights else self._source,
            "sample_hashes": self.sample_hashes if self.keep.state else None,
            "schedule_start": self.schedule_start,
        }

    @property
    def _source(self) -> TrainingSource | None:
        """The data to train a run again; an axis of initial weights has the networks itself."""
        before = self.resume
        if self.schedule_start is not None:
            return None
        start = None if self.starts is None else self.networks[0].parts(self.starts[0])
        if start and isinstance(before, Sweep) and "weights" not in before.axes:
            if before.source is None:  # its initial weights are unknown
                return None
            start = before.source.weights
        recorded = self.record_weights, self.keep.predictions
        return TrainingSource(self.task, start, self.seeds[0], *recorded)

    @cached_property
    def known(self) -> tuple[str, ...]:
        """The fields that the results have; the others are None."""
        keep, method, holds_out = self.keep, self.methods[0], self.task.holds_out
        has = {
            "kept_weights": keep.weights,
            "kept_changes": keep.weights,
            "kept_path": self.record_weights,
            "recorded_predictions": keep.predictions,
            "states": keep.state,
            "validation_errors": holds_out,
            "final_validation_error": holds_out,
            "best_iteration": is_watched(method, self.values),
            "measurements": method.measure is not None,
            "summary": method.summary is not None,
            **dict.fromkeys(BAYESIAN, method.regularization == "bayesian"),
        }
        return tuple([name for name in SOURCES if has.get(name, True)])

    def sweep(self, trained: Sequence[TrainedRuns]) -> Sweep:
        """Make the sweep from the results of each network's runs."""
        fields, window = self.outline, self.methods[0].summary
        if self.keep.state:
            fields["partition"] = with_hashes(self.task.partition, self.task)
        found = {name: [getattr(runs, SOURCES[name]) for runs in trained] for name in self.known}
        fields |= dict.fromkeys(SOURCES)
        return Sweep(**fields | fields_of(found, self.sweep_axes.shape, window))

    def joined(self, found: Sequence[dict[str, NDArray[Any]]]) -> list[TrainedRuns]:
        """Join the results of all chunks into those of each network's runs."""
        arrays = iter(found)
        each = [[next(arrays) for _ in range(chunks.count)] for chunks in self.chunks]
        return [
            TrainedRuns.of({name: end_to_end([one[name] for one in own]) for name in own[0]})
            for own in each
        ]

    # ------------------------------------------------------------ chunks

    @cached_property
    def chunks(self) -> tuple[Chunks, ...]:
        """The chunks of each network's runs."""
        if self.given_chunks is not None:
            return self.given_chunks
        partition, updates = self.task.partition, self.task.updates
        samples = float(len(self.task.X))
        if partition is not None:
            samples = float(partition.rows.sizes.mean())
        shape = self.sweep_axes.shape[self.sweep_axes.cut :]
        keep, records = self.keep, self.task.records
        every = self.methods[0].measure_every or self.task.record_every
        measured = len(self.methods[0].measure or ()) * -(-self.task.iterations // every)
        kept = keep.weights + 4 * keep.state + records * self.record_weights
        found = []
        for network, method in zip(self.networks, self.methods, strict=True):
            seconds = seconds_of(network, method.batch_size or samples, updates)
            # About, of a run's results.
            size = 24 * (records + 3) + 8 * measured + 16 * network.parameters * kept
            size += 8 * records * len(self.task.X) * network.sizes[-1] * keep.predictions
            found.append(Chunks.of(shape, runs_per_chunk(seconds, size)))
        return tuple(found)

    @cached_property
    def places(self) -> list[tuple[int, int]]:
        """The network of each chunk, and the index of the chunk within the network."""
        each = enumerate(self.chunks)
        return [(number, local) for number, chunks in each for local in range(chunks.count)]

    @cached_property
    def sizes(self) -> list[int]:
        """Number of updates of each chunk."""
        return [size * self.task.updates for chunks in self.chunks for size in chunks.sizes]

    @property
    def _largest(self) -> int:
        """The network with the most parameters."""
        return int(np.argmax([network.parameters for network in self.networks]))

    @property
    def largest(self) -> Plan:
        """The plan of the first chunk of the network with the most parameters."""
        number = self._largest
        return self.selected(self.places.index((number, 0))).plan(number, 1, self.values)

    def on_one_device(self, threads: int) -> TrainingJob:
        """The same job; "auto" becomes what is faster for the network with the most parameters.

        That is chosen before the runs are cut: a chunk by itself is too little work for a GPU, and
        would be timed while others are computed.
        """
        if self.device != AUTO:
            return self
        number, some = self._largest, self
        if "seed" not in self.together:
            most = max(1, TRIAL_BYTES // (24 * self.networks[number].parameters))
            starts = None if self.starts is None else self.starts[:most]
            some = replace(self, seeds=self.seeds[:most], starts=starts)
        plan = some.plan(number, threads)
        plan = plan_on_a_device(plan, some.first(number), some.run_seeds)
        return replace(self, device=plan.device)

    def selected(self, chunk: int) -> TrainingJob:
        """The job of a chunk's runs only."""
        number, local = self.places[chunk]
        network = self.sweep_axes.network_index(number)
        chosen = Selection(self.sweep_axes, (*network, *self.chunks[number].box(local)))
        places = dict(zip(self.sweep_axes.axes, chosen.selectors, strict=True))

        def some(name: str, values: Any) -> Any:
            name = COMBINATION if name in self.together else name
            return values[places.get(name, slice(None))]

        return replace(
            self,
            task=replace(self.task, partition=narrowed(self.task.partition, chosen)),
            alphas=tuple(some("alpha", alphas) for alphas in self.alphas),
            values={name: some(name, values) for name, values in self.values.items()},
            seeds=some("seed", self.seeds),
            starts=None if self.starts is None else some("weights", self.starts),
        )

    def compute(self, chunk: int, threads: int, advance: Advance) -> dict[str, NDArray[Any]]:
        """Train the runs of a chunk: see :class:`fastgd.engine.results.TrainedRuns`."""
        number, local = self.places[chunk]
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
        for chunk, (number, local) in enumerate(self.places):
            box = self.chunks[number].box(local)
            shape = number, tuple(place.stop - place.start for place in box)
            if shape not in seen:
                seen.add(shape)
                short.compute(chunk, threads, unreported)

    def with_own_samples(self) -> TrainingJob:
        """The same job with copies of the caller's arrays, which may change later."""
        X, y, held = deepcopy((self.task.X, self.task.y, self.task.validation))
        return replace(self, task=replace(self.task, X=X, y=y, validation=held))


@dataclass(frozen=True, eq=False)
class TrainingSource:
    """What all runs of a sweep share in addition to the options; checked, not written to files."""

    task: TrainingData
    weights: NetworkParts | None = None
    """The initial weights, if they were given and are not an axis."""
    seed: int = 1
    """Seed of all else that is random in a run with given initial weights."""
    record_weights: bool = False
    record_predictions: bool = False

    def samples(self, part: Subset | None) -> dict[str, Any]:
        """The samples of a run as arguments of :func:`fastgd.train`: a subset, or all."""
        task = self.task if part is None else self.task.of(part)
        held = task.validation
        return {
            "X": task.X,
            "y": task.y,
            "gradients": task.gradients,
            "validation": held and held[: 2 if held.weight is None else 3],
        }

    def train(
        self,
        hidden: tuple[int, ...],
        method: Method,
        part: Subset | None,
        values: Mapping[str, Any],
    ) -> Run:
        """Train a run with these values as train() does, without repeating the sweep's warnings."""
        seed = values["seed"]
        job = checked_job(
            **self.samples(part),
            iterations=self.task.iterations,
            record_every=self.task.record_every,
            given_options=method.given,
            record_weights=self.record_weights,
            record_predictions=self.record_predictions,
            hidden_size=hidden,
            alpha=values["alpha"],
            seed=self.seed if seed is None else seed,
            weights=values.get("weights", self.weights),
            biases=None,
        )
        plan = job.plan(0, available_threads())
        check_memory(plan.bytes(job.keep), "the training")
        return job.train_one(plan, unreported)


def checked_job(
    X: object,
    y: object,
    *,
    iterations: object,
    record_every: object,
    given_options: Mapping[str, Any],
    record_weights: object = False,
    record_predictions: object = False,
    validation: object = None,
    gradients: object = None,
    resume: Run | Sweep | None = None,
    device: str = CPU,
    arguments: Collection[str] = (),
    sweeps: bool = False,
    combinations: Sequence[Mapping[str, Any]] | None = None,
    groups: object = None,
    folds: object = None,
    keep_weights: object = True,
    keep_state: object = True,
    samples: str = "same",
    change: Mapping[str, Any] | None = None,
    **given: Any,
) -> TrainingJob:
    """Check the arguments of :func:`fastgd.train`, or if it ``sweeps`` of :func:`fastgd.sweep`.

    ``given`` are hidden_size, alpha, seed, weights and biases, ``arguments`` names of arguments
    that are checked elsewhere, for "did you mean" hints. The options have what ``change`` says.
    """
    anew = differing({"samples": samples, "change": change, "resume": resume})
    done = 0 if resume is None else planned(resume)
    task = TrainingData.check(
        X, y, iterations, record_every, given_options, validation, done, gradients,
        schedule_start(resume, anew),
    )  # fmt: skip
    if sweeps:
        partition, given_options = _subsets(task, given_options, groups, folds, resume, anew)
        task = replace(task, partition=partition)
    keep = Keep(
        check_flag("keep_weights", keep_weights),
        check_flag("keep_state", keep_state),
        check_flag("record_predictions", record_predictions),
    )
    recording = check_flag("record_weights", record_weights)
    together = tuple(combinations[0]) if combinations else ()
    axes: dict[str, list[Any] | None] = {}
    option_axes = NO_AXES
    if sweeps:
        axes, option_axes = _axes(given, given_options, together, arguments)
    listed = {name: axes.get(name) or [value] for name, value in given.items()}
    if task.gradients is not None:
        given_options = {"gradient_weight": 1.0, **given_options}
    outputs = 0  # unless there are weights, which must fit
    if given["weights"] is not None:
        outputs = outputs_to_start(given_options, task.y, given["weights"])
    has_axis = axes.get("weights") is not None
    hiddens, given_networks = _starts(listed, has_axis, given, task.X.shape[1], outputs)
    option_axes = _with_data(option_axes, axes, hiddens, task, together, device, resume)
    layers = [len(hidden) + 1 for hidden in hiddens]
    rates = {count: check_alphas(listed["alpha"], count) for count in dict.fromkeys(layers)}
    seeds = check_seeds(listed["seed"])
    partition = task.partition
    chosen = options.check_sweep(
        given_options,
        option_axes,
        hiddens,
        (task.X, task.y),
        holds_out=task.holds_out,
        in_parts=partition is not None,
        has_gradients=task.gradients is not None,
        together=together,
        arguments=arguments,
    )
    _check_methods(chosen.methods, task, given_networks)
    values: dict[str, Any] = chosen.values
    each = list(product(zip(hiddens, layers, strict=True), chosen.methods))
    networks = tuple(network_of(method, task.X, task.y, hidden) for (hidden, _), method in each)
    rows = [np.atleast_2d(networks[0].row(start)) for start in given_networks]
    starts = np.concatenate(rows) if rows else None
    floats = rates[layers[0]]
    alphas = [  # tuples of floats are not copied, as there may be many
        one
        if not isinstance(alpha, tuple)
        else alpha
        if all(type(rate) is float for rate in alpha)
        else tuple(row.tolist())
        for alpha, row, one in zip(listed["alpha"], floats, floats[:, 0].tolist(), strict=True)
    ]
    sweep_axes = SweepAxes({})
    if sweeps:
        checked: dict[str, Any] = {"hidden_size": hiddens, "alpha": alphas, "seed": seeds}
        checked |= {"weights": None if starts is None else networks[0].each(starts), **values}
        combined = zip(*(checked[name] for name in together), strict=True)
        in_order = [dict(zip(together, numbers, strict=True)) for numbers in combined]
        sweep_axes = SweepAxes.of(
            {name: checked[name] for name, axis in {**axes, **values}.items() if axis}
            | chosen.structures
            | ({} if partition is None else partition.axes)
            | {COMBINATION: in_order or None}
            | dict.fromkeys(together),
            rules_are_data="optimizer" in values,
        )
        single = {name: axis for name, axis in sweep_axes.axes.items() if name not in PARTS}
        check_distinct({n: axis for n, axis in single.items() if not is_numbered(n, axis)})
    has_seed = starts is None and not (isinstance(resume, Run) and resume.seed is None)
    job = TrainingJob(
        task=task,
        sweep_axes=sweep_axes,
        networks=networks,
        methods=tuple(method for _, method in each),
        alphas=tuple(rates[count] for (_, count), _ in each),
        values=with_programs(values),
        together=together,
        seeds=seeds,
        starts=starts,
        settings={"alpha": alphas[0], "seed": seeds[0] if has_seed else None},
        record_weights=recording,
        device=device,
        keep=keep,
        resume=resume,
    )
    _check_outputs(job.networks if keep.predictions else ())
    if resume is not None:
        vars(job)["resume"] = _resumed_by(job, resume, anew)
    return job


def _resumed_by(job: TrainingJob, before: Run | Sweep, anew: set[str]) -> Run | Sweep:
    """The result that a job resumes, with a state that suits what is ``anew``."""
    partition, states = job.task.partition, states_of(before)
    most = len(job.task.X) if partition is None else int(partition.rows.sizes.max())
    if anew:
        if all(bool((state.ended >= 0).all()) for state in states):
            raise ValueError(
                "resume must be of a training that can continue, to change it, as no state is kept "
                "of one that ended early, got one that did: train from its weights instead"
            )
        all_axes = ({} if isinstance(before, Run) else before.axes), job.sweep_axes.axes
        one, other = ({name: len(axis) for name, axis in own.items()} for own in all_axes)
        if one != other:
            raise ValueError(
                f"change must leave the axes of the sweep and their lengths, {one}, got {other}"
            )
        states = tuple(
            suited(state, method, job.values, anew, most)
            for state, method in zip(states, job.methods, strict=True)
        )
        kept = {"state": states[0]} if isinstance(before, Run) else {"states": states}
        before = replace(before, schedule_start=job.task.schedule_start, **kept)
    check_resumed_networks(before, job.networks, most, len(job.task.X))
    if "samples" not in anew:
        whose = "the run" if isinstance(before, Run) else "the sweep"
        check_same_samples(before.sample_hashes, job.sample_hashes, whose)
    return before


def checked_loss(
    X: object,
    y: object,
    given_options: Mapping[str, Any],
    arguments: Collection[str] = ("hidden_size",),
    *,
    iterations: object = 1,
    **given: Any,
) -> TrainingJob:
    """Check the arguments of :func:`fastgd.objective` and :func:`fastgd.minimize`.

    ``given`` are those that they have of hidden_size, seed, weights and biases, and ``arguments``
    the names of all, for "did you mean" hints. Options about learning are refused.
    """
    check_names(given_options, kinds_of(given_options), arguments, LossOptions)
    others = {"alpha": 1.0, "seed": 1, "weights": None, "biases": None}
    return checked_job(
        X,
        y,
        iterations=iterations,
        record_every=1,
        given_options=given_options,
        **others | given,
    )


def _subsets(
    task: TrainingData,
    given: Mapping[str, Any],
    groups: object,
    folds: object,
    resume: Any,
    anew: set[str],
) -> tuple[Partition | None, Mapping[str, Any]]:
    """The subsets of the samples, and the options without sample weights that are an axis."""
    weight = given.get("sample_weight")
    partition = check_partition(task.X, task.y, groups=groups, folds=folds, sample_weight=weight)
    if partition is not None and "sample_weight" in partition.axes:
        given = {name: value for name, value in given.items() if name != "sample_weight"}
    if resume is not None:
        others = "samples" in anew
        partition = resumed_partition(partition, resume.partition, len(task.X), is_new=others)
    divided = partition is not None and (
        partition.axes.keys() - {"sample_weight"} or partition.held is not None
    )
    if task.validation is not None and divided:
        raise ValueError(
            "validation must be left out with groups, and with folds, which have validation "
            "samples of their own; got both"
        )
    return partition, given


def _axes(
    given: Mapping[str, Any],
    given_options: Mapping[str, Any],
    together: Collection[str],
    arguments: Collection[str],
) -> tuple[dict[str, list[Any] | None], Axes]:
    """The arguments that are axes, unchecked: those that every run has, and options."""
    axes = {
        name: as_axis(name, value, MOST_NETWORKS if name == "hidden_size" else None)
        for name, value in given.items()
        if name != "biases"
    }
    check_axes(
        [name for name, axis in axes.items() if axis is not None or name in together],
        weights_given=given["weights"] is not None,
    )
    return axes, options.axes(given_options, arguments)


def _with_data(
    found: Axes,
    axes: Mapping[str, list[Any] | None],
    hiddens: Sequence[tuple[int, ...]],
    task: TrainingData,
    together: Sequence[str],
    device: str,
    resume: Run | Sweep | None,
) -> Axes:
    """The axes of options, of which that of optimizers is one of values if its rules are data.

    That they are where it is faster, which follows from the arguments alone.
    """
    rules, is_data = found.structures.get("optimizer"), False
    if rules and len(found.structures) == 1 and task.partition is None:
        several = {**axes, **found.values} | dict.fromkeys(together[1:])
        runs = prod(len(axis) for axis in several.values() if axis)
        weights = count_weights((task.X.shape[1], *max(hiddens, key=sum), task.y.shape[1]))
        is_data = device == CPU and are_data(rules, runs, task.updates, weights)
        if isinstance(resume, Sweep):
            is_data = resume._sweep_axes.rules_are_data
            if is_data and device != CPU:
                raise ValueError(f"device must be {CPU!r} to resume {_INTERPRETED}, got {device!r}")
            if is_data and any(map(changing, rules)):
                raise ValueError(
                    f"fields must stay numbers in change of {_INTERPRETED}, got {shown(rules)}"
                )
    if rules is None or not is_data:
        check_networks({"hidden_size": hiddens, **found.structures})
        return found
    return Axes({}, {"optimizer": rules, **found.values})


def _check_methods(
    methods: Sequence[Method], task: TrainingData, given_networks: Sequence[NetworkParts]
) -> None:
    """Reject what doesn't suit the samples or the given networks."""
    if task.gradients is not None:
        _check_smooth(methods)
    _check_sharpness(methods, task)
    options.check_updates(methods, task.iterations - task.schedule_start)
    if task.partition is not None:
        options.check_parts(methods, task.partition.rows.sizes, task.partition.named)
    for start, method in product(given_networks, methods):
        check_whole(start, bias=method.bias, batch_norm=method.batch_norm, init=method.init)


def _check_outputs(networks: Collection[Network]) -> None:
    """Reject networks whose predictions don't fit into one array."""
    counts = {network.sizes[-1] for network in networks}
    if len(counts) > 1:
        raise ValueError(
            "record_predictions must be left out where losses need different numbers of outputs, "
            f"got {either(map(str, sorted(counts)))}"
        )


def _check_smooth(methods: Collection[Method]) -> None:
    """Reject units without a second derivative, by which derivatives are learned."""
    for method, name in product(methods, ("activation", "output")):
        unit = getattr(method, name)
        if not has_second_derivative(unit):
            raise ValueError(
                f"{name} must have a second derivative with gradients, such as 'tanh', "
                f"'softplus', 'silu' or 'gelu', got {shown(unit)}, whose formula is "
                "made of pieces (where, maximum, abs), so its derivatives may jump"
            )


def _check_sharpness(methods: Collection[Method], task: TrainingData) -> None:
    """Reject a sharpness that isn't known, or not where it is needed."""
    for method in methods:
        if SHARPNESS not in (method.measure or ()):
            continue
        every, what = method.measure_every or task.record_every, f"measure={SHARPNESS!r}"
        stops = method.stop is not None and method.stop.strip().startswith(SHARPNESS)
        refused = {
            f"gradients must be left out with {what}": task.gradients is not None,
            f"batch_norm must be False with {what}, got True": method.batch_norm,
            f"measure_every must be a multiple of record_every with {what}, which is that of "
            f"recorded networks, got {every} and {task.record_every}": every % task.record_every,
            "stop must compare what is measured during the training, not the sharpness, which is "
            f"computed after it, got {shown(method.stop)}": stops,
        }
        for rule, is_broken in refused.items():
            if is_broken:
                raise ValueError(rule)


def _starts(
    listed: dict[str, list[Any]],
    has_axis: bool,
    given: Mapping[str, Any],
    inputs: int,
    outputs: int,
) -> tuple[list[tuple[int, ...]], list[NetworkParts]]:
    """The hidden sizes of each network, and the initial networks that are given, or their stack.

    If initial weights are an axis, so are the biases that belong to them.
    """
    weights, biases, stack = listed["weights"], given["biases"], tuple[int, ...]()
    if has_axis and (layers := stack_of(given["weights"])):
        weights, stack, has_axis = [given["weights"]], layers[0].shape[:1], False
    of_each = [biases] * len(weights)
    if has_axis and biases is not None:
        if not isinstance(biases, (list, tuple)) or len(biases) != len(weights):
            raise ValueError(
                "biases must be a list with those of each of the weights, if these are an axis "
                f"({len(weights)}), got {shown(biases)}"
            )
        of_each = list(biases)
    pairs = [
        check_start(hidden_size, start, inputs, outputs, own, stack)
        for hidden_size in listed["hidden_size"]
        for start, own in zip(weights, of_each, strict=True)
    ]
    hiddens = [hidden for hidden, _ in pairs]
    starts = [given for _, given in pairs if given is not None]
    if not starts:
        return hiddens, []
    for hidden in hiddens:
        if hidden != hiddens[0]:
            raise ValueError(
                "all weights of a sweep must be for the same hidden_size, "
                f"got {hiddens[0]} and {hidden}"
            )
    return hiddens[:1], starts
