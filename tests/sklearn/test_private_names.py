"""Private names of scikit-learn: which are used, and that one file imports them all."""

import ast
from pathlib import Path

import fastgd

SOURCE = Path(fastgd.__file__).parent

USED = {
    "sklearn.metrics._classification",
    "sklearn.metrics._scorer._MultimetricScorer",
    "sklearn.model_selection._search.BaseSearchCV",
    "sklearn.model_selection._validation._check_method_params",
    "sklearn.model_selection._validation._safe_split",
    "sklearn.preprocessing._data._handle_zeros_in_scale",
    "sklearn.preprocessing._data._is_constant_feature",
    "sklearn.utils._safe_indexing",
    "sklearn.utils.extmath._incremental_mean_and_var",
    "sklearn.utils.validation._check_sample_weight",
    "sklearn.utils.validation._check_y",
}


def private_imports(file):
    """Names of scikit-learn that a file imports, with an underscore before one of their parts."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.startswith("sklearn.") and "._" in name:
                yield name


def test_private_names_of_scikit_learn_are_imported_in_one_file():
    found = {file.name: set(private_imports(file)) for file in SOURCE.rglob("*.py")}
    assert {file: names for file, names in found.items() if names} == {"private_names.py": USED}
