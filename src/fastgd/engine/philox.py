"""Random numbers that depend on where they are used, not on what was drawn before.

Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3"
(SC'11; the Random123 library): a counter of four 32-bit words is scrambled with a key of two words.
What each counter and key stands for is documented where they are made, and in
``kernel/extensions/random_masks.py``.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Words = NDArray[np.uint64]
"""32-bit words, stored in 64 bits so that their products fit."""

ROUNDS = 10
MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
KEY_INCREMENTS = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


def philox(counter: Sequence[ArrayLike], key: Sequence[ArrayLike]) -> Words:
    """The four random words of each counter: (4, ...), for words of any common shape."""
    c0, c1, c2, c3, k0, k1 = np.broadcast_arrays(
        *(np.asarray(word, np.uint64) for word in (*counter, *key))
    )
    for _ in range(ROUNDS):
        product0, product1 = MULTIPLIERS[0] * c0, MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (
            (product1 >> HALF) ^ c1 ^ k0,
            product1 & LOW,
            (product0 >> HALF) ^ c3 ^ k1,
            product0 & LOW,
        )
        k0, k1 = (k0 + KEY_INCREMENTS[0]) & LOW, (k1 + KEY_INCREMENTS[1]) & LOW
    return np.stack([c0, c1, c2, c3])
