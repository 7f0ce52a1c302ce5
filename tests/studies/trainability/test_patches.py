import numpy as np
import pytest

from fastgd.studies.mean_field import patches_of


@pytest.mark.parametrize(("resolution", "side"), [(1, 32), (5, 5), (33, 32), (100, 32), (512, 32)])
def test_patches_cover_a_map_once(resolution, side):
    seen = np.zeros((resolution, resolution), int)
    patches = patches_of(resolution, side)
    for patch in patches:
        seen[patch] += 1
        assert max(patch.shape) <= side
        assert seen[patch].size == patch.size
        assert seen[patch].shape == patch.shape
    assert (seen == 1).all()
    assert len(patches) == (-(-resolution // side)) ** 2
    # No sliver of a patch, which would be trained with another kernel.
    sides = [length for patch in patches for length in patch.shape]
    assert max(sides) - min(sides) <= 1
