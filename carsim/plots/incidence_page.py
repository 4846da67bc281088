"""A page with one panel of incidence curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from carsim.plots.incidence import incidence
from carsim.plots.theme import house_style

if TYPE_CHECKING:
    import xarray as xr


def incidence_page(dataset: xr.Dataset, *, by: str | None, event: str) -> Figure:
    """Cumulative incidence of a result whose only other dimension is `by`.

    Parameters
    ----------
    dataset : xarray.Dataset
        Result with the variables `event` and `<event>_time`.
    by : str or None
        Dimension, or coordinate on "patient", whose labels get a curve each.
    event : str
        Name of the event.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with house_style():
        figure = Figure(figsize=(8.0, 4.2), layout="constrained")
        ax = figure.subplots()
        incidence(dataset, by=by, event=event, ax=ax)
        legend = ax.get_legend()
        if legend is not None:  # below, where it cannot lie on a curve
            title = legend.get_title().get_text()
            legend.remove()
            handles, names = ax.get_legend_handles_labels()
            figure.legend(
                handles, names, title=title, loc="outside lower center", ncols=min(3, len(names))
            )
    return figure
