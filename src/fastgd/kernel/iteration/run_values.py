"""Values of each run besides its weights: floats (hyperparameters and the like) and integers."""

from fastgd.kernel.language.int_vectors import load_words, store_words
from fastgd.kernel.language.memory import store, units
from fastgd.kernel.language.specialization import part
from fastgd.kernel.language.tile import runs_of


@part
def value(shape, numbers, layer, which):
    """Read a float value, one per run."""
    return units(shape, numbers, layer.values + which * runs_of(shape), 0)


@part
def put_value(scalar, numbers, layer, which, tile):
    """Write such a float value."""
    store(scalar, numbers, layer.values + which * runs_of(scalar), 0, tile)


@part
def integer(scalar, block, which):
    """Read an integer, one per run."""
    return load_words(scalar, block.integers, which * runs_of(scalar))


@part
def put_integer(scalar, block, which, words):
    """Write such an integer."""
    store_words(scalar, block.integers, which * runs_of(scalar), words)
