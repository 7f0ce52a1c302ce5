from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import pytest

from fastgd.tables import reading as table_reading
from fastgd.tables.reading import read_columns
from fastgd.tables.table_samples import read_samples


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"a,y\n", "has a header line, but no line below it"),
        (b"0,1\n1,0\n", r"has no header line: its first line holds numbers only \(0, 1\)"),
        (b"a,,y\n1,2,3\n", "column 2 has no name"),
        (b"a,y,a\n1,2,3\n", "'a' is the name of two columns"),
        (b"a,y\n1,0\n1\n", "line 3: 1 cell, the header line has 2"),
        (b"a,y\n1,0\n1,2,3\n", "line 3: 3 cells, the header line has 2"),
        (b"a,y\n1,0\n\n1,red\n", "line 4, column 'y': 'red' is not a number"),
        (b"a,y\n1_0,0\n", "line 2, column 'a': '1_0' is not a number"),
        (b"a,y\n,0\n", "line 2, column 'a': an empty cell is not a number"),
        (b"a,y\n1,nan\n", "line 2, column 'y': 'nan' is not a finite number"),
        (b"a,y\ninf,0\n", "line 2, column 'a': 'inf' is not a finite number"),
        (b"y\n1\n0\n", "no column besides the target"),
        (b"a,y\n\xff\1,1\n", "is not UTF-8 text: byte 0xFF at position 4"),
        (b"a,y\n1,\x00\n", "must be text, got a file with zero bytes"),
        (b'a,y\n"1,0\n', "line 2: unexpected end of data"),
        (b'a,y\n"1"2,0\n3,"4\n', "must close each quote, got one open at its end"),
    ],
)
def test_bad_files(tmp_path, content, message):
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_samples(path, ["y"])
    assert str(path) in str(caught.value)


def test_a_file_without_an_end_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "long.csv"
    path.write_text("a,y\n" + "1,0\n" * 100)
    monkeypatch.setattr(table_reading, "LARGEST", 404)
    assert len(read_samples(path, ["y"]).X) == 100
    monkeypatch.setattr(table_reading, "LARGEST", 403)
    with pytest.raises(ValueError, match=r"must have at most 403 bytes, got more than that$"):
        read_samples(path, ["y"])


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no such device")
def test_zeros_without_an_end():
    with pytest.raises(ValueError, match="must be text, got a file with zero bytes"):
        read_samples(Path("/dev/zero"), ["y"])


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 7])
def test_where_a_file_is_cut_into_chunks_does_not_matter(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(table_reading, "CHUNK", chunk)
    path = tmp_path / "names.csv"
    path.write_bytes("\ufeffgröße,y\n1,0\n".encode())
    assert read_samples(path, ["y"]).inputs == ["größe"]
    path.write_bytes("größe,y\n1,0\n".encode() + b"\xff")
    with pytest.raises(ValueError, match="byte 0xFF at position 14 can't be read: save"):
        read_samples(path, ["y"])
    path.write_bytes("größe,y\n1,0\nö".encode()[:-1])
    with pytest.raises(ValueError, match="byte 0xC3 at position 14 can't be read: save"):
        read_samples(path, ["y"])


def test_numbers_that_do_not_fit_into_the_memory(tmp_path, monkeypatch):
    path = tmp_path / "large.csv"
    path.write_text("a,y\n1,0\n")
    monkeypatch.setattr("fastgd.checks.numbers.ALWAYS_FITS", 0)
    monkeypatch.setattr("fastgd.checks.numbers.available_memory", lambda: 95)
    monkeypatch.setattr(table_reading, "CHUNK", 8)
    with pytest.raises(ValueError, match=r"large.csv must fit into the .* memory \(95 bytes"):
        read_samples(path, ["y"])


def test_a_hundred_thousand_columns_are_read_in_seconds(tmp_path):
    columns = 100_000
    path = tmp_path / "wide.csv"
    names = ",".join(f"c{i}" for i in range(columns))
    path.write_text(f"{names}\n{'0.5,' * (columns - 1)}1\n")
    begin = perf_counter()
    assert read_samples(path, [f"c{columns - 1}"]).X.shape == (1, columns - 1)
    assert perf_counter() - begin < 20  # 0.3 s here; a quadratic search took more than 100


def test_long_lines_are_no_matter_for_guessing(tmp_path):
    path = tmp_path / "quotes.csv"
    columns = 30_000
    names = ";".join(f'"c{i}"' for i in range(columns))
    path.write_text(f"{names}\n{'0;' * (columns - 1)}1\n")
    assert read_samples(path, ["c7"]).X.shape == (1, columns - 1)


def test_names_are_shown_to_a_bound(tmp_path):
    path = tmp_path / "names.csv"
    path.write_text(f"{'n' * 100_000},y\n1,0\n")
    with pytest.raises(ValueError, match="must be a column of the table, got 'zz") as caught:
        read_samples(path, ["z" * 1000])
    assert len(str(caught.value)) < len(str(path)) + 200


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (["z"], "target must be a column of the table, got 'z'; its columns: a, y$"),
        (["y", "y"], "target must name each column once, got 'y' twice"),
        (["y", "a"], "no column besides the target"),
    ],
)
def test_bad_targets(tmp_path, targets, message):
    path = tmp_path / "good.csv"
    path.write_text("a,y\n1,0\n")
    with pytest.raises(ValueError, match=message):
        read_samples(path, targets)


