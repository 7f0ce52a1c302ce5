"""Forged files: whatever they contain, they are rejected before memory is allocated."""

import json
import os
import socket
import struct
import tracemalloc
import zipfile
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest

from fastgd.checks import numbers as memory
from fastgd.store import npz

REFUSED = "must be a whole file that fastgd has saved$"
ARRAYS = {"errors": np.arange(12.0).reshape(3, 4), "names": np.array(["alpha", "ß"])}
FACTS = {"axes": {"alpha": [1.0, 2.0]}, "sizes": (3, 1)}
BLOCK = bytes(2**20)


@pytest.fixture
def path(tmp_path):
    npz.write(tmp_path / "file.npz", "Run", FACTS, ARRAYS)
    return tmp_path / "file.npz"


@contextmanager
def hardly_any_memory(most=2**22):
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def read(path):
    with npz.reading(path) as (kind, facts, arrays):
        try:
            return kind, facts, {name: np.asarray(array) for name, array in arrays.items()}
        except Exception as error:  # as `fastgd.training.codec.decoded` does
            raise npz.not_whole(path) from error


def refuse(path, match=REFUSED):
    with hardly_any_memory(), pytest.raises(ValueError, match=match):
        read(path)


def members(path):
    with zipfile.ZipFile(path) as whole:
        return {name: whole.read(name) for name in whole.namelist()}


def npy(descr, shape, version=1, length=117):
    """The header of an ``.npy`` file."""
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}".ljust(length)
    size = struct.pack("<H" if version == 1 else "<I", len(text) + 1)
    return bytes([*b"\x93NUMPY", version, 0]) + size + text.encode("latin1") + b"\n"


def forge(path, name, begin, blocks=0, **said):
    """Write a member: some bytes and megabytes of zeros, and what the directory says of it."""
    content = members(path)
    with zipfile.ZipFile(path, "w", said.pop("packing", zipfile.ZIP_DEFLATED)) as whole:
        for other in content.keys() - {name}:
            whole.writestr(other, content[other])
        with whole.open(name, "w", force_zip64=True) as member:
            member.write(begin)
            for _ in range(blocks):
                member.write(BLOCK)
        for field, value in said.items():  # the directory is written at the end
            setattr(whole.getinfo(name), field, value)


def test_what_was_written_is_read(path):
    kind, facts, arrays = read(path)
    assert (kind, facts) == ("Run", {"axes": {"alpha": (1.0, 2.0)}, "sizes": (3, 1)})
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, ARRAYS[name])
        assert array.dtype == ARRAYS[name].dtype
    with np.load(path) as plain:
        assert plain["names"].tolist() == ["alpha", "ß"]


