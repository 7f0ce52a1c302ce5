"""Gradient descent for small networks: fast on CPUs, bit-identical results on every machine."""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, which is slow to import; type checkers know the name

if TYPE_CHECKING:
    from fastgd.public import *  # noqa: F403
    from fastgd.public import __all__ as __all__

    __version__: str
else:
    _HOMES = {
        "BoxCounting": "studies.box_counting.BoxCounting",
        "DeviceError": "engine.devices.DeviceError",
        "Function": "formulas.named.Function",
        "GroupModels": "models.group_models.GroupModels",
        "Loss": "formulas.named.Loss",
        "Model": "models.model.Model",
        "Objective": "training.objective.Objective",
        "Race": "studies.race.Race",
        "Run": "training.run.Run",
        "Snapshot": "training.run.Snapshot",
        "Summary": "engine.results.Summary",
        "Surface": "studies.surface.Surface",
        "Sweep": "training.sweep_result.Sweep",
        "Trainability": "studies.trainability_map.Trainability",
        "box_counting": "studies.box_counting.box_counting",
        "devices": "engine.devices.devices",
        "fit": "models.fit.fit",
        "fit_groups": "models.groups.fit_groups",
        "load": "models.group_models.load",
        "minimize": "training.objective.minimize",
        "objective": "training.objective.objective",
        "open": "training.folder_sweep.open_folder",
        "race": "studies.race.race",
        "surface": "studies.surface.surface",
        "sweep": "training.train_sweep.sweep",
        "train": "training.train_sweep.train",
        "trainability": "studies.trainability_map.trainability",
        "trainability_zoom": "studies.trainability_map.trainability_zoom",
    }
    """Where each public name is, as in ``public.py``: imported when it is first used."""

    _MODULES = ("bucket", "functions", "reference")

    __all__ = [*_HOMES, *_MODULES]

    def __getattr__(name):
        """Import what a public name needs, or a subpackage, on first access.

        The command line starts without them: it can be interrupted (Ctrl-C) from its first
        instruction on, and this file runs before it.
        """
        from importlib import import_module
        from importlib.util import find_spec

        if name in _HOMES:
            home, _, own = _HOMES[name].rpartition(".")
            found = getattr(import_module(f"fastgd.{home}"), own)
        elif name == "__version__":
            from importlib.metadata import version

            found = version("fastgd")
        elif name.isidentifier() and not name.startswith("_") and find_spec(f"fastgd.{name}"):
            found = import_module(f"fastgd.{name}")
        else:
            raise AttributeError(f"module 'fastgd' has no attribute {name!r}")
        globals()[name] = found
        return found

    def __dir__():
        return [*globals(), *__all__]
