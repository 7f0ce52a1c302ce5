"""Notebooks run from top to bottom, and show what they showed when they were saved."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


def shown(notebook):
    """What each cell of code shows but for times and warnings: its result as text."""
    return [
        [output["data"]["text/plain"] for output in cell.outputs if "data" in output]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(path, tmp_path):
    saved = nbformat.read(path, as_version=4)
    assert not any(o.output_type == "error" for c in saved.cells for o in c.get("outputs", []))
    again = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(again, timeout=300, kernel_name="python3", resources=resources).execute()
    assert shown(again) == shown(saved)
    assert any(shown(saved))
