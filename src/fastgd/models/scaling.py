"""Standardization of columns within each group: mean 0 and standard deviation 1."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastgd.arguments.data import FloatArray
from fastgd.arguments.groups import Integers


class Scaling(NamedTuple):
    """The mean and the scale of each column in each group."""

    mean: FloatArray  # (groups, columns)
    scale: FloatArray  # (groups, columns)

    @classmethod
    def of_groups(cls, values: FloatArray, codes: Integers, groups: int) -> Scaling:
        """Mean and standard deviation of (rows, columns) in each group; 0 for constant columns.

        Examples
        --------
        >>> Scaling.of_groups(np.array([[1.0], [3.0], [7.0]]), np.array([0, 0, 1]), 2)
        Scaling(mean=array([[2.],
               [7.]]), scale=array([[1.],
               [0.]]))
        """
        counts = np.bincount(codes, minlength=groups)
        mean, scale = np.empty((groups, values.shape[1])), np.empty((groups, values.shape[1]))
        for k, column in enumerate(values.T):
            mean[:, k] = np.bincount(codes, column, groups) / counts
            rest = column - mean[codes, k]
            # For a constant column the deviation is rounding error only: make it exactly 0.
            rest[np.abs(rest) <= 1e-13 * np.abs(column)] = 0.0
            scale[:, k] = np.sqrt(np.bincount(codes, rest * rest, groups) / counts)
        return cls(mean, scale)

    @classmethod
    def none(cls, groups: int, columns: int) -> Scaling:
        """No scaling: mean 0 and scale 1."""
        return cls(np.zeros((groups, columns)), np.ones((groups, columns)))

    def within(self, codes: Integers) -> FloatArray:
        """The standard deviation of each column within its group, over all rows, (columns,)."""
        counts = np.bincount(codes, minlength=len(self.scale))
        together: FloatArray = np.sqrt((counts @ self.scale**2) / len(codes))
        return together

    def apply(self, values: FloatArray, codes: Integers) -> FloatArray:
        """Scale the columns of rows in these groups."""
        scaled: FloatArray = values - self.mean[codes]
        scaled /= self.scale[codes]
        return scaled

    def undo(self, scaled: FloatArray, codes: Integers) -> FloatArray:
        """Undo the scaling of rows in these groups."""
        values: FloatArray = scaled * self.scale[codes]
        values += self.mean[codes]
        return values
