"""What notebooks show in place of a result's repr."""

from importlib import import_module


class ShownInNotebooks:
    """A result that is a table and a plot in a notebook."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        # By name, as it is in a package above those of the results: only notebooks call this.
        return str(import_module("fastgd.notebook").html(self))
