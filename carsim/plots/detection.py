"""What cannot be measured: the limit of detection, and the strip below it."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from carsim.plots.theme import LIMIT

STRIP = "#EFEFEF"
STRIP_SHARE = 0.13  # of the height of the axis
MOST_DECADES = 8  # ticks
LINE_AT, WORDS_AT = 0.25, 0.66  # of the height of the strip, counted from the limit downwards


def limit_line(ax: Axes, limit: float, words: str = "") -> None:
    """Draw a limit as a dotted line, with its words at the right end.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes to draw on.
    limit : float
        In the unit of the axis.
    words : str
        What is written above the line; nothing by default.
    """
    ax.axhline(limit, color=LIMIT, linewidth=1.0, linestyle=(0, (1, 1.5)), gid="limit")
    if words:
        ax.annotate(
            words,
            xy=(1.0, limit),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 2),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=7,
            color="#555555",
        )


def strip_height(limit: float, highest: float) -> float:
    """Decades that the strip below a limit takes of a logarithmic axis.

    Parameters
    ----------
    limit : float
        Limit of detection.
    highest : float
        Upper end of the axis.
    """
    decades = max(math.log10(highest / limit), 1.0) if highest > limit else 1.0
    return STRIP_SHARE / (1.0 - STRIP_SHARE) * decades


def below_limit_strip(ax: Axes, limit: float, highest: float, words: str) -> float:
    """Shade the strip below a limit of detection on a logarithmic axis, and say what it is.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes with a logarithmic y axis, whose lower end becomes that of the strip.
    limit : float
        Limit of detection, in the unit of the axis.
    highest : float
        Upper end of the axis.
    words : str
        What is written in the strip.

    Returns
    -------
    float
        Where values below the limit are to be drawn: one level, because nothing is known of them
        but that they are below.
    """
    height = strip_height(limit, highest)
    bottom = limit * 10.0**-height
    ax.axhspan(bottom, limit, color=STRIP, linewidth=0, zorder=-20, gid="below detection")
    limit_line(ax, limit)
    ax.text(
        0.01,
        limit * 10.0 ** (-WORDS_AT * height),
        words,
        transform=ax.get_yaxis_transform(),
        fontsize=6.5,
        va="center",
        color="#555555",
    )
    ax.set_ylim(bottom, highest)
    # The strip has no scale: ticks at whole decades from the limit on.
    first, last = math.ceil(math.log10(limit) - 1e-9), math.floor(math.log10(highest))
    step = 1 + (last - first) // MOST_DECADES
    ax.yaxis.set_major_locator(FixedLocator([10.0**k for k in range(first, last + 1, step)]))
    ax.yaxis.set_minor_locator(NullLocator())
    return float(limit * 10.0 ** (-LINE_AT * height))
