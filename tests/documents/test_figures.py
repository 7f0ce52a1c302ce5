"""Figures and versions stand in several files, and are the same in all of them."""

import importlib.util
from importlib.metadata import version

import pytest

from document import ROOT

BENCHMARKS = ROOT / "docs" / "benchmarks.md"
README = ROOT / "README.md"


@pytest.fixture(scope="module")
def report():
    """The script that writes both tables; it is no package."""
    spec = importlib.util.spec_from_file_location("report", ROOT / "bench" / "report.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def between_markers(path, report):
    return path.read_text().split(report.BEGIN)[1].split(report.END)[0].strip().splitlines()


def rows(lines):
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]
    return {(row[0], row[2]): row for row in cells[2:]}


def test_the_readme_shows_five_rows_of_one_run_and_of_this_version(report):
    short = between_markers(README, report)
    assert list(rows(short)) == list(report.README)
    assert len(report.README) == 5
    assert rows(short).keys() <= rows(between_markers(BENCHMARKS, report)).keys()
    assert f"fastgd {version('fastgd')}," in short[-1]  # machine, versions, date


def test_both_tables_are_written_from_the_same_lines(report, tmp_path):
    lines = [report.Line(*key, 2.0, 5.0, 2.5, ">= 2", threads=1) for key in report.README]
    lines.append(report.Line("import fastgd", "the limit", 0.1, 0.2, 0.5, "<= 1", unit="s"))
    document = tmp_path / "document.md"
    document.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    report.write_between_markers(document, report.markdown(lines, "stamp"))
    whole = rows(between_markers(document, report))
    assert len(whole) == 6
    report.write_between_markers(document, report.short_markdown(lines, "stamp"))
    short = rows(between_markers(document, report))
    assert short == {key: whole[key][:6] for key in report.README}
    assert document.read_text().startswith("before\n")
    assert document.read_text().endswith("stamp.\n<!-- bench:end -->\nafter\n")


def test_what_a_work_is_of_its_bound_stands_in_all_its_lines(report):
    lines = [
        report.Line("a", "NumPy", 2.0, 5.0, 2.5),
        report.Line("b", "NumPy", 2.0, 5.0, 2.5),
        report.Line("a", report.BOUND, 3.0, 2.0, 1.5, "<= 2"),
    ]
    assert report.OF_BOUND not in report.markdown(lines, "stamp")
    found = report.with_bounds(lines)
    assert [line.of_bound for line in found] == [1.5, None, 1.5]
    place = report.HEAD.index(report.OF_BOUND)
    assert [line.cells()[place] for line in found] == ["1.50x", "", "1.50x"]
    head = report.markdown(found, "stamp").splitlines()[0]
    assert head == f"| {' | '.join(report.HEAD)} |"
    assert report.OF_BOUND in report.text(found, "stamp").splitlines()[0]


def test_a_row_that_was_not_measured_is_missed(report):
    with pytest.raises(ValueError, match="README's rows must be measured"):
        report.short_markdown([], "stamp")
