"""Figures of local sensitivities, of identifiability and of recovery."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from carsim.errors import ScenarioError
from carsim.plots.theme import COLORS, LIMIT, axes_of, capital, house_style, unit_text

if TYPE_CHECKING:
    import xarray as xr

MOST_BARS = 15
BLANK = "#F2F2F2"
WORST = 1e3
"""Collinearity indices from here on have the darkest color."""


def tornado(
    sensitivities: xr.Dataset,
    output: str,
    *,
    time: float | None = None,
    most: int = MOST_BARS,
    ax: Axes | None = None,
) -> Axes:
    """Draw the elasticities of one output as bars, the longest on top.

    Parameters
    ----------
    sensitivities : xarray.Dataset
        Result of `carsim.credibility.local_sensitivity`.
    output : str
        One of its outputs.
    time : float, optional
        One of its times; the last by default.
    most : int
        Number of bars.
    ax : matplotlib Axes, optional
        Where to draw; new ones by default.

    Returns
    -------
    matplotlib Axes
    """
    known = sensitivities.output.values.tolist()
    if output not in known:
        raise ScenarioError(f"tornado: there is no output {output!r}. Known: {', '.join(known)}.")
    chosen = sensitivities.sel(output=output)
    last = sensitivities.time.values[-1]
    chosen = chosen.sel(time=last if time is None else time, method="nearest")
    values = chosen.elasticity.values
    finite = np.flatnonzero(np.isfinite(values))
    if not finite.size:
        raise ScenarioError(
            f"tornado: {output!r} is zero at t = {float(chosen.time):g}, so that nothing changes "
            "it by percent. Give another time."
        )
    order = finite[np.argsort(np.abs(values[finite]), kind="stable")][-most:]
    ax = axes_of(ax)
    with house_style():
        places = np.arange(len(order))
        colors = [COLORS[1] if values[k] > 0.0 else COLORS[0] for k in order]
        ax.barh(places, values[order], color=colors, height=0.7)
        ax.set_yticks(places, [str(chosen.parameter.values[k]) for k in order])
        ax.axvline(0.0, color=LIMIT, linewidth=0.8)
        words = capital(str(chosen.output_words.values))
        ax.set_xlabel("Percent of the output per percent of the parameter")
        unit = unit_text(str(sensitivities.time.attrs.get("carsim_units", "")))
        ax.set_title(f"{words}, time {float(chosen.time):g} {unit}".rstrip())
        ax.margins(y=0.02)
    return ax


def collinearity_map(screen: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the collinearity indices of all pairs of parameters as a map.

    Parameters
    ----------
    screen : xarray.Dataset
        Result of `carsim.credibility.identifiability`.
    ax : matplotlib Axes, optional
        Where to draw; new ones by default.

    Returns
    -------
    matplotlib Axes
    """
    names = [str(name) for name in screen.parameter.values]
    values = screen.collinearity.values
    ax = axes_of(ax)
    with house_style():
        shown = np.ma.masked_invalid(np.where(np.isposinf(values), WORST, values))
        ax.set_facecolor(BLANK)
        image = ax.imshow(shown, cmap="Blues", norm=LogNorm(1.0, WORST))
        ax.set_xticks(range(len(names)), names, rotation=90)
        ax.set_yticks(range(len(names)), names)
        if len(names) <= 16:
            for (row, column), value in np.ndenumerate(values):
                if not np.isnan(value):
                    text = "∞" if np.isinf(value) else f"{value:.3g}"
                    dark = value > np.sqrt(WORST)
                    ax.text(
                        column,
                        row,
                        text,
                        ha="center",
                        va="center",
                        fontsize=7,
                        color="white" if dark else "black",
                    )
        ax.spines[:].set_visible(False)
        bar = ax.figure.colorbar(image, ax=ax, shrink=0.8, extend="max")
        bar.set_label("Collinearity index of two parameters")
        index = float(screen.attrs["index"])
        whole = "∞" if np.isinf(index) else f"{index:.3g}"
        rank = f"rank {screen.attrs['rank']} of {len(names)}"
        ax.set_title(f"All together: {rank}, index {whole}")
    return ax


def recovery_curves(found: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw what is left of each disturbance.

    Parameters
    ----------
    found : xarray.Dataset
        Result of `carsim.credibility.recovery`.
    ax : matplotlib Axes, optional
        Where to draw; new ones by default.

    Returns
    -------
    matplotlib Axes
    """
    ax = axes_of(ax)
    with house_style():
        for number, state in enumerate(found.state.values):
            style = ("-", "--", ":")[number // len(COLORS) % 3]
            ax.plot(
                found.time.values,
                found.distance.sel(state=state).values,
                color=COLORS[number % len(COLORS)],
                linestyle=style,
                label=str(state),
            )
        ax.set_xscale("log")
        ax.set_xlim(found.time.values[1], found.time.values[-1])
        ax.set_ylim(bottom=0.0)
        unit = unit_text(str(found.time.attrs.get("carsim_units", "")))
        ax.set_xlabel(f"Time since the disturbance ({unit})")
        ax.set_ylabel("What is left of it")
        ax.legend(title="Disturbed", ncols=2)
    return ax
