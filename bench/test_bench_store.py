"""What a folder of chunks costs: writing and leasing one, seeing which of 100,000 are done."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastgd.store import Arrays
from fastgd.store.folder import Folder

CHUNKS = 100_000
SIZES = {"1 kB": 100, "1 MB": 125_000}


def chunk_of(size: int) -> Arrays:
    return {"final_error": np.zeros(100), "weights": np.random.default_rng(1).normal(size=size)}


def new_folder(path: Path) -> Folder:
    return Folder.create(path, "bench", {"alpha": [0.1, 0.2]}, {}, {}, CHUNKS)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return new_folder(tmp_path)


@pytest.mark.parametrize("size", SIZES)
def test_write(benchmark: Any, folder: Folder, size: str) -> None:
    """Twice as long as the disk needs to say that it has all: for the file, and for its name."""
    arrays, chunks = chunk_of(SIZES[size]), iter(range(CHUNKS))
    benchmark(lambda: folder.write(next(chunks), arrays))


@pytest.mark.parametrize("names", [None, ["final_error"]], ids=["all", "one array of 1 kB"])
def test_read(benchmark: Any, folder: Folder, names: list[str] | None) -> None:
    """A chunk of 1 MB."""
    folder.write(0, chunk_of(SIZES["1 MB"]))
    benchmark(folder.read, 0, names)


def test_verify(benchmark: Any, folder: Folder) -> None:
    """A chunk of 1 MB."""
    folder.write(0, chunk_of(SIZES["1 MB"]))
    benchmark(folder.verify, 0)


def test_lease_and_release(benchmark: Any, folder: Folder) -> None:
    def acquire() -> None:
        assert folder.acquire(0)
        folder.leases.release(0)

    benchmark(acquire)


def test_lease_of_another(benchmark: Any, folder: Folder) -> None:
    assert folder.acquire(0)
    other = Folder.open(folder.path)
    assert not benchmark(other.acquire, 0)


def test_done(benchmark: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """All 100,000 chunks are."""
    folder = new_folder(tmp_path_factory.mktemp("done"))
    for chunk in range(CHUNKS):
        path = folder.path / "parts" / f"{chunk // 1000:05}" / f"{chunk:08}.npz"
        if chunk % 1000 == 0:
            path.parent.mkdir(parents=True)
        path.touch()
    assert benchmark.pedantic(folder.done, rounds=3).all()
