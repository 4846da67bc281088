"""Bars of a classic tornado: an output with one factor at its low and at its high end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from carsim.plots.theme import COLORS, unit_text

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]

#: End, color, place of its whisker and of its text where both ends lie on one side of base.
ENDS = (("low", COLORS[4], 0.16), ("high", COLORS[1], -0.16))
HEIGHT = 0.7
ROOM = 0.3
"""Share of the width on each side for the values of the factors."""


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
    changes = {end: chosen[f"change_{end}"].values[order] for end, _, _ in ENDS}
    one_side = changes["low"] * changes["high"] > 0.0
    longest = np.fmax(*(np.abs(change) for change in changes.values()))
    for end, color, up in ENDS:
        change = changes[end]
        # Where both ends lie on one side of base, the shorter bar is drawn over the longer one.
        short = one_side & (np.abs(change) < longest)
        for behind, which in ((True, ~short), (False, short)):
            ax.barh(
                places[which],
                change[which],
                left=base,
                height=HEIGHT if behind else 0.6 * HEIGHT,
                color=color,
                zorder=2.0 if behind else 2.1,
                label=f"factor at its {end} end" if behind else None,
            )
        low, high = (chosen[f"change_{end}_{side}"].values[order] for side in ("lower", "upper"))
        rows = places + np.where(one_side, up, 0.0)
        ax.hlines(rows, base + low, base + high, color="black", linewidth=0.9, zorder=3.0)
        for tip in (low, high):
            ax.plot(
                base + tip,
                rows,
                linestyle="none",
                marker="|",
                color="black",
                markersize=4,
                zorder=3.0,
            )
        _write_values(ax, chosen, order, rows, end, changes)
    ax.axvline(base, color="black", linewidth=1.0, zorder=4.0, label="base: no factor changed")
    ax.margins(x=ROOM)


def _write_values(
    ax: Axes,
    chosen: xr.Dataset,
    order: NDArray[np.int64],
    rows: Array,
    end: str,
    changes: dict[str, Array],
) -> None:
    """Write the value of the factor beyond the bar and its whisker."""
    base = float(chosen.at_base)
    other = changes["high" if end == "low" else "low"]
    for place, k in enumerate(order):
        change = changes[end][place]
        if not np.isfinite(change):
            continue
        # An end that changes nothing is written on the side that the other one leaves free.
        side = np.sign(change) or -np.sign(other[place]) or (-1.0 if end == "low" else 1.0)
        tip = chosen[f"change_{end}_{'upper' if side > 0 else 'lower'}"].values[k]
        far = max(side * change, side * tip) if np.isfinite(tip) else side * change
        unit = unit_text(str(chosen.factor_unit.values[k]))
        value = float(chosen[f"factor_{end}"].values[k])
        ax.annotate(
            f"{value:.4g} {unit}".rstrip(),
            xy=(base + side * far, rows[place]),
            xytext=(4.0 * side, 0.0),
            textcoords="offset points",
            ha="left" if side > 0 else "right",
            va="center",
            fontsize=7.5,
            zorder=5.0,
        )
