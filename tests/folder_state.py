"""What a folder has, to be compared with what it had."""


def state_of(folder):
    """Kinds, times and content of all that is there."""
    return {
        str(entry): (
            entry.lstat().st_mode,
            entry.lstat().st_mtime_ns,
            entry.read_bytes() if entry.is_file() and not entry.is_symlink() else None,
        )
        for entry in folder.rglob("*")
    }
