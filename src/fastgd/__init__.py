"""Gradient descent for small networks: fast on CPUs, bit-identical results on every machine.

The public names are listed once, in ``__init__.pyi``: type checkers read it in place of this file,
and here each name is imported when it is first used (as Scientific Python's SPEC 1 has it).
``from fastgd import *`` leaves out ``open``, which is Python's, and what needs an extra.
"""


def __getattr__(name):
    """Import what a public name needs, or a subpackage, on first access.

    The command line starts without them: it can be interrupted (Ctrl-C) from its first instruction
    on, and this file runs before it.
    """
    from importlib import import_module
    from importlib.util import find_spec

    if name == "__version__":
        from importlib.metadata import version

        found = version("fastgd")
    elif name == "__all__":
        found = [name for name in _homes() if name not in ("open", "plots", "sklearn")]
    elif name in (homes := _homes()) and homes[name][0] != "fastgd":
        home, own = homes[name]
        found = getattr(import_module(home), own)
    elif name.isidentifier() and not name.startswith("_") and find_spec(f"fastgd.{name}"):
        found = import_module(f"fastgd.{name}")
    else:
        raise AttributeError(f"module 'fastgd' has no attribute {name!r}")
    globals()[name] = found
    return found


def _homes():
    """Read where each public name is: its module, and its name there."""
    if "_HOMES" not in globals():
        import ast

        stub = ast.parse(__spec__.loader.get_data(f"{__file__}i"))
        globals()["_HOMES"] = {
            known.asname: (line.module, known.name)
            for line in ast.walk(stub)
            if isinstance(line, ast.ImportFrom)
            for known in line.names
            if known.asname
        }
    return globals()["_HOMES"]


def __dir__():
    return [*_homes(), *(name for name in globals() if name.startswith("__"))]
