import json
import re
from inspect import signature
from typing import get_type_hints

import numpy as np
import pytest

import fastgd
from cases import OPTIONS, XOR_CSV, XOR_X, XOR_Y
from fastgd import schedules
from fastgd.arguments.axes import OWNED, parameters_of
from fastgd.arguments.declarations import DECLARED, STRUCTURES, VALUES, Options
from fastgd.arguments.option_types import Condition, Flag, Layers, Measures
from fastgd.checks.messages import many, options_text, value_text
from fastgd.cli import main
from fastgd.cli.command_options import takes
from fastgd.cli.methods import method_options, read_method
from fastgd.optimizers import (
    ALL,
    BY_COMMAND,
    AdaDelta,
    AdaGrad,
    Adam,
    GradientDescent,
    LevenbergMarquardt,
    Momentum,
    Nesterov,
)
from fastgd.schedules import Constant, Cosine, Linear, Step

# A sweep with momentum; those that share it share its compiled kernel.
MANY = ["--optimizer", "momentum", "--momentum", "0.5,0.9", "--alpha", "0.1,1", "--seeds", "3"]
MANY += ["--iterations", "1000"]


@pytest.fixture(autouse=True)
def narrow_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(capsys, tmp_path):
    """Call the command on a file with these samples; gives back exit code, stdout and stderr."""

    def call(command, *arguments, samples=XOR_CSV):
        path = tmp_path / "samples.csv"
        path.write_text(samples)
        words = [command, path, "--target", "y", *arguments]
        code = main([str(word) for word in words])
        return code, *capsys.readouterr()

    return call


def assert_refused(result, message):
    code, out, err = result
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert re.search(f"^fastgd: error: {message}", err), err


def read(several=False, **typed):
    """Read what was typed, of all options that there are."""

    @takes(*method_options(several=several))
    def command(**_):
        pass

    return read_method(dict.fromkeys(signature(command).parameters) | typed, several=several)


def lines_of(text):
    return [" ".join(line.split()) for line in text.splitlines()]


# What is typed


@pytest.mark.parametrize("several", [False, True])
def test_all_options_can_be_typed_and_have_a_panel(several):
    @takes(*method_options(several=several))
    def command(**_):
        pass

    declared = signature(command).parameters
    fields = {field for kind in ALL for field in kind.hyperparameters}
    fields |= {f"schedule_{field}" for kind in schedules.ALL for field in kind.hyperparameters}
    fields |= {*OWNED, "parameter", "rule"}
    assert (
        set(declared)
        == set(get_type_hints(Options)) - {"sample_weight", "gradient_weight"} | fields
    )
    panels = [p.annotation.__metadata__[0].rich_help_panel for p in declared.values()]
    assert all(panels)
    assert panels == sorted(panels, key=panels.index)  # each of them in one place


@pytest.mark.parametrize("command", ["train", "sweep", "race", "surface"])
def test_help_begins_with_the_first_options(run, command):
    _, out, _ = run(command, "--help")
    more = int(re.search(rf"(\d+) more options: fastgd {command} --help-all", out)[1])
    everything = run(command, "--help-all")[1]
    first, all_of_them = (set(re.findall(r"^│ (?:\*  )? *(--[a-z0-9-]+)", text, re.MULTILINE))
                          for text in (out, everything))  # fmt: skip
    assert {"--hidden-size", "--iterations", "--optimizer"} <= first < all_of_them
    assert len(all_of_them - first) == more
    assert "--help-all" not in run("predict", "--help")[1]


@pytest.mark.parametrize("command", ["train", "sweep", "fit", "surface"])
def test_help_shows_the_device(run, command):
    assert "--device NAME" in " ".join(run(command, "--help")[1].split())


