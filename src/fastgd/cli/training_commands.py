"""``fastgd train`` and ``fastgd sweep``: networks of a table, one or many.

Both read, split and prepare the table in the same way; a training is a sweep without axes.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import fastgd
from fastgd import DeviceError, Model, Run, Sweep
from fastgd.arguments.declarations import FIELDED
from fastgd.arguments.samples import TrainingData
from fastgd.checks.messages import error_text, joined, many, options_text
from fastgd.checks.numbers import ABOVE_ZERO, check_number
from fastgd.cli.command_options import read_alpha, read_list, read_network, read_networks, takes
from fastgd.cli.dask_workers import check_dask, executor_at
from fastgd.cli.machine_output import (
    check_raw_text,
    plain,
    print_json,
    run_facts,
    samples_facts,
    write_table,
)
from fastgd.cli.methods import method_options, read_method
from fastgd.cli.output_files import check_output, done_text, finished, folder_of, writing
from fastgd.cli.refusals import RefusedError, flag_of, refusing
from fastgd.cli.result_tables import best_runs, show_axes, show_best, show_groups, statistics_of
from fastgd.cli.table_options import (
    LEARNING,
    READING,
    VALIDATION,
    note_unreached,
    read_rows,
    take_reading,
    take_split,
)
from fastgd.cli.terminal import (
    complain,
    print_plain,
    print_rich,
    print_table,
    saying_how_to_resume,
    time_text,
    timed,
)
from fastgd.engine.devices import AUTO, CPU
from fastgd.optimizers import Adam
from fastgd.store import hashes_of
from fastgd.tables.preparation import names_text
from fastgd.tables.table_samples import LARGEST, Samples
from fastgd.training import statistics
from fastgd.training.resuming import planned
from fastgd.training.train_sweep import EVERY

SHOWN = 20
"""Most records of a training that are shown."""

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

# ---------------------------------------------------------------- what both do


def with_defaults(
    typed: Mapping[str, Any], samples: Samples, defaults: Mapping[str, Any], resumed: Run | None
) -> dict[str, Any]:
    """The options that were typed, with defaults; a note says which ones are of prepared tables.

    ``defaults`` are those of tables that are taken as they are. A ``resumed`` run has its options.
    """
    options = typed if resumed is None else resumed.options
    is_curved = getattr(options.get("optimizer"), "second_order", False)
    if samples.preparation is None:
        own = {**defaults, **({"iterations": SECOND_ORDER_ITERATIONS} if is_curved else {})}
    elif resumed is not None:
        own = {"iterations": (SECOND_ORDER if is_curved else PREPARED)["iterations"]}
    else:
        prepared = {**PREPARED, **(SECOND_ORDER if is_curved else {})}
        own = {name: value for name, value in prepared.items() if name not in typed}
        words = " ".join(
            flag_of(name) + ("" if value is True else f" {getattr(value, 'command', value)}")
            for name, value in own.items()
        )
        if own:
            note = "Defaults for a prepared table, which other options replace"
            samples.notes.append(f"{note}: {words}")
        axes = {name for name, value in defaults.items() if isinstance(value, list)}
        own = {name: [value] if name in axes else value for name, value in own.items()}
    return {**own, **typed, **samples.settings}


def trained(
    call: Callable[..., T], settings: dict[str, Any], **kept: Any
) -> tuple[T, float, float]:
    """Train; ``kept`` are arguments that the warm-up doesn't get: where the work is kept."""

    def warm_up() -> None:
        # What is refused here is refused by the work, too, which needs more memory and says it.
        # So is a GPU that is not here: with --dask the workers need it.
        with suppress(DeviceError, TypeError, ValueError):
            few = settings | {"iterations": min(1, settings["iterations"])}
            if few.get("device") == AUTO:  # it is chosen for the work
                few["device"] = CPU
            call(**few)

    # What goes into a folder may be too much for the memory, even with one iteration each.
    return timed(None if "out" in kept else warm_up, partial(call, **settings, **kept))


