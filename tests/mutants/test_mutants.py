import ast
import re

import pytest
from catalog import PACKAGE, ROOT, killers, mutants

MUTANTS = mutants()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_changes_one_line_of_code(mutant):
    assert "\n" not in mutant.old + mutant.new
    assert code(mutant, mutant.mutated()) != code(mutant, mutant.source())


def code(mutant, source):
    """What is left of a source without its comments."""
    if mutant.is_python:
        return ast.dump(ast.parse(source))
    return re.sub(r"/\*.*?\*/|//.*?$", "", source, flags=re.DOTALL | re.MULTILINE)


def test_there_are_enough_mutants_of_different_names():
    assert len(MUTANTS) >= 60
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_every_room_has_a_mutant():
    rooms = {path.name for path in (ROOT / PACKAGE).iterdir() if any(path.glob("*.py"))}
    assert rooms == rooms & {mutant.room for mutant in MUTANTS}


def test_killers_are_known_of_mutants_that_are_there():
    assert killers().keys() <= {mutant.name for mutant in MUTANTS}