@pytest.mark.parametrize("command", ["train", "sweep"])
def test_help_shows_them_in_panels(run, command):
    code, out, _ = run(command, "--help-all")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    for panel in ("Optimizer", "Network", "Mini-batches", "Regularization", "Early stopping"):
        assert f"─ {panel} ─" in out
    several = ",..." if command == "sweep" else ""
    for option in (f"--momentum X{several} Dec", "--shuffle --no-shuffle", "--summary N Sum"):
        assert option in " ".join(out.split()), option


def test_nothing_typed_is_no_option():
    assert read() == {}
    assert read(several=True) == {}


def test_what_is_typed_becomes_options():
    typed = {"activation": "ReLU", "loss": "cross-entropy", "batch_size": "2", "patience": "30"}
    assert read(**typed, bias=True, shuffle=False, l1="1e-3", clip_above="inf") == {
        "activation": "relu",
        "loss": "cross_entropy",
        "batch_size": 2,
        "patience": 30,
        "bias": True,
        "shuffle": False,
        "l1": 0.001,
        "clip_above": np.inf,
    }
    assert read(batch_size="ALL", patience="none") == {"batch_size": None, "patience": None}
    assert read(init="he/Glorot-normal") == {"init": ("he", "glorot_normal")}
    several = read(several=True, init="article,he/lecun")
    assert several == {"init": ["article", ("he", "lecun")]}


@pytest.mark.parametrize("name", [name for name in OPTIONS if name not in ("factors", "frozen")])
def test_every_case_can_be_typed(name):
    options = {n: v for n, v in OPTIONS[name].options.items() if n != "sample_weight"}
    typed = {n: v if isinstance(v, bool) else str(v) for n, v in options.items()}
    if "measure" in options:  # by name: those of one's own are Python's
        options["measure"] = tuple(one for one in options["measure"] if isinstance(one, str))
        typed["measure"] = ", ".join(options["measure"])
    for option in {"optimizer", "schedule"} & options.keys():
        start = "schedule_" if option == "schedule" else ""
        fields = {f: getattr(options[option], f) for f in options[option].hyperparameters}
        typed |= {f"{start}{field}": str(v) for field, v in fields.items()}
        typed[option] = getattr(options[option], "command", str(options[option]))
    if isinstance(options.get("optimizer"), fastgd.Rule):
        typed = {"rule": typed["optimizer"]}
    own = {n: v for n, v in parameters_of(options).items() if n not in OWNED}  # of formulas
    typed["parameter"] = [f"{name}={value}" for name, value in own.items()]
    assert read(**typed) == options


def test_every_option_that_may_be_an_axis_takes_several_values():
    flags = {name for name, option in DECLARED.items() if isinstance(option.kind, Flag)}
    for name in {*STRUCTURES, *VALUES} - {"optimizer", "schedule", "gradient_weight"} - flags:
        assert len(read(several=True, **{name: "1,2"})[name]) == 2, name
    assert read(several=True, batch_norm=[True, False]) == {"batch_norm": [True, False]}
    assert read(several=True, batch_size="1,all") == {"batch_size": [1, None]}
    assert read(several=True, l2="0.5") == {"l2": 0.5}  # one value is no axis


OTHERS = (Condition, Flag, Layers, Measures)
"""Options that are typed in another way."""


@pytest.mark.parametrize(
    "name",
    [
        n
        for n, option in DECLARED.items()
        if option.panel and not option.is_axis and not isinstance(option.kind, OTHERS)
    ],
)
def test_others_take_one(run, name):
    result = run("sweep", f"--{name.replace('_', '-')}", "1,2")
    assert_refused(
        result,
        r"--[a-z-]+ must be (a whole number( or [a-z]+)?|'epochs' or 'adaptive'|'error' or 'loss'"
        r"|'given' or 'bayesian')"
        r", got '1,2'",
    )


