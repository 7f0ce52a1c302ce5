"""The fastgd command: the article's experiments, and training on a CSV file.

Typer parses, `main` runs: a command only hands back a job, so that all that can go wrong is met in
one place. Typer and rich are imported when they are needed, for they are an extra.
"""

import csv
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import StringIO
from math import isfinite
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

import fastgd
from fastgd import Run, Sweep, tutorial
from fastgd.tutorial import Comparison, Experiment, Mark, Result, Setting

if TYPE_CHECKING:
    import typer
    from rich.console import Console
    from rich.table import Table

Rows = list[tuple[Any, ...]]
T = TypeVar("T")

SHOWN = 20
"""Records of a training that are shown at most."""

BEST = 10
"""Runs of a sweep that are shown."""

STYLES = {Mark.AGREES: "green", Mark.WITHIN: "yellow", Mark.DIFFERS: "bold red"}


class RefusedError(Exception):
    """What the user asked for can't be done, in one line."""

    def format_message(self) -> str:
        """What it says: the name that Typer's usage errors have for it."""
        return str(self)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code (0, 2 if it was refused, 130 after Ctrl-C).

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process by default.

    Examples
    --------
    >>> main(["--version"])  # doctest: +ELLIPSIS
    fastgd ...
    0
    """
    try:
        job = _app()(arguments, prog_name="fastgd", standalone_mode=False)
        if callable(job):
            job()
    except ModuleNotFoundError as error:
        if error.name not in ("rich", "tqdm", "typer"):
            raise
        return _say(f'the command needs {error.name}: pip install "fastgd[cli]"')
    except BrokenPipeError:
        # Whoever reads has seen enough (| head); without this Python complains on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("fastgd: interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        # Older versions of Typer raise click's usage errors, newer ones their own.
        if not hasattr(error, "format_message"):
            raise
        return _say(error.format_message())
    return 0


def _say(message: str) -> int:
    print("fastgd: error:", " ".join(message.split()), file=sys.stderr)
    return 2


@contextmanager
def _refusing() -> Iterator[None]:
    """Turn what the library or the file system objects to into one line."""
    try:
        yield
    except (ImportError, TypeError, ValueError) as error:
        raise RefusedError(str(error)) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise RefusedError(f"{where}{error.strerror}") from error


# The commands and their options


def _app() -> "typer.Typer":
    import rich  # noqa: F401  Typer does without, but the commands don't
    import typer

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
    option = typer.Option
    File = Annotated[Path, typer.Argument(metavar="FILE.csv", help="Numbers, with a header line.")]
    Target = Annotated[
        list[str],
        option(
            metavar="NAME", help="Column to learn; repeat it for several. The others are inputs."
        ),
    ]
    Iterations = Annotated[int, option(metavar="N", help="Updates of the weights.")]
    RecordEvery = Annotated[
        int, option(metavar="N", help="Record the error every so many iterations.")
    ]
    Json = Annotated[bool, option("--json", help="Print one JSON object and nothing else.")]
    Progress = Annotated[
        bool | None, option(help="Show a progress bar (default: if stderr is a terminal).")
    ]

    @app.callback(invoke_without_command=True)
    def start(
        context: typer.Context,
        version: Annotated[bool, option("--version", help="Show the version and exit.")] = False,
    ) -> None:
        """Train small neural networks by gradient descent, very fast.

        Start with [bold]fastgd tutorial[/bold].
        """
        if version:
            print("fastgd", fastgd.__version__)
        elif context.invoked_subcommand is None:
            print(context.get_help())

    @app.command(name="tutorial")
    def tutorial_(
        experiment: Annotated[
            list[str] | None,
            option(metavar="NAME", help=f"Only this one: {_names()}. May be repeated."),
        ] = None,
        json: Json = False,
    ) -> Callable[[], None]:
        """Run the article's experiments and compare them with its published numbers.

        Example: [bold]fastgd tutorial --experiment alpha[/bold]
        """
        return partial(_tutorial, experiment or [], json)

    @app.command()
    def train(
        file: File,
        target: Target,
        hidden_size: Annotated[
            str | None,
            option(
                metavar="SIZE", help="Units of the hidden layer (default: 4), or of several: 8,8."
            ),
        ] = None,
        no_hidden: Annotated[bool, option("--no-hidden", help="No hidden layer.")] = False,
        alpha: Annotated[
            str,
            option(metavar="ALPHA", help="Learning rate, or one for each layer of weights: 1,0.1."),
        ] = "1",
        iterations: Iterations = 60_000,
        record_every: RecordEvery = 10_000,
        seed: Annotated[int, option(metavar="N", help="Seed of the first weights.")] = 1,
        save: Annotated[
            Path | None, option(metavar="FILE.npz", help="Write the trained network to this file.")
        ] = None,
        progress: Progress = None,
        json: Json = False,
    ) -> Callable[[], None]:
        """Train one network on a CSV file.

        Example: [bold]fastgd train data.csv --target y --hidden-size 8 --alpha 0.5[/bold]
        """
        if no_hidden and hidden_size is not None:
            raise RefusedError("--no-hidden and --hidden-size exclude each other")
        settings = {
            "hidden_size": () if no_hidden else _layers(hidden_size or "4", ","),
            "alpha": _one_or_tuple(_numbers("--alpha", alpha, float)),
            "iterations": iterations,
            "record_every": record_every,
            "seed": seed,
        }
        return partial(_train, file, target, settings, save, _or_terminal(progress), json)

    @app.command()
    def sweep(
        file: File,
        target: Target,
        hidden_size: Annotated[
            str,
            option(
                metavar="SIZES",
                help="Hidden sizes to try: 4,32. 8x8 has two layers, none has none.",
            ),
        ] = "4",
        alpha: Annotated[
            str, option(metavar="ALPHAS", help="Learning rates to try: 0.01,0.1,1.")
        ] = "1",
        seeds: Annotated[
            int, option(metavar="N", help="Seeds to try with each of them: 1 to N.")
        ] = 1,
        iterations: Iterations = 60_000,
        record_every: RecordEvery = 10_000,
        out: Annotated[
            Path | None, option(metavar="FILE.npz", help="Write all networks to this file.")
        ] = None,
        threads: Annotated[
            int | None, option(metavar="N", help="Threads to use (default: all).")
        ] = None,
        progress: Progress = None,
        json: Json = False,
    ) -> Callable[[], None]:
        """Train a network for every hidden size, learning rate and seed, and rank them.

        Example: [bold]fastgd sweep data.csv --target y --alpha 0.01,0.1,1 --seeds 100[/bold]
        """
        if seeds < 1:
            raise RefusedError(f"--seeds must be at least 1, got {seeds}")
        settings = {
            "hidden_size": [_layers(part, "x") for part in hidden_size.split(",")],
            "alpha": _numbers("--alpha", alpha, float),
            "seed": range(1, seeds + 1),
            "iterations": iterations,
            "record_every": record_every,
            "threads": threads,
        }
        return partial(_sweep, file, target, settings, out, _or_terminal(progress), json)

    return app


def _names() -> str:
    return ", ".join(experiment.name for experiment in tutorial.EXPERIMENTS)


def _or_terminal(progress: bool | None) -> bool:
    return sys.stderr.isatty() if progress is None else progress


def _numbers(option: str, text: str, kind: Callable[[str], T], separator: str = ",") -> list[T]:
    try:
        return [kind(part) for part in text.split(separator)]
    except ValueError as error:
        raise RefusedError(
            f"{option} must be numbers separated by '{separator}', got {text!r}"
        ) from error


def _layers(text: str, separator: str) -> tuple[int, ...]:
    if text.strip() == "none":
        return ()
    return tuple(_numbers("--hidden-size", text, int, separator))


def _one_or_tuple(values: list[float]) -> float | tuple[float, ...]:
    return values[0] if len(values) == 1 else tuple(values)


# The user's file


@dataclass(frozen=True, eq=False)
class Samples:
    """A CSV file, split into inputs and targets.

    Attributes
    ----------
    inputs, targets : list of str
        Names of the columns.
    X, y : (samples, columns) arrays
    """

    inputs: list[str]
    targets: list[str]
    X: NDArray[np.float64]
    y: NDArray[np.float64]


def read_samples(path: Path, targets: Sequence[str]) -> Samples:
    r"""Read a CSV file with a header line: comma, semicolon or tab, UTF-8, numbers only.

    Raises
    ------
    OSError
        If it can't be read.
    ValueError
        If it is not such a file, or a target is not one of its columns; the message says where.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
    ...     print("x;y\n0;1\n1;0", file=file, flush=True)
    ...     read_samples(Path(file.name), ["y"]).X.tolist()
    [[0.0], [1.0]]
    """
    names, rows = _read_table(path)
    for target in targets:
        if target not in names:
            raise ValueError(f"{path} has no column {target!r}; its columns: {_listed(names)}")
        if targets.count(target) > 1:
            raise ValueError(f"--target names {target!r} twice")
    if len(names) == len(targets):
        raise ValueError(f"{path} has no column besides the target, and a network needs inputs")
    inputs = [name for name in names if name not in targets]
    columns = dict(zip(names, np.array(rows).T, strict=True))
    X, y = (np.column_stack([columns[name] for name in part]) for part in (inputs, targets))
    return Samples(inputs, list(targets), X, y)


def _read_table(path: Path) -> tuple[list[str], list[list[float]]]:
    try:
        # utf-8-sig drops the mark that spreadsheets put in front.
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text: byte {error.start} can't be read") from error
    if "\0" in text:
        raise ValueError(f"{path} is not text: it has zero bytes")
    delimiter = _delimiter(text.splitlines())
    reader = csv.reader(
        StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    try:
        # Only a line without a cell is blank: of several empty cells each one is missing a number.
        table = [(reader.line_num, row) for row in reader if len(row) > 1 or "".join(row).strip()]
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}") from error
    if not table:
        raise ValueError(f"{path} is empty")
    names = _header(path, table[0][1])
    if len(table) == 1:
        raise ValueError(f"{path} has a header line, but no line of numbers")
    return names, [_row(path, names, line, cells) for line, cells in table[1:]]


def _delimiter(lines: list[str]) -> str:
    header = next((line for line in lines if line.strip()), "")
    try:
        found = csv.Sniffer().sniff("\n".join(lines[:20]), delimiters=",;\t").delimiter
    except csv.Error:
        found = ","
    # In a single column of decimals such as 0,5 the comma separates nothing.
    return found if found in header else next((d for d in ",;\t" if d in header), ",")


def _header(path: Path, cells: list[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    if all(_number(name) is not None for name in names):
        raise ValueError(
            f"{path} has no header line: its first line holds numbers only ({_listed(names)})"
        )
    for position, name in enumerate(names, start=1):
        if not name:
            raise ValueError(f"{path}, header line: column {position} has no name")
        if names.count(name) > 1:
            raise ValueError(f"{path}, header line: {name!r} is the name of two columns")
    return names


def _row(path: Path, names: list[str], line: int, cells: list[str]) -> list[float]:
    if len(cells) != len(names):
        raise ValueError(
            f"{path}, line {line}: {_many(len(cells), 'cell')}, the header line has {len(names)}"
        )
    numbers = []
    for name, cell in zip(names, cells, strict=True):
        number = _number(cell)
        if number is None or not isfinite(number):
            what = "an empty cell" if not cell.strip() else repr(cell[:40])
            rule = "a number" if number is None else "a finite number"
            raise ValueError(f"{path}, line {line}, column {name!r}: {what} is not {rule}")
        numbers.append(number)
    return numbers


def _number(cell: str) -> float | None:
    """The number in a cell; None for what Python's source code alone would take for one: 1_000."""
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def _listed(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f", ... ({len(names)} in all)" if len(names) > SHOWN else "")


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


