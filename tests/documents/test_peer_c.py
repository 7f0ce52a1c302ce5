"""The peers in C train what they are compared with, and one of them with our bits."""

import shutil

import numpy as np
import pytest

from benches import bench

ours, peer_c, workload = bench("ours"), bench("peer_c"), bench("workload")

ONE = workload.article(4, (1.0,), 1, 960)
MANY = workload.article(4, workload.ALPHAS[:4], 8, 960)


@pytest.fixture(params=peer_c.FLAGS)
def source(request):
    """Each of them, where it can be compiled."""
    if not peer_c.can_compile(request.param):
        pytest.skip("no C compiler, or no AVX-512")
    return request.param


@pytest.mark.parametrize("work", [ONE, MANY], ids=["one", "many"])
def test_they_train_what_the_reference_does(source, work):
    short = work.times(workload.LENGTH / work.iterations)
    workload.check(source, peer_c.prepare(source, 1)(short)(), short)


@pytest.mark.parametrize("work", [ONE, MANY], ids=["one", "many"])
@pytest.mark.parametrize("threads", [1, 2])
def test_one_of_them_has_our_bits(source, work, threads):
    found = peer_c.prepare(source, threads)(work)()
    expected = ours.result(ours.prepare(work, 1)())
    if source == "peer_c.c":  # close to them, after 960 iterations
        for a, b in zip(found.weights, expected.weights, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9)
        return
    for part in ("weights", "changes"):
        for a, b in zip(getattr(found, part), getattr(expected, part), strict=True):
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(found.errors, expected.errors[:, : work.records])


def test_other_networks_are_refused(source):
    with pytest.raises(ValueError, match="for 3-4-1 networks on 4 samples"):
        peer_c.prepare(source, 1)(workload.article(5, (1.0,), 1, 48))
    with pytest.raises(ValueError, match="multiple of 8, got 3"):
        peer_c.prepare(source, 1)(workload.article(4, (1.0,), 3, 48))


def test_without_a_compiler_they_are_not_installed(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert peer_c.compiler() is None
    monkeypatch.setattr(peer_c, "can_compile", peer_c.can_compile.__wrapped__)
    assert not bench("compare").is_installed("peer_c.c")


def test_what_does_not_compile_is_not_installed(monkeypatch, capsys):
    monkeypatch.setattr(peer_c, "compiler", lambda: "false")
    monkeypatch.setattr(peer_c, "library", peer_c.library.__wrapped__)
    assert not peer_c.can_compile.__wrapped__("peer_c.c")
    assert "peer_c.c: " in capsys.readouterr().err