def test_optimizers_by_name():
    assert tuple(BY_COMMAND.values()) == ALL
    for name, kind in BY_COMMAND.items():
        for typed in (name, name.upper(), name.replace("_", "-"), kind.__name__):
            made = read(optimizer=typed)["optimizer"]
            assert (type(made), made) == (kind, kind())
    assert read(optimizer="nesterov", momentum="0.5") == {"optimizer": Nesterov(momentum=0.5)}
    assert read(optimizer="LM", damping="1") == {"optimizer": LevenbergMarquardt(damping=1)}


def test_several_optimizers_each_take_their_own_fields():
    one = read(several=True, optimizer="momentum", momentum="0.5,0.9")
    assert one == {"optimizer": Momentum(momentum=[0.5, 0.9])}
    typed = {"optimizer": "momentum,gradient_descent,adagrad,adadelta", "epsilon": "1e-4"}
    made = read(several=True, **typed, momentum="0.5,0.9")["optimizer"]
    expected = [
        Momentum(0.5),
        Momentum(0.9),
        GradientDescent(),
        AdaGrad(epsilon=1e-4),
        AdaDelta(epsilon=1e-4),
    ]
    assert [(type(one), one) for one in made] == [(type(one), one) for one in expected]


def test_schedules_by_name():
    assert read(schedule="Cosine", schedule_steps="100") == {"schedule": Cosine(100)}
    typed = {
        "schedule": "constant,step,linear",
        "schedule_step_size": "5",
        "schedule_steps": "20,30",
        "schedule_final_factor": "0.5",
    }
    assert read(several=True, **typed)["schedule"] == [
        Constant(),
        Step(5),
        Linear(20, 0.5),
        Linear(30, 0.5),
    ]
    one = read(several=True, schedule="cosine", schedule_steps="20,30",
     schedule_warmup_steps="0,5", momentum="0.5,0.9",
               optimizer="momentum")  # fmt: skip
    assert one == {
        "optimizer": Momentum(momentum=[0.5, 0.9]),
        "schedule": Cosine(steps=[20, 30], warmup_steps=[0, 5]),
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--optimizer sgd", "--optimizer must be one of gradient_descent, .*, got 'sgd'$"),
        (
            "--momentum 0.5",
            "--momentum needs --optimizer momentum or nesterov, got gradient_descent$",
        ),
        ("--optimizer adam --rho 1", "--rho needs --optimizer adadelta or rmsprop, got adam$"),
        (
            "--optimizer momentum --momentum 1",
            "--momentum must be a number of at least 0 and below 1, got 1.0",
        ),
        ("--optimizer momentum --momentum 0.5,0.9", "--momentum must be a number, got '0.5,0.9'"),
        ("--optimizer adam,momentum", "--optimizer must be one of"),
        ("--schedule cosine", "--schedule cosine needs --schedule-steps, got none$"),
        ("--schedule factors", "--schedule must be one of constant, .*, cosine, got 'factors'$"),
        ("--schedule-steps 5", "--schedule-steps needs --schedule linear or cosine, got constant$"),
        (
            "--schedule step --schedule-step-size 1.5",
            "--schedule-step-size must be a whole number, got '1.5'$",
        ),
        (
            "--schedule step --schedule-step-size 0",
            "--schedule-step-size must be at least 1, got 0$",
        ),
        (
            "--schedule cosine --schedule-steps 5 --schedule-warmup-steps 7",
            r"--schedule-warmup-steps must be below steps \(5\), which include the warm-up, got 7$",
        ),
        (
            "--schedule linear --schedule-steps 5 --optimizer rprop",
            r"--schedule must be constant with --optimizer rprop",
        ),
        ("--activation swish", "--activation must be 'sigmoid', .*, got 'swish'"),
        ("--activation tanh,relu", "--activation must be .* got 'tanh,relu'"),
        ("--batch-size 2.5", "--batch-size must be a whole number or all, got '2.5'"),
        ("--batch-size 5", "--batch-size must be at most 4, got 5"),
        ("--patience 0", "--patience must be at least 1, got 0"),
        ("--patience soon", "--patience must be a whole number or none, got 'soon'"),
        ("--dropout 1", "--dropout must be a number of at least 0 and below 1"),
        ("--l2 -1", "--l2 must be a finite number of at least 0, got -1.0"),
        ("--clip-above none", "--clip-above must be a number, got 'none'"),
        ("--shuffle-seed -1", "--shuffle-seed must be at least 0"),
        ("--sampling adaptive", "--batch-size must be an int with --sampling adaptive, got all"),
        ("--optimizer lm --batch-size 3", "--batch-size must be all with --optimizer levenberg_ma"),
        (
            "--batch-norm --hidden-size none",
            "--hidden-size must have at least one layer with --batch-norm",
        ),
        (
            "--loss cross_entropy --output identity",
            "--output must be 'sigmoid', 'tanh' or 'softmax' with --loss",
        ),
        ("--bias=3", "Option '--bias' does not take a value"),
    ],
)
def test_bad_options_of_train(run, words, message):
    assert_refused(run("train", *words.split()), message)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "--momentum 0.5,0.9",
            "--momentum needs --optimizer momentum or nesterov, got gradient_descent$",
        ),
        ("--optimizer adam,adagrad --momentum 1", "--momentum needs .*, got adam, adagrad$"),
        ("--optimizer adam,sgd", "--optimizer must be one of .* got 'sgd'$"),
        ("--l2 0,,1", "--l2 must be numbers separated by ',', got '0,,1'"),
        ("--batch-size 1,x", "--batch-size must be whole numbers or all, separated by ',', got"),
        ("--dropout 0,1", "--dropout must be a number of at least 0 and below 1, got 1.0"),
        ("--activation tanh,", "--activation must be .* got ''"),
    ],
)
def test_bad_options_of_sweep(run, words, message):
    assert_refused(run("sweep", *words.split()), message)


