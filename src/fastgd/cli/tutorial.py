"""``fastgd tutorial``: run the article's experiments and show them beside its numbers."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from numpy.typing import NDArray

from fastgd.arguments.wording import error_text, many, seconds_text
from fastgd.article import comparison, page
from fastgd.article.comparison import Result, Setting, lines
from fastgd.article.experiments import EXPERIMENTS, Experiment, source
from fastgd.article.twins import DEVIATIONS, TWINS, Mark, digits_text
from fastgd.cli.facts import print_json
from fastgd.cli.files import check_writable
from fastgd.cli.job import Job, timed
from fastgd.cli.refusal import RefusedError, refusing
from fastgd.cli.shared import Json, Progress, option
from fastgd.cli.tables import new_table, open_console, print_table
from fastgd.cli.values import or_terminal
from fastgd.plots.style import pyplot

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {Mark.AGREES: "green", Mark.WITHIN: "yellow", Mark.DIFFERS: "bold red"}


NAMES = ", ".join(experiment.name for experiment in EXPERIMENTS)


def command(
    experiment: Annotated[
        list[str] | None,
        option(metavar="NAME", help=f"Only this one: {NAMES}. May be repeated."),
    ] = None,
    html: Annotated[
        Path | None,
        option(
            metavar="FILE.html",
            help="Write them to a page of its own instead, with the article's pictures.",
        ),
    ] = None,
    progress: Progress = None,
    json: Json = False,
) -> Job:
    """Run the article's experiments and compare them with its published numbers.

    Example: [bold]fastgd tutorial --experiment alpha[/bold]
    """
    chosen = _chosen(experiment or [])
    if html is None:
        return partial(show, chosen, json)
    if json:
        raise RefusedError("--html and --json exclude each other")
    return partial(write_page, html, chosen, or_terminal(progress))


def _chosen(names: list[str]) -> list[Experiment]:
    """Those of these names, each once; without names all."""
    known = {experiment.name: experiment for experiment in EXPERIMENTS}
    for name in names:
        if name not in known:
            raise RefusedError(f"--experiment must be one of {NAMES}, got {name!r}")
    return [known[name] for name in dict.fromkeys(names)] or list(EXPERIMENTS)


def show(experiments: list[Experiment], as_json: bool) -> None:
    """Run these experiments; their tables appear one by one, as JSON they come at the end."""
    console = open_console()
    if not as_json:
        _introduce(console, experiments)

    def run() -> list[Result]:
        results = []
        for experiment in experiments:
            results.append(comparison.run(experiment))
            if not as_json:
                _show_result(console, results[-1])
        return results

    done = timed(partial(comparison.prepare, experiments), run)
    if as_json:
        print_json(_facts(done.result, done.loading))
    else:
        _conclude(console, done.result, done.loading)


def write_page(path: Path, experiments: list[Experiment], progress: bool) -> None:
    """Write the page of these experiments, with the article's other pictures if they are all."""
    with refusing():
        page.check_ending(path)
        check_writable(path)
        pyplot()  # says what to install, before any work
        done = timed(
            partial(comparison.prepare, experiments),
            partial(page.write, path, experiments, progress=progress),
        )
    print(f"Written to {path} in {seconds_text(done.seconds + done.loading)}")


def _introduce(console: "Console", experiments: list[Experiment]) -> None:
    names = ", ".join(experiment.name for experiment in experiments)
    console.print(f"Running the article's experiments: {names}")
    console.print("(iamtrask, A Neural Network in 13 lines of Python, Part 2: Gradient Descent)")
    console.print(
        f"\nBeside each run train up to {TWINS} twins, whose first weights differ in the "
        "last bit only. [bold]Digits[/] are the significant digits that run and twins share. A "
        "published number [green]agrees[/] if ours, printed to as many digits, is the same. It is "
        f"[yellow]within the spread[/] if it lies within {DEVIATIONS} standard deviations "
        "of the mean of run and twins. Else it [bold red]differs[/]."
    )


def _show_result(console: "Console", result: Result) -> None:
    experiment = result.experiment
    _heading(console, f"[bold]{experiment.title}[/] ({experiment.name}; {experiment.part})")
    if experiment.published:
        _show_errors(console, result.settings)
        if any(layer.marks is not None for s in result.settings for layer in s.weights):
            _show_changes(console, result.settings)
            _show_weights(console, result.settings)
    else:
        _show_unpublished(console, result)
    console.print(experiment.takeaway)
    runs = len(result.settings)
    console.print(
        f"{many(runs, 'run')} and {many(runs * result.twins, 'twin')}, "
        f"{experiment.iterations:,} iterations each, in {seconds_text(result.seconds)}",
        style="dim",
    )


def _heading(console: "Console", text: str) -> None:
    console.print()
    console.rule(text, align="left", style="dim")
    console.print()


