"""``kernel/language/cache.py``, copied into a tiny package that separate processes call."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import combinations, permutations
from pathlib import Path
from types import SimpleNamespace

import pytest
from forks import POSSIBLE, Forks
from numba import types
from numba.core import config
from numba.core.registry import cpu_target

from fastgd.kernel.language import cache, code_directory, numba_internals
from thinning import only, some

TILE = """
from typing import NamedTuple
from numba import njit

class Pair(NamedTuple):
    left: float
    right: float

@njit
def scaled(x):
    return 2 * x
"""

DESCENT = """
from typing import NamedTuple
from .language.cache import cached_njit
from .iteration.tile import scaled

class Pair(NamedTuple):
    right: float
    left: float

@cached_njit()
def total(x):
    return scaled(x) + x

@cached_njit()
def left(pair):
    return pair.left

def quotient(x, y):
    return x / y

strict = cached_njit(error_model="python")(quotient)
relaxed = cached_njit(error_model="numpy")(quotient)
"""

BEFORE = """
import json, pathlib, time
import numpy as np
from tiny.kernel import descent
from tiny.kernel.iteration import tile
from tiny.kernel.descent import left, relaxed, strict, total
"""

AFTER = """
stats = [function.stats for function in (left, relaxed, strict, total)]
hits = sum(sum(s.cache_hits.values()) for s in stats)
misses = sum(sum(s.cache_misses.values()) for s in stats)
print(json.dumps([value, hits, misses]))
"""

# Six signatures of one function, hence six files.
EVERY = "value = [abs(total(x)) for x in (1.5, 2, True, 1j, np.float32(0.5), np.int8(1))]"
EVERY_VALUE = [4.5, 6, 3, 3.0, 1.5, 3]


@dataclass
class Tiny:
    """A package ``tiny`` with a room ``kernel``, and processes that call it."""

    root: Path

    @property
    def kernel(self):
        """The folder of the sources."""
        return self.root / "tiny" / "kernel"

    @property
    def tile(self):
        """A source in a room of the kernel that is not the cache's own."""
        return self.kernel / "iteration" / "tile.py"

    @property
    def directory(self):
        """Where its user's code lies."""
        return self.root / "caches" / "fastgd" / "kernels"

    @property
    def files(self):
        """The files of code there."""
        return sorted(self.directory.glob("*.nbc"))

    def environment(self, **settings):
        """The variables of a process."""
        # No bytecode files: after an edit within one second Python's own cache may be stale.
        own = {"PYTHONPATH": str(self.root), "PYTHONDONTWRITEBYTECODE": "1"}
        own |= {"HOME": str(self.root), "XDG_CACHE_HOME": str(self.root / "caches")}
        return without_numba_s() | own | settings

    def start(self, code, **settings):
        """Start a process that runs ``code``, which sets ``value``."""
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-c", BEFORE + code + AFTER],
            env=self.environment(**settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def call(self, code="value = total(1.5)", **settings):
        """Run ``code``; return its ``value`` and the numbers of cache hits and misses."""
        if FORKS and all(name in KNOWN_LATE for name in settings):
            status, output, errors = FORKS[0].run(
                BEFORE + code + AFTER, self.environment(**settings)
            )
            assert status == 0, errors
            return tuple(json.loads(output))
        return result(self.start(code, **settings))


def without_numba_s():
    """This process's variables without those that Numba reads."""
    return {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}


def result(process):
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return tuple(json.loads(output))


FORKS = []
KNOWN_LATE = {"HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"}
"""Variables of which Numba keeps nothing when it is imported."""


@pytest.fixture(scope="module", autouse=True)
def forks():
    """Most processes of these tests are forks, where there are any."""
    if POSSIBLE:
        FORKS.append(Forks(without_numba_s()))
    yield
    for each in FORKS:
        each.close()
    FORKS.clear()


@pytest.fixture
def tiny(tmp_path):
    return make_package(tmp_path / "source")


def make_package(root):
    package = Tiny(root)
    rooms = [package.kernel / "language", package.tile.parent]
    for folder in (package.kernel.parent, package.kernel, *rooms):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").touch()
    package.tile.write_text(TILE)
    (package.kernel / "descent.py").write_text(DESCENT)
    for module in (cache, code_directory, numba_internals):
        source = Path(module.__file__)
        text = source.read_text().replace("from fastgd.kernel", "from tiny.kernel")
        (package.kernel / "language" / source.name).write_text(text)
    return package


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Compile six signatures once, for the tests that harm the files."""
    package = make_package(tmp_path_factory.mktemp("compiled"))
    assert package.call(EVERY) == (EVERY_VALUE, 0, 6)
    return package


@pytest.fixture
def filled(tmp_path, compiled):
    """Copy the compiled package."""
    shutil.copytree(compiled.root, tmp_path / "source")
    return Tiny(tmp_path / "source")


def test_second_process_hits(filled):
    files = filled.files
    call = "value = [total(1.5), total.stats.cache_path]"
    assert filled.call(call) == ([4.5, str(filled.directory)], 1, 0)
    assert filled.files == files


IS_READY = "import sys; total(1.5); value = 'numba.np.arraymath' in sys.modules"


def test_a_process_that_only_loads_does_not_get_ready_to_compile(filled):
    assert result(filled.start(IS_READY)) == (False, 1, 0)


@pytest.mark.slow
def test_a_process_that_compiles_gets_ready(filled):
    """Which shows that the test above can fail."""
    filled.tile.write_text(TILE + "one = 1")
    assert result(filled.start(IS_READY)) == (True, 0, 1)


def test_comments_and_docstrings_are_no_edits(filled):
    commented = TILE.replace(
        "    return 2 * x", '    """Twice."""\n    # so much\n    return 2 * x'
    )
    filled.tile.write_text('"""A tile."""\n\n' + commented)
    descent = filled.kernel / "descent.py"
    descent.write_text("# moved down\n\n" + DESCENT)
    assert filled.call() == (4.5, 1, 0)
    assert filled.call() == (4.5, 1, 0)
    descent.write_text(DESCENT.replace("scaled(x) + x", "scaled(x) - x"))
    assert filled.call() == (1.5, 0, 1)


def test_the_stamp_is_found_again_or_made_anew(filled):
    (stamp,) = filled.directory.glob("*.stamp")
    stamp.write_text("0" * 64)
    assert filled.call() == (4.5, 0, 1)  # its word is taken
    for content in ("", "x" * 64, "0" * 63):
        stamp.write_text(content)
        assert filled.call() == (4.5, 1, 0)
        assert len(stamp.read_text()) == 64


def test_edit_of_any_source_recompiles(filled):
    stale = filled.files
    filled.tile.write_text(TILE.replace("2 * x", "3 * x"))
    assert filled.call() == (6.0, 0, 1)
    assert filled.call() == (6.0, 1, 0)
    filled.tile.write_text(TILE)
    assert filled.call() == (4.5, 1, 0)
    assert set(stale) < set(filled.files)


@pytest.mark.parametrize("order", [*permutations(["used-1", "used-2", "idle-1"])])
def test_sources_are_as_old_as_what_was_used_last(order, tmp_path, monkeypatch):
    for name, seconds in {"used-1": 3, "idle-1": 2, "used-2": 1}.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (seconds, seconds))
    listed = SimpleNamespace(iterdir=lambda: [tmp_path / name for name in order])
    monkeypatch.setattr(code_directory, "directory", lambda: listed)
    code_directory.keep_latest(1, lambda name: name.partition("-")[0])
    assert {path.name for path in tmp_path.iterdir()} == {"used-1", "used-2"}


@pytest.mark.slow
def test_code_of_the_sources_used_last_is_kept(filled):
    stale = filled.files
    others = [stale[0].with_name(stale[0].name.replace("total", "totals"))]
    others.append(stale[0].with_name("descent.total.py27-0123-4567.nbc"))
    for path in others:
        path.touch()
    for path in stale:
        os.utime(path, (0, 0))
    for factor in range(3, 3 + cache.KEPT - 1):
        filled.tile.write_text(TILE.replace("2 * x", f"{factor} * x"))
        assert filled.call("value = total(1)") == (factor + 1, 0, 1)
    assert all(path.exists() for path in stale)
    filled.tile.write_text(TILE)
    assert filled.call() == (4.5, 1, 0)  # used again
    filled.tile.write_text(TILE.replace("2 * x", "9 * x"))
    assert filled.call("value = total(1)") == (10, 0, 1)
    assert all(path.exists() for path in stale + others)
    filled.tile.write_text(TILE.replace("2 * x", "3 * x"))
    assert filled.call("value = total(1)") == (4, 0, 1)  # the one that was used longest ago


@pytest.mark.slow
def test_edit_after_import_turns_the_cache_off(filled):
    files = filled.files
    edit = "path = pathlib.Path(tile.__file__); path.write_text(path.read_text() + '#');"
    assert filled.call(edit + "value = [total(1.5), total(1.5 > 1)]") == ([4.5, 3], 0, 2)
    assert filled.files == files


def test_damaged_files_are_recompiled_and_overwritten(filled):
    files = filled.files
    good = [path.read_bytes() for path in files]
    damaged = [
        b"",
        good[1][:20],  # no code
        good[2][:-100],
        b"not a cache file" * 100,
        good[4].replace(b"LINE", b"LINe", 1),  # a text that nothing but the checksum reads
        good[0],  # another signature's file under this name
    ]
    assert damaged[4] != good[4]
    for path, content in zip(files, damaged, strict=True):
        path.write_bytes(content)
    assert filled.call(EVERY) == (EVERY_VALUE, 0, 6)
    assert filled.call(EVERY) == (EVERY_VALUE, 6, 0)


@pytest.mark.parametrize("error", [FileNotFoundError, ValueError])
def test_what_fails_is_logged(monkeypatch, caplog, error):
    """A file that isn't there is no failure."""

    def fails():
        raise error("why")

    caplog.set_level("INFO", "fastgd")
    monkeypatch.setattr(cache, "_unchanged", fails)
    assert cache.KernelCache(fails, "").load_overload(None, None) is None
    where = cache.code_directory.chosen()
    said = [f"compiled code in {where} was not loaded or not kept: ValueError('why')"]
    assert caplog.messages == (said if error is ValueError else [])


def test_that_there_is_no_directory_is_logged(monkeypatch, caplog):
    caplog.set_level("INFO", "fastgd")
    monkeypatch.setattr(cache.code_directory, "chosen", lambda: None)
    monkeypatch.setattr(cache, "_unchanged", cache.code_directory.directory)
    assert cache.KernelCache(cache.place, "").load_overload(None, None) is None
    assert caplog.messages == [
        "compiled code in None was not loaded or not kept: "
        "OSError('this user has no directory for caches')"
    ]


@pytest.mark.slow
def test_stale_code_under_a_fresh_name_is_recompiled(tiny):
    tiny.call()
    stale = tiny.files[0].read_bytes()
    tiny.tile.write_text(TILE.replace("2 * x", "3 * x"))
    tiny.call()
    for path in tiny.files:
        path.write_bytes(stale)
    assert tiny.call() == (6.0, 0, 1)


@pytest.mark.slow
def test_failures_within_numba_recompile(filled):
    code = "from tiny.kernel.language import numba_internals as parts;"
    code += "parts.rebuilt = parts.pickled = None; value = total(1.5)"
    assert filled.call(code) == (4.5, 0, 1)


@pytest.mark.parametrize(
    ("name", "value"),
    some([("BOUNDSCHECK", "1"), ("CPU_NAME", "generic")], [True, False]),
)
def test_environment_that_changes_the_code_recompiles(filled, name, value):
    assert filled.call(**{f"NUMBA_{name}": value}) == (4.5, 0, 1)
    assert len(filled.files) == 7


def test_key_holds_everything_that_changes_the_code(monkeypatch):
    def quotient(x, y):
        return x / y

    def key(options="", arguments=(types.float64,)):
        codegen = cpu_target.target_context.codegen()
        return cache.KernelCache(quotient, options)._key(arguments, codegen)

    keys = [key(), key(options="parallel"), key(arguments=(types.int64,))]
    for name in (*cache._SETTINGS, "CPU_NAME"):
        with monkeypatch.context() as patch:
            patch.setattr(config, name, "changed")
            keys.append(key())
    monkeypatch.setattr(cache, "_stamp", lambda: "changed")
    keys.append(key())
    assert all(a != b for a, b in combinations(keys, 2))


@pytest.mark.parametrize("name", ["numba", "llvmlite", "np"])
def test_stamp_holds_versions(monkeypatch, name):
    before = cache._hash(cache._sources())
    monkeypatch.setattr(getattr(cache, name), "__version__", "0")
    assert cache._hash(cache._sources()) != before


def test_no_sources_no_cache(monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "_SOURCES", tmp_path)
    assert cache._sources() == []
    monkeypatch.setattr(cache, "_IMPORTED", cache._hash([]))
    assert not cache._unchanged()


@pytest.mark.slow
def test_options_are_told_apart(tiny):
    code = """
value = [relaxed(1.0, 0.0)]
try:
    strict(1.0, 0.0)
except ZeroDivisionError:
    value = "raised"
"""
    assert tiny.call(code) == ("raised", 0, 2)
    assert len(tiny.files) == 2


@pytest.mark.slow
def test_types_that_share_a_name_are_told_apart(tiny):
    assert tiny.call("value = left(tile.Pair(left=1.0, right=2.0))") == (1.0, 0, 1)
    assert tiny.call("value = left(descent.Pair(left=1.0, right=2.0))") == (1.0, 0, 1)


def test_chosen_folder_is_used(tiny, tmp_path):
    assert tiny.call(NUMBA_CACHE_DIR=str(tmp_path / "chosen")) == (4.5, 0, 1)
    assert len(list((tmp_path / "chosen").rglob("*.nbc"))) == 1
    assert tiny.files == []


@pytest.mark.slow
def test_unusable_chosen_folder_means_no_cache(tiny, tmp_path):
    (tmp_path / "file").touch()
    assert tiny.call(NUMBA_CACHE_DIR=str(tmp_path / "file" / "x")) == (4.5, 0, 1)
    assert tiny.files == []


@pytest.mark.slow
def test_nowhere_to_write_means_no_cache(tiny):
    (tiny.root / "file").touch()
    nowhere = str(tiny.root / "file" / "x")
    assert tiny.call(HOME=nowhere, XDG_CACHE_HOME=nowhere) == (4.5, 0, 1)


SAFE = """
import os, stat, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    value = [total(1.5), total(2), [str(warning.message) for warning in caught]]
"""


def test_nobody_else_may_write_to_the_directory(tiny):
    tiny.call()
    assert tiny.directory.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
@pytest.mark.parametrize("mode", only([0o770, 0o707, 0o777], 0o770))
def test_a_directory_that_others_may_write_to_is_refused(filled, mode):
    filled.directory.chmod(mode)
    (value, other, warned), hits, misses = filled.call(SAFE)
    assert (value, other, hits, misses) == (4.5, 6, 0, 2)
    (message,) = warned  # once, for all kernels
    assert f"{filled.directory} must be a directory of user {os.geteuid()}" in message
    assert message.endswith("NUMBA_CACHE_DIR name another directory")
    assert len(filled.files) == 6
    filled.directory.chmod(0o755)  # to be read by others, as an image has it
    assert filled.call(SAFE) == ([4.5, 6, []], 2, 0)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root gives away")
def test_a_directory_of_another_user_is_refused_and_so_are_files(filled):
    for path in filled.files:
        os.chown(path, 12345, -1)
    assert filled.call(SAFE) == ([4.5, 6, []], 0, 2)  # compiled, and replaced
    assert filled.call(SAFE) == ([4.5, 6, []], 2, 0)
    os.chown(filled.directory, 12345, -1)
    (_, _, (message,)), hits, misses = filled.call(SAFE)
    assert (hits, misses) == (0, 2)
    assert "got drwx------ of user 12345" in message


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_is_no_directory_and_no_file_of_code(filled, tmp_path):
    for path in filled.files:
        path.rename(tmp_path / path.name)
        path.symlink_to(tmp_path / path.name)
    assert filled.call(SAFE) == ([4.5, 6, []], 0, 2)
    filled.directory.rename(tmp_path / "elsewhere")
    filled.directory.symlink_to(tmp_path / "elsewhere")
    (_, _, (message,)), hits, misses = filled.call(SAFE)
    assert (hits, misses) == (0, 2)
    assert "got lrwxrwxrwx" in message


@pytest.mark.parametrize(
    "name", ["../x.nbc", "/etc/passwd", "", "a.nbc", f"../a-{'0' * 16}-{'0' * 16}.nbc", "a/b"]
)
def test_only_files_of_code_are_read_and_added(name, tmp_path, monkeypatch):
    monkeypatch.setattr(code_directory, "directory", lambda: tmp_path / "directory")
    (tmp_path / "directory").mkdir()
    (tmp_path / "x.nbc").write_bytes(b"secret")
    for call in (
        code_directory.read_file,
        lambda name: code_directory.add_file(name, b"planted"),
    ):
        with pytest.raises(ValueError, match="name must be that of a file of compiled code, got"):
            call(name)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["directory", "x.nbc"]


@pytest.mark.slow
def test_the_place_is_where_code_goes(tiny, tmp_path):
    code = "from tiny.kernel.language.cache import place; value = [str(place()), total(1.5)]"
    (place, _), _, _ = tiny.call(code, NUMBA_CACHE_DIR=str(tmp_path / "chosen"))
    assert {str(path.parent) for path in tmp_path.rglob("chosen/*/*")} == {place}
    (tmp_path / "file").touch()
    (place, _), _, _ = tiny.call(code, NUMBA_CACHE_DIR=str(tmp_path / "file" / "x"))
    assert place == "None"
    tiny.tile.write_text(TILE + "#")
    (place, _), _, _ = tiny.call(
        "tile_path = pathlib.Path(tile.__file__);"
        "tile_path.write_text(tile_path.read_text() + '#');" + code
    )
    assert place == "None"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on file sizes")
def test_full_disk_leaves_nothing_behind(tiny):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
    assert tiny.call(limit + "value = total(1.5)") == (4.5, 0, 1)
    assert tiny.files == []


@pytest.mark.slow
def test_processes_that_compile_at_once_do_not_mix(tiny, tmp_path):
    go = tmp_path / "go"
    wait = f"""
while not pathlib.Path({str(go)!r}).exists():
    time.sleep(0.001)
"""
    ready = [tmp_path / f"ready{i}" for i in range(2)]
    processes = [
        tiny.start(f"pathlib.Path({str(path)!r}).touch(){wait}value = total({argument})")
        for path, argument in zip(ready, (1.5, 2), strict=True)
    ]
    while not all(path.exists() for path in ready):
        assert all(process.poll() is None for process in processes)
        time.sleep(0.001)
    go.touch()
    assert [result(process) for process in processes] == [(4.5, 0, 1), (6, 0, 1)]
    assert tiny.call("value = [total(1.5), total(2)]") == ([4.5, 6], 2, 0)


@pytest.mark.slow
def test_one_of_two_processes_compiles_what_both_need(tiny, tmp_path):
    go = tmp_path / "go"
    wait = f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.001)\n"
    processes = [tiny.start(f"{wait}value = total(1.5)") for _ in range(3)]
    time.sleep(0.5)
    go.touch()
    found = sorted(result(process) for process in processes)
    assert found == [(4.5, 0, 1), (4.5, 1, 0), (4.5, 1, 0)]


