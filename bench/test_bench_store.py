"""What a folder of parts costs: to write a part, to claim one, to see which of 100,000 are done."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastgd.store.folder import Folder
from fastgd.store.npz import Arrays

PARTS = 100_000
SIZES = {"1 kB": 100, "1 MB": 125_000}


def part_of(size: int) -> Arrays:
    return {"final_error": np.zeros(100), "weights": np.random.default_rng(1).normal(size=size)}


def new_folder(path: Path) -> Folder:
    return Folder.create(path, "bench", {"alpha": [0.1, 0.2]}, {}, {}, PARTS)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return new_folder(tmp_path)


@pytest.mark.parametrize("size", SIZES)
def test_write(benchmark: Any, folder: Folder, size: str) -> None:
    """Twice as long as the disk needs to say that it has all: for the file, and for its name."""
    arrays, parts = part_of(SIZES[size]), iter(range(PARTS))
    benchmark(lambda: folder.write(next(parts), arrays))


@pytest.mark.parametrize("names", [None, ["final_error"]], ids=["all", "one array of 1 kB"])
def test_read(benchmark: Any, folder: Folder, names: list[str] | None) -> None:
    """A part of 1 MB."""
    folder.write(0, part_of(SIZES["1 MB"]))
    benchmark(folder.read, 0, names)


def test_verify(benchmark: Any, folder: Folder) -> None:
    """A part of 1 MB."""
    folder.write(0, part_of(SIZES["1 MB"]))
    benchmark(folder.verify, 0)


def test_claim_and_release(benchmark: Any, folder: Folder) -> None:
    def claim() -> None:
        assert folder.claim(0)
        folder.release(0)

    benchmark(claim)


def test_claim_of_another(benchmark: Any, folder: Folder) -> None:
    assert folder.claim(0)
    other = Folder.open(folder.path)
    assert not benchmark(other.claim, 0)


def test_done(benchmark: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """All 100,000 parts are."""
    folder = new_folder(tmp_path_factory.mktemp("done"))
    for part in range(PARTS):
        path = folder.path / "parts" / f"{part // 1000:05}" / f"{part:08}.npz"
        if part % 1000 == 0:
            path.parent.mkdir(parents=True)
        path.touch()
    assert benchmark.pedantic(folder.done, rounds=3).all()