# The jobs


def _tutorial(names: list[str], as_json: bool) -> None:
    known = {experiment.name: experiment for experiment in tutorial.EXPERIMENTS}
    for name in names:
        if name not in known:
            raise RefusedError(f"--experiment must be one of {_names()}, got {name!r}")
    chosen = [known[name] for name in dict.fromkeys(names)] or list(known.values())
    console = _console()
    if not as_json:
        _introduce(console, chosen)
    with _status():
        preparing = tutorial.prepare(chosen)
    results = []
    for experiment in chosen:
        results.append(tutorial.run(experiment))
        if not as_json:
            _show_result(console, results[-1])
    if as_json:
        _print_json(_tutorial_facts(results, preparing))
    else:
        _conclude(console, results, preparing)


def _train(
    file: Path,
    targets: list[str],
    settings: dict[str, Any],
    save: Path | None,
    progress: bool,
    as_json: bool,
) -> None:
    with _refusing():
        samples = read_samples(file, targets)
        _check_writable(save)
        run, seconds, preparing = _timed(fastgd.train, samples, settings, progress)
        if save:
            run.save(save)
    if as_json:
        _print_json(_columns(samples) | _run_facts(run) | {"seconds": seconds})
        return
    console = _console()
    _describe(console, file, samples)
    sizes = (len(samples.inputs), *run.hidden_size, len(targets))
    console.print(f"A {_joined(sizes, '-')} network, alpha {_joined(run.alpha)}, seed {run.seed}")
    console.print()
    rows = _thinned(
        [*zip(run.recorded, run.errors, strict=True), (settings["iterations"], run.final_error)]
    )
    _print_table(console, [">iteration", ">mean |error|"], [(f"{j:,}", _error(e)) for j, e in rows])
    changes = ", ".join(f"{int(layer.sum()):,}" for layer in run.direction_changes)
    console.print(f"Direction changes of the derivatives, by layer: {changes}")
    if run.status == "diverged":
        console.print(f"[bold red]Diverged[/]: a weight overflowed in iteration {run.iterations:,}")
    _close(console, seconds, preparing, save)


