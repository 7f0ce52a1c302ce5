"""Random hostile command lines: each is done or refused in a line, and steers no terminal.

Drawn with a seed. They are cheap: what is drawn for an option that would compile another kernel, or
take long, is refused.
"""

import gzip
import random
from pathlib import Path

import pytest
import typer.main

from cases import XOR_CSV
from fastgd.cli.app import app

COMMANDS = typer.main.get_command(app).commands

BATCHES, LINES = 8, 40

ALWAYS = (0, 15)
"""A batch of so many lines."""

EVIL = "\x1b[31m\x07\x9b\u202e[/x]"

ODD = (
    "", " ", "0", "-1", "-0", "nan", "-inf", "1e999", "9" * 25, "9" * 5000, "0x10", "1_0",
    "\u0661", "x", "a" * 3000, EVIL, "\n", "\udcff", "'", '"', "=1+1", "--", "-", ",", ",,",
    "1,", "1,x", "nan,1", "1,2,3,4,5", "[/]", "[bold]", "%s", "{}", "y", "a", "\x1b=1", "..", "/",
    "/dev/null", "evil.csv", "none.csv", "no/such.csv", "folder", "m.npz", "x.png", "local:99999",
    "tcp://", "none", "a*", "a/0", "a**a**a", "where(a>0,a)", "y-v", "(" * 500, "a" + "+a" * 500,
    "beta=1", "=", "all",
)  # fmt: skip

CHEAP = {
    "--alpha": ("0.1", "1", "1e300", "0.1,1"),
    "--balls": ("1", "3"),
    "--max-categories": ("0", "3"),
    "--checkpoint": ("c.npz",),
    "--decimal": (".", ","),
    "--drop": ("a", "g"),
    "--encoding": ("target",),
    "--experiment": ("thirteen-lines",),
    "--folds": ("2", "3"),
    "--groups": ("g", "a", EVIL),
    "--hidden-size": ("none", "4"),
    "--test-fraction": ("0.5", "0.01", "1"),
    "--validation-fraction": ("0.5", "0.01", "1"),
    "--iterations": ("1", "2", "3"),
    "--keep": ("a", "g"),
    "--kind": ("errors",),
    "--csv": ("o.csv", f"o{EVIL}.csv", "folder/o.csv"),
    "--plot": ("o.svg", f"o{EVIL}.svg"),
    "--out": ("o", f"o{EVIL}", "folder/o"),
    "--record-every": ("1", "5"),
    "--resolution": ("2", "3"),
    "--resume": ("run.npz", "m.npz"),
    "--save": ("s.npz", f"s{EVIL}.npz"),
    "--seed": ("0", "7"),
    "--seeds": ("1", "2"),
    "--sep": (",", ";"),
    "--split-seed": ("0", "none"),
    "--start": ("1", "-2,2"),
    "--target": ("y", "a", EVIL),
    "--threads": ("1", "2"),
    "--device": ("cpu", "gpu"),
    "--validation": ("xor.csv", "evil.csv"),
    "--weights-from": ("run.npz", "m.npz"),
    "--window": ("-1,1", "2,1"),
}
"""Values that may be valid, of options whose every valid value is cheap."""

NEVER = ("--progress", "--help", "--checkpoint-every")
"""A bar moves the cursor; the help has been seen; a checkpoint needs a clock."""

FLAGS = ("--json", "--no-progress", "--raw", "--prepare", "--raw-text", "--path",
         "--no-standardize", "--classification", "--regression", "--log-scale")  # fmt: skip
"""Flags without a kernel of their own."""

TABLES = {
    "xor.csv": XOR_CSV,
    "groups.csv": "g,a,y\n" + "".join(f"{'=pq'[k % 3]},{k % 5},{k % 2}\n" for k in range(18)),
    "evil.csv": f"a,{EVIL},y\n" + "".join(f"{k},{EVIL}{k % 2},{EVIL}{k % 3}\n" for k in range(15)),
    "empty.csv": "",
    "header.csv": "a,b,y\n",
    "numbers.csv": "1,2,3\n4,5,6\n",
    "twice.csv": "a,a,y\n1,2,3\n4,5,6\n",
    "ragged.csv": "a,b,y\n1,2\n4,5,6,7\n",
    "quote.csv": 'a,b,y\n1,"2,3\n4,5,6\n',
    "nul.csv": "a,b,y\n1,\x00,3\n4,5,6\n",
    "huge.csv": "a,b,y\n1e308,-1e308,1e308\n-1e308,1e308,0\n1,1,1\n",
    "holes.csv": "a,b,y\n1,,3\n,nan,\n4,inf,6\n",
    "dates.csv": "a,b,y\n2020-01-01,1,0\n2021-01-01,2,1\n2022-02-30,3,1\n",
    "signs.csv": "a;b;y\n1,5;2.5;=1\n2,5;3.5;@x\n",
}


