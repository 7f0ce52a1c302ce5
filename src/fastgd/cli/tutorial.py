"""``fastgd tutorial``: run the article's experiments and compare them with its numbers."""

from functools import partial
from pathlib import Path
from typing import Any

from fastgd.article import comparison, page
from fastgd.article.comparison import DEVIATIONS, TWINS, ExperimentResult, Mark
from fastgd.article.experiments import EXPERIMENTS, Experiment, source
from fastgd.article.tables import (
    WEIGHTS,
    ArticleTable,
    Cell,
    Marked,
    NumbersCell,
    tables,
    tally_table,
)
from fastgd.checks.messages import escaped, many, seconds_text
from fastgd.cli.command_options import EXPERIMENT, NAMED, takes
from fastgd.cli.machine_output import print_json
from fastgd.cli.output_files import check_output
from fastgd.cli.refusals import RefusedError, refusing
from fastgd.cli.terminal import new_table, open_console, print_rich, time_text, timed
from fastgd.plots.style import pyplot

print_marked = partial(print_rich, markup=True)

STYLES = {Mark.AGREES: "green", Mark.WITHIN: "yellow", Mark.DIFFERS: "bold red"}


@takes(
    f"""
    --experiment NAME  Run only this experiment: {", ".join(NAMED)}. May be repeated.
    --html FILE.html  Write an HTML page with the article's figures instead.
    --progress --json
    """,
    experiment={"kind": list[str], **EXPERIMENT},
)
def tutorial(
    experiment: list[Experiment] | None, html: Path | None, progress: bool, json: bool
) -> None:
    """Run the article's experiments and compare them with its published numbers.

    Example: [bold]fastgd tutorial --experiment alpha[/bold]
    """
    chosen = list(dict.fromkeys(experiment or EXPERIMENTS))
    if html is None:
        show(chosen, json)
    elif json:
        raise RefusedError("--html and --json exclude each other")
    else:
        with refusing():
            check_output(html, "a page's file", page.ENDINGS)
            pyplot()  # says what to install, before any work
            write = partial(page.write, html, chosen, progress=progress)
            _, seconds, loading = timed(partial(page.prepare, chosen), write)
        print(f"Written to {escaped(html)} in {seconds_text(seconds + loading)}")


def show(experiments: list[Experiment], as_json: bool) -> None:
    """Run these experiments; tables appear one by one, JSON at the end."""
    if not as_json:
        names = ", ".join(experiment.name for experiment in experiments)
        print_marked(
            f"Running the article's experiments: {names}\n"
            "(iamtrask, A Neural Network in 13 lines of Python, Part 2: Gradient Descent)\n\n"
            f"With each run, train up to {TWINS} twins, whose initial weights differ in the "
            "last bit only. [bold]Digits[/] are the significant digits that run and twins share. "
            "A published number [green]agrees[/] if ours, printed to as many digits, is the same. "
            f"It is [yellow]within the spread[/] if it lies within {DEVIATIONS} standard "
            "deviations of the mean of run and twins. Else it [bold red]differs[/]."
        )

    def run() -> list[ExperimentResult]:
        results = []
        for experiment in experiments:
            results.append(comparison.run(experiment))
            if not as_json:
                _show_result(results[-1])
        return results

    results, _, loading = timed(partial(comparison.prepare, experiments), run)
    if as_json:
        print_json(_facts(results, loading))
        return
    _heading("[bold]All together[/]")
    table = tally_table(comparison.tally(results))
    if table.groups:
        _show_table(table)
    done = many(len(results), "experiment")
    print_marked(time_text(done, sum(result.seconds for result in results), loading))


def _show_result(result: ExperimentResult) -> None:
    experiment = result.experiment
    _heading(f"[bold]{experiment.title}[/] ({experiment.name}; {experiment.part})")
    for table in tables(result):
        show = _show_weights if table.caption == WEIGHTS else _show_table
        show(table)
    print_marked(experiment.takeaway)
    runs = len(result.settings)
    print_marked(
        f"{many(runs, 'run')} and {many(runs * result.twins, 'twin')}, "
        f"{experiment.iterations:,} iterations each, in {seconds_text(result.seconds)}",
        style="dim",
    )


def _heading(text: str) -> None:
    print_marked()
    open_console(markup=True).rule(text, align="left", style="dim")
    print_marked()


def _show_table(table: ArticleTable) -> None:
    print_marked(f"{table.caption}\n")
    shown = new_table(table.headings)
    for rows in table.groups:
        for i, (first, *cells) in enumerate(rows):
            shown.add_row("" if i else _cell(first), *map(_cell, cells))
        if len(rows) > 1:
            shown.add_section()
    print_marked(shown, "")
    for note in table.notes:
        print_marked(f"({note})\n", style="dim")


def _show_weights(table: ArticleTable) -> None:
    """Five columns of numbers twice would exceed 80 columns: the published ones go below ours."""
    print_marked(f"{table.caption}. Where some do not agree, the published line is below ours.\n")
    heading = "".join(f"{f'unit {unit}':>14}" for unit in range(1, 5))
    shown = new_table(["<", f"<{heading[1:]}", "<mark"])
    for rows in table.groups:
        shared = min((str(row[4]) for row in rows), key=lambda digits: digits.rjust(3))
        shown.add_row("", f"[bold]alpha {rows[0][0]}[/]: run and twins share {shared} digits")
        for _, name, published, computed, _, mark in rows:
            cells, marked = _cell(computed), _cell(mark)
            if isinstance(mark, Marked) and mark.mark != Mark.AGREES:
                cells += f"\n[dim]{_cell(published)}[/]"
                marked = marked.replace("within ", "within\n")  # in one line it would be too wide
            shown.add_row(_cell(name), cells, marked)
        shown.add_section()
    print_marked(shown, "")


def _cell(cell: Cell) -> str:
    if isinstance(cell, Marked):
        return f"[{STYLES[cell.mark]}]{cell.text}[/]"
    return " ".join(cell.strings) if isinstance(cell, NumbersCell) else cell


def _facts(results: list[ExperimentResult], preparing: float) -> dict[str, Any]:
    """All numbers of the experiments, with the published ones."""
    told = ("name", "title", "part", "hidden_size", "iterations", "takeaway")
    experiments = []
    for result in results:
        outputs = result.outputs
        facts = {name: getattr(result.experiment, name) for name in told}
        facts |= {"twins": result.twins, "seconds": result.seconds}
        facts["outputs"] = None if outputs is None else vars(outputs) | {"right": result.right}
        facts["settings"] = [
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
        ]
        experiments.append(facts)
    return {
        "source": source(),
        "experiments": experiments,
        "tally": comparison.tally(results),
        "seconds": sum(result.seconds for result in results),
        "seconds_to_load_the_kernel": preparing,
    }
