"""What trained networks have in common that can be written for other languages."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, get_args

from fastgd.checks.messages import shown
from fastgd.checks.numbers import FloatArray, check_choice, check_path
from fastgd.store import PathLike
from fastgd.store.files import whole_file

if TYPE_CHECKING:
    from fastgd.export.exported import Bounds, Exported


OnnxType = Literal["float64", "float32"]
ONNX_DTYPES: tuple[OnnxType, ...] = get_args(OnnxType)


class Exportable:
    """Trained networks that can be written for other languages."""

    @abstractmethod
    def _exported(self, caller: str) -> Exported:
        """Return what is exported; raise ValueError if a training diverged."""

    def _bounds(self, interval: float) -> Bounds:
        """Return the interval of a prediction with this coverage."""
        rule = "interval must be None for a network that doesn't know its errors"
        raise ValueError(f"{rule}, got {shown(interval)}")

    def _with_bounds(self, caller: str, interval: float | None) -> Exported:
        bounds = None if interval is None else self._bounds(interval)
        return self._exported(caller)._replace(bounds=bounds)

    @abstractmethod
    def _input_rows(self, X: Any) -> FloatArray:
        """Return what ``predict`` takes as the rows that an exported network takes."""

    def to_c(
        self,
        path: PathLike,
        *,
        name: str | None = None,
        X: Any = None,
        interval: float | None = None,
    ) -> None:
        """Write the network as a C header that needs only the standard library.

        ``NAME_predict(const double *x, double *y)`` computes the outputs ``y`` of one row ``x``:
        bit-identical to :meth:`predict` with GCC and Clang, except for a few of their options and
        of the C libraries ("The same bits" in docs/export.md names them). The header says which
        input is which, and about how far the variant for ``float`` is off.

        Parameters
        ----------
        path : str or path
            The file, such as ``model.h``.
        name : str, optional
            What the names in the header begin with: a C identifier. By default, the name of the
            file.
        X : optional
            Rows as :meth:`predict` takes them, on which the error of the ``float`` variant is
            measured.
        interval : float, optional
            Coverage of :meth:`Model.predict_interval`, such as 0.9: of a prediction
            ``NAME_interval(const double *y, double *bounds)`` computes the two bounds.

        Raises
        ------
        ValueError, TypeError
            If an argument is not as described, a training diverged, or the network can't be
            written in C.
        OSError
            If the file can't be written.

        Examples
        --------
        >>> import fastgd, pathlib, tempfile
        >>> X, y = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [0, 1, 1, 0]
        >>> run = fastgd.train(X, y, alpha=10, iterations=100)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "xor.h")
        ...     run.to_c(path)
        ...     "xor_predict(const double *x, double *y)" in path.read_text()
        True
        """
        path = check_path("path", path)
        exported = self._with_bounds("to_c", interval)
        name = c_name(path) if name is None else name
        rows = None if X is None else self._input_rows(X)
        from fastgd.export.c_header import c_header

        with _file(path) as file:
            file.write(c_header(exported, name, rows).encode())

    def to_javascript(self, path: PathLike, *, interval: float | None = None) -> None:
        """Write the network as an ES module, for browsers and Node.

        ``import {predict} from "./model.js"`` is bit-identical to :meth:`predict`. The module
        contains the WebAssembly of :meth:`to_wasm`.

        Parameters
        ----------
        path : str or path
            The file, such as ``model.js``.
        interval : float, optional
            As in :meth:`to_c`: the module exports ``interval(rows)``, two bounds for each row.

        Raises
        ------
        ValueError, TypeError, OSError
            As :meth:`to_c`, or if this installation can't emit WebAssembly.

        Examples
        --------
        >>> import fastgd, pathlib, tempfile
        >>> run = fastgd.train([[0, 1], [1, 0]], [0, 1], iterations=100)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "model.js")
        ...     run.to_javascript(path)
        ...     path.stat().st_size < 20_000
        True
        """
        path = check_path("path", path)
        exported = self._with_bounds("to_javascript", interval)
        from fastgd.export.web import es_module

        with _file(path) as file:
            file.write(es_module(exported).encode())

    def to_wasm(self, path: PathLike, *, interval: float | None = None) -> None:
        r"""Write the network as a WebAssembly module with the bits of :meth:`predict`.

        Parameters
        ----------
        path : str or path
            The file, such as ``model.wasm``.
        interval : float, optional
            As in :meth:`to_c`: the bounds are two results more.

        Raises
        ------
        ValueError, TypeError, OSError
            As :meth:`to_javascript`.

        Examples
        --------
        >>> import fastgd, pathlib, tempfile
        >>> run = fastgd.train([[0, 1], [1, 0]], [0, 1], iterations=100)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "model.wasm")
        ...     run.to_wasm(path)
        ...     path.read_bytes()[:4]
        b'\x00asm'
        """
        path = check_path("path", path)
        exported = self._with_bounds("to_wasm", interval)
        from fastgd.export.web import wasm_module

        with _file(path) as file:
            file.write(wasm_module(exported))

    def to_onnx(
        self, path: PathLike, *, dtype: OnnxType = "float64", interval: float | None = None
    ) -> None:
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
        interval : float, optional
            As in :meth:`to_c`: two outputs more, ``low`` and ``high`` (rows, 1).

        Raises
        ------
        ValueError, TypeError, OSError
            As :meth:`to_c`, or if the network has a function that uses asin, acos or atan.
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
        exported = self._with_bounds("to_onnx", interval)
        from fastgd.export.onnx import onnx_model

        with _file(path) as file:
            file.write(onnx_model(exported, dtype))


@contextmanager
def _file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, so that the work begins only if it can be written; name what can't be."""
    from fastgd.export.exported import ExportError
    from fastgd.kernel.language.cross_compilation import TargetError

    with whole_file(path) as file:
        try:
            yield file
        except TargetError as error:
            raise ExportError(str(error)) from error


def c_name(path: Path) -> str:
    """Return the name of a file with _ for all that a C identifier can't have.

    Raise ExportError if it begins with a digit, or has no letter from A to Z: many such files would
    get the same name.
    """
    name = re.sub("[^A-Za-z0-9]", "_", path.stem)
    if name[:1].isdigit() or not re.search("[A-Za-z]", name):
        from fastgd.export.exported import ExportError

        rule = "which must have a letter from A to Z and no digit at its beginning"
        got = f"got {shown(path.stem)}: give another, such as name='model'"
        raise ExportError(f"a header's names begin with that of its file, {rule}, {got}")
    return name
