"""Time courses: percentile bands of a cohort, single patients, and a page of coupled panels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from carsim.errors import ScenarioError, unknown
from carsim.plots.theme import (
    COLORS,
    LIMIT,
    LINE_STYLES,
    SHADE,
    axes_of,
    capital,
    groups_of,
    house_style,
    label_of,
    letters,
    text_labels,
    unit_of,
    unit_text,
)

if TYPE_CHECKING:
    import xarray as xr

Periods: TypeAlias = Mapping[str, Sequence[tuple[float, float]]]


@dataclass(frozen=True)
class Panel:
    """What one panel of a page shows.

    Parameters
    ----------
    title : str
        Words above the panel.
    variables : tuple of str
        Variables of the result in one unit; those missing are left out.
    log : bool
        Logarithmic axis (counts, titers, concentrations over decades).
    bottom : float, optional
        Lower end of the axis.
    limit : float, optional
        Detection limit, drawn as a line.
    until : float, optional
        Last day shown.
    words : tuple of str
        What the variables are called in the legend, if there are several.
    """

    title: str
    variables: tuple[str, ...]
    log: bool = False
    bottom: float | None = None
    limit: float | None = None
    until: float | None = None
    words: tuple[str, ...] = ()


PANELS = (
    Panel("CAR-T cells in blood", ("car_t",), log=True, bottom=1e-3),
    Panel(
        "Leukemia",
        ("leukemia_cd19_positive", "leukemia_cd19_negative"),
        log=True,
        bottom=1.0,
        limit=1e8,
        words=("CD19-positive leukemia", "CD19-negative leukemia"),
    ),
    Panel("B cells in blood", ("b_cells",), log=True, bottom=0.1, limit=10.0),
    Panel("HBV DNA", ("hbv_dna",), log=True, bottom=1e-2, limit=10.0),
    Panel("ALT", ("alt",)),
    Panel("Anti-HBs", ("anti_hbs",), log=True, bottom=0.1, limit=10.0),
    Panel("IL-6 (first 60 days)", ("il6",), log=True, until=60.0),
    Panel("Entecavir in plasma", ("entecavir",)),
    Panel("Tocilizumab in serum (first 60 days)", ("tocilizumab",), until=60.0),
)
"""Panels of the flagship model's page, in reading order."""


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
    ax.set_ylabel(label_of(dataset[names[0]]) if len(names) == 1 else _unit_label(dataset, names))
    ax.set_title(title)
    if legend and ax.get_legend_handles_labels()[0]:
        ax.legend()
    return ax


def trajectory_figure(
    dataset: xr.Dataset,
    *,
    by: str | None = None,
    percentiles: tuple[float, float] | None = (5.0, 95.0),
    patients: int = 3,
    panels: Sequence[Panel] = PANELS,
    shading: Periods | None = None,
    title: str = "",
) -> Figure:
    """Page of coupled panels: CAR-T, leukemia, B cells, HBV DNA, ALT, cytokine, drugs.

    Parameters
    ----------
    dataset : xarray.Dataset
        Result with the dimension "time", and perhaps "patient".
    by : str, optional
        Coordinate on "patient" whose labels get a color each.
    percentiles, patients
        As for `trajectories`.
    panels : sequence of Panel
        Panels; those without any variable in the result are left out.
    shading : mapping, optional
        Periods of therapy; read off the drug concentrations if not given.
    title : str
        Words above the page.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with house_style():
        kept = [panel for panel in panels if _present(dataset, panel)]
        if not kept:
            raise ScenarioError(
                "trajectory_figure: the result has none of the variables of the panels. Save some "
                f"of them: {', '.join(v for panel in panels for v in panel.variables)}."
            )
        columns = min(3, len(kept))
        rows = -(-len(kept) // columns)
        figure = Figure(figsize=(1.0 + 4.0 * columns, 0.9 + 2.6 * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        periods = therapy_periods(dataset) if shading is None else shading
        for ax, panel in zip(axes, kept, strict=False):
            _draw(
                ax,
                dataset,
                panel,
                by=by,
                percentiles=percentiles,
                patients=patients,
                shading=periods,
            )
            ax.set_title(panel.title)
        for ax in axes[len(kept) :]:
            ax.remove()
        letters(list(axes[: len(kept)]))
        _page_legend(figure, dataset, kept, by, periods, percentiles)
        if title:
            figure.suptitle(title, fontsize=10.5)
    return figure


def example_figure(
    dataset: xr.Dataset,
    *,
    by: str | None = None,
    column: str = "strategy",
    panels: Sequence[Panel] = PANELS,
    title: str = "Example patients",
) -> Figure:
    """Single patients under a few strategies: a column a strategy, a color a group.

    Parameters
    ----------
    dataset : xarray.Dataset
        Result with the dimensions "patient" (one row an example) and "time", such as that of
        `carsim.sweep.examples`.
    by : str, optional
        Label on "patient" that chooses the color; by default the one that is not `column`.
    column : str
        Label on "patient" that chooses the column; may be missing.
    panels : sequence of Panel
        Rows of the page; those without any variable in the result are left out.
    title : str
        Words above the page.

    Returns
    -------
    matplotlib.figure.Figure
    """
    labels = [str(name) for name in text_labels(dataset) if name != column]
    by = next(iter(labels), None) if by is None else by
    with house_style():
        kept = [panel for panel in panels if _present(dataset, panel)]
        parts = groups_of(dataset, column if column in dataset.coords else None)
        figure = Figure(
            figsize=(1.2 + 4.4 * len(parts), 1.2 + 1.75 * len(kept)), layout="constrained"
        )
        axes = figure.subplots(len(kept), len(parts), squeeze=False, sharey="row")
        for number, (name, part) in enumerate(parts):
            periods = therapy_periods(part)
            for row, panel in enumerate(kept):
                ax = axes[row, number]
                _draw(ax, part, panel, by=by, percentiles=None, patients=0, shading=periods)
                ax.set_title(
                    f"{capital(name)}\n\n{panel.title}" if row == 0 and name else panel.title
                )
                if number:
                    ax.set_ylabel("")
                if row < len(kept) - 1 and kept[row + 1].until == panel.until:
                    ax.set_xlabel("")
        periods = {k: v for _, part in parts for k, v in therapy_periods(part).items()}
        _page_legend(figure, dataset, kept, by, periods, None)
        figure.suptitle(title, fontsize=10.5)
    return figure


def therapy_periods(dataset: xr.Dataset) -> dict[str, list[tuple[float, float]]]:
    """When any patient has a drug, read off its concentration.

    Parameters
    ----------
    dataset : xarray.Dataset
        Result; looks at `lymphodepletion`, `entecavir`, `tocilizumab`, `dexamethasone`.

    Returns
    -------
    dict of str to list of (start, stop)
        Drugs with their periods above 5 % of the largest concentration; drugs never given are
        left out.
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
        curve = np.asarray(np.nan_to_num(_curves(dataset[name])).max(axis=0), dtype=np.float64)
        top = float(curve.max())
        if not top > 0:
            continue
        given = np.concatenate([[False], curve > 0.05 * top, [False]]).astype(int)
        first, last = np.flatnonzero(np.diff(given) == 1), np.flatnonzero(np.diff(given) == -1)
        periods[text] = [
            (float(time[a]), float(time[min(b, len(time) - 1)]))
            for a, b in zip(first.tolist(), last.tolist(), strict=True)
        ]
    return periods


