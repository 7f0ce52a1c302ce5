"""The mutants: small slips, one line each, and what is known of the tests that notice them."""

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PACKAGE = "src/fastgd"


@dataclass(frozen=True)
class Mutant:
    """In `file` (relative to src/fastgd), `new` stands in the place of `old`."""

    name: str
    file: str
    old: str
    new: str

    @property
    def room(self):
        """A folder of src/fastgd, or a module beside the folders."""
        return self.file.split("/")[0].removesuffix(".py")

    @property
    def is_python(self):
        return self.file.endswith(".py")

    @property
    def module(self):
        return ".".join(["fastgd", *Path(self.file).with_suffix("").parts])

    def source(self, root=ROOT):
        return Path(root, PACKAGE, self.file).read_text(encoding="utf-8")

    def mutated(self, root=ROOT):
        """The source with the slip; `old` is a part of exactly one line."""
        source = self.source(root)
        if (count := source.count(self.old)) != 1:
            raise LookupError(f"{count} times in {self.file}: {self.old}")
        return source.replace(self.old, self.new)

    def apply(self, root):
        mutated = self.mutated(root)
        Path(root, PACKAGE, self.file).write_text(mutated, encoding="utf-8")


def mutants():
    """All of them, in the order of the file."""
    text = (HERE / "mutants.toml").read_text(encoding="utf-8")
    return [Mutant(**entry) for entry in tomllib.loads(text)["mutant"]]


def killers():
    """For each mutant that was tried the test that killed it last, or None."""
    try:
        return json.loads((HERE / "killers.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def keep_killers(found):
    """Write them in the mutants' order, without those of mutants that are gone."""
    known = {mutant.name: found[mutant.name] for mutant in mutants() if mutant.name in found}
    text = json.dumps(known, indent=2, ensure_ascii=False)
    (HERE / "killers.json").write_text(text + "\n", encoding="utf-8")
