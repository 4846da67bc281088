"""Lines of equal risk over two swept numbers, with how sure they are."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from carsim.errors import ScenarioError
from carsim.plots.risk_maps import ceiling
from carsim.plots.theme import (
    RISK_COLORS,
    axes_of,
    axis_values,
    groups_of,
    house_style,
    legend_below,
    letters,
    tick_labels,
)

if TYPE_CHECKING:
    import xarray as xr

LEVELS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0)
MOST_LINES = 6
LONGEST_LABEL = 46
FINE = 120  # places along an axis at which lines are followed
SURE = 5.0
"""Percent: the line that is drawn with its uncertainty, if it crosses the map."""


def risk_contours(
    table: xr.Dataset,
    x: str,
    y: str,
    *,
    largest: float | None = None,
    level: float | None = None,
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Lines of equal risk between the simulated cells, interpolated linearly.

    Parameters
    ----------
    table : xarray.Dataset
        Result of `carsim.endpoints.risk` with the dimensions `x` and `y`, both of two numbers or
        more.
    x, y : str
        Swept dimensions across and up, drawn to scale.
    largest : float, optional
        Risk at the dark end of the scale.
    level : float, optional
        Risk in percent whose line is drawn with its uncertainty: hatched is where the interval
        includes it.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    title : str
        Title of the panel.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ScenarioError
        An axis of words: there is nothing between them.
    """
    for name in (x, y):
        if table[name].dtype.kind not in "iuf":
            raise ScenarioError(
                f"Lines of equal risk need numbers on both axes, but '{name}' has words: between "
                f"{str(table[name].values[0])!r} and its neighbor there is nothing. Draw a "
                "risk_map."
            )
    ax = axes_of(ax)
    ordered = table.transpose(y, x).sortby([x, y])
    across, x_words = axis_values(ordered[x])
    up, y_words = axis_values(ordered[y])
    shares = 100.0 * np.asarray(ordered["risk"].values, dtype=np.float64)
    top = 100.0 * (ceiling(ordered["risk"].values) if largest is None else largest)
    fine_across, fine_up = _fine(across), _fine(up)

    def between(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return _interpolated(values, (across, up), (fine_across, fine_up))

    steps = np.linspace(0.0, top, 21)
    ax.contourf(
        fine_across,
        fine_up,
        between(shares),
        levels=steps,
        cmap=RISK_COLORS,
        norm=Normalize(0.0, top),
        extend="max",
    )
    if level is not None:
        lower = 100.0 * np.asarray(ordered["lower"].values, dtype=np.float64)
        upper = 100.0 * np.asarray(ordered["upper"].values, dtype=np.float64)
        # Positive where the interval includes the level. The ends are interpolated first: between
        # a cell clearly above and one clearly below it, the level is somewhere.
        inside = np.minimum(between(upper) - level, level - between(lower))
        if np.nanmax(inside) > 0:
            ax.contourf(
                fine_across, fine_up, inside, levels=[0.0, 1e9], colors="none", hatches=["////"]
            ).set_edgecolor("#8A6D00")
    lines = lines_of(shares)
    if lines:
        drawn = ax.contour(
            fine_across, fine_up, between(shares), levels=lines, colors="black", linewidths=0.9
        )
        texts = ax.clabel(drawn, fmt=lambda value: f"{value:g} %", fontsize=7.5)
        for text in texts:
            text.set_clip_on(False)
            text.set_bbox({"facecolor": "white", "alpha": 0.8, "pad": 0.8, "linewidth": 0})
    columns, rows = np.meshgrid(across, up)
    ax.plot(
        columns.ravel(),
        rows.ravel(),
        linestyle="none",
        marker="o",
        markersize=3,
        markerfacecolor="white",
        markeredgecolor="black",
        markeredgewidth=0.6,
        clip_on=False,
        zorder=3,
    )
    ax.set_xticks(across, tick_labels(ordered[x])[0])
    ax.set_yticks(up, tick_labels(ordered[y])[0])
    ax.set_xlabel("\n".join(textwrap.wrap(x_words, LONGEST_LABEL)))
    ax.set_ylabel("\n".join(textwrap.wrap(y_words, LONGEST_LABEL)))
    ax.set_title(title)
    return ax


def risk_contour_figure(table: xr.Dataset, x: str, y: str, *, by: str | None = None) -> Figure:
    """Page of `risk_contours`, a panel a group.

    Parameters
    ----------
    table : xarray.Dataset
        Result of `carsim.endpoints.risk` with the dimensions `x`, `y` and perhaps `by`.
    x, y : str
        Swept dimensions.
    by : str, optional
        Dimension whose labels get a panel each.

    Returns
    -------
    matplotlib.figure.Figure
    """
    groups = groups_of(table, by)
    largest = ceiling(table["risk"].values)
    with house_style():
        figure = Figure(figsize=(1.5 + 4.0 * len(groups), 4.1), layout="constrained")
        axes = figure.subplots(1, len(groups), squeeze=False)[0]
        levels = [sure_level(part) for _, part in groups]
        for ax, (name, part), level in zip(axes, groups, levels, strict=True):
            risk_contours(part, x, y, largest=largest, level=level, ax=ax, title=name)
        for ax in axes[1:]:
            ax.set_ylabel("")
        if len(groups) > 1:
            letters(list(axes))
        figure.colorbar(_scale(largest), ax=axes.tolist(), label=f"{_capital(table)} (%)", pad=0.01)
        handles: list[Line2D | Patch] = [
            Line2D([], [], color="black", linewidth=0.9, label="equal risk, interpolated"),
            Line2D(
                [],
                [],
                linestyle="none",
                marker="o",
                markersize=3,
                markerfacecolor="white",
                markeredgecolor="black",
                label="simulated cells",
            ),
        ]
        shown = {level for level in levels if level is not None}
        if shown:
            words = " or ".join(f"{level:g} %" for level in sorted(shown))
            handles.append(
                Patch(
                    facecolor="white",
                    edgecolor="#8A6D00",
                    hatch="////",
                    label=f"interval includes {words}"
                    + (" (the labeled line of the panel)" if len(shown) > 1 else ""),
                )
            )
        legend_below(figure, handles)
    return figure


def lines_of(shares: NDArray[np.float64]) -> list[float]:
    """Round risks in percent whose lines cross a map, six at most."""
    if not np.isfinite(shares).any():
        return []
    inside = [each for each in LEVELS if np.nanmin(shares) < each < np.nanmax(shares)]
    every = -(-len(inside) // MOST_LINES) or 1
    return inside[::-1][::every][::-1]


def sure_level(table: xr.Dataset) -> float | None:
    """Of the lines that are drawn the one that gets its uncertainty: the nearest to 5 %."""
    lines = lines_of(100.0 * np.asarray(table["risk"].values, dtype=np.float64))
    return min(lines, key=lambda each: abs(np.log(each / SURE)), default=None)


def _fine(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places between and at the given ones."""
    between = np.linspace(places[0], places[-1], FINE)
    return np.unique(np.concatenate([places, between]))


def _interpolated(
    values: NDArray[np.float64],
    given: tuple[NDArray[np.float64], NDArray[np.float64]],
    wanted: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Interpolate (up, across) linearly along both axes."""
    along = np.array([np.interp(wanted[0], given[0], row) for row in values])
    columns = [np.interp(wanted[1], given[1], column) for column in along.T]
    return np.array(columns).T


def _scale(largest: float) -> ScalarMappable:
    return ScalarMappable(Normalize(0.0, 100.0 * largest), colormaps[RISK_COLORS])


def _capital(table: xr.Dataset) -> str:
    words = str(table["risk"].attrs.get("long_name", "risk"))
    return words[:1].upper() + words[1:]
