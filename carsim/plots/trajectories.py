"""Time courses: percentile bands of a cohort, single patients, periods of therapy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from carsim.errors import ScenarioError, unknown
from carsim.plots.theme import (
    COLORS,
    LIMIT,
    LINE_STYLES,
    SHADE,
    axes_of,
    groups_of,
    label_of,
    unit_of,
    unit_text,
)

if TYPE_CHECKING:
    import xarray as xr

Periods: TypeAlias = Mapping[str, Sequence[tuple[float, float]]]


def trajectories(
    dataset: xr.Dataset,
    of: str | Sequence[str],
    *,
    by: str | None = None,
    percentiles: tuple[float, float] | None = (5.0, 95.0),
    patients: int = 3,
    log: bool = False,
    bottom: float | None = None,
    limit: float | None = None,
    until: float | None = None,
    shading: Periods | None = None,
    ax: Axes | None = None,
    title: str = "",
    legend: bool = True,
) -> Axes:
    """Median and percentile band over patients, with a few single patients as thin lines.

    Parameters
    ----------
    dataset : xarray.Dataset
        Result with the dimension "time", and perhaps "patient".
    of : str or sequence of str
        Variable or variables (same unit); each gets a line style.
    by : str, optional
        Coordinate on "patient" whose labels get a color each.
    percentiles : pair of float or None
        Ends of the band; None draws every patient as a full line instead (a few examples).
    patients : int
        Number of single patients beside the band: the first ones.
    log : bool
        Logarithmic axis; zero and below leave the frame at the bottom.
    bottom : float, optional
        Lower end of the axis.
    limit : float, optional
        Detection limit, drawn as a dotted line.
    until : float, optional
        Last time shown.
    shading : mapping of str to pairs of times, optional
        Periods of therapy, drawn behind the lines.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.
    title : str
        Title of the panel.
    legend : bool
        Whether to draw a legend.

    Returns
    -------
    matplotlib.axes.Axes
    """
    names = [of] if isinstance(of, str) else list(of)
    for name in names:
        if name not in dataset:
            raise ScenarioError(
                unknown("variable", name, map(str, dataset.data_vars), "the result")
            )
    ax = axes_of(ax)
    time = np.asarray(dataset["time"].values, dtype=np.float64)
    if shading:
        shade(ax, shading)
    floor = np.finfo(float).tiny if log else -np.inf
    shown: list[float] = []
    for group, (label, part) in enumerate(groups_of(dataset, by)):
        color = COLORS[group % len(COLORS)]
        for number, name in enumerate(names):
            style = LINE_STYLES[number % len(LINE_STYLES)]
            curves = np.maximum(_curves(part[name]), floor)
            words = " ".join(w for w in (label, _short(name, names)) if w)
            inside = time <= (np.inf if until is None else until)
            if curves[:, inside].size:
                shown += [float(np.nanmax(curves[:, inside])), float(np.nanmin(curves[:, inside]))]
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
            low, middle, high = np.nanpercentile(
                curves, [percentiles[0], 50.0, percentiles[1]], axis=0
            )
            ax.fill_between(time, low, high, color=color, alpha=0.18, linewidth=0)
            for curve in curves[:patients]:
                ax.plot(time, curve, color=color, linewidth=0.6, alpha=0.8, linestyle=style)
            ax.plot(time, middle, color=color, linestyle=style, linewidth=2.0, label=words or None)
    _finish(ax, log=log, bottom=bottom, shown=shown)
    if limit is not None:
        ax.axhline(limit, color=LIMIT, linewidth=1.0, linestyle=(0, (1, 1.5)))
    ax.set_xlim(time[0], time[-1] if until is None else until)
    ax.set_xlabel(f"Time ({unit_text(unit_of(dataset['time']))})")
    ax.set_ylabel(label_of(dataset[names[0]]) if len(names) == 1 else unit_label(dataset, names))
    ax.set_title(title)
    if legend and ax.get_legend_handles_labels()[0]:
        ax.legend()
    return ax


def therapy_periods(dataset: xr.Dataset) -> dict[str, list[tuple[float, float]]]:
    """When patients have a drug, read off its concentration.

    Parameters
    ----------
    dataset : xarray.Dataset
        Result; looks at `lymphodepletion`, `entecavir`, `tocilizumab`, `dexamethasone`.

    Returns
    -------
    dict of str to list of (start, stop)
        Drugs with the periods in which a tenth of the patients or more is above 5 % of the
        largest concentration; drugs never given are left out.
    """
    words = {
        "lymphodepletion": "Lymphodepletion",
        "entecavir": "Entecavir",
        "tocilizumab": "Tocilizumab",
        "dexamethasone": "Dexamethasone",
    }
    time = np.asarray(dataset["time"].values, dtype=np.float64)
    periods: dict[str, list[tuple[float, float]]] = {}
    for name, text in words.items():
        if name not in dataset:
            continue
        curves = np.nan_to_num(_curves(dataset[name]))
        top = float(np.max(curves))
        if not top > 0:
            continue
        has_it = np.mean(curves > 0.05 * top, axis=0) >= 0.1
        given = np.concatenate([[False], has_it, [False]]).astype(int)
        first, last = np.flatnonzero(np.diff(given) == 1), np.flatnonzero(np.diff(given) == -1)
        periods[text] = [
            (float(time[a]), float(time[min(b, len(time) - 1)]))
            for a, b in zip(first.tolist(), last.tolist(), strict=True)
        ]
    return periods


_SHADES = {"Lymphodepletion": "#C9B7A4", "Entecavir": SHADE, "Tocilizumab": "#CFE0EA"}


def shade_color(name: str) -> str:
    """Return the color behind the lines while a drug is given."""
    return _SHADES.get(name, "#DDDDDD")


def shade(ax: Axes, periods: Periods) -> None:
    """Draw periods of therapy behind the lines of an axes."""
    for number, (name, spans) in enumerate(periods.items()):
        for start, stop in spans:
            ax.axvspan(
                start, stop, color=shade_color(name), linewidth=0, zorder=-10 + number, alpha=0.7
            )


def _curves(variable: xr.DataArray) -> NDArray[np.float64]:
    """Values of a variable as (patients, times)."""
    others = [d for d in variable.dims if d not in ("patient", "time")]
    if "time" not in variable.dims or others:
        raise ScenarioError(
            f"'{variable.name}' has the dimensions {', '.join(map(str, variable.dims))}; a time "
            "course needs time, and perhaps patient. Choose one value of the others first."
        )
    if "patient" in variable.dims:
        variable = variable.transpose("patient", "time")
    return np.atleast_2d(np.asarray(variable.values, dtype=np.float64))


def _finish(ax: Axes, *, log: bool, bottom: float | None, shown: list[float]) -> None:
    finite = [value for value in shown if np.isfinite(value)]
    highest = max(finite, default=1.0)
    if not log:
        ax.set_ylim(0.0 if bottom is None else bottom, 1.08 * highest if highest > 0 else 1.0)
        return
    ax.set_yscale("log")
    lowest = min((value for value in finite if value > 1e-300), default=highest)
    low = lowest / 1.5 if bottom is None else bottom
    ax.set_ylim(low, max(3.0 * highest, 10.0 * low))


def _short(name: str, names: Sequence[str]) -> str:
    """Keep what tells a variable from its neighbors: "CD19-positive"."""
    if len(names) == 1:
        return ""
    common = len(names[0])
    for other in names:
        while not other.startswith(names[0][:common]):
            common -= 1
    return name[common:].strip("_").replace("_", " ").replace("cd19 ", "CD19-") or name


def unit_label(dataset: xr.Dataset, names: Sequence[str]) -> str:
    """Return the unit that some variables share, for an axis without words."""
    unit = unit_text(unit_of(dataset[names[0]]))
    return unit if unit else "1"