def _sweep(
    file: Path,
    targets: list[str],
    settings: dict[str, Any],
    out: Path | None,
    progress: bool,
    as_json: bool,
) -> None:
    with _refusing():
        samples = read_samples(file, targets)
        _check_writable(out)
        kept = settings | {"keep_weights": out is not None}
        result, seconds, preparing = _timed(fastgd.sweep, samples, kept, progress)
        if out:
            result.save(out)
    if as_json:
        _print_json(_columns(samples) | _sweep_facts(result) | {"seconds": seconds})
        return
    console = _console()
    _describe(console, file, samples)
    axes = (f"{_many(len(v), name.replace('_', ' '))}" for name, v in result.axes.items())
    console.print(f"{_many(len(result), 'run')}: {' x '.join(axes)}")
    console.print()
    _print_table(
        console,
        [">rank", "<hidden", ">alpha", ">seed", ">final error", ">direction changes", "<status"],
        [
            (rank, _layers_text(h), f"{a:g}", s, _error(e), f"{c:,}", status)
            for rank, (h, a, s, e, c, status) in enumerate(_ranked(result), start=1)
        ],
    )
    console.print("Final errors over the seeds\n")
    _print_table(
        console,
        ["<hidden", ">alpha", ">mean", ">median", ">best", ">diverged"],
        [
            (
                _layers_text(group["hidden_size"]),
                f"{group['alpha']:g}",
                *(_error(group[name]) for name in ("mean", "median", "best")),
                group["diverged"],
            )
            for group in _groups(result)
        ],
    )
    _close(console, seconds, preparing, out)


