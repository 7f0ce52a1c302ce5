"""Malicious variants of result files and folders, chosen by a seed."""

import io
import json
import os
import socket
import struct
import warnings
import zipfile
from hashlib import sha256

import numpy as np

from fastgd.store import manifest
from fastgd.store import npz as chunk_file

ODD = [
    None, True, False, -1, 0, 1, 2, 10**30, 0.5, -0.0, float("nan"), float("inf"), "", "x", "alpha",
    "__class__", "../x", "/etc/passwd", [], [[]], [1], ["x"], [None], {}, {"x": 1}, [[1, 2], [3]],
    [-1], [10**30], [0.5, "x"], {"alpha": []}, {"weights": 1}, {"zz": [1]}, {"__class__": [1]},
    {"case": [{"alpha": 1}, {"l2": 1}]}, "1" * 5000, [0] * 1000,
]  # fmt: skip
ARRAYS = [
    np.array(np.nan), np.zeros(0), np.zeros((1, 1)), np.ones((2, 2, 2)), np.array("x"),
    np.array(3j),
    np.array(["converged"]), np.array([True]), np.array([2**63 - 1]), np.zeros(3, "M8[s]"),
    np.zeros(2, [("a", "f8")]), np.zeros(3, np.float16), np.zeros(3, ">i4"), np.full((4, 3), -1.0),
    np.array([b"x"]), np.zeros((0, 10**12)), np.array("[" * 10**5), np.array('{"a":' * 10**4),
]  # fmt: skip
NUMBERS = [0, 1, -1, 2, 3, 255, 2**31 - 1, 2**31, -(2**63), 2**63 - 1]
REALS = [0.0, -0.0, 1.0, -1.0, 1e-308, 1e308, np.inf, -np.inf, np.nan]
DESCRIPTIONS = ["<f8", ">f8", "<i8", "|O", "|b1", "<U1", "<U99999999", "<U0", "|S9", "<c16", "|V8"]
SHAPES = ["()", "(1,)", "(2, 2)", "(10**9,)", "(1000000000,)", "(-1,)", "(0, 99999999999)", "[1]",
          "(1.5,)", "None", "(True,)", "((1,),)", "(" * 200 + ")" * 200]  # fmt: skip
NAMES = ["zz", "__class__", "case", "alpha", "weights", "group", "l2", "optimizer", "", "recorded"]
BLOCK = bytes(2**20)


def npy(array):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asanyarray(array))
    return stream.getvalue()


def array_in(data):
    return np.lib.format.read_array(io.BytesIO(data))


def members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as whole:
        return {name: whole.read(name) for name in whole.namelist()}