@pytest.mark.parametrize(
    "content",
    [
        b"a,b,y\n1,2,0\n3,4,1\n",
        b"\xef\xbb\xbfa,b,y\r\n1,2,0\r\n3,4,1\r\n",
        b'"a","b","y"\n"1","2","0"\n"3","4","1"\n',
        b"a;b;y\n1;2;0\n3;4;1\n\n\n",
        b"a\tb\ty\n1\t2\t0\n3\t4\t1",
        b"a, b, y\n 1, 2, 0\n 3, 4, 1\n",
        b"\na,b,y\n1,2,0\n\n3,4,1\n",
        b"b,y,a\n2,0,1\n4,1,3\n",
        b'"a";"b";"y"\n"1";"2";"0"\n"3";"4";"1"\n',
        b"a,b,y\r1,2e0,0\r3,+4.0,1\r",
    ],
)
def test_files_as_programs_write_them(tmp_path, content):
    path = tmp_path / "good.csv"
    path.write_bytes(content)
    samples = read_samples(path, ["y"])
    assert sorted(samples.inputs) == ["a", "b"]
    order = [samples.inputs.index(name) for name in ("a", "b")]
    assert samples.X[:, order].tolist() == [[1, 2], [3, 4]]
    assert samples.y.tolist() == [[0], [1]]


def test_decimal_commas_do_not_pass_for_delimiters(tmp_path):
    path = tmp_path / "decimals.csv"
    path.write_text("x;y\n0,5;1\n1,5;0\n")
    with pytest.raises(ValueError, match="column 'x': '0,5' is not a number"):
        read_samples(path, ["y"])


def test_the_header_decides_if_rows_are_too_uneven_to_tell_the_delimiter(tmp_path):
    path = tmp_path / "uneven.csv"
    path.write_text("a;b;y\n1,5\n")
    with pytest.raises(ValueError, match="line 2: 1 cell, the header line has 3"):
        read_samples(path, ["y"])


def test_names_may_hold_the_delimiter_and_line_breaks(tmp_path):
    path = tmp_path / "names.csv"
    path.write_text('"width, in cm","two\nlines",y\n1,2,0\n3,4,1\n')
    assert read_samples(path, ["y"]).inputs == ["width, in cm", "two\nlines"]


