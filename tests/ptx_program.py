"""The kernel of a PTX text, as steps that :mod:`ptx_machine` can execute.

PTX is NVIDIA's assembly language: see its manual, "Parallel Thread Execution ISA".

Only instructions whose result is defined to the last bit are known: those of float64 that round to
nearest, and those of integers. ``mul.f64`` without ``.rn``, which may be fused with an addition,
and all that is approximate are refused. The bits of a NaN are those that this processor makes.
"""

import re
from collections import Counter
from typing import Any, NamedTuple

import numpy as np

from ptx_operations import COMPARISONS, KINDS, OPERATIONS, copied

WARP = 32
CONSTANTS = 1 << 60
"""Where a program's constants lie."""


class UnknownInstructionError(ValueError):
    """The text has something that isn't known here."""


def _unknown(line, statement):
    return f"{line}: must be an instruction that is known here, got {statement}"


class Register(NamedTuple):
    """An operand: a register, or a part of one, as a type."""

    name: str
    kind: type
    part: int = 0  # which of those that fit into the register


class Constant(NamedTuple):
    """An operand that is the same for all threads."""

    bits: int
    kind: type


class Compute(NamedTuple):
    """A step of an instruction: sources and then the target are arguments of the function."""

    function: Any
    sources: tuple[Any, ...]
    target: Register


class Access(NamedTuple):
    """A step that reads or writes memory; ``value`` is the register."""

    is_load: bool
    address: Any
    offset: int
    alignment: int
    constant: bool  # read with .nc: nothing may have written there
    value: Any
    text: str


class End(NamedTuple):
    """How a basic block ends: a jump, a meeting of the warp, or the end of the thread.

    ``how`` is ``jump``, ``branch``, ``table``, ``meet``, ``exit`` or ``trap``.
    """

    how: str
    text: str
    operand: Any = None
    negated: bool = False
    targets: tuple[Any, ...] = ()  # labels, and later the numbers of basic blocks
    vote: str = ""
    result: Any = None
    mask: Any = None


class _BasicBlock:
    """Steps that are executed one after the other by whoever executes the first."""

    def __init__(self):
        self.steps, self.end = [], None


_STATEMENT = re.compile(r"\s*(?:([$\w]+)\s*:(?!:)|([^;]+);)")
_ENTRY = re.compile(r"\.entry\s+([$\w]+)\s*\((.*?)\)[^{]*\{(.*)\}", re.DOTALL)
_GLOBAL = re.compile(
    r"^[^/\n]*\.(?:global|const)\s+\.align\s+(\d+)\s+\.(\w+)\s+([$\w]+)(?:\[(\d+)\])?"
    r"(?:\s*=\s*\{?([^;}]*)\}?)?;",
    re.MULTILINE,
)
_ADDRESS = re.compile(r"\[\s*([%$\w]+)\s*(?:\+\s*(-?\d+))?\s*\]")
_ACCESS = re.compile(
    r"(ld|st)(?:\.weak|\.volatile)?(\.param|\.global|\.local|\.const)?(\.nc)?(?:\.v([24]))?\.(\w+)"
)
_VOTE = re.compile(r"vote\.sync\.(all|any|uni)\.pred|vote\.sync\.(ballot)\.b32")
_SPECIAL = r"%(?:(?:n?tid|n?ctaid)\.[xyz]|laneid)"


