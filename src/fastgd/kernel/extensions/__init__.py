"""What the article's loop doesn't have: each module is imported when a kernel has its option.

A function of the loop whose first argument is an option is for None. Where that is a choice, the
function of the same name in one of these modules takes its place.
"""

from types import ModuleType

from fastgd.kernel import training_loop as loop
from fastgd.kernel.iteration import updates
from fastgd.kernel.language.specialization import replaced_by


def _coupled_units() -> ModuleType:
    from fastgd.kernel.extensions import coupled_units

    return coupled_units


def _levenberg_marquardt() -> ModuleType:
    from fastgd.kernel.extensions import levenberg_marquardt

    return levenberg_marquardt


def _measuring() -> ModuleType:
    from fastgd.kernel.extensions import measuring

    return measuring


def _programs() -> ModuleType:
    from fastgd.kernel.extensions import programs

    return programs


def _randomness() -> ModuleType:
    from fastgd.kernel.extensions import randomness

    return randomness


def _noise() -> ModuleType:
    from fastgd.kernel.extensions import noise

    return noise


def _tangents() -> ModuleType:
    from fastgd.kernel.extensions import tangents

    return tangents


REPLACED = {
    loop.normalize: _coupled_units,
    loop.normalize_back: _coupled_units,
    loop.couple: _coupled_units,
    loop.learn_curvature: _levenberg_marquardt,
    loop.take_second_order_steps: _levenberg_marquardt,
    updates.measure_update: _measuring,
    updates.remember: _measuring,
    updates.run_programs: _programs,
    loop.count_units: _measuring,
    loop.choose_samples: _randomness,
    loop.padded_of: _randomness,
    loop.learn_chances: _randomness,
    loop.drop_units: _randomness,
    loop.drop_weights: _randomness,
    loop.draw_noise: _noise,
    loop.fill_inputs: _noise,
    loop.inputs_of: _noise,
    loop.lines_of: _tangents,
    loop.finish_lines: _tangents,
    loop.back: _tangents,
    loop.add_all_errors: _tangents,
}
"""Functions of the loop, and what imports the module of those that take their place."""

for stub, load in REPLACED.items():
    replaced_by(load, stub)
