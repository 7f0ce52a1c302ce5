"""``fastgd fit``: learn to predict a column of a table, and measure how well."""

from pathlib import Path
from typing import Any

import numpy as np

from fastgd import plots
from fastgd.checks.messages import layers_text, many, seconds_text
from fastgd.cli.command_options import column_name, read_networks, takes
from fastgd.cli.machine_output import print_json
from fastgd.cli.methods import read_formula, with_formulas
from fastgd.cli.output_files import check_output, check_plot, write_plot, writing
from fastgd.cli.refusals import refusing
from fastgd.cli.result_tables import number_text, print_scores
from fastgd.cli.terminal import complain, fits, print_plain, print_rich, print_table, timed
from fastgd.models.fit import Fit, fit_columns
from fastgd.models.fit_choices import FOLDS, SHARE, Choices
from fastgd.models.fit_search import ALPHAS, PENALTIES, SECOND_ORDER
from fastgd.tables.preparation import names_text
from fastgd.tables.reading import read_columns

SHOWN = 5
"""Number of settings, of groups of rows, and of columns that are shown."""

MOST_CLASSES = 8
"""Most classes whose confusion matrix fits on a screen; of more, those found least are shown."""


@takes(
    """
    file
    --target NAME  Column to predict (needed). The others are used.
    --hidden-size SIZES  Hidden sizes to try: 16,64 (default: none,16,64). 8x8 has two layers.
    --folds K  Folds of the training rows for cross-validation, to choose the settings; and the
        number of networks.
    --seed N  Seed of the splits and of the initial weights.
    --save FILE.npz  Write the model to this file, for fastgd predict.
    --plot --threads --device --progress --json
    How it is judged:
    --test-fraction SHARE  Share of the rows in the test set; with 0 nothing is judged.
    --test-last NAME  Column of dates or numbers: the test set is the last rows in its order.
    --test-group NAME  Column of labels, not an input: the test set, and each fold, has whole
        groups.
    --lags K  With --test-last: the last K values of the target become inputs, as they are known
        --horizon rows before.
    --horizon N  With --lags: how many rows ahead a forecast reaches (default: 1).
    --scoring NAME  Choose the setting by this score, in scikit-learn's words, such as
        balanced_accuracy, roc_auc or neg_mean_absolute_error (default: the loss).
    --no-rivals  Don't compare with boosted trees of scikit-learn.
    What is learned:
    --loss NAME  What is minimized, for numbers: squared (default), absolute, huber, quantile or
        poisson.
    --tau X  The quantile, with --loss quantile.
    --delta X  Where --loss huber becomes linear, in standard deviations.
    --solver NAME  adam, or lm for numbers with hardly any noise: Levenberg-Marquardt with Bayesian
        regularization.
    --weight NAME  Column of the rows' weights, in training and scores; not an input.
    --class-weight WAY  balanced: each class has the same weight in the training, however rare.
    --sep --decimal --drop --keep --max-categories --encoding --max-classes --no-standardize
    --classification
    """,
    target=column_name,
    hidden_size=read_networks,
    folds=FOLDS,
    seed=0,
    test_fraction=SHARE,
    test_last=column_name,
    test_group=column_name,
    lags=0,
    horizon=1,
    loss=read_formula,
    solver="adam",
    no_rivals={"name": "rivals", "callback": lambda typed: False if typed else None},
    weight={"name": "sample_weight", "read": column_name},
    class_weight={"read": lambda typed: {"balanced": typed}[typed], "rule": "balanced"},
)
def fit(
    file: Path,
    target: str | None,
    save: Path | None,
    plot: Path | None,
    json: bool,
    sep: str | None,
    decimal: str | None,
    **settings: Any,
) -> None:
    """Learn to predict a column of a table, and measure how well.

    Some rows are put aside as a test set, to judge by. Strings become an input for each category,
    missing numbers the median and a flag, numbers are standardized or put in bins. A small search
    by cross-validation chooses networks, which are compared with a linear model, a constant, and
    boosted trees. Then it learns from all rows.

    Example: [bold]fastgd fit houses.csv --target price --save model.npz[/bold]
    """
    with refusing():
        check_output(save, "the file of a model", (".npz",), read=(file,))
        check_plot(plot)
        of_loss = ("loss", "tau", "delta")
        given = {name: settings.pop(name) for name in of_loss if name in settings}
        settings |= {"parameters": with_formulas(given, {})}
        settings |= {"loss": settings["parameters"].pop("loss", None)}
        choices = Choices(**settings).checked()
        if plot and not choices.test_fraction:
            raise ValueError("--plot needs a test set, got --test-fraction 0")
        tell = complain if choices.progress else lambda _: None
        tell(f"reading {file}")
        columns = read_columns(file, sep, decimal)
        if target is None:
            raise ValueError(
                "--target must name the column to predict; "
                f"{file} has these: {names_text(list(columns))}"
            )
        settled = len({(), *choices.hidden_size}) * len(ALPHAS) * len(PENALTIES)
        if choices.solver == "lm":
            settled = len({*SECOND_ORDER[0], *choices.hidden_size})
        tell(
            f"searching up to {many(settled, 'setting')} x {choices.folds} folds, then learning "
            "from all rows (at first some seconds go by, to compile it for this table)"
        )
        result, seconds, _ = timed(None, lambda: fit_columns(columns, target, choices))
    saved = (
        f"Saved to {save}: fastgd predict {save} NEW.csv applies it.",
        "fastgd export writes it for C, JavaScript and others.",
    )

    def draw(path: Path) -> None:
        pair, bounds = (result.actual, result.predicted), result.bounds
        write_plot(plots.predictions(*pair, name=target, interval=bounds), path)

    with writing((save, result.model.save, saved), (plot, draw, ()), as_json=json):
        if json:
            print_json(_facts(result) | {"seconds": seconds})
            return
        rows = many(len(result.parts.learn) + len(result.parts.judge), "row")
        print_plain(f"{file}: {rows} with a target, {many(len(columns), 'column')}")
        for note in result.notes:
            print_plain(f"- {note}")
        print_rich()
        _show_candidates(result, choices.scoring)
        if result.model.scores:
            judge = many(len(result.parts.judge), "row")
            print_rich(f"On the {judge} of the test set, before learning from them, too\n")
            print_scores(result.model)
            if result.verdict:
                print_plain(result.verdict, style="yellow")
                print_rich()
            (_show_numbers if result.model.classes is None else _show_classes)(result)
            _show_importances(result)
        else:
            print_rich("Nothing was judged: the losses above are all there is to go by.\n")
        print_rich(f"Learned in {seconds_text(seconds)}, compiling included.")


