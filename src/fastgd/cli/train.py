"""``fastgd train``: train one network on a table, and show the result."""

from functools import partial
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import fastgd
from fastgd import Model, Run, Sweep
from fastgd.arguments.samples import TrainingData
from fastgd.checks.messages import error_text, joined, many, options_text
from fastgd.cli.console import open_console, print_plain, print_table
from fastgd.cli.errors import RefusedError, refusing
from fastgd.cli.machine_output import print_json, run_facts, samples_facts
from fastgd.cli.methods import method_options, read_method
from fastgd.cli.option_values import read_alpha, read_network
from fastgd.cli.options import (
    DEVICE,
    ITERATIONS,
    JSON,
    LEARNING,
    PROGRESS,
    READING,
    TABLE_FILE,
    TARGET,
    THREADS,
    option,
    take_reading,
    takes,
)
from fastgd.cli.output_files import writing
from fastgd.cli.splits import VALIDATION, Given, take_split
from fastgd.cli.terminal import complain, saying_how_to_resume
from fastgd.cli.train_common import (
    CHECKPOINT,
    Fitted,
    TrainOptions,
    Writer,
    check_checkpoint,
    fit,
    kept_iterations,
    kept_text,
    note_kept,
    outputs_of,
    show_samples,
)
from fastgd.store import hashes_of
from fastgd.tables.samples import Reading
from fastgd.training import statistics

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = 20
"""Most records of a training that are shown."""


@takes(
    TABLE_FILE,
    TARGET,
    option(
        "--hidden-size SIZE",
        "Units of the hidden layer (default: 4); 8x4 has two layers, none has none.",
        read=read_network,
    ),
    option(
        "--alpha ALPHA",
        "Learning rate (default: 1; of a prepared table: 0.01, or 1 with --optimizer lm), or one "
        "for each layer of weights: 1/0.1.",
        read=read_alpha,
    ),
    ITERATIONS,
    option(
        "--record-every N",
        "Record the error every N iterations (default: 10000; of a prepared table: 100, or 10 with "
        "--optimizer lm).",
        int,
    ),
    option("--seed N", "Seed of the initial weights (default: 1).", int),
    option(
        "--resume RUN.npz",
        "Resume the training that --save wrote, for --iterations more, as if it had never stopped. "
        "Data and validation set must be the same; all other options are the run's.",
        Path,
    ),
    option("--save FILE.npz", "Write the trained network to this file.", Path),
    *CHECKPOINT,
    option("--record-weights", "Save the weights along with each recorded error.", bool),
    THREADS,
    DEVICE,
    PROGRESS,
    JSON,
    *VALIDATION,
    *READING,
    *method_options(several=False),
)
def command(
    file: Path,
    target: list[str] | None,
    resume: Path | None,
    save: Path | None,
    checkpoint: Path | None,
    checkpoint_every: float | None,
    record_weights: bool,
    progress: bool,
    json: bool,
    **typed: Any,
) -> None:
    """Train one network on a table.

    Example: [bold]fastgd train data.csv --target y --hidden-size 8 --alpha 0.5[/bold]
    """
    if record_weights and not (save or checkpoint or json):
        raise RefusedError("--record-weights needs --save FILE.npz or --json to keep them")
    reading, split = take_reading(typed), take_split(typed)
    # What is left out has the library's default, or with --resume what the run had.
    settings = read_method(typed, several=False)
    settings |= {"record_weights": True} if record_weights else {}
    with refusing():
        read = [file, *filter(None, (split.validation, resume))]
        kept = check_checkpoint(checkpoint, checkpoint_every, save, read)
    writers = (Writer(save, ".npz", Run.save),)
    asked = TrainOptions(file, target or [], split, settings, writers, progress, reading, kept=kept)
    show(asked, resume, json)


def show(asked: TrainOptions, resume: Path | None, as_json: bool) -> None:
    """Train or resume one network, and show its errors and direction changes."""
    call, before = fastgd.train, None
    if resume is not None:
        with refusing():
            saved = fastgd.load(resume)
            before = _run_of(saved, resume)
            asked = asked._replace(reading=_reading_again(asked.reading, saved, resume))
        if before.sample_hashes is None:
            complain(
                f"warning: {resume} is of fastgd 0.2.0: only the error on its rows is compared"
            )
        call = partial(_resumed, before, resume)
    checkpoint = asked.kept.get("checkpoint")
    with refusing():
        kept = kept_iterations(checkpoint)
    with saying_how_to_resume(lambda: kept_text(checkpoint)):
        fitted = fit(call, asked, None if before is None else before.options)
    with writing(*outputs_of(asked, fitted), as_json=as_json):
        _print(asked, fitted, resume, before, kept, as_json)


