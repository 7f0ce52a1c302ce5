"""Which columns a model uses, and how its predictions change with one of them."""

from __future__ import annotations

from textwrap import fill
from typing import Any

import numpy as np

from fastgd.checks.messages import shown
from fastgd.checks.numbers import check_choice
from fastgd.plots.networks import BARS, LINE
from fastgd.plots.style import COLORS, Axes, axes, legend_text, user_text
from fastgd.tables.inspection import Importances, PartialDependence

NUMBERS, WIDE = "{x:,.6g}", 56
"""How numbers of an axis are written; characters in a line of a title."""

CURVES, MIDDLE = 40, (0.1, 0.9)
"""Rows with a curve of their own, at most; quantiles of all rows between which the band is."""


def importances(found: Any, table: Any = None, *, ax: Axes | None = None) -> Axes:
    """Plot how much worse a model predicts if a column is shuffled.

    Parameters
    ----------
    found : Importances or Model
        What :meth:`fastgd.Model.importances` returned; or a model, with the ``table`` to shuffle.
    table : DataFrame, mapping of str to (rows,) array_like, or path, optional
    ax : matplotlib Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib Axes
        A bar for each column, the largest at the top (20 at most), with the standard deviation over
        the repeats.

    Raises
    ------
    ValueError, TypeError
        As :meth:`fastgd.Model.importances`, or if ``found`` is something else.

    Examples
    --------
    >>> import fastgd, fastgd.plots, numpy as np
    >>> x = np.linspace(-3, 3, 200)
    >>> table = {"x": x, "noise": np.cos(50 * x), "y": np.sin(x)}
    >>> ax = fastgd.plots.importances(fastgd.fit(table, "y"), table)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['noise', 'x']
    """
    if table is not None and hasattr(found, "importances"):
        found = found.importances(table)
    if not isinstance(found, Importances):
        rule = "found must be Importances, or a model with a table"
        raise TypeError(f"{rule}, got {shown(found)}")
    count = min(BARS, len(found.names))
    names = [user_text(name, LINE) for name in found.names[:count]]
    with axes(ax, figsize=(6.4, 1.5 + 0.28 * max(count, 4))) as drawn:
        places = np.arange(count)[::-1]
        bars = {"color": "#333333", "linewidth": 1}
        drawn.barh(
            places, found.mean[:count], xerr=found.spread[:count], color=COLORS[0], error_kw=bars
        )
        drawn.axvline(0, color="#999999", linewidth=0.8)
        drawn.set_yticks(places[::-1], names[::-1])
        drawn.set_ylim(min(0, count - 4) - 0.6, count - 0.4)  # a single bar isn't a wall
        drawn.grid(visible=False, axis="y")
        drawn.xaxis.set_major_formatter(NUMBERS)
        drawn.set_xlabel(f"{found.measure}: mean and deviation of {found.each.shape[1]} shufflings")
        drawn.set_title(fill(f"{user_text(found.target, WIDE)}: importances of columns", WIDE))
    return drawn


def partial(
    found: Any,
    table: Any = None,
    column: str | int | None = None,
    *,
    output: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plot how the predictions depend on one column: their mean, and those of single rows.

    Parameters
    ----------
    found : PartialDependence or Model
        What :meth:`fastgd.Model.partial` returned; or a model, with a ``table`` and a ``column``.
    table : DataFrame, mapping of str to (rows,) array_like, or path, optional
    column : str, optional
        A column that the model uses.
    output : str, optional
        Of several classes or targets the only one that is drawn. By default all are (7 at most);
        of two classes the second.
    ax : matplotlib Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    matplotlib Axes
        The mean prediction against the column's value, and a band that has the middle 80 % of the
        rows; with a single output also the curves of up to 40 rows. Strings have a point and a bar
        each (20 at most).

    Raises
    ------
    ValueError, TypeError
        As :meth:`fastgd.Model.partial`, or if ``found`` or ``output`` is something else.

    Examples
    --------
    >>> import fastgd, fastgd.plots, numpy as np
    >>> x = np.linspace(-3, 3, 200)
    >>> table = {"x": x, "noise": np.cos(50 * x), "y": np.sin(x)}
    >>> ax = fastgd.plots.partial(fastgd.fit(table, "y"), table, "x")
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('x', 'prediction of y')
    """
    if column is not None and hasattr(found, "partial"):
        found = found.partial(table, column)
    if not isinstance(found, PartialDependence):
        rule = "found must be a PartialDependence, or a model with a table and a column"
        raise TypeError(f"{rule}, got {shown(found)}")
    outputs, values = found.outputs, found.values
    if output is not None:
        outputs = (check_choice("output", output, outputs),)
    elif found.of_classes and len(outputs) == 2:
        outputs = outputs[1:]
    outputs, alone = outputs[: len(COLORS)], len(outputs) == 1
    is_text = values.dtype.kind == "U"
    order = np.arange(len(values))[:BARS] if is_text else np.argsort(values, kind="stable")
    values, count = values[order], len(order)
    what = "probability" if found.of_classes else "prediction"
    name = user_text(found.column, LINE)
    title = f"partial dependence on {name}: {found.individual.shape[1]:,} rows, middle 80 %"
    height = 1.6 + 0.3 * max(count, 4) if is_text else 4.2
    with axes(ax, figsize=(6.4, height)) as drawn:
        for k, own in enumerate(outputs):
            place = found.outputs.index(own)
            label, color, mean = legend_text(own), COLORS[k], found.average[place, order]
            curves = found.individual[place][:, order]
            low, high = np.quantile(curves, MIDDLE, axis=0)
            if is_text:
                at = np.arange(count)[::-1] - 0.6 * (k - (len(outputs) - 1) / 2) / len(outputs)
                drawn.hlines(at, low, high, color=color, linewidth=2, alpha=0.4)
                drawn.plot(mean, at, "o", color=color, label=label)
                continue
            if alone:
                few = curves[:: -(-len(curves) // CURVES)]
                drawn.plot(values, few.T, color="#999999", linewidth=0.5, alpha=0.6)
            drawn.fill_between(values, low, high, color=color, alpha=0.15, linewidth=0)
            drawn.plot(values, mean, color=color, linewidth=2, label=label)
        wanted = f"{what} of {user_text(outputs[0], LINE)}" if alone else what
        if is_text:
            drawn.set_yticks(range(count), [user_text(one, LINE) for one in values[::-1]])
            drawn.set_ylim(min(0, count - 4) - 0.6, count - 0.4)
            drawn.grid(visible=False, axis="y")
            drawn.xaxis.set_major_formatter(NUMBERS)
            drawn.set(xlabel=wanted, ylabel=name)
        else:
            bottom = drawn.get_xaxis_transform()  # quantiles of the column: where rows are
            drawn.plot(values, 0 * mean, "|", color="#333333", transform=bottom, clip_on=False)
            drawn.yaxis.set_major_formatter(NUMBERS)
            drawn.set(xlabel=name, ylabel=wanted)
        if not alone:
            drawn.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
        drawn.set_title(fill(title, WIDE))
    return drawn
