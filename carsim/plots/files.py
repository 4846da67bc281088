"""Standard sets of figures for the command line, written to a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from carsim.plots.incidence import incidence
from carsim.plots.pages import example_figure, trajectory_figure
from carsim.plots.panels import Draw, panels_figure
from carsim.plots.risk_maps import risk_map_figure
from carsim.plots.theme import groups_of, label_of, tick_labels

if TYPE_CHECKING:
    import xarray as xr

MOST_PATIENTS = 1_000_000
MOST_GROUPS = 7  # as many as there are colors


def write_sweep_figures(
    dataset: xr.Dataset,
    directory: Path | str,
    examples: xr.Dataset | None = None,
    *,
    event: str = "hbv_reactivation",
) -> list[Path]:
    """Write the figures of a sweep that its dimensions allow.

    Parameters
    ----------
    dataset : xarray.Dataset
        Sweep; endpoints over the swept dimensions and "patient".
    directory : path
        Folder for the files; made if missing.
    examples : xarray.Dataset, optional
        Time courses of a few patients, see `carsim.sweep.examples`.
    event : str
        Endpoint to map.

    Returns
    -------
    list of Path
        `risk_map.png` (two swept axes), `cumulative_incidence.png` (one axis or more) and
        `example_trajectories.png`; what does not apply is left out. Risks count everybody, read
        part by part; curves are of the first million patients.
    """
    folder = Path(directory)
    written: list[Path] = []
    by = _grouping(dataset)
    axes = _swept(dataset, event, by)
    if event in dataset and len(axes) >= 2:
        x, y = axes[0], axes[1]
        middle = {name: dataset.sizes[name] // 2 for name in axes[2:]}
        figure = risk_map_figure(dataset.isel(middle), x, y, by=by, event=event)
        written.append(_save(figure, folder / "risk_map.png"))
    if event in dataset and f"{event}_time" in dataset and axes:
        figure = incidence_figure(_first_patients(dataset), axes[0], by=by, event=event)
        written.append(_save(figure, folder / "cumulative_incidence.png"))
    if examples is not None:
        written.append(_save(example_figure(examples), folder / "example_trajectories.png"))
    return written


def write_run_figures(dataset: xr.Dataset, directory: Path | str) -> list[Path]:
    """Write the figures of a single run.

    Parameters
    ----------
    dataset : xarray.Dataset
        Result of `carsim.simulate`, with the dimension "time" and perhaps "patient".
    directory : path
        Folder for the files; made if missing.

    Returns
    -------
    list of Path
        `trajectories.png`, unless nothing that the panels show was saved.
    """
    from carsim.errors import ScenarioError

    try:
        figure = trajectory_figure(dataset, by=_grouping(dataset))
    except ScenarioError:
        return []
    return [_save(figure, Path(directory) / "trajectories.png")]


def incidence_figure(
    dataset: xr.Dataset,
    x: str,
    *,
    by: str | None = "serostatus",
    event: str = "hbv_reactivation",
) -> Figure:
    """Cumulative incidence at each value of one swept axis, a panel a value.

    Other swept axes are held at their middle value, which the title names.

    Parameters
    ----------
    dataset : xarray.Dataset
        Sweep.
    x : str
        Swept dimension whose values get a panel each.
    by : str or None
        Dimension, or coordinate on "patient", whose labels get a curve each.
    event : str
        Name of the event.

    Returns
    -------
    matplotlib.figure.Figure
    """
    held = {name: dataset.sizes[name] // 2 for name in _swept(dataset, event, by) if name != x}
    fixed = dataset.isel(held)
    names, words = tick_labels(dataset[x])

    def panel(number: int, name: str) -> Draw:
        part = fixed.isel({x: number})
        title = f"{words}: {name}"
        return lambda ax: incidence(part, by=by, event=event, ax=ax, title=title)

    draw = [panel(number, name) for number, name in enumerate(names)]
    numbers_at_risk = 0.16 * len(groups_of(fixed.isel({x: 0}), by))
    figure = panels_figure(draw, size=(4.4, 3.2 + numbers_at_risk), columns=3, share_y=True)
    axes = figure.axes
    axes[0].set_ylim(0.0, min(100.0, 1.25 * max(ax.dataLim.ymax for ax in axes)))
    if held:
        text = "; ".join(
            f"{label_of(dataset[n])}: {tick_labels(dataset[n])[0][i]}" for n, i in held.items()
        )
        figure.suptitle(text, fontsize=9.5)
    return figure


def _first_patients(dataset: xr.Dataset) -> xr.Dataset:
    """A random sample that memory holds: patients are independent, their order carries nothing."""
    if dataset.sizes.get("patient", 0) <= MOST_PATIENTS:
        return dataset
    return dataset.isel(patient=slice(MOST_PATIENTS))


def _save(figure: Figure, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path


def _grouping(dataset: xr.Dataset) -> str | None:
    """Choose what gets a panel or a color: a dimension of words, or else a label of the patients.

    Of several the one with the fewest, but more than one, values.
    """
    candidates: list[tuple[bool, int, str]] = []
    for name, coordinate in dataset.coords.items():
        if coordinate.dtype.kind not in "OUST" or coordinate.ndim != 1:
            continue
        count = len(np.unique(coordinate.values.astype(object)))
        # Items of the therapy are no groups of patients.
        is_dimension = coordinate.dims == (name,) and name not in ("patient", "item")
        if 2 <= count <= MOST_GROUPS and (is_dimension or coordinate.dims == ("patient",)):
            candidates.append((not is_dimension, count, str(name)))
    return min(candidates)[2] if candidates else None


def _swept(dataset: xr.Dataset, event: str, by: str | None) -> list[str]:
    if event not in dataset:
        return []
    return [str(d) for d in dataset[event].dims if d not in ("patient", "time", by)]
