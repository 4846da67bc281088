"""Bars of a classic tornado: an output with one factor at its low and at its high end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation
from numpy.typing import NDArray

from carsim.plots.theme import COLORS, LETTER, SUPERSCRIPTS, unit_text

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]

#: Ends, their colors, and where their whiskers are drawn if they would lie on each other.
ENDS = (("low", COLORS[4], 0.16), ("high", COLORS[1], -0.16))
HEIGHT = 0.7
INVISIBLE = 0.002
"""Of the longest bar: shorter ones have no side."""
GAP = 4.0  # points between a whisker and the value of the factor
LEGEND_BELOW = 0.42  # inches, below the label of the axis
SHARE = 0.75  # of the axes before layout that the names of the factors leave


@dataclass(frozen=True)
class _End:
    """One end of all factors, each array of shape (n_bars,).

    Attributes
    ----------
    name, color : str
        "low" or "high".
    change, lower, upper : float64 array
        Difference to base and its interval.
    rows : float64 array
        Where whiskers and texts are drawn.
    side : float64 array
        1 where the text stands at the right, -1 at the left.
    texts : list of str
        Values of the factors.
    """

    name: str
    color: str
    change: Array
    lower: Array
    upper: Array
    rows: Array
    side: Array
    texts: list[str]

    @property
    def tips(self) -> Array:
        """Where the texts begin: beyond the bar and its whisker."""
        whisker = np.where(self.side > 0.0, self.upper, self.lower)
        return self.side * np.fmax(self.side * self.change, self.side * whisker)


def draw_ends(ax: Axes, chosen: xr.Dataset, order: NDArray[np.int64], places: Array) -> None:
    """Draw bars from base to both ends, with intervals of the changes and the factor's values.

    A bar ends at base plus the change, which is compared over the patients with a value at both.

    Parameters
    ----------
    ax : matplotlib Axes
        Where to draw.
    chosen : xarray.Dataset
        One output of a result of the method "one_at_a_time".
    order : int64 array, shape (n_bars,)
        Positions of the factors, from the bottom up.
    places : float64 array, shape (n_bars,)
        Where they stand on the axis.
    """
    base = float(chosen.at_base)
    ends = _ends(chosen, order, places)
    first, second = ends
    interval = f"{100.0 * float(chosen.attrs['level']):g} % interval of the change"
    # Where both ends lie on one side of base, the shorter bar is drawn over the longer one.
    one_side = first.side == second.side
    for end, other in ((first, second), (second, first)):
        over = one_side & (np.abs(end.change) < np.abs(other.change))
        bars = ax.barh(
            places,
            end.change,
            left=base,
            height=np.where(over, 0.6 * HEIGHT, HEIGHT),
            color=end.color,
            label=f"factor at its {end.name} end",
        )
        for bar, is_over in zip(bars, over, strict=True):
            bar.set_zorder(2.1 if is_over else 2.0)
        ax.hlines(
            end.rows,
            base + end.lower,
            base + end.upper,
            color="black",
            linewidth=0.9,
            zorder=3.0,
            label=interval if end is second and np.isfinite(end.lower).any() else "",
        )
        for tip in (end.lower, end.upper):
            ax.plot(
                base + tip,
                end.rows,
                linestyle="none",
                marker="|",
                color="black",
                markersize=4,
                zorder=3.0,
            )
        for text, tip, row, side in zip(end.texts, end.tips, end.rows, end.side, strict=True):
            if np.isfinite(tip):
                ax.annotate(
                    text,
                    xy=(base + tip, row),
                    xytext=(GAP * side, 0.0),
                    textcoords="offset points",
                    ha="left" if side > 0.0 else "right",
                    va="center",
                    fontsize=7.5,
                    zorder=5.0,
                )
    ax.axvline(
        base,
        color="black",
        linestyle=(0, (4, 2)),
        linewidth=1.2,
        zorder=4.0,
        label="base: all at their own values",
    )
    below = ScaledTranslation(0.0, -LEGEND_BELOW, ax.figure.dpi_scale_trans)
    ax.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=ax.transAxes + below,
        ncols=2,
    )
    _make_room(ax, base, ends)


def _ends(chosen: xr.Dataset, order: NDArray[np.int64], places: Array) -> list[_End]:
    def read(name: str) -> tuple[Array, Array, Array]:
        change, lower, upper = (
            np.asarray(chosen[f"change_{name}{suffix}"].values, dtype=np.float64)[order]
            for suffix in ("", "_lower", "_upper")
        )
        return change, lower, upper

    given = {name: read(name) for name, _, _ in ENDS}
    (low, low_from, low_to), (high, high_from, high_to) = given.values()
    longest = np.nanmax(np.abs([low, high]), initial=0.0)
    seen = {name: np.abs(each[0]) > INVISIBLE * longest for name, each in given.items()}
    sides = {
        "low": np.where(seen["low"], np.sign(low), np.where(seen["high"], -np.sign(high), -1.0)),
        "high": np.where(seen["high"], np.sign(high), np.where(seen["low"], -np.sign(low), 1.0)),
    }
    apart = (sides["low"] == sides["high"]) | (
        np.fmax(low_from, high_from) <= np.fmin(low_to, high_to)
    )
    units = [unit_text(str(chosen.factor_unit.values[k])) for k in order]
    return [
        _End(
            name,
            color,
            *given[name],
            places + np.where(apart, up, 0.0),
            sides[name],
            [
                f"{_spelled(float(chosen[f'factor_{name}'].values[k]))} {unit}".rstrip()
                for k, unit in zip(order, units, strict=True)
            ],
        )
        for name, color, up in ENDS
    ]


def _make_room(ax: Axes, base: float, ends: list[_End]) -> None:
    """Set limits so that the texts fit beside the bars, and ticks where there are bars."""
    whole = np.concatenate([[0.0], *(part for e in ends for part in (e.change, e.lower, e.upper))])
    low, high = base + float(np.nanmin(whole)), base + float(np.nanmax(whole))
    span = (high - low) or abs(base) or 1.0
    tips = base + np.concatenate([end.tips for end in ends])
    side = np.concatenate([end.side for end in ends])
    inches = LETTER * np.array([len(text) for end in ends for text in end.texts]) + 0.1
    width = SHARE * ax.get_position().width * ax.figure.bbox.width / ax.figure.dpi
    scale, left, right = span / width, 0.0, 0.0
    for _ in range(20):  # room takes room: the scale that both need
        beyond = inches * scale + np.where(side > 0.0, tips - high, low - tips)
        left, right = (
            max(0.04 * span, float(np.nanmax(np.where(side == here, beyond, 0.0))))
            for here in (-1.0, 1.0)
        )
        scale = min((span + left + right) / width, 4.0 * span / width)
    ax.set_xlim(low - left, high + right)
    ticks = np.asarray(MaxNLocator(5).tick_values(low, high))
    ax.set_xticks(ticks[(ticks >= low - 0.02 * span) & (ticks <= high + 0.02 * span)])


def _spelled(value: float) -> str:
    number, is_power, power = f"{value:.4g}".partition("e")
    return f"{number}×10{str(int(power)).translate(SUPERSCRIPTS)}" if is_power else number
