"""A GPU for tests: executes the PTX of a kernel exactly, warp by warp, in NumPy.

A :class:`Program` is the kernel of a PTX text, and :func:`run` a launch of it. What a GPU would do
without a word is an error here: an access outside of memory, a barrier at which some threads never
arrive.

A register is an array with a value for each thread of the launch, and an instruction one or two
NumPy operations on such arrays, 1 to 2 us, for as long as all threads are at the same place. When
they aren't, those at one place execute its instructions, and others' registers stay as they are.
"""

from functools import cache, partial

import numpy as np

from ptx_operations import KINDS, copied, load, store
from ptx_program import CONSTANTS, WARP, Access, Constant, Program, UnknownInstructionError, width

__all__ = ["AccessError", "DeadlockError", "Program", "Trapped", "UnknownInstructionError", "run"]

LOCAL = 1 << 61
"""Where the threads' own memory lies."""


class Trapped(RuntimeError):  # noqa: N818 (it is named for the instruction)
    """A thread has executed ``trap``."""


class AccessError(RuntimeError):
    """A thread reads or writes what it mustn't."""


class DeadlockError(RuntimeError):
    """Threads of a warp wait for others that never come, or not for each other."""


def run(program, memory, parameters, blocks=1, threads=WARP, schedule="together"):
    """Launch a program; returns how many steps were executed, each by all threads at one place.

    Parameters
    ----------
    program : Program
    memory : mapping of int to array of uint8
        The device's memory: arrays by their addresses, which are multiples of 16.
    parameters : sequence of int
    blocks, threads : int
        How many blocks there are, and how many threads each has: up to 32, one warp.
    schedule : {"together", "one_by_one", "reversed"}
        The order of the threads of a warp. ``"together"`` executes an instruction for all of them
        that are at the same place. In the others a thread is alone until it waits for the others or
        ends, and then comes the next one; ``"reversed"`` begins with the last. Where the results
        differ, threads read what others write without a barrier between.
    """
    if not 1 <= threads <= WARP or schedule not in ("together", "one_by_one", "reversed"):
        raise ValueError(f"takes up to {WARP} threads, got {threads}, {schedule!r}")
    # Nobody else has it meanwhile, and if it fails nobody gets it again.
    launch = program.launches.pop((blocks, threads), None) or _Launch(program, blocks, threads)
    launch.begin(memory, parameters, schedule)
    with np.errstate(all="ignore"):
        launch.run()
    launch.leave()
    program.launches[blocks, threads] = launch
    return launch.executed


class _Segment:
    """An array of memory at an address, and what has been written there during the launch."""

    def __init__(self, begin, array):
        if begin % 16:
            raise ValueError(f"an address must be a multiple of 16, got {begin}")
        self.begin, self.end, self.written = begin, begin + array.size, np.zeros_like(array)
        self._array = array
        self.of = cache(self._of)

    def _of(self, kind):
        """Both as values of a type, and the address."""
        whole = self._array.size // kind().itemsize * kind().itemsize
        words, written = (each[:whole].view(kind) for each in (self._array, self.written))
        return words, written, np.uint64(self.begin)


def _forget(register):
    """Nobody may rely on what a register has before something is written there."""
    register.view(np.uint8).fill(1 if register.dtype == bool else 0xA5)


def _function_of(step):
    return getattr(step.function, "ufunc", step.function)


class _Accessing:
    """A step that reads or writes memory, for some threads: a function without arguments."""

    def __init__(self, launch, step, active):
        self.launch, self.step, self.active = launch, step, active
        self.function = load if step.is_load else store
        self.address, self.value = launch.view(step.address), launch.view(step.value)
        self.numbers = np.uint64(step.offset % 2**64), np.uint64(step.alignment - 1)
        self.find(launch.segments[0])
        launch.accesses.append(self)

    def find(self, segment):
        """Access this segment: most find what they look for where they found it before."""
        self.place = segment.of(self.step.value.kind)
        self.arguments = self._for(self.active)

    def _for(self, active):
        """What is needed for some threads."""
        return (
            *(*self.place, self.address, *self.numbers),
            *(active, self.step.constant, self.value),
        )

    def __call__(self):
        if self.function(*self.arguments) >= 0:
            self._look_everywhere()

    def _look_everywhere(self):
        """Access whatever memory each thread means."""
        address, rest = self.address + self.numbers[0], self.active.copy()
        for segment in self.launch.segments:
            inside = rest & (address >= segment.begin) & (address < segment.end)
            if inside.any():
                self.find(segment)
                if (failed := self.function(*self._for(inside))) >= 0:
                    rest[:failed] = False
                    break
                rest &= ~inside
        if rest.any():
            thread = int(rest.argmax())
            raise AccessError(
                f"{self.launch.who(thread)} has no such place at {int(address[thread]):#x}, or may "
                f"not read there what was written: {self.step.text}"
            )