SLOW = """
from tiny.kernel.language import numba_internals as parts
def pickled(*_):
    print("compiled", flush=True)
    time.sleep(60)
parts.pickled = pickled
total(1.5)
value = 0
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks")
def test_nobody_waits_for_a_process_that_is_gone_or_slow(tiny):
    process = tiny.start(SLOW)
    assert process.stdout.readline() == "compiled\n"
    patience = "from tiny.kernel.language import code_directory; code_directory._PATIENCE = 0.1;"
    assert tiny.call(patience + "value = total(1.5)") == (4.5, 0, 1)
    for path in tiny.files:
        path.unlink()
    process.kill()
    process.communicate()
    assert tiny.call() == (4.5, 0, 1)


@pytest.mark.slow
def test_recompile_replaces_the_files(filled):
    assert filled.call("total(1.5); total.recompile(); value = total(1.5)") == (4.5, 1, 1)
    assert len(filled.files) == 1


def test_function_outside_the_watched_package_is_refused():
    def stranger(x):
        return x

    with pytest.raises(ValueError, match=r"functions of fastgd\.kernel.*stranger"):
        cache.cached_njit()(stranger)


def test_function_with_variables_of_an_outer_one_is_refused(monkeypatch):
    number = 1.0

    def inner(x):
        return x + number

    monkeypatch.setattr(inner, "__module__", "fastgd.kernel.inner")
    with pytest.raises(ValueError, match=r"without variables of an outer one.*inner"):
        cache.cached_njit()(inner)


def test_disabled_jit_gives_the_function_itself(monkeypatch):
    def plain(x):
        return x

    monkeypatch.setattr(plain, "__module__", "fastgd.kernel.plain")
    monkeypatch.setattr(config, "DISABLE_JIT", 1)
    assert cache.cached_njit()(plain) is plain
    assert not hasattr(plain, "_cache")
