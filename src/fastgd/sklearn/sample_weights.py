"""Sample weights, and the draw of the validation set."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import _check_sample_weight

from fastgd.arguments.data import FloatArray
from fastgd.sklearn.fit_spec import BoolArray


def checked_weight(sample_weight: Any, X: FloatArray) -> FloatArray | None:
    """Return the sample weights, or raise if one is below 0 or all are 0."""
    if sample_weight is None:
        return None
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    if not weight.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return np.asarray(weight)


def held_out(samples: int, fraction: float, strata: Any, seed: int) -> BoolArray:
    """Draw a fraction of the samples as validation set, stratified by ``strata``."""
    _, places = train_test_split(
        np.arange(samples), test_size=fraction, random_state=seed, stratify=strata
    )
    if len(places) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your "
            "dataset."
        )
    held = np.zeros(samples, dtype=np.bool_)
    held[places] = True
    return held
