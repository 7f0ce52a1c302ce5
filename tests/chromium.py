"""Headless Chromium, where there is one."""

import os
import shutil
import subprocess

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("FASTGD_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--v=0",
)

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium: set FASTGD_CHROMIUM, or have chromium on the PATH"
)


def browse(page, folder, *flags):
    """Open a page; gives back what is printed, and what the console said."""
    profile = folder / "profile"
    profile.mkdir()
    process = subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", *flags, page.as_uri()],
        capture_output=True,
        timeout=120,
        check=True,
    )
    messages = [
        line for line in process.stderr.decode(errors="replace").splitlines() if "CONSOLE" in line
    ]
    return process.stdout.decode(), messages
