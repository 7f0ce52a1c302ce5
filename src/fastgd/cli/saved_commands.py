"""Commands on what was saved: ``fastgd plot``, ``predict`` and ``export``."""

from collections.abc import Callable
from itertools import islice
from json import dumps
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import fastgd
from fastgd import GroupModels, Model, Run, Sweep, plots
from fastgd.checks.messages import either, escaped, first_names, many
from fastgd.checks.numbers import check_choice
from fastgd.cli.command_options import takes
from fastgd.cli.machine_output import check_raw_text, print_json, write_columns
from fastgd.cli.output_files import check_output, check_plot, write_plot, writing
from fastgd.cli.refusals import RefusedError, refusing
from fastgd.cli.result_tables import number_text, scores_line
from fastgd.cli.terminal import print_plain, print_rich, print_table
from fastgd.export.exportable import Exportable, c_name
from fastgd.models.intervals import errors_for
from fastgd.models.model import decoded
from fastgd.models.scores import Scores, scores_of
from fastgd.tables.column_values import cells_of, texts_shown
from fastgd.tables.columns import DateColumn, TargetColumn, TextColumn
from fastgd.tables.reading import about, read_columns
from fastgd.tables.targets import ClassTarget
from fastgd.training import statistics

# ---------------------------------------------------------------- plot


KINDS: dict[str, tuple[Callable[..., Any], Any, str]] = {
    "errors": (plots.errors, Run | Sweep, ""),
    "changes": (plots.direction_changes, Run, "one run (fastgd train --save)"),
    "alphas": (plots.takeaways, Sweep, "a sweep (fastgd sweep --alpha 0.1,1,10 --save)"),
    "weights": (plots.weight_paths, Run, "one run (fastgd train --record-weights --save)"),
    "solved": (
        plots.solved,
        Sweep,
        "a sweep (fastgd sweep --hidden-size 2,4,8 --seeds 100 --save)",
    ),
}
"""Of each kind of figure its function, the results that it accepts, and how to make such a file."""


@takes(
    f"""
    file RESULT.npz  What train --save or sweep --save wrote.
    --kind KIND  errors (over the iterations), changes (of direction, per weight), alphas (against
        error and changes), weights (their paths), or solved (share of seeds, by hidden size).
    --plot FILE  Draw a figure to this file: .png, .svg or .pdf.
    --threshold ERROR  With solved: the final error below which a run has ({statistics.SOLVED:g}).
    """,
    file={"default": ...},
    kind={"default": ...},
    plot={"default": ...},
)
def plot(file: Path, kind: str, plot: Path, **chosen: Any) -> None:
    """Draw a figure of a saved training.

    Example: [bold]fastgd plot result.npz --kind errors --plot errors.png[/bold]
    """
    with refusing():
        check_choice("--kind", kind, list(KINDS))
        check_plot(plot)
        if chosen and kind != "solved":
            raise RefusedError(f"--threshold is for --kind solved, got --kind {kind}")
        result = fastgd.open(file) if file.is_dir() else fastgd.load(file)
        if isinstance(result, Model) and len(result.runs) == 1:
            result = result.runs[0]
        if not isinstance(result, Run | Sweep):
            raise RefusedError(f"{file} must hold a run or a sweep, got a {type(result).__name__}")
        draw, accepted, needs = KINDS[kind]
        is_bare = kind == "weights" and getattr(result, "recorded_weights", None) is None
        if is_bare or not isinstance(result, accepted):
            holds = "one run" + " without recorded weights" * is_bare
            if isinstance(result, Sweep):
                holds = f"a sweep of {many(len(result), 'run')}"
            raise RefusedError(f"--kind {kind} needs {needs}, but {file} holds {holds}")
        with refusing(writes=True):
            write_plot(np.ravel(draw(result, **chosen))[0], plot)
    print(f"Written to {escaped(plot)}")


# ---------------------------------------------------------------- predict

SHOWN = 10
"""Number of rows that are shown."""


