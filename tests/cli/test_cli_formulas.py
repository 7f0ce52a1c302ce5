"""Functions and classes on the command line: expressions, their numbers, labels."""

import json
import re
from inspect import signature

import numpy as np
import pytest

import fastgd
from cases import CAUCHY, DECAY, FADING, LION, SWISH
from fastgd.cli import main
from fastgd.cli.command_options import takes
from fastgd.cli.methods import method_options, read_entry, read_method
from fastgd.cli.refusals import RefusedError
from fastgd.tables.table_samples import read_samples

KINDS = ["rose", "lily", "iris"]
ROWS = [(0.1, 0.9, 0), (0.9, 0.1, 1), (0.5, 0.5, 2), (0.2, 0.8, 0), (0.8, 0.3, 1), (0.4, 0.6, 2)]
LABELS = "a,b,kind\n" + "".join(f"{a},{b},{KINDS[k]}\n" for a, b, k in ROWS)
SOFTMAX = ["--output", "softmax", "--loss", "cross_entropy"]


def read(several=False, **typed):
    @takes(*method_options(several=several))
    def command(**_):
        pass

    return read_method(dict.fromkeys(signature(command).parameters) | typed, several=several)


@pytest.fixture
def call(capsys, tmp_path):
    """Call a command on a file of flowers; gives back exit code, stdout and stderr."""

    def call(command, *words, text=LABELS):
        path = tmp_path / "flowers.csv"
        path.write_text(text)
        code = main([command, str(path), "--target", "kind", "--no-progress", *map(str, words)])
        return code, *capsys.readouterr()

    return call


# ---------------------------------------------------------------- what is typed


def test_an_expression_takes_the_numbers_that_it_names():
    typed = {"activation": str(SWISH), "loss": str(CAUCHY), "parameter": ["beta=1", " c = 1.0"]}
    assert read(**typed) == {"activation": SWISH, "loss": CAUCHY}
    made = read(activation="a / (1 + exp(-beta*a))", parameter=["beta=2.5"])["activation"]
    assert dict(made.parameters) == {"beta": 2.5}


def test_a_penalty_and_a_schedule_are_expressions_too():
    """Beside names: a penalty may be none, a schedule one of fastgd.schedules."""
    numbers = {"parameter": ["strength=0.02", "rate=0.002"]}
    assert read(penalty=str(DECAY), schedule="exp(-rate*t)", **numbers) == {
        "penalty": DECAY,
        "schedule": FADING,
    }
    found = read(several=True, penalty="none,abs(w)", schedule="linear,where(t < 5, 1, t/total)",
                 schedule_steps="9")  # fmt: skip
    assert found == {
        "penalty": [None, fastgd.Penalty("abs(w)")],
        "schedule": [fastgd.schedules.Linear(9), fastgd.Schedule("where(t < 5, 1, t/total)")],
    }
    typed = {"optimizer": "momentum", "momentum": "where(t < k, 0.5, 0.9)", "parameter": ["k=5"]}
    momentum = fastgd.Schedule("where(t < k, 0.5, 0.9)", k=5)
    assert read(**typed) == {"optimizer": fastgd.optimizers.Momentum(momentum)}
    axis = read(several=True, penalty="k*w*w", parameter=["k=0,1"])
    assert axis == {"penalty": fastgd.Penalty("k*w*w", k=0), "k": [0.0, 1.0]}


def test_several_values_of_a_number_are_an_axis():
    found = read(several=True, activation="tanh(beta*x)", parameter=["beta=0.5,1"])
    assert found == {
        "activation": fastgd.Function("tanh(beta*x)", beta=0.5),
        "beta": [0.5, 1.0],
    }


def test_several_formulas_stand_between_commas_outside_of_brackets():
    found = read(several=True, activation="where(a > 0, a, 0.1*a), ReLU,minimum(a, 6*1)")
    assert [str(one) for one in found["activation"]] == [
        "where(a > 0, a, 0.1 * a)",
        "relu",
        "minimum(a, 6)",
    ]


