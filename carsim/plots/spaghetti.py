"""All patients of a result as thin lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D

from carsim.errors import ScenarioError, unknown
from carsim.plots.theme import (
    COLORS,
    LINE_STYLES,
    axes_of,
    groups_of,
    label_of,
    left_out,
    note,
    patients_of,
    place_legend,
    unit_of,
    unit_text,
    words_of_group,
)
from carsim.plots.therapy import Periods, curves_of, shade
from carsim.plots.time_axis import time_axis
from carsim.plots.trajectories import at_least, check_variable, scale_axis

if TYPE_CHECKING:
    import xarray as xr

MOST_LINES = 300
VECTOR_LINES = 200  # more become pixels also in a PDF, which would be slow to open otherwise


def spaghetti(
    dataset: xr.Dataset,
    of: str,
    *,
    by: str | None = None,
    highlight: Sequence[int] = (),
    most: int = MOST_LINES,
    log: bool = False,
    limit: float | None = None,
    limit_words: str = "limit of detection",
    bottom: float | None = None,
    until: float | None = None,
    shading: Periods | None = None,
    ax: Axes | None = None,
    title: str = "",
    legend: bool = True,
) -> Axes:
    """Every patient as a thin line, the more transparent the more there are.

    A line above the axes says how many patients were left out: failed ones, and those beyond the
    first `most`.

    Parameters
    ----------
    dataset : xarray.Dataset
        Result with the dimension "time", and perhaps "patient".
    of : str
        Variable to draw.
    by : str, optional
        Coordinate on "patient" whose labels get a color each.
    highlight : sequence of int
        Patients (values of the coordinate "patient") that are drawn as bold black lines, a line
        style each, also if they are not among the first `most`.
    most : int
        Number of patients drawn: the first ones that did not fail, over all groups.
    log : bool
        Logarithmic axis; zero and below leave the frame at the bottom.
    limit : float, optional
        Limit of detection in the unit of the axis. On a logarithmic axis all values below it are
        drawn at one level in a shaded strip that says so; on a linear one it is a line.
    limit_words : str
        What the limit is, written beside it with its value.
    bottom : float, optional
        Lower end of the axis; with a strip, the strip is the lower end.
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

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ScenarioError
        An unknown variable or patient, or other dimensions than patient and time.
    """
    check_variable(dataset, of)
    numbers = patients_of(dataset)
    for number in highlight:
        if number not in numbers:
            known = map(str, numbers.tolist())
            raise ScenarioError(unknown("patient", str(number), known, "the result"))
    curves = curves_of(dataset[of])
    whole = ~np.isnan(curves).all(axis=1)
    kept = np.flatnonzero(whole)[:most]
    bold = [int(np.flatnonzero(numbers == number)[0]) for number in highlight]
    ax = axes_of(ax)
    time = np.asarray(dataset["time"].values, dtype=np.float64)
    inside = time <= (np.inf if until is None else until)
    if shading:
        shade(ax, shading)
    floor = scale_axis(
        ax,
        [curves[[*kept, *bold]][:, inside]],
        log=log,
        bottom=bottom,
        limit=limit,
        strip=log and limit is not None,
        words=limit_words,
        unit=unit_text(unit_of(dataset[of])),
    )
    raised = at_least(curves, floor, limit if log else None)
    alpha = transparency(len(kept))
    handles: list[Line2D] = []
    place_of = {number: place for place, number in enumerate(numbers.tolist())}
    for group, (label, part) in enumerate(groups_of(dataset, by)):
        color = COLORS[group % len(COLORS)]
        mine = {place_of[number] for number in patients_of(part).tolist()}
        chosen = [place for place in kept.tolist() if place in mine]
        lines = LineCollection(
            [np.column_stack([time, raised[place]]) for place in chosen],
            colors=color,
            linewidths=0.8,
            alpha=alpha,
            rasterized=len(kept) > VECTOR_LINES,
            gid=f"patients {label}".rstrip(),
        )
        ax.add_collection(lines, autolim=False)
        if label:
            handles.append(Line2D([], [], color=color, label=f"{label} (n = {len(chosen):,})"))
    for row, (number, place) in enumerate(zip(highlight, bold, strict=True)):
        handles += ax.plot(
            time,
            raised[place],
            color="black",
            linewidth=1.6,
            linestyle=LINE_STYLES[row % len(LINE_STYLES)],
            label=f"patient {number}",
        )
    ax.set_xlim(time[0], time[-1] if until is None else until)
    time_axis(ax, dataset, unit_text(unit_of(dataset["time"])))
    ax.set_ylabel(label_of(dataset[of]))
    ax.set_title(title)
    note(ax, left_out(len(kept), int(whole.sum()), int((~whole).sum())))
    if legend and (handles or shading):
        shades = [h for h in ax.get_legend_handles_labels()[0] if h not in handles]
        words = None if by is None else words_of_group(dataset, by)
        place_legend(ax, [*handles, *shades], words)
    return ax


def transparency(lines: int) -> float:
    """Opacity of each of many lines: full for a few, so that a hundred do not become one blot."""
    return float(np.clip(4.0 / max(lines, 1) ** 0.5, 0.1, 0.9))