def show_samples(
    file: Path,
    reading: Mapping[str, Any],
    samples: Samples,
    notes: list[str],
    outputs: set[str],
) -> None:
    """Print what the file contains, how its rows were split, and notes about both."""
    print_plain(
        f"{file}: {many(len(samples.X), 'sample')}, {many(len(samples.inputs), 'input')} "
        f"({names_text(samples.inputs)}), target {names_text(samples.targets)}",
    )
    if samples.preparation is None and reading["raw"] is None:
        print_rich(
            f"Taken as it is: numbers only, none missing, no input beyond {LARGEST:g} "
            "(--prepare standardizes them)"
        )
    if samples.classes is not None and samples.preparation is None:
        print_plain(f"Classes, in the order of the outputs: {names_text(samples.classes)}")
    for note in [*samples.notes, *notes]:
        print_plain(note)
    note_unreached(samples, outputs)


# ---------------------------------------------------------------- one network


@takes(
    f"""
    file
    --target
    --hidden-size SIZE  Units of the hidden layer (default: 4); 8x4 has two layers, none has none.
    --alpha ALPHA  Learning rate (default: 1; of a prepared table: 0.01, or 1 with --optimizer lm),
        or one for each layer of weights: 1/0.1.
    --iterations --record-every
    --seed N  Seed of the initial weights (default: 1).
    --resume RUN.npz  Resume the training that --save wrote, for --iterations more, as if it had
        never stopped. Data and validation set must be the same; all other options are the run's.
    --samples WAY  With --resume: same (default), or new where FILE.csv or the validation set has
        other rows than before; the optimizer's state is kept.
    --change  With --resume: what is typed beside it replaces what the run had, such as --alpha 0.1
        or --schedule cosine, which then starts from 0; the optimizer's state is kept.
    --save FILE.npz  Write the trained network to this file.
    --checkpoint FILE.npz  Keep the training so far in this file: the same command given again
        resumes from it.
    --checkpoint-every SECONDS  Write the checkpoint about every so often (default: {EVERY:g}).
    --record-weights  Save the weights along with each recorded error.
    --record-predictions  Save the outputs of all samples along with each recorded error.
    --threads --device --progress --json
    """,
    VALIDATION,
    READING,
    *method_options(several=False),
    hidden_size=read_network,
    alpha=read_alpha,
)
def train(
    file: Path,
    target: list[str] | None,
    resume: Path | None,
    change: bool,
    save: Path | None,
    checkpoint: Path | None,
    checkpoint_every: float | None,
    record_weights: bool,
    record_predictions: bool,
    progress: bool,
    json: bool,
    **typed: Any,
) -> None:
    """Train one network on a table.

    Example: [bold]fastgd train data.csv --target y --hidden-size 8 --alpha 0.5[/bold]
    """
    recorded = {"record_weights": record_weights, "record_predictions": record_predictions}
    for name in (name for name, wanted in recorded.items() if wanted):
        if not (save or checkpoint or json):
            flag = f"--{name.replace('_', '-')}"
            raise RefusedError(f"{flag} needs --save FILE.npz or --json to keep them")
    reading, split = take_reading(typed), take_split(typed)
    # What is left out has the library's default, or with --resume what the run had.
    settings = read_method(typed, several=False)
    settings |= {name: True for name, wanted in recorded.items() if wanted}
    if change:
        own = ("iterations", *recorded, "samples", "threads", "device")
        anew = {name: settings.pop(name) for name in tuple(settings) if name not in own}
        if resume is None or not anew:
            needed = "what replaces what the run had, such as --alpha 0.1"
            raise RefusedError(f"--change needs {needed if resume else '--resume RUN.npz'}")
        settings["change"] = anew
    call, before = fastgd.train, None
    with refusing():
        read = [file, *filter(None, (split["validation"],))]
        kept = _check_checkpoint(checkpoint, checkpoint_every, save, [*read, resume or file])
        check_output(save, "the file of a result", (".npz",), read)
        if resume is not None:
            before, reading = _resumable(fastgd.load(resume), resume, reading)
            call = partial(_resumed, before, resume)
        had = _iterations_in(checkpoint)
    with saying_how_to_resume(lambda: _kept_text(checkpoint)), refusing():
        of = settings if before is None else before.options or settings
        samples, data, facts, notes = read_rows(file, target or [], split, reading, of)
        settings = with_defaults(settings, samples, {"iterations": 60_000}, before) | data
        run, *times = trained(call, settings, **kept, progress=progress)
    result = Model((run,), samples.preparation, samples.encoded) if samples.preparation else run
    said = (f"Saved to {save}: fastgd.load({str(save)!r}) reads it.",)
    with writing((save, result.save, said), as_json=json):
        worse = _no_better(run, data) if samples.preparation else ""
        if json:
            facts = samples_facts(samples) | facts | run_facts(run)
            shares = _accuracies(run, data)
            facts |= {"accuracy": shares} if shares else {}
            facts |= {"no_better_than_constant": bool(worse)} if samples.preparation else {}
            print_json(facts | {"seconds": times[0]})
            return
        outputs = {run.options.get("output", "sigmoid")}
        show_samples(file, reading, samples, notes, outputs)
        _show_network(run, samples)
        if before is not None:
            how = f", when it was over: it had {before.status}"
            after = f"after {many(before.iterations, 'iteration')}"
            after += "" if before.status == "finished" else how
            print_plain(f"Resumed from {resume}, {after}")
        if had:
            print_plain(f"Resumed from {checkpoint}, after {many(had, 'iteration')}")
        print_rich()
        _show_run(run, data)
        if worse:
            print_rich(f"[yellow]{worse}[/]", markup=True)
        print_rich(time_text("Trained", *times))


