"""Gradient descent for small networks: fast on CPUs, bit-identical results on every machine."""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, which is slow to import; type checkers know the name

if TYPE_CHECKING:
    from fastgd.public import *  # noqa: F403
    from fastgd.public import __all__ as __all__
    from fastgd.public import __version__ as __version__
else:

    def __getattr__(name):
        """Import a subpackage, or all public names, on first access.

        The command line starts without them: it can be interrupted (Ctrl-C) from its first
        instruction on, and this file runs before it.
        """
        from importlib import import_module
        from importlib.util import find_spec

        if not name.startswith("_") and find_spec(f"fastgd.{name}"):
            return import_module(f"fastgd.{name}")
        if not name.startswith("_") or name in ("__all__", "__version__"):
            public = import_module("fastgd.public")
            names = (*public.__all__, "__all__", "__version__")
            globals().update({known: getattr(public, known) for known in names})
            if name in names:
                return globals()[name]
        raise AttributeError(f"module 'fastgd' has no attribute {name!r}")

    def __dir__():
        return [*globals(), *__getattr__("__all__")]