@pytest.mark.parametrize("command", ["train", "sweep"])
def test_targets_that_cross_entropy_can_not_take(run, command):
    words = ["--loss", "cross_entropy"]
    rule = "y must be from {} to 1 with --loss cross_entropy and --output {}, got {} "
    assert_refused(run(command, *words, samples="x,y\n1,0\n2,5\n"), rule.format(0, "sigmoid", 5.0))
    result = run(command, *words, "--output", "tanh", samples="x,y\n1,-3\n2,1\n")
    assert_refused(result, rule.format(-1, "tanh", -3.0))


# What is shown


def test_train_shows_options_and_how_it_ended(run):
    words = ["--optimizer", "adam", "--beta1", 0.8, "--alpha", 0.1, "--bias", "--summary", 5]
    words += ["--record-every", 100, "--tolerance", 0.05, "--iterations", 1000]
    code, out, err = run("train", *words)
    assert (code, err) == (0, "")
    lines = lines_of(out)
    shown = "Options: optimizer adam (beta1 0.8, beta2 0.999, epsilon 1e-08), bias, tolerance 0.05,"
    assert shown in " ".join(lines)
    alone = fastgd.train(
        XOR_X,
        XOR_Y,
        optimizer=Adam(beta1=0.8),
        bias=True,
        alpha=0.1,
        summary=5,
        tolerance=0.05,
        iterations=1000,
        record_every=100,
    )
    assert 0 < alone.iterations < 100
    start = lines.index("iteration mean |y - output| loss")
    assert lines[start + 2] == f"0 {alone.errors[0]:.12g} {alone.losses[0]:.12g}"
    assert (
        lines[start + 3] == f"{alone.iterations} {alone.final_error:.12g} {alone.final_loss:.12g}"
    )
    assert lines[start + 4] == ""  # no lines of iterations that it did not reach
    assert f"Converged after {alone.iterations} iterations: the error is below 0.05" in lines
    assert f"smallest {alone.summary.smallest_error:.12g}" in lines
    assert f"mean of the last 5 / e_0 {alone.summary.tail_mean:.6g}" in lines
    first, second = (layer.sum() for layer in alone.bias_direction_changes)
    assert lines[-3].endswith(f"; of the biases: {first}, {second}")
    code, out, err = run("train", *words, "--json")
    facts = json.loads(out)
    assert facts["status"] == "converged"
    assert facts["iterations"] == alone.iterations
    assert facts["options"] == {
        "optimizer": {"name": "adam", "beta1": 0.8, "beta2": 0.999, "epsilon": 1e-8},
        "bias": True,
        "tolerance": 0.05,
        "summary": 5,
    }
    assert facts["biases"] == [layer.tolist() for layer in alone.biases]
    assert facts["summary"] == alone.summary._asdict()
    assert len(facts["bias_direction_changes"][0]) == 4


