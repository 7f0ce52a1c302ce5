"""The available memory, and a check that raises before more than that is allocated."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

#: Needs of up to this many bytes are not checked: asking the system takes 0.2 ms.
ALWAYS_FITS = 16 * 1024**2

#: Called for memory that is held for later, where it is needed now.
SPARE: list[Callable[[], None]] = []

_MEMINFO = Path("/proc/meminfo")
_STATM = Path("/proc/self/statm")
_CGROUP = Path("/proc/self/cgroup")
_CGROUP_ROOT = Path("/sys/fs/cgroup")


class TooLargeError(ValueError):
    """More memory is needed than is available; ``ways`` are suggestions for needing less."""

    def __init__(self, rule: str, ways: Sequence[str] = ()) -> None:
        super().__init__(f"{rule}: {'; '.join(ways)}" if ways else rule)
        self.rule, self.ways = rule, tuple(ways)


def check_memory(
    needed: int, what: str, less: tuple[str, int] | None = None, also: str = ""
) -> None:
    """Raise TooLargeError, with both figures, if more bytes are needed than are available.

    ``less`` is an alternative that needs less, and how many bytes it needs; ``also`` names further
    alternatives.
    """
    if needed <= ALWAYS_FITS:
        return
    available = available_memory()
    for free in SPARE if needed > available else ():
        free()
        available = available_memory()
    if needed > available:
        ways = [f"{less[0]} needs {_readable(less[1])}"] if less else []
        ways += [f"{also} need less"] if also else []
        raise TooLargeError(
            f"{what} must fit into the available memory ({_readable(available)}), "
            f"got a need of {_readable(needed)}",
            ways,
        )


def available_memory() -> int:
    """Return how many bytes are free, or how many the limits of the process leave, if fewer.

    The limits are those of Linux control groups, and of the address space (``ulimit -v``). Outside
    Linux the result is the total memory of the machine. On Windows the standard library offers no
    way to find out, so there is no limit: NumPy's own MemoryError remains.
    """
    return min([_free_memory(), *_cgroup_limits(), *_address_space()])


def _free_memory() -> int:
    try:
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return sys.maxsize


def _cgroup_limits() -> Iterator[int]:
    """Yield the memory limits of the process's control group and of its parents (v2 and v1)."""
    try:
        groups = [line.split(":", 2) for line in _CGROUP.read_text().splitlines()]
    except OSError:
        return
    for _, controllers, path in groups:
        if controllers == "":
            root, file = _CGROUP_ROOT, "memory.max"
        elif "memory" in controllers.split(","):
            root, file = _CGROUP_ROOT / "memory", "memory.limit_in_bytes"
        else:
            continue
        # In a container the group's own folder may be missing, but the root has the limit.
        group = root / path.lstrip("/")
        for folder in (group, *group.parents):
            if folder.is_relative_to(root):
                try:
                    yield int((folder / file).read_text())
                except (OSError, ValueError):  # no such file, or the limit is "max"
                    continue


def _address_space() -> Iterator[int]:
    """Yield the bytes left in the process's address space, if it is limited."""
    try:
        import resource  # not on Windows

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            pages = int(_STATM.read_text().split()[0])
            yield max(0, limit - pages * resource.getpagesize())
    except (ImportError, OSError, ValueError):
        return


def _readable(size: int) -> str:
    amount = float(size)
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if amount < 999.5:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} PB"