@pytest.fixture
def at_work(tmp_path, monkeypatch, run):
    """A folder with odd files, and with what commands have saved."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    for name, text in TABLES.items():
        Path(name).write_text(text)
    Path("bytes.csv").write_bytes(b"a,b,y\n\xff\xfe,1,2\n\x80,3,4\n")
    Path("mark.csv").write_bytes(b"\xef\xbb\xbfa,y\n1,2\n3,4\n")
    Path("half.csv.gz").write_bytes(gzip.compress(XOR_CSV.encode())[:-9])
    Path("odd.parquet").write_bytes(b"PAR1" + bytes(40) + b"PAR1")
    Path("odd.npz").write_bytes(b"PK\x03\x04" + bytes(40))
    Path("folder").mkdir()
    Path("loop.csv").symlink_to("loop.csv")
    words = ["--iterations", 3, "--no-progress"]
    assert run("train", "xor.csv", "--target", "y", *words, "--save", "run.npz")[0] == 0
    assert run("train", "evil.csv", "--target", "y", *words, "--save", "m.npz")[0] == 0


FILES = [*TABLES, "bytes.csv", "mark.csv", "half.csv.gz", "odd.parquet", "odd.npz", "loop.csv",
         "folder", "none.csv", "run.npz", "m.npz", EVIL]  # fmt: skip
USUAL = {
    "tutorial": ["--experiment", "thirteen-lines"],
    "fit": ["evil.csv", "--target", "y", "--hidden-size", "none", "--folds", "2"],
    "predict": ["m.npz", "evil.csv"],
    "train": ["xor.csv", "--target", "y", "--iterations", "2"],
    "sweep": ["groups.csv", "--target", "y", "--iterations", "2"],
    "plot": ["run.npz", "--kind", "changes", "--plot", "p.svg"],
    "bucket": ["x**2", "--start", "1", "--iterations", "9"],
    "surface": ["--resolution", "3", "--iterations", "2"],
    "race": ["--iterations", "2", "--optimizer", "adam"],
    "trainability": ["--resolution", "2", "--iterations", "20", "--width", "2", "--plot", "p.svg"],
    "precompile": ["--no-such-option"],
}


def drawn(draws):
    """A command line: the usual one with other files, options put in, some of them twice."""
    name = draws.choice([*USUAL, "train", "sweep", "fit", "predict"])
    words = list(USUAL[name])
    if draws.random() < 0.4:
        places = [k for k, word in enumerate(words) if word.endswith((".csv", ".npz"))]
        for place in places:
            words[place] = draws.choice(FILES)
    for _ in range(draws.choice((0, 1, 1, 2, 3))):
        option = draws.choice(options_of(name))
        put_in = [option] if option in FLAGS else [option, value_of(option, draws)]
        if option in words and draws.random() < 0.7:  # in place of the usual one
            at = words.index(option)
            words[at : at + len(put_in)] = put_in
        else:
            words += put_in
    if draws.random() < 0.1:
        words.insert(draws.randrange(len(words) + 1), draws.choice(ODD))
    return [name, *words]


def options_of(name):
    """Options that take a value, and those of the flags that compile nothing."""
    flags = [(flag, one) for one in COMMANDS[name].params for flag in one.opts + one.secondary_opts]
    return [
        flag
        for flag, one in flags
        if flag in FLAGS or (flag.startswith("--") and flag not in NEVER and not one.is_flag)
    ]


def value_of(option, draws):
    if option in CHEAP and draws.random() < 0.5:
        return draws.choice(CHEAP[option])
    return draws.choice(ODD)


@pytest.mark.usefixtures("at_work")
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    ("batch", "lines"),
    [ALWAYS, *(pytest.param(k, LINES, marks=pytest.mark.slow) for k in range(BATCHES))],
)
def test_a_line_is_done_or_refused_in_a_line(run, batch, lines):
    draws = random.Random(batch)
    kept = {path: path.read_bytes() for path in map(Path, TABLES)}
    codes = []
    for _ in range(lines):
        words = drawn(draws)
        try:
            code, out, err = run(*words)
        except BaseException as error:
            raise AssertionError(f"{words} ends with {error!r}") from error
        assert code in (0, 2), (words, code, err)
        assert all(line.isprintable() for line in (out + err).split("\n")), (words, out, err)
        said = err.splitlines()
        assert all(line.startswith("fastgd: ") for line in said), (words, err)
        errors = [line for line in said if line.startswith("fastgd: error: ")]
        if code == 2:
            assert (out, errors) == ("", said[-1:]), (words, err)
        else:
            assert not errors, (words, err)
        codes.append(code)
    assert {0, 2} <= {*codes}
    assert kept == {path: path.read_bytes() for path in kept}
    assert not [*Path().rglob("*unfinished*")]
