"""What ``fastgd train`` prints of a run: network, errors, how it ended, whether it has learned."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgd import Run
from fastgd.checks.messages import error_text, joined, many, options_text
from fastgd.cli.terminal import print_table
from fastgd.tables.table_samples import Samples
from fastgd.training import statistics

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = 20
"""Most records of a training that are shown."""


def show_network(console: "Console", run: Run, samples: Samples) -> None:
    """Print the network and its options."""
    outputs = run.weights[-1].shape[1]
    sizes, each = (len(samples.inputs), *run.hidden_size, outputs), outputs // samples.y.shape[1]
    network = f"{joined(sizes, '-')} network" + (f", {each} outputs to each target" * (each > 1))
    console.print(f"A {network}, alpha {joined(run.alpha)}, seed {run.seed}")
    if run.options:
        console.print(f"Options: {options_text(run.options)}")


def show_run(console: "Console", run: Run, data: Mapping[str, Any]) -> None:
    """Print the errors over the iterations, what was found, and how the run ended."""
    iterations, errors = statistics.error_curves(run)
    headings, columns = [">iteration", ">mean |y - output|"], [errors]
    if run.validation_errors is not None:
        headings.append(">validation")
        columns.append(statistics.error_curves(run, validation=True)[1])
    headings.append(">loss")
    columns.append(statistics.loss_curves(run)[1])
    rows = [
        (f"{j:,}", *map(error_text, numbers))
        for j, *numbers in zip(iterations, *columns, strict=True)
    ]
    if len(rows) > SHOWN:  # evenly spaced, with the first and the last one
        rows = [rows[i] for i in np.linspace(0, len(rows) - 1, SHOWN).round().astype(int)]
    print_table(console, headings, rows)
    if run.summary is not None:
        summary, window = run.summary, run.options["summary"]
        rows = [
            ("smallest", error_text(summary.smallest_error)),
            ("its iteration", f"{summary.smallest_iteration:,}"),
            (f"mean of the last {window:,} / e_0", f"{summary.tail_mean:.6g}"),
            ("sum of e_j / e_0", f"{summary.error_sum:.6g}"),
            ("sum of e_0 / e_j", f"{summary.inverse_sum:.6g}"),
        ]
        print_table(console, ["<summary of the errors e_0, e_1, ...", ">"], rows)
    changes, *of_biases = (
        ", ".join(f"{int(layer.sum()):,}" for layer in layers)
        for layers in (run.direction_changes, run.bias_direction_changes)[: 1 + bool(run.biases)]
    )
    changes += "".join(f"; of the biases: {totals}" for totals in of_biases)
    console.print(f"Direction changes of the derivatives, by layer: {changes}")
    for whose, share in accuracies(run, data).items():
        console.print(f"Accuracy: {100 * share:.4g} % of the {whose}")
    if run.effective_parameters is not None:
        count = sum(layer.size for layer in (*run.weights, *run.biases))
        console.print(
            f"Effective parameters: {run.effective_parameters:.4g} of {count}, weight penalty "
            f"{run.weight_penalty:.3g}, error factor {run.error_factor:.3g}"
        )
    held_out = run.validation_errors is not None
    watched = "validation error" if held_out else "error"
    console.print(_ending(run, watched), markup=True)
    if run.best_iteration is not None:
        at = f"iteration {run.best_iteration:,}"
        if run.options.get("restore_best"):
            console.print(f"Restored: the network is that of {at}, with the smallest {watched}")
        elif held_out:
            console.print(f"The smallest {watched} is that of {at}")


def _ending(run: Run, watched: str) -> str:
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
            why = f"the {watched} is below {tolerance:g}"
        return f"[green]Converged[/] {after}: {why}"
    if run.status == "stalled":
        why = "no step, however damped, makes the loss smaller"
        if patience is not None and run.iterations - (run.best_iteration or 0) >= patience:
            why = f"the smallest {watched} is {many(patience, 'iteration')} old"
        return f"[yellow]Stalled[/] {after}: {why}"
    return f"Finished {after}"


def accuracies(run: Run, data: Mapping[str, Any]) -> dict[str, float]:
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


def no_better(run: Run, data: Mapping[str, Any]) -> str:
    """Say so if a constant predicts as well as this network: the mean, or the classes' shares.

    They are compared on the validation set, if there is one. A loss of the user's own has another
    best constant.
    """
    loss = run.options.get("loss", "squared")
    if loss not in ("squared", "cross_entropy") or run.status == "diverged":
        return ""
    X, y = data.get("validation", (data["X"], data["y"]))
    classes = run.options.get("output") == "softmax"
    guesses = run.predict(X)[:, : y.shape[1]], np.broadcast_to(data["y"].mean(axis=0), y.shape)
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
    whose = "validation set" if "validation" in data else "samples"
    return (
        f"No better than a constant: {error} {network:.4g} on the {whose}, and {constant:.4g} by "
        f"always predicting {what}"
    )
