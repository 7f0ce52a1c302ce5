import numpy as np
import pytest

XOR_X = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], dtype=float)
XOR_Y = np.array([[0], [1], [1], [0]], dtype=float)


@pytest.fixture
def xor():
    """The article's problem: three inputs, the last one always 1."""
    return XOR_X.copy(), XOR_Y.copy()


@pytest.fixture
def random_problem():
    """Samples, inputs and outputs that fill no tile."""
    random = np.random.default_rng(7)
    return random.normal(size=(9, 5)), random.random((9, 2))


@pytest.fixture(scope="session")
def article_page(tmp_path_factory):
    """The file that ``fastgd tutorial --html`` writes, with all experiments and pictures."""
    import matplotlib as mpl

    from fastgd.cli import main

    mpl.use("Agg")
    path = tmp_path_factory.mktemp("page") / "article.html"
    assert main(["tutorial", "--html", str(path), "--no-progress"]) == 0
    return path