def _print(
    asked: TrainOptions,
    fitted: Fitted[Run],
    resume: Path | None,
    before: Run | None,
    kept: int,
    as_json: bool,
) -> None:
    """Print the run, which may resume another (``before``) or ``kept`` iterations of itself."""
    samples, done, run = fitted.samples, fitted.done, fitted.done.result
    worse = _no_better(run, fitted.given) if samples.preparation else ""
    if as_json:
        facts = samples_facts(samples) | fitted.given.facts | run_facts(run)
        shares = _accuracies(run, fitted.given)
        facts |= {"accuracy": shares} if shares else {}
        facts |= {"no_better_than_constant": bool(worse)} if samples.preparation else {}
        print_json(facts | {"seconds": done.seconds})
        return
    console = open_console()
    show_samples(console, asked, fitted, {run.options.get("output", "sigmoid")})
    sizes = (len(samples.inputs), *run.hidden_size, run.weights[-1].shape[1])
    each = run.weights[-1].shape[1] // samples.y.shape[1]
    network = f"{joined(sizes, '-')} network" + (f", {each} outputs to each target" * (each > 1))
    console.print(f"A {network}, alpha {joined(run.alpha)}, seed {run.seed}")
    if run.options:
        console.print(f"Options: {options_text(run.options)}")
    if before is not None:
        over = "" if before.status == "finished" else f", when it was over: it had {before.status}"
        after = f"after {many(before.iterations, 'iteration')}{over}"
        print_plain(console, f"Resumed from {resume}, {after}")
    note_kept(console, asked.kept.get("checkpoint"), kept)
    console.print()
    _show_errors(console, run)
    _show_summary(console, run)
    changes = _totals(run.direction_changes)
    if run.biases:
        changes += f"; of the biases: {_totals(run.bias_direction_changes)}"
    console.print(f"Direction changes of the derivatives, by layer: {changes}")
    for whose, share in _accuracies(run, fitted.given).items():
        console.print(f"Accuracy: {100 * share:.4g} % of the {whose}")
    if run.effective_parameters is not None:
        console.print(_found(run))
    console.print(_ending(run), markup=True)
    held_out, restored = run.validation_errors is not None, run.options.get("restore_best")
    if run.best_iteration is not None and (held_out or restored):
        console.print(_best(run))
    if worse:
        console.print(f"[yellow]{worse}[/]", markup=True)
    console.print(done.text("Trained"))


def _run_of(result: Any, file: Path) -> Run:
    """Reject a file that contains no run."""
    if isinstance(result, Model) and len(result.runs) == 1:
        return result.runs[0]
    if not isinstance(result, Run):
        holds = type(result).__name__
        if isinstance(result, Sweep):
            holds = f"sweep of {many(len(result), 'run')}"
        if isinstance(result, Model):
            holds = f"model of {many(len(result.runs), 'run')}"
        raise RefusedError(
            f"--resume needs one run (fastgd train --save), but {file} holds a {holds}"
        )
    return result


def _reading_again(reading: Reading, result: Any, file: Path) -> Reading:
    """Read the table as it was read for the run that resumes."""
    if isinstance(result, Model):
        if reading.raw:
            raise RefusedError(f"--raw does not go with the prepared table of {file}")
        if reading.learns:
            raise RefusedError(
                f"{LEARNING} must be left out with --resume: "
                f"{file} knows how its table was prepared"
            )
        return reading._replace(raw=False, preparation=result.preparation, targets=result.targets)
    if reading.prepares:
        raise RefusedError(
            f"--sep, --decimal, {LEARNING} don't go with the plain numbers of {file}"
        )
    if reading.raw is False:
        raise RefusedError(f"--prepare does not go with the plain numbers of {file}")
    return reading._replace(raw=True)


def _resumed(before: Run, file: Path, X: Any, y: Any, **settings: Any) -> Run:
    """Resume, if the samples are those of the run."""
    same = X.shape[1] == len(before.weights[0]) and before.weights[-1].shape[1] % y.shape[1] == 0
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


def _show_errors(console: "Console", run: Run) -> None:
    """The errors over the iterations, with validation errors and the loss."""
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
    print_table(console, headings, rows)


