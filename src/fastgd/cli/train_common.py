"""What ``fastgd train`` and ``fastgd sweep`` share: reading, training, writing, checkpoints."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import fastgd
from fastgd import DeviceError, Model, Run, Sweep
from fastgd.checks.messages import many
from fastgd.checks.numbers import ABOVE_ZERO, check_number
from fastgd.cli.command_options import option
from fastgd.cli.output_files import Output, check_output
from fastgd.cli.problem_commands import note_unreached
from fastgd.cli.splits import Given, RowSplit
from fastgd.cli.terminal import RefusedError, Timed, print_plain, refusing, timed
from fastgd.engine.devices import AUTO, CPU
from fastgd.optimizers import Adam
from fastgd.tables.preparation import names_text
from fastgd.tables.table_samples import LARGEST, Reading, Samples
from fastgd.training.resuming import planned
from fastgd.training.train_sweep import EVERY

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T", Run, Sweep)

PREPARED: Mapping[str, Any] = {
    "alpha": 0.01,
    "iterations": 1_000,
    "record_every": 100,
    "reduction": "mean",
    "optimizer": Adam(),
    "activation": "relu",
    "init": "glorot",
    "bias": True,
}
"""Defaults for a prepared table. The article's suit its own: on prepared tables alpha 1 with a sum
over the rows diverges or flips. Validation errors of ten real tables were smallest around 1,000
iterations, and hardly depend on the choice of relu or tanh, and of glorot or he."""

SECOND_ORDER: Mapping[str, Any] = {
    "alpha": 1.0,
    "iterations": 100,
    "record_every": 10,
    "reduction": "sum",
    "activation": "tanh",
}
"""Those that differ with steps of second order: whole steps, of smooth functions, which need few
iterations; Bayesian regularization takes a sum of squares."""

SECOND_ORDER_ITERATIONS = 1_000
"""Default with steps of second order for a table that is taken as it is."""


class Fitted(NamedTuple, Generic[T]):
    """The samples of a file, how they were split, and the result."""

    samples: Samples
    given: Given
    done: Timed[T]


class Writer(NamedTuple):
    """An output file, if one was named, its suffix, and the function that writes it."""

    path: Path | None
    ending: str
    write: Callable[[Any, Path], None]


class TrainOptions(NamedTuple):
    """The parsed arguments: samples, settings, and where to write the result."""

    file: Path
    targets: list[str]
    split: RowSplit
    settings: dict[str, Any]
    writers: Sequence[Writer]
    progress: bool
    reading: Reading
    defaults: Mapping[str, Any] = MappingProxyType({"iterations": 60_000})
    """Of tables that are taken as they are."""
    kept: Mapping[str, Any] = MappingProxyType({})
    """Where the work is kept while it runs: arguments that the warm-up doesn't get."""


def fit(
    call: Callable[..., T],
    asked: TrainOptions,
    options: Mapping[str, Any] | None = None,
) -> Fitted[T]:
    """Read and train.

    ``options`` are those of a run that resumes: then the settings add nothing to them.
    """
    read = [asked.file, *filter(None, [asked.split.validation])]
    with refusing():
        for path, ending, _ in asked.writers:
            check_output(path, "the file of a result", (ending,), read=tuple(read))
        samples, given = asked.split.read(
            asked.file, asked.targets, asked.reading, options or asked.settings
        )
        optimizer = (options or asked.settings).get("optimizer")
        is_curved = getattr(optimizer, "second_order", False)
        defaults = _defaults(asked, samples, resumes=options is not None, is_curved=is_curved)
        settings = defaults | asked.settings | samples.settings | given.arguments

        def warm_up() -> None:
            # What is refused here is refused by the work, too, which needs more memory and says it.
            # So is a GPU that is not here: with --dask the workers need it.
            with suppress(DeviceError, TypeError, ValueError):
                few = settings | {"iterations": min(1, settings["iterations"])}
                if few.get("device") == AUTO:  # it is chosen for the work
                    few["device"] = CPU
                call(given.X, given.y, **few)

        def work() -> T:
            return call(given.X, given.y, **settings, **asked.kept, progress=asked.progress)

        # What goes into a folder may be too much for the memory, even with one iteration each.
        done = timed(None if "out" in asked.kept else warm_up, work)
    return Fitted(samples, given, done)