def test_numbers_of_named_functions_have_flags_of_their_own():
    assert read(loss="huber", delta="0.5") == {"loss": "huber", "delta": 0.5}
    assert read(activation="leaky-relu", negative_slope="0.2", loss="quantile", tau=".9") == {
        "activation": "leaky_relu",
        "negative_slope": 0.2,
        "loss": "quantile",
        "tau": 0.9,
    }
    assert read(activation="elu", parameter=["elu_alpha=2"]) == {
        "activation": "elu",
        "elu_alpha": 2.0,
    }
    assert read(several=True, loss="huber", delta="1,2") == {"loss": "huber", "delta": [1.0, 2.0]}


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({"activation": "a*b"}, r"--activation 'a\*b': a Function must have one variable, .* got "
         r"a, b: a parameter of its own is given as --parameter NAME=X$"),
        ({"activation": "foo(a)"}, r"--activation 'foo\(a\)': .*unknown name 'foo', known are"),
        ({"activation": "a*"}, r"--activation 'a\*': a Function must be an expression"),
        ({"activation": "sin"}, r"--activation sin: write a function with its operand: sin\(a\)$"),
        ({"activation": "2*3"}, r"must have one variable, .* got none$"),
        ({"activation": "a if a else 1*a"}, r"must be made of numbers"),
        ({"loss": "(y - v)**w"}, r"unknown name 'w', .* is given as --parameter NAME=X$"),
        ({"loss": "y*v", "parameter": ["slope=2"]}, "--parameter slope must be in an expression"),
        ({"parameter": ["beta"]}, r"--parameter must be NAME=X, such as beta=1, got 'beta'$"),
        ({"parameter": ["1=2"]}, r"--parameter must be NAME=X, such as beta=1, got '1=2'$"),
        ({"parameter": ["beta=x"]}, r"--parameter beta must be numbers separated by ',', got 'x'$"),
        ({"parameter": ["beta=1,2"]}, r"--parameter beta must be one number, got '1,2'$"),
        ({"activation": "b*a", "parameter": ["b=1", "b=2"]},
         "name each parameter once, got b twice$"),
        ({"activation": "a*1", "parameter": ["b=1"]},
         "--parameter b must be in an expression of an "
         "option, got none$"),
        ({"tau": "0.5"}, "--tau needs --loss quantile, got squared$"),
        ({"loss": "huber", "tau": "0.5"}, "--tau needs --loss quantile, got huber$"),
        ({"activation": "a*1", "negative_slope": "1"}, "--negative-slope needs --activation "
         r"leaky_relu, got a \* 1$"),
        ({"loss": "huber", "delta": "x"}, r"--delta must be a number, got 'x'$"),
        ({"penalty": "k*w"}, r"--penalty 'k\*w': a Penalty must have one variable, .* got k, w: a "
         "parameter of its own is given as --parameter NAME=X$"),
        ({"schedule": "k*t"}, r"--schedule 'k\*t': a Schedule: unknown name 'k', .* NAME=X$"),
        ({"optimizer": "adam", "beta1": "k*t"}, r"--beta1 'k\*t': a Schedule: unknown name 'k'"),
        ({"optimizer": "momentum", "momentum": "1e+x"}, "--momentum must be a number, got '1e.x'$"),
        ({"schedule": "fast"}, "--schedule must be one of constant, step, .* got 'fast'$"),
        ({"schedule": "1/(t+1)", "schedule_steps": "9"}, "--schedule-steps needs --schedule linear "
         r"or cosine, got 1 / \(t \+ 1\)$"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(typed, message):
    with pytest.raises(RefusedError, match=message) as error:
        read(**typed)
    assert "\n" not in str(error.value)


def test_a_number_of_one_of_several_losses_is_refused():
    with pytest.raises(
        RefusedError, match=r"--delta needs --loss huber alone, got huber, squared$"
    ):
        read(several=True, loss="huber,squared", delta="1")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--loss", "quantile", "--tau", "2"], "--tau must be a number above 0 and below 1, got"),
        (["--activation", "swish"], "or an expression such as 'a.sigmoid.a.', got 'swish': did you "
         "mean 'silu'"),
        (["--loss", "mse"], "or an expression such as .* got 'mse': did you mean 'squared'"),
        (["--output", "softmax"], "--loss must be 'cross_entropy' with --output softmax"),
        (["--penalty", "fast"], "--penalty must be none or an expression such as .*, got 'fast'$"),
    ],
)  # fmt: skip
def test_what_the_library_refuses_is_said_in_typed_words(call, words, message):
    code, out, err = call("train", *words, text="a,kind\n1,0\n2,1\n")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert re.search(message, err), err