def test_train_that_no_option_ended_says_finished(run):
    _, out, _ = run("train", "--iterations", "1")
    assert "Finished after 1 iteration\n" in out
    assert "Options" not in out
    assert "summary" not in out


def test_patience_is_given_as_the_reason(run):
    words = ["--alpha", "1000", "--patience", "3", "--tolerance", "1e-9"]
    _, out, _ = run("train", *words, "--iterations", "1000")
    assert re.search(r"Stalled after \d+ iterations: the smallest error is 3 iterations old", out)


@pytest.mark.slow
def test_steps_of_second_order_have_their_own_reasons(run):
    words = "train", "--optimizer", "lm", "--patience", "900", "--tolerance"
    _, out, _ = run(*words, "1e-12")
    assert re.search(r"Converged after \d+ iterations: derivatives or steps are next to 0", out)
    _, out, _ = run(*words, "1e-12", "--max-damping", "1e-9", "--damping", "1e-10")
    assert re.search(r"Stalled after \d+ iterations?: no step, however damped, makes the", out)
    _, out, _ = run(*words, "0.2")
    assert re.search(r"Converged after \d+ iterations: the error is below 0.2", out)


def test_steps_of_second_order_are_1000_by_default_and_say_what_bayes_found(run):
    words = "--optimizer", "lm", "--alpha", "0.001", "--regularization", "bayesian"
    code, out, _ = run("train", *words, "--activation", "tanh")
    assert code == 0
    assert "Finished after 1,000 iterations" in out
    number = r"[\d.e+-]+"
    assert re.search(
        rf"Effective parameters: {number} of 16, weight penalty {number}, error factor {number}",
        out,
    )


def test_groups_of_a_sweep_count_what_converged_apart_from_what_stalled(run):
    words = ["--alpha", "1,1000", "--patience", "3", "--tolerance", "0.3", "--seeds", "3"]
    facts = json.loads(run("sweep", *words, "--iterations", "500", "--json")[1])
    assert [(g["converged"], g["stalled"]) for g in facts["groups"]] == [(2, 1), (0, 3)]
    lines = lines_of(run("sweep", *words, "--iterations", "500")[1])
    assert any(line.endswith("converged stalled diverged") for line in lines)


@pytest.mark.slow
def test_normalization_is_json(run):
    facts = json.loads(run("train", "--batch-norm", "--iterations", "5", "--json")[1])
    (layer,) = facts["normalization"]
    assert {name: len(values) for name, values in layer.items()} == dict.fromkeys(
        ("scale", "shift", "mean", "variance"), 4
    )


@pytest.mark.slow
def test_which_targets_can_not_be_reached_depends_on_the_output(run):
    samples = "x,y\n1,-0.5\n2,0\n"
    words = ["--iterations", "2", "--output"]
    assert "outside" not in run("train", *words, "identity", samples=samples)[1]
    _, out, _ = run("sweep", *words, "tanh,sigmoid", samples=samples)
    assert "y has values outside 0 to 1, which a sigmoid never reaches" in out
    assert "-1 to 1" not in out
    assert "All with hidden size 4, alpha 1, seed 1\n" in out  # nothing that is an axis
    assert re.search("^tanh  ", out, re.MULTILINE)  # names on the left
    samples = samples.replace("0.5", "1.5")
    _, out, _ = run("sweep", *words, "tanh,sigmoid", samples=samples)
    assert "y has values outside -1 to 1, which a tanh never reaches" in out


