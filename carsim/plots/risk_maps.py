"""Risk over two swept axes: heat maps with intervals in the cells, and curves with bands."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from carsim.endpoints.risk import risk
from carsim.errors import ScenarioError, unknown
from carsim.plots.theme import (
    MARKERS,
    RISK_COLORS,
    axes_of,
    axis_values,
    groups_of,
    house_style,
    label_of,
    legend_below,
    letters,
    note,
    ordered_colors,
    percent,
    tick_labels,
)

if TYPE_CHECKING:
    import xarray as xr

MOST_WRITTEN = 12  # cells a side whose numbers can be read
LONGEST_TICK, LONGEST_BAR = 16, 30  # letters a line below a cell, and beside a color scale
LONGEST_LABEL = 46  # letters; more do not fit beside a panel


def risk_map(
    dataset: xr.Dataset,
    x: str,
    y: str,
    *,
    event: str = "hbv_reactivation",
    ax: Axes | None = None,
    largest: float | None = None,
    level: float = 0.95,
    wide: float | None = None,
    numbers: bool | None = None,
    colorbar: bool = False,
    title: str = "",
) -> Axes:
    """Heat map of a risk over two axes, each cell with its percentage and interval.

    Cells are of equal size whatever the spacing of the swept values, which may also be words.
    `risk_contours` draws to scale, with lines of equal risk.

    Parameters
    ----------
    dataset : xarray.Dataset
        Sweep with the dimensions `x`, `y` and "patient" (other dimensions: select one value first).
    x, y : str
        Swept dimensions across and up.
    event : str
        Variable of 1, 0 and NaN.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    largest : float, optional
        Risk at the dark end of the scale, so that panels can share it; the light end is 0.
    level : float
        Level of the interval.
    wide : float, optional
        Cells whose interval is wider than this (between 0 and 1) are hatched, and a line above the
        axes says so.
    numbers : bool, optional
        Whether to write risk and interval in each cell; by default in maps of up to 12 cells a
        side, where they can be read.
    colorbar : bool
        Whether to draw the color scale beside the map.
    title : str
        Title of the panel.

    Returns
    -------
    matplotlib.axes.Axes
        Its `images[0]` carries the color scale, in percent.

    Raises
    ------
    ScenarioError
        An unknown event or dimension, or further dimensions.
    """
    table = _table(dataset, event, (y, x), level)
    shares = np.asarray(table["risk"].values, dtype=np.float64)
    lower = np.asarray(table["lower"].values, dtype=np.float64)
    upper = np.asarray(table["upper"].values, dtype=np.float64)
    ax = axes_of(ax)
    scale = colormaps[RISK_COLORS].with_extremes(bad="#DDDDDD")
    top = 100.0 * (ceiling(shares) if largest is None else largest)
    image = ax.imshow(100.0 * shares, origin="lower", aspect="auto", cmap=scale, vmin=0.0, vmax=top)
    if wide is not None:
        _hatch(ax, upper - lower > wide)
    written = max(shares.shape) <= MOST_WRITTEN if numbers is None else numbers
    for row, column in np.ndindex(*shares.shape):
        share = float(shares[row, column])
        if not written:
            break
        if not np.isfinite(share):
            ax.text(column, row, "no data", ha="center", va="center", fontsize=7)
            continue
        red, green, blue, _ = scale(100.0 * share / top)
        dark = 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.5
        color = "white" if dark else "black"
        span = f"{percent(float(lower[row, column]))}–{percent(float(upper[row, column]))}"
        ax.text(
            column,
            row + 0.13,
            f"{percent(share)} %",
            ha="center",
            va="center",
            color=color,
            fontsize=8.5,
        )
        ax.text(
            column, row - 0.22, f"({span})", ha="center", va="center", color=color, fontsize=6.5
        )
    for axis, name in ((ax.xaxis, x), (ax.yaxis, y)):
        labels, words = tick_labels(dataset[name])
        every = -(-len(labels) // MOST_WRITTEN)
        if name == x:
            labels = ["\n".join(textwrap.wrap(label, LONGEST_TICK)) for label in labels]
        axis.set_ticks(range(0, len(labels), every), labels[::every])
        axis.set_label_text("\n".join(textwrap.wrap(words, LONGEST_LABEL)))
    ax.tick_params(length=0)
    ax.set_xticks(np.arange(-0.5, shares.shape[1]), minor=True)
    ax.set_yticks(np.arange(-0.5, shares.shape[0]), minor=True)
    if written:
        ax.grid(which="minor", color="white", linewidth=1.0)
    ax.tick_params(which="minor", length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set_title(title)
    if wide is not None and bool(np.any(upper - lower > wide)):
        note(ax, f"hatched: interval wider than {100 * wide:g} percentage points")
    if colorbar:
        assert ax.figure is not None
        label = "\n".join(textwrap.wrap(f"{_words(dataset, event)} (%)", LONGEST_BAR))
        ax.figure.colorbar(image, ax=ax, label=label, pad=0.02)
    return ax


def risk_curves(
    dataset: xr.Dataset,
    x: str,
    by: str,
    *,
    event: str = "hbv_reactivation",
    ax: Axes | None = None,
    level: float = 0.95,
    title: str = "",
    legend: bool = True,
) -> Axes:
    """Risk along one axis, a curve with a shaded band for each value of another.

    Parameters
    ----------
    dataset : xarray.Dataset
        Sweep with the dimensions `x`, `by` and "patient".
    x : str
        Swept dimension across, drawn to scale.
    by : str
        Swept dimension of the curves.
    event, ax, level, title
        As for `risk_map`.
    legend : bool
        Whether to draw the legend.
    """
    table = _table(dataset, event, (by, x), level)
    ax = axes_of(ax)
    positions, words = axis_values(dataset[x])
    names, by_words = tick_labels(dataset[by])
    for number, (name, color) in enumerate(zip(names, ordered_colors(len(names)), strict=True)):
        row = table.isel({by: number})
        ax.fill_between(
            positions, 100 * row["lower"], 100 * row["upper"], color=color, alpha=0.22, linewidth=0
        )
        ax.plot(
            positions,
            100 * row["risk"],
            color=color,
            marker=MARKERS[number % len(MARKERS)],
            markersize=4,
            label=name,
        )
    ax.set_xlabel(words)
    ax.set_ylabel(f"{_words(dataset, event)} (%)")
    _from_zero(ax, ax.get_ylim()[1])
    ax.set_xticks(positions)
    ax.set_xticklabels(tick_labels(dataset[x])[0])
    ax.set_title(title)
    if legend:
        ax.legend(title=by_words)
    return ax


def risk_map_figure(
    dataset: xr.Dataset,
    x: str,
    y: str,
    *,
    by: str | None = "serostatus",
    event: str = "hbv_reactivation",
    level: float = 0.95,
) -> Figure:
    """One heat map a group (serostatus), and below each the same risks as curves with bands.

    Parameters
    ----------
    dataset : xarray.Dataset
        Sweep with the dimensions `x`, `y` and "patient".
    x, y : str
        Swept dimensions.
    by : str or None
        Dimension, or coordinate on "patient", whose labels get a column each.
    event : str
        Variable of 1, 0 and NaN.
    level : float
        Level of the intervals.

    Returns
    -------
    matplotlib.figure.Figure
    """
    groups = groups_of(dataset, by)
    tables = [_table(part, event, (y, x), level) for _, part in groups]
    largest = max(ceiling(table["risk"].values) for table in tables)
    with house_style():
        figure = Figure(figsize=(1.5 + 4.0 * len(groups), 7.6), layout="constrained")
        axes = figure.subplots(2, len(groups), squeeze=False)
        for column, ((name, part), table) in enumerate(zip(groups, tables, strict=True)):
            count = int(table["n"].max())
            title = f"{name} (n = {count:,} per cell)" if name else f"n = {count:,} per cell"
            upper_ax, lower_ax = axes[0, column], axes[1, column]
            risk_map(
                part, x, y, event=event, ax=upper_ax, largest=largest, level=level, title=title
            )
            risk_curves(
                part, x, y, event=event, ax=lower_ax, level=level, legend=column == len(groups) - 1
            )
            if column:
                upper_ax.set_ylabel("")
                lower_ax.set_ylabel("")
        top = max(ax.get_ylim()[1] for ax in axes[1])
        for ax in axes[1]:
            _from_zero(ax, top)
        legend = axes[1, -1].get_legend()
        if legend is not None:  # below the panels, where it cannot lie on a curve
            legend.remove()
        handles = axes[1, -1].get_legend_handles_labels()[0]
        figure.colorbar(
            ScalarMappable(Normalize(0.0, 100.0 * largest), colormaps[RISK_COLORS]),
            ax=axes[0, :].tolist(),
            label=f"{_words(dataset, event)} (%)",
            pad=0.01,
        )
        legend_below(figure, handles, tick_labels(dataset[y])[1])
        letters([*axes[0], *axes[1]])
        failed = max(int(table["excluded"].max()) for table in tables)
        left_out = f"At most {failed} patients a cell were" if failed else "No patient was"
        figure.suptitle(
            f"Brackets and bands: {100 * level:g} % Wilson intervals of the simulated cohort "
            f"(sampling only, not model error). {left_out} left out.",
            fontsize=7.5,
            color="#555555",
        )
    return figure


def ceiling(shares: NDArray[np.float64]) -> float:
    """Top of a risk scale: the next of 5, 10, 20, ... 100 % above the largest risk."""
    largest = float(np.nanmax(shares)) if np.isfinite(shares).any() else 1.0
    steps = np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    return float(steps[np.searchsorted(steps, largest - 1e-12).clip(max=len(steps) - 1)])


def _hatch(ax: Axes, chosen: NDArray[np.bool_]) -> None:
    """Hatch some cells, in gray that is seen on light and dark cells."""
    for row, column in np.argwhere(chosen):
        ax.add_patch(
            Rectangle(
                (column - 0.5, row - 0.5), 1, 1, fill=False, hatch="///", edgecolor="#9A9A9A",
                linewidth=0, gid="wide",
            )
        )  # fmt: skip


def _from_zero(ax: Axes, top: float) -> None:
    """Start at zero, with room for half a marker below it."""
    ax.set_ylim(-0.02 * top, top)


def _words(dataset: xr.Dataset, event: str) -> str:
    words = label_of(dataset[event])
    if words.lower().startswith("risk"):
        return words
    is_acronym = words[:2].isupper()
    return f"Risk of {words if is_acronym else words[:1].lower() + words[1:]}"


def _table(dataset: xr.Dataset, event: str, dims: tuple[str, str], level: float) -> xr.Dataset:
    if event == "risk" and "lower" in dataset:  # counted already: a result of `risk`
        return dataset.transpose(*dims)
    if event not in dataset:
        raise ScenarioError(unknown("variable", event, map(str, dataset.data_vars), "the sweep"))
    values = dataset[event]
    for name in dims:
        if name not in values.dims:
            raise ScenarioError(
                unknown("dimension", name, map(str, values.dims), f"the sweep's '{event}'")
            )
    extra = [str(d) for d in values.dims if d not in (*dims, "patient")]
    if extra:
        raise ScenarioError(
            f"A risk map has two axes, but '{event}' also varies along {', '.join(extra)}. Choose "
            f"one value first, for example dataset.isel({extra[0]}=0)."
        )
    return risk(values, level=level).transpose(*dims)