def _show_summary(console: "Console", run: Run) -> None:
    """The summary of the errors, if one was asked for."""
    if run.summary is None:
        return
    summary, window = run.summary, run.options["summary"]
    print_table(
        console,
        ["<summary of the errors e_0, e_1, ...", ">"],
        [
            ("smallest", error_text(summary.smallest_error)),
            ("its iteration", f"{summary.smallest_iteration:,}"),
            (f"mean of the last {window:,} / e_0", f"{summary.tail_mean:.6g}"),
            ("sum of e_j / e_0", f"{summary.error_sum:.6g}"),
            ("sum of e_0 / e_j", f"{summary.inverse_sum:.6g}"),
        ],
    )


def _ending(run: Run) -> str:
    """How it ended: after all iterations, or earlier."""
    after = f"after {many(run.iterations, 'iteration')}"
    if run.status == "diverged":
        return f"[bold red]Diverged[/] {after}: a number overflowed"
    tolerance, patience = (run.options.get(name) for name in ("tolerance", "patience"))
    if run.status == "converged":
        why = "derivatives or steps are next to 0"
        error = (
            run.final_error if run.final_validation_error is None else run.final_validation_error
        )
        monitored = run.final_loss if run.options.get("monitor") == "loss" else error
        if tolerance is not None and monitored < tolerance:
            why = f"the {_watched(run)} is below {tolerance:g}"
        return f"[green]Converged[/] {after}: {why}"
    if run.status == "stalled":
        why = "no step, however damped, makes the loss smaller"
        if patience is not None and run.iterations - (run.best_iteration or 0) >= patience:
            why = f"the smallest {_watched(run)} is {many(patience, 'iteration')} old"
        return f"[yellow]Stalled[/] {after}: {why}"
    return f"Finished {after}"


def _found(run: Run) -> str:
    """What Bayesian regularization found."""
    count = sum(layer.size for layer in (*run.weights, *run.biases))
    return (
        f"Effective parameters: {run.effective_parameters:.4g} of {count}, weight penalty "
        f"{run.weight_penalty:.3g}, error factor {run.error_factor:.3g}"
    )


def _best(run: Run) -> str:
    """When the error was smallest, and whether that network is returned."""
    at = f"iteration {run.best_iteration:,}"
    if run.options.get("restore_best"):
        return f"Restored: the network is that of {at}, with the smallest {_watched(run)}"
    return f"The smallest {_watched(run)} is that of {at}"


def _accuracies(run: Run, given: Given) -> dict[str, float]:
    """Accuracy on the samples, and on the validation set."""
    if run.options.get("output") != "softmax" or run.status == "diverged":
        return {}
    parts = {"samples": (given.X, given.y)}
    if "validation" in given.arguments:
        parts["validation set"] = given.arguments["validation"]
    return {
        whose: float((run.predict(X).argmax(axis=1) == y.argmax(axis=1)).mean())
        for whose, (X, y) in parts.items()
    }


def _no_better(run: Run, given: Given) -> str:
    """Say so if a constant predicts as well as this network: the mean, or the classes' shares.

    They are compared on the validation set, if there is one. A loss of the user's own has another
    best constant.
    """
    loss = run.options.get("loss", "squared")
    if loss not in ("squared", "cross_entropy") or run.status == "diverged":
        return ""
    X, y = given.arguments.get("validation", (given.X, given.y))
    classes = run.options.get("output") == "softmax"
    guesses = run.predict(X)[:, : y.shape[1]], np.broadcast_to(given.y.mean(axis=0), y.shape)
    if classes:
        with np.errstate(divide="ignore"):
            network, constant = (-np.log(guess[y > 0]).mean() for guess in guesses)
    else:
        network, constant = (np.square(y - guess).mean() for guess in guesses)
    if network < 0.999 * constant:
        return ""
    what, error = (
        ("the shares of the classes", "log loss") if classes else ("the mean", "squared error")
    )
    whose = "validation set" if "validation" in given.arguments else "samples"
    return (
        f"No better than a constant: {error} {network:.4g} on the {whose}, and {constant:.4g} by "
        f"always predicting {what}"
    )


def _watched(run: Run) -> str:
    """The name of the error that decides."""
    return "error" if run.validation_errors is None else "validation error"


def _totals(layers: tuple[NDArray[np.int64], ...]) -> str:
    return ", ".join(f"{int(layer.sum()):,}" for layer in layers)
