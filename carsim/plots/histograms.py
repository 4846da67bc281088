"""Histograms side by side: how patients differ, how hard they were to solve."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from carsim.plots.theme import COLORS, LINE_STYLES, house_style, legend_below, letters

COLUMNS = 3
EVERYBODY = "#5F6B76"
LONGEST_LABEL = 52  # letters; more do not fit below a panel
SMALLEST = 1e-3  # below it, numbers at the ticks are written with a power of ten each


@dataclass(frozen=True)
class Histogram:
    """One panel.

    Attributes
    ----------
    title : str
        Words above it.
    words : str
        Words of its axis, with the unit.
    edges : float64 array, shape (n + 1,)
        Edges of the bins.
    shares : mapping of str to float64 array, shape (n,)
        Share of the patients in each bin, by group; a group with an empty name is the only one.
    log : bool
        Logarithmic axis.
    """

    title: str
    words: str
    edges: NDArray[np.float64]
    shares: Mapping[str, NDArray[np.float64]]
    log: bool = False


def histogram_figure(
    panels: Sequence[Histogram], y_label: str, *, groups: Sequence[str] = ()
) -> Figure:
    """Page of histograms.

    Parameters
    ----------
    panels : sequence of Histogram
        At least one.
    y_label : str
        Words of the ordinates, which are in percent.
    groups : sequence of str
        Groups in the order of their colors; by default as they come.

    Returns
    -------
    matplotlib.figure.Figure
    """
    seen = list(dict.fromkeys(name for panel in panels for name in panel.shares if name))
    order = list(dict.fromkeys([*groups, *seen]))
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    with house_style():
        figure = Figure(figsize=(0.6 + 3.6 * columns, 0.4 + 2.3 * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for number, (ax, panel) in enumerate(zip(axes, panels, strict=False)):
            for name, shares in panel.shares.items():
                place = order.index(name) if name else 0
                color = COLORS[place % len(COLORS)] if name else EVERYBODY
                heights = 100.0 * np.asarray(shares)
                if len(panel.shares) == 1:
                    ax.stairs(heights, panel.edges, fill=True, color=color, alpha=0.35)
                ax.stairs(
                    heights,
                    panel.edges,
                    color=color,
                    linewidth=1.2,
                    linestyle=LINE_STYLES[place % len(LINE_STYLES)],
                    baseline=None,
                )
            if panel.log:
                ax.set_xscale("log")
            else:
                ax.locator_params(axis="x", nbins=6)
                if np.max(np.abs(panel.edges)) < SMALLEST:  # a power of ten below would hide words
                    ax.locator_params(axis="x", nbins=4)
                    ax.xaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
            ax.set_xlim(panel.edges[0], panel.edges[-1])
            ax.set_ylim(bottom=0.0)
            ax.set_xlabel("\n".join(textwrap.wrap(panel.words, LONGEST_LABEL)))
            if number % columns == 0:
                ax.set_ylabel(y_label)
            ax.set_title(panel.title)
        for ax in axes[len(panels) :]:
            ax.remove()
        if len(panels) > 1:
            letters(list(axes[: len(panels)]))
        if seen:
            handles = [
                Line2D(
                    [],
                    [],
                    color=COLORS[k % len(COLORS)],
                    linestyle=LINE_STYLES[k % len(LINE_STYLES)],
                    label=name,
                )
                for k, name in enumerate(order)
                if name in seen
            ]
            legend_below(figure, handles)
    return figure
