"""Visual predictive check: observed percentiles over those that the model foretells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from carsim.plots.detection import below_limit_strip, limit_line
from carsim.plots.theme import (
    COLORS,
    axes_of,
    capital,
    counted,
    label_of,
    note,
    place_legend,
    unit_of,
    unit_text,
)
from carsim.plots.vpc_statistics import Array, Bins, Table, column, has, vpc_statistics

if TYPE_CHECKING:
    import xarray as xr


def vpc(
    simulated: xr.Dataset | Table,
    observed: Table,
    of: str,
    *,
    time: str = "time",
    patient: str = "patient",
    replicate: str = "replicate",
    bins: Bins = None,
    percentiles: Sequence[float] = (5.0, 50.0, 95.0),
    level: float = 0.95,
    limit: float | None = None,
    limit_words: str = "limit of detection",
    draws: int = 500,
    seed: int = 0,
    log: bool = False,
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Draw the observed values and percentiles over the bands of the simulated percentiles.

    Parameters
    ----------
    simulated, observed, of, time, patient, replicate, bins, percentiles, level, draws, seed
        As for `vpc_statistics`, which gives the numbers that are drawn.
    limit : float, optional
        Limit of detection. Observations below it are drawn as open triangles at the limit, on a
        logarithmic axis in a shaded strip, and counted above the axes.
    limit_words : str
        What the limit is, written beside it with its value.
    log : bool
        Logarithmic axis.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    title : str
        Title of the panel.

    Returns
    -------
    matplotlib.axes.Axes
    """
    found = vpc_statistics(
        simulated,
        observed,
        of,
        time=time,
        patient=patient,
        replicate=replicate,
        bins=bins,
        percentiles=percentiles,
        level=level,
        limit=limit,
        draws=draws,
        seed=seed,
    )
    ax = axes_of(ax)
    times, values = column(observed, time, "the observed data"), column(observed, of, "observed")
    here = np.isfinite(times) & np.isfinite(values)
    times, values = times[here], values[here]
    below = np.zeros(len(values), dtype=bool) if limit is None else values < limit
    about = found["observed"].rename(of)
    unit = unit_text(unit_of(about))
    floor = _scale(ax, found, values[~below], log, limit, limit_words, unit)

    def shown(data: Array) -> Array:
        return data if limit is None else np.where(data <= limit, floor, data)

    center = found["time"].values
    for number, percentile in enumerate(found["percentile"].values):
        is_middle = percentile == 50.0
        color = COLORS[1] if is_middle else COLORS[0]
        column_of = found.isel(percentile=number)
        band = (shown(column_of["lower"].values), shown(column_of["upper"].values))
        first = number == 0 or is_middle
        words = "median" if is_middle else _outer(found["percentile"].values)
        ax.fill_between(
            center,
            *band,
            color=color,
            alpha=0.25,
            linewidth=0,
            label=f"simulated {words}, {100 * level:g} % band" if first else None,
        )
        ax.plot(
            center,
            shown(column_of["observed"].values),
            color="black",
            linestyle="-" if is_middle else (0, (4, 2)),
            marker=".",
            linewidth=1.3,
            label=f"observed {words}" if first else None,
            gid=f"observed {percentile:g}",
        )
    ax.plot(
        times[~below],
        values[~below],
        "o",
        markersize=2.8,
        color="#5A5A5A",
        alpha=0.6,
        markeredgewidth=0,
        label="observed values",
        gid="observed values",
    )
    if below.any():
        ax.plot(
            times[below],
            np.full(int(below.sum()), floor),
            "v",
            markersize=3.5,
            markerfacecolor="none",
            markeredgecolor="#5A5A5A",
            markeredgewidth=0.7,
            label="observed below the limit",
            gid="below the limit",
        )
    ax.set_xlabel(_time_label(simulated, time))
    ax.set_ylabel(label_of(about) if about.attrs else capital(of))
    ax.set_title(title)
    note(ax, _counts(len(values), int(below.sum()), int(found.attrs["missing"])))
    place_legend(ax, beside=True)
    return ax


def _scale(
    ax: Axes,
    found: xr.Dataset,
    values: Array,
    log: bool,
    limit: float | None,
    words: str,
    unit: str,
) -> float:
    """Set the y axis; give the level of what is below the limit."""
    seen = np.concatenate([values, found["upper"].values.ravel(), found["lower"].values.ravel()])
    seen = seen[np.isfinite(seen)]
    highest = float(np.max(seen, initial=0.0 if limit is None else limit))
    stated = f"{words} {f'{limit:g} {unit}'.rstrip()}" if limit is not None else ""
    if not log:
        ax.set_ylim(min(0.0, float(np.min(seen))), 1.08 * highest if highest > 0 else 1.0)
    else:
        ax.set_yscale("log")
        if limit is not None:
            return below_limit_strip(ax, limit, max(3 * highest, 10 * limit), f"below {stated}")
        positive = seen[seen > 0]
        lowest = float(np.min(positive, initial=highest))
        ax.set_ylim(lowest / 1.5, max(3.0 * highest, 10.0 * lowest))
    if limit is not None:
        limit_line(ax, limit, stated)
        return limit
    return -np.inf


def _outer(percentiles: Array) -> str:
    outer = [f"{p:g}th" for p in percentiles if p != 50.0]
    return " and ".join(outer) + (" percentiles" if len(outer) > 1 else " percentile")


def _time_label(simulated: Table, time: str) -> str:
    about = simulated[time] if has(simulated, time) else None
    if about is None or not getattr(about, "attrs", None):
        return capital(time)
    return f"Time ({unit_text(unit_of(about))})"


def _counts(values: int, below: int, missing: int) -> str:
    parts = [counted(values, "observed value")]
    if below:
        parts.append(f"{below:,} of them below the limit")
    if missing:
        parts.append(f"{missing:,} missing left out")
    return ", ".join(parts)
