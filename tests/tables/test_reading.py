"""Tables from files: separators, decimal signs, what is missing, and what is no table."""

import gzip
import io
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fastgd.tables import reading as table_reading
from fastgd.tables.reading import Dialect, decimal_of, read, read_columns, separator_of

PLAIN = "city,price,sold\nRome,1.5,true\nOslo,,FALSE\n"
COLUMNS = {"city": ["Rome", "Oslo"], "price": [1.5, np.nan], "sold": [True, False]}

WRITTEN = {
    "comma.csv": PLAIN.encode(),
    "semicolon.csv": PLAIN.replace(",", ";").encode(),
    "tab.tsv": PLAIN.replace(",", "\t").encode(),
    "pipe.txt": PLAIN.replace(",", "|").encode(),
    "decimal.csv": PLAIN.replace(",", ";").replace("1.5", "1,5").encode(),
    "quoted.csv": PLAIN.replace("1.5", '"1,5"').encode(),
    "mark.csv": b"\xef\xbb\xbf" + PLAIN.encode(),
    "windows.csv": PLAIN.replace("\n", "\r\n").encode(),
    "spaces.csv": PLAIN.replace(",", " ,  ").encode(),
    "blank.csv": ("\n" + PLAIN.replace("\n", "\n\n")).encode(),
    "absent.csv": PLAIN.replace(",,", ",n/a,").encode(),
    "packed.csv.gz": gzip.compress(PLAIN.encode()),
    "packed.tsv.GZ": gzip.compress(PLAIN.replace(",", "\t").encode()),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_tables_as_programs_write_them(tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, "pandas", None)  # text needs none
    path = tmp_path / name
    path.write_bytes(WRITTEN[name])
    columns = read_columns(path)
    assert list(columns) == list(COLUMNS)
    assert columns["city"].tolist() == COLUMNS["city"]
    assert np.array_equal(columns["price"], COLUMNS["price"], equal_nan=True)
    assert columns["sold"].tolist() == COLUMNS["sold"]


def test_a_frame_has_the_same(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(PLAIN)
    frame = read(path)
    assert isinstance(frame, pd.DataFrame)
    assert frame["price"].dtype == np.float64
    assert frame["city"].tolist() == ["Rome", "Oslo"]


def test_parquet_keeps_its_types(tmp_path):
    path = tmp_path / "table.parquet"
    frame = pd.DataFrame({"a": [1.0, None], "b": ["x", None], "c": [True, False]})
    frame.to_parquet(path)
    columns = read_columns(path)
    assert np.array_equal(columns["a"], [1, np.nan], equal_nan=True)
    assert columns["b"].tolist() == ["x", None]
    assert columns["c"].tolist() == [True, False]


@pytest.mark.parametrize("missing", ["pandas", "pyarrow"])
def test_parquet_needs_an_extra(tmp_path, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    (tmp_path / "table.parquet").touch()
    with pytest.raises(ImportError, match=r"needs pandas and pyarrow: .+fastgd\[parquet\]"):
        read_columns(tmp_path / "table.parquet")


def test_a_frame_needs_pandas(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"a table needs pandas: .+fastgd\[dataframe\]"):
        read(tmp_path / "table.csv")


DECIMALS = {
    "points": (["0.5", "1"], ";", (".", "")),
    "commas": (["0,5", "1"], ";", (",", "")),
    "German": (["1.234,5", "1.234.567"], ";", (",", ".")),
    "American": (["1,234.5", "12"], ";", (".", ",")),
    "American, in quotes": (["1,234", "12"], ",", (".", ",")),
    "millions": (["1,234,567"], ";", (".", ",")),
    "three digits": (["1.234", "5.678"], ";", (".", "")),
    "texts": (["a.b", "26.11.2026", "1.2.3", "v1,5"], ";", (".", "")),
    "exponents": (["1,5e-3", "-2,5E+10"], ";", (",", "")),
    "nothing": ([], ",", (".", "")),
}


@pytest.mark.parametrize("case", DECIMALS)
def test_the_decimal_sign_is_found(case):
    cells, separator, expected = DECIMALS[case]
    assert decimal_of(cells, separator) == expected


UNSURE = {
    "both": (["0.5", "0,5"], "decimal must be the same in all numbers, got '0.5' and '0,5'"),
    "both, grouped": (
        ["1,234.5", "1.234,5"],
        "got '1,234.5' and '1.234,5'",
    ),
    "either way": (["1,234"], "for ambiguous numbers, got '1,234'"),
}


@pytest.mark.parametrize("case", UNSURE)
def test_what_may_be_two_numbers_is_refused(tmp_path, case):
    cells, message = UNSURE[case]
    with pytest.raises(ValueError, match=message):
        decimal_of(cells, ";")
    path = tmp_path / "unsure.csv"
    path.write_text("a;b\n" + "".join(f"{cell};1\n" for cell in cells))
    with pytest.raises(ValueError, match=f"{message} in .*unsure.csv$"):
        read_columns(path)


def test_a_sign_that_is_given_decides(tmp_path):
    path = tmp_path / "unsure.csv"
    path.write_text("a;b\n1,234;1\n")
    assert read_columns(path, decimal=",")["a"].tolist() == [1.234]
    assert read_columns(path, decimal=".")["a"].tolist() == [1234]


NUMBERS = {
    "1.234,5": 1234.5,
    "-1.234.567": -1234567,
    "12,5e3": 12500,
    "1.5": None,
    "26.11.2026": None,
    "1.23,5": None,
    "1_0": None,
    "": None,
}


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_with_a_decimal_comma(text):
    assert Dialect(",", ".").number(text) == NUMBERS[text]


@pytest.mark.parametrize("typed", ["tab", "\t", r"\t"])
def test_a_separator_that_is_given_decides(tmp_path, typed):
    path = tmp_path / "odd.csv"
    path.write_text("a,b\tc,d\n1,2\t3,4\n")
    assert list(read_columns(path, sep=typed)) == ["a,b", "c,d"]


def test_separators_that_there_are_not(tmp_path):
    path = tmp_path / "odd.csv"
    path.write_text("a\n1\n")
    with pytest.raises(ValueError, match=r"sep must be ',', ';', 'tab' or '\|', got 'x'"):
        read_columns(path, sep="x")
    with pytest.raises(ValueError, match=r"decimal must be '.' or ',', got 'x'"):
        read_columns(path, decimal="x")


def test_the_separator_is_that_of_even_lines():
    assert separator_of('name;note\na;"1,2,3"\nb;"4,5"\n') == ";"
    assert separator_of("a|b,c\n1|2\n3|4,5\n") == "|"


def test_columns_that_stay_texts(tmp_path):
    path = tmp_path / "zip.csv"
    path.write_text("zip,x\n01234,1\n99999,2\n")
    assert read_columns(path)["zip"].tolist() == [1234, 99999]
    assert read_columns(path, texts=["zip"])["zip"].tolist() == ["01234", "99999"]


def test_a_column_without_a_name_is_called_as_pandas_does(tmp_path):
    path = tmp_path / "saved.csv"
    pd.DataFrame({"x": [5, 6]}).to_csv(path)
    assert list(read_columns(path)) == list(pd.read_csv(path)) == ["Unnamed: 0", "x"]


def test_numbers_have_all_their_bits(tmp_path):
    numbers = np.random.default_rng(0).normal(size=1000) * 10.0 ** np.arange(-200, 200, 0.4)
    path = tmp_path / "bits.csv"
    pd.DataFrame({"x": numbers, "y": -numbers}).to_csv(path, index=False)
    assert read_columns(path)["x"].tolist() == numbers.tolist()


NO_TABLES = {
    "empty.csv": (b"", "is empty"),
    "blank.csv": (b"\n \n", "is empty"),
    "header.csv": (b"a,b\n", "has a header line, but no line below it"),
    "numbers.csv": (b"1,2\n3,4\n", r"has no header line: its first line holds numbers only \(1, 2"),
    "twice.csv": (b"a,a\n1,2\n", "header line: 'a' is the name of two columns"),
    "short.csv": (b"a,b\n1,2\n3\n", "line 3: 1 cell, the header line has 2"),
    "long.csv": (b"a,b\n1,2\n3,4,5\n", "line 3: 3 cells, the header line has 2"),
    "quote.csv": (b'a,b\n"1,2\n', "unexpected end of data"),
    "joined.csv": (
        "größe\n".encode() + "größe\n".encode("latin-1"),
        "is not UTF-8 text: byte 0xF6 at position 10 can't be read: save it as UTF-8",
    ),
    "undefined.csv": (b"a\n\x81\n", "byte 0x81 at position 2 can't be read: save it as UTF-8"),
    "binary.csv": (
        bytes(range(1, 256)),
        "byte 0x80 at position 127 can't be read: is it another kind of file",
    ),
    "half.csv": (b"\xff\xfea\0b", "is not UTF-16-LE text: byte 0x62 at position 4 .* another kind"),
    "zero.csv": (b"a,b\n1,\0\n", "must be text, got a file with zero bytes"),
    "plain.csv.gz": (PLAIN.encode(), "must be a complete gzip file, since it ends in .gz"),
    "cut.csv.gz": (gzip.compress(PLAIN.encode())[:-9], "must be a complete gzip file"),
    "plain.parquet": (PLAIN.encode(), "must be a complete Parquet file"),
}


@pytest.mark.parametrize("name", [name for name in NO_TABLES if "parquet" not in name])
def test_what_is_no_table_is_refused(tmp_path, name):
    content, message = NO_TABLES[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_columns(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_windows_text_is_read_with_a_warning(tmp_path):
    path = tmp_path / "latin.csv"
    path.write_bytes("Stadt;Größe\nKöln;1,5 €\n".encode("cp1252"))
    with pytest.warns(
        UserWarning, match=r"latin.csv is not UTF-8 text \(line 1\): read as Windows"
    ):
        columns = read_columns(path)
    assert columns["Größe"].tolist() == ["1,5 €"]
    path.write_bytes(("x,y\n" + "1,2\n" * 5 + "1,ß\n").encode("latin-1"))
    with pytest.warns(UserWarning, match=r"\(line 7\)"):
        read_columns(path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_unicode_text_of_spreadsheets(tmp_path, encoding):
    path = tmp_path / "wide.txt"
    mark = "\ufeff" * (encoding == "utf-16-be")
    path.write_bytes((mark + "Größe\tx\n1,5\tß\n").encode(encoding))
    columns = read_columns(path)
    assert columns["Größe"].tolist() == [1.5]
    assert columns["x"].tolist() == ["ß"]


def test_a_damaged_parquet_file(tmp_path):
    buffer = io.BytesIO()
    pd.DataFrame({"a": range(1000)}).to_parquet(buffer)
    for content in (NO_TABLES["plain.parquet"][0], buffer.getvalue()[:-20], b""):
        (tmp_path / "bad.parquet").write_bytes(content)
        with pytest.raises(ValueError, match=NO_TABLES["plain.parquet"][1]):
            read_columns(tmp_path / "bad.parquet")


def test_what_has_no_end_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "long.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 1000))
    monkeypatch.setattr(table_reading, "LARGEST", 4003)
    with pytest.raises(ValueError, match="must have at most 4,003 bytes, got more than that"):
        read_columns(path)
    with pytest.raises(OSError, match="No such file"):
        read_columns(tmp_path / "absent.csv")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no such device")
def test_zeros_without_an_end():
    with pytest.raises(ValueError, match="must be text, got a file with zero bytes"):
        read_columns(Path("/dev/zero"))