def _check_checkpoint(
    file: Path | None, every: float | None, save: Path | None, read: list[Path]
) -> dict[str, Any]:
    """The arguments for the training, after checks; ``read`` are the files that it reads."""
    if file is None and every is not None:
        raise RefusedError("--checkpoint-every needs --checkpoint FILE.npz")
    check_output(file, "a checkpoint", (".npz",), read)
    if file and save and save.resolve() == file.resolve():
        raise RefusedError(f"--checkpoint and --save must be two files, got {file} twice")
    seconds = EVERY if every is None else check_number("--checkpoint-every", every, ABOVE_ZERO)
    return {} if file is None else {"checkpoint": file, "checkpoint_every": seconds}


def _iterations_in(checkpoint: Path | None) -> int:
    """The number of iterations in a checkpoint; 0 if there is none."""
    if checkpoint is None or not checkpoint.exists():
        return 0
    found = fastgd.load(checkpoint)
    return planned(found) if isinstance(found, Run) else 0


def _kept_text(checkpoint: Path | None) -> str:
    """What a checkpoint holds, as text; empty without one."""
    done = _iterations_in(checkpoint)
    return f"{checkpoint} has the run so far, after {many(done, 'iteration')}" if done else ""


def _resumable(result: Any, file: Path, reading: dict[str, Any]) -> tuple[Run, dict[str, Any]]:
    """The run of a file, and how its table was read."""
    run = result
    if isinstance(result, Model) and len(result.runs) == 1:
        run = result.runs[0]
        if reading["raw"]:
            raise RefusedError(f"--raw does not go with the prepared table of {file}")
        if not reading.keys() <= {"raw", "sep", "decimal"}:
            raise RefusedError(
                f"{LEARNING} must be left out with --resume: "
                f"{file} knows how its table was prepared"
            )
        known = {"preparation": result.preparation, "encoded": result.targets}
        reading = {**reading, "raw": False, **known}
    elif not isinstance(result, Run):
        holds = type(result).__name__
        if isinstance(result, Sweep | Model):
            runs = result if isinstance(result, Sweep) else result.runs
            holds = f"{holds.lower()} of {many(len(runs), 'run')}"
        raise RefusedError(
            f"--resume needs one run (fastgd train --save), but {file} holds a {holds}"
        )
    elif not reading.keys() <= {"raw"}:
        raise RefusedError(
            f"--sep, --decimal, {LEARNING} don't go with the plain numbers of {file}"
        )
    elif reading["raw"] is False:
        raise RefusedError(f"--prepare does not go with the plain numbers of {file}")
    else:
        reading = {"raw": True}
    if run.sample_hashes is None:
        complain(f"warning: {file} is of fastgd 0.2.0: only the error on its rows is compared")
    return run, reading


