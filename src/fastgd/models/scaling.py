"""Columns of each group with mean 0 and standard deviation 1."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastgd.arguments.data import FloatArray
from fastgd.arguments.row_indices import Integers


class Scaling(NamedTuple):
    """What is subtracted from each column in each group, and what the rest is divided by."""

    mean: FloatArray  # (groups, columns)
    scale: FloatArray  # (groups, columns)

    @classmethod
    def of_groups(cls, values: FloatArray, codes: Integers, groups: int) -> Scaling:
        """Mean and deviation of (rows, columns) in each group; a scale of 0 where all are the same.

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
            # What rounding alone left of numbers that are all the same is no deviation.
            rest[np.abs(rest) <= 1e-13 * np.abs(column)] = 0.0
            scale[:, k] = np.sqrt(np.bincount(codes, rest * rest, groups) / counts)
        return cls(mean, scale)

    @classmethod
    def none(cls, groups: int, columns: int) -> Scaling:
        """Columns as they are."""
        return cls(np.zeros((groups, columns)), np.ones((groups, columns)))

    def within(self, codes: Integers) -> FloatArray:
        """The deviation of each column within its group, over all rows, (columns,)."""
        counts = np.bincount(codes, minlength=len(self.scale))
        together: FloatArray = np.sqrt((counts @ self.scale**2) / len(codes))
        return together

    def apply(self, values: FloatArray, codes: Integers) -> FloatArray:
        """The columns of rows in these groups, scaled."""
        scaled: FloatArray = values - self.mean[codes]
        scaled /= self.scale[codes]
        return scaled

    def undo(self, scaled: FloatArray, codes: Integers) -> FloatArray:
        """The columns of rows in these groups as they were."""
        values: FloatArray = scaled * self.scale[codes]
        values += self.mean[codes]
        return values