def test_sweep_has_a_column_for_each_axis(run):
    words = [*MANY, "--tolerance", "0.05"]
    code, out, err = run("sweep", *words)
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    assert "…" not in out
    lines = lines_of(out)
    assert "12 runs: 2 alphas x 2 values of momentum x 3 seeds" in lines
    assert "All with hidden size 4, optimizer momentum, tolerance 0.05" in lines
    facts = json.loads(run("sweep", *words, "--json")[1])
    assert list(facts["axes"]) == ["hidden_size", "alpha", "momentum", "seed"]
    assert facts["options"] == {"optimizer": {"name": "momentum"}, "tolerance": 0.05}
    assert facts["summary"] is None
    for rank, best in enumerate(facts["best"], start=1):
        cells = [rank, f"{best['alpha']:g}", best["momentum"], best["seed"]]
        cells += [f"{best['final_error']:.12g}", best["direction_changes"], best["status"]]
        assert " ".join(map(str, [*cells, f"{best['iterations']:,}"])) in lines
    converged = {(g["alpha"], g["momentum"]): g["converged"] for g in facts["groups"]}
    assert len(converged) == 4
    assert sum(converged.values()) == np.sum(np.array(facts["status"]) == "converged") > 0
    for group in facts["groups"]:
        numbers = [f"{group[name]:#.6g}" for name in ("mean", "median", "best")]
        cells = [f"{group['alpha']:g}", group["momentum"], *numbers, group["converged"]]
        assert " ".join(map(str, [*cells, group["diverged"]])) in lines
    headings = next(line for line in out.splitlines() if line.startswith("rank"))
    end = headings.index("final error") + len("final error")
    rows = out.splitlines()[out.splitlines().index(headings) + 2 :][:10]
    assert all(re.match(r".*\d $", row[: end + 1]) for row in rows)  # aligned on the right
    assert re.search(r"^    1 +0\.5  ", out, re.MULTILINE)  # as are the axes of numbers


def test_axes_that_do_not_fit_side_by_side_share_a_column(run):
    code, out, _ = run("sweep", *MANY, "--tolerance", "0.01,0.02", "--patience", "1000,none")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "…" not in out
    best, over_seeds = out.split("Final errors")
    assert "rank settings" in " ".join(best.split())
    words = " ".join(best.split("─\n")[1].split())
    assert re.match(r"1 alpha [\d.]+, momentum ", words), words
    for value in ("patience 1000", "patience none", "tolerance 0.01"):
        assert value in words.replace(",", ""), value
    assert "settings mean median best" in " ".join(over_seeds.split())


@pytest.mark.slow
def test_sweep_summaries_are_json(run):
    facts = json.loads(run("sweep", *MANY, "--summary", "2", "--no-shuffle", "--json")[1])
    assert facts["options"]["summary"] == 2
    assert facts["options"]["shuffle"] is False
    assert set(facts["summary"]) == set(fastgd.Summary._fields)
    assert np.shape(facts["summary"]["tail_mean"]) == (1, 2, 2, 3)


def test_values_as_people_read_them():
    texts = [value_text("batch_size", None), value_text("patience", None), value_text("bias", True)]
    assert texts == ["all", "none", "yes"]
    assert value_text("optimizer", Adam(beta2=0.5)) == "adam (beta2 0.5)"
    assert value_text("optimizer", Adam()) == "adam"
    assert options_text({"shuffle": False, "bias": True, "l2": 0.01}) == "no shuffle, bias, l2 0.01"
    assert many(2, "loss") == "2 losses"
