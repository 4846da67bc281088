"""Sensitivity indices with intervals, as a tornado."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from carsim.plots.credibility import MOST_BARS, tornado
from carsim.plots.theme import capital, house_style

if TYPE_CHECKING:
    import xarray as xr


def indices_figure(indices: xr.Dataset, *, most: int = MOST_BARS) -> Figure:
    """Page with the bars of `tornado` and an interval on each.

    Parameters
    ----------
    indices : xarray.Dataset
        `value`, `lower` and `upper` over ``factor``; the `long_name` of `value` says which index.
    most : int
        Number of bars.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import xarray as xr

    words = capital(str(indices["value"].attrs.get("long_name", "sensitivity index")))
    factors = [str(name) for name in indices["factor"].values]
    as_elasticities = xr.Dataset(
        {"elasticity": (("output", "time", "parameter"), indices["value"].values[None, None, :])},
        {
            "output": ["index"],
            "time": [0.0],
            "parameter": factors,
            "output_words": ("output", [words]),
        },
    )
    bars = min(most, int(np.isfinite(indices["value"].values).sum()))
    with house_style():
        figure = Figure(figsize=(7.6, 1.0 + 0.28 * bars), layout="constrained")
        ax = figure.subplots()
        tornado(as_elasticities, "index", most=most, ax=ax)
        places = {label.get_text(): place for place, label in enumerate(ax.get_yticklabels())}
        for name, lower, upper in zip(
            factors, indices["lower"].values, indices["upper"].values, strict=True
        ):
            if name in places:
                ax.hlines(places[name], lower, upper, color="black", linewidth=1.2)
        ax.set_xlabel(words)
        ax.set_title("")
    return figure
