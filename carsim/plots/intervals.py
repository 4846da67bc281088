"""Numbers with their intervals: rows of points, and points over what was varied."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from carsim.plots.theme import (
    COLORS,
    LIMIT,
    MARKERS,
    axes_of,
    house_style,
    legend_below,
    letters,
)

LONGEST_LABEL = 40  # letters of a row
Intervals = Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]]


def interval_rows(
    labels: Sequence[str],
    series: Intervals,
    *,
    x_label: str,
    y_label: str = "",
    zero: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Points with intervals, one row a label and one color a series.

    Parameters
    ----------
    labels : sequence of str, length n
        Rows, from the top.
    series : mapping of str to (values, lower, upper), shape (n,) each
        Points and ends by name; NaN is not drawn.
    x_label, y_label : str
        Words of the axes, with the unit; those of the rows stand above them.
    zero : bool
        Whether the numbers may be negative: marks zero; else the axis begins there.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes_of(ax)
    places = np.arange(len(labels), dtype=np.float64)
    offsets = np.linspace(-0.25, 0.25, len(series)) if len(series) > 1 else np.zeros(1)
    for number, ((name, given), offset) in enumerate(zip(series.items(), offsets, strict=True)):
        values, lower, upper = (np.asarray(each, dtype=np.float64) for each in given)
        color = COLORS[number % len(COLORS)]
        ax.hlines(places + offset, lower, upper, color=color, linewidth=1.6)
        ax.plot(
            values,
            places + offset,
            linestyle="none",
            marker=MARKERS[number % len(MARKERS)],
            markersize=5,
            color=color,
            label=name or None,
            clip_on=False,
            zorder=3,
        )
    ax.set_yticks(places, ["\n".join(textwrap.wrap(label, LONGEST_LABEL)) for label in labels])
    ax.set_ylim(len(labels) - 0.5, -0.5)
    for edge in places[:-1] + 0.5:
        ax.axhline(edge, color="#E5E5E5", linewidth=0.6, zorder=0)
    if zero:
        ax.axvline(0.0, color=LIMIT, linewidth=1.0, zorder=0)
    else:
        ax.set_xlim(left=0.0)
    ax.grid(axis="x", color="#E5E5E5", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(x_label)
    ax.set_title(y_label)
    return ax


def interval_rows_figure(
    labels: Sequence[str],
    series: Intervals,
    *,
    x_label: str,
    y_label: str = "",
    legend: str = "",
    zero: bool = False,
) -> Figure:
    """Page with `interval_rows`, as tall as its rows need.

    Parameters
    ----------
    labels, series, x_label, y_label, zero
        As for `interval_rows`.
    legend : str
        Words above the names of the series.

    Returns
    -------
    matplotlib.figure.Figure
    """
    row = max(0.32, 0.17 * len(series) + 0.12)
    with house_style():
        figure = Figure(figsize=(8.6, 1.1 + row * len(labels)), layout="constrained")
        ax = figure.subplots()
        interval_rows(labels, series, x_label=x_label, y_label=y_label, zero=zero, ax=ax)
        legend_below(figure, ax.get_legend_handles_labels()[0], legend)
    return figure


def interval_points_figure(
    panels: Mapping[str, NDArray[np.float64]],
    values: ArrayLike,
    lower: ArrayLike,
    upper: ArrayLike,
    *,
    y_label: str,
    log: Collection[str] = (),
) -> Figure:
    """Points with intervals over each of several things that were varied together.

    Parameters
    ----------
    panels : mapping of str to float64 array, shape (n,)
        Positions by the words of the axis, a panel each.
    values, lower, upper : array_like, shape (n,)
        Points and ends of their intervals.
    y_label : str
        Words of the ordinate, with the unit.
    log : collection of str
        Panels with a logarithmic axis.

    Returns
    -------
    matplotlib.figure.Figure
    """
    middle, low, high = (np.asarray(each, dtype=np.float64) for each in (values, lower, upper))
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    many = len(middle) > 200
    with house_style():
        figure = Figure(figsize=(0.8 + 3.6 * columns, 0.3 + 2.8 * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        for number, (ax, (words, places)) in enumerate(zip(axes, panels.items(), strict=False)):
            ax.vlines(
                places, low, high, color=COLORS[0], linewidth=0.8, alpha=0.25 if many else 0.6
            )
            ax.plot(
                places,
                middle,
                linestyle="none",
                marker="o",
                markersize=2.5 if many else 4,
                color=COLORS[0],
                alpha=0.6 if many else 1.0,
            )
            if words in log:
                ax.set_xscale("log")
            else:
                ax.locator_params(axis="x", nbins=5)
            ax.set_xlabel("\n".join(textwrap.wrap(words, 46)))
            if number % columns == 0:
                ax.set_ylabel("\n".join(textwrap.wrap(y_label, 30)))
        axes[0].set_ylim(bottom=0.0)
        for ax in axes[len(panels) :]:
            ax.remove()
        if len(panels) > 1:
            letters(list(axes[: len(panels)]))
    return figure