def packed(content, packing=zipfile.ZIP_DEFLATED, **said):
    """The bytes of a file with these members, one of which the directory misdescribes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", packing) as whole:
        for name, data in content.items():
            whole.writestr(name, data)
        for name, fields in said.items():
            for field, value in fields.items():
                setattr(whole.getinfo(name), field, value)
    return stream.getvalue()


def places_of(value, path=()):
    """The paths of all values in a header."""
    yield path
    if isinstance(value, list):
        value = dict(enumerate(value[:3]))
    for key, part in value.items() if isinstance(value, dict) else ():
        yield from places_of(part, (*path, key))


def found(value, path):
    """The value at a path of a header."""
    for key in path:
        value = value[key]
    return value


def replaced(value, path, other):
    """A header with another value at a path, or without it for Ellipsis."""
    if not path:
        return {} if other is Ellipsis else other
    copy = dict(value) if isinstance(value, dict) else list(value)
    if len(path) == 1 and other is Ellipsis:
        del copy[path[0]]
    else:
        copy[path[0]] = replaced(copy[path[0]], path[1:], other)
    return copy


class Forger:
    """Draws variants of files; the same seed draws the same ones."""

    def __init__(self, number):
        self.random = np.random.default_rng(number)

    def pick(self, values):
        values = list(values)
        return values[self.random.integers(len(values))]

    def file(self, data, others):
        """A variant of a file, among others."""
        return self.pick(
            [self.flipped, self.cut, self.spliced, self.headed, self.headed, self.swapped,
             self.odd_array, self.odd_value, self.odd_npy, self.lying, self.renamed]
        )(data, others)  # fmt: skip

    def flipped(self, data, _):
        data = bytearray(data)
        for _ in range(self.random.integers(1, 9)):
            data[self.random.integers(len(data))] ^= 1 << self.random.integers(8)
        return bytes(data)

    def cut(self, data, _):
        return data[: self.random.integers(len(data))]

    def spliced(self, data, others):
        other = self.pick(others)
        length = self.random.integers(1, 200)
        begin, at = self.random.integers(len(other)), self.random.integers(len(data))
        return data[:at] + other[begin : begin + length] + data[at + self.pick([0, length]) :]

    def header(self, header):
        for _ in range(self.random.integers(1, 3)):
            places = [place for place in places_of(header) if place] or [()]
            place = self.pick(places)
            odd = self.pick([*ODD, Ellipsis] if isinstance(header, dict) else ODD)
            value = found(header, place)
            if isinstance(value, dict) and self.random.random() < 0.5:
                odd = value | {self.pick(NAMES): self.pick(ODD)}
            header = replaced(header, place, odd)
        return header

    def headed(self, data, _):
        content = members(data)
        header = self.header(json.loads(str(array_in(content["fastgd.npy"]))))
        return packed(content | {"fastgd.npy": npy(np.array(json.dumps(header)))})

    def swapped(self, data, others):
        """The header of one file with the arrays of another, or some of them."""
        one, other = members(data), members(self.pick(others))
        names = [self.pick(other) for _ in range(self.random.integers(1, 4))]
        found = one | {name: other[name] for name in names}
        if self.random.random() < 0.5:  # and a list of members that goes with it
            header = json.loads(str(array_in(found["fastgd.npy"])))
            header["members"] = [name[:-4] for name in found if name != "fastgd.npy"]
            found["fastgd.npy"] = npy(np.array(json.dumps(header)))
        return packed(found)

    def odd_array(self, data, _):
        content = members(data)
        return packed(content | {self.pick(content): npy(self.pick(ARRAYS))})

    def value(self, array):
        array = array.copy()
        if array.size and array.dtype.kind in "if":
            values = NUMBERS if array.dtype.kind == "i" else REALS
            for _ in range(self.random.integers(1, 4)):
                array.flat[self.random.integers(array.size)] = self.pick(values)
        return array

    def odd_value(self, data, _):
        content = members(data)
        name = self.pick(content)
        return packed(content | {name: npy(self.value(array_in(content[name])))})

    def odd_npy(self, data, _):
        """A header that NumPy would accept, and zeros."""
        content = members(data)
        text = (
            f"{{'descr': {self.pick(DESCRIPTIONS)!r}, 'fortran_order': False, "
            f"'shape': {self.pick(SHAPES)}, }}"
        ).ljust(117).encode() + b"\n"
        version = self.pick([1, 1, 2, 3, 9])
        length = self.pick([len(text), len(text), 2**16 - 1, 2**32 - 1 if version > 1 else 7])
        length = struct.pack("<H" if version == 1 else "<I", length)
        begin = b"\x93NUMPY" + bytes([version, 0]) + length + text
        zeros = BLOCK * self.pick([0, 0, 1, 8])
        return packed(content | {self.pick(content): begin + zeros})

    def lying(self, data, _):
        """Change what the directory says of a member."""
        content = members(data)
        said = {
            "file_size": self.pick([0, 1, 2**20, 2**32 - 2, 2**40, 2**62]),
            "compress_size": self.pick([0, 1, 2**20, 2**32 - 2, 2**40, 2**62]),
            "header_offset": self.pick([0, 1, 100, 2**31, 2**40]),
            "compress_type": self.pick([0, 8, 12, 14, 99]),
            "flag_bits": self.pick([1, 8, 2**11, 2**16 - 1]),
            "CRC": 0,
            "filename": self.pick([*content, "/etc/passwd", "../x.npy", "x" * 60_000]),
            "extra": self.pick([b"\1\0\x10\0" + b"\xff" * 16, b"x" * 7]),
        }
        name = self.pick(content)
        fields = {self.pick(said) for _ in range(self.random.integers(1, 3))}
        packing = self.pick([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
        return packed(content, packing, **{name: {field: said[field] for field in fields}})

    def renamed(self, data, _):
        """Two members of one name, or one of another."""
        content = list(members(data).items())
        name, found = self.pick(content)
        other = self.pick([name, name[:-4], f"/{name}", f"../{name}", name.upper(), " ", "x" * 999])
        if self.random.random() < 0.5:
            content.remove((name, found))
        stream = io.BytesIO()
        with warnings.catch_warnings(), zipfile.ZipFile(stream, "w") as whole:
            warnings.simplefilter("ignore")
            for one, array in [*content, (other, found)]:
                whole.writestr(one, array)
        return stream.getvalue()

    # ------------------------------------------------------------------------------- folders

    def folder(self, path, outside):
        """Change a folder; return whether its content could still be a computed result."""
        return self.pick(
            [self.damaged, self.damaged, self.foreign, self.foreign, self.asked, self.sealed,
             self.resealed]
        )(path, outside)  # fmt: skip

    def _file(self, path):
        return self.pick(sorted(file for file in path.rglob("*") if file.is_file()))

    def damaged(self, path, _):
        file = self._file(path)
        change = self.pick([self.flipped, self.cut, self.spliced, None])
        if change is None:
            file.unlink()
        else:
            file.write_bytes(change(file.read_bytes(), [file.read_bytes()]))
        return True

    def foreign(self, path, outside):
        """Put an entry of another kind in place of a file or a folder."""
        claims = path / "claims"
        claims.mkdir(exist_ok=True)
        places = [*sorted(path.rglob("*")), claims / "00000000", claims / "00000001"]
        place = self.pick(places)
        moved = outside / "moved"
        if place.exists():
            place.rename(moved)
        else:
            moved.write_bytes(b"mine")
        kind = self.pick(["link", "dangling", "device", "pipe", "socket", "folder", "file", "loop"])
        if kind == "link":
            place.symlink_to(moved)
        elif kind in ("dangling", "device", "loop"):
            place.symlink_to(
                {"dangling": outside / "new", "device": "/dev/zero", "loop": place}[kind]
            )
        elif kind == "pipe":
            os.mkfifo(place)
        elif kind == "socket":
            here = os.getcwd()
            os.chdir(place.parent)  # the path of a socket is short
            with socket.socket(socket.AF_UNIX) as one:
                one.bind(place.name)
            os.chdir(here)
        elif kind == "folder":
            place.mkdir()
        else:
            place.write_bytes(self.random.bytes(50))
        return True

    def asked(self, path, _):
        """A manifest of another call, with a valid checksum, and chunks that belong to it."""
        file = path / "manifest.json"
        old = manifest.parsed(file.read_bytes())
        content = json.loads(file.read_bytes())
        del content["sha256"]
        name = self.pick(["asked", "asked", "asked", "facts", "shared", "parts", "kind", "format"])
        content[name] = self.header([content[name]])[0]
        text = json.dumps(content, separators=(",", ":")).encode()
        file.write_bytes(json.dumps(content | {"sha256": sha256(text).hexdigest()}).encode())
        try:
            new = manifest.parsed(file.read_bytes())
        except ValueError:
            return False
        for own in sorted(path.rglob("*.npz")):
            origin = "shared.npz" if own.name == "shared.npz" else int(own.name[:8])
            arrays = chunk_file.unpacked(io.BytesIO(own.read_bytes()), f"{old.id}/{origin}")
            own.write_bytes(chunk_file.packed(arrays, f"{new.id}/{origin}"))
        return False

    def _sealed(self, path):
        file = self.pick(sorted(path.rglob("*.npz")))
        known = manifest.parsed((path / "manifest.json").read_bytes()).id
        return file, f"{known}/{file.name if file.name == 'shared.npz' else int(file.name[:8])}"

    def sealed(self, path, _):
        """Other arrays, with valid checksums."""
        file, origin = self._sealed(path)
        arrays = chunk_file.unpacked(io.BytesIO(file.read_bytes()), origin)
        name = self.pick(arrays)
        change = self.pick(["value", "array", "none", "longer", "more"])
        if change == "value":
            arrays[name] = self.value(arrays[name])
        elif change == "array":
            arrays[name] = self.pick(ARRAYS)
        elif change == "none":
            del arrays[name]
        elif change == "longer":
            arrays[name] = np.concatenate([np.atleast_1d(arrays[name])] * 2)
        else:
            arrays["more"] = np.zeros(3)
        file.write_bytes(chunk_file.packed(arrays, origin))
        return False

    def resealed(self, path, _):
        """Another directory, with a valid checksum."""
        file, origin = self._sealed(path)
        data = file.read_bytes()
        place = int(data[-80:-64])
        directory = bytearray(data[place:-64])
        at = self.random.integers(len(directory) - 16)
        if self.random.random() < 0.5:
            directory[at : at + 2] = self.random.bytes(2)
        else:
            text = directory[: at + 1].rfind(b" ")
            directory[text + 1 : text + 4] = self.pick([b"-99", b"999", b"x  ", b"1_0"])
        seal = sha256(f"{origin}\n".encode() + directory).hexdigest().encode()
        file.write_bytes(data[:place] + directory + seal)
        return False
