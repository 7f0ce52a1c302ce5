"""What trained networks have in common that can be written for other languages."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from fastgd.checks.values import check_choice, check_path
from fastgd.store.files import PathLike, whole_file

if TYPE_CHECKING:
    from fastgd.export.network import Exported

ONNX_DTYPES = ("float64", "float32")


class Exportable:
    """Trained networks that can be written for other languages."""

    @abstractmethod
    def _exported(self, caller: str) -> Exported:
        """Return what is exported; raise ValueError if a training diverged."""

    def to_onnx(self, path: PathLike, *, dtype: str = "float64") -> None:
        """Write the network in ONNX format, for other runtimes.

        A runtime has its own order of sums and its own ``exp``, so the outputs equal those of
        :meth:`predict` up to rounding only.

        The input of the ONNX model is ``X`` (rows, inputs), its output ``variable``
        (rows, outputs). A :class:`Model` has an input (rows, 1) for each column, called like it:
        numbers, NaN where missing, or strings, empty where missing. Its outputs are ``variable``
        (rows, targets), or for classes ``label`` (rows,) and ``probabilities`` (rows, classes). An
        output whose name a column has gets an underscore.

        Parameters
        ----------
        path : str or path
            The file, such as ``model.onnx``.
        dtype : {"float64", "float32"}
            Type of all numbers. Some runtimes support only "float32".

        Raises
        ------
        ValueError, TypeError
            If an argument is not as described, a training diverged, or the network has a function
            that uses asin, acos or atan.
        OSError
            If the file can't be written.
        ImportError
            If onnx is not installed (``pip install "fastgd[onnx]"``).

        Examples
        --------
        >>> import fastgd, tempfile
        >>> run = fastgd.train([[0, 1], [1, 0]], [0, 1], iterations=100)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run.to_onnx(f"{folder}/model.onnx")
        """
        path = check_path("path", path)
        dtype = check_choice("dtype", dtype, ONNX_DTYPES)
        exported = self._exported("to_onnx")
        from fastgd.export.onnx import onnx_model

        with whole_file(path) as file:
            file.write(onnx_model(exported, dtype))