def _show_candidates(result: Fit, scoring: str | None) -> None:
    tried, best = many(len(result.candidates), "setting"), result.candidates[0]
    loss = best.runs[0].options.get("loss", "squared")
    what = {"cross_entropy": "log loss", "squared": "squared error"}.get(loss, f"{loss} loss")
    headings = [">rank", "<hidden", ">alpha", ">l2", ">validation\nloss"]
    if scoring is not None:
        what, headings = scoring, [*headings, ">validation\nscore"]
    print_rich(f"The best of {tried}, by {what} on the validation rows of each fold\n")
    binned = any(one.bins for one in result.candidates)
    if binned:
        headings.insert(1, ">bins")
    rows = [
        (
            place,
            *([one.bins or "none"] if binned else []),
            layers_text(one.hidden_size),
            f"{one.alpha:g}",
            f"{one.l2:g}",
            f"{one.loss:.4g}",
            *([] if one.score is None else [f"{one.score:.4g}"]),
        )
        for place, one in enumerate(result.candidates[:SHOWN], start=1)
    ]
    print_table(headings, rows)


def _show_numbers(result: Fit) -> None:
    """Predicted and actual means, for each fifth of the rows sorted by prediction."""
    actual = np.asarray(result.actual, dtype=np.float64)
    order = np.argsort(result.predicted, kind="stable")
    parts = [part for part in np.array_split(order, SHOWN) if len(part)]
    rows = [
        (
            f"{number_text(result.predicted[part].min())} to "
            f"{number_text(result.predicted[part].max())}",
            len(part),
            number_text(result.predicted[part].mean()),
            number_text(actual[part].mean()),
            number_text(np.abs(result.predicted[part] - actual[part]).mean()),
        )
        for part in parts
    ]
    headings = ["<predicted", ">rows", ">mean\npredicted", ">mean\nactual", ">mean\n|error|"]
    print_table(headings, rows)


def _show_classes(result: Fit) -> None:
    """The confusion matrix with the recall of each class; or the classes with the least recall."""
    classes = result.model.classes or ()
    target = result.model.targets[0]
    truth = target.encode(result.actual).argmax(axis=1)
    guess = target.encode(result.predicted).argmax(axis=1)
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(counts, (truth, guess), 1)
    found = [f"{100 * counts[k, k] / max(counts[k].sum(), 1):.0f} %" for k in range(len(classes))]
    if len(classes) <= MOST_CLASSES:
        rows = [
            (name, *map(int, row), recall if row.any() else "")
            for name, row, recall in zip(classes, counts, found, strict=True)
        ]
        headings = ["<actual \\ predicted", *(f">{name}" for name in classes), ">recall"]
        if fits(headings, rows):
            print_table(headings, rows)
            return
    wrong = counts - np.diag(np.diag(counts))
    recalls = np.diag(counts) / np.maximum(counts.sum(axis=1), 1)
    order = [k for k in np.argsort(recalls, kind="stable") if counts[k].any()][:MOST_CLASSES]
    rows = [
        (
            classes[k],
            int(counts[k].sum()),
            found[k],
            classes[int(wrong[k].argmax())] if wrong[k].any() else "",
        )
        for k in order
    ]
    print_table(["~class", ">rows", ">recall", "~most often\ntaken for"], rows)


def _show_importances(result: Fit) -> None:
    """The columns that matter most."""
    found = result.importances
    assert found is not None
    rows = [
        (name, number_text(mean), number_text(spread))
        for name, mean, spread in zip(found.names, found.mean, found.spread, strict=True)
    ]
    times = f"{found.each.shape[1]} times"
    print_rich("How much worse the test set is predicted if a column is shuffled\n")
    print_table(["~column", f">{found.measure}", f">spread,\n{times}"], rows[:SHOWN])


def _facts(result: Fit) -> dict[str, Any]:
    model = result.model
    return {
        "target": model.targets[0].name,
        "classes": model.classes,
        "inputs": model.preparation.names,
        "notes": result.notes,
        "rows": {"learn": len(result.parts.learn), "judge": len(result.parts.judge)},
        "scores": model.scores,
        "candidates": [
            dict(zip(one._fields[:6], one[:6], strict=True)) for one in result.candidates
        ],
        "verdict": result.verdict,
        "importances": result.importances and vars(result.importances),
        "actual": result.actual,
        "predicted": result.predicted,
    }
