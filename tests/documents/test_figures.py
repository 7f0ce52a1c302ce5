"""Measured figures are kept once, and all documents show them as they are."""

from importlib.metadata import version

import pytest

from benches import bench

DOCUMENTS = bench("documents")
REPORT = DOCUMENTS.report
FOUND = REPORT.kept()
MAIN = DOCUMENTS.last_measured(FOUND)


@pytest.mark.parametrize("document", DOCUMENTS.texts(FOUND), ids=lambda path: path.name)
def test_tables_are_those_of_the_kept_figures(document):
    for name, text in DOCUMENTS.texts(FOUND)[document].items():
        assert REPORT.between_markers(document.read_text(), name)[1] == text, name


def test_the_newest_figures_are_of_this_version_and_all_of_one_processor():
    assert len(DOCUMENTS.IN_README) == 5
    assert all(f"fastgd {version('fastgd')}," in table.stamp for table in FOUND[MAIN].values())
    assert f"ratio, {MAIN}" in REPORT.between_markers(DOCUMENTS.README.read_text(), "speed")[1]


def lines(*ratios):
    rows = zip(("a", "b", "c"), ratios, strict=False)
    return [REPORT.Line(work, "NumPy", 2.0, 5.0, x, ">= 2", threads=1) for work, x in rows]


def test_a_measurement_replaces_its_tables_and_no_others(tmp_path, monkeypatch):
    monkeypatch.setattr(REPORT, "FIGURES", tmp_path)
    older, newer = "AMD (family 26 model 2), 2026-11-25", "AMD (family 25 model 17), 2026-12-01"
    REPORT.keep({"speed": lines(2.5, 1.5), "parts": lines(3.0)}, older)
    REPORT.keep({"speed": lines(2.0)}, newer)
    REPORT.keep({"parts": lines(4.0)}, older)
    found = REPORT.kept()
    assert [*found] == ["Zen 4", "Zen 5"]
    assert found["Zen 5"]["parts"] == (lines(4.0), older)
    assert found["Zen 5"]["speed"].lines == lines(2.5, 1.5)
    assert DOCUMENTS.last_measured(found) == "Zen 4"
    head, _, row, *_ = DOCUMENTS.markdown(found, [("speed", "a", "NumPy")], is_whole=True).split(
        "\n"
    )
    assert head == "| work | against | ours | theirs | ratio, Zen 4 | Zen 5 | target |"
    assert row == "| a | NumPy | 2.00 ns | 5.00 ns | 2.00x | 2.50x | 2 yes |"
    with pytest.raises(ValueError, match="all rows must be measured, got none of"):
        DOCUMENTS.markdown(found, [("speed", "c", "NumPy")], is_whole=True)


def test_what_a_work_is_of_its_bound_stands_in_all_its_lines():
    given = [*lines(2.5, 2.5), REPORT.Line("a", REPORT.BOUND, 3.0, 2.0, 1.5, "<= 2")]
    assert REPORT.OF_BOUND not in REPORT.markdown(given, "stamp")
    found = REPORT.with_bounds(given)
    assert [line.of_bound for line in found] == [1.5, None, 1.5]
    place = REPORT.HEAD.index(REPORT.OF_BOUND)
    assert [line.cells()[place] for line in found] == ["1.50x", "", "1.50x"]
    assert REPORT.markdown(found, "stamp").splitlines()[0] == f"| {' | '.join(REPORT.HEAD)} |"
    assert REPORT.OF_BOUND in REPORT.text(found, "stamp").splitlines()[0]


def test_a_document_without_markers_is_not_written():
    with pytest.raises(ValueError, match="must have the markers of the table 'speed'"):
        REPORT.between_markers("no table", "speed")
