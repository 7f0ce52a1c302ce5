"""The bytes of a chunk: the same on every machine, and every change is detected."""

import io
import zipfile
from hashlib import sha256

import numpy as np
import pytest

from fastgd.store.npz import CorruptChunkError, packed, unpacked, verify

ARRAYS = {
    "errors": np.arange(12.0).reshape(3, 4),
    "stopped at": np.array([3, -1], np.int32),
    "weights": np.linspace(0, 1, 7, dtype=np.float32),
    "over ß": np.array([True, False]),
    "names": np.array(["alpha", "ß"]),
    "none": np.empty((0, 3)),
    "best": np.array(2.5),
}
WHOLE = packed(ARRAYS, "here")
GOLDEN = "7ab38ee11a99df3d1f3e79d7cd9c7f5ca525e79cd85d5aac5db561145090ba51"


class Watched(io.BytesIO):
    """A file that counts the bytes that are read."""

    def __init__(self, content):
        super().__init__(content)
        self.count = 0

    def read(self, size=-1):
        found = super().read(size)
        self.count += len(found)
        return found


def assert_damaged(content, origin="here", *, names=None):
    with pytest.raises(CorruptChunkError):
        verify(io.BytesIO(content), origin)
    with pytest.raises(CorruptChunkError):
        unpacked(io.BytesIO(content), origin, names)


def test_arrays_come_back():
    found = unpacked(io.BytesIO(WHOLE), "here")
    assert list(found) == list(ARRAYS)
    for name, array in found.items():
        np.testing.assert_array_equal(array, ARRAYS[name], strict=True)
        assert array.flags.writeable
        assert array.flags.aligned


def test_numpy_reads_it():
    with np.load(io.BytesIO(WHOLE)) as found:
        assert list(found) == list(ARRAYS)
        for name, array in found.items():
            np.testing.assert_array_equal(array, ARRAYS[name], strict=True)


def test_the_bytes_are_the_same_everywhere():
    """Independent of the version of Python and NumPy, of the processor and of the system."""
    assert len(WHOLE) == 2361
    assert sha256(WHOLE).hexdigest() == GOLDEN
    assert verify(io.BytesIO(WHOLE), "here") == WHOLE[-64:].decode()


def test_how_an_array_lies_in_memory_does_not_matter():
    errors = ARRAYS["errors"]
    for same in (np.asfortranarray(errors), errors.astype(">f8"), errors[::-1][::-1]):
        assert packed(ARRAYS | {"errors": same}, "here") == WHOLE


def test_objects_are_rejected():
    with pytest.raises(
        ValueError, match="x must be an array of numbers or strings, got one of obj"
    ):
        packed({"x": np.array([None])}, "here")


def test_a_file_without_arrays():
    empty = packed({}, "here")
    assert unpacked(io.BytesIO(empty), "here") == {}
    assert_damaged(empty, "there")


def test_one_array_is_read_without_the_others():
    arrays = {"small": np.arange(3.0), "large": np.zeros(100_000), "other": np.arange(2)}
    whole = packed(arrays, "here")
    file = Watched(whole)
    found = unpacked(file, "here", ["other", "small"])
    assert list(found) == ["other", "small"]
    np.testing.assert_array_equal(found["small"], arrays["small"])
    assert file.count < 2000
    with pytest.raises(KeyError, match="middle"):
        unpacked(file, "here", ["middle"])


def test_what_is_not_read_may_be_corrupt():
    damaged = bytearray(WHOLE)
    damaged[60] ^= 1
    assert_damaged(damaged, names=["errors"])
    found = unpacked(io.BytesIO(damaged), "here", ["weights"])
    np.testing.assert_array_equal(found["weights"], ARRAYS["weights"])


def test_a_flip_of_any_byte_is_found():
    random = np.random.default_rng(1)
    for place, bit in enumerate(random.integers(8, size=len(WHOLE))):
        damaged = bytearray(WHOLE)
        damaged[place] ^= 1 << bit
        assert_damaged(damaged)


def test_a_cut_at_any_place_is_found():
    for length in range(0, len(WHOLE), 3):
        assert_damaged(WHOLE[:length])
        assert_damaged(WHOLE[length + 1 :])


def test_a_file_of_zeros_or_with_more_bytes_is_found():
    """After a power cut some file systems leave a file of the right length, and zeros in it."""
    assert_damaged(bytes(len(WHOLE)))
    for half in (len(WHOLE) // 2, 500):
        assert_damaged(WHOLE[:half] + bytes(len(WHOLE) - half))
    assert_damaged(WHOLE + b"\0")
    assert_damaged(b"PK" + WHOLE)
    assert_damaged(WHOLE + WHOLE)


def test_a_whole_file_from_somewhere_else_is_found():
    assert_damaged(WHOLE, "there")
    plain = io.BytesIO()
    np.savez(plain, **ARRAYS)
    assert_damaged(plain.getvalue())
    assert_damaged(b"no archive")
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("errors.npy", b"text")
        archive.comment = b"0" * 64
    assert_damaged(other.getvalue())
