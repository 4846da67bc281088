"""Pages of coupled panels: CAR-T cells, leukemia, B cells, virus, liver, cytokine, drugs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from carsim.errors import ScenarioError
from carsim.plots.theme import (
    COLORS,
    LIMIT,
    LINE_STYLES,
    capital,
    groups_of,
    house_style,
    legend_below,
    letters,
    text_labels,
)
from carsim.plots.therapy import Periods, shade_color, therapy_periods
from carsim.plots.trajectories import paired, trajectories, unit_label

if TYPE_CHECKING:
    import xarray as xr


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
    Panel("HBV DNA", ("hbv_dna",), log=True, bottom=1e-3, limit=10.0),
    Panel("ALT", ("alt",)),
    Panel("Anti-HBs", ("anti_hbs",), log=True, bottom=0.1, limit=10.0),
    Panel("IL-6 (first 60 days)", ("il6",), log=True, until=60.0),
    Panel("Entecavir in plasma", ("entecavir",)),
    Panel("Tocilizumab in serum (first 60 days)", ("tocilizumab",), until=60.0),
)
"""Panels of the flagship model's page, in reading order."""


def trajectory_figure(
    dataset: xr.Dataset,
    *,
    by: str | None = None,
    percentiles: Sequence[float] | None = (5.0, 95.0),
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
    title: str = "Example patients: of each kind the first with the event, or else the first",
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
        axes = figure.subplots(len(kept), len(parts), squeeze=False)
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
                    ax.tick_params(labelleft=False)
                if row < len(kept) - 1 and kept[row + 1].until == panel.until:
                    ax.set_xlabel("")
        for row in axes:
            lowest, highest = zip(*(ax.get_ylim() for ax in row), strict=True)
            for ax in row:
                ax.set_ylim(min(lowest), max(highest))
        periods = {k: v for _, part in parts for k, v in therapy_periods(part).items()}
        _page_legend(figure, dataset, kept, by, periods, None)
        figure.suptitle(title, fontsize=10.5)
    return figure


def _draw(
    ax: Axes,
    dataset: xr.Dataset,
    panel: Panel,
    *,
    by: str | None,
    percentiles: Sequence[float] | None,
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
        limit_words="",  # the legend of the page says it
        until=panel.until,
        shading=shading,
        ax=ax,
        legend=False,
        notes=False,
    )
    ax.set_ylabel(unit_label(dataset, given))


def _present(dataset: xr.Dataset, panel: Panel) -> bool:
    """Whether the result has anything to show in a panel (a drug never given has not)."""
    given = [name for name in panel.variables if name in dataset]
    return any(bool(np.any(np.abs(dataset[name].values) > 0)) for name in given)


def _page_legend(
    figure: Figure,
    dataset: xr.Dataset,
    panels: Sequence[Panel],
    by: str | None,
    periods: Periods,
    percentiles: Sequence[float] | None,
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
        for depth, (low, high) in enumerate(paired(percentiles)):
            span = f"{low:g}th to {high:g}th percentile"
            alpha = 1.0 - (1.0 - 0.25) ** (depth + 1)  # as bands that lie on each other look
            handles.append(Patch(color="#444444", alpha=alpha, linewidth=0, label=span))
        handles.append(Line2D([], [], color="#444444", linewidth=0.6, label="single patients"))
    handles += [Patch(color=shade_color(name), linewidth=0, label=name) for name in periods]
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
    legend_below(figure, handles, most=4)