def _defaults(
    asked: TrainOptions, samples: Samples, *, resumes: bool, is_curved: bool
) -> dict[str, Any]:
    """Defaults of what was not typed; a note says which ones are those of prepared tables."""
    if samples.preparation is None:
        fewer = {"iterations": SECOND_ORDER_ITERATIONS} if is_curved else {}
        return {**asked.defaults, **fewer}
    prepared = {**PREPARED, **(SECOND_ORDER if is_curved else {})}
    own = {name: value for name, value in prepared.items() if name not in asked.settings}
    if resumes:
        return {"iterations": prepared["iterations"]}
    typed = " ".join(
        f"--{name.replace('_', '-')}"
        + ("" if value is True else f" {getattr(value, 'command', value)}")
        for name, value in own.items()
    )
    if own:
        samples.notes.append(f"Defaults for a prepared table, which other options replace: {typed}")
    axes = {name for name, value in asked.defaults.items() if isinstance(value, list)}
    return {name: [value] if name in axes else value for name, value in own.items()}


def _with_preparation(result: Any, samples: Samples) -> Any:
    """A run with the preparation of its table; a sweep has none."""
    if samples.preparation is None or not isinstance(result, Run):
        return result
    return Model((result,), samples.preparation, samples.encoded)


def show_samples(
    console: "Console", asked: TrainOptions, fitted: Fitted[Any], outputs: set[str]
) -> None:
    """Print what the file contains, how its rows were split, and notes about both."""
    samples = fitted.samples
    print_plain(
        console,
        f"{asked.file}: {many(len(samples.X), 'sample')}, {many(len(samples.inputs), 'input')} "
        f"({names_text(samples.inputs)}), target {names_text(samples.targets)}",
    )
    if samples.preparation is None and asked.reading.raw is None:
        console.print(
            f"Taken as it is: numbers only, none missing, no input beyond {LARGEST:g} "
            "(--prepare standardizes them)"
        )
    if samples.classes is not None and samples.preparation is None:
        print_plain(console, f"Classes, in the order of the outputs: {names_text(samples.classes)}")
    for note in [*samples.notes, *fitted.given.notes]:
        print_plain(console, note)
    note_unreached(console, samples, outputs)


def outputs_of(asked: TrainOptions, fitted: Fitted[Any]) -> list[Output]:
    """The files with the result, each with a line that says where it is."""
    result = _with_preparation(fitted.done.result, fitted.samples)
    return [
        Output(
            path,
            partial(write, result),
            (f"Saved to {path}" + f": fastgd.load({str(path)!r}) reads it." * (ending == ".npz"),),
        )
        for path, ending, write in asked.writers
    ]


# ---------------------------------------------------------------- checkpoints

CHECKPOINT = (
    option(
        "--checkpoint FILE.npz",
        "Keep the training so far in this file: the same command given again resumes from it.",
        Path,
    ),
    option(
        "--checkpoint-every SECONDS",
        f"Write the checkpoint about every so often (default: {EVERY:g}).",
        float,
    ),
)


def check_checkpoint(
    file: Path | None, every: float | None, save: Path | None, read: list[Path]
) -> dict[str, Any]:
    """The arguments for the training, after checks; ``read`` are the files that it reads."""
    if file is None:
        if every is not None:
            raise RefusedError("--checkpoint-every needs --checkpoint FILE.npz")
        return {}
    check_output(file, "a checkpoint", (".npz",), tuple(read))
    if save is not None and save.resolve() == file.resolve():
        raise RefusedError(f"--checkpoint and --save must be two files, got {file} twice")
    seconds = (
        {}
        if every is None
        else {"checkpoint_every": check_number("--checkpoint-every", every, ABOVE_ZERO)}
    )
    return {"checkpoint": file, **seconds}


def kept_iterations(file: Path | None) -> int:
    """The number of iterations in a checkpoint; 0 if there is none."""
    if file is None or not file.exists():
        return 0
    found = fastgd.load(file)
    return planned(found) if isinstance(found, Run) else 0


def kept_text(file: Path | None) -> str:
    """What a checkpoint holds, as text; empty without one."""
    done = kept_iterations(file)
    return f"{file} has the run so far, after {many(done, 'iteration')}" if done else ""


def note_kept(console: "Console", file: Path | None, iterations: int) -> None:
    """Print where the training resumed."""
    if iterations:
        print_plain(console, f"Resumed from {file}, after {many(iterations, 'iteration')}")
