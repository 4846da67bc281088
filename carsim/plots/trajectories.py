"""Time courses: percentile bands of a cohort, single patients, periods of therapy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from carsim.errors import ScenarioError, unknown
from carsim.plots.detection import below_limit_strip, limit_line
from carsim.plots.theme import (
    COLORS,
    LINE_STYLES,
    axes_of,
    counted,
    groups_of,
    label_of,
    note,
    place_legend,
    unit_of,
    unit_text,
)
from carsim.plots.therapy import Periods, curves_of, shade
from carsim.plots.time_axis import time_axis

if TYPE_CHECKING:
    import xarray as xr


def trajectories(
    dataset: xr.Dataset,
    of: str | Sequence[str],
    *,
    by: str | None = None,
    percentiles: Sequence[float] | None = (5.0, 95.0),
    patients: int = 3,
    log: bool = False,
    bottom: float | None = None,
    limit: float | None = None,
    limit_words: str = "limit of detection",
    strip: bool = False,
    until: float | None = None,
    shading: Periods | None = None,
    ax: Axes | None = None,
    title: str = "",
    legend: bool = True,
    notes: bool = True,
) -> Axes:
    """Median and percentile bands over patients, with a few single patients as thin lines.

    Failed patients (NaN) are left out, and counted above the axes.

    Parameters
    ----------
    dataset : xarray.Dataset
        Result with the dimension "time", and perhaps "patient".
    of : str or sequence of str
        Variable or variables (same unit); each gets a line style.
    by : str, optional
        Coordinate on "patient" whose labels get a color each.
    percentiles : sequence of float or None
        Ends of the bands, between 0 and 100: ``(5, 95)`` is one band, ``(5, 25, 75, 95)`` two
        nested ones; the median is always drawn. None draws every patient as a full line instead (a
        few examples).
    patients : int
        Number of single patients beside the bands: the first ones that did not fail.
    log : bool
        Logarithmic axis; zero and below leave the frame at the bottom.
    bottom : float, optional
        Lower end of the axis.
    limit : float, optional
        Limit of detection in the unit of the axis, drawn as a dotted line.
    limit_words : str
        What the limit is, written beside it with its value; nothing is written if empty.
    strip : bool
        Draw all that is below `limit` at one level in a shaded strip, as an assay would report it
        (logarithmic axis only); otherwise the course goes on below the line.
    until : float, optional
        Last time shown.
    shading : mapping of str to pairs of times, optional
        Periods of therapy, drawn behind the lines; see `scheduled_periods`.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    title : str
        Title of the panel.
    legend : bool
        Whether to draw a legend.
    notes : bool
        Whether to count the failed patients above the axes.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ScenarioError
        An unknown variable, other dimensions than patient and time, percentiles that do not
        pair, or a strip without a logarithmic axis and a limit.
    """
    names = [of] if isinstance(of, str) else list(of)
    for name in names:
        check_variable(dataset, name)
    bands = paired(percentiles)
    if strip and (limit is None or not log):
        raise ScenarioError(
            "trajectories: the strip below the limit needs a logarithmic axis and the limit. Give "
            "log=True and limit=..., or leave strip out."
        )
    ax = axes_of(ax)
    time = np.asarray(dataset["time"].values, dtype=np.float64)
    inside = time <= (np.inf if until is None else until)
    if shading:
        shade(ax, shading)
    drawn = [
        (group, number, label, curves_of(part[name]))
        for group, (label, part) in enumerate(groups_of(dataset, by))
        for number, name in enumerate(names)
    ]
    shown = [curves[:, inside] for *_, curves in drawn]
    unit = unit_text(unit_of(dataset[names[0]]))
    kinds = [_kind(dataset[name], len(names)) for name in names]
    floor = scale_axis(
        ax, shown, log=log, bottom=bottom, limit=limit, strip=strip, words=limit_words, unit=unit
    )
    failed = 0
    for group, number, label, curves in drawn:
        color = COLORS[group % len(COLORS)]
        style = LINE_STYLES[number % len(LINE_STYLES)]
        words = " ".join(w for w in (label, kinds[number]) if w)
        whole = ~np.isnan(curves).all(axis=1)
        failed += int((~whole).sum()) if number == 0 else 0
        curves = at_least(curves, floor, limit if strip else None)
        if percentiles is None or len(curves) == 1:
            for row, curve in enumerate(curves):
                ax.plot(
                    time,
                    curve,
                    color=color,
                    linestyle=style,
                    # Broad below, narrow above: courses that coincide are all seen.
                    linewidth=max(1.0, 3.0 - 0.9 * group) if by else 1.5,
                    label=words if row == 0 and words else None,
                )
            continue
        curves = curves[whole]
        if not len(curves):
            continue
        for low, high in bands:
            ends = np.nanpercentile(curves, [low, high], axis=0)
            ax.fill_between(time, *ends, color=color, alpha=0.18, linewidth=0)
        for curve in curves[:patients]:
            ax.plot(time, curve, color=color, linewidth=0.6, alpha=0.8, linestyle=style)
        ax.plot(
            time,
            np.nanpercentile(curves, 50.0, axis=0),
            color=color,
            linestyle=style,
            linewidth=2.0,
            label=words or None,
        )
    ax.set_xlim(time[0], time[-1] if until is None else until)
    time_axis(ax, dataset, unit_text(unit_of(dataset["time"])))
    ax.set_ylabel(label_of(dataset[names[0]]) if len(names) == 1 else unit_label(dataset, names))
    ax.set_title(title)
    if failed and notes:
        note(ax, f"{counted(failed, 'failed patient')} left out")
    if legend:
        place_legend(ax)
    return ax


def check_variable(dataset: xr.Dataset, name: str) -> None:
    """Refuse a variable that a result does not have."""
    if name not in dataset:
        raise ScenarioError(unknown("variable", name, map(str, dataset.data_vars), "the result"))


def paired(percentiles: Sequence[float] | None) -> list[tuple[float, float]]:
    """Pair the ends of nested bands, the outermost first.

    Raises
    ------
    ScenarioError
        Not an even number of ascending percentiles between 0 and 100.
    """
    ends = [] if percentiles is None else [float(p) for p in percentiles]
    if len(ends) % 2 or sorted(set(ends)) != ends or (ends and not 0 <= ends[0] < ends[-1] <= 100):
        raise ScenarioError(
            f"percentiles = {percentiles!r}. Give the ends of the bands in ascending order, such "
            "as (5, 95), or (5, 25, 75, 95) for two nested bands; the median is always drawn."
        )
    return list(zip(ends[: len(ends) // 2], reversed(ends), strict=False))


def at_least(curves: NDArray[np.float64], floor: float, limit: float | None) -> NDArray[np.float64]:
    """Raise values to the floor: those below the limit, or those below the floor itself."""
    below = curves < (floor if limit is None else limit)
    return np.where(below, floor, curves)


def scale_axis(
    ax: Axes,
    shown: Sequence[NDArray[np.float64]],
    *,
    log: bool,
    bottom: float | None,
    limit: float | None,
    strip: bool,
    words: str,
    unit: str,
) -> float:
    """Set the scale and the limits of the y axis, and draw the limit of detection.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes over time.
    shown : sequence of float64 arrays
        All values that will be seen.
    log, bottom, limit, strip
        As for `trajectories`.
    words, unit : str
        What the limit is, and its unit as printed.

    Returns
    -------
    float
        Level to which lower values are raised: that of the strip, or else one far below the frame.
    """
    ends = [f(v[np.isfinite(v)]) for v in shown for f in (np.min, np.max) if np.isfinite(v).any()]
    highest = float(max([*ends, limit] if limit is not None else ends, default=1.0))
    stated = f"{words} {f'{limit:g} {unit}'.rstrip()}" if words and limit is not None else ""
    if not log:
        ax.set_ylim(0.0 if bottom is None else bottom, 1.08 * highest if highest > 0 else 1.0)
    else:
        ax.set_yscale("log")
        if strip and limit is not None:
            top = max(3.0 * highest, 10.0 * limit)
            return below_limit_strip(ax, limit, top, f"below {stated}" if stated else "")
        lowest = min((float(value) for value in ends if value > 1e-300), default=highest)
        low = lowest / 1.5 if bottom is None else bottom
        ax.set_ylim(low, max(3.0 * highest, 10.0 * low))
    if limit is not None:
        limit_line(ax, limit, stated)
    return float(np.finfo(float).tiny) if log else -np.inf


def _kind(variable: xr.DataArray, number: int) -> str:
    """Words of a variable in the legend, if there is more than one."""
    return "" if number == 1 else str(variable.attrs.get("long_name", variable.name))


def unit_label(dataset: xr.Dataset, names: Sequence[str]) -> str:
    """Return the unit that some variables share, for an axis without words."""
    unit = unit_text(unit_of(dataset[names[0]]))
    return unit if unit else "1"
