"""The window of a loss surface on the command line: two weights and their ranges."""

from typing import Any

from fastgd.cli.errors import RefusedError
from fastgd.cli.option_values import read_list

PREPARED = 6
"""Resolution of a surface that loads the kernel: its lanes are those of any larger one."""


def read_window(
    axes: list[str] | None, span: list[str] | None, resolution: int | None
) -> dict[str, Any]:
    """Read it as arguments of :func:`fastgd.surface`."""
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
