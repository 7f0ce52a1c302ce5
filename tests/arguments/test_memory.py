"""What the system says about its memory, and what is refused."""

import sys

import pytest

from fastgd.checks import numbers as memory


@pytest.mark.parametrize(
    ("needed", "available", "figures"),
    [
        (32 * 10**12, 999, "(999 bytes), got a need of 32 TB"),
        # Two hidden layers of the largest size that passes the other checks.
        (8 * 2**124, 1500, "(1.5 kB), got a need of 1.7e+23 PB"),
        (2 * 10**9 + 1, 2 * 10**9, "(2 GB), got a need of 2 GB"),
    ],
)
def test_memory_is_refused_with_both_figures(monkeypatch, needed, available, figures):
    monkeypatch.setattr(memory, "available_memory", lambda: available)
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the whole message is compared
        memory.check_memory(needed, "the sweep")
    assert str(refusal.value) == f"the sweep must fit into the available memory {figures}"


def test_what_fits_passes(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 10**9)
    memory.check_memory(10**9, "the sweep")
    monkeypatch.setattr(memory, "available_memory", lambda: 1 / 0)  # not even asked
    memory.check_memory(memory.ALWAYS_FITS, "the sweep")


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A Linux machine made of files: 8 GB free, no control groups."""
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(memory, "_CGROUP_ROOT", tmp_path / "root")
    write(tmp_path / "meminfo", "MemTotal: 16000000 kB\nMemAvailable:    8000000 kB\n")
    return tmp_path


@pytest.mark.parametrize(
    ("groups", "files", "available"),
    [
        ("", {}, 8_192_000_000),
        ("0::/\n", {"memory.max": "max\n"}, 8_192_000_000),
        ("0::/\n", {"memory.max": "2000000\n", "../memory.max": "1\n"}, 2_000_000),
        ("0::/a/b\n", {"a/memory.max": "3000000\n", "a/b/memory.max": "max\n"}, 3_000_000),
        ("0::/missing\n", {"memory.max": "4000000\n"}, 4_000_000),
        ("0::/a\n", {"a/memory.max": "9223372036854771712\n"}, 8_192_000_000),
        (
            "5:cpu:/b\n4:pids,memory:/a\n",
            {f"memory/{name}/memory.limit_in_bytes": f"{n}\n" for name, n in (("a", 5), ("b", 1))},
            5,
        ),
    ],
)
def test_the_lowest_limit_counts(machine, groups, files, available):
    write(machine / "cgroup", groups)
    for name, text in files.items():
        write(machine / "root" / name, text)
    assert memory.available_memory() == available


@pytest.mark.parametrize("text", [None, "", "MemAvailable:\n", "MemAvailable: x kB\n"])
def test_where_nothing_tells_what_is_free_the_whole_machine_counts(machine, monkeypatch, text):
    (machine / "meminfo").unlink()
    if text is not None:
        write(machine / "meminfo", text)
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}
    monkeypatch.setattr(memory.os, "sysconf", pages.__getitem__, raising=False)
    assert memory.available_memory() == 4_096_000
    monkeypatch.delattr(memory.os, "sysconf")
    assert memory.available_memory() == sys.maxsize


def test_what_is_left_of_the_address_space_counts(machine, monkeypatch):
    resource = pytest.importorskip("resource")  # there is none on Windows
    (machine / "statm").write_text("1000 500 30 4 0 200 0\n")
    monkeypatch.setattr(memory, "_STATM", machine / "statm")
    monkeypatch.setattr(resource, "getpagesize", lambda: 4096)
    for limit, available in ((5_000_000, 904_000), (4_000_000, 0), (10**12, 8_192_000_000)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limit=limit: (limit, limit))
        assert memory.available_memory() == available
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, 0))
    assert memory.available_memory() == 8_192_000_000


def test_available_memory_here_is_plausible():
    assert 10**7 < memory.available_memory() <= sys.maxsize
