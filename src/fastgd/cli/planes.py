"""The window of an error plane, as it is typed: which two weights, from where to where."""

from typing import Any

from fastgd.cli.errors import RefusedError
from fastgd.cli.option_values import read_list

PREPARED = 6
"""Resolution of a plane that loads the kernel: as many runs go side by side as in any larger."""


def read_window(
    axes: list[str] | None, span: list[str] | None, resolution: int | None
) -> dict[str, Any]:
    """Read what was given of it as arguments of :func:`fastgd.surface`."""
    window: dict[str, Any] = {}
    if axes:
        if len(axes) != 2:
            raise RefusedError(f"--axes must be given twice, once for each weight, got {len(axes)}")
        rule = "layer,input,output, three whole numbers,"
        window["axes"] = tuple(tuple(read_list("--axes", text, int, rule)) for text in axes)
    if span:
        if len(span) > 2:
            raise RefusedError(
                f"--span must be given once, or once for each weight, got {len(span)} times"
            )
        spans = [tuple(read_list("--span", text, float, "low,high, two numbers,")) for text in span]
        window["span"] = spans[0] if len(spans) == 1 else tuple(spans)
    if resolution is not None:
        window["resolution"] = resolution
    return window