class _Launch:
    """Registers and steps for so many threads, for one launch after the other."""

    def __init__(self, program, blocks, threads):
        self.program = program
        self.count, self.shape = blocks * threads, (blocks, threads)
        self.special, self.registers, self.accesses = self._special_registers(), {}, []
        self.at = np.zeros(self.count, np.int64)
        """The basic block that each thread is at."""
        self.exited, self.waiting, self.active = (np.zeros(self.count, bool) for _ in range(3))
        self.everyone = np.ones(self.count, bool)
        self._constant, self._whole, self._masked = (
            cache(each) for each in (self._constant, self._whole, self._masked)
        )

    def begin(self, memory, parameters, schedule):
        """A launch, of which all is as it was before any other."""
        self.schedule, self.executed = schedule, 0
        self.segments = [_Segment(begin, array) for begin, array in memory.items()]
        self.segments.append(_Segment(CONSTANTS, self.program.constants))
        own = np.full(self.count * self.program.local_bytes, 0xA5, np.uint8)
        self.segments.append(_Segment(LOCAL, own))
        for access in self.accesses:
            access.find(self.segments[0])
        for register in self.registers.values():
            _forget(register)
        for name, value in zip(self.program.parameters, parameters, strict=True):
            self.special[name][:] = value
        for each in (self.at, self.exited, self.waiting, self.active):
            each[:] = 0

    def leave(self):
        """Keep no memory of the GPU."""
        nothing = _Segment(0, np.empty(0, np.uint8))
        self.segments = []
        for access in self.accesses:
            access.find(nothing)

    def _special_registers(self):
        blocks, threads = self.shape
        thread = np.tile(np.arange(threads, dtype=np.uint32), blocks)
        block = np.repeat(np.arange(blocks, dtype=np.uint32), threads)
        found = {"%tid.x": thread, "%laneid": thread, "%ctaid.x": block}
        sizes = {"%ntid": threads, "%nctaid": blocks}
        for name, size in sizes.items():
            for axis in "xyz":
                found[f"{name}.{axis}"] = np.full(self.count, size if axis == "x" else 1, np.uint32)
        for name in ("%tid.y", "%tid.z", "%ctaid.y", "%ctaid.z"):
            found[name] = np.zeros(self.count, np.uint32)
        for name, bits in self.program.parameters.items():
            found[name] = np.empty(self.count, KINDS[f"u{bits}"])
        place = LOCAL + self.program.local_bytes * np.arange(self.count, dtype=np.uint64)
        return found | {self.program.local_name: place}

    # -------------------------------------------------------------- registers

    def view(self, operand):
        """An array with the operand of each thread."""
        if isinstance(operand, Constant):
            return self._constant(operand)
        row = self.special.get(operand.name)
        if row is None:
            row = self.registers.get(operand.name)
        if row is None:
            bits = self.program.width_of(operand.name)
            row = np.empty(self.count, bool if bits == 1 else KINDS[f"u{bits}"])
            self.registers[operand.name] = row
            _forget(row)
        if operand.kind is bool:
            return row
        return row.view(operand.kind)[operand.part :: 8 * row.itemsize // width(operand.kind)]

    def _constant(self, operand):
        if operand.kind is bool:
            return np.full(self.count, operand.bits, bool)
        words = KINDS[f"u{width(operand.kind)}"]
        return np.full(self.count, operand.bits, words).view(operand.kind)

    def _whole(self, k):
        """The steps of a basic block, for all threads, as functions without arguments."""
        return list(self._bound(self.program.basic_blocks[k].steps, self.everyone))

    def _masked(self, k):
        """The same for those that are active at the time; others keep what they have."""
        return list(self._bound(self.program.basic_blocks[k].steps, self.active))

    def _bound(self, steps, active):
        for step in steps:
            if isinstance(step, Access):
                yield _Accessing(self, step, active)
                continue
            sources, target = [self.view(each) for each in step.sources], self.view(step.target)
            if step.function is copied:
                where = active is self.everyone or active
                yield partial(np.copyto, target, *sources, casting="unsafe", where=where)
            elif active is self.everyone:
                yield partial(_function_of(step), *sources, target)
            else:
                scratch = np.zeros_like(target)
                yield partial(_function_of(step), *sources, scratch)
                yield partial(np.copyto, target, scratch, where=active)

    def who(self, thread):
        return f"thread {thread % self.shape[1]} of block {thread // self.shape[1]}"

    # -------------------------------------------------------------- threads

    def run(self):
        while not self.exited.all():
            alike = not self.waiting.any() and not self.exited.any()
            if self.schedule == "together" and alike and (self.at == self.at[0]).all():
                self._run_together(int(self.at[0]))
            else:
                self._run_some(self._next_group())

    def _run_together(self, k):
        """Execute basic blocks until the threads part."""
        while True:
            for step in self._whole(k):
                step()
            block = self.program.basic_blocks[k]
            self.executed += len(block.steps) + 1
            how, targets = block.end.how, block.end.targets
            if how == "jump":
                k = targets[0]
            elif how == "branch":
                taken = np.count_nonzero(self.view(block.end.operand))
                if 0 < taken < self.count:
                    self._part(block.end, self.everyone)
                    return
                k = targets[bool(taken) == block.end.negated]
            elif how == "meet":
                self._meet(block.end, self.everyone)
                k = targets[0]
            else:
                self._part(block.end, self.everyone)
                if how == "exit" or (self.at != self.at[0]).any():
                    return
                k = int(self.at[0])

    def _run_some(self, group):
        """Execute basic blocks for threads that are at one, while they are the next to do so."""
        self.active[:] = group
        first, size = int(group.argmax()), np.count_nonzero(group)
        k = int(self.at[first])
        if self.schedule == "together":
            others = self.at[~(group | self.exited | self.waiting)]
            limit = int(others.min()) if others.size else len(self.program.basic_blocks)
        else:  # one thread alone goes on until it waits
            limit = len(self.program.basic_blocks) if size == self.shape[0] == 1 else 0
        while True:
            for step in self._masked(k):
                step()
            end = self.program.basic_blocks[k].end
            self.executed += len(self.program.basic_blocks[k].steps) + 1
            after = -1
            if end.how == "jump":
                after = end.targets[0]
            elif end.how == "branch":
                taken = np.count_nonzero(self.view(end.operand) & group)
                if taken in (0, size):
                    after = end.targets[bool(taken) == end.negated]
            if not 0 <= after < limit:
                self.at[group] = k
                self._part(end, group)
                return
            k = after

    def _part(self, end, group):
        """Let threads leave a basic block."""
        if end.how == "trap":
            raise Trapped(f"{self.who(int(group.argmax()))}: {end.text}")
        if end.how == "exit":
            self.exited |= group
        elif end.how == "meet":
            self.waiting |= group
        elif end.how == "jump":
            self.at[group] = end.targets[0]
        elif end.how == "branch":
            taken = self.view(end.operand) != end.negated
            self.at[group] = np.where(taken, *end.targets)[group]
        else:
            index = self.view(end.operand)[group]
            if (index >= len(end.targets)).any():
                raise AccessError(f"no such label for {index.max()}: {end.text}")
            self.at[group] = np.array(end.targets)[index]

    def _next_group(self):
        """Those that execute something next: of all that may, those at the first basic block."""
        ready = ~(self.exited | self.waiting)
        by_warp = ready.reshape(self.shape)
        stuck = ~by_warp.any(axis=1) & self.waiting.reshape(self.shape).any(axis=1)
        if stuck.any():
            self._release(self.waiting & np.repeat(stuck, self.shape[1]))
            return self._next_group()
        if self.schedule != "together":
            order = by_warp if self.schedule == "one_by_one" else by_warp[:, ::-1]
            chosen = np.zeros_like(by_warp)
            chosen[np.arange(len(order)), order.argmax(axis=1)] = True
            ready = ready & (chosen if order is by_warp else chosen[:, ::-1]).ravel()
        return ready & (self.at == self.at[ready].min())

    def _release(self, members):
        """Warps whose threads all wait, or have ended, meet: at the same instruction."""
        inside = members.reshape(self.shape)
        at = self.at.reshape(self.shape)
        low, high = (np.where(inside, at, other) for other in (len(self.program.basic_blocks), -1))
        apart = inside.any(axis=1) & (low.min(axis=1) != high.max(axis=1))
        if apart.any():
            warp = int(apart.argmax())
            places = {self.program.basic_blocks[k].end.text for k in at[warp][inside[warp]]}
            raise DeadlockError(f"threads of block {warp} wait at {' and '.join(sorted(places))}")
        for k in np.unique(self.at[members]):
            here = members & (self.at == k)
            self._meet(self.program.basic_blocks[k].end, here)
            self.waiting &= ~here
            self.at[here] = self.program.basic_blocks[k].end.targets[0]

    def _meet(self, end, members):
        """A barrier or vote of all threads of some warps that have not ended."""
        inside = members.reshape(self.shape)
        bits = np.uint32(1) << np.arange(self.shape[1], dtype=np.uint32)
        needed = (inside * bits).sum(axis=1, keepdims=True)
        mask = self.view(end.mask).reshape(self.shape)
        wrong = inside & (mask & needed != needed)
        if wrong.any():
            raise DeadlockError(
                f"{self.who(int(wrong.argmax()))} has a mask without some: {end.text}"
            )
        if end.vote:
            agrees = (self.view(end.operand) != end.negated).reshape(self.shape) & inside
            everyone, anyone = (agrees == inside).all(axis=1), agrees.any(axis=1)
            results = {
                "all": everyone,
                "any": anyone,
                "uni": everyone | ~anyone,
                "ballot": (agrees * bits).sum(axis=1),
            }
            target = self.view(end.result).reshape(self.shape)
            np.copyto(target, results[end.vote][:, None], where=inside, casting="unsafe")
