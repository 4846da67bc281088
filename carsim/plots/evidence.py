"""Published results beside carsim's: a forest plot of cohorts, and curves over published points."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from carsim.plots.theme import COLORS, LINE_STYLES, MARKERS, SHADE, axes_of, house_style

Interval: TypeAlias = tuple[float, float]
Curves: TypeAlias = Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]

FOUND, OUTSIDE, PUBLISHED = COLORS[0], COLORS[1], COLORS[6]
LABEL_WIDTH = 46  # letters
LINE_HEIGHT = 0.17  # inches
MOST_INSIDE = 3  # legend entries that find room among the lines
MOST_MARKED = 40  # points that are seen one by one


@dataclass(frozen=True)
class ForestRow:
    """One line of a forest plot; all numbers in percent.

    Attributes
    ----------
    label : str
        Words at the left.
    published, found : float
        Published share and carsim's.
    tolerated : (float, float)
        Tolerated values of `found`.
    inside : bool
        Whether `found` is tolerated.
    published_interval, interval : (float, float), optional
        Uncertainty of `published`, and the Monte Carlo interval of `found`.
    basis : str
        What may be said of `published`: that it is ``"published"``, or only ``"computed"``.
    """

    label: str
    published: float
    found: float
    tolerated: Interval
    inside: bool
    published_interval: Interval | None = None
    interval: Interval | None = None
    basis: str = "published"


def forest_figure(groups: Mapping[str, Sequence[ForestRow]]) -> Figure:
    """Page with one forest plot, as tall as its rows need.

    Parameters
    ----------
    groups : mapping of str to sequence of ForestRow
        Rows by heading.

    Returns
    -------
    matplotlib.figure.Figure
    """
    lines = sum(_lines(row) for rows in groups.values() for row in rows)
    height = 1.3 + LINE_HEIGHT * (lines + 2 * len(groups))
    with house_style():
        figure = Figure(figsize=(9.4, height), layout="constrained")
        ax = figure.subplots()
        forest(groups, ax=ax)
        legend = ax.get_legend()
        assert legend is not None
        legend.remove()  # it goes below the rows, where it cannot lie on one
        figure.legend(handles=_key(), loc="outside lower center", ncols=len(_key()))
    return figure


def forest(groups: Mapping[str, Sequence[ForestRow]], *, ax: Axes | None = None) -> Axes:
    """Published shares beside carsim's, on an axis of percent, with the tolerated range.

    Parameters
    ----------
    groups : mapping of str to sequence of ForestRow
        Rows by heading.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes_of(ax)
    axis = ax.get_yaxis_transform()
    ticks: list[float] = []
    labels: list[str] = []
    top = 0.0  # the ordinate counts lines of text, downwards
    for heading, rows in groups.items():
        ax.text(-0.015, top + 1.0, heading, transform=axis, ha="right", va="center", weight="bold")
        top += 2.0
        for row in rows:
            height = _lines(row)
            middle = top + height / 2
            _draw(ax, row, middle, height)
            ticks.append(middle)
            labels.append("\n".join(_wrapped(row.label)))
            top += height
    ax.set_ylim(top, 0.0)
    ax.set_yticks(ticks, labels)
    ax.tick_params(axis="y", length=0, pad=8)
    ax.set_xlim(0.0, _end([row for rows in groups.values() for row in rows]))
    ax.set_xlabel("Patients (%)")
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.legend(handles=_key())
    return ax


