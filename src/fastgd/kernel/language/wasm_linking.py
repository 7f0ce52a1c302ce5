"""WebAssembly modules from LLVM's object files, without a linker.

An object file of a single function needs nothing but what a linker would add to it: where its
stack is, that it has a memory, and what it exports. Calls within the file, and its stack pointer,
already have their final numbers. (``lld`` would make the numbers shorter, by 3 bytes a call; but it
is no Python package.) An object file also says where its calls are, so that they can be replaced.
The format is that of the WebAssembly Core Specification 2.0, chapter 5, with the conventions for
object files of the tool-conventions repository, "Linking".
"""

import re
from bisect import bisect
from collections.abc import Iterator, Mapping
from typing import NamedTuple

MAGIC = b"\0asm\1\0\0\0"
PAGE = 65536
"""Bytes of a page, the unit of memory."""

STACK = PAGE
"""Bytes at the beginning of the memory: constants of the code, and above them its stack."""

_CUSTOM, _TYPE, _IMPORT, _FUNCTION, _TABLE, _MEMORY, _GLOBAL = 0, 1, 2, 3, 4, 5, 6
_EXPORT, _CODE, _DATA, _DATA_COUNT = 7, 10, 11, 12
_ORDER = (
    *(_TYPE, _IMPORT, _FUNCTION, _TABLE, _MEMORY, _GLOBAL),
    *(_EXPORT, _DATA_COUNT, _CODE, _DATA),
)
_KINDS = {"function": 0, "table": 1, "memory": 2, "global": 3}
_I32, _CONSTANT, _MUTABLE = b"\x7f", b"\x00", b"\x01"
_END, _I32_CONST = b"\x0b", b"\x41"

_GAP = bytes(32)
"""Zeros that end a segment of data: the next one takes 8 bytes, and engines allow 100,000."""

RELAXED_MADD = b"\xfd\x87\x02"
"""The instruction ``f64x2.relaxed_madd`` of release 3.0 of the specification."""

_CALL_BYTES = 6
"""Of a call in an object file: its function's number has 5 bytes."""

_TRAP = b"\0\0\x0b"
"""A body: no variables, unreachable, end."""

_NO_CALLS = b"\0\0"
"""Relocations of an object file that has none."""

_SYMBOLS = 8  # the part of the section "linking" that we read
_OF_FUNCTION, _OF_DATA = 0, 1  # kinds of symbols
_UNDEFINED, _NAMED = 0x10, 0x40  # flags of a symbol
_OF_CALL = 0  # kinds of relocations
_WITH_ADDEND = (3, 4, 5, 8, 9)


class LinkError(ValueError):
    """An object file needs what isn't in it."""


def unsigned(number: int) -> bytes:
    """A number in the variable-length encoding LEB128."""
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def signed(number: int) -> bytes:
    """A number in the variable-length encoding LEB128 with a sign."""
    found = bytearray()
    while not -64 <= number < 64:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number & 127])


