"""A small disk for tests of a full disk."""

import os
import shutil
import subprocess

import pytest


@pytest.fixture
def disk(tmp_path):
    """A small disk: its folder, and a function that makes it read-only."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)]
    if (
        os.name != "posix"
        or shutil.which("mount") is None
        or subprocess.run(mount, capture_output=True, check=False).returncode
    ):
        pytest.skip("no disk can be mounted here")
    yield path, lambda: subprocess.run(["mount", "-o", "remount,ro", str(path)], check=True)
    subprocess.run(["umount", str(path)], check=True)
