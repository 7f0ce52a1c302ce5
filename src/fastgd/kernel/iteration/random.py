"""Philox4x32-10: random words that depend on a key and a counter, and on nothing else.

Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC'11). So the masks
of a run don't depend on other runs of its block, on its lane, or on what was drawn before.

=================  ==================  =============================================
purpose            key                 counter
=================  ==================  =============================================
order of an epoch  shuffle_seed, 0     place // 4, 0, epoch (low, high half)
dropout            seed, 8 * k + 1     sample of the batch // 4, unit, iteration
dropconnect        seed, 8 * k + 2     input // 4, unit, iteration
draws              seed, 3             draw // 4, 0, iteration
initial weights    seed, 8 * k + 4     weight // 2 (see fastgd.engine.network)
=================  ==================  =============================================

k is the layer. The remainder by 4 selects one of the four words; for initial weights the remainder
by 2 selects one of two pairs of words.
"""

from fastgd.kernel.language.specialization import part
from fastgd.kernel.language.translation import unrolled

SHUFFLE, DROPOUT, DROPCONNECT, DRAW = 0, 1, 2, 3

_M0, _M1 = 0xD2511F53, 0xCD9E8D57
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_WORD = 0xFFFFFFFF


@part
def philox(c0, c1, c2, c3, k0, k1):
    """Four random words for a counter of four words and a key of two, all either int64 or Words."""
    for _ in unrolled(10):  # a sweep of 3-4-1 with dropout takes 0.85 of the time
        p0, p1 = c0 * _M0, c2 * _M1
        c0, c2 = ((p1 >> 32) & _WORD) ^ c1 ^ k0, ((p0 >> 32) & _WORD) ^ c3 ^ k1
        c1, c3 = p1 & _WORD, p0 & _WORD
        k0, k1 = (k0 + _W0) & _WORD, (k1 + _W1) & _WORD
    return c0, c1, c2, c3


@part
def halves(number):
    """Low and high 32-bit word of a number up to 2**62."""
    return number & _WORD, number >> 32


@part
def shuffle(order, count, seed, epoch):
    """Fill ``order`` with 0 to count - 1, shuffled (Fisher and Yates), the same for all runs."""
    low, high = halves(epoch)
    for i in range(count):
        order[i] = i
    group = -1
    w0 = w1 = w2 = w3 = 0
    for i in range(count - 1, 0, -1):
        if i >> 2 != group:
            group = i >> 2
            w0, w1, w2, w3 = philox(group, 0, low, high, seed, SHUFFLE)
        place = i & 3
        word = w0 if place == 0 else w1 if place == 1 else w2 if place == 2 else w3
        k = (word * (i + 1)) >> 32
        order[i], order[k] = order[k], order[i]