class _ModuleReader:
    """Reads a part of a module."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.at = 0

    def byte(self) -> int:
        self.at += 1
        return self.content[self.at - 1]

    def number(self) -> int:
        result = shift = 0
        while True:
            byte = self.byte()
            result |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return result

    def take(self, count: int) -> bytes:
        self.at += count
        return self.content[self.at - count : self.at]

    def name(self) -> str:
        return self.take(self.number()).decode()


def _sections(content: bytes) -> Iterator[tuple[int, bytes]]:
    reader = _ModuleReader(content)
    reader.take(len(MAGIC))
    while reader.at < len(content):
        kind = reader.byte()
        yield kind, reader.take(reader.number())


def _imports(section: bytes) -> list[tuple[str, int]]:
    """The name and the kind of each import."""
    reader, found = _ModuleReader(section), []
    for _ in range(reader.number()):
        _module, name, kind = reader.name(), reader.name(), reader.byte()
        found.append((name, kind))
        if kind in (_KINDS["table"], _KINDS["memory"]):
            if kind == _KINDS["table"]:
                reader.byte()
            flags = reader.byte()
            reader.number()
            if flags & 1:
                reader.number()
        elif kind == _KINDS["global"]:
            reader.take(2)
        else:
            reader.number()
    return found


def _section(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + unsigned(len(content)) + content


def _string(text: str) -> bytes:
    encoded = text.encode()
    return unsigned(len(encoded)) + encoded


def _vector(items: list[bytes]) -> bytes:
    return unsigned(len(items)) + b"".join(items)


# ------------------------------------------------------------------ calls in an object file


class _CodeEntry(NamedTuple):
    """A function of an object file."""

    body: bytes
    calls: list[tuple[int, int]]
    """Of each call: where in the body it is, and the number of its symbol."""


def _functions(code: bytes, relocations: bytes) -> list[_CodeEntry]:
    reader, begins, found = _ModuleReader(code), [], []
    for _ in range(reader.number()):
        size = reader.number()
        begins.append(reader.at)
        found.append(_CodeEntry(reader.take(size), []))
    reader = _ModuleReader(relocations)
    reader.number()
    for _ in range(reader.number()):
        kind, at, symbol = reader.byte(), reader.number(), reader.number()
        if kind in _WITH_ADDEND:
            reader.number()
        if kind == _OF_CALL:
            k = bisect(begins, at) - 1
            found[k].calls.append((at - begins[k] - 1, symbol))
    return found


def _symbols(linking: bytes) -> dict[int, tuple[int, str]]:
    """The index and name of each function, by the number of its symbol."""
    reader, found = _ModuleReader(linking), {}
    reader.number()
    while reader.at < len(linking):
        kind, part = reader.byte(), _ModuleReader(reader.take(reader.number()))
        for symbol in range(part.number() if kind == _SYMBOLS else 0):
            of, flags = part.byte(), part.number()
            if of == _OF_DATA:
                part.name()
                for _ in range(0 if flags & _UNDEFINED else 3):
                    part.number()
                continue
            index = part.number()
            # One from elsewhere has its import's name, if it has no other.
            name = "" if flags & _UNDEFINED and not flags & _NAMED else part.name()
            if of == _OF_FUNCTION:
                found[symbol] = index, name
    return found


def with_instruction(content: bytes, name: str, instruction: bytes) -> bytes:
    """Return an object file with an instruction in place of each call of one of its functions.

    Functions that the first one doesn't need then are left without code.
    """
    sections, custom = {}, {}
    for kind, section in _sections(content):
        if kind == _CUSTOM:
            reader = _ModuleReader(section)
            title = reader.name()
            custom[title] = section[reader.at :]
        else:
            sections[kind] = section
    symbols = _symbols(custom["linking"])
    replaced = {symbol for symbol, (_, own) in symbols.items() if own == name}
    if not replaced:
        return content
    functions = _functions(sections[_CODE], custom.get("reloc.CODE", _NO_CALLS))
    kinds = [kind for _, kind in _imports(sections.get(_IMPORT, b"\0"))]
    imported = kinds.count(_KINDS["function"])  # these have the first numbers
    needed, waiting = set(), [imported]
    while waiting:
        index = waiting.pop()
        if index >= imported and index not in needed:
            needed.add(index)
            calls = functions[index - imported].calls
            waiting += [symbols[symbol][0] for _, symbol in calls if symbol not in replaced]
    bodies = []
    for index, (body, calls) in enumerate(functions, imported):
        parts, end = [], 0
        for begin, symbol in calls:
            if symbol in replaced:
                parts += [body[end:begin], instruction]
                end = begin + _CALL_BYTES
        made = b"".join([*parts, body[end:]]) if index in needed else _TRAP
        bodies.append(unsigned(len(made)) + made)
    sections[_CODE] = _vector(bodies)
    return MAGIC + b"".join(_section(kind, section) for kind, section in sections.items())


# ------------------------------------------------------------------ modules


def _segments(memory: bytes) -> Iterator[bytes]:
    """Yield what is written to the memory from STACK on, which is zero before."""
    begin = 0
    for gap in re.finditer(_GAP + b"\0*", memory + _GAP):
        if part := memory[begin : gap.start()]:
            yield b"\0" + _I32_CONST + signed(STACK + begin) + _END + unsigned(len(part)) + part
        begin = gap.end()


def linked(
    content: bytes,
    name: str,
    *,
    memory: bytes = b"",
    numbers: Mapping[str, int] | None = None,
    facts: Mapping[str, bytes] | None = None,
) -> bytes:
    """Make a module of an object file whose first function is exported with this name.

    Without ``memory`` the module imports one, ``env.memory``. Otherwise it has its own, exported as
    ``memory``, with this content from :data:`STACK` on. ``numbers`` are exported as globals, and
    ``facts`` become custom sections.

    Raises
    ------
    LinkError
        If the code calls a function that isn't in the file.
    """
    sections = dict(_sections(content))  # custom sections are of no use any more
    imports = _imports(sections.get(_IMPORT, b"\0"))
    for wanted, kind in imports:
        if kind in (_KINDS["function"], _KINDS["table"]):
            raise LinkError(f"the code must need nothing but a memory, got {wanted}")
    pages = -(-(STACK + len(memory)) // PAGE)
    limits = b"\0" + unsigned(pages)
    globals_: list[bytes] = []
    exports = [_string(name) + bytes([_KINDS["function"]]) + unsigned(0)]
    data = sections.get(_DATA, b"\0")
    constants = _ModuleReader(data).number()
    if memory:
        exports.append(_string("memory") + bytes([_KINDS["memory"]]) + unsigned(0))
        segments = list(_segments(memory))
        data = b"".join(
            [unsigned(constants + len(segments)), data[len(unsigned(constants)) :], *segments]
        )
    found = {_TYPE: sections[_TYPE], _FUNCTION: sections[_FUNCTION]}
    if memory:
        found[_MEMORY] = _vector([limits])
    else:
        found[_IMPORT] = _vector(
            [_string("env") + _string("memory") + bytes([_KINDS["memory"]]) + limits]
        )
    if any(kind == _KINDS["global"] for _, kind in imports):  # the only one: __stack_pointer
        globals_.append(_I32 + _MUTABLE + _I32_CONST + signed(STACK) + _END)
    for title, number in (numbers or {}).items():
        exports.append(_string(title) + bytes([_KINDS["global"]]) + unsigned(len(globals_)))
        globals_.append(_I32 + _CONSTANT + _I32_CONST + signed(number) + _END)
    if globals_:
        found[_GLOBAL] = _vector(globals_)
    found[_EXPORT] = _vector(exports)
    found[_CODE] = sections[_CODE]
    if len(data) > 1:
        found[_DATA] = data
        found[_DATA_COUNT] = unsigned(_ModuleReader(data).number())
    parts = [_section(kind, found[kind]) for kind in _ORDER if kind in found]
    parts += [_section(_CUSTOM, _string(title) + text) for title, text in (facts or {}).items()]
    return MAGIC + b"".join(parts)