def _resumed(before: Run, file: Path, X: Any, y: Any, **settings: Any) -> Run:
    """Resume, if the samples are those of the run."""
    same = X.shape[1] == len(before.weights[0]) and before.weights[-1].shape[1] % y.shape[1] == 0
    same &= settings.get("samples") != "new"
    is_other = False
    if same and before.sample_hashes is not None:
        samples = hashes_of(TrainingData.check(X, y, 1, 1, before.options).samples)
        is_other = not samples.items() <= before.sample_hashes.items()
    elif same and isfinite(before.final_error) and not before.normalization:
        error = np.abs(y - before.predict(X)[:, : y.shape[1]]).mean()
        is_other = not np.isclose(error, before.final_error, rtol=1e-6, atol=1e-12)
    if is_other:
        raise ValueError(
            f"--resume needs the rows that {file} was trained on (FILE.csv, "
            "--validation-fraction and --split-seed as they were), got others"
        )
    return fastgd.train(X, y, resume=before, **settings)


def _show_network(run: Run, samples: Samples) -> None:
    outputs = run.weights[-1].shape[1]
    sizes, each = (len(samples.inputs), *run.hidden_size, outputs), outputs // samples.y.shape[1]
    network = f"{joined(sizes, '-')} network" + (f", {each} outputs to each target" * (each > 1))
    print_rich(f"A {network}, alpha {joined(run.alpha)}, seed {run.seed}")
    if run.options:
        print_rich(f"Options: {options_text(run.options)}")


def _show_run(run: Run, data: Mapping[str, Any]) -> None:
    """Print the errors over the iterations, what was found, and how the run ended."""
    iterations, errors = statistics.error_curves(run)
    headings, columns = [">iteration", ">mean |y - output|"], [errors]
    if run.validation_errors is not None:
        headings.append(">validation")
        columns.append(statistics.error_curves(run, validation=True)[1])
    headings.append(">loss")
    columns.append(statistics.curves(run, "losses", "final_loss")[1])
    rows = [
        (f"{j:,}", *map(error_text, numbers))
        for j, *numbers in zip(iterations, *columns, strict=True)
    ]
    if len(rows) > SHOWN:  # evenly spaced, with the first and the last one
        rows = [rows[i] for i in np.linspace(0, len(rows) - 1, SHOWN).round().astype(int)]
    print_table(headings, rows)
    if run.summary is not None:
        summary, window = run.summary, run.options["summary"]
        rows = [
            ("smallest", error_text(summary.smallest_error)),
            ("its iteration", f"{summary.smallest_iteration:,}"),
            (f"mean of the last {window:,} / e_0", f"{summary.tail_mean:.6g}"),
            ("sum of e_j / e_0", f"{summary.error_sum:.6g}"),
            ("sum of e_0 / e_j", f"{summary.inverse_sum:.6g}"),
        ]
        print_table(["<summary of the errors e_0, e_1, ...", ">"], rows)
    changes, *of_biases = (
        ", ".join(f"{int(layer.sum()):,}" for layer in layers)
        for layers in (run.direction_changes, run.bias_direction_changes)[: 1 + bool(run.biases)]
    )
    changes += "".join(f"; of the biases: {totals}" for totals in of_biases)
    print_rich(f"Direction changes of the derivatives, by layer: {changes}")
    for whose, share in _accuracies(run, data).items():
        print_rich(f"Accuracy: {100 * share:.4g} % of the {whose}")
    if run.effective_parameters is not None:
        count = sum(layer.size for layer in (*run.weights, *run.biases))
        print_rich(
            f"Effective parameters: {run.effective_parameters:.4g} of {count}, weight penalty "
            f"{run.weight_penalty:.3g}, error factor {run.error_factor:.3g}"
        )
    held_out = run.validation_errors is not None
    watched = "validation error" if held_out else "error"
    print_rich(_ending(run, watched), markup=True)
    if run.best_iteration is not None:
        at = f"iteration {run.best_iteration:,}"
        if run.options.get("restore_best"):
            print_rich(f"Restored: the network is that of {at}, with the smallest {watched}")
        elif held_out:
            print_rich(f"The smallest {watched} is that of {at}")


