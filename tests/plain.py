"""Random numbers written once more, one word at a time in Python's integers."""

import math

M0, M1 = 0xD2511F53, 0xCD9E8D57
W0, W1 = 0x9E3779B9, 0xBB67AE85


def philox(counter, key):
    c, k = list(counter), list(key)
    for turn in range(10):
        if turn:
            k = [(k[0] + W0) % 2**32, (k[1] + W1) % 2**32]
        high0, low0 = divmod(M0 * c[0], 2**32)
        high1, low1 = divmod(M1 * c[2], 2**32)
        c = [high1 ^ c[1] ^ k[0], low1, high0 ^ c[3] ^ k[1], low0]
    return c


def word(row, column, time, key):
    return philox((row // 4, column, time % 2**32, time // 2**32), key)[row % 4]


def shuffled(samples, epoch, seed):
    order = list(range(samples))
    for i in reversed(range(1, samples)):
        k = word(i, 0, epoch, (seed, 0)) * (i + 1) // 2**32
        order[i], order[k] = order[k], order[i]
    return order


def keeps(rows, columns, rate, iteration, seed, layer, purpose):
    """Factors of dropout (purpose 1: samples, units) or dropconnect (2: inputs, outputs)."""
    limit = int(rate * 2**32)
    return [
        [
            0.0 if word(n, h, iteration, (seed, 8 * layer + purpose)) < limit else 1 / (1 - rate)
            for h in range(columns)
        ]
        for n in range(rows)
    ]


def normal(rows, columns, iteration, seed, purpose):
    """Standard normal numbers of noise: words of rows 2 k and 2 k + 1 make the numbers of these."""
    table = [[0.0] * columns for _ in range(rows)]
    for n in range(rows):
        for h in range(columns):
            first, second = (
                (word(n // 2 * 2 + k, h, iteration, (seed, purpose)) + 0.5) / 2**32 for k in (0, 1)
            )
            turn = (math.sin if n % 2 else math.cos)(2 * math.pi * second)
            table[n][h] = math.sqrt(-2 * math.log(first)) * turn
    return table
