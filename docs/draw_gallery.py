"""Draw the pictures of docs/plots.md anew: ``python docs/draw_gallery.py [NAME ...]``.

Each file of ``examples/gallery`` runs in a process and a folder of its own. A table says which file
drew which picture, in how many seconds of processor time, and whether it is the one that
``docs/images`` had; it replaces that one. With names of files, only these run. Where a Python file
and commands (``.sh``) have one name, they draw the same picture, to the byte.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).parent
FILES = DOCS.parent / "examples" / "gallery"


def draw(file: Path, folder: Path) -> float:
    """Run a file in this folder; return the processor time, which other work doesn't change."""
    command = [sys.executable, file] if file.suffix == ".py" else ["bash", "-eu", file]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"MPLBACKEND": "Agg", "PATH": path}
    before = os.times()
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    spent = after.children_user + after.children_system
    return spent - before.children_user - before.children_system


def keep(picture: Path) -> str:
    """Copy a picture to docs/images; return what it is, compared with the one there."""
    place = DOCS / "images" / picture.name
    was = place.read_bytes() if place.exists() else None
    shutil.copy(picture, place)
    return "new" if was is None else "same" if was == picture.read_bytes() else "changed"


def main(names: list[str]) -> None:
    """Draw the pictures of these files, or of all."""
    files = [FILES / name for name in names] or sorted(FILES.glob("*.*"))
    for file in files:
        with tempfile.TemporaryDirectory() as folder:
            seconds = draw(file, Path(folder))
            pictures = sorted(Path(folder).glob("*.png")) + sorted(Path(folder).glob("*.gif"))
            for picture in pictures:
                size = picture.stat().st_size // 1000
                line = f"{seconds:6.1f} s{size:6} kB  {keep(picture)}"
                print(f"{file.name:28}{picture.name:28}{line}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