def _timed(
    call: Callable[..., T], samples: Samples, settings: dict[str, Any], progress: bool
) -> tuple[T, float, float]:
    """What a training comes to, its seconds, and those to compile or load the code before."""
    begin = perf_counter()
    with _status():
        call(samples.X, samples.y, **settings | {"iterations": min(1, settings["iterations"])})
    ready = perf_counter()
    trained = call(samples.X, samples.y, **settings, progress=progress)
    return trained, perf_counter() - ready, ready - begin


def _check_writable(path: Path | None) -> None:
    """Before hours of work, not after."""
    if path is None:
        return
    if path.is_dir():
        raise ValueError(f"{path} is a folder, not a file to write to")
    if not path.parent.is_dir():
        raise ValueError(f"{path} can't be written: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ValueError(f"{path} can't be written: permission denied")


def _ranked(result: Sweep) -> Rows:
    """The best runs: hidden size, alpha, seed, final error, direction changes, status."""
    order = np.argsort(result.final_error, axis=None, kind="stable")[:BEST]  # NaN comes last
    columns = (result.final_error, result.total_changes, result.status)
    rows = []
    for index in zip(*np.unravel_index(order, result.shape), strict=True):
        values = (axis[i] for axis, i in zip(result.axes.values(), index, strict=True))
        rows.append((*values, *(column[index] for column in columns)))
    return rows


def _groups(result: Sweep) -> list[dict[str, Any]]:
    """Mean, median and best final error for each hidden size and alpha."""
    groups = []
    for i, j in np.ndindex(result.shape[:2]):
        errors = result.final_error[i, j]
        numbers = errors[np.isfinite(errors)]
        statistics = [
            float(f(numbers)) if len(numbers) else None for f in (np.mean, np.median, np.min)
        ]
        groups.append(
            {"hidden_size": result.axes["hidden_size"][i], "alpha": result.axes["alpha"][j]}
            | dict(zip(("mean", "median", "best"), statistics, strict=True))
            | {"diverged": int((result.status[i, j] == "diverged").sum())}
        )
    return groups


# What people see


def _console() -> "Console":
    from rich.console import Console

    return Console(highlight=False)


@contextmanager
def _status() -> Iterator[None]:
    """A spinner, on a terminal only: the first use on a machine has to compile."""
    from rich.console import Console

    with Console(stderr=True).status(
        "Loading the kernel (its first use compiles it: some seconds)"
    ):
        yield


def _table(*headings: str) -> "Table":
    """A table with columns aligned as the first character of each heading says: < or >."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for heading in headings:
        justify: Literal["left", "right"] = "right" if heading[0] == ">" else "left"
        table.add_column(heading[1:], justify=justify, no_wrap=True)
    return table


def _print_table(console: "Console", headings: list[str], rows: Rows) -> None:
    table = _table(*headings)
    for row in rows:
        table.add_row(*map(str, row))
    console.print(table, "")


def _error(value: Any) -> str:
    """As Python 2 printed it: 12 significant digits."""
    return "-" if value is None else f"{value:.12g}"


def _joined(values: Any, separator: str = ", ") -> str:
    values = values if isinstance(values, tuple) else (values,)
    return separator.join(f"{value:g}" for value in values)


def _layers_text(hidden_size: tuple[int, ...]) -> str:
    return _joined(hidden_size, "x") or "none"


def _thinned(rows: Rows) -> Rows:
    """Evenly spaced rows, with the first and the last one."""
    if len(rows) <= SHOWN:
        return rows
    return [rows[i] for i in np.linspace(0, len(rows) - 1, SHOWN).round().astype(int)]


def _describe(console: "Console", file: Path, samples: Samples) -> None:
    console.print(
        f"{file}: {_many(len(samples.X), 'sample')}, {_many(len(samples.inputs), 'input')} "
        f"({_listed(samples.inputs)}), target {_listed(samples.targets)}",
        markup=False,
    )
    outside = [
        name
        for name, column in zip(samples.targets, samples.y.T, strict=True)
        if column.min() < 0 or column.max() > 1
    ]
    if outside:
        console.print(
            f"Note: {_listed(outside)} has values outside 0 to 1, which a sigmoid never reaches.",
            style="yellow",
            markup=False,
        )


def _close(console: "Console", seconds: float, preparing: float, path: Path | None) -> None:
    console.print(
        f"Trained in {_seconds(seconds)}, "
        f"after {_seconds(preparing)} to load or compile the kernel."
    )
    if path:
        console.print(f"Saved to {path}: fastgd.load({str(path)!r}) reads it.", markup=False)


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{1000 * seconds:.1f} ms"


# The tutorial's tables


def _introduce(console: "Console", experiments: list[Experiment]) -> None:
    names = ", ".join(experiment.name for experiment in experiments)
    console.print(f"Running the article's experiments: {names}")
    console.print("(iamtrask, A Neural Network in 13 lines of Python, Part 2: Gradient Descent)")
    console.print(
        f"\nBeside each run train up to {tutorial.TWINS} twins, whose first weights differ in the "
        "last bit only. [bold]Digits[/] are the significant digits that run and twins share. A "
        "published number [green]agrees[/] if ours, printed to as many digits, is the same. It is "
        f"[yellow]within the spread[/] if it lies within {tutorial.DEVIATIONS} standard deviations "
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
        f"{_many(runs, 'run')} and {_many(runs * result.twins, 'twin')}, "
        f"{experiment.iterations:,} iterations each, in {_seconds(result.seconds)}",
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
        _print_table(
            console,
            [">after", ">mean |error|", ">digits"],
            [(f"{j:,}", _error(error), _digits(digits)) for j, error, digits in rows],
        )
    if result.outputs is not None and result.right is not None:
        console.print("Output After Training\n")
        outputs, digits, right = (
            array.ravel()
            for array in (result.outputs.computed, result.outputs.digits, result.right)
        )
        samples = zip(result.experiment.X, result.experiment.y, strict=True)
        _print_table(
            console,
            ["<inputs", ">target", ">output", ">digits", "<side of 0.5"],
            [
                (
                    " ".join(map(str, inputs)),
                    target,
                    f"{outputs[i]:.8f}",
                    _digits(digits[i]),
                    "[green]right[/]" if right[i] else "[bold red]wrong[/]",
                )
                for i, (inputs, target) in enumerate(samples)
            ],
        )


def _digits(digits: int) -> str:
    return "all" if digits == tutorial.EXACT else str(digits)


def _marked(mark: Mark | None) -> str:
    return f"[{STYLES[mark]}]{mark}[/]" if mark else ""


def _show_errors(console: "Console", settings: Sequence[Setting]) -> None:
    console.print("Mean |error| after so many iterations\n")
    table = _table(">alpha", ">after", ">published", ">computed", ">digits", "<mark")
    for setting in settings:
        for i, iteration in enumerate(setting.run.recorded):
            one = setting.errors.part(i)
            table.add_row(
                "" if i else f"{setting.alpha:g}",
                f"{iteration:,}",
                _error(one.published),
                _error(one.computed),
                _digits(int(one.digits)),
                _marked(one.mark),
            )
        table.add_section()
    console.print(table, "")


def _lines(layers: Sequence[Comparison]) -> Iterator[tuple[str, Comparison]]:
    """Synapse 0, a line per input, and synapse 1 laid down."""
    for row in range(len(layers[0].computed)):
        yield f"input {row + 1}", layers[0].part(row)
    yield "synapse 1", layers[1].part((slice(None), 0))


def _show_changes(console: "Console", settings: Sequence[Setting]) -> None:
    console.print(
        "Direction changes of each weight's derivative: synapse 0 has a line per input and a "
        "column per hidden unit, synapse 1 is laid down.\n"
    )
    table = _table(">alpha", "<weights", ">published", ">computed", "<twins", "<mark")
    for setting in settings:
        for i, (name, line) in enumerate(_lines(setting.direction_changes)):
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
    table = _table("<", f"<{heading[1:]}", "<mark")
    for setting in settings:
        digits = min(int(layer.digits.min()) for layer in setting.weights)
        table.add_row("", f"[bold]alpha {setting.alpha:g}[/]: run and twins share {digits} digits")
        for name, line in _lines(setting.weights):
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
    tally = tutorial.tally(results)
    names = {
        "errors": tally.errors,
        "direction tables": tally.direction_tables,
        "weights": tally.weights,
    }
    rows = [(name, *marks.values()) for name, marks in names.items() if any(marks.values())]
    _heading(console, "[bold]All together[/]")
    if rows:
        _print_table(console, ["<published", *(f">{mark}" for mark in Mark)], rows)
    seconds = sum(result.seconds for result in results)
    console.print(
        f"{_many(len(results), 'experiment')} in {_seconds(seconds)}, "
        f"after {_seconds(preparing)} to load or compile the kernel."
    )


# What machines read


def _print_json(facts: dict[str, Any]) -> None:
    print(json.dumps(_plain(facts), allow_nan=False), flush=True)


def _plain(value: Any) -> Any:
    """A value as JSON knows it; numbers that are not finite become null."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | range):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def _columns(samples: Samples) -> dict[str, Any]:
    return {"samples": len(samples.X), "inputs": samples.inputs, "targets": samples.targets}


def _run_facts(run: Run) -> dict[str, Any]:
    return dict(vars(run))


def _sweep_facts(result: Sweep) -> dict[str, Any]:
    names = ("hidden_size", "alpha", "seed", "final_error", "direction_changes", "status")
    arrays = ("recorded", "errors", "final_error", "status", "iterations", "total_changes")
    return (
        {"axes": result.axes, "shape": result.shape}
        | {name: getattr(result, name) for name in arrays}
        | {"best": [dict(zip(names, row, strict=True)) for row in _ranked(result)]}
        | {"groups": _groups(result)}
    )


def _tutorial_facts(results: list[Result], preparing: float) -> dict[str, Any]:
    return {
        "source": tutorial.source(),
        "experiments": [_result_facts(result) for result in results],
        "tally": vars(tutorial.tally(results)),
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