@takes(
    """
    saved MODEL.npz  File written by fit --save or train --save.
    file
    --csv FILE.csv  Write a line for each row, in their order: the prediction, and for classes the
        probability of each.
    --interval SHARE  For numbers: two columns more, bounds between which this share of the targets
        lies, such as 0.9.
    --raw-text --json --sep --decimal
    """,
    saved={"default": ...},
)
def predict(
    saved: Path,
    file: Path,
    csv: Path | None,
    interval: float | None,
    raw_text: bool,
    json: bool,
    sep: str | None,
    decimal: str | None,
) -> None:
    """Predict a column of a table with a saved model.

    Example: [bold]fastgd predict model.npz new.csv --csv predictions.csv[/bold]
    """
    check_raw_text(raw_text, csv)
    with refusing():
        check_output(csv, "the file of predictions", (".csv",), read=(saved, file))
        model = fastgd.load(saved)
        if isinstance(model, GroupModels):
            raise RefusedError(
                f"{saved} holds a model per group, for Python: "
                f"fastgd.load({str(saved)!r}).predict(table) applies it"
            )
        if not isinstance(model, Model):
            raise RefusedError(
                f"{saved} must be a model (fastgd fit --save, train --prepare --save), but it "
                f"holds a {type(model).__name__}, which doesn't know what its inputs are called"
            )
        known = (model.intervals, model.targets)
        errors = None if interval is None else errors_for("--interval", interval, *known)
        columns = read_columns(file, sep, decimal, texts=model.preparation.texts)
        with about(file):
            remarks = model.remarks(columns)
            outputs = model.outputs(columns)
        found = _predictions(model, outputs)
        bounds = {} if errors is None else errors.columns(model.targets[0], outputs, interval)
        found |= {name: column.tolist() for name, column in bounds.items()}
        remarks += [] if errors is None else errors.remarks(interval)
        scores = _scores(model, outputs, columns)

    def write(path: Path) -> None:
        target, written = model.targets[0], found
        if isinstance(target, ClassTarget) and target.labels == "booleans":  # as in the table
            written = {**found, target.name: [target.classes[k] for k in outputs.argmax(axis=1)]}
        write_columns(path, written, raw_text=raw_text)

    with writing((csv, write, ()), as_json=json):
        if json:
            facts = {"predictions": found, "remarks": remarks}
            print_json(facts | ({"scores": scores} if scores else {}))
            return
        print_plain(f"{file}: {many(len(outputs), 'row')}")
        for remark in remarks:
            print_plain(f"Note: {remark}", style="yellow")
        print_rich()
        if not csv:
            first = islice(zip(*found.values(), strict=True), SHOWN)
            rows = [
                (row, *(number_text(cell) if isinstance(cell, float) else cell for cell in cells))
                for row, cells in enumerate(first, start=1)
            ]
            print_table([">row", *(f">{name}" for name in found)], rows)
            if len(outputs) > SHOWN:
                more = many(len(outputs) - SHOWN, "row")
                print_rich(f"... and {more} more: --csv FILE.csv has all\n")
        if scores:
            name = model.targets[0].name
            print_plain(f"The file has {name}, too: {scores_line(scores)}")
            known = "If the model has learned from these rows, these scores are too good."
            print_plain(known)


def _predictions(model: Model, outputs: Any) -> dict[str, list[Any]]:
    """The predictions as columns: values, and the probability of each class."""
    decode = zip(model.targets, decoded(model.targets, outputs), strict=True)
    found = {target.name: column.tolist() for target, column in decode}
    for place, name in enumerate(model.classes or ()):
        found[f"probability of {name}"] = outputs[:, place].tolist()
    return found


def _scores(model: Model, outputs: Any, columns: Any) -> Scores:
    """The scores of the predictions, if the table has the target."""
    target = model.targets[0]
    if len(model.targets) > 1 or target.name not in columns:
        return {}
    try:
        known = ~cells_of(target.name, columns[target.name]).missing
        if not known.any():
            return {}
        encoded = target.encode(np.asarray(columns[target.name])[known])
    except (TypeError, ValueError):  # other classes, or something else: it is not needed
        return {}
    return scores_of(target, outputs[known], encoded, model.runs[0].options)


# ---------------------------------------------------------------- export


class Language(NamedTuple):
    """How files of a language end, how a network is written, and how it is called then."""

    endings: tuple[str, ...]
    write: Callable[..., None]
    use: str
    option: str = ""  # which no other language has
    numbered: bool = False  # whether categories go in as numbers, and classes come out so


LANGUAGES = {
    "c": Language(
        (".h",),
        Exportable.to_c,
        '#include "{file}", call {name}_predict(x, y), link with -lm',
        "--name",
        numbered=True,
    ),
    "js": Language(
        (".js", ".mjs"),
        Exportable.to_javascript,
        "import {{ predict }} from {path}, then predict(rows)",
    ),
    "wasm": Language(
        (".wasm",),
        Exportable.to_wasm,
        'write to its "memory" at "rows", call predict(count), read at "results"',
        numbered=True,
    ),
    "onnx": Language(
        (".onnx",),
        lambda network, *given, **chosen: network.to_onnx(*given, **chosen),
        "in Python, onnxruntime.InferenceSession({quoted}).run(None, inputs)",
        "--dtype",
    ),
}


