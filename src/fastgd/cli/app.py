"""The commands and their options: what the user typed becomes values, and those a job."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import fastgd
from fastgd.article.experiments import EXPERIMENTS, Experiment
from fastgd.cli.bucket import add_bucket
from fastgd.cli.methods import read_method, takes_method
from fastgd.cli.plotting import add_plot
from fastgd.cli.race import add_race
from fastgd.cli.refusal import RefusedError
from fastgd.cli.surface import add_surface
from fastgd.cli.trainability import add_trainability
from fastgd.cli.training import show_sweep, show_training
from fastgd.cli.tutorial import show_tutorial, write_page
from fastgd.cli.values import or_terminal, read_alpha, read_layers, read_list

if TYPE_CHECKING:
    import typer


def build_app() -> "typer.Typer":
    """The Typer app; called with the words of the user it gives back a job, if there is one."""
    import rich  # noqa: F401  Typer does without, but the commands don't
    import typer

    from fastgd.cli.shared import Iterations, Json, NoHidden, Progress, Threads

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
    option = typer.Option
    File = Annotated[Path, typer.Argument(metavar="FILE.csv", help="Numbers, with a header line.")]
    Target = Annotated[
        list[str],
        option(
            metavar="NAME", help="Column to learn; repeat it for several. The others are inputs."
        ),
    ]
    RecordEvery = Annotated[
        int, option(metavar="N", help="Record the error every so many iterations.")
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
        html: Annotated[
            Path | None,
            option(
                metavar="FILE.html",
                help="Write them to a page of its own instead, with the article's pictures.",
            ),
        ] = None,
        progress: Progress = None,
        json: Json = False,
    ) -> Callable[[], None]:
        """Run the article's experiments and compare them with its published numbers.

        Example: [bold]fastgd tutorial --experiment alpha[/bold]
        """
        chosen = _experiments(experiment or [])
        if html is None:
            return partial(show_tutorial, chosen, json)
        return partial(write_page, html, chosen, or_terminal(progress), json)

    @app.command()
    @takes_method(several=False)
    def train(
        file: File,
        target: Target,
        hidden_size: Annotated[
            str | None,
            option(
                metavar="SIZE", help="Units of the hidden layer (default: 4), or of several: 8,8."
            ),
        ] = None,
        no_hidden: NoHidden = False,
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
        record_weights: Annotated[
            bool,
            option("--record-weights", help="Save the weights along with each recorded error."),
        ] = False,
        progress: Progress = None,
        json: Json = False,
        **method: Any,
    ) -> Callable[[], None]:
        """Train one network on a CSV file.

        Example: [bold]fastgd train data.csv --target y --hidden-size 8 --alpha 0.5[/bold]
        """
        if no_hidden and hidden_size is not None:
            raise RefusedError("--no-hidden and --hidden-size exclude each other")
        settings = {
            "hidden_size": () if no_hidden else read_layers(hidden_size or "4"),
            "alpha": read_alpha(alpha),
            "iterations": iterations,
            "record_every": record_every,
            "seed": seed,
            "record_weights": record_weights,
            **read_method(method, several=False),
        }
        return partial(show_training, file, target, settings, save, or_terminal(progress), json)

    @app.command()
    @takes_method(several=True)
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
        threads: Threads = None,
        progress: Progress = None,
        json: Json = False,
        **method: Any,
    ) -> Callable[[], None]:
        """Train a network for every combination of values and every seed, and rank them.

        Options with [bold],...[/bold] take several values, separated by commas.

        Example: [bold]fastgd sweep data.csv --target y --alpha 0.01,0.1,1 --seeds 100[/bold]
        """
        if seeds < 1:
            raise RefusedError(f"--seeds must be at least 1, got {seeds}")
        settings = {
            "hidden_size": [read_layers(part, "x") for part in hidden_size.split(",")],
            "alpha": read_list("--alpha", alpha, float),
            "seed": range(1, seeds + 1),
            "iterations": iterations,
            "record_every": record_every,
            "threads": threads,
            **read_method(method, several=True),
        }
        return partial(show_sweep, file, target, settings, out, or_terminal(progress), json)

    add_plot(app)
    add_bucket(app)
    add_surface(app)
    add_race(app)
    add_trainability(app)
    return app


def _names() -> str:
    return ", ".join(experiment.name for experiment in EXPERIMENTS)


def _experiments(names: list[str]) -> list[Experiment]:
    """Those of these names, each once; without names all."""
    known = {experiment.name: experiment for experiment in EXPERIMENTS}
    for name in names:
        if name not in known:
            raise RefusedError(f"--experiment must be one of {_names()}, got {name!r}")
    return [known[name] for name in dict.fromkeys(names)] or list(EXPERIMENTS)