# ---------------------------------------------------------------- classes


def samples_of(tmp_path, text, *, target="kind", groups=None):
    path = tmp_path / "s.csv"
    path.write_text(text)
    return read_samples(path, [target], groups, settings={"output": "softmax"})


def test_labels_become_columns_in_order(tmp_path):
    samples = samples_of(tmp_path, LABELS)
    assert samples.classes == tuple(sorted(KINDS))
    expected = np.eye(3)[[sorted(KINDS).index(KINDS[k]) for _, _, k in ROWS]]
    assert samples.y.tolist() == expected.tolist()
    assert (samples.inputs, samples.targets, samples.X.shape) == (["a", "b"], ["kind"], (6, 2))


def test_whole_numbers_are_in_order_of_their_size(tmp_path):
    samples = samples_of(tmp_path, "kind,x\n10,1\n9.0,2\n9,3\n100,4\n")
    assert samples.classes == ("9", "10", "100")
    assert samples.y.argmax(axis=1).tolist() == [1, 0, 0, 2]


def test_classes_beside_groups(tmp_path):
    samples = samples_of(tmp_path, "g,kind,x\np,u,1\nq,v,2\np,v,3\n", groups="g")
    assert (samples.inputs, samples.classes) == (["x"], ("u", "v"))
    assert samples.labels.tolist() == ["p", "q", "p"]
    assert samples.y.tolist() == [[1, 0], [0, 1], [0, 1]]
    assert samples.X.tolist() == [[1], [2], [3]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,kind\n1,x\n2,x\n", "target 'kind' must have at least 2 classes, got 1: 'x'$"),
        ("a,kind\n1,0.5\n2,1\n", "target 'kind' must be labels or whole numbers with "
         "output='softmax', got 0.5$"),
        ("a,kind\n1,\n2,1\n", "line 2, column 'kind': the label is missing$"),
        ("a,c\n1,x\n", "target must be a column of the table, got 'kind'; its columns: a, c$"),
        ("kind\nx\ny\n", "has no column besides the target, and a network needs inputs$"),
    ],
)  # fmt: skip
def test_bad_classes_are_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        samples_of(tmp_path, text)


def test_a_target_of_labels_says_what_takes_it(call):
    code, _, err = call("train", "--raw")
    assert code == 2
    assert "'rose' is not a number; --output softmax --loss cross_entropy takes a target" in err


def test_classes_from_the_file_to_the_accuracy(call, tmp_path):
    held = tmp_path / "held.csv"
    held.write_text("kind,b,a\niris,0.5,0.45\nrose,0.95,0.05\n")
    saved = tmp_path / "run.npz"
    words = [*SOFTMAX, "--validation", held, "--iterations", "500"]
    code, out, _ = call("train", *words, "--save", saved)
    assert code == 0
    assert "Classes, in the order of the outputs: iris, lily, rose\n" in out
    assert "A 2-4-3 network, alpha 1, seed 1\n" in out
    assert "Accuracy: 100 % of the samples\nAccuracy: 100 % of the validation set\n" in out
    run = fastgd.load(saved)
    assert run.predict([[0.1, 0.9]]).argmax() == 2
    code, out, _ = call("train", "--resume", saved, "--validation", held, "--iterations", "9")
    assert (code, "Finished after 509 iterations" in out) == (0, True)
    code, out, _ = call("train", *words, "--json")
    facts = json.loads(out)
    assert facts["classes"] == sorted(KINDS)
    assert facts["accuracy"] == {"samples": 1.0, "validation set": 1.0}
    held.write_text("kind,b,a\ntulip,0.5,0.45\n")
    code, out, err = call("train", *words)
    assert (code, out) == (2, "")
    assert "held.csv: target 'kind' must be one of iris, lily, rose, got 'tulip' in row 1" in err
    held.write_text("b,a\n0.5,0.45\n")
    assert "must have the columns of" in call("train", *words)[2]


