"""The reference's random numbers: known answers, and where each of them is used.

The kernel's are compared with the same plain ones in tests/kernel/test_random.py; its masks with
this twin's in tests/training/test_methods.py (`test_every_case_is_its_twin`, "dropout" and
"dropconnect"), and exactly at the rate in test_exact_limits.py.
"""

import numpy as np
import pytest

import plain
from fastgd.reference.philox import DROPCONNECT, DROPOUT, mask, philox, shuffled, uniform, words

ONES = 0xFFFFFFFF

# The kat_vectors of the authors' Random123 library.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ((ONES,) * 4, (ONES,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_known_answers(counter, key, answer):
    assert " ".join(f"{int(word):08x}" for word in philox(counter, key)) == answer
    assert " ".join(f"{word:08x}" for word in plain.philox(counter, key)) == answer


def test_an_array_of_counters_is_many_single_ones():
    random = np.random.default_rng(3)
    counters = random.integers(0, 2**32, size=(4, 50), dtype=np.uint64)
    got = philox(counters, (123, 2**32 - 1))
    for i in range(50):
        assert got[:, i].tolist() == plain.philox(counters[:, i].tolist(), (123, 2**32 - 1))


@pytest.mark.parametrize("time", [0, 7, 2**32 - 1, 2**32, 5 * 2**32 + 9])
def test_words_are_laid_out_as_published(time):
    table = words(6, 3, time, (11, 17))
    assert table.shape == (6, 3)
    for i in range(6):
        for h in range(3):
            assert table[i, h] == plain.word(i, h, time, (11, 17))


@pytest.mark.parametrize("samples", [1, 2, 7, 50])
def test_a_shuffle_is_that_of_fisher_and_yates(samples):
    for epoch in (0, 1, 2**32):
        order = shuffled(samples, epoch, 5)
        assert order == plain.shuffled(samples, epoch, 5)
        assert sorted(order) == list(range(samples))
    if samples > 2:
        assert len({tuple(shuffled(samples, 0, seed)) for seed in range(5)}) > 1


def test_every_order_comes_up():
    counts = {}
    for epoch in range(1200):
        order = tuple(shuffled(3, epoch, 0))
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    assert all(140 < count < 260 for count in counts.values())  # 200 with a deviation of 13


@pytest.mark.parametrize("purpose", [DROPOUT, DROPCONNECT])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_a_mask_drops_at_its_rate_and_scales_up_the_rest(rate, purpose):
    factors = mask(rate, (200, 100), iteration=3, seed=9, layer=1, purpose=purpose)
    assert set(np.unique(factors)) == {0.0, 1 / (1 - rate)}
    deviation = np.sqrt(rate * (1 - rate) / factors.size)
    assert abs((factors == 0).mean() - rate) < 4 * deviation
    assert factors.mean() == pytest.approx(1, abs=5 * deviation / (1 - rate))
    # no row or column is dropped as a whole
    assert (factors.mean(axis=0) > 0).all()
    assert (factors.mean(axis=1) > 0).all()


def test_a_mask_is_keyed_by_everything_that_it_should_depend_on():
    where = {"iteration": 3, "seed": 9, "layer": 1, "purpose": DROPOUT}
    base = mask(0.5, (9, 5), **where)
    assert base.tolist() == plain.keeps(9, 5, 0.5, **where)
    assert base[:4, :3].tolist() == mask(0.5, (4, 3), **where).tolist()
    for name, other in [("iteration", 4), ("seed", 10), ("layer", 2), ("purpose", DROPCONNECT)]:
        changed = mask(0.5, (9, 5), **where | {name: other})
        assert changed.tolist() != base.tolist()
        assert changed.tolist() == plain.keeps(9, 5, 0.5, **where | {name: other})
    far = where | {"iteration": 2**32 + 3}
    assert mask(0.5, (9, 5), **far).tolist() == plain.keeps(9, 5, 0.5, **far)


def test_uniform_numbers():
    u = uniform(5000, 2, 4)
    assert u[:9].tolist() == [plain.word(b, 0, 2, (4, 3)) / 2**32 for b in range(9)]
    assert ((u >= 0) & (u < 1)).all()
    assert np.histogram(u, 10, (0, 1))[0] == pytest.approx([500] * 10, abs=100)