def test_the_same_result_is_the_same_file(path, tmp_path):
    npz.write(tmp_path / "again.npz", "Run", FACTS, ARRAYS)
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()
    with zipfile.ZipFile(path) as whole:
        assert {info.date_time for info in whole.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_an_array_takes_room_when_it_is_asked_for(path):
    forge(path, "errors.npy", npy("<f8", (2**23,)), 64)
    assert path.stat().st_size < 2**17
    with hardly_any_memory(), npz.reading(path) as (_, _, arrays):
        assert (arrays["errors"].dtype, arrays["errors"].shape) == (np.float64, (2**23,))
        assert np.asarray(arrays["names"]).tolist() == ["alpha", "ß"]


BOMBS = {
    "an array that nobody has asked for": ("more.npy", npy("<f8", (2**23,)), 64),
    "a header that is no text": ("fastgd.npy", npy("<f8", (2**23,)), 64),
    "a header of many texts": ("fastgd.npy", npy("<U16", (2**20,)), 64),
    "a header of zeros": ("fastgd.npy", npy(f"<U{2**24}", ()), 64),
    "bytes after an array": ("errors.npy", npy("<f8", (3, 4)), 64),
    "one that ends early": ("errors.npy", npy("<f8", (2**25,)), 1),
    "the header of an array": ("errors.npy", partial(npy, "<f8", (3, 4), 2, 2**26), 1),
    "more headers than there may be": ("errors.npy", npy("<f8", (3, 4), 1, 2**15), 1),
    "objects": ("errors.npy", npy("|O", (2**20,)), 8),
    "structures": ("errors.npy", npy([("a", "<f8")], (2**20,)), 8),
    "bytes": ("errors.npy", npy("|S8", (2**20,)), 8),
    "nothing, so often": ("errors.npy", npy("<U0", (10**15,)), 0),
    "fewer than nothing": ("errors.npy", npy("<f8", (-1, -(2**17))), 1),
    "no array": ("errors.npy", b"", 64),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs(path, bomb):
    name, begin, blocks = BOMBS[bomb]
    forge(path, name, begin() if callable(begin) else begin, blocks)
    refuse(path)


LIES = {
    "more than the bytes can stand for": {"file_size": 2**40},
    "bytes that are not there": {"compress_size": 2**40},
    "both": {"file_size": 2**40, "compress_size": 2**40},
    "less than there is": {"file_size": 100},
    "no bytes at all": {"compress_size": 0},
    "bytes before the file": {"header_offset": 2**31},
    "those of another array": {"header_offset": 0},
    "another packing": {"compress_type": zipfile.ZIP_STORED},
    "an unknown packing": {"compress_type": 77},
    "a password": {"flag_bits": 1},
    "another name": {"filename": "names.npy"},
    "a name that leads elsewhere": {"filename": "/etc/errors.npy"},
    "a name that leads up": {"filename": "../errors.npy"},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_directory_that_lies(path, lie):
    forge(path, "errors.npy", npy("<f8", (2**17,)), 1, **LIES[lie])
    refuse(path)


@pytest.mark.parametrize("depth", [60, 900, 10**5])
def test_a_header_without_bottom(path, depth):
    """The JSON parser allows deeper nesting than Python's recursion limit."""
    text = json.dumps({"kind": "Run", "format": 1, "members": [*ARRAYS], "axes": "here"})
    text = text.replace('"here"', "[" * depth + "]" * depth)
    content = npy(f"<U{len(text)}", ()) + text.encode("utf-32-le")
    forge(path, "fastgd.npy", content)
    refuse(path)


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_packings_are_not_unpacked(path, packing):
    forge(path, "errors.npy", npy("<f8", (3, 4)) + bytes(96), packing=packing)
    refuse(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_arrays_of_one_name(path):
    for name in ("errors.npy", "errors"):
        before = path.read_bytes()
        with zipfile.ZipFile(path, "a") as whole:
            whole.writestr(name, npy("<f8", ()) + bytes(8))
        refuse(path)
        path.write_bytes(before)


def test_arrays_that_share_their_bytes(path):
    content = members(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as whole:
        for name, data in content.items():
            whole.writestr(name, data)
        whole.writestr("a.npy", npy("<f8", (2**17,)) + BLOCK)
        for k in range(100):
            info = whole.getinfo("a.npy")
            whole.filelist.append(info)
            whole.NameToInfo[f"a{k}.npy"] = info
    refuse(path)


def test_a_directory_without_end(path):
    """The end of the file says that the directory begins a gigabyte before."""
    with open(path, "r+b") as file:
        end = file.read()[-22:]
        file.truncate(2**30)
        file.seek(2**30)
        file.write(end[:12] + struct.pack("<2I", 2**30, 0) + end[20:])
    refuse(path)


def test_what_does_not_fit_into_memory_is_said_so(path, monkeypatch):
    forge(path, "errors.npy", npy("<f8", (2**23,)), 64)
    monkeypatch.setattr(memory, "available_memory", lambda: 2**25)
    refuse(path, r"file\.npz must fit into the available memory \(33.6 MB\), got a need of 67.1 MB")


def test_a_header_that_says_the_same_very_often_is_read(tmp_path, monkeypatch):
    """Compressed, it would be so small that reading it would be rejected."""
    monkeypatch.setattr(npz, "_TEXT", 2**20)
    facts = {"axes": {"alpha": [0.1] * 10**5}}
    npz.write(tmp_path / "file.npz", "Sweep", facts, {"note": np.array("a" * 10**6)})
    with npz.reading(tmp_path / "file.npz") as (_, found, arrays):
        assert found["axes"]["alpha"] == (0.1,) * 10**5
        assert len(str(np.asarray(arrays["note"]))) == 10**6
    forge(tmp_path / "file.npz", "note.npy", npy(f"<U{10**6}", ()) + b"a\0\0\0" * 10**6)
    with pytest.raises(ValueError, match=REFUSED):
        read(tmp_path / "file.npz")


def test_a_long_header_is_packed(tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "_TEXT", 2**20)
    facts = {"axes": {"alpha": np.linspace(0, 1, 10**5).tolist()}}
    npz.write(tmp_path / "file.npz", "Sweep", facts, {})
    assert (tmp_path / "file.npz").stat().st_size < 10**6
    assert read(tmp_path / "file.npz")[1]["axes"]["alpha"] == tuple(facts["axes"]["alpha"])


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such files")
def test_what_is_no_file_is_rejected_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as one:
        before = os.getcwd()
        os.chdir(tmp_path)  # the path of a socket is short
        one.bind("socket")
        os.chdir(before)
    (tmp_path / "link").symlink_to("/dev/zero")
    kinds = {tmp_path / "pipe": "pipe", tmp_path / "socket": "socket", "/dev/zero": "device"}
    for path, kind in (kinds | {tmp_path / "link": "device", tmp_path: "folder"}).items():
        refuse(path, rf"{path} must be a file, got a {kind}$")


def test_a_link_to_a_file_is_read(path, tmp_path):
    (tmp_path / "link").symlink_to(path)
    assert read(tmp_path / "link")[0] == "Run"
