"""``fastgd export``: a saved network for another language."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import fastgd
from fastgd import GroupModels, Model, Run
from fastgd.checks.messages import either, first_names, many
from fastgd.checks.numbers import check_choice
from fastgd.cli.command_options import argument, option, takes
from fastgd.cli.output_files import check_output
from fastgd.cli.terminal import RefusedError, open_console, print_plain, refusing
from fastgd.export.exportable import Exportable, c_name
from fastgd.tables.column_values import texts_shown
from fastgd.tables.columns import Column, DateColumn, TargetColumn, TextColumn
from fastgd.tables.targets import ClassTarget


class Language(NamedTuple):
    """How files of a language end, how a network is written, and how it is called."""

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
    argument(
        "saved", "MODEL.npz", "File written by fit --save or train --save.", Path, default=...
    ),
    argument(
        "out",
        "FILE",
        "The file to write; an existing one is overwritten (default: MODEL with the ending "
        ".h, .js, .wasm or .onnx).",
        Path,
    ),
    option("--to LANGUAGE", "c, js, wasm or onnx (default: by the ending of FILE: .h, .js, ...)."),
    option(
        "--name NAME", "With c: what the names in the header begin with (default: that of FILE)."
    ),
    option("--dtype DTYPE", "With onnx: float64, or float32 for runtimes without float64."),
)
def command(saved: Path, out: Path | None, to: str | None, **chosen: Any) -> None:
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
        if to == "c" and not chosen:
            chosen["name"] = c_name(out)
        result = fastgd.open(saved) if saved.is_dir() else fastgd.load(saved)
        is_whole = to == "onnx" or not isinstance(result, GroupModels)
        if not (is_whole and isinstance(result, Run | Model | GroupModels)):
            raise RefusedError(_what_to_do(saved, result))
        with refusing(writes=True):
            language.write(result, out, **chosen)
    console = open_console()
    print_plain(console, f"Written to {out}")
    quoted, path = (json.dumps(f"{at}{out.name}", ensure_ascii=False) for at in ("", "./"))
    use = language.use.format(file=out.name, quoted=quoted, path=path, **chosen)
    print_plain(console, f"Use: {use}")
    for line in _inputs_and_outputs(result, numbered=language.numbered):
        print_plain(console, line)


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


def _what_to_do(saved: Path, result: Any) -> str:
    """Say how one of many networks is exported."""
    call = f"fastgd.{'open' if saved.is_dir() else 'load'}({str(saved)!r})"
    holds, one = f"a sweep of {many(len(result), 'run')}", ".best()"
    if isinstance(result, GroupModels):
        holds, one = f"a network per group ({len(result):,})", f"[{result.groups[0]!r}]"
    return f"{saved} holds {holds}: export one in Python, such as {call}{one}.to_c('model.h')"


def _inputs_and_outputs(network: Run | Model | GroupModels, *, numbered: bool) -> tuple[str, str]:
    """What goes in and what comes out, in the order in which it does."""
    if isinstance(network, Run):
        counts = len(network.weights[0]), network.weights[-1].shape[1]
        inputs, outputs = (many(count, "number") for count in counts)
    else:
        columns = [_column_text(c, numbered=numbered) for c in network.preparation.columns]
        targets = network.targets if isinstance(network, Model) else (network.target,)
        labels = network.keys.names if isinstance(network, GroupModels) else ()
        inputs = first_names([*labels, *columns])
        outputs = first_names([target.name for target in targets])
        if isinstance(targets[0], ClassTarget):
            what = "the probability of" if numbered else "one of"
            outputs = f"{outputs}: {what} {first_names(list(targets[0].classes))}"
    return f"Inputs: {inputs}", f"Outputs: {outputs}"


def _column_text(column: Column, *, numbered: bool) -> str:
    if numbered and isinstance(column, DateColumn):
        return f"{column.name} (days since 1970-01-01)"
    if not numbered or not isinstance(column, TextColumn | TargetColumn):
        return column.name
    codes = (f"{k} {category}" for k, category in enumerate(column.categories))
    return f"{column.name} ({texts_shown(codes)})"
