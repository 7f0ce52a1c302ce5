"""Editors and shells complete every option of every public call, and public names only."""

import inspect
from pkgutil import iter_modules

import jedi
import pytest
from IPython.core import completer

import fastgd
from fastgd.arguments.declarations import DECLARED, LossOptions, SurfaceOptions

LOSS, NETWORK = LossOptions.__annotations__, SurfaceOptions.__annotations__
MEASURING = {"measure", "measure_every", "measure_layers", "stop"}
NOT_OF_GROUPS = {"sample_weight", "summary", *MEASURING}
CALLS = {
    "train": {*DECLARED, "alpha", "checkpoint"},
    "sweep": {*DECLARED, "alpha", "combinations", "groups", "folds"},
    "fit_groups": {*DECLARED, "alpha", "seed", "unknown"} - NOT_OF_GROUPS,
    "race": {*DECLARED, "optimizers"} - {"optimizer"},
    "objective": {*LOSS, "hidden_size"},
    "minimize": {*LOSS, "method"},
    "surface": {*NETWORK, "resolution"},
}
"""What each call takes, or some of it; all have parameters of functions, such as delta."""


def by_jedi(text):
    return [found.name for found in jedi.Script(f"import fastgd\n{text}").complete()]


def by_ipython(text, *, use_jedi):
    shell = completer.IPCompleter(namespace={"fastgd": fastgd})
    shell.use_jedi = use_jedi
    with completer.provisionalcompleter():
        return [found.text.lstrip(".") for found in shell.completions(text, len(text))]


COMPLETERS = {
    "jedi": by_jedi,
    "IPython": lambda text: by_ipython(text, use_jedi=False),
    "IPython with jedi": lambda text: by_ipython(text, use_jedi=True),
}


@pytest.mark.parametrize("complete", COMPLETERS.values(), ids=COMPLETERS)
@pytest.mark.parametrize("call", CALLS)
def test_every_option_of_a_call_is_completed(call, complete):
    found = {name.removesuffix("=") for name in complete(f"fastgd.{call}(") if name.endswith("=")}
    named = inspect.signature(getattr(fastgd, call)).parameters.keys() - {"parameters"}
    assert CALLS[call] | {"delta"} <= named <= found | {"X", "y"}


@pytest.mark.parametrize("complete", COMPLETERS.values(), ids=COMPLETERS)
def test_options_of_balls_are_completed(complete):
    found = {*complete("fastgd.bucket.basins(")}
    assert {"balls=", "alpha=", "rule=", "tolerance=", "farthest=", "threads="} <= found


@pytest.mark.parametrize("complete", COMPLETERS.values(), ids=COMPLETERS)
def test_public_names_are_completed_and_no_others(complete):
    found = {name for name in complete("fastgd.") if not name.startswith("_")}
    if complete is by_jedi:  # which lists the files of a package in any case
        found -= {module.name for module in iter_modules(fastgd.__path__)} - {*dir(fastgd)}
    assert found == {name for name in dir(fastgd) if not name.startswith("_")}


@pytest.mark.parametrize("call", CALLS)
def test_help_has_every_option_with_its_default(call):
    text, found = inspect.getdoc(getattr(fastgd, call)), getattr(fastgd, call)
    for name, parameter in inspect.signature(found).parameters.items():
        if name in DECLARED and parameter.default is not None:
            assert f"\n{name} : " in text
            [line] = [line for line in text.splitlines() if line.startswith(f"{name} : ")]
            assert f"default {parameter.default}" in line.replace('"', "")
    assert "OPTIONS" not in text


def test_signatures_are_those_that_are_called():
    inspect.signature(fastgd.train).bind([[1]], [1], l2=0.1, own_parameter=2.0)
    with pytest.raises(TypeError):
        inspect.signature(fastgd.race).bind()