def _ending(run: Run, watched: str) -> str:
    """How it ended: after all iterations, or earlier."""
    after = f"after {many(run.iterations, 'iteration')}"
    if run.status == "diverged":
        return f"[bold red]Diverged[/] {after}: a number overflowed"
    tolerance, patience = (run.options.get(name) for name in ("tolerance", "patience"))
    if run.status == "converged":
        why = "derivatives or steps are next to 0"
        held = run.final_validation_error
        error = run.final_error if held is None else held
        monitored = run.final_loss if run.options.get("monitor") == "loss" else error
        if tolerance is not None and monitored < tolerance:
            why = f"the {watched} is below {tolerance:g}"
        return f"[green]Converged[/] {after}: {why}"
    if run.status == "stalled":
        why = "no step, however damped, makes the loss smaller"
        if patience is not None and run.iterations - (run.best_iteration or 0) >= patience:
            why = f"the smallest {watched} is {many(patience, 'iteration')} old"
        return f"[yellow]Stalled[/] {after}: {why}"
    return f"Finished {after}"


def _accuracies(run: Run, data: Mapping[str, Any]) -> dict[str, float]:
    """Accuracy on the samples, and on the validation set."""
    if run.options.get("output") != "softmax" or run.status == "diverged":
        return {}
    subsets = {"samples": (data["X"], data["y"])}
    if "validation" in data:
        subsets["validation set"] = data["validation"]
    return {
        whose: float((run.predict(X).argmax(axis=1) == y.argmax(axis=1)).mean())
        for whose, (X, y) in subsets.items()
    }


def _no_better(run: Run, data: Mapping[str, Any]) -> str:
    """Say so if a constant predicts as well as this network: the mean, or the classes' shares.

    They are compared on the validation set, if there is one. A loss of the user's own has another
    best constant.
    """
    loss = run.options.get("loss", "squared")
    if loss not in ("squared", "cross_entropy") or run.status == "diverged":
        return ""
    X, y = data.get("validation", (data["X"], data["y"]))
    guesses = run.predict(X)[:, : y.shape[1]], np.broadcast_to(data["y"].mean(axis=0), y.shape)
    if run.options.get("output") == "softmax":
        what, error = "the shares of the classes", "log loss"
        with np.errstate(divide="ignore"):
            network, constant = (-np.log(guess[y > 0]).mean() for guess in guesses)
    else:
        what, error = "the mean", "squared error"
        network, constant = (np.square(y - guess).mean() for guess in guesses)
    if network < 0.999 * constant:
        return ""
    whose = "validation set" if "validation" in data else "samples"
    return (
        f"No better than a constant: {error} {network:.4g} on the {whose}, and {constant:.4g} by "
        f"always predicting {what}"
    )


# ---------------------------------------------------------------- a sweep

SEEDS = "a whole number of at least 1 (the seeds are 1 to N)"