def _show_unpublished(console: "Console", result: Result) -> None:
    console.print("The article, as we have it, prints no numbers here: these are ours.\n")
    for setting in result.settings:
        run, ours = setting.run, setting.errors
        rows = [*zip(run.recorded, run.errors, ours.digits, strict=True)]
        rows.append((run.iterations, run.final_error, setting.final_error.digits))
        print_table(
            console,
            [">after", ">mean |error|", ">digits"],
            [(f"{j:,}", error_text(error), digits_text(digits)) for j, error, digits in rows],
        )
    if result.outputs is not None and result.right is not None:
        console.print("Output After Training\n")
        outputs, digits, right = (
            array.ravel()
            for array in (result.outputs.computed, result.outputs.digits, result.right)
        )
        samples = zip(result.experiment.X, result.experiment.y, strict=True)
        print_table(
            console,
            ["<inputs", ">target", ">output", ">digits", "<side of 0.5"],
            [
                (
                    " ".join(map(str, inputs)),
                    target,
                    f"{outputs[i]:.8f}",
                    digits_text(digits[i]),
                    "[green]right[/]" if right[i] else "[bold red]wrong[/]",
                )
                for i, (inputs, target) in enumerate(samples)
            ],
        )


def _marked(mark: Mark | None) -> str:
    return f"[{STYLES[mark]}]{mark}[/]" if mark else ""


def _show_errors(console: "Console", settings: Sequence[Setting]) -> None:
    console.print("Mean |error| after so many iterations\n")
    table = new_table(">alpha", ">after", ">published", ">computed", ">digits", "<mark")
    for setting in settings:
        for i, iteration in enumerate(setting.run.recorded):
            one = setting.errors.part(i)
            table.add_row(
                "" if i else f"{setting.alpha:g}",
                f"{iteration:,}",
                error_text(one.published),
                error_text(one.computed),
                digits_text(int(one.digits)),
                _marked(one.mark),
            )
        table.add_section()
    console.print(table, "")


def _show_changes(console: "Console", settings: Sequence[Setting]) -> None:
    console.print(
        "Direction changes of each weight's derivative: synapse 0 has a line per input and a "
        "column per hidden unit, synapse 1 is laid down.\n"
    )
    table = new_table(">alpha", "<weights", ">published", ">computed", "<twins", "<mark")
    for setting in settings:
        for i, (name, line) in enumerate(lines(setting.direction_changes)):
            table.add_row(
                "" if i else f"{setting.alpha:g}",
                name,
                _cells(line.published, "4d"),
                _cells(line.computed, "4d"),
                "the same" if (line.low == line.high).all() else "vary",
                _marked(line.mark),
            )
        table.add_section()
    console.print(table, "")
    for setting in settings:
        if setting.note:
            console.print(f"(alpha {setting.alpha:g}: {setting.note}.)\n", style="dim")


def _show_weights(console: "Console", settings: Sequence[Setting]) -> None:
    console.print(
        "Weights after training, in the same order. Where some do not agree, the published line is "
        "below ours.\n"
    )
    heading = "".join(f"{f'unit {unit}':>14}" for unit in range(1, 5))
    table = new_table("<", f"<{heading[1:]}", "<mark")
    for setting in settings:
        digits = min(int(layer.digits.min()) for layer in setting.weights)
        table.add_row("", f"[bold]alpha {setting.alpha:g}[/]: run and twins share {digits} digits")
        for name, line in lines(setting.weights):
            cells, mark = _cells(line.computed, "14.8f"), _marked(line.mark)
            if line.mark != Mark.AGREES:
                cells += f"\n[dim]{_cells(line.published, '14.8f')}[/]"
                mark = mark.replace("within ", "within\n")  # in one line it would exceed 80 columns
            table.add_row(name, cells, mark)
        table.add_section()
    console.print(table, "")


def _cells(values: NDArray[Any] | None, form: str) -> str:
    """Numbers side by side, without the first one's leading blank."""
    return "" if values is None else "".join(format(value, form) for value in values)[1:]


def _conclude(console: "Console", results: list[Result], preparing: float) -> None:
    tally = comparison.tally(results)
    names = {
        "errors": tally.errors,
        "direction tables": tally.direction_tables,
        "weights": tally.weights,
    }
    rows = [(name, *marks.values()) for name, marks in names.items() if any(marks.values())]
    _heading(console, "[bold]All together[/]")
    if rows:
        print_table(console, ["<published", *(f">{mark}" for mark in Mark)], rows)
    seconds = sum(result.seconds for result in results)
    console.print(
        f"{many(len(results), 'experiment')} in {seconds_text(seconds)}, "
        f"after {seconds_text(preparing)} to load or compile the kernel."
    )


def _facts(results: list[Result], preparing: float) -> dict[str, Any]:
    """All numbers of the experiments beside the published ones."""
    return {
        "source": source(),
        "experiments": [_result_facts(result) for result in results],
        "tally": vars(comparison.tally(results)),
        "seconds": sum(result.seconds for result in results),
        "seconds_to_load_the_kernel": preparing,
    }


def _result_facts(result: Result) -> dict[str, Any]:
    experiment = result.experiment
    outputs = result.outputs
    return {
        "name": experiment.name,
        "title": experiment.title,
        "part": experiment.part,
        "hidden_size": experiment.hidden_size,
        "iterations": experiment.iterations,
        "takeaway": experiment.takeaway,
        "twins": result.twins,
        "seconds": result.seconds,
        "outputs": None if outputs is None else vars(outputs) | {"right": result.right},
        "settings": [
            {
                "alpha": setting.alpha,
                "recorded": setting.run.recorded,
                "errors": vars(setting.errors),
                "final_error": vars(setting.final_error),
                "weights": [vars(layer) for layer in setting.weights],
                "direction_changes": [vars(layer) for layer in setting.direction_changes],
                "note": setting.note,
            }
            for setting in result.settings
        ],
    }
