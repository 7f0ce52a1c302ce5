"""Frozen parameters: whole layers, or single weights."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeGuard, cast

import numpy as np
from numpy.typing import NDArray

from fastgd.checks.messages import shown
from fastgd.checks.numbers import check_count, integer

Mask = bool | NDArray[np.bool_]
"""Whether all of a layer is frozen, or which of its weights, (inputs, outputs)."""

Frozen = tuple[int, ...] | tuple[Mask, ...]
"""Layer numbers, or a mask for each layer."""

RULE = (
    "freeze must be a tuple of layer numbers from 0, or a list with one entry per layer of "
    "weights: None, True or an (inputs, outputs) array of True and False"
)


def check_freeze(value: object) -> Frozen | None:
    """Return sorted layer numbers, or copies of the masks, or None."""
    if value is None:
        return None
    if integer(value) is not None:
        value = (value,)
    if not isinstance(value, (list, tuple)) or not value:
        raise TypeError(f"{RULE}, got {shown(value)}")
    if all(integer(part) is not None for part in value):
        numbers = [check_count("a layer in freeze", part, minimum=0) for part in value]
        return tuple(sorted(set(numbers)))
    return tuple(_mask(part) for part in value)


def _mask(value: object) -> Mask:
    if value is None or isinstance(value, (bool, np.bool_)):
        return bool(value)
    try:
        array = np.asarray(value)
    except Exception as error:  # an object's own __array__ may raise anything
        raise TypeError(f"{RULE}, got {shown(value)}") from error
    if array.dtype != np.bool_ or array.ndim != 2:
        raise TypeError(f"{RULE}, got {shown(value)}")
    return np.array(array)


def _has_numbers(frozen: Frozen) -> TypeGuard[tuple[int, ...]]:
    return isinstance(frozen[0], int) and not isinstance(frozen[0], bool)


def mask_of(frozen: Frozen | None, k: int) -> Mask:
    """Return the mask of layer k."""
    if frozen is None:
        return False
    return k in frozen if _has_numbers(frozen) else cast(Mask, frozen[k])


def check_frozen(frozen: Frozen, sizes: Sequence[int], *, bias: bool, batch_norm: bool) -> None:
    """Reject what doesn't fit a network of these sizes, or leaves nothing to train."""
    layers = len(sizes) - 1
    if _has_numbers(frozen) and frozen[-1] >= layers:
        raise ValueError(
            f"freeze must have layer numbers below {layers}, the layers of weights, "
            f"got {shown(frozen)}"
        )
    if not _has_numbers(frozen) and len(frozen) != layers:
        raise ValueError(
            f"freeze must have one mask per layer of weights ({layers}), got {len(frozen)}"
        )
    masks = [mask_of(frozen, k) for k in range(layers)]
    for k, (mask, shape) in enumerate(zip(masks, pairwise(sizes), strict=True)):
        if isinstance(mask, np.ndarray) and mask.shape != shape:
            raise ValueError(
                f"freeze[{k}] must have the shape of the layer's weights, {shape}, got {mask.shape}"
            )
    learns = [
        # A mask is of the weights alone; hidden layers have a scale and shift, too.
        bool(bias or (batch_norm and k < layers - 1) or not mask.all())
        if isinstance(mask, np.ndarray)
        else not mask
        for k, mask in enumerate(masks)
    ]
    if not any(learns):
        raise ValueError(f"freeze must leave something to learn, got {shown(frozen)}")