def evidence_curves(
    lines: Curves,
    points: Curves,
    *,
    title: str = "",
    x_label: str = "",
    y_label: str = "",
    log_y: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Lines of carsim over published points.

    Parameters
    ----------
    lines, points : mapping of str to (x, y)
        Lines and points, by legend. Points take the color of the line with their name, or else,
        where there are as many sets of points as lines, with their place; or else black.
    title, x_label, y_label : str
        Words.
    log_y : bool
        Logarithmic ordinate; zero and below are not drawn.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = axes_of(ax)
    colors = {name: COLORS[k % len(COLORS)] for k, name in enumerate(lines)}
    shown: list[float] = []
    for k, (name, (x, y)) in enumerate(lines.items()):
        values = _positive(y) if log_y else np.asarray(y, dtype=np.float64)
        shown += values[np.isfinite(values)].tolist()
        style = LINE_STYLES[k // len(COLORS) % len(LINE_STYLES)]
        ax.plot(x, values, color=colors[name], linestyle=style, label=name)
    by_place = list(colors.values()) if len(points) == len(lines) else []
    for k, (name, (x, y)) in enumerate(points.items()):
        values = _positive(y) if log_y else np.asarray(y, dtype=np.float64)
        shown += values[np.isfinite(values)].tolist()
        color = colors.get(name) or (by_place[k] if by_place else PUBLISHED)
        ax.plot(
            x,
            values,
            linestyle="none",
            marker=MARKERS[k % len(MARKERS)],
            markersize=4.5 if len(values) <= MOST_MARKED else 2.5,
            markerfacecolor="white",
            markeredgecolor=color,
            zorder=3,
            label=name,
        )
    _frame(ax, shown, log_y)
    ax.set_title(title)
    ax.set_xlabel(x_label)
    ax.set_ylabel(y_label)
    return ax


def evidence_curves_figure(
    lines: Curves,
    points: Curves,
    *,
    title: str = "",
    x_label: str = "",
    y_label: str = "",
    log_y: bool = False,
) -> Figure:
    """Page with one panel of `evidence_curves` and its legend.

    Parameters
    ----------
    lines, points, title, x_label, y_label, log_y
        As in `evidence_curves`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    entries = len(lines) + len(points)
    columns = 2
    below = entries > MOST_INSIDE
    height = 3.3 + (LINE_HEIGHT * math.ceil(entries / columns) if below else 0.0)
    with house_style():
        figure = Figure(figsize=(5.4, height), layout="constrained")
        ax = figure.subplots()
        evidence_curves(
            lines, points, title=title, x_label=x_label, y_label=y_label, log_y=log_y, ax=ax
        )
        ax.set_title("\n".join(textwrap.wrap(title, 62)))
        if below:
            figure.legend(*ax.get_legend_handles_labels(), loc="outside lower left", ncols=columns)
        else:
            ax.legend()
    return figure


def as_png(figure: Figure) -> bytes:
    """Return a figure as the bytes of a PNG file."""
    buffer = io.BytesIO()
    with house_style():
        figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw(ax: Axes, row: ForestRow, middle: float, height: float) -> None:
    top, bottom = middle - 0.42 * height, middle + 0.42 * height
    low, high = row.tolerated
    ax.fill_between([max(low, 0.0), min(high, 100.0)], top, bottom, color=SHADE, linewidth=0)
    offset = min(0.2 * height, 0.45)
    color = FOUND if row.inside else OUTSIDE
    for y, value, interval, marker, edge, face in (
        (middle - offset, row.published, row.published_interval, "s", PUBLISHED, "white"),
        (middle + offset, row.found, row.interval, "o" if row.inside else "X", color, color),
    ):
        if interval is not None:
            ax.plot(interval, [y, y], color=edge, linewidth=1.2, solid_capstyle="butt")
        ax.plot(
            [value],
            [y],
            marker=marker,
            color=edge,
            markerfacecolor=face,
            markersize=5,
            # A marker at 0 % is seen whole.
            clip_on=False,
            zorder=3,
        )
    ax.text(
        1.02,
        middle,
        f"{'✓ inside' if row.inside else '✗ outside'}: {_share(row.found)}, "
        f"{row.basis} {_share(row.published)}",
        transform=ax.get_yaxis_transform(),
        va="center",
        fontsize=8,
        color=PUBLISHED if row.inside else OUTSIDE,
        weight="normal" if row.inside else "bold",
    )


def _share(value: float) -> str:
    return f"{value:.1f} %" if math.isfinite(value) else "no number"


def _end(rows: Sequence[ForestRow]) -> float:
    """Right end of the axis: all that is drawn, but never beyond 100 %."""
    ends = [
        end
        for row in rows
        for end in (
            row.published,
            row.found,
            row.tolerated[1],
            *(row.published_interval or ()),
            *(row.interval or ()),
        )
        if math.isfinite(end)
    ]
    return min(100.0, 1.05 * max(ends, default=0.0)) or 100.0


def _wrapped(label: str) -> list[str]:
    return [line for part in label.split("\n") for line in textwrap.wrap(part, LABEL_WIDTH)]


def _lines(row: ForestRow) -> int:
    """Lines of text that a row takes: those of its label and one of air, so that both marks fit."""
    return max(len(_wrapped(row.label)), 1) + 1


def _key() -> list[Artist]:
    def mark(marker: str, color: str, face: str, label: str) -> Line2D:
        return Line2D(
            [],
            [],
            color=color,
            linewidth=1.2,
            marker=marker,
            markerfacecolor=face,
            markersize=5,
            label=label,
        )

    return [
        Patch(color=SHADE, label="tolerated"),
        mark("s", PUBLISHED, "white", "published or computed (interval)"),
        mark("o", FOUND, FOUND, "carsim, inside (Monte Carlo interval)"),
        mark("X", OUTSIDE, OUTSIDE, "carsim, outside"),
    ]


def _positive(values: NDArray[np.float64]) -> NDArray[np.float64]:
    found = np.asarray(values, dtype=np.float64)
    return np.where(found > 0.0, found, np.nan)


def _frame(ax: Axes, shown: Sequence[float], log_y: bool) -> None:
    if log_y:
        ax.set_yscale("log")
        if shown and max(shown) < 3.0 * min(shown):  # a decade at least, so that ticks have labels
            middle = math.sqrt(min(shown) * max(shown))
            ax.set_ylim(middle / 10.0**0.6, middle * 10.0**0.6)
    elif shown and 0.0 <= min(shown) < 0.5 * max(shown):
        ax.set_ylim(bottom=0.0)