@takes(
    """
    saved MODEL.npz  File written by fit --save or train --save.
    out FILE  The file to write; an existing one is overwritten (default: MODEL with the ending .h,
        .js, .wasm or .onnx).
    --to LANGUAGE  c, js, wasm or onnx (default: by the ending of FILE: .h, .js, ...).
    --name NAME  With c: what the names in the header begin with (default: that of FILE).
    --dtype DTYPE  With onnx: float64, or float32 for runtimes without float64.
    --interval SHARE  For a numeric target of fit: bounds between which this share of the targets
        lies, such as 0.9, in addition.
    """,
    saved={"default": ...},
)
def export(saved: Path, out: Path | None, to: str | None, **chosen: Any) -> None:
    """Write a saved network for another language: C, JavaScript, WebAssembly or ONNX.

    Example: [bold]fastgd export model.npz model.h[/bold]
    """
    with refusing():
        to = _language(to, out)
        language = LANGUAGES[to]
        if out is None and not saved.name:
            raise RefusedError(f"MODEL.npz must be a file, got {str(saved)!r}")
        out = saved.with_suffix(language.endings[0]) if out is None else out
        check_output(out, f"a file with --to {to}", language.endings, read=(saved,))
        for name, other in LANGUAGES.items():
            if name != to and other.option.lstrip("-") in chosen:
                raise RefusedError(f"{other.option} is for --to {name}, got --to {to}")
        if to == "c" and "name" not in chosen:
            chosen["name"] = c_name(out)
        result: Any = fastgd.open(saved) if saved.is_dir() else fastgd.load(saved)
        is_whole = to == "onnx" or not isinstance(result, GroupModels)
        if not (is_whole and isinstance(result, Run | Model | GroupModels)):
            call = f"fastgd.{'open' if saved.is_dir() else 'load'}({str(saved)!r})"
            holds, one = f"a sweep of {many(len(result), 'run')}", ".best()"
            if isinstance(result, GroupModels):
                holds, one = f"a network per group ({len(result):,})", f"[{result.groups[0]!r}]"
            raise RefusedError(
                f"{saved} holds {holds}: export one in Python, such as {call}{one}.to_c('model.h')"
            )
        with refusing(writes=True):
            language.write(result, out, **chosen)
    print_plain(f"Written to {out}")
    quoted, path = (dumps(f"{at}{out.name}", ensure_ascii=False) for at in ("", "./"))
    use = language.use.format(file=out.name, quoted=quoted, path=path, **chosen)
    print_plain(f"Use: {use}")
    for line in _inputs_and_outputs(result, numbered=language.numbered):
        print_plain(line)
    if "interval" in chosen:
        print_plain(f"Bounds: low and high, between which {chosen['interval']:.4g} of targets lie")


def _language(to: str | None, out: Path | None) -> str:
    """The language that was named, or that of the file's ending."""
    if to is not None:
        return check_choice("--to", to, list(LANGUAGES))
    for name, language in LANGUAGES.items():
        if out is not None and out.suffix.lower() in language.endings:
            return name
    if out is None:
        raise RefusedError("give FILE, or --to c, js, wasm or onnx")
    endings = either(ending for language in LANGUAGES.values() for ending in language.endings)
    raise RefusedError(f"FILE must end in {endings}, got {str(out)!r}")


def _inputs_and_outputs(network: Run | Model | GroupModels, *, numbered: bool) -> tuple[str, str]:
    """What goes in and what comes out, in the order in which it does."""
    if isinstance(network, Run):
        counts = len(network.weights[0]), network.weights[-1].shape[1]
        inputs, outputs = (many(count, "number") for count in counts)
    else:
        columns = []
        for column in network.preparation.columns:
            text = column.name
            if numbered and isinstance(column, DateColumn):
                text += " (days since 1970-01-01)"
            elif numbered and isinstance(column, TextColumn | TargetColumn):
                codes = (f"{k} {category}" for k, category in enumerate(column.categories))
                text += f" ({texts_shown(codes)})"
            columns.append(text)
        targets = network.targets if isinstance(network, Model) else (network.target,)
        labels = network.keys.names if isinstance(network, GroupModels) else ()
        inputs = first_names([*labels, *columns])
        outputs = first_names([target.name for target in targets])
        if isinstance(targets[0], ClassTarget):
            what = "the probability of" if numbered else "one of"
            outputs = f"{outputs}: {what} {first_names(list(targets[0].classes))}"
    return f"Inputs: {inputs}", f"Outputs: {outputs}"