class Program:
    """The kernel of a PTX text, which must have one."""

    def __init__(self, ptx):
        text = ptx.decode() if isinstance(ptx, bytes) else ptx
        self._text = re.sub(r"//[^\n]*", "", text)
        kinds = re.findall(r"\.(?:entry|func|extern)\b", self._text)
        found = _ENTRY.search(self._text)
        if kinds != [".entry"] or found is None:
            raise UnknownInstructionError(f"must have one entry and no functions, got {kinds}")
        self.name, parameters, body = found.groups()
        self.parameters = {}
        for kind, name in re.findall(r"\.param\s+\.(\w+)[^,]*?([$\w]+)\s*(?:,|$)", parameters):
            self.parameters[name] = 8 * KINDS[kind]().itemsize
        self.instructions = Counter()
        """How many there are of each kind."""
        self.local_bytes, self.local_name = 0, ""
        """The memory that each thread needs for itself."""
        self.basic_blocks, self.registers = [_BasicBlock()], {}
        self.launches = {}
        """Those of :mod:`ptx_machine` that could be used again."""
        self._tables, self._symbols, self._labels, self._temporaries = {}, {}, {}, 0
        self.constants = self._read_globals()
        self._read_body(body, found.start(3))

    def _read_globals(self):
        data = bytearray()
        for align, kind, name, count, values in _GLOBAL.findall(self._text):
            data += bytes(-len(data) % int(align))
            self._symbols[name] = CONSTANTS + len(data)
            array = np.zeros(int(count or 1), KINDS[kind])
            given = [self._bits(each.strip(), KINDS[kind]) for each in values.split(",") if values]
            array[: len(given)] = np.array(given, np.uint64).astype(array.dtype)
            data += array.tobytes()
        return np.frombuffer(bytes(data) + bytes(-len(data) % 16), np.uint8).copy()

    def _read_body(self, body, begin):
        place, line = 0, self._text.count("\n", 0, begin) + 1
        while match := _STATEMENT.match(body, place):
            line += body.count("\n", place, match.end())
            place = match.end()
            label, statement = match.groups()
            try:
                if label:
                    self._label(label)
                elif statement.startswith("."):
                    self._directive(statement)
                else:
                    self._instruction(statement, f"line {line}: {statement}")
            except (KeyError, ValueError, TypeError, AttributeError) as error:
                raise UnknownInstructionError(_unknown(f"line {line}", statement)) from error
        if body[place:].strip():
            raise UnknownInstructionError(f"must end with an instruction, got {body[place:]}")
        self._finish(End("exit", "the end"))
        self.basic_blocks.pop()  # what follows the end
        for block in self.basic_blocks:
            numbers = (self._labels.get(each, each) for each in block.end.targets)
            block.end = block.end._replace(targets=tuple(numbers))
            if any(isinstance(each, str) for each in block.end.targets):
                line, statement = block.end.text.split(": ", 1)
                raise UnknownInstructionError(_unknown(line, statement))

    def _label(self, name):
        if self.basic_blocks[-1].steps:
            self._finish(End("jump", name, targets=(len(self.basic_blocks),)))
        self._labels[name] = len(self.basic_blocks) - 1
        self._last_label = name

    def _finish(self, end):
        self.basic_blocks[-1].end = end
        self.basic_blocks.append(_BasicBlock())

    def _directive(self, statement):
        if match := re.fullmatch(r"\.reg\s+\.(\w+)\s+(.*)", statement, re.DOTALL):
            for name in match[2].split(","):
                self.registers[re.sub(r"<\d+>", "", name.strip())] = width(KINDS[match[1]])
        elif match := re.fullmatch(
            r"\.local\s+\.align\s+\d+\s+\.b8\s+([$\w]+)\[(\d+)\]", statement
        ):
            if self.local_bytes:
                raise ValueError(statement)
            self.local_bytes = -(-int(match[2]) // 16) * 16
            self.local_name, self.registers[match[1]] = match[1], 64
        elif statement.startswith(".branchtargets"):
            self._tables[self._last_label] = [t.strip() for t in statement[14:].split(",")]
        elif not re.match(r"\.(pragma|loc)\b", statement):
            raise ValueError(statement)

    # -------------------------------------------------------------- instructions

    def _instruction(self, statement, text):
        guard, statement = re.fullmatch(r"(@\S+\s+)?(.*)", statement, re.DOTALL).groups()
        name, *rest = statement.split(None, 1)
        if guard and not re.match(r"bra\b", name):
            self._guarded(guard.strip(), statement, text)
            return
        operands = [
            re.sub(r"\s", "", each)
            for each in re.findall(r"(?:\{[^}]*\}|\[[^\]]*\]|[^,{\[])+", "".join(rest))
        ]
        self.instructions[name] += 1
        if name in ("bra", "bra.uni"):
            self._branch(guard and guard.strip(), operands[0], text)
        elif name == "brx.idx":
            targets = tuple(self._tables[operands[1]])
            self._finish(End("table", text, self._operand(operands[0], np.uint32), targets=targets))
        elif name in ("ret", "exit", "trap"):
            self._finish(End("trap" if name == "trap" else "exit", text))
        elif name in ("bar.warp.sync", "bar.sync") or _VOTE.fullmatch(name):
            self._meeting(name, operands, text)
        elif match := _ACCESS.fullmatch(name):
            self._access(match, operands, text)
        elif name.startswith("setp."):
            self._setp(name, operands)
        elif name.startswith(("mov.", "cvta.")):
            self._move(name, *operands)
        elif not re.match(r"(membar|fence)\.", name):  # what is written is seen immediately
            self._operation(name, *operands)

    def _guarded(self, guard, statement, text):
        """An instruction with a condition: a branch around it."""
        branch = len(self.basic_blocks) - 1
        self._branch(guard, None, text)
        self._instruction(statement, text)
        self._finish(End("jump", text, targets=(len(self.basic_blocks),)))
        end = self.basic_blocks[branch].end
        after = (len(self.basic_blocks) - 1, branch + 1)
        self.basic_blocks[branch].end = end._replace(negated=not end.negated, targets=after)

    def _operation(self, name, target, *sources):
        operation = OPERATIONS[name]
        wide = name.startswith("cvt.")
        given = [
            self._operand(text, kind, wide)
            for text, kind in zip(sources, operation.sources, strict=True)
        ]
        given += [Constant(each, np.int64) for each in operation.constants]
        self._compute(operation.function, given, target, operation.target, wide)

    def _branch(self, guard, label, text):
        if guard is None:
            self._finish(End("jump", text, targets=(label,)))
        else:
            operand = self._operand(guard.lstrip("@!"), bool)
            targets = (label, len(self.basic_blocks))
            self._finish(End("branch", text, operand, guard.startswith("@!"), targets))

    def _meeting(self, name, operands, text):
        """A barrier of the warp, or a vote; it is a basic block of its own."""
        if self.basic_blocks[-1].steps:
            self._finish(End("jump", text, targets=(len(self.basic_blocks),)))
        after = (len(self.basic_blocks),)
        if name == "bar.sync":  # of a block, which is a warp here
            if [int(each, 0) for each in operands] not in ([0], [0, WARP]):
                raise ValueError(text)
            self._finish(End("meet", text, targets=after, mask=Constant(2**WARP - 1, np.uint32)))
        elif name == "bar.warp.sync":
            mask = self._operand(*operands, np.uint32)
            self._finish(End("meet", text, targets=after, mask=mask))
        else:
            result, vote, mask = operands
            kind = np.uint32 if ".ballot." in name else bool
            self._finish(
                End(
                    *("meet", text, self._operand(vote.lstrip("!"), bool), vote.startswith("!")),
                    *(after, name.split(".")[2], self._target(result, kind)),
                    self._operand(mask, np.uint32),
                )
            )

    def _access(self, match, operands, text):
        direction, space, constant, count, kind = match.groups()
        kind = KINDS[kind]
        if direction == "st":
            operands = operands[::-1]
        values = operands[0].strip("{}").split(",") if count else operands[:1]
        if len(values) != int(count or 1) or len(operands) != 2:
            raise ValueError(text)
        base, offset = _ADDRESS.fullmatch(operands[1]).groups()
        if space == ".param":
            if direction == "st" or count or offset or self.parameters[base] != width(kind):
                raise ValueError(text)
            self._compute(copied, [Register(base, kind)], operands[0], kind, True)
            return
        words = KINDS[f"u{width(kind)}"]
        address, size = self._operand(base, np.uint64), kind().itemsize
        accesses, copies = [], []
        for k, value in enumerate(each.strip() for each in values):
            through = Register(self._temporary(kind), kind)  # as wide as in memory
            accesses.append(
                Access(
                    *(direction == "ld", address, int(offset or 0) + k * size),
                    *(size if k else size * len(values), bool(constant)),
                    *(through._replace(kind=words), text),
                )
            )
            copies.append((through, value))
        if direction == "ld":
            self.basic_blocks[-1].steps += accesses  # all of them before their address may change
            for through, value in copies:
                if value != "_":
                    self._compute(copied, [through], value, kind, True)
        else:
            for through, value in copies:
                source = self._operand(value, kind, True)
                self.basic_blocks[-1].steps.append(Compute(copied, (source,), through))
            self.basic_blocks[-1].steps += accesses

    def _setp(self, name, operands):
        """``setp.COMPARISON{.AND}.TYPE p{|q}, a, b{, {!}c}``."""
        _, comparison, *combination, kind = name.split(".")
        targets, first, second, *other = operands
        p, _, q = (each.strip() for each in targets.partition("|"))
        kind = KINDS[kind]
        function = COMPARISONS[comparison, kind]
        if len(combination) != len(other) or len(combination) > 1:
            raise ValueError(name)
        sources = [self._operand(each, kind) for each in (first, second)]
        if not q and not other:
            self._compute(function, sources, p, bool)
            return
        found, opposite, negated = (Register(self._temporary(bool), bool) for _ in range(3))
        self.basic_blocks[-1].steps.append(Compute(function, tuple(sources), found))
        self.basic_blocks[-1].steps.append(Compute(np.logical_not, (found,), opposite))
        results = [(found, p), (opposite, q)]
        if other:
            c = self._operand(other[0].lstrip("!"), bool)
            inverts = other[0].startswith("!")
            self.basic_blocks[-1].steps.append(
                Compute(np.logical_not if inverts else copied, (c,), negated)
            )
        for value, target in results:
            if target and target != "_":
                if other:
                    both = OPERATIONS[f"{combination[0]}.pred"].function
                    self._compute(both, [value, negated], target, bool)
                else:
                    self._compute(copied, [value], target, bool)

    def _move(self, name, target, source):
        """``mov``, also to and from several registers, and ``cvta``."""
        if re.fullmatch(r"cvta(\.to)?\.(global|local|const)\.u64", name):
            name = "mov.b64"
        kind = KINDS[name.removeprefix("mov.")]
        if not target.startswith("{") and not source.startswith("{"):
            self._compute(copied, [self._operand(source, kind)], target, kind)
            return
        several = target if target.startswith("{") else source
        parts = [each.strip() for each in several.strip("{}").split(",")]
        narrow = KINDS[f"b{width(kind) // len(parts)}"]
        for k, part in enumerate(parts):
            if several is source:
                whole = self._target(target, kind)._replace(kind=narrow, part=k)
                self.basic_blocks[-1].steps.append(
                    Compute(copied, (self._operand(part, narrow),), whole)
                )
            elif part != "_":
                whole = self._operand(source, kind)
                if isinstance(whole, Constant):
                    whole = Constant(
                        whole.bits >> k * width(narrow) & 2 ** width(narrow) - 1, narrow
                    )
                else:
                    whole = whole._replace(kind=narrow, part=k)
                self._compute(copied, [whole], part, narrow)

    # -------------------------------------------------------------- operands

    def _compute(self, function, sources, target, kind, wide=False):
        """Add a step; the target may be wider than its value if ``wide``."""
        bits = self.width_of(target)
        if wide and bits > width(kind):
            through = Register(self._temporary(kind), kind)
            self.basic_blocks[-1].steps.append(Compute(function, tuple(sources), through))
            extended = Register(target, KINDS[f"u{bits}"])
            self.basic_blocks[-1].steps.append(Compute(copied, (through,), extended))
        else:
            step = Compute(function, tuple(sources), self._target(target, kind))
            self.basic_blocks[-1].steps.append(step)

    def _target(self, name, kind):
        if self.width_of(name) != width(kind):
            raise ValueError(name)
        return Register(name, kind)

    def _operand(self, text, kind, wide=False):
        """A register, or a constant; the register may be wider than the type if ``wide``."""
        if text in self._symbols:
            return Constant(self._symbols[text], kind)
        if re.fullmatch(_SPECIAL, text):
            bits = 32
        elif text[0] in "%$_" or text[0].isalpha():
            bits = self.width_of(text)
        else:
            return Constant(self._bits(text, kind), kind)
        if bits != width(kind) and not (wide and bits > width(kind)):
            raise ValueError(text)
        return Register(text, kind)

    def width_of(self, name):
        return self.registers[name if name in self.registers else re.sub(r"\d+$", "", name)]

    def _temporary(self, kind):
        self._temporaries += 1
        self.registers[f"temporary {self._temporaries}"] = width(kind)
        return f"temporary {self._temporaries}"

    @staticmethod
    def _bits(text, kind):
        if text[:2] in ("0d", "0D"):
            if width(kind) != 64:
                raise ValueError(text)
            return int(text[2:], 16)
        number = int(text.removesuffix("U"), 0)
        if kind is np.float64:
            raise ValueError(text)
        return int(number != 0) if kind is bool else number % 2 ** width(kind)


def width(kind):
    """How many bits a value has; a predicate has one."""
    return 1 if kind is bool else 8 * kind().itemsize
