"""Print the oldest versions that pyproject.toml allows, as pip's constraints, one a line.

They are the lower bounds of the dependencies and of the named extras, with those that an extra
takes from another: `python .ci/lowest.py test > constraints.txt`.
"""

import re
import sys
import tomllib
from pathlib import Path

PROJECT = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text())["project"]
BOUND = re.compile(r"([\w-]+)(?:\[(.*)\])?(?:>=([\d.]+))?(?:; .+)?")


def bounds(requirements: list[str]) -> dict[str, str]:
    """Return the lower bound of each requirement by name."""
    found: dict[str, str] = {}
    for text in requirements:
        matched = BOUND.fullmatch(text)
        if matched is None:
            raise ValueError(f"a requirement must be NAME>=VERSION, got {text!r}")
        name, extras, bound = matched.groups()
        if name == PROJECT["name"]:
            for extra in extras.split(","):
                found |= bounds(PROJECT["optional-dependencies"][extra])
        elif bound is None:
            raise ValueError(f"a requirement must have a lower bound, got {text!r}")
        else:
            found[name] = bound
    return found


def main(*extras: str) -> None:
    """Print a line for each dependency."""
    asked = PROJECT["dependencies"] + [f"{PROJECT['name']}[{','.join(extras)}]"] * bool(extras)
    for name, bound in sorted(bounds(asked).items()):
        print(f"{name}=={bound}")


if __name__ == "__main__":
    main(*sys.argv[1:])