@pytest.mark.slow
def test_an_expression_is_trained_and_shown(call, tmp_path):
    saved = tmp_path / "sweep.npz"
    code, out, _ = call(
        "sweep", "--activation", str(SWISH), "--parameter", "beta=0.5,2", "--save", saved,
        "--iterations", 20, text="a,b,kind\n1,2,0\n2,1,1\n",
    )  # fmt: skip
    assert code == 0
    assert "2 runs: 2 values of beta" in out
    assert "activation a / (1 + exp(-beta * a))" in out
    sweep = fastgd.load(saved)
    assert sweep.axes == {"beta": [0.5, 2.0]} | {n: v for n, v in sweep.axes.items() if n != "beta"}
    assert sweep.method.activation == fastgd.Function(str(SWISH), beta=0.5)


# ---------------------------------------------------------------- rules


PLAIN = "lambda w, g, alpha, m, beta=0.9: (w + alpha * m, beta * m + g)"


def test_a_rule_is_typed_as_text():
    assert read(rule=PLAIN) == {"optimizer": fastgd.Rule(PLAIN)}
    found = read(rule=PLAIN, parameter=["beta=0.5"])
    assert found == {"optimizer": fastgd.Rule(PLAIN, beta=0.5)}
    several = read(several=True, rule=[PLAIN], parameter=["beta=0.5,0.9"])
    assert several == {"optimizer": fastgd.Rule(PLAIN, beta=[0.5, 0.9])}
    two = read(several=True, rule=[PLAIN, LION.formula], parameter=["beta=0,0.5"], beta1="0.5")
    betas = [fastgd.Rule(PLAIN, beta=beta) for beta in (0, 0.5)]
    assert two == {"optimizer": [*betas, LION._replace(beta1=0.5)]}


def test_a_rule_is_read_from_a_file(tmp_path):
    file = tmp_path / "own.py"
    file.write_text(f"import fastgd\ndef plain(w, g, p=2):\n    return w + p * g\n\n"
                    f"other = fastgd.Rule('{PLAIN}')\n")  # fmt: skip
    assert read(rule=f"{file}:plain") == {"optimizer": fastgd.Rule("lambda w, g, p=2: w + p * g")}
    assert read(rule=f"{file}:other") == {"optimizer": fastgd.Rule(PLAIN)}
    with pytest.raises(RefusedError, match=r"--rule '.*own.py:absent': a Rule must be a function"):
        read(rule=f"{file}:absent")
    file.write_text("1 / 0")
    with pytest.raises(RefusedError, match=r"--rule '.*own.py:plain': division by zero"):
        read(rule=f"{file}:plain")
    with pytest.raises(RefusedError, match=r"--rule '.*none.py:plain': .*No such file"):
        read(rule=f"{tmp_path}/none.py:plain")


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({"rule": "w + g"}, r"--rule 'w \+ g': a Rule must be a lambda expression"),
        ({"rule": "lambda w, g: w + k"}, "--rule .*: a Rule: unknown name 'k'"),
        (
            {"rule": PLAIN, "optimizer": "adam"},
            "--rule must be left out with --optimizer, got both",
        ),
        ({"rule": PLAIN, "momentum": "0.5"}, "--momentum needs --optimizer .*, got lambda w, g, "),
        ({"rule": PLAIN, "parameter": ["gamma=1"]}, "--parameter gamma must be in an expression"),
    ],
)
def test_what_is_no_rule(typed, message):
    with pytest.raises(RefusedError, match=message):
        read(**typed)


def test_rules_in_a_race():
    assert read_entry(f"{PLAIN},alpha=0.1") == (fastgd.Rule(PLAIN), 0.1)
    assert read_entry(f"{PLAIN}, beta=0.5, alpha=2") == (fastgd.Rule(PLAIN, beta=0.5), 2)
    assert read_entry("lambda w, g, alpha: w + alpha*g,alpha=2") == (
        fastgd.Rule("lambda w, g, alpha: w + alpha * g"),
        2,
    )
    with pytest.raises(RefusedError, match="takes beta=X, alpha=X, got 'gamma=1'"):
        read_entry(f"{PLAIN},gamma=1")
    with pytest.raises(
        RefusedError, match=r"needs its alpha in a race: lambda .*,alpha=X, got none"
    ):
        read_entry(f"{PLAIN},beta=1")


def test_a_command_trains_by_a_rule(call):
    words = ["--rule", PLAIN, "--alpha", 0.1, "--iterations", 5, "--json"]
    code, out, _ = call("train", *SOFTMAX, *words)
    assert code == 0
    options = json.loads(out)["options"]
    assert options["optimizer"] == {"name": PLAIN, "formula": PLAIN, "beta": 0.9}