@takes(
    """
    file
    --target --groups
    --hidden-size SIZES  Hidden sizes to try: 4,32. 8x8 has two layers, none has none.
    --alpha ALPHAS  Learning rates to try: 0.01,0.1,1 (default: 1; of a prepared table: 0.01, or 1
        with --optimizer lm). 1/0.1 is one for each layer.
    --seeds N  Try N seeds with each of them: 1 to N (default: 1).
    --seed SEEDS  Seeds to try, in place of --seeds: 3,5,8.
    --iterations --record-every
    --save FILE.npz  Write all networks to this file.
    --csv FILE.csv  Write a line for each network to this file.
    --out FOLDER  Keep the networks in this folder, chunk by chunk: the same command given again
        resumes where it was interrupted, and several such commands share the work.
    --raw-text --threads --device
    --dask WHERE  Train on the workers of Dask: tcp://HOST:PORT is the address of a scheduler,
        local:N starts N processes on this machine.
    --progress --json --folds
    """,
    VALIDATION,
    READING,
    *method_options(several=True),
    hidden_size={"default": "4", "read": read_networks},
    alpha=lambda text: [read_alpha(rate) for rate in text.split(",")],
    seeds={"rule": SEEDS},
    seed=lambda text: read_list("--seed", text, int),
)
def sweep(
    file: Path,
    target: list[str] | None,
    seeds: int | None,
    seed: list[int] | None,
    save: Path | None,
    csv: Path | None,
    out: Path | None,
    raw_text: bool,
    threads: int | None,
    dask: str | None,
    progress: bool,
    json: bool,
    **typed: Any,
) -> None:
    """Train a network for every combination of values and every seed, and rank them.

    Options with [bold],...[/bold] take several values, separated by commas.

    Example: [bold]fastgd sweep data.csv --target y --alpha 0.01,0.1,1 --seeds 100[/bold]
    """
    if seeds is not None and seeds < 1:
        raise RefusedError(f"--seeds must be {SEEDS}, got {seeds}")
    if seeds is not None and seed is not None:
        raise RefusedError("--seeds and --seed exclude each other")
    check_raw_text(raw_text, csv)
    folder = folder_of(out)
    reading, split = take_reading(typed), take_split(typed)
    settings = {
        "seed": range(1, (seeds or 1) + 1) if seed is None else seed,
        "threads": threads,
        "keep_weights": folder is not None or save is not None,
        **read_method(typed, several=True),
    }
    check_dask(dask, threads)
    before, chunks = finished(folder)
    with executor_at(dask) as kept, saying_how_to_resume(lambda: done_text(folder)), refusing():
        read = [file, *filter(None, (split["validation"],))]
        for path, ending in ((save, ".npz"), (csv, ".csv")):
            check_output(path, "the file of a result", (ending,), read)
        samples, data, facts, notes = read_rows(file, target or [], split, reading, settings)
        # Of tables that are taken as they are:
        article = {"alpha": [1.0], "iterations": 60_000, "record_every": 10_000}
        settings = with_defaults(settings, samples, article, None) | data
        kept |= {} if folder is None else {"out": folder}
        result, *times = trained(fastgd.sweep, settings, **kept, progress=progress)
    said = (f"Saved to {save}: fastgd.load({str(save)!r}) reads it.",)
    table = partial(write_table, result, raw_text=raw_text)
    with writing((save, result.save, said), (csv, table, (f"Saved to {csv}",)), as_json=json):
        if json:
            facts = samples_facts(samples) | facts | _sweep_facts(result)
            print_json(facts | {"seconds": times[0]})
            return
        outputs = set(result.axes.get("output", [result.method.output]))
        show_samples(file, reading, samples, notes, outputs)
        show_axes(result)
        show_best(result)
        show_groups(result)
        print_rich(time_text("Trained", *times))
        if before:
            print_rich(f"({before} of {chunks} chunks from an earlier call)")
        if folder is not None:
            print_plain(f"Kept in {folder}: fastgd.open({str(folder)!r}) reads it.")


def _sweep_facts(result: Sweep) -> dict[str, Any]:
    """All numbers of a sweep, its best runs and its groups."""
    arrays = (
        "recorded", "errors", "final_error", "losses", "final_loss", "validation_errors",
        "final_validation_error", "best_iteration", "status", "iterations", "total_changes",
        "summary",
    )  # fmt: skip
    options = result.options
    for name in FIELDED:
        if name in options:
            fields = plain(options[name])
            options[name] = {k: v for k, v in fields.items() if k not in result.axes}
    return (
        {"axes": result.axes, "shape": result.shape, "options": options}
        | {name: getattr(result, name) for name in arrays}
        | {"best": best_runs(result), "groups": statistics_of(result)}
    )