_SHADES = {"Lymphodepletion": "#C9B7A4", "Entecavir": SHADE, "Tocilizumab": "#CFE0EA"}


def shade(ax: Axes, periods: Periods) -> None:
    """Draw periods of therapy behind the lines of an axes."""
    for number, (name, spans) in enumerate(periods.items()):
        color = _SHADES.get(name, "#DDDDDD")
        for start, stop in spans:
            ax.axvspan(start, stop, color=color, linewidth=0, zorder=-10 + number, alpha=0.7)


def _draw(
    ax: Axes,
    dataset: xr.Dataset,
    panel: Panel,
    *,
    by: str | None,
    percentiles: tuple[float, float] | None,
    patients: int,
    shading: Periods,
) -> None:
    given = [name for name in panel.variables if name in dataset]
    trajectories(
        dataset,
        given,
        by=by,
        percentiles=percentiles,
        patients=patients,
        log=panel.log,
        bottom=panel.bottom,
        limit=panel.limit,
        until=panel.until,
        shading=shading,
        ax=ax,
        legend=False,
    )
    ax.set_ylabel(_unit_label(dataset, given))


def _present(dataset: xr.Dataset, panel: Panel) -> bool:
    """Whether the result has anything to show in a panel (a drug never given has not)."""
    given = [name for name in panel.variables if name in dataset]
    return any(bool(np.nanmax(np.abs(dataset[name].values)) > 0) for name in given)


def _page_legend(
    figure: Figure,
    dataset: xr.Dataset,
    panels: Sequence[Panel],
    by: str | None,
    periods: Periods,
    percentiles: tuple[float, float] | None,
) -> None:
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=COLORS[i % len(COLORS)], label=label)
        for i, (label, _) in enumerate(groups_of(dataset, by))
        if label
    ]
    for panel in panels:
        handles += [
            Line2D([], [], color="#444444", linestyle=LINE_STYLES[i], label=text)
            for i, text in enumerate(panel.words)
        ]
    if percentiles is not None and dataset.sizes.get("patient", 1) > 1:
        handles.append(Line2D([], [], color="#444444", linewidth=2.0, label="median"))
        span = f"{percentiles[0]:g}th to {percentiles[1]:g}th percentile"
        handles.append(Patch(color="#444444", alpha=0.25, linewidth=0, label=span))
        handles.append(Line2D([], [], color="#444444", linewidth=0.6, label="single patients"))
    handles += [
        Patch(color=_SHADES.get(name, "#DDDDDD"), linewidth=0, label=name) for name in periods
    ]
    handles.append(
        Line2D(
            [],
            [],
            color=LIMIT,
            linewidth=1.0,
            linestyle=(0, (1, 1.5)),
            label="detection limit or threshold",
        )
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)))


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


def _unit_label(dataset: xr.Dataset, names: Sequence[str]) -> str:
    unit = unit_text(unit_of(dataset[names[0]]))
    return unit if unit else "1"