def test_labels_are_not_missing_for_what_they_say(tmp_path):
    path = tmp_path / "countries.csv"
    path.write_text("country,x,y\nNA,1,0.5\nDE,2,1\nNA,300,0\n")
    samples = read_samples(path, ["y"], "country", raw=None)
    assert samples.preparation is not None  # one of the inputs is large
    assert samples.labels.tolist() == ["NA", "DE", "NA"]
    path.write_text("x,kind\n1,none\n2,some\n300,none\n")
    assert read_samples(path, ["kind"], settings={"output": "softmax"}).classes == ("none", "some")


def test_rows_without_a_target_do_not_matter(tmp_path):
    path = tmp_path / "holes.parquet"
    frame = pd.DataFrame({"a": [1, np.inf, 3, 4], "b": [1.0, 2, 3, 5], "y": [0, np.inf, 0, 1]})
    frame.to_parquet(path)
    samples = read_samples(path, ["y"], raw=None)
    assert samples.inputs == ["a", "b"]
    assert samples.notes[0] == "y: missing in 1 row (1 of them infinite), left out"
    known = {"preparation": samples.preparation, "encoded": samples.encoded}
    frame.assign(a=[1, np.inf, 3, 4], more=np.inf).to_parquet(path)
    assert np.array_equal(read_samples(path, ["y"], raw=None, **known).X, samples.X)


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        ("2.0 10.0 1.0", [2, 10, 1]),
        ("2.0 10 007", ["2.0", "10", "007"]),
        ("2.5 10.0 1.0", ["2.5", "10.0", "1.0"]),
    ],
)
def test_whole_labels_with_a_decimal_point_are_in_order(tmp_path, cells, labels):
    path = tmp_path / "groups.csv"
    path.write_text("g,x,y\n" + "".join(f"{g},{x},1\n" for x, g in enumerate(cells.split(), 99)))
    assert read_samples(path, ["y"], "g", raw=None).labels.tolist() == labels


def test_large_labels_keep_all_their_digits(tmp_path):
    large = [10**18 + 1, 10**18 + 2, 5]
    pd.DataFrame({"g": large, "x": [1, 2, 3], "y": [0, 1, 0]}).to_parquet(tmp_path / "g.parquet")
    samples = read_samples(tmp_path / "g.parquet", ["y"], "g", raw=None)
    assert samples.labels.tolist() == large


def test_where_a_group_label_is_missing(tmp_path):
    path = tmp_path / "groups.csv"
    path.write_text("g,x,y\n,1,\na,x,1\n\n,z,1\n")
    with pytest.raises(ValueError, match="line 5, column 'g': the label is missing"):
        read_samples(path, ["y"], "g", raw=None)


@pytest.mark.parametrize(
    ("cells", "classes"),
    [("true false TRUE", ("TRUE", "false", "true")), ("1 2 nan", ("1", "2", "nan"))],
)
def test_classes_are_called_as_they_are_written(tmp_path, cells, classes):
    path = tmp_path / "classes.csv"
    path.write_text("x,y\n" + "".join(f"1,{cell}\n" for cell in cells.split()))
    assert read_samples(path, ["y"], settings={"output": "softmax"}).classes == classes


def test_long_cells_and_what_follows_a_closing_quote(tmp_path):
    path = tmp_path / "cells.csv"
    path.write_text(f'x,z,y\n1,{"z" * 200_000},0\n"2" ,"z"z,1\n"3", "zz",1\n')
    columns = read_columns(path)
    assert columns["x"].tolist() == [1, 2, 3]
    assert columns["z"].tolist() == ["z" * 200_000, "zz", "zz"]


def test_means_of_the_target_are_cross_fitted_in_the_rows_they_are_learned_from(tmp_path):
    path = tmp_path / "cities.csv"
    lines = [f"{'ABC'[k % 3]},{k % 3 + k % 2 / 8}\n" for k in range(60)]
    path.write_text("city,y\n" + "".join(lines))
    how = {"raw": False, "max_categories": 2, "encoding": "target"}
    samples = read_samples(path, ["y"], **how, learned_from=lambda n: np.arange(n) < 30)
    assert samples.inputs == ["city"]
    assert len(np.unique(samples.X[30:])) == 3
    assert len(np.unique(samples.X[:30])) > 3
