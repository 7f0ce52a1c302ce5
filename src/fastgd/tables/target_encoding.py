"""Texts as numbers: the mean of the target for each category, as scikit-learn computes it."""

import numpy as np

from fastgd.tables.column_values import Cells
from fastgd.tables.columns import TargetColumn
from fastgd.tables.moments import FloatArray, moments


def learn_target_column(
    name: str, cells: Cells, y: FloatArray, seed: int, *, standardize: bool
) -> tuple[TargetColumn, FloatArray]:
    """Return a column of texts as means of the target, and its numbers in these rows, (rows, 1).

    The latter are cross-fitted: each row's number is learned from the rows of other folds, so it
    doesn't contain the row's own target. ``y`` are the (rows, outputs) encoded targets: a number,
    or two classes. It raises ImportError without scikit-learn.
    """
    try:
        from sklearn.model_selection import KFold, StratifiedKFold
        from sklearn.preprocessing import TargetEncoder
    except ImportError as error:
        raise ImportError(
            f'encoding="target" needs scikit-learn: pip install "fastgd[sklearn]" ({error})'
        ) from error
    known = sorted(set(cells.values[~cells.missing].tolist()))
    codes = {None: len(known)} | {text: k for k, text in enumerate(known)}
    X = np.array([codes[text] for text in cells.texts])[:, None]
    is_number = y.shape[1] == 1
    wanted = y[:, 0] if is_number else y.argmax(axis=1)
    fewest = len(y) if is_number else int(min(np.sum(wanted == 0), np.sum(wanted == 1)))
    if fewest < 2:
        raise ValueError(
            "encoding must be 'one-hot' if a class has fewer than 2 rows, got 'target'"
        )
    # Not fit_transform(): its arguments for the seed change in scikit-learn 1.9.
    encoder = TargetEncoder(target_type="continuous" if is_number else "binary")
    splitter = KFold if is_number else StratifiedKFold
    numbers = np.empty((len(y), 1))
    folds = splitter(min(5, fewest), shuffle=True, random_state=seed)
    for others, rows in folds.split(X, wanted):
        numbers[rows] = encoder.fit(X[others], wanted[others]).transform(X[rows])
    encoder.fit(X, wanted)
    mean, scale = moments(name, numbers[:, 0]) if standardize else (0.0, 1.0)
    table = ((encoder.encodings_[0] - mean) / scale).tolist()
    unknown = (float(encoder.target_mean_) - mean) / scale
    missing = table[len(known)] if cells.missing.any() else unknown
    column = TargetColumn(name, tuple(known), tuple(table[: len(known)]), unknown, missing)
    return column, (numbers - mean) / scale
