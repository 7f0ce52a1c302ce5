"""Files that a command is asked to write."""

import os
from pathlib import Path


def check_writable(path: Path | None) -> None:
    """Before hours of work, not after."""
    if path is None:
        return
    if path.is_dir():
        raise ValueError(f"{path} is a folder, not a file to write to")
    if not path.parent.is_dir():
        raise ValueError(f"{path} can't be written: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ValueError(f"{path} can't be written: permission denied")
