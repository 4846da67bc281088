"""Pages made of panels that any function of this room draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from carsim.plots.theme import house_style, legend_below, letters

Draw: TypeAlias = Callable[[Axes], object]


def panels_figure(
    draw: Sequence[Draw],
    *,
    size: tuple[float, float] = (8.0, 4.2),
    columns: int = 1,
    share_y: bool = False,
    legend: bool = True,
) -> Figure:
    """Page of panels with one legend below them.

    Parameters
    ----------
    draw : sequence of callable
        At least one; each draws on the axes that it is given, such as
        ``lambda ax: incidence(result, ax=ax)``.
    size : (float, float), inch
        Width and height of a panel with its labels.
    columns : int
        Panels beside each other, at most.
    share_y : bool
        One scale for all ordinates, which then stand at the first of each row.
    legend : bool
        Whether the legends of the panels, which must be alike, become one below the page, where it
        cannot lie on anything.

    Returns
    -------
    matplotlib.figure.Figure
    """
    columns = min(columns, len(draw))
    rows = -(-len(draw) // columns)
    with house_style():
        figure = Figure(figsize=(size[0] * columns, size[1] * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False, sharey=share_y).ravel()
        for number, (ax, each) in enumerate(zip(axes, draw, strict=False)):
            each(ax)
            if share_y and number % columns:
                ax.set_ylabel("")
        for ax in axes[len(draw) :]:
            ax.remove()
        drawn = list(axes[: len(draw)])
        if len(drawn) > 1:
            letters(drawn)
        if legend:
            _one_legend(figure, drawn)
    return figure


def _one_legend(figure: Figure, axes: Sequence[Axes]) -> None:
    title = ""
    for ax in axes:
        own = ax.get_legend()
        if own is not None:
            title = own.get_title().get_text()
            own.remove()
    handles = [ax.get_legend_handles_labels()[0] for ax in axes]
    legend_below(figure, max(handles, key=len), title)
