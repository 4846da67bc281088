"""Cumulative incidence: when events happen, with bands and the numbers still at risk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from carsim.endpoints.clock import CLOCK, clock_of, infusion_of, same_clock
from carsim.endpoints.incidence import BandMethod, CumulativeIncidence, cumulative_incidence
from carsim.errors import ScenarioError, unknown
from carsim.plots.theme import (
    COLORS,
    DAYS_PER_MONTH,
    LINE_STYLES,
    axes_of,
    groups_of,
    label_of,
    words_of_group,
)

if TYPE_CHECKING:
    import xarray as xr


def incidence(
    dataset: xr.Dataset,
    *,
    by: str | None = "serostatus",
    event: str = "hbv_reactivation",
    follow_up: float | None = None,
    origin: float | None = None,
    ax: Axes | None = None,
    level: float = 0.95,
    band: BandMethod = "wilson",
    at_risk: bool = True,
    title: str = "",
) -> Axes:
    """Step curves of cumulative incidence, a band each, and numbers at risk below.

    Parameters
    ----------
    dataset : xarray.Dataset
        Results with the variables `event` (1, 0, NaN) and `<event>_time`; the only dimensions left
        are "patient" and `by`.
    by : str or None
        Dimension, or coordinate on "patient", whose labels get a curve each.
    event : str
        Name of the event.
    follow_up : float, optional
        End of follow-up (day of the simulation); by default its end, or else the last event.
    origin : float, optional
        Day of the simulation from which time is counted; the infusion by default.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    level : float
        Level of the pointwise bands.
    band : {"wilson", "greenwood"}
        See `carsim.endpoints.cumulative_incidence`.
    at_risk : bool
        Whether to write the numbers at risk below the axis.
    title : str
        Title of the panel.

    Returns
    -------
    matplotlib.axes.Axes
    """
    for name in (event, f"{event}_time"):
        if name not in dataset:
            raise ScenarioError(
                unknown("variable", name, map(str, dataset.data_vars), "the result")
            )
    origin = infusion_of(dataset) if origin is None else origin
    clock = clock_of(dataset[f"{event}_time"])
    if clock is not None:  # the end of follow-up is a time of the simulation
        same_clock("incidence", {f"{event}_time": clock, "the end of follow-up": CLOCK})
    end = _end(dataset, event, follow_up)
    ax = axes_of(ax)
    curves: list[tuple[str, CumulativeIncidence]] = []
    for number, (name, part) in enumerate(groups_of(dataset, by)):
        if part[event].dims != ("patient",):
            raise ScenarioError(
                f"Incidence curves are over patients, but '{event}' also varies along "
                f"{', '.join(str(d) for d in part[event].dims if d != 'patient')}. Choose one "
                "value first, for example with dataset.isel(...)."
            )
        curve = cumulative_incidence(
            part[event].values,
            part[f"{event}_time"].values,
            end,
            origin=origin,
            level=level,
            band=band,
        )
        curves.append((name, curve))
        color = COLORS[number % len(COLORS)]
        days = curve.time - origin
        ax.fill_between(
            days,
            100 * curve.lower,
            100 * curve.upper,
            step="post",
            color=color,
            alpha=0.18,
            linewidth=0,
        )
        ax.step(
            days,
            100 * curve.incidence,
            where="post",
            color=color,
            linestyle=LINE_STYLES[number % len(LINE_STYLES)],
            label=name or None,
        )
    ticks = follow_up_axis(ax, end - origin)
    ax.set_ylim(bottom=0.0)
    ax.set_ylabel(f"{plain(label_of(dataset[event]))}\ncumulative incidence (%)")
    ax.set_title(title)
    if by is not None:
        ax.legend(title=words_of_group(dataset, by), loc="best")
    if at_risk:
        rows = [
            (COLORS[number % len(COLORS)], curve.number_at_risk(ticks + origin))
            for number, (_, curve) in enumerate(curves)
        ]
        write_numbers(ax, ticks, rows)
    return ax


def _end(dataset: xr.Dataset, event: str, follow_up: float | None) -> float:
    if follow_up is not None:
        return float(follow_up)
    stop = json.loads(dataset.attrs.get("scenario", "{}")).get("stop")
    if isinstance(stop, int | float):
        return float(stop)
    times = dataset[f"{event}_time"].values
    if not np.isfinite(times).any():
        raise ScenarioError(
            "incidence: there is no event and the result does not say when follow-up ended. Give "
            "follow_up (days)."
        )
    return float(np.nanmax(times))


def follow_up_axis(ax: Axes, length: float) -> NDArray[np.float64]:
    """Make the x axis one of days since the infusion, with ticks at whole months if it is long.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes over days.
    length : float, day
        End of follow-up.

    Returns
    -------
    float64 array, day
        The ticks.
    """
    ticks = _ticks(length)
    months = bool(length >= 3 * DAYS_PER_MONTH)
    ax.set_xticks(ticks, [f"{t / DAYS_PER_MONTH:.0f}" if months else f"{t:.0f}" for t in ticks])
    ax.set_xlim(0.0, length)
    ax.set_xlabel(f"Time since infusion ({'months' if months else 'days'})")
    return ticks


def write_numbers(
    ax: Axes, ticks: NDArray[np.float64], rows: Sequence[tuple[str, NDArray[np.float64]]]
) -> None:
    """Write numbers at risk under the tick labels, one row a curve, in the curve's color.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes whose x label is one line.
    ticks : float64 array
        Where on the x axis.
    rows : sequence of (color, numbers)
        Numbers at risk at the ticks.
    """
    row, first = 10.5, -46.0  # points below the axis
    ax.annotate(
        "Numbers at risk",
        xy=(0, 0),
        xycoords="axes fraction",
        xytext=(-9, first + row),
        textcoords="offset points",
        fontsize=7,
        color="#555555",
    )
    for number, (color, counts) in enumerate(rows):
        for tick, count in zip(ticks, counts, strict=True):
            ax.annotate(
                f"{count:,.0f}",
                xy=(tick, 0),
                xycoords=("data", "axes fraction"),
                xytext=(0, first - row * number),
                textcoords="offset points",
                ha="center",
                fontsize=7,
                color=color,
            )


def _ticks(length: float) -> NDArray[np.float64]:
    if length < 3 * DAYS_PER_MONTH:
        step = 7.0 if length <= 50 else 14.0
    else:
        months = length / DAYS_PER_MONTH
        step = DAYS_PER_MONTH * next(s for s in (1, 3, 6, 12, 24, 60) if months / s <= 8)
    # Months are not whole days: 730 days are 24 of them.
    return np.asarray(np.minimum(np.arange(0.0, length + 1.0, step), length), dtype=np.float64)


def plain(words: str) -> str:
    """Words without the unit of a plain number."""
    return words[:-4] if words.endswith(" (1)") else words
