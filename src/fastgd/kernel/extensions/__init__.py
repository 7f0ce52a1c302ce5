"""What the article's loop doesn't have: each module is imported when a kernel has its option.

A function of the loop whose first argument is an option is for None. Where that is a choice, the
function of the same name in one of these modules takes its place.
"""

from functools import partial
from importlib import import_module

from fastgd.kernel import training_loop as loop
from fastgd.kernel.iteration import updates
from fastgd.kernel.language.specialization import replaced_by

_STUBS = {
    "coupled_units": (loop.normalize, loop.normalize_back, loop.couple),
    "levenberg_marquardt": (loop.learn_curvature, loop.take_second_order_steps),
    "measuring": (updates.measure_update, updates.remember, loop.count_units),
    "noise": (loop.draw_noise, loop.fill_inputs, loop.inputs_of),
    "programs": (updates.run_programs,),
    "randomness": (
        *(loop.choose_samples, loop.padded_of, loop.learn_chances),
        *(loop.drop_units, loop.drop_weights),
    ),
    "tangents": (loop.lines_of, loop.finish_lines, loop.back, loop.add_all_errors),
}
"""Functions of the loop, by the module of those that take their place."""

REPLACED = {
    stub: partial(import_module, f"{__name__}.{name}")
    for name, stubs in _STUBS.items()
    for stub in stubs
}
"""What imports that module, by function."""

for stub, load in REPLACED.items():
    replaced_by(load, stub)
