"""Which columns a model uses, and how its predictions change with one of them."""

from __future__ import annotations

from textwrap import fill
from typing import Any

import numpy as np

from fastgd.checks.messages import shown
from fastgd.checks.numbers import check_choice
from fastgd.plots.networks import BARS, LINE
from fastgd.plots.style import COLORS, Axes, axes, legend_text, user_text
from fastgd.tables.inspection import Importances, PartialDependence, value_text

NUMBERS = "{x:,.6g}"
"""How numbers of an axis are written."""

WIDE = 56
"""Characters in a line of a title."""

MIDDLE = 0.1, 0.9
"""Quantiles of the rows' predictions between which the band is."""

CURVES = 40
"""Rows with a curve of their own, at most, spread evenly over the table."""

STRINGS = 20
"""Strings that are drawn, at most."""


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
    outputs = found.outputs
    if output is not None:
        outputs = (check_choice("output", output, outputs),)
    elif found.of_classes and len(outputs) == 2:
        outputs = outputs[1:]
    outputs = outputs[: len(COLORS)]
    what = "probability" if found.of_classes else "prediction"
    name = user_text(found.column, LINE)
    rows = f"{found.individual.shape[1]:,} rows"
    title = f"partial dependence on {name}: {rows}, middle 80 %"
    is_text = found.values.dtype.kind == "U"
    many = min(STRINGS, len(found.values)) if is_text else 0
    size = (6.4, 1.6 + 0.3 * max(many, 4)) if is_text else (6.4, 4.2)
    with axes(ax, figsize=size) as drawn:
        for k, own in enumerate(outputs):
            place = found.outputs.index(own)
            label, color, mean = legend_text(own), COLORS[k], found.average[place]
            low, high = np.quantile(found.individual[place], MIDDLE, axis=0)
            if is_text:
                at = np.arange(many)[::-1] - 0.6 * (k - (len(outputs) - 1) / 2) / len(outputs)
                drawn.hlines(at, low[:many], high[:many], color=color, linewidth=2, alpha=0.4)
                drawn.plot(mean[:many], at, "o", color=color, label=label)
                continue
            if len(outputs) == 1:
                rows = found.individual[place]
                few = rows[:: -(-len(rows) // CURVES)]
                drawn.plot(found.values, few.T, color="#999999", linewidth=0.5, alpha=0.6)
            drawn.fill_between(found.values, low, high, color=color, alpha=0.15, linewidth=0)
            drawn.plot(found.values, mean, color=color, linewidth=2, label=label)
        wanted = f"{what} of {user_text(outputs[0], LINE)}" if len(outputs) == 1 else what
        (drawn.xaxis if is_text else drawn.yaxis).set_major_formatter(NUMBERS)
        if is_text:
            texts = [user_text(value_text(one), LINE) for one in found.values[:many]]
            drawn.set_yticks(range(many), texts[::-1])
            drawn.set_ylim(min(0, many - 4) - 0.6, many - 0.4)
            drawn.grid(visible=False, axis="y")
            drawn.set(xlabel=wanted, ylabel=name)
        else:
            drawn.plot(
                found.values,
                np.zeros(len(mean)),
                "|",
                color="#333333",
                markersize=6,
                transform=drawn.get_xaxis_transform(),
                clip_on=False,
            )  # where rows are
            drawn.set(xlabel=name, ylabel=wanted)
        if len(outputs) > 1:
            drawn.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
        drawn.set_title(fill(title, WIDE))
    return drawn
